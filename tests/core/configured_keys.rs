//! Public keys that are configured as PEM, in every form and in every broken one.
//!
//! The files in keys/configured/ were made by other implementations: see make.py there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_keycloak_core::jose::key::{Unusable, VerificationKey};
use jwt_keycloak_core::judge::Verdict;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::UnixMillis;
use jwt_keycloak_tests::keys::{
    ED25519_A, ED25519_B, HMAC_A, P256_A, P256_B, P384_A, P384_B, P521_A, P521_B, RSA_A, RSA_B,
    SHARED_SECRET, TestKey, signers,
};
use jwt_keycloak_tests::tokens::{self, AUDIENCE, ISSUER};
use jwt_keycloak_tests::verifier::Verifier;
use serde_json::json;

/// The text of a file in keys/configured/.
fn pem(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/core/keys/configured");
    std::fs::read_to_string(format!("{folder}/{name}.pem")).unwrap()
}

fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn to_pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn read(pem: &str, kid: &str) -> Result<VerificationKey, Unusable> {
    VerificationKey::from_pem(pem, Some(kid.to_owned()), None)
}

fn refusal(pem: &str) -> Unusable {
    read(pem, "k").unwrap_err()
}

fn verifier(pem: &str, kid: &str) -> Verifier {
    Verifier::with_configured_keys(vec![read(pem, kid).unwrap()])
}

#[test]
fn every_form_of_a_key_verifies_what_the_key_signed() {
    for (form, key, other) in [
        ("rsa-a.public", &*RSA_A, &*RSA_B),
        ("rsa-a.pkcs1", &RSA_A, &RSA_B),
        ("rsa-a.certificate", &RSA_A, &RSA_B),
        ("rsa-a.certificate-v1", &RSA_A, &RSA_B),
        ("p-256-a.public", &P256_A, &P256_B),
        ("p-256-a.compressed", &P256_A, &P256_B),
        ("p-256-a.certificate", &P256_A, &P256_B),
        ("p-384-a.public", &P384_A, &P384_B),
        ("p-384-a.certificate", &P384_A, &P384_B),
        ("p-521-a.public", &P521_A, &P521_B),
        ("p-521-a.certificate", &P521_A, &P521_B),
        ("ed25519-a.public", &ED25519_A, &ED25519_B),
        ("ed25519-a.certificate", &ED25519_A, &ED25519_B),
    ] {
        let verifier = verifier(&pem(form), key.kid);
        for (alg, signer) in signers() {
            let claims = tokens::claims(ISSUER);
            let header = tokens::header(alg, key.kid);
            let token = tokens::forge(&header, &claims, |input| signer.sign(alg, input));
            let expected = if signer.kid == key.kid {
                Ok(())
            } else {
                Err(Reason::InvalidSignature)
            };
            assert_eq!(verifier.verdict(&token), expected, "{form} {alg}");
            if signer.kid == key.kid {
                let token = tokens::forge(&header, &claims, |input| other.sign(alg, input));
                let verdict = verifier.verdict(&token);
                assert_eq!(verdict, Err(Reason::InvalidSignature), "{form} {alg}");
            }
        }
    }
}

/// 2026-01-01 and 2027-01-01, midnight: the certificates' notBefore and notAfter.
const FIRST: i64 = 1_767_225_600_000;
const LAST: i64 = 1_798_761_600_000;

/// A token that is good at any time, as far as it is concerned.
fn timeless(key: &TestKey, alg: &str) -> String {
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": 300_000_000_000_i64});
    tokens::mint_with(key, alg, &claims)
}

#[test]
fn a_certificate_counts_from_its_first_moment_through_its_last() {
    for (form, key, alg) in [
        ("rsa-a.certificate", &*RSA_A, "RS256"),
        ("rsa-a.certificate-v1", &RSA_A, "PS256"),
        ("p-256-a.certificate", &P256_A, "ES256"),
        ("p-384-a.certificate", &P384_A, "ES384"),
        ("p-521-a.certificate", &P521_A, "ES512"),
        ("ed25519-a.certificate", &ED25519_A, "EdDSA"),
    ] {
        let token = timeless(key, alg);
        let judgement = |now| verifier(&pem(form), key.kid).at(now).judgement(&token);
        for now in [FIRST, FIRST + 1, LAST - 1, LAST] {
            let judgement = judgement(UnixMillis(now));
            assert!(
                matches!(judgement.verdict, Verdict::Permit(..)),
                "{form} {now}"
            );
        }
        for now in [i64::MIN, 0, FIRST - 1, LAST + 1, i64::MAX / 2] {
            // And newer keys are not asked for.
            let judgement = judgement(UnixMillis(now));
            let is_refused = matches!(judgement.verdict, Verdict::Refuse(Reason::KeyNotValid, _));
            assert!(is_refused, "{form} {now}: {judgement:?}");
        }
    }
}

