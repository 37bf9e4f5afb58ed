//! Looks for parts of tokens where none may be.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A text has a part of a token if it shares this many characters in a row with it.
const PART: usize = 10;

/// What tokens hold, ready to be looked for.
#[derive(Debug, Default)]
pub struct Secrets {
    parts: HashSet<Vec<u8>>,
}

impl Secrets {
    /// Adds a token: its text, and what its header and claims say. What the configuration says
    /// itself (`public`: the issuer, an audience) is no secret.
    pub fn add(&mut self, token: &str, public: &[&str]) {
        self.add_text(token, public);
        for part in token.split('.').take(2) {
            let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) else {
                continue;
            };
            self.add_text(&String::from_utf8_lossy(&bytes), public);
            // Without the escapes that JSON may have.
            if let Ok(value) = serde_json::from_slice(&bytes) {
                self.add_value(&value, public);
            }
        }
    }

    /// The first part of a token in `text`.
    #[must_use]
    pub fn found_in(&self, text: &str) -> Option<String> {
        text.as_bytes()
            .windows(PART)
            .find(|part| self.parts.contains(*part))
            .map(|part| String::from_utf8_lossy(part).into_owned())
    }

    /// The same in a line of the log. A decision's line tells the names of key and client on
    /// purpose, and the configuration's words, before which it may say what a token says, too.
    #[must_use]
    pub fn found_in_line(&self, line: &str) -> Option<String> {
        let is_name = |part: &&str| part.starts_with("kid ") || part.starts_with("client \"");
        let parts: Vec<_> = line
            .split("; ")
            .filter(|part| !is_name(part))
            .map(|part| part.strip_prefix("scope ").unwrap_or(part))
            .collect();
        self.found_in(&parts.join("; "))
    }

    fn add_text(&mut self, text: &str, public: &[&str]) {
        let is_public = |part: &[u8]| {
            let mut public = public.iter().flat_map(|text| text.as_bytes().windows(PART));
            public.any(|public| public == part)
        };
        let parts = text.as_bytes().windows(PART);
        self.parts
            .extend(parts.filter(|part| !is_public(part)).map(<[u8]>::to_vec));
    }

    fn add_value(&mut self, value: &Value, public: &[&str]) {
        match value {
            Value::String(text) => self.add_text(text, public),
            Value::Array(values) => {
                values
                    .iter()
                    .for_each(|value| self.add_value(value, public));
            }
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                self.add_text(name, public);
                self.add_value(value, public);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
