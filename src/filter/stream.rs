//! One request in flight: how far it is, and what is done to it at the host.

use std::cell::{Cell, RefCell};

use jwt_keycloak_core::gate::{Decision, Forward};
use jwt_keycloak_core::refusal::{Answers, Detail, Reason, Refusal, Response};
use jwt_keycloak_core::upstream_jwt::key_set::KeySet;
use jwt_keycloak_core::upstream_jwt::unsigned::Unsigned;

use crate::abi;
use crate::host::{Guard, Host};
use crate::types::{Action, BAD_ARGUMENT, HostError, NOT_FOUND};
use crate::upstream::{self, Failed};

/// The realm in answers of a filter without a usable configuration.
const NO_REALM: &str = "keycloak";

/// How far a request is. Callbacks for its body and trailers answer from this, so that nothing of
/// it passes before the decision: to Envoy `Continue` there would mean the headers, too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Undecided,
    /// It may go up when its body has been read, which comes only when its head has been let go.
    AwaitingBody,
    Forwarded,
    /// Answered by this filter.
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
    denies_body: Cell<bool>,
}

impl Stream {
    pub fn action(&self) -> Action {
        match self.phase.get() {
            Phase::Forwarded | Phase::AwaitingBody | Phase::RefusedBefore => Action::Continue,
            Phase::Undecided | Phase::Refused => Action::Pause,
        }
    }

    pub fn is_undecided(&self) -> bool {
        self.phase.get() == Phase::Undecided
    }

    /// Whether something is still to come that decides it.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase.get(), Phase::Undecided | Phase::AwaitingBody)
    }

    pub fn is_awaiting_body(&self) -> bool {
        self.phase.get() == Phase::AwaitingBody
    }

    /// Whether it has gone up with a JWT that says that there is no body.
    pub fn denies_body(&self) -> bool {
        self.denies_body.get()
    }

    /// For as long as a callback of its own runs, whose result says that it goes on.
    pub fn in_its_callback<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = self.is_held.replace(false);
        let result = act();
        self.is_held.set(before);
        result
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

    /// Lets the head go, where its body comes only then, with its way closed until
    /// [`Self::decide`]. Several filters may wait for one body: the value says how many, and what
    /// the last of them sets again.
    pub fn await_body(&self, guard: Guard) -> Result<(), HostError> {
        self.open(Some(guard))?;
        let current = abi::property(&guard.property)?.ok_or(NOT_FOUND)?;
        if current == guard.closed {
            return Err(BAD_ARGUMENT);
        }
        let (waiting, open) = awaited(&current, guard).unwrap_or((0, &current));
        set_awaited(waiting.saturating_add(1), open, guard)?;
        self.phase.set(Phase::AwaitingBody);
        Ok(())
    }

    /// One filter less waits for the body.
    fn body_came(&self, guard: Guard) -> Result<(), HostError> {
        let current = abi::property(&guard.property)?.ok_or(NOT_FOUND)?;
        let (waiting, open) = awaited(&current, guard).ok_or(BAD_ARGUMENT)?;
        set_awaited(waiting.saturating_sub(1), open, guard)
    }

    /// Applies a decision. False if the host did not take it, and the request is still undecided.
    pub fn decide(&self, decision: &Decision, host: Host) -> bool {
        if !self.is_waiting() {
            return true;
        }
        match decision {
            Decision::Reply(refusal) => self.reply(refusal, host),
            Decision::Publish(key_set) => self.publish(key_set),
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
        match host.guard {
            Some(guard) if self.is_awaiting_body() => self.body_came(guard)?,
            guard => self.open(guard)?,
        }
        let denies_body = forward.jwt.as_ref().is_some_and(Unsigned::denies_body);
        self.denies_body.set(denies_body);
        let before = self.phase.get();
        // Before it goes on: its body may come within that call.
        self.phase.set(Phase::Forwarded);
        if self.is_held()
            && let Err(error) = abi::continue_request()
        {
            self.phase.set(before);
            return Err(error.into());
        }
        Ok(())
    }

    /// A body came where the JWT says that there is none, and it has not gone up yet.
    pub fn take_back(&self, reason: Reason, host: Host) {
        self.phase.set(Phase::Undecided);
        self.close_if_possible(host);
        self.reply(&refusal(reason), host);
    }

    fn publish(&self, key_set: &KeySet) -> bool {
        let headers = key_set.headers();
        let document = key_set.document.as_bytes();
        match abi::send_response(200, &fields(&headers), document, "", None) {
            Ok(()) => {
                self.phase.set(Phase::Refused);
                true
            }
            Err(error) => {
                log::error!("the keys cannot be published: {error:?}");
                false
            }
        }
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
        let fields = fields(&response.headers);
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

/// How many filters wait for the body, and the value that opens the way.
fn awaited(value: &[u8], guard: Guard) -> Option<(u32, &[u8])> {
    let rest = value.strip_prefix(guard.awaits_body.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'-')?;
    let (count, open) = rest.split_at_checked(end)?;
    let count = std::str::from_utf8(count).ok()?.parse().ok()?;
    Some((count, open.strip_prefix(b"-")?))
}

fn set_awaited(count: u32, open: &[u8], guard: Guard) -> Result<(), HostError> {
    if count == 0 {
        return abi::set_property(&guard.property, open);
    }
    let mut value = format!("{}{count}-", guard.awaits_body).into_bytes();
    value.extend(open);
    abi::set_property(&guard.property, &value)
}

/// Fields as the host takes them.
fn fields<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let field = |(name, value): &'a (&'static str, String)| (*name, value.as_str());
    headers.iter().map(field).collect()
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
