//! Arithmetic modulo the field's prime, p = 2^256 - 2^224 + 2^192 + 2^96 - 1 (SP 800-186, 3.2.1.3).
//!
//! An element x is held as x R modulo p with R = 2^261 (Montgomery, "Modular multiplication without
//! trial division", 1985), carried, but not reduced to one representative.
//!
//! Bounds of the limbs: sums and differences are not carried, so a limb may be a few times 2^29 in
//! size; what is multiplied must leave a column below 2^63 ([`limbs::can_multiply`]).
//!
//! Bounds of the values: for |a| <= α p and |b| <= β p, a reduced product is in
//! (-αβ/31 p, (1 + αβ/31) p), as p < R/31. So values stay small by themselves. Products want
//! αβ <= 62, which leaves them in (-2 p, 3 p); [`curve`](super::curve) says what α and β are.
//!
//! Debug builds assert both.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "constant indices into arrays; the bounds of every sum are stated where it is made"
)]

use super::inverse::inverse;
use super::limbs::{self, BITS, Columns, Limbs, MASK};

/// x R modulo p.
#[derive(Clone, Copy, Debug)]
pub struct Element(pub Limbs);

/// The prime.
pub const PRIME: Limbs = [
    0x1fffffff, 0x1fffffff, 0x1fffffff, 0x000001ff, 0, 0, 0x00040000, 0x1fe00000, 0x00ffffff,
];
/// 0 and 1
pub const ZERO: Element = Element([0; 9]);
pub const ONE: Element = Element([
    0x00000020, 0, 0, 0x1fffc000, 0x1fffffff, 0x1fffffff, 0x1f7fffff, 0x03ffffff, 0,
]);
/// R^2 modulo p, to convert with
const R2: Limbs = [
    0x00000c00, 0, 0x1fff0000, 0x1fdfffff, 0x1fbfffff, 0x1fffffff, 0x1fffffff, 0x1ffffffe,
    0x00000013,
];
/// R^3 modulo p, to convert an inverse with
const R3: Limbs = [
    0x00050000, 0x1ff40000, 0x1effffff, 0x0dffffff, 0x07ffffff, 0x1fffffff, 0x0000000b, 0x00000010,
    0x00000c00,
];

/// Montgomery's reduction: c / R modulo p.
///
/// As p = -1 modulo 2^96, -1/p is 1 modulo 2^29, so the factor of p that clears a column's low 29
/// bits is these bits themselves, q; and q p is added by four shifts:
/// 2^96 is 2^9 three limbs up, 2^192 is 2^18 six up, 2^224 is 2^21 seven up, 2^256 is 2^24 eight up,
/// and -1 clears the column. A column gets less than 2^54 by that. It is summed up before the carry
/// comes in, so that the carries are the only long chain.
#[inline(always)]
fn reduced(c: &Columns) -> Element {
    let t0 = c[0];
    let q0 = t0 & MASK;
    let t1 = c[1] + (t0 >> BITS);
    let q1 = t1 & MASK;
    let t2 = c[2] + (t1 >> BITS);
    let q2 = t2 & MASK;
    let t3 = c[3] + (q0 << 9) + (t2 >> BITS);
    let q3 = t3 & MASK;
    let t4 = c[4] + (q1 << 9) + (t3 >> BITS);
    let q4 = t4 & MASK;
    let t5 = c[5] + (q2 << 9) + (t4 >> BITS);
    let q5 = t5 & MASK;
    let t6 = c[6] + (q0 << 18) + (q3 << 9) + (t5 >> BITS);
    let q6 = t6 & MASK;
    let t7 = c[7] - (q0 << 21) + (q1 << 18) + (q4 << 9) + (t6 >> BITS);
    let q7 = t7 & MASK;
    let t8 = c[8] + (q0 << 24) - (q1 << 21) + (q2 << 18) + (q5 << 9) + (t7 >> BITS);
    let q8 = t8 & MASK;
    let t9 = c[9] + (q1 << 24) - (q2 << 21) + (q3 << 18) + (q6 << 9) + (t8 >> BITS);
    let t10 = c[10] + (q2 << 24) - (q3 << 21) + (q4 << 18) + (q7 << 9) + (t9 >> BITS);
    let t11 = c[11] + (q3 << 24) - (q4 << 21) + (q5 << 18) + (q8 << 9) + (t10 >> BITS);
    let t12 = c[12] + (q4 << 24) - (q5 << 21) + (q6 << 18) + (t11 >> BITS);
    let t13 = c[13] + (q5 << 24) - (q6 << 21) + (q7 << 18) + (t12 >> BITS);
    let t14 = c[14] + (q6 << 24) - (q7 << 21) + (q8 << 18) + (t13 >> BITS);
    let t15 = c[15] + (q7 << 24) - (q8 << 21) + (t14 >> BITS);
    let t16 = c[16] + (q8 << 24) + (t15 >> BITS);
    let t17 = c[17] + (t16 >> BITS);
    Element([
        t9 & MASK,
        t10 & MASK,
        t11 & MASK,
        t12 & MASK,
        t13 & MASK,
        t14 & MASK,
        t15 & MASK,
        t16 & MASK,
        t17,
    ])
}

