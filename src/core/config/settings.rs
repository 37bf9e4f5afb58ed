//! The whole configuration, validated.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::abilities;
use super::issuer::{self, Issuer, IssuerDefaults};
use super::policy::Policy;
use super::reader::{At, Fault, Findings, Members, quote};
use super::token::IssuerRules;
use super::{caller, client, endpoints, envoy_struct, rules, upstream_jwt};
use crate::abilities::Abilities;
use crate::caller::consumers::Consumers;
use crate::jose::algorithm::{Algorithm, Family};
use crate::json::{self, Limits};
use crate::keys::cache::Timing;
use crate::request::Request;
use crate::time::Millis;
use crate::upstream_jwt::claims::Claims;
use crate::upstream_jwt::key_set::KeySet;

const LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    depth: 16,
};

/// So many verified tokens are kept unless the configuration says otherwise: some 25 MB.
const TOKENS: usize = 5000;
const MAX_TOKENS: f64 = 100_000.0;

/// Everything that a gate needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub issuers: Vec<Issuer>,
    /// Issuers whose tokens are refused, whatever else is said of them.
    pub blocked: Vec<String>,
    pub consumers: Consumers,
    /// For routes that name no policy.
    pub base: Policy,
    pub policies: BTreeMap<String, Policy>,
    pub timing: Timing,
    /// Documents that the gateway answers with itself.
    pub key_sets: Vec<Rc<KeySet>>,
    /// Whether the names of service and route matter to some policy.
    pub asks_for_service: bool,
    pub asks_for_route: bool,
    /// Whether key sets are shared among the gateway's workers; `None`: as the host suggests.
    pub shared_key_cache: Option<bool>,
    /// Whether the log says how each decision came about, or of refusals only.
    pub logs_every_decision: bool,
    /// So many verified tokens are kept in each worker.
    pub token_cache_size: usize,
}

/// A configuration that can be used, with what its author should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    pub warnings: Vec<String>,
}

impl Settings {
    /// An issuer that a policy accepts, and what the policy asks of its tokens.
    #[must_use]
    pub fn accepted<'a>(
        &'a self,
        policy: &'a Policy,
        issuer: usize,
    ) -> Option<(&'a Issuer, &'a IssuerRules)> {
        self.issuers.get(issuer).zip(policy.rules_of(issuer))
    }

    /// The document that a request asks for, if it does.
    #[must_use]
    pub fn key_set(&self, request: &Request) -> Option<&Rc<KeySet>> {
        self.key_sets.iter().find(|set| set.is_asked_for(request))
    }

    /// The policy of a route: the base policy if it names none.
    #[must_use]
    pub fn policy(&self, name: Option<&str>) -> Option<&Policy> {
        match name {
            None => Some(&self.base),
            Some(name) => self.policies.get(name),
        }
    }

    /// All that routes may name, and what counts where they name none.
    pub fn every_policy(&self) -> impl Iterator<Item = &Policy> {
        std::iter::once(&self.base).chain(self.policies.values())
    }
}

/// Reads a configuration for a host with these abilities.
///
/// # Errors
/// Every [`Fault`] that it has.
pub fn load(text: &[u8], abilities: Abilities) -> Result<Loaded, Vec<Fault>> {
    let findings = Findings::default();
    let settings = match parse(text) {
        Ok(value) => Members::open("$", &value, &findings).map(|members| read(members, abilities)),
        Err(error) => {
            let found = if text.is_empty() {
                "nothing".to_owned()
            } else {
                error.to_string()
            };
            findings.fault("$", found, "a JSON object");
            None
        }
    };
    match (findings.into_parts(), settings) {
        ((faults, warnings), Some(settings)) if faults.is_empty() => {
            Ok(Loaded { settings, warnings })
        }
        ((faults, _), _) => Err(faults),
    }
}

