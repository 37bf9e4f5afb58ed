//! P-256: the kernel against a crate, on signatures that are valid but for a few bits or not at all.

#![no_main]

use libfuzzer_sys::fuzz_target;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::ops::Reduce;
use p256::{FieldBytes, ProjectivePoint, Scalar};
use verification::p256::PublicKey;

// A private key; u1 and u2 of a signature to be made, or digest, r and s; what to change of these.
fuzz_target!(|input: (bool, [u8; 32], [[u8; 32]; 3], [[u8; 32]; 3])| {
    let (is_made, d, given, flips) = input;
    let scalar = |bytes: &[u8; 32]| Scalar::reduce(&FieldBytes::from(*bytes));
    let point = ProjectivePoint::GENERATOR * scalar(&d);
    let Ok(key) = VerifyingKey::from_affine(point.to_affine()) else { return };
    let coordinates = key.to_sec1_point(false);
    let (x, y) = (coordinates.x().unwrap(), coordinates.y().unwrap());
    let mut fields = given;
    let [u1, u2, _] = given.map(|bytes| scalar(&bytes));
    let sum = ProjectivePoint::GENERATOR * u1 + point * u2;
    if let (true, Ok(sum)) = (is_made, VerifyingKey::from_affine(sum.to_affine())) {
        let r = Scalar::reduce(sum.to_sec1_point(false).x().unwrap());
        let s: Scalar = r * u2.invert().unwrap_or(Scalar::ONE);
        fields = [u1 * s, r, s].map(|scalar| scalar.to_bytes().into());
    }
    for (byte, flip) in fields.as_flattened_mut().iter_mut().zip(flips.as_flattened()) {
        *byte ^= flip;
    }
    let [digest, r, s] = fields;
    let signature: [u8; 64] = [r, s].concat().try_into().unwrap();
    let by_crate = Signature::from_slice(&signature)
        .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok());
    let kernel = PublicKey::new(x.as_ref(), y.as_ref()).unwrap();
    assert_eq!(kernel.verifies(&digest, &signature), by_crate);
});
