//! Decisions of Keycloak's authorization services: a UMA grant whose answer is only yes or no.

use serde_json::Value;

use super::client::{Client, Proof};
use super::failure::Failure;
use super::message::Post;
use super::question::Finding;
use crate::authorization::permission::AskedPermission;
use crate::json::{self, Limits};

const LIMITS: Limits = Limits {
    bytes: 16 * 1024,
    depth: 8,
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:uma-ticket";
/// As Keycloak names what is base64url of a JSON object.
const CLAIM_TOKEN_FORMAT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What else is said of the one who asks.
pub struct Asking<'a> {
    pub resource_server: &'a str,
    pub asked: &'a AskedPermission,
    pub claims: Option<&'a str>,
}

/// Asks on behalf of a token's owner: with the token itself as credential, or, where claims are
/// pushed, which no public client may do, with the client's and the token as subject.
#[must_use]
pub fn request(token: &str, asking: &Asking<'_>, proof: Option<Proof>) -> Post {
    let permission = asking.asked.permission.to_string();
    let mut fields = vec![
        ("grant_type", GRANT_TYPE),
        ("audience", asking.resource_server),
        ("permission", &permission),
        ("response_mode", "decision"),
    ];
    if asking.asked.by_uri {
        fields.push(("permission_resource_format", "uri"));
        fields.push(("permission_resource_matching_uri", "true"));
    }
    if let Some(claims) = asking.claims {
        fields.push(("claim_token", claims));
        fields.push(("claim_token_format", CLAIM_TOKEN_FORMAT));
    }
    let proof = match proof {
        Some(proof) => {
            fields.push(("subject_token", token));
            proof
        }
        None => Proof {
            authorization: Some(format!("Bearer {token}")),
            ..Proof::default()
        },
    };
    Post::form("application/json", &fields, proof)
}

/// Whether a question with these claims is asked as the client.
#[must_use]
pub fn prover<'c>(client: Option<&'c Client>, claims: Option<&str>) -> Option<&'c Client> {
    client.filter(|_| claims.is_some())
}

/// Reads an answer; `as_client` says who asked.
///
/// # Errors
/// [`Failure`], when it decides nothing.
pub fn read(status: u16, body: &[u8], as_client: bool) -> Result<Finding, Failure> {
    let answer = json::parse_object(body, LIMITS)
        .map_err(|error| Failure::unusable(format!("{status}, and no JSON object: {error}")))?;
    if status == 200 {
        return match answer.get("result") {
            Some(Value::Bool(true)) => Ok(Finding::Granted),
            Some(Value::Bool(false)) => Ok(Finding::Denied),
            _ => Err(Failure::unusable("it has no result")),
        };
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    match (status, text("error")) {
        (403, "access_denied") | (400, "invalid_resource" | "invalid_scope") => Ok(Finding::Denied),
        (400, "invalid_grant") if !as_client => Ok(Finding::Inactive),
        (400, "unauthorized_client")
            if as_client && text("error_description") == "Invalid identity" =>
        {
            Ok(Finding::Inactive)
        }
        _ => Err(Failure::refused(status, &answer)),
    }
}

/// Whether a denial means that there is no such permission.
#[must_use]
pub fn is_unknown(status: u16) -> bool {
    status == 400
}
