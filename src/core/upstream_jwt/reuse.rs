//! What was signed for a caller, kept for its next requests: a signature costs more than all the
//! rest of a request.

use std::cell::RefCell;
use std::rc::Rc;

use crate::bounded::{Bounded, Bounds, Key};
use crate::time::{Millis, UnixMillis};

const BOUNDS: Bounds = Bounds {
    entries: 2000,
    bytes: 4 * 1024 * 1024,
};
/// No entry counts for longer, whatever becomes of the clock.
const LONGEST: Millis = Millis::from_secs(86_400);

/// A JWT, once it is signed.
pub type Slot = Rc<RefCell<Option<String>>>;

/// By what a JWT depends on.
#[derive(Debug)]
pub struct Reuse {
    kept: Bounded<Kept>,
    /// It is signed after it was put here.
    last: Option<Key>,
    last_number: u64,
}

#[derive(Debug)]
struct Kept {
    slot: Slot,
    since: UnixMillis,
    until: UnixMillis,
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            kept: Bounded::new(BOUNDS),
            last: None,
            last_number: 0,
        }
    }
}

impl Reuse {
    /// One that is signed and counts now.
    #[must_use]
    pub fn find(&self, of: &Key, now: UnixMillis) -> Option<String> {
        let kept = self.kept.get(of)?;
        // Not before it was made, either: with a clock that was put back it is not valid yet.
        let counts = kept.since <= now && kept.until.is_ahead(now, LONGEST);
        counts.then(|| kept.slot.borrow().clone()).flatten()
    }

    /// Keeps one that is about to be signed.
    pub fn keep(&mut self, of: Key, slot: Slot, since: UnixMillis, until: UnixMillis) {
        self.weigh_last();
        let kept = Kept { slot, since, until };
        self.kept.insert(of, kept, 0);
        self.last = Some(of);
    }

    /// A number that no other JWT of this configuration has in this worker.
    pub fn next_number(&mut self) -> u64 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }

    fn weigh_last(&mut self) {
        let Some(last) = self.last.take() else { return };
        if let Some(kept) = self.kept.get(&last) {
            let bytes = kept.slot.borrow().as_ref().map_or(0, String::len);
            self.kept.weigh(&last, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn key(number: u8) -> Key {
        [number; 32]
    }

    fn keep(reuse: &mut Reuse, number: u8, length: usize) {
        let slot = Slot::default();
        let until = NOW.plus(Millis::from_secs(30));
        reuse.keep(key(number), Rc::clone(&slot), NOW, until);
        slot.replace(Some("x".repeat(length)));
    }

    #[test]
    fn what_is_kept_is_bounded_in_octets() {
        let mut reuse = Reuse::default();
        for number in 0..10 {
            keep(&mut reuse, number, BOUNDS.bytes / 4);
        }
        let has = |number: &u8| reuse.find(&key(*number), NOW).is_some();
        let kept: Vec<_> = (0..10).filter(has).collect();
        assert_eq!(kept, [5, 6, 7, 8, 9], "the last is not weighed yet");
    }
}
