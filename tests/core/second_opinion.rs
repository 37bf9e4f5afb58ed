//! A second implementation, jwt-compact, mints and verifies the same tokens: both must agree on
//! every signature.
//!
//! Where the two differ by design, and why it is left out of the comparison:
//! - jwt-compact reads claims into the caller's type before it checks the signature, and a missing
//!   `exp` or `nbf` is an error of its validators; claims are ours to judge, so only signatures
//!   are compared.
//! - It has no ES384 and no ES512. Wycheproof's vectors and the bit flips cover those.
//! - It takes `crit`, a header type of any kind, members twice, and RSA keys of any size unless
//!   asked not to; we refuse them ([`it_is_more_lenient_and_we_are_not`]).
//! - Its EdDSA is not the strict reading; honest keys and random bits do not show it.

use jwt_compact::alg::{Ed25519, Es256, Rsa};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmExt as _, Claims, Header, UntrustedToken};
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_tests::keys::{ED25519_A, P256_A, RSA_A, Secret, TestKey};
use jwt_keycloak_tests::random::Random;
use jwt_keycloak_tests::tokens::{self, ISSUER};
use jwt_keycloak_tests::verifier::Verifier;
use serde_json::{Map, Value, json};

/// jwt-compact with one key.
struct Other<A: Algorithm> {
    algorithm: A,
    signing: A::SigningKey,
    verifying: A::VerifyingKey,
}

impl<A: Algorithm> Other<A> {
    fn mint(&self, kid: &str, claims: &Value) -> String {
        let header = Header::empty().with_key_id(kid).with_token_type("JWT");
        let claims = Claims::new(claims.clone());
        self.algorithm
            .token(&header, &claims, &self.signing)
            .unwrap()
    }

    fn admits(&self, token: &str) -> bool {
        let Ok(token) = UntrustedToken::<Map<String, Value>>::try_from(token) else {
            return false;
        };
        self.algorithm
            .validator::<Map<String, Value>>(&self.verifying)
            .validate(&token)
            .is_ok()
    }
}

/// Reads the public key as a client of the key set would: from the JWK.
fn public<'a, K: TryFrom<&'a JsonWebKey<'a>>>(jwk: &'a JsonWebKey<'a>) -> K {
    K::try_from(jwk).ok().expect("a key that jwt-compact reads")
}

fn jwk_of(key: &TestKey) -> JsonWebKey<'static> {
    serde_json::from_value(key.jwk()).unwrap()
}

fn rsa(algorithm: Rsa) -> Other<Rsa> {
    let jwk = jwk_of(&RSA_A);
    Other {
        algorithm,
        signing: RSA_A.rsa().clone(),
        verifying: public(&jwk),
    }
}

fn es256() -> Other<Es256> {
    let Secret::P256(secret) = &P256_A.secret else {
        panic!("not P-256")
    };
    let jwk = jwk_of(&P256_A);
    Other {
        algorithm: Es256,
        signing: jwt_compact::alg::SigningKey::<Es256>::from_slice(&secret.to_bytes()).unwrap(),
        verifying: public(&jwk),
    }
}

fn eddsa() -> Other<Ed25519> {
    let Secret::Ed25519(secret) = &ED25519_A.secret else {
        panic!("not Ed25519")
    };
    let jwk = jwk_of(&ED25519_A);
    Other {
        algorithm: Ed25519,
        signing: jwt_compact::alg::SigningKey::<Ed25519>::from_slice(&secret.to_bytes()).unwrap(),
        verifying: public(&jwk),
    }
}

/// Claims of a random size and content, in force and for us.
fn random_claims(random: &mut Random) -> Value {
    let mut claims = tokens::claims(ISSUER);
    for index in 0..random.below(8) {
        let text: String = (0..random.below(40))
            .map(|_| char::from_u32(random.below(0x2fff) as u32).unwrap_or('\u{fffd}'))
            .collect();
        let name = format!("claim {index} {text}");
        claims[name] = match random.below(4) {
            0 => json!(text),
            1 => json!(random.below(1 << 40)),
            2 => json!([text, null, true]),
            _ => json!({ "inner": { text: -1.5 } }),
        };
    }
    claims
}

