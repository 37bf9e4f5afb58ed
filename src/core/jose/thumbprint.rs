//! The thumbprint of a public key, by which it can be named (RFC 7638).

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::base64url;

/// The SHA-256 thumbprint of a public JWK (RFC 7638, 3), base64url; `None` if it lacks what makes
/// a public key, or is a secret, whose thumbprint could be guessed from (RFC 7638, 7).
#[must_use]
pub fn thumbprint(jwk: &Map<String, Value>) -> Option<String> {
    // RFC 7638, 3.2, and RFC 8037, 2: these members and no others, in this order.
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let members: Option<Vec<String>> = names
        .iter()
        .map(|name| {
            Some(format!(
                "\"{name}\":{}",
                Value::from(jwk.get(*name)?.as_str()?)
            ))
        })
        .collect();
    let json = format!("{{{}}}", members?.join(","));
    Some(base64url::encode(&Sha256::digest(json)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(jwk: &Value) -> Option<String> {
        thumbprint(jwk.as_object().unwrap())
    }

    #[test]
    fn the_example_of_rfc_7638() {
        // RFC 7638, 3.1.
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(of(&jwk).as_deref(), Some(expected));
    }

    #[test]
    fn the_example_of_rfc_8037() {
        // RFC 8037, A.2 and A.3.
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(of(&jwk).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_public_key_has_none() {
        for jwk in [
            json!({}),
            json!({"kty": "oct", "k": "AA"}),
            json!({"kty": "RSA", "n": "AQAB"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": 1}),
            json!({"kty": 1}),
        ] {
            assert_eq!(of(&jwk), None, "{jwk}");
        }
    }
}
