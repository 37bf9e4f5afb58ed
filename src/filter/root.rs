//! One configuration in one worker: its gate, its clock, its callouts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jwt_keycloak_core::config;
use jwt_keycloak_core::gate::{
    Answer, Call, CallId, Decision, Effects, Gate, Request as Facts, RequestId, Step,
};
use jwt_keycloak_core::keys::cache::MAX_ANSWER_BYTES;
use jwt_keycloak_core::keys::shared::{NotShared, SharedData};
use jwt_keycloak_core::refusal::{Reason, Refusal};
use jwt_keycloak_core::time::UnixMillis;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, MapType};

use crate::abi::{self, HostError};
use crate::host::Host;
use crate::request::{Phase, Request};

/// How often the gate is told that time passes. It bounds how late a waiting request is told that
/// its time is up; WasmX takes one period only, ever.
const TICK: Duration = Duration::from_millis(250);

/// The realm in answers of a filter without a usable configuration.
const NO_REALM: &str = "keycloak";

pub struct Root {
    shared: Rc<Shared>,
}

impl Root {
    pub fn new(id: u32) -> Self {
        let shared = Rc::new(Shared {
            id,
            host: Cell::new(None),
            gate: RefCell::new(None),
            calls: RefCell::default(),
            waiting: RefCell::default(),
        });
        Self { shared }
    }
}

impl Context for Root {
    fn on_http_call_response(
        &mut self,
        token: u32,
        _headers: usize,
        body_size: usize,
        _trailers: usize,
    ) {
        self.shared.answered(token, body_size, self.shared.id);
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let host = Host::detect();
        self.shared.host.set(Some(host));
        match configuration(size) {
            Ok(config::Loaded { settings, warnings }) => {
                for warning in warnings {
                    log::warn!("configuration: {warning}");
                }
                self.shared.configure(Gate::new(settings, host.can_wake));
                if let Err(error) = abi::set_tick_period(TICK) {
                    log::error!("no ticks: {error:?}; keys are fetched by requests only");
                }
                true
            }
            Err(faults) => {
                for fault in faults {
                    log::error!("configuration: {fault}");
                }
                if !host.rejects_configurations {
                    log::error!("configuration refused: every request is answered with 500");
                }
                !host.rejects_configurations
            }
        }
    }

    fn on_tick(&mut self) {
        self.shared.tick();
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request::new(id, Rc::clone(&self.shared))))
    }
}

