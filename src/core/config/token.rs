//! What is asked of the tokens of one issuer under one policy. These fields may stand in the
//! policy, in the issuer and at the top; the most specific wins, in this order.

use super::introspection;
use super::issuer::Issuer;
use super::reader::Members;
use super::requirement::{claim_path, client_roles_path};
use crate::authorization::claim_shape::ClaimShape;
use crate::claim_rules::ClaimRules;
use crate::inquiry::introspection::{IntrospectionRules, When};
use crate::jose::algorithm::{Algorithm, Family};

#[derive(Clone, Debug)]
pub struct IssuerRules {
    pub algorithms: Vec<Algorithm>,
    pub claims: ClaimRules,
    pub shape: ClaimShape,
    /// When its issuer is asked about a token.
    pub introspection: Option<IntrospectionRules>,
}

impl IssuerRules {
    /// Reads them from a policy over an issuer over the top. `times` holds what the policy says of
    /// the claims of time; `has_secrets`, whether any issuer signs with one; `client_id`, as whom the
    /// gateway asks the issuer.
    #[must_use]
    pub fn read(
        members: &Members,
        times: &ClaimRules,
        has_secrets: bool,
        client_id: Option<&str>,
    ) -> Self {
        let audiences = members.strings("allowed_aud").map(|audiences| {
            let audiences = audiences.into_iter().map(|audience| audience.value);
            audiences.collect::<Vec<_>>()
        });
        let audiences = audiences.filter(|audiences| !audiences.is_empty());
        Self {
            algorithms: algorithms(members, has_secrets),
            claims: ClaimRules {
                // More would keep expired tokens alive; clocks are better than that.
                clock_skew: members
                    .seconds("clock_skew", 0.0..=300.0)
                    .unwrap_or_default(),
                audiences: audiences.clone(),
                types: types(members),
                ..times.clone()
            },
            shape: ClaimShape {
                permission_audiences: permission_audiences(&audiences, client_id),
                ..shape(members)
            },
            introspection: introspection::read(members),
        }
    }

    /// Whether the JWTs of this issuer, whose rules these are, are verified here.
    #[must_use]
    pub fn verify_here(&self, issuer: &Issuer) -> bool {
        let when = self.introspection.as_ref().map(|rules| rules.when);
        issuer.has_keys() && when != Some(When::Always)
    }
}

/// Whom a requesting party token may be for, so that the resources that it names are those that are
/// meant: `allowed_aud`, the gateway's client, which tokens are for so that it may ask about them, and
/// Keycloak's own client `account`, which most are for.
fn permission_audiences(allowed: &Option<Vec<String>>, client_id: Option<&str>) -> Vec<String> {
    let own = client_id.into_iter().chain(["account"]);
    let own = own.map(str::to_owned);
    allowed.iter().flatten().cloned().chain(own).collect()
}

fn shape(members: &Members) -> ClaimShape {
    let keycloaks = ClaimShape::default();
    ClaimShape {
        scope: claim_path(members, "scope_claim").unwrap_or(keycloaks.scope),
        realm_roles: claim_path(members, "realm_roles_claim").unwrap_or(keycloaks.realm_roles),
        client_roles: client_roles_path(members, "client_roles_claim")
            .unwrap_or(keycloaks.client_roles),
        client_id: claim_path(members, "client_id_claim").unwrap_or(keycloaks.client_id),
        groups: claim_path(members, "groups_claim").unwrap_or(keycloaks.groups),
        wildcards: members.boolean("token_scope_wildcards").unwrap_or(false),
        permission_audiences: keycloaks.permission_audiences,
    }
}

fn algorithms(members: &Members, has_secrets: bool) -> Vec<Algorithm> {
    let can_verify = |alg: &Algorithm| has_secrets || alg.family() != Family::Hmac;
    let names = Algorithm::ALL.into_iter().filter(can_verify);
    let names: Vec<_> = names.map(Algorithm::name).collect();
    let mut allowed = format!("one of {}", names.join(", "));
    if !has_secrets {
        allowed.push_str("; HS256, HS384 and HS512 where an issuer has hmac_secrets");
    }
    let algorithms = members.parsed("allowed_alg", &allowed, |name| {
        Algorithm::by_name(name).filter(can_verify)
    });
    if algorithms.as_ref().is_some_and(Vec::is_empty) {
        members.fault("allowed_alg", "no algorithm", "at least one");
    }
    algorithms.unwrap_or_else(|| Algorithm::DEFAULT.to_vec())
}

/// Keycloak's other tokens are signed by the same keys; to accept them here would turn a proof of
/// login, or a token that lives for weeks, into an access token (RFC 8725, 2.8 and 3.12).
fn types(members: &Members) -> Vec<String> {
    let allowed =
        "types of access tokens; not those of ID, refresh, offline, logout or registration tokens";
    let forbidden = [
        "ID",
        "Refresh",
        "Offline",
        "Logout",
        "RegistrationAccessToken",
        "InitialAccessToken",
    ];
    let types = members.parsed("allowed_typ", allowed, |typ| {
        let weak = forbidden
            .iter()
            .any(|other| other.eq_ignore_ascii_case(typ));
        (!weak).then(|| typ.to_owned())
    });
    if types.as_ref().is_some_and(Vec::is_empty) {
        members.fault("allowed_typ", "no type", "at least one");
    }
    types.unwrap_or_else(|| vec!["Bearer".to_owned()])
}
