//! Why an issuer may call a good token inactive: Keycloak does so when the client that asks is not in
//! the token's audience.

use serde_json::Value;

use crate::jose::base64url;
use crate::time::UnixMillis;

/// Whether a JWT that has not ended, by its own word, is not for `client_id`. Nothing is verified:
/// it is for the log alone.
#[must_use]
pub fn is_for_others(token: &str, client_id: &str, now: UnixMillis) -> bool {
    let payload = token.split('.').nth(1).and_then(base64url::decode);
    let claims = payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
    let Some(Value::Object(claims)) = claims else {
        return false;
    };
    let has_ended = || {
        let exp = claims.get("exp").and_then(UnixMillis::from_numeric_date);
        exp.is_none_or(|exp| exp <= now)
    };
    let is_meant = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(|aud| aud == client_id),
        Some(one) => one == client_id,
        None => false,
    };
    !is_meant && !has_ended()
}
