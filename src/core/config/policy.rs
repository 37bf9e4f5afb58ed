//! What is asked of a request and its token. The top of the configuration is the base policy;
//! `policies` holds named ones that change some of it for the routes that choose them.

use super::reader::{At, Findings, Members, quote};
use crate::authorization::{ClientRole, Requirements};
use crate::claims::ClaimRules;
use crate::jose::algorithm::Algorithm;
use crate::time::Millis;

/// `max_token_size`: Keycloak tokens with many roles reach some kilobytes; gateways take 8 to
/// 60 kB of headers.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A policy in force: every default filled in.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where tokens are looked for, in lower case.
    pub header_names: Vec<String>,
    pub max_token_bytes: usize,
    /// The challenge's realm.
    pub realm: String,
    pub requirements: Requirements,
    /// By the issuer's index; `None` where the policy does not accept it.
    pub issuers: Vec<Option<IssuerRules>>,
}

/// What a policy asks of the tokens of one issuer.
#[derive(Clone, Debug)]
pub struct IssuerRules {
    pub algorithms: Vec<Algorithm>,
    pub claims: ClaimRules,
}

/// Fields that may stand at the top, in an issuer and in a policy. The most specific wins: the
/// policy's, then the issuer's, then the top's.
#[derive(Clone, Debug, Default)]
pub struct TokenFields {
    pub allowed_alg: Option<Vec<Algorithm>>,
    pub allowed_aud: Option<Vec<String>>,
    pub allowed_typ: Option<Vec<String>>,
    pub clock_skew: Option<Millis>,
}

/// Fields of a policy, as far as it states them.
#[derive(Clone, Debug, Default)]
pub struct PolicyFields {
    pub token: TokenFields,
    header_names: Option<Vec<String>>,
    max_token_bytes: Option<usize>,
    realm: Option<String>,
    claims_to_verify: Option<Vec<String>>,
    maximum_expiration: Option<Millis>,
    scopes: Option<Vec<String>>,
    realm_roles: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    client_roles: Option<Vec<ClientRole>>,
}

impl TokenFields {
    #[must_use]
    pub fn read(members: &Members) -> Self {
        Self {
            allowed_alg: algorithms(members),
            allowed_aud: members.strings("allowed_aud").map(values),
            allowed_typ: types(members),
            // More would keep expired tokens alive; clocks are better than that.
            clock_skew: members.seconds("clock_skew", 0.0..=300.0),
        }
    }

    fn or(&self, other: &Self) -> Self {
        Self {
            allowed_alg: self
                .allowed_alg
                .clone()
                .or_else(|| other.allowed_alg.clone()),
            allowed_aud: self
                .allowed_aud
                .clone()
                .or_else(|| other.allowed_aud.clone()),
            allowed_typ: self
                .allowed_typ
                .clone()
                .or_else(|| other.allowed_typ.clone()),
            clock_skew: self.clock_skew.or(other.clock_skew),
        }
    }
}

impl PolicyFields {
    #[must_use]
    pub fn read(members: &Members) -> Self {
        Self {
            token: TokenFields::read(members),
            header_names: header_names(members),
            max_token_bytes: members.bytes("max_token_size", 512.0..=65_536.0),
            realm: realm(members),
            claims_to_verify: claims_to_verify(members),
            maximum_expiration: members.seconds("maximum_expiration", 0.0..=31_536_000.0),
            scopes: scopes(members),
            realm_roles: members.strings("realm_roles").map(values),
            roles: members.strings("roles").map(values),
            client_roles: client_roles(members),
        }
    }

    /// Fills in from `base` what is not stated.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self {
            token: self.token.clone(),
            header_names: self
                .header_names
                .clone()
                .or_else(|| base.header_names.clone()),
            max_token_bytes: self.max_token_bytes.or(base.max_token_bytes),
            realm: self.realm.clone().or_else(|| base.realm.clone()),
            claims_to_verify: self
                .claims_to_verify
                .clone()
                .or_else(|| base.claims_to_verify.clone()),
            maximum_expiration: self.maximum_expiration.or(base.maximum_expiration),
            scopes: self.scopes.clone().or_else(|| base.scopes.clone()),
            realm_roles: self
                .realm_roles
                .clone()
                .or_else(|| base.realm_roles.clone()),
            roles: self.roles.clone().or_else(|| base.roles.clone()),
            client_roles: self
                .client_roles
                .clone()
                .or_else(|| base.client_roles.clone()),
        }
    }

    /// The policy in force. `top` and each of `issuers` state what the policy may leave open.
    #[must_use]
    pub fn resolve<'a>(
        &self,
        path: &str,
        top: &TokenFields,
        issuers: impl Iterator<Item = (&'a TokenFields, bool)>,
        findings: &Findings,
    ) -> Policy {
        let verifies = |claim: &str| match &self.claims_to_verify {
            // jwt-keycloak's default.
            None => claim == "exp",
            Some(claims) => claims.iter().any(|name| name == claim),
        };
        let maximum_expiration = self.maximum_expiration.filter(|maximum| maximum.0 > 0);
        if maximum_expiration.is_some() && !verifies("exp") {
            findings.fault(
                &format!("{path}.maximum_expiration"),
                "a maximum, and a claims_to_verify without exp",
                "0, or exp in claims_to_verify",
            );
        }
        let rules = |own: &TokenFields| {
            let token = self.token.or(own).or(top);
            IssuerRules {
                algorithms: token
                    .allowed_alg
                    .unwrap_or_else(|| Algorithm::DEFAULT.to_vec()),
                claims: ClaimRules {
                    clock_skew: token.clock_skew.unwrap_or_default(),
                    require_exp: verifies("exp"),
                    require_nbf: verifies("nbf"),
                    maximum_expiration,
                    audiences: token.allowed_aud.filter(|audiences| !audiences.is_empty()),
                    types: token
                        .allowed_typ
                        .unwrap_or_else(|| vec!["Bearer".to_owned()]),
                },
            }
        };
        let policy = Policy {
            header_names: self
                .header_names
                .clone()
                .unwrap_or_else(|| vec!["authorization".to_owned()]),
            max_token_bytes: self.max_token_bytes.unwrap_or(MAX_TOKEN_BYTES),
            realm: self.realm.clone().unwrap_or_else(|| "keycloak".to_owned()),
            requirements: Requirements {
                scopes: self.scopes.clone().unwrap_or_default(),
                realm_roles: self.realm_roles.clone().unwrap_or_default(),
                roles: self.roles.clone().unwrap_or_default(),
                client_roles: self.client_roles.clone().unwrap_or_default(),
            },
            issuers: issuers
                .map(|(own, accepted)| accepted.then(|| rules(own)))
                .collect(),
        };
        policy.warn(path, findings);
        policy
    }
}

