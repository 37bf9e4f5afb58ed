//! The proxy-wasm filter: carries what happens at the host to the core, and performs what the
//! core says. It decides nothing.
//!
//! [`root`] is one configuration in one worker, [`request`] one request; [`abi`] has the host
//! calls, [`host`] what the hosts differ in.

mod abi;
mod host;
mod logger;
mod request;
mod root;

proxy_wasm::main! {{
    logger::install();
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
