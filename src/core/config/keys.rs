//! Reads an issuer's keys that are configured instead of fetched: `jwks`, `public_keys` and
//! `hmac_secrets`. Nothing of a secret, or of what may have been meant as one, is ever shown.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::reader::{At, Members};
use crate::jose::algorithm::{Algorithm, Family};
use crate::jose::jwk_set::{self, JwkSet};
use crate::jose::key::{Unusable, VerificationKey};
use crate::json;

/// Members of a JWK that only its owner may know (RFC 7518, 6.2.2, 6.3.2 and 6.4; RFC 8037, 2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const PUBLIC_KEY: &str = "a public key for signatures: RSA, P-256, P-384, P-521 or Ed25519";
const KEY_SET: &str = "a JWK set with one key or more";

/// An issuer's configured keys.
#[derive(Clone, Debug)]
pub struct ConfiguredKeys {
    pub keys: JwkSet,
    /// Whether some of them are secrets.
    pub has_secrets: bool,
}

/// Reads them; `None` if none of the fields is there.
#[must_use]
pub fn read(members: &Members) -> Option<ConfiguredKeys> {
    let jwks = members.get("jwks").map(|jwks| key_set(members, jwks));
    let public_keys = public_keys(members);
    let secrets = secrets(members);
    let has_secrets = secrets.is_some();
    let kinds: Vec<_> = [jwks, public_keys, secrets].into_iter().flatten().collect();
    (!kinds.is_empty()).then(|| ConfiguredKeys {
        keys: JwkSet::of(kinds.concat()),
        has_secrets,
    })
}

/// An object, or its JSON text.
fn key_set(members: &Members, At { path, value }: At<&Value>) -> Vec<VerificationKey> {
    let fault = |found: &str| {
        members.findings().fault(&path, found, KEY_SET);
        Vec::new()
    };
    let parsed = match value
        .as_str()
        .map(|text| json::parse(text.as_bytes(), jwk_set::LIMITS))
    {
        None => None,
        Some(Ok(parsed)) => Some(parsed),
        Some(Err(error)) => return fault(&format!("a text that is no JSON: {error}")),
    };
    let keys = parsed.as_ref().unwrap_or(value).get("keys");
    let Some(keys) = keys.and_then(Value::as_array) else {
        return fault("no list of keys");
    };
    if keys.is_empty() {
        return fault("no key");
    }
    let read = |(index, jwk): (usize, &Value)| {
        let is_private = PRIVATE.iter().any(|name| jwk.get(name).is_some());
        let key = if is_private {
            Err(Unusable::PrivateKey)
        } else {
            VerificationKey::from_jwk(jwk)
        };
        usable(members, &format!("{path}.keys[{index}]"), key)
    };
    keys.iter().enumerate().filter_map(read).collect()
}

/// PEM texts, or objects with one.
fn public_keys(members: &Members) -> Option<Vec<VerificationKey>> {
    let items = members.list_or_one("public_keys", Value::is_string, "a list of PEM texts")?;
    if items.is_empty() {
        members.fault("public_keys", "no key", "at least one");
    }
    let read = |At { path, value }: At<&Value>| {
        if let Some(text) = value.as_str() {
            return usable(members, &path, VerificationKey::from_pem(text, None, None));
        }
        let members = open(
            members,
            &path,
            value,
            "a PEM text, or an object with pem, kid, alg",
        )?;
        let kid = members.string("kid").map(|kid| kid.value);
        let alg = algorithm(&members, |alg| alg.family() != Family::Hmac);
        let pem = text(&members, "pem");
        members.finish();
        let key = VerificationKey::from_pem(pem?, kid, alg);
        usable(&members, &format!("{path}.pem"), key)
    };
    Some(items.into_iter().filter_map(read).collect())
}

fn secrets(members: &Members) -> Option<Vec<VerificationKey>> {
    let items = members.list_of("hmac_secrets", "a list of objects with a secret")?;
    if items.is_empty() {
        members.fault("hmac_secrets", "no secret", "at least one");
    }
    let read = |At { path, value }: At<&Value>| {
        let members = open(
            members,
            &path,
            value,
            "an object with secret, encoding, kid, alg",
        )?;
        let kid = members.string("kid").map(|kid| kid.value);
        let alg = algorithm(&members, |alg| alg.family() == Family::Hmac);
        let bytes = decoded(&members);
        members.finish();
        let key = VerificationKey::from_secret(bytes?, kid, alg);
        if let Err(why) = &key {
            let allowed = "a secret of 32 bytes or more for HS256, 48 for HS384, 64 for HS512 \
                (RFC 7518, 3.2)";
            members.fault("secret", why.to_string(), allowed);
        }
        key.ok()
    };
    Some(items.into_iter().filter_map(read).collect())
}

/// A `secret` in its `encoding`.
pub(super) fn decoded(members: &Members) -> Option<Vec<u8>> {
    let secret = text(members, "secret");
    let encodings = [
        ("text", None),
        ("base64", Some(&STANDARD)),
        ("base64url", Some(&URL_SAFE)),
    ];
    let Some(alphabet) = members.choice("encoding", &encodings).flatten() else {
        return Some(secret?.as_bytes().to_vec());
    };
    let bytes = decode(secret?, alphabet);
    if bytes.is_none() {
        let found = "a text that is not of its encoding";
        members.fault("secret", found, "base64 or base64url, as encoding says");
    }
    bytes
}

fn usable(
    members: &Members,
    path: &str,
    key: Result<VerificationKey, Unusable>,
) -> Option<VerificationKey> {
    if let Err(why) = &key {
        members.findings().fault(path, why.to_string(), PUBLIC_KEY);
    }
    key.ok()
}

/// An object; a fault that shows nothing of anything else.
pub(super) fn open<'a>(
    members: &Members<'a>,
    path: &str,
    value: &'a Value,
    allowed: &str,
) -> Option<Members<'a>> {
    if !value.is_object() {
        let found = "something else";
        members.findings().fault(path, found, allowed);
        return None;
    }
    Members::open(path, value, members.findings())
}

/// A text that may be secret.
pub(super) fn text<'a>(members: &Members<'a>, name: &'static str) -> Option<&'a str> {
    let text = members.get(name).and_then(|at| at.value.as_str());
    let text = text.filter(|text| !text.is_empty());
    if text.is_none() {
        members.fault(name, "no text", "a text that is not empty");
    }
    text
}

pub(super) fn algorithm(
    members: &Members,
    is_of_kind: fn(&Algorithm) -> bool,
) -> Option<Algorithm> {
    let algorithms = Algorithm::ALL.into_iter().filter(is_of_kind);
    let names: Vec<_> = algorithms.map(|alg| (alg.name(), alg)).collect();
    members.choice("alg", &names)
}

/// With padding or without.
fn decode(text: &str, alphabet: &Alphabet) -> Option<Vec<u8>> {
    let padding = DecodePaddingMode::Indifferent;
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}
