//! One request in flight: how far it is, and what is done to it at the host.

use std::cell::{Cell, RefCell};

use jwt_keycloak_core::gate::Forward;
use jwt_keycloak_core::refusal::{Answers, Detail, Reason, Refusal, Response};

use crate::abi;
use crate::host::{Guard, Host};
use crate::types::{Action, HostError, NOT_FOUND};
use crate::upstream;

/// The realm in answers of a filter without a usable configuration.
const NO_REALM: &str = "keycloak";

/// How far a request is. Callbacks for its body and trailers answer from this, so that nothing of
/// it passes before the decision: to Envoy `Continue` there would mean the headers, too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Undecided,
    Forwarded,
    Refused,
}

/// All that is done acts on the effective context, which must be this request's. Each ends it once:
/// a second answer is a trap on WasmX.
#[derive(Default)]
pub struct Stream {
    phase: Cell<Phase>,
    /// While its way to the upstream is closed: what opens it again.
    closed: RefCell<Option<Vec<u8>>>,
}

impl Stream {
    pub fn action(&self) -> Action {
        match self.phase.get() {
            Phase::Forwarded => Action::Continue,
            Phase::Undecided | Phase::Refused => Action::Pause,
        }
    }

    pub fn is_undecided(&self) -> bool {
        self.phase.get() == Phase::Undecided
    }

    pub fn is_forwarded(&self) -> bool {
        self.phase.get() == Phase::Forwarded
    }

    /// Closes the way to the upstream, so that only [`Self::forward`] leads there.
    pub fn close(&self, guard: Guard) -> Result<(), HostError> {
        if self.closed.borrow().is_some() {
            return Ok(());
        }
        let open = abi::property(&guard.property)?.ok_or(NOT_FOUND)?;
        abi::set_property(&guard.property, guard.closed)?;
        *self.closed.borrow_mut() = Some(open);
        Ok(())
    }

    /// Lets the request go up, changed as it has to be.
    pub fn forward(&self, forward: &Forward, host: Host) {
        if !self.is_undecided() {
            return;
        }
        match upstream::prepare(forward, host) {
            Ok(()) => {}
            Err(error) => {
                log::error!("a request cannot be made ready for the upstream: {error}");
                return self.refuse(error.reason());
            }
        }
        if let Err(error) = self.open(host.guard) {
            log::error!("the way to the upstream cannot be opened: {error:?}");
            return self.refuse(Reason::Internal);
        }
        self.phase.set(Phase::Forwarded);
    }

    /// Refuses the request without a gate's say.
    pub fn refuse(&self, reason: Reason) {
        let answers = Answers {
            realm: NO_REALM.to_owned(),
            detail: Detail::Full,
        };
        self.reply(&Refusal::new(reason, answers), true);
    }

    pub fn reply(&self, refusal: &Refusal, speaks_grpc: bool) {
        if !self.is_undecided() {
            return;
        }
        self.phase.set(Phase::Refused);
        let mut response = refusal.response();
        let grpc_status = response.grpc_status.filter(|_| speaks_grpc);
        if grpc_status.is_none() && response.grpc_status.is_some() {
            word_as_grpc(&mut response);
        }
        let fields: Vec<_> = response
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (status, body) = (response.status, response.body.as_bytes());
        let sent = abi::send_response(status, &fields, body, &response.details, grpc_status);
        // Without an answer it would hang, or go up on a host that continues by itself.
        let sent = sent.or_else(|_| abi::send_response(status, &[], b"", "", None));
        if let Err(error) = sent {
            log::error!("a refusal cannot be sent: {error:?}");
        }
    }

    fn open(&self, guard: Option<Guard>) -> Result<(), HostError> {
        let open = self.closed.borrow().clone();
        if let Some((guard, open)) = guard.zip(open) {
            abi::set_property(&guard.property, &open)?;
            *self.closed.borrow_mut() = None;
        }
        Ok(())
    }
}

/// gRPC over HTTP/2, "Responses": Trailers-Only.
fn word_as_grpc(response: &mut Response) {
    let status = response.grpc_status.unwrap_or_default();
    response.status = 200;
    let message = std::mem::take(&mut response.body);
    response.headers.extend([
        ("content-type", "application/grpc".to_owned()),
        ("grpc-status", status.to_string()),
        ("grpc-message", message),
    ]);
}
