//! Requests that may go up, but with a JWT that depends on a body which has still to come.

use log::Level;

use super::conclude::{Admitted, Conclusion};
use super::known::place;
use super::pending::Pending;
use super::{Decision, Effects, Gate, Head, Step};
use crate::admission::Admission;
use crate::config::policy::Policy;
use crate::event::{LogLine, RequestId};
use crate::intake::Question;
use crate::judge::Judgement;
use crate::refusal::Reason;
use crate::request::Body;
use crate::time::{Millis, UnixMillis};

/// So long a body may take to begin, at a host that has never shown one: Envoy shows none while a
/// request is held, unless it is told to, and cannot be asked.
const FIRST_BODY_WAIT: Millis = Millis::from_secs(5);

/// So many requests may wait for their bodies in one worker: each keeps what was found about it, and
/// memory that a worker's module has once had it keeps.
const MAX_WAITING: usize = 2000;

/// A request that may go up, and waits for its body.
#[derive(Debug)]
pub(super) struct AwaitingBody {
    policy: Option<String>,
    pub(super) admitted: Admitted,
    /// What is counted and logged when it goes up.
    recorded: Effects,
    since: UnixMillis,
}

impl Gate {
    /// The body of a request that is held has begun to come.
    pub fn body_began(&mut self) {
        self.shows_bodies = true;
    }

