//! Inputs that are valid, random, corrupted, or at some edge.
#![cfg(not(target_family = "wasm"))]

use std::io::{Result, Write};

use num_bigint::BigUint;

use super::keys::{Key, encoded, padded};
use super::oracles::{digest, power, verdict};
use super::{HASHES, part, write_string};
use crate::random::Random;

/// Writes at least `count` inputs with what two other implementations say of each.
///
/// # Errors
/// Of the writer.
///
/// # Panics
/// If those two disagree.
pub fn emit(seed: u64, count: usize, out: &mut dyn Write) -> Result<()> {
    let mut random = Random::new(seed);
    let mut written = 0;
    while written < count {
        written += with_a_key(&mut random, out)?;
        written += with_a_modulus(&mut random, out)?;
        written += not_a_key(&mut random, out)?;
    }
    Ok(())
}

fn bits(random: &mut Random) -> u64 {
    match random.below(4) {
        0 | 1 => 2048,
        2 => [2049, 2056, 3072, 4095, 4096][random.below(5)],
        _ => 2048 + random.below(2049) as u64,
    }
}

fn exponent(random: &mut Random) -> u32 {
    match random.below(6) {
        0 => 3,
        1 => [5, 17, 257, 0x1_0003, 0x7fff_ffff, 0xffff_ffff][random.below(6)],
        _ => 0x1_0001,
    }
}

fn write_key(modulus: &[u8], exponent: &[u8], is_key: bool, out: &mut dyn Write) -> Result<()> {
    out.write_all(&[part::KEY])?;
    write_string(out, modulus)?;
    write_string(out, exponent)?;
    out.write_all(&[is_key.into()])
}

/// Signatures, good and bad
fn with_a_key(random: &mut Random, out: &mut dyn Write) -> Result<usize> {
    let bits = bits(random);
    let e = exponent(random);
    let key = Key::new(random, bits, e);
    write_key(&key.modulus(), &key.exponent(), true, out)?;
    let mut written = 1;
    for which in 0..32 {
        let hash = HASHES[random.below(3)];
        let message = random.bytes(8);
        let mut other = message.clone();
        let good = encoded(hash, &digest(hash, &message), key.length());
        let mut signature = key.signature(&good);
        let mut asked = hash;
        match which {
            0..6 => (),
            6..12 => signature = key.signature(&altered(good, random)),
            12..16 => {
                let at = random.below(signature.len());
                signature[at] ^= 1 << random.below(8);
            }
            16 => other[0] ^= 1,
            17 => asked = HASHES[random.below(3)],
            18 => signature.insert(0, 0),
            19 => signature.push(0),
            20 => drop(signature.pop()),
            21 => drop(signature.remove(0)),
            22 => signature.clear(),
            // n - s, and n + s where that is not longer
            23 => signature = padded(&(&key.n - BigUint::from_bytes_be(&signature)), key.length()),
            24 => signature = padded(&(&key.n + BigUint::from_bytes_be(&signature)), key.length()),
            25..30 => signature = edge(&key.n, which - 25),
            _ => signature = random.bytes(signature.len()),
        }
        let is_one = verdict(&key, asked, &other, &signature);
        out.write_all(&[
            part::SIGNATURE,
            HASHES.iter().position(|each| *each == asked).expect("one") as u8,
        ])?;
        write_string(out, &digest(asked, &other))?;
        write_string(out, &signature)?;
        out.write_all(&[is_one.into()])?;
        written += 1;
    }
    Ok(written)
}

/// Zero, one, the modulus and what is next to it
fn edge(n: &BigUint, which: usize) -> Vec<u8> {
    let number = match which {
        0 => BigUint::ZERO,
        1 => BigUint::from(1_u8),
        2 => n - 1_u8,
        3 => n.clone(),
        _ => n + 1_u8,
    };
    padded(&number, n.bits().div_ceil(8) as usize)
}

