//! One request: held until the gate has decided.

use std::cell::Cell;
use std::rc::Rc;

use jwt_keycloak_core::event::RequestId;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::request::Request as Facts;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use crate::abi::{self, HostError, NOT_FOUND};
use crate::host::RawPath;
use crate::instance::Instance;
use crate::phase::{self, Phase};

pub struct Request {
    id: RequestId,
    phase: Rc<Cell<Phase>>,
    /// Whether it was held, and the gate is to be told when it goes away.
    waited: bool,
    instance: Rc<Instance>,
}

impl Request {
    pub fn new(id: u32, instance: Rc<Instance>) -> Self {
        Self {
            id: RequestId(id),
            phase: Rc::new(Cell::new(Phase::Undecided)),
            waited: false,
            instance,
        }
    }

    /// What the gate has to know. An error of the host is no reason to let a request pass.
    fn facts(&self) -> Result<Facts, HostError> {
        let policy = self.instance.route_policy()?;
        let headers = abi::headers(MapType::HttpRequestHeaders)?;
        let pseudo = |wanted: &[u8]| {
            let mut fields = headers.iter();
            let field = fields.find(|(name, _)| name == wanted);
            field.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let method = pseudo(b":method");
        let path = match self.instance.raw_path() {
            RawPath::PathHeader => pseudo(b":path"),
            RawPath::RequestPathProperty => {
                abi::property(&["request", "path"])?.ok_or(NOT_FOUND)?
            }
        };
        Ok(Facts {
            policy,
            method,
            path,
            headers,
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
        self.instance.answered(token, body_size, self.id.0);
        if self.phase.get() == Phase::Undecided && self.instance.is_stranded(self.id) {
            phase::refuse(&self.phase, Reason::KeysUnavailable);
        }
    }
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        match self.facts() {
            Ok(facts) => self.instance.request(self.id, &facts, &self.phase),
            Err(error) => {
                log::error!("the host does not show a request: {error:?}");
                phase::refuse(&self.phase, Reason::Internal);
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
            self.instance.leave(self.id);
        }
    }
}
