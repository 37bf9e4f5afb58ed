//! The filter's configuration: JSON in, validated settings out, or every fault at once.
//!
//! [`reader`] reads members and notes faults with their paths; [`issuer`], [`keys`], [`token`],
//! [`policy`], [`sources`], [`requirement`], [`rules`], [`caller`], [`upstream_jwt`],
//! [`signing_keys`], [`client`], [`endpoints`], [`introspection`] and [`authorization`] know the
//! fields; [`settings`] puts them together. [`envoy_struct`] reads what Envoy may send instead of
//! JSON, [`abilities`] knows what a host cannot do.

pub mod abilities;
pub mod authorization;
pub mod caller;
pub mod client;
pub mod endpoints;
pub mod envoy_struct;
#[cfg(test)]
mod inquiry_tests;
pub mod introspection;
pub mod issuer;
pub mod keys;
pub mod policy;
pub mod reader;
pub mod requirement;
pub mod rules;
pub mod settings;
pub mod signing_keys;
pub mod sources;
#[cfg(test)]
mod tests;
pub mod token;
pub mod upstream_jwt;

pub use reader::Fault;
pub use settings::{Loaded, Settings, load};
