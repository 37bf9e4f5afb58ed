//! One configuration in one worker, shared by the root context and its requests: the gate, and
//! what the host must be reminded of.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use jwt_keycloak_core::event::{Answer, CallId, RequestId};
use jwt_keycloak_core::gate::{Decision, Effects, Gate, Step};
use jwt_keycloak_core::keys::shared::{NotShared, SharedData};
use jwt_keycloak_core::metrics::NONE;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::request::Request as Facts;
use jwt_keycloak_core::time::UnixMillis;

use crate::abi::{self, HostError};
use crate::callout;
use crate::host::{Host, RawPath, WASMX};
use crate::metrics::Metrics;
use crate::phase::{self, Phase};
use crate::shared_data::HostSharedData;
use crate::upstream;

pub struct Instance {
    /// The root's context.
    id: u32,
    /// Known from the first configuration on, good or bad.
    host: Cell<Option<Host>>,
    /// None while there is no usable configuration: then nothing passes.
    gate: RefCell<Option<Gate>>,
    /// Callouts under way, by the host's token, each with the context that sent it.
    calls: RefCell<BTreeMap<u32, (CallId, u32)>>,
    /// Requests that wait.
    waiting: RefCell<BTreeMap<RequestId, Rc<Cell<Phase>>>>,
    metrics: Metrics,
}

impl Instance {
    pub fn new(id: u32) -> Self {
        Self {
            id,
            host: Cell::new(None),
            gate: RefCell::new(None),
            calls: RefCell::default(),
            waiting: RefCell::default(),
            metrics: Metrics::default(),
        }
    }

