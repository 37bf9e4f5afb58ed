//! A request's body, as far as it has to be read.

use jwt_keycloak_core::refusal::Reason;

use crate::abi;
use crate::types::{BufferType, NOT_FOUND};

/// What may follow a request's head.
#[derive(Clone, Copy)]
pub enum More {
    /// So many octets of the body are there now.
    Body {
        size: usize,
        is_last: bool,
    },
    Trailers,
}

/// The whole body if this is the end of it, of at most `most` octets; and whether it is.
pub fn read(more: More, most: usize) -> (Result<Vec<u8>, Reason>, bool) {
    match more {
        More::Body { size, .. } if size > most => (Err(Reason::BodyTooLarge), true),
        More::Body { is_last: false, .. } => (Ok(Vec::new()), false),
        More::Body { size, .. } => (octets(size, Some(size)), true),
        // It ended before them, and nobody said so.
        More::Trailers => {
            let body = octets(most.saturating_add(1), None);
            let is_good = |body: &Vec<u8>| body.len() <= most;
            let body =
                body.and_then(|body| is_good(&body).then_some(body).ok_or(Reason::BodyTooLarge));
            (body, true)
        }
    }
}

/// The octets of the active request's body, `most` of them at most; `told` is how many there are.
/// What cannot be read is as what is too large: that is why hosts do not show it.
fn octets(most: usize, told: Option<usize>) -> Result<Vec<u8>, Reason> {
    if told == Some(0) {
        return Ok(Vec::new());
    }
    match (abi::buffer(BufferType::HttpRequestBody, most), told) {
        (Ok(body), Some(told)) if body.len() != told => Err(Reason::BodyTooLarge),
        (Ok(body), _) => Ok(body),
        // There was none.
        (Err(NOT_FOUND), None) => Ok(Vec::new()),
        (Err(_), _) => Err(Reason::BodyTooLarge),
    }
}
