//! The differences between the two hosts, Envoy and Kong's WasmX, as data.

use crate::abi::{self, BAD_ARGUMENT};

/// A host, by what a filter may rely on there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Host {
    /// Whether a refused configuration is safe. Envoy does not serve with it; Kong would switch
    /// off every filter on every route and forward everything unfiltered, so that there a bad
    /// configuration is taken and each request answered with 500.
    pub rejects_configurations: bool,
    /// Whether one request's event can resume another's.
    pub can_wake: bool,
    /// Whether shared data can be used without asking. On Kong it traps unless
    /// `nginx_wasm_shm_kv` is set.
    pub has_shared_data: bool,
    /// Whether a route's metadata can name a policy.
    pub has_route_metadata: bool,
}

const ENVOY: Host = Host {
    rejects_configurations: true,
    can_wake: true,
    has_shared_data: true,
    has_route_metadata: true,
};

/// Also for a host that is not known: it relies on nothing.
const WASMX: Host = Host {
    rejects_configurations: false,
    can_wake: false,
    has_shared_data: false,
    has_route_metadata: false,
};

/// No host has had so many contexts.
const NO_CONTEXT: u32 = 0x7fff_ffff;

impl Host {
    /// Tells the hosts apart, by a call that is harmless on both: Envoy knows its contexts and
    /// refuses one that does not exist, WasmX takes any and does nothing. Most other calls in
    /// which they differ trap on one of them.
    pub fn detect() -> Self {
        match abi::set_effective_context(NO_CONTEXT) {
            Err(BAD_ARGUMENT) => ENVOY,
            _ => WASMX,
        }
    }
}
