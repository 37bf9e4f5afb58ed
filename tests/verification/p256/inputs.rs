//! Inputs that are valid, random, corrupted, or at some edge.

use std::io::{Result, Write};

use p256::elliptic_curve::point::DecompressPoint;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use sha2::{Digest, Sha256};

use super::oracles::Record;
use super::scalars::{LARGEST_TWICE, ORDER, PRIME, bytes_of, reduced};
use crate::random::Random;

const RECORDS_A_KEY: usize = 32;

/// x and y; none for infinity.
fn coordinates(point: &ProjectivePoint) -> Option<[[u8; 32]; 2]> {
    let point = point.to_affine().to_sec1_point(false);
    Some([(*point.x()?).into(), (*point.y()?).into()])
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
    let point: Option<AffinePoint> = AffinePoint::decompress(&FieldBytes::from(x), 0.into()).into();
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
    let bit = random.below(256);
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
            let (u2, sign) = (random.scalar(), random.once_in_two());
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
                0 => random.below(1000) as u128,
                1 => LARGEST_TWICE - random.below(1000) as u128,
                _ => u128::from(random.word()) << 32,
            };
            let plus_order = random.once_in_two();
            with_x(random, offset, plus_order)
        }
        6 => {
            let digest = random.extreme();
            signed(random, d, digest)
        }
        kind => {
            let message = random.array();
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
                    (record.r, record.s) = (random.array(), random.array());
                }
                _ => record.intended = Some(true),
            }
            Some(record)
        }
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
    let mut random = Random::new(0);
    for offset in (1..60).chain(LARGEST_TWICE - 60..=LARGEST_TWICE) {
        records.extend(with_x(&mut random, offset, false));
        records.extend(with_x(&mut random, offset, true));
    }
    records
}

/// Writes `count` inputs, first those that are at an edge, with what p256, HACL* and, where it can
/// be asked, ring say of them.
///
/// # Errors
/// Those of `out`.
///
/// # Panics
/// If the other implementations disagree.
pub fn emit(seed: u64, count: usize, out: &mut dyn Write) -> Result<()> {
    let mut random = Random::new(seed);
    let mut d = Scalar::ONE;
    let mut written = 0;
    let mut edges = edges().into_iter();
    while written < count {
        if written % RECORDS_A_KEY == 0 {
            let is_special = random.once_in_two();
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
