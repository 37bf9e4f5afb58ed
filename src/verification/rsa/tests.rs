//! The two arithmetics against each other and against schoolbook arithmetic.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::needless_range_loop,
    reason = "as in the arithmetics themselves"
)]

mod signatures;

use super::key::Key;
use super::modulus::{Modulus, power_of_two};
use super::{Hash, encoding, plain, simd};
use crate::random::Random;

impl Random {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 24) as u8).collect()
    }

    fn modulus(&mut self, bits: usize) -> Vec<u8> {
        let mut bytes = self.bytes(bits.div_ceil(8));
        let top = (bits - 1) % 8;
        bytes[0] = bytes[0] & ((1 << top) - 1) | 1 << top;
        *bytes.last_mut().unwrap() |= 1;
        bytes
    }

    /// Below the modulus
    fn residue(&mut self, modulus: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes(modulus.len());
        while bytes.as_slice() >= modulus {
            bytes[0] >>= 1;
        }
        bytes
    }
}

fn limbs(bytes: &[u8]) -> Vec<u64> {
    let limb = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    bytes.rchunks(4).map(limb).collect()
}

/// a + b modulo n, both below it
fn sum_of(a: &[u64], b: &[u64], n: &[u64]) -> Vec<u64> {
    let limb = |number: &[u64], at| number.get(at).copied().unwrap_or(0);
    let (mut carry, mut borrow) = (0, 0);
    let (mut sum, mut reduced) = (vec![0; n.len()], vec![0; n.len()]);
    // And a limb more, for a carry
    for at in 0..=n.len() {
        carry += limb(a, at) + limb(b, at);
        let difference = (carry & 0xffff_ffff) as i64 - limb(n, at) as i64 - borrow;
        borrow = i64::from(difference < 0);
        if at < n.len() {
            sum[at] = carry & 0xffff_ffff;
            reduced[at] = difference as u64 & 0xffff_ffff;
        }
        carry >>= 32;
    }
    if borrow == 0 { reduced } else { sum }
}

/// a b modulo n, bit by bit
fn product_of(a: &[u64], b: &[u64], n: &[u64]) -> Vec<u64> {
    let mut product = vec![0; n.len()];
    for bit in (0..32 * a.len()).rev() {
        product = sum_of(&product, &product, n);
        if a[bit / 32] >> (bit % 32) & 1 == 1 {
            product = sum_of(&product, b, n);
        }
    }
    product
}

/// Big-endian
fn bytes_of(limbs: &[u64], length: usize) -> Vec<u8> {
    let bytes = limbs.iter().flat_map(|limb| (*limb as u32).to_le_bytes());
    let mut bytes: Vec<u8> = bytes.take(length).collect();
    bytes.reverse();
    bytes
}

fn power(base: &[u8], exponent: u32, modulus: &[u8]) -> Vec<u8> {
    let (base, modulus_limbs) = (limbs(base), limbs(modulus));
    let mut power = base.clone();
    for bit in (0..exponent.ilog2()).rev() {
        power = product_of(&power, &power, &modulus_limbs);
        if exponent >> bit & 1 == 1 {
            power = product_of(&power, &base, &modulus_limbs);
        }
    }
    bytes_of(&power, modulus.len())
}

const LENGTHS: [usize; 12] = [
    2048, 2049, 2055, 2056, 2064, 2234, 2235, 2560, 3072, 3391, 4095, 4096,
];

#[test]
fn powers_are_those_of_schoolbook_arithmetic() {
    let mut random = Random(1);
    for bits in LENGTHS {
        for exponent in [3_u32, 5, 17, 65537, u32::MAX] {
            let modulus = random.modulus(bits);
            let key = Key::<simd::Modulus>::new(&modulus, &exponent.to_be_bytes()).unwrap();
            let other = Key::<plain::Modulus>::new(&modulus, &exponent.to_be_bytes()).unwrap();
            let base = random.residue(&modulus);
            let expected = power(&base, exponent, &modulus);
            assert_eq!(
                other.recover(&base).as_ref(),
                Some(&expected),
                "plain {bits} {exponent}"
            );
            assert_eq!(key.recover(&base), Some(expected), "simd {bits} {exponent}");
        }
    }
}

#[test]
fn both_arithmetics_give_the_same_answers() {
    let mut random = Random(2);
    for round in 0..400 {
        let bits = if round % 2 == 0 {
            2048
        } else {
            2048 + (random.next() % 2049) as usize
        };
        let mut modulus = random.modulus(bits);
        match random.next() % 8 {
            // All bits set, or next to none
            0 => modulus[1..].fill(0xff),
            1 => {
                modulus[1..].fill(0);
                *modulus.last_mut().unwrap() = 1;
            }
            _ => (),
        }
        let exponent = [3_u32, 65537, 65537, 65539, u32::MAX][round % 5].to_be_bytes();
        let key = Key::<simd::Modulus>::new(&modulus, &exponent).unwrap();
        let other = Key::<plain::Modulus>::new(&modulus, &exponent).unwrap();
        let mut most = modulus.clone();
        *most.last_mut().unwrap() -= 1;
        let mut least = vec![0; modulus.len()];
        let zero = least.clone();
        *least.last_mut().unwrap() = 1;
        let mut digest = random.bytes(32);
        digest[0] |= 1;
        for base in [
            random.residue(&modulus),
            random.residue(&modulus),
            most,
            least,
            zero,
        ] {
            let (one, two) = (key.recover(&base), other.recover(&base));
            assert!(one.is_some());
            assert_eq!(one, two, "{round}");
            let verdict =
                |key: &Key<simd::Modulus>| key.verifies_pkcs1_v15(Hash::Sha256, &digest, &base);
            assert!(!verdict(&key), "{round}");
            assert!(
                !other.verifies_pkcs1_v15(Hash::Sha256, &digest, &base),
                "{round}"
            );
        }
        assert_eq!(key.recover(&modulus), None);
        assert_eq!(other.recover(&modulus), None);
    }
    assert_eq!(encoding::encoded(Hash::Sha512, &[7; 64], 256).len(), 256);
}

