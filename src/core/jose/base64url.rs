//! base64url without padding, in its one canonical form (RFC 7515, 2; RFC 4648, 3.5).

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};

/// Decodes `text`; `None` for padding, other alphabets, white space, or trailing bits that are
/// not zero (two texts of one token must not exist).
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes what anybody might take for base64 or base64url: either alphabet, with padding or
/// without, whatever its last bits. For telling what a text is, never for reading it.
#[must_use]
pub fn decode_leniently(text: &str) -> Option<Vec<u8>> {
    const ANY: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text = text
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    // One character over is no octet.
    let whole = text.len().checked_sub(usize::from(text.len() % 4 == 1))?;
    ANY.decode(text.get(..whole)?).ok()
}

/// Whether a text is a b64token (RFC 6750, 2.1). It has no comma, so that two credentials which a proxy
/// joined into one are not one, and nothing that a header field or a quoted string cannot hold.
#[must_use]
pub fn is_b64token(text: &[u8]) -> bool {
    // Without an early end and without branches, so that the compiler takes sixteen at a time: every
    // request's token goes through here.
    let is_other = |byte: u8| {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        // - . / and the digits, which stand in a row.
        let is_digit_or_near = byte.wrapping_sub(b'-') <= b'9'.wrapping_sub(b'-');
        let is_sign = (byte == b'+') | (byte == b'=') | (byte == b'_') | (byte == b'~');
        u8::from(!(is_letter | is_digit_or_near | is_sign))
    };
    !text.is_empty() && text.iter().fold(0, |others, byte| others | is_other(*byte)) == 0
}

#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_b64token_has_these_characters_and_no_others() {
        for byte in 0..=255u8 {
            let is_one = byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            assert_eq!(is_b64token(&[b'a', byte]), is_one, "{byte:#x}");
        }
        assert!(!is_b64token(b""));
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        assert_eq!(decode("AA").unwrap(), [0]);
        assert_eq!(decode("-_8").unwrap(), [0xfb, 0xff]);
        for text in ["AB", "AA==", "A", "+/8", "A A", "AA\n", "AA=", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
