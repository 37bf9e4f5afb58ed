//! What was signed for a caller, kept for its next requests: a signature costs more than all the
//! rest of a request.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::time::{Millis, UnixMillis};

const MAX_ENTRIES: usize = 2000;
/// Of the JWTs kept, in all.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// No entry counts for longer, whatever becomes of the clock.
const LONGEST: Millis = Millis::from_secs(86_400);

/// A JWT, once it is signed.
pub type Slot = Rc<RefCell<Option<String>>>;

/// By what a JWT depends on.
#[derive(Debug, Default)]
pub struct Reuse {
    entries: BTreeMap<[u8; 32], Entry>,
    /// The oldest first, by their numbers; one that was replaced stands here once more.
    order: VecDeque<(u64, [u8; 32])>,
    /// Of all entries but the last, which is signed after it was put here.
    bytes: usize,
    last: Option<[u8; 32]>,
    last_number: u64,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    since: UnixMillis,
    until: UnixMillis,
    number: u64,
    bytes: usize,
}

impl Reuse {
    /// One that is signed and counts now.
    #[must_use]
    pub fn find(&self, of: &[u8; 32], now: UnixMillis) -> Option<String> {
        let entry = self.entries.get(of)?;
        // Not before it was made, either: with a clock that was put back it is not valid yet.
        let counts = entry.since <= now && entry.until.is_ahead(now, LONGEST);
        counts.then(|| entry.slot.borrow().clone()).flatten()
    }

    /// Keeps one that is about to be signed.
    pub fn keep(&mut self, of: [u8; 32], slot: Slot, since: UnixMillis, until: UnixMillis) {
        self.weigh_last();
        let number = self.next_number();
        let entry = Entry {
            slot,
            since,
            until,
            number,
            bytes: 0,
        };
        if let Some(before) = self.entries.insert(of, entry) {
            self.bytes = self.bytes.saturating_sub(before.bytes);
        }
        self.order.push_back((number, of));
        self.last = Some(of);
        while self.entries.len() > MAX_ENTRIES
            || self.bytes > MAX_BYTES
            || self.order.len() > MAX_ENTRIES.saturating_mul(2)
        {
            let Some((number, of)) = self.order.pop_front() else {
                break;
            };
            if self
                .entries
                .get(&of)
                .is_some_and(|entry| entry.number == number)
                && let Some(entry) = self.entries.remove(&of)
            {
                self.bytes = self.bytes.saturating_sub(entry.bytes);
            }
        }
    }

    /// A number that no other JWT of this configuration has in this worker.
    pub fn next_number(&mut self) -> u64 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }

    fn weigh_last(&mut self) {
        let last = self.last.take().and_then(|of| self.entries.get_mut(&of));
        if let Some(entry) = last {
            entry.bytes = entry.slot.borrow().as_ref().map_or(0, String::len);
            self.bytes = self.bytes.saturating_add(entry.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn key(number: usize) -> [u8; 32] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    fn keep(reuse: &mut Reuse, number: usize, length: usize) {
        let slot = Slot::default();
        let until = NOW.plus(Millis::from_secs(30));
        reuse.keep(key(number), Rc::clone(&slot), NOW, until);
        slot.replace(Some("x".repeat(length)));
    }

    fn has(reuse: &Reuse, number: usize) -> bool {
        reuse.find(&key(number), NOW).is_some()
    }

    #[test]
    fn what_is_kept_is_bounded_in_octets() {
        let mut reuse = Reuse::default();
        for number in 0..10 {
            keep(&mut reuse, number, MAX_BYTES / 4);
        }
        let kept: Vec<_> = (0..10).filter(|number| has(&reuse, *number)).collect();
        assert_eq!(kept, [5, 6, 7, 8, 9], "the last is not weighed yet");
    }

    #[test]
    fn one_that_was_renewed_is_no_longer_the_oldest() {
        let mut reuse = Reuse::default();
        for number in 0..MAX_ENTRIES {
            keep(&mut reuse, number, 1);
        }
        keep(&mut reuse, 0, 1);
        keep(&mut reuse, MAX_ENTRIES, 1);
        assert!(has(&reuse, 0) && !has(&reuse, 1) && has(&reuse, 2));
    }

    #[test]
    fn renewing_takes_no_more_room() {
        let mut reuse = Reuse::default();
        for _ in 0..MAX_ENTRIES * 5 {
            keep(&mut reuse, 1, 1000);
        }
        assert!(reuse.order.len() <= MAX_ENTRIES * 2 && reuse.bytes <= 2000);
        assert!(has(&reuse, 1));
    }
}
