//! Inverses modulo a prime, by Lehmer's form of Euclid's algorithm (Knuth, "The Art of Computer
//! Programming", vol. 2, 4.5.2, algorithm L; D. H. Lehmer, 1938) with quotients rounded to the
//! nearest integer, which takes 0.69 times as many of them as rounding down.
//!
//! Quotients are found in floating point: for a step from (a, b) to (b, a - q b) with x = a/b, the
//! next ratio is 1/(x - q). A double gives the quotients until the factors that they make up have
//! nearly half its 53 bits; then the long integers are brought up to date. However wrong a quotient
//! is, the steps are unimodular, so an inverse that is found is one: precision concerns the speed.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices below 9; the bounds of every sum are stated where it is made"
)]

use super::limbs::{self, BITS, Limbs};

/// The largest factor that is multiplied with a limb: 2 * 2^29 * 2^25 is far from 2^63. The error of
/// a ratio, 3 * 2^-53 of it at first, grows with the product of two factors, so it stays below 3/8:
/// with what rounding to an integer adds, b gets smaller by an eighth at least in every step.
const LARGEST_FACTOR: f64 = (1 << 25) as f64;
/// From here on a ratio has hardly bits for a second quotient.
const LARGEST_RATIO: f64 = (1 << 24) as f64;
/// Every round takes a step, and the first one of a round halves b but for 2^-26 of it; where the
/// ratio is large, two rounds take 24 bits at least off a. Hardly ever are more than 12 needed.
const MOST_ROUNDS: u32 = 600;

/// Some y with x y = 1 modulo the prime `modulus`, below 2^260 in size; none if x is 0 modulo it.
/// Both are carried; `modulus` is below 2^256, and x in size below 2^258.
pub fn inverse(x: &Limbs, modulus: &Limbs) -> Option<Limbs> {
    const ONE: Limbs = [1, 0, 0, 0, 0, 0, 0, 0, 0];
    const MINUS_ONE: Limbs = [
        limbs::MASK,
        limbs::MASK,
        limbs::MASK,
        limbs::MASK,
        limbs::MASK,
        limbs::MASK,
        limbs::MASK,
        limbs::MASK,
        -1,
    ];
    // a = u x and b = v x modulo the modulus, all the way.
    let (mut a, mut b) = (*modulus, *x);
    let (mut u, mut v) = ([0; 9], ONE);
    for _ in 0..MOST_ROUNDS {
        if b == [0; 9] {
            return match a {
                ONE => Some(u),
                MINUS_ONE => Some(limbs::carried(u.map(|limb| -limb))),
                _ => None,
            };
        }
        let ratio = limbs::to_f64(&a) / limbs::to_f64(&b);
        if ratio.abs() < LARGEST_RATIO {
            let factors = steps(ratio);
            combine(&mut a, &mut b, factors);
            combine(&mut u, &mut v, factors);
        } else {
            let (quotient, up) = leading_digit(ratio);
            subtract_multiple(&mut a, quotient, &b, up);
            subtract_multiple(&mut u, quotient, &v, up);
        }
    }
    None
}

/// Takes as many steps as a double is good for: (a, b) becomes (s a + t b, y a + z b). The first
/// one is always taken.
fn steps(ratio: f64) -> [[i64; 2]; 2] {
    let (mut s, mut t, mut y, mut z) = (1.0, 0.0, 0.0, 1.0);
    let mut x = ratio;
    loop {
        let q = nearest(x);
        let (next_y, next_z) = (s - q * y, t - q * z);
        // Written so that it also ends with infinities and what comes of them: x was an integer.
        if !(f64::abs(next_y) <= LARGEST_FACTOR && f64::abs(next_z) <= LARGEST_FACTOR) {
            return [[integer(s), integer(t)], [integer(y), integer(z)]];
        }
        (s, t, y, z) = (y, z, next_y, next_z);
        x = 1.0 / (x - q);
    }
}

