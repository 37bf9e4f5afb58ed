//! RSA signature checks (RFC 8017).
//!
//! There are two arithmetics that give the same answers: `simd` where vectors are fast, `plain`
//! elsewhere.

mod encoding;
mod key;
mod modulus;
#[cfg(any(test, not(any(target_arch = "x86_64", target_feature = "simd128"))))]
mod plain;
#[cfg(any(test, target_arch = "x86_64", target_feature = "simd128"))]
mod simd;
#[cfg(test)]
mod tests;

use crate::InvalidKey;
pub use encoding::Hash;

#[cfg(not(any(target_arch = "x86_64", target_feature = "simd128")))]
use plain::Modulus;
#[cfg(any(target_arch = "x86_64", target_feature = "simd128"))]
use simd::Modulus;

/// An RSA public key of 2048 to 4096 bits with an odd exponent of 3 or more below 2^32.
#[derive(Clone, Debug)]
pub struct PublicKey(key::Key<Modulus>);

impl PublicKey {
    /// Takes modulus and exponent, big-endian; leading zeros do not count.
    ///
    /// # Errors
    /// [`InvalidKey`] if the modulus is even or not of 2048 to 4096 bits, or the exponent is even,
    /// below 3 or not below 2^32.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, InvalidKey> {
        key::Key::new(modulus, exponent).map(Self)
    }

    /// Whether `signature` is one of a message with this `digest` (RFC 8017, 8.2.2:
    /// RSASSA-PKCS1-v1_5, by comparison of encoded messages). A digest that is not as long as those
    /// of `hash` has none.
    #[must_use]
    pub fn verifies_pkcs1_v15(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
        self.0.verifies_pkcs1_v15(hash, digest, signature)
    }

    /// The message representative of a signature, as long as the modulus (RFC 8017, 5.2.2:
    /// RSAVP1); `None` if the signature is not as long as the modulus, or not below it.
    #[must_use]
    pub fn recover(&self, signature: &[u8]) -> Option<Vec<u8>> {
        self.0.recover(signature)
    }
}