    /// The policy that the route names, where the host has routes with metadata.
    pub fn route_policy(&self) -> Result<Option<String>, HostError> {
        const PATH: [&str; 5] = [
            "xds",
            "route_metadata",
            "filter_metadata",
            "jwt_keycloak",
            "policy",
        ];
        // Asked even where the configuration has no policies: a route that names one must not pass
        // by what stands at the top.
        if !self.host.get().is_some_and(|host| host.has_route_metadata) {
            return Ok(None);
        }
        let name = abi::property(&PATH)?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Where a request's path is to be read.
    pub fn raw_path(&self) -> RawPath {
        self.host.get().unwrap_or(WASMX).raw_path
    }

    /// A request arrived. `phase` is kept if it has to wait.
    pub fn request(&self, id: RequestId, facts: &Facts, phase: &Rc<Cell<Phase>>) {
        let Some(now) = now() else {
            return phase::refuse(phase, Reason::Internal);
        };
        let mut effects = Effects::default();
        let step = self.with_gate(|gate| {
            gate.request(
                id,
                facts,
                now,
                self.shared_data(gate).as_mut(),
                &mut effects,
            )
        });
        match step {
            None => phase::refuse(phase, Reason::Misconfigured),
            Some(Step::Decided(decision)) => {
                self.decide(phase, &decision);
            }
            Some(Step::Await) => {
                self.waiting.borrow_mut().insert(id, Rc::clone(phase));
            }
        }
        self.perform(effects, id.0);
    }

    /// Time passed.
    pub fn tick(&self) {
        let Some(now) = now() else { return };
        let mut effects = Effects::default();
        self.with_gate(|gate| gate.tick(now, self.shared_data(gate).as_mut(), &mut effects));
        self.perform(effects, self.id);
    }

    /// The answer to a callout came, in the context of `active`.
    pub fn answered(&self, token: u32, body_size: usize, active: u32) {
        let Some((call, _)) = self.calls.borrow_mut().remove(&token) else {
            return;
        };
        let body = callout::answer(body_size);
        let answer = match &body {
            Ok((status, body)) => Answer::Response {
                status: *status,
                body,
            },
            Err(why) => Answer::Failed(why),
        };
        self.answer(call, &answer, active);
    }

    /// A request is over.
    pub fn leave(&self, id: RequestId) {
        self.waiting.borrow_mut().remove(&id);
        self.calls
            .borrow_mut()
            .retain(|_, (_, owner)| *owner != id.0);
        self.with_gate(|gate| gate.gone(id));
    }

    /// Whether nothing will come any more that could decide a request. On a host that cannot wake
    /// it, that would let it go on: Kong's does after the last answer.
    pub fn is_stranded(&self, id: RequestId) -> bool {
        let is_waiting = self.waiting.borrow().contains_key(&id);
        let has_call = self
            .calls
            .borrow()
            .values()
            .any(|(_, owner)| *owner == id.0);
        let can_come = has_call || (is_waiting && self.can_wake());
        !can_come
    }

    /// Takes a configuration for this host; without one nothing passes. Whoever waits under the
    /// one before is refused.
    pub fn configure(&self, gate: Option<Gate>, host: Host) {
        self.refuse_all(Reason::Misconfigured, self.id);
        self.host.set(Some(host));
        if let Ok(mut current) = self.gate.try_borrow_mut() {
            *current = gate;
        }
    }

    fn refuse_all(&self, reason: Reason, active: u32) {
        let decisions = self
            .with_gate(|gate| gate.refuse_all(reason))
            .unwrap_or_default();
        self.perform(
            Effects {
                decisions,
                ..Effects::default()
            },
            active,
        );
    }

    fn answer(&self, call: CallId, answer: &Answer<'_>, active: u32) {
        // Without the time nothing can be judged, and whoever waits must be told.
        let Some(now) = now() else {
            return self.refuse_all(Reason::Internal, active);
        };
        let mut effects = Effects::default();
        self.with_gate(|gate| {
            gate.answer(
                call,
                answer,
                now,
                self.shared_data(gate).as_mut(),
                &mut effects,
            );
        });
        self.perform(effects, active);
    }

    /// Performs what the gate asked for besides the decision about a new request. `active` is the
    /// context whose callback runs. All decisions are about requests that the host holds.
    fn perform(&self, effects: Effects, active: u32) {
        for line in effects.log {
            log::log!(line.level, "{}", line.text);
        }
        let prefix = self.host.get().unwrap_or(WASMX).metrics_prefix;
        self.with_gate(|gate| {
            let issuers = &gate.settings().issuers;
            let label = |issuer: usize| issuers.get(issuer).map_or(NONE, |i| &i.label);
            for measure in effects.measures {
                self.metrics.take(measure, prefix, label);
            }
        });
        for (id, decision) in effects.decisions {
            let Some(phase) = self.waiting.borrow_mut().remove(&id) else {
                continue;
            };
            let is_other = id.0 != active;
            // Where it cannot be reached, it would be the active request that is answered. Its own
            // next callout finds it stranded.
            if is_other && !self.can_wake() {
                continue;
            }
            if is_other && let Err(error) = abi::set_effective_context(id.0) {
                log::error!("a waiting request cannot be reached: {error:?}");
                continue;
            }
            self.decide(&phase, &decision);
            if phase.get() == Phase::Forwarded
                && let Err(error) = abi::continue_request()
            {
                log::error!("a request cannot be resumed: {error:?}");
            }
            if is_other && let Err(error) = abi::set_effective_context(active) {
                // What follows would happen to another request.
                log::error!("the active context is lost: {error:?}");
                return;
            }
        }
        for call in effects.calls {
            match callout::dispatch(&call) {
                Ok(token) => {
                    self.calls.borrow_mut().insert(token, (call.id, active));
                }
                Err(error) => {
                    log::warn!("callout to {} refused by the host: {error:?}", call.target);
                    self.answer(call.id, &Answer::Failed("not sent"), active);
                }
            }
        }
    }

    /// Applies a decision to the effective context's request.
    fn decide(&self, phase: &Cell<Phase>, decision: &Decision) {
        let host = self.host.get().unwrap_or(WASMX);
        match decision {
            Decision::Reply(refusal) => phase::reply(phase, refusal, host.speaks_grpc),
            Decision::Forward(forward) => match upstream::prepare(forward, host) {
                Ok(()) => phase.set(Phase::Forwarded),
                Err(error) => {
                    log::error!("a request cannot be made ready for the upstream: {error}");
                    phase::refuse(phase, Reason::Internal);
                }
            },
        }
    }

    fn can_wake(&self) -> bool {
        self.host.get().is_some_and(|host| host.can_wake)
    }

    fn with_gate<T>(&self, act: impl FnOnce(&mut Gate) -> T) -> Option<T> {
        let mut gate = self.gate.try_borrow_mut().ok()?;
        gate.as_mut().map(act)
    }

    fn shared_data(&self, gate: &Gate) -> Box<dyn SharedData> {
        let by_host = self.host.get().is_some_and(|host| host.has_shared_data);
        if gate.settings().shared_key_cache.unwrap_or(by_host) {
            Box::new(HostSharedData)
        } else {
            Box::new(NotShared)
        }
    }
}

fn now() -> Option<UnixMillis> {
    abi::current_time()
        .inspect_err(|error| log::error!("the host has no clock: {error:?}"))
        .ok()
        .map(UnixMillis::from_nanoseconds)
}
