//! Plays everything around the gates: workers of one gateway with their ticks, identity providers
//! that answer as a scenario wants them to, clients that come and hang up. Time is virtual.
//!
//! Whatever a scenario is about, some things must hold in every one of them, and the simulator
//! panics when they do not:
//!
//! - no request is decided twice, and none that is gone;
//! - no call is sent for a request that is gone or decided;
//! - no token that is not genuine is forwarded;
//! - where the host can wake requests, each is decided before `key_wait_timeout` and two ticks;
//! - where it cannot, every waiting request has a call of its own under way: once the last one of
//!   its calls is answered, such a host lets an undecided request through;
//! - a 503 says when to come back, a 401 has its challenge.

use std::collections::BTreeMap;

use jwt_keycloak_core::abilities::Abilities;
use jwt_keycloak_core::admission::Admission;
use jwt_keycloak_core::config;
use jwt_keycloak_core::event::{Answer, Call, CallId, LogLine, Owner, RequestId};
use jwt_keycloak_core::gate::{Decision, Effects, Gate, Head, Step};
use jwt_keycloak_core::inquiry::message::{Message, Post};
use jwt_keycloak_core::jose::signing_key::NoHostSigner;
use jwt_keycloak_core::keys::shared::{NotShared, SharedData};
use jwt_keycloak_core::metrics::Measure;
use jwt_keycloak_core::refusal::{Reason, Response};
use jwt_keycloak_core::request::Request;
use jwt_keycloak_core::time::{Millis, UnixMillis};
use serde_json::{Value, json};

use crate::tokens::{AUDIENCE, ISSUER, START, Token};

pub const TICK: Millis = Millis(250);

/// How long the upstream takes for a request that was forwarded.
const UPSTREAM_TAKES: Millis = Millis(40);

/// What a host can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host {
    /// As Envoy: any event may decide any waiting request.
    Wakes,
    /// As Kong: a request goes on after its own calls only, and then it does, decided or not.
    CannotWake,
}

/// How an identity provider behaves.
#[derive(Clone, Debug)]
pub enum Behaviour {
    Answers,
    /// The host cannot send the call.
    CannotBeCalled,
    /// The connection is refused.
    Unreachable,
    /// No answer until the host gives up.
    Silent,
    /// The host forgets the call and never reports anything.
    Forgotten,
    Status(u16),
    /// Something else with this status.
    Response(u16, Vec<u8>),
    /// The same for one call.
    Once(u16, Vec<u8>),
    /// Something else with status 200, for either document.
    Body(Vec<u8>),
    /// The right document, up to this many bytes, with status 200.
    CutAfter(usize),
    /// Discovery works, the key set does not.
    NoKeySet,
}

/// An identity provider with one realm.
pub struct Provider {
    pub iss: String,
    pub keys: Vec<Value>,
    pub behaviour: Behaviour,
    pub delay: Millis,
    /// Its answers trickle in: a host that measures each step of a call does not time out.
    pub trickles: bool,
    /// The `issuer` of its discovery document.
    pub speaks_for: String,
    /// When it was asked for what, by which worker.
    pub asked: Vec<(UnixMillis, String, usize)>,
    /// What it says of tokens when it is asked about them; of others, that they are not active.
    pub tokens: BTreeMap<String, Value>,
    /// Permissions that it grants.
    pub granted: Vec<String>,
    /// Forms and texts that were sent to it, with their credentials.
    pub posted: Vec<(String, Option<String>)>,
}

impl Provider {
    fn new(iss: &str) -> Self {
        Self {
            iss: iss.to_owned(),
            keys: Vec::new(),
            behaviour: Behaviour::Answers,
            delay: Millis(20),
            trickles: false,
            speaks_for: iss.to_owned(),
            asked: Vec::new(),
            tokens: BTreeMap::new(),
            granted: Vec::new(),
            posted: Vec::new(),
        }
    }

    fn authority(&self) -> &str {
        self.iss.split('/').nth(2).unwrap()
    }

    /// How often it was asked for its keys.
    #[must_use]
    pub fn key_fetches(&self) -> usize {
        self.asked
            .iter()
            .filter(|(_, path, _)| path == "/certs")
            .count()
    }

    /// How often it was asked about tokens.
    #[must_use]
    pub fn introspections(&self) -> usize {
        self.count("/introspect")
    }

