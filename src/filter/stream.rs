//! One request in flight: how far it is, and what is done to it at the host.

use std::cell::{Cell, RefCell};

use jwt_keycloak_core::gate::{Decision, Forward};
use jwt_keycloak_core::refusal::{Answers, Detail, Reason, Refusal, Response};

use crate::abi;
use crate::host::{Guard, Host};
use crate::types::{Action, HostError, NOT_FOUND};
use crate::upstream::{self, Failed};

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
    /// By another filter, before it came here: it goes nowhere, and has its answer.
    RefusedBefore,
}

/// All that is done acts on the effective context, which must be this request's. Each ends it once:
/// a second answer is a trap on WasmX.
#[derive(Default)]
pub struct Stream {
    phase: Cell<Phase>,
    /// Whether the host holds the request, and has to be told to go on.
    is_held: Cell<bool>,
    /// Whether its way to the upstream is closed, and what opens it again.
    is_closed: Cell<bool>,
    open_value: RefCell<Option<Vec<u8>>>,
}

impl Stream {
    pub fn action(&self) -> Action {
        match self.phase.get() {
            Phase::Forwarded | Phase::RefusedBefore => Action::Continue,
            Phase::Undecided | Phase::Refused => Action::Pause,
        }
    }

    pub fn is_undecided(&self) -> bool {
        self.phase.get() == Phase::Undecided
    }

    /// The callback for its head ends without a decision.
    pub fn hold(&self) {
        self.is_held.set(true);
    }

    pub fn is_held(&self) -> bool {
        self.is_held.get()
    }

    /// Whether a filter before this one has closed its way and not opened it: it is refused, and the
    /// host goes through the rest of the filters all the same. A second answer would be a trap.
    pub fn was_refused_before(&self, guard: Guard) -> bool {
        let is_closed = match abi::property(&guard.property) {
            Ok(Some(value)) => value == guard.closed,
            // If it cannot be seen, it is closed now, and the gateway answers. (Where there is no such
            // way, it cannot be closed either.)
            Ok(None) | Err(_) => abi::set_property(&guard.property, guard.closed).is_ok(),
        };
        if is_closed {
            self.phase.set(Phase::RefusedBefore);
        }
        is_closed
    }

    /// Closes the way to the upstream, so that only [`Self::forward`] leads there.
    pub fn close(&self, guard: Guard) -> Result<(), HostError> {
        if self.is_closed.get() {
            return Ok(());
        }
        if self.open_value.borrow().is_none() {
            let open = abi::property(&guard.property)?.ok_or(NOT_FOUND)?;
            *self.open_value.borrow_mut() = Some(open);
        }
        abi::set_property(&guard.property, guard.closed)?;
        self.is_closed.set(true);
        Ok(())
    }

    /// Applies a decision. False if the host did not take it, and the request is still undecided.
    pub fn decide(&self, decision: &Decision, host: Host) -> bool {
        if !self.is_undecided() {
            return true;
        }
        match decision {
            Decision::Reply(refusal) => self.reply(refusal, host),
            Decision::Forward(forward) => match self.forward(forward, host) {
                Ok(()) => true,
                Err(error) => {
                    log::error!("a request cannot be made ready for the upstream: {error}");
                    self.reply(&refusal(error.reason()), host)
                }
            },
        }
    }

    fn forward(&self, forward: &Forward, host: Host) -> Result<(), Failed> {
        upstream::prepare(forward, host)?;
        self.open(host.guard)?;
        // Before it goes on: its body may come within that call.
        self.phase.set(Phase::Forwarded);
        if self.is_held()
            && let Err(error) = abi::continue_request()
        {
            self.phase.set(Phase::Undecided);
            return Err(error.into());
        }
        Ok(())
    }

    fn reply(&self, refusal: &Refusal, host: Host) -> bool {
        // So that filters behind this one can tell (see `was_refused_before`).
        if self.is_held() {
            self.close_if_possible(host);
        }
        let mut response = refusal.response();
        let grpc_status = response.grpc_status.filter(|_| host.speaks_grpc);
        if grpc_status.is_none() && response.grpc_status.is_some() {
            word_as_grpc(&mut response);
        }
        let fields: Vec<_> = response
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (status, body) = (response.status, response.body.as_bytes());
        let details = if host.logs_details {
            response.details.as_str()
        } else {
            ""
        };
        let sent = abi::send_response(status, &fields, body, details, grpc_status);
        // Without an answer it would hang, or go up on a host that continues by itself.
        let sent = sent.or_else(|_| abi::send_response(status, &[], b"", "", None));
        if let Err(error) = sent {
            log::error!("a refusal cannot be sent: {error:?}");
            // At least it shall not go up, if it goes on by itself.
            self.close_if_possible(host);
            return false;
        }
        self.phase.set(Phase::Refused);
        true
    }

    fn close_if_possible(&self, host: Host) {
        if let Some(Err(error)) = host.guard.map(|guard| self.close(guard)) {
            log::error!("the way to the upstream cannot be closed: {error:?}");
        }
    }

    fn open(&self, guard: Option<Guard>) -> Result<(), HostError> {
        let open = self.open_value.borrow().clone();
        if let Some((guard, open)) = guard.zip(open).filter(|_| self.is_closed.get()) {
            abi::set_property(&guard.property, &open)?;
            self.is_closed.set(false);
        }
        Ok(())
    }
}

/// A refusal without a gate's say.
pub fn refusal(reason: Reason) -> Refusal {
    let answers = Answers {
        realm: NO_REALM.to_owned(),
        detail: Detail::Full,
    };
    Refusal::new(reason, answers)
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
