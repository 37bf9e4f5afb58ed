//! Checks of JWS signatures (RFC 7518, 3.2 to 3.5; RFC 8037, 3.1): RS* by the host where that is
//! faster, else RSA and P-256 by the kernel, P-384 and P-521 with tables over the RustCrypto crates,
//! the rest by them and the dalek crates.

use std::fmt;

use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, Pkcs1v15Sign, Pss};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use verification::rsa::Hash;

use super::algorithm::Algorithm;
use super::key::{Material, Rsa, VerificationKey};
use super::pss;

/// A host that checks RSASSA-PKCS1-v1_5 signatures, and faster than it is done here.
pub trait HostVerifier: fmt::Debug {
    /// Whether `signature` is one of `message`. `None`: the host did not say, and it has to be checked
    /// here. `hash` is `sha256`, `sha384` or `sha512`; `public_key` is a `SubjectPublicKeyInfo`, DER.
    fn verifies(
        &self,
        hash: &'static str,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool>;
}

/// The same as [`verifies`]; `host`, if there is one, is asked first about what it can check. It is
/// believed.
#[must_use]
pub fn verifies_with(
    host: Option<&dyn HostVerifier>,
    key: &VerificationKey,
    alg: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    host.filter(|_| key.fits(alg))
        .and_then(|host| host_verifies(host, key, alg, message, signature))
        .unwrap_or_else(|| verifies(key, alg, message, signature))
}

fn host_verifies(
    host: &dyn HostVerifier,
    key: &VerificationKey,
    alg: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let hash = match alg {
        Algorithm::Rs256 => "sha256",
        Algorithm::Rs384 => "sha384",
        Algorithm::Rs512 => "sha512",
        _ => return None,
    };
    let Material::Rsa(rsa) = &key.material else {
        return None;
    };
    // RFC 8017, 8.2.2, step 1. For that nobody need be asked.
    if signature.len() != rsa.key.size() {
        return Some(false);
    }
    host.verifies(hash, rsa.spki()?, message, signature)
}

/// Whether `signature` is one of `message` under `key` by `alg`. A key that does not fit the
/// algorithm verifies nothing (RFC 8725, 3.1).
#[must_use]
pub fn verifies(key: &VerificationKey, alg: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    if !key.fits(alg) {
        return false;
    }
    let digest: Vec<u8> = match alg {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => Sha256::digest(message).to_vec(),
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => Sha384::digest(message).to_vec(),
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 => Sha512::digest(message).to_vec(),
        // They hash for themselves.
        Algorithm::EdDsa | Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Vec::new(),
    };
    match &key.material {
        Material::Rsa(key) => rsa_verifies(key, alg, &digest, signature),
        // RFC 7518, 3.4: r and s at the curve's full length, one after the other, never DER.
        Material::P256(key) => match (digest.as_slice().try_into(), signature.try_into()) {
            (Ok(digest), Ok(signature)) => key.fast.verifies(digest, signature),
            _ => false,
        },
        Material::P384(key) => p384::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verifies(&digest, signature.split_scalars())),
        Material::P521(key) => p521::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verifies(&digest, signature.split_scalars())),
        // RFC 8032, 5.1.7, and the strict reading: no malleable s, no points of small order.
        Material::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        Material::Hmac(secret) => secret.verifies(alg, message, signature),
    }
}

fn rsa_verifies(rsa: &Rsa, alg: Algorithm, digest: &[u8], signature: &[u8]) -> bool {
    let Some(key) = &rsa.fast else {
        return crate_verifies(rsa, alg, digest, signature);
    };
    let pss = |is_encoding_of: fn(&[u8], &[u8], usize) -> bool| {
        let recovered = key.recover(signature);
        recovered.is_some_and(|encoded| is_encoding_of(digest, &encoded, rsa.key.n().bits()))
    };
    match alg {
        Algorithm::Rs256 => key.verifies_pkcs1_v15(Hash::Sha256, digest, signature),
        Algorithm::Rs384 => key.verifies_pkcs1_v15(Hash::Sha384, digest, signature),
        Algorithm::Rs512 => key.verifies_pkcs1_v15(Hash::Sha512, digest, signature),
        Algorithm::Ps256 => pss(pss::is_encoding_of::<Sha256>),
        Algorithm::Ps384 => pss(pss::is_encoding_of::<Sha384>),
        Algorithm::Ps512 => pss(pss::is_encoding_of::<Sha512>),
        _ => false,
    }
}

/// For keys that the kernel does not take.
fn crate_verifies(Rsa { key, .. }: &Rsa, alg: Algorithm, digest: &[u8], signature: &[u8]) -> bool {
    // RFC 8017, 5.2.2: a representative beyond the modulus is out of range; the crate would reduce
    // it, and one signature would have two texts.
    if BigUint::from_bytes_be(signature) >= *key.n() {
        return false;
    }
    // The `rsa` crate is of the generation of `sha2` 0.10 and takes the digest's kind from there.
    use rsa::sha2::{Sha256, Sha384, Sha512};
    match alg {
        Algorithm::Rs256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature),
        Algorithm::Rs384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), digest, signature),
        Algorithm::Rs512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), digest, signature),
        // RFC 7518, 3.5: MGF1 with the same hash, and a salt of the hash's length.
        Algorithm::Ps256 => key.verify(Pss::new::<Sha256>(), digest, signature),
        Algorithm::Ps384 => key.verify(Pss::new::<Sha384>(), digest, signature),
        Algorithm::Ps512 => key.verify(Pss::new::<Sha512>(), digest, signature),
        _ => return false,
    }
    .is_ok()
}
