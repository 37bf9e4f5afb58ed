//! Tokens whose signature was found good, kept so that none is read or verified twice, with what was
//! decided about them.
//!
//! What is kept counts only as long as all that it stands on: the very key that verified it must still
//! be its issuer's and valid, and the token in force, at each request. It goes with the configuration
//! that it is of.

use std::cell::RefCell;
use std::rc::Rc;

use crate::authorization::Permit;
use crate::bounded::{Bounded, Bounds, Key, Numbers};
use crate::caller::Told;
use crate::caller::consumers::Consumer;
use crate::claims::VerifiedClaims;
use crate::jose::algorithm::Algorithm;
use crate::jose::header::Header;
use crate::jose::key::VerificationKey;
use crate::time::{Millis, UnixMillis};
use crate::times::Times;

/// A token and its claims take less than this, most of them.
const BYTES_EACH: usize = 4096;

/// Good tokens that were refused all the same, for another audience or past their end: clients send
/// them again and again. They have a place of their own and push nothing else out.
const REFUSED: Bounds = Bounds {
    entries: 500,
    bytes: 2 * 1024 * 1024,
};

/// So long it takes to look through all that is kept for what can go. Nothing counts because it is
/// kept, so that this is about room alone.
const ROUND: Millis = Millis::from_secs(30);

/// Of the decisions about one token. Rules that differ may each have one.
const MAX_DECISIONS: usize = 16;

/// A token whose signature is good.
#[derive(Debug)]
pub struct VerifiedToken {
    pub text: Box<str>,
    /// The issuer's index.
    pub issuer: usize,
    pub alg: Algorithm,
    pub header: Rc<Header>,
    /// The one that made its signature.
    pub key: Rc<VerificationKey>,
    pub claims: VerifiedClaims,
    permitted: RefCell<Vec<(Place, Rc<Permitted>)>>,
}

/// Where a decision was made: what is required there is the configuration's, and never changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The policy's number.
    pub policy: usize,
    /// The index of its rule, if it has rules.
    pub rule: Option<usize>,
}

/// That a token may pass at a [`Place`] for as long as it is in force, and what goes along.
#[derive(Debug)]
pub struct Permitted {
    pub permit: Permit,
    pub issuer: usize,
    /// As its claims say. They are in memory that a request with a known token needs nothing else of.
    pub times: Times,
    pub consumer: Option<Rc<Consumer>>,
    pub told: Rc<Told>,
    /// How the decision came about, where the log is to have it.
    pub line: Option<Rc<str>>,
}

impl Permitted {
    fn bytes(&self) -> usize {
        const REST: usize = 300;
        let line = self.line.as_ref().map_or(0, |line| line.len());
        self.told.bytes().saturating_add(line).saturating_add(REST)
    }
}

impl VerifiedToken {
    #[must_use]
    pub fn new(
        text: &str,
        issuer: usize,
        (alg, header): (Algorithm, Rc<Header>),
        key: Rc<VerificationKey>,
        claims: VerifiedClaims,
    ) -> Self {
        Self {
            text: text.into(),
            issuer,
            alg,
            header,
            key,
            claims,
            permitted: RefCell::default(),
        }
    }

    /// What was decided about it there.
    #[must_use]
    pub fn permitted(&self, at: Place) -> Option<Rc<Permitted>> {
        let permitted = self.permitted.try_borrow().ok()?;
        let (_, found) = permitted.iter().find(|(place, _)| *place == at)?;
        Some(Rc::clone(found))
    }

    /// Keeps what was decided about it there.
    pub fn permit(&self, at: Place, decision: Rc<Permitted>) {
        if let Ok(mut permitted) = self.permitted.try_borrow_mut() {
            permitted.retain(|(place, _)| *place != at);
            if permitted.len() < MAX_DECISIONS {
                permitted.push((at, decision));
            }
        }
    }

    /// What it takes in memory, about.
    fn bytes(&self) -> usize {
        const REST: usize = 400;
        let own = self.text.len().saturating_add(self.claims.bytes());
        let own = own.saturating_add(REST);
        let Ok(permitted) = self.permitted.try_borrow() else {
            return own;
        };
        let decisions = permitted.iter().map(|(_, permitted)| permitted.bytes());
        decisions.fold(own, usize::saturating_add)
    }
}

/// So many of them; the oldest that nobody sent again goes first.
#[derive(Debug)]
pub struct VerifiedTokens {
    admitted: Bounded<Rc<VerifiedToken>>,
    refused: Bounded<Rc<VerifiedToken>>,
    /// When they were last looked through, and how far in either.
    looked_at: UnixMillis,
    looked_to: [Option<Numbers>; 2],
}

