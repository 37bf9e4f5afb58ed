//! Why there is no answer, and what that means for others.

use serde_json::{Map, Value};

/// What went wrong with a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// For the log.
    pub why: String,
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The endpoint does not answer, or not now; others will fare no better.
    Outage,
    /// It does not take the gateway's own credentials.
    Credentials,
    /// What was asked, or by what; nobody else need fare like that.
    Question,
    /// The protection token does not count any more.
    ProtectionToken,
}

impl Failure {
    /// There was no answer, or none that says anything.
    #[must_use]
    pub fn outage(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            cause: Cause::Outage,
        }
    }

    /// There was an answer, and it cannot be used.
    #[must_use]
    pub fn unusable(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            cause: Cause::Question,
        }
    }

    /// The answer is an error (RFC 6749, 5.2).
    #[must_use]
    pub fn refused(status: u16, answer: &Map<String, Value>) -> Self {
        let error = answer.get("error").and_then(Value::as_str);
        let error = error.unwrap_or_default();
        // Keycloak's token endpoint says the latter of a wrong secret.
        let is_ours = matches!(
            (status, error),
            (_, "invalid_client") | (401, "unauthorized_client")
        );
        Self {
            why: format!("{status} {}", code(error)),
            cause: if is_ours {
                Cause::Credentials
            } else {
                Cause::Question
            },
        }
    }

    /// The same, of other cause.
    #[must_use]
    pub fn of(self, cause: Cause) -> Self {
        Self { cause, ..self }
    }
}

/// An OAuth error code, if it is one: nothing else of an answer stands in the log.
fn code(error: &str) -> &str {
    const LONGEST: usize = 40;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if !error.is_empty() && error.len() <= LONGEST && error.bytes().all(plain) {
        error
    } else {
        "without an error code"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_is_told_by_its_code_alone() {
        for (error, why, cause) in [
            (
                json!("invalid_client"),
                "401 invalid_client",
                Cause::Credentials,
            ),
            (
                json!("unauthorized_client"),
                "401 unauthorized_client",
                Cause::Credentials,
            ),
            (
                json!("invalid_request"),
                "401 invalid_request",
                Cause::Question,
            ),
            (
                json!("a\nline"),
                "401 without an error code",
                Cause::Question,
            ),
            (
                json!("a".repeat(41)),
                "401 without an error code",
                Cause::Question,
            ),
            (json!(7), "401 without an error code", Cause::Question),
        ] {
            let answer = json!({"error": error, "error_description": "secret"});
            let failure = Failure::refused(401, answer.as_object().unwrap());
            assert_eq!((failure.why.as_str(), failure.cause), (why, cause));
        }
    }
}
