//! Decides which requests may pass a gateway, by access tokens that Keycloak issued.
//!
//! The core is pure: it has no host, no clock and no randomness. It is told what happened and
//! what time it is, and answers with what is to be done ([`gate::Gate`]). The way of a request:
//!
//! 1. [`intake`] finds the rule that it falls under and takes its token from headers, query or
//!    cookies ([`request`]; RFC 6750, 2).
//! 2. [`jose`] reads the token and checks its signature (RFC 7515, 7518).
//! 3. [`claims`] checks whose token it is, for whom and when (RFC 7519, 8725, 9068).
//! 4. [`authorization`] checks what is required: scopes, roles, groups, other claims.
//! 5. [`admission`] is on what grounds it goes up, [`caller`] what the upstream is told, and
//!    [`upstream_jwt`] what it is told under the gateway's signature; or
//! 6. [`refusal`] words the answer when one of them says no.
//!
//! [`judge`] runs 2 to 4 in order; [`gate`] holds a request whose issuer's [`keys`] are not there
//! yet, or whose issuer has to be asked about the token ([`inquiry`]), and sees to it. [`metrics`] and [`explain`] say what happened. What differs between
//! hosts and matters here is in [`abilities`].

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

pub mod abilities;
pub mod admission;
pub mod authorization;
pub mod bounded;
pub mod caller;
pub mod claim_rules;
pub mod claims;
pub mod claims_set;
pub mod config;
pub mod event;
pub mod explain;
pub mod gate;
pub mod inquiry;
pub mod intake;
pub mod jose;
pub mod json;
pub mod judge;
pub mod keys;
pub mod metrics;
pub mod refusal;
pub mod request;
pub mod sparing;
pub mod time;
pub mod times;
pub mod upstream_jwt;
pub mod verified_tokens;
