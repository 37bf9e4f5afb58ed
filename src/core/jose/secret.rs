//! Secrets of HMACs (RFC 7518, 3.2). They are configured, never fetched.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::elliptic_curve::zeroize::Zeroizing;
use sha2::{Sha256, Sha384, Sha512};

use super::algorithm::Algorithm;
use super::key::{Material, Unusable, VerificationKey};

/// A secret that signs and verifies. It cannot be printed.
#[derive(Clone)]
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl VerificationKey {
    /// Takes a secret that the issuer signs with. It verifies HS256 and, if it is long enough,
    /// HS384 and HS512; with `alg`, that one only.
    ///
    /// # Errors
    /// [`Unusable`] says why it cannot be one.
    pub fn from_secret(
        secret: Vec<u8>,
        kid: Option<String>,
        alg: Option<Algorithm>,
    ) -> Result<Self, Unusable> {
        let secret = Secret::new(secret, alg.unwrap_or(Algorithm::Hs256))?;
        Self::new(Material::Hmac(secret), kid, alg)
    }
}

impl Secret {
    /// Takes a secret that must do for `alg`.
    pub(super) fn new(bytes: Vec<u8>, alg: Algorithm) -> Result<Self, Unusable> {
        let bytes = Zeroizing::new(bytes);
        let least = least_bytes(alg).ok_or(Unusable::UnsupportedAlgorithm)?;
        if bytes.len() < least {
            return Err(Unusable::ShortSecret { least });
        }
        // RFC 8725, 2.1: a public key as a secret would let everybody sign.
        const PEM: &[u8] = b"-----BEGIN ";
        if bytes.windows(PEM.len()).any(|window| window == PEM) {
            return Err(Unusable::PemAsSecret);
        }
        Ok(Self(bytes))
    }

    pub(super) fn is_long_enough_for(&self, alg: Algorithm) -> bool {
        least_bytes(alg).is_some_and(|least| self.0.len() >= least)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The HMAC of `message` by `alg`; `None` if that is no HMAC.
    pub(super) fn tag(&self, alg: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        macro_rules! tag {
            ($hash:ty) => {{
                let mac = Hmac::<$hash>::new_from_slice(&self.0).ok()?;
                Some(mac.chain_update(message).finalize().into_bytes().to_vec())
            }};
        }
        match alg {
            Algorithm::Hs256 => tag!(Sha256),
            Algorithm::Hs384 => tag!(Sha384),
            Algorithm::Hs512 => tag!(Sha512),
            _ => None,
        }
    }

    /// Whether `tag` is the HMAC of `message` by `alg`, the whole of it; compared in constant time.
    pub(super) fn verifies(&self, alg: Algorithm, message: &[u8], tag: &[u8]) -> bool {
        match alg {
            Algorithm::Hs256 => Hmac::<Sha256>::new_from_slice(&self.0)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok()),
            Algorithm::Hs384 => Hmac::<Sha384>::new_from_slice(&self.0)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok()),
            Algorithm::Hs512 => Hmac::<Sha512>::new_from_slice(&self.0)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok()),
            _ => false,
        }
    }
}

/// RFC 7518, 3.2: a secret is at least as long as the hash.
fn least_bytes(alg: Algorithm) -> Option<usize> {
    match alg {
        Algorithm::Hs256 => Some(32),
        Algorithm::Hs384 => Some(48),
        Algorithm::Hs512 => Some(64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::base64url;
    use crate::jose::signature::verifies;

    /// RFC 7515, A.1: the secret, what is signed, the tag.
    const SECRET: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const INPUT: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const TAG: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn of(length: usize, alg: Option<Algorithm>) -> Result<VerificationKey, Unusable> {
        VerificationKey::from_secret(vec![7; length], None, alg)
    }

    #[test]
    fn verifies_the_example_of_rfc_7515() {
        let secret = base64url::decode(SECRET).unwrap();
        let key = VerificationKey::from_secret(secret, None, None).unwrap();
        let tag = base64url::decode(TAG).unwrap();
        let verifies = |alg, tag: &[u8]| verifies(&key, alg, INPUT.as_bytes(), tag);
        assert!(verifies(Algorithm::Hs256, &tag));
        assert!(!verifies(Algorithm::Hs512, &tag));
        assert!(!verifies(Algorithm::Rs256, &tag));
        // The whole tag, and nothing but the tag (RFC 7518, 3.2).
        for other in [&tag[..31], &tag[..1], &[], &[tag.as_slice(), &[0]].concat()] {
            assert!(!verifies(Algorithm::Hs256, other), "{} bytes", other.len());
        }
    }

    #[test]
    fn a_secret_fits_as_far_as_it_is_long_enough() {
        let fits = |length, alg| {
            let key = of(length, alg).unwrap();
            let fitting = Algorithm::ALL.into_iter().filter(|alg| key.fits(*alg));
            fitting.map(Algorithm::name).collect::<Vec<_>>()
        };
        assert_eq!(fits(32, None), ["HS256"]);
        assert_eq!(fits(47, None), ["HS256"]);
        assert_eq!(fits(48, None), ["HS256", "HS384"]);
        assert_eq!(fits(63, None), ["HS256", "HS384"]);
        assert_eq!(fits(64, None), ["HS256", "HS384", "HS512"]);
        assert_eq!(fits(1000, None), ["HS256", "HS384", "HS512"]);
        // One that is marked is for that algorithm only.
        assert_eq!(fits(64, Some(Algorithm::Hs256)), ["HS256"]);
        assert_eq!(fits(64, Some(Algorithm::Hs384)), ["HS384"]);
        assert_eq!(fits(64, Some(Algorithm::Hs512)), ["HS512"]);
    }

    #[test]
    fn a_short_secret_is_refused() {
        for (alg, least) in [
            (None, 32),
            (Some(Algorithm::Hs256), 32),
            (Some(Algorithm::Hs384), 48),
            (Some(Algorithm::Hs512), 64),
        ] {
            assert!(of(least, alg).is_ok(), "{alg:?}");
            for length in [0, 1, least - 1] {
                let why = of(length, alg).unwrap_err();
                assert_eq!(why, Unusable::ShortSecret { least }, "{alg:?} {length}");
            }
        }
        assert_eq!(
            of(31, None).unwrap_err().to_string(),
            "a secret of fewer than 32 bytes"
        );
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for alg in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let why = of(64, Some(alg)).unwrap_err();
            assert_eq!(why, Unusable::UnsupportedAlgorithm, "{alg}");
        }
        for label in ["PUBLIC KEY", "CERTIFICATE", "PRIVATE KEY"] {
            let pem = format!("\n-----BEGIN {label}-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6F\n");
            let why = VerificationKey::from_secret(pem.into_bytes(), None, None).unwrap_err();
            assert_eq!(why, Unusable::PemAsSecret, "{label}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = b"correct horse battery staple, and more".to_vec();
        let key = VerificationKey::from_secret(secret, Some("k".to_owned()), None).unwrap();
        let printed = format!("{key:?} {key:#?}");
        // Neither as text nor as numbers: `c` is 99.
        for part in ["correct", "horse", "99", "0x63"] {
            assert!(!printed.contains(part), "{printed}");
        }
        assert!(printed.contains("Secret(…)"), "{printed}");
    }
}
