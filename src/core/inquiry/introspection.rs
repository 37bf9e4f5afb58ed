//! Token introspection (RFC 7662, RFC 9701): when a token is shown to its issuer, and what that says.

use std::cell::OnceCell;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::client::Proof;
use super::failure::{Cause, Failure};
use super::message::Post;
use crate::claims::VerifiedClaims;
use crate::claims_set::ClaimsSet;
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
use crate::json::{self, Limits};
use crate::time::{Millis, UnixMillis};

/// A token with many roles has some kilobytes.
pub const MAX_BYTES: usize = 64 * 1024;

const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    depth: 20,
};

/// What a policy says of the introspection of an issuer's tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IntrospectionRules {
    pub when: When,
    pub response: ResponseKind,
    /// How long `active: true` counts; zero: for one request.
    pub max_age: Millis,
    /// How long `active: false` counts.
    pub negative_max_age: Millis,
    pub if_unavailable: IfUnavailable,
    /// Whether what is no JWT may be this issuer's.
    pub opaque_tokens: bool,
}

/// Which tokens are introspected.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum When {
    /// Those that cannot be judged here: no JWT, no key for it, Keycloak's lightweight ones.
    #[default]
    Needed,
    /// All, and nothing is verified here.
    Always,
    /// All that were verified here.
    AfterLocal,
}

/// How the answer comes.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum ResponseKind {
    /// RFC 7662, 2.2.
    #[default]
    Json,
    /// Keycloak's: JSON with an access token in the member `jwt`.
    Jwt,
    /// RFC 9701.
    Signed,
}

/// What counts while the issuer does not answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum IfUnavailable {
    #[default]
    Refuse,
    /// What can be verified here.
    Local,
}

/// What an issuer says of a token that is in force.
#[derive(Debug)]
pub struct Introspection {
    told: Told,
    /// When the token ends, as far as that is known before a signature is verified.
    pub expires: Option<UnixMillis>,
    /// Its session at the issuer, likewise.
    pub session: Option<String>,
    /// It differs from answer to answer.
    number: u64,
    /// Once its signature is found good.
    verified: OnceCell<(Algorithm, VerifiedClaims)>,
}

#[derive(Debug)]
enum Told {
    Claims(Rc<ClaimsSet>),
    /// Keycloak's: an access token in which it says the same, and its identifier.
    AccessToken(Rc<str>, Option<Value>),
    /// RFC 9701, 5.
    Response(Rc<str>),
}

/// An answer as it can be read without any key.
#[derive(Debug)]
pub enum Answered {
    Active(Introspection),
    Inactive,
}

impl ResponseKind {
    /// RFC 9701, 4. Keycloak 26 knows `application/jwt` and no parameters of it.
    #[must_use]
    pub fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Jwt => "application/jwt",
            Self::Signed => "application/token-introspection+jwt",
        }
    }
}

/// RFC 7662, 2.1. With the hint Keycloak takes no refresh token for active.
#[must_use]
pub fn request(token: &str, response: ResponseKind, proof: Proof) -> Post {
    let fields = [("token", token), ("token_type_hint", "access_token")];
    Post::form(response.accept(), &fields, proof)
}

/// Reads an answer (RFC 7662, 2.2; RFC 9701, 5). A signature in it is still to be verified.
///
/// # Errors
/// In words for the log, when it is none.
pub fn read(
    body: &[u8],
    response: ResponseKind,
    issuer: &str,
    number: u64,
) -> Result<Answered, String> {
    if response == ResponseKind::Signed {
        return signed(body, number);
    }
    let mut answer = parse(body)?;
    // Keycloak may send a token beside `active: false`: nothing of that answer counts.
    if !is_active(&answer)? {
        return Ok(Answered::Inactive);
    }
    let (expires, session) = bounds(&answer);
    let told = match response {
        ResponseKind::Jwt => {
            let jwt = answer.get("jwt").and_then(Value::as_str);
            let lacks = "it has no jwt (in Keycloak the client needs the attribute \
                client.introspection.response.allow.jwt.claim.enabled)";
            Told::AccessToken(jwt.ok_or(lacks)?.into(), answer.get("jti").cloned())
        }
        _ => {
            for name in ["active", "jwt"] {
                answer.remove(name);
            }
            name_issuer(&mut answer, issuer);
            Told::Claims(Rc::new(answer.into()))
        }
    };
    Ok(Answered::Active(Introspection {
        told,
        expires,
        session,
        number,
        verified: OnceCell::new(),
    }))
}

/// RFC 7662, 2.2: `iss` is optional, and who answers speaks for itself.
fn name_issuer(claims: &mut Map<String, Value>, issuer: &str) {
    let name = "iss".to_owned();
    claims
        .entry(name)
        .or_insert_with(|| Value::String(issuer.to_owned()));
}