/// a + b, not carried.
#[inline(always)]
pub fn sum(a: &Element, b: &Element) -> Element {
    let (a, b) = (&a.0, &b.0);
    Element([
        a[0] + b[0],
        a[1] + b[1],
        a[2] + b[2],
        a[3] + b[3],
        a[4] + b[4],
        a[5] + b[5],
        a[6] + b[6],
        a[7] + b[7],
        a[8] + b[8],
    ])
}

/// a - b, not carried.
#[inline(always)]
pub fn difference(a: &Element, b: &Element) -> Element {
    let (a, b) = (&a.0, &b.0);
    Element([
        a[0] - b[0],
        a[1] - b[1],
        a[2] - b[2],
        a[3] - b[3],
        a[4] - b[4],
        a[5] - b[5],
        a[6] - b[6],
        a[7] - b[7],
        a[8] - b[8],
    ])
}

/// a b
#[inline(always)]
pub fn product(a: &Element, b: &Element) -> Element {
    let mut product = ZERO;
    product.set_product(a, b);
    product
}

/// a^2
#[inline(never)]
pub fn square(a: &Element) -> Element {
    debug_assert!(can_reduce(&[(a, a)]));
    reduced(&limbs::square(&a.0))
}

/// a b - c: what is subtracted is reduced along with the product.
#[inline(never)]
pub fn product_less(a: &Element, b: &Element, c: &Element) -> Element {
    debug_assert!(can_reduce(&[(a, b)]));
    reduced(&less(limbs::product(&a.0, &b.0), c))
}

/// a^2 - b - 2 c
#[inline(always)]
pub fn square_less(a: &Element, b: &Element, c: &Element) -> Element {
    let mut difference = ZERO;
    difference.set_square_less(a, b, c);
    difference
}

/// 3 a b; a and b are carried.
#[inline(never)]
pub fn thrice_product(a: &Element, b: &Element) -> Element {
    debug_assert!(can_reduce(&[(a, b); 3]) && limbs::can_multiply(&a.0, &b.0, 3.0));
    let mut columns = limbs::product(&a.0, &b.0);
    for column in &mut columns {
        *column *= 3;
    }
    reduced(&columns)
}

/// Subtracts b R, so that b is subtracted from what is left after the division by R.
#[inline(always)]
fn less(mut columns: Columns, b: &Element) -> Columns {
    let b = &b.0;
    columns[9] -= b[0];
    columns[10] -= b[1];
    columns[11] -= b[2];
    columns[12] -= b[3];
    columns[13] -= b[4];
    columns[14] -= b[5];
    columns[15] -= b[6];
    columns[16] -= b[7];
    columns[17] -= b[8];
    columns
}

/// Carries limbs below 2^62 in size; the value is the same.
pub fn carried(a: &Element) -> Element {
    Element(limbs::carried(a.0))
}

/// Whether the values of all products, taken together, are below 62 p^2 in size: for assertions.
fn can_reduce(products: &[(&Element, &Element)]) -> bool {
    let size = |a: &Element| limbs::to_f64(&limbs::carried(a.0)) / limbs::to_f64(&PRIME);
    let sizes = products.iter().map(|(a, b)| (size(a) * size(b)).abs());
    sizes.sum::<f64>() <= 62.0
}

