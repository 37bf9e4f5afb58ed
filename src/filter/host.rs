//! The differences between the two hosts, Envoy and Kong's WasmX, as data, each with its reason.
//!
//! What needs no entry here, for nothing of it is used:
//!
//! - the header `:authority` (WasmX gives the server's own name): no decision looks at the host;
//! - shared data written without a version (unconditional on Envoy, refused by WasmX if there is a
//!   value): the core reads first and compares; nor do names tell values apart (WasmX looks them up
//!   by a checksum): each value says in full whose it is;
//! - header values that are not UTF-8: all are bytes;
//! - a callout's time-out, which WasmX measures for each step: the core has one for the whole.

use jwt_keycloak_core::abilities::Abilities;
use jwt_keycloak_core::keys::source::is_network_address;

use crate::abi;
use crate::types::BAD_ARGUMENT;

/// A host, by what a filter may rely on there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Host {
    /// What the core has to know. WasmX: a removed header is hidden from the filter and goes up all
    /// the same, as does one that is set to nothing; of several fields only the first is replaced; a
    /// path that is set does not go up, or traps; and a request goes on by itself after the last
    /// answer to its own callouts, and never by another event.
    pub abilities: Abilities,
    /// Whether a refused configuration is safe. Envoy does not serve with it; Kong would switch
    /// off every filter on every route and forward everything unfiltered, so that there a bad
    /// configuration is taken and each request answered with 500.
    pub rejects_configurations: bool,
    /// Whether shared data can be used without asking. On Kong it traps unless
    /// `nginx_wasm_shm_kv` is set.
    pub has_shared_data: bool,
    /// So many fields of a request are shown for sure. WasmX shows 100 at most, its own four
    /// included, and says nothing of the rest.
    pub shows_fields: Option<usize>,
    /// Where the path stands as the client sent it. Kong decodes the header `:path`.
    pub raw_path: RawPath,
    /// How a request is known to have a body, and when that is shown.
    pub bodies: Bodies,
    /// What the gateway calls that to which a request goes, and its route.
    pub service: [&'static str; 2],
    pub route: [&'static str; 2],
    /// A property that differs from request to request and cannot be guessed, where the host's
    /// randomness can: WasmX's is the C library's, seeded with process and time.
    pub request_id: Option<[&'static str; 2]>,
    /// How a request's way to the upstream is closed while it waits.
    pub guard: Option<Guard>,
    /// How the gateway's other parts are told of the caller.
    pub properties: Properties,
    /// Whether the details of an answer are for the access log. WasmX puts them into the status line.
    pub logs_details: bool,
    /// Whether the host words an answer in gRPC itself, given a status.
    pub speaks_grpc: bool,
    /// Whether it checks RSA signatures itself, and faster than that goes in WebAssembly. (Those on P-256
    /// Envoy checks more slowly.)
    pub verifies_rsa: bool,
    /// Before the names of metrics. Kong puts the filter's name there itself.
    pub metrics_prefix: &'static str,
    /// A metric with a longer name is not taken. WasmX's limit is 256 with what it puts before it.
    pub metric_name_bytes: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RawPath {
    PathHeader,
    RequestPathProperty,
}

/// A property on which it depends where the request goes. Closed, a trap or an omission here ends
/// in the gateway's own 500.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guard {
    pub property: [&'static str; 2],
    /// A value by which it goes nowhere.
    pub closed: &'static [u8],
    /// Before another value by which it goes nowhere, while filters wait for its body.
    pub awaits_body: &'static str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bodies {
    /// The head's callback tells whether there is one. It comes while the request is held, unless
    /// the host's configuration says otherwise.
    WhileHeld,
    /// The head's own fields tell, and not for sure. It comes when the head has been let go, whole,
    /// before anything goes up; an empty one does not come.
    AfterHead,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Properties {
    /// Envoy's filter state: access logs, rbac and rate limits read it.
    FilterState,
    /// Kong's `kong.ctx.shared`: later phases of other plugins read it.
    SharedContext,
}

const ENVOY: Host = Host {
    abilities: Abilities::ALL,
    rejects_configurations: true,
    has_shared_data: true,
    shows_fields: None,
    raw_path: RawPath::PathHeader,
    bodies: Bodies::WhileHeld,
    service: ["xds", "cluster_name"],
    route: ["xds", "route_name"],
    request_id: None,
    // It goes on when it is told to, and not before.
    guard: None,
    properties: Properties::FilterState,
    logs_details: true,
    speaks_grpc: true,
    verifies_rsa: true,
    metrics_prefix: "jwt_keycloak_",
    metric_name_bytes: usize::MAX,
};

/// Also for a host that is not known: it relies on nothing.
pub const WASMX: Host = Host {
    abilities: Abilities {
        named_policies: false,
        named_targets: false,
        edits_path: false,
        removes_headers: false,
        wakes_requests: false,
        holds_head: false,
        signs: false,
    },
    rejects_configurations: false,
    has_shared_data: false,
    shows_fields: Some(96),
    raw_path: RawPath::RequestPathProperty,
    bodies: Bodies::AfterHead,
    service: ["kong", "service_name"],
    route: ["kong", "route_name"],
    request_id: Some(["ngx", "request_id"]),
    // Kong's template passes requests on to `$upstream_scheme://…`.
    guard: Some(Guard {
        property: ["ngx", "upstream_scheme"],
        closed: b"denied",
        awaits_body: "awaiting-body-",
    }),
    properties: Properties::SharedContext,
    logs_details: false,
    speaks_grpc: false,
    verifies_rsa: false,
    metrics_prefix: "",
    metric_name_bytes: 200,
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

    /// Whether a callout to `target` can be sent without a trap. It may stand in a document that an
    /// issuer sent.
    pub fn can_call(self, target: &str) -> bool {
        self.abilities.named_targets || is_network_address(target)
    }

    /// Whether fields of a request may be missing in what is shown: `told` is the host's count, and
    /// one that does not fit is not believed.
    pub fn cuts_fields(self, told: usize, shown: usize) -> bool {
        /// WasmX's own: `:path`, `:method`, `:scheme`, `:authority`.
        const OWN: usize = 4;
        let all = told.saturating_add(OWN);
        self.shows_fields
            .is_some_and(|most| told > most || (shown > most && shown != all))
    }
}
