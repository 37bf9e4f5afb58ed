//! Every way to refuse a request, in one table: reason, status, OAuth error, words, metric label.
//!
//! Statuses follow RFC 6750, 3.1 and RFC 9068, 4: whatever is wrong with the token is a 401
//! `invalid_token`, its audience included; a token that is good but not enough is a 403; a
//! request that cannot be read is a 400; an identity provider that cannot be reached is a 503,
//! never the client's fault.

use serde_json::json;

use crate::time::Millis;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    MissingToken,
    MultipleTokens,
    MalformedCredentials,
    TokenTooLarge,
    MalformedToken,
    UnsupportedCriticalHeader,
    WrongHeaderType,
    IssuerBlocked,
    IssuerNotAllowed,
    AlgorithmNotAllowed,
    UnknownKey,
    KeyNotValid,
    AmbiguousKey,
    InvalidSignature,
    ClaimMissing,
    ClaimMalformed,
    TokenExpired,
    TokenNotYetValid,
    TokenIssuedInFuture,
    LifetimeTooLong,
    /// Its issuer says so.
    TokenInactive,
    WrongTokenType,
    AudienceNotAllowed,
    MissingScope,
    MissingRealmRole,
    MissingRole,
    RequirementNotMet,
    /// The token itself would have to have it.
    MissingPermission,
    /// Keycloak says so.
    PermissionDenied,
    UnknownConsumer,
    AccessDenied,
    AmbiguousPath,
    /// What access depends on is there twice.
    AmbiguousParameter,
    TooManyHeaders,
    ProtectedHeader,
    KeysUnavailable,
    IntrospectionUnavailable,
    AuthorizationUnavailable,
    /// Too long, for the policy or for the host, to be hashed.
    BodyTooLarge,
    BodyTimeout,
    /// As many wait for their bodies as may.
    TooManyWaiting,
    /// A body that would have to be hashed has no end of its own.
    EndlessBody,
    /// A body came that the head did not announce.
    UnannouncedBody,
    /// The host shows no bodies.
    BodyNotShown,
    SigningFailed,
    Misconfigured,
    /// The host failed at something that cannot be done without.
    Internal,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    pub status: u16,
    /// The OAuth error code, in the body and, if [`Self::challenge`], in `WWW-Authenticate`.
    pub error: &'static str,
    /// For the client's developer. It tells nothing that the client did not send.
    pub description: &'static str,
    /// In metrics and in the access log's deny reason.
    pub label: &'static str,
    pub challenge: Challenge,
}

/// What `WWW-Authenticate` says (RFC 6750, 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Challenge {
    /// Nothing: the client's credentials are not the matter.
    None,
    /// The scheme and the realm alone: no credentials were sent (RFC 6750, 3.1).
    Bare,
    /// With the error.
    Error,
    /// With the error and the scopes that would do.
    ErrorAndScope,
}

impl Reason {
    pub const ALL: [Self; 47] = [
        Self::MissingToken,
        Self::MultipleTokens,
        Self::MalformedCredentials,
        Self::TokenTooLarge,
        Self::MalformedToken,
        Self::UnsupportedCriticalHeader,
        Self::WrongHeaderType,
        Self::IssuerBlocked,
        Self::IssuerNotAllowed,
        Self::AlgorithmNotAllowed,
        Self::UnknownKey,
        Self::KeyNotValid,
        Self::AmbiguousKey,
        Self::InvalidSignature,
        Self::ClaimMissing,
        Self::ClaimMalformed,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::TokenIssuedInFuture,
        Self::LifetimeTooLong,
        Self::TokenInactive,
        Self::WrongTokenType,
        Self::AudienceNotAllowed,
        Self::MissingScope,
        Self::MissingRealmRole,
        Self::MissingRole,
        Self::RequirementNotMet,
        Self::MissingPermission,
        Self::PermissionDenied,
        Self::UnknownConsumer,
        Self::AccessDenied,
        Self::AmbiguousPath,
        Self::AmbiguousParameter,
        Self::TooManyHeaders,
        Self::ProtectedHeader,
        Self::KeysUnavailable,
        Self::IntrospectionUnavailable,
        Self::AuthorizationUnavailable,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::TooManyWaiting,
        Self::EndlessBody,
        Self::UnannouncedBody,
        Self::BodyNotShown,
        Self::SigningFailed,
        Self::Misconfigured,
        Self::Internal,
    ];

