//! Fixed signing keys. They are as public as this repository and protect nothing.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::DecodePrivateKey as _;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, Pss, RsaPrivateKey};
use serde_json::{Value, json};

use crate::random::Random;

/// A private key with the name that its public half has in a key set.
pub struct TestKey {
    pub kid: &'static str,
    /// PKCS #8, for a second implementation; empty for a secret.
    pub pem: &'static str,
    pub secret: Secret,
}

pub enum Secret {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Hmac(&'static [u8]),
}

macro_rules! test_keys {
    ($($name:ident = $kind:ident, $kid:literal;)*) => {
        $(pub static $name: LazyLock<TestKey> = LazyLock::new(|| {
            let pem = include_str!(concat!("keys/", $kid, ".pem"));
            TestKey { kid: $kid, pem, secret: $kind(pem) }
        });)*
    };
}

test_keys! {
    RSA_A = rsa, "rsa-a";
    RSA_B = rsa, "rsa-b";
    P256_A = p256, "p-256-a";
    P256_B = p256, "p-256-b";
    P384_A = p384, "p-384-a";
    P384_B = p384, "p-384-b";
    P521_A = p521, "p-521-a";
    P521_B = p521, "p-521-b";
    ED25519_A = ed25519, "ed25519-a";
    ED25519_B = ed25519, "ed25519-b";
}

/// As long as HS512 asks for (RFC 7518, 3.2).
pub const SHARED_SECRET: &[u8; 64] =
    b"a secret of sixty-four bytes: as many as HS512 asks for, no more";

pub static HMAC_A: TestKey = TestKey {
    kid: "hmac-a",
    pem: "",
    secret: Secret::Hmac(SHARED_SECRET),
};

fn rsa(pem: &str) -> Secret {
    Secret::Rsa(Box::new(RsaPrivateKey::from_pkcs8_pem(pem).unwrap()))
}

fn p256(pem: &str) -> Secret {
    Secret::P256(p256::ecdsa::SigningKey::from_pkcs8_pem(pem).unwrap())
}

fn p384(pem: &str) -> Secret {
    Secret::P384(p384::ecdsa::SigningKey::from_pkcs8_pem(pem).unwrap())
}

fn p521(pem: &str) -> Secret {
    Secret::P521(p521::ecdsa::SigningKey::from_pkcs8_pem(pem).unwrap())
}

fn ed25519(pem: &str) -> Secret {
    use ed25519_dalek::pkcs8::DecodePrivateKey as _;
    Secret::Ed25519(ed25519_dalek::SigningKey::from_pkcs8_pem(pem).unwrap())
}

/// One key an algorithm, all algorithms that have public keys.
#[must_use]
pub fn signers() -> [(&'static str, &'static TestKey); 10] {
    [
        ("RS256", &RSA_A),
        ("RS384", &RSA_A),
        ("RS512", &RSA_A),
        ("PS256", &RSA_A),
        ("PS384", &RSA_A),
        ("PS512", &RSA_A),
        ("ES256", &P256_A),
        ("ES384", &P384_A),
        ("ES512", &P521_A),
        ("EdDSA", &ED25519_A),
    ]
}

impl TestKey {
    /// Signs as JOSE does; only RSA keys and secrets have a choice of `alg`. The same message gives the same
    /// signature, PSS's salt included.
    #[must_use]
    pub fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(key) => sign_rsa(key, alg, message),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(key) => {
                use ed25519_dalek::Signer as _;
                key.sign(message).to_bytes().to_vec()
            }
            Secret::Hmac(secret) => hmac(alg, secret, message),
        }
    }

    /// The public half as Keycloak publishes it, but for `alg`; or a secret, as nobody should.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.secret {
            Secret::Rsa(key) => json!({
                "kty": "RSA",
                "n": base64url(&key.n().to_bytes_be()),
                "e": base64url(&key.e().to_bytes_be()),
            }),
            Secret::P256(key) => ec("P-256", key.verifying_key().to_sec1_point(false).as_bytes()),
            Secret::P384(key) => ec("P-384", key.verifying_key().to_sec1_point(false).as_bytes()),
            Secret::P521(key) => ec("P-521", key.verifying_key().to_sec1_point(false).as_bytes()),
            Secret::Ed25519(key) => json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": base64url(key.verifying_key().as_bytes()),
            }),
            Secret::Hmac(secret) => json!({"kty": "oct", "k": base64url(secret)}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public half, marked for one algorithm.
    #[must_use]
    pub fn jwk_for(&self, alg: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["alg"] = json!(alg);
        jwk
    }

    #[must_use]
    pub fn rsa(&self) -> &RsaPrivateKey {
        match &self.secret {
            Secret::Rsa(key) => key,
            _ => panic!("{} is no RSA key", self.kid),
        }
    }
}

fn sign_rsa(key: &RsaPrivateKey, alg: &str, message: &[u8]) -> Vec<u8> {
    let digest = match &alg[2..] {
        "256" => Sha256::digest(message).to_vec(),
        "384" => Sha384::digest(message).to_vec(),
        _ => Sha512::digest(message).to_vec(),
    };
    let seed = digest
        .iter()
        .fold(0, |seed: u64, byte| seed.rotate_left(7) ^ u64::from(*byte));
    let mut salt = Random::seeded(seed);
    match alg {
        "RS256" => key.sign(Pkcs1v15Sign::new::<Sha256>(), &digest),
        "RS384" => key.sign(Pkcs1v15Sign::new::<Sha384>(), &digest),
        "RS512" => key.sign(Pkcs1v15Sign::new::<Sha512>(), &digest),
        "PS256" => key.sign_with_rng(&mut salt, Pss::new::<Sha256>(), &digest),
        "PS384" => key.sign_with_rng(&mut salt, Pss::new::<Sha384>(), &digest),
        "PS512" => key.sign_with_rng(&mut salt, Pss::new::<Sha512>(), &digest),
        _ => panic!("{alg} is not RSA's"),
    }
    .unwrap()
}

/// HS256 and the like, by the number in `alg`.
#[must_use]
pub fn hmac(alg: &str, secret: &[u8], message: &[u8]) -> Vec<u8> {
    macro_rules! sign {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(secret).unwrap();
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match &alg[alg.len() - 3..] {
        "384" => sign!(sha2::Sha384),
        "512" => sign!(sha2::Sha512),
        _ => sign!(sha2::Sha256),
    }
}

fn ec(crv: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    json!({"kty": "EC", "crv": crv, "x": base64url(x), "y": base64url(y)})
}

#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