/// RFC 5280, 4.1.2.5: 9999-12-31T23:59:59Z stands for no end.
#[test]
fn a_certificate_may_be_for_ever() {
    let token = timeless(&P256_A, "ES256");
    let verdict = |now| {
        let verifier = verifier(&pem("p-256-a.for-ever"), P256_A.kid);
        verifier.at(UnixMillis(now)).verdict(&token)
    };
    assert_eq!(verdict(FIRST), Ok(()));
    assert_eq!(verdict(253_402_300_799_000), Ok(()));
    assert_eq!(verdict(253_402_300_799_001), Err(Reason::KeyNotValid));
}

#[test]
fn a_key_without_a_certificate_has_no_end() {
    let secret = || {
        let kid = Some(HMAC_A.kid.to_owned());
        VerificationKey::from_secret(SHARED_SECRET.to_vec(), kid, None)
    };
    for now in [0, i64::MAX / 1_000_000] {
        for (key, signer, alg) in [
            (read(&pem("rsa-a.pkcs1"), RSA_A.kid), &*RSA_A, "RS256"),
            (read(&pem("p-256-a.public"), P256_A.kid), &P256_A, "ES256"),
            (VerificationKey::from_jwk(&P256_A.jwk()), &P256_A, "ES256"),
            (secret(), &HMAC_A, "HS256"),
        ] {
            let verifier = Verifier::with_configured_keys(vec![key.unwrap()]);
            let verdict = verifier.at(UnixMillis(now)).verdict(&timeless(signer, alg));
            assert_eq!(verdict, Ok(()), "{alg} {now}");
        }
    }
}

#[test]
fn a_certificate_is_for_signatures() {
    for form in ["certificate", "any-usage", "commitment"] {
        let verifier = verifier(&pem(&format!("p-256-a.{form}")), P256_A.kid);
        let token = tokens::mint(&P256_A, "ES256");
        assert_eq!(verifier.verdict(&token), Ok(()), "{form}");
    }
    for form in ["encipherment", "authority"] {
        let refusal = refusal(&pem(&format!("p-256-a.{form}")));
        assert_eq!(refusal, Unusable::NotForSignatures, "{form}");
    }
}

#[test]
fn a_certificate_ends_after_it_begins() {
    let certificate = der(&pem("p-256-a.certificate"));
    for (first, last, expected) in [
        ("260101000000Z", "260101000000Z", Ok(())),
        (
            "270101000000Z",
            "260101000000Z",
            Err(Unusable::MalformedCertificate),
        ),
        // Two digits of a year: 50 is 1950, which nothing here can be from.
        (
            "500101000000Z",
            "270101000000Z",
            Err(Unusable::MalformedCertificate),
        ),
        (
            "261301000000Z",
            "270101000000Z",
            Err(Unusable::MalformedCertificate),
        ),
    ] {
        let dated = replaced(&certificate, b"260101000000Z", first.as_bytes());
        let dated = replaced(&dated, b"270101000000Z", last.as_bytes());
        let key = read(&to_pem("CERTIFICATE", &dated), "k").map(|_| ());
        assert_eq!(key, expected, "{first} {last}");
    }
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let place = place(bytes, old);
    [&bytes[..place.start], new, &bytes[place.end..]].concat()
}

