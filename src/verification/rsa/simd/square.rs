//! Squares by columns, in half the products: those of two different blocks are made once, doubled.
//!
//! Block p of a is multiplied with itself, and with twice the blocks above it.

use super::carry::{MOST_PAIRS, Split, zero};
use super::digits::{BLOCK, BLOCK_WORDS, Block, MOST_BLOCKS, Number};
use super::product::{PairBlock, add, add_block, add_in_parts, halves};
use crate::vector::Vector;

/// What is made of a number to square it, in the form of `Pairs`.
pub(super) struct Square {
    /// Twice the number
    doubled: [PairBlock; MOST_BLOCKS + 2],
    /// For each block: zeros, the block, and twice the next block
    own: [[PairBlock; 3]; MOST_BLOCKS],
    blocks: usize,
    /// Whether all columns fit 32 bits
    fits: bool,
}

impl Square {
    pub(super) const fn new(blocks: usize) -> Self {
        Self {
            doubled: [[0; BLOCK]; MOST_BLOCKS + 2],
            own: [[[0; BLOCK]; 3]; MOST_BLOCKS],
            blocks,
            fits: false,
        }
    }

    /// Takes the number.
    #[inline(always)]
    pub(super) fn set(&mut self, number: &Number) {
        let blocks = self.blocks;
        // Of a pair (a_m, a_(m-1)), the former
        let former = Vector::load([0xffff, -1, -1, -1]);
        let mut before = Vector::splat(0);
        let mut squares = Vector::splat(0);
        for (at, block) in number.words[..blocks].iter().enumerate() {
            let [lower, upper] = halves(block);
            let [first, second] = [lower.next_halves(before), upper.next_halves(lower)];
            before = upper;
            squares = squares.add(lower.dot(lower)).add(upper.dot(upper));
            let pairs = [
                lower.interleave_lower(first),
                lower.interleave_upper(first),
                upper.interleave_lower(second),
                upper.interleave_upper(second),
            ];
            let twice = pairs.map(|pair| pair.add_halves(pair));
            store(&mut self.doubled[at + 1], twice);
            // The first word reaches into the block below: not part of this one, ...
            let first = pairs[0].and(former);
            store(&mut self.own[at][1], [first, pairs[1], pairs[2], pairs[3]]);
            if let Some(below) = at.checked_sub(1) {
                // ... and for the block below, not doubled.
                let first = pairs[0].add_halves(first);
                store(
                    &mut self.own[below][2],
                    [first, twice[1], twice[2], twice[3]],
                );
            }
        }
        // A column is at most the sum of all squares of digits, as |x y| <= (x^2 + y^2) / 2 and each
        // digit is in two products at most; so is a part of it.
        let squares: i64 = squares.store().map(i64::from).iter().sum();
        self.fits = squares <= i32::MAX.into();
        let highest = &mut self.own[blocks - 1][2];
        *highest = [0; BLOCK];
        highest[0] = (before.store()[3] >> 16) << 16;
    }

    /// A block of columns of the square.
    #[inline(always)]
    pub(super) fn columns(&self, number: &Number, column: usize) -> Split {
        let middle = column / 2;
        let first = column.saturating_sub(self.blocks).min(middle);
        let doubled = &self.doubled[column - middle + 1..column - first + 2];
        let below = &number.words[first..middle];
        let block = &number.words[middle];
        let [zeros, own, next] = &self.own[middle];
        if !self.fits {
            let own = if column.is_multiple_of(2) {
                [*zeros, *own]
            } else {
                [*own, *next]
            };
            return in_parts(below, doubled, block, &own);
        }
        let sums = add(zero(), below, doubled);
        let own = self.own[middle].as_slice();
        let sums = match (own.first_chunk(), own.last_chunk()) {
            (Some(own), _) if column.is_multiple_of(2) => add_block::<false>(sums, block, own),
            (_, Some(own)) => add_block::<true>(sums, block, own),
            _ => sums,
        };
        Split::new(sums)
    }
}

/// A block of columns, a few pairs of products at a time.
#[cold]
#[inline(never)]
fn in_parts(below: &[Block], doubled: &[PairBlock], block: &Block, own: &[PairBlock; 2]) -> Split {
    // Digits that are doubled count twice.
    let mut split = add_in_parts(below, doubled, MOST_PAIRS / BLOCK_WORDS / 2);
    split.add(add_block::<true>(zero(), block, own));
    split
}

#[inline(always)]
pub(super) fn store(words: &mut [i32; BLOCK], vectors: [Vector; 4]) {
    for (words, vector) in words.as_chunks_mut().0.iter_mut().zip(vectors) {
        *words = vector.store();
    }
}