/// Changes a token somewhere, or not.
fn perhaps_spoilt(token: &str, random: &mut Random) -> String {
    let mut bytes = token.as_bytes().to_vec();
    match random.below(5) {
        0 => {}
        1 => {
            let at = random.below(bytes.len());
            bytes[at] = *random.pick(b"ABCabc019-_.=+/ ");
        }
        2 => bytes.truncate(random.below(bytes.len())),
        3 => {
            // In the signature, where a change stays readable.
            let start = token.rfind('.').unwrap() + 1;
            let at = start + random.below(bytes.len() - start);
            bytes[at] =
                *random.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
        }
        _ => {
            let at = random.below(bytes.len());
            let more = *random.pick(b"Aa0-_.");
            bytes.insert(at, more);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Has both mint and verify `times` tokens and variants of them.
fn compare<A: Algorithm>(alg: &str, key: &TestKey, other: &Other<A>, times: usize) {
    let verifier = Verifier::with_keys(&[key.jwk()]);
    let mut random = Random::seeded(times as u64);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..times {
        let claims = random_claims(&mut random);
        let theirs = other.mint(key.kid, &claims);
        let ours = tokens::mint_with(key, alg, &claims);
        assert_eq!(verifier.verdict(&theirs), Ok(()), "{alg} {theirs}");
        assert!(other.admits(&ours), "{alg} {ours}");
        for token in [theirs, ours] {
            let token = perhaps_spoilt(&token, &mut random);
            let (we, they) = (verifier.admits(&token), other.admits(&token));
            assert_eq!(we, they, "{alg} {token}");
            *(if we { &mut good } else { &mut bad }) += 1;
        }
    }
    assert!(
        good > times / 10 && bad > times,
        "{alg}: {good} good, {bad} bad"
    );
}

#[test]
fn both_agree_on_rs256() {
    compare("RS256", &RSA_A, &rsa(Rsa::rs256()), 150);
}

#[test]
fn both_agree_on_rs384() {
    compare("RS384", &RSA_A, &rsa(Rsa::rs384()), 100);
}

#[test]
fn both_agree_on_rs512() {
    compare("RS512", &RSA_A, &rsa(Rsa::rs512()), 100);
}

#[test]
fn both_agree_on_ps256() {
    compare("PS256", &RSA_A, &rsa(Rsa::ps256()), 150);
}

#[test]
fn both_agree_on_ps384() {
    compare("PS384", &RSA_A, &rsa(Rsa::ps384()), 100);
}

#[test]
fn both_agree_on_ps512() {
    compare("PS512", &RSA_A, &rsa(Rsa::ps512()), 100);
}

#[test]
fn both_agree_on_es256() {
    compare("ES256", &P256_A, &es256(), 300);
}

#[test]
fn both_agree_on_eddsa() {
    compare("EdDSA", &ED25519_A, &eddsa(), 1000);
}

/// Both refuse a token of one algorithm where they expect another.
#[test]
fn both_refuse_another_algorithm() {
    let others = [rsa(Rsa::rs256()), rsa(Rsa::ps256())];
    let names = ["RS256", "PS256"];
    for (index, other) in others.iter().enumerate() {
        let verifier = Verifier::with_keys(&[RSA_A.jwk_for(names[index])]);
        let foreign = tokens::mint(&RSA_A, names[1 - index]);
        assert!(!other.admits(&foreign));
        assert!(!verifier.admits(&foreign));
    }
}

#[test]
fn it_is_more_lenient_and_we_are_not() {
    let other = eddsa();
    let verifier = Verifier::with_keys(&[ED25519_A.jwk()]);
    let claims = tokens::claims(ISSUER);
    for (name, value, reason) in [
        ("crit", json!(["x"]), Reason::UnsupportedCriticalHeader),
        ("typ", json!("logout+jwt"), Reason::WrongHeaderType),
    ] {
        let mut header = tokens::header("EdDSA", ED25519_A.kid);
        header[name] = value;
        let token = tokens::forge(&header, &claims, |input| ED25519_A.sign("EdDSA", input));
        assert!(other.admits(&token), "{name}");
        assert_eq!(verifier.verdict(&token), Err(reason));
    }
}
