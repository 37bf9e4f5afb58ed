//! What a configuration asks of its host and the host cannot do.

use super::issuer::Issuer;
use super::policy::{Policy, UpstreamToken};
use super::reader::{At, Members, quote};
use crate::abilities::Abilities;
use crate::keys::source::is_network_address;

/// Notes it, of the top's members and the issuers'. (Policies have no other such members.)
pub fn check(
    members: &Members,
    issuers: &[(Issuer, Members)],
    base: &Policy,
    abilities: Abilities,
) {
    if !abilities.named_policies && members.get("policies").is_some() {
        let allowed = "none, for on this host a route cannot name one (give each route a \
                       configuration of its own)";
        members.fault("policies", "policies", allowed);
    }
    let hides = base.upstream_token != UpstreamToken::Keep;
    if !abilities.edits_path && hides && !base.sources.params.is_empty() {
        let found = "one that is not keep, beside uri_param_names";
        let allowed = "keep, or no uri_param_names ([]), for on this host the query goes up as it \
                       came";
        members.fault("upstream_token", found, allowed);
    }
    if !abilities.named_targets {
        let own = issuers.iter().map(|(_, own)| own);
        for members in std::iter::once(members).chain(own) {
            check_target(members);
        }
    }
}

fn check_target(members: &Members) {
    let Some(At { path, value }) = members.string("callout_target") else {
        return;
    };
    if !is_network_address(&value) {
        let allowed = "host, host:port, [IPv6 address]:port or unix:/path, for that is where this \
                       host sends callouts";
        members.findings().fault(&path, quote(&value), allowed);
    }
}
