//! A private key or a secret as a JWK (RFC 7517, 4; RFC 7518, 6.2.2, 6.3.2 and 6.4; RFC 8037, 2).

use p256::elliptic_curve::zeroize::Zeroizing;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::bad_signing_key::BadSigningKey;
use super::jwk::{bytes, point, text};
use super::key::Unusable;
use super::private_key::{PrivateKey, RsaNumbers, RsaPrimes};
use super::secret::Secret;
use super::signing_key::SigningKey;

impl SigningKey {
    /// Reads a private key from a JWK: RSA (with or without its primes), EC, OKP with Ed25519, or
    /// oct, a secret. Its own `use`, `key_ops`, `alg` and `kid` count.
    ///
    /// It signs by its own `alg`, or by `alg`, or else by RS256, ES256, ES384, ES512, EdDSA or
    /// HS256, as its type is.
    ///
    /// # Errors
    /// [`BadSigningKey`] says why this JWK is no key that signs.
    pub fn from_jwk(jwk: &Value, alg: Option<Algorithm>) -> Result<Self, BadSigningKey> {
        let jwk = jwk.as_object().ok_or(Unusable::NotAnObject)?;
        // RFC 7517, 4.2 and 4.3.
        match text(jwk, "use")? {
            None | Some("sig") => {}
            Some(_) => return Err(Unusable::NotForSignatures.into()),
        }
        if let Some(operations) = jwk.get("key_ops") {
            let operations = operations.as_array().ok_or(Unusable::Malformed)?;
            if !operations.iter().any(|operation| operation == "sign") {
                return Err(Unusable::NotForSignatures.into());
            }
        }
        // RFC 7517, 4.4.
        let alg = match (text(jwk, "alg")?.map(Algorithm::by_name), alg) {
            (None, alg) => alg,
            (Some(None), _) => return Err(Unusable::UnsupportedAlgorithm.into()),
            (Some(Some(own)), Some(alg)) if own != alg => {
                return Err(BadSigningKey::OtherAlgorithm);
            }
            (Some(own), _) => own,
        };
        let private = match (text(jwk, "kty")?, text(jwk, "crv")?) {
            (Some("RSA"), _) => rsa(jwk)?,
            (Some("EC"), Some("P-256")) => ec(jwk, 32, PrivateKey::p256)?,
            (Some("EC"), Some("P-384")) => ec(jwk, 48, PrivateKey::p384)?,
            (Some("EC"), Some("P-521")) => ec(jwk, 66, PrivateKey::p521)?,
            (Some("EC"), Some(_)) => return Err(BadSigningKey::UnsupportedCurve),
            (Some("EC"), None) => return Err(BadSigningKey::NoCurve),
            // RFC 8037, 2.
            (Some("OKP"), Some("Ed25519")) => {
                let private = PrivateKey::ed25519(&private_bytes(jwk)?)?;
                private.check_public(&bytes(jwk, "x")?)?;
                private
            }
            // RFC 7518, 6.4.
            (Some("oct"), _) => {
                let alg = alg.unwrap_or(Algorithm::Hs256);
                PrivateKey::Hmac(Secret::new(bytes(jwk, "k")?, alg)?)
            }
            _ => return Err(Unusable::UnsupportedKeyType.into()),
        };
        let kid = text(jwk, "kid")?.map(str::to_owned);
        Self::new(private, kid, alg)
    }
}

/// RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2: `d` is what makes a JWK private.
fn private_bytes(jwk: &Map<String, Value>) -> Result<Zeroizing<Vec<u8>>, BadSigningKey> {
    if !jwk.contains_key("d") {
        return Err(BadSigningKey::NotPrivate);
    }
    Ok(Zeroizing::new(bytes(jwk, "d")?))
}

/// RFC 7518, 6.2: the scalar at the curve's full length, and its point.
fn ec(
    jwk: &Map<String, Value>,
    length: usize,
    read: fn(&[u8]) -> Result<PrivateKey, BadSigningKey>,
) -> Result<PrivateKey, BadSigningKey> {
    let scalar = private_bytes(jwk)?;
    if scalar.len() != length {
        return Err(Unusable::Malformed.into());
    }
    let private = read(&scalar)?;
    private.check_public(&point(jwk, length)?)?;
    Ok(private)
}

