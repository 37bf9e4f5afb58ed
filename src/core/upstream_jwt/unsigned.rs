//! A JWT that the host has still to sign, at the last moment before its request goes up: only the
//! host has randomness, and may have a faster hand.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::UpstreamJwt;
use super::reuse::Slot;
use super::signing_keys::SigningKeys;
use crate::jose::hmac_sha256::hmac_sha256;
use crate::jose::signing_key::{HostSigner, SigningFailed};
use crate::request::{Body, HeaderEdit};

#[derive(Clone, Debug)]
pub struct Unsigned {
    header: Rc<str>,
    with_scheme: bool,
    keys: Rc<SigningKeys>,
    claims: Map<String, Value>,
    with_jti: bool,
    number: u64,
    /// Whom and what it is for.
    of: [u8; 32],
    slot: Slot,
    /// What it says holds only if the request has no body.
    denies_body: bool,
}

impl Unsigned {
    pub(super) fn new(
        rules: &UpstreamJwt,
        claims: Map<String, Value>,
        number: u64,
        of: [u8; 32],
    ) -> Self {
        Self {
            header: Rc::clone(&rules.header),
            with_scheme: rules.with_scheme,
            keys: Rc::clone(&rules.keys),
            claims,
            with_jti: rules.claims.with_jti,
            number,
            of,
            slot: Slot::default(),
            denies_body: false,
        }
    }

    /// There is nothing left to do.
    pub(super) fn signed_before(rules: &UpstreamJwt, jwt: String) -> Self {
        let unsigned = Self::new(rules, Map::new(), 0, [0; 32]);
        unsigned.slot.replace(Some(jwt));
        unsigned
    }

    pub(super) fn for_body(mut self, body: Body) -> Self {
        self.denies_body = body == Body::None;
        self
    }

    /// Whether a body that comes all the same must not go up with it.
    #[must_use]
    pub fn denies_body(&self) -> bool {
        self.denies_body
    }

    pub(super) fn slot(&self) -> Slot {
        Rc::clone(&self.slot)
    }

    /// The header that has the JWT, signed if it is not yet. `entropy` gives what the host has of
    /// randomness; it need not be good on every host, but differ from request to request.
    ///
    /// # Errors
    /// [`SigningFailed`] if there is no entropy, or the key does not sign.
    pub fn sign(
        &self,
        entropy: impl FnOnce() -> Option<Vec<u8>>,
        host: &dyn HostSigner,
    ) -> Result<HeaderEdit, SigningFailed> {
        let known = self.slot.borrow().clone();
        let jwt = match known {
            Some(jwt) => jwt,
            None => {
                let jwt = self.signed(&entropy().ok_or(SigningFailed)?, host)?;
                self.slot.replace(Some(jwt.clone()));
                jwt
            }
        };
        let value = if self.with_scheme {
            format!("Bearer {jwt}")
        } else {
            jwt
        };
        let name = Rc::clone(&self.header);
        Ok(HeaderEdit::Set(name, value.into_bytes()))
    }

    /// RFC 7515, 5.1.
    fn signed(&self, entropy: &[u8], host: &dyn HostSigner) -> Result<String, SigningFailed> {
        let key = self.keys.first();
        let mut claims = self.claims.clone();
        if self.with_jti {
            let jti = uuid(self.draw(b"jwt_keycloak jti", entropy));
            claims.insert("jti".to_owned(), json!(jti));
        }
        let payload = Value::Object(claims).to_string();
        let seed = self.draw(b"jwt_keycloak seed", entropy);
        key.jws(self.keys.header(), payload.as_bytes(), seed, host)
    }

    /// Octets that nobody can guess who does not have the private key, however bad the host's
    /// randomness is, and that come once: a JWT's number comes once in a worker, and workers differ
    /// in their entropy.
    fn draw(&self, label: &[u8], entropy: &[u8]) -> [u8; 32] {
        let issued = self.claims.get("iat").map(Value::to_string);
        let issued = issued.unwrap_or_default();
        let parts: [&[u8]; 5] = [
            &self.number.to_le_bytes(),
            &self.of,
            issued.as_bytes(),
            b" ",
            entropy,
        ];
        hmac_sha256(&self.keys.first().derive(label), &parts)
    }
}

/// RFC 9562, 5.4: 122 bits of it.
fn uuid(octets: [u8; 32]) -> String {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = octets;
    let (g, i) = (g & 0x0f | 0x40, i & 0x3f | 0x80);
    let hex = |octets: &[u8]| super::claims::hex(octets);
    [
        hex(&[a, b, c, d]),
        hex(&[e, f]),
        hex(&[g, h]),
        hex(&[i, j]),
        hex(&[k, l, m, n, o, p]),
    ]
    .join("-")
}