#[test]
fn keys_of_other_kinds_are_refused() {
    for (form, why) in [
        ("secp256k1", Unusable::UnsupportedKeyType),
        ("rsa-pss", Unusable::UnsupportedKeyType),
        ("x25519", Unusable::UnsupportedKeyType),
        ("ed448", Unusable::UnsupportedKeyType),
        // CVE-2020-0601: P-256, but the key says so itself.
        ("p-256-a.explicit", Unusable::UnsupportedKeyType),
        // RFC 5480, 2.2.
        ("p-256-a.hybrid", Unusable::Malformed),
    ] {
        assert_eq!(refusal(&pem(form)), why, "{form}");
    }
}

#[test]
fn private_keys_are_refused_and_not_told() {
    for key in [&*RSA_A, &P256_A, &P384_A, &P521_A, &ED25519_A] {
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let private = key.pem.replace("PRIVATE KEY", label);
            for text in [
                private.clone(),
                format!("{}{private}", pem("rsa-a.public")),
                format!("{private}{}", pem("rsa-a.certificate")),
            ] {
                let refusal = refusal(&text);
                assert_eq!(refusal, Unusable::PrivateKey);
                assert!(refusal.to_string().starts_with("a private key"));
                let secret = |line: &&str| line.len() > 30 && !line.contains(' ');
                for line in private.lines().filter(secret) {
                    assert!(!format!("{refusal} {refusal:?}").contains(line));
                }
            }
        }
    }
}

/// DER by hand, for keys that no tool makes.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length: &[u8] = match (length, content.len()) {
        ([_, low], ..=127) => &[low],
        ([_, low], ..=255) => &[0x81, low],
        ([high, low], _) => &[0x82, high, low],
    };
    [&[tag], length, content].concat()
}

/// An INTEGER that is not negative.
fn unsigned(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number[0] > 127 { &[0] } else { &[] };
    tlv(2, &[sign, number].concat())
}

const RSA_WITH_NULL: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

fn public_key_info(algorithm: &[u8], key: &[u8]) -> String {
    let key = tlv(3, &[&[0], key].concat());
    to_pem(
        "PUBLIC KEY",
        &tlv(0x30, &[tlv(0x30, algorithm), key].concat()),
    )
}

#[test]
fn an_rsa_key_is_strong_in_every_form() {
    let good = [0xff; 256];
    for (modulus, exponent, expected) in [
        (good.as_slice(), [1, 0, 1].as_slice(), Ok(())),
        (&good, &[3], Ok(())),
        (&[0xff; 1024], &[1, 0, 1], Ok(())),
        (&[0xff; 128], &[1, 0, 1], Err(Unusable::WeakOrOversizedRsa)),
        (&[0x7f; 256], &[1, 0, 1], Err(Unusable::WeakOrOversizedRsa)),
        (&[0xff; 1025], &[1, 0, 1], Err(Unusable::WeakOrOversizedRsa)),
        (&[0xfe; 256], &[1, 0, 1], Err(Unusable::WeakOrOversizedRsa)),
        (&good, &[0], Err(Unusable::WeakOrOversizedRsa)),
        (&good, &[1], Err(Unusable::WeakOrOversizedRsa)),
        (&good, &[2], Err(Unusable::WeakOrOversizedRsa)),
        (&good, &[1, 0, 0], Err(Unusable::WeakOrOversizedRsa)),
        (&good, &[0xff; 10], Err(Unusable::WeakOrOversizedRsa)),
    ] {
        let numbers = [unsigned(modulus), unsigned(exponent)].concat();
        let key = tlv(0x30, &numbers);
        for text in [
            to_pem("RSA PUBLIC KEY", &key),
            public_key_info(RSA_WITH_NULL, &key),
        ] {
            let name = format!("{} {:x} {exponent:?}", modulus.len(), modulus[0]);
            assert_eq!(read(&text, "k").map(|_| ()), expected, "{name}");
        }
    }
}

