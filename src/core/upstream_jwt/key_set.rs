//! The public keys as a JWK set, at a path of the gateway's own (RFC 7517, 5), so that upstreams need
//! no keys by other ways.

use serde_json::{Value, json};

use crate::request::Request;
use crate::time::Millis;

/// A document that the gateway answers with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySet {
    pub path: String,
    pub document: String,
    /// For how long it may be kept.
    pub max_age: Millis,
}

impl KeySet {
    #[must_use]
    pub fn new(path: String, keys: &[Value], max_age: Millis) -> Self {
        Self {
            path,
            document: json!({"keys": keys}).to_string(),
            max_age,
        }
    }

    /// Whether a request asks for it: exactly this path, with any query.
    #[must_use]
    pub fn is_asked_for(&self, request: &Request) -> bool {
        matches!(request.method.as_slice(), b"GET" | b"HEAD")
            && request.path_without_query() == self.path.as_bytes()
    }

    /// RFC 7517, 8.5.2; RFC 9111, 5.2.2.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let max_age = self.max_age.whole_secs();
        vec![
            ("content-type", "application/jwk-set+json".to_owned()),
            ("cache-control", format!("public, max-age={max_age}")),
        ]
    }
}