    #[rustfmt::skip]
    #[must_use]
    pub fn row(self) -> Row {
        use Challenge::{Bare, Error, ErrorAndScope, None};
        const REQUEST: &str = "invalid_request";
        const TOKEN: &str = "invalid_token";
        const SCOPE: &str = "insufficient_scope";
        const DENIED: &str = "access_denied";
        let (status, error, label, challenge, description) = match self {
            Self::MissingToken => (401, "missing_token", "missing_token", Bare, "An access token is required: Authorization: Bearer <token>"),
            Self::MultipleTokens => (400, REQUEST, "multiple_tokens", Error, "The request has several different access tokens"),
            Self::MalformedCredentials => (400, REQUEST, "malformed_credentials", Error, "The credentials are not of the form: Bearer <token>"),
            Self::TokenTooLarge => (401, TOKEN, "token_too_large", Error, "The token is too large"),
            Self::MalformedToken => (401, TOKEN, "malformed_token", Error, "The token is not a well-formed JWT"),
            Self::UnsupportedCriticalHeader => (401, TOKEN, "unsupported_critical_header", Error, "The token has a critical header that is not supported"),
            Self::WrongHeaderType => (401, TOKEN, "wrong_header_type", Error, "The token's typ header is not that of an access token"),
            Self::IssuerBlocked => (401, TOKEN, "issuer_blocked", Error, "The token's issuer is blocked"),
            Self::IssuerNotAllowed => (401, TOKEN, "issuer_not_allowed", Error, "The token's issuer is not allowed"),
            Self::AlgorithmNotAllowed => (401, TOKEN, "algorithm_not_allowed", Error, "The token's signature algorithm is not allowed"),
            Self::UnknownKey => (401, TOKEN, "unknown_key", Error, "The issuer has no such key"),
            Self::KeyNotValid => (401, TOKEN, "key_not_valid", Error, "The key that signed the token is not valid at this time"),
            Self::AmbiguousKey => (401, TOKEN, "ambiguous_key", Error, "The token names no key, and the issuer has several for its algorithm"),
            Self::InvalidSignature => (401, TOKEN, "invalid_signature", Error, "The token's signature is invalid"),
            Self::ClaimMissing => (401, TOKEN, "claim_missing", Error, "The token lacks a claim that is required"),
            Self::ClaimMalformed => (401, TOKEN, "claim_malformed", Error, "A claim of the token is of the wrong type"),
            Self::TokenExpired => (401, TOKEN, "token_expired", Error, "The token has expired"),
            Self::TokenNotYetValid => (401, TOKEN, "token_not_yet_valid", Error, "The token is not valid yet"),
            Self::TokenIssuedInFuture => (401, TOKEN, "token_issued_in_future", Error, "The token was issued in the future"),
            Self::LifetimeTooLong => (401, TOKEN, "lifetime_too_long", Error, "The token is valid for longer than is allowed"),
            // RFC 7662, 2.2.
            Self::TokenInactive => (401, TOKEN, "token_inactive", Error, "The token is not active"),
            Self::WrongTokenType => (401, TOKEN, "wrong_token_type", Error, "The token is not an access token"),
            Self::AudienceNotAllowed => (401, TOKEN, "audience_not_allowed", Error, "The token is meant for another audience"),
            Self::MissingScope => (403, SCOPE, "missing_scope", ErrorAndScope, "The token lacks a scope that is required"),
            Self::MissingRealmRole => (403, SCOPE, "missing_realm_role", ErrorAndScope, "The token lacks a realm role that is required"),
            Self::MissingRole => (403, SCOPE, "missing_role", ErrorAndScope, "The token lacks a client role that is required"),
            Self::RequirementNotMet => (403, SCOPE, "requirement_not_met", ErrorAndScope, "The token lacks a permission that is required"),
            Self::MissingPermission => (403, SCOPE, "missing_permission", ErrorAndScope, "The token lacks a permission on the resource"),
            Self::PermissionDenied => (403, DENIED, "permission_denied", None, "The authorization server does not permit it"),
            Self::UnknownConsumer => (403, DENIED, "unknown_consumer", None, "The calling application is not known"),
            Self::AccessDenied => (403, DENIED, "access_denied", None, "Access is denied"),
            Self::AmbiguousPath => (400, REQUEST, "ambiguous_path", None, "The path could be read in more than one way"),
            Self::AmbiguousParameter => (400, REQUEST, "ambiguous_parameter", None, "A parameter on which access depends could be read in more than one way"),
            // RFC 6585, 5.
            Self::TooManyHeaders => (431, REQUEST, "too_many_headers", None, "The request has too many header fields"),
            Self::ProtectedHeader => (400, REQUEST, "protected_header", None, "The request has a header field that only the gateway may set, or one twice that may stand once"),
            Self::KeysUnavailable => (503, "temporarily_unavailable", "keys_unavailable", None, "The issuer's keys are not available at the moment"),
            Self::IntrospectionUnavailable => (503, "temporarily_unavailable", "introspection_unavailable", None, "The token cannot be checked at the moment"),
            Self::AuthorizationUnavailable => (503, "temporarily_unavailable", "authorization_unavailable", None, "Permissions cannot be checked at the moment"),
            Self::BodyTooLarge => (413, REQUEST, "body_too_large", None, "The body is too large to be signed"),
            Self::BodyTimeout => (408, REQUEST, "body_timeout", None, "The body did not come in time"),
            Self::TooManyWaiting => (503, "temporarily_unavailable", "too_many_waiting", None, "The gateway is busy"),
            Self::EndlessBody => (400, REQUEST, "endless_body", None, "A request that opens a connection of its own cannot be signed with its body"),
            // RFC 9110, 15.5.12.
            Self::UnannouncedBody => (411, REQUEST, "unannounced_body", None, "A body needs a Content-Length"),
            Self::BodyNotShown => (500, "server_error", "body_not_shown", None, "The gateway cannot read bodies"),
            Self::SigningFailed => (500, "server_error", "signing_failed", None, "The gateway failed to sign"),
            Self::Misconfigured => (500, "server_error", "misconfigured", None, "The gateway is misconfigured"),
            Self::Internal => (500, "server_error", "internal_error", None, "The gateway failed"),
        };
        Row { status, error, description, label, challenge }
    }

