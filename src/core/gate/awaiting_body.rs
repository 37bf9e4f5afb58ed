//! Requests that may go up, but with a JWT that depends on a body which has still to come.

use log::Level;

use super::{Effects, Gate, Step};
use crate::config::policy::Policy;
use crate::event::{LogLine, RequestId};
use crate::intake::{Intake, Question};
use crate::judge::{Judgement, Verdict};
use crate::refusal::Reason;
use crate::request::Body;
use crate::time::{Millis, UnixMillis};

/// So long a body may take to begin, at a host that has never shown one: Envoy shows none while a
/// request is held, unless it is told to, and cannot be asked.
const FIRST_BODY_WAIT: Millis = Millis::from_secs(5);

/// A request that is judged, and waits for its body.
#[derive(Debug)]
pub(super) struct AwaitingBody {
    policy: Option<String>,
    pub(super) intake: Intake,
    judgement: Judgement,
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

    /// Concludes what has been judged, or waits for the body that its JWT depends on.
    pub(super) fn go_on(
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
}
