//! Multiples of a point by a table of some of them (Brickell, Gordon, McCurley and Wilson, "Fast
//! exponentiation with precomputation", 1992), for the curves of the RustCrypto crates. Points are added
//! and doubled by these crates, whose formulas are complete: no sum is an exception.
//!
//! A scalar is made of words of 16 bits, and each word of four digits of 4 bits. The table has
//! d 2^(16 j) P for each word j and each digit d but zero. So the digits that are at one place of their
//! words are one sum, without a doubling in between, and the four sums are told apart by four doublings
//! each. It takes time that depends on the scalars, and so is for public ones only.

use std::iter::zip;

use primeorder::elliptic_curve::array::typenum::Unsigned as _;
use primeorder::elliptic_curve::ops::{AddAssign as _, Double as _};
use primeorder::elliptic_curve::{BatchNormalize as _, FieldBytesSize};
use primeorder::{AffinePoint, PrimeCurveParams, PrimeField as _, ProjectivePoint, Scalar};

/// Octets of a word.
const WORD: usize = 2;
/// Bits of a digit.
const DIGIT: usize = 4;
/// Digits other than zero.
const DIGITS: usize = 15;

/// A point's multiples by all digits of one word after the other, from the least significant: 37 kB on
/// P-384, 75 kB on P-521. To make it takes four or five times as long as a sum by two tables.
#[derive(Clone, Debug)]
pub struct Table<C: PrimeCurveParams>(Vec<AffinePoint<C>>);

impl<C: PrimeCurveParams> Table<C> {
    pub fn new(point: &ProjectivePoint<C>) -> Self {
        // Else the first octet of a scalar would be of no word.
        const { assert!(FieldBytesSize::<C>::USIZE.is_multiple_of(WORD)) };
        let words = FieldBytesSize::<C>::USIZE.div_ceil(WORD);
        let mut power = *point;
        let mut multiples = Vec::with_capacity(words.saturating_mul(DIGITS));
        for _ in 0..words {
            let mut multiple = power;
            for _ in 0..DIGITS {
                multiples.push(multiple);
                multiple.add_assign(&power);
            }
            // 16 times 2^(16 j) P is here.
            power = multiple;
            (DIGIT..8 * WORD).for_each(|_| power.double_in_place());
        }
        // One inversion for all.
        Self(ProjectivePoint::batch_normalize(multiples.as_slice()))
    }
}

/// The sum of the multiples of some points by a scalar each.
pub fn sum<C: PrimeCurveParams, const N: usize>(
    terms: [(&Table<C>, &Scalar<C>); N],
) -> ProjectivePoint<C> {
    let terms = terms.map(|(Table(multiples), scalar)| (multiples, scalar.to_repr()));
    let mut sum = ProjectivePoint::IDENTITY;
    for place in [12, 8, 4, 0] {
        (0..DIGIT).for_each(|_| sum.double_in_place());
        for (multiples, scalar) in &terms {
            // A scalar's octets are big-endian.
            let (multiples, words) = (multiples.as_chunks::<DIGITS>().0, scalar.as_chunks().0);
            for (multiples, word) in zip(multiples.iter().rev(), words) {
                let digit = usize::from(u16::from_be_bytes(*word).wrapping_shr(place) & 0xf);
                let multiple = digit.checked_sub(1).and_then(|index| multiples.get(index));
                if let Some(multiple) = multiple {
                    sum.add_assign(multiple);
                }
            }
        }
    }
    sum
}

#[cfg(test)]
pub mod tests {
    use p384::NistP384;
    use p521::NistP521;
    use primeorder::Field as _;
    use primeorder::elliptic_curve::ops::MulVartime as _;
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// A scalar that looks random, another for each `name`.
    pub fn random<C: PrimeCurveParams>(name: u32) -> Scalar<C> {
        let parts = (0..9_u8).map(|part| {
            let digest = Sha256::digest([&name.to_be_bytes()[..], &[part]].concat());
            Scalar::<C>::from(u64::from_be_bytes(*digest.first_chunk().unwrap()))
        });
        let shift = Scalar::<C>::from(1 << 63).double();
        parts.fold(Scalar::<C>::ZERO, |sum, part| sum * shift + part)
    }

