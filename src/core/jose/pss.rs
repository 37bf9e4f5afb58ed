//! EMSA-PSS, the encoding of messages of PS256, PS384 and PS512 (RFC 8017, 9.1.2; RFC 7518, 3.5).

use sha2::Digest;

/// Whether `encoded`, a message representative of a key of so many bits, is one of a message with this
/// `digest` by `D`. Mask generation is MGF1 with the same hash, and the salt is as long as the digest.
#[must_use]
pub fn is_encoding_of<D: Digest>(digest: &[u8], encoded: &[u8], modulus_bits: usize) -> bool {
    verify::<D>(digest, encoded, modulus_bits).is_some()
}

/// The steps are those of RFC 8017, 9.1.2; `None` is "inconsistent".
fn verify<D: Digest>(digest: &[u8], encoded: &[u8], modulus_bits: usize) -> Option<()> {
    let bits = modulus_bits.checked_sub(1)?;
    // RFC 8017, 8.1.2 step 2c: one octet shorter than the modulus where its first bit is an octet's only
    // one; that octet is zero, then.
    let length = bits.div_ceil(8);
    let (beyond, encoded) = encoded.split_at_checked(encoded.len().checked_sub(length)?)?;
    // Steps 3 to 5
    let (&trailer, rest) = encoded.split_last()?;
    let size = <D as Digest>::output_size();
    let (masked, hash) = rest.split_at_checked(rest.len().checked_sub(size)?)?;
    // Step 6
    let unused_bits = u32::try_from(length.checked_mul(8)?.checked_sub(bits)?).ok()?;
    let used = 0xff_u8.checked_shr(unused_bits)?;
    let first = *masked.first()?;
    if beyond.iter().any(|octet| *octet != 0) || trailer != 0xbc || first & !used != 0 {
        return None;
    }
    // Steps 7 to 9
    let mut block = mgf1::<D>(hash, masked.len());
    block
        .iter_mut()
        .zip(masked)
        .for_each(|(mask, octet)| *mask ^= octet);
    *block.first_mut()? &= used;
    // Step 10
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(size)?)?;
    let (&one, zeros) = padding.split_last()?;
    if one != 1 || zeros.iter().any(|octet| *octet != 0) {
        return None;
    }
    // Steps 11 to 14
    let message = D::new().chain_update([0; 8]).chain_update(digest);
    (message.chain_update(salt).finalize().as_slice() == hash).then_some(())
}

/// RFC 8017, B.2.1.
fn mgf1<D: Digest>(seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length);
    for counter in 0..u32::MAX {
        if mask.len() >= length {
            break;
        }
        let block = D::new().chain_update(seed);
        mask.extend(block.chain_update(counter.to_be_bytes()).finalize());
    }
    mask.truncate(length);
    mask
}
