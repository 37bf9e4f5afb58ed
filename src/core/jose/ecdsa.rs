//! ECDSA signature checks on P-384 and P-521 (FIPS 186-5, 6.4.2; SEC 1, 4.1.4), with what depends on
//! the key alone made once: a gateway has few keys, and has them for long. The arithmetic is that of the
//! RustCrypto crates, and tests compare with what their own checks say.

use std::sync::{Arc, LazyLock, OnceLock};

use p384::NistP384;
use p521::NistP521;
use primeorder::elliptic_curve::ops::{Invert as _, Mul as _, Reduce as _};
use primeorder::elliptic_curve::point::AffineCoordinates as _;
use primeorder::elliptic_curve::{self, FieldBytes, NonZeroScalar};
use primeorder::{PrimeCurveParams, PrimeField as _, ProjectivePoint, Scalar};

use super::fixed_base::{self, Table};

/// A curve with a table of its base point's multiples, made at the first check.
pub trait Curve: PrimeCurveParams {
    fn base_table() -> &'static Table<Self>;
}

impl Curve for NistP384 {
    fn base_table() -> &'static Table<Self> {
        static TABLE: LazyLock<Table<NistP384>> =
            LazyLock::new(|| Table::new(&ProjectivePoint::GENERATOR));
        &TABLE
    }
}

impl Curve for NistP521 {
    fn base_table() -> &'static Table<Self> {
        static TABLE: LazyLock<Table<NistP521>> =
            LazyLock::new(|| Table::new(&ProjectivePoint::GENERATOR));
        &TABLE
    }
}

/// A public key with a table of its multiples, made at the first check and shared by clones.
#[derive(Clone, Debug)]
pub struct PublicKey<C: Curve> {
    /// A point on the curve, other than the one at infinity.
    pub point: elliptic_curve::PublicKey<C>,
    table: Arc<OnceLock<Table<C>>>,
}

impl<C: Curve> From<elliptic_curve::PublicKey<C>> for PublicKey<C> {
    fn from(point: elliptic_curve::PublicKey<C>) -> Self {
        let table = Arc::default();
        Self { point, table }
    }
}

impl<C: Curve> PublicKey<C> {
    /// Whether r and s are a signature of a message with this `digest`, which has at most as many bits
    /// as n: those of ES384 and ES512 have (RFC 7518, 3.4).
    #[must_use]
    pub fn verifies(&self, digest: &[u8], signature: (NonZeroScalar<C>, NonZeroScalar<C>)) -> bool {
        self.check(digest, signature).unwrap_or(false)
    }

    /// The steps are those of FIPS 186-5, 6.4.2; none is no. Step 1, that r and s are from 1 to n - 1, is
    /// in their type.
    fn check(&self, digest: &[u8], (r, s): (NonZeroScalar<C>, NonZeroScalar<C>)) -> Option<bool> {
        // Steps 2 and 3; SEC 1, 4.1.4, steps 2 and 3
        let e = number::<C>(digest)?;
        // Steps 4 and 5; SEC 1, step 4. All of it is public.
        let inverse = *s.invert_vartime();
        let u1 = e.mul(inverse);
        let u2 = r.as_ref().mul(inverse);
        // Step 6; SEC 1, step 5
        let sum = fixed_base::sum([(C::base_table(), &u1), (self.table(), &u2)]);
        let sum = sum.to_affine();
        if sum.is_identity().into() {
            return None;
        }
        // Steps 7 and 8; SEC 1, steps 6 to 8. x is below p, which is below 2 n.
        Some(Scalar::<C>::reduce(&sum.x()) == *r)
    }

    fn table(&self) -> &Table<C> {
        let made = || Table::new(&self.point.to_projective());
        self.table.get_or_init(made)
    }
}

/// The digest as an integer modulo n (FIPS 186-5, 6.4.2, step 3). One of more bits than n, of which the
/// leftmost would count, is none of JOSE's.
fn number<C: Curve>(digest: &[u8]) -> Option<Scalar<C>> {
    let bits = u32::try_from(digest.len().checked_mul(8)?).ok()?;
    if bits > Scalar::<C>::NUM_BITS {
        return None;
    }
    let mut octets = FieldBytes::<C>::default();
    let zeros = octets.len().checked_sub(digest.len())?;
    octets.get_mut(zeros..)?.copy_from_slice(digest);
    Some(Scalar::<C>::reduce(&octets))
}

