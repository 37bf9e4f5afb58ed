//! Makes JWS signatures (RFC 7518, 3.2 to 3.5; RFC 8037, 3.1): by the host where it signs, else by
//! the RustCrypto and dalek crates.
//!
//! **RUSTSEC-2023-0071.** What the `rsa` crate does with a private key takes longer for some
//! messages than for others, and there is no release in which it does not. Done about it:
//! - Every RSA signature, PSS's too, is blinded: the private operation is not on the padded
//!   message m, which the caller chooses in part, but on m·rᵉ with a random r, and the result is
//!   divided by r. So its time does not follow from m.
//! - The crate verifies each signature before it gives it out: a miscalculation with p or q, which
//!   would tell both, is an error instead.
//! - Nothing is decrypted: with decryption the advisory's attack, Marvin, asks its questions.
//!
//! Not done: the exponentiation itself, choosing r and dividing by it are still of variable time
//! and memory access. Who measures on the same machine, or very often, may learn something of the
//! key. So a host that signs RS* itself goes first; and ES* and EdDSA, whose crates are written
//! for constant time, are the better choice where nobody asks for RSA.
//!
//! ECDSA is deterministic (RFC 6979), as is Ed25519: no seed can spoil their signatures.

use std::fmt;

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, Pss, RsaPrivateKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::algorithm::Algorithm;
use super::base64url;
use super::hmac_sha256::hmac_sha256;
use super::private_key::PrivateKey;
use super::seeded_rng::SeededRng;
use super::signing_key::SigningKey;

/// A host that signs, by RSASSA-PKCS1-v1_5 or ECDSA (DER).
pub trait HostSigner {
    /// Signs `message`, or does not. `hash` is `sha256`, `sha384` or `sha512`; `private_key` is
    /// PKCS #8, DER.
    fn sign(&self, hash: &'static str, private_key: &[u8], message: &[u8]) -> Option<Vec<u8>>;
}

/// A host that does not sign.
#[derive(Clone, Copy, Debug)]
pub struct NoHostSigner;

impl HostSigner for NoHostSigner {
    fn sign(&self, _: &'static str, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// There is no signature; why is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SigningFailed;

impl fmt::Display for SigningFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("signing failed")
    }
}

impl SigningKey {
    /// A JWS in its compact form (RFC 7515, 7.1), of a header that is encoded already.
    ///
    /// # Errors
    /// Those of [`Self::sign`].
    pub fn jws(
        &self,
        header: &str,
        payload: &[u8],
        seed: [u8; 32],
        host: &dyn HostSigner,
    ) -> Result<String, SigningFailed> {
        let mut jws = format!("{header}.{}", base64url::encode(payload));
        let signature = self.sign(jws.as_bytes(), seed, host)?;
        jws.push('.');
        jws.push_str(&base64url::encode(&signature));
        Ok(jws)
    }

    /// Signs as JOSE wants it: ECDSA as r and s, not DER.
    ///
    /// `seed` must be fresh and unpredictable: it blinds RSA, and is PSS's salt. Nothing else
    /// needs it. Where `host` does not sign, or answers with something of the wrong form, the
    /// crates do.
    ///
    /// # Errors
    /// [`SigningFailed`]: an RSA key whose primes are none, or a miscalculation.
    pub fn sign(
        &self,
        message: &[u8],
        seed: [u8; 32],
        host: &dyn HostSigner,
    ) -> Result<Vec<u8>, SigningFailed> {
        match self.signed_by_host(message, host) {
            Some(signature) => Ok(signature),
            None => self.signed_by_crates(message, seed).ok_or(SigningFailed),
        }
    }

    fn signed_by_host(&self, message: &[u8], host: &dyn HostSigner) -> Option<Vec<u8>> {
        let hash = match self.alg() {
            Algorithm::Rs256 | Algorithm::Es256 => "sha256",
            Algorithm::Rs384 | Algorithm::Es384 => "sha384",
            Algorithm::Rs512 | Algorithm::Es512 => "sha512",
            _ => return None,
        };
        let signature = host.sign(hash, self.pkcs8.as_ref()?, message)?;
        match &self.private {
            // RFC 8017, 8.2.1: as long as the modulus.
            PrivateKey::Rsa(key) => (signature.len() == key.size()).then_some(signature),
            // RFC 7518, 3.4: r and s at the curve's full length, one after the other.
            PrivateKey::P256(_) => {
                let signature = p256::ecdsa::Signature::from_der(&signature);
                signature
                    .ok()
                    .map(|signature| signature.to_bytes().to_vec())
            }
            PrivateKey::P384(_) => {
                let signature = p384::ecdsa::Signature::from_der(&signature);
                signature
                    .ok()
                    .map(|signature| signature.to_bytes().to_vec())
            }
            PrivateKey::P521(_) => {
                let signature = p521::ecdsa::Signature::from_der(&signature);
                signature
                    .ok()
                    .map(|signature| signature.to_bytes().to_vec())
            }
            PrivateKey::Ed25519(_) | PrivateKey::Hmac(_) => None,
        }
    }

    fn signed_by_crates(&self, message: &[u8], seed: [u8; 32]) -> Option<Vec<u8>> {
        let digest = match self.alg() {
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => {
                Sha256::digest(message).to_vec()
            }
            Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => {
                Sha384::digest(message).to_vec()
            }
            Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 => {
                Sha512::digest(message).to_vec()
            }
            // They hash for themselves.
            Algorithm::EdDsa | Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Vec::new(),
        };
        match &self.private {
            PrivateKey::Rsa(key) => {
                // The key and the message go in as well: should a host's seed be foreseen, or come
                // twice, the blinding is unknown all the same.
                let parts: [&[u8]; 3] = [b"\0rsa\0", &seed, &digest];
                let mut rng = SeededRng::new(hmac_sha256(&self.private.bytes(), &parts));
                rsa_signature(key, self.alg(), &digest, &mut rng)
            }
            PrivateKey::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            PrivateKey::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&digest).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            PrivateKey::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign_prehash(&digest).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            PrivateKey::Ed25519(key) => Some(key.sign(message).to_bytes().to_vec()),
            PrivateKey::Hmac(secret) => secret.tag(self.alg(), message),
        }
    }
}

