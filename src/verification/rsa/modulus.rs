//! What RSA needs of an arithmetic modulo n; there are two.

use core::fmt::Debug;

/// An odd modulus of 2048 to 4096 bits, and the arithmetic modulo it in Montgomery's form: with an R
/// of its own, above the modulus, products come divided by R (Montgomery, "Modular multiplication
/// without trial division", 1985).
pub(super) trait Modulus {
    /// An integer, not necessarily reduced.
    type Number: Clone + Debug;
    /// A number prepared to be multiplied.
    type Factor: Clone + Debug;
    /// A number prepared to be added.
    type Summand: Clone + Debug;

    /// Takes the modulus, big-endian without leading zeros, and its length in bits.
    fn new(bytes: &[u8], bits: usize) -> Self;

    /// R = 2^this; a multiple of four.
    fn bits_of_r(&self) -> usize;

    /// Takes a big-endian number that is not above the modulus.
    fn number(&self, bytes: &[u8]) -> Self::Number;

    /// The number modulo n, 0 to n - 1, big-endian and as long as the modulus.
    fn bytes(&self, number: &Self::Number) -> Vec<u8>;

    /// x becomes x^2 / R, so many times.
    fn square(&self, number: &mut Self::Number, times: usize);

    /// x y / R
    fn product(&self, one: &Self::Number, two: &Self::Number) -> Self::Number;

    fn factor(&self, number: &Self::Number) -> Self::Factor;

    fn summand(&self, number: &Self::Number) -> Self::Summand;

    /// Whether the product of `factors` is `short` times `factor` plus `summand`, modulo n; `short`
    /// is a number of at most 512 bits.
    fn is_product(
        &self,
        factors: [&Self::Number; 2],
        short: &Self::Number,
        factor: &Self::Factor,
        summand: &Self::Summand,
    ) -> bool;
}

/// 2^`exponent` modulo a big-endian number of so many bits, which are not more than the exponent; as
/// long as the number.
pub(super) fn power_of_two(exponent: usize, modulus: &[u8], bits: usize) -> Vec<u8> {
    let limb = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    // Of 32 bits, lowest first, with one more than the modulus has
    let number: Vec<u64> = modulus.rchunks(4).map(limb).chain([0]).collect();
    // The highest power below the modulus, from which the others are made by doubling
    let highest = bits.saturating_sub(1);
    let mut power = vec![0_u64; number.len()];
    if let Some(limb) = power.get_mut(highest / 32) {
        *limb = 1 << (highest % 32);
    }
    let mut reduced = power.clone();
    for _ in highest..exponent {
        let mut carry = 0;
        for limb in &mut power {
            let doubled = *limb << 1 | carry;
            *limb = doubled & 0xffff_ffff;
            carry = doubled >> 32;
        }
        // Below twice the modulus; taken away once, if that is not too much
        let mut borrow = 0;
        for ((reduced, power), number) in reduced.iter_mut().zip(&power).zip(&number) {
            let difference = power.wrapping_sub(*number).wrapping_sub(borrow);
            *reduced = difference & 0xffff_ffff;
            borrow = difference >> 63;
        }
        if borrow == 0 {
            core::mem::swap(&mut power, &mut reduced);
        }
    }
    let bytes = power.iter().flat_map(|limb| (*limb as u32).to_le_bytes());
    let mut bytes: Vec<u8> = bytes.take(modulus.len()).collect();
    bytes.reverse();
    bytes
}
