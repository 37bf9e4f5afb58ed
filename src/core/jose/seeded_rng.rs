//! The random bytes that RSA asks for, from a seed: the core has no randomness of its own.

use std::array::IntoIter;

use rsa::rand_core::{CryptoRng, Error, RngCore};

use super::hmac_sha256::hmac_sha256;

/// HMAC-SHA256 in counter mode (NIST SP 800-108r1, 4.1): nobody who does not know the seed can
/// tell its bytes from random ones.
pub(super) struct SeededRng {
    seed: [u8; 32],
    /// The number of the next block.
    next: u64,
    /// What is left of the last block.
    rest: IntoIter<u8, 32>,
}

impl SeededRng {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let rest = block(&seed, 0);
        Self {
            seed,
            next: 1,
            rest,
        }
    }

    fn next_byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.rest.next() {
                return byte;
            }
            self.rest = block(&self.seed, self.next);
            self.next = self.next.wrapping_add(1);
        }
    }

    fn next_bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next_byte())
    }
}

fn block(seed: &[u8; 32], number: u64) -> IntoIter<u8, 32> {
    hmac_sha256(seed, &[&number.to_be_bytes()]).into_iter()
}

impl RngCore for SeededRng {
    fn next_u32(&mut self) -> u32 {
        u32::from_be_bytes(self.next_bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_be_bytes(self.next_bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next_byte());
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for SeededRng {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: u8, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        SeededRng::new([seed; 32]).fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_gives_one_stream_and_another_seed_another() {
        assert_eq!(bytes(1, 100), bytes(1, 100));
        assert_ne!(bytes(1, 32), bytes(2, 32));
        let blocks = bytes(1, 96);
        assert_eq!(blocks[..32], hmac_sha256(&[1; 32], &[&[0; 8]]));
        assert_eq!(
            blocks[64..],
            hmac_sha256(&[1; 32], &[&[0, 0, 0, 0, 0, 0, 0, 2]])
        );
    }

    #[test]
    fn no_byte_is_given_twice() {
        let stream = bytes(7, 40);
        let mut rng = SeededRng::new([7; 32]);
        let mut pieces = rng.next_u32().to_be_bytes().to_vec();
        pieces.extend(rng.next_u64().to_be_bytes());
        let mut rest = [0; 28];
        rng.try_fill_bytes(&mut rest).unwrap();
        pieces.extend(rest);
        assert_eq!(pieces, stream);
    }
}
