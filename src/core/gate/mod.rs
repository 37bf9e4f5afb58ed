//! The gate: takes what happens at the host, one event after another, and says what to do.
//!
//! A request is forwarded, refused, or waits: for an issuer's keys (here), then for its own body
//! ([`awaiting_body`]). [`conclude`] says what goes along with a decision. The host adapter performs
//! what is returned and reports back; a callout that could not be sent comes back as an answer that
//! failed, so that nothing is left waiting for it.

mod awaiting_body;
mod conclude;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use log::Level;

use crate::abilities::Abilities;
use crate::admission::Admission;
use crate::config::Settings;
use crate::config::policy::Policy;
use crate::event::{Answer, Call, CallId, LogLine, Owner, RequestId};
use crate::intake::{Intake, Question};
use crate::judge::{Judgement, Verdict, judge};
use crate::keys::cache::{KeyCache, Need, Next, Wish};
use crate::keys::shared::{Cause, SharedData};
use crate::keys::source::HttpUrl;
use crate::metrics::Measure;
use crate::refusal::{Reason, Refusal};
use crate::request::{HeaderEdit, Request};
use crate::time::UnixMillis;
use crate::upstream_jwt::key_set::KeySet;
use crate::upstream_jwt::reuse::Reuse;
use crate::upstream_jwt::unsigned::Unsigned;
use awaiting_body::AwaitingBody;
use conclude::rule;

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
    AwaitBody(Head),
}

/// What is done to a request when its head goes on before its body has come, for it comes only then.
#[derive(Debug, Default)]
pub struct Head {
    pub headers: Vec<HeaderEdit>,
    pub properties: Vec<(String, Vec<u8>)>,
}

/// What an event brings about besides.
#[derive(Debug, Default)]
pub struct Effects {
    /// Of requests that waited until now.
    pub decisions: Vec<(RequestId, Decision)>,
    /// Requests that waited until now, and may go up when their body has been read.
    pub awaiting_body: Vec<(RequestId, Head)>,
    pub calls: Vec<Call>,
    pub log: Vec<LogLine>,
    pub measures: Vec<Measure>,
}

impl Effects {
    /// What is counted and logged, of others.
    fn record(&mut self, others: Self) {
        self.log.extend(others.log);
        self.measures.extend(others.measures);
    }
}

/// So many requests may wait in one worker. Each keeps its credentials, and all may be judged by
/// one event.
const MAX_WAITING: usize = 1000;

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
            .map(|(id, waiting)| (id, waiting.intake.is_grpc))
            .chain(awaiting_body.map(|(id, request)| (id, request.admitted.is_grpc)))
            .map(|(id, is_grpc)| (id, self.base_refusal(reason, is_grpc)))
            .collect()
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
                Step::AwaitBody(head) => effects.awaiting_body.push((id, head)),
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
}
