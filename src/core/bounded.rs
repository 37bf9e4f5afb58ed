//! A map that never grows beyond its bounds: what came first goes first.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// What something is kept under: a digest.
pub type Key = [u8; 32];

/// The same in the same order: four numbers are compared sooner than 32 octets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Numbers([u64; 4]);

impl From<&Key> for Numbers {
    fn from(key: &Key) -> Self {
        let (octets, _) = key.as_chunks::<8>();
        let mut octets = octets.iter();
        let mut next = || {
            octets
                .next()
                .map_or(0, |octets| u64::from_be_bytes(*octets))
        };
        Self(std::array::from_fn(|_| next()))
    }
}

/// At most so many entries, and so many octets of them in all.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub entries: usize,
    pub bytes: usize,
}

/// The second chance algorithm with one more: what is asked for again and again stays, and what is new
/// has the time to be.
const NEW: u8 = 1;
const WANTED: u8 = 2;

/// So many are passed over for one that comes, at most: that takes a millisecond. Where more are kept, and
/// all are wanted, one of them goes.
const MOST_PASSED_OVER: u16 = 10_000;

#[derive(Debug)]
pub struct Bounded<V> {
    bounds: Bounds,
    entries: BTreeMap<Numbers, Entry<V>>,
    /// The oldest first, by their numbers; one that was replaced or removed stands here still.
    order: VecDeque<(u64, Numbers)>,
    bytes: usize,
    last_number: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    number: u64,
    bytes: usize,
    /// So often it is passed over where room is looked for.
    lives: Cell<u8>,
}

