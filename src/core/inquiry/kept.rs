//! Answers that may count again.

use std::rc::Rc;

use super::question::{Finding, Inquiry, Question};
use crate::bounded::{Bounded, Bounds, Key};
use crate::time::{Millis, UnixMillis};

/// Answers that say what a token says. They are weighed as what they take in memory, about.
const ACTIVE: Bounds = Bounds {
    entries: 5000,
    bytes: 16 * 1024 * 1024,
};
/// What a parsed answer takes, for each octet of its text.
const BYTES_PER_OCTET: usize = 4;
/// Answers that are a word. Those that anybody can cause are kept apart, so that they push no other
/// out.
const WORDS: Bounds = Bounds {
    entries: 5000,
    bytes: usize::MAX,
};

#[derive(Debug)]
pub struct Kept {
    active: Bounded<Answer>,
    inactive: Bounded<Answer>,
    decisions: Bounded<Answer>,
}

#[derive(Debug)]
struct Answer {
    finding: Rc<Finding>,
    /// When it was asked for: what it says may be as old.
    at: UnixMillis,
    /// When the token ends.
    until: UnixMillis,
    /// A digest of the token.
    token: Key,
    /// A digest of its session.
    session: Option<Key>,
}

/// What an answer is about.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub token: Key,
    pub session: Option<Key>,
    pub expires: Option<UnixMillis>,
    /// Of its text.
    pub octets: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            active: Bounded::new(ACTIVE),
            inactive: Bounded::new(WORDS),
            decisions: Bounded::new(WORDS),
        }
    }
}

impl Kept {
    /// An answer to this question that is as young as is asked for.
    #[must_use]
    pub fn find(&self, key: &Key, inquiry: &Inquiry, now: UnixMillis) -> Option<Rc<Finding>> {
        let answers = match inquiry.question {
            Question::Introspection { .. } => [&self.active, &self.inactive],
            Question::Decision { .. } => [&self.decisions, &self.inactive],
            Question::Ticket { .. } => return None,
        };
        let answers = answers.into_iter().filter_map(|answers| answers.get(key));
        let counts = |answer: &&Answer| {
            let max_age = max_age(&answer.finding, inquiry);
            answer.at.is_recent(now, max_age) && now < answer.until
        };
        let answer = answers.filter(counts).max_by_key(|answer| answer.at)?;
        Some(Rc::clone(&answer.finding))
    }

    /// Keeps an answer, if it may be used again. What is learnt of a token's end counts at once for
    /// all that was known of it, and of its session.
    pub fn keep(
        &mut self,
        key: Key,
        finding: &Rc<Finding>,
        inquiry: &Inquiry,
        about: About,
        at: UnixMillis,
    ) {
        let answers = match **finding {
            Finding::Active(_) => &mut self.active,
            Finding::Granted | Finding::Denied => &mut self.decisions,
            Finding::Inactive => {
                self.forget_token(&key, &inquiry.question, about.token);
                &mut self.inactive
            }
            Finding::Ticket(_) | Finding::Unavailable => return,
        };
        if max_age(finding, inquiry) == Millis(0) {
            answers.remove(&key);
            return;
        }
        let answer = Answer {
            finding: Rc::clone(finding),
            at,
            until: about.expires.unwrap_or(UnixMillis(i64::MAX)),
            token: about.token,
            session: about.session,
        };
        let bytes = about.octets.saturating_mul(BYTES_PER_OCTET);
        answers.insert(key, answer, bytes);
    }

    pub fn forget(&mut self, key: &Key) {
        self.active.remove(key);
    }

    /// Looks at all that is kept only if the token was known to be good: garbage costs nothing here.
    fn forget_token(&mut self, key: &Key, question: &Question, token: Key) {
        let known = self.active.remove(key);
        let was_good = known.is_some() || matches!(question, Question::Decision { .. });
        if !was_good {
            return;
        }
        let session = known.and_then(|answer| answer.session);
        let is_other = |answer: &Answer| {
            answer.token != token && (session.is_none() || answer.session != session)
        };
        self.active.retain(is_other);
        self.decisions.retain(is_other);
    }
}

fn max_age(finding: &Finding, inquiry: &Inquiry) -> Millis {
    match finding {
        Finding::Active(_) | Finding::Granted => inquiry.max_age,
        _ => inquiry.negative_max_age,
    }
}