impl VerifiedTokens {
    /// Keeps `size` tokens that were let through; none at all if that is zero.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let admitted = Bounds {
            entries: size,
            bytes: size.saturating_mul(BYTES_EACH),
        };
        let refused = Bounds {
            entries: REFUSED.entries.min(size),
            ..REFUSED
        };
        Self {
            admitted: Bounded::new(admitted),
            refused: Bounded::new(refused),
            looked_at: UnixMillis::default(),
            looked_to: [None; 2],
        }
    }

    /// A token of exactly this text.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<Rc<VerifiedToken>> {
        let key = key_of(text)?;
        let is_it = |found: &&Rc<VerifiedToken>| is_same(found.text.as_bytes(), text);
        let mut places = [&self.admitted, &self.refused].into_iter();
        places
            .find_map(|kept| kept.recall(&key).filter(is_it))
            .cloned()
    }

    /// Keeps one that was let through.
    pub fn admitted(&mut self, token: &Rc<VerifiedToken>) {
        if let Some(key) = key_of(token.text.as_bytes()) {
            self.refused.remove(&key);
            keep(&mut self.admitted, key, token);
        }
    }

    /// Keeps one that was not, unless it was let through elsewhere.
    pub fn refused(&mut self, token: &Rc<VerifiedToken>) {
        if let Some(key) = key_of(token.text.as_bytes()) {
            let is_it = |kept: &Rc<VerifiedToken>| Rc::ptr_eq(kept, token);
            if self.admitted.get(&key).is_some_and(is_it) {
                self.admitted.weigh(&key, token.bytes());
            } else {
                keep(&mut self.refused, key, token);
            }
        }
    }

    /// Drops those that do not count any more, and of those that were let through what has ended. Of the
    /// others, that may be why they were refused.
    ///
    /// It looks at as many as the time since the last one asks for: thousands at once would keep
    /// requests waiting for tens of milliseconds.
    pub fn tidy(
        &mut self,
        now: UnixMillis,
        counts: impl Fn(&VerifiedToken) -> bool,
        has_ended: impl Fn(&VerifiedToken) -> bool,
    ) {
        let since = now.since(self.looked_at).min(ROUND);
        self.looked_at = now;
        let share = |of: &Bounded<_>| {
            let size = of.most_entries();
            let share = (size as u64).saturating_mul(since.0.into());
            usize::try_from(share.div_ceil(u64::from(ROUND.0))).unwrap_or(size)
        };
        let [admitted, refused] = &mut self.looked_to;
        *admitted = self
            .admitted
            .remove_next(*admitted, share(&self.admitted), |token| {
                !counts(token) || has_ended(token)
            });
        *refused = self
            .refused
            .remove_next(*refused, share(&self.refused), |token| !counts(token));
    }
}

/// Whether two texts are the same. In WebAssembly a comparison by the C library's function, which
/// goes from octet to octet, takes as long for a token as all the rest of finding it.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (ones, one_rest) = one.as_chunks::<16>();
    let (others, other_rest) = other.as_chunks::<16>();
    let difference = |(one, other): (&[u8; 16], &[u8; 16])| {
        u128::from_ne_bytes(*one) ^ u128::from_ne_bytes(*other)
    };
    let differences = ones.iter().zip(others).map(difference);
    one.len() == other.len()
        && differences.fold(0, |all, each| all | each) == 0
        && one_rest == other_rest
}

/// More of it may have been parsed and decided since it was put there.
fn keep(kept: &mut Bounded<Rc<VerifiedToken>>, key: Key, token: &Rc<VerifiedToken>) {
    if kept.get(&key).is_some_and(|kept| Rc::ptr_eq(kept, token)) {
        kept.weigh(&key, token.bytes());
    } else {
        kept.insert(key, Rc::clone(token), token.bytes());
    }
}

