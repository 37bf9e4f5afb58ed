//! A key that verifies signatures, and what is asked of one from wherever it comes: from a JWK, a
//! PEM text or a secret (RFC 7518, 3 and 6; RFC 8037, 2).

use std::cell::OnceCell;
use std::fmt;

use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPublicKey};

use super::algorithm::{Algorithm, Family};
use super::ecdsa;
use super::secret::Secret;
use crate::time::UnixMillis;

/// RFC 7518, 3.3: RSA keys of 2048 bits or more. The upper bound keeps one signature check cheap.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key that may verify signatures.
#[derive(Clone, Debug)]
pub struct VerificationKey {
    pub kid: Option<String>,
    /// The first and the last moment at which the key counts; a certificate's only.
    pub validity: Option<(UnixMillis, UnixMillis)>,
    declared: Option<Algorithm>,
    pub(super) material: Material,
}

#[derive(Clone, Debug)]
pub(super) enum Material {
    Rsa(Box<Rsa>),
    P256(P256),
    P384(ecdsa::PublicKey<p384::NistP384>),
    P521(ecdsa::PublicKey<p521::NistP521>),
    Ed25519(ed25519_dalek::VerifyingKey),
    Hmac(Secret),
}

/// An RSA key.
#[derive(Clone, Debug)]
pub(super) struct Rsa {
    pub(super) key: RsaPublicKey,
    /// The same where it checks signatures fast; none for those of more than 4096 bits, or with a large
    /// exponent.
    pub(super) fast: Option<verification::rsa::PublicKey>,
    /// Made when it is first asked for.
    spki: OnceCell<Option<Vec<u8>>>,
}

impl Rsa {
    /// The `SubjectPublicKeyInfo` (RFC 5280, 4.1; RFC 8017, A.1.1), DER, for a host; none for a key
    /// with an exponent that hosts do not take.
    pub(super) fn spki(&self) -> Option<&[u8]> {
        /// BoringSSL's limit is 33.
        const EXPONENT_BITS: usize = 32;
        let made = || {
            let usual = self.key.e().bits() <= EXPONENT_BITS;
            let der = usual.then(|| self.key.to_public_key_der())?.ok()?;
            Some(der.into_vec())
        };
        self.spki.get_or_init(made).as_deref()
    }
}

/// A key on P-256.
#[derive(Clone, Debug)]
pub(super) struct P256 {
    pub(super) key: p256::ecdsa::VerifyingKey,
    /// The same where it checks signatures fast.
    pub(super) fast: verification::p256::PublicKey,
}

/// Why a key cannot be used. Of a set that was fetched, the rest is used all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unusable {
    NotAnObject,
    /// `use` is not `sig`, `key_ops` lacks `verify`, or a certificate's key usage is another.
    NotForSignatures,
    UnsupportedKeyType,
    /// `alg` names something that signs nothing here, such as RSA-OAEP, or does not fit the key.
    UnsupportedAlgorithm,
    /// An RSA modulus outside 2048 to 8192 bits, or an exponent below 3.
    WeakOrOversizedRsa,
    BadPoint,
    /// A member is missing or malformed, or the DER is not that of a public key.
    Malformed,
    MalformedCertificate,
    NotPem,
    MalformedPem,
    SeveralPemBlocks,
    UnsupportedPemLabel,
    PrivateKey,
    ShortSecret {
        /// The least number of bytes that would do.
        least: usize,
    },
    PemAsSecret,
}

impl fmt::Display for Unusable {
    /// Says what was found, and nothing of its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "something that is no object",
            Self::NotForSignatures => "a key that is not for signatures",
            Self::UnsupportedKeyType => "a key that is not RSA, P-256, P-384, P-521 or Ed25519",
            Self::UnsupportedAlgorithm => "an alg that is not supported or does not fit the key",
            Self::WeakOrOversizedRsa => {
                "an RSA key without 2048 to 8192 bits and an odd exponent of 3 or more"
            }
            Self::BadPoint => "a point that is not on its curve, or of small order",
            Self::Malformed => "a malformed key",
            Self::MalformedCertificate => "a malformed certificate",
            Self::NotPem => "a text that is not PEM",
            Self::MalformedPem => "a malformed PEM block",
            Self::SeveralPemBlocks => "several PEM blocks",
            Self::UnsupportedPemLabel => {
                "a PEM block other than PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE"
            }
            Self::PrivateKey => "a private key, which nobody but the issuer may have",
            Self::ShortSecret { least } => {
                return write!(f, "a secret of fewer than {least} bytes");
            }
            Self::PemAsSecret => "a PEM text, which is no secret",
        })
    }
}

impl VerificationKey {
    /// Takes a key that is always valid. `declared` is the algorithm that it is marked for.
    pub(super) fn new(
        material: Material,
        kid: Option<String>,
        declared: Option<Algorithm>,
    ) -> Result<Self, Unusable> {
        if declared.is_some_and(|alg| !material.can(alg)) {
            return Err(Unusable::UnsupportedAlgorithm);
        }
        Ok(Self {
            kid,
            validity: None,
            declared,
            material,
        })
    }