/// What a JWT says of itself is believed here for one thing only: how long it is kept.
fn signed(body: &[u8], number: u64) -> Result<Answered, String> {
    const NO_JWT: &str = "it is no JWT (RFC 9701)";
    let text = std::str::from_utf8(body).map_err(|_| NO_JWT)?.trim();
    let payload = text.split('.').nth(1).and_then(base64url::decode);
    let payload = parse(&payload.ok_or(NO_JWT)?)?;
    let inner = inner(&payload).ok_or("it has no token_introspection")?;
    if !is_active(inner)? {
        return Ok(Answered::Inactive);
    }
    let (expires, session) = bounds(inner);
    Ok(Answered::Active(Introspection {
        told: Told::Response(text.into()),
        expires,
        session,
        number,
        verified: OnceCell::new(),
    }))
}

/// What an answer says that is none (RFC 7662, 2.3).
#[must_use]
pub fn refused(status: u16, body: &[u8]) -> Failure {
    let answer = json::parse_object(body, LIMITS).unwrap_or_default();
    let failure = Failure::refused(status, &answer);
    match status {
        // Keycloak says it to a client that has no secret.
        401 | 403 => failure.of(Cause::Credentials),
        _ => failure,
    }
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, String> {
    json::parse_object(body, LIMITS).map_err(|error| format!("it is no JSON object: {error}"))
}

fn is_active(answer: &Map<String, Value>) -> Result<bool, String> {
    let active = answer.get("active").and_then(Value::as_bool);
    active.ok_or_else(|| "it does not say whether the token is active".to_owned())
}

fn bounds(claims: &Map<String, Value>) -> (Option<UnixMillis>, Option<String>) {
    let expires = claims.get("exp").and_then(UnixMillis::from_numeric_date);
    let session = claims.get("sid").and_then(Value::as_str);
    (expires, session.map(str::to_owned))
}

/// RFC 9701, 5: what the answer says of the token.
fn inner(payload: &Map<String, Value>) -> Option<&Map<String, Value>> {
    payload.get("token_introspection")?.as_object()
}

/// What has to be verified before an answer can be used.
#[derive(Clone, Copy, Debug)]
pub enum Unverified<'a> {
    /// As any access token of this issuer, and as the one with this identifier.
    AccessToken {
        text: &'a str,
        jti: Option<&'a Value>,
    },
    /// RFC 9701, 5.
    Response(&'a str),
}

impl Introspection {
    /// What it says. `verify` checks a signature, once for as long as `algorithms` allow it.
    ///
    /// # Errors
    /// Those of `verify`.
    pub fn claims<E>(
        &self,
        algorithms: &[Algorithm],
        verify: impl FnOnce(Unverified<'_>) -> Result<(Algorithm, Map<String, Value>), E>,
    ) -> Result<VerifiedClaims, E> {
        let (unverified, jwt) = match &self.told {
            Told::Claims(claims) => {
                let claims = Rc::clone(claims);
                return Ok(VerifiedClaims::introspected(claims, None, self.number));
            }
            Told::AccessToken(jwt, jti) => {
                let jti = jti.as_ref();
                (
                    Unverified::AccessToken { text: jwt, jti },
                    Some(Rc::clone(jwt)),
                )
            }
            Told::Response(jwt) => (Unverified::Response(jwt), None),
        };
        let verified = self.verified.get();
        if let Some((_, verified)) = verified.filter(|(alg, _)| algorithms.contains(alg)) {
            return Ok(verified.clone());
        }
        let (alg, claims) = verify(unverified)?;
        let verified = VerifiedClaims::introspected(Rc::new(claims.into()), jwt, self.number);
        let _ = self.verified.set((alg, verified.clone()));
        Ok(verified)
    }

    /// What it takes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.told {
            Told::Claims(claims) => claims.bytes(),
            // The text, and its claims once they are read.
            Told::AccessToken(text, _) | Told::Response(text) => text.len().saturating_mul(8),
        }
    }
}

/// The claims of the token of which a verified response speaks (RFC 9701, 5): it must be meant for
/// this client, by this issuer, and say that the token is active.
#[must_use]
pub fn of_response(
    mut payload: Map<String, Value>,
    issuer: &str,
    client_id: &str,
) -> Option<Map<String, Value>> {
    let is_meant = json::each(payload.get("aud")).any(|aud| aud == client_id);
    let is_its_issuer = payload.get("iss")? == issuer;
    let Value::Object(mut claims) = payload.remove("token_introspection")? else {
        return None;
    };
    let is_active = claims.remove("active") == Some(Value::Bool(true));
    name_issuer(&mut claims, issuer);
    (is_meant && is_its_issuer && is_active).then_some(claims)
}
