//! The JWT that the gateway signs for the upstream: that a request came through the gateway, and on
//! whose behalf (RFC 7519).
//!
//! [`claims`] says what stands in it, from what is known of the [`circumstances`] of a request and
//! of its caller. [`unsigned`] is what the host is given to sign when the request goes up, [`reuse`]
//! keeps what was signed for the same caller, and [`key_set`] publishes the keys.

pub mod circumstances;
pub mod claims;
pub mod key_set;
pub mod reuse;
pub mod signing_keys;
pub mod unsigned;

use std::rc::Rc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::time::{Millis, UnixMillis};
use circumstances::Circumstances;
use claims::{Caller, Claims};
use reuse::Reuse;
use signing_keys::SigningKeys;
use unsigned::Unsigned;

/// What a policy says of the JWT.
#[derive(Clone, Debug)]
pub struct UpstreamJwt {
    /// The header that has it, in lower case.
    pub header: Rc<str>,
    /// `Bearer ` stands before it.
    pub with_scheme: bool,
    pub keys: Rc<SigningKeys>,
    pub claims: Claims,
    /// How long it is good for, unless the caller's token ends before.
    pub lifetime: Millis,
    /// Whether one that does not depend on the request may be used again.
    pub is_reusable: bool,
    pub body: BodyLimits,
}

/// How far a body is waited for that its hash depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BodyLimits {
    pub bytes: usize,
    pub wait: Millis,
}

impl UpstreamJwt {
    /// The JWT for a request that goes up: one that was signed before, or one to be signed.
    ///
    /// `caller` is who an [`Admission`](crate::admission::Admission) says; `credential` its token's
    /// text, which stands for all that the token says.
    #[must_use]
    pub fn prepare(
        &self,
        policy: Option<&str>,
        caller: &Caller<'_>,
        credential: Option<&str>,
        circumstances: &Circumstances,
        reuse: &mut Reuse,
        now: UnixMillis,
    ) -> Unsigned {
        let of = self.digest(policy, caller, credential, circumstances);
        let kept = self.is_reusable.then(|| reuse.find(&of, now)).flatten();
        if let Some(signed) = kept {
            return Unsigned::signed_before(self, signed);
        }
        let issued = now.whole_secs();
        let latest = issued.saturating_add(i64::from(self.lifetime.whole_secs()));
        // A promise of the gateway's must not outlive the one that it stands on.
        let expires = caller.expires().map_or(latest, |exp| exp.min(latest));
        let mut claims = self.claims.of(caller, circumstances);
        claims.insert("iat".to_owned(), json!(issued));
        claims.insert("nbf".to_owned(), json!(issued));
        claims.insert("exp".to_owned(), json!(expires));
        let unsigned = Unsigned::new(self, claims, reuse.next_number(), of);
        if self.is_reusable {
            // The upstream shall have time to look at it.
            let half = now.plus(self.lifetime.halved());
            let end = UnixMillis(expires.saturating_mul(1000));
            reuse.keep(of, unsigned.slot(), now, half.min(end));
        }
        if self.claims.need_body() {
            return unsigned.for_body(circumstances.body);
        }
        unsigned
    }

    /// For whom it is signed, and under what: everything that it may depend on but the request.
    fn digest(
        &self,
        policy: Option<&str>,
        caller: &Caller<'_>,
        credential: Option<&str>,
        circumstances: &Circumstances,
    ) -> [u8; 32] {
        let mut digest = Sha256::new();
        let consumer = circumstances.consumer.as_ref();
        for part in [
            policy,
            caller.is_known().then_some(credential).flatten(),
            circumstances.service.as_deref(),
            circumstances.route.as_deref(),
            caller.consumer_name(),
            consumer.and_then(|consumer| consumer.id.as_deref()),
            consumer.and_then(|consumer| consumer.username.as_deref()),
            consumer.and_then(|consumer| consumer.custom_id.as_deref()),
            consumer.map(|consumer| consumer.tags.join(",")).as_deref(),
        ] {
            // Each with its length, so that no two lists of parts are one text.
            let length = part.map_or(u64::MAX, |part| {
                u64::try_from(part.len()).unwrap_or(u64::MAX)
            });
            digest.update(length.to_le_bytes());
            digest.update(part.unwrap_or_default());
        }
        digest.finalize().into()
    }
}

/// A text as a claim; none if there is none.
fn text(text: Option<&str>) -> Option<Value> {
    text.map(|text| Value::String(text.to_owned()))
}