    /// So many octets of a request's body will be looked at; `None` if none of it is.
    #[must_use]
    pub fn reads_body(&self, id: RequestId) -> Option<usize> {
        let waiting = self.waiting.get(&id).map(|waiting| &waiting.pending.policy);
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
            let intake = &mut waiting.pending.intake;
            match (&mut intake.circumstances, body) {
                (Some(circumstances), Ok(body)) => circumstances.body_came(body),
                (_, Err(reason)) => intake.question = Question::Refuse(reason),
                (None, Ok(_)) => {}
            }
        }
        let Some(mut request) = self.awaiting_body.remove(&id) else {
            return;
        };
        let Some(policy) = self.settings.policy(request.policy.as_deref()) else {
            let decision = self.misconfigured(request.admitted.is_grpc, effects);
            return effects.decisions.push((id, decision));
        };
        let wait = policy.upstream_jwt.as_ref().map(|jwt| jwt.body.wait);
        let in_time = |wait| request.since.plus(wait).is_ahead(now, wait);
        let body = body.and_then(|body| match wait {
            Some(wait) if !in_time(wait) => Err(Reason::BodyTimeout),
            _ if has_ended(&request.admitted, policy, now) => Err(Reason::TokenExpired),
            _ => Ok(body),
        });
        let decision = match body {
            Ok(body) => {
                if let Some(circumstances) = &mut request.admitted.circumstances {
                    circumstances.body_came(body);
                }
                effects.record(request.recorded);
                let name = request.policy.as_deref();
                self.forward(name, policy, request.admitted, now)
            }
            Err(reason) => self.refuse_admitted(reason, policy, &request.admitted, now, effects),
        };
        effects.decisions.push((id, decision));
    }

    /// Concludes what has been judged, or waits for the body that its JWT depends on.
    pub(super) fn go_on(
        &mut self,
        id: RequestId,
        mut pending: Pending,
        judgement: Judgement,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Step {
        self.forget_unusable(&judgement, &pending);
        let uma = self.uma_challenge(&judgement, &pending);
        // Whoever was asked may say something else the next time, and each request may want something
        // else.
        let holds_again = pending.findings.is_empty() && pending.intake.demand.is_none();
        let known = pending.intake.known().cloned();
        let token = pending.findings.take_verified().or(known);
        let (name, intake) = (pending.policy, pending.intake);
        let Some(policy) = self.settings.policy(name.as_deref()) else {
            return Step::Decided(self.misconfigured(intake.is_grpc, effects));
        };
        let mut recorded = Effects::default();
        let place = place(policy, &intake);
        match self.conclude(policy, intake, judgement, now, &mut recorded) {
            Conclusion::GoesUp(admitted, permitted) => {
                let is_admitted = permitted.is_some();
                let decided = permitted.filter(|_| holds_again);
                let decided = decided.map(|permitted| (place, permitted));
                self.remember(token, decided, is_admitted);
                self.go_up(id, name, *admitted, recorded, now, effects)
            }
            Conclusion::Refused(mut refusal) => {
                self.remember(token, None, false);
                refusal.uma = uma;
                effects.record(recorded);
                Step::Decided(Decision::Reply(refusal))
            }
        }
    }

    /// Sends up what may go, or waits for the body that its JWT depends on.
    pub(super) fn go_up(
        &mut self,
        id: RequestId,
        name: Option<String>,
        mut admitted: Admitted,
        recorded: Effects,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Step {
        let Some(policy) = self.settings.policy(name.as_deref()) else {
            return Step::Decided(self.misconfigured(admitted.is_grpc, effects));
        };
        match self.body_to_wait_for(policy, &admitted) {
            Ok(false) => {
                effects.record(recorded);
                Step::Decided(self.forward(name.as_deref(), policy, admitted, now))
            }
            Ok(true) => {
                // Where the head goes first, it goes as it has to.
                let head = if self.abilities.holds_head {
                    Head::default()
                } else {
                    std::mem::take(&mut admitted.forward.head)
                };
                let request = AwaitingBody {
                    policy: name,
                    admitted,
                    recorded,
                    since: now,
                };
                self.awaiting_body.insert(id, request);
                Step::AwaitBody(head)
            }
            Err(reason) => {
                Step::Decided(self.refuse_admitted(reason, policy, &admitted, now, effects))
            }
        }
    }

    /// Whether a request's body must be read before it goes up; an error if that cannot be.
    fn body_to_wait_for(&self, policy: &Policy, admitted: &Admitted) -> Result<bool, Reason> {
        let (Some(jwt), Some(circumstances)) = (&policy.upstream_jwt, &admitted.circumstances)
        else {
            return Ok(false);
        };
        if !jwt.claims.need_body() || circumstances.digest().is_some() {
            return Ok(false);
        }
        let most = u64::try_from(jwt.body.bytes).unwrap_or(u64::MAX);
        match circumstances.body {
            _ if circumstances.is_endless => Err(Reason::EndlessBody),
            Body::Announced {
                length: Some(length),
            } if length > most => Err(Reason::BodyTooLarge),
            _ if self.awaiting_body.len() >= MAX_WAITING => Err(Reason::TooManyWaiting),
            _ => Ok(true),
        }
    }

    /// Refuses those whose bodies do not come.
    pub(super) fn end_waits_for_bodies(&mut self, now: UnixMillis, effects: &mut Effects) {
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
            let Some(request) = self.awaiting_body.remove(&id) else {
                continue;
            };
            if reason == Reason::BodyNotShown {
                effects.log.push(LogLine {
                    level: Level::Error,
                    text: "a body that has to be hashed did not begin to come; if none ever does, \
                        Envoy lacks allow_on_headers_stop_iteration: true in the plugin's config"
                        .to_owned(),
                });
            }
            let decision = match self.settings.policy(request.policy.as_deref()) {
                Some(policy) => {
                    self.refuse_admitted(reason, policy, &request.admitted, now, effects)
                }
                None => self.misconfigured(request.admitted.is_grpc, effects),
            };
            effects.decisions.push((id, decision));
        }
    }
}

/// Whether the token by which a request may go up has ended since.
fn has_ended(admitted: &Admitted, policy: &Policy, now: UnixMillis) -> bool {
    let rules = admitted.issuer.and_then(|issuer| policy.rules_of(issuer));
    match (&admitted.forward.admission, rules) {
        (Admission::Token(permit), Some(rules)) => permit.token().has_ended(&rules.claims, now),
        _ => false,
    }
}
