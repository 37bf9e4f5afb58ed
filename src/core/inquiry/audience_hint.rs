//! Why an issuer may call a good token inactive: Keycloak does so when the client that asks is not in
//! the token's audience.

use serde_json::Value;

use crate::jose::base64url;
use crate::json::{self, each};
use crate::time::UnixMillis;

/// What a JWT that has not ended, by its own word, says of whom it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audience {
    Others,
    /// Nothing, as Keycloak's lightweight tokens do.
    Unsaid,
}

/// Whom a token is for, if it does not say that it is for `client_id`. Nothing is verified: it is for
/// the log alone.
#[must_use]
pub fn of_others(token: &str, client_id: &str, now: UnixMillis) -> Option<Audience> {
    let payload = token.split('.').nth(1).and_then(base64url::decode)?;
    let Some(Value::Object(claims)) = json::parse_leniently(&payload) else {
        return None;
    };
    let exp = claims.get("exp").and_then(UnixMillis::from_numeric_date)?;
    if exp <= now {
        return None;
    }
    let aud = claims.get("aud");
    if aud.is_none() {
        return Some(Audience::Unsaid);
    }
    let is_meant = each(aud).any(|aud| aud == client_id);
    (!is_meant).then_some(Audience::Others)
}
