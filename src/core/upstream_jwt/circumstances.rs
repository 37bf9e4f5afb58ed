//! What a JWT may say of the request itself, as it goes up.

use sha2::{Digest as _, Sha256};

use crate::caller::consumers::Consumer;
use crate::caller::{CONSUMER_CUSTOM_ID, CONSUMER_ID, CONSUMER_USERNAME, CallerRules};
use crate::request::{Body, HeaderEdit, Request, path_and_query};

/// Kept of a request until it goes up.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    pub method: String,
    /// Path and query, without a token that was hidden.
    pub target: Vec<u8>,
    /// Kong's service, Envoy's cluster.
    pub service: Option<String>,
    pub route: Option<String>,
    /// Whom something in front of the filter found to call.
    pub consumer: Option<Consumer>,
    pub body: Body,
    /// The SHA-256 of the body, once that is there.
    pub body_digest: Option<[u8; 32]>,
    /// What follows is no body, and has no end of its own.
    pub is_endless: bool,
}

impl Circumstances {
    #[must_use]
    pub fn of(request: &Request, caller: &CallerRules, edits: &[HeaderEdit]) -> Self {
        let edited = edits.iter().find_map(|edit| match edit {
            HeaderEdit::Set(name, path) if **name == *":path" => Some(path),
            _ => None,
        });
        Self {
            method: String::from_utf8_lossy(&request.method).into_owned(),
            target: edited.unwrap_or(&request.path).clone(),
            service: request.service.clone(),
            route: request.route.clone(),
            consumer: caller
                .keep_consumer_headers
                .then(|| consumer(request))
                .flatten(),
            body: request.body,
            body_digest: None,
            is_endless: request.opens_websocket() || request.method == b"CONNECT",
        }
    }

    /// The whole of the body is there.
    pub fn body_came(&mut self, body: &[u8]) {
        self.body_digest = Some(Sha256::digest(body).into());
    }

    #[must_use]
    pub fn path(&self) -> &[u8] {
        path_and_query(&self.target).0
    }

    /// The query without its question mark; nothing if there is none.
    #[must_use]
    pub fn query(&self) -> &[u8] {
        path_and_query(&self.target).1.unwrap_or_default()
    }

    /// The digest of the body: of no octets where there is none. `None` while it is not known.
    #[must_use]
    pub fn digest(&self) -> Option<[u8; 32]> {
        match self.body {
            Body::None => Some(Sha256::digest([]).into()),
            Body::Announced { .. } => self.body_digest,
        }
    }
}

/// From the headers that something in front of the filter sets.
fn consumer(request: &Request) -> Option<Consumer> {
    // Of two fields of one name nobody knows which one counts.
    let text = |name| {
        let mut values = request.values(name);
        let first = values.next().filter(|value| !value.is_empty())?;
        let text = String::from_utf8(first.to_vec()).ok()?;
        values.next().is_none().then_some(text)
    };
    let consumer = Consumer {
        id: text(CONSUMER_ID),
        username: text(CONSUMER_USERNAME),
        custom_id: text(CONSUMER_CUSTOM_ID),
        // Kong neither sets X-Consumer-Tags nor takes it out: they would be the client's own word.
        tags: Vec::new(),
    };
    (consumer != Consumer::default()).then_some(consumer)
}
