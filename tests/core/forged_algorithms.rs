//! Tokens whose header lies about how they were signed, or by whom (RFC 8725, 2.1 and 3.1).

use jwt_keycloak_core::jose::key::VerificationKey;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_tests::keys::{
    ED25519_A, HMAC_A, P256_A, P256_B, P384_A, P521_A, RSA_A, RSA_B, SHARED_SECRET, Secret,
    TestKey, base64url, hmac, signers,
};
use jwt_keycloak_tests::tokens::{self, AUDIENCE, ISSUER};
use jwt_keycloak_tests::verifier::Verifier;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::EncodePublicKey as _;
use serde_json::{Value, json};

const HMACS: [&str; 3] = ["HS256", "HS384", "HS512"];

fn everybody() -> Verifier {
    let keys = [&*RSA_A, &P256_A, &P384_A, &P521_A, &ED25519_A];
    Verifier::with_keys(&keys.map(TestKey::jwk))
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

#[test]
fn none_is_no_algorithm_in_any_spelling() {
    let verifier = everybody();
    let claims = tokens::claims(ISSUER);
    for alg in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "noNe",
        " none",
        "none ",
        "null",
        "",
        "no\0ne",
        "\u{ff4e}one",
    ] {
        for key in [&*RSA_A, &P256_A, &ED25519_A] {
            let header = tokens::header(alg, key.kid);
            // Nothing, something, and a good signature by an algorithm of the key's own.
            let input = tokens::signing_input(&header, &claims);
            let good = key.sign("RS256", input.as_bytes());
            for signature in [Vec::new(), vec![0; 64], good] {
                let token = tokens::forge(&header, &claims, |_| signature);
                assert_eq!(
                    verifier.verdict(&token),
                    Err(Reason::AlgorithmNotAllowed),
                    "{alg:?}"
                );
            }
        }
        let without_kid = json!({"alg": alg});
        let token = tokens::forge(&without_kid, &claims, |_| Vec::new());
        assert_eq!(
            verifier.verdict(&token),
            Err(Reason::AlgorithmNotAllowed),
            "{alg:?}"
        );
        // Without the dot at the end.
        let input = tokens::signing_input(&without_kid, &claims);
        assert!(!verifier.admits(&input));
    }
}

#[test]
fn an_algorithm_is_named_exactly() {
    let verifier = everybody();
    let claims = tokens::claims(ISSUER);
    for (alg, key) in signers() {
        for name in [
            alg.to_lowercase(),
            format!("{alg} "),
            format!(" {alg}"),
            format!("{alg}\0"),
            alg.replace('S', "s"),
            format!("{alg}K"),
        ] {
            if name == alg {
                continue;
            }
            let header = tokens::header(&name, key.kid);
            let token = tokens::forge(&header, &claims, |input| key.sign(alg, input));
            assert_eq!(
                verifier.verdict(&token),
                Err(Reason::AlgorithmNotAllowed),
                "{name:?}"
            );
        }
        for not_text in [
            json!(null),
            json!(256),
            json!([alg]),
            json!({"alg": alg}),
            json!(true),
        ] {
            let header = with(tokens::header(alg, key.kid), "alg", not_text);
            let token = tokens::forge(&header, &claims, |input| key.sign(alg, input));
            assert_eq!(verifier.verdict(&token), Err(Reason::MalformedToken));
        }
    }
    for alg in [
        "ES256K",
        "RS1",
        "Ed25519",
        "Ed448",
        "RSA-OAEP",
        "A128GCM",
        "dir",
        "ML-DSA-44",
        "HS1",
    ] {
        let header = tokens::header(alg, ED25519_A.kid);
        let token = tokens::forge(&header, &claims, |input| ED25519_A.sign("EdDSA", input));
        assert_eq!(
            verifier.verdict(&token),
            Err(Reason::AlgorithmNotAllowed),
            "{alg}"
        );
    }
}

