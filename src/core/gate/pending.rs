//! A request on its way to a decision, from one thing that it needs to the next.

use std::rc::Rc;

use super::known::counts;
use super::waiting::{Wait, Waiting};
use super::{Effects, Gate, MAX_WAITING, Step};
use crate::authorization::services::{AuthorizationRules, Demand};
use crate::bounded::Key;
use crate::config::Settings;
use crate::config::policy::Policy;
use crate::event::{Owner, RequestId};
use crate::inquiry::asked::{Asked, Token};
use crate::inquiry::question::{Finding, Findings, Inquiry, Question};
use crate::intake::{self, Intake};
use crate::judge::{Judge, Judgement, Verdict};
use crate::keys::cache::{KeyCache, Need, Wish};
use crate::keys::shared::SharedData;
use crate::metrics::Measure;
use crate::refusal::{Reason, UmaChallenge};
use crate::time::{Millis, UnixMillis};

/// Who asks for an answer of the moment joins a question that is no older.
const JOINED: Millis = Millis(100);

/// No request asks more.
const MAX_QUESTIONS: usize = 50;

/// A request that is not decided.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) policy: Option<String>,
    pub(super) intake: Intake,
    pub(super) findings: Findings,
    /// Issuers of which no more keys will come for it, and why.
    pub(super) keys_ended: Vec<(usize, Reason)>,
    /// When it has waited for as long as it may, in all.
    deadline: Option<UnixMillis>,
    /// Of its token.
    digest: Option<Key>,
}

/// What a request needs before it can be decided.
pub(super) enum Needed {
    Keys {
        issuer: usize,
        need: Need,
        otherwise: Reason,
    },
    Answer(Inquiry),
}

impl Pending {
    pub(super) fn new(policy: Option<String>, intake: Intake) -> Self {
        Self {
            policy,
            intake,
            findings: Findings::default(),
            keys_ended: Vec::new(),
            deadline: None,
            digest: None,
        }
    }
}

impl Gate {
    /// Takes a request as far as it can be taken now: to a decision, or to what it has to wait for.
    /// `judged` is what is known to be found about it.
    pub(super) fn proceed(
        &mut self,
        id: RequestId,
        mut pending: Pending,
        mut judged: Option<Judgement>,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) -> Step {
        loop {
            let judgement = match judged.take() {
                Some(judgement) => judgement,
                None => self.judge(&pending, now),
            };
            let wait = match self.needed(&judgement, &pending, now) {
                None => {
                    let is_first = pending.keys_ended.is_empty() && pending.findings.is_empty();
                    if let Some(issuer) = judgement.issuer.filter(|_| is_first) {
                        effects.measures.push(Measure::Keys { issuer, hit: true });
                    }
                    return self.go_on(id, pending, judgement, now, effects);
                }
                Some(Needed::Keys {
                    issuer,
                    need,
                    otherwise,
                }) => {
                    // Another worker may know more already.
                    if let Some(Some(cache)) = self.caches.get_mut(issuer)
                        && cache.take_news(now, shared, &mut effects.log)
                    {
                        continue;
                    }
                    effects.measures.push(Measure::Keys { issuer, hit: false });
                    match self.wish(id, issuer, need, now, shared, effects) {
                        Ok(wait) => wait,
                        Err(reason) => {
                            let reason = reason.unwrap_or(otherwise);
                            pending.keys_ended.push((issuer, reason));
                            continue;
                        }
                    }
                }
                Some(Needed::Answer(inquiry)) => {
                    match self.ask(id, &mut pending, &inquiry, now, effects) {
                        Ok((key, asked_at)) => Wait::Answer {
                            key,
                            asked_at,
                            inquiry,
                        },
                        Err(finding) => {
                            pending.findings.add(inquiry.question, finding);
                            continue;
                        }
                    }
                }
            };
            let until = now.plus(self.longest(&wait));
            // For keys, and for two answers that take as long as they may.
            let timing = &self.settings.timing;
            let in_all = timing.key_wait_timeout.0;
            let in_all = in_all.saturating_add(timing.callout_timeout.doubled().0);
            pending.deadline.get_or_insert(now.plus(Millis(in_all)));
            let waiting = Waiting {
                pending,
                wait,
                until,
            };
            self.waiting.insert(id, waiting);
            return Step::Await;
        }
    }

