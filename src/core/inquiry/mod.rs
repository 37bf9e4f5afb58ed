//! What the gateway asks an issuer about a token: whether it is in force and what it says (RFC 7662),
//! and what it permits (Keycloak's authorization services; UMA 2.0).
//!
//! [`question`] is what can be asked and what may come of it; [`introspection`], [`decision`] and
//! [`ticket`] word the requests and read the answers, sent by the gateway's own [`client`];
//! [`failure`] is what else may come. (Which permissions a request needs is in
//! [`crate::authorization::services`].) [`inquiries`] sees to it that as little as possible is asked:
//! [`kept`] holds answers, those who ask the same at one time share a call, and [`breaker`] spares an
//! endpoint that does not answer.

pub mod asked;
pub mod audience_hint;
pub mod breaker;
pub mod client;
pub mod decision;
pub mod failure;
pub mod form;
pub mod inquiries;
pub mod introspection;
pub mod kept;
pub mod message;
pub mod question;
pub mod ticket;
