//! The messages of Envoy's `verify_signature`: what is asked, and what counts as an answer.

#[path = "../../src/filter/verify_signature.rs"]
mod verify_signature;

use verify_signature::{arguments, verdict};

/// As Envoy 1.40 answers, good and bad (tests/e2e/test_host_crypto.py asks it).
const YES: &[u8] = b"\x08\x01";
const NO: &[u8] = b"\x12\x26Failed to verify digest. Error code: 0";

#[test]
fn a_message_has_its_members_in_order() {
    let expected = b"\x0a\x06sha256\x12\x03key\x1a\x02si\x22\x04text";
    assert_eq!(arguments("sha256", b"key", b"si", b"text"), expected);
    // A length of two octets.
    let message = arguments("sha512", b"", &[7; 300], b"");
    let expected = [
        b"\x0a\x06sha512\x12\x00\x1a\xac\x02".as_slice(),
        &[7; 300],
        b"\x22\x00",
    ];
    assert_eq!(message, expected.concat());
}

#[test]
fn an_answer_is_one_of_two_to_the_octet() {
    assert_eq!(verdict(YES), Some(true));
    assert_eq!(verdict(NO), Some(false));
    for answer in [YES, NO] {
        for end in 0..answer.len() {
            assert_eq!(verdict(&answer[..end]), None, "cut after {end}");
        }
        for octet in 0..=255 {
            assert_eq!(verdict(&[answer, &[octet]].concat()), None);
            for at in 0..answer.len() {
                let mut other = answer.to_vec();
                other[at] = octet;
                let expected = verdict(answer).filter(|_| other == answer);
                assert_eq!(verdict(&other), expected, "{at}: {octet}");
            }
        }
    }
    for answer in [
        [YES, NO].concat(),
        [NO, YES].concat(),
        [YES, YES].concat(),
        b"\x08\x81\x00".to_vec(),
        b"\x08\x00".to_vec(),
        b"\x12\x00\x08\x01".to_vec(),
        b"\x12\x15md5 is not supported.".to_vec(),
        b"\x12\x23Failed to initialize digest verify.".to_vec(),
    ] {
        assert_eq!(verdict(&answer), None, "{answer:?}");
    }
}
