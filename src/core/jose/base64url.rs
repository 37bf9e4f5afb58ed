//! base64url without padding, in its one canonical form (RFC 7515, 2; RFC 4648, 3.5).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes `text`; `None` for padding, other alphabets, white space, or trailing bits that are
/// not zero (two texts of one token must not exist).
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        assert_eq!(decode("AA").unwrap(), [0]);
        assert_eq!(decode("-_8").unwrap(), [0xfb, 0xff]);
        for text in ["AB", "AA==", "A", "+/8", "A A", "AA\n", "AA=", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
