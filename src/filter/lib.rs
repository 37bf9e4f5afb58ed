//! The proxy-wasm filter: carries what happens at the host to the core, and performs what the
//! core says. It decides nothing.
//!
//! From the host inwards: [`exports`] are its callbacks, [`contexts`] finds whom they are for, a
//! [`root`] with a configuration or a [`request`]; [`instance`] is what a root and its requests
//! share. From there outwards: [`stream`] ends a request, [`upstream`] makes it ready to go up,
//! [`callout`] fetches and asks, [`signer`] signs, [`verifier`] checks signatures, [`body`] reads what has to be hashed; [`abi`] has the
//! host's calls, [`types`] and [`header_map`] their data, and [`host`] what the hosts differ in.

mod abi;
mod body;
mod callout;
mod contexts;
mod exports;
mod header_map;
mod host;
mod instance;
mod logger;
mod metrics;
mod request;
mod root;
mod shared_data;
mod signer;
mod stream;
mod types;
mod upstream;
mod verifier;
mod verify_signature;