    /// Whether the key may verify `alg`: its type can, and its own `alg`, if it has one, is of
    /// the same [`Family`]. A secret's own `alg` is its only one (RFC 8725, 3.1).
    #[must_use]
    pub fn fits(&self, alg: Algorithm) -> bool {
        let agrees = |declared: Algorithm| match declared.family() {
            Family::Hmac => declared == alg,
            family => family == alg.family(),
        };
        self.material.can(alg) && self.declared.is_none_or(agrees)
    }

    /// Whether both are one key, under one name, for the same.
    #[must_use]
    pub(super) fn is(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.validity == other.validity
            && self.declared == other.declared
            && self.material.is(&other.material)
    }

    /// Whether the key is marked for exactly `alg`.
    #[must_use]
    pub fn is_declared_for(&self, alg: Algorithm) -> bool {
        self.declared == Some(alg)
    }

    /// RFC 5280, 4.1.2.5: from `notBefore` through `notAfter`, inclusive.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixMillis) -> bool {
        self.validity
            .is_none_or(|(first, last)| (first..=last).contains(&now))
    }
}

impl Material {
    /// An RSA key of its modulus and exponent, big-endian.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, Unusable> {
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        if !odd(modulus) || !odd(exponent) {
            return Err(Unusable::WeakOrOversizedRsa);
        }
        let modulus = BigUint::from_bytes_be(modulus);
        let exponent = BigUint::from_bytes_be(exponent);
        // The library bounds the exponent above; 1 would make every message its own signature.
        if !RSA_BITS.contains(&modulus.bits()) || exponent.bits() < 2 {
            return Err(Unusable::WeakOrOversizedRsa);
        }
        let key = RsaPublicKey::new_with_max_size(modulus, exponent, *RSA_BITS.end())
            .map_err(|_| Unusable::WeakOrOversizedRsa)?;
        debug_assert!(key.size() >= 256);
        let (n, e) = (key.n().to_bytes_be(), key.e().to_bytes_be());
        let fast = verification::rsa::PublicKey::new(&n, &e).ok();
        let spki = OnceCell::new();
        Ok(Self::Rsa(Box::new(Rsa { key, fast, spki })))
    }

    pub(super) fn p256(point: &[u8]) -> Result<Self, Unusable> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(ordinary(point)?)
            .map_err(|_| Unusable::BadPoint)?;
        // SEC 1, 2.3.3: 4, x, y.
        let point = key.to_sec1_point(false);
        let coordinates = point.as_bytes().split_first_chunk::<1>();
        let coordinates = coordinates.and_then(|(_, rest)| rest.split_first_chunk::<32>());
        let (x, y) = coordinates.ok_or(Unusable::BadPoint)?;
        let y = y.try_into().map_err(|_| Unusable::BadPoint)?;
        let fast = verification::p256::PublicKey::new(x, y).map_err(|_| Unusable::BadPoint)?;
        Ok(Self::P256(P256 { key, fast }))
    }

    pub(super) fn p384(point: &[u8]) -> Result<Self, Unusable> {
        let point = p384::PublicKey::from_sec1_bytes(ordinary(point)?);
        let point = point.map_err(|_| Unusable::BadPoint)?;
        Ok(Self::P384(point.into()))
    }

    pub(super) fn p521(point: &[u8]) -> Result<Self, Unusable> {
        let point = p521::PublicKey::from_sec1_bytes(ordinary(point)?);
        let point = point.map_err(|_| Unusable::BadPoint)?;
        Ok(Self::P521(point.into()))
    }

    pub(super) fn ed25519(point: &[u8]) -> Result<Self, Unusable> {
        let point = point.try_into().map_err(|_| Unusable::Malformed)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(point).map_err(|_| Unusable::BadPoint)?;
        // A point of small order accepts signatures that nobody made.
        if key.is_weak() {
            return Err(Unusable::BadPoint);
        }
        Ok(Self::Ed25519(key))
    }

    /// Whether both are the same public key. Secrets are not compared.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rsa(one), Self::Rsa(other)) => one.key == other.key,
            (Self::P256(one), Self::P256(other)) => one.key == other.key,
            (Self::P384(one), Self::P384(other)) => one.point == other.point,
            (Self::P521(one), Self::P521(other)) => one.point == other.point,
            (Self::Ed25519(one), Self::Ed25519(other)) => one == other,
            _ => false,
        }
    }

    fn can(&self, alg: Algorithm) -> bool {
        match (self, alg.family()) {
            (Self::Rsa(_), Family::RsaPkcs1 | Family::RsaPss)
            | (Self::P256(_), Family::P256)
            | (Self::P384(_), Family::P384)
            | (Self::P521(_), Family::P521)
            | (Self::Ed25519(_), Family::Ed25519) => true,
            (Self::Hmac(secret), Family::Hmac) => secret.is_long_enough_for(alg),
            _ => false,
        }
    }
}

/// SEC 1, 2.3.3: a point, compressed or not; nothing else that the libraries may read, such as the
/// point at infinity.
fn ordinary(point: &[u8]) -> Result<&[u8], Unusable> {
    match point.first() {
        Some(2..=4) => Ok(point),
        _ => Err(Unusable::Malformed),
    }
}