    /// Whether it is about who calls and with what, so that an anonymous caller may be let
    /// through instead: not an outage, not a path that is closed to all.
    #[must_use]
    pub fn is_about_the_caller(self) -> bool {
        !self.is_about_signing()
            && !matches!(
                self,
                Self::AccessDenied
                    | Self::AmbiguousPath
                    | Self::AmbiguousParameter
                    | Self::TooManyHeaders
                    | Self::ProtectedHeader
                    | Self::KeysUnavailable
                    | Self::IntrospectionUnavailable
                    | Self::AuthorizationUnavailable
                    | Self::Misconfigured
                    | Self::Internal
            )
    }

    /// Whether a policy that only reports lets the request pass all the same: not where the request
    /// would go up with what only the gateway may say, or without it.
    #[must_use]
    pub fn can_be_reported(self) -> bool {
        !self.is_about_signing()
            && !matches!(
                self,
                Self::TooManyHeaders | Self::ProtectedHeader | Self::Misconfigured
            )
    }

    /// Whether a token with a permission would do instead (UMA 2.0 Grant, 3.2).
    #[must_use]
    pub fn can_be_mended_by_permission(self) -> bool {
        matches!(
            self,
            Self::MissingToken
                | Self::TokenExpired
                | Self::TokenInactive
                | Self::MissingPermission
                | Self::PermissionDenied
        )
    }

