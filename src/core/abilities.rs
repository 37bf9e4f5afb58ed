//! What the core has to know about the host that it runs on.

/// What a host can do. A configuration that asks for more is faulty there, and a request that would
/// need more is refused: half done, it would be an opening.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // independent facts
pub struct Abilities {
    /// A route can name a policy.
    pub named_policies: bool,
    /// A callout's target has a name of its own, as an Envoy cluster does. Otherwise it is an
    /// address in the network.
    pub named_targets: bool,
    /// The path that goes up can be changed.
    pub edits_path: bool,
    /// A header field that is removed does not go up, nor does any that is replaced.
    pub removes_headers: bool,
    /// A request can be resumed by an event that is not its own.
    pub wakes_requests: bool,
    /// A request's head is held until its body is there.
    pub holds_head: bool,
    /// It signs with RSASSA-PKCS1-v1_5 and ECDSA itself, and fast.
    pub signs: bool,
}

impl Abilities {
    pub const ALL: Self = Self {
        named_policies: true,
        named_targets: true,
        edits_path: true,
        removes_headers: true,
        wakes_requests: true,
        holds_head: true,
        signs: true,
    };
}