#[test]
fn an_rsa_key_has_one_form() {
    let (n, e) = (unsigned(&[0xff; 256]), unsigned(&[1, 0, 1]));
    let good = tlv(0x30, &[n.as_slice(), &e].concat());
    assert!(read(&to_pem("RSA PUBLIC KEY", &good), "k").is_ok());
    for bad in [
        // A number less or more, negative, too long, of another type.
        tlv(0x30, &n),
        tlv(0x30, &[n.as_slice(), &e, &e].concat()),
        tlv(0x30, &[tlv(2, &[0xff; 256]), e.clone()].concat()),
        tlv(0x30, &[n.as_slice(), &tlv(2, &[0, 1, 0, 1])].concat()),
        tlv(0x30, &[n.as_slice(), &tlv(2, &[])].concat()),
        tlv(0x30, &[n.as_slice(), &tlv(4, &[1, 0, 1])].concat()),
        tlv(0x31, &[n.as_slice(), &e].concat()),
        // Something after it; a length that is not in its shortest form.
        [good.as_slice(), &[0]].concat(),
        [&[0x30, 0x83, 0], &good[2..]].concat(),
        Vec::new(),
    ] {
        for text in [
            to_pem("RSA PUBLIC KEY", &bad),
            public_key_info(RSA_WITH_NULL, &bad),
        ] {
            let refusal = refusal(&text);
            let expected = [Unusable::Malformed, Unusable::MalformedPem];
            assert!(expected.contains(&refusal), "{refusal:?} {text}");
        }
    }
    // RFC 3279, 2.3.1: the parameters are NULL.
    for parameters in [[].as_slice(), &[0x30, 0], &[5, 1, 0]] {
        let algorithm = [&RSA_WITH_NULL[..11], parameters].concat();
        let refusal = refusal(&public_key_info(&algorithm, &good));
        assert_eq!(refusal, Unusable::Malformed, "{parameters:?}");
    }
}

#[test]
fn a_point_is_on_its_curve() {
    let public = der(&pem("p-256-a.public"));
    let (algorithm, point) = (&public[4..23], &public[26..]);
    assert_eq!(point.len(), 65);
    let read = |point: &[u8]| read(&public_key_info(algorithm, point), "k").map(|_| ());
    assert_eq!(read(point), Ok(()));
    let mut beside = point.to_vec();
    beside[64] ^= 1;
    let too_large = [&[4], [0xff; 64].as_slice()].concat();
    for (point, why) in [
        (beside.as_slice(), Unusable::BadPoint),
        (&too_large, Unusable::BadPoint),
        (&point[..64], Unusable::BadPoint),
        (&[point, &[0]].concat(), Unusable::BadPoint),
        (&point[..33], Unusable::BadPoint),
        // The point at infinity; a form without the sign of y; none at all.
        (&[0], Unusable::Malformed),
        (&[&[5], &point[1..33]].concat(), Unusable::Malformed),
        (&point[1..], Unusable::Malformed),
        (&[], Unusable::Malformed),
    ] {
        assert_eq!(read(point), Err(why), "{point:x?}");
    }
    // P-256's point, said to be of P-384.
    let p384 = der(&pem("p-384-a.public"));
    let refusal = refusal(&public_key_info(&p384[4..20], point));
    assert_eq!(refusal, Unusable::BadPoint);
}