    pub(super) fn judge(&self, pending: &Pending, now: UnixMillis) -> Judgement {
        let intake = &pending.intake;
        let token = match &intake.question {
            intake::Question::Token(token) => token.text(),
            intake::Question::Refuse(reason) => return Judgement::without_token(*reason),
            intake::Question::Pass(waiver) => return Judgement::waived(*waiver),
        };
        let Some(policy) = self.settings.policy(pending.policy.as_deref()) else {
            return Judgement::without_token(Reason::Misconfigured);
        };
        let judge = Judge {
            settings: &self.settings,
            policy,
            rule: intake.requirement(policy),
            demand: demand(intake, policy),
            keys: &|issuer| self.cache(issuer)?.usable(now),
            keys_ended: &pending.keys_ended,
            findings: &pending.findings,
            known: intake
                .known()
                .map(|token| &**token)
                .filter(|token| counts(&self.settings, &self.caches, token, now)),
            known_headers: &self.known_headers,
            host_verifier: self.host_verifier.as_deref(),
            now,
        };
        judge.judge(token)
    }

    /// What is still needed, if anything.
    pub(super) fn needed(
        &self,
        judgement: &Judgement,
        pending: &Pending,
        now: UnixMillis,
    ) -> Option<Needed> {
        let inquiry = match &judgement.verdict {
            Verdict::NeedsKeys {
                issuer,
                need,
                otherwise,
            } => {
                return Some(Needed::Keys {
                    issuer: *issuer,
                    need: *need,
                    otherwise: *otherwise,
                });
            }
            Verdict::Asks(inquiry) => (**inquiry).clone(),
            Verdict::Refuse(reason, _) => {
                let question = self.ticket(*reason, judgement.issuer, pending)?;
                if pending.findings.of(&question).is_some() {
                    return None;
                }
                Inquiry {
                    question,
                    max_age: Millis(0),
                    negative_max_age: Millis(0),
                }
            }
            Verdict::Permit(..) | Verdict::Waived(_) => return None,
        };
        // Where an issuer is asked, its discovery document may have to say first.
        let issuer = inquiry.question.issuer();
        let is_to_come = |cache: &KeyCache| cache.discovers() && cache.endpoints().is_none();
        let has_ended = pending.keys_ended.iter().any(|(of, _)| *of == issuer);
        if !has_ended
            && self.cache(issuer).is_some_and(is_to_come)
            && asked(&self.settings, &self.caches, issuer, now)
                .is_none_or(|asked| asked.url(inquiry.question.endpoint()).is_none())
        {
            return Some(Needed::Keys {
                issuer,
                need: Need::Keys,
                otherwise: Reason::KeysUnavailable,
            });
        }
        Some(Needed::Answer(inquiry))
    }

    /// What a refusal says of how a permission can be had.
    pub(super) fn uma_challenge(
        &self,
        judgement: &Judgement,
        pending: &Pending,
    ) -> Option<UmaChallenge> {
        let Verdict::Refuse(reason, _) = judgement.verdict else {
            return None;
        };
        let question = self.ticket(reason, judgement.issuer, pending)?;
        let issuer = self.settings.issuers.get(question.issuer())?;
        Some(UmaChallenge {
            as_uri: issuer.iss.clone(),
            ticket: match pending.findings.of(&question) {
                Some(Finding::Ticket(ticket)) => Some(ticket.clone()),
                _ => None,
            },
        })
    }

    /// The ticket that goes along with a refusal, if one does (UMA 2.0 Grant, 3.2.1).
    fn ticket(&self, reason: Reason, issuer: Option<usize>, pending: &Pending) -> Option<Question> {
        let policy = self.settings.policy(pending.policy.as_deref())?;
        let (demand, _) =
            demand(&pending.intake, policy).filter(|(_, rules)| rules.uma_challenge)?;
        if !reason.can_be_mended_by_permission()
            || self.waiver(reason, issuer, policy, &pending.intake).is_ok()
        {
            return None;
        }
        let mut accepted = policy.issuers.iter().enumerate();
        let first = accepted.find_map(|(issuer, rules)| rules.as_ref().map(|_| issuer));
        let permissions = demand.permissions.iter();
        Some(Question::Ticket {
            issuer: issuer.or(first)?,
            permissions: permissions.map(|asked| asked.permission.clone()).collect(),
        })
    }