/// Every form in which a public key gets about.
fn public_forms(key: &TestKey) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = vec![Vec::new(), b"\n".to_vec(), key.kid.as_bytes().to_vec()];
    let mut pem = |pem: String| {
        forms.push(pem.replace('\n', "\r\n").into_bytes());
        forms.push(pem.trim_end().as_bytes().to_vec());
        // Its base64 alone, on one line.
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        forms.push(lines.collect::<String>().into_bytes());
        forms.push(pem.into_bytes());
    };
    let jwk = key.jwk();
    let mut der = Vec::new();
    match &key.secret {
        Secret::Rsa(secret) => {
            let public = secret.to_public_key();
            pem(public.to_public_key_pem(LineEnding::LF).unwrap());
            pem(public.to_pkcs1_pem(LineEnding::LF).unwrap());
            der.push(public.to_public_key_der().unwrap().into_vec());
            der.push(public.to_pkcs1_der().unwrap().into_vec());
        }
        Secret::P256(secret) => {
            let public = secret.verifying_key();
            pem(public.to_public_key_pem(LineEnding::LF).unwrap());
            der.push(public.to_public_key_der().unwrap().into_vec());
            der.push(public.to_sec1_point(false).as_bytes().to_vec());
            der.push(public.to_sec1_point(true).as_bytes().to_vec());
        }
        Secret::Ed25519(secret) => {
            let public = secret.verifying_key();
            pem(public.to_public_key_pem(LineEnding::LF).unwrap());
            der.push(public.to_public_key_der().unwrap().into_vec());
            der.push(public.as_bytes().to_vec());
        }
        Secret::P384(_) | Secret::P521(_) | Secret::Hmac(_) => panic!("not among those tried"),
    }
    forms.extend(der);
    for name in ["n", "e", "x", "y"] {
        if let Some(text) = jwk[name].as_str() {
            forms.push(text.as_bytes().to_vec());
            use base64::Engine as _;
            forms.push(
                base64::engine::general_purpose::URL_SAFE_NO_PAD
                    .decode(text)
                    .unwrap(),
            );
        }
    }
    forms.push(jwk.to_string().into_bytes());
    forms.push(serde_json::to_string_pretty(&jwk).unwrap().into_bytes());
    forms.push(json!({"keys": [jwk]}).to_string().into_bytes());
    forms
}