/// The nearest integer, for numbers below 2^51 in size: sooner than by the instruction for it.
#[inline(always)]
fn nearest(x: f64) -> f64 {
    (x + SHIFT) - SHIFT
}

/// The same as an integer.
#[inline(always)]
fn integer(x: f64) -> i64 {
    (x + SHIFT).to_bits() as i64 - SHIFT.to_bits() as i64
}

/// What is added to this is rounded to an integer, which the lowest bits then are.
const SHIFT: f64 = (3_u64 << 51) as f64;

/// (a, b) becomes (s a + t b, y a + z b). All are below 2^260 in size: a and b only shrink, and u
/// and v stay below a few times modulus / b, as with the convergents of a continued fraction.
#[inline(always)]
fn combine(a: &mut Limbs, b: &mut Limbs, [[s, t], [y, z]]: [[i64; 2]; 2]) {
    let (mut sum1, mut sum2) = (0, 0);
    for i in 0..9 {
        sum1 += s * a[i] + t * b[i];
        sum2 += y * a[i] + z * b[i];
        if i < 8 {
            (a[i], b[i]) = (sum1 & limbs::MASK, sum2 & limbs::MASK);
            sum1 >>= BITS;
            sum2 >>= BITS;
        }
    }
    debug_assert!(sum1.abs().max(sum2.abs()) < 1 << (BITS - 1));
    (a[8], b[8]) = (sum1, sum2);
}

/// The ratio as a quotient of up to 30 bits, and how many limbs it belongs up.
fn leading_digit(ratio: f64) -> (i64, usize) {
    const LIMB: f64 = (1 << BITS) as f64;
    let (mut digit, mut up) = (ratio, 0);
    while digit.abs() >= LIMB && up < 8 {
        digit /= LIMB;
        up += 1;
    }
    (integer(digit), up)
}

/// a becomes a - (quotient b << 29 up), modulo 2^261 and then of the least size.
fn subtract_multiple(a: &mut Limbs, quotient: i64, b: &Limbs, up: usize) {
    for i in up..9 {
        a[i] -= quotient * b[i - up];
    }
    *a = limbs::carried(*a);
    a[8] = a[8] << (64 - BITS) >> (64 - BITS);
}

#[cfg(test)]
mod tests {
    use super::super::reference::{self, ORDER, PRIME, Random};
    use super::*;

    #[test]
    fn inverses_are_right() {
        let mut random = Random(9);
        let one = [1, 0, 0, 0];
        for m in [PRIME, ORDER] {
            let modulus = reference::limbs(m);
            let check = |x: &Limbs| {
                let value = reference::value(x, m);
                let found = inverse(x, &modulus);
                let Some(found) = found else {
                    assert_eq!(value, [0; 4]);
                    return;
                };
                assert_eq!(
                    reference::product(reference::value(&found, m), value, m),
                    one
                );
                assert!(found[8].abs() < 1 << 28);
            };
            for _ in 0..2000 {
                check(&reference::limbs(random.below(m)));
                check(&random.carried(3 << 24));
            }
            // Ratios that one quotient, or hardly a limb, makes up
            for bit in 0..256 {
                let mut power = [0; 9];
                power[bit / 29] = 1 << (bit % 29);
                check(&power);
                check(&limbs::carried(power.map(|limb| -limb)));
                let mut less = power;
                less[0] -= 1;
                check(&limbs::carried(less));
                let near = std::array::from_fn(|i| modulus[i] - power[i]);
                check(&limbs::carried(near));
            }
            for small in -200..200 {
                check(&limbs::carried([small, 0, 0, 0, 0, 0, 0, 0, 0]));
                let multiple = modulus.map(|limb| limb * (small % 4));
                let near = std::array::from_fn(|i| multiple[i] + if i == 0 { small } else { 0 });
                check(&limbs::carried(near));
            }
        }
    }
}
