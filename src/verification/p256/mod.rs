//! ECDSA signature checks on P-256 (FIPS 186-5, 6.4.2; SP 800-186, 3.2.1.3).

use crate::InvalidKey;

/// A point on the curve, other than the one at infinity, with a table of its multiples.
#[derive(Clone, Debug)]
pub struct PublicKey {}

impl PublicKey {
    /// Takes the affine coordinates, big-endian.
    ///
    /// # Errors
    /// [`InvalidKey`] if one is not below the field's prime, or the point is not on the curve.
    pub fn new(_x: &[u8; 32], _y: &[u8; 32]) -> Result<Self, InvalidKey> {
        Err(InvalidKey)
    }

    /// Whether `signature`, r and s one after the other (RFC 7518, 3.4), is one of a message with
    /// this SHA-256 `digest`.
    #[must_use]
    pub fn verifies(&self, _digest: &[u8; 32], _signature: &[u8; 64]) -> bool {
        false
    }
}
