//! The gate: takes what happens at the host, one event after another, and says what to do.
//!
//! A request is forwarded, refused, or waits for an issuer's keys. The host adapter performs what
//! is returned and reports back; a callout that could not be sent comes back as an answer that
//! failed, so that nothing is left waiting for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use log::Level;

use crate::abilities::Abilities;
use crate::admission::{Admission, Grounds, Waiver};
use crate::authorization::Permit;
use crate::authorization::requirement::Requirement;
use crate::caller::Told;
use crate::caller::consumers::Consumer;
use crate::config::Settings;
use crate::config::policy::{Policy, UpstreamToken};
use crate::event::{Answer, Call, CallId, LogLine, Owner, RequestId};
use crate::explain::{self, Known};
use crate::intake::{Intake, Question};
use crate::judge::{Judgement, Verdict, judge};
use crate::keys::cache::{KeyCache, Need, Next, Wish};
use crate::keys::shared::{Cause, SharedData};
use crate::keys::source::HttpUrl;
use crate::metrics::{Measure, NONE, Outcome};
use crate::refusal::{Reason, Refusal};
use crate::request::{Body, HeaderEdit, Request};
use crate::time::{Millis, UnixMillis};
use crate::upstream_jwt::claims::Caller;
use crate::upstream_jwt::key_set::KeySet;
use crate::upstream_jwt::reuse::Reuse;
use crate::upstream_jwt::unsigned::Unsigned;

/// What became of a request.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    Forward(Forward),
    Reply(Refusal),
    /// The request is for the gateway itself: its public keys.
    Publish(Rc<KeySet>),
}

/// A request that goes up, and what is done to it first.
#[derive(Debug)]
pub struct Forward {
    pub admission: Admission,
    pub headers: Vec<HeaderEdit>,
    /// What the gateway's other parts are told: names and values.
    pub properties: Vec<(String, Vec<u8>)>,
    /// To be signed and set, over whatever stands in its header.
    pub jwt: Option<Unsigned>,
}

/// What becomes of a request that just arrived.
#[must_use]
#[derive(Debug)]
pub enum Step {
    Decided(Decision),
    /// It waits; its decision comes with another event.
    Await,
    /// It may go up when its body has been read.
    AwaitBody,
}

/// What an event brings about besides.
#[derive(Debug, Default)]
pub struct Effects {
    /// Of requests that waited until now.
    pub decisions: Vec<(RequestId, Decision)>,
    /// Requests that waited until now, and may go up when their body has been read.
    pub awaiting_body: Vec<RequestId>,
    pub calls: Vec<Call>,
    pub log: Vec<LogLine>,
    pub measures: Vec<Measure>,
}

/// So many requests may wait in one worker. Each keeps its credentials, and all may be judged by
/// one event.
const MAX_WAITING: usize = 1000;

/// So long a body may take to begin, at a host that has never shown one: Envoy shows none while a
/// request is held, unless it is told to, and cannot be asked.
const FIRST_BODY_WAIT: Millis = Millis::from_secs(5);

/// The state of one filter configuration in one worker.
#[derive(Debug)]
pub struct Gate {
    settings: Settings,
    /// By the issuer's index; none for one whose keys are all configured.
    caches: Vec<Option<KeyCache>>,
    waiting: BTreeMap<RequestId, Waiting>,
    awaiting_body: BTreeMap<RequestId, AwaitingBody>,
    /// Whether the host has shown a body of a request that was held.
    shows_bodies: bool,
    last_call: u32,
    abilities: Abilities,
    reuse: RefCell<Reuse>,
}

/// A request that waits for keys.
#[derive(Debug)]
struct Waiting {
    policy: Option<String>,
    intake: Intake,
    issuer: usize,
    until: UnixMillis,
    /// It joined a fetch that began before it came, and may have a key that is newer.
    joined: bool,
}

/// A request that is judged, and waits for its body.
#[derive(Debug)]
struct AwaitingBody {
    policy: Option<String>,
    intake: Intake,
    judgement: Judgement,
    since: UnixMillis,
}

