//! What is asked of a request, and what becomes of it. The top of the configuration is the base
//! policy; `policies` holds named ones that change some of it for the routes that choose them.

use super::authorization::Askable;
use super::caller;
use super::issuer::Issuer;
use super::reader::{At, Findings, Members, describe, quote};
use super::token::IssuerRules;
use super::{authorization, introspection, requirement, rules, sources};
use crate::admission::Access;
use crate::authorization::requirement::Requirement;
use crate::authorization::services::AuthorizationRules;
use crate::caller::CallerRules;
use crate::caller::consumers::Consumers;
use crate::caller::told_claim::header_value;
use crate::claim_rules::ClaimRules;
use crate::refusal::{Answers, Detail};
use crate::request::credentials::TokenSources;
use crate::request::rules::Rules;
use crate::upstream_jwt::UpstreamJwt;

/// `max_token_size`: Keycloak tokens with many roles reach some kilobytes; gateways take 8 to
/// 60 kB of headers.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A policy in force: every default filled in.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Each of a configuration has one of its own.
    pub number: usize,
    pub sources: TokenSources,
    pub max_token_bytes: usize,
    pub upstream_token: UpstreamToken,
    pub access: Access,
    pub preflights: Preflights,
    /// By method and path.
    pub rules: Option<Rules>,
    pub requirement: Requirement,
    /// What Keycloak has to permit.
    pub authorization: Option<AuthorizationRules>,
    pub caller: CallerRules,
    /// What the gateway signs for the upstream, if anything.
    pub upstream_jwt: Option<UpstreamJwt>,
    pub answers: Answers,
    /// Everything passes, and what would have been refused is told.
    pub reports_only: bool,
    /// By the issuer's index; `None` where the policy does not accept it.
    pub issuers: Vec<Option<IssuerRules>>,
}

/// What becomes of the token that the client sent.
#[derive(Clone, Eq, PartialEq)]
pub enum UpstreamToken {
    Keep,
    Hide,
    /// Hidden, and `authorization` has the JWT that its introspection gave, or else itself.
    Introspected,
    /// Hidden, and `authorization` is this.
    Replace(Vec<u8>),
}

/// Which OPTIONS requests pass without a token.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Preflights {
    pub all_options: bool,
    pub cors: bool,
}

impl std::fmt::Debug for UpstreamToken {
    /// The replacement is a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Hide => "Hide",
            Self::Introspected => "Introspected",
            Self::Replace(_) => "Replace(***)",
        })
    }
}

impl Policy {
    /// Reads a policy from its members over those of the top. `accepted` says which of `issuers`
    /// it accepts.
    #[must_use]
    pub fn read(
        members: &Members,
        issuers: &[(Issuer, Members)],
        accepted: &[bool],
        consumers: &Consumers,
        jwt: Option<UpstreamJwt>,
    ) -> Self {
        let times = times(members);
        // Once for what is inherited by nobody, so that these fields are known and checked.
        let has_secrets = issuers.iter().any(|(issuer, _)| issuer.has_secrets);
        let _ = IssuerRules::read(members, &times, has_secrets, None);
        let upstream_token = upstream_token(members);
        let mut of_issuers: Vec<_> = issuers
            .iter()
            .zip(accepted)
            .map(|((issuer, own), accepted)| {
                let client_id = issuer.client.as_ref().map(|client| client.id.as_str());
                let members = members.between(own);
                accepted.then(|| IssuerRules::read(&members, &times, has_secrets, client_id))
            })
            .collect();
        introspection::for_upstream(members, &upstream_token, &mut of_issuers);
        let askable = Askable::of(issuers, &of_issuers);
        let access = rules::access(members);
        let rules = rules::read(members, &askable);
        let by_default = rules.as_ref().map_or(access, |rules| rules.default);
        let is_asked = rules::looks_at_tokens(by_default);
        let policy = Self {
            number: 0,
            sources: sources::read(members),
            max_token_bytes: members
                .bytes("max_token_size", 512.0..=65_536.0)
                .unwrap_or(MAX_TOKEN_BYTES),
            upstream_token,
            access,
            preflights: preflights(members),
            rules,
            requirement: requirement::read(members),
            authorization: authorization::read(members, &askable, is_asked),
            caller: caller::read(members, consumers, jwt.as_ref()),
            upstream_jwt: jwt,
            answers: Answers {
                realm: realm(members).unwrap_or_else(|| "keycloak".to_owned()),
                detail: members
                    .choice(
                        "error_detail",
                        &[
                            ("full", Detail::Full),
                            ("code", Detail::Code),
                            ("none", Detail::None),
                        ],
                    )
                    .unwrap_or_default(),
            },
            reports_only: members.boolean("report_only").unwrap_or(false),
            issuers: of_issuers,
        };
        let sets_authorization = |jwt: &UpstreamJwt| *jwt.header == *"authorization";
        if matches!(
            policy.upstream_token,
            UpstreamToken::Replace(_) | UpstreamToken::Introspected
        ) && policy.upstream_jwt.as_ref().is_some_and(sets_authorization)
        {
            let found = "a replacement, and upstream_jwt in the same header";
            members.fault("upstream_token", found, "hide or keep");
        }
        policy.check_issuers(members, issuers);
        policy.check_permissions(members, issuers, &askable);
        policy.warn(&members.path, members.findings());
        introspection::warn(members, &policy.issuers);
        policy
    }

