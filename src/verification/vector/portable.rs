//! What each operation is, lane by lane.

/// Four lanes of 32 bits, or eight of 16, the lower half of a word first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Vector([i32; 4]);

impl Vector {
    pub(crate) fn load(words: [i32; 4]) -> Self {
        Self(words)
    }

    pub(crate) fn store(self) -> [i32; 4] {
        self.0
    }

    pub(crate) fn splat(word: i32) -> Self {
        Self([word; 4])
    }

    /// The sums of 32-bit lanes, modulo 2^32.
    pub(crate) fn add(self, other: Self) -> Self {
        self.words(other, i32::wrapping_add)
    }

    /// The sums of 16-bit lanes, modulo 2^16.
    pub(crate) fn add_halves(self, other: Self) -> Self {
        self.halves(other, i16::wrapping_add)
    }

    /// The bits that both have.
    pub(crate) fn and(self, other: Self) -> Self {
        self.words(other, |one, two| one & two)
    }

    /// 32-bit lanes divided by 2^`BITS`, rounded down.
    pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
        Self(self.0.map(|word| word.wrapping_shr(BITS)))
    }

    /// Of each 32-bit lane: the product of the lower halves and that of the upper halves, added.
    pub(crate) fn dot(self, other: Self) -> Self {
        self.words(other, |one, two| {
            let ([a, b], [c, d]) = (halves(one).map(i32::from), halves(two).map(i32::from));
            a.wrapping_mul(c).wrapping_add(b.wrapping_mul(d))
        })
    }

    /// 32-bit lanes as 16-bit lanes, those of `self` first; all must be in the range of `i16`.
    pub(crate) fn narrow(self, other: Self) -> Self {
        let half = |word: i32| word.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        let ([a, b, c, d], [e, f, g, h]) = (self.0.map(half), other.0.map(half));
        Self([word([a, b]), word([c, d]), word([e, f]), word([g, h])])
    }

    /// Every 32-bit lane one up; the lowest is the highest one of `before`.
    pub(crate) fn next_words(self, before: Self) -> Self {
        let [a, b, c, _] = self.0;
        Self([before.0[3], a, b, c])
    }

    /// Every 16-bit lane one up; the lowest is the highest one of `before`.
    pub(crate) fn next_halves(self, before: Self) -> Self {
        let [[a, b], [c, d], [e, f], [g, _]] = self.0.map(halves);
        let [_, last] = halves(before.0[3]);
        Self([word([last, a]), word([b, c]), word([d, e]), word([f, g])])
    }

    /// The lower four 16-bit lanes of both, in turns.
    pub(crate) fn interleave_lower(self, other: Self) -> Self {
        let ([[a, b], [c, d], ..], [[e, f], [g, h], ..]) =
            (self.0.map(halves), other.0.map(halves));
        Self([word([a, e]), word([b, f]), word([c, g]), word([d, h])])
    }

    /// The upper four 16-bit lanes of both, in turns.
    pub(crate) fn interleave_upper(self, other: Self) -> Self {
        let ([.., [a, b], [c, d]], [.., [e, f], [g, h]]) =
            (self.0.map(halves), other.0.map(halves));
        Self([word([a, e]), word([b, f]), word([c, g]), word([d, h])])
    }

    fn words(self, other: Self, operation: impl Fn(i32, i32) -> i32) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([
            operation(a, e),
            operation(b, f),
            operation(c, g),
            operation(d, h),
        ])
    }

    fn halves(self, other: Self, operation: impl Fn(i16, i16) -> i16) -> Self {
        self.words(other, |one, two| {
            let ([a, b], [c, d]) = (halves(one), halves(two));
            word([operation(a, c), operation(b, d)])
        })
    }
}

fn halves(word: i32) -> [i16; 2] {
    [word as i16, (word >> 16) as i16]
}

fn word([lower, upper]: [i16; 2]) -> i32 {
    i32::from(lower as u16) | (i32::from(upper) << 16)
}
