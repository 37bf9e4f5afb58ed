//! Signatures on a host that checks some of them itself.

use std::cell::RefCell;
use std::rc::Rc;

use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::key::VerificationKey;
use jwt_keycloak_core::jose::signature::{HostVerifier, verifies, verifies_with};
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_tests::keys::{RSA_A, RSA_B, base64url, signers};
use jwt_keycloak_tests::tokens;
use jwt_keycloak_tests::verifier::Verifier;
use rsa::RsaPublicKey;
use rsa::pkcs8::DecodePublicKey as _;
use serde_json::json;

/// One that always answers this, and remembers what it was asked.
#[derive(Debug, Default)]
struct Answering {
    answer: Option<bool>,
    asked: RefCell<Vec<Question>>,
}

#[derive(Debug)]
struct Question {
    hash: &'static str,
    public_key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Answering {
    fn new(answer: Option<bool>) -> Self {
        let asked = RefCell::default();
        Self { answer, asked }
    }

    fn was_asked(&self) -> bool {
        !self.asked.borrow().is_empty()
    }
}

impl HostVerifier for Answering {
    fn verifies(
        &self,
        hash: &'static str,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        self.asked.borrow_mut().push(Question {
            hash,
            public_key: public_key.to_vec(),
            message: message.to_vec(),
            signature: signature.to_vec(),
        });
        self.answer
    }
}

#[test]
fn it_is_asked_about_pkcs1_only_and_told_all() {
    for (alg, key) in signers() {
        let host = Answering::default();
        let public = VerificationKey::from_jwk(&key.jwk());
        let Ok(public) = public else {
            continue; // a secret
        };
        let signature = key.sign(alg, b"message");
        let named = Algorithm::by_name(alg).unwrap();
        // Twice: the key's form for hosts is made once.
        for _ in 0..2 {
            let said = verifies_with(Some(&host), &public, named, b"message", &signature);
            assert!(said, "{alg}");
        }
        let hash = match alg {
            "RS256" => "sha256",
            "RS384" => "sha384",
            "RS512" => "sha512",
            _ => {
                assert!(!host.was_asked(), "{alg}");
                continue;
            }
        };
        let asked = host.asked.borrow();
        assert_eq!(asked.len(), 2);
        for question in asked.iter() {
            assert_eq!(question.hash, hash);
            assert_eq!(question.message, b"message");
            assert_eq!(question.signature, signature);
            let told = RsaPublicKey::from_public_key_der(&question.public_key).unwrap();
            assert_eq!(told, key.rsa().to_public_key());
        }
    }
}

#[test]
fn its_word_counts_and_its_silence_does_not() {
    let key = VerificationKey::from_jwk(&RSA_A.jwk()).unwrap();
    for (alg, name) in [
        (Algorithm::Rs256, "RS256"),
        (Algorithm::Rs384, "RS384"),
        (Algorithm::Rs512, "RS512"),
    ] {
        let good = RSA_A.sign(name, b"message");
        let bad = RSA_B.sign(name, b"message");
        for (signature, is_good) in [(&good, true), (&bad, false)] {
            assert_eq!(verifies(&key, alg, b"message", signature), is_good);
            for answer in [None, Some(false), Some(true)] {
                let host = Answering::new(answer);
                let said = verifies_with(Some(&host), &key, alg, b"message", signature);
                assert_eq!(said, answer.unwrap_or(is_good), "{name} {answer:?}");
                assert!(host.was_asked());
            }
            let said = verifies_with(None, &key, alg, b"message", signature);
            assert_eq!(said, is_good);
        }
    }
}

#[test]
fn it_is_not_asked_about_what_is_no_signature_anyway() {
    let believed = || Answering::new(Some(true));
    let refused = |key: &VerificationKey, alg, signature: &[u8]| {
        let host = believed();
        assert!(!verifies_with(Some(&host), key, alg, b"message", signature));
        assert!(!host.was_asked());
    };
    let key = VerificationKey::from_jwk(&RSA_A.jwk()).unwrap();
    let signature = RSA_A.sign("RS256", b"message");
    for length in [0, 1, 255, 257, 512] {
        refused(&key, Algorithm::Rs256, &vec![1; length]);
    }
    refused(&key, Algorithm::Rs256, &signature[1..]);
    refused(&key, Algorithm::Rs256, &[&[0], &*signature].concat());
    // Nor where the key is not for it (RFC 8725, 3.1).
    let pss = VerificationKey::from_jwk(&RSA_A.jwk_for("PS256")).unwrap();
    refused(&pss, Algorithm::Rs256, &signature);
    for (alg, other) in signers() {
        if let Ok(key) = VerificationKey::from_jwk(&other.jwk())
            && !alg.starts_with("RS")
            && !alg.starts_with("PS")
        {
            refused(&key, Algorithm::Rs256, &signature);
        }
    }
}

#[test]
fn it_is_not_asked_about_keys_that_it_may_not_take() {
    let mut jwk = RSA_A.jwk();
    // 2^32 + 1: more than 32 bits.
    jwk["e"] = json!(base64url(&[1, 0, 0, 0, 1]));
    let key = VerificationKey::from_jwk(&jwk).unwrap();
    let host = Answering::new(Some(true));
    let said = verifies_with(Some(&host), &key, Algorithm::Rs256, b"message", &[1; 256]);
    assert!(!said && !host.was_asked());
    jwk["e"] = json!(base64url(&[0xff, 0xff, 0xff, 0xff]));
    let key = VerificationKey::from_jwk(&jwk).unwrap();
    let said = verifies_with(Some(&host), &key, Algorithm::Rs256, b"message", &[1; 256]);
    assert!(said && host.was_asked());
}

#[test]
fn a_judge_asks_it() {
    let good = tokens::mint(&RSA_A, "RS256");
    let (input, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{input}.{}", base64url(&[1; 256]));
    for (answer, expected) in [
        (None, [true, false]),
        (Some(false), [false; 2]),
        (Some(true), [true; 2]),
    ] {
        let host = Rc::new(Answering::new(answer));
        let verifier = Verifier::with_keys(&[RSA_A.jwk()]).on_host(host.clone());
        for (token, admitted) in [&good, &forged].into_iter().zip(expected) {
            let expected = if admitted {
                Ok(())
            } else {
                Err(Reason::InvalidSignature)
            };
            assert_eq!(verifier.verdict(token), expected, "{answer:?}");
        }
        let asked = host.asked.borrow();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].message, input.as_bytes());
        // Whatever it says, a signature does not make a token good that is bad in other ways.
        let none = format!(
            "{}.{}",
            base64url(b"{\"alg\":\"none\"}"),
            &input[input.find('.').unwrap() + 1..]
        );
        assert!(!verifier.admits(&format!("{none}.{}", base64url(&[1; 256]))));
    }
}
