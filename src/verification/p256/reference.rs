//! For tests: arithmetic modulo 256-bit primes that is too simple to be wrong, and made-up numbers.

#![allow(clippy::arithmetic_side_effects)]

pub use crate::random::Random;

use super::limbs::{BITS, Limbs, MASK};

/// Below 2^256, least significant word first.
pub type Number = [u64; 4];

pub const PRIME: Number = [u64::MAX, 0xffff_ffff, 0, 0xffff_ffff_0000_0001];
pub const ORDER: Number = [
    0xf3b9_cac2_fc63_2551,
    0xbce6_faad_a717_9e84,
    u64::MAX,
    0xffff_ffff_0000_0000,
];

/// a - b, and whether that is negative and was taken modulo 2^256.
fn subtract(a: Number, b: Number) -> (Number, bool) {
    let mut borrow = false;
    let difference = std::array::from_fn(|i| {
        let (word, first) = a[i].overflowing_sub(b[i]);
        let (word, second) = word.overflowing_sub(borrow.into());
        borrow = first || second;
        word
    });
    (difference, borrow)
}

/// a + b for numbers below m > 2^255.
pub fn sum(a: Number, b: Number, m: Number) -> Number {
    // a - (m - b), and m more if that is negative
    let (difference, is_negative) = subtract(a, subtract(m, b).0);
    if is_negative {
        subtract(difference, subtract([0; 4], m).0).0
    } else {
        difference
    }
}

pub fn negative(a: Number, m: Number) -> Number {
    if a == [0; 4] { a } else { subtract(m, a).0 }
}

fn is_set(a: Number, bit: usize) -> bool {
    a[bit / 64] >> (bit % 64) & 1 == 1
}

pub fn product(a: Number, b: Number, m: Number) -> Number {
    (0..256).rev().fold([0; 4], |product, bit| {
        let twice = sum(product, product, m);
        if is_set(b, bit) {
            sum(twice, a, m)
        } else {
            twice
        }
    })
}

/// By Fermat's little theorem.
pub fn inverse(a: Number, m: Number) -> Number {
    let (exponent, _) = subtract(m, [2, 0, 0, 0]);
    (0..256).rev().fold([1, 0, 0, 0], |power, bit| {
        let square = product(power, power, m);
        if is_set(exponent, bit) {
            product(square, a, m)
        } else {
            square
        }
    })
}

/// The value of signed limbs modulo m.
pub fn value(limbs: &Limbs, m: Number) -> Number {
    limbs.iter().rev().fold([0; 4], |value, limb| {
        let shifted = (0..BITS).fold(value, |value, _| sum(value, value, m));
        let size = [limb.unsigned_abs(), 0, 0, 0];
        sum(shifted, if *limb < 0 { negative(size, m) } else { size }, m)
    })
}

pub fn limbs(a: Number) -> Limbs {
    std::array::from_fn(|i| {
        let bits = |at: usize| i64::from(at < 256 && is_set(a, at));
        (0..29).map(|bit| bits(29 * i + bit) << bit).sum()
    })
}

pub fn bytes(a: Number) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_mut(8).zip(a.iter().rev()) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

impl Random {
    /// Below m; every other time near 0, m, or a power of two.
    pub fn below(&mut self, m: Number) -> Number {
        let random = std::array::from_fn(|_| self.next());
        let small = [self.next() % 4, 0, 0, 0];
        let number = match self.next() % 8 {
            0 => small,
            1 => negative(small, m),
            2 => {
                let mut power = [0; 4];
                let bit = self.next() as usize % 256;
                power[bit / 64] = 1 << (bit % 64);
                subtract(power, small).0
            }
            3 => random.map(|word| if word & 1 == 1 { u64::MAX } else { 0 }),
            _ => random,
        };
        let (less, is_below) = subtract(number, m);
        if is_below { number } else { less }
    }

    /// Limbs up to `size` in size, the last up to `last`; every other time at these ends.
    pub fn limbs(&mut self, size: i64, last: i64) -> Limbs {
        let at_ends = self.next() & 1 == 1;
        std::array::from_fn(|i| {
            let size = if i == 8 { last } else { size };
            match self.next() {
                random if at_ends => [-size, 0, size][random as usize % 3],
                random => (random as i64 >> 2) % (size + 1),
            }
        })
    }

    /// All limbs but the last as carrying leaves them.
    pub fn carried(&mut self, last: i64) -> Limbs {
        let mut limbs = self.limbs(MASK, last);
        for limb in &mut limbs[..8] {
            *limb = limb.abs();
        }
        limbs
    }
}