#[test]
fn an_ed25519_key_is_a_strong_point() {
    const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
    let public = der(&pem("ed25519-a.public"));
    let point = &public[12..];
    let read =
        |algorithm: &[u8], point: &[u8]| read(&public_key_info(algorithm, point), "k").map(|_| ());
    assert_eq!(read(ED25519, point), Ok(()));
    let small_order = [&[1], [0; 31].as_slice()].concat();
    let not_a_point = [&[2], [0; 31].as_slice()].concat();
    for (point, why) in [
        (small_order.as_slice(), Unusable::BadPoint),
        (&[0; 32], Unusable::BadPoint),
        (&not_a_point, Unusable::BadPoint),
        (&point[..31], Unusable::Malformed),
        (&[point, &[0]].concat(), Unusable::Malformed),
    ] {
        assert_eq!(read(ED25519, point), Err(why), "{point:x?}");
    }
    // RFC 8410, 3: the parameters are absent.
    let algorithm = [ED25519, &[5, 0]].concat();
    assert_eq!(read(&algorithm, point), Err(Unusable::Malformed));
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

#[test]
fn every_bit_of_a_public_key_counts() {
    for (form, label, key, alg) in [
        ("rsa-a.public", "PUBLIC KEY", &*RSA_A, "RS256"),
        ("rsa-a.pkcs1", "RSA PUBLIC KEY", &RSA_A, "PS256"),
        ("p-256-a.public", "PUBLIC KEY", &P256_A, "ES256"),
        ("p-256-a.compressed", "PUBLIC KEY", &P256_A, "ES256"),
        ("p-384-a.public", "PUBLIC KEY", &P384_A, "ES384"),
        ("p-521-a.public", "PUBLIC KEY", &P521_A, "ES512"),
        ("ed25519-a.public", "PUBLIC KEY", &ED25519_A, "EdDSA"),
    ] {
        let public = der(&pem(form));
        let token = tokens::mint(key, alg);
        assert!(verifier(&to_pem(label, &public), key.kid).admits(&token));
        for bit in 0..public.len() * 8 {
            if let Ok(key) = read(&to_pem(label, &flipped(&public, bit)), key.kid) {
                let verifier = Verifier::with_configured_keys(vec![key]);
                assert!(!verifier.admits(&token), "{form} bit {bit}");
            }
        }
        for length in 0..public.len() {
            let refusal = refusal(&to_pem(label, &public[..length]));
            let expected = [Unusable::Malformed, Unusable::MalformedPem];
            assert!(expected.contains(&refusal), "{form} {length}");
        }
    }
}

/// Much of a certificate is of no matter here, such as its signature. What matters is its key and
/// its validity.
#[test]
fn every_bit_of_a_certificates_key_and_validity_counts() {
    for (kid, key, alg) in [
        ("rsa-a", &*RSA_A, "RS256"),
        ("p-256-a", &P256_A, "ES256"),
        ("ed25519-a", &ED25519_A, "EdDSA"),
    ] {
        let certificate = der(&pem(&format!("{kid}.certificate")));
        let info = place(&certificate, &der(&pem(&format!("{kid}.public"))));
        let dates = place(&certificate, b"\x17\x0d260101000000Z\x17\x0d270101000000Z");
        let token = tokens::mint(key, alg);
        let validity = Some((UnixMillis(FIRST), UnixMillis(LAST)));
        for bit in 0..certificate.len() * 8 {
            let text = to_pem("CERTIFICATE", &flipped(&certificate, bit));
            // Whatever it is, it is read or refused: no panic.
            let Ok(damaged) = read(&text, key.kid) else {
                continue;
            };
            if dates.contains(&(bit / 8)) {
                assert_ne!(damaged.validity, validity, "{kid} bit {bit}");
            } else {
                assert_eq!(damaged.validity, validity, "{kid} bit {bit}");
            }
            if info.contains(&(bit / 8)) {
                let verifier = Verifier::with_configured_keys(vec![damaged]);
                assert!(!verifier.admits(&token), "{kid} bit {bit}");
            }
        }
        for length in 0..certificate.len() {
            let refusal = refusal(&to_pem("CERTIFICATE", &certificate[..length]));
            let expected = [Unusable::MalformedCertificate, Unusable::MalformedPem];
            assert!(expected.contains(&refusal), "{kid} {length}");
        }
    }
}

/// Where `part` is in `bytes`.
fn place(bytes: &[u8], part: &[u8]) -> std::ops::Range<usize> {
    let mut places = bytes.windows(part.len());
    let at = places.rposition(|window| window == part).unwrap();
    at..at + part.len()
}

/// The text, cut anywhere, and with every byte replaced: an answer, and no panic.
#[test]
fn a_damaged_text_is_answered() {
    let text = pem("p-256-a.public");
    let end = text.trim_end().len();
    for length in 0..end {
        let refusal = refusal(&text[..length]);
        let expected = [Unusable::NotPem, Unusable::MalformedPem];
        assert!(expected.contains(&refusal), "{length}: {refusal:?}");
    }
    let token = tokens::mint(&P256_A, "ES256");
    for at in 0..end {
        for other in [
            "",
            "-",
            "=",
            "A",
            "\n",
            "\r",
            " ",
            "\0",
            "é",
            "-----BEGIN ",
            "\n\n\n",
        ] {
            if text[at..=at] == *other {
                continue;
            }
            let damaged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            if let Ok(key) = read(&damaged, P256_A.kid) {
                let same = Verifier::with_configured_keys(vec![key]).admits(&token);
                // Only line breaks do not matter.
                assert!(
                    !same || text[at..=at] == *"\n" || other.trim().is_empty(),
                    "{damaged}"
                );
            }
        }
    }
}
