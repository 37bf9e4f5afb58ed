//! The keys of a policy: the first signs, all are published.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::jose::base64url;
use crate::jose::signing_key::SigningKey;

pub struct SigningKeys {
    first: SigningKey,
    others: Vec<SigningKey>,
    /// The JOSE header, ready to be signed.
    header: String,
}

/// How the certificate stands in the header.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum X5c {
    None,
    /// RFC 7515, 4.1.6.
    #[default]
    Base64,
    /// Without padding, as upstream-jwt writes it.
    Base64Url,
}

impl SigningKeys {
    #[must_use]
    pub fn new(first: SigningKey, others: Vec<SigningKey>, x5c: X5c) -> Self {
        let header = base64url::encode(header(&first, x5c).to_string().as_bytes());
        Self {
            first,
            others,
            header,
        }
    }

    /// The one that signs.
    #[must_use]
    pub fn first(&self) -> &SigningKey {
        &self.first
    }

    /// The JOSE header of what it signs, in base64url.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The public halves, of those that have one.
    pub fn published(&self) -> impl Iterator<Item = Value> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .filter_map(SigningKey::public_jwk)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({} …)", self.first.alg())
    }
}

/// RFC 7515, 4.
fn header(key: &SigningKey, x5c: X5c) -> Value {
    let certificate = key.certificate().and_then(|der| match x5c {
        X5c::None => None,
        X5c::Base64 => Some(STANDARD.encode(der)),
        X5c::Base64Url => Some(base64url::encode(der)),
    });
    let members = [
        ("typ", Some(json!("JWT"))),
        ("alg", Some(json!(key.alg().name()))),
        ("kid", key.kid().map(|kid| json!(kid))),
        ("x5c", certificate.map(|certificate| json!([certificate]))),
    ];
    let there = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}
