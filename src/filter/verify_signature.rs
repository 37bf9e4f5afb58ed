//! The messages of Envoy's foreign function `verify_signature`
//! (source/extensions/common/wasm/ext/verify_signature.proto).

use prost::encoding::{WireType, encode_key, encode_varint};

/// `VerifySignatureArguments`. `public_key` is a `SubjectPublicKeyInfo`, DER.
pub fn arguments(hash: &str, public_key: &[u8], signature: &[u8], text: &[u8]) -> Vec<u8> {
    const HASH_FUNCTION: u32 = 1;
    const PUBLIC_KEY: u32 = 2;
    const SIGNATURE: u32 = 3;
    const TEXT: u32 = 4;
    let members = [
        (HASH_FUNCTION, hash.as_bytes()),
        (PUBLIC_KEY, public_key),
        (SIGNATURE, signature),
        (TEXT, text),
    ];
    // One allocation: a tag and a length are at most of eleven octets together.
    let lengths = members.map(|(_, octets)| octets.len().saturating_add(11));
    let mut arguments = Vec::with_capacity(lengths.into_iter().fold(0, usize::saturating_add));
    for (number, octets) in members {
        encode_key(number, WireType::LengthDelimited, &mut arguments);
        encode_varint(octets.len() as u64, &mut arguments);
        arguments.extend_from_slice(octets);
    }
    arguments
}

/// What a `VerifySignatureResult` says, if it is one of the two that Envoy gives to good arguments,
/// to the octet: `result: true`, or the `error` of a signature that is none. Any other error is about
/// the arguments, or Envoy's own.
pub fn verdict(result: &[u8]) -> Option<bool> {
    const YES: &[u8] = b"\x08\x01";
    const NO: &[u8] = b"\x12\x26Failed to verify digest. Error code: 0";
    match result {
        YES => Some(true),
        NO => Some(false),
        _ => None,
    }
}
