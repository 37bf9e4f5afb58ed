//! What other implementations say.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};

/// An input
pub struct Record {
    pub key: [[u8; 32]; 2],
    pub digest: [u8; 32],
    pub r: [u8; 32],
    pub s: [u8; 32],
    /// By whom it was made, if it should verify or not: one more opinion.
    pub intended: Option<bool>,
    /// What the digest is of.
    pub message: Option<[u8; 32]>,
}

impl Record {
    /// Whether it is a signature.
    ///
    /// # Panics
    /// If the others disagree.
    pub fn verdict(&self) -> bool {
        let Self {
            key: [x, y], r, s, ..
        } = self;
        let point = [&[4][..], x, y].concat();
        let signature = [*r, *s].concat();
        let by_p256 = VerifyingKey::from_sec1_bytes(&point)
            .and_then(|key| key.verify_prehash(&self.digest, &Signature::from_slice(&signature)?))
            .is_ok();
        let by_hacl = libcrux_p256::ecdsa_verif_without_hash(32, &self.digest, &point[1..], r, s);
        assert_eq!(by_p256, by_hacl, "p256 and HACL*");
        if let Some(intended) = self.intended {
            assert_eq!(by_p256, intended, "p256 and the maker");
        }
        // ring hashes itself.
        if let Some(message) = self.message {
            use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
            let by_ring = key.verify(&message, &signature).is_ok();
            assert_eq!(by_p256, by_ring, "p256 and ring");
        }
        by_p256
    }
}
