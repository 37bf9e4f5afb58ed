//! Every operation of this target's vectors against the portable one.

#![allow(clippy::arithmetic_side_effects, reason = "numbers that look random")]

use super::{Vector, portable};

#[test]
fn every_operation_is_the_portable_one() {
    let mut state = 1_u64;
    let mut word = || {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Extremes of both halves among the others
        let half = |bits: u64| match bits >> 13 & 7 {
            0 => i16::MIN,
            1 => i16::MAX,
            _ => bits as i16,
        };
        i32::from(half(state) as u16) | (i32::from(half(state >> 20)) << 16)
    };
    for _ in 0..10_000 {
        let a = [word(), word(), word(), word()];
        let b = [word(), word(), word(), word()];
        let (here, there) = (Vector::load(a), Vector::load(b));
        let (one, two) = (portable::Vector::load(a), portable::Vector::load(b));
        assert_eq!(here.store(), a);
        assert_eq!(
            Vector::splat(a[1]).store(),
            portable::Vector::splat(a[1]).store()
        );
        assert_eq!(here.add(there).store(), one.add(two).store());
        assert_eq!(here.add_halves(there).store(), one.add_halves(two).store());
        assert_eq!(here.and(there).store(), one.and(two).store());
        assert_eq!(
            here.shift_right::<13>().store(),
            one.shift_right::<13>().store()
        );
        assert_eq!(here.dot(there).store(), one.dot(two).store());
        assert_eq!(here.narrow(there).store(), one.narrow(two).store());
        assert_eq!(here.next_words(there).store(), one.next_words(two).store());
        assert_eq!(
            here.next_halves(there).store(),
            one.next_halves(two).store()
        );
        assert_eq!(
            here.interleave_lower(there).store(),
            one.interleave_lower(two).store()
        );
        assert_eq!(
            here.interleave_upper(there).store(),
            one.interleave_upper(two).store()
        );
    }
}
