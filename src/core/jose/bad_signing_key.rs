//! Why a key cannot sign.

use std::fmt;

use super::key::Unusable;

/// Why a key cannot be used to sign, or a certificate not be shown beside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadSigningKey {
    /// What would keep it from verifying, too.
    Unusable(Unusable),
    /// A public key, or a certificate, in the place of a private key.
    NotPrivate,
    /// `ENCRYPTED PRIVATE KEY` (RFC 5958, 3), or a PEM text with `DEK-Info` (RFC 1421, 4.6.1.3).
    Encrypted,
    SeveralPemBlocks,
    UnsupportedPemLabel,
    UnsupportedCurve,
    NoCurve,
    /// A public key is stated, and it is not the private key's.
    OtherPublicKey,
    InconsistentRsa,
    UnbalancedPrimes,
    MultiPrimeRsa,
    /// Primes can only be found again with an exponent above 65536 (NIST SP 800-56B r2, C.2).
    PrimesMissing,
    /// The `alg` that is asked for is not the JWK's own.
    OtherAlgorithm,
    NotACertificate,
    OtherCertificate,
    /// Its key usage is something other than signatures.
    CertificateNotForSignatures,
    CertifiedSecret,
}

impl From<Unusable> for BadSigningKey {
    fn from(why: Unusable) -> Self {
        Self::Unusable(why)
    }
}

impl fmt::Display for BadSigningKey {
    /// Says what was found, and nothing of its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unusable(why) => return why.fmt(f),
            Self::NotPrivate => "a public key or a certificate, and no private key",
            Self::Encrypted => "an encrypted private key, which nobody here can decrypt",
            Self::SeveralPemBlocks => "several PEM blocks instead of one private key",
            Self::UnsupportedPemLabel => {
                "a PEM block other than PRIVATE KEY, RSA PRIVATE KEY and EC PRIVATE KEY"
            }
            Self::UnsupportedCurve => "a curve that is not named P-256, P-384 or P-521",
            Self::NoCurve => "an EC private key that does not name its curve",
            Self::OtherPublicKey => "a private key beside the public key of another",
            Self::InconsistentRsa => "an RSA key whose numbers do not belong together",
            Self::UnbalancedPrimes => "an RSA key whose primes are not of one size",
            Self::MultiPrimeRsa => "an RSA key of more than two primes",
            Self::PrimesMissing => {
                "an RSA key without p and q, and with an exponent too small to find them"
            }
            Self::OtherAlgorithm => "a JWK with another alg",
            Self::NotACertificate => "a PEM block other than CERTIFICATE",
            Self::OtherCertificate => "the certificate of another key",
            Self::CertificateNotForSignatures => "a certificate that is not for signatures",
            Self::CertifiedSecret => "a certificate, which a secret cannot have",
        })
    }
}
