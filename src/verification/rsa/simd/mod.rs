//! Arithmetic modulo n by dot products of 13-bit digits.
//!
//! A Montgomery reduction (Montgomery 1985) of all digits at once: with R = 2^(13 N) and
//! n' = -1/n mod R, the number (T + q n) / R for q = T n' mod R is congruent to T / R, and small. Of
//! T n' only the lower half of the columns is made; of q n only the upper half, and what its lower
//! half together with that of T carries into the upper one, from two columns (`Modulus::carry`).
//!
//! How large numbers get: n is below R / 2^27 (`digits::blocks_for`), and |q| below 0.53 R. If
//! |T| <= 2 n^2 then |T + q n| / R < 2^-26 n + 0.53 n: less than n. So are all results here, of either
//! sign; products of two of them fulfil the condition again. And as |x| < n, the two highest digits
//! of a number, N - 1 and N - 2, are 0 and between -1 and 1, in any form whose digits are below
//! 2^13 - 1: no carry is lost at the upper end of a number or of a product.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "sizes follow from the modulus, which is checked, and sums from the bounds in `carry`"
)]

mod carry;
mod digits;
mod product;
mod square;

use super::modulus;
use crate::vector::Vector;
use carry::{Carry, Split};
pub(super) use digits::Number;
use digits::{BITS, BLOCK, Block, MOST_BLOCKS, RADIX, blocks_for, pair_of, word_of};
use product::{Pairs, Tops, columns, digit};
use square::{Square, store};

/// A modulus and what is made of it once.
#[derive(Clone, Debug)]
pub(super) struct Modulus {
    /// N is 16 times this.
    blocks: usize,
    bytes: usize,
    number: Number,
    pairs: Pairs,
    tops: Tops,
    /// n'
    inverse: Pairs,
}

/// Where parts of a reduction are kept.
struct Workspace {
    /// T mod R
    lower: Number,
    /// The columns of T from R on
    upper: [[i32; BLOCK]; MOST_BLOCKS],
    quotient: Number,
}

impl Workspace {
    const fn new() -> Self {
        Self {
            lower: Number::ZERO,
            upper: [[0; BLOCK]; MOST_BLOCKS],
            quotient: Number::ZERO,
        }
    }

    /// Takes T by blocks of columns; the lower half becomes digits.
    #[inline(always)]
    fn set(&mut self, blocks: usize, columns: impl Fn(usize) -> Split) -> &mut Self {
        let mut carry = Carry::new();
        for (column, digits) in (0..blocks).zip(&mut self.lower.words) {
            let sums = carry.columns(columns(column));
            store_digits(digits, carry.digits(sums));
        }
        for (column, upper) in (blocks..2 * blocks).zip(&mut self.upper) {
            store(upper, carry.columns(columns(column)));
        }
        debug_assert_eq!(carry.first(), 0);
        self.upper[0][0] += carry.second();
        self
    }
}

impl modulus::Modulus for Modulus {
    type Number = Number;
    type Factor = Pairs;
    type Summand = Box<[i32]>;

    fn new(bytes: &[u8], bits: usize) -> Self {
        let blocks = blocks_for(bits);
        let number = Number::from_bytes(bytes);
        Self {
            blocks,
            bytes: bytes.len(),
            pairs: Pairs::new(&number, blocks),
            tops: Tops::new(&number, blocks),
            inverse: Pairs::new(&negative_inverse(&number, blocks), blocks),
            number,
        }
    }

    fn bits_of_r(&self) -> usize {
        self.blocks * BLOCK * BITS as usize
    }

    fn number(&self, bytes: &[u8]) -> Number {
        Number::from_bytes(bytes)
    }

    fn bytes(&self, number: &Number) -> Vec<u8> {
        let bytes = number.plus(&Number::ZERO, self.blocks, self.bytes);
        let bytes = bytes.or_else(|| number.plus(&self.number, self.blocks, self.bytes));
        debug_assert!(bytes.is_some(), "between -n and n");
        bytes.unwrap_or_default()
    }

    fn square(&self, number: &mut Number, times: usize) {
        let mut square = Square::new(self.blocks);
        let mut workspace = Workspace::new();
        for _ in 0..times {
            square.set(number);
            workspace.set(self.blocks, |column| square.columns(number, column));
            self.reduce(&mut workspace, number);
        }
    }

    fn product(&self, one: &Number, two: &Number) -> Number {
        let two = Pairs::new(two, self.blocks);
        let columns = |column| columns(&one.words[..self.blocks], &two, column);
        let mut product = Number::ZERO;
        self.reduce(Workspace::new().set(self.blocks, columns), &mut product);
        product
    }

    fn factor(&self, number: &Number) -> Pairs {
        Pairs::new(&number.negative(), self.blocks)
    }

    fn summand(&self, number: &Number) -> Box<[i32]> {
        number.negative().digits(self.blocks).collect()
    }

