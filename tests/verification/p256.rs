//! P-256: made-up inputs, and what other implementations say of them.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::io::{ErrorKind, Read};
use std::time::Instant;
use verification::p256::PublicKey;

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
#[allow(clippy::disallowed_methods, reason = "a stopwatch")]
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
    #[allow(clippy::type_complexity, reason = "a table that is used once")]
    let measures: [(&str, usize, &dyn Fn(usize)); 5] = [
        ("kernel", 50, &by_kernel),
        ("crate", 2, &by_crate),
        ("kernel with SHA-256", 50, &|i| {
            let digest: [u8; 32] = Sha256::digest(&messages[i]).into();
            assert!(key.verifies(&digest, &bytes[i]));
        }),
        ("crate with SHA-256", 2, &|i| {
            let digest = Sha256::digest(&messages[i]);
            verifying.verify_prehash(&digest, &signed[i].1).unwrap();
        }),
        // With the first verification, as that makes the table.
        ("load a key", 1, &|i| {
            let key = PublicKey::new(black_box(x.as_ref()), y.as_ref()).unwrap();
            assert!(key.verifies(&signed[i].0, &bytes[i]));
        }),
    ];
    let mut times = measures.map(|_| Vec::new());
    for _ in 0..rounds {
        for ((_, count, measured), times) in measures.iter().zip(&mut times) {
            let start = Instant::now();
            for i in 0..*count {
                measured(black_box(i % messages.len()));
            }
            times.push(start.elapsed().as_secs_f64() * 1e6 / *count as f64);
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    (measures.iter().map(|(name, ..)| *name))
        .zip(times.map(median))
        .collect()
}

#[cfg(not(target_family = "wasm"))]
pub use made_up::emit;

#[cfg(not(target_family = "wasm"))]
mod made_up {
    use super::*;
    use p256::elliptic_curve::PrimeField;
    use p256::elliptic_curve::ops::Reduce;
    use p256::elliptic_curve::point::DecompressPoint;
    use p256::elliptic_curve::sec1::ToSec1Point;
    use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar, U256};
    use std::io::{Result, Write};

    /// The order n, and the field's prime p.
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    const PRIME: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ];
    /// p - n - 1, the largest r for which r + n is below p
    const LARGEST_TWICE: u128 = 0x4319_0553_58e8_617b_0c46_353d_039c_daad;
    /// Distances of a comb's teeth: that of the kernel, and of others that it may come to have.
    const SPACINGS: [u32; 6] = [24, 12, 32, 16, 29, 26];
    const RECORDS_A_KEY: usize = 32;

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        }

        fn below(&mut self, bound: u64) -> u64 {
            self.next() % bound
        }

        fn bytes(&mut self) -> [u8; 32] {
            let mut bytes = [0; 32];
            for chunk in bytes.chunks_mut(8) {
                chunk.copy_from_slice(&self.next().to_be_bytes());
            }
            bytes
        }

        /// Not 0.
        fn scalar(&mut self) -> Scalar {
            reduced(&self.bytes()) + Scalar::ONE
        }

        /// A small number, a power of two, a run of ones, or what a comb's table has.
        fn special_scalar(&mut self) -> Scalar {
            let two = Scalar::from(2_u64);
            let power = |exponent| two.pow_vartime(&U256::from_u32(exponent));
            let scalar = match self.below(5) {
                0 => Scalar::from(self.below(20) + 1),
                1 => power(self.below(256) as u32),
                2 => power(self.below(256) as u32) - power(self.below(256) as u32),
                _ => {
                    let spacing = SPACINGS[self.below(6) as usize];
                    let teeth = 1 + self.below(u64::from(256 / spacing)) as u32;
                    let row = self.below(u64::from(spacing)) as u32;
                    let signed = |tooth| {
                        let tooth = power(spacing * tooth);
                        if self.next() & 1 == 1 { tooth } else { -tooth }
                    };
                    (0..teeth).map(signed).sum::<Scalar>() * power(row)
                }
            };
            if self.next() & 1 == 1 {
                scalar
            } else {
                -scalar
            }
        }

        /// Around the ends of the ranges.
        fn extreme(&mut self) -> [u8; 32] {
            let mut bytes = match self.below(6) {
                0 => [0; 32],
                1 => ORDER,
                2 => PRIME,
                3 => [0xff; 32],
                4 => {
                    // Long runs of equal bits
                    let mut bytes = [if self.next() & 1 == 1 { 0xff } else { 0 }; 32];
                    let end = self.below(32) as usize;
                    bytes[..end].fill(if self.next() & 1 == 1 { 0xff } else { 0 });
                    bytes
                }
                _ => {
                    let mut bytes = [0; 32];
                    bytes[16..].copy_from_slice(&LARGEST_TWICE.to_be_bytes());
                    bytes
                }
            };
            // A little more or less
            let by = self.below(5) as u8;
            bytes[31] = if self.next() & 1 == 1 {
                bytes[31].wrapping_add(by)
            } else {
                bytes[31].wrapping_sub(by)
            };
            bytes
        }
    }

    fn reduced(bytes: &[u8; 32]) -> Scalar {
        Scalar::reduce(&FieldBytes::from(*bytes))
    }

    fn bytes_of(scalar: &Scalar) -> [u8; 32] {
        scalar.to_repr().into()
    }

    /// x and y; none for infinity.
    fn coordinates(point: &ProjectivePoint) -> Option<[[u8; 32]; 2]> {
        let point = point.to_affine().to_sec1_point(false);
        Some([(*point.x()?).into(), (*point.y()?).into()])
    }

    struct Record {
        key: [[u8; 32]; 2],
        digest: [u8; 32],
        r: [u8; 32],
        s: [u8; 32],
        /// By whom it was made, if it should verify or not: one more opinion.
        intended: Option<bool>,
        /// What the digest is of.
        message: Option<[u8; 32]>,
    }

    /// A signature of `e` with u1 and u2 as wanted: R = u1 G + u2 Q, r is its x, s = r/u2, e = u1 s.
    fn with_multipliers(key: &ProjectivePoint, u1: Scalar, u2: Scalar) -> Option<Record> {
        let sum = ProjectivePoint::GENERATOR * u1 + key * &u2;
        // Infinity has no x: nothing may be a signature then.
        let r = coordinates(&sum).map_or(Scalar::from(7_u64), |[x, _]| reduced(&x));
        let inverse: Scalar = Option::from(u2.invert())?;
        let s = r * inverse;
        if r == Scalar::ZERO || s == Scalar::ZERO {
            return None;
        }
        Some(Record {
            key: coordinates(key)?,
            digest: bytes_of(&(u1 * s)),
            r: bytes_of(&r),
            s: bytes_of(&s),
            intended: Some(sum != ProjectivePoint::IDENTITY),
            message: None,
        })
    }

    /// An R whose x is `offset` or a little more, taken as it is or with n added; and a key for it.
    fn with_x(random: &mut Random, offset: u128, plus_order: bool) -> Option<Record> {
        let r = Scalar::from(offset);
        let mut x = bytes_of(&r);
        if plus_order {
            let mut carry = 0;
            for (byte, n) in x.iter_mut().zip(ORDER).rev() {
                let sum = u16::from(*byte) + u16::from(n) + carry;
                (*byte, carry) = (sum as u8, sum >> 8);
            }
        }
        let point: Option<AffinePoint> =
            AffinePoint::decompress(&FieldBytes::from(x), 0.into()).into();
        let point = ProjectivePoint::from(point?);
        let (s, e) = (random.scalar(), random.scalar());
        let inverse: Scalar = Option::from(r.invert())?;
        let key = (point * s - ProjectivePoint::GENERATOR * e) * inverse;
        Some(Record {
            key: coordinates(&key)?,
            digest: bytes_of(&e),
            r: bytes_of(&r),
            s: bytes_of(&s),
            intended: Some(true),
            message: None,
        })
    }

    /// A signature with the private key `d`.
    fn signed(random: &mut Random, d: &Scalar, digest: [u8; 32]) -> Option<Record> {
        let k = random.scalar();
        let r = reduced(&coordinates(&(ProjectivePoint::GENERATOR * k))?[0]);
        let inverse: Scalar = Option::from(k.invert())?;
        let s = inverse * (reduced(&digest) + r * d);
        Some(Record {
            key: coordinates(&(ProjectivePoint::GENERATOR * d))?,
            digest,
            r: bytes_of(&r),
            s: bytes_of(&s),
            intended: Some(true),
            message: None,
        })
    }

    fn flip(random: &mut Random, bytes: &mut [u8; 32]) {
        let bit = random.below(256) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
    }

    fn record(random: &mut Random, d: &Scalar) -> Option<Record> {
        let key = ProjectivePoint::GENERATOR * d;
        match random.below(16) {
            // Multipliers that are special by themselves, to each other, or by what they add up to
            0 => with_multipliers(&key, random.scalar(), random.scalar()),
            1 => with_multipliers(&key, random.special_scalar(), random.scalar()),
            2 => with_multipliers(&key, random.scalar(), random.special_scalar()),
            3 => with_multipliers(&key, random.special_scalar(), random.special_scalar()),
            4 => {
                let (u2, sign) = (random.scalar(), random.next() & 1 == 1);
                let u1 = match random.below(4) {
                    0 => Scalar::ZERO,
                    1 => u2,
                    2 => u2 * d,
                    _ => u2 * d + random.special_scalar(),
                };
                with_multipliers(&key, if sign { u1 } else { -u1 }, u2)
            }
            5 => {
                let offset = match random.below(3) {
                    0 => u128::from(random.below(1000)),
                    1 => LARGEST_TWICE - u128::from(random.below(1000)),
                    _ => u128::from(random.next()) << 32,
                };
                let plus_order = random.next() & 1 == 1;
                with_x(random, offset, plus_order)
            }
            6 => {
                let digest = random.extreme();
                signed(random, d, digest)
            }
            kind => {
                let message = random.bytes();
                let mut record = signed(random, d, Sha256::digest(message).into())?;
                record.message = Some(message);
                record.intended = None;
                match kind {
                    7 => flip(random, &mut record.r),
                    8 => flip(random, &mut record.s),
                    9 => {
                        flip(random, &mut record.digest);
                        record.message = None;
                    }
                    10 => std::mem::swap(&mut record.r, &mut record.s),
                    11 => record.s = bytes_of(&-reduced(&record.s)),
                    12 => record.r = random.extreme(),
                    13 => record.s = random.extreme(),
                    14 => {
                        (record.r, record.s) = (random.bytes(), random.bytes());
                    }
                    _ => record.intended = Some(true),
                }
                Some(record)
            }
        }
    }

    impl Record {
        /// What others say.
        fn verdict(&self) -> bool {
            let Self {
                key: [x, y], r, s, ..
            } = self;
            let point = [&[4][..], x, y].concat();
            let signature = [*r, *s].concat();
            let by_p256 = VerifyingKey::from_sec1_bytes(&point)
                .and_then(|key| {
                    key.verify_prehash(&self.digest, &Signature::from_slice(&signature)?)
                })
                .is_ok();
            let by_hacl =
                libcrux_p256::ecdsa_verif_without_hash(32, &self.digest, &point[1..], r, s);
            assert_eq!(by_p256, by_hacl, "p256 and HACL*");
            if let Some(intended) = self.intended {
                assert_eq!(by_p256, intended, "p256 and the maker");
            }
            // ring hashes itself.
            if let Some(message) = self.message {
                use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
                let by_ring = key.verify(&message, &signature).is_ok();
                assert_eq!(by_p256, by_ring, "p256 and ring");
            }
            by_p256
        }
    }

    /// What is at an edge by one of its values, in all combinations.
    fn edges() -> Vec<Record> {
        let mut records = Vec::new();
        let small = |size: u64| [Scalar::from(size), -Scalar::from(size)];
        let half = Scalar::from(2_u64).invert().unwrap();
        let keys: Vec<Scalar> = (1..5).flat_map(small).chain([half, -half]).collect();
        for d in &keys {
            let key = ProjectivePoint::GENERATOR * d;
            // u1 and u2 of 0 and around; u1 = ±u2
            for u1 in (0..4).flat_map(small) {
                for u2 in (1..4).flat_map(small) {
                    records.extend(with_multipliers(&key, u1, u2));
                }
            }
        }
        // r, s and e at the ends of their ranges
        let plus = |bytes: [u8; 32], by: i8| {
            let mut bytes = bytes;
            bytes[31] = bytes[31].wrapping_add_signed(by);
            bytes
        };
        let [zero, ones] = [[0; 32], [0xff; 32]];
        let ends = [
            zero,
            plus(zero, 1),
            plus(zero, 2),
            plus(ORDER, -1),
            ORDER,
            plus(ORDER, 1),
            plus(PRIME, 0),
            ones,
        ];
        let key = coordinates(&(ProjectivePoint::GENERATOR * keys[2])).unwrap();
        for digest in ends {
            for (r, s) in ends.iter().flat_map(|r| ends.map(|s| (*r, s))) {
                let (intended, message) = (None, None);
                records.push(Record {
                    key,
                    digest,
                    r,
                    s,
                    intended,
                    message,
                });
            }
        }
        // x of R below n and not, both ways of having it
        let mut random = Random(0);
        for offset in (1..60).chain(LARGEST_TWICE - 60..=LARGEST_TWICE) {
            records.extend(with_x(&mut random, offset, false));
            records.extend(with_x(&mut random, offset, true));
        }
        records
    }

    /// Writes `count` inputs, first those that are at an edge, with what p256, HACL* and, where it can be asked, ring say of them.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// # Panics
    /// If the other implementations disagree.
    pub fn emit(seed: u64, count: usize, out: &mut dyn Write) -> Result<()> {
        let mut random = Random(seed);
        let mut d = Scalar::ONE;
        let mut written = 0;
        let mut edges = edges().into_iter();
        while written < count {
            if written % RECORDS_A_KEY == 0 {
                let is_special = random.next() & 1 == 1;
                d = if is_special {
                    random.special_scalar()
                } else {
                    random.scalar()
                };
            }
            let Some(record) = edges.next().or_else(|| record(&mut random, &d)) else {
                continue;
            };
            let Record {
                key: [x, y],
                digest,
                r,
                s,
                ..
            } = &record;
            for field in [x, y, digest, r, s] {
                out.write_all(field)?;
            }
            out.write_all(&[record.verdict().into()])?;
            written += 1;
        }
        Ok(())
    }
}