#[cfg(test)]
mod tests {
    use primeorder::elliptic_curve::point::DecompressPoint as _;
    use primeorder::elliptic_curve::subtle::Choice;
    use primeorder::{AffinePoint, Field as _};

    use super::super::fixed_base::tests::random;
    use super::*;

    trait Tested: Curve {
        /// Octets of a digest.
        const DIGEST: usize;

        /// What is said of r and s, which has to be what the crate's own check says.
        fn verifies(key: &PublicKey<Self>, digest: &[u8], signature: &[u8]) -> bool;
    }

    macro_rules! tested {
        ($curve:ident, $module:ident, $digest:literal) => {
            impl Tested for $curve {
                const DIGEST: usize = $digest;

                fn verifies(key: &PublicKey<Self>, digest: &[u8], signature: &[u8]) -> bool {
                    use ::$module::ecdsa::signature::hazmat::PrehashVerifier as _;
                    use ::$module::ecdsa::{Signature, VerifyingKey};
                    let Ok(signature) = Signature::from_slice(signature) else {
                        return false;
                    };
                    let verifies = key.verifies(digest, signature.split_scalars());
                    let crates = VerifyingKey::from(key.point).verify_prehash(digest, &signature);
                    assert_eq!(verifies, crates.is_ok(), "{digest:x?} {signature:x?}");
                    verifies
                }
            }

            mod $module {
                use super::*;

                #[test]
                fn signatures_with_anything_changed() {
                    super::signatures_with_anything_changed::<$curve>();
                }

                #[test]
                fn signatures_that_nobody_made() {
                    super::signatures_that_nobody_made::<$curve>();
                }

                #[test]
                fn keys_that_are_near_the_base_point() {
                    super::keys_that_are_near_the_base_point::<$curve>();
                }

                #[test]
                fn points_with_x_beyond_the_order() {
                    super::points_with_x_beyond_the_order::<$curve>();
                }

                #[test]
                fn digests_of_all_lengths() {
                    super::digests_of_all_lengths::<$curve>();
                }

                #[test]
                fn clones_share_the_table() {
                    super::clones_share_the_table::<$curve>();
                }
            }
        };
    }

    tested!(NistP384, p384, 48);
    tested!(NistP521, p521, 64);

    fn key<C: Tested>(point: ProjectivePoint<C>) -> PublicKey<C> {
        let point = elliptic_curve::PublicKey::from_affine(point.to_affine());
        point.unwrap().into()
    }

    fn inverse<C: Tested>(scalar: &Scalar<C>) -> Scalar<C> {
        scalar.invert_vartime().unwrap()
    }

    fn digest<C: Tested>(name: u32) -> Vec<u8> {
        let octets = random::<C>(name).to_repr();
        octets[octets.len() - C::DIGEST..].to_vec()
    }

    fn octets<C: Tested>(r: Scalar<C>, s: Scalar<C>) -> Vec<u8> {
        [r.to_repr(), s.to_repr()].concat()
    }

    /// FIPS 186-5, 6.4.1.
    fn sign<C: Tested>(d: Scalar<C>, digest: &[u8], name: u32) -> Vec<u8> {
        let k = random::<C>(name);
        let point = ProjectivePoint::<C>::GENERATOR * k;
        let r = Scalar::<C>::reduce(&point.to_affine().x());
        let e = number::<C>(digest).unwrap();
        octets::<C>(r, inverse::<C>(&k) * (e + r * d))
    }