    fn is_product(
        &self,
        [one, two]: [&Number; 2],
        short: &Number,
        factor: &Pairs,
        summand: &Box<[i32]>,
    ) -> bool {
        let two = Pairs::new(two, self.blocks);
        let difference = |column| {
            let mut split = columns(&one.words[..self.blocks], &two, column);
            split.join(columns(&short.words[..SHORT_BLOCKS], factor, column));
            if let Some(columns) = summand.as_chunks().0.get(column) {
                split.add_columns(columns);
            }
            split
        };
        let mut reduced = Number::ZERO;
        self.reduce(Workspace::new().set(self.blocks, difference), &mut reduced);
        // It is below n on either side, so only 0 is a multiple of n.
        reduced.is_zero(self.blocks)
    }
}

/// Blocks of a number of 512 bits
const SHORT_BLOCKS: usize = 3;

impl Modulus {
    /// T / R modulo n, between -n and n.
    fn reduce(&self, workspace: &mut Workspace, result: &mut Number) {
        let Workspace {
            lower,
            upper,
            quotient,
        } = workspace;
        let blocks = self.blocks;

        // q = T n' mod R: what goes beyond R is dropped.
        let mut carry = Carry::new();
        for (column, digits) in (0..blocks).zip(&mut quotient.words) {
            let sums = carry.columns(columns(&lower.words[..blocks], &self.inverse, column));
            store_digits(digits, carry.digits(sums));
        }

        // (T + q n) / R
        upper[0][0] += self.carry(lower, quotient);
        let mut carry = Carry::new();
        let halves = upper.iter().zip(&mut result.words);
        for (column, (upper, digits)) in (blocks..2 * blocks).zip(halves) {
            let mut split = columns(&quotient.words[..blocks], &self.pairs, column);
            split.add_columns(upper);
            let sums = carry.columns(split);
            store_digits(digits, carry.digits(sums));
        }
        debug_assert_eq!((carry.first(), carry.second()), (0, 0));
    }

    /// What the lower halves of T and of q n together carry into the upper one.
    ///
    /// q n + T is a multiple of R, and so is the part of it from columns R and above. So the rest
    /// is c R, with an integer c. Of that rest, let all but its two highest columns be left out: of
    /// T, digits, together less than 2^-26 R; of q n, columns of at most 320 products of two digits,
    /// less than 2^(32.5 - 39 + 0.1) R together. What remains, divided by R, is less than 2^-6 from c,
    /// and rounded it is c.
    #[inline(always)]
    fn carry(&self, lower: &Number, quotient: &Number) -> i32 {
        let n = self.blocks * BLOCK;
        let [last, before] = self.tops.times(quotient, self.blocks);
        let sum = ((last + digit(lower, n - 1)) << BITS) + before + digit(lower, n - 2);
        let carry = (sum + (1 << (2 * BITS - 1))) >> (2 * BITS);
        debug_assert!(
            (sum - (carry << (2 * BITS))).abs() < 1 << (2 * BITS - 6),
            "the bound above"
        );
        carry as i32
    }
}

#[inline(always)]
fn store_digits(block: &mut Block, vectors: [Vector; 2]) {
    for (words, vector) in block.as_chunks_mut().0.iter_mut().zip(vectors) {
        *words = vector.store();
    }
    let mut digits = block.iter().copied().flat_map(pair_of);
    debug_assert!(digits.all(|digit| u64::from(digit.unsigned_abs()) <= carry::MOST_DIGIT));
}

/// -1/n modulo R, n being odd: its digits from the lowest one, each of which makes another digit of
/// n x + 1 zero.
fn negative_inverse(modulus: &Number, blocks: usize) -> Number {
    let modulus: Vec<i64> = modulus.digits(blocks).map(i64::from).collect();
    let mask = i64::from(RADIX) - 1;
    // -1/n modulo 2^13; each step doubles the number of right bits, of which an odd n, as its own
    // inverse modulo 8, gives three.
    let lowest = modulus[0];
    let mut inverse = lowest;
    for _ in 0..3 {
        inverse = (inverse * (2 - lowest * inverse)) & mask;
    }
    let mut rest = vec![0; modulus.len()];
    rest[0] = 1;
    let mut digits = Vec::with_capacity(modulus.len());
    let mut carry = 0;
    for at in 0..modulus.len() {
        let digit = (-rest[at] * inverse) & mask;
        for (rest, modulus) in rest[at..].iter_mut().zip(&modulus) {
            *rest += digit * modulus;
        }
        if let Some(next) = at.checked_add(1).filter(|next| *next < rest.len()) {
            rest[next] += rest[at] >> BITS;
        }
        // Between -2^12 and 2^12 - 1
        let sum = digit + carry;
        carry = i64::from(sum >= i64::from(RADIX / 2));
        digits.push((sum - (carry << BITS)) as i32);
    }
    let mut number = Number::ZERO;
    for (word, pair) in number
        .words
        .as_flattened_mut()
        .iter_mut()
        .zip(digits.as_chunks().0)
    {
        *word = word_of(*pair);
    }
    number
}
