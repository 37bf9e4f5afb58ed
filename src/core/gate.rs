//! The gate: takes what happens at the host, one event after another, and says what to do.
//!
//! A request is forwarded, refused, or waits for an issuer's keys. The host adapter performs what
//! is returned and reports back; a callout that could not be sent comes back as an answer that
//! failed, so that nothing is left waiting for it.

use std::collections::BTreeMap;

use log::Level;

use crate::authorization::Permit;
use crate::config::Settings;
use crate::config::policy::Policy;
use crate::event::{Answer, Call, CallId, LogLine, Owner, RequestId};
use crate::judge::{Judgement, judge};
use crate::keys::cache::{KeyCache, Need, Next, Wish};
use crate::keys::shared::{Cause, SharedData};
use crate::keys::source::HttpUrl;
use crate::refusal::{Reason, Refusal};
use crate::time::UnixMillis;

/// What the gate has to know about a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The policy that the route names.
    pub policy: Option<String>,
    /// The values of the policy's credential headers, one a field.
    pub credentials: Vec<Vec<u8>>,
}

/// What became of a request.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    Forward(Permit),
    Reply(Refusal),
}

/// What becomes of a request that just arrived.
#[must_use]
#[derive(Debug)]
pub enum Step {
    Decided(Decision),
    /// It waits; its decision comes with another event.
    Await,
}

/// What an event brings about besides.
#[derive(Debug, Default)]
pub struct Effects {
    /// Of requests that waited until now.
    pub decisions: Vec<(RequestId, Decision)>,
    pub calls: Vec<Call>,
    pub log: Vec<LogLine>,
}

/// So many requests may wait in one worker. Each keeps its credentials, and all may be judged by
/// one event.
const MAX_WAITING: usize = 1000;

/// The state of one filter configuration in one worker.
#[derive(Debug)]
pub struct Gate {
    settings: Settings,
    caches: Vec<KeyCache>,
    waiting: BTreeMap<RequestId, Waiting>,
    last_call: u32,
    /// Whether a request can be resumed by an event that is not its own. Kong's host cannot.
    can_wake: bool,
}

/// A request that waits for keys.
#[derive(Debug)]
struct Waiting {
    request: Request,
    issuer: usize,
    until: UnixMillis,
    /// It joined a fetch that began before it came, and may have a key that is newer.
    joined: bool,
}

