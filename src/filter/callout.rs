//! Callouts: a GET or a POST that goes out, an answer that comes in.

use std::fmt;
use std::time::Duration;

use jwt_keycloak_core::event::{Call, Owner};
use jwt_keycloak_core::inquiry::message::{Message, Post};
use jwt_keycloak_core::jose::signing_key::SigningFailed;
use jwt_keycloak_core::keys::cache::MAX_ANSWER_BYTES;

use crate::abi;
use crate::host::Host;
use crate::signer::{entropy, request_entropy, signer};
use crate::types::{BAD_ARGUMENT, BufferType, HostError, MapType};

/// Why a callout did not go out.
pub enum NotSent {
    Host(HostError),
    /// It is to prove who sends it, and that cannot be signed.
    Signing,
}

impl NotSent {
    /// As the core is told.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Host(_) => "not sent",
            Self::Signing => "not signed",
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => write!(f, "{error:?}"),
            Self::Signing => f.write_str("it cannot be signed"),
        }
    }
}

impl From<HostError> for NotSent {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<SigningFailed> for NotSent {
    fn from(_: SigningFailed) -> Self {
        Self::Signing
    }
}

/// Sends a callout; the host's token for it.
pub fn dispatch(call: &Call, host: Host) -> Result<u32, NotSent> {
    if !host.can_call(&call.target) {
        return Err(BAD_ARGUMENT.into());
    }
    let method = match call.message {
        Message::Get => "GET",
        Message::Post(_) => "POST",
    };
    let mut headers = vec![
        (":method", method),
        (":scheme", call.url.scheme()),
        (":authority", call.url.authority.as_str()),
        (":path", call.url.path.as_str()),
    ];
    let mut body = Vec::new();
    match &call.message {
        Message::Get => headers.push(("accept", "application/json")),
        Message::Post(post) => {
            body = content(post, call.owner, host)?;
            headers.push(("accept", post.accept));
            headers.push(("content-type", post.content_type));
            let authorization = post.authorization.as_deref();
            headers.extend(authorization.map(|value| ("authorization", value)));
        }
    }
    // WasmX writes them as they are, and a token may have come percent-decoded.
    if headers.iter().any(|(_, value)| !is_field_value(value)) {
        return Err(BAD_ARGUMENT.into());
    }
    let timeout = Duration::from_millis(call.timeout.0.into());
    Ok(abi::http_call(&call.target, &headers, &body, timeout)?)
}

/// The body, with a client assertion signed now if there is to be one.
fn content(post: &Post, owner: Owner, host: Host) -> Result<Vec<u8>, SigningFailed> {
    let entropy = || match owner {
        Owner::Request(_) => request_entropy(host),
        Owner::Background => entropy(),
    };
    post.body(entropy, signer(host))
}

/// Whether a value is one of a single field (RFC 9110, 5.5).
fn is_field_value(value: &str) -> bool {
    !value.bytes().any(|byte| byte.is_ascii_control())
}

/// What the host tells of an answer.
#[derive(Clone, Copy)]
pub struct Answered {
    pub token: u32,
    pub fields: usize,
    pub body_size: usize,
}

/// The status and body of a callout's answer, in the callback that brings it.
///
/// A host may report a status for an answer that it lost half-way: WasmX says how the call ended
/// beside it, and the body must be there in the length that was told.
pub fn answer(answered: Answered) -> Result<(u16, Vec<u8>), &'static str> {
    let size = answered.body_size;
    // A call that failed has none.
    if answered.fields == 0 {
        return Err("no answer");
    }
    let field = |name| abi::header(MapType::HttpCallResponseHeaders, name).map_err(|_| "no answer");
    if field(":dispatch_status")?.is_some_and(|status| status != b"ok") {
        return Err("the call did not end well");
    }
    let status = field(":status")?
        .and_then(|status| String::from_utf8(status).ok()?.parse().ok())
        .ok_or("no answer")?;
    if size > MAX_ANSWER_BYTES {
        return Err("the answer is too large");
    }
    let body = match size {
        0 => Vec::new(),
        _ => abi::buffer(BufferType::HttpCallResponseBody, size)
            .map_err(|_| "the answer was cut short")?,
    };
    if body.len() == size {
        Ok((status, body))
    } else {
        Err("the answer was cut short")
    }
}
