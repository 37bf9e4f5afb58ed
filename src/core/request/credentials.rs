//! Takes the access token from a request: from header fields (RFC 6750, 2.1), from the query
//! (2.3) and from cookies.

use std::rc::Rc;

use super::path::percent_decoded;
use super::{HeaderEdit, Request};
use crate::jose::base64url::is_b64token;
use crate::refusal::Reason;
use crate::verified_tokens::VerifiedToken;

/// Where tokens are looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSources {
    pub headers: Vec<HeaderSource>,
    /// Names of query parameters.
    pub params: Vec<String>,
    /// Names of cookies.
    pub cookies: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderSource {
    /// In lower case.
    pub name: String,
    /// The scheme before the token; `None`: the whole value is the token.
    pub scheme: Option<String>,
}

/// A token that a request brings.
#[derive(Clone, Debug)]
pub enum Credential {
    /// It was verified for another request.
    Known(Rc<VerifiedToken>),
    New(String),
}

impl Credential {
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Known(token) => &token.text,
            Self::New(text) => text,
        }
    }
}

/// The one token of a request. `known` finds one of exactly these octets among those that were verified:
/// it need not be looked at.
///
/// A header's value that is not of its scheme is no token (another scheme may be meant for the
/// upstream), and neither is an empty value elsewhere. The same token twice is one.
///
/// # Errors
/// [`Reason::MissingToken`], [`Reason::MultipleTokens`] for different ones, or
/// [`Reason::MalformedCredentials`] for a value that is not one token.
pub fn token(
    request: &Request,
    sources: &TokenSources,
    known: impl Fn(&[u8]) -> Option<Rc<VerifiedToken>>,
) -> Result<Credential, Reason> {
    let mut found: Option<Credential> = None;
    let mut add = |token: &[u8]| {
        let read = || {
            let is_token = is_b64token(token);
            let text = is_token.then(|| std::str::from_utf8(token).ok()).flatten();
            let text = text.ok_or(Reason::MalformedCredentials)?;
            Ok(Credential::New(text.to_owned()))
        };
        let credential = known(token).map_or_else(read, |known| Ok(Credential::Known(known)))?;
        match &found {
            None => found = Some(credential),
            Some(first) if first.text() == credential.text() => {}
            Some(_) => return Err(Reason::MultipleTokens),
        }
        Ok(())
    };
    for source in &sources.headers {
        for value in request.values(&source.name) {
            if let Some(token) = source.token(value)? {
                add(token)?;
            }
        }
    }
    for value in params(request, &sources.params) {
        let value = percent_decoded(value).ok_or(Reason::MalformedCredentials)?;
        if !value.is_empty() {
            add(&value)?;
        }
    }
    for value in cookies(request, &sources.cookies) {
        if !value.is_empty() {
            add(value)?;
        }
    }
    found.ok_or(Reason::MissingToken)
}

/// What takes every credential out of the request, good or not.
pub fn hide(request: &Request, sources: &TokenSources, edits: &mut Vec<HeaderEdit>) {
    for source in &sources.headers {
        let is_one = |value: &[u8]| !matches!(source.token(value), Ok(None));
        if request.values(&source.name).any(is_one) {
            edits.push(HeaderEdit::Hide(source.name.as_str().into()));
        }
    }
    if let Some(path) = path_without(request, &sources.params) {
        edits.push(HeaderEdit::Set(":path".into(), path));
    }
    if let Some(cookie) = cookie_without(request, &sources.cookies) {
        edits.push(if cookie.is_empty() {
            HeaderEdit::Hide("cookie".into())
        } else {
            HeaderEdit::Set("cookie".into(), cookie)
        });
    }
}

impl HeaderSource {
    /// The token in one of the header's values, if it is of the scheme.
    fn token<'a>(&self, value: &'a [u8]) -> Result<Option<&'a [u8]>, Reason> {
        let value = value.trim_ascii();
        let Some(scheme) = &self.scheme else {
            return Ok((!value.is_empty()).then_some(value));
        };
        // RFC 9110, 5.6.2 and 11.1: a token, and case-insensitive.
        let is_scheme_byte = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        let end = value.iter().position(|byte| !is_scheme_byte(byte));
        let (given, rest) = value
            .split_at_checked(end.unwrap_or(value.len()))
            .unwrap_or((value, &[]));
        if !given.eq_ignore_ascii_case(scheme.as_bytes()) {
            // Behind other credentials, joined by a comma, it must not go up unseen: an upstream may
            // read it.
            let mut others = rest.split(|byte| *byte == b',').skip(1);
            let has_scheme = |part: &[u8]| starts_with_scheme(part.trim_ascii_start(), scheme);
            return if others.any(has_scheme) {
                Err(Reason::MalformedCredentials)
            } else {
                Ok(None)
            };
        }
        // RFC 6750 has blanks after the scheme; a tab does no harm, and jwt-keycloak takes it.
        // The scheme alone, or glued to something else with a comma: not readable as credentials.
        let token = rest.trim_ascii_start();
        if token.len() == rest.len() {
            return Err(Reason::MalformedCredentials);
        }
        Ok(Some(token))
    }
}

