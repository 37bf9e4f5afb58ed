//! The filter's configuration: JSON in, validated settings out, or every fault at once.
//!
//! [`reader`] reads members and notes faults with their paths; [`issuer`] and [`policy`] know the
//! fields; [`settings`] puts them together and looks for contradictions.

pub mod issuer;
pub mod policy;
pub mod reader;
pub mod settings;

pub use reader::Fault;
pub use settings::{Loaded, Settings, load};
