//! What becomes of a request that was judged: forwarded or refused, with all that goes along.

use std::borrow::Cow;
use std::rc::Rc;

use log::Level;

use super::{Decision, Effects, Forward, Gate, Head};
use crate::admission::{Admission, Grounds, Waiver};
use crate::authorization::Permit;
use crate::authorization::requirement::Requirement;
use crate::caller::Told;
use crate::caller::consumers::Consumer;
use crate::config::policy::{Policy, UpstreamToken};
use crate::event::LogLine;
use crate::explain::{self, Known};
use crate::inquiry::question::Purpose;
use crate::intake::Intake;
use crate::judge::{Judgement, Verdict};
use crate::keys::cache::KeyCache;
use crate::metrics::{NONE, Outcome};
use crate::refusal::{Reason, Refusal};
use crate::request::HeaderEdit;
use crate::time::{Millis, UnixMillis};
use crate::upstream_jwt::circumstances::Circumstances;
use crate::upstream_jwt::claims::Caller;
use crate::verified_tokens::Permitted;

/// What becomes of a request, but for what its body decides.
pub(super) enum Conclusion {
    /// With what was decided about its token, if it has one.
    GoesUp(Box<Admitted>, Option<Rc<Permitted>>),
    Refused(Refusal),
}

/// A request that may go up.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Without its JWT.
    pub(super) forward: Forward,
    /// What the JWT will say, where there is to be one.
    pub(super) circumstances: Option<Circumstances>,
    credential: Option<String>,
    consumer: Option<Rc<Consumer>>,
    pub(super) issuer: Option<usize>,
    pub(super) is_grpc: bool,
}

