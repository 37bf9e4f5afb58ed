//! Takes the access token from the request's header fields (RFC 6750, 2.1).

use crate::refusal::Reason;

/// The one token of a request.
///
/// Each value is one field value of one of the configured headers, as bytes: a client may send
/// anything. A value that is not of the Bearer scheme is no token (another scheme may be meant
/// for the upstream). The same token twice is one.
///
/// # Errors
/// [`Reason::MissingToken`], [`Reason::MultipleTokens`] for different ones, or
/// [`Reason::MalformedCredentials`] for a Bearer value that is not one token.
pub fn token<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, Reason> {
    let mut found = None;
    for value in values {
        let Some(token) = bearer(value)? else {
            continue;
        };
        match found {
            None => found = Some(token),
            Some(first) if first == token => {}
            Some(_) => return Err(Reason::MultipleTokens),
        }
    }
    found.ok_or(Reason::MissingToken)
}

fn bearer(value: &[u8]) -> Result<Option<&str>, Reason> {
    let value = value.trim_ascii();
    let scheme_end = value
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(scheme_end).unwrap_or((value, &[]));
    // RFC 9110, 11.1: the scheme is case-insensitive.
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    // RFC 6750 has blanks after the scheme; a tab does no harm, and jwt-keycloak takes it.
    // `Bearer` alone, or glued to something else with a comma: not readable as credentials.
    let token = rest.trim_ascii_start();
    if token.len() == rest.len() || token.is_empty() || !token.iter().all(is_b64token_byte) {
        return Err(Reason::MalformedCredentials);
    }
    std::str::from_utf8(token)
        .map(Some)
        .map_err(|_| Reason::MalformedCredentials)
}

/// RFC 6750, 2.1: b64token. It has no comma, so that two credentials which a proxy joined into
/// one field are seen as what they are.
fn is_b64token_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<&'static str, Reason> {
        token(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn reads_the_bearer_scheme_in_any_case() {
        for value in [
            "Bearer a.b.c",
            "bearer a.b.c",
            "BEARER  a.b.c",
            " Bearer a.b.c ",
        ] {
            assert_eq!(read(&[value]), Ok("a.b.c"), "{value}");
        }
    }

    #[test]
    fn other_schemes_are_no_token() {
        for value in ["", "Basic YTpi", "a.b.c", "Bearertoken", "Negotiate x"] {
            assert_eq!(read(&[value]), Err(Reason::MissingToken), "{value}");
        }
        assert_eq!(read(&[]), Err(Reason::MissingToken));
        assert_eq!(read(&["Basic YTpi", "Bearer a"]), Ok("a"));
    }

    #[test]
    fn malformed_credentials_are_not_read() {
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer a,Bearer b",
            "Bearer a b",
            "Bearer,a",
            "Bearer \"a\"",
        ] {
            assert_eq!(read(&[value]), Err(Reason::MalformedCredentials), "{value}");
        }
        assert_eq!(
            token([b"Bearer \xff".as_slice()]),
            Err(Reason::MalformedCredentials)
        );
    }

    #[test]
    fn several_tokens_must_be_the_same() {
        assert_eq!(read(&["Bearer a", "bearer  a"]), Ok("a"));
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err(Reason::MultipleTokens));
    }
}
