//! The verification kernel against other implementations.

pub mod p256;
pub mod rsa;