impl Gate {
    /// Decides what was judged: whether it goes up or is refused, with all that goes along.
    pub(super) fn conclude(
        &self,
        policy: &Policy,
        intake: Intake,
        judgement: Judgement,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Conclusion {
        let Judgement {
            issuer,
            header,
            verdict,
        } = judgement;
        let rule = intake.requirement(policy);
        let mut known = Known {
            issuer,
            kid: header.as_ref().and_then(|header| header.kid.as_deref()),
            token: None,
            rule,
        };
        let (waiver, token) = match verdict {
            Verdict::Permit(permit, consumer) => {
                known.token = Some(permit.token());
                let line = self.record(Outcome::Allowed, NONE, known, policy, effects);
                let mut told = self.told(&permit, consumer.as_deref(), issuer, policy);
                // Whoever has no token gets no credential instead of it either.
                let authorization = match &policy.upstream_token {
                    UpstreamToken::Replace(text) => Some(text.clone()),
                    UpstreamToken::Introspected => {
                        let jwt = permit.token().introspected_jwt().or(intake.credential());
                        jwt.map(|jwt| format!("Bearer {jwt}").into_bytes())
                    }
                    UpstreamToken::Keep | UpstreamToken::Hide => None,
                };
                if let Some(text) = authorization {
                    let name = "authorization".into();
                    told.headers.push(HeaderEdit::Set(name, text));
                }
                let Some(issuer) = issuer else {
                    return Conclusion::Refused(self.refusal(
                        Reason::Internal,
                        known,
                        policy,
                        intake.is_grpc,
                        now,
                    ));
                };
                let permitted = Rc::new(Permitted {
                    times: permit.token().times(),
                    permit,
                    issuer,
                    consumer,
                    told: Rc::new(told),
                    line,
                });
                let admitted = goes_up(&permitted, intake);
                return Conclusion::GoesUp(Box::new(admitted), Some(permitted));
            }
            Verdict::Waived(waiver) => (Ok(waiver), None),
            Verdict::Refuse(reason, token) => (self.waiver(reason, issuer, policy, &intake), token),
            Verdict::NeedsKeys { otherwise, .. } => {
                (self.waiver(otherwise, issuer, policy, &intake), None)
            }
            Verdict::Asks(_) => (Err(Reason::Internal), None),
        };
        known.token = token.as_ref();
        match waiver {
            Ok(waiver) => {
                let (outcome, reason) = waiver.grounds().counted();
                let _ = self.record(outcome, reason, known, policy, effects);
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
                        consumer = policy.caller.anonymous.clone();
                        policy.caller.of_anonymous()
                    }
                    _ => Told::default(),
                };
                let admitted = admitted(
                    Admission::Waiver(waiver),
                    issuer,
                    consumer,
                    intake,
                    Rc::new(told),
                );
                Conclusion::GoesUp(Box::new(admitted), None)
            }
            Err(reason) => {
                let _ = self.record(Outcome::Refused, reason.row().label, known, policy, effects);
                Conclusion::Refused(self.refusal(reason, known, policy, intake.is_grpc, now))
            }
        }
    }

    /// Sends a request up, with the gateway's own JWT where there is to be one.
    pub(super) fn forward(
        &self,
        name: Option<&str>,
        policy: &Policy,
        admitted: Admitted,
        now: UnixMillis,
    ) -> Decision {
        let Admitted {
            mut forward,
            circumstances,
            credential,
            consumer,
            issuer,
            ..
        } = admitted;
        let jwt = policy.upstream_jwt.as_ref().zip(circumstances);
        forward.jwt = jwt.map(|(jwt, circumstances)| {
            let client_id = match &forward.admission {
                Admission::Token(permit) => client_id(permit, policy, issuer),
                Admission::Waiver(_) => None,
            };
            let caller = Caller::of(
                &forward.admission,
                client_id.as_deref(),
                consumer.as_deref(),
            );
            let reuse = &mut self.reuse.borrow_mut();
            jwt.prepare(
                name,
                &caller,
                credential.as_deref(),
                &circumstances,
                reuse,
                now,
            )
        });
        Decision::Forward(forward)
    }

    /// Refuses a request that might have gone up, but for its body.
    pub(super) fn refuse_admitted(
        &self,
        reason: Reason,
        policy: &Policy,
        admitted: &Admitted,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Decision {
        const NOTHING: &Requirement = &Requirement::NOTHING;
        let known = Known {
            issuer: admitted.issuer,
            kid: None,
            token: match &admitted.forward.admission {
                Admission::Token(permit) => Some(permit.token()),
                Admission::Waiver(_) => None,
            },
            rule: NOTHING,
        };
        let _ = self.record(Outcome::Refused, reason.row().label, known, policy, effects);
        Decision::Reply(self.refusal(reason, known, policy, admitted.is_grpc, now))
    }

    /// What lets a request pass all the same, or why it is refused in the end.
    pub(super) fn waiver(
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
        policy
            .caller
            .of_token(claims, client_id.as_deref(), consumer)
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
        match (reason, known.issuer) {
            (Reason::KeysUnavailable, issuer) => {
                let cache = issuer.and_then(|issuer| self.cache(issuer));
                refusal.retry_after = Some(cache.map_or(Millis(0), |cache| cache.retry_after(now)));
            }
            (Reason::IntrospectionUnavailable, Some(issuer)) => {
                let purposes = [Purpose::Introspection];
                refusal.retry_after = Some(self.inquiries.retry_after(issuer, &purposes, now));
            }
            (Reason::AuthorizationUnavailable, Some(issuer)) => {
                let purposes = [Purpose::Decision, Purpose::DecisionAsClient];
                refusal.retry_after = Some(self.inquiries.retry_after(issuer, &purposes, now));
            }
            _ => {}
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
    ) -> Option<Rc<str>> {
        // Of those that pass there are many, and a line takes longer than the rest of most of them.
        let is_refused = matches!(outcome, Outcome::Refused | Outcome::Reported);
        let is_asked_for = is_refused || self.settings.logs_every_decision;
        let explain = || explain::decision(outcome, reason, known, &self.settings, policy).into();
        let line: Option<Rc<str>> = is_asked_for.then(explain);
        effects.decided(known.issuer, outcome, reason, line.as_deref());
        line
    }

    pub(super) fn misconfigured(&self, is_grpc: bool, effects: &mut Effects) -> Decision {
        let reason = Reason::Misconfigured;
        effects.decided(None, Outcome::Refused, reason.row().label, None);
        self.base_refusal(reason, is_grpc)
    }

    /// In the words of the base policy, where no other counts.
    pub(super) fn base_refusal(&self, reason: Reason, is_grpc: bool) -> Decision {
        let mut refusal = Refusal::new(reason, self.settings.base.answers.clone());
        refusal.is_grpc = is_grpc;
        Decision::Reply(refusal)
    }
}

/// A request whose token may pass.
pub(super) fn goes_up(permitted: &Permitted, intake: Intake) -> Admitted {
    let Permitted {
        permit,
        issuer,
        consumer,
        told,
        ..
    } = permitted;
    let admission = Admission::Token(permit.clone());
    admitted(
        admission,
        Some(*issuer),
        consumer.clone(),
        intake,
        Rc::clone(told),
    )
}

fn admitted(
    admission: Admission,
    issuer: Option<usize>,
    consumer: Option<Rc<Consumer>>,
    intake: Intake,
    told: Rc<Told>,
) -> Admitted {
    let is_for_jwt = intake.circumstances.is_some();
    let credential = intake
        .credential()
        .filter(|_| is_for_jwt)
        .map(str::to_owned);
    // The issuer's next answer about it may say something else.
    let answer = match &admission {
        Admission::Token(permit) => permit.token().answer_number(),
        Admission::Waiver(_) => None,
    };
    let credential = credential.map(|text| match answer {
        Some(number) => format!("{text} {number}"),
        None => text,
    });
    let edits = intake.edits;
    Admitted {
        forward: Forward {
            admission,
            head: Head { edits, told },
            jwt: None,
        },
        credential,
        circumstances: intake.circumstances,
        consumer,
        issuer,
        is_grpc: intake.is_grpc,
    }
}

/// The client that a token was issued to, as its issuer's tokens say it.
fn client_id<'p>(
    permit: &'p Permit,
    policy: &Policy,
    issuer: Option<usize>,
) -> Option<Cow<'p, str>> {
    let rules = policy.rules_of(issuer?)?;
    rules.shape.client_id.text(permit.token().claims())
}
