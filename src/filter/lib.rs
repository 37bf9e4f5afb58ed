//! The proxy-wasm filter: carries what happens at the host to the core, and performs what the
//! core says. It decides nothing.
//!
//! [`root`] and [`request`] are the host's contexts, [`instance`] is what they share: one
//! configuration in one worker. [`abi`] has the host calls, [`host`] what the hosts differ in.

mod abi;
mod callout;
mod host;
mod instance;
mod logger;
mod metrics;
mod phase;
mod request;
mod root;
mod shared_data;
mod upstream;

proxy_wasm::main! {{
    logger::install();
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
