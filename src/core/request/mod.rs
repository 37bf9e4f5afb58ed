//! What the gate knows about a request, and what is done to it before it goes up.

pub mod credentials;
pub mod fields;
pub mod path;
pub mod rules;

use std::rc::Rc;

use fields::Fields;

/// A request's head.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The policy that the route names.
    pub policy: Option<String>,
    pub method: Vec<u8>,
    /// Path and query as the client sent them.
    pub path: Vec<u8>,
    pub headers: Fields,
    /// There may be more fields than the host shows.
    pub is_cut: bool,
    pub body: Body,
    /// What the gateway calls that to which the request goes: Kong's service, Envoy's cluster. Only
    /// where the configuration asks for it.
    pub service: Option<String>,
    /// The same, of its route.
    pub route: Option<String>,
}

/// Whether a body follows a request's head.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Body {
    #[default]
    None,
    Announced {
        /// In octets, where the head says so.
        length: Option<u64>,
    },
}

/// A change to a request's header fields. Names are lower case but for those that a client sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeaderEdit {
    /// In place of all fields of this name.
    Set(Rc<str>, Vec<u8>),
    /// All fields of this name: the upstream must not see that there was one.
    Remove(Rc<str>),
    /// What all fields of this name say: where the host cannot remove them, another value does.
    Hide(Rc<str>),
}

impl Request {
    /// The values of all fields of a name, which is in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.values(name)
    }

    /// The path's part before the query.
    #[must_use]
    pub fn path_without_query(&self) -> &[u8] {
        path_and_query(&self.path).0
    }

    /// The query, without its question mark.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        path_and_query(&self.path).1
    }

    /// Whether its answer has to be one of gRPC (gRPC over HTTP/2, "Requests").
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.values("content-type").any(|value| {
            value
                .strip_prefix(b"application/grpc")
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        })
    }

    /// Whether it opens a WebSocket (RFC 6455, 4.1): what follows is no body. Other upgrades are not
    /// what gateways pass on (h2c: RFC 9113, 3.1).
    #[must_use]
    pub fn opens_websocket(&self) -> bool {
        const PROTOCOL: &[u8] = b"websocket";
        let mut values = self.values("upgrade");
        values.any(|value| {
            let value = value.to_ascii_lowercase();
            value.windows(PROTOCOL.len()).any(|part| part == PROTOCOL)
        })
    }

    /// What the head says of the body's length (RFC 9112, 6.3).
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        let length = self.values("content-length").next()?;
        std::str::from_utf8(length).ok()?.parse().ok()
    }

    /// Whether a browser asks what another origin's page may send (Fetch, 3.2.2: CORS-preflight
    /// request).
    #[must_use]
    pub fn is_cors_preflight(&self) -> bool {
        let has = |name| self.values(name).next().is_some();
        self.method == b"OPTIONS" && has("origin") && has("access-control-request-method")
    }
}

/// What is before the first question mark, and what is behind it (RFC 9110, 7.1).
#[must_use]
pub fn path_and_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    (parts.next().unwrap_or_default(), parts.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, fields: &[(&str, &str)]) -> Request {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Request {
            method: bytes(method),
            headers: fields.iter().map(|(n, v)| (bytes(n), bytes(v))).collect(),
            ..Request::default()
        }
    }

    #[test]
    fn grpc_by_its_content_type() {
        let is = |content_type| request("POST", &[("Content-Type", content_type)]).is_grpc();
        assert!(
            is("application/grpc") && is("application/grpc+proto") && is("application/grpc;x=1")
        );
        assert!(!is("application/grpc-web") && !is("application/json") && !is(""));
    }

    #[test]
    fn a_preflight_has_a_method_and_two_headers() {
        let origin = ("origin", "https://a");
        let asked = ("access-control-request-method", "PUT");
        assert!(request("OPTIONS", &[origin, asked]).is_cors_preflight());
        assert!(!request("OPTIONS", &[origin]).is_cors_preflight());
        assert!(!request("OPTIONS", &[asked]).is_cors_preflight());
        assert!(!request("GET", &[origin, asked]).is_cors_preflight());
    }

    #[test]
    fn the_query_begins_at_the_first_question_mark() {
        let request = |path: &str| Request {
            path: path.as_bytes().to_vec(),
            ..Request::default()
        };
        assert_eq!(request("/a?b?c").path_without_query(), b"/a");
        assert_eq!(request("/a?b?c").query(), Some(b"b?c".as_slice()));
        assert_eq!(request("/a").path_without_query(), b"/a");
        assert_eq!(request("/a").query(), None);
    }
}