    /// As many as there are bits, and those next to them, which have zeros or fifteens for all lower digits.
    fn powers_of_two<C: PrimeCurveParams>() -> impl Iterator<Item = Scalar<C>> {
        let powers = std::iter::successors(Some(Scalar::<C>::ONE), |power| Some(power.double()));
        let powers = powers.take(8 * FieldBytesSize::<C>::USIZE);
        powers.flat_map(|power| [power - Scalar::<C>::ONE, power, power + Scalar::<C>::ONE])
    }

    fn small<C: PrimeCurveParams>() -> impl Iterator<Item = Scalar<C>> {
        let small = [0, 1, 2, 3, 14, 15, 16, 17, 0xffff, 0x1_0000_u64].map(Scalar::<C>::from);
        small.into_iter().flat_map(|small| [small, -small])
    }

    fn points<C: PrimeCurveParams>() -> [ProjectivePoint<C>; 4] {
        let base = ProjectivePoint::<C>::GENERATOR;
        [base, -base, base.double(), base * random::<C>(1)]
    }

    fn multiples_are_those_of_the_crate<C: PrimeCurveParams>() {
        for (number, point) in points::<C>().into_iter().enumerate() {
            let table = Table::new(&point);
            let scalars = small::<C>().chain((2..12).map(random::<C>));
            // Of all these, a fourth for each point
            let powers = powers_of_two::<C>().skip(number).step_by(4);
            for scalar in scalars.chain(powers) {
                let multiple = point.mul_vartime(&scalar);
                assert_eq!(sum([(&table, &scalar)]), multiple, "{scalar:?}");
            }
        }
    }

    #[test]
    fn multiples_on_p384_are_those_of_the_crate() {
        multiples_are_those_of_the_crate::<NistP384>();
    }

    #[test]
    fn multiples_on_p521_are_those_of_the_crate() {
        multiples_are_those_of_the_crate::<NistP521>();
    }

    fn each_entry_is_its_multiple<C: PrimeCurveParams>() {
        let point = ProjectivePoint::<C>::GENERATOR * random::<C>(1);
        let Table(multiples) = Table::new(&point);
        assert_eq!(multiples.len(), FieldBytesSize::<C>::USIZE / 2 * 15);
        let mut power = Scalar::<C>::ONE;
        for multiples in multiples.chunks(15) {
            for (digit, multiple) in zip(1.., multiples) {
                let scalar = power * Scalar::<C>::from(digit);
                assert_eq!(*multiple, point.mul_vartime(&scalar).to_affine());
            }
            power *= Scalar::<C>::from(1 << 16);
        }
    }

    #[test]
    fn each_entry_on_p384_is_its_multiple() {
        each_entry_is_its_multiple::<NistP384>();
    }

    #[test]
    fn each_entry_on_p521_is_its_multiple() {
        each_entry_is_its_multiple::<NistP521>();
    }

    /// Where points or their multiples are the same or opposite, sums on the way are doublings, or the
    /// point at infinity.
    fn sums_are_those_of_the_crate<C: PrimeCurveParams>() {
        let base = ProjectivePoint::<C>::GENERATOR;
        let table = Table::new(&base);
        for point in points::<C>() {
            let other = Table::new(&point);
            for one in small::<C>().chain((2..5).map(random::<C>)) {
                let half = one * (Scalar::<C>::ONE + Scalar::<C>::ONE).invert().unwrap();
                for two in [one, -one, half, -half, random::<C>(5), Scalar::<C>::ZERO] {
                    let expected = base.mul_vartime(&one) + point.mul_vartime(&two);
                    let sum = sum([(&table, &one), (&other, &two)]);
                    assert_eq!(sum, expected, "{one:?} {two:?}");
                    assert_eq!(sum.to_affine(), expected.to_affine(), "{one:?} {two:?}");
                }
            }
        }
        let (one, opposite) = (random::<C>(2), Table::new(&-base));
        for (table, opposite, two) in [(&table, &table, -one), (&table, &opposite, one)] {
            let sum = sum([(table, &one), (opposite, &two)]);
            assert_eq!(sum, ProjectivePoint::IDENTITY);
            assert!(bool::from(sum.to_affine().is_identity()));
        }
    }

    #[test]
    fn sums_on_p384_are_those_of_the_crate() {
        sums_are_those_of_the_crate::<NistP384>();
    }

    #[test]
    fn sums_on_p521_are_those_of_the_crate() {
        sums_are_those_of_the_crate::<NistP521>();
    }
}