impl Element {
    /// Becomes a b.
    #[inline(never)]
    pub fn set_product(&mut self, a: &Self, b: &Self) {
        debug_assert!(can_reduce(&[(a, b)]));
        *self = reduced(&limbs::product(&a.0, &b.0));
    }

    /// Becomes a^2 - b - 2 c.
    #[inline(never)]
    pub fn set_square_less(&mut self, a: &Self, b: &Self, c: &Self) {
        debug_assert!(can_reduce(&[(a, a)]));
        let twice = sum(c, c);
        *self = reduced(&less(limbs::square(&a.0), &sum(b, &twice)));
    }

    /// Becomes a (b - c) - d.
    #[inline(never)]
    pub fn set_product_less(&mut self, a: &Self, b: &Self, c: &Self, d: &Self) {
        let difference = difference(b, c);
        debug_assert!(can_reduce(&[(a, &difference)]));
        *self = reduced(&less(limbs::product(&a.0, &difference.0), d));
    }

    /// Multiplies in place. (That and `set_` are there because copies of elements cost a seventh of
    /// a check.)
    #[inline(never)]
    pub fn multiply_by(&mut self, b: &Self) {
        debug_assert!(can_reduce(&[(self, b)]));
        *self = reduced(&limbs::product(&self.0, &b.0));
    }

    /// Becomes a (b - c) - d self, with one reduction.
    #[inline(never)]
    pub fn subtract_from_product(&mut self, a: &Self, b: &Self, c: &Self, d: &Self) {
        let difference = difference(b, c);
        debug_assert!(can_reduce(&[(a, &difference), (self, d)]));
        debug_assert!(limbs::can_multiply(&a.0, &difference.0, 2.0));
        debug_assert!(limbs::can_multiply(&self.0, &d.0, 2.0));
        let minuend = limbs::product(&a.0, &difference.0);
        let subtrahend = limbs::product(&self.0, &d.0);
        *self = reduced(&[
            minuend[0] - subtrahend[0],
            minuend[1] - subtrahend[1],
            minuend[2] - subtrahend[2],
            minuend[3] - subtrahend[3],
            minuend[4] - subtrahend[4],
            minuend[5] - subtrahend[5],
            minuend[6] - subtrahend[6],
            minuend[7] - subtrahend[7],
            minuend[8] - subtrahend[8],
            minuend[9] - subtrahend[9],
            minuend[10] - subtrahend[10],
            minuend[11] - subtrahend[11],
            minuend[12] - subtrahend[12],
            minuend[13] - subtrahend[13],
            minuend[14] - subtrahend[14],
            minuend[15] - subtrahend[15],
            minuend[16] - subtrahend[16],
            0,
        ]);
    }