impl Gate {
    pub fn new(settings: Settings, can_wake: bool) -> Self {
        let caches = settings
            .issuers
            .iter()
            .map(|issuer| KeyCache::new(&issuer.iss, issuer.source.clone(), settings.timing))
            .collect();
        Self {
            settings,
            caches,
            waiting: BTreeMap::new(),
            last_call: 0,
            can_wake,
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
        request: Request,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) -> Step {
        let Some(policy) = self.settings.policy(request.policy.as_deref()) else {
            let text = "a route names a policy that the configuration does not have";
            effects.log.push(LogLine {
                level: Level::Error,
                text: text.to_owned(),
            });
            let realm = &self.settings.base.realm;
            return Step::Decided(Decision::Reply(Refusal::new(Reason::Misconfigured, realm)));
        };
        let mut judgement = self.judge(&request, policy, now);
        // Another worker may know more already.
        if let Judgement::NeedsKeys { issuer, .. } = judgement
            && let Some(cache) = self.caches.get_mut(issuer)
            && cache.take_news(now, shared, &mut effects.log)
        {
            judgement = self.judge(&request, policy, now);
        }
        let (issuer, need, otherwise) = match judgement {
            Judgement::Permit(permit) => return Step::Decided(Decision::Forward(permit)),
            Judgement::Refuse(reason) => {
                return Step::Decided(Decision::Reply(refusal(reason, policy)));
            }
            Judgement::NeedsKeys {
                issuer,
                need,
                otherwise,
            } => (issuer, need, otherwise),
        };
        let wish = match self.caches.get_mut(issuer) {
            Some(_) if self.waiting.len() >= MAX_WAITING => Wish::TryLater,
            Some(cache) => cache.wish(need, self.can_wake, now, shared),
            None => Wish::Denied,
        };
        let joined = wish == Wish::Join;
        match wish {
            Wish::Denied => {
                return Step::Decided(self.give_up(issuer, otherwise, policy, now));
            }
            Wish::TryLater => {
                let reason = Reason::KeysUnavailable;
                return Step::Decided(self.give_up(issuer, reason, policy, now));
            }
            Wish::Join => {}
            Wish::Fetch(url) => self.send(issuer, Owner::Request(id), url, now, effects),
        }
        let until = now.plus(self.settings.timing.key_wait_timeout);
        self.waiting.insert(
            id,
            Waiting {
                request,
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
            let Some(cache) = self.caches.get_mut(issuer) else {
                continue;
            };
            if cache.take_news(now, shared, &mut effects.log) {
                news.push(issuer);
            }
            if let Some(url) = cache.due(now, shared) {
                self.send(issuer, Owner::Background, url, now, effects);
            }
        }
        // Only what can have changed is judged again: a signature check is not free.
        let concerns = |gate: &Self, id: RequestId, waiting: &Waiting| {
            gate.can_wake
                && (news.contains(&waiting.issuer)
                    || !gate.has_time(waiting, now)
                    || !gate.is_expected(waiting.issuer, id, now))
        };
        self.settle(now, effects, concerns);
        for issuer in 0..self.caches.len() {
            self.fetch_for_joined(issuer, now, shared, effects);
        }
        self.settle(now, effects, concerns);
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
            .find_map(|(issuer, cache)| cache.owner_of(call).map(|owner| (issuer, owner, cache)));
        let Some((issuer, owner, cache)) = found else {
            return;
        };
        match cache.answered(call, answer, now, shared, &mut effects.log) {
            Next::Fetch(url) => self.send(issuer, owner, url, now, effects),
            Next::Over => self.settle(now, effects, |gate, id, waiting| {
                waiting.issuer == issuer && (gate.can_wake || owner == Owner::Request(id))
            }),
        }
    }

    /// A request went away, decided or not.
    pub fn gone(&mut self, id: RequestId) {
        self.waiting.remove(&id);
        for cache in &mut self.caches {
            cache.abandoned(Owner::Request(id));
        }
    }

    /// The host cannot go on: whoever waits is refused.
    pub fn refuse_all(&mut self, reason: Reason) -> Vec<(RequestId, Decision)> {
        let realm = &self.settings.base.realm;
        std::mem::take(&mut self.waiting)
            .into_keys()
            .map(|id| (id, Decision::Reply(Refusal::new(reason, realm))))
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
        let Some(cache) = self.caches.get_mut(issuer) else {
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

    fn judge(&self, request: &Request, policy: &Policy, now: UnixMillis) -> Judgement {
        let keys = |issuer: usize| self.caches.get(issuer).and_then(|cache| cache.usable(now));
        judge(
            &request.credentials,
            policy,
            &self.settings.issuers,
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
        let Some(cache) = self.caches.get_mut(issuer) else {
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
        let decided: Vec<_> = self
            .waiting
            .iter()
            .filter(|(id, waiting)| concerns(self, **id, waiting))
            .filter_map(|(id, waiting)| Some((*id, self.settle_one(*id, waiting, now)?)))
            .collect();
        for (id, _) in &decided {
            self.waiting.remove(id);
        }
        effects.decisions.extend(decided);
    }

    fn settle_one(&self, id: RequestId, waiting: &Waiting, now: UnixMillis) -> Option<Decision> {
        let Some(policy) = self.settings.policy(waiting.request.policy.as_deref()) else {
            let realm = &self.settings.base.realm;
            return Some(Decision::Reply(Refusal::new(Reason::Misconfigured, realm)));
        };
        match self.judge(&waiting.request, policy, now) {
            Judgement::Permit(permit) => Some(Decision::Forward(permit)),
            Judgement::Refuse(reason) => Some(Decision::Reply(refusal(reason, policy))),
            Judgement::NeedsKeys {
                issuer, otherwise, ..
            } => {
                let in_time = self.has_time(waiting, now);
                // The tick sees to those that joined a fetch.
                let may_be_newer = waiting.joined && otherwise == Reason::UnknownKey;
                if in_time && (may_be_newer || self.is_expected(issuer, id, now)) {
                    return None;
                }
                // Time ran out before the keys came: that is not the token's fault.
                let otherwise = match otherwise {
                    Reason::UnknownKey if !in_time => Reason::KeysUnavailable,
                    reason => reason,
                };
                Some(self.give_up(issuer, otherwise, policy, now))
            }
        }
    }

    fn has_time(&self, waiting: &Waiting, now: UnixMillis) -> bool {
        let longest = self.settings.timing.key_wait_timeout;
        waiting.until.is_ahead(now, longest)
    }

    fn is_expected(&self, issuer: usize, id: RequestId, now: UnixMillis) -> bool {
        self.caches.get(issuer).is_some_and(|cache| {
            if self.can_wake {
                cache.is_expected(now)
            } else {
                cache.has_flight_of(Owner::Request(id))
            }
        })
    }

    /// The answer when keys are missing and none will come. While the issuer cannot be reached, a
    /// key that is unknown may well be new: a 503, which is worth a retry, and not a 401.
    fn give_up(
        &self,
        issuer: usize,
        otherwise: Reason,
        policy: &Policy,
        now: UnixMillis,
    ) -> Decision {
        let cache = self.caches.get(issuer);
        let is_failing = cache.is_some_and(KeyCache::is_failing);
        let reason = match otherwise {
            Reason::UnknownKey if is_failing => Reason::KeysUnavailable,
            reason => reason,
        };
        let mut refusal = refusal(reason, policy);
        if reason == Reason::KeysUnavailable {
            refusal.retry_after = cache.map(|cache| cache.retry_after(now));
        }
        Decision::Reply(refusal)
    }
}

fn refusal(reason: Reason, policy: &Policy) -> Refusal {
    let mut refusal = Refusal::new(reason, &policy.realm);
    if reason.row().status == 403 {
        refusal.scopes.clone_from(&policy.requirements.scopes);
    }
    refusal
}
