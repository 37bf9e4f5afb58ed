//! The signature algorithms that a token may name in `alg` (RFC 7518, 3.1; RFC 8037, 3.1).
//!
//! `none` has no value here: a token that names it cannot reach a key (RFC 8725, 2.1 and 3.1). The
//! HMAC algorithms have a family of their own, and only secrets that were configured are of it: no
//! public key, and nothing that was fetched.

use std::fmt;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
    Hs256,
    Hs384,
    Hs512,
}

/// What a key can do. A key is bound to its family: never to PKCS #1 v1.5 and PSS at once.
///
/// RFC 8725, 3.1 would bind it to one algorithm. Within RS* the digest is part of what is signed,
/// so an RS384 token by a key marked RS256 gains an attacker nothing, and Kong's jwt-keycloak
/// takes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    RsaPkcs1,
    RsaPss,
    P256,
    P384,
    P521,
    Ed25519,
    /// Whoever can verify can also sign.
    Hmac,
}

impl Algorithm {
    pub const ALL: [Self; 13] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// What jwt-keycloak accepts, and so what is accepted unless the configuration says more.
    pub const DEFAULT: [Self; 6] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
    ];

    /// Finds the algorithm by its JOSE name, compared exactly (RFC 7515, 4.1.1: case-sensitive).
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 => Family::RsaPkcs1,
            Self::Ps256 | Self::Ps384 | Self::Ps512 => Family::RsaPss,
            Self::Es256 => Family::P256,
            Self::Es384 => Family::P384,
            Self::Es512 => Family::P521,
            Self::EdDsa => Family::Ed25519,
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Family::Hmac,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for alg in Algorithm::ALL {
            assert_eq!(Algorithm::by_name(alg.name()), Some(alg));
        }
        for name in [
            "none", "None", "HS1", "hs256", "rs256", "ES256K", "RSA-OAEP", "",
        ] {
            assert_eq!(Algorithm::by_name(name), None, "{name}");
        }
    }

    #[test]
    fn no_symmetric_algorithm_is_accepted_by_default() {
        let is_symmetric = |alg: &Algorithm| alg.name().starts_with("HS");
        for alg in Algorithm::ALL {
            assert_eq!(alg.family() == Family::Hmac, is_symmetric(&alg), "{alg}");
        }
        assert!(!Algorithm::DEFAULT.iter().any(is_symmetric));
    }
}