impl Gate {
    pub fn new(settings: Settings, abilities: Abilities) -> Self {
        let caches = settings
            .issuers
            .iter()
            .map(|issuer| {
                let source = issuer.source.clone()?;
                Some(KeyCache::new(&issuer.iss, source, settings.timing))
            })
            .collect();
        Self {
            settings,
            caches,
            waiting: BTreeMap::new(),
            awaiting_body: BTreeMap::new(),
            shows_bodies: false,
            last_call: 0,
            abilities,
            reuse: RefCell::default(),
        }
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A request arrived.
    pub fn request(
        &mut self,
        id: RequestId,
        request: &Request,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) -> Step {
        if let Some(key_set) = self.settings.key_set(request) {
            return Step::Decided(Decision::Publish(Rc::clone(key_set)));
        }
        let Some(policy) = self.settings.policy(request.policy.as_deref()) else {
            let text = "a route names a policy that the configuration does not have";
            effects.log.push(LogLine {
                level: Level::Error,
                text: text.to_owned(),
            });
            return Step::Decided(self.misconfigured(request.is_grpc(), effects));
        };
        let intake = Intake::of(request, policy, self.abilities);
        let mut judgement = self.judge(&intake, policy, now);
        // Another worker may know more already.
        if let Verdict::NeedsKeys { issuer, .. } = judgement.verdict
            && let Some(Some(cache)) = self.caches.get_mut(issuer)
            && cache.take_news(now, shared, &mut effects.log)
        {
            judgement = self.judge(&intake, policy, now);
        }
        let (issuer, need, otherwise) = match judgement.verdict {
            Verdict::NeedsKeys {
                issuer,
                need,
                otherwise,
            } => (issuer, need, otherwise),
            _ => {
                if let Some(issuer) = judgement.issuer {
                    effects.measures.push(Measure::Keys { issuer, hit: true });
                }
                let name = request.policy.clone();
                return self.go_on(id, name, intake, judgement, now, effects);
            }
        };
        effects.measures.push(Measure::Keys { issuer, hit: false });
        let wish = match self.caches.get_mut(issuer) {
            Some(Some(_)) if self.waiting.len() >= MAX_WAITING => Wish::TryLater,
            Some(Some(cache)) => cache.wish(need, self.abilities.wakes_requests, now, shared),
            _ => Wish::Denied,
        };
        let joined = wish == Wish::Join;
        match wish {
            Wish::Denied | Wish::TryLater => {
                let reason = match wish {
                    Wish::TryLater => Reason::KeysUnavailable,
                    _ => otherwise,
                };
                judgement.verdict = Verdict::from(reason);
                let name = request.policy.clone();
                return self.go_on(id, name, intake, judgement, now, effects);
            }
            Wish::Join => {}
            Wish::Fetch(url) => self.send(issuer, Owner::Request(id), url, now, effects),
        }
        let until = now.plus(self.settings.timing.key_wait_timeout);
        self.waiting.insert(
            id,
            Waiting {
                policy: request.policy.clone(),
                intake,
                issuer,
                until,
                joined,
            },
        );
        Step::Await
    }

    /// Time passed. Keys are fetched and refreshed from here, and waiting comes to an end.
    pub fn tick(&mut self, now: UnixMillis, shared: &mut dyn SharedData, effects: &mut Effects) {
        let mut news = Vec::new();
        for issuer in 0..self.caches.len() {
            let Some(Some(cache)) = self.caches.get_mut(issuer) else {
                continue;
            };
            if cache.take_news(now, shared, &mut effects.log) {
                news.push(issuer);
            }
            let url = cache.due(now, shared);
            if cache.take_overdue() {
                let success = false;
                effects.measures.push(Measure::KeyFetch { issuer, success });
            }
            if let Some(url) = url {
                self.send(issuer, Owner::Background, url, now, effects);
            }
        }
        // Only what can have changed is judged again: a signature check is not free.
        let concerns = |gate: &Self, id: RequestId, waiting: &Waiting| {
            gate.abilities.wakes_requests
                && (news.contains(&waiting.issuer)
                    || !gate.has_time(waiting, now)
                    || !gate.is_expected(waiting.issuer, id, now))
        };
        self.settle(now, effects, concerns);
        for issuer in 0..self.caches.len() {
            self.fetch_for_joined(issuer, now, shared, effects);
        }
        self.settle(now, effects, concerns);
        if self.abilities.wakes_requests {
            self.end_waits_for_bodies(now, effects);
        }
    }

    /// The body of a request that is held has begun to come.
    pub fn body_began(&mut self) {
        self.shows_bodies = true;
    }

    /// So many octets of a request's body will be looked at; `None` if none of it is.
    #[must_use]
    pub fn reads_body(&self, id: RequestId) -> Option<usize> {
        let waiting = self.waiting.get(&id).map(|waiting| &waiting.policy);
        let awaiting_body = || self.awaiting_body.get(&id).map(|request| &request.policy);
        let name = waiting.or_else(awaiting_body)?.as_deref();
        let jwt = self.settings.policy(name)?.upstream_jwt.as_ref()?;
        jwt.claims.need_body().then_some(jwt.body.bytes)
    }

    /// The body of a request is there, the whole of it, or cannot be read, for this reason.
    pub fn body(
        &mut self,
        id: RequestId,
        body: Result<&[u8], Reason>,
        now: UnixMillis,
        effects: &mut Effects,
    ) {
        // One that waits for keys as well needs it later.
        if let Some(waiting) = self.waiting.get_mut(&id) {
            match (&mut waiting.intake.circumstances, body) {
                (Some(circumstances), Ok(body)) => circumstances.body_came(body),
                (_, Err(reason)) => waiting.intake.question = Question::Refuse(reason),
                (None, Ok(_)) => {}
            }
        }
        let Some(mut request) = self.awaiting_body.remove(&id) else {
            return;
        };
        match (&mut request.intake.circumstances, body) {
            (Some(circumstances), Ok(body)) => circumstances.body_came(body),
            (_, Err(reason)) => request.judgement.verdict = Verdict::from(reason),
            (None, Ok(_)) => {}
        }
        self.conclude_body(id, request, now, effects);
    }

    /// A callout was answered, failed, or could not be sent.
    pub fn answer(
        &mut self,
        call: CallId,
        answer: &Answer<'_>,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        // An answer that nobody waits for any more is nobody's.
        let found = self
            .caches
            .iter_mut()
            .enumerate()
            .filter_map(|(issuer, cache)| Some((issuer, cache.as_mut()?)))
            .find_map(|(issuer, cache)| cache.owner_of(call).map(|owner| (issuer, owner, cache)));
        let Some((issuer, owner, cache)) = found else {
            return;
        };
        let took = cache.sent_at(call).map(|at| now.since(at));
        effects
            .measures
            .extend(took.map(|took| Measure::Callout { issuer, took }));
        match cache.answered(call, answer, now, shared, &mut effects.log) {
            Next::Fetch(url) => self.send(issuer, owner, url, now, effects),
            Next::Over { success } => {
                effects.measures.push(Measure::KeyFetch { issuer, success });
                self.settle(now, effects, |gate, id, waiting| {
                    waiting.issuer == issuer
                        && (gate.abilities.wakes_requests || owner == Owner::Request(id))
                });
            }
        }
    }

    /// A request went away, decided or not.
    pub fn gone(&mut self, id: RequestId) {
        self.waiting.remove(&id);
        self.awaiting_body.remove(&id);
        for cache in self.caches.iter_mut().flatten() {
            cache.abandoned(Owner::Request(id));
        }
    }

    /// The configuration's end: what is under way is given up, so that the next one need not wait
    /// for it.
    pub fn retire(&mut self, shared: &mut dyn SharedData) {
        for cache in self.caches.iter_mut().flatten() {
            cache.retire(shared);
        }
    }

    /// The host cannot go on: whoever waits is refused.
    pub fn refuse_all(&mut self, reason: Reason) -> Vec<(RequestId, Decision)> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let awaiting_body = std::mem::take(&mut self.awaiting_body).into_iter();
        waiting
            .map(|(id, waiting)| (id, waiting.intake))
            .chain(awaiting_body.map(|(id, request)| (id, request.intake)))
            .map(|(id, intake)| (id, self.base_refusal(reason, intake.is_grpc)))
            .collect()
    }

