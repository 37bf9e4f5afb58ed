//! A good token passes; the same token with anything changed does not, by every algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_tests::keys::{
    ED25519_A, ED25519_B, HMAC_A, P256_A, P256_B, P384_A, P384_B, P521_A, P521_B, RSA_A, RSA_B,
    TestKey, base64url, signers,
};
use jwt_keycloak_tests::tokens::{self, AUDIENCE, ISSUER, START, parts};
use jwt_keycloak_tests::verifier::Verifier;
use rsa::BigUint;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A good token with few claims, to have few bits to flip, and who takes it.
fn subject(alg: &str, key: &TestKey) -> (Verifier, String) {
    let verifier = Verifier::with_key(key);
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": START.0 / 1000 + 60, "sub": "s"});
    let token = tokens::mint_with(key, alg, &claims);
    assert_eq!(verifier.verdict(&token), Ok(()), "{alg}");
    (verifier, token)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Flips every bit of the signature, and says how many there were.
fn flip_the_signature(alg: &str, key: &TestKey) -> usize {
    let (verifier, token) = subject(alg, key);
    let [header, payload, signature] = parts(&token);
    let signature = decode(signature);
    let bits = signature.len() * 8;
    for bit in 0..bits {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let token = format!("{header}.{payload}.{}", base64url(&flipped));
        assert_eq!(
            verifier.verdict(&token),
            Err(Reason::InvalidSignature),
            "{alg} bit {bit}"
        );
    }
    bits
}

macro_rules! every_bit_of_the_signature {
    ($($name:ident: $alg:literal, $key:ident, $bits:literal;)*) => {
        /// One test an algorithm, to use all cores.
        mod every_bit_of_the_signature_counts {
            use super::*;
            $(#[test]
            fn $name() {
                assert_eq!(flip_the_signature($alg, &$key), $bits);
            })*
        }
    };
}

every_bit_of_the_signature! {
    rs256: "RS256", RSA_A, 2048;
    rs384: "RS384", RSA_A, 2048;
    rs512: "RS512", RSA_A, 2048;
    ps256: "PS256", RSA_A, 2048;
    ps384: "PS384", RSA_A, 2048;
    ps512: "PS512", RSA_A, 2048;
    es256: "ES256", P256_A, 512;
    es384: "ES384", P384_A, 768;
    es512: "ES512", P521_A, 1056;
    eddsa: "EdDSA", ED25519_A, 512;
    hs256: "HS256", HMAC_A, 256;
    hs384: "HS384", HMAC_A, 384;
    hs512: "HS512", HMAC_A, 512;
}

/// Flips every bit of what the header and the payload say.
fn flip_header_and_payload(alg: &str, key: &TestKey) {
    let (verifier, token) = subject(alg, key);
    let [header, payload, signature] = parts(&token);
    let original = [decode(header), decode(payload)];
    for part in 0..2 {
        for bit in 0..original[part].len() * 8 {
            let mut changed = original.clone();
            changed[part][bit / 8] ^= 1 << (bit % 8);
            let [header, payload] = changed.map(|part| base64url(&part));
            let token = format!("{header}.{payload}.{signature}");
            assert!(!verifier.admits(&token), "{alg} part {part} bit {bit}");
        }
    }
}

/// Flips every bit of the token as it is sent: characters become others, of base64url or not.
fn flip_the_text(alg: &str, key: &TestKey) {
    let (verifier, token) = subject(alg, key);
    for bit in 0..token.len() * 8 {
        let mut bytes = token.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Header values that are not UTF-8 end in `bearer`, which has tests of its own.
        if let Ok(text) = String::from_utf8(bytes) {
            assert!(!verifier.admits(&text), "{alg} bit {bit}: {text}");
        }
    }
}

macro_rules! every_bit_of_the_token {
    ($($name:ident: $alg:literal, $key:ident;)*) => {
        mod every_bit_of_the_token_counts {
            use super::*;
            $(#[test]
            fn $name() {
                flip_header_and_payload($alg, &$key);
                flip_the_text($alg, &$key);
            })*
        }
    };
}

every_bit_of_the_token! {
    rs256: "RS256", RSA_A;
    ps256: "PS256", RSA_A;
    es256: "ES256", P256_A;
    es384: "ES384", P384_A;
    es512: "ES512", P521_A;
    eddsa: "EdDSA", ED25519_A;
    hs256: "HS256", HMAC_A;
    hs512: "HS512", HMAC_A;
}

#[test]
fn every_truncation_is_refused() {
    for (alg, key) in signers() {
        let (verifier, token) = subject(alg, key);
        for length in 0..token.len() {
            assert!(!verifier.admits(&token[..length]), "{alg} cut to {length}");
            assert!(
                !verifier.admits(&token[token.len() - length..]),
                "{alg} last {length}"
            );
        }
    }
}

#[test]
fn every_truncation_of_the_decoded_parts_is_refused() {
    for (alg, key) in signers() {
        let (verifier, token) = subject(alg, key);
        let original = parts(&token).map(decode);
        for part in 0..3 {
            for length in 0..original[part].len() {
                for keep_start in [true, false] {
                    let mut cut = original.clone();
                    if keep_start {
                        cut[part].truncate(length);
                    } else {
                        cut[part].drain(..original[part].len() - length);
                    }
                    let token = cut.map(|part| base64url(&part)).join(".");
                    assert!(
                        !verifier.admits(&token),
                        "{alg} part {part} length {length}"
                    );
                }
            }
        }
    }
}

/// The last character of a part may have bits that mean nothing. Were they free, one token would
/// have several texts (RFC 4648, 3.5).
#[test]
fn a_last_character_with_other_unused_bits_is_malformed() {
    let mut tried = 0;
    // Claims of three lengths, so that each part ends in zero, two and four unused bits.
    for padding in ["", "x", "xx"] {
        for (alg, key) in signers() {
            let verifier = Verifier::with_keys(&[key.jwk()]);
            let mut claims = tokens::claims(ISSUER);
            claims["padding"] = json!(padding);
            let header = json!({"alg": alg, "kid": key.kid, "padding": padding});
            let token = tokens::forge(&header, &claims, |input| key.sign(alg, input));
            assert!(verifier.admits(&token));
            for part in 0..3 {
                let mut texts = parts(&token).map(str::to_owned);
                let meaning = decode(&texts[part]);
                let last = texts[part].pop().unwrap();
                for other in ALPHABET.iter().map(|byte| char::from(*byte)) {
                    let text = format!("{}{other}", texts[part]);
                    let lenient = base64::engine::GeneralPurpose::new(
                        &base64::alphabet::URL_SAFE,
                        base64::engine::general_purpose::NO_PAD
                            .with_decode_allow_trailing_bits(true),
                    );
                    if other == last || lenient.decode(&text).unwrap() != meaning {
                        continue;
                    }
                    let mut twin = texts.clone();
                    twin[part] = text;
                    let verdict = verifier.verdict(&twin.join("."));
                    assert_eq!(
                        verdict,
                        Err(Reason::MalformedToken),
                        "{alg} part {part} {other}"
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn every_other_last_character_is_refused() {
    for (alg, key) in signers() {
        let (verifier, token) = subject(alg, key);
        for part in 0..3 {
            for other in ALPHABET.iter().map(|byte| char::from(*byte)) {
                let mut texts = parts(&token).map(str::to_owned);
                let last = texts[part].pop().unwrap();
                texts[part].push(other);
                assert_eq!(
                    verifier.admits(&texts.join(".")),
                    other == last,
                    "{alg} {part} {other}"
                );
            }
        }
    }
}

#[test]
fn whatever_is_added_is_refused() {
    for (alg, key) in signers() {
        let (verifier, token) = subject(alg, key);
        let [header, payload, signature] = parts(&token);
        for more in [
            "A", "AA", "AAA", "AAAA", "=", "==", ".", "..", ".AAAA", "-", "~", "\u{e9}", "%00",
        ] {
            for text in [
                format!("{token}{more}"),
                format!("{more}{token}"),
                format!("{header}{more}.{payload}.{signature}"),
                format!("{header}.{more}{payload}.{signature}"),
                format!("{header}.{payload}{more}.{signature}"),
                format!("{header}.{payload}.{more}{signature}"),
            ] {
                assert!(!verifier.admits(&text), "{alg} {text}");
            }
        }
        // White space around a header's value is not part of it; inside a token it is.
        for blank in [" ", "\t", "\n", "\r\n", "\0"] {
            for text in [
                format!("{header}.{payload}.{blank}{signature}"),
                format!("{header}.{payload}{blank}.{signature}"),
            ] {
                assert!(!verifier.admits(&text), "{alg} {text:?}");
            }
        }
        for byte in [0x00, 0x01, 0xff] {
            let signature = decode(signature);
            for longer in [
                [&signature[..], &[byte]].concat(),
                [&[byte], &signature[..]].concat(),
            ] {
                let text = format!("{header}.{payload}.{}", base64url(&longer));
                assert_eq!(
                    verifier.verdict(&text),
                    Err(Reason::InvalidSignature),
                    "{alg}"
                );
            }
        }
    }
}

#[test]
fn parts_of_two_good_tokens_do_not_mix() {
    for (alg, key) in signers() {
        let verifier = Verifier::with_keys(&[key.jwk()]);
        let a = tokens::mint(key, alg);
        // Another header, too.
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": key.kid});
        let b = tokens::forge(&header, &tokens::claims(ISSUER), |input| {
            key.sign(alg, input)
        });
        assert!(verifier.admits(&a) && verifier.admits(&b));
        let choices = [parts(&a), parts(&b)];
        for mix in 0..8_usize {
            let text = [0, 1, 2]
                .map(|part| choices[mix >> part & 1][part])
                .join(".");
            assert_eq!(
                verifier.admits(&text),
                mix == 0 || mix == 7,
                "{alg} {mix:03b}"
            );
        }
        let [header, payload, signature] = parts(&a);
        for text in [
            format!("{payload}.{header}.{signature}"),
            format!("{header}.{signature}.{payload}"),
            format!("{signature}.{payload}.{header}"),
            format!("{header}.{payload}."),
            format!("{header}..{signature}"),
            format!(".{payload}.{signature}"),
            format!("{header}.{payload}"),
        ] {
            assert!(!verifier.admits(&text), "{alg} {text}");
        }
    }
}

#[test]
fn a_signature_by_another_key_of_the_same_kind_is_refused() {
    for (alg, mine, theirs) in [
        ("RS256", &*RSA_A, &*RSA_B),
        ("PS512", &RSA_A, &RSA_B),
        ("ES256", &P256_A, &P256_B),
        ("ES384", &P384_A, &P384_B),
        ("ES512", &P521_A, &P521_B),
        ("EdDSA", &ED25519_A, &ED25519_B),
    ] {
        let verifier = Verifier::with_keys(&[mine.jwk()]);
        let header = tokens::header(alg, mine.kid);
        let claims = tokens::claims(ISSUER);
        let token = tokens::forge(&header, &claims, |input| theirs.sign(alg, input));
        assert_eq!(
            verifier.verdict(&token),
            Err(Reason::InvalidSignature),
            "{alg}"
        );
        let both = Verifier::with_keys(&[mine.jwk(), theirs.jwk()]);
        assert_eq!(
            both.verdict(&token),
            Err(Reason::InvalidSignature),
            "{alg}: kid names a key"
        );
    }
}

/// RFC 8017, 8.1.2 and 8.2.2: a signature representative that is not below the modulus.
#[test]
fn an_rsa_signature_plus_the_modulus_is_refused() {
    let n = RSA_A.rsa().n();
    for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let verifier = Verifier::with_keys(&[RSA_A.jwk()]);
        let mut tried = 0;
        for _ in 0..16 {
            let token = tokens::mint(&RSA_A, alg);
            let [header, payload, signature] = parts(&token);
            let sum = (BigUint::from_bytes_be(&decode(signature)) + n).to_bytes_be();
            tried += usize::from(sum.len() == 256);
            let text = format!("{header}.{payload}.{}", base64url(&sum));
            assert_eq!(verifier.verdict(&text), Err(Reason::InvalidSignature));
        }
        assert!(tried > 0, "{alg}: no sum had the right length");
    }
}

/// An ECDSA signature (r, s) has the twin (r, n - s), which verifies as well. RFC 7518 does not
/// forbid it, and nothing here takes a token's text for its identity; it is stated, not wished.
#[test]
fn an_ecdsa_signature_has_one_twin() {
    // RFC 5480, P-256's order.
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order = BigUint::parse_bytes(ORDER.as_bytes(), 16).unwrap();
    let (verifier, token) = subject("ES256", &P256_A);
    let [header, payload, signature] = parts(&token);
    let signature = decode(signature);
    let (r, s) = signature.split_at(32);
    let s = BigUint::from_bytes_be(s);
    let with_s = |s: &BigUint| {
        let bytes = s.to_bytes_be();
        let mut signature = r.to_vec();
        signature.resize(64 - bytes.len(), 0);
        signature.extend(bytes);
        format!("{header}.{payload}.{}", base64url(&signature))
    };
    assert!(verifier.admits(&with_s(&s)));
    assert!(verifier.admits(&with_s(&(&order - &s))));
    for other in [
        &s + 1_u32,
        &order - &s + 1_u32,
        order.clone(),
        BigUint::from(0_u32),
    ] {
        assert!(!verifier.admits(&with_s(&other)));
    }
}

/// EdDSA has no twin: s must be below the group's order (RFC 8032, 5.1.7).
#[test]
fn an_eddsa_signature_plus_the_order_is_refused() {
    const ORDER: &str = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";
    let order = BigUint::parse_bytes(ORDER.as_bytes(), 16).unwrap();
    let (verifier, token) = subject("EdDSA", &ED25519_A);
    let [header, payload, signature] = parts(&token);
    let mut signature = decode(signature);
    let s = BigUint::from_bytes_le(&signature[32..]) + order;
    let mut s = s.to_bytes_le();
    s.resize(32, 0);
    signature.truncate(32);
    signature.extend(s);
    let text = format!("{header}.{payload}.{}", base64url(&signature));
    assert_eq!(verifier.verdict(&text), Err(Reason::InvalidSignature));
}

/// Two readers may understand such a payload differently; here nobody does.
#[test]
fn signed_json_with_two_meanings_is_refused() {
    let verifier = Verifier::with_keys(&[ED25519_A.jwk()]);
    let good = tokens::claims(ISSUER).to_string();
    let inner = &good[1..good.len() - 1];
    let sign = |header: &str, payload: &str| {
        let input = format!(
            "{}.{}",
            base64url(header.as_bytes()),
            base64url(payload.as_bytes())
        );
        let signature = ED25519_A.sign("EdDSA", input.as_bytes());
        format!("{input}.{}", base64url(&signature))
    };
    let header = r#"{"alg":"EdDSA","kid":"ed25519-a"}"#;
    assert!(verifier.admits(&sign(header, &good)));
    assert!(verifier.admits(&sign(header, &format!(" {{ {inner} }}\n"))));
    for payload in [
        format!("{{\"exp\":1,{inner}}}"),
        format!("{{{inner},\"exp\":1}}"),
        format!("{{{inner},\"e\\u0078p\":99999999999}}"),
        format!("{{{inner},\"x\":{{\"a\":1,\"a\":2}}}}"),
        format!("{good}{good}"),
        format!("{good}\0"),
        format!("{good},"),
        format!("[{good}]"),
        format!("\u{feff}{good}"),
        format!("{{{inner},}}"),
        format!("{{{inner},\"x\":01}}"),
        format!("{{{inner},\"x\":NaN}}"),
        format!("{{{inner},\"x\":{}1{}}}", "[".repeat(100), "]".repeat(100)),
    ] {
        let verdict = verifier.verdict(&sign(header, &payload));
        assert_eq!(verdict, Err(Reason::MalformedToken), "{payload}");
    }
    for header in [
        r#"{"alg":"none","alg":"EdDSA","kid":"ed25519-a"}"#,
        r#"{"alg":"EdDSA","kid":"a","kid":"ed25519-a"}"#,
        r#"{"alg":"EdDSA","kid":"ed25519-a"}{}"#,
        r#"["EdDSA"]"#,
        r#""EdDSA""#,
        "",
    ] {
        let verdict = verifier.verdict(&sign(header, &good));
        assert_eq!(verdict, Err(Reason::MalformedToken), "{header}");
    }
    let not_text = [&good.as_bytes()[..good.len() - 1], b",\"x\":\"\xff\"}"].concat();
    let input = format!("{}.{}", base64url(header.as_bytes()), base64url(&not_text));
    let signature = base64url(&ED25519_A.sign("EdDSA", input.as_bytes()));
    let verdict = verifier.verdict(&format!("{input}.{signature}"));
    assert_eq!(verdict, Err(Reason::MalformedToken));
}

/// Dates at the ends of every number's range, under a good signature: an answer, and no panic.
#[test]
fn signed_claims_of_every_kind_are_answered() {
    let verifier = Verifier::with_keys(&[ED25519_A.jwk()]);
    let values: Vec<Value> = vec![
        json!(null),
        json!(true),
        json!(""),
        json!([]),
        json!({}),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(f64::MAX),
        json!(f64::MIN),
        json!(f64::MIN_POSITIVE),
        json!(-8_334_601_228_800_i64),
        json!(8_210_298_412_800_i64),
        json!(1e19),
        json!(-1e19),
        json!(0.5),
        json!("9".repeat(400)),
        json!([[[[]]]]),
    ];
    let names = [
        "exp",
        "nbf",
        "iat",
        "iss",
        "aud",
        "typ",
        "scope",
        "azp",
        "sub",
        "jti",
        "realm_access",
        "resource_access",
    ];
    for name in names {
        for value in &values {
            let mut claims = tokens::claims(ISSUER);
            claims[name] = value.clone();
            let token = tokens::mint_with(&ED25519_A, "EdDSA", &claims);
            let far_future = ["exp"].contains(&name) && value.as_f64().is_some_and(|v| v > 1e12);
            let long_ago =
                ["nbf", "iat"].contains(&name) && value.as_f64().is_some_and(|v| v < 1.0);
            let unread = [
                "scope",
                "azp",
                "sub",
                "jti",
                "realm_access",
                "resource_access",
            ];
            let expected = far_future || long_ago || unread.contains(&name);
            assert_eq!(verifier.admits(&token), expected, "{name}: {value}");
        }
    }
}
