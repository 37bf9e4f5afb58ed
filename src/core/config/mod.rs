//! The filter's configuration: JSON in, validated settings out, or every fault at once.
//!
//! [`reader`] reads members and notes faults with their paths; [`issuer`] and [`policy`] know the
//! fields; [`settings`] puts them together and looks for contradictions. [`envoy_struct`] reads
//! what Envoy may send instead of JSON.

pub mod envoy_struct;
pub mod issuer;
pub mod policy;
pub mod reader;
pub mod settings;

pub use reader::Fault;
pub use settings::{Loaded, Settings, load};
