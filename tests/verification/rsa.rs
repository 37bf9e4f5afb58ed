//! RSA: made-up inputs, and what other implementations say of them.

mod inputs;
mod keys;
#[cfg(not(target_family = "wasm"))]
mod oracles;

use std::io::Read;

use rsa::Pkcs1v15Sign;
use sha2::{Digest as _, Sha256};
use verification::rsa::{Hash, PublicKey};

use crate::random::Random;
use crate::stopwatch::medians;
#[cfg(not(target_family = "wasm"))]
pub use inputs::emit;
pub use keys::{Key, encoded};

/// The parts of a file of inputs: first a byte that tells which, at last one that tells what is
/// expected. Byte strings have their length before them, in two bytes, big-endian.
mod part {
    /// Modulus, exponent; whether it is a key
    pub const KEY: u8 = b'K';
    /// Hash function, digest, signature; whether it is one
    pub const SIGNATURE: u8 = b'S';
    /// Signature, message representative; whether there is one
    pub const RAW: u8 = b'R';
}

pub const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

/// Runs the kernel on what [`emit`] wrote.
///
/// # Errors
/// The first input of which the kernel says something else, or where the file is not one.
pub fn check(input: &mut dyn Read) -> Result<u64, String> {
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let mut reader = Reader(&bytes);
    let mut key = None;
    let mut modulus = Vec::new();
    let mut checked = 0;
    while let Some(kind) = reader.byte() {
        let short = || format!("input {checked}: the file ends");
        let (found, told) = match kind {
            part::KEY => {
                modulus = reader.string().ok_or_else(short)?.to_vec();
                let exponent = reader.string().ok_or_else(short)?;
                key = PublicKey::new(&modulus, exponent).ok();
                (key.is_some(), format!("exponent {exponent:x?}"))
            }
            part::SIGNATURE => {
                let hash = HASHES[usize::from(reader.byte().ok_or_else(short)?) % 3];
                let digest = reader.string().ok_or_else(short)?;
                let signature = reader.string().ok_or_else(short)?;
                let key = key.as_ref().ok_or("a signature without a key")?;
                let found = key.verifies_pkcs1_v15(hash, digest, signature);
                (found, format!("{hash:?} {digest:x?} {signature:x?}"))
            }
            part::RAW => {
                let signature = reader.string().ok_or_else(short)?;
                let expected = reader.string().ok_or_else(short)?;
                let key = key.as_ref().ok_or("a signature without a key")?;
                let found = key.recover(signature);
                if found.as_ref().is_some_and(|found| found != expected) {
                    return Err(format!(
                        "input {checked}: {found:x?} of {signature:x?}, {modulus:x?}"
                    ));
                }
                (found.is_some(), format!("{signature:x?}"))
            }
            _ => return Err(format!("input {checked}: of no kind")),
        };
        if found != (reader.byte().ok_or_else(short)? == 1) {
            return Err(format!(
                "input {checked}: {found}: {told}, modulus {modulus:x?}"
            ));
        }
        checked += 1;
    }
    Ok(checked)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes([self.byte()?, self.byte()?]);
        let (string, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        Some(string)
    }
}

/// Writes a byte string as [`Reader`] reads it.
#[cfg(not(target_family = "wasm"))]
fn write_string(out: &mut dyn std::io::Write, string: &[u8]) -> std::io::Result<()> {
    out.write_all(&u16::try_from(string.len()).expect("short").to_be_bytes())?;
    out.write_all(string)
}

/// The median microseconds of a verification with a key of 2048 bits and e = 65537.
#[must_use]
pub fn speed(rounds: usize) -> Vec<(&'static str, f64)> {
    let key = Key::new(&mut Random::new(1), 2048, 0x1_0001);
    let ours = PublicKey::new(&key.modulus(), &key.exponent()).expect("a key");
    let theirs = key.of_the_crate();
    let message = Random::new(2).bytes(1100);
    let digest = Sha256::digest(&message);
    let signature = key.signature(&encoded(Hash::Sha256, &digest, 256));
    let with_ours =
        |digest: &[u8]| assert!(ours.verifies_pkcs1_v15(Hash::Sha256, digest, &signature));
    let with_theirs = |digest: &[u8]| {
        let padding = Pkcs1v15Sign::new::<rsa::sha2::Sha256>();
        assert!(theirs.verify(padding, digest, &signature).is_ok());
    };
    medians(
        rounds,
        &mut [
            ("kernel", 1000, &mut || with_ours(&digest)),
            ("crate", 100, &mut || with_theirs(&digest)),
            ("kernel with SHA-256", 1000, &mut || {
                with_ours(&Sha256::digest(&message))
            }),
            ("crate with SHA-256", 100, &mut || {
                with_theirs(&Sha256::digest(&message))
            }),
            ("recover", 1000, &mut || {
                assert!(ours.recover(&signature).is_some())
            }),
            ("load a key", 100, &mut || {
                assert!(PublicKey::new(&key.modulus(), &key.exponent()).is_ok());
            }),
        ],
    )
}
