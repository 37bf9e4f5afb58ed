//! Scalars that are special to a comb, or at the ends of their ranges.

use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::ops::Reduce;
use p256::{FieldBytes, Scalar, U256};

/// The order n, and the field's prime p.
pub const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
pub const PRIME: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];
/// p - n - 1, the largest r for which r + n is below p
pub const LARGEST_TWICE: u128 = 0x4319_0553_58e8_617b_0c46_353d_039c_daad;
/// Distances of a comb's teeth: that of the kernel, and of others that it may come to have.
const SPACINGS: [u32; 6] = [24, 12, 32, 16, 29, 26];

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes());
        }
        bytes
    }

    /// Not 0.
    pub fn scalar(&mut self) -> Scalar {
        reduced(&self.bytes()) + Scalar::ONE
    }

    /// A small number, a power of two, a run of ones, or what a comb's table has.
    pub fn special_scalar(&mut self) -> Scalar {
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
    pub fn extreme(&mut self) -> [u8; 32] {
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

pub fn reduced(bytes: &[u8; 32]) -> Scalar {
    Scalar::reduce(&FieldBytes::from(*bytes))
}

pub fn bytes_of(scalar: &Scalar) -> [u8; 32] {
    scalar.to_repr().into()
}
