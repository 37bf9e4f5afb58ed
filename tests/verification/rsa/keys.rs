//! Keys that are made at once: of many small primes, so worthless but for tests.

use num_bigint::BigUint;
use verification::rsa::Hash;

use crate::random::Random;

#[derive(Clone, Debug)]
pub struct Key {
    pub n: BigUint,
    pub e: u32,
    /// p, 1/e modulo p - 1, and what is 1 modulo p and 0 modulo the others
    primes: Vec<(u64, u64, BigUint)>,
}

impl Key {
    /// An odd e of 3 or more, and at least 2048 bits.
    pub fn new(random: &mut Random, bits: u64, e: u32) -> Self {
        loop {
            let mut primes: Vec<(u64, u64, BigUint)> = Vec::new();
            let mut n = BigUint::from(1_u8);
            while n.bits() < bits {
                // The last ones are so long that the product is.
                let missing = bits - n.bits();
                let length = if missing <= 62 {
                    missing + 1
                } else {
                    31.max(missing.min(124) / 2)
                };
                let p = (random.word() >> (64 - length)) | 1 << (length - 1) | 1;
                let inverse = inverse(e.into(), p - 1);
                if let Some(d) =
                    inverse.filter(|_| is_prime(p) && primes.iter().all(|(q, ..)| *q != p))
                {
                    n *= p;
                    primes.push((p, d, BigUint::ZERO));
                } else if length < 8 {
                    break;
                }
            }
            if n.bits() != bits {
                continue;
            }
            for (p, _, unit) in &mut primes {
                let others = &n / *p;
                let rest = (&others % *p).try_into().expect("below p");
                *unit = others * inverse(rest, *p).expect("other primes");
            }
            return Self { n, e, primes };
        }
    }

    #[must_use]
    pub fn length(&self) -> usize {
        self.n.bits().div_ceil(8) as usize
    }

    #[must_use]
    pub fn modulus(&self) -> Vec<u8> {
        self.n.to_bytes_be()
    }

    #[must_use]
    pub fn exponent(&self) -> Vec<u8> {
        BigUint::from(self.e).to_bytes_be()
    }

    #[must_use]
    pub fn of_the_crate(&self) -> rsa::RsaPublicKey {
        let n = rsa::BigUint::from_bytes_be(&self.modulus());
        rsa::RsaPublicKey::new_unchecked(n, self.e.into())
    }

    /// EM^d, as long as the modulus
    #[must_use]
    pub fn signature(&self, encoded: &[u8]) -> Vec<u8> {
        let encoded = BigUint::from_bytes_be(encoded);
        let mut power = BigUint::ZERO;
        for (p, d, unit) in &self.primes {
            let rest: u64 = (&encoded % *p).try_into().expect("below p");
            power += unit * self::power(rest, *d, *p);
        }
        padded(&(power % &self.n), self.length())
    }
}

/// Big-endian, with zeros before it
#[must_use]
pub fn padded(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut padded = vec![0; length.saturating_sub(bytes.len())];
    padded.extend(bytes);
    padded
}

/// RFC 8017, 9.2
#[must_use]
pub fn encoded(hash: Hash, digest: &[u8], length: usize) -> Vec<u8> {
    let (arc, octets) = match hash {
        Hash::Sha256 => (1, 32),
        Hash::Sha384 => (2, 48),
        Hash::Sha512 => (3, 64),
    };
    let mut info = vec![0x30, 17 + octets, 0x30, 13, 6, 9];
    info.extend([0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, arc]);
    info.extend([5, 0, 4, octets]);
    info.extend(digest);
    let mut encoded = vec![0, 1];
    encoded.resize(length - info.len() - 1, 0xff);
    encoded.push(0);
    encoded.extend(info);
    encoded
}

fn times(one: u64, two: u64, modulus: u64) -> u64 {
    (u128::from(one) * u128::from(two) % u128::from(modulus)) as u64
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let mut power = 1 % modulus;
    for bit in (0..64).rev() {
        power = times(power, power, modulus);
        if exponent >> bit & 1 == 1 {
            power = times(power, base, modulus);
        }
    }
    power
}

/// By the extended Euclidean algorithm
fn inverse(number: u64, modulus: u64) -> Option<u64> {
    let (mut a, mut b) = (i128::from(modulus), i128::from(number % modulus.max(1)));
    let (mut x, mut y) = (0_i128, 1_i128);
    while b != 0 {
        let quotient = a / b;
        (a, b) = (b, a - quotient * b);
        (x, y) = (y, x - quotient * y);
    }
    (a == 1).then(|| x.rem_euclid(i128::from(modulus)) as u64)
}

/// Miller and Rabin's test, with the twelve bases that decide below 2^64 (Sorenson and Webster,
/// "Strong pseudoprimes to twelve prime bases", 2015)
fn is_prime(p: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if p < 2 || BASES.iter().any(|base| p.is_multiple_of(*base)) {
        return BASES.contains(&p);
    }
    let twos = (p - 1).trailing_zeros();
    BASES.iter().all(|base| {
        let mut power = power(*base, (p - 1) >> twos, p);
        if power == 1 {
            return true;
        }
        for _ in 1..twos {
            if power == p - 1 {
                return true;
            }
            power = times(power, power, p);
        }
        power == p - 1
    })
}