fn starts_with_scheme(text: &[u8], scheme: &str) -> bool {
    let halves = text.split_at_checked(scheme.len());
    halves.is_some_and(|(given, rest)| {
        given.eq_ignore_ascii_case(scheme.as_bytes())
            && rest.first().is_none_or(u8::is_ascii_whitespace)
    })
}

/// The values of query parameters of these names, as they stand there.
fn params<'a>(request: &'a Request, names: &'a [String]) -> impl Iterator<Item = &'a [u8]> {
    let query = if names.is_empty() {
        None
    } else {
        request.query()
    };
    let pairs = query
        .into_iter()
        .flat_map(|query| query.split(|byte| *byte == b'&'));
    pairs.filter_map(move |pair| {
        let (name, value) = halves(pair, b'=');
        is_param(name, names).then_some(value)
    })
}

/// The path with its query, without parameters of these names; `None` if there are none.
fn path_without(request: &Request, names: &[String]) -> Option<Vec<u8>> {
    params(request, names).next()?;
    let kept: Vec<_> = request
        .query()?
        .split(|byte| *byte == b'&')
        .filter(|pair| !is_param(halves(pair, b'=').0, names))
        .collect();
    let mut path = request.path_without_query().to_vec();
    if !kept.is_empty() {
        path.push(b'?');
        path.extend(kept.join(&b'&'));
    }
    Some(path)
}

fn is_param(name: &[u8], names: &[String]) -> bool {
    let decoded = percent_decoded(name);
    let name = decoded.as_deref().unwrap_or(name);
    names.iter().any(|n| n.as_bytes() == name)
}

/// RFC 6265, 4.2.1: the values of cookies of these names.
fn cookies<'a>(request: &'a Request, names: &'a [String]) -> impl Iterator<Item = &'a [u8]> {
    let fields = (!names.is_empty()).then(|| request.values("cookie"));
    let pairs = fields.into_iter().flatten().flat_map(cookie_pairs);
    pairs.filter_map(move |pair| {
        let (name, value) = halves(pair, b'=');
        is_cookie(name, names).then(|| value.trim_ascii())
    })
}

fn cookie_without(request: &Request, names: &[String]) -> Option<Vec<u8>> {
    cookies(request, names).next()?;
    let kept: Vec<_> = request
        .values("cookie")
        .flat_map(cookie_pairs)
        .filter(|pair| !pair.is_empty() && !is_cookie(halves(pair, b'=').0, names))
        .collect();
    Some(kept.join(b"; ".as_slice()))
}

fn cookie_pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

fn is_cookie(name: &[u8], names: &[String]) -> bool {
    names.iter().any(|n| n.as_bytes() == name.trim_ascii())
}