/// JSON, or what Envoy makes of a `Struct`: its first byte is a line feed and its second a length,
/// which no JSON object begins with but by way of white space.
fn parse(text: &[u8]) -> Result<serde_json::Value, json::JsonError> {
    json::parse(text, LIMITS).or_else(|error| {
        let from_struct = text.first().is_some_and(|tag| *tag == b'\n');
        from_struct
            .then(|| envoy_struct::decode(text))
            .flatten()
            .ok_or(error)
    })
}

fn read(members: Members, abilities: Abilities) -> Settings {
    let nothing = members.nothing();
    let mut issuers = issuer::read_all(&members, &IssuerDefaults::read(&members), &nothing);
    client::share(&members, &mut issuers);
    if issuers.is_empty() {
        members.fault(
            "allowed_iss",
            "no usable issuer",
            "at least one, in allowed_iss or issuers",
        );
    }
    let timing = timing(&members);
    let shared_key_cache = members.boolean("shared_key_cache");
    let logs_every_decision = members.choice("log_decisions", &[("refused", false), ("all", true)]);
    let token_cache_size = members.count("token_cache_size", 0.0..=MAX_TOKENS, "tokens");
    let blocked = members.strings("blocked_iss").unwrap_or_default();
    warn_of_ignored(&members);
    let consumers = caller::consumers(&members);
    let everyone = vec![true; issuers.len()];
    let base_jwt = upstream_jwt::read(&members, None, abilities);
    let mut published: Vec<_> = base_jwt
        .iter()
        .filter_map(|read| read.published.clone())
        .collect();
    let jwt = base_jwt.clone().map(|read| read.jwt);
    let mut base = Policy::read(&members, &issuers, &everyone, &consumers, jwt);
    let mut policies: BTreeMap<_, _> = members
        .named_objects("policies")
        .into_iter()
        .map(|(name, own)| {
            let accepted = accepted_issuers(&own, &issuers).unwrap_or_else(|| everyone.clone());
            let all = own.over(&members);
            let jwt = upstream_jwt::read(&all, base_jwt.as_ref(), abilities);
            published.extend(jwt.iter().filter_map(|read| read.published.clone()));
            let jwt = jwt.map(|read| read.jwt);
            let policy = Policy::read(&all, &issuers, &accepted, &consumers, jwt);
            rules::check_default(&own, policy.rules.is_some());
            check_authorization(&own, [&policy].into_iter());
            own.finish();
            (name, policy)
        })
        .collect();
    let has_rules = |policy: &Policy| policy.rules.is_some();
    rules::check_default(
        &members,
        has_rules(&base) || policies.values().any(has_rules),
    );
    check_authorization(&members, std::iter::once(&base).chain(policies.values()));
    for (index, (issuer, own)) in issuers.iter().enumerate() {
        let every = std::iter::once(&base).chain(policies.values());
        let asked = endpoints::Use::by(every, index);
        endpoints::check_use(own, issuer, asked);
        client::check_use(&members, own, issuer, asked.is_any());
        let is_used = |policy: &Policy| allows_hmac(policy, index);
        if issuer.has_secrets && !is_used(&base) && !policies.values().any(is_used) {
            let found = "secrets, and no algorithm for them";
            let allowed = "HS256, HS384 or HS512 in allowed_alg beside them";
            own.fault("hmac_secrets", found, allowed);
        }
        own.finish();
    }
    abilities::check(&members, &issuers, &base, abilities);
    let key_sets = upstream_jwt::key_sets(&members, &published);
    members.finish();
    for (number, policy) in std::iter::once(&mut base)
        .chain(policies.values_mut())
        .enumerate()
    {
        policy.number = number;
    }
    let asks = |asks: fn(&Claims) -> bool| {
        let jwts = std::iter::once(&base).chain(policies.values());
        let mut jwts = jwts.filter_map(|policy| policy.upstream_jwt.as_ref());
        jwts.any(|jwt| asks(&jwt.claims))
    };
    Settings {
        asks_for_service: asks(Claims::need_service),
        asks_for_route: asks(Claims::need_route),
        key_sets,
        issuers: issuers.into_iter().map(|(issuer, _)| issuer).collect(),
        blocked: blocked.into_iter().map(|iss| iss.value).collect(),
        consumers,
        base,
        policies,
        timing,
        shared_key_cache,
        logs_every_decision: logs_every_decision.unwrap_or(false),
        token_cache_size: token_cache_size.unwrap_or(TOKENS),
    }
}

