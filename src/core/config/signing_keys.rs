//! Reads the keys that sign: `keys`, or upstream-jwt's `private_key_location`, `public_key_location`
//! and `key_id`. Nothing of a key, or of what may have been meant as one, is ever shown.

use std::rc::Rc;

use serde_json::Value;

use super::keys::{algorithm, decoded, open, text};
use super::reader::{At, Members};
use crate::jose::algorithm::{Algorithm, Family};
use crate::jose::bad_signing_key::BadSigningKey;
use crate::jose::key::Unusable;
use crate::jose::signing_key::SigningKey;
use crate::json::{self, Limits};
use crate::upstream_jwt::signing_keys::{SigningKeys, X5c};

const PRIVATE_KEY: &str = "a private key for signatures, not encrypted: RSA of 2048 bits or more, \
    P-256, P-384, P-521 or Ed25519, in PEM (PKCS#8, PKCS#1, SEC1; with its line breaks) or as a JWK";
const SECRET: &str = "a secret of 32 bytes or more for HS256, 48 for HS384, 64 for HS512 (RFC 7518, \
    3.2)";
const OBJECT: &str = "a PEM text, or an object with pem, jwk or secret";
const CERTIFICATE: &str = "the certificate of this key: PEM, or its DER in base64";
const NOT_A_FILE: &str = "its text itself: a filter cannot read files, nor Kong's vaults";

const JWK: Limits = Limits {
    bytes: 65_536,
    depth: 4,
};

/// The fields that say which keys there are, and those that say how they are told.
const KEYS: [&str; 4] = [
    "keys",
    "private_key_location",
    "public_key_location",
    "key_id",
];
const TOLD: [&str; 2] = ["x5c", "x5c_encoding"];

/// Reads them; those of `base` where nothing else is said.
#[must_use]
pub fn read(members: &Members, base: Option<&Rc<SigningKeys>>) -> Option<Rc<SigningKeys>> {
    let states_keys = members.states(&KEYS);
    let inherited = base.filter(|_| !states_keys && !members.states(&TOLD));
    // Keys are not mixed: those of a policy stand in place of the top's, by whichever fields.
    let of_keys = if states_keys {
        &members.uppermost()
    } else {
        members
    };
    let stated = of_keys.list_or_one("keys", is_one, "a list of keys");
    let located = located(of_keys);
    let mut x5c = members.choice(
        "x5c_encoding",
        &[("base64", X5c::Base64), ("base64url", X5c::Base64Url)],
    );
    let with_x5c = members.boolean("x5c");
    if with_x5c == Some(false) {
        x5c = Some(X5c::None);
    }
    if let Some(inherited) = inherited {
        return Some(Rc::clone(inherited));
    }
    let keys: Vec<_> = match (stated, located) {
        (Some(_), Some(_)) => {
            let allowed = "one of the two: keys, or private_key_location";
            members.fault("private_key_location", "keys as well", allowed);
            return None;
        }
        (None, None) => {
            // A policy that says something of a key has been told what is missing.
            if !states_keys {
                members.fault("keys", "no key", "at least one; the first signs");
            }
            return None;
        }
        (None, Some(key)) => key.into_iter().collect(),
        (Some(items), None) => {
            if items.is_empty() {
                members.fault("keys", "no key", "at least one; the first signs");
            }
            let count = items.len();
            let mut keys: Vec<SigningKey> = Vec::new();
            for At { path, value } in items {
                let Some(key) = key(members, &path, value) else {
                    continue;
                };
                let is_same = |other: &SigningKey| key.kid().is_some() && other.kid() == key.kid();
                if keys.iter().any(is_same) {
                    let allowed = "a kid of its own for each key";
                    let found = "the kid of another key";
                    members.findings().fault(&path, found, allowed);
                } else {
                    keys.push(key);
                }
            }
            // Of several, the first must not be another than was meant.
            if keys.len() < count {
                return None;
            }
            keys
        }
    };
    if with_x5c == Some(true) && keys.first().is_some_and(|key| key.certificate().is_none()) {
        members.fault(
            "x5c",
            "true, and no certificate",
            "a certificate beside the first key",
        );
    }
    let mut keys = keys.into_iter();
    let first = keys.next()?;
    Some(Rc::new(SigningKeys::new(
        first,
        keys.collect(),
        x5c.unwrap_or_default(),
    )))
}

fn is_one(value: &Value) -> bool {
    value.is_string() || value.as_object().is_some_and(|object| !object.is_empty())
}

