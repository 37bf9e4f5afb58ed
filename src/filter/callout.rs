//! Callouts: a GET that goes out, an answer that comes in.

use std::time::Duration;

use jwt_keycloak_core::event::Call;
use jwt_keycloak_core::keys::cache::MAX_ANSWER_BYTES;
use proxy_wasm::types::{BufferType, MapType};

use crate::abi::{self, HostError};

/// Sends a callout in the active context; the host's token for it.
pub fn dispatch(call: &Call) -> Result<u32, HostError> {
    let headers = vec![
        (":method", "GET"),
        (":scheme", call.url.scheme()),
        (":authority", call.url.authority.as_str()),
        (":path", call.url.path.as_str()),
        ("accept", "application/json"),
    ];
    abi::dispatch(
        &call.target,
        headers,
        Duration::from_millis(call.timeout.0.into()),
    )
}

/// The status and body of a callout's answer. A host may report a status for an answer that it
/// lost half-way, so the body must be there in the length that it told.
pub fn answer(size: usize) -> Result<(u16, Vec<u8>), &'static str> {
    let status = abi::header(MapType::HttpCallResponseHeaders, ":status")
        .ok()
        .flatten()
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
