//! Keeps an endpoint that does not answer from being asked by every request.

use crate::time::{Millis, UnixMillis};

/// So many failures in a row open it.
const FAILURES: u32 = 3;
/// It stays open so long at first, and twice as long with every failure.
const FIRST_PAUSE: Millis = Millis::from_secs(1);
const LAST_PAUSE: Millis = Millis::from_secs(30);

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Breaker {
    failures: u32,
    open_until: UnixMillis,
    /// The last failure was that nothing answered.
    is_silent: bool,
}

impl Breaker {
    /// Whether a call may be sent while `others` are under way. After a pause one tries.
    #[must_use]
    pub fn lets_pass(&self, others: usize, now: UnixMillis) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        self.pause(now).is_none() && others == 0
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A call failed; `is_silent` says whether nothing answered.
    pub fn failed(&mut self, is_silent: bool, now: UnixMillis) {
        self.is_silent = is_silent;
        // Of calls that were under way when it opened: they say nothing new.
        if self.pause(now).is_some() {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let Some(doublings) = self.failures.checked_sub(FAILURES) else {
            return;
        };
        let pause = (0..doublings.min(8)).fold(FIRST_PAUSE, |pause, _| pause.doubled());
        self.open_until = now.plus(pause.min(LAST_PAUSE));
    }

    /// Whether nothing is asked because nothing answers.
    #[must_use]
    pub fn is_outage(&self, now: UnixMillis) -> bool {
        self.is_silent && self.failures >= FAILURES && now < self.open_until.plus(LAST_PAUSE)
    }

    /// For how long nothing is asked.
    #[must_use]
    pub fn pause(&self, now: UnixMillis) -> Option<Millis> {
        let is_open = self.failures >= FAILURES && self.open_until.is_ahead(now, LAST_PAUSE);
        is_open.then(|| self.open_until.since(now))
    }

    /// When it is worth while to try again.
    #[must_use]
    pub fn retry_after(&self, now: UnixMillis) -> Millis {
        self.open_until.since(now).max(FIRST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn at(millis: u32) -> UnixMillis {
        NOW.plus(Millis(millis))
    }

    #[test]
    fn three_failures_open_it_for_a_second_then_one_tries() {
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            breaker.failed(true, NOW);
            assert!(breaker.lets_pass(7, NOW));
        }
        breaker.failed(true, NOW);
        assert!(!breaker.lets_pass(0, NOW) && !breaker.lets_pass(0, at(999)));
        assert!(breaker.lets_pass(0, at(1000)) && !breaker.lets_pass(1, at(1000)));
        assert_eq!(breaker.retry_after(NOW), Millis(1000));
        breaker.succeeded();
        assert!(breaker.lets_pass(7, NOW));
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(true, NOW);
        }
        let mut now = NOW.plus(Millis(1000));
        for pause in [2000, 4000, 8000, 16_000, 30_000, 30_000] {
            for _ in 0..100 {
                breaker.failed(true, now);
            }
            assert_eq!(breaker.retry_after(now), Millis(pause));
            assert!(!breaker.lets_pass(0, now.plus(Millis(pause - 1))));
            now = now.plus(Millis(pause));
            assert!(breaker.lets_pass(0, now));
        }
    }

    #[test]
    fn a_clock_that_is_put_back_does_not_keep_it_open() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(true, NOW);
        }
        assert!(breaker.lets_pass(0, UnixMillis(0)));
    }
}