    /// How often it was asked for a decision, or for a token of the gateway's own.
    #[must_use]
    pub fn grants(&self) -> usize {
        self.count("/realms/demo/protocol/openid-connect/token")
    }

    fn count(&self, asked_for: &str) -> usize {
        let asked = self.asked.iter();
        asked.filter(|(_, path, _)| path == asked_for).count()
    }

    /// Status and document of an answer to a POST.
    fn told(&mut self, path: &str, post: &Post) -> (u16, Value) {
        let body = post.body(|| Some(vec![1; 32]), &NoHostSigner).unwrap();
        let text = String::from_utf8(body).unwrap();
        self.posted.push((text.clone(), post.authorization.clone()));
        let form: BTreeMap<_, _> = form_urlencoded::parse(text.as_bytes()).collect();
        let field = |name: &str| form.get(name).map(|value| value.as_ref());
        match (path, field("grant_type")) {
            ("/introspect", _) => {
                let told = self.tokens.get(field("token").unwrap());
                (200, told.cloned().unwrap_or(json!({"active": false})))
            }
            (_, Some("client_credentials")) => {
                (200, json!({"access_token": "protection", "expires_in": 60}))
            }
            (_, Some(_)) => {
                let bearer = post.authorization.as_deref();
                let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
                let token = bearer.or(field("subject_token")).unwrap();
                let is_revoked = self.tokens.get(token) == Some(&json!({"active": false}));
                let permission = field("permission").unwrap().to_owned();
                if is_revoked {
                    (400, json!({"error": "invalid_grant"}))
                } else if self.granted.contains(&permission) {
                    (200, json!({"result": true}))
                } else {
                    (403, json!({"error": "access_denied"}))
                }
            }
            (_, None) => (201, json!({"ticket": "a.ticket"})),
        }
    }

    /// When the answer comes, and which; none if it never does.
    fn reply(&mut self, call: &Call) -> Option<(Millis, Reply)> {
        let is_discovery = call.url.path.contains("/.well-known/");
        let at = |path: &str| format!("https://{}{path}", self.authority());
        let (good, document) = match &call.message {
            Message::Post(post) => self.told(&call.url.path, post),
            Message::Get if is_discovery => {
                let document = json!({
                    "issuer": self.speaks_for,
                    "jwks_uri": at("/certs"),
                    "introspection_endpoint": at("/introspect"),
                    "token_endpoint": at("/realms/demo/protocol/openid-connect/token"),
                });
                (200, document)
            }
            Message::Get => (200, json!({"keys": self.keys})),
        };
        let ok = |body: Vec<u8>| Reply::Response { status: good, body };
        let document = document.to_string().into_bytes();
        let reply = match &self.behaviour {
            Behaviour::Forgotten => return None,
            Behaviour::CannotBeCalled => unreachable!("it is not sent"),
            Behaviour::Unreachable => return Some((Millis(5), Reply::Failed("no connection"))),
            Behaviour::Silent => return Some((call.timeout, Reply::Failed("time-out"))),
            Behaviour::NoKeySet if call.url.path != "/certs" => ok(document),
            Behaviour::NoKeySet => Reply::Response {
                status: 500,
                body: Vec::new(),
            },
            Behaviour::Answers => ok(document),
            Behaviour::Status(status) => Reply::Response {
                status: *status,
                body: document,
            },
            Behaviour::Body(body) => ok(body.clone()),
            Behaviour::Response(status, body) | Behaviour::Once(status, body) => Reply::Response {
                status: *status,
                body: body.clone(),
            },
            Behaviour::CutAfter(length) => ok(document.into_iter().take(*length).collect()),
        };
        if matches!(self.behaviour, Behaviour::Once(..)) {
            self.behaviour = Behaviour::Answers;
        }
        if self.delay >= call.timeout && !self.trickles {
            return Some((call.timeout, Reply::Failed("time-out")));
        }
        Some((self.delay, reply))
    }
}

#[derive(Clone, Debug)]
enum Reply {
    Response { status: u16, body: Vec<u8> },
    Failed(&'static str),
}

impl Reply {
    fn answer(&self) -> Answer<'_> {
        match self {
            Self::Response { status, body } => Answer::Response {
                status: *status,
                body,
            },
            Self::Failed(why) => Answer::Failed(why),
        }
    }
}

/// A call that was sent and not answered yet.
struct InFlight {
    worker: usize,
    call: CallId,
    owner: Owner,
    due: Option<UnixMillis>,
    reply: Reply,
}