    /// With one bit changed in each, of bits that are `step` apart.
    fn flipped(octets: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> {
        (0..octets.len() * 8).step_by(step).map(|bit| {
            let mut octets = octets.to_vec();
            octets[bit / 8] ^= 1 << (bit % 8);
            octets
        })
    }

    /// n - 1 + `more`.
    fn about_the_order<C: Tested>(more: u8) -> FieldBytes<C> {
        let mut octets = (-Scalar::<C>::ONE).to_repr();
        let last = octets.last_mut().unwrap();
        *last = last.checked_add(more).unwrap();
        octets
    }

    fn signatures_with_anything_changed<C: Tested>() {
        let mut edges = [0, 1, 2].map(about_the_order::<C>).to_vec();
        edges.extend([Scalar::<C>::ZERO.to_repr(), Scalar::<C>::ONE.to_repr()]);
        for name in 0..6 {
            let d = random::<C>(100 + name);
            let key = self::key::<C>(ProjectivePoint::GENERATOR * d);
            let digest = digest::<C>(200 + name);
            let signature = sign::<C>(d, &digest, 300 + name);
            assert!(C::verifies(&key, &digest, &signature));
            let refused = |signature: &[u8]| assert!(!C::verifies(&key, &digest, signature));
            flipped(&signature, 37).for_each(|signature| refused(&signature));
            for digest in flipped(&digest, 29) {
                assert!(!C::verifies(&key, &digest, &signature));
            }
            let (r, s) = signature.split_at(signature.len() / 2);
            refused(&[s, r].concat());
            for edge in &edges {
                refused(&[edge.as_slice(), s].concat());
                refused(&[r, edge.as_slice()].concat());
                refused(&[edge.as_slice(), edge.as_slice()].concat());
            }
            let [r, s] =
                [r, s].map(|half| Scalar::<C>::from_repr(half.try_into().unwrap()).unwrap());
            refused(&octets::<C>(-r, s));
            // -R has the same x.
            assert!(C::verifies(&key, &digest, &octets::<C>(r, -s)));
            let opposite = self::key::<C>(-key.point.to_projective());
            assert!(!C::verifies(&opposite, &digest, &signature));
        }
    }

    fn signatures_that_nobody_made<C: Tested>() {
        let key = key::<C>(ProjectivePoint::GENERATOR * random::<C>(1));
        for name in 0..60 {
            let [r, s] = [400, 500].map(|from| random::<C>(from + name));
            assert!(!C::verifies(
                &key,
                &digest::<C>(600 + name),
                &octets::<C>(r, s)
            ));
        }
    }

    fn keys_that_are_near_the_base_point<C: Tested>() {
        for (name, d) in (700..).zip([1_u64, 2, 3, 15, 16, 0x1_0000]) {
            for d in [Scalar::<C>::from(d), -Scalar::<C>::from(d)] {
                let key = key::<C>(ProjectivePoint::GENERATOR * d);
                let digest = digest::<C>(name);
                assert!(C::verifies(
                    &key,
                    &digest,
                    &sign::<C>(d, &digest, name + 100)
                ));
                // u1 = ±u2, and u1 G = ±u2 Q: the sum is the point at infinity where it is minus.
                let e = number::<C>(&digest).unwrap();
                for r in [e, -e, e * inverse::<C>(&d), -e * inverse::<C>(&d)] {
                    let signature = octets::<C>(r, random::<C>(name));
                    assert!(!C::verifies(&key, &digest, &signature));
                }
            }
        }
    }

    /// Nobody finds such a signature for a key, but a key for such a signature: R is chosen, and Q
    /// recovered from it (SEC 1, 4.1.6).
    fn points_with_x_beyond_the_order<C: Tested>() {
        let mut found = 0_u32;
        for more in 2..40 {
            let x = about_the_order::<C>(more);
            let point = AffinePoint::<C>::decompress(&x, Choice::from(0)).into_option();
            let Some(point) = point.map(ProjectivePoint::from) else {
                continue;
            };
            found += 1;
            let r = Scalar::<C>::from(u64::from(more) - 1);
            let (s, digest) = (random::<C>(more.into()), digest::<C>(800));
            let e = number::<C>(&digest).unwrap();
            let key = point * s - ProjectivePoint::GENERATOR * e;
            let key = self::key::<C>(key * inverse::<C>(&r));
            assert!(C::verifies(&key, &digest, &octets::<C>(r, s)));
            assert!(!C::verifies(
                &key,
                &digest,
                &octets::<C>(r + Scalar::<C>::ONE, s)
            ));
            // r itself is not below n.
            assert!(!C::verifies(&key, &digest, &[x, s.to_repr()].concat()));
        }
        assert!(found > 5);
    }

    fn digests_of_all_lengths<C: Tested>() {
        let d = random::<C>(1);
        let key = key::<C>(ProjectivePoint::GENERATOR * d);
        for length in [0, 1, C::DIGEST / 2, C::DIGEST - 1, C::DIGEST] {
            let digest = vec![0xff; length];
            assert!(C::verifies(&key, &digest, &sign::<C>(d, &digest, 900)));
        }
        // One bit more than n
        let most = usize::try_from(Scalar::<C>::NUM_BITS).unwrap() / 8;
        assert!(number::<C>(&vec![0; most]).is_some());
        assert!(number::<C>(&vec![0; most + 1]).is_none());
    }

    fn clones_share_the_table<C: Tested>() {
        let key = key::<C>(ProjectivePoint::GENERATOR);
        let clone = key.clone();
        assert!(clone.table.get().is_none());
        key.table();
        assert!(clone.table.get().is_some());
    }
}
