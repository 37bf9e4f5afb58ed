//! Products by columns: column k of a b is the sum of a_i b_(k-i).
//!
//! The instruction `i32x4.dot_i16x8_s` (SSE2: `pmaddwd`) makes eight products and adds them by twos.
//! One factor is given as words of two digits (a_i, a_(i+1)), i even, each in all four lanes; the
//! other one as [`Pairs`]: word m is (b_m, b_(m-1)). The dot product of the former with words m to
//! m + 3, m = k - i, then is what both digits contribute to columns k to k + 3.
//!
//! Columns are worked through in blocks of 16, four vectors, and so are the digits of a. Of such a
//! square, the same words of b serve column k for a_i and column k + 4 for a_(i+4): each vector is
//! loaded once for up to four dot products. A block of a, for a block of columns, goes with two
//! blocks of b; beyond the ends of b there is a block of zeros, so that it always has two.
//!
//! What fits 32 bits: as long as no digit of a is above D, a part of a column is at most D times the
//! sum of as many digits of b, without their signs. That sum is known when `Pairs` are made, and is
//! half of what it could be for most numbers: for those of 2048 bits whole columns fit.

use super::carry::{MOST_DIGIT, MOST_PAIRS, Split, Sums, zero};
use super::digits::{BLOCK, BLOCK_WORDS, Block, Number, pair_of, word_of};
use crate::vector::Vector;

/// The digits of a number in twos that overlap, by blocks, with a block of zeros before: word m of
/// it is (b_m, b_(m-1)).
#[derive(Clone, Debug)]
pub(in crate::rsa) struct Pairs {
    pairs: Box<[PairBlock]>,
    /// Blocks of another number whose products with this one may be added in 32 bits
    at_a_time: usize,
}

pub(super) type PairBlock = [i32; BLOCK];

impl Pairs {
    pub(super) fn new(number: &Number, blocks: usize) -> Self {
        let mut pairs = vec![[0; BLOCK]; blocks + 2];
        let (mut before, mut sum) = (0, 0);
        let ends = number.digits(blocks).chain([0]);
        for (pair, digit) in pairs.as_flattened_mut().iter_mut().skip(BLOCK).zip(ends) {
            *pair = word_of([digit, before]);
            before = digit;
            sum += u64::from(digit.unsigned_abs());
        }
        let at_a_time = if fits(sum) {
            blocks
        } else {
            at_a_time(number, blocks)
        };
        Self {
            pairs: pairs.into(),
            at_a_time,
        }
    }

    /// Blocks of digits.
    pub(super) fn blocks(&self) -> usize {
        self.pairs.len() - 2
    }
}

/// Whether the products of so much in digits fit 32 bits.
fn fits(sum: u64) -> bool {
    sum * MOST_DIGIT <= i32::MAX as u64
}

/// How many blocks go with digits of this number, wherever they begin: at least as many as if all
/// its digits were the largest, and mostly more, for on average they are half as large.
fn at_a_time(number: &Number, blocks: usize) -> usize {
    let sizes: Vec<u64> = number
        .digits(blocks)
        .map(|digit| digit.unsigned_abs().into())
        .collect();
    let least = MOST_PAIRS / BLOCK_WORDS;
    let fit = |at_a_time: &usize| {
        sizes
            .windows(BLOCK * at_a_time)
            .all(|sizes| fits(sizes.iter().sum()))
    };
    (least..=blocks).rev().find(fit).unwrap_or(least)
}

/// Adds blocks of a, each times two blocks of b, to a block of columns: for each block at most eight
/// pairs of products a column. The first block of a goes with the last two of `pairs`, the next one
/// with the last two but one, and so on.
#[inline(always)]
pub(super) fn add(mut sums: Sums, a: &[Block], pairs: &[PairBlock]) -> Sums {
    for (a, pairs) in a.iter().rev().zip(pairs.array_windows::<2>()) {
        sums = add_block::<true>(sums, a, pairs);
    }
    sums
}

/// Without `LOWER` the lower one of the two blocks of b is taken for zeros.
#[inline(always)]
pub(super) fn add_block<const LOWER: bool>(sums: Sums, a: &Block, pairs: &[PairBlock; 2]) -> Sums {
    let sums = add_words::<LOWER, 0>(sums, a, pairs);
    // Compilers of WebAssembly load all that a straight piece of code needs at its beginning. So
    // that there are enough registers, this one must not look straight.
    if !core::hint::black_box(true) {
        return sums;
    }
    add_words::<LOWER, 1>(sums, a, pairs)
}