struct Worker {
    gate: Gate,
    next_tick: UnixMillis,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    Forwarded(Head),
    Refused(Reason, Response),
}

struct Record {
    worker: usize,
    genuine: bool,
    arrived: UnixMillis,
    decided: Option<(UnixMillis, Outcome)>,
    gone: bool,
}

/// What made a gate do something; on a host that cannot wake it bounds whom that may concern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    Tick,
    Request(RequestId),
    AnswerTo(Owner),
}

/// Shared data as the hosts have it: a write without a version is unconditional.
#[derive(Debug, Default)]
pub struct SharedMap {
    values: BTreeMap<String, (Vec<u8>, u32)>,
    version: u32,
}

impl SharedData for SharedMap {
    fn get(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.values.get(name).cloned()
    }

    fn set(&mut self, name: &str, value: &[u8], version: Option<u32>) -> bool {
        let current = self.values.get(name).map(|(_, version)| *version);
        if version.is_some() && version != current {
            return false;
        }
        self.version += 1;
        self.values
            .insert(name.to_owned(), (value.to_vec(), self.version));
        true
    }
}

/// A gateway, its surroundings and the time.
pub struct Simulation {
    pub now: UnixMillis,
    pub providers: Vec<Provider>,
    /// Everything that was counted.
    pub measures: Vec<Measure>,
    /// Everything that was logged, and when.
    pub log: Vec<(UnixMillis, LogLine)>,
    host: Host,
    shared: Option<SharedMap>,
    workers: Vec<Worker>,
    longest_wait: Millis,
    in_flight: Vec<InFlight>,
    /// The calls that were answered, to answer them again.
    answered: Vec<(usize, CallId, Reply)>,
    requests: BTreeMap<RequestId, Record>,
    waiting: Vec<RequestId>,
    /// Forwarded requests and when the upstream is done with them.
    upstream: Vec<(UnixMillis, RequestId)>,
    leaving: Vec<RequestId>,
}

/// A GET with a token.
#[must_use]
pub fn get(path: &str, token: &str) -> Request {
    let authorization = format!("Bearer {token}").into_bytes();
    Request {
        method: b"GET".to_vec(),
        path: path.as_bytes().to_vec(),
        headers: [(b"authorization".to_vec(), authorization)]
            .into_iter()
            .collect(),
        ..Request::default()
    }
}

/// The configuration of most scenarios.
#[must_use]
pub fn configuration() -> Value {
    json!({
        "allowed_iss": [ISSUER],
        "allowed_aud": [AUDIENCE],
        "allowed_alg": ["ES256", "RS256", "EdDSA"],
    })
}

impl Simulation {
    /// A gateway of so many workers, each just started, with [`configuration`].
    #[must_use]
    pub fn new(host: Host, workers: usize) -> Self {
        Self::configured(host, workers, &configuration())
    }

    /// # Panics
    /// If the configuration has faults.
    #[must_use]
    pub fn configured(host: Host, workers: usize, configuration: &Value) -> Self {
        let settings = config::load(configuration.to_string().as_bytes(), Abilities::ALL)
            .unwrap()
            .settings;
        let abilities = Abilities {
            wakes_requests: host == Host::Wakes,
            ..Abilities::ALL
        };
        let workers = (0..workers)
            .map(|index| Worker {
                gate: Gate::new(settings.clone(), abilities, [7; 32]),
                // Not all at once.
                next_tick: START.plus(Millis(10 * (1 + index as u32))),
            })
            .collect();
        Self {
            now: START,
            providers: settings
                .issuers
                .iter()
                .map(|issuer| Provider::new(&issuer.iss))
                .collect(),
            measures: Vec::new(),
            log: Vec::new(),
            host,
            shared: Some(SharedMap::default()),
            workers,
            longest_wait: longest_wait(&settings),
            in_flight: Vec::new(),
            answered: Vec::new(),
            requests: BTreeMap::new(),
            waiting: Vec::new(),
            upstream: Vec::new(),
            leaving: Vec::new(),
        }
    }

    /// Every worker for itself.
    #[must_use]
    pub fn without_shared_data(mut self) -> Self {
        self.shared = None;
        self
    }

    /// The only provider, or the first.
    pub fn provider(&mut self) -> &mut Provider {
        &mut self.providers[0]
    }

    // What happens.

