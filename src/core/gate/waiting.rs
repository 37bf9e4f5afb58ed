//! Requests that wait, for an issuer's keys or for its answer about a token, and how that ends.

use std::rc::Rc;

use log::Level;

use super::pending::{Needed, Pending, asked};
use super::{Effects, Gate, Step};
use crate::bounded::Key;
use crate::event::{Answer, CallId, LogLine, Owner, RequestId};
use crate::inquiry::audience_hint::{self, Audience};
use crate::inquiry::inquiries::{Next, Over};
use crate::inquiry::question::{Finding, Inquiry, Question};
use crate::judge::Judgement;
use crate::keys::cache::{Need, Wish};
use crate::keys::shared::{Cause, SharedData};
use crate::metrics::Measure;
use crate::refusal::Reason;
use crate::time::{Millis, UnixMillis};

/// No wait is longer, whatever becomes of the clock.
const LONGEST: Millis = Millis::from_secs(120);

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) pending: Pending,
    pub(super) wait: Wait,
    pub(super) until: UnixMillis,
}

/// What for.
#[derive(Debug)]
pub(super) enum Wait {
    Keys {
        issuer: usize,
        /// It joined a fetch that began before it came, and may have a key that is newer.
        joined: bool,
    },
    Answer {
        key: Key,
        /// An answer to what was asked before is not waited for.
        asked_at: UnixMillis,
        inquiry: Inquiry,
    },
}

impl Waiting {
    fn has_time(&self, now: UnixMillis) -> bool {
        self.until.is_ahead(now, LONGEST)
    }

    /// Why it is refused if nothing comes.
    pub(super) fn unanswered(&self) -> Reason {
        match &self.wait {
            Wait::Keys { .. } => Reason::KeysUnavailable,
            Wait::Answer { inquiry, .. } => match inquiry.question {
                Question::Introspection { .. } => Reason::IntrospectionUnavailable,
                Question::Decision { .. } => Reason::AuthorizationUnavailable,
                // It would have been refused in any case.
                Question::Ticket { .. } => Reason::PermissionDenied,
            },
        }
    }

    fn issuer_of_keys(&self) -> Option<usize> {
        match self.wait {
            Wait::Keys { issuer, .. } => Some(issuer),
            Wait::Answer { .. } => None,
        }
    }
}

impl Gate {
    /// A flight for an issuer's keys is over, well or not.
    pub(super) fn keys_came(
        &mut self,
        issuer: usize,
        owner: Owner,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        self.settle(now, shared, effects, |gate, id, waiting| {
            waiting.issuer_of_keys() == Some(issuer)
                && (gate.abilities.wakes_requests || owner == Owner::Request(id))
        });
    }

    /// Of those that wait for keys: there are `news` of some issuers, or time is up.
    pub(super) fn end_waits_for_keys(
        &mut self,
        news: &[usize],
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        // Only what can have changed is judged again: a signature check is not free.
        let concerns = |gate: &Self, id: RequestId, waiting: &Waiting| {
            waiting.issuer_of_keys().is_some_and(|issuer| {
                news.contains(&issuer)
                    || !waiting.has_time(now)
                    || !gate.are_keys_expected(issuer, id, now)
            })
        };
        self.settle(now, shared, effects, concerns);
        for issuer in 0..self.caches.len() {
            self.fetch_for_joined(issuer, now, shared, effects);
        }
        self.settle(now, shared, effects, concerns);
    }

    /// Of those that wait for answers: none will come any more.
    pub(super) fn end_waits_for_answers(
        &mut self,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        let is_over = |waiting: &Waiting| match &waiting.wait {
            Wait::Answer { key, .. } => {
                !waiting.has_time(now) || self.inquiries.asked_at(key, now).is_none()
            }
            Wait::Keys { .. } => false,
        };
        let over = self.waiting.iter().filter(|(_, waiting)| is_over(waiting));
        let over: Vec<_> = over.map(|(id, _)| *id).collect();
        for id in over {
            self.found(id, &Rc::new(Finding::Unavailable), now, shared, effects);
        }
    }

