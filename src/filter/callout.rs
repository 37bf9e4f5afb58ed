//! Callouts: a GET that goes out, an answer that comes in.

use std::time::Duration;

use jwt_keycloak_core::event::Call;
use jwt_keycloak_core::keys::cache::MAX_ANSWER_BYTES;

use crate::abi;
use crate::host::Host;
use crate::types::{BAD_ARGUMENT, BufferType, HostError, MapType};

/// Sends a callout in the active context; the host's token for it.
pub fn dispatch(call: &Call, host: Host) -> Result<u32, HostError> {
    if !host.can_call(&call.target) {
        return Err(BAD_ARGUMENT);
    }
    let headers = [
        (":method", "GET"),
        (":scheme", call.url.scheme()),
        (":authority", call.url.authority.as_str()),
        (":path", call.url.path.as_str()),
        ("accept", "application/json"),
    ];
    abi::http_call(
        &call.target,
        &headers,
        Duration::from_millis(call.timeout.0.into()),
    )
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
