//! A private key or a secret, and what is asked of one from wherever it comes: from a JWK or a PEM
//! text (RFC 7518, 3 and 6; RFC 8017, 3.2; RFC 8037, 2).

use p256::elliptic_curve::zeroize::Zeroizing;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};

use super::algorithm::Algorithm;
use super::bad_signing_key::BadSigningKey;
use super::key::{Material, Unusable};
use super::pem;
use super::secret::Secret;

/// What signs. The crates erase it when it is dropped. It has no `Debug`: the RSA key's would
/// print it.
pub(super) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    Hmac(Secret),
}

/// The numbers of an RSA private key (RFC 8017, 3.2; RFC 7518, 6.3.2), big-endian.
pub(super) struct RsaNumbers<'a> {
    pub(super) n: &'a [u8],
    pub(super) e: &'a [u8],
    pub(super) d: &'a [u8],
    pub(super) primes: Option<RsaPrimes<'a>>,
}

/// The two primes, and what can be had from them and d.
pub(super) struct RsaPrimes<'a> {
    pub(super) p: &'a [u8],
    pub(super) q: &'a [u8],
    pub(super) dp: Option<&'a [u8]>,
    pub(super) dq: Option<&'a [u8]>,
    pub(super) qi: Option<&'a [u8]>,
}

/// How far the lengths of p and q may be apart, in bits. FIPS 186-5, A.1.1 wants them equal. With
/// a p much shorter than q, which makes a weak key anyway, one signature could take for ever.
const PRIME_BITS_APART: usize = 8;

impl PrivateKey {
    pub(super) fn rsa(numbers: &RsaNumbers<'_>) -> Result<Self, BadSigningKey> {
        Material::rsa(numbers.n, numbers.e)?;
        let n = BigUint::from_bytes_be(numbers.n);
        let e = BigUint::from_bytes_be(numbers.e);
        let d = BigUint::from_bytes_be(numbers.d);
        // RFC 8017, 3.2: positive and less than n. The library would subtract from zero.
        if d.bits() == 0 || d >= n {
            return Err(BadSigningKey::InconsistentRsa);
        }
        let primes = match &numbers.primes {
            None if e.bits() <= 16 => return Err(BadSigningKey::PrimesMissing),
            None => Vec::new(),
            Some(RsaPrimes { p, q, .. }) => {
                vec![BigUint::from_bytes_be(p), BigUint::from_bytes_be(q)]
            }
        };
        // Checks that n = p·q, and d·e ≡ 1 (mod p - 1 and mod q - 1).
        let key = RsaPrivateKey::from_components(n, e, d, primes);
        let key = key.map_err(|_| BadSigningKey::InconsistentRsa)?;
        let [p, q] = key.primes() else {
            return Err(BadSigningKey::MultiPrimeRsa);
        };
        if p.bits().abs_diff(q.bits()) > PRIME_BITS_APART {
            return Err(BadSigningKey::UnbalancedPrimes);
        }
        // Of p = q there is no qi, and the library would do without.
        let (Some(dp), Some(dq), Some(qi)) = (key.dp(), key.dq(), key.crt_coefficient()) else {
            return Err(BadSigningKey::InconsistentRsa);
        };
        if let Some(stated) = &numbers.primes {
            let differs = |stated: Option<&[u8]>, number: &BigUint| {
                stated.is_some_and(|stated| BigUint::from_bytes_be(stated) != *number)
            };
            if differs(stated.dp, dp) || differs(stated.dq, dq) || differs(stated.qi, &qi) {
                return Err(BadSigningKey::InconsistentRsa);
            }
        }
        Ok(Self::Rsa(Box::new(key)))
    }

    /// Of a scalar, big-endian (SEC 1, 2.3.6).
    pub(super) fn p256(scalar: &[u8]) -> Result<Self, BadSigningKey> {
        let key = p256::ecdsa::SigningKey::from_slice(scalar).map(Self::P256);
        key.map_err(|_| Unusable::Malformed.into())
    }