fn configuration(size: usize) -> Result<config::Loaded, Vec<String>> {
    let text = abi::buffer(BufferType::PluginConfiguration, size)
        .or_else(|error| {
            if size == 0 {
                Ok(Vec::new())
            } else {
                Err(error)
            }
        })
        .map_err(|error| vec![format!("the host does not give it: {error:?}")])?;
    config::load(&text).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// What the root and its requests share.
pub struct Shared {
    /// The root's context.
    id: u32,
    /// Known from `on_configure` on.
    host: Cell<Option<Host>>,
    /// None while there is no usable configuration: then nothing passes.
    gate: RefCell<Option<Gate>>,
    /// Callouts under way, by the host's token.
    calls: RefCell<BTreeMap<u32, CallId>>,
    /// Requests that wait.
    waiting: RefCell<BTreeMap<RequestId, Rc<Cell<Phase>>>>,
}

impl Shared {
    /// The policy that the route names, where the host has routes with metadata.
    pub fn route_policy(&self) -> Result<Option<String>, HostError> {
        const PATH: [&str; 5] = [
            "xds",
            "route_metadata",
            "filter_metadata",
            "jwt_keycloak",
            "policy",
        ];
        let can_name = self.host.get().is_some_and(|host| host.has_route_metadata);
        let has_policies = self
            .with_gate(|gate| !gate.settings().policies.is_empty())
            .unwrap_or_default();
        if !can_name || !has_policies {
            return Ok(None);
        }
        let name = abi::property(&PATH)?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Where the policy looks for credentials. None for an unknown policy: the gate refuses it.
    pub fn header_names(&self, policy: Option<&str>) -> Vec<String> {
        self.with_gate(|gate| Some(gate.settings().policy(policy)?.header_names.clone()))
            .flatten()
            .unwrap_or_default()
    }

    /// A request arrived. `phase` is kept if it has to wait.
    pub fn request(&self, id: RequestId, facts: Facts, phase: &Rc<Cell<Phase>>) {
        let Some(now) = now() else {
            return refuse(phase, Reason::Internal);
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
            None => refuse(phase, Reason::Misconfigured),
            Some(Step::Decided(decision)) => decide(phase, &decision),
            Some(Step::Await) => {
                self.waiting.borrow_mut().insert(id, Rc::clone(phase));
            }
        }
        self.perform(effects, id.0, false);
    }

    fn tick(&self) {
        let Some(now) = now() else { return };
        let mut effects = Effects::default();
        self.with_gate(|gate| gate.tick(now, self.shared_data(gate).as_mut(), &mut effects));
        self.perform(effects, self.id, true);
    }

    /// The answer to a callout came, in the context of `active`.
    pub fn answered(&self, token: u32, body_size: usize, active: u32) {
        let Some(call) = self.calls.borrow_mut().remove(&token) else {
            return;
        };
        let body = answer_body(body_size);
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
        self.with_gate(|gate| gate.gone(id, self.shared_data(gate).as_mut()));
    }

    pub fn configure(&self, gate: Gate) {
        if let Ok(mut current) = self.gate.try_borrow_mut() {
            *current = Some(gate);
        }
    }

    fn answer(&self, call: CallId, answer: &Answer<'_>, active: u32) {
        // Without the time nothing can be judged; the answer is then as good as none.
        let (now, failed) = (
            now().unwrap_or_default(),
            Answer::Failed("the host has no clock"),
        );
        let answer = if now == UnixMillis::default() {
            &failed
        } else {
            answer
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
        self.perform(effects, active, true);
    }

    /// Performs what the gate asked for besides the decision about a new request. `active` is the
    /// context whose callback runs; `paused`, whether the host holds its request already.
    fn perform(&self, effects: Effects, active: u32, paused: bool) {
        for line in effects.log {
            log::log!(line.level, "{}", line.text);
        }
        for (id, decision) in effects.decisions {
            let Some(phase) = self.waiting.borrow_mut().remove(&id) else {
                continue;
            };
            let is_other = id.0 != active;
            if is_other && let Err(error) = abi::set_effective_context(id.0) {
                log::error!("a waiting request cannot be reached: {error:?}");
                continue;
            }
            decide(&phase, &decision);
            let goes_on = phase.get() == Phase::Forwarded && (is_other || paused);
            if goes_on && let Err(error) = abi::continue_request() {
                log::error!("a request cannot be resumed: {error:?}");
            }
            if is_other && let Err(error) = abi::set_effective_context(active) {
                log::error!("the active context is lost: {error:?}");
            }
        }
        for call in effects.calls {
            match dispatch(&call) {
                Ok(token) => {
                    self.calls.borrow_mut().insert(token, call.id);
                }
                Err(error) => {
                    log::warn!("callout to {} refused by the host: {error:?}", call.target);
                    self.answer(call.id, &Answer::Failed("not sent"), active);
                }
            }
        }
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

/// Refuses the effective context's request without a gate's say.
pub fn refuse(phase: &Cell<Phase>, reason: Reason) {
    decide(phase, &Decision::Reply(Refusal::new(reason, NO_REALM)));
}

/// Applies a decision to the effective context's request.
fn decide(phase: &Cell<Phase>, decision: &Decision) {
    match decision {
        Decision::Forward(_) => phase.set(Phase::Forwarded),
        Decision::Reply(refusal) => {
            phase.set(Phase::Refused);
            let response = refusal.response();
            log::debug!("refused: {}", refusal.reason.row().label);
            let headers: Vec<_> = response
                .headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let body = response.body.as_bytes();
            let sent = abi::send_response(response.status, &headers, body, &response.details);
            if let Err(error) = sent {
                log::error!("a refusal cannot be sent: {error:?}");
            }
        }
    }
}

fn now() -> Option<UnixMillis> {
    abi::current_time()
        .inspect_err(|error| log::error!("the host has no clock: {error:?}"))
        .ok()
        .map(UnixMillis::from_nanoseconds)
}

fn dispatch(call: &Call) -> Result<u32, HostError> {
    let headers = vec![
        (":method", "GET"),
        (":scheme", call.url.scheme()),
        (":authority", call.url.authority.as_str()),
        (":path", call.url.path.as_str()),
        ("accept", "application/json"),
    ];
    abi::dispatch(
        &call.target,
        headers,
        Duration::from_millis(call.timeout.0.into()),
    )
}

/// The status and body of a callout's answer. A host may report a status for an answer that it
/// lost half-way, so the body must be there in the length that it told.
fn answer_body(size: usize) -> Result<(u16, Vec<u8>), &'static str> {
    let status = abi::header(MapType::HttpCallResponseHeaders, ":status")
        .ok()
        .flatten()
        .and_then(|status| String::from_utf8(status).ok()?.parse().ok())
        .ok_or("no answer")?;
    if size > MAX_ANSWER_BYTES {
        return Err("the answer is too large");
    }
    let body = match size {
        0 => Vec::new(),
        _ => abi::buffer(BufferType::HttpCallResponseBody, size)
            .map_err(|_| "the answer was cut short")?,
    };
    if body.len() == size {
        Ok((status, body))
    } else {
        Err("the answer was cut short")
    }
}

/// Shared data of the host. It is used for key sets and turns, and nothing depends on it.
struct HostSharedData;

impl SharedData for HostSharedData {
    fn get(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        abi::shared_data(name).ok().flatten()
    }

    fn set(&mut self, name: &str, value: &[u8], version: Option<u32>) -> bool {
        abi::set_shared_data(name, value, version.unwrap_or(0)).is_ok()
    }
}