/// The end of a token stands for all of it where it is looked for, and nowhere else: it is part of the
/// signature, which nobody but the issuer can choose. Hashing all of it would take longer than all the
/// rest of a decision about a token that is known.
fn key_of(text: &[u8]) -> Option<Key> {
    text.last_chunk().copied()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use serde_json::json;

    fn token(number: usize) -> Rc<VerifiedToken> {
        let secret = vec![7; 32];
        let key = VerificationKey::from_secret(secret, None, Some(Algorithm::Hs256)).unwrap();
        let claims = json!({"jti": number});
        let claims = Rc::new(claims.as_object().unwrap().clone().into());
        let text = format!("{}.{number:0>86}", "x".repeat(500));
        let claims = VerifiedClaims::introspected(claims, None, 0);
        let header = Header {
            alg: "HS256".to_owned(),
            kid: None,
            typ: None,
        };
        let named = (Algorithm::Hs256, Rc::new(header));
        Rc::new(VerifiedToken::new(&text, 0, named, Rc::new(key), claims))
    }

    fn has(tokens: &VerifiedTokens, number: usize) -> bool {
        tokens.find(token(number).text.as_bytes()).is_some()
    }

    #[test]
    fn refused_ones_push_no_other_out() {
        let mut tokens = VerifiedTokens::new(10);
        for number in 0..10 {
            tokens.admitted(&token(number));
        }
        for number in 10..3000 {
            tokens.refused(&token(number));
        }
        assert!((0..10).all(|number| has(&tokens, number)));
        assert!(!has(&tokens, 10) && has(&tokens, 2999));
        // One that is let through later is one of the others.
        tokens.admitted(&token(2999));
        for number in 10..3000 {
            tokens.refused(&token(number));
        }
        assert!(has(&tokens, 2999));
    }

    #[test]
    fn those_that_come_once_push_none_out_that_comes_again() {
        let mut tokens = VerifiedTokens::new(100);
        tokens.admitted(&token(0));
        for number in 1..1000 {
            assert!(has(&tokens, 0), "{number}");
            tokens.admitted(&token(number));
        }
        assert!(!has(&tokens, 800));
    }

    #[test]
    fn those_that_come_again_do_not_keep_new_ones_out() {
        let mut tokens = VerifiedTokens::new(500);
        for number in 0..850 {
            tokens.admitted(&token(number));
            assert!(has(&tokens, number));
        }
        // Clients go on with new ones.
        for number in (1000..1200).chain(1000..1200) {
            if !has(&tokens, number) {
                tokens.admitted(&token(number));
            }
        }
        assert!((1000..1200).all(|number| has(&tokens, number)));
    }

    #[test]
    fn none_is_kept_where_there_is_no_room() {
        let mut tokens = VerifiedTokens::new(0);
        tokens.admitted(&token(0));
        tokens.refused(&token(1));
        assert!(!has(&tokens, 0) && !has(&tokens, 1));
    }

    #[test]
    fn it_is_the_whole_text_that_counts() {
        let mut tokens = VerifiedTokens::new(10);
        let kept = token(0);
        tokens.admitted(&kept);
        let mut other = kept.text.to_string();
        other.replace_range(0..1, "y");
        assert!(tokens.find(kept.text.as_bytes()).is_some());
        assert!(tokens.find(other.as_bytes()).is_none());
        assert!(tokens.find(&kept.text.as_bytes()[1..]).is_none());
        assert!(
            tokens
                .find(&kept.text.as_bytes()[kept.text.len() - 32..])
                .is_none()
        );
        for at in 0..kept.text.len() {
            let mut other = kept.text.to_string();
            other.replace_range(at..=at, "~");
            assert!(tokens.find(other.as_bytes()).is_none(), "{at}");
        }
        assert!(tokens.find(b"short").is_none() && tokens.find(b"").is_none());
    }

    #[test]
    fn texts_are_the_same_to_the_last_octet() {
        for length in 0..=50 {
            let one = vec![b'a'; length];
            assert!(is_same(&one, &one));
            for at in 0..length {
                let mut other = one.clone();
                other[at] = b'b';
                assert!(!is_same(&one, &other), "{at} of {length}");
                assert!(!is_same(&one, &one[..at]) && !is_same(&one[..at], &one));
            }
        }
    }

    #[test]
    fn what_has_ended_goes_and_what_was_refused_stays() {
        let mut tokens = VerifiedTokens::new(10);
        for number in 0..4 {
            tokens.admitted(&token(number));
            tokens.refused(&token(number + 4));
        }
        let number = |token: &VerifiedToken| token.text.chars().last().unwrap();
        tokens.tidy(
            UnixMillis(1_790_000_000_000),
            |token| number(token) != '0' && number(token) != '4',
            |token| number(token) != '1',
        );
        let left: Vec<_> = (0..8).filter(|number| has(&tokens, *number)).collect();
        assert_eq!(left, [1, 5, 6, 7]);
    }

    #[test]
    fn all_are_looked_through_in_half_a_minute_and_few_at_a_time() {
        let mut tokens = VerifiedTokens::new(1200);
        for number in 0..1200 {
            tokens.admitted(&token(number));
        }
        let mut now = UnixMillis(1_790_000_000_000);
        tokens.tidy(now, |_| true, |_| false);
        // In the first of them it turns out that the round before was whole.
        for _ in 0..121 {
            now = now.plus(Millis(250));
            let looked_at = Cell::new(0);
            let has_ended = |_: &VerifiedToken| {
                looked_at.set(looked_at.get() + 1);
                true
            };
            tokens.tidy(now, |_| true, has_ended);
            assert!(looked_at.get() <= 10);
        }
        assert!((0..1200).all(|number| !has(&tokens, number)));
    }
}
