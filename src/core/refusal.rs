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
    IssuerNotAllowed,
    AlgorithmNotAllowed,
    UnknownKey,
    AmbiguousKey,
    InvalidSignature,
    ClaimMissing,
    ClaimMalformed,
    TokenExpired,
    TokenNotYetValid,
    TokenIssuedInFuture,
    LifetimeTooLong,
    WrongTokenType,
    AudienceNotAllowed,
    MissingScope,
    MissingRealmRole,
    MissingRole,
    KeysUnavailable,
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
    pub const ALL: [Self; 26] = [
        Self::MissingToken,
        Self::MultipleTokens,
        Self::MalformedCredentials,
        Self::TokenTooLarge,
        Self::MalformedToken,
        Self::UnsupportedCriticalHeader,
        Self::WrongHeaderType,
        Self::IssuerNotAllowed,
        Self::AlgorithmNotAllowed,
        Self::UnknownKey,
        Self::AmbiguousKey,
        Self::InvalidSignature,
        Self::ClaimMissing,
        Self::ClaimMalformed,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::TokenIssuedInFuture,
        Self::LifetimeTooLong,
        Self::WrongTokenType,
        Self::AudienceNotAllowed,
        Self::MissingScope,
        Self::MissingRealmRole,
        Self::MissingRole,
        Self::KeysUnavailable,
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
        let (status, error, label, challenge, description) = match self {
            Self::MissingToken => (401, "missing_token", "missing_token", Bare, "An access token is required: Authorization: Bearer <token>"),
            Self::MultipleTokens => (400, REQUEST, "multiple_tokens", Error, "The request has several different access tokens"),
            Self::MalformedCredentials => (400, REQUEST, "malformed_credentials", Error, "The credentials are not of the form: Bearer <token>"),
            Self::TokenTooLarge => (401, TOKEN, "token_too_large", Error, "The token is too large"),
            Self::MalformedToken => (401, TOKEN, "malformed_token", Error, "The token is not a well-formed JWT"),
            Self::UnsupportedCriticalHeader => (401, TOKEN, "unsupported_critical_header", Error, "The token has a critical header that is not supported"),
            Self::WrongHeaderType => (401, TOKEN, "wrong_header_type", Error, "The token's typ header is not that of an access token"),
            Self::IssuerNotAllowed => (401, TOKEN, "issuer_not_allowed", Error, "The token's issuer is not allowed"),
            Self::AlgorithmNotAllowed => (401, TOKEN, "algorithm_not_allowed", Error, "The token's signature algorithm is not allowed"),
            Self::UnknownKey => (401, TOKEN, "unknown_key", Error, "The issuer has no such key"),
            Self::AmbiguousKey => (401, TOKEN, "ambiguous_key", Error, "The token names no key, and the issuer has several for its algorithm"),
            Self::InvalidSignature => (401, TOKEN, "invalid_signature", Error, "The token's signature is invalid"),
            Self::ClaimMissing => (401, TOKEN, "claim_missing", Error, "The token lacks a claim that is required"),
            Self::ClaimMalformed => (401, TOKEN, "claim_malformed", Error, "A claim of the token is of the wrong type"),
            Self::TokenExpired => (401, TOKEN, "token_expired", Error, "The token has expired"),
            Self::TokenNotYetValid => (401, TOKEN, "token_not_yet_valid", Error, "The token is not valid yet"),
            Self::TokenIssuedInFuture => (401, TOKEN, "token_issued_in_future", Error, "The token was issued in the future"),
            Self::LifetimeTooLong => (401, TOKEN, "lifetime_too_long", Error, "The token is valid for longer than is allowed"),
            Self::WrongTokenType => (401, TOKEN, "wrong_token_type", Error, "The token is not an access token"),
            Self::AudienceNotAllowed => (401, TOKEN, "audience_not_allowed", Error, "The token is meant for another audience"),
            Self::MissingScope => (403, SCOPE, "missing_scope", ErrorAndScope, "The token lacks a scope that is required"),
            Self::MissingRealmRole => (403, SCOPE, "missing_realm_role", ErrorAndScope, "The token lacks a realm role that is required"),
            Self::MissingRole => (403, SCOPE, "missing_role", ErrorAndScope, "The token lacks a client role that is required"),
            Self::KeysUnavailable => (503, "temporarily_unavailable", "keys_unavailable", None, "The issuer's keys are not available at the moment"),
            Self::Misconfigured => (500, "server_error", "misconfigured", None, "The gateway is misconfigured"),
            Self::Internal => (500, "server_error", "internal_error", None, "The gateway failed"),
        };
        Row { status, error, description, label, challenge }
    }
}

