//! The whole configuration, validated.

use std::collections::BTreeMap;

use super::issuer::{self, Issuer, IssuerDefaults};
use super::policy::Policy;
use super::reader::{At, Fault, Findings, Members, quote};
use super::{caller, envoy_struct};
use crate::caller::consumers::Consumers;
use crate::json::{self, Limits};
use crate::keys::cache::Timing;
use crate::time::Millis;

const LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    depth: 16,
};

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
    /// Whether key sets are shared among the gateway's workers; `None`: as the host suggests.
    pub shared_key_cache: Option<bool>,
}

/// A configuration that can be used, with what its author should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    pub warnings: Vec<String>,
}

impl Settings {
    /// The policy of a route: the base policy if it names none.
    #[must_use]
    pub fn policy(&self, name: Option<&str>) -> Option<&Policy> {
        match name {
            None => Some(&self.base),
            Some(name) => self.policies.get(name),
        }
    }
}

/// Reads a configuration.
///
/// # Errors
/// Every [`Fault`] that it has.
pub fn load(text: &[u8]) -> Result<Loaded, Vec<Fault>> {
    let findings = Findings::default();
    let settings = match parse(text) {
        Ok(value) => Members::open("$", &value, &findings).map(read),
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

fn read(members: Members) -> Settings {
    let nothing = members.nothing();
    let issuers = issuer::read_all(&members, &IssuerDefaults::read(&members), &nothing);
    if issuers.is_empty() {
        members.fault(
            "allowed_iss",
            "no usable issuer",
            "at least one, in allowed_iss or issuers",
        );
    }
    let timing = timing(&members);
    let shared_key_cache = members.boolean("shared_key_cache");
    let blocked = members.strings("blocked_iss").unwrap_or_default();
    warn_of_ignored(&members);
    let consumers = caller::consumers(&members);
    let everyone = vec![true; issuers.len()];
    let base = Policy::read(&members, &issuers, &everyone, &consumers);
    let policies = members
        .named_objects("policies")
        .into_iter()
        .map(|(name, own)| {
            let accepted = accepted_issuers(&own, &issuers).unwrap_or_else(|| everyone.clone());
            let policy = Policy::read(&own.over(&members), &issuers, &accepted, &consumers);
            own.finish();
            (name, policy)
        })
        .collect();
    for (_, own) in &issuers {
        own.finish();
    }
    members.finish();
    Settings {
        issuers: issuers.into_iter().map(|(issuer, _)| issuer).collect(),
        blocked: blocked.into_iter().map(|iss| iss.value).collect(),
        consumers,
        base,
        policies,
        timing,
        shared_key_cache,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::algorithm::Algorithm;
    use serde_json::{Value, json};

    fn settings(config: &Value) -> Settings {
        load(config.to_string().as_bytes()).unwrap().settings
    }

    fn faults(config: &Value) -> Vec<String> {
        match load(config.to_string().as_bytes()) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(Fault::to_string).collect(),
        }
    }

    /// Asserts that a field alone, in an otherwise good configuration, is a fault at its path.
    fn refused(name: &str, value: &Value) {
        let mut config = json!({"allowed_iss": ["https://a"], "allowed_aud": ["x"]});
        config[name] = value.clone();
        let faults = faults(&config);
        let path = format!("$.{name}");
        assert!(
            faults.iter().any(|f| f.starts_with(&path)),
            "{name}={value}: {faults:?}"
        );
    }

    #[test]
    fn jwt_keycloaks_own_configuration_keeps_its_meaning() {
        let settings = settings(&json!({
            "allowed_iss": ["https://sso/realms/demo"], "claims_to_verify": ["exp", "nbf"],
            "maximum_expiration": 300, "iss_key_grace_period": 20, "header_names": ["X-Token"],
            "well_known_template": "http://kc:8080/%s/wk", "scope": ["a"], "realm_roles": ["b"],
            "roles": ["c"], "client_roles": ["d:e:f"],
        }));
        let policy = settings.base;
        assert_eq!(policy.sources.headers[0].name, "x-token");
        let text = policy.requirement.to_string();
        assert_eq!(
            text,
            "(scope a and realm role b and role c and client role d:e:f)"
        );
        let rules = policy.issuers[0].as_ref().unwrap();
        assert!(rules.claims.require_exp && rules.claims.require_nbf);
        assert_eq!(
            rules.claims.maximum_expiration,
            Some(Millis::from_secs(300))
        );
        assert_eq!(rules.algorithms, Algorithm::DEFAULT);
        assert_eq!(settings.timing.grace_period, Millis::from_secs(20));
    }

    #[test]
    fn the_most_specific_setting_wins() {
        let settings = settings(&json!({
            "issuers": [
                {"iss": "https://a", "allowed_aud": "own", "clock_skew": 5},
                {"iss": "https://b"},
            ],
            "allowed_aud": ["top"], "clock_skew": 1, "scope": ["s"],
            "policies": {"p": {"allowed_aud": ["route"], "realm_roles": ["r"], "allowed_iss": ["https://b"]}},
        }));
        let aud = |policy: &Policy, issuer: usize| {
            policy.issuers[issuer]
                .as_ref()
                .map(|rules| rules.claims.audiences.clone().unwrap())
        };
        assert_eq!(aud(&settings.base, 0).unwrap(), ["own"]);
        assert_eq!(aud(&settings.base, 1).unwrap(), ["top"]);
        let policy = settings.policy(Some("p")).unwrap();
        assert_eq!(aud(policy, 0), None);
        assert_eq!(aud(policy, 1).unwrap(), ["route"]);
        let text = policy.requirement.to_string();
        assert_eq!(text, "(scope s and realm role r)");
        let skew = |issuer: usize| {
            settings.base.issuers[issuer]
                .as_ref()
                .unwrap()
                .claims
                .clock_skew
        };
        assert_eq!((skew(0), skew(1)), (Millis(5000), Millis(1000)));
        assert!(settings.policy(Some("q")).is_none());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = faults(&json!({
            "alowed_iss": ["https://a"], "clock_skew": "5", "maximum_expiration": -1,
            "policies": {"a b": {"scope": ["x y"]}},
        }));
        for start in [
            "$.alowed_iss: found an unknown field; allowed: one of well_known_template,",
            "$.allowed_iss: found no usable issuer",
            "$.clock_skew: found \"5\"; allowed: 0 to 300 seconds",
            "$.maximum_expiration: found -1; allowed: 0 to 31536000 seconds",
            "$.policies[\"a b\"].scope[0]: found \"x y\"",
        ] {
            assert!(
                faults.iter().any(|f| f.starts_with(start)),
                "{start}: {faults:?}"
            );
        }
    }

    #[test]
    fn weak_and_contradictory_settings_are_refused() {
        for alg in ["none", "HS256", "RSA-OAEP", ""] {
            refused("allowed_alg", &json!([alg]));
        }
        refused("allowed_alg", &json!([]));
        refused("allowed_typ", &json!(["Bearer", "ID"]));
        refused("clock_skew", &json!(301));
        refused("iss_key_grace_period", &json!(0));
        refused("jwks_max_stale", &json!(10));
        refused("max_token_size", &json!(100_000));
        refused("claims_to_verify", &json!(["aud"]));
        refused("client_roles", &json!(["role"]));
        refused("header_names", &json!([":path"]));
        refused("realm", &json!("a\"b"));
        refused("scope", &json!({"a": 1}));
        refused("well_known_template", &json!("%s/%s"));
        refused("issuers", &json!([{"iss": "https://a"}]));
        refused("issuers", &json!([{"iss": "b"}]));
        refused(
            "issuers",
            &json!([{"iss": "https://b", "jwks_uri": "ftp://x"}]),
        );
        refused(
            "issuers",
            &json!([{"iss": "https://b", "jwks_uri": "https://u:p@x"}]),
        );
        refused(
            "issuers",
            &json!([{"iss": "b", "jwks_uri": "https://x", "well_known_uri": "https://x"}]),
        );
        refused("issuers", &json!([{"jwks_uri": "https://x"}]));
        refused("policies", &json!({"p": {"allowed_iss": ["https://c"]}}));
        refused("policies", &json!({"p": {"callout_timeout": 1}}));
        assert_eq!(faults(&json!({"allowed_iss": ["https://a"], "claims_to_verify": [], "maximum_expiration": 5})).len(), 1);
        assert!(load(b"").is_err() && load(b"[]").is_err() && load(br#"{"a":1,"a":1}"#).is_err());
    }

    #[test]
    fn what_weakens_the_lock_is_a_warning() {
        let warnings = |config: Value| load(config.to_string().as_bytes()).unwrap().warnings;
        assert!(warnings(json!({"allowed_iss": ["https://a"], "allowed_aud": ["x"]})).is_empty());
        assert!(warnings(json!({"allowed_iss": ["https://a"]}))[0].contains("no allowed_aud"));
        let off =
            json!({"allowed_iss": ["https://a"], "allowed_aud": ["x"], "claims_to_verify": {}});
        assert!(warnings(off)[0].contains("expired tokens pass"));
        let pattern = json!({"allowed_iss": ["https://.*"], "allowed_aud": ["x"]});
        assert!(warnings(pattern)[0].contains("pattern"));
    }
}