    /// A request arrives at a worker, on a route without a policy of its own.
    pub fn request(&mut self, worker: usize, token: &Token) -> RequestId {
        self.request_with(worker, None, token)
    }

    pub fn request_with(
        &mut self,
        worker: usize,
        policy: Option<&str>,
        token: &Token,
    ) -> RequestId {
        let id = self.next_request(worker, token.genuine);
        let request = Request {
            policy: policy.map(str::to_owned),
            ..get("/orders", &token.text)
        };
        self.arrive(id, worker, &request);
        id
    }

    /// A request of any kind; `genuine` says whether it may go up.
    pub fn request_of(&mut self, worker: usize, request: &Request, genuine: bool) -> RequestId {
        let id = self.next_request(worker, genuine);
        self.arrive(id, worker, request);
        id
    }

    fn next_request(&mut self, worker: usize, genuine: bool) -> RequestId {
        let id = RequestId(u32::try_from(self.requests.len()).unwrap() + 1);
        let record = Record {
            worker,
            genuine,
            arrived: self.now,
            decided: None,
            gone: false,
        };
        self.requests.insert(id, record);
        self.waiting.push(id);
        id
    }

    fn arrive(&mut self, id: RequestId, worker: usize, request: &Request) {
        let mut effects = Effects::default();
        let now = self.now;
        let step = self.with_gate(worker, |gate, shared| {
            gate.request(id, request, now, shared, &mut effects)
        });
        if let Step::Decided(decision) = step {
            self.decide(id, &decision);
        }
        self.perform(worker, effects, Cause::Request(id));
        self.after_event();
    }

    /// The client of a request hangs up.
    pub fn hang_up(&mut self, id: RequestId) {
        self.leave(id);
        self.after_event();
    }

    /// The host reports the answers to all calls again.
    pub fn answer_again(&mut self) {
        for (worker, call, reply) in self.answered.clone() {
            let mut effects = Effects::default();
            let now = self.now;
            self.with_gate(worker, |gate, shared| {
                gate.answer(call, &reply.answer(), now, shared, &mut effects);
            });
            assert!(
                effects.decisions.is_empty() && effects.calls.is_empty() && effects.log.is_empty(),
                "an answer that came again had effects: {effects:?}"
            );
        }
    }