    /// Whether what the gateway has to say to the upstream could not be signed.
    fn is_about_signing(self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge
                | Self::BodyTimeout
                | Self::TooManyWaiting
                | Self::EndlessBody
                | Self::UnannouncedBody
                | Self::BodyNotShown
                | Self::SigningFailed
        )
    }
}

/// How much an answer tells.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Detail {
    #[default]
    Full,
    /// The error code, and neither description nor scopes.
    Code,
    /// No body, and a challenge without the error.
    None,
}

/// How a policy answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answers {
    /// The challenge's realm, a quoted-string's content already (see the configuration).
    pub realm: String,
    pub detail: Detail,
}

/// When to try again, where nobody knows better.
const SOON: Millis = Millis::from_secs(1);

/// A refusal with all that its answer needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    pub reason: Reason,
    pub answers: Answers,
    /// The scopes of which one would do; for a 403.
    pub scopes: Vec<String>,
    /// When to try again; for a 503.
    pub retry_after: Option<Millis>,
    /// Where and by what permissions can be had, where the client is told.
    pub uma: Option<UmaChallenge>,
    /// The client speaks gRPC.
    pub is_grpc: bool,
}

/// What a client needs to ask for a requesting party token (UMA 2.0 Grant, 3.2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UmaChallenge {
    /// The issuer.
    pub as_uri: String,
    /// None: it could not be reached (UMA 2.0 Grant, 3.2.2).
    pub ticket: Option<String>,
}

/// An HTTP answer, ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// For the access log: `jwt_keycloak{<label>}`.
    pub details: String,
    /// For a gRPC client: its status, and the body is its message.
    pub grpc_status: Option<u8>,
}

impl Refusal {
    #[must_use]
    pub fn new(reason: Reason, answers: Answers) -> Self {
        Self {
            reason,
            answers,
            scopes: Vec::new(),
            retry_after: (reason.row().status == 503).then_some(SOON),
            uma: None,
            is_grpc: false,
        }
    }