/// What is before and after the first `separator`.
fn halves(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut halves = text.splitn(2, |byte| *byte == separator);
    (
        halves.next().unwrap_or_default(),
        halves.next().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(name: &str) -> HeaderSource {
        HeaderSource {
            name: name.to_owned(),
            scheme: Some("Bearer".to_owned()),
        }
    }

    fn sources() -> TokenSources {
        let bare = HeaderSource {
            name: "x-token".to_owned(),
            scheme: None,
        };
        TokenSources {
            headers: vec![bearer("authorization"), bare],
            params: vec!["jwt".to_owned()],
            cookies: vec!["session".to_owned()],
        }
    }

    fn request(path: &str, fields: &[(&str, &str)]) -> Request {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Request {
            path: bytes(path),
            headers: fields.iter().map(|(n, v)| (bytes(n), bytes(v))).collect(),
            ..Request::default()
        }
    }

    fn read(values: &[&'static str]) -> Result<String, Reason> {
        let fields: Vec<_> = values.iter().map(|v| ("Authorization", *v)).collect();
        of(&request("/", &fields))
    }

    fn from(path: &str, fields: &[(&str, &str)]) -> Result<String, Reason> {
        of(&request(path, fields))
    }

    fn of(request: &Request) -> Result<String, Reason> {
        let found = token(request, &sources(), |_| None)?;
        Ok(found.text().to_owned())
    }

    fn hidden(path: &str, fields: &[(&str, &str)]) -> Vec<HeaderEdit> {
        let mut edits = Vec::new();
        hide(&request(path, fields), &sources(), &mut edits);
        edits
    }

    fn good(token: &str) -> Result<String, Reason> {
        Ok(token.to_owned())
    }

    #[test]
    fn reads_the_bearer_scheme_in_any_case() {
        for value in [
            "Bearer a.b.c",
            "bearer a.b.c",
            "BEARER  a.b.c",
            " Bearer a.b.c ",
            "Bearer\ta.b.c",
        ] {
            assert_eq!(read(&[value]), good("a.b.c"), "{value}");
        }
    }

    #[test]
    fn other_schemes_are_no_token() {
        for value in [
            "",
            "Basic YTpi",
            "a.b.c",
            "Bearertoken",
            "Negotiate x",
            "Bearer-x y",
            "Digest a=b, bearer=c",
        ] {
            assert_eq!(read(&[value]), Err(Reason::MissingToken), "{value}");
        }
        assert_eq!(read(&[]), Err(Reason::MissingToken));
        assert_eq!(read(&["Basic YTpi", "Bearer a"]), good("a"));
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
            "Bearer é",
            "Basic YTpi,Bearer a",
            "Basic YTpi, bearer a",
            "Digest a=b, c=\"d\", BEARER",
        ] {
            assert_eq!(read(&[value]), Err(Reason::MalformedCredentials), "{value}");
        }
        let mut bytes = request("/", &[]);
        bytes
            .headers
            .push((b"authorization".to_vec(), b"Bearer \xff".to_vec()));
        assert_eq!(of(&bytes), Err(Reason::MalformedCredentials));
    }

    #[test]
    fn several_tokens_must_be_the_same() {
        assert_eq!(read(&["Bearer a", "bearer  a"]), good("a"));
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err(Reason::MultipleTokens));
        let header = ("authorization", "Bearer a");
        assert_eq!(
            from("/?jwt=a", &[header, ("cookie", "session=a")]),
            good("a")
        );
        assert_eq!(from("/?jwt=b", &[header]), Err(Reason::MultipleTokens));
        assert_eq!(from("/?jwt=a&jwt=b", &[]), Err(Reason::MultipleTokens));
        let twice = [("cookie", "session=a"), ("cookie", "x=1; session=b")];
        assert_eq!(from("/", &twice), Err(Reason::MultipleTokens));
    }

    #[test]
    fn a_header_without_a_scheme_is_the_token() {
        assert_eq!(from("/", &[("X-Token", " a.b.c ")]), good("a.b.c"));
        assert_eq!(from("/", &[("x-token", "")]), Err(Reason::MissingToken));
        assert_eq!(
            from("/", &[("x-token", "a b")]),
            Err(Reason::MalformedCredentials)
        );
    }

    #[test]
    fn the_query_is_decoded() {
        assert_eq!(from("/a?x=1&jwt=a.b&y", &[]), good("a.b"));
        assert_eq!(from("/a?%6Awt=a%2Eb", &[]), good("a.b"));
        for nothing in [
            "/jwt=a",
            "/?jwt",
            "/?jwt=",
            "/?JWT=a",
            "/?x=jwt=a",
            "/?jwt%3da",
            "/?",
        ] {
            assert_eq!(from(nothing, &[]), Err(Reason::MissingToken), "{nothing}");
        }
        for malformed in ["/?jwt=%", "/?jwt=a%20b", "/?jwt=a=b?c"] {
            assert_eq!(
                from(malformed, &[]),
                Err(Reason::MalformedCredentials),
                "{malformed}"
            );
        }
    }

    #[test]
    fn cookies_are_taken_by_their_exact_name() {
        assert_eq!(from("/", &[("cookie", "a=b;session=x; c=d")]), good("x"));
        for nothing in [
            "Session=x",
            "xsession=x",
            "session",
            "session=",
            "a=session=x",
        ] {
            assert_eq!(
                from("/", &[("cookie", nothing)]),
                Err(Reason::MissingToken),
                "{nothing}"
            );
        }
    }

    #[test]
    fn hiding_takes_out_every_credential_and_nothing_else() {
        let set = |name: &str, value: &str| HeaderEdit::Set(name.into(), value.into());
        let remove = |name: &str| HeaderEdit::Hide(name.into());
        assert_eq!(
            hidden("/a?b=c", &[("authorization", "Basic x"), ("cookie", "a=b")]),
            []
        );
        assert_eq!(
            hidden("/", &[("authorization", "Bearer a,b")]),
            [remove("authorization")]
        );
        assert_eq!(hidden("/", &[("x-token", "a")]), [remove("x-token")]);
        assert_eq!(hidden("/a?jwt=x", &[]), [set(":path", "/a")]);
        assert_eq!(
            hidden("/a?b=%20&jwt=x&%6awt=%&c", &[]),
            [set(":path", "/a?b=%20&c")]
        );
        assert_eq!(hidden("/", &[("cookie", "session=x")]), [remove("cookie")]);
        let two = [("cookie", "a=b; session=x"), ("cookie", "c=d")];
        assert_eq!(hidden("/", &two), [set("cookie", "a=b; c=d")]);
    }
}