    /// Sees to it that keys come; an error if none will, with the reason if it is not the token's.
    fn wish(
        &mut self,
        id: RequestId,
        issuer: usize,
        need: Need,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) -> Result<Wait, Option<Reason>> {
        let wish = match self.caches.get_mut(issuer) {
            Some(Some(_)) if self.waiting.len() >= MAX_WAITING => Wish::TryLater,
            Some(Some(cache)) => cache.wish(need, self.abilities.wakes_requests, now, shared),
            _ => Wish::Denied,
        };
        let joined = wish == Wish::Join;
        match wish {
            Wish::Denied => return Err(None),
            Wish::TryLater => return Err(Some(Reason::KeysUnavailable)),
            Wish::Join => {}
            Wish::Fetch(url) => self.fetch(issuer, Owner::Request(id), url, now, effects),
        }
        Ok(Wait::Keys { issuer, joined })
    }

    /// Sees to it that an answer comes, and says under which key, and when it was
    /// asked for; an error is what is known already.
    fn ask(
        &mut self,
        id: RequestId,
        pending: &mut Pending,
        inquiry: &Inquiry,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Result<(Key, UnixMillis), Rc<Finding>> {
        let unusable = || Rc::new(Finding::Unusable);
        let issuer = inquiry.question.issuer();
        let text = pending.intake.credential().unwrap_or_default();
        // A ticket is for one request.
        let digest = match inquiry.question {
            Question::Ticket { .. } => self.inquiries.digest(&format!("ticket for {}", id.0)),
            _ => *pending
                .digest
                .get_or_insert_with(|| self.inquiries.digest(text)),
        };
        let key = self.inquiries.key(&inquiry.question, &digest);
        if let Some(finding) = self.inquiries.known(&key, inquiry, now) {
            effects
                .measures
                .extend(Measure::of_finding(&inquiry.question, None));
            return Err(finding);
        }
        let is_late = pending.deadline.is_some_and(|deadline| now >= deadline);
        if self.waiting.len() >= MAX_WAITING || pending.findings.len() >= MAX_QUESTIONS || is_late {
            return Err(unusable());
        }
        let can_join = self.abilities.wakes_requests;
        // One that was asked before cannot know what has been revoked since.
        let max_age = inquiry.max_age.max(JOINED);
        let joined = self.inquiries.asked_at(&key, now);
        let joined = joined.filter(|at| can_join && at.is_recent(now, max_age));
        if let Some(asked_at) = joined {
            return Ok((key, asked_at));
        }
        // Others may wait for the same answer: it must not be lost with this request.
        let owner = if can_join {
            Owner::Background
        } else {
            Owner::Request(id)
        };
        let asked = asked(&self.settings, &self.caches, issuer, now).ok_or_else(unusable)?;
        let token = Token { text, digest, key };
        let inquiry = inquiry.clone();
        let (ids, log) = (&mut self.call_ids, &mut effects.log);
        let call = self
            .inquiries
            .ask(inquiry, token, owner, &asked, ids, log)?;
        effects.calls.push(call);
        Ok((key, now))
    }

    /// An answer whose signature is not good is asked for anew the next time.
    pub(super) fn forget_unusable(&mut self, judgement: &Judgement, pending: &Pending) {
        let unusable = Reason::IntrospectionUnavailable;
        let is_unusable =
            matches!(judgement.verdict, Verdict::Refuse(reason, _) if reason == unusable);
        if let Some(digest) = pending.digest.filter(|_| is_unusable) {
            for question in pending.findings.active() {
                let key = self.inquiries.key(question, &digest);
                self.inquiries.forget(&key);
            }
        }
    }

    fn longest(&self, wait: &Wait) -> Millis {
        let timing = &self.settings.timing;
        match wait {
            Wait::Keys { .. } => timing.key_wait_timeout,
            // The host reports that the time is up, and if it does not, it is up here.
            Wait::Answer { .. } => Millis(timing.callout_timeout.0.saturating_add(1000)),
        }
    }
}

/// What is asked about a request, and by which rules.
pub(super) fn demand<'a>(
    intake: &'a Intake,
    policy: &'a Policy,
) -> Option<(&'a Demand, &'a AuthorizationRules)> {
    intake.demand.as_ref().zip(intake.authorization(policy))
}

/// An issuer as it is asked.
pub(super) fn asked<'a>(
    settings: &'a Settings,
    caches: &'a [Option<KeyCache>],
    issuer: usize,
    now: UnixMillis,
) -> Option<Asked<'a>> {
    let own = settings.issuers.get(issuer)?;
    let cache = caches.get(issuer).and_then(Option::as_ref);
    Some(Asked {
        iss: &own.iss,
        client: own.client.as_deref(),
        stated: &own.endpoints,
        found: cache.and_then(KeyCache::endpoints),
        target: own.callout_target.as_deref(),
        timeout: settings.timing.callout_timeout,
        now,
    })
}
