//! Scalars that are special to a comb, or at the ends of their ranges.

use crate::random::Random;
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

impl Random {
    /// Not 0.
    pub fn scalar(&mut self) -> Scalar {
        reduced(&self.array()) + Scalar::ONE
    }

    /// A small number, a power of two, a run of ones, or what a comb's table has.
    pub fn special_scalar(&mut self) -> Scalar {
        let two = Scalar::from(2_u64);
        let power = |exponent| two.pow_vartime(&U256::from_u32(exponent));
        let scalar = match self.below(5) {
            0 => Scalar::from(self.below(20) as u64 + 1),
            1 => power(self.below(256) as u32),
            2 => power(self.below(256) as u32) - power(self.below(256) as u32),
            _ => {
                let spacing = SPACINGS[self.below(6)];
                let teeth = 1 + self.below(256 / spacing as usize) as u32;
                let row = self.below(spacing as usize) as u32;
                let signed = |tooth| {
                    let tooth = power(spacing * tooth);
                    if self.once_in_two() { tooth } else { -tooth }
                };
                (0..teeth).map(signed).sum::<Scalar>() * power(row)
            }
        };
        if self.once_in_two() { scalar } else { -scalar }
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
                let mut bytes = [if self.once_in_two() { 0xff } else { 0 }; 32];
                let end = self.below(32);
                bytes[..end].fill(if self.once_in_two() { 0xff } else { 0 });
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
        bytes[31] = if self.once_in_two() {
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
