//! What was signed for a caller, kept for its next requests: a signature costs more than all the
//! rest of a request.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::time::{Millis, UnixMillis};

const MAX_ENTRIES: usize = 2000;
/// Of the JWTs kept, in all.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Longer than any entry may count, so that a clock that is put back does not keep them for good.
const LONGEST: Millis = Millis::from_secs(86_400);

/// A JWT, once it is signed.
pub type Slot = Rc<RefCell<Option<String>>>;

/// By what a JWT depends on.
#[derive(Debug, Default)]
pub struct Reuse {
    entries: BTreeMap<[u8; 32], Entry>,
    /// The oldest first; some may be gone or replaced.
    order: VecDeque<[u8; 32]>,
    last_number: u64,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    until: UnixMillis,
}

impl Reuse {
    /// One that is signed and still counts.
    #[must_use]
    pub fn find(&self, of: &[u8; 32], now: UnixMillis) -> Option<String> {
        let entry = self.entries.get(of)?;
        let counts = entry.until.is_ahead(now, LONGEST);
        counts.then(|| entry.slot.borrow().clone()).flatten()
    }

    /// Keeps one that is about to be signed.
    pub fn keep(&mut self, of: [u8; 32], slot: Slot, now: UnixMillis, until: UnixMillis) {
        if self.entries.insert(of, Entry { slot, until }).is_none() {
            self.order.push_back(of);
        }
        let is_full = |this: &Self| this.entries.len() > MAX_ENTRIES || this.bytes() > MAX_BYTES;
        while is_full(self) && !self.order.is_empty() {
            self.make_room(now);
        }
    }

    /// A number that no other JWT of this configuration has in this worker.
    pub fn next_number(&mut self) -> u64 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }

    /// Without those that are over, or else without the oldest.
    fn make_room(&mut self, now: UnixMillis) {
        let before = self.entries.len();
        self.entries
            .retain(|_, entry| entry.until.is_ahead(now, LONGEST));
        if self.entries.len() == before
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        let entries = &self.entries;
        self.order.retain(|of| entries.contains_key(of));
    }

    fn bytes(&self) -> usize {
        let length = |entry: &Entry| entry.slot.borrow().as_ref().map_or(0, String::len);
        self.entries.values().map(length).sum()
    }
}
