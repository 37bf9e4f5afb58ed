//! JOSE: compact JWS (RFC 7515), keys (RFC 7517; PEM: RFC 7468), algorithms (RFC 7518, RFC 8037).
//!
//! Who verifies: [`key`] from [`jwk`] or PEM or a secret, then [`signature`]. Who signs:
//! [`signing_key`], from a private JWK or PEM or a secret, which also has its public half.

pub mod algorithm;
pub mod bad_signing_key;
pub mod base64url;
mod ecdsa;
mod fixed_base;
pub mod header;
pub mod hmac_sha256;
pub mod jwk;
pub mod jwk_set;
pub mod jws;
pub mod key;
pub mod known_headers;
mod pem;
mod private_jwk;
mod private_key;
mod private_pem;
mod pss;
mod secret;
mod seeded_rng;
mod sign;
pub mod signature;
pub mod signing_key;
pub mod thumbprint;