/// Of a block of a, every second word.
#[inline(always)]
fn add_words<const LOWER: bool, const ODD: usize>(
    mut sums: Sums,
    a: &Block,
    pairs: &[PairBlock; 2],
) -> Sums {
    let pairs = pairs.as_flattened();
    // a_i for i = 2 ODD, and 4, 8 and 12 more
    let a = [a[ODD], a[ODD + 2], a[ODD + 4], a[ODD + 6]].map(Vector::splat);
    macro_rules! step {
        ($step:literal: $($vector:literal += $digit:literal),+) => {
            let from = 4 + 4 * $step - 2 * ODD;
            let b = Vector::load([pairs[from], pairs[from + 1], pairs[from + 2], pairs[from + 3]]);
            $(sums[$vector] = sums[$vector].add(b.dot(a[$digit]));)+
        };
    }
    if LOWER {
        step!(0: 0 += 3);
        step!(1: 0 += 2, 1 += 3);
        step!(2: 0 += 1, 1 += 2, 2 += 3);
    }
    step!(3: 0 += 0, 1 += 1, 2 += 2, 3 += 3);
    step!(4: 1 += 0, 2 += 1, 3 += 2);
    step!(5: 2 += 0, 3 += 1);
    step!(6: 3 += 0);
    sums
}

/// The sum of [`add`] made a few blocks at a time, as many as 32 bits hold.
#[cold]
#[inline(never)]
pub(super) fn add_in_parts(a: &[Block], pairs: &[PairBlock], at_a_time: usize) -> Split {
    let mut split = Split::new(zero());
    let mut end = pairs.len();
    for a in a.chunks(at_a_time) {
        split.add(add(zero(), a, &pairs[end - a.len() - 1..end]));
        end -= a.len();
    }
    split
}

/// A block of the columns of a number, given by its blocks that count, times b.
#[inline(always)]
pub(super) fn columns(a: &[Block], b: &Pairs, column: usize) -> Split {
    let first = column.saturating_sub(b.blocks());
    let last = a.len().min(column + 1);
    if first >= last {
        return Split::new(zero());
    }
    let a = &a[first..last];
    let pairs = &b.pairs[column + 1 - last..column - first + 2];
    if a.len() > b.at_a_time {
        return add_in_parts(a, pairs, b.at_a_time);
    }
    Split::new(add(zero(), a, pairs))
}

/// Column N - 1 and column N - 2 of the product with a number of N digits: see `Modulus::carry`.
#[derive(Clone, Debug)]
pub(super) struct Tops([Number; 2]);

impl Tops {
    pub(super) fn new(number: &Number, blocks: usize) -> Self {
        let digits: Vec<i32> = number.digits(blocks).collect();
        Self([0, 1].map(|skipped| {
            let mut reversed = Number::ZERO;
            let mut back = digits.iter().rev().skip(skipped).copied();
            for word in reversed.words.as_flattened_mut() {
                let mut next = || back.next().unwrap_or(0);
                *word = word_of([next(), next()]);
            }
            reversed
        }))
    }

    /// Column N - 1, and column N - 2.
    #[inline(always)]
    pub(super) fn times(&self, number: &Number, blocks: usize) -> [i64; 2] {
        let mut sums = [Vector::splat(0); 2];
        let ours = self.0[0].words.iter().zip(&self.0[1].words);
        for (block, (one, two)) in number.words[..blocks].iter().zip(ours) {
            let number = halves(block);
            for (sum, ours) in sums.iter_mut().zip([halves(one), halves(two)]) {
                // At most 40 pairs of products each: they fit (`carry`).
                *sum = sum.add(ours[0].dot(number[0])).add(ours[1].dot(number[1]));
            }
        }
        sums.map(|sum| sum.store().map(i64::from).iter().sum())
    }
}

/// A block as two vectors of digits.
#[inline(always)]
pub(super) fn halves(block: &Block) -> [Vector; 2] {
    let [a, b, c, d, e, f, g, h] = *block;
    [Vector::load([a, b, c, d]), Vector::load([e, f, g, h])]
}

/// Digit `at`.
pub(super) fn digit(number: &Number, at: usize) -> i64 {
    let word = number
        .words
        .as_flattened()
        .get(at / 2)
        .copied()
        .unwrap_or(0);
    pair_of(word)[at % 2].into()
}