/// An encoded message that is not quite one
fn altered(mut encoded: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let length = encoded.len();
    let info = encoded
        .iter()
        .skip(2)
        .position(|byte| *byte == 0)
        .map_or(0, |at| at + 3);
    match random.below(6) {
        // A byte, which may be any; the first one only by what stays below the modulus
        0..2 => {
            let at = 1 + random.below(length - 1);
            encoded[at] ^= 1 << random.below(8);
        }
        2 => encoded[0] = 0x01,
        // Padding cut short, and something at the end
        3 => {
            let cut = 1 + random.below(info - 3);
            encoded.drain(2..2 + cut);
            encoded.resize(length, random.below(256) as u8);
        }
        // DigestInfo without NULL, more padding instead
        4 => {
            encoded.drain(info + 15..info + 17);
            encoded[info + 1] -= 2;
            encoded[info + 3] -= 2;
            encoded.splice(2..2, [0xff, 0xff]);
        }
        _ => encoded.rotate_left(1),
    }
    encoded
}

/// Powers modulo numbers of which nobody knows the factors, some of them extreme
fn with_a_modulus(random: &mut Random, out: &mut dyn Write) -> Result<usize> {
    let bits = bits(random);
    let mut n = BigUint::from_bytes_be(&random.bytes(bits.div_ceil(8) as usize));
    match random.below(8) {
        0 => n = (BigUint::from(1_u8) << bits) - 1_u8,
        1 => n = BigUint::from(1_u8) << (bits - 1),
        // Digits of 13 and of 28 bits that are as large as can be, of either sign
        2 => n = repeated(13, 0x0fff, bits),
        3 => n = repeated(13, 0x1000, bits),
        4 => n = repeated(26, 0x1fff, bits),
        5 => n = repeated(28, 0x0800_0000, bits),
        _ => (),
    }
    n &= (BigUint::from(1_u8) << bits) - 1_u8;
    n.set_bit(bits - 1, true);
    n.set_bit(0, true);
    let e = exponent(random);
    write_key(&n.to_bytes_be(), &e.to_be_bytes(), true, out)?;
    let length = n.bits().div_ceil(8) as usize;
    let mut written = 1;
    for which in 0..12 {
        let base = match which {
            0..5 => edge(&n, which),
            5 => padded(&(repeated(13, 0x1000, bits) % &n), length),
            6 => padded(&(repeated(13, 0x0fff, bits) % &n), length),
            7 => padded(&(repeated(26, 0x0800, bits) % &n), length),
            _ => padded(
                &(BigUint::from_bytes_be(&random.bytes(length)) % &n),
                length,
            ),
        };
        let is_below = base.len() == length && BigUint::from_bytes_be(&base) < n;
        out.write_all(&[part::RAW])?;
        write_string(out, &base)?;
        write_string(
            out,
            &if is_below {
                power(&n, e, &base)
            } else {
                Vec::new()
            },
        )?;
        out.write_all(&[is_below.into()])?;
        written += 1;
    }
    Ok(written)
}

/// The same bits over and over
fn repeated(length: u64, pattern: u32, bits: u64) -> BigUint {
    let mut number = BigUint::ZERO;
    while number.bits() + length < bits {
        number = (number << length) + pattern;
    }
    number
}

fn not_a_key(random: &mut Random, out: &mut dyn Write) -> Result<usize> {
    let odd = |random: &mut Random, bits: u64| {
        let mut n = BigUint::from_bytes_be(&random.bytes(bits.div_ceil(8) as usize));
        n >>= n.bits().saturating_sub(bits);
        n.set_bit(bits - 1, true);
        n.set_bit(0, true);
        n.to_bytes_be()
    };
    let good = odd(random, 2048);
    let mut even = good.clone();
    even[255] ^= 1;
    let keys: [(&[u8], &[u8], bool); 12] = [
        (&odd(random, 2047), &[1, 0, 1], false),
        (&odd(random, 4097), &[1, 0, 1], false),
        (&[], &[3], false),
        (&even, &[1, 0, 1], false),
        (&good, &[], false),
        (&good, &[0], false),
        (&good, &[1], false),
        (&good, &[2], false),
        (&good, &[1, 0, 0], false),
        // 65537 if cut to 32 bits
        (&good, &[1, 0, 1, 0, 1], false),
        (&good, &[0, 0, 0, 0, 0, 3], true),
        (&[&[0, 0], good.as_slice()].concat(), &[1, 0, 1], true),
    ];
    for (modulus, exponent, is_key) in keys {
        write_key(modulus, exponent, is_key, out)?;
    }
    Ok(keys.len())
}
