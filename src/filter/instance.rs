//! One configuration in one worker, shared by the root context and its requests: the gate, and
//! what the host must be reminded of.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use jwt_keycloak_core::event::{Answer, Call, CallId, Owner, RequestId};
use jwt_keycloak_core::gate::{Decision, Effects, Gate, Head, Step};
use jwt_keycloak_core::keys::shared::{NotShared, SharedData};
use jwt_keycloak_core::metrics::NONE;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::request::Request as Facts;
use jwt_keycloak_core::time::UnixMillis;

use crate::abi;
use crate::body::{self, More};
use crate::callout::{self, Answered};
use crate::host::{Bodies, Host, WASMX};
use crate::metrics::Metrics;
use crate::shared_data::HostSharedData;
use crate::stream::{Stream, refusal};
use crate::types::{HostError, NOT_FOUND};
use crate::upstream::{self, Failed};

pub struct Instance {
    /// The root's context.
    id: u32,
    /// Known from the first configuration on, good or bad.
    host: Cell<Option<Host>>,
    /// None while there is no usable configuration: then nothing passes.
    gate: RefCell<Option<Gate>>,
    /// Callouts under way, by the host's token, each with the context that it is for. A host may name
    /// the root in the callback that brings the answer.
    calls: RefCell<BTreeMap<u32, (CallId, u32)>>,
    /// Requests that are not decided.
    waiting: RefCell<BTreeMap<RequestId, Rc<Stream>>>,
    /// Decisions that the host did not take. They are tried again while it holds the requests.
    undelivered: RefCell<Vec<Delivery>>,
    metrics: Metrics,
}

/// A decision about a request that waited.
struct Delivery {
    id: RequestId,
    stream: Rc<Stream>,
    decision: Decision,
}

