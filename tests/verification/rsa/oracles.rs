//! What other implementations say.

use num_bigint::BigUint;
use rsa::Pkcs1v15Sign;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use verification::rsa::Hash;

use super::keys::{Key, padded};

pub fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(message).to_vec(),
        Hash::Sha384 => Sha384::digest(message).to_vec(),
        Hash::Sha512 => Sha512::digest(message).to_vec(),
    }
}

/// Whether it is the message's signature, by the crates `rsa` and `ring`.
///
/// # Panics
/// If they disagree, other than about a number that is not below the modulus: `rsa` reduces it
/// against RFC 8017, 5.2.2.
pub fn verdict(key: &Key, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let padding = match hash {
        Hash::Sha256 => Pkcs1v15Sign::new::<rsa::sha2::Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<rsa::sha2::Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<rsa::sha2::Sha512>(),
    };
    let verdict = key
        .of_the_crate()
        .verify(padding, &digest(hash, message), signature)
        .is_ok();
    let verdict = verdict && BigUint::from_bytes_be(signature) < key.n;
    let parameters = match hash {
        Hash::Sha256 => &ring::signature::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &ring::signature::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &ring::signature::RSA_PKCS1_2048_8192_SHA512,
    };
    let components = ring::signature::RsaPublicKeyComponents {
        n: key.modulus(),
        e: key.exponent(),
    };
    let second = components.verify(parameters, message, signature).is_ok();
    assert_eq!(
        verdict, second,
        "rsa and ring: {hash:?} {message:x?} {signature:x?} {key:x?}"
    );
    verdict
}

/// s^e modulo n, by the crates `rsa` and `num-bigint`.
///
/// # Panics
/// If they disagree.
pub fn power(n: &BigUint, e: u32, base: &[u8]) -> Vec<u8> {
    let key =
        rsa::RsaPublicKey::new_unchecked(rsa::BigUint::from_bytes_be(&n.to_bytes_be()), e.into());
    let power =
        rsa::hazmat::rsa_encrypt(&key, &rsa::BigUint::from_bytes_be(base)).expect("a power");
    let second = BigUint::from_bytes_be(base).modpow(&e.into(), n);
    assert_eq!(
        power.to_bytes_be(),
        second.to_bytes_be(),
        "rsa and num-bigint"
    );
    padded(&second, n.bits().div_ceil(8) as usize)
}
