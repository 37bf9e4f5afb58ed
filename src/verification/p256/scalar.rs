//! Integers modulo the group's order n (SP 800-186, 3.2.1.3).

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices below 18; the bounds of every sum are stated where it is made"
)]

use super::field::PRIME;
use super::inverse::inverse;
use super::limbs::{self, BITS, Limbs, MASK};

/// The order.
pub const ORDER: Limbs = [
    0x1c632551, 0x1dce5617, 0x05e7a13c, 0x0df55b4e, 0x1ffffbce, 0x1fffffff, 0x0003ffff, 0x1fe00000,
    0x00ffffff,
];
/// -1/n modulo 2^29
const FACTOR: i64 = 0x0e00bc4f;
/// R^2 modulo n with R = 2^261
const R2: Limbs = [
    0x148d9ef5, 0x0f4e7f75, 0x14c6a651, 0x03f8b765, 0x165861f1, 0x1256d7d8, 0x1c185b23, 0x0d4cab0f,
    0x0084b655,
];

/// Reads an integer in 1..n, as r and s of a signature must be (FIPS 186-5, 6.4.2, step 1).
pub fn from_be_bytes(bytes: &[u8; 32]) -> Option<Limbs> {
    let limbs = limbs::from_be_bytes(bytes);
    (limbs != [0; 9] && limbs::is_below(&limbs, &ORDER)).then_some(limbs)
}

/// e/s and r/s modulo n, in 0..n. s must not be 0 modulo n; all are below 2^256.
pub fn quotients(e: &Limbs, r: &Limbs, s: &Limbs) -> Option<[Limbs; 2]> {
    // The inverse, times R
    let inverse = product(&inverse(s, &ORDER)?, &R2);
    Some([e, r].map(|a| least(product(a, &inverse))))
}

/// a b / R modulo n, carried, above -|a b|/R and below n + |a b|/R (Montgomery, 1985).
/// a and b are carried and below 2^260 in size.
fn product(a: &Limbs, b: &Limbs) -> Limbs {
    // Columns are below 9 * 2^58 in size, and as much is added to each: 2^62.2.
    let mut c = limbs::product(a, b);
    for i in 0..9 {
        let q = ((c[i] & MASK) * FACTOR) & MASK;
        for j in 0..9 {
            c[i + j] += q * ORDER[j];
        }
        c[i + 1] += c[i] >> BITS;
    }
    let mut high = [0; 9];
    high.copy_from_slice(&c[9..]);
    limbs::carried(high)
}

/// Brings a value in -n..2n into 0..n.
fn least(mut a: Limbs) -> Limbs {
    if a[8] < 0 {
        for (limb, n) in a.iter_mut().zip(ORDER) {
            *limb += n;
        }
        a = limbs::carried(a);
    }
    if !limbs::is_below(&a, &ORDER) {
        for (limb, n) in a.iter_mut().zip(ORDER) {
            *limb -= n;
        }
        a = limbs::carried(a);
    }
    a
}

/// n - a
pub fn negative(a: &Limbs) -> Limbs {
    let mut difference = ORDER;
    for (limb, a) in difference.iter_mut().zip(a) {
        *limb -= a;
    }
    limbs::carried(difference)
}

/// r + n, if that is below the field's prime p.
pub fn plus_order(r: &Limbs) -> Option<Limbs> {
    let mut sum = ORDER;
    for (limb, r) in sum.iter_mut().zip(r) {
        *limb += r;
    }
    let sum = limbs::carried(sum);
    limbs::is_below(&sum, &PRIME).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::super::reference::{self, ORDER as N, Random};
    use super::*;

    #[test]
    fn quotients_are_right() {
        let mut random = Random(5);
        for _ in 0..2000 {
            let [r, s] = [(); 2].map(|()| random.below(N));
            // The digest may be above n.
            let e = random.below([u64::MAX; 4]);
            let found = quotients(
                &reference::limbs(e),
                &reference::limbs(r),
                &reference::limbs(s),
            );
            if s == [0; 4] {
                assert_eq!(found, None);
                continue;
            }
            let inverse = reference::inverse(s, N);
            let e = reference::sum(e, [0; 4], N);
            let expected = [e, r].map(|a| reference::limbs(reference::product(a, inverse, N)));
            assert_eq!(found, Some(expected));
        }
    }

    #[test]
    fn only_1_to_n_is_read() {
        let read = |number| from_be_bytes(&reference::bytes(number));
        assert_eq!(read([0; 4]), None);
        assert_eq!(read([1, 0, 0, 0]), Some(reference::limbs([1, 0, 0, 0])));
        let [low, rest @ ..] = N;
        for (difference, is_read) in [(-1, true), (0, false), (1, false)] {
            let number = [
                low.wrapping_add_signed(difference),
                rest[0],
                rest[1],
                rest[2],
            ];
            assert_eq!(read(number).is_some(), is_read);
        }
        assert_eq!(read([u64::MAX; 4]), None);
    }

    #[test]
    fn the_order_is_added_below_the_prime() {
        // p - n
        let bound = reference::sum(reference::PRIME, [0; 4], N);
        let plus = |a| plus_order(&reference::limbs(a));
        let minus_one = reference::negative([1, 0, 0, 0], N);
        assert_eq!(plus(bound), None);
        assert_eq!(plus(minus_one), None);
        let most = reference::sum(bound, minus_one, N);
        let expected = reference::negative([1, 0, 0, 0], reference::PRIME);
        assert_eq!(plus(most), Some(reference::limbs(expected)));
    }
}
