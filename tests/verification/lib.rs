//! The verification kernel against other implementations.

pub mod p256;
pub mod random;
pub mod rsa;
pub mod stopwatch;
