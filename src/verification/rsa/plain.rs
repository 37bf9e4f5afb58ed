//! Arithmetic modulo n without vectors: digits of 28 bits, whose products are added in 64 bits.
//!
//! R is more than four times the modulus. So of two numbers below 2 n the product, reduced, is below
//! (4 n^2 + R n) / R < 2 n again, without a subtraction (Walter, "Montgomery exponentiation needs no
//! final subtractions", 1999). A column has at most 147 products of two digits, each below 2^56, and
//! carries below 2^37 beside them: less than 2^64.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "sizes follow from the modulus, which is checked, and sums from the bound above"
)]

use super::modulus;

const BITS: u32 = 28;
const MASK: u64 = (1 << BITS) - 1;
/// For 4096 bits and two more: 147 digits
const MOST: usize = 147;

/// Digits, lowest first.
pub(super) type Number = Vec<u64>;

#[derive(Clone, Debug)]
pub(super) struct Modulus {
    digits: Number,
    /// -1/n modulo 2^28
    inverse: u64,
    bytes: usize,
}

impl modulus::Modulus for Modulus {
    type Number = Number;
    type Factor = Number;
    type Summand = Number;

    fn new(bytes: &[u8], bits: usize) -> Self {
        // R > 4 n
        let length = (bits + 2).div_ceil(BITS as usize);
        debug_assert!(length <= MOST);
        let digits = digits(bytes, length);
        // As in Newton's iteration each step doubles the number of right bits, of which an odd n, as
        // its own inverse modulo 8, gives three.
        let mut inverse = digits[0];
        for _ in 0..4 {
            inverse =
                inverse.wrapping_mul(2_u64.wrapping_sub(digits[0].wrapping_mul(inverse))) & MASK;
        }
        Self {
            inverse: inverse.wrapping_neg() & MASK,
            digits,
            bytes: bytes.len(),
        }
    }

    fn bits_of_r(&self) -> usize {
        self.digits.len() * BITS as usize
    }

    fn number(&self, bytes: &[u8]) -> Number {
        digits(bytes, self.digits.len())
    }

    fn bytes(&self, number: &Number) -> Vec<u8> {
        let number = self.canonical(number.clone());
        let mut bytes = Vec::with_capacity(self.bytes + 4);
        let (mut bits, mut waiting) = (0, 0);
        for digit in number {
            bits |= digit << waiting;
            waiting += BITS;
            while waiting >= 8 {
                bytes.push(bits as u8);
                bits >>= 8;
                waiting -= 8;
            }
        }
        bytes.push(bits as u8);
        bytes.resize(self.bytes, 0);
        bytes.reverse();
        bytes
    }

    fn square(&self, number: &mut Number, times: usize) {
        let mut columns = vec![0; 2 * self.digits.len()];
        for _ in 0..times {
            columns.fill(0);
            // Products of two different digits are made once and doubled.
            for (at, one) in number.iter().enumerate() {
                for (column, two) in columns[2 * at + 1..].iter_mut().zip(&number[at + 1..]) {
                    *column += one * two;
                }
            }
            for (pair, digit) in columns.as_chunks_mut().0.iter_mut().zip(number.iter()) {
                let [even, odd] = pair;
                *even = 2 * *even + digit * digit;
                *odd *= 2;
            }
            *number = self.reduced(&mut columns);
        }
    }

    fn product(&self, one: &Number, two: &Number) -> Number {
        let mut columns = vec![0; 2 * self.digits.len()];
        for (at, one) in one.iter().enumerate() {
            for (column, two) in columns[at..].iter_mut().zip(two) {
                *column += one * two;
            }
        }
        self.reduced(&mut columns)
    }

    fn factor(&self, number: &Number) -> Number {
        number.clone()
    }

    fn summand(&self, number: &Number) -> Number {
        self.product(number, &self.number(&[1]))
    }

    fn is_product(
        &self,
        [one, two]: [&Number; 2],
        short: &Number,
        factor: &Number,
        summand: &Number,
    ) -> bool {
        let mut sum = self.product(short, factor);
        for (sum, summand) in sum.iter_mut().zip(summand) {
            *sum += summand;
        }
        self.canonical(self.product(one, two)) == self.canonical(sum)
    }
}

impl Modulus {
    /// The columns' number divided by R, modulo n: a digit of the quotient for each of the lower
    /// columns, which makes it a multiple of the radix. Columns are first made digits.
    fn reduced(&self, columns: &mut [u64]) -> Number {
        carry(columns);
        for at in 0..self.digits.len() {
            let columns = &mut columns[at..];
            let quotient = ((columns[0] & MASK) * self.inverse) & MASK;
            for (column, modulus) in columns.iter_mut().zip(&self.digits) {
                *column += quotient * modulus;
            }
            columns[1] += columns[0] >> BITS;
        }
        let mut upper = columns[self.digits.len()..].to_vec();
        carry(&mut upper);
        upper
    }

    /// 0 to n - 1, of a number below R.
    fn canonical(&self, mut number: Number) -> Number {
        carry(&mut number);
        loop {
            let mut borrow = 0;
            let difference: Number = number
                .iter()
                .zip(&self.digits)
                .map(|(one, two)| {
                    let difference = one.wrapping_sub(*two).wrapping_sub(borrow);
                    borrow = difference >> 63;
                    difference & MASK
                })
                .collect();
            if borrow == 1 {
                return number;
            }
            number = difference;
        }
    }
}

/// Columns become digits; nothing may be left beyond the highest one.
fn carry(columns: &mut [u64]) {
    let mut carry = 0;
    for column in columns {
        let sum = *column + carry;
        *column = sum & MASK;
        carry = sum >> BITS;
    }
    debug_assert_eq!(carry, 0);
}

/// Digits of a big-endian number.
fn digits(bytes: &[u8], length: usize) -> Number {
    let mut lowest_first = bytes.iter().rev();
    let (mut bits, mut waiting) = (0_u64, 0);
    (0..length)
        .map(|_| {
            while waiting < BITS {
                bits |= u64::from(lowest_first.next().copied().unwrap_or(0)) << waiting;
                waiting += 8;
            }
            let digit = bits & MASK;
            bits >>= BITS;
            waiting -= BITS;
            digit
        })
        .collect()
}
