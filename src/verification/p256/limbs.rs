//! Integers of about 256 bits as nine signed limbs of 29 bits: the sum of `limb[i] << 29 i`.
//!
//! A product of two limbs has 58 bits, so that the nine of a column fit into an `i64` with room for
//! sums and differences that were never carried. *Carried* here means that all limbs but the last
//! are in `0..1 << 29`; the last one has the sign.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "constant indices into arrays; the bounds of every sum are stated where it is made"
)]

pub type Limbs = [i64; 9];

/// A product before its reduction. The last column is empty: it takes what is carried.
pub type Columns = [i64; 18];

pub const BITS: u32 = 29;
pub const MASK: i64 = (1 << BITS) - 1;

/// What no limb of a product's column may reach, so that reduction can add to it.
const LIMIT: f64 = (i64::MAX - (1 << 56)) as f64;

/// Reads 32 bytes, big-endian; carried.
pub fn from_be_bytes(bytes: &[u8; 32]) -> Limbs {
    let mut limbs = [0; 9];
    let (mut buffer, mut held, mut next) = (0_u64, 0, 0);
    for byte in bytes.iter().rev() {
        buffer |= u64::from(*byte) << held;
        held += 8;
        if held >= BITS {
            limbs[next] = buffer as i64 & MASK;
            next += 1;
            buffer >>= BITS;
            held -= BITS;
        }
    }
    limbs[next] = buffer as i64;
    limbs
}

/// The value, rounded; carried. -a is the complement and one more, so nothing cancels.
#[inline(always)]
pub fn to_f64(a: &Limbs) -> f64 {
    const SCALE: f64 = (1_u64 << (2 * BITS)) as f64;
    let sign = a[8] >> 63;
    // Two limbs at a time: 58 bits.
    let low_bits = sign & ((1 << (2 * BITS)) - 1);
    let pair = |low: usize| ((a[low + 1] << BITS | a[low]) ^ low_bits) as f64;
    let high = ((a[8] ^ sign) as f64 * SCALE + pair(6)) * SCALE + pair(4);
    let size = (high * SCALE + pair(2)) * SCALE + pair(0);
    // Without a branch, which would be taken at random.
    let size = size + (sign & 1) as f64;
    f64::from_bits(size.to_bits() ^ (sign as u64 & 1 << 63))
}

/// Carries limbs that are below 2^62 in size.
pub fn carried(mut a: Limbs) -> Limbs {
    let mut carry = 0;
    for limb in &mut a[..8] {
        let sum = *limb + carry;
        *limb = sum & MASK;
        carry = sum >> BITS;
    }
    a[8] += carry;
    a
}

/// Whether `a` is below `b`; both carried.
pub fn is_below(a: &Limbs, b: &Limbs) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// Whether no column of the product of `a` and `b` can overflow: for assertions.
pub fn can_multiply(a: &Limbs, b: &Limbs, times: f64) -> bool {
    let largest = |a: &Limbs| a.iter().fold(0, |most, limb| limb.abs().max(most)) as f64;
    9.0 * times * largest(a) * largest(b) < LIMIT
}

/// The product, column by column.
#[inline(always)]
pub fn product(a: &Limbs, b: &Limbs) -> Columns {
    debug_assert!(can_multiply(a, b, 1.0));
    [
        a[0] * b[0],
        a[0] * b[1] + a[1] * b[0],
        a[0] * b[2] + a[1] * b[1] + a[2] * b[0],
        a[0] * b[3] + a[1] * b[2] + a[2] * b[1] + a[3] * b[0],
        a[0] * b[4] + a[1] * b[3] + a[2] * b[2] + a[3] * b[1] + a[4] * b[0],
        a[0] * b[5] + a[1] * b[4] + a[2] * b[3] + a[3] * b[2] + a[4] * b[1] + a[5] * b[0],
        a[0] * b[6]
            + a[1] * b[5]
            + a[2] * b[4]
            + a[3] * b[3]
            + a[4] * b[2]
            + a[5] * b[1]
            + a[6] * b[0],
        a[0] * b[7]
            + a[1] * b[6]
            + a[2] * b[5]
            + a[3] * b[4]
            + a[4] * b[3]
            + a[5] * b[2]
            + a[6] * b[1]
            + a[7] * b[0],
        a[0] * b[8]
            + a[1] * b[7]
            + a[2] * b[6]
            + a[3] * b[5]
            + a[4] * b[4]
            + a[5] * b[3]
            + a[6] * b[2]
            + a[7] * b[1]
            + a[8] * b[0],
        a[1] * b[8]
            + a[2] * b[7]
            + a[3] * b[6]
            + a[4] * b[5]
            + a[5] * b[4]
            + a[6] * b[3]
            + a[7] * b[2]
            + a[8] * b[1],
        a[2] * b[8]
            + a[3] * b[7]
            + a[4] * b[6]
            + a[5] * b[5]
            + a[6] * b[4]
            + a[7] * b[3]
            + a[8] * b[2],
        a[3] * b[8] + a[4] * b[7] + a[5] * b[6] + a[6] * b[5] + a[7] * b[4] + a[8] * b[3],
        a[4] * b[8] + a[5] * b[7] + a[6] * b[6] + a[7] * b[5] + a[8] * b[4],
        a[5] * b[8] + a[6] * b[7] + a[7] * b[6] + a[8] * b[5],
        a[6] * b[8] + a[7] * b[7] + a[8] * b[6],
        a[7] * b[8] + a[8] * b[7],
        a[8] * b[8],
        0,
    ]
}

/// The square, column by column: what is there twice is multiplied once.
#[inline(always)]
pub fn square(a: &Limbs) -> Columns {
    debug_assert!(can_multiply(a, a, 1.0));
    let d = [
        a[0] * 2,
        a[1] * 2,
        a[2] * 2,
        a[3] * 2,
        a[4] * 2,
        a[5] * 2,
        a[6] * 2,
        a[7] * 2,
    ];
    [
        a[0] * a[0],
        d[0] * a[1],
        d[0] * a[2] + a[1] * a[1],
        d[0] * a[3] + d[1] * a[2],
        d[0] * a[4] + d[1] * a[3] + a[2] * a[2],
        d[0] * a[5] + d[1] * a[4] + d[2] * a[3],
        d[0] * a[6] + d[1] * a[5] + d[2] * a[4] + a[3] * a[3],
        d[0] * a[7] + d[1] * a[6] + d[2] * a[5] + d[3] * a[4],
        d[0] * a[8] + d[1] * a[7] + d[2] * a[6] + d[3] * a[5] + a[4] * a[4],
        d[1] * a[8] + d[2] * a[7] + d[3] * a[6] + d[4] * a[5],
        d[2] * a[8] + d[3] * a[7] + d[4] * a[6] + a[5] * a[5],
        d[3] * a[8] + d[4] * a[7] + d[5] * a[6],
        d[4] * a[8] + d[5] * a[7] + a[6] * a[6],
        d[5] * a[8] + d[6] * a[7],
        d[6] * a[8] + a[7] * a[7],
        d[7] * a[8],
        a[8] * a[8],
        0,
    ]
}