    /// What it asks of the tokens of an issuer, if it accepts them.
    #[must_use]
    pub fn rules_of(&self, issuer: usize) -> Option<&IssuerRules> {
        self.issuers.get(issuer)?.as_ref()
    }

    /// Notes what is missing for tokens to be shown to their issuers.
    fn check_issuers(&self, members: &Members, issuers: &[(Issuer, Members)]) {
        for ((issuer, own), rules) in issuers.iter().zip(&self.issuers) {
            let Some(rules) = rules else {
                continue;
            };
            match &rules.introspection {
                Some(rules) => {
                    introspection::check(&members.between(own), own, issuer, rules);
                }
                None if !issuer.has_keys() => {
                    let found = "no keys beside it, and a policy without introspection";
                    let allowed = "keys; or introspection in each policy that accepts this issuer";
                    own.fault("introspection_endpoint", found, allowed);
                }
                None => {}
            }
        }
    }

    /// Notes what is missing for a token's own permissions to mean something.
    fn check_permissions(
        &self,
        members: &Members,
        issuers: &[(Issuer, Members)],
        askable: &Askable,
    ) {
        let none = "none, and a permission of the token itself is required";
        let unverified = "tokens that are not verified here, and permissions of their own required";
        let rules = self.rules.iter().flat_map(|rules| &rules.rules);
        let mut all = rules
            .map(|rule| &rule.requirement)
            .chain([&self.requirement]);
        if all.any(requirement::asks_for_permission) {
            if !askable.has_audiences {
                members.fault("allowed_aud", none, authorization::NEEDS_AUDIENCE);
            }
            if !askable.is_local {
                members.fault("introspection", unverified, authorization::NEEDS_LOCAL);
            }
        }
        for ((issuer, own), rules) in issuers.iter().zip(&self.issuers) {
            let Some(rules) = rules else {
                continue;
            };
            if !requirement::asks_for_permission(&issuer.requirement) {
                continue;
            }
            if rules.claims.audiences.is_none() {
                own.fault("allowed_aud", none, authorization::NEEDS_AUDIENCE);
            }
            if !rules.verify_here(issuer) {
                own.fault("introspection", unverified, authorization::NEEDS_LOCAL);
            }
        }
    }

    fn warn(&self, path: &str, findings: &Findings) {
        if self.reports_only {
            findings.warning(path, "report_only: every request passes");
        }
        if self.preflights.all_options {
            findings.warning(
                path,
                "run_on_preflight is false: every OPTIONS request passes; bypass_cors_preflight \
                 lets preflights pass, and nothing else",
            );
        }
        let accepted = || self.issuers.iter().flatten();
        if accepted().any(|rules| rules.claims.audiences.is_none()) {
            findings.warning(path, "no allowed_aud: any token of the realm passes, whomever it was issued for (RFC 8725, 3.9)");
        }
        if accepted().any(|rules| !rules.claims.require_exp) {
            findings.warning(path, "claims_to_verify has no exp: expired tokens pass");
        }
        if self.sources.headers.is_empty()
            && self.sources.params.is_empty()
            && self.sources.cookies.is_empty()
        {
            let text =
                "header_names, uri_param_names and cookie_names are empty: no token is found";
            findings.warning(path, text);
        }
    }
}

/// What a policy says of the claims of time.
fn times(members: &Members) -> ClaimRules {
    let verified = members.parsed("claims_to_verify", "exp or nbf", |claim| {
        ["exp", "nbf"].contains(&claim).then(|| claim.to_owned())
    });
    let verifies = |claim: &str| match &verified {
        // jwt-keycloak's default.
        None => claim == "exp",
        Some(claims) => claims.iter().any(|name| name == claim),
    };
    let maximum_expiration = members
        .seconds("maximum_expiration", 0.0..=31_536_000.0)
        .filter(|maximum| maximum.0 > 0);
    if maximum_expiration.is_some() && !verifies("exp") {
        members.fault(
            "maximum_expiration",
            "a maximum, and a claims_to_verify without exp",
            "0, or exp in claims_to_verify",
        );
    }
    ClaimRules {
        require_exp: verifies("exp"),
        require_nbf: verifies("nbf"),
        maximum_expiration,
        ..ClaimRules::default()
    }
}

fn upstream_token(members: &Members) -> UpstreamToken {
    let Some(At { path, value }) = members.get("upstream_token") else {
        return UpstreamToken::Keep;
    };
    // Whatever is found there may be a credential.
    let fault = |path: &str, found: &str| {
        let allowed = "keep, hide, introspected, or an object with replace, a text for the \
            authorization header";
        members.findings().fault(path, found, allowed);
        UpstreamToken::Hide
    };
    match value.as_str() {
        Some("keep") => UpstreamToken::Keep,
        Some("hide") => UpstreamToken::Hide,
        Some("introspected") => UpstreamToken::Introspected,
        Some(_) => fault(&path, "another text"),
        None if value.is_object() => {
            let Some(members) = Members::open(&path, value, members.findings()) else {
                return UpstreamToken::Hide;
            };
            let text = members.get("replace").map(|at| at.value.as_str());
            members.finish();
            match text.flatten().and_then(header_value) {
                Some(text) => UpstreamToken::Replace(text),
                None => fault(&format!("{path}.replace"), "no text that a header can hold"),
            }
        }
        None => fault(&path, &describe(value)),
    }
}

fn preflights(members: &Members) -> Preflights {
    Preflights {
        all_options: !members.boolean("run_on_preflight").unwrap_or(true),
        cors: members.boolean("bypass_cors_preflight").unwrap_or(false),
    }
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
