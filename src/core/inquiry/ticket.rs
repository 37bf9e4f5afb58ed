//! Permission tickets: what a refusal says of the permissions that would do (UMA 2.0 Federated
//! Authorization, 4), asked for with a protection API access token of the gateway's own.

use serde_json::{Map, Value, json};

use super::client::Proof;
use super::failure::Failure;
use super::message::Post;
use crate::authorization::permission::Permission;
use crate::jose::base64url::is_b64token;
use crate::json::{self, Limits};
use crate::keys::source::HttpUrl;
use crate::time::{Millis, UnixMillis};

const LIMITS: Limits = Limits {
    bytes: 32 * 1024,
    depth: 8,
};

/// It is not used in its last seconds, but for what it was got for.
const MARGIN: Millis = Millis::from_secs(10);
const LEAST: Millis = Millis::from_secs(1);
/// No token counts for longer, whatever its issuer says.
const LONGEST: u32 = 3600;

/// The gateway's own access token for the protection API (UMA 2.0 Federated Authorization, 1.3).
#[derive(Clone)]
pub struct ProtectionToken {
    text: String,
    until: UnixMillis,
}

impl std::fmt::Debug for ProtectionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProtectionToken(…)")
    }
}

impl ProtectionToken {
    /// Its text, while it counts.
    #[must_use]
    pub fn text(&self, now: UnixMillis) -> Option<&str> {
        let counts = self.until.is_ahead(now, Millis::from_secs(LONGEST));
        counts.then_some(self.text.as_str())
    }

    /// Asks for one (RFC 6749, 4.4).
    #[must_use]
    pub fn request(proof: Proof) -> Post {
        Post::form(
            "application/json",
            &[("grant_type", "client_credentials")],
            proof,
        )
    }

    /// Reads the answer (RFC 6749, 5.1).
    ///
    /// # Errors
    /// [`Failure`], when there is no token in it.
    pub fn read(status: u16, body: &[u8], now: UnixMillis) -> Result<Self, Failure> {
        let answer = answer(status, 200, body)?;
        let text = answer.get("access_token").and_then(Value::as_str);
        let text = text
            .filter(|text| is_b64token(text.as_bytes()))
            .ok_or_else(|| Failure::unusable("it has no access_token"))?;
        let lifetime = answer
            .get("expires_in")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let lifetime = u32::try_from(lifetime).unwrap_or(LONGEST).min(LONGEST);
        let lifetime = Millis::from_secs(lifetime).0.saturating_sub(MARGIN.0);
        let lifetime = Millis(lifetime).max(LEAST);
        Ok(Self {
            text: text.to_owned(),
            until: now.plus(lifetime),
        })
    }
}

/// Asks for a ticket.
#[must_use]
pub fn request(permissions: &[Permission], token: &str) -> Post {
    let asked = permissions.iter().map(|Permission { resource, scope }| {
        let scopes: Vec<_> = scope.iter().collect();
        json!({"resource_id": resource, "resource_scopes": scopes})
    });
    Post::json(Value::Array(asked.collect()).to_string(), token)
}

/// Reads a ticket.
///
/// # Errors
/// [`Failure`], when there is none.
pub fn read(status: u16, body: &[u8]) -> Result<String, Failure> {
    let answer = answer(status, 201, body)?;
    let ticket = answer.get("ticket").and_then(Value::as_str);
    // It stands in a quoted string of a header.
    let ticket = ticket
        .filter(|ticket| is_b64token(ticket.as_bytes()))
        .ok_or_else(|| Failure::unusable("it has no ticket"))?;
    Ok(ticket.to_owned())
}

/// Keycloak's default: its two endpoints lie side by side.
#[must_use]
pub fn endpoint_beside(token_endpoint: &HttpUrl) -> Option<HttpUrl> {
    let realm = token_endpoint
        .path
        .strip_suffix("/protocol/openid-connect/token")?;
    Some(HttpUrl {
        path: format!("{realm}/authz/protection/permission"),
        ..token_endpoint.clone()
    })
}

fn answer(status: u16, good: u16, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let parsed = json::parse_object(body, LIMITS);
    if status != good {
        return Err(Failure::refused(status, &parsed.unwrap_or_default()));
    }
    parsed.map_err(|error| Failure::unusable(format!("it is no JSON object: {error}")))
}