/// upstream-jwt's one key. `Some(None)` is one that is faulty.
fn located(members: &Members) -> Option<Option<SigningKey>> {
    let private = members.get("private_key_location");
    let certificate = members.get("public_key_location");
    let kid = kid(members, "key_id");
    let Some(private) = private else {
        for (name, is_there) in [
            ("public_key_location", certificate.is_some()),
            ("key_id", kid.is_some()),
        ] {
            if is_there {
                let allowed = "private_key_location beside it; keys have certificate and kid of \
                    their own";
                members.fault(name, "no private_key_location", allowed);
            }
        }
        return None;
    };
    let is_text = |at: &At<&Value>| at.value.as_str().is_some_and(|text| !is_location(text));
    for at in [Some(&private), certificate.as_ref()].into_iter().flatten() {
        if !is_text(at) {
            let found = "something that is no key, such as a file's name";
            members.findings().fault(&at.path, found, NOT_A_FILE);
        }
    }
    if !is_text(&private) || !certificate.as_ref().is_none_or(is_text) {
        return Some(None);
    }
    let text = private.value.as_str().unwrap_or_default();
    let key = usable(
        members,
        &private.path,
        SigningKey::from_pem(text, kid, None),
    );
    let key = key.and_then(|key| match certificate {
        None => Some(key),
        Some(At { path, value }) => {
            certified(members, &path, key, value.as_str().unwrap_or_default())
        }
    });
    Some(key)
}

/// A key's name, which everybody will see.
fn kid(members: &Members, name: &'static str) -> Option<String> {
    let At { path, value } = members.string(name)?;
    if value.contains("-----BEGIN") {
        let allowed = "a name, which is published";
        members.findings().fault(&path, "a PEM text", allowed);
    }
    Some(value)
}

/// Whether a text says where a key is, and is none.
fn is_location(text: &str) -> bool {
    // A DER certificate in base64 begins with M, and PEM with a hyphen or with text before it.
    let text = text.trim();
    text.is_empty()
        || text.starts_with(['/', '.', '~', '{', '$'])
        || (!text.contains("-----BEGIN") && text.contains('.'))
}

/// Reads one: a PEM text, or an object with `pem`, `jwk` or `secret`.
pub(super) fn key(members: &Members, path: &str, value: &Value) -> Option<SigningKey> {
    if let Some(text) = value.as_str() {
        return pem(members, path, text, None, None);
    }
    let own = open(members, path, value, OBJECT)?;
    let stated = ["pem", "jwk", "secret"];
    let stated: Vec<_> = stated
        .into_iter()
        .filter(|name| own.get(name).is_some())
        .collect();
    let kid = kid(&own, "kid");
    let certificate = own.get("certificate");
    let is_symmetric = stated == ["secret"];
    let alg = if is_symmetric {
        algorithm(&own, |alg| alg.family() == Family::Hmac)
    } else {
        algorithm(&own, |_| true)
    };
    let encoding = own.get("encoding").is_some();
    let key = match stated.as_slice() {
        ["pem"] => {
            text(&own, "pem").and_then(|text| pem(&own, &format!("{path}.pem"), text, kid, alg))
        }
        ["jwk"] => {
            if kid.is_some() {
                own.fault("kid", "a kid beside a JWK", "the kid in the JWK");
            }
            jwk(&own, alg)
        }
        ["secret"] => {
            let bytes = decoded(&own);
            let key = bytes.map(|bytes| SigningKey::from_secret(bytes, kid, alg));
            key.and_then(|key| {
                if let Err(why) = &key {
                    own.fault("secret", why.to_string(), SECRET);
                }
                key.ok()
            })
        }
        _ => {
            own.findings().fault(path, "no key, or several", OBJECT);
            None
        }
    };
    if encoding && !is_symmetric {
        own.fault("encoding", "an encoding", "none but of a secret");
    }
    own.finish();
    match certificate {
        None => key,
        Some(At { path, value }) => {
            certified(&own, &path, key?, value.as_str().unwrap_or_default())
        }
    }
}

fn pem(
    members: &Members,
    path: &str,
    text: &str,
    kid: Option<String>,
    alg: Option<Algorithm>,
) -> Option<SigningKey> {
    if is_location(text) {
        let found = "something that is no key, such as a file's name";
        members.findings().fault(path, found, NOT_A_FILE);
        return None;
    }
    usable(members, path, SigningKey::from_pem(text, kid, alg))
}

/// An object, or its JSON text.
fn jwk(members: &Members, alg: Option<Algorithm>) -> Option<SigningKey> {
    let At { path, value } = members.get("jwk")?;
    let parsed = value.as_str().map(|text| json::parse(text.as_bytes(), JWK));
    let key = match &parsed {
        None => SigningKey::from_jwk(value, alg),
        Some(Ok(jwk)) => SigningKey::from_jwk(jwk, alg),
        Some(Err(_)) => Err(Unusable::NotAnObject.into()),
    };
    usable(members, &path, key)
}

fn certified(
    members: &Members,
    path: &str,
    key: SigningKey,
    certificate: &str,
) -> Option<SigningKey> {
    let key = key.certified(certificate);
    if let Err(why) = &key {
        members.findings().fault(path, why.to_string(), CERTIFICATE);
    }
    key.ok()
}

fn usable(
    members: &Members,
    path: &str,
    key: Result<SigningKey, BadSigningKey>,
) -> Option<SigningKey> {
    if let Err(why) = &key {
        members.findings().fault(path, why.to_string(), PRIVATE_KEY);
    }
    key.ok()
}
