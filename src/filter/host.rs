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
    /// Whether a removed header is gone, and a replaced one stands once. On Kong removing hides a
    /// header from this filter only, and replacing changes the first field of several.
    pub edits_headers: bool,
    /// Whether the path that goes up can be changed.
    pub edits_path: bool,
    /// Where the path stands as the client sent it. Kong decodes the header `:path`.
    pub raw_path: RawPath,
    /// How the gateway's other parts are told of the caller.
    pub properties: Properties,
    /// Whether the host words an answer in gRPC itself, given a status.
    pub speaks_grpc: bool,
    /// Before the names of metrics. Kong puts the filter's name there itself.
    pub metrics_prefix: &'static str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RawPath {
    PathHeader,
    RequestPathProperty,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Properties {
    /// Envoy's filter state: access logs, rbac and rate limits read it.
    FilterState,
    /// Kong's `kong.ctx.shared`: later phases of other plugins read it.
    SharedContext,
}

const ENVOY: Host = Host {
    rejects_configurations: true,
    can_wake: true,
    has_shared_data: true,
    has_route_metadata: true,
    edits_headers: true,
    edits_path: true,
    raw_path: RawPath::PathHeader,
    properties: Properties::FilterState,
    speaks_grpc: true,
    metrics_prefix: "jwt_keycloak_",
};

/// Also for a host that is not known: it relies on nothing.
pub const WASMX: Host = Host {
    rejects_configurations: false,
    can_wake: false,
    has_shared_data: false,
    has_route_metadata: false,
    edits_headers: false,
    edits_path: false,
    raw_path: RawPath::RequestPathProperty,
    properties: Properties::SharedContext,
    speaks_grpc: false,
    metrics_prefix: "",
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
