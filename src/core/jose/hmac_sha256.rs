//! HMAC-SHA256 (RFC 2104) where it is a building block and not an `alg`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// The HMAC of the parts of a message, one after the other, under a key of any length.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    // RFC 2104, 2: a key that is longer than a block is hashed, a shorter one is padded.
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        copy(&Sha256::digest(key), &mut block);
    } else {
        copy(key, &mut block);
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in message {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_any_length_is_used_as_rfc_2104_has_it() {
        for length in [0, 1, 32, 63, 64, 65, 256, 1000] {
            let key: Vec<u8> = (0_u8..=255).cycle().take(length).collect();
            let expected = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            let expected = expected.chain_update(b"one, two").finalize().into_bytes();
            let parts: [&[u8]; 3] = [b"one", b", ", b"two"];
            assert_eq!(hmac_sha256(&key, &parts)[..], expected[..], "{length}");
        }
    }
}