/// A refusal with all that its answer needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    pub reason: Reason,
    /// The challenge's realm, a quoted-string's content already (see the configuration).
    pub realm: String,
    /// The scopes of which one would do; for a 403.
    pub scopes: Vec<String>,
    /// When to try again; for a 503.
    pub retry_after: Option<Millis>,
}

/// An HTTP answer, ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// For the access log: `jwt_keycloak{<label>}`.
    pub details: String,
}

impl Refusal {
    #[must_use]
    pub fn new(reason: Reason, realm: &str) -> Self {
        Self {
            reason,
            realm: realm.to_owned(),
            scopes: Vec::new(),
            retry_after: None,
        }
    }

    #[must_use]
    pub fn response(&self) -> Response {
        let row = self.reason.row();
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            // An answer to a credential is nobody else's (RFC 9111, 5.2.2.5).
            ("cache-control", "no-store".to_owned()),
        ];
        if let Some(challenge) = self.challenge(&row) {
            headers.push(("www-authenticate", challenge));
        }
        if let Some(retry_after) = self.retry_after {
            // RFC 9110, 10.2.3: seconds.
            let seconds = retry_after.whole_secs().max(1);
            headers.push(("retry-after", seconds.to_string()));
        }
        Response {
            status: row.status,
            headers,
            body: json!({"error": row.error, "error_description": row.description}).to_string(),
            details: format!("jwt_keycloak{{{}}}", row.label),
        }
    }

    /// RFC 6750, 3. All words are ours, without quotes or backslashes; scopes and realm are
    /// checked when the configuration is read.
    fn challenge(&self, row: &Row) -> Option<String> {
        let bare = format!("Bearer realm=\"{}\"", self.realm);
        let with_error = || {
            format!(
                "{bare}, error=\"{}\", error_description=\"{}\"",
                row.error, row.description
            )
        };
        match row.challenge {
            Challenge::None => None,
            Challenge::Bare => Some(bare),
            Challenge::Error => Some(with_error()),
            Challenge::ErrorAndScope if self.scopes.is_empty() => Some(with_error()),
            Challenge::ErrorAndScope => Some(format!(
                "{}, scope=\"{}\"",
                with_error(),
                self.scopes.join(" ")
            )),
        }
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
                400 => ("invalid_request", Challenge::Error),
                401 if reason == Reason::MissingToken => ("missing_token", Challenge::Bare),
                401 => ("invalid_token", Challenge::Error),
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
        let refusal = Refusal::new(Reason::MissingToken, "demo");
        assert_eq!(
            header(&refusal, "www-authenticate").unwrap(),
            r#"Bearer realm="demo""#
        );
    }

    #[test]
    fn a_missing_scope_names_the_scopes_that_would_do() {
        let mut refusal = Refusal::new(Reason::MissingScope, "demo");
        refusal.scopes = vec!["a".to_owned(), "b/c".to_owned()];
        assert_eq!(
            header(&refusal, "www-authenticate").unwrap(),
            r#"Bearer realm="demo", error="insufficient_scope", error_description="The token lacks a scope that is required", scope="a b/c""#
        );
        assert_eq!(refusal.response().details, "jwt_keycloak{missing_scope}");
    }

    #[test]
    fn an_outage_says_when_to_come_back_and_challenges_nobody() {
        let mut refusal = Refusal::new(Reason::KeysUnavailable, "demo");
        refusal.retry_after = Some(Millis(1200));
        assert_eq!(header(&refusal, "retry-after").unwrap(), "2");
        assert_eq!(header(&refusal, "www-authenticate"), None);
        assert_eq!(refusal.response().status, 503);
    }
}