    /// Lets time pass.
    pub fn run_for(&mut self, length: Millis) {
        let end = self.now.plus(length);
        while let Some(at) = self.next_event().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.one_event();
        }
        self.now = end;
        self.after_event();
    }

    // What became of it.

    #[must_use]
    pub fn outcome(&self, id: RequestId) -> Option<&Outcome> {
        self.requests[&id]
            .decided
            .as_ref()
            .map(|(_, outcome)| outcome)
    }

    #[must_use]
    pub fn is_waiting(&self, id: RequestId) -> bool {
        self.outcome(id).is_none() && !self.requests[&id].gone
    }

    #[must_use]
    pub fn was_forwarded(&self, id: RequestId) -> bool {
        matches!(self.outcome(id), Some(Outcome::Forwarded(_)))
    }

    /// What was done to a request that was forwarded.
    ///
    /// # Panics
    /// If it was not.
    #[must_use]
    pub fn head(&self, id: RequestId) -> &Head {
        match self.outcome(id) {
            Some(Outcome::Forwarded(head)) => head,
            other => panic!("{id:?}: {other:?}"),
        }
    }

    #[must_use]
    pub fn reason(&self, id: RequestId) -> Option<Reason> {
        match self.outcome(id)? {
            Outcome::Forwarded(_) => None,
            Outcome::Refused(reason, _) => Some(*reason),
        }
    }

    /// The refusal that the client got.
    ///
    /// # Panics
    /// If it got none.
    #[must_use]
    pub fn response(&self, id: RequestId) -> &Response {
        match self.outcome(id) {
            Some(Outcome::Refused(_, response)) => response,
            other => panic!("{id:?} is not refused but {other:?}"),
        }
    }

    /// How long the request waited for its decision.
    ///
    /// # Panics
    /// If there is none yet.
    #[must_use]
    pub fn waited(&self, id: RequestId) -> Millis {
        let record = &self.requests[&id];
        let (at, _) = record.decided.as_ref().expect("it is not decided");
        at.since(record.arrived)
    }

    /// All refusals that clients got.
    pub fn responses(&self) -> impl Iterator<Item = &Response> {
        self.requests
            .values()
            .filter_map(|record| match &record.decided {
                Some((_, Outcome::Refused(_, response))) => Some(response),
                _ => None,
            })
    }

    /// How many requests were forwarded.
    #[must_use]
    pub fn forwarded(&self) -> usize {
        let ids = self.requests.keys();
        ids.filter(|id| self.was_forwarded(**id)).count()
    }

    #[must_use]
    pub fn calls_in_flight(&self) -> usize {
        self.in_flight.len()
    }

    #[must_use]
    pub fn waiting(&self) -> &[RequestId] {
        &self.waiting
    }

    #[must_use]
    pub fn has_logged(&self, text: &str) -> bool {
        self.log.iter().any(|(_, line)| line.text.contains(text))
    }

    // How it works.

    fn with_gate<T>(
        &mut self,
        worker: usize,
        act: impl FnOnce(&mut Gate, &mut dyn SharedData) -> T,
    ) -> T {
        let gate = &mut self.workers[worker].gate;
        match &mut self.shared {
            Some(shared) => act(gate, shared),
            None => act(gate, &mut NotShared),
        }
    }

    fn next_event(&self) -> Option<UnixMillis> {
        let answers = self.in_flight.iter().filter_map(|call| call.due);
        let ends = self.upstream.iter().map(|(at, _)| *at);
        let ticks = self.workers.iter().map(|worker| worker.next_tick);
        answers.chain(ends).chain(ticks).min()
    }

    /// Answers before ends before ticks.
    fn one_event(&mut self) {
        let now = self.now;
        let is_due = |call: &InFlight| call.due.is_some_and(|due| due <= now);
        if let Some(index) = self.in_flight.iter().position(is_due) {
            let call = self.in_flight.remove(index);
            self.answer(call);
        } else if let Some(index) = self.upstream.iter().position(|(at, _)| *at <= now) {
            let (_, id) = self.upstream.remove(index);
            self.leave(id);
        } else if let Some(index) = self
            .workers
            .iter()
            .position(|worker| worker.next_tick <= now)
        {
            self.workers[index].next_tick = now.plus(TICK);
            let mut effects = Effects::default();
            self.with_gate(index, |gate, shared| gate.tick(now, shared, &mut effects));
            self.perform(index, effects, Cause::Tick);
        }
        self.after_event();
    }

    fn answer(&mut self, flown: InFlight) {
        let InFlight {
            worker,
            call,
            owner,
            reply,
            ..
        } = flown;
        let mut effects = Effects::default();
        let now = self.now;
        self.with_gate(worker, |gate, shared| {
            gate.answer(call, &reply.answer(), now, shared, &mut effects);
        });
        self.answered.push((worker, call, reply));
        self.perform(worker, effects, Cause::AnswerTo(owner));
    }

    fn perform(&mut self, worker: usize, effects: Effects, cause: Cause) {
        let now = self.now;
        self.log
            .extend(effects.log.into_iter().map(|line| (now, line)));
        self.measures.extend(effects.measures);
        for (id, decision) in effects.decisions {
            assert_eq!(
                self.requests[&id].worker, worker,
                "{id:?} is another worker's"
            );
            let may_reach = match cause {
                _ if self.host == Host::Wakes => true,
                Cause::Tick => false,
                Cause::Request(own) => own == id,
                Cause::AnswerTo(owner) => owner == Owner::Request(id),
            };
            assert!(
                may_reach,
                "{id:?} cannot be woken by {cause:?} on this host"
            );
            self.decide(id, &decision);
        }
        for call in effects.calls {
            self.send(worker, &call, cause);
        }
    }

    fn send(&mut self, worker: usize, call: &Call, cause: Cause) {
        if let Owner::Request(id) = call.owner {
            let record = &self.requests[&id];
            assert!(!record.gone, "a call for {id:?}, which is gone");
            assert!(
                record.decided.is_none(),
                "a call for {id:?}, which is decided"
            );
            assert_eq!(record.worker, worker, "a call for another worker's {id:?}");
        }
        let authority = &call.url.authority;
        let provider = self
            .providers
            .iter_mut()
            .find(|provider| provider.authority() == authority)
            .unwrap_or_else(|| panic!("nobody lives at {authority}"));
        provider
            .asked
            .push((self.now, call.url.path.clone(), worker));
        if matches!(provider.behaviour, Behaviour::CannotBeCalled) {
            let mut effects = Effects::default();
            let now = self.now;
            let failed = Answer::Failed("not sent");
            self.with_gate(worker, |gate, shared| {
                gate.answer(call.id, &failed, now, shared, &mut effects);
            });
            return self.perform(worker, effects, cause);
        }
        let reply = provider.reply(call);
        self.in_flight.push(InFlight {
            worker,
            call: call.id,
            owner: call.owner,
            due: reply.as_ref().map(|(delay, _)| self.now.plus(*delay)),
            reply: reply.map_or(Reply::Failed("never"), |(_, reply)| reply),
        });
    }

    fn decide(&mut self, id: RequestId, decision: &Decision) {
        let record = self.requests.get_mut(&id).expect("a request of this host");
        assert!(!record.gone, "{id:?} is gone and was decided: {decision:?}");
        assert!(
            record.decided.is_none(),
            "{id:?} was decided twice: {decision:?}"
        );
        let outcome = match decision {
            Decision::Forward(forward) => {
                assert!(
                    record.genuine,
                    "{id:?} had no genuine token and was forwarded"
                );
                match &forward.admission {
                    Admission::Token(permit) => {
                        assert!(!permit.token().claims().to_map().is_empty())
                    }
                    Admission::Waiver(waiver) => panic!("{id:?} passed for {waiver:?}"),
                }
                self.upstream.push((self.now.plus(UPSTREAM_TAKES), id));
                Outcome::Forwarded(forward.head.clone())
            }
            Decision::Publish(_) => panic!("{id:?} asked for no keys"),
            Decision::Reply(refusal) => {
                let response = refusal.response();
                check(&response);
                // The host ends a request that is answered.
                self.leaving.push(id);
                Outcome::Refused(refusal.reason, response)
            }
        };
        record.decided = Some((self.now, outcome));
        self.waiting.retain(|waiting| *waiting != id);
    }

    fn leave(&mut self, id: RequestId) {
        let record = self.requests.get_mut(&id).expect("a request of this host");
        if std::mem::replace(&mut record.gone, true) {
            return;
        }
        let worker = record.worker;
        self.waiting.retain(|waiting| *waiting != id);
        self.upstream.retain(|(_, forwarded)| *forwarded != id);
        // Its calls are lost with it.
        self.in_flight
            .retain(|call| call.owner != Owner::Request(id));
        self.with_gate(worker, |gate, _| gate.gone(id));
    }

    fn after_event(&mut self) {
        for id in std::mem::take(&mut self.leaving) {
            self.leave(id);
        }
        for id in &self.waiting {
            let waited = self.now.since(self.requests[id].arrived);
            match self.host {
                Host::Wakes => {
                    let longest = self.longest_wait.0 + 2 * TICK.0;
                    assert!(waited.0 <= longest, "{id:?} waits for {waited:?}");
                }
                Host::CannotWake => {
                    let owner = Owner::Request(*id);
                    assert!(
                        self.in_flight.iter().any(|call| call.owner == owner),
                        "{id:?} is undecided and has no call under way: this host lets it through"
                    );
                }
            }
        }
    }
}