    /// The answer to a question came, or it failed.
    pub(super) fn issuer_answered(
        &mut self,
        issuer: usize,
        call: CallId,
        answer: &Answer<'_>,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        let Some(asked) = asked(&self.settings, &self.caches, issuer, now) else {
            return;
        };
        let ids = &mut self.call_ids;
        let answered = self
            .inquiries
            .answered(call, answer, &asked, ids, &mut effects.log);
        let Some((took, next)) = answered else { return };
        effects.measures.push(Measure::Callout { issuer, took });
        let Over {
            key,
            owner,
            asked_at,
            inquiry,
            finding,
        } = match next {
            Next::Call(call) => return effects.calls.push(call),
            Next::Over(over) => over,
        };
        let question = &inquiry.question;
        let measure = Measure::of_finding(question, Some(&finding));
        effects.measures.extend(measure);
        let concerns = |id: RequestId, waiting: &Waiting| match &waiting.wait {
            Wait::Answer {
                key: of,
                asked_at: since,
                ..
            } => {
                *of == key
                    && *since <= asked_at
                    && (self.abilities.wakes_requests || owner == Owner::Request(id))
            }
            Wait::Keys { .. } => false,
        };
        let waiting = self.waiting.iter();
        let waiting = waiting.filter(|(id, waiting)| concerns(**id, waiting));
        let waiting: Vec<_> = waiting.map(|(id, _)| *id).collect();
        let is_inactive = matches!(*finding, Finding::Inactive);
        if is_inactive && matches!(question, Question::Introspection { .. }) {
            self.hint(issuer, waiting.first(), now, effects);
        }
        for id in waiting {
            self.found(id, &finding, now, shared, effects);
        }
    }

    /// A request that waits for an answer has it.
    fn found(
        &mut self,
        id: RequestId,
        finding: &Rc<Finding>,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        let Some(waiting) = self.waiting.remove(&id) else {
            return;
        };
        let mut pending = waiting.pending;
        if let Wait::Answer { inquiry, .. } = waiting.wait {
            pending.findings.add(inquiry.question, Rc::clone(finding));
        }
        self.step(id, pending, None, now, shared, effects);
    }

    /// A request that waited goes on.
    fn step(
        &mut self,
        id: RequestId,
        pending: Pending,
        judged: Option<Judgement>,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
    ) {
        match self.proceed(id, pending, judged, now, shared, effects) {
            Step::Decided(decision) => effects.decisions.push((id, decision)),
            Step::Await => {}
            Step::AwaitBody(head) => effects.awaiting_body.push((id, head)),
        }
    }

    /// Takes those requests further that wait for keys and that an event concerns.
    fn settle(
        &mut self,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        effects: &mut Effects,
        concerns: impl Fn(&Self, RequestId, &Waiting) -> bool,
    ) {
        let judged: Vec<_> = self
            .waiting
            .iter()
            .filter(|(id, waiting)| concerns(self, **id, waiting))
            .filter_map(|(id, waiting)| Some((*id, self.settled(*id, waiting, now)?)))
            .collect();
        for (id, judged) in judged {
            let Some(waiting) = self.waiting.remove(&id) else {
                continue;
            };
            let issuer = waiting.issuer_of_keys();
            let mut pending = waiting.pending;
            let judged = match judged {
                Ok(judged) => Some(judged),
                Err(reason) => {
                    pending
                        .keys_ended
                        .extend(issuer.map(|issuer| (issuer, reason)));
                    None
                }
            };
            self.step(id, pending, judged, now, shared, effects);
        }
    }

    /// What was found about a request that has waited for keys, or why there will be no more keys;
    /// `None` if it goes on waiting.
    fn settled(
        &self,
        id: RequestId,
        waiting: &Waiting,
        now: UnixMillis,
    ) -> Option<Result<Judgement, Reason>> {
        let Wait::Keys { joined, .. } = waiting.wait else {
            return None;
        };
        let judgement = self.judge(&waiting.pending, now);
        let Some(Needed::Keys {
            issuer, otherwise, ..
        }) = self.needed(&judgement, &waiting.pending, now)
        else {
            return Some(Ok(judgement));
        };
        let in_time = waiting.has_time(now);
        // The tick sees to those that joined a fetch.
        let may_be_newer = joined && otherwise == Reason::UnknownKey;
        if in_time && (may_be_newer || self.are_keys_expected(issuer, id, now)) {
            return None;
        }
        // Time ran out before the keys came: that is not the token's fault.
        Some(Err(match otherwise {
            Reason::UnknownKey if !in_time => Reason::KeysUnavailable,
            reason => reason,
        }))
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
            .filter_map(|waiting| match &mut waiting.wait {
                Wait::Keys { issuer: of, joined } if *of == issuer && *joined => Some(joined),
                _ => None,
            })
            .peekable();
        if joined.peek().is_none() || cache.is_expected(now) {
            return;
        }
        let wish = cache.wish(Need::NewerKeys(Cause::UnknownKey), true, now, shared);
        if wish == Wish::Join {
            return;
        }
        for joined in joined {
            *joined = false;
        }
        if let Wish::Fetch(url) = wish {
            self.fetch(issuer, Owner::Background, url, now, effects);
        }
    }

    fn are_keys_expected(&self, issuer: usize, id: RequestId, now: UnixMillis) -> bool {
        self.cache(issuer).is_some_and(|cache| {
            if self.abilities.wakes_requests {
                cache.is_expected(now)
            } else {
                cache.has_flight_of(Owner::Request(id))
            }
        })
    }

    /// Tells the log if a token was called inactive because of who asked.
    fn hint(
        &mut self,
        issuer: usize,
        id: Option<&RequestId>,
        now: UnixMillis,
        effects: &mut Effects,
    ) {
        let token = id.and_then(|id| self.waiting.get(id)?.pending.intake.credential());
        let own = self.settings.issuers.get(issuer);
        let (Some(token), Some(own)) = (token, own) else {
            return;
        };
        let Some(client) = own
            .client
            .as_ref()
            .filter(|_| self.hints.may_tell(&issuer, now))
        else {
            return;
        };
        let Some(audience) = audience_hint::of_others(token, &client.id, now) else {
            return;
        };
        self.hints.tells(issuer, now);
        let found = match audience {
            Audience::Others => "whose audience does not have",
            Audience::Unsaid => "that does not say whether it is for",
        };
        let text = format!(
            "{}: a token was called inactive {found} the client {:?}; if it should not be: Keycloak \
             calls good tokens so, too, for a client that is not in their audience; it needs an \
             audience mapper, or a role",
            own.iss, client.id
        );
        effects.log.push(LogLine {
            level: Level::Warn,
            text,
        });
    }
}
