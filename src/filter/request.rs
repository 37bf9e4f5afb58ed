//! One request: held until the gate has decided.

use std::cell::Cell;
use std::rc::Rc;

use jwt_keycloak_core::gate::{Request as Facts, RequestId};
use jwt_keycloak_core::refusal::Reason;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use crate::abi::{self, HostError};
use crate::root::{self, Shared};

/// How far a request is. Callbacks for its body and trailers answer from this, so that nothing of
/// it passes before the decision: to Envoy `Continue` there would mean the headers, too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Undecided,
    Forwarded,
    Refused,
}

impl Phase {
    fn action(self) -> Action {
        match self {
            Self::Forwarded => Action::Continue,
            Self::Undecided | Self::Refused => Action::Pause,
        }
    }
}

pub struct Request {
    id: RequestId,
    phase: Rc<Cell<Phase>>,
    /// Whether it was held, and the gate is to be told when it goes away.
    waited: bool,
    shared: Rc<Shared>,
}

impl Request {
    pub fn new(id: u32, shared: Rc<Shared>) -> Self {
        Self {
            id: RequestId(id),
            phase: Rc::new(Cell::new(Phase::Undecided)),
            waited: false,
            shared,
        }
    }

    /// What the gate has to know. An error of the host is no reason to let a request pass.
    fn facts(&self) -> Result<Facts, HostError> {
        let policy = self.shared.route_policy()?;
        let names = self.shared.header_names(policy.as_deref());
        let credentials = match names.as_slice() {
            // The common case costs one call; Envoy joins several fields of this name with commas,
            // which no token has.
            [only] if only == "authorization" => abi::header(MapType::HttpRequestHeaders, only)?
                .into_iter()
                .collect(),
            // Of other names a single look-up shows the first field only, and all go upstream.
            names => abi::headers(MapType::HttpRequestHeaders)?
                .into_iter()
                .filter(|(name, _)| {
                    names
                        .iter()
                        .any(|n| n.as_bytes().eq_ignore_ascii_case(name))
                })
                .map(|(_, value)| value)
                .collect(),
        };
        Ok(Facts {
            policy,
            credentials,
        })
    }
}

impl Context for Request {
    fn on_http_call_response(
        &mut self,
        token: u32,
        _headers: usize,
        body_size: usize,
        _trailers: usize,
    ) {
        self.shared.answered(token, body_size, self.id.0);
    }
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        match self.facts() {
            Ok(facts) => self.shared.request(self.id, facts, &self.phase),
            Err(error) => {
                log::error!("the host does not show a request: {error:?}");
                root::refuse(&self.phase, Reason::Internal);
            }
        }
        self.waited = self.phase.get() == Phase::Undecided;
        self.phase.get().action()
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        self.phase.get().action()
    }

    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        self.phase.get().action()
    }
}

/// The host deletes the context when the request is over, whichever way it ended.
impl Drop for Request {
    fn drop(&mut self) {
        if self.waited {
            self.shared.leave(self.id);
        }
    }
}