#[test]
fn both_arithmetics_know_a_signature() {
    know_a_signature::<simd::Modulus>();
    know_a_signature::<plain::Modulus>();
}

fn know_a_signature<M: Modulus>() {
    let bytes = |hex: &str| -> Vec<u8> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap() as u8;
        let pairs = hex.as_bytes().as_chunks().0.iter();
        pairs
            .map(|[high, low]| digit(high) << 4 | digit(low))
            .collect()
    };
    let key = Key::<M>::new(&bytes(signatures::MODULUS), &[1, 0, 1]).unwrap();
    for (hash, signature) in Hash::ALL.into_iter().zip(signatures::SIGNATURES) {
        let signature = bytes(signature);
        let digest: Vec<u8> = (1..=hash.length() as u8).collect();
        assert!(key.verifies_pkcs1_v15(hash, &digest, &signature));
        for at in 0..digest.len() {
            let mut other = digest.clone();
            other[at] ^= 0x80;
            assert!(!key.verifies_pkcs1_v15(hash, &other, &signature));
        }
    }
}

#[test]
fn both_arithmetics_compare_products() {
    compare_products::<simd::Modulus>();
    compare_products::<plain::Modulus>();
}

/// a b = c d + e modulo n, with numbers as they come, so that sums have carries
fn compare_products<M: Modulus>() {
    let mut random = Random(4);
    for bits in LENGTHS {
        let modulus = random.modulus(bits);
        let [a, b, d] = [(); 3].map(|()| random.residue(&modulus));
        let c = random.bytes(64);
        let n = limbs(&modulus);
        let mut minus_one = n.clone();
        minus_one[0] -= 1;
        let minus_cd = product_of(&product_of(&limbs(&c), &limbs(&d), &n), &minus_one, &n);
        let ab = product_of(&limbs(&a), &limbs(&b), &n);
        let e = sum_of(&ab, &minus_cd, &n);
        let arithmetic = M::new(&modulus, bits);
        let [one, two, short, factor] = [&a, &b, &c, &d].map(|bytes| arithmetic.number(bytes));
        let is_product = |e: &[u64]| {
            let summand = arithmetic.summand(&arithmetic.number(&bytes_of(e, modulus.len())));
            let factor = arithmetic.factor(&factor);
            arithmetic.is_product([&one, &two], &short, &factor, &summand)
        };
        assert!(is_product(&e), "{bits}");
        assert!(!is_product(&sum_of(&e, &[1], &n)), "{bits}");
        assert!(!is_product(&sum_of(&e, &minus_one, &n)), "{bits}");
    }
}

/// Digits as large as can be, of one sign and of both, for which sums have to be made in parts.
#[test]
fn squares_are_products_with_extreme_digits_too() {
    let mut random = Random(3);
    for bits in LENGTHS {
        let modulus = random.modulus(bits);
        let arithmetic = <simd::Modulus as Modulus>::new(&modulus, bits);
        let other = <plain::Modulus as Modulus>::new(&modulus, bits);
        for (period, pattern) in [(13, 0x1000), (13, 0x0fff), (13, 0x1001), (26, 0x0800_0fff)] {
            let mut base = repeated(period, pattern, bits - 1);
            base.resize(modulus.len(), 0);
            base.reverse();
            let number = arithmetic.number(&base);
            let product = arithmetic.product(&number, &number);
            let mut square = number.clone();
            arithmetic.square(&mut square, 1);
            let square = arithmetic.bytes(&square);
            assert_eq!(square, arithmetic.bytes(&product), "{bits} {pattern:x}");
            // x^2 / R, times R
            let r = limbs(&power_of_two(arithmetic.bits_of_r(), &modulus, bits));
            let whole = product_of(&limbs(&square), &r, &limbs(&modulus));
            let number = other.number(&base);
            let r = power_of_two(2 * other.bits_of_r(), &modulus, bits);
            let there = other.product(&other.product(&number, &number), &other.number(&r));
            assert_eq!(limbs(&other.bytes(&there)), whole, "{bits} {pattern:x}");
        }
    }
}

/// The same bits over and over, the lowest byte first
fn repeated(period: usize, pattern: u32, bits: usize) -> Vec<u8> {
    let mut bytes = vec![0; bits.div_ceil(8)];
    for bit in 0..bits {
        bytes[bit / 8] |= ((pattern >> (bit % period) & 1) as u8) << (bit % 8);
    }
    bytes
}