#[test]
fn a_public_key_is_no_secret_of_an_hmac() {
    let claims = tokens::claims(ISSUER);
    let mut tried = 0;
    for key in [&*RSA_A, &P256_A, &ED25519_A] {
        let verifier = Verifier::with_keys(&[key.jwk()]);
        for secret in public_forms(key) {
            for alg in [
                "HS256", "HS384", "HS512", "hs256", "RS256", "ES256", "EdDSA",
            ] {
                let header = tokens::header(alg, key.kid);
                let token = tokens::forge(&header, &claims, |input| hmac(alg, &secret, input));
                let verdict = verifier.verdict(&token);
                if alg.to_uppercase().starts_with('H') {
                    assert_eq!(verdict, Err(Reason::AlgorithmNotAllowed));
                } else {
                    assert_eq!(verdict, Err(Reason::InvalidSignature));
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

/// The same where a secret was configured and HMACs are allowed for it (RFC 8725, 2.1).
#[test]
fn a_public_key_is_no_secret_where_hmacs_are_allowed() {
    let claims = tokens::claims(ISSUER);
    for key in [&*RSA_A, &P256_A, &ED25519_A] {
        let public = || VerificationKey::from_jwk(&key.jwk()).unwrap();
        let verifiers = [
            Verifier::with_keys(&[key.jwk()]).allowing_hmacs(),
            Verifier::with_configured_keys(vec![public(), secret(Some(HMAC_A.kid))]),
            Verifier::with_configured_keys(vec![public(), secret(Some(key.kid))]),
            Verifier::with_configured_keys(vec![public(), secret(None)]),
        ];
        for text in public_forms(key) {
            for alg in HMACS {
                for header in [
                    tokens::header(alg, key.kid),
                    tokens::header(alg, HMAC_A.kid),
                    json!({"alg": alg}),
                ] {
                    let token = tokens::forge(&header, &claims, |input| hmac(alg, &text, input));
                    for verifier in &verifiers {
                        let verdict = verifier.verdict(&token);
                        let refusals = [Err(Reason::InvalidSignature), Err(Reason::UnknownKey)];
                        assert!(refusals.contains(&verdict), "{header}: {verdict:?}");
                    }
                }
            }
        }
    }
}

fn secret(kid: Option<&str>) -> VerificationKey {
    VerificationKey::from_secret(SHARED_SECRET.to_vec(), kid.map(str::to_owned), None).unwrap()
}

#[test]
fn a_secret_verifies_its_hmacs_and_no_signature() {
    let claims = tokens::claims(ISSUER);
    let verifier = Verifier::with_key(&HMAC_A);
    for alg in HMACS {
        assert_eq!(verifier.verdict(&tokens::mint(&HMAC_A, alg)), Ok(()));
        let header = tokens::header(alg, HMAC_A.kid);
        for other in [&SHARED_SECRET[1..], b"", HMAC_A.kid.as_bytes()] {
            let token = tokens::forge(&header, &claims, |input| hmac(alg, other, input));
            let verdict = verifier.verdict(&token);
            assert_eq!(verdict, Err(Reason::InvalidSignature), "{alg}");
        }
        for hash in HMACS.into_iter().filter(|hash| *hash != alg) {
            let token = tokens::forge(&header, &claims, |input| HMAC_A.sign(hash, input));
            let verdict = verifier.verdict(&token);
            assert_eq!(verdict, Err(Reason::InvalidSignature), "{hash} as {alg}");
        }
    }
    for (alg, key) in signers() {
        for (named, signed_by, signer) in [
            (alg, alg, key),
            (alg, "HS256", &HMAC_A),
            (alg, "HS512", &HMAC_A),
            ("HS256", alg, key),
        ] {
            let header = tokens::header(named, HMAC_A.kid);
            let token = tokens::forge(&header, &claims, |input| signer.sign(signed_by, input));
            let verdict = verifier.verdict(&token);
            assert_eq!(
                verdict,
                Err(Reason::InvalidSignature),
                "{signed_by} as {named}"
            );
        }
    }
}

/// A key set cannot bring a shared secret in either.
#[test]
fn a_symmetric_key_in_the_key_set_is_left_out() {
    for alg in HMACS {
        let oct = HMAC_A.jwk_for(alg);
        assert!(VerificationKey::from_jwk(&oct).is_err());
        let token = tokens::mint(&HMAC_A, alg);
        let verifier = Verifier::with_keys(&[oct, RSA_A.jwk()]);
        assert_eq!(verifier.verdict(&token), Err(Reason::AlgorithmNotAllowed));
        let verdict = verifier.allowing_hmacs().verdict(&token);
        assert_eq!(verdict, Err(Reason::UnknownKey));
    }
}

#[test]
fn a_key_verifies_nothing_of_another_kind() {
    let claims = tokens::claims(ISSUER);
    for (signed_by, key) in signers() {
        let verifier = Verifier::with_keys(&[key.jwk()]);
        for (named, _) in signers() {
            let header = tokens::header(named, key.kid);
            let token = tokens::forge(&header, &claims, |input| key.sign(signed_by, input));
            assert_eq!(
                verifier.admits(&token),
                named == signed_by,
                "{signed_by} as {named}"
            );
            // Nor without a name.
            let token = tokens::forge(&json!({"alg": named}), &claims, |input| {
                key.sign(signed_by, input)
            });
            assert_eq!(
                verifier.admits(&token),
                named == signed_by,
                "{signed_by} as {named}"
            );
        }
    }
}

#[test]
fn a_key_marked_for_one_padding_does_not_verify_the_other() {
    for (marked, alg, expected) in [
        ("RS256", "RS256", Ok(())),
        // The digest is part of what is signed: one key for all of RS* is Keycloak's and Kong's way.
        ("RS256", "RS384", Ok(())),
        ("RS256", "RS512", Ok(())),
        ("RS512", "RS256", Ok(())),
        ("RS256", "PS256", Err(Reason::InvalidSignature)),
        ("RS256", "PS512", Err(Reason::InvalidSignature)),
        ("PS256", "RS256", Err(Reason::InvalidSignature)),
        ("PS256", "PS256", Ok(())),
        ("PS512", "PS256", Ok(())),
    ] {
        let verifier = Verifier::with_keys(&[RSA_A.jwk_for(marked)]);
        assert_eq!(
            verifier.verdict(&tokens::mint(&RSA_A, alg)),
            expected,
            "{marked} {alg}"
        );
    }
}

#[test]
fn an_algorithm_that_is_not_allowed_is_refused_though_the_signature_is_good() {
    for (allowed, _) in signers() {
        let configuration = json!({
            "allowed_iss": [ISSUER], "allowed_aud": [AUDIENCE], "allowed_alg": [allowed],
        });
        let keys = [&*RSA_A, &P256_A, &P384_A, &P521_A, &ED25519_A].map(TestKey::jwk);
        let verifier = Verifier::of(&configuration, &keys);
        for (alg, key) in signers() {
            let expected = if alg == allowed {
                Ok(())
            } else {
                Err(Reason::AlgorithmNotAllowed)
            };
            assert_eq!(
                verifier.verdict(&tokens::mint(key, alg)),
                expected,
                "{alg} for {allowed}"
            );
        }
    }
}

#[test]
fn an_encryption_key_verifies_nothing() {
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RSA-OAEP")),
    ] {
        let verifier = Verifier::with_keys(&[with(RSA_A.jwk(), name, value), RSA_B.jwk()]);
        let verdict = verifier.verdict(&tokens::mint(&RSA_A, "RS256"));
        assert_eq!(verdict, Err(Reason::UnknownKey), "{name}");
    }
}

/// CVE-2022-21449 and its like: r and s at the ends of their range.
#[test]
fn psychic_signatures_are_refused() {
    let order = |hex: &str| {
        (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect::<Vec<_>>()
    };
    let orders = [
        (
            "ES256",
            &*P256_A,
            order("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        ),
        (
            "ES384",
            &P384_A,
            order(
                "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
            ),
        ),
        (
            "ES512",
            &P521_A,
            order(
                "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
            ),
        ),
    ];
    for (alg, key, order) in orders {
        let verifier = Verifier::with_keys(&[key.jwk()]);
        let header = tokens::header(alg, key.kid);
        let length = order.len();
        let mut one = vec![0; length];
        one[length - 1] = 1;
        let numbers = [vec![0; length], one, order, vec![0xff; length]];
        for r in &numbers {
            for s in &numbers {
                let signature = [r.as_slice(), s].concat();
                let token = tokens::forge(&header, &tokens::claims(ISSUER), |_| signature);
                assert_eq!(
                    verifier.verdict(&token),
                    Err(Reason::InvalidSignature),
                    "{alg}"
                );
            }
        }
    }
    for signature in [
        vec![0; 64],
        vec![0xff; 64],
        [[1].as_slice(), &[0; 63]].concat(),
    ] {
        let verifier = Verifier::with_keys(&[ED25519_A.jwk()]);
        let header = tokens::header("EdDSA", ED25519_A.kid);
        let token = tokens::forge(&header, &tokens::claims(ISSUER), |_| signature);
        assert_eq!(verifier.verdict(&token), Err(Reason::InvalidSignature));
    }
    for alg in ["RS256", "PS256"] {
        let verifier = Verifier::with_keys(&[RSA_A.jwk()]);
        let mut one = vec![0; 256];
        one[255] = 1;
        for signature in [vec![0; 256], one, vec![0xff; 256], Vec::new(), vec![0]] {
            let header = tokens::header(alg, RSA_A.kid);
            let token = tokens::forge(&header, &tokens::claims(ISSUER), |_| signature);
            assert_eq!(verifier.verdict(&token), Err(Reason::InvalidSignature));
        }
    }
}

#[test]
fn a_der_signature_is_not_joses() {
    use p256::ecdsa::signature::Signer as _;
    let Secret::P256(secret) = &P256_A.secret else {
        panic!("not P-256")
    };
    let verifier = Verifier::with_keys(&[P256_A.jwk()]);
    let header = tokens::header("ES256", P256_A.kid);
    let claims = tokens::claims(ISSUER);
    let token = tokens::forge(&header, &claims, |input| {
        let signature: p256::ecdsa::Signature = secret.sign(input);
        signature.to_der().as_bytes().to_vec()
    });
    assert_eq!(verifier.verdict(&token), Err(Reason::InvalidSignature));
    // s before r.
    let token = tokens::forge(&header, &claims, |input| {
        let mut signature = P256_A.sign("ES256", input);
        signature.rotate_left(32);
        signature
    });
    assert_eq!(verifier.verdict(&token), Err(Reason::InvalidSignature));
}

#[test]
fn critical_extensions_are_refused_under_a_good_signature() {
    let verifier = everybody();
    let claims = tokens::claims(ISSUER);
    let sign = |header: &Value| tokens::forge(header, &claims, |input| P256_A.sign("ES256", input));
    let header = tokens::header("ES256", P256_A.kid);
    assert!(verifier.admits(&sign(&header)));
    for crit in [
        json!(["b64"]),
        json!(["exp"]),
        json!(["x"]),
        json!([]),
        json!(null),
        json!("b64"),
        json!({}),
    ] {
        let header = with(header.clone(), "crit", crit);
        assert_eq!(
            verifier.verdict(&sign(&header)),
            Err(Reason::UnsupportedCriticalHeader)
        );
        let header = with(with(header, "b64", json!(false)), "x", json!(1));
        assert_eq!(
            verifier.verdict(&sign(&header)),
            Err(Reason::UnsupportedCriticalHeader)
        );
    }
    // RFC 7797: `b64` counts only if `crit` names it. The payload is base64url in any case.
    let unencoded = with(header, "b64", json!(false));
    assert!(verifier.admits(&sign(&unencoded)));
    let raw = {
        let header = base64url(unencoded.to_string().as_bytes());
        let payload = claims.to_string().replace('.', "");
        let input = format!("{header}.{payload}");
        format!(
            "{input}.{}",
            base64url(&P256_A.sign("ES256", input.as_bytes()))
        )
    };
    assert!(!verifier.admits(&raw));
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let verifier = everybody();
    let claims = tokens::claims(ISSUER);
    let brought = [
        ("jwk", P256_B.jwk()),
        ("jku", json!("https://evil.example/certs")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
    ];
    for (name, value) in brought {
        for kid in [P256_A.kid, P256_B.kid] {
            let header = with(tokens::header("ES256", kid), name, value.clone());
            let theirs = tokens::forge(&header, &claims, |input| P256_B.sign("ES256", input));
            assert!(!verifier.admits(&theirs), "{name}");
        }
        let header = with(json!({"alg": "ES256"}), name, value.clone());
        let theirs = tokens::forge(&header, &claims, |input| P256_B.sign("ES256", input));
        assert_eq!(
            verifier.verdict(&theirs),
            Err(Reason::InvalidSignature),
            "{name}"
        );
        // A good token may carry them: they are ignored, not obeyed.
        let header = with(tokens::header("ES256", P256_A.kid), name, value);
        let ours = tokens::forge(&header, &claims, |input| P256_A.sign("ES256", input));
        assert!(verifier.admits(&ours), "{name}");
    }
}

#[test]
fn a_kid_is_a_name_and_nothing_else() {
    let verifier = everybody();
    let claims = tokens::claims(ISSUER);
    let sign = |kid: Value| {
        let header = with(json!({"alg": "ES256"}), "kid", kid);
        tokens::forge(&header, &claims, |input| P256_A.sign("ES256", input))
    };
    assert!(verifier.admits(&sign(json!(P256_A.kid))));
    let long = "k".repeat(512);
    for kid in [
        "",
        " ",
        "*",
        "%",
        "/dev/null",
        "../../../../dev/null",
        "keys/p-256-a.pem",
        "p-256-a\0",
        "P-256-A",
        " p-256-a",
        "p-256-a ",
        "p-256-a.pem",
        "' OR '1'='1",
        "x' UNION SELECT 'key",
        "|/bin/true",
        "$(true)",
        "{{7*7}}",
        "https://evil.example/certs",
        "\u{0}",
        "\u{202e}",
        &long,
    ] {
        assert_eq!(
            verifier.verdict(&sign(json!(kid))),
            Err(Reason::UnknownKey),
            "{kid:?}"
        );
    }
    // Of another key of the same issuer.
    assert_eq!(
        verifier.verdict(&sign(json!(RSA_A.kid))),
        Err(Reason::InvalidSignature)
    );
    for kid in [
        json!(0),
        json!(null),
        json!(["p-256-a"]),
        json!({"p-256-a": 1}),
        json!(true),
        json!("k".repeat(513)),
    ] {
        assert_eq!(
            verifier.verdict(&sign(kid.clone())),
            Err(Reason::MalformedToken),
            "{kid}"
        );
    }
}

/// RFC 8725, 3.11 and 3.12: Keycloak signs other things with the same keys.
#[test]
fn other_tokens_of_the_issuer_are_no_access_tokens() {
    let verifier = everybody();
    for typ in [
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "JOSE",
        "JWE",
        "id+jwt",
        "",
    ] {
        let header = with(tokens::header("ES256", P256_A.kid), "typ", json!(typ));
        let token = tokens::forge(&header, &tokens::claims(ISSUER), |input| {
            P256_A.sign("ES256", input)
        });
        assert_eq!(
            verifier.verdict(&token),
            Err(Reason::WrongHeaderType),
            "{typ}"
        );
    }
    for typ in [
        json!("ID"),
        json!("Refresh"),
        json!("Offline"),
        json!("Logout"),
        json!(null),
        json!(["Bearer"]),
    ] {
        let claims = with(tokens::claims(ISSUER), "typ", typ.clone());
        let token = tokens::mint_with(&P256_A, "ES256", &claims);
        assert_eq!(
            verifier.verdict(&token),
            Err(Reason::WrongTokenType),
            "{typ}"
        );
    }
}