    pub(super) fn p384(scalar: &[u8]) -> Result<Self, BadSigningKey> {
        let key = p384::ecdsa::SigningKey::from_slice(scalar).map(Self::P384);
        key.map_err(|_| Unusable::Malformed.into())
    }

    pub(super) fn p521(scalar: &[u8]) -> Result<Self, BadSigningKey> {
        let key = p521::ecdsa::SigningKey::from_slice(scalar).map(Self::P521);
        key.map_err(|_| Unusable::Malformed.into())
    }

    /// Of the 32 bytes that RFC 8032, 5.1.5 begins with.
    pub(super) fn ed25519(seed: &[u8]) -> Result<Self, BadSigningKey> {
        let seed = seed.try_into().map_err(|_| Unusable::Malformed)?;
        Ok(Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    /// The public half, checked as any key that verifies: whatever is signed can be verified.
    pub(super) fn public(&self) -> Result<Material, Unusable> {
        match self {
            Self::Rsa(key) => Material::rsa(&key.n().to_bytes_be(), &key.e().to_bytes_be()),
            Self::P256(key) => Material::p256(key.verifying_key().to_sec1_point(false).as_bytes()),
            Self::P384(key) => Material::p384(key.verifying_key().to_sec1_point(false).as_bytes()),
            Self::P521(key) => Material::p521(key.verifying_key().to_sec1_point(false).as_bytes()),
            Self::Ed25519(key) => Material::ed25519(key.verifying_key().as_bytes()),
            Self::Hmac(secret) => Ok(Material::Hmac(secret.clone())),
        }
    }

    /// Checks that a public key which is stated beside this key is its own. It is encoded as in a
    /// SubjectPublicKeyInfo (RFC 5958, 2; RFC 5915, 3).
    pub(super) fn check_public(&self, stated: &[u8]) -> Result<(), BadSigningKey> {
        let stated = match self {
            Self::Rsa(_) => pem::rsa_public_key(stated)?,
            Self::P256(_) => Material::p256(stated)?,
            Self::P384(_) => Material::p384(stated)?,
            Self::P521(_) => Material::p521(stated)?,
            Self::Ed25519(_) => Material::ed25519(stated)?,
            Self::Hmac(_) => return Err(BadSigningKey::OtherPublicKey),
        };
        if self.public()?.is(&stated) {
            Ok(())
        } else {
            Err(BadSigningKey::OtherPublicKey)
        }
    }

    pub(super) fn default_alg(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::P521(_) => Algorithm::Es512,
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Hmac(_) => Algorithm::Hs256,
        }
    }

    /// What nobody but the owner knows: d of RSA, a scalar, a seed, a secret.
    pub(super) fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Rsa(key) => key.d().to_bytes_be(),
            Self::P256(key) => key.to_bytes().to_vec(),
            Self::P384(key) => key.to_bytes().to_vec(),
            Self::P521(key) => key.to_bytes().to_vec(),
            Self::Ed25519(key) => key.to_bytes().to_vec(),
            Self::Hmac(secret) => secret.as_bytes().to_vec(),
        })
    }

    /// The key as a host that signs takes it: PKCS #8, DER (RFC 5958). `None` for what no host
    /// signs with.
    pub(super) fn pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        use p256::pkcs8::EncodePrivateKey as _;
        use rsa::pkcs8::EncodePrivateKey as _;
        match self {
            Self::Rsa(key) => key.to_pkcs8_der().ok().map(|der| der.to_bytes()),
            Self::P256(key) => key.to_pkcs8_der().ok().map(|der| der.to_bytes()),
            Self::P384(key) => key.to_pkcs8_der().ok().map(|der| der.to_bytes()),
            Self::P521(key) => key.to_pkcs8_der().ok().map(|der| der.to_bytes()),
            Self::Ed25519(_) | Self::Hmac(_) => None,
        }
    }
}