    /// Concludes what has been judged, or waits for the body that its JWT depends on.
    fn go_on(
        &mut self,
        id: RequestId,
        name: Option<String>,
        intake: Intake,
        mut judgement: Judgement,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Step {
        let Some(policy) = self.settings.policy(name.as_deref()) else {
            return Step::Decided(self.misconfigured(intake.is_grpc, effects));
        };
        match self.body_to_wait_for(policy, &intake, &judgement) {
            Ok(false) => {}
            Ok(true) => {
                let request = AwaitingBody {
                    policy: name,
                    intake,
                    judgement,
                    since: now,
                };
                self.awaiting_body.insert(id, request);
                return Step::AwaitBody;
            }
            Err(reason) => judgement.verdict = Verdict::from(reason),
        }
        Step::Decided(self.conclude(name.as_deref(), policy, intake, judgement, now, effects))
    }

    /// Whether a request's body must be read before it goes up; an error if that cannot be.
    fn body_to_wait_for(
        &self,
        policy: &Policy,
        intake: &Intake,
        judgement: &Judgement,
    ) -> Result<bool, Reason> {
        let (Some(jwt), Some(circumstances)) = (&policy.upstream_jwt, &intake.circumstances) else {
            return Ok(false);
        };
        let goes_up = match &judgement.verdict {
            Verdict::Permit(..) | Verdict::Waived(_) => true,
            Verdict::Refuse(reason, _)
            | Verdict::NeedsKeys {
                otherwise: reason, ..
            } => self
                .waiver(*reason, judgement.issuer, policy, intake)
                .is_ok(),
        };
        if !goes_up || !jwt.claims.need_body() || circumstances.digest().is_some() {
            return Ok(false);
        }
        let most = u64::try_from(jwt.body.bytes).unwrap_or(u64::MAX);
        match circumstances.body {
            _ if circumstances.is_endless => Err(Reason::EndlessBody),
            Body::Announced {
                length: Some(length),
            } if length > most => Err(Reason::BodyTooLarge),
            _ => Ok(true),
        }
    }

    /// Refuses those whose bodies do not come.
    fn end_waits_for_bodies(&mut self, now: UnixMillis, effects: &mut Effects) {
        let overdue = |request: &AwaitingBody| {
            let policy = self.settings.policy(request.policy.as_deref())?;
            let (wait, reason) = match policy.upstream_jwt.as_ref()?.body.wait {
                wait if self.shows_bodies || wait < FIRST_BODY_WAIT => (wait, Reason::BodyTimeout),
                _ => (FIRST_BODY_WAIT, Reason::BodyNotShown),
            };
            let has_time = request.since.plus(wait).is_ahead(now, wait);
            (!has_time).then_some(reason)
        };
        let overdue: Vec<_> = self
            .awaiting_body
            .iter()
            .filter_map(|(id, request)| Some((*id, overdue(request)?)))
            .collect();
        for (id, reason) in overdue {
            if reason == Reason::BodyNotShown {
                effects.log.push(LogLine {
                    level: Level::Error,
                    text: "no body was shown to sign; Envoy needs \
                        allow_on_headers_stop_iteration: true in the plugin's config"
                        .to_owned(),
                });
            }
            if let Some(mut request) = self.awaiting_body.remove(&id) {
                request.judgement.verdict = Verdict::from(reason);
                self.conclude_body(id, request, now, effects);
            }
        }
    }

    /// Decides a request that waited for its body.
    fn conclude_body(
        &self,
        id: RequestId,
        request: AwaitingBody,
        now: UnixMillis,
        effects: &mut Effects,
    ) {
        let name = request.policy.as_deref();
        let decision = match self.settings.policy(name) {
            Some(policy) => {
                let AwaitingBody {
                    intake, judgement, ..
                } = request;
                let name = request.policy.as_deref();
                self.conclude(name, policy, intake, judgement, now, effects)
            }
            None => self.misconfigured(request.intake.is_grpc, effects),
        };
        effects.decisions.push((id, decision));
    }

    /// Requests that joined a fetch which did not bring their key get one that begins after they
    /// came, if the cooldown allows it.
    fn fetch_for_joined(
        &mut self,
        issuer: usize,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        let Some(Some(cache)) = self.caches.get_mut(issuer) else {
            return;
        };
        let mut joined = self
            .waiting
            .values_mut()
            .filter(|waiting| waiting.issuer == issuer && waiting.joined)
            .peekable();
        if joined.peek().is_none() || cache.is_expected(now) {
            return;
        }
        let wish = cache.wish(Need::NewerKeys(Cause::UnknownKey), true, now, shared);
        if wish == Wish::Join {
            return;
        }
        for waiting in joined {
            waiting.joined = false;
        }
        if let Wish::Fetch(url) = wish {
            self.send(issuer, Owner::Background, url, now, effects);
        }
    }

    fn cache(&self, issuer: usize) -> Option<&KeyCache> {
        self.caches.get(issuer)?.as_ref()
    }

    fn judge(&self, intake: &Intake, policy: &Policy, now: UnixMillis) -> Judgement {
        let token = match &intake.question {
            Question::Token(token) => token,
            Question::Refuse(reason) => return Judgement::without_token(*reason),
            Question::Pass(waiver) => return Judgement::waived(*waiver),
        };
        let keys = |issuer: usize| self.cache(issuer)?.usable(now);
        judge(
            token,
            &self.settings,
            policy,
            rule(intake, policy),
            keys,
            now,
        )
    }

    fn send(
        &mut self,
        issuer: usize,
        owner: Owner,
        url: HttpUrl,
        now: UnixMillis,
        effects: &mut Effects,
    ) {
        let Some(Some(cache)) = self.caches.get_mut(issuer) else {
            return;
        };
        self.last_call = self.last_call.wrapping_add(1);
        let id = CallId(self.last_call);
        cache.sent(id, owner, &url, now);
        effects.calls.push(Call {
            id,
            owner,
            target: cache.target_of(&url).to_owned(),
            url,
            timeout: self.settings.timing.callout_timeout,
        });
    }

    /// Decides what can be decided of those waiting requests that an event concerns.
    fn settle(
        &mut self,
        now: UnixMillis,
        effects: &mut Effects,
        concerns: impl Fn(&Self, RequestId, &Waiting) -> bool,
    ) {
        let judged: Vec<_> = self
            .waiting
            .iter()
            .filter(|(id, waiting)| concerns(self, **id, waiting))
            .filter_map(|(id, waiting)| Some((*id, self.settle_one(*id, waiting, now)?)))
            .collect();
        for (id, judgement) in judged {
            let Some(waiting) = self.waiting.remove(&id) else {
                continue;
            };
            match self.go_on(id, waiting.policy, waiting.intake, judgement, now, effects) {
                Step::Decided(decision) => effects.decisions.push((id, decision)),
                Step::Await => {}
                Step::AwaitBody => effects.awaiting_body.push(id),
            }
        }
    }

    /// Whether a request goes on waiting; if not, what was found about it.
    fn settle_one(&self, id: RequestId, waiting: &Waiting, now: UnixMillis) -> Option<Judgement> {
        let Some(policy) = self.settings.policy(waiting.policy.as_deref()) else {
            return Some(Judgement::without_token(Reason::Misconfigured));
        };
        let mut judgement = self.judge(&waiting.intake, policy, now);
        if let Verdict::NeedsKeys {
            issuer, otherwise, ..
        } = judgement.verdict
        {
            let in_time = self.has_time(waiting, now);
            // The tick sees to those that joined a fetch.
            let may_be_newer = waiting.joined && otherwise == Reason::UnknownKey;
            if in_time && (may_be_newer || self.is_expected(issuer, id, now)) {
                return None;
            }
            // Time ran out before the keys came: that is not the token's fault.
            judgement.verdict = Verdict::from(match otherwise {
                Reason::UnknownKey if !in_time => Reason::KeysUnavailable,
                reason => reason,
            });
        }
        Some(judgement)
    }

    fn has_time(&self, waiting: &Waiting, now: UnixMillis) -> bool {
        let longest = self.settings.timing.key_wait_timeout;
        waiting.until.is_ahead(now, longest)
    }

    fn is_expected(&self, issuer: usize, id: RequestId, now: UnixMillis) -> bool {
        self.cache(issuer).is_some_and(|cache| {
            if self.abilities.wakes_requests {
                cache.is_expected(now)
            } else {
                cache.has_flight_of(Owner::Request(id))
            }
        })
    }

    /// Decides what was judged: forward or refuse, with all that goes along.
    fn conclude(
        &self,
        name: Option<&str>,
        policy: &Policy,
        intake: Intake,
        judgement: Judgement,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Decision {
        let Judgement {
            issuer,
            kid,
            verdict,
        } = judgement;
        let rule = rule(&intake, policy);
        let mut known = Known {
            issuer,
            kid: kid.as_deref(),
            token: None,
            rule,
        };
        let (waiver, token) = match verdict {
            Verdict::Permit(permit, consumer) => {
                known.token = Some(permit.token());
                self.record(Outcome::Allowed, NONE, known, policy, effects);
                let mut told = self.told(&permit, consumer.as_deref(), issuer, policy);
                // Whoever has no token gets no credential instead of it either.
                if let UpstreamToken::Replace(text) = &policy.upstream_token {
                    let name = "authorization".to_owned();
                    told.headers.push(HeaderEdit::Set(name, text.clone()));
                }
                let of = Of {
                    name,
                    policy,
                    issuer,
                };
                let consumer = consumer.as_deref();
                return self.forward(Admission::Token(permit), of, consumer, intake, told, now);
            }
            Verdict::Waived(waiver) => (Ok(waiver), None),
            Verdict::Refuse(reason, token) => (self.waiver(reason, issuer, policy, &intake), token),
            Verdict::NeedsKeys { otherwise, .. } => {
                (self.waiver(otherwise, issuer, policy, &intake), None)
            }
        };
        known.token = token.as_ref();
        match waiver {
            Ok(waiver) => {
                let (outcome, reason) = waiver.grounds().counted();
                self.record(outcome, reason, known, policy, effects);
                let mut consumer = None;
                let told = match waiver.grounds() {
                    Grounds::Reported(reason) => {
                        let label = reason.row().label;
                        effects.log.push(LogLine {
                            level: Level::Warn,
                            text: format!("report only: {label} would be refused"),
                        });
                        policy.caller.of_reported(reason)
                    }
                    _ if waiver.is_anonymous() => {
                        consumer = policy.caller.anonymous.as_deref();
                        policy.caller.of_anonymous()
                    }
                    _ => Told::default(),
                };
                let of = Of {
                    name,
                    policy,
                    issuer,
                };
                self.forward(Admission::Waiver(waiver), of, consumer, intake, told, now)
            }
            Err(reason) => {
                self.record(Outcome::Refused, reason.row().label, known, policy, effects);
                Decision::Reply(self.refusal(reason, known, policy, intake.is_grpc, now))
            }
        }
    }

    /// Makes a request ready to go up, with the gateway's own JWT where there is to be one.
    fn forward(
        &self,
        admission: Admission,
        of: Of<'_>,
        consumer: Option<&Consumer>,
        intake: Intake,
        told: Told,
        now: UnixMillis,
    ) -> Decision {
        let jwt = of
            .policy
            .upstream_jwt
            .as_ref()
            .zip(intake.circumstances.as_ref());
        let jwt = jwt.map(|(jwt, circumstances)| {
            let client_id = match &admission {
                Admission::Token(permit) => client_id(permit, of.policy, of.issuer),
                Admission::Waiver(_) => None,
            };
            let caller = Caller::of(&admission, client_id, consumer);
            let reuse = &mut self.reuse.borrow_mut();
            jwt.prepare(
                of.name,
                &caller,
                intake.credential(),
                circumstances,
                reuse,
                now,
            )
        });
        let mut headers = intake.edits;
        headers.extend(told.headers);
        Decision::Forward(Forward {
            admission,
            headers,
            properties: told.properties,
            jwt,
        })
    }

    /// What lets a request pass all the same, or why it is refused in the end.
    fn waiver(
        &self,
        reason: Reason,
        issuer: Option<usize>,
        policy: &Policy,
        intake: &Intake,
    ) -> Result<Waiver, Reason> {
        let is_failing = || {
            let cache = issuer.and_then(|issuer| self.cache(issuer));
            cache.is_some_and(KeyCache::is_failing)
        };
        // While the issuer cannot be reached, a key that is unknown may well be new: a 503, which
        // is worth a retry, and not a 401.
        let reason = match reason {
            Reason::UnknownKey if is_failing() => Reason::KeysUnavailable,
            reason => reason,
        };
        let has_anonymous = policy.caller.anonymous.is_some();
        let reports = policy.reports_only;
        Waiver::instead_of_refusal(reason, intake.access, has_anonymous, reports).ok_or(reason)
    }

    /// What the upstream is told of a token's caller.
    fn told(
        &self,
        permit: &Permit,
        consumer: Option<&Consumer>,
        issuer: Option<usize>,
        policy: &Policy,
    ) -> Told {
        let claims = permit.token().claims();
        let client_id = client_id(permit, policy, issuer);
        policy.caller.of_token(claims, client_id, consumer)
    }

    fn refusal(
        &self,
        reason: Reason,
        known: Known<'_>,
        policy: &Policy,
        is_grpc: bool,
        now: UnixMillis,
    ) -> Refusal {
        let mut refusal = Refusal::new(reason, policy.answers.clone());
        refusal.is_grpc = is_grpc;
        if reason == Reason::KeysUnavailable {
            let cache = known.issuer.and_then(|issuer| self.cache(issuer));
            refusal.retry_after = Some(cache.map_or(Millis(0), |cache| cache.retry_after(now)));
        }
        if reason.row().status == 403 {
            let issuer = known
                .issuer
                .and_then(|issuer| self.settings.issuers.get(issuer));
            let own = issuer.map(|issuer| &issuer.requirement);
            for requirement in [&policy.requirement, known.rule].into_iter().chain(own) {
                requirement.scopes(&mut refusal.scopes);
            }
        }
        refusal
    }

    /// Counts a decision and says how it came about.
    fn record(
        &self,
        outcome: Outcome,
        reason: &'static str,
        known: Known<'_>,
        policy: &Policy,
        effects: &mut Effects,
    ) {
        effects.measures.push(Measure::Request {
            issuer: known.issuer,
            outcome,
            reason,
        });
        effects.log.push(LogLine {
            level: Level::Debug,
            text: explain::decision(outcome, reason, known, &self.settings, policy),
        });
    }

    fn misconfigured(&self, is_grpc: bool, effects: &mut Effects) -> Decision {
        let reason = Reason::Misconfigured;
        effects.measures.push(Measure::Request {
            issuer: None,
            outcome: Outcome::Refused,
            reason: reason.row().label,
        });
        self.base_refusal(reason, is_grpc)
    }

    /// In the words of the base policy, where no other counts.
    fn base_refusal(&self, reason: Reason, is_grpc: bool) -> Decision {
        let mut refusal = Refusal::new(reason, self.settings.base.answers.clone());
        refusal.is_grpc = is_grpc;
        Decision::Reply(refusal)
    }
}

/// Under what a request goes up.
#[derive(Clone, Copy)]
struct Of<'a> {
    /// The policy's, where the route names one.
    name: Option<&'a str>,
    policy: &'a Policy,
    issuer: Option<usize>,
}

/// The client that a token was issued to, as its issuer's tokens say it.
fn client_id<'p>(permit: &'p Permit, policy: &Policy, issuer: Option<usize>) -> Option<&'p str> {
    let rules = policy.rules_of(issuer?)?;
    rules.shape.client_id.text(permit.token().claims())
}

/// What the rule that a request falls under requires.
fn rule<'p>(intake: &Intake, policy: &'p Policy) -> &'p Requirement {
    const NOTHING: &Requirement = &Requirement::NOTHING;
    let rules = policy.rules.as_ref().zip(intake.rule);
    rules
        .and_then(|(rules, index)| rules.rules.get(index))
        .map_or(NOTHING, |rule| &rule.requirement)
}