impl Policy {
    fn warn(&self, path: &str, findings: &Findings) {
        let accepted = || self.issuers.iter().flatten();
        if accepted().any(|rules| rules.claims.audiences.is_none()) {
            findings.warning(path, "no allowed_aud: any token of the realm passes, whomever it was issued for (RFC 8725, 3.9)");
        }
        if accepted().any(|rules| !rules.claims.require_exp) {
            findings.warning(path, "claims_to_verify has no exp: expired tokens pass");
        }
        if self.header_names.is_empty() {
            findings.warning(path, "header_names is empty: no request can pass");
        }
    }
}

fn values(list: Vec<At<String>>) -> Vec<String> {
    list.into_iter().map(|item| item.value).collect()
}

/// Reads a list of strings, each of which `parse` must take.
fn parsed<T>(
    members: &Members,
    name: &'static str,
    allowed: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    let items = members.strings(name)?;
    let parsed = items.into_iter().filter_map(|At { path, value }| {
        let parsed = parse(&value);
        if parsed.is_none() {
            members.findings().fault(&path, quote(&value), allowed);
        }
        parsed
    });
    Some(parsed.collect())
}

fn algorithms(members: &Members) -> Option<Vec<Algorithm>> {
    let names: Vec<_> = Algorithm::ALL.iter().map(|alg| alg.name()).collect();
    let allowed = format!("one of {}", names.join(", "));
    let algorithms = parsed(members, "allowed_alg", &allowed, Algorithm::by_name)?;
    if algorithms.is_empty() {
        members.fault("allowed_alg", "no algorithm", "at least one");
    }
    Some(algorithms)
}

/// Keycloak's other tokens are signed by the same keys; to accept them here would turn a proof of
/// login, or a token that lives for weeks, into an access token (RFC 8725, 2.8 and 3.12).
fn types(members: &Members) -> Option<Vec<String>> {
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
    let types = parsed(members, "allowed_typ", allowed, |typ| {
        let weak = forbidden
            .iter()
            .any(|other| other.eq_ignore_ascii_case(typ));
        (!weak).then(|| typ.to_owned())
    })?;
    if types.is_empty() {
        members.fault("allowed_typ", "no type", "at least one");
    }
    Some(types)
}

fn header_names(members: &Members) -> Option<Vec<String>> {
    // RFC 9110, 5.1 and 5.6.2.
    parsed(members, "header_names", "a header's name", |name| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        name.bytes().all(token).then(|| name.to_ascii_lowercase())
    })
}

fn realm(members: &Members) -> Option<String> {
    let At { path, value } = members.string("realm")?;
    // RFC 9110, 5.6.4: what needs no escape in a quoted string.
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if !value.bytes().all(plain) {
        members.findings().fault(
            &path,
            quote(&value),
            "printable ASCII without quotes and backslashes",
        );
    }
    Some(value)
}

fn claims_to_verify(members: &Members) -> Option<Vec<String>> {
    parsed(members, "claims_to_verify", "exp or nbf", |claim| {
        ["exp", "nbf"].contains(&claim).then(|| claim.to_owned())
    })
}

fn scopes(members: &Members) -> Option<Vec<String>> {
    // RFC 6749, 3.3: scope-token.
    parsed(
        members,
        "scope",
        "one scope, without blanks, quotes and backslashes",
        |scope| {
            let token = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'"' && byte != b'\\';
            scope.bytes().all(token).then(|| scope.to_owned())
        },
    )
}

fn client_roles(members: &Members) -> Option<Vec<ClientRole>> {
    // As jwt-keycloak: split at the last colon, for client ids may have one.
    parsed(members, "client_roles", "CLIENT:ROLE", |text| {
        let (client, role) = text.rsplit_once(':')?;
        (!client.is_empty() && !role.is_empty()).then(|| ClientRole {
            client: client.to_owned(),
            role: role.to_owned(),
        })
    })
}
