//! Reads where a request's token is looked for.

use super::reader::{At, Members, describe, quote};
use crate::request::credentials::{HeaderSource, TokenSources};

/// Reads `header_names`, `uri_param_names` and `cookie_names`.
#[must_use]
pub fn read(members: &Members) -> TokenSources {
    let names = |name| {
        let names = members.strings(name)?;
        Some(names.into_iter().map(|name| name.value).collect())
    };
    let cookies = members.parsed("cookie_names", "the name of a cookie", |name| {
        // RFC 6265, 4.1.1.
        is_token(name).then(|| name.to_owned())
    });
    TokenSources {
        headers: header_sources(members),
        // jwt-keycloak's default.
        params: names("uri_param_names").unwrap_or_else(|| vec!["jwt".to_owned()]),
        cookies: cookies.unwrap_or_default(),
    }
}

/// Names, each with the scheme Bearer, or `{name, scheme}`.
fn header_sources(members: &Members) -> Vec<HeaderSource> {
    let bearer = |name: String| HeaderSource {
        name,
        scheme: Some("Bearer".to_owned()),
    };
    let allowed = "a header's name, or an object with name and scheme";
    let one = |value: &serde_json::Value| value.is_string();
    let Some(items) = members.list_or_one("header_names", one, "a list of headers' names") else {
        return vec![bearer("authorization".to_owned())];
    };
    let sources = items.into_iter().filter_map(|At { path, value }| {
        if let Some(text) = value.as_str() {
            let name = header_name(text);
            if name.is_none() {
                members.findings().fault(&path, quote(text), allowed);
            }
            return name.map(bearer);
        }
        if !value.is_object() {
            members.findings().fault(&path, describe(value), allowed);
            return None;
        }
        let members = Members::open(&path, value, members.findings())?;
        let name = members.string("name");
        let lower = name.as_ref().and_then(|name| header_name(&name.value));
        if lower.is_none() {
            members.fault("name", "no header's name", "a header's name");
        }
        let scheme = match members.get("scheme") {
            None => Some("Bearer".to_owned()),
            Some(At { value, .. }) if value == "" => None,
            Some(At { path, value }) => {
                let scheme = value.as_str().filter(|scheme| is_scheme(scheme));
                if scheme.is_none() {
                    let allowed = "a scheme of letters, digits and hyphens, or nothing";
                    members.findings().fault(&path, describe(value), allowed);
                }
                scheme.map(str::to_owned)
            }
        };
        members.finish();
        Some(HeaderSource {
            name: lower?,
            scheme,
        })
    });
    sources.collect()
}

/// A header's name in lower case (RFC 9110, 5.1); `None` if it cannot be one.
#[must_use]
pub fn header_name(name: &str) -> Option<String> {
    (!name.is_empty() && is_token(name)).then(|| name.to_ascii_lowercase())
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    text.bytes().all(token)
}

fn is_scheme(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
