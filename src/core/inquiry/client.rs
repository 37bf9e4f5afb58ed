//! The gateway as a client of an issuer, and how it proves to be it (RFC 6749, 2.3; OpenID Connect
//! Core 1.0, 9).

use std::fmt;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::zeroize::Zeroizing;
use serde_json::json;

use super::form;
use crate::jose::base64url;
use crate::jose::hmac_sha256::hmac_sha256;
use crate::jose::signing_key::{HostSigner, SigningFailed, SigningKey};
use crate::time::{Millis, UnixMillis};

/// How long an assertion is good for. Keycloak takes none that is good for more than a minute.
const ASSERTION_LIFETIME: Millis = Millis::from_secs(30);

/// RFC 7523, 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// As whom the gateway asks an issuer.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub authentication: Authentication,
}

/// By the names of OpenID Connect Core 1.0, 9.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// `client_secret_basic`
    SecretBasic(ClientSecret),
    /// `client_secret_post`
    SecretPost(ClientSecret),
    /// `client_secret_jwt` and `private_key_jwt`, which differ in the key.
    Assertion(Rc<SigningKey>),
}

/// A text that proves to be the client. It cannot be printed.
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<String>);

/// A JWT by which a client proves to be it, still to be signed: each is used once (RFC 7523, 3).
#[derive(Clone, Debug)]
pub struct Assertion {
    key: Rc<SigningKey>,
    client_id: String,
    audience: String,
    issued: UnixMillis,
    number: u32,
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl ClientSecret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// What of a request proves who sends it.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// Fields of the form.
    pub fields: Vec<(&'static str, String)>,
    pub assertion: Option<Assertion>,
}

impl Client {
    /// A proof for `issuer`; `number` comes once in a worker.
    #[must_use]
    pub fn proof(&self, issuer: &str, number: u32, now: UnixMillis) -> Proof {
        let id = || ("client_id", self.id.clone());
        match &self.authentication {
            // RFC 6749, 2.3.1: both are form-encoded before they are put together.
            Authentication::SecretBasic(secret) => {
                let pair = format!("{}:{}", form::encoded(&self.id), form::encoded(&secret.0));
                Proof {
                    authorization: Some(format!("Basic {}", STANDARD.encode(pair))),
                    ..Proof::default()
                }
            }
            Authentication::SecretPost(secret) => Proof {
                fields: vec![id(), ("client_secret", secret.0.to_string())],
                ..Proof::default()
            },
            Authentication::Assertion(key) => Proof {
                fields: vec![id(), ("client_assertion_type", ASSERTION_TYPE.to_owned())],
                assertion: Some(Assertion {
                    key: Rc::clone(key),
                    client_id: self.id.clone(),
                    audience: issuer.to_owned(),
                    issued: now,
                    number,
                }),
                ..Proof::default()
            },
        }
    }

    /// Something that only those know who know the client's secret or key.
    #[must_use]
    pub fn derive(&self, label: &[u8]) -> [u8; 32] {
        match &self.authentication {
            Authentication::SecretBasic(secret) | Authentication::SecretPost(secret) => {
                hmac_sha256(secret.0.as_bytes(), &[b"\0derived\0", label])
            }
            Authentication::Assertion(key) => key.derive(label),
        }
    }
}

impl Assertion {
    /// The same for another call.
    #[must_use]
    pub fn again(&self, number: u32, now: UnixMillis) -> Self {
        Self {
            issued: now,
            number,
            ..self.clone()
        }
    }

    /// The JWT (RFC 7523, 3). `entropy` need not be good on every host, but differ from worker to
    /// worker.
    ///
    /// # Errors
    /// [`SigningFailed`] if the key does not sign.
    pub fn sign(&self, entropy: &[u8], host: &dyn HostSigner) -> Result<String, SigningFailed> {
        let issued = self.issued.whole_secs();
        let expires = issued.saturating_add(i64::from(ASSERTION_LIFETIME.whole_secs()));
        let jti = self.draw(b"jwt_keycloak client assertion jti", entropy);
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "jti": base64url::encode(&jti),
            "iat": issued,
            "exp": expires,
        });
        let mut header = json!({"alg": self.key.alg().name(), "typ": "JWT"});
        // Keycloak refuses a `kid` that it does not have, and takes none.
        if let (Some(kid), Some(header)) = (self.key.given_kid(), header.as_object_mut()) {
            header.insert("kid".to_owned(), json!(kid));
        }
        let header = base64url::encode(header.to_string().as_bytes());
        let seed = self.draw(b"jwt_keycloak client assertion seed", entropy);
        let payload = claims.to_string();
        self.key.jws(&header, payload.as_bytes(), seed, host)
    }

    /// Octets that nobody can guess who does not have the key, and that come once.
    fn draw(&self, label: &[u8], entropy: &[u8]) -> [u8; 32] {
        let parts: [&[u8]; 3] = [
            &self.number.to_le_bytes(),
            &self.issued.0.to_le_bytes(),
            entropy,
        ];
        hmac_sha256(&self.key.derive(label), &parts)
    }
}
