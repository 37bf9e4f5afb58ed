//! One JSON Web Key, validated once when it is loaded (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2).

use std::fmt;

use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPublicKey};
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Family};
use super::base64url;

/// RFC 7518, 3.3: RSA keys of 2048 bits or more. The upper bound keeps one signature check cheap.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key that may verify signatures.
#[derive(Clone, Debug)]
pub struct VerificationKey {
    pub kid: Option<String>,
    declared: Option<Algorithm>,
    pub(super) material: Material,
}

#[derive(Clone, Debug)]
pub(super) enum Material {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// Why a key of a set is left out. The rest of the set is used all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unusable {
    NotAnObject,
    /// `use` is not `sig`, or `key_ops` lacks `verify`.
    NotForSignatures,
    UnsupportedKeyType,
    /// `alg` names something that signs nothing here, such as RSA-OAEP, or does not fit `kty`.
    UnsupportedAlgorithm,
    /// An RSA modulus outside 2048 to 8192 bits, or an exponent below 3.
    WeakOrOversizedRsa,
    /// A member is missing or malformed, or the point is not on the curve.
    Malformed,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "not an object",
            Self::NotForSignatures => "not for signatures",
            Self::UnsupportedKeyType => "its kty or crv is not supported",
            Self::UnsupportedAlgorithm => "its alg is not supported or does not fit its kty",
            Self::WeakOrOversizedRsa => {
                "RSA keys must have 2048 to 8192 bits and an odd exponent of 3 or more"
            }
            Self::Malformed => "malformed",
        })
    }
}

impl VerificationKey {
    /// Reads a public key from a JWK.
    ///
    /// # Errors
    /// [`Unusable`] says why this key cannot verify signatures.
    pub fn from_jwk(jwk: &Value) -> Result<Self, Unusable> {
        let jwk = jwk.as_object().ok_or(Unusable::NotAnObject)?;
        // RFC 7517, 4.2 and 4.3.
        match text(jwk, "use")? {
            None | Some("sig") => {}
            Some(_) => return Err(Unusable::NotForSignatures),
        }
        if let Some(operations) = jwk.get("key_ops") {
            let operations = operations.as_array().ok_or(Unusable::Malformed)?;
            if !operations.iter().any(|operation| operation == "verify") {
                return Err(Unusable::NotForSignatures);
            }
        }
        // RFC 7517, 4.4.
        let declared = match text(jwk, "alg")? {
            None => None,
            Some(name) => Some(Algorithm::by_name(name).ok_or(Unusable::UnsupportedAlgorithm)?),
        };
        let material = match (text(jwk, "kty")?, text(jwk, "crv")?) {
            (Some("RSA"), _) => Material::Rsa(rsa_key(jwk)?),
            (Some("EC"), Some("P-256")) => Material::P256(
                p256::ecdsa::VerifyingKey::from_sec1_bytes(&point(jwk, 32)?)
                    .map_err(|_| Unusable::Malformed)?,
            ),
            (Some("EC"), Some("P-384")) => Material::P384(
                p384::ecdsa::VerifyingKey::from_sec1_bytes(&point(jwk, 48)?)
                    .map_err(|_| Unusable::Malformed)?,
            ),
            (Some("EC"), Some("P-521")) => Material::P521(
                p521::ecdsa::VerifyingKey::from_sec1_bytes(&point(jwk, 66)?)
                    .map_err(|_| Unusable::Malformed)?,
            ),
            (Some("OKP"), Some("Ed25519")) => Material::Ed25519(ed25519_key(jwk)?),
            _ => return Err(Unusable::UnsupportedKeyType),
        };
        if declared.is_some_and(|alg| !material.can(alg.family())) {
            return Err(Unusable::UnsupportedAlgorithm);
        }
        Ok(Self {
            kid: text(jwk, "kid")?.map(str::to_owned),
            declared,
            material,
        })
    }

    /// Whether the key may verify `alg`: its type can, and its own `alg`, if it has one, is of
    /// the same [`Family`].
    #[must_use]
    pub fn fits(&self, alg: Algorithm) -> bool {
        self.material.can(alg.family())
            && self
                .declared
                .is_none_or(|declared| declared.family() == alg.family())
    }

    /// Whether the key is marked for exactly `alg`.
    #[must_use]
    pub fn is_declared_for(&self, alg: Algorithm) -> bool {
        self.declared == Some(alg)
    }
}

impl Material {
    fn can(&self, family: Family) -> bool {
        matches!(
            (self, family),
            (Self::Rsa(_), Family::RsaPkcs1 | Family::RsaPss)
                | (Self::P256(_), Family::P256)
                | (Self::P384(_), Family::P384)
                | (Self::P521(_), Family::P521)
                | (Self::Ed25519(_), Family::Ed25519)
        )
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Unusable> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unusable::Malformed),
    }
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    text(jwk, name)?
        .and_then(base64url::decode)
        .ok_or(Unusable::Malformed)
}