    #[must_use]
    pub fn response(&self) -> Response {
        let mut row = self.reason.row();
        if let Some(uma) = &self.uma {
            row.status = if uma.ticket.is_some() { 401 } else { 403 };
        }
        // An answer to a credential is nobody else's (RFC 9111, 5.2.2.5).
        let mut headers = vec![("cache-control", "no-store".to_owned())];
        if let Some(challenge) = self.challenge(&row) {
            headers.push(("www-authenticate", challenge));
        }
        if self.uma.as_ref().is_some_and(|uma| uma.ticket.is_none()) {
            let text = "199 - \"UMA Authorization Server Unreachable\"";
            headers.push(("warning", text.to_owned()));
        }
        if let Some(retry_after) = self.retry_after {
            // RFC 9110, 10.2.3: seconds.
            let seconds = retry_after.whole_secs().max(1);
            headers.push(("retry-after", seconds.to_string()));
        }
        let body = match self.answers.detail {
            Detail::None => String::new(),
            Detail::Full if self.is_grpc => row.description.to_owned(),
            Detail::Code if self.is_grpc => row.error.to_owned(),
            Detail::Code => json!({"error": row.error}).to_string(),
            Detail::Full => {
                json!({"error": row.error, "error_description": row.description}).to_string()
            }
        };
        if !body.is_empty() && !self.is_grpc {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Response {
            status: row.status,
            headers,
            body,
            details: format!("jwt_keycloak{{{}}}", row.label),
            grpc_status: self.is_grpc.then(|| grpc_status(row.status)),
        }
    }

    /// RFC 6750, 3. All words are ours, without quotes or backslashes; scopes and realm are
    /// checked when the configuration is read.
    fn challenge(&self, row: &Row) -> Option<String> {
        if let Some(uma) = &self.uma {
            let UmaChallenge { as_uri, ticket } = uma;
            let ticket = ticket.as_ref()?;
            let realm = &self.answers.realm;
            return Some(format!(
                "UMA realm=\"{realm}\", as_uri=\"{as_uri}\", ticket=\"{ticket}\""
            ));
        }
        let mut challenge = format!("Bearer realm=\"{}\"", self.answers.realm);
        let detail = match row.challenge {
            Challenge::None => return None,
            Challenge::Bare => Detail::None,
            Challenge::Error | Challenge::ErrorAndScope => self.answers.detail,
        };
        if detail != Detail::None {
            challenge.push_str(", error=\"");
            challenge.push_str(row.error);
            challenge.push('"');
        }
        if detail == Detail::Full {
            challenge.push_str(", error_description=\"");
            challenge.push_str(row.description);
            challenge.push('"');
            if row.challenge == Challenge::ErrorAndScope && !self.scopes.is_empty() {
                challenge.push_str(", scope=\"");
                challenge.push_str(&self.scopes.join(" "));
                challenge.push('"');
            }
        }
        Some(challenge)
    }
}

/// gRPC's status codes (google.rpc.Code).
fn grpc_status(status: u16) -> u8 {
    match status {
        400 | 411 => 3, // INVALID_ARGUMENT
        413 | 431 => 8, // RESOURCE_EXHAUSTED
        408 => 4,       // DEADLINE_EXCEEDED
        401 => 16,      // UNAUTHENTICATED
        403 => 7,       // PERMISSION_DENIED
        503 => 14,      // UNAVAILABLE
        _ => 13,        // INTERNAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_complete_and_consistent() {
        let labels: BTreeSet<_> = Reason::ALL.iter().map(|r| r.row().label).collect();
        assert_eq!(labels.len(), Reason::ALL.len(), "a label twice");
        for reason in Reason::ALL {
            let row = reason.row();
            let (error, challenge) = match row.status {
                400 if [
                    Reason::AmbiguousPath,
                    Reason::AmbiguousParameter,
                    Reason::ProtectedHeader,
                    Reason::EndlessBody,
                ]
                .contains(&reason) =>
                {
                    ("invalid_request", Challenge::None)
                }
                408 | 411 | 413 | 431 => ("invalid_request", Challenge::None),
                400 => ("invalid_request", Challenge::Error),
                401 if reason == Reason::MissingToken => ("missing_token", Challenge::Bare),
                401 => ("invalid_token", Challenge::Error),
                403 if [
                    Reason::UnknownConsumer,
                    Reason::AccessDenied,
                    Reason::PermissionDenied,
                ]
                .contains(&reason) =>
                {
                    ("access_denied", Challenge::None)
                }
                403 => ("insufficient_scope", Challenge::ErrorAndScope),
                503 => ("temporarily_unavailable", Challenge::None),
                500 => ("server_error", Challenge::None),
                status => panic!("{status}"),
            };
            assert_eq!((row.error, row.challenge), (error, challenge), "{reason:?}");
            assert!(
                row.label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
            // RFC 6750, 3: error_description is %x20-21 / %x23-5B / %x5D-7E.
            assert!(
                row.description
                    .bytes()
                    .all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\')
            );
        }
    }

    fn refusal(reason: Reason) -> Refusal {
        let realm = "demo".to_owned();
        let detail = Detail::Full;
        Refusal::new(reason, Answers { realm, detail })
    }

    #[test]
    fn a_ticket_says_how_a_permission_can_be_had() {
        let mut refusal = refusal(Reason::PermissionDenied);
        let uma = |ticket: Option<&str>| UmaChallenge {
            as_uri: "https://kc/a".to_owned(),
            ticket: ticket.map(str::to_owned),
        };
        refusal.uma = Some(uma(Some("a.b.c")));
        assert_eq!(refusal.response().status, 401);
        let challenge = header(&refusal, "www-authenticate").unwrap();
        assert_eq!(
            challenge,
            r#"UMA realm="demo", as_uri="https://kc/a", ticket="a.b.c""#
        );
        assert_eq!(header(&refusal, "warning"), None);
        // UMA 2.0 Grant, 3.2.2.
        refusal.reason = Reason::MissingToken;
        refusal.uma = Some(uma(None));
        assert_eq!(refusal.response().status, 403);
        assert_eq!(header(&refusal, "www-authenticate"), None);
        let warning = header(&refusal, "warning").unwrap();
        assert_eq!(warning, r#"199 - "UMA Authorization Server Unreachable""#);
    }

    #[test]
    fn an_answer_tells_as_much_as_it_may() {
        let mut refusal = refusal(Reason::MissingScope);
        refusal.scopes = vec!["a".to_owned()];
        refusal.answers.detail = Detail::Code;
        assert_eq!(refusal.response().body, r#"{"error":"insufficient_scope"}"#);
        let challenge = header(&refusal, "www-authenticate").unwrap();
        assert_eq!(
            challenge,
            r#"Bearer realm="demo", error="insufficient_scope""#
        );
        refusal.answers.detail = Detail::None;
        assert_eq!(refusal.response().body, "");
        assert_eq!(header(&refusal, "content-type"), None);
        let challenge = header(&refusal, "www-authenticate").unwrap();
        assert_eq!(challenge, r#"Bearer realm="demo""#);
    }

    #[test]
    fn grpc_has_a_status_and_a_message_of_its_own() {
        for (reason, status) in [
            (Reason::MultipleTokens, 3),
            (Reason::MissingToken, 16),
            (Reason::MissingRole, 7),
            (Reason::KeysUnavailable, 14),
            (Reason::Misconfigured, 13),
        ] {
            let mut refusal = refusal(reason);
            refusal.is_grpc = true;
            let response = refusal.response();
            assert_eq!(response.grpc_status, Some(status), "{reason:?}");
            assert_eq!(response.body, reason.row().description);
            assert_eq!(header(&refusal, "content-type"), None);
        }
        assert_eq!(refusal(Reason::MissingToken).response().grpc_status, None);
    }

    fn header(refusal: &Refusal, name: &str) -> Option<String> {
        let response = refusal.response();
        response
            .headers
            .into_iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
    }

    #[test]
    fn a_missing_token_is_challenged_without_an_error() {
        let refusal = refusal(Reason::MissingToken);
        assert_eq!(
            header(&refusal, "www-authenticate").unwrap(),
            r#"Bearer realm="demo""#
        );
    }

    #[test]
    fn a_missing_scope_names_the_scopes_that_would_do() {
        let mut refusal = refusal(Reason::MissingScope);
        refusal.scopes = vec!["a".to_owned(), "b/c".to_owned()];
        assert_eq!(
            header(&refusal, "www-authenticate").unwrap(),
            r#"Bearer realm="demo", error="insufficient_scope", error_description="The token lacks a scope that is required", scope="a b/c""#
        );
        assert_eq!(refusal.response().details, "jwt_keycloak{missing_scope}");
    }

    #[test]
    fn an_outage_says_when_to_come_back_and_challenges_nobody() {
        let mut refusal = refusal(Reason::KeysUnavailable);
        refusal.retry_after = Some(Millis(1200));
        assert_eq!(header(&refusal, "retry-after").unwrap(), "2");
        assert_eq!(header(&refusal, "www-authenticate"), None);
        assert_eq!(refusal.response().status, 503);
    }
}
