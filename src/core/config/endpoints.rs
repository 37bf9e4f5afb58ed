//! Reads the addresses at which an issuer is asked about tokens, where they are stated.

use super::issuer::{Endpoints, Issuer, url};
use super::policy::Policy;
use super::reader::Members;
use crate::authorization::services::{AuthorizationRules, DecidedBy};

/// Reads an issuer's.
#[must_use]
pub fn read(members: &Members) -> Endpoints {
    Endpoints {
        introspection: url(members, "introspection_endpoint"),
        token: url(members, "token_endpoint"),
        permission: url(members, "permission_endpoint"),
    }
}

/// What the policies ask of one issuer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Use {
    pub introspection: bool,
    pub decisions: bool,
    pub tickets: bool,
}

impl Use {
    /// Whether the gateway's client is needed for it, or serves it.
    #[must_use]
    pub fn is_any(self) -> bool {
        self.introspection || self.decisions || self.tickets
    }

    /// What `policies` ask of the issuer with this index.
    #[must_use]
    pub fn by<'p>(policies: impl Iterator<Item = &'p Policy>, issuer: usize) -> Self {
        let mut all = Self::default();
        for policy in policies {
            let Some(rules) = policy.rules_of(issuer) else {
                continue;
            };
            all.introspection |= rules.introspection.is_some();
            for asked in authorizations(policy) {
                all.decisions |= asked.decision != DecidedBy::Rpt;
                all.tickets |= asked.uma_challenge;
            }
        }
        all
    }
}

/// What a policy and its rules ask for.
pub fn authorizations(policy: &Policy) -> impl Iterator<Item = &AuthorizationRules> {
    let rules = policy.rules.iter().flat_map(|rules| &rules.rules);
    let of_rules = rules.filter_map(|rule| rule.authorization.as_ref());
    policy.authorization.iter().chain(of_rules)
}

/// Notes addresses at which nothing is asked: what was to be asked there is not.
pub fn check_use(own: &Members, issuer: &Issuer, asked: Use) {
    let endpoints = &issuer.endpoints;
    for (name, is_stated, is_used, what) in [
        (
            "introspection_endpoint",
            endpoints.introspection.is_some(),
            asked.introspection,
            "introspection",
        ),
        (
            "token_endpoint",
            endpoints.token.is_some(),
            asked.decisions || asked.tickets,
            "authorization, with a decision that is not rpt",
        ),
        (
            "permission_endpoint",
            endpoints.permission.is_some(),
            asked.tickets,
            "authorization, with uma_challenge",
        ),
    ] {
        if is_stated && !is_used {
            let found = "an address, and nothing that is asked there";
            own.fault(name, found, format!("{what} beside it"));
        }
    }
}
