//! RSA signature checks (RFC 8017).

use crate::InvalidKey;

/// The hash functions of RSASSA-PKCS1-v1_5 in JOSE (RFC 7518, 3.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// An RSA public key of 2048 to 4096 bits with an odd exponent of 3 or more below 2^32.
#[derive(Clone, Debug)]
pub struct PublicKey {}

impl PublicKey {
    /// Takes modulus and exponent, big-endian.
    ///
    /// # Errors
    /// [`InvalidKey`] if the modulus is even or not of 2048 to 4096 bits, or the exponent is even,
    /// below 3 or not below 2^32.
    pub fn new(_modulus: &[u8], _exponent: &[u8]) -> Result<Self, InvalidKey> {
        Err(InvalidKey)
    }

    /// Whether `signature` is one of a message with this `digest` (RFC 8017, 8.2.2:
    /// RSASSA-PKCS1-v1_5, by comparison of encoded messages).
    #[must_use]
    pub fn verifies_pkcs1_v15(&self, _hash: Hash, _digest: &[u8], _signature: &[u8]) -> bool {
        false
    }

    /// The message representative of a signature, as long as the modulus (RFC 8017, 5.2.2:
    /// RSAVP1); `None` if the signature is not as long as the modulus, or not below it.
    #[must_use]
    pub fn recover(&self, _signature: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