impl<V> Bounded<V> {
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            last_number: 0,
        }
    }

    #[must_use]
    pub fn most_entries(&self) -> usize {
        self.bounds.entries
    }

    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&V> {
        self.entries.get(&key.into()).map(|entry| &entry.value)
    }

    /// The same, and what is asked for so outlives the next round: room is made at the cost of those
    /// that nobody asked for.
    #[must_use]
    pub fn recall(&self, key: &Key) -> Option<&V> {
        let entry = self.entries.get(&key.into())?;
        entry.lives.set(WANTED);
        Some(&entry.value)
    }

    /// Keeps a value that takes so many octets, in place of the one of that key.
    pub fn insert(&mut self, key: Key, value: V, bytes: usize) {
        let key = Numbers::from(&key);
        self.take(&key);
        if bytes > self.bounds.bytes || self.bounds.entries == 0 {
            return;
        }
        self.make_room(1, bytes);
        self.last_number = self.last_number.wrapping_add(1);
        let number = self.last_number;
        self.order.push_back((number, key));
        let entry = Entry {
            value,
            number,
            bytes,
            lives: Cell::new(NEW),
        };
        self.entries.insert(key, entry);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Says what a value takes that was not known when it was put here.
    pub fn weigh(&mut self, key: &Key, bytes: usize) {
        if let Some(entry) = self.entries.get_mut(&key.into()) {
            self.bytes = self.bytes.saturating_sub(entry.bytes).saturating_add(bytes);
            entry.bytes = bytes;
            self.make_room(0, 0);
        }
    }

    pub fn remove(&mut self, key: &Key) -> Option<V> {
        self.take(&key.into())
    }

    fn take(&mut self, key: &Numbers) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry.value)
    }

    /// Removes all whose keys begin like this.
    pub fn remove_all(&mut self, prefix: [u8; 16]) -> Vec<V> {
        let mut first = [0; 32];
        let mut last = [0xff; 32];
        for key in [&mut first, &mut last] {
            for (octet, of) in key.iter_mut().zip(prefix) {
                *octet = of;
            }
        }
        let keys: Vec<_> = self
            .entries
            .range(Numbers::from(&first)..=Numbers::from(&last))
            .map(|(key, _)| *key)
            .collect();
        keys.iter().filter_map(|key| self.take(key)).collect()
    }

    /// Removes those of which `is_meant` holds. It looks at all of them.
    pub fn remove_if(&mut self, is_meant: impl Fn(&V) -> bool) -> Vec<V> {
        let entries = self.entries.iter();
        let meant = entries.filter(|(_, entry)| is_meant(&entry.value));
        let keys: Vec<_> = meant.map(|(key, _)| *key).collect();
        keys.iter().filter_map(|key| self.take(key)).collect()
    }

    /// Of the `count` next ones behind the key `after`, in the order of keys, removes those of which
    /// `is_meant` holds. Says behind which to go on; `None` is the beginning, and there is no more.
    pub fn remove_next(
        &mut self,
        after: Option<Numbers>,
        count: usize,
        is_meant: impl Fn(&V) -> bool,
    ) -> Option<Numbers> {
        if count == 0 {
            return after;
        }
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.entries.range((from, Bound::Unbounded)).take(count);
        let next: Vec<_> = next
            .map(|(key, entry)| (*key, is_meant(&entry.value)))
            .collect();
        for (key, _) in next.iter().filter(|(_, is_meant)| *is_meant) {
            self.take(key);
        }
        let (last, _) = next.last().filter(|_| next.len() == count)?;
        Some(*last)
    }

    /// Drops the oldest, until so many more have room, of so many octets.
    fn make_room(&mut self, entries: usize, bytes: usize) {
        if self.order.len() >= self.bounds.entries.saturating_mul(2) {
            let entries = &self.entries;
            let is_there = |(number, key): &(u64, Numbers)| {
                entries
                    .get(key)
                    .is_some_and(|entry| entry.number == *number)
            };
            self.order.retain(is_there);
        }
        let mut passed_over: u16 = 0;
        while self.entries.len().saturating_add(entries) > self.bounds.entries
            || self.bytes.saturating_add(bytes) > self.bounds.bytes
        {
            let Some((number, key)) = self.order.pop_front() else {
                break;
            };
            let is_it = |entry: &&Entry<V>| entry.number == number;
            match self.entries.get(&key).filter(is_it) {
                Some(entry) if entry.lives.get() > 0 && passed_over < MOST_PASSED_OVER => {
                    passed_over = passed_over.saturating_add(1);
                    entry.lives.set(entry.lives.get().saturating_sub(1));
                    self.order.push_back((number, key));
                }
                Some(_) => drop(self.take(&key)),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        entries: 100,
        bytes: 1000,
    };

    fn key(number: u8) -> Key {
        [number; 32]
    }

    fn numbers(number: u8) -> Numbers {
        Numbers::from(&key(number))
    }

    #[test]
    fn numbers_have_the_order_of_their_keys() {
        let mut keys: Vec<Key> = Vec::new();
        for at in 0..32 {
            for octet in [1, 0x7f, 0x80, 0xff] {
                let mut key = [0; 32];
                key[at] = octet;
                keys.push(key);
            }
        }
        for one in &keys {
            for other in &keys {
                assert_eq!(Numbers::from(one).cmp(&other.into()), one.cmp(other));
            }
        }
    }

    fn has(bounded: &Bounded<u8>) -> Vec<u8> {
        (0..=255)
            .filter(|n| bounded.get(&key(*n)).is_some())
            .collect()
    }

    #[test]
    fn entries_are_bounded() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..=120 {
            bounded.insert(key(number), number, 1);
        }
        assert_eq!(has(&bounded), (21..=120).collect::<Vec<_>>());
    }

    #[test]
    fn octets_are_bounded() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..10 {
            bounded.insert(key(number), number, 250);
        }
        assert_eq!(has(&bounded), [6, 7, 8, 9]);
        bounded.weigh(&key(9), 600);
        assert_eq!(has(&bounded), [8, 9]);
        bounded.insert(key(1), 1, 2000);
        assert_eq!(has(&bounded), [8, 9], "one that is too large is not kept");
    }

    #[test]
    fn one_that_was_renewed_is_no_longer_the_oldest() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..100 {
            bounded.insert(key(number), number, 1);
        }
        bounded.insert(key(0), 0, 1);
        bounded.insert(key(200), 200, 1);
        assert_eq!(bounded.get(&key(0)), Some(&0));
        assert_eq!(bounded.get(&key(1)), None);
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..100 {
            bounded.insert(key(number), number, 1);
        }
        let wanted = [3, 50, 99];
        for number in 100..=255 {
            for number in wanted {
                assert_eq!(bounded.recall(&key(number)), Some(&number));
            }
            bounded.insert(key(number), number, 1);
        }
        assert_eq!(has(&bounded).len(), 100);
        // Once nobody asks for them, they go as others do.
        for number in (100..=255).chain(100..=255) {
            bounded.insert(key(number), number, 1);
        }
        assert_eq!(has(&bounded), (156..=255).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_waits_until_all_have_been_passed_over() {
        let mut bounded = Bounded::new(Bounds {
            entries: 15_000,
            bytes: 100_000,
        });
        let key = |number: u16| {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&number.to_be_bytes());
            key
        };
        for number in 0..15_000 {
            bounded.insert(key(number), number, 1);
            assert!(bounded.recall(&key(number)).is_some());
        }
        bounded.insert(key(20_000), 20_000, 1);
        let lives = |number| {
            Some(
                bounded
                    .entries
                    .get(&Numbers::from(&key(number)))?
                    .lives
                    .get(),
            )
        };
        let expected = |number| match number {
            0..10_000 => Some(1),
            10_000 => None,
            _ => Some(2),
        };
        assert!((0..15_000).all(|number| lives(number) == expected(number)));
    }

    #[test]
    fn one_that_is_renewed_all_the_time_or_too_large_pushes_no_other_out() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..=50 {
            bounded.insert(key(number), number, 1);
        }
        for _ in 0..2000 {
            bounded.insert(key(7), 7, 1);
            bounded.insert(key(60), 60, 2000);
        }
        assert_eq!(has(&bounded), (0..=50).collect::<Vec<_>>());
    }

    #[test]
    fn all_with_a_prefix_are_removed() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..10 {
            let mut key = key(number / 5);
            key[31] = number;
            bounded.insert(key, number, 10);
        }
        let mut removed = bounded.remove_all([1; 16]);
        removed.sort_unstable();
        assert_eq!(removed, [5, 6, 7, 8, 9]);
        assert_eq!(bounded.bytes, 50);
        assert!(bounded.remove_all([2; 16]).is_empty());
    }

    #[test]
    fn all_are_looked_at_in_the_end_a_few_at_a_time() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..10 {
            bounded.insert(key(number), number, 10);
        }
        let looked_at = RefCell::new(Vec::new());
        let is_meant = |number: &u8| {
            looked_at.borrow_mut().push(*number);
            number.is_multiple_of(4)
        };
        let mut after = bounded.remove_next(None, 4, is_meant);
        assert_eq!(
            (after, looked_at.take()),
            (Some(numbers(3)), vec![0, 1, 2, 3])
        );
        // One that has gone meanwhile is no end, and a new one is looked at in its turn.
        bounded.remove(&key(3));
        bounded.insert(key(11), 11, 10);
        after = bounded.remove_next(after, 4, is_meant);
        assert_eq!(
            (after, looked_at.take()),
            (Some(numbers(7)), vec![4, 5, 6, 7])
        );
        after = bounded.remove_next(after, 4, is_meant);
        assert_eq!((after, looked_at.take()), (None, vec![8, 9, 11]));
        assert_eq!(
            (has(&bounded), bounded.bytes),
            (vec![1, 2, 5, 6, 7, 9, 11], 70)
        );
        after = Some(numbers(5));
        assert_eq!(bounded.remove_next(after, 0, is_meant), after);
        assert_eq!(looked_at.take(), Vec::<u8>::new());
    }

    #[test]
    fn renewing_and_removing_take_no_room() {
        let mut bounded = Bounded::new(BOUNDS);
        for number in 0..=255 {
            for _ in 0..10 {
                bounded.insert(key(number % 2), number, 10);
            }
            assert!(bounded.order.len() <= 200 && bounded.bytes <= 20);
        }
        assert_eq!(bounded.remove_if(|value| value % 2 == 0), [254]);
        assert_eq!((has(&bounded), bounded.bytes), (vec![1], 10));
        assert_eq!(bounded.remove(&key(1)), Some(255));
        assert_eq!((has(&bounded), bounded.bytes), (Vec::new(), 0));
    }
}
