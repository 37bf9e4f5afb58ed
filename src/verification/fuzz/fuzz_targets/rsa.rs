//! Any modulus, exponent and signature: the kernel against the crate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use verification::rsa::{Hash, PublicKey};

fuzz_target!(|input: (&[u8], u32, [u8; 32], &[u8], bool)| {
    let (modulus, exponent, digest, signature, usual) = input;
    let exponent = if usual { 0x1_0001 } else { exponent };
    let Ok(key) = PublicKey::new(modulus, &exponent.to_be_bytes()) else { return };
    let other = RsaPublicKey::new_unchecked(BigUint::from_bytes_be(modulus), exponent.into());
    let n = BigUint::from_bytes_be(modulus);
    // The crate takes a signature that is not below the modulus.
    let number = BigUint::from_bytes_be(signature);
    let length = n.bits().div_ceil(8);
    let power = (signature.len() == length && number < n)
        .then(|| rsa::hazmat::rsa_encrypt(&other, &number).unwrap());
    let recovered = key.recover(signature);
    assert_eq!(recovered.as_ref().map(|bytes| BigUint::from_bytes_be(bytes)), power);
    let verdict = power.is_some()
        && other.verify(Pkcs1v15Sign::new::<rsa::sha2::Sha256>(), &digest, signature).is_ok();
    assert_eq!(key.verifies_pkcs1_v15(Hash::Sha256, &digest, signature), verdict);
});
