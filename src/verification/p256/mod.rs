//! ECDSA signature checks on P-256 (FIPS 186-5, 6.4.2; SP 800-186, 3.2.1.3).
//!
//! [`limbs`] has the integers, [`field`] and [`scalar`] the arithmetic modulo the two primes,
//! [`inverse`] division, [`curve`] the points and [`comb`] their multiples by tables, for all but some
//! exceptions that [`complete`] is for.

mod comb;
mod complete;
mod curve;
mod field;
mod inverse;
mod limbs;
#[cfg(test)]
mod reference;
mod scalar;

use crate::InvalidKey;
use comb::Table;
use curve::Affine;
use field::Element;
use std::sync::{Arc, OnceLock};

/// A point on the curve, other than the one at infinity, with a table of its multiples: 147 kB,
/// made at the first check in less than a millisecond, and shared by clones. The first check of all
/// makes the one of the base point, too.
#[derive(Clone, Debug)]
pub struct PublicKey {
    point: Affine,
    table: Arc<OnceLock<Option<Table>>>,
}

impl PublicKey {
    /// Takes the affine coordinates, big-endian.
    ///
    /// # Errors
    /// [`InvalidKey`] if one is not below the field's prime, or the point is not on the curve.
    pub fn new(x: &[u8; 32], y: &[u8; 32]) -> Result<Self, InvalidKey> {
        let point = || Affine::new(Element::from_be_bytes(x)?, Element::from_be_bytes(y)?);
        // The order is prime, so there is no smaller subgroup to rule out.
        let point = point().ok_or(InvalidKey)?;
        let table = Arc::default();
        Ok(Self { point, table })
    }

    /// Whether `signature`, r and s one after the other (RFC 7518, 3.4), is one of a message with
    /// this SHA-256 `digest`.
    #[must_use]
    pub fn verifies(&self, digest: &[u8; 32], signature: &[u8; 64]) -> bool {
        self.check(digest, signature).unwrap_or(false)
    }

    /// FIPS 186-5, 6.4.2; none is no.
    fn check(&self, digest: &[u8; 32], signature: &[u8; 64]) -> Option<bool> {
        // Step 1
        let r = scalar::from_be_bytes(signature.first_chunk()?)?;
        let s = scalar::from_be_bytes(signature.last_chunk()?)?;
        // Steps 2 to 5. The digest has as many bits as n.
        let [u1, u2] = scalar::quotients(&limbs::from_be_bytes(digest), &r, &s)?;
        // Step 6
        let sum = match comb::sum(base_table()?, &u1, self.table()?, &u2) {
            Some(sum) => sum,
            None => complete::sum(&curve::BASE, &u1, &self.point, &u2)?,
        };
        // Steps 7 and 8: x = r modulo n, which x < p is for r, and r + n where that is below p.
        let is_r = sum.has_x(&Element::from_limbs(&r));
        Some(is_r || scalar::plus_order(&r).is_some_and(|x| sum.has_x(&Element::from_limbs(&x))))
    }

    fn table(&self) -> Option<&Table> {
        self.table.get_or_init(|| Table::new(&self.point)).as_ref()
    }
}

/// The table of G's multiples, made once.
fn base_table() -> Option<&'static Table> {
    static TABLE: OnceLock<Option<Table>> = OnceLock::new();
    TABLE.get_or_init(|| Table::new(&curve::BASE)).as_ref()
}
