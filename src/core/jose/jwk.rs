//! One JSON Web Key, validated once when it is loaded (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2).

use primeorder::elliptic_curve::sec1::ToSec1Point as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::base64url;
use super::key::{Material, P256, Unusable, VerificationKey};

impl VerificationKey {
    /// Reads a public key from a JWK. Never a secret: key sets come over the network, for all to
    /// read, and who knows a secret can sign with it.
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
            // RFC 7518, 6.3.1.
            (Some("RSA"), _) => Material::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
            (Some("EC"), Some("P-256")) => Material::p256(&point(jwk, 32)?)?,
            (Some("EC"), Some("P-384")) => Material::p384(&point(jwk, 48)?)?,
            (Some("EC"), Some("P-521")) => Material::p521(&point(jwk, 66)?)?,
            // RFC 8037, 2.
            (Some("OKP"), Some("Ed25519")) => Material::ed25519(&bytes(jwk, "x")?)?,
            _ => return Err(Unusable::UnsupportedKeyType),
        };
        let kid = text(jwk, "kid")?.map(str::to_owned);
        Self::new(material, kid, declared)
    }
}

impl Material {
    /// The members that make the public key, and no others (RFC 7518, 6.2.1 and 6.3.1; RFC 8037,
    /// 2); `None` for a secret.
    pub(super) fn members(&self) -> Option<Map<String, Value>> {
        let members: Vec<(&str, String)> = match self {
            Self::Rsa(rsa) => vec![
                ("kty", "RSA".to_owned()),
                ("n", base64url::encode(&rsa.key.n().to_bytes_be())),
                ("e", base64url::encode(&rsa.key.e().to_bytes_be())),
            ],
            Self::P256(P256 { key, .. }) => ec("P-256", key.to_sec1_point(false).as_bytes())?,
            Self::P384(key) => ec("P-384", key.point.to_sec1_point(false).as_bytes())?,
            Self::P521(key) => ec("P-521", key.point.to_sec1_point(false).as_bytes())?,
            Self::Ed25519(key) => vec![
                ("kty", "OKP".to_owned()),
                ("crv", "Ed25519".to_owned()),
                ("x", base64url::encode(key.as_bytes())),
            ],
            Self::Hmac(_) => return None,
        };
        let members = members.into_iter();
        Some(
            members
                .map(|(name, value)| (name.to_owned(), Value::String(value)))
                .collect(),
        )
    }
}

/// The members of a point that is written uncompressed (SEC 1, 2.3.3): 4, x, y.
fn ec(crv: &str, point: &[u8]) -> Option<Vec<(&'static str, String)>> {
    let (_, coordinates) = point.split_first()?;
    let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
    Some(vec![
        ("kty", "EC".to_owned()),
        ("crv", crv.to_owned()),
        ("x", base64url::encode(x)),
        ("y", base64url::encode(y)),
    ])
}

pub(super) fn text<'a>(
    jwk: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Unusable> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unusable::Malformed),
    }
}

pub(super) fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    text(jwk, name)?
        .and_then(base64url::decode)
        .ok_or(Unusable::Malformed)
}

/// RFC 7518, 6.2.1: both coordinates, at the curve's full length; as SEC 1 writes a point.
pub(super) fn point(jwk: &Map<String, Value>, length: usize) -> Result<Vec<u8>, Unusable> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(Unusable::Malformed);
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
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
                Unusable::BadPoint,
            ),
        ] {
            assert_eq!(refusal(&with(p256_jwk(), name, value)), why, "{name}");
        }
        assert_eq!(refusal(&json!("key")), Unusable::NotAnObject);
    }

    #[test]
    fn a_secret_is_no_key_of_a_key_set() {
        let oct = json!({"kty": "oct", "k": base64url::encode(&[7; 64]), "use": "sig"});
        assert_eq!(refusal(&oct), Unusable::UnsupportedKeyType);
        for alg in ["HS256", "HS384", "HS512"] {
            let oct = with(oct.clone(), "alg", json!(alg));
            assert_eq!(refusal(&oct), Unusable::UnsupportedKeyType, "{alg}");
            // Nor does a public key become one by its alg.
            let rsa = with(rsa_jwk(), "alg", json!(alg));
            assert_eq!(refusal(&rsa), Unusable::UnsupportedAlgorithm, "{alg}");
        }
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
        assert_eq!(refusal(&jwk), Unusable::BadPoint);
    }
}
