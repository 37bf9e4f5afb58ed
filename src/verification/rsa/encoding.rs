//! EMSA-PKCS1-v1_5 (RFC 8017, 9.2).

/// The hash functions of RSASSA-PKCS1-v1_5 in JOSE (RFC 7518, 3.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The digest's length in bytes.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The DER encoding of DigestInfo up to the digest (9.2, note 1): with the parameters NULL.
    const fn digest_info(self) -> &'static [u8; 19] {
        match self {
            Self::Sha256 => {
                b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
            }
            Self::Sha384 => {
                b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
            }
            Self::Sha512 => {
                b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
            }
        }
    }
}

/// The encoded message of a digest: 00 01 FF ... FF 00 DigestInfo. At least 256 bytes are `length`,
/// so there is room for the eight FF that the standard demands.
pub(super) fn encoded(hash: Hash, digest: &[u8], length: usize) -> Vec<u8> {
    let info = hash.digest_info();
    // All but the padding: what is before it, the 0 after it, DigestInfo
    let others = digest.len().saturating_add(info.len()).saturating_add(3);
    let mut encoded = Vec::with_capacity(length);
    encoded.extend([0, 1]);
    encoded.extend(core::iter::repeat_n(0xff, length.saturating_sub(others)));
    encoded.push(0);
    encoded.extend(info);
    encoded.extend(digest);
    encoded
}
