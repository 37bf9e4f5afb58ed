//! What the gateway sends with a callout.

use std::fmt;

use super::client::{Assertion, Proof};
use super::form;
use crate::jose::signing_key::{HostSigner, SigningFailed};
use crate::time::UnixMillis;

/// The content of a callout.
#[derive(Clone, Debug)]
pub enum Message {
    /// A GET of a document.
    Get,
    Post(Post),
}

/// A POST. It has tokens and secrets, and cannot be printed.
#[derive(Clone)]
pub struct Post {
    /// What kind of answer is wanted.
    pub accept: &'static str,
    pub content_type: &'static str,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    body: String,
    assertion: Option<Assertion>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("accept", &self.accept)
            .finish_non_exhaustive()
    }
}

impl Post {
    /// A form, sent by whoever `proof` proves.
    #[must_use]
    pub fn form(accept: &'static str, fields: &[(&str, &str)], proof: Proof) -> Self {
        let own = proof
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        Self {
            accept,
            content_type: "application/x-www-form-urlencoded",
            body: form::of(fields.iter().copied().chain(own)),
            authorization: proof.authorization,
            assertion: proof.assertion,
        }
    }

    /// A JSON text, sent by whoever has the access token `bearer` (RFC 6750, 2.1).
    #[must_use]
    pub fn json(body: String, bearer: &str) -> Self {
        Self {
            accept: "application/json",
            content_type: "application/json",
            authorization: Some(format!("Bearer {bearer}")),
            body,
            assertion: None,
        }
    }

    /// The same for another call: a client assertion counts once.
    #[must_use]
    pub fn again(&self, number: u32, now: UnixMillis) -> Self {
        let assertion = self.assertion.as_ref();
        Self {
            assertion: assertion.map(|assertion| assertion.again(number, now)),
            ..self.clone()
        }
    }

    /// The body, with a client assertion signed now if there is to be one. `entropy` gives what the
    /// host has of randomness; it need not be good on every host, but differ from call to call.
    ///
    /// # Errors
    /// [`SigningFailed`] if there is no entropy, or the key does not sign.
    pub fn body(
        &self,
        entropy: impl FnOnce() -> Option<Vec<u8>>,
        host: &dyn HostSigner,
    ) -> Result<Vec<u8>, SigningFailed> {
        let mut body = self.body.clone();
        if let Some(assertion) = &self.assertion {
            let assertion = assertion.sign(&entropy().ok_or(SigningFailed)?, host)?;
            // A JWT needs no encoding: base64url and dots.
            body.push_str("&client_assertion=");
            body.push_str(&assertion);
        }
        Ok(body.into_bytes())
    }
}