    /// Reads an integer below p, big-endian.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let limbs = limbs::from_be_bytes(bytes);
        limbs::is_below(&limbs, &PRIME).then(|| Self::from_limbs(&limbs))
    }

    /// Converts an integer below 2^260 in size.
    pub fn from_limbs(limbs: &Limbs) -> Self {
        product(&Self(*limbs), &Self(R2))
    }

    /// Whether it is 0 modulo p, for any value below 15 p in size.
    pub fn is_zero(&self) -> bool {
        let mut columns = [0; 18];
        columns[..9].copy_from_slice(&self.0);
        // (a + q p) / R with 0 <= q < R and |a| < R/2 is above -1 and below p + 1. The one
        // representative of 0 besides itself is p.
        let Self(limbs) = reduced(&columns);
        limbs == [0; 9] || limbs == PRIME
    }

    /// 1/a modulo p; 0 has none. The value is below 4 p in size, and a's limbs below 2^62.
    pub fn inverse(&self) -> Option<Self> {
        // 1/(x R), times R^3, divided by R in the reduction
        let inverse = inverse(&limbs::carried(self.0), &PRIME)?;
        Some(product(&Self(inverse), &Self(R3)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{self, Number, PRIME as P, Random};
    use super::*;

    const CASES: usize = 5000;

    fn r() -> Number {
        reference::value(&[0, 0, 0, 0, 0, 0, 0, 0, 1 << BITS], P)
    }

    fn by_r() -> Number {
        reference::inverse(r(), P)
    }

    fn value(a: &Element) -> Number {
        reference::value(&a.0, P)
    }

    /// Whether a reduced product is what it should be, carried, and in (-p, 2 p), as those of values
    /// below 4 p are.
    fn assert_reduced(a: &Element, expected: Number) {
        assert_eq!(reference::product(value(a), r(), P), expected);
        assert!(a.0[..8].iter().all(|limb| (0..=MASK).contains(limb)));
        assert!((-(1 << 24)..1 << 25).contains(&a.0[8]), "{a:?}");
    }

    #[test]
    fn products_are_right() {
        let mut random = Random(1);
        let mul = |a: &Element, b: &Element| reference::product(value(a), value(b), P);
        let minus = |a, b| reference::sum(a, reference::negative(b, P), P);
        let (r, by_r) = (r(), by_r());
        for _ in 0..CASES {
            // What the curve's formulas have: a difference, and a sum that was not carried. The last
            // limbs are a few times 2^24.
            let a = Element(random.limbs(1 << 29, 3 << 24));
            let b = Element(random.limbs(1 << 30, 3 << 24));
            let [c, d, e] = [(); 3].map(|()| Element(random.carried(3 << 24)));
            let found = super::product(&a, &b);
            assert_reduced(&found, mul(&a, &b));
            assert_reduced(&square(&a), mul(&a, &a));
            let mut product = c;
            product.multiply_by(&a);
            assert_reduced(&product, mul(&a, &c));
            let mut product = c;
            product.subtract_from_product(&d, &e, &c, &e);
            let minuend = mul(&d, &difference(&e, &c));
            assert_reduced(&product, minus(minuend, mul(&c, &e)));
            let thrice = (0..3).fold([0; 4], |sum, _| reference::sum(sum, mul(&c, &d), P));
            assert_eq!(
                value(&thrice_product(&c, &d)),
                reference::product(thrice, by_r, P)
            );
            // What is subtracted may have larger limbs than what is multiplied.
            let b = Element(random.limbs(3 << 29, 3 << 24));
            let times_r = |a: &Element| reference::product(value(a), r, P);
            let less = times_r(&b);
            let twice_less = minus(less, minus([0; 4], times_r(&sum(&c, &c))));
            let mut of_difference = ZERO;
            of_difference.set_product_less(&d, &a, &e, &b);
            for (found, expected) in [
                (product_less(&a, &c, &b), minus(mul(&a, &c), less)),
                (square_less(&a, &b, &c), minus(mul(&a, &a), twice_less)),
                (of_difference, minus(mul(&d, &difference(&a, &e)), less)),
            ] {
                assert_eq!(value(&found), reference::product(expected, by_r, P));
                assert!(found.0[..8].iter().all(|limb| (0..=MASK).contains(limb)));
            }
        }
    }

    #[test]
    fn zero_is_known_in_every_form() {
        let mut random = Random(2);
        for _ in 0..CASES {
            let times = random.next() as i64 % 15;
            let mut multiple = Element(PRIME.map(|limb| limb * times));
            assert!(multiple.is_zero());
            assert!(carried(&multiple).is_zero());
            multiple.0[random.next() as usize % 9] += 1;
            assert!(!multiple.is_zero());
            let any = Element(random.limbs(1 << 30, 5 << 24));
            assert_eq!(any.is_zero(), value(&any) == [0; 4]);
        }
    }

    #[test]
    fn inverses_are_right() {
        let mut random = Random(3);
        for _ in 0..CASES / 10 {
            let a = Element(random.carried(2 << 24));
            let inverse = a.inverse().unwrap();
            assert_eq!(value(&product(&a, &inverse)), value(&ONE));
        }
        for times in -3..=3 {
            assert!(Element(PRIME.map(|limb| limb * times)).inverse().is_none());
        }
    }

    #[test]
    fn bytes_are_read() {
        let mut random = Random(4);
        for _ in 0..CASES {
            let number = random.below(P);
            let element = Element::from_be_bytes(&reference::bytes(number)).unwrap();
            assert_eq!(value(&element), reference::product(number, r(), P));
        }
        let mut from = P;
        for _ in 0..3 {
            assert!(Element::from_be_bytes(&reference::bytes(from)).is_none());
            from[0] = from[0].wrapping_add(1);
            from[1] += u64::from(from[0] == 0);
        }
        assert!(Element::from_be_bytes(&[0xff; 32]).is_none());
    }
}