/// A request may wait for keys, and for some answers, one after another.
fn longest_wait(settings: &config::Settings) -> Millis {
    let keys = settings.timing.key_wait_timeout;
    let asks = settings
        .issuers
        .iter()
        .any(|issuer| issuer.client.is_some());
    let answers = if asks {
        3 * (settings.timing.callout_timeout.0 + 1000)
    } else {
        0
    };
    Millis(keys.0 + answers)
}

/// What every refusal must have.
fn check(response: &Response) {
    let has = |name: &str| response.headers.iter().any(|(header, _)| *header == name);
    assert!(response.status >= 400, "{response:?}");
    assert_eq!(has("retry-after"), response.status == 503, "{response:?}");
    // A challenge where other credentials would help.
    let closed = [
        "unknown_consumer",
        "access_denied",
        "permission_denied",
        "ambiguous_path",
        "ambiguous_parameter",
    ];
    let is_closed = closed
        .iter()
        .any(|label| response.details == format!("jwt_keycloak{{{label}}}"));
    let is_ticketless = has("warning");
    let has_ticket = response.status == 401;
    let challenged =
        has_ticket || (matches!(response.status, 400 | 403) && !is_closed && !is_ticketless);
    assert_eq!(has("www-authenticate"), challenged, "{response:?}");
    assert!(has("cache-control"), "{response:?}");
    serde_json::from_str::<Value>(&response.body).expect("a JSON body");
}