/// RFC 7518, 6.3.1.
fn rsa_key(jwk: &Map<String, Value>) -> Result<RsaPublicKey, Unusable> {
    let modulus = BigUint::from_bytes_be(&bytes(jwk, "n")?);
    let exponent = bytes(jwk, "e")?;
    let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if !RSA_BITS.contains(&modulus.bits()) || !odd(&exponent) || !odd(&modulus.to_bytes_be()) {
        return Err(Unusable::WeakOrOversizedRsa);
    }
    let exponent = BigUint::from_bytes_be(&exponent);
    // The library bounds the exponent above; 1 would make every message its own signature.
    if exponent.bits() < 2 {
        return Err(Unusable::WeakOrOversizedRsa);
    }
    let key = RsaPublicKey::new_with_max_size(modulus, exponent, *RSA_BITS.end())
        .map_err(|_| Unusable::WeakOrOversizedRsa)?;
    debug_assert!(key.size() >= 256);
    Ok(key)
}

/// RFC 7518, 6.2.1: both coordinates, at the curve's full length; as SEC 1 writes a point.
fn point(jwk: &Map<String, Value>, length: usize) -> Result<Vec<u8>, Unusable> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(Unusable::Malformed);
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
}

/// RFC 8037, 2.
fn ed25519_key(jwk: &Map<String, Value>) -> Result<ed25519_dalek::VerifyingKey, Unusable> {
    let x = bytes(jwk, "x")?;
    let x: &[u8; 32] = x.as_slice().try_into().map_err(|_| Unusable::Malformed)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(|_| Unusable::Malformed)?;
    // A point of small order accepts signatures that nobody made.
    if key.is_weak() {
        return Err(Unusable::Malformed);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 7515, A.3.
    fn p256_jwk() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    /// RFC 7515, A.2.
    fn rsa_jwk() -> Value {
        json!({
            "kty": "RSA", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        })
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk.as_object_mut().unwrap().insert(name.to_owned(), value);
        jwk
    }

    fn refusal(jwk: &Value) -> Unusable {
        VerificationKey::from_jwk(jwk).unwrap_err()
    }

    #[test]
    fn a_key_fits_its_family_only() {
        let fits = |jwk: &Value| {
            let key = VerificationKey::from_jwk(jwk).unwrap();
            Algorithm::ALL
                .into_iter()
                .filter(|alg| key.fits(*alg))
                .map(Algorithm::name)
                .collect::<Vec<_>>()
        };
        assert_eq!(fits(&p256_jwk()), ["ES256"]);
        let rsa = rsa_jwk();
        assert_eq!(
            fits(&rsa),
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        );
        assert_eq!(
            fits(&with(rsa.clone(), "alg", json!("RS256"))),
            ["RS256", "RS384", "RS512"]
        );
        assert_eq!(
            fits(&with(rsa, "alg", json!("PS512"))),
            ["PS256", "PS384", "PS512"]
        );
    }

    #[test]
    fn leaves_out_what_does_not_verify_signatures() {
        for (name, value, why) in [
            ("use", json!("enc"), Unusable::NotForSignatures),
            ("key_ops", json!(["sign"]), Unusable::NotForSignatures),
            ("alg", json!("RSA-OAEP"), Unusable::UnsupportedAlgorithm),
            ("alg", json!("RS256"), Unusable::UnsupportedAlgorithm),
            ("alg", json!("HS256"), Unusable::UnsupportedAlgorithm),
            ("kty", json!("oct"), Unusable::UnsupportedKeyType),
            ("kty", json!("AKP"), Unusable::UnsupportedKeyType),
            ("crv", json!("secp256k1"), Unusable::UnsupportedKeyType),
            ("kid", json!(1), Unusable::Malformed),
            ("x", json!("AA"), Unusable::Malformed),
            // Not on the curve.
            (
                "x",
                json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
                Unusable::Malformed,
            ),
        ] {
            assert_eq!(refusal(&with(p256_jwk(), name, value)), why, "{name}");
        }
        assert_eq!(refusal(&json!("key")), Unusable::NotAnObject);
    }

    #[test]
    fn refuses_weak_rsa() {
        let short = base64url::encode(&[0xff; 128]);
        let even = base64url::encode(&[0xfe; 256]);
        let long = base64url::encode(&[0xff; 1025]);
        for (name, value) in [
            ("n", short.as_str()),
            ("n", &even),
            ("n", &long),
            ("e", "AQ"),
            ("e", "Ag"),
            ("e", ""),
            ("e", "AA"),
            ("e", "_____________w"),
        ] {
            let jwk = with(rsa_jwk(), name, json!(value));
            assert_eq!(
                refusal(&jwk),
                Unusable::WeakOrOversizedRsa,
                "{name}={value}"
            );
        }
    }

    #[test]
    fn refuses_an_ed25519_point_of_small_order() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519",
            "x": base64url::encode(&[[1].as_slice(), &[0; 31]].concat())});
        assert_eq!(refusal(&jwk), Unusable::Malformed);
    }
}
