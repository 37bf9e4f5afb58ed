//! JOSE: compact JWS (RFC 7515), keys (RFC 7517; PEM: RFC 7468), algorithms (RFC 7518, RFC 8037).

pub mod algorithm;
pub mod base64url;
pub mod jwk;
pub mod jwk_set;
pub mod jws;
pub mod key;
mod pem;
mod secret;
pub mod signature;
