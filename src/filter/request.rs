//! One request: held until the gate has decided.

use std::rc::Rc;

use jwt_keycloak_core::event::RequestId;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::request::{Body, Request as Facts};

use crate::abi;
use crate::body::More;
use crate::callout::Answered;
use crate::host::{Bodies, RawPath};
use crate::instance::Instance;
use crate::stream::Stream;
use crate::types::{Action, HostError, MapType, NOT_FOUND};

pub struct Request {
    id: RequestId,
    stream: Rc<Stream>,
    instance: Rc<Instance>,
}

impl Request {
    pub fn new(id: u32, instance: Rc<Instance>) -> Self {
        Self {
            id: RequestId(id),
            stream: Rc::default(),
            instance,
        }
    }

    /// Its head arrived, with so many fields.
    pub fn on_headers(&self, fields: usize, is_whole: bool) -> Action {
        let guard = self.instance.host().guard;
        if guard.is_some_and(|guard| self.stream.was_refused_before(guard)) {
            return self.stream.action();
        }
        match self.facts(fields, is_whole) {
            Ok(facts) => self.instance.request(self.id, &facts, &self.stream),
            Err(error) => {
                log::error!("the host does not show a request: {error:?}");
                self.instance
                    .refuse(self.id, &self.stream, Reason::Internal);
            }
        }
        if self.stream.is_waiting() {
            self.instance.hold(self.id, &self.stream);
            self.instance.refuse_if_stranded(self.id.0);
        }
        self.stream.action()
    }

    /// More of it arrived.
    pub fn on_more(&self, more: More) -> Action {
        self.instance.more(self.id, &self.stream, more);
        if self.stream.is_undecided() {
            self.instance.refuse_if_stranded(self.id.0);
        }
        self.stream.action()
    }

    /// The answer to one of its callouts arrived, or one that it knows nothing of.
    pub fn on_answer(&self, answered: Answered) {
        self.instance.answered(answered, self.id.0);
    }

    /// What the gate has to know. An error of the host is no reason to let a request pass.
    fn facts(&self, fields: usize, is_whole: bool) -> Result<Facts, HostError> {
        let policy = self.instance.route_policy()?;
        let headers = abi::headers(MapType::HttpRequestHeaders)?;
        let pseudo = |wanted: &[u8]| {
            let mut fields = headers.iter();
            let field = fields.find(|(name, _)| *name == wanted);
            field.map(|(_, value)| value.to_vec()).unwrap_or_default()
        };
        let method = pseudo(b":method");
        let host = self.instance.host();
        let path = match host.raw_path {
            RawPath::PathHeader => pseudo(b":path"),
            RawPath::RequestPathProperty => {
                abi::property(&["request", "path"])?.ok_or(NOT_FOUND)?
            }
        };
        let (service, route) = self.instance.names()?;
        let mut facts = Facts {
            policy,
            method,
            path,
            is_cut: host.cuts_fields(fields, headers.len()),
            headers,
            body: Body::None,
            service,
            route,
        };
        let has_body = match host.bodies {
            Bodies::WhileHeld => !is_whole,
            Bodies::AfterHead => {
                // What follows an upgrade is no body, but not nothing either.
                let has = |name| facts.values(name).next().is_some();
                has("transfer-encoding")
                    || facts.opens_websocket()
                    || facts.values("content-length").any(|length| length != b"0")
            }
        };
        if has_body {
            let length = facts.content_length();
            facts.body = Body::Announced { length };
        }
        Ok(facts)
    }
}

/// The host deletes the context when the request is over, whichever way it ended.
impl Drop for Request {
    fn drop(&mut self) {
        // The gate knows of no others.
        if self.stream.is_held() {
            self.instance.leave(self.id);
        }
    }
}
