//! From columns, the sums of products, back to digits.
//!
//! Instead of one carry that runs through all columns there are two steps, in each of which every
//! column hands its excess to the next one, all at once:
//!
//! 1. A sum s becomes s mod 2^13, and floor(s / 2^13) goes one column up. Where 32 bits do not hold
//!    the whole sum, it is made in parts, each of which is split like that.
//! 2. A column c becomes c - 2^13 h with h = floor((c + 2^12) / 2^13), from -2^12 to 2^12 - 1, and h
//!    goes one column up.
//!
//! How large digits get: let them be at most D. A column has at most 320 products of two digits, so
//! its sums, in however many parts, are at most S = 320 D^2 together. In a Montgomery reduction
//! columns of T, in 5 parts at most, and of q n, in 3 at most, meet. So |h| <= 2 S / 2^26 + 8 + 2
//! and D <= 2^12 + |h|, which D = 4290 fulfils: S / 2^26 is 87.8. `is_product` has 48 products with
//! a digest's digits besides, in a part of their own, and T in 3. Digits of a digest and of n are at
//! most 2^12; so |h| <= (S + (48 + 320) 2^12 D) / 2^26 + 7 + 2 < 194 there, and D is 4290 again.
//!
//! What 32 bits hold: a pair of products is at most 2 D^2, and 56 pairs 2.07e9, below 2^31 = 2.147e9.
//! That is the worst case, and most numbers are far from it: `product` and `square` add more where
//! they know that it fits.

use super::digits::{BITS, BLOCK, RADIX};
use crate::vector::Vector;

/// D, the most a digit is, of either sign.
pub(super) const MOST_DIGIT: u64 = 4290;
/// Pairs of products that are added in 32 bits, whatever the digits.
pub(super) const MOST_PAIRS: usize = 56;

/// Sums of a block of columns.
pub(super) type Sums = [Vector; 4];

pub(super) fn zero() -> Sums {
    [Vector::splat(0); 4]
}

/// A block of columns after the first step, but for what goes up.
#[derive(Clone, Copy)]
pub(super) struct Split {
    kept: Sums,
    up: Sums,
}

impl Split {
    #[inline(always)]
    pub(super) fn new(sums: Sums) -> Self {
        let mask = Vector::splat(RADIX - 1);
        Self {
            kept: sums.map(|sum| sum.and(mask)),
            up: sums.map(Vector::shift_right::<BITS>),
        }
    }

    /// More sums of the same columns.
    #[inline(always)]
    pub(super) fn add(&mut self, sums: Sums) {
        self.join(Self::new(sums));
    }

    /// More of the same columns
    #[inline(always)]
    pub(super) fn join(&mut self, other: Self) {
        for at in 0..4 {
            self.kept[at] = self.kept[at].add(other.kept[at]);
            self.up[at] = self.up[at].add(other.up[at]);
        }
    }

    #[inline(always)]
    pub(super) fn add_columns(&mut self, columns: &[i32; BLOCK]) {
        for (kept, column) in self.kept.iter_mut().zip(columns.as_chunks().0) {
            *kept = kept.add(Vector::load(*column));
        }
    }
}

/// What goes up from block to block.
pub(super) struct Carry {
    first: Vector,
    second: Vector,
}

impl Carry {
    pub(super) fn new() -> Self {
        Self {
            first: Vector::splat(0),
            second: Vector::splat(0),
        }
    }

    /// The first step.
    #[inline(always)]
    pub(super) fn columns(&mut self, split: Split) -> Sums {
        let mut columns = split.kept;
        for (column, up) in columns.iter_mut().zip(split.up) {
            *column = column.add(up.next_words(self.first));
            self.first = up;
        }
        columns
    }

    /// The second step; two vectors of eight digits.
    #[inline(always)]
    pub(super) fn digits(&mut self, columns: Sums) -> [Vector; 2] {
        let (half, mask) = (Vector::splat(RADIX / 2), Vector::splat(RADIX - 1));
        let rounded = columns.map(|column| column.add(half));
        let [a, b, c, d] = rounded.map(|column| column.and(mask));
        let [e, f, g, h] = rounded.map(Vector::shift_right::<BITS>);
        let up = [e.narrow(f), g.narrow(h)];
        let minus_half = Vector::splat(super::digits::word_of([-RADIX / 2; 2]));
        let first = a.narrow(b).add_halves(up[0].next_halves(self.second));
        let second = c.narrow(d).add_halves(up[1].next_halves(up[0]));
        self.second = up[1];
        [first.add_halves(minus_half), second.add_halves(minus_half)]
    }

    /// What the second step hands to the column above, where that goes on with the first step alone.
    pub(super) fn second(self) -> i32 {
        self.second.store()[3] >> 16
    }

    /// What the first step hands to the column above.
    pub(super) fn first(&self) -> i32 {
        self.first.store()[3]
    }
}
