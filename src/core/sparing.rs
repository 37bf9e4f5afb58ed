//! What the log is told only once in a while, however often it happens.

use std::collections::BTreeMap;

use crate::time::{Millis, UnixMillis};

const PAUSE: Millis = Millis::from_secs(60);

/// When the log was told, by what of.
#[derive(Debug)]
pub struct Sparing<K>(BTreeMap<K, UnixMillis>);

impl<K> Default for Sparing<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Sparing<K> {
    /// Whether it has not been told of the like a short time ago.
    #[must_use]
    pub fn may_tell(&self, of: &K, now: UnixMillis) -> bool {
        let told = self.0.get(of);
        !told.is_some_and(|at| at.is_recent(now, PAUSE))
    }

    /// The same, and if it may, it is.
    pub fn tells(&mut self, of: K, now: UnixMillis) -> bool {
        let may = self.may_tell(&of, now);
        if may {
            self.0.insert(of, now);
        }
        may
    }
}
