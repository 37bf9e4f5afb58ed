//! Answers that may count again.

use std::rc::Rc;

use super::question::{Finding, Inquiry, Question, prefix_of};
use crate::bounded::{Bounded, Bounds, Key};
use crate::time::{Millis, UnixMillis};

/// Answers that say what a token says. They are weighed by what they take in memory, about.
const ACTIVE: Bounds = Bounds {
    entries: 5000,
    bytes: 16 * 1024 * 1024,
};
/// Answers that are a word. Those that refuse, which anybody can cause, are kept apart, so that they
/// push no other out.
const WORDS: Bounds = Bounds {
    entries: 5000,
    bytes: usize::MAX,
};

#[derive(Debug)]
pub struct Kept {
    active: Bounded<Answer>,
    granted: Bounded<Answer>,
    refusals: Bounded<Answer>,
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
    /// What it takes in memory, about.
    pub bytes: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            active: Bounded::new(ACTIVE),
            granted: Bounded::new(WORDS),
            refusals: Bounded::new(WORDS),
        }
    }
}

impl Kept {
    /// An answer to this question that is as young as is asked for.
    #[must_use]
    pub fn find(&self, key: &Key, inquiry: &Inquiry, now: UnixMillis) -> Option<Rc<Finding>> {
        let answers = match inquiry.question {
            Question::Introspection { .. } => [&self.active, &self.refusals],
            Question::Decision { .. } => [&self.granted, &self.refusals],
            Question::Ticket { .. } => return None,
        };
        let mut answers = answers.into_iter().filter_map(|answers| answers.get(key));
        let counts = |answer: &&Answer| {
            let max_age = max_age(&answer.finding, inquiry);
            answer.at.is_recent(now, max_age) && now < answer.until
        };
        Some(Rc::clone(&answers.find(counts)?.finding))
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
        if matches!(
            **finding,
            Finding::Ticket(_) | Finding::Unavailable | Finding::Unusable
        ) {
            return;
        }
        if matches!(**finding, Finding::Inactive) {
            self.forget_token(about.token);
        }
        // Where each request asks for itself, an answer may be overtaken by a newer one.
        let all = [&self.active, &self.granted, &self.refusals];
        let is_newer = |answers: &&Bounded<Answer>| {
            let known = answers.get(&key);
            known.is_some_and(|known| known.at > at)
        };
        if all.iter().any(is_newer) {
            return;
        }
        // No older answer counts beside it.
        for answers in [&mut self.active, &mut self.granted, &mut self.refusals] {
            answers.remove(&key);
        }
        let answers = match **finding {
            Finding::Active(_) => &mut self.active,
            Finding::Granted => &mut self.granted,
            _ => &mut self.refusals,
        };
        if max_age(finding, inquiry) == Millis(0) {
            return;
        }
        let answer = Answer {
            finding: Rc::clone(finding),
            at,
            until: about.expires.unwrap_or(UnixMillis(i64::MAX)),
            token: about.token,
            session: about.session,
        };
        answers.insert(key, answer, about.bytes);
    }

    pub fn forget(&mut self, key: &Key) {
        self.active.remove(key);
    }

    /// Garbage costs nothing here; all that is kept is looked at only for a session that was known.
    fn forget_token(&mut self, token: Key) {
        let known = self.active.remove_all(prefix_of(&token));
        self.granted.remove_all(prefix_of(&token));
        let Some(session) = known.into_iter().find_map(|answer| answer.session) else {
            return;
        };
        let others = self
            .active
            .remove_if(|answer| answer.session == Some(session));
        for other in others {
            self.granted.remove_all(prefix_of(&other.token));
        }
    }
}

fn max_age(finding: &Finding, inquiry: &Inquiry) -> Millis {
    match finding {
        Finding::Active(_) | Finding::Granted => inquiry.max_age,
        _ => inquiry.negative_max_age,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::permission::{AskedPermission, Permission};

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn inquiry(resource: &str) -> Inquiry {
        let permission = Permission::parse(resource).unwrap();
        let by_uri = false;
        Inquiry {
            question: Question::Decision {
                issuer: 0,
                resource_server: "orders".into(),
                asked: AskedPermission { permission, by_uri },
                claims: None,
            },
            max_age: Millis::from_secs(30),
            negative_max_age: Millis::from_secs(10),
        }
    }

    fn key(number: u32) -> Key {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        key
    }

    fn keep(kept: &mut Kept, number: u32, finding: Finding, at: UnixMillis) {
        let about = About {
            token: [7; 32],
            session: None,
            expires: None,
            bytes: 20,
        };
        kept.keep(key(number), &Rc::new(finding), &inquiry("a"), about, at);
    }

    fn found(kept: &Kept, number: u32, now: UnixMillis) -> Option<bool> {
        let finding = kept.find(&key(number), &inquiry("a"), now)?;
        Some(matches!(*finding, Finding::Granted))
    }

    #[test]
    fn refusals_push_nothing_else_out() {
        let mut kept = Kept::default();
        keep(&mut kept, 0, Finding::Granted, NOW);
        for number in 1..10_000 {
            keep(&mut kept, number, Finding::Denied, NOW);
        }
        assert_eq!(found(&kept, 0, NOW), Some(true));
        assert_eq!(found(&kept, 1, NOW), None);
        assert_eq!(found(&kept, 9_999, NOW), Some(false));
    }

    #[test]
    fn an_answer_that_was_overtaken_does_not_count() {
        let mut kept = Kept::default();
        let later = NOW.plus(Millis::from_secs(1));
        keep(&mut kept, 0, Finding::Denied, later);
        keep(&mut kept, 0, Finding::Granted, NOW);
        assert_eq!(found(&kept, 0, later), Some(false));
    }

    #[test]
    fn the_last_answer_counts_alone() {
        let mut kept = Kept::default();
        let later = NOW.plus(Millis::from_secs(1));
        keep(&mut kept, 0, Finding::Granted, NOW);
        keep(&mut kept, 0, Finding::Denied, later);
        assert_eq!(found(&kept, 0, later), Some(false));
        // The denial ends sooner, and does not bring back what it ended.
        assert_eq!(found(&kept, 0, NOW.plus(Millis::from_secs(15))), None);
        keep(&mut kept, 0, Finding::Granted, later);
        assert_eq!(found(&kept, 0, later), Some(true));
    }
}
