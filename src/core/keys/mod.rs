//! An issuer's keys: where they come from, how they are fetched, kept, refreshed and shared.

pub mod cache;
pub mod discovery;
pub mod shared;
pub mod source;
