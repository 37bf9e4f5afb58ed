//! P-256: made-up inputs, and what other implementations say of them.

#[cfg(not(target_family = "wasm"))]
mod inputs;
#[cfg(not(target_family = "wasm"))]
mod oracles;
#[cfg(not(target_family = "wasm"))]
mod scalars;

use p256::ecdsa::Signature;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::io::{ErrorKind, Read};
use verification::p256::PublicKey;

use crate::stopwatch::medians;

#[cfg(not(target_family = "wasm"))]
pub use inputs::emit;

/// An input and what is expected: x, y, digest, r, s, and whether it verifies.
const RECORD: usize = 5 * 32 + 1;

/// Runs the kernel over what [`emit`] wrote.
///
/// # Errors
/// The first record on which the kernel is of another opinion.
pub fn check(input: &mut dyn Read) -> Result<u64, String> {
    let mut checked = 0;
    let mut known: Option<([u8; 64], Option<PublicKey>)> = None;
    let mut record = [0; RECORD];
    loop {
        match input.read_exact(&mut record) {
            Ok(()) => {}
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => return Ok(checked),
            Err(why) => return Err(why.to_string()),
        }
        let (point, rest) = record.split_first_chunk::<64>().unwrap();
        let (digest, rest) = rest.split_first_chunk::<32>().unwrap();
        let (signature, expected) = rest.split_first_chunk::<64>().unwrap();
        // Runs of records have the same key.
        if known.as_ref().is_none_or(|(known, _)| known != point) {
            let (x, y) = point.split_first_chunk().unwrap();
            let key = PublicKey::new(x, y.try_into().unwrap()).ok();
            known = Some((*point, key));
        }
        let key = known.as_ref().and_then(|(_, key)| key.as_ref());
        let verifies = key.is_some_and(|key| key.verifies(digest, signature));
        if u8::from(verifies) != expected[0] {
            return Err(format!("record {checked}: {verifies}: {record:02x?}"));
        }
        checked += 1;
    }
}

/// Median microseconds of a verification. A round takes some milliseconds, less than the scheduler
/// gives at a time, so that on a busy machine most are not interrupted: let there be some hundreds.
#[must_use]
pub fn speed(rounds: usize) -> Vec<(&'static str, f64)> {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::hazmat::PrehashSigner;
    // More than one signature, or the branch predictors would learn it by heart.
    let signing = SigningKey::from_slice(&[0x47; 32]).unwrap();
    let verifying = signing.verifying_key();
    let messages: Vec<Vec<u8>> = (0..50).map(|i| vec![i; 1100]).collect();
    let signed: Vec<([u8; 32], Signature)> = (messages.iter())
        .map(|message| {
            let digest: [u8; 32] = Sha256::digest(message).into();
            (digest, signing.sign_prehash(&digest).unwrap())
        })
        .collect();
    let bytes: Vec<[u8; 64]> = (signed.iter())
        .map(|(_, signature)| signature.to_bytes().into())
        .collect();
    let point = verifying.to_sec1_point(false);
    let (x, y) = (point.x().unwrap(), point.y().unwrap());
    let key = PublicKey::new(x.as_ref(), y.as_ref()).unwrap();
    let by_kernel = |i: usize| assert!(key.verifies(&signed[i].0, &bytes[i]));
    let by_crate = |i: usize| {
        verifying
            .verify_prehash(&signed[i].0, &signed[i].1)
            .unwrap()
    };
    let turn = |count: &mut usize| {
        *count = (*count + 1) % messages.len();
        black_box(*count)
    };
    let mut turns = [0; 5];
    let [one, two, three, four, five] = &mut turns;
    medians(
        rounds,
        &mut [
            ("kernel", 50, &mut || by_kernel(turn(one))),
            ("crate", 2, &mut || by_crate(turn(two))),
            ("kernel with SHA-256", 50, &mut || {
                let i = turn(three);
                let digest: [u8; 32] = Sha256::digest(&messages[i]).into();
                assert!(key.verifies(&digest, &bytes[i]));
            }),
            ("crate with SHA-256", 2, &mut || {
                let i = turn(four);
                let digest = Sha256::digest(&messages[i]);
                verifying.verify_prehash(&digest, &signed[i].1).unwrap();
            }),
            // With the first verification, as that makes the table.
            ("load a key", 1, &mut || {
                let i = turn(five);
                let key = PublicKey::new(black_box(x.as_ref()), y.as_ref()).unwrap();
                assert!(key.verifies(&signed[i].0, &bytes[i]));
            }),
        ],
    )
}