impl Instance {
    pub fn new(id: u32) -> Self {
        Self {
            id,
            host: Cell::new(None),
            gate: RefCell::new(None),
            calls: RefCell::default(),
            waiting: RefCell::default(),
            undelivered: RefCell::default(),
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
        if !self.host().abilities.named_policies {
            return Ok(None);
        }
        let name = abi::property(&PATH)?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Until it is known, one that can nothing.
    pub fn host(&self) -> Host {
        self.host.get().unwrap_or(WASMX)
    }

    /// What the gateway calls the service and the route of the active request, as far as the
    /// configuration asks for it.
    pub fn names(&self) -> Result<(Option<String>, Option<String>), HostError> {
        let asked = self.with_gate(|gate| {
            let settings = gate.settings();
            (settings.asks_for_service, settings.asks_for_route)
        });
        let (service, route) = asked.unwrap_or_default();
        let name = |path: [&str; 2], is_asked_for: bool| {
            let name = is_asked_for.then(|| abi::property(&path)).transpose()?;
            let name = name.flatten().filter(|name| !name.is_empty());
            Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
        };
        let host = self.host();
        Ok((name(host.service, service)?, name(host.route, route)?))
    }

    /// A request arrived. `stream` is kept if it has to wait.
    pub fn request(&self, id: RequestId, facts: &Facts, stream: &Rc<Stream>) {
        let Some(now) = now() else {
            return self.refuse(id, stream, Reason::Internal);
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
            None => {
                let mut refusal = refusal(Reason::Misconfigured);
                refusal.is_grpc = facts.is_grpc();
                self.decide(id, stream, Decision::Reply(refusal));
            }
            Some(Step::Decided(decision)) => self.decide(id, stream, decision),
            Some(Step::Await) => {
                self.waiting.borrow_mut().insert(id, Rc::clone(stream));
            }
            Some(Step::AwaitBody(head)) => {
                self.waiting.borrow_mut().insert(id, Rc::clone(stream));
                self.await_body(id, &head);
            }
        }
        self.perform(effects, id.0);
    }

    /// More of a request has come, in a callback of its own.
    pub fn more(&self, id: RequestId, stream: &Rc<Stream>, more: More) {
        if stream.denies_body() && matches!(more, More::Body { size: 1.., .. }) {
            if self.host().bodies == Bodies::AfterHead {
                stream.take_back(Reason::UnannouncedBody, self.host());
            }
            return;
        }
        if !stream.is_waiting() {
            return;
        }
        let Some(most) = self.with_gate(|gate| gate.reads_body(id)).flatten() else {
            return;
        };
        let (body, is_last) = body::read(more, most);
        let mut effects = Effects::default();
        let now = now();
        self.with_gate(|gate| {
            gate.body_began();
            if let Some(now) = now.filter(|_| is_last) {
                gate.body(
                    id,
                    body.as_deref().map_err(|reason| *reason),
                    now,
                    &mut effects,
                );
            }
        });
        stream.in_its_callback(|| self.perform(effects, id.0));
        // Nothing more of it will come. Without the time the gate was not told of it.
        if is_last && (now.is_none() || stream.is_awaiting_body()) {
            self.refuse(id, stream, Reason::Internal);
        }
    }

    /// A request may go up when its body has been read: where that comes later, its head is let go
    /// with its way closed.
    fn await_body(&self, id: RequestId, head: &Head) {
        let host = self.host();
        let (Some(stream), Bodies::AfterHead) = (self.waiting(id), host.bodies) else {
            return;
        };
        let closed = match host.guard {
            Some(guard) => stream.await_body(guard),
            None => Err(NOT_FOUND),
        };
        let done = closed.map_err(Failed::from);
        if let Err(error) = done.and_then(|()| upstream::prepare_head(head, host)) {
            log::error!("a request cannot wait for its body: {error}");
            self.refuse(id, &stream, error.reason());
            // Nobody else tells that it is over: it was never held.
            self.leave(id);
        }
    }

    /// The host holds a request that is not decided.
    pub fn hold(&self, id: RequestId, stream: &Rc<Stream>) {
        stream.hold();
        self.waiting.borrow_mut().insert(id, Rc::clone(stream));
    }

    /// Refuses the effective context's request without a gate's say.
    pub fn refuse(&self, id: RequestId, stream: &Rc<Stream>, reason: Reason) {
        self.decide(id, stream, Decision::Reply(refusal(reason)));
    }

    /// Time passed.
    pub fn tick(&self) {
        self.deliver_again();
        let Some(now) = now() else { return };
        let mut effects = Effects::default();
        self.with_gate(|gate| gate.tick(now, self.shared_data(gate).as_mut(), &mut effects));
        self.perform(effects, self.id);
    }

    /// The answer to a callout came, to `named`. A second one is nobody's.
    pub fn answered(&self, answered: Answered, named: u32) {
        let call = self.calls.borrow_mut().remove(&answered.token);
        let Some((call, owner)) = call else {
            return self.refuse_if_stranded(named);
        };
        // Where none can be reached but the one whose answer it is, that one is active, whichever
        // the host names.
        let active = if self.can_wake() { named } else { owner };
        let body = callout::answer(answered);
        let answer = match &body {
            Ok((status, body)) => Answer::Response {
                status: *status,
                body,
            },
            Err(why) => Answer::Failed(why),
        };
        self.answer(call, &answer, active);
        self.refuse_if_stranded(active);
    }

    /// Where nothing will come any more that could decide the active request, it would hang, or go up
    /// on a host that continues after the last answer. Where it can be woken, the tick decides it.
    pub fn refuse_if_stranded(&self, active: u32) {
        let has_call = |(_, owner): &(CallId, u32)| *owner == active;
        if self.can_wake() || self.calls.borrow().values().any(has_call) {
            return;
        }
        let id = RequestId(active);
        if let Some(stream) = self.waiting(id).filter(|stream| stream.is_undecided()) {
            let reason = self.with_gate(|gate| gate.stranded(id));
            self.refuse(id, &stream, reason.unwrap_or(Reason::KeysUnavailable));
        }
    }

    /// A request is over.
    pub fn leave(&self, id: RequestId) {
        self.waiting.borrow_mut().remove(&id);
        self.undelivered.borrow_mut().retain(|due| due.id != id);
        self.calls
            .borrow_mut()
            .retain(|_, (_, owner)| *owner != id.0);
        self.with_gate(|gate| gate.gone(id));
    }

    /// Takes a configuration for this host; without one nothing passes. Whoever waits under the
    /// one before is refused.
    pub fn configure(&self, gate: Option<Gate>, host: Host) {
        self.retire();
        self.host.set(Some(host));
        if let Ok(mut current) = self.gate.try_borrow_mut() {
            *current = gate;
        }
    }

    /// Gives up what is under way: who waits may try again.
    pub fn retire(&self) {
        self.refuse_all(None, self.id);
        self.deliver_again();
        self.calls.borrow_mut().clear();
        self.with_gate(|gate| gate.retire(self.shared_data(gate).as_mut()));
    }

    fn refuse_all(&self, reason: Option<Reason>, active: u32) {
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
            return self.refuse_all(Some(Reason::Internal), active);
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
        self.with_gate(|gate| {
            let issuers = &gate.settings().issuers;
            let label = |issuer: usize| issuers.get(issuer).map_or(NONE, |i| &i.label);
            for measure in effects.measures {
                self.metrics.take(measure, self.host(), label);
            }
        });
        let delivery = |(id, decision)| {
            let stream = self.waiting(id)?;
            Some(Delivery {
                id,
                stream,
                decision,
            })
        };
        let deliveries = effects.decisions.into_iter().filter_map(delivery);
        self.deliver(deliveries.collect(), active);
        for (id, head) in effects.awaiting_body {
            self.await_body(id, &head);
        }
        for call in effects.calls {
            self.send(&call, active);
        }
    }

    fn send(&self, call: &Call, active: u32) {
        let host = self.host();
        if let Err(error) = self.close_way(call.owner, host) {
            log::error!("the way to the upstream cannot be closed, so nobody waits: {error:?}");
            return self.answer(call.id, &Answer::Failed("not sent"), active);
        }
        match callout::dispatch(call, host) {
            Ok(token) => {
                // What a request sends is over with it. What the root sends is not: to Envoy all is
                // the root's, whoever is active.
                let owner = match call.owner {
                    Owner::Request(id) => id.0,
                    Owner::Background => self.id,
                };
                self.calls.borrow_mut().insert(token, (call.id, owner));
            }
            Err(error) => {
                log::warn!("callout to {} does not go out: {error}", call.target);
                self.answer(call.id, &Answer::Failed(error.reason()), active);
            }
        }
    }

    /// Closes the way of the request that sends a callout, if it is one: until it is decided, not
    /// even a trap shall let it go up.
    fn close_way(&self, owner: Owner, host: Host) -> Result<(), HostError> {
        let (Owner::Request(id), Some(guard)) = (owner, host.guard) else {
            return Ok(());
        };
        self.waiting(id)
            .map_or(Ok(()), |stream| stream.close(guard))
    }

    fn waiting(&self, id: RequestId) -> Option<Rc<Stream>> {
        self.waiting.borrow().get(&id).cloned()
    }

    /// Tries again what the host did not take.
    fn deliver_again(&self) {
        let undelivered = self.undelivered.take();
        self.deliver(undelivered, self.id);
    }

    /// Decides requests that waited, from a callback for `active`.
    fn deliver(&self, deliveries: Vec<Delivery>, active: u32) {
        if deliveries.is_empty() {
            return;
        }
        for due in deliveries {
            // Where it cannot be reached, it would be the active request that is answered. Its own
            // next callout finds it stranded.
            if due.id.0 != active && !self.can_wake() {
                continue;
            }
            if self.enter(due.id.0) && due.stream.decide(&due.decision, self.host()) {
                self.waiting.borrow_mut().remove(&due.id);
            } else {
                self.keep(due);
            }
        }
        self.enter(active);
    }

    /// Decides the effective context's request.
    fn decide(&self, id: RequestId, stream: &Rc<Stream>, decision: Decision) {
        if !stream.decide(&decision, self.host()) {
            self.keep(Delivery {
                id,
                stream: Rc::clone(stream),
                decision,
            });
        }
    }

    fn keep(&self, due: Delivery) {
        // Elsewhere nothing could be done with it later.
        if self.can_wake() {
            self.undelivered.borrow_mut().push(due);
        }
    }

    /// Makes host calls act on a context.
    fn enter(&self, context: u32) -> bool {
        abi::set_effective_context(context)
            .inspect_err(|error| log::error!("context {context} cannot be reached: {error:?}"))
            .is_ok()
    }

    fn can_wake(&self) -> bool {
        self.host().abilities.wakes_requests
    }

    fn with_gate<T>(&self, act: impl FnOnce(&mut Gate) -> T) -> Option<T> {
        let mut gate = self.gate.try_borrow_mut().ok()?;
        gate.as_mut().map(act)
    }

    fn shared_data(&self, gate: &Gate) -> Box<dyn SharedData> {
        let by_host = self.host().has_shared_data;
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
