//! Checks of RSA (PKCS #1 v1.5) and ECDSA P-256 signatures, made to be fast in WebAssembly.
//!
//! It takes public data only, in variable time: nothing secret may ever come here. What depends on
//! a key alone is made once, when the key is loaded, for a gateway has few keys and they live long.

pub mod p256;
#[cfg(test)]
mod random;
pub mod rsa;
#[cfg(any(test, target_arch = "x86_64", target_feature = "simd128"))]
mod vector;

/// A public key that is not one, or not one that is checked here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidKey;