/// RFC 7518, 6.3.2. The primes may be left out, both of them.
fn rsa(jwk: &Map<String, Value>) -> Result<PrivateKey, BadSigningKey> {
    if jwk.contains_key("oth") {
        return Err(BadSigningKey::MultiPrimeRsa);
    }
    let d = private_bytes(jwk)?;
    let optional = |name: &str| match jwk.contains_key(name) {
        true => bytes(jwk, name).map(Zeroizing::new).map(Some),
        false => Ok(None),
    };
    let [p, q, dp, dq, qi] = [
        optional("p")?,
        optional("q")?,
        optional("dp")?,
        optional("dq")?,
        optional("qi")?,
    ];
    let primes = match (&p, &q) {
        (Some(p), Some(q)) => Some(RsaPrimes {
            p,
            q,
            dp: dp.as_ref().map(|dp| dp.as_slice()),
            dq: dq.as_ref().map(|dq| dq.as_slice()),
            qi: qi.as_ref().map(|qi| qi.as_slice()),
        }),
        (None, None) if dp.is_none() && dq.is_none() && qi.is_none() => None,
        _ => return Err(Unusable::Malformed.into()),
    };
    PrivateKey::rsa(&RsaNumbers {
        n: &bytes(jwk, "n")?,
        e: &bytes(jwk, "e")?,
        d: &d,
        primes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::base64url;
    use serde_json::json;

    /// RFC 7515, A.3.
    fn p256_jwk() -> Value {
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        })
    }

    /// RFC 8037, A.1.
    fn ed25519_jwk() -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    fn oct_jwk() -> Value {
        json!({"kty": "oct", "k": base64url::encode(&[7; 64])})
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk.as_object_mut().unwrap().insert(name.to_owned(), value);
        jwk
    }

    fn without(mut jwk: Value, name: &str) -> Value {
        jwk.as_object_mut().unwrap().remove(name).unwrap();
        jwk
    }

    fn refusal(jwk: &Value) -> BadSigningKey {
        SigningKey::from_jwk(jwk, None).unwrap_err()
    }

    #[test]
    fn the_members_of_a_jwk_count() {
        let key = SigningKey::from_jwk(&p256_jwk(), None).unwrap();
        assert_eq!(key.alg(), Algorithm::Es256);
        let jwk = with(p256_jwk(), "kid", json!("mine"));
        let jwk = with(jwk, "use", json!("sig"));
        let jwk = with(jwk, "alg", json!("ES256"));
        let jwk = with(jwk, "key_ops", json!(["verify", "sign"]));
        for alg in [None, Some(Algorithm::Es256)] {
            let key = SigningKey::from_jwk(&jwk, alg).unwrap();
            assert_eq!(key.kid(), Some("mine"));
        }
        let why = SigningKey::from_jwk(&jwk, Some(Algorithm::Es384)).unwrap_err();
        assert_eq!(why, BadSigningKey::OtherAlgorithm);

        let jwk = with(oct_jwk(), "alg", json!("HS384"));
        let alg = |alg| SigningKey::from_jwk(&jwk, alg).map(|key| key.alg());
        assert_eq!(alg(None), Ok(Algorithm::Hs384));
        assert_eq!(alg(Some(Algorithm::Hs384)), Ok(Algorithm::Hs384));
        assert_eq!(
            alg(Some(Algorithm::Hs512)),
            Err(BadSigningKey::OtherAlgorithm)
        );
        let alg = |alg| SigningKey::from_jwk(&oct_jwk(), alg).map(|key| key.alg());
        assert_eq!(alg(None), Ok(Algorithm::Hs256));
        assert_eq!(alg(Some(Algorithm::Hs512)), Ok(Algorithm::Hs512));
    }

    #[test]
    fn what_does_not_sign_is_refused() {
        for (name, value, why) in [
            ("use", json!("enc"), Unusable::NotForSignatures),
            ("key_ops", json!(["verify"]), Unusable::NotForSignatures),
            ("key_ops", json!([]), Unusable::NotForSignatures),
            ("key_ops", json!("sign"), Unusable::Malformed),
            ("alg", json!("ECDH-ES"), Unusable::UnsupportedAlgorithm),
            ("alg", json!("none"), Unusable::UnsupportedAlgorithm),
            ("alg", json!("ES384"), Unusable::UnsupportedAlgorithm),
            ("alg", json!("HS256"), Unusable::UnsupportedAlgorithm),
            ("kty", json!("AKP"), Unusable::UnsupportedKeyType),
            ("kty", json!("RSA"), Unusable::Malformed),
            ("kid", json!(1), Unusable::Malformed),
            // Of another length, zero, the order of the curve or more.
            ("d", json!(base64url::encode(&[7; 31])), Unusable::Malformed),
            ("d", json!(base64url::encode(&[7; 33])), Unusable::Malformed),
            ("d", json!(base64url::encode(&[0; 32])), Unusable::Malformed),
            (
                "d",
                json!(base64url::encode(&[255; 32])),
                Unusable::Malformed,
            ),
            ("x", json!("AA"), Unusable::Malformed),
            ("y", json!(base64url::encode(&[7; 32])), Unusable::BadPoint),
        ] {
            assert_eq!(
                refusal(&with(p256_jwk(), name, value)),
                why.into(),
                "{name}"
            );
        }
        assert_eq!(refusal(&json!("key")), Unusable::NotAnObject.into());
        for name in ["kty", "x", "y"] {
            let why = match name {
                "kty" => Unusable::UnsupportedKeyType,
                _ => Unusable::Malformed,
            };
            assert_eq!(refusal(&without(p256_jwk(), name)), why.into(), "{name}");
        }
        for (crv, why) in [
            ("secp256k1", BadSigningKey::UnsupportedCurve),
            ("P-384", Unusable::Malformed.into()),
        ] {
            assert_eq!(refusal(&with(p256_jwk(), "crv", json!(crv))), why, "{crv}");
        }
        let why = refusal(&without(p256_jwk(), "crv"));
        assert_eq!(why, BadSigningKey::NoCurve);
        for crv in ["X25519", "Ed448"] {
            let why = refusal(&with(ed25519_jwk(), "crv", json!(crv)));
            assert_eq!(why, Unusable::UnsupportedKeyType.into(), "{crv}");
        }
        let why = refusal(&with(ed25519_jwk(), "d", json!("AA")));
        assert_eq!(why, Unusable::Malformed.into());
    }

    #[test]
    fn a_public_key_does_not_sign() {
        for jwk in [p256_jwk(), ed25519_jwk()] {
            assert_eq!(refusal(&without(jwk, "d")), BadSigningKey::NotPrivate);
        }
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        assert_eq!(refusal(&rsa), BadSigningKey::NotPrivate);
    }

    #[test]
    fn the_public_members_are_of_the_private_key() {
        let other = SigningKey::from_secret(vec![7; 32], None, None).unwrap();
        let other = base64url::encode(&other.derive(b"some scalar"));
        for jwk in [p256_jwk(), ed25519_jwk()] {
            let why = refusal(&with(jwk, "d", json!(other)));
            assert_eq!(why, BadSigningKey::OtherPublicKey);
        }
    }

    #[test]
    fn a_secret_is_one() {
        for (k, why) in [
            (
                json!(base64url::encode(&[7; 31])),
                Unusable::ShortSecret { least: 32 },
            ),
            (json!("é"), Unusable::Malformed),
            (json!(7), Unusable::Malformed),
        ] {
            assert_eq!(refusal(&with(oct_jwk(), "k", k)), why.into());
        }
        let why = refusal(&with(oct_jwk(), "alg", json!("ES256")));
        assert_eq!(why, Unusable::UnsupportedAlgorithm.into());
        assert_eq!(
            refusal(&without(oct_jwk(), "k")),
            Unusable::Malformed.into()
        );
    }
}