/// Notes permissions that no request is asked for, of those that `own` states for `policies`.
fn check_authorization<'p>(own: &Members, mut policies: impl Iterator<Item = &'p Policy>) {
    let asks = |At { value, .. }: At<&serde_json::Value>| value.is_object();
    let is_stated = own.get("authorization").is_some_and(asks);
    if is_stated && !policies.any(|policy| endpoints::authorizations(policy).next().is_some()) {
        let found = "permissions where no token is looked at";
        own.fault(
            "authorization",
            found,
            "access, or a rule's, that is required or optional",
        );
    }
}

fn allows_hmac(policy: &Policy, issuer: usize) -> bool {
    let rules = policy.rules_of(issuer);
    let is_hmac = |alg: &Algorithm| alg.family() == Family::Hmac;
    rules.is_some_and(|rules| rules.algorithms.iter().any(is_hmac))
}

/// Fields of jwt-keycloak that can mean nothing here.
fn warn_of_ignored(members: &Members) {
    for (name, text) in [
        (
            "algorithm",
            "ignored, as in jwt-keycloak 1.8; allowed_alg says which algorithms are accepted",
        ),
        (
            "cafile",
            "ignored: the host verifies TLS (Envoy: trusted_ca of the issuer's cluster; Kong: \
             nginx_wasm_tls_trusted_certificate)",
        ),
    ] {
        if let Some(At { path, .. }) = members.string(name) {
            members.findings().warning(&path, text);
        }
    }
}

/// A policy's `allowed_iss`: some of the issuers that the configuration knows.
fn accepted_issuers(members: &Members, issuers: &[(Issuer, Members)]) -> Option<Vec<bool>> {
    let names = members.strings("allowed_iss")?;
    for name in &names {
        if !issuers.iter().any(|(issuer, _)| issuer.iss == name.value) {
            members.findings().fault(
                &name.path,
                quote(&name.value),
                "an issuer that stands in the top's allowed_iss or issuers",
            );
        }
    }
    if names.is_empty() {
        members.fault(
            "allowed_iss",
            "no issuer",
            "at least one, or no allowed_iss",
        );
    }
    let accepted = |issuer: &Issuer| names.iter().any(|name| name.value == issuer.iss);
    Some(issuers.iter().map(|(issuer, _)| accepted(issuer)).collect())
}

fn timing(members: &Members) -> Timing {
    let standard = Timing::default();
    let seconds = |name, range, default: Millis| members.seconds(name, range).unwrap_or(default);
    let timing = Timing {
        callout_timeout: seconds("callout_timeout", 0.1..=60.0, standard.callout_timeout),
        key_wait_timeout: seconds("key_wait_timeout", 0.1..=60.0, standard.key_wait_timeout),
        refresh_interval: seconds(
            "jwks_refresh_interval",
            1.0..=86_400.0,
            standard.refresh_interval,
        ),
        max_stale: seconds("jwks_max_stale", 1.0..=604_800.0, standard.max_stale),
        grace_period: seconds("iss_key_grace_period", 1.0..=60.0, standard.grace_period),
    };
    if timing.max_stale < timing.refresh_interval {
        members.fault(
            "jwks_max_stale",
            "less than jwks_refresh_interval",
            "as long as jwks_refresh_interval or longer: keys would end before they are refreshed",
        );
    }
    timing
}
