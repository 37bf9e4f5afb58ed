//! The gate: takes what happens at the host, one event after another, and says what to do.
//!
//! A request is forwarded, refused, or waits: for an issuer's keys or its answers about the token
//! ([`waiting`]), then for its own body ([`awaiting_body`]). [`pending`] takes it from step to step,
//! [`conclude`] says what goes along with a decision. The host adapter performs what is returned and
//! reports back; a callout that could not be sent comes back as an answer that failed, so that
//! nothing is left waiting for it.

mod awaiting_body;
mod conclude;
mod known;
mod pending;
mod waiting;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use log::Level;

use crate::abilities::Abilities;
use crate::admission::Admission;
use crate::caller::Told;
use crate::config::Settings;
use crate::event::{Answer, Call, CallId, CallIds, LogLine, Owner, RequestId};
use crate::inquiry::inquiries::Inquiries;
use crate::inquiry::message::Message;
use crate::intake::Intake;
use crate::jose::known_headers::KnownHeaders;
use crate::jose::signature::HostVerifier;
use crate::keys::cache::{KeyCache, Next};
use crate::keys::shared::SharedData;
use crate::keys::source::HttpUrl;
use crate::metrics::{Measure, Outcome};
use crate::refusal::{Reason, Refusal};
use crate::request::{HeaderEdit, Request};
use crate::sparing::Sparing;
use crate::time::UnixMillis;
use crate::upstream_jwt::key_set::KeySet;
use crate::upstream_jwt::reuse::Reuse;
use crate::upstream_jwt::unsigned::Unsigned;
use crate::verified_tokens::VerifiedTokens;
use awaiting_body::AwaitingBody;
use pending::Pending;
use waiting::Waiting;

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
    pub head: Head,
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

/// What is done to a request's head. Where it goes on before the body has come, for that comes only
/// then, this is done first.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// What takes out what the upstream must not see.
    pub edits: Vec<HeaderEdit>,
    /// What the upstream is told, and the gateway's other parts.
    pub told: Rc<Told>,
}

impl Head {
    pub fn headers(&self) -> impl Iterator<Item = &HeaderEdit> {
        self.edits.iter().chain(&self.told.headers)
    }
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
    /// A request was decided; and how that came about, where the log is to have it.
    fn decided(
        &mut self,
        issuer: Option<usize>,
        outcome: Outcome,
        reason: &'static str,
        line: Option<&str>,
    ) {
        self.measures.push(Measure::Request {
            issuer,
            outcome,
            reason,
        });
        self.log.extend(line.map(|line| LogLine {
            level: Level::Debug,
            text: line.to_owned(),
        }));
    }

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
    inquiries: Inquiries,
    waiting: BTreeMap<RequestId, Waiting>,
    awaiting_body: BTreeMap<RequestId, AwaitingBody>,
    /// Whether the host has shown a body of a request that was held.
    shows_bodies: bool,
    call_ids: CallIds,
    abilities: Abilities,
    host_verifier: Option<Box<dyn HostVerifier>>,
    reuse: RefCell<Reuse>,
    verified_tokens: VerifiedTokens,
    known_headers: KnownHeaders,
    /// Why an issuer may take a good token for none.
    hints: Sparing<usize>,
}

impl Gate {
    /// `entropy` is the host's randomness: what is kept of tokens is kept under digests with a key
    /// that is made of it and of the clients' secrets.
    pub fn new(settings: Settings, abilities: Abilities, entropy: [u8; 32]) -> Self {
        let caches = settings
            .issuers
            .iter()
            .map(|issuer| {
                let source = issuer.source.clone()?;
                Some(KeyCache::new(&issuer.iss, source, settings.timing))
            })
            .collect();
        let clients = settings
            .issuers
            .iter()
            .filter_map(|issuer| issuer.client.as_ref());
        let secrets = clients.map(|client| client.derive(b"jwt_keycloak digests"));
        let secret: Vec<u8> = secrets.chain([entropy]).flatten().collect();
        Self {
            verified_tokens: VerifiedTokens::new(settings.token_cache_size),
            known_headers: KnownHeaders::default(),
            settings,
            caches,
            inquiries: Inquiries::new(&secret),
            waiting: BTreeMap::new(),
            awaiting_body: BTreeMap::new(),
            shows_bodies: false,
            call_ids: CallIds::default(),
            abilities,
            host_verifier: None,
            reuse: RefCell::default(),
            hints: Sparing::default(),
        }
    }

    /// The same on a host that may check signatures.
    #[must_use]
    pub fn with_host_verifier(mut self, host_verifier: Option<Box<dyn HostVerifier>>) -> Self {
        self.host_verifier = host_verifier;
        self
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
        let known = |token: &[u8]| self.verified_tokens.find(token);
        let intake = Intake::of(request, policy, self.abilities, known);
        if let Some(permitted) = self.permitted(policy, &intake, now) {
            return self.go_up_again(id, request, permitted, intake, now, effects);
        }
        let pending = Pending::new(request.policy.clone(), intake);
        self.proceed(id, pending, None, now, shared, effects)
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
                self.fetch(issuer, Owner::Background, url, now, effects);
            }
        }
        self.tidy(now);
        self.inquiries.drop_overdue(now);
        if self.abilities.wakes_requests {
            self.end_waits_for_keys(&news, now, shared, effects);
            self.end_waits_for_answers(now, shared, effects);
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
        if let Some(issuer) = self.inquiries.issuer_of(call) {
            return self.issuer_answered(issuer, call, answer, now, shared, effects);
        }
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
            Next::Fetch(url) => self.fetch(issuer, owner, url, now, effects),
            Next::Over { success } => {
                effects.measures.push(Measure::KeyFetch { issuer, success });
                self.keys_came(issuer, owner, now, shared, effects);
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
        self.inquiries.abandoned(Owner::Request(id));
    }

    /// The configuration's end: what is under way is given up, so that the next one need not wait
    /// for it.
    pub fn retire(&mut self, shared: &mut dyn SharedData) {
        for cache in self.caches.iter_mut().flatten() {
            cache.retire(shared);
        }
        self.inquiries.retire();
    }

    /// Why a request is refused that waits for what will not come.
    #[must_use]
    pub fn stranded(&self, id: RequestId) -> Reason {
        let waiting = self.waiting.get(&id);
        waiting.map_or(Reason::KeysUnavailable, Waiting::unanswered)
    }

    /// The host cannot go on: whoever waits is refused, for this reason, or else for what it waits
    /// for.
    pub fn refuse_all(&mut self, reason: Option<Reason>) -> Vec<(RequestId, Decision)> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let awaiting_body = std::mem::take(&mut self.awaiting_body).into_iter();
        waiting
            .map(|(id, waiting)| (id, waiting.unanswered(), waiting.pending.intake.is_grpc))
            .chain(awaiting_body.map(|(id, request)| {
                let is_grpc = request.admitted.is_grpc;
                (id, Reason::KeysUnavailable, is_grpc)
            }))
            .map(|(id, own, is_grpc)| (id, self.base_refusal(reason.unwrap_or(own), is_grpc)))
            .collect()
    }

    fn cache(&self, issuer: usize) -> Option<&KeyCache> {
        self.caches.get(issuer)?.as_ref()
    }

    /// Sends for a document of an issuer's.
    fn fetch(
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
        let id = self.call_ids.draw();
        cache.sent(id, owner, &url, now);
        effects.calls.push(Call {
            id,
            owner,
            target: cache.target_of(&url).to_owned(),
            url,
            timeout: self.settings.timing.callout_timeout,
            message: Message::Get,
        });
    }
}