/// Always blinded.
fn rsa_signature(
    key: &RsaPrivateKey,
    alg: Algorithm,
    digest: &[u8],
    rng: &mut SeededRng,
) -> Option<Vec<u8>> {
    // The `rsa` crate is of the generation of `sha2` 0.10 and takes the digest's kind from there.
    use rsa::sha2::{Sha256, Sha384, Sha512};
    match alg {
        // With a source of randomness, PKCS #1 v1.5 is blinded.
        Algorithm::Rs256 => key.sign_with_rng(rng, Pkcs1v15Sign::new::<Sha256>(), digest),
        Algorithm::Rs384 => key.sign_with_rng(rng, Pkcs1v15Sign::new::<Sha384>(), digest),
        Algorithm::Rs512 => key.sign_with_rng(rng, Pkcs1v15Sign::new::<Sha512>(), digest),
        // PSS must be asked to. RFC 7518, 3.5: MGF1 with the same hash, a salt of its length.
        Algorithm::Ps256 => key.sign_with_rng(rng, Pss::new_blinded::<Sha256>(), digest),
        Algorithm::Ps384 => key.sign_with_rng(rng, Pss::new_blinded::<Sha384>(), digest),
        Algorithm::Ps512 => key.sign_with_rng(rng, Pss::new_blinded::<Sha512>(), digest),
        _ => return None,
    }
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::base64url;
    use serde_json::{Value, json};

    fn signature(key: &SigningKey, message: &str) -> String {
        let signature = key.sign(message.as_bytes(), [0; 32], &NoHostSigner);
        base64url::encode(&signature.unwrap())
    }

    #[test]
    fn the_example_of_rfc_7515() {
        // RFC 7515, A.1.
        let jwk = json!({"kty": "oct", "k":
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"});
        let key = SigningKey::from_jwk(&jwk, None).unwrap();
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let expected = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(signature(&key, input), expected);
    }

    #[test]
    fn the_example_of_rfc_8037() {
        // RFC 8037, A.1 and A.4.
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        let key = SigningKey::from_jwk(&jwk, None).unwrap();
        let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(signature(&key, input), expected);
    }

    #[test]
    fn the_example_of_rfc_6979() {
        let signature = signature(&p256(), "sample");
        let expected = "79SLKqy2qP0RQN2c1F6B1p0sh3tWqvmRw00OqE6vNxb3yxyULWV8QdQ2x6G24p9l8-kA27mv9AZNxKsvhDrNqA";
        assert_eq!(signature, expected);
    }

    /// RFC 6979, A.2.5.
    fn p256() -> SigningKey {
        let jwk = json!({
            "kty": "EC", "crv": "P-256",
            "d": "ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE",
            "x": "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y",
            "y": "eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk",
        });
        SigningKey::from_jwk(&jwk, None).unwrap()
    }

    /// A host that answers what it is told to, whatever it is asked.
    struct Answering(Vec<u8>);

    impl HostSigner for Answering {
        fn sign(&self, hash: &'static str, private_key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
            assert_eq!((hash, message), ("sha256", b"sample".as_slice()));
            assert!(private_key.len() > 32);
            Some(self.0.clone())
        }
    }

    #[test]
    fn der_of_a_host_becomes_r_and_s() {
        let sign = |der: &[u8]| {
            p256()
                .sign(b"sample", [0; 32], &Answering(der.to_vec()))
                .unwrap()
        };
        let of = |r: &[u8], s: &[u8]| {
            let start = |number: &[u8]| [0_u8].repeat(32 - number.len());
            [&start(r), r, &start(s), s].concat()
        };
        assert_eq!(sign(b"\x30\x06\x02\x01\x05\x02\x01\x07"), of(&[5], &[7]));
        // RFC 5480, 2.2.3; X.690, 8.3: a number with the first bit set has a zero before it.
        assert_eq!(
            sign(b"\x30\x07\x02\x02\0\xff\x02\x01\x07"),
            of(&[255], &[7])
        );
        let by_crates = p256().sign(b"sample", [0; 32], &NoHostSigner).unwrap();
        for nonsense in [
            b"".as_slice(),
            b"nonsense",
            // Something after it; zero; negative; not the shortest form.
            b"\x30\x06\x02\x01\x05\x02\x01\x07\0",
            b"\x30\x06\x02\x01\x00\x02\x01\x07",
            b"\x30\x06\x02\x01\xff\x02\x01\x07",
            b"\x30\x07\x02\x02\0\x05\x02\x01\x07",
            // As JOSE has it.
            &of(&[5], &[7]),
        ] {
            assert_eq!(sign(nonsense), by_crates, "{nonsense:x?}");
        }
    }

    #[test]
    fn a_host_is_not_asked_for_what_no_host_does() {
        struct NotAsked;
        impl HostSigner for NotAsked {
            fn sign(&self, hash: &'static str, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
                panic!("asked for {hash}")
            }
        }
        let jwk: Value = json!({
            "kty": "OKP", "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        for key in [
            SigningKey::from_jwk(&jwk, None).unwrap(),
            SigningKey::from_secret(vec![7; 32], None, None).unwrap(),
        ] {
            assert!(key.sign(b"sample", [0; 32], &NotAsked).is_ok());
        }
    }
}
