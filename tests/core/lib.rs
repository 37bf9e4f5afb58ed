//! What the tests share: keys, tokens, a verifier without a host, and a simulator of hosts.

pub mod keys;
pub mod leaks;
pub mod random;
pub mod simulator;
pub mod tokens;
pub mod verifier;
