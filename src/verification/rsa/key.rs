//! A public key, whichever the arithmetic.

use super::encoding::{Hash, encoded};
use super::modulus::{Modulus, power_of_two};
use crate::InvalidKey;

#[derive(Clone, Debug)]
pub(super) struct Key<M: Modulus> {
    modulus: M,
    exponent: u32,
    /// Big-endian, without leading zeros
    bytes: Vec<u8>,
    /// R^2 modulo n
    r_squared: M::Number,
    usual: Option<Usual<M>>,
}

/// For the exponent 65537 = 2^16 + 1.
///
/// 16 squarings in Montgomery's form make s into s^65536 / R^65535. So instead of bringing s into
/// that form first, and the result out of it, s^65537 = EM is tested as
/// s * (s^65536 / R^65535) = EM * c, with c = 1 / R^65535. And as EM is the same for all digests H of
/// a hash function but for its last bytes, EM * c is H * c plus a constant.
#[derive(Clone, Debug)]
struct Usual<M: Modulus> {
    factor: M::Factor,
    /// By hash function: c times the encoded message of a digest of zeros
    constants: [M::Summand; 3],
}

const USUAL: u32 = 0x1_0001;

impl<M: Modulus> Key<M> {
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, InvalidKey> {
        let (bytes, exponent) = (unsigned(modulus), unsigned(exponent));
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return Err(InvalidKey);
        };
        let bits = bytes
            .len()
            .saturating_mul(8)
            .saturating_sub(first.leading_zeros() as usize);
        if !(2048..=4096).contains(&bits) || last % 2 == 0 || exponent.len() > 4 {
            return Err(InvalidKey);
        }
        let exponent = exponent
            .iter()
            .fold(0, |all, byte| all << 8 | u32::from(*byte));
        if exponent < 3 || exponent % 2 == 0 {
            return Err(InvalidKey);
        }
        let modulus = M::new(bytes, bits);
        // From 2^(r/4) R, with R = 2^r, two squarings make 2^r R.
        let r = modulus.bits_of_r();
        let mut r_squared = modulus.number(&power_of_two(r.saturating_add(r / 4), bytes, bits));
        modulus.square(&mut r_squared, 2);
        let usual = (exponent == USUAL).then(|| Usual::new(&modulus, &r_squared, bytes.len()));
        Ok(Self {
            modulus,
            exponent,
            bytes: bytes.to_vec(),
            r_squared,
            usual,
        })
    }

    pub(super) fn verifies_pkcs1_v15(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
        if digest.len() != hash.length() || !self.is_representative(signature) {
            return false;
        }
        let Some(usual) = &self.usual else {
            return self.power(signature) == encoded(hash, digest, self.bytes.len());
        };
        let [sha256, sha384, sha512] = &usual.constants;
        let constant = match hash {
            Hash::Sha256 => sha256,
            Hash::Sha384 => sha384,
            Hash::Sha512 => sha512,
        };
        let signature = self.modulus.number(signature);
        let digest = self.modulus.number(digest);
        let mut power = signature.clone();
        self.modulus.square(&mut power, 16);
        self.modulus
            .is_product([&power, &signature], &digest, &usual.factor, constant)
    }

    pub(super) fn recover(&self, signature: &[u8]) -> Option<Vec<u8>> {
        self.is_representative(signature)
            .then(|| self.power(signature))
    }

    /// RFC 8017, 5.2.2, step 1, and 8.2.2, step 1
    fn is_representative(&self, signature: &[u8]) -> bool {
        signature.len() == self.bytes.len() && signature < self.bytes.as_slice()
    }

    /// s^e modulo n, from the highest bit of e to the lowest one. The last step multiplies with s
    /// itself and not with s R, which takes the result out of Montgomery's form.
    fn power(&self, signature: &[u8]) -> Vec<u8> {
        let plain = self.modulus.number(signature);
        let base = self.modulus.product(&plain, &self.r_squared);
        let mut power = base.clone();
        let mut squarings = 0_usize;
        for bit in (0..self.exponent.ilog2()).rev() {
            squarings = squarings.saturating_add(1);
            if self.exponent >> bit & 1 == 1 {
                self.modulus.square(&mut power, squarings);
                squarings = 0;
                power = self
                    .modulus
                    .product(&power, if bit == 0 { &plain } else { &base });
            }
        }
        self.modulus.bytes(&power)
    }
}

impl<M: Modulus> Usual<M> {
    fn new(modulus: &M, r_squared: &M::Number, length: usize) -> Self {
        let mut c = modulus.number(&[1]);
        modulus.square(&mut c, 16);
        let constants = Hash::ALL.map(|hash| {
            let zeros = vec![0; hash.length()];
            let message = modulus.number(&encoded(hash, &zeros, length));
            // Both steps divide by R.
            let product = modulus.product(&modulus.product(&message, &c), r_squared);
            modulus.summand(&product)
        });
        Self {
            factor: modulus.factor(&c),
            constants,
        }
    }
}

/// Without leading zeros
fn unsigned(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}
