//! Whole configurations: what they mean, what is refused, what is warned of.

use super::policy::Policy;
use super::reader::Fault;
use super::settings::{Settings, load};
use crate::abilities::Abilities;
use crate::admission::Access;
use crate::config::policy::UpstreamToken;
use crate::jose::algorithm::Algorithm;
use crate::time::Millis;
use serde_json::{Value, json};

fn settings(config: &Value) -> Settings {
    load(config.to_string().as_bytes(), Abilities::ALL)
        .unwrap()
        .settings
}

fn faults(config: &Value) -> Vec<String> {
    match load(config.to_string().as_bytes(), Abilities::ALL) {
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
    assert_eq!(
        faults(
            &json!({"allowed_iss": ["https://a"], "claims_to_verify": [], "maximum_expiration": 5})
        )
        .len(),
        1
    );
    assert!(
        load(b"", Abilities::ALL).is_err()
            && load(b"[]", Abilities::ALL).is_err()
            && load(br#"{"a":1,"a":1}"#, Abilities::ALL).is_err()
    );
}

#[test]
fn a_policy_says_who_may_pass() {
    let settings = settings(&json!({
        "allowed_iss": ["https://a"], "allowed_aud": "x",
        "header_names": ["Authorization", {"name": "X-Token", "scheme": ""}, {"name": "y", "scheme": "JWT"}],
        "cookie_names": "sid", "access": "optional",
        "require": {"any": [{"scope": "F/*"}, {"not": {"group": ["/a", "/b/*"]}}], "client_id": "c"},
        "policies": {"p": {"access": null, "rules": [], "uri_param_names": [], "upstream_token": "hide"}},
    }));
    let headers = &settings.base.sources.headers;
    let schemes: Vec<_> = headers.iter().map(|h| h.scheme.as_deref()).collect();
    assert_eq!(schemes, [Some("Bearer"), None, Some("JWT")]);
    assert_eq!(settings.base.sources.params, ["jwt"]);
    let text = settings.base.requirement.to_string();
    assert_eq!(
        text,
        "(((scope F/* or not group /a or /b/*) and client id c))"
    );
    let policy = &settings.policies["p"];
    assert_eq!(policy.access, Access::Optional);
    assert_eq!(policy.sources.params, [""; 0]);
    assert_eq!(policy.upstream_token, UpstreamToken::Hide);
}

#[test]
fn expressions_that_cannot_be_meant_are_refused() {
    for bad in [
        json!({}),
        json!([]),
        json!("scope"),
        json!({"any": []}),
        json!({"all": {}}),
        json!({"any": [{}]}),
        json!({"not": {}}),
        json!({"scope": []}),
        json!({"scope": "F*"}),
        json!({"scope": "*"}),
        json!({"scope": "/*"}),
        json!({"scope": "F/*/a"}),
        json!({"group": "a*"}),
        json!({"client_role": "x"}),
        json!({"role": 1}),
        json!({"scopes": "x"}),
        json!({"claim": "a"}),
        json!({"claim": "a..b", "present": true}),
        json!({"claim": [], "present": true}),
        json!({"claim": "a", "equals": {}}),
        json!({"claim": "a", "equals": 1, "prefix": "x"}),
        json!({"claim": "a", "one_of": []}),
        json!({"claim": "a", "present": false}),
        json!({"equals": 1}),
    ] {
        refused("require", &bad);
    }
    let mut deep = json!({"scope": "x"});
    for _ in 0..10 {
        deep = json!({"not": deep});
    }
    refused("require", &deep);
}

#[test]
fn rules_sources_and_callers_that_cannot_be_meant_are_refused() {
    refused("rules", &json!([{"scope": "x"}]));
    refused("rules", &json!([{"path": "orders"}]));
    refused("rules", &json!([{"path": "/a", "methods": ["get"]}]));
    refused("rules", &json!([{"path": "/a", "methods": []}]));
    refused(
        "rules",
        &json!([{"path": "/a", "access": "public", "scope": "x"}]),
    );
    refused("rules", &json!([{"path": "/a", "x": 1}]));
    refused("rules_default", &json!("deny"));
    refused("access", &json!("closed"));
    refused("header_names", &json!([{"scheme": "x"}]));
    refused("header_names", &json!([{"name": "x", "scheme": "a b"}]));
    refused("cookie_names", &json!(["a b"]));
    refused("upstream_token", &json!("secret-text"));
    refused("upstream_token", &json!({"replace": "a\nb"}));
    refused("error_detail", &json!("some"));
    refused("consumers", &json!([{"tags": ["x"]}]));
    refused("consumers", &json!([{"id": "1"}, {"id": "1"}]));
    refused("consumers", &json!([{"id": "1", "tags": ["a,b"]}]));
    refused("claims_to_headers", &json!({"x-consumer-id": "sub"}));
    refused("claims_to_headers", &json!({"X_Consumer_ID": "sub"}));
    refused("claims_to_headers", &json!({"x-a": "sub", "X_A": "azp"}));
    refused("claims_to_headers", &json!({"host": "sub"}));
    refused("claims_to_headers", &json!({":path": "sub"}));
    refused("claims_to_headers", &json!({"x-a": {"format": "json"}}));
    refused(
        "claims_to_headers",
        &json!({"x-a": {"claim": "a", "format": "json", "separator": " "}}),
    );
    refused("claims_to_properties", &json!({"A b": "sub"}));
    refused("report_only_header", &json!("a b"));
    refused("scope_claim", &json!("a..b"));
    refused("client_roles_claim", &json!("a.roles"));
    refused("issuers", &json!([{"iss": "https://b", "name": "A-b"}]));
    refused("issuers", &json!([{"iss": "https://b", "realm": "x"}]));
    let both = json!({"allowed_iss": ["https://a"], "access": "public", "rules": [{"path": "/a"}]});
    assert!(faults(&both)[0].starts_with("$.access: found access beside rules"));
    let keep = json!({"allowed_iss": ["https://a"], "keep_consumer_headers": true, "consumer_match": true});
    assert!(faults(&keep)[0].starts_with("$.keep_consumer_headers"));
}

#[test]
fn a_replacement_for_the_token_is_never_shown() {
    let wrong = faults(
        &json!({"allowed_iss": ["https://a"], "upstream_token": {"replace": "Basic hunter2\n"}}),
    );
    assert!(!wrong[0].contains("hunter2"), "{wrong:?}");
    let good = settings(
        &json!({"allowed_iss": ["https://a"], "upstream_token": {"replace": "Basic hunter2"}}),
    );
    assert!(!format!("{good:?}").contains("hunter2"));
}

/// RFC 7515, A.3.
fn jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn with_keys(more: &Value) -> Value {
    let mut issuer = json!({"iss": "urn:x"});
    let more = more.as_object().unwrap().clone();
    issuer.as_object_mut().unwrap().extend(more);
    json!({"issuers": [issuer], "allowed_aud": "x"})
}

#[test]
fn configured_keys_stand_alone_or_beside_fetched_ones() {
    let issuer = |more: Value| settings(&with_keys(&more)).issuers.remove(0);
    let alone = issuer(json!({"jwks": {"keys": [jwk()]}}));
    assert_eq!((alone.keys.len(), alone.source.is_some()), (1, false));
    let text = json!({"keys": [jwk()]}).to_string();
    let beside = issuer(json!({"jwks": text, "jwks_uri": "https://a/keys"}));
    assert_eq!((beside.keys.len(), beside.source.is_some()), (1, true));
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I";
    for (encoding, secret) in [
        ("text", secret.to_owned()),
        ("base64", format!("{secret}=")),
        ("base64", secret.to_owned()),
        ("base64url", secret.to_owned()),
    ] {
        let secrets = json!([{"secret": secret, "encoding": encoding, "alg": "HS256", "kid": "k"}]);
        let issuer = issuer(json!({"hmac_secrets": secrets, "allowed_alg": ["HS256"]}));
        assert!(issuer.has_secrets && issuer.keys.len() == 1);
    }
}

#[test]
fn keys_that_cannot_be_meant_are_refused_and_never_shown() {
    const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";
    let mut private = jwk();
    private["d"] = json!(SECRET);
    let mut symmetric = json!({"kty": "oct"});
    symmetric["k"] = json!(SECRET);
    let hs = |more: Value| json!({"hmac_secrets": more, "allowed_alg": ["HS256"]});
    for (bad, path) in [
        (json!({"jwks": {"keys": [jwk(), private]}}), "jwks.keys[1]"),
        (json!({"jwks": {"keys": [symmetric]}}), "jwks.keys[0]"),
        (
            json!({"jwks": {"keys": [{"kty": "RSA", "use": "enc"}]}}),
            "jwks.keys[0]",
        ),
        (json!({"jwks": {"keys": []}}), "jwks"),
        (json!({"jwks": {}}), "jwks"),
        (json!({"jwks": SECRET}), "jwks"),
        (json!({"public_keys": SECRET}), "public_keys"),
        (json!({"public_keys": []}), "public_keys"),
        (json!({"public_keys": [7]}), "public_keys[0]"),
        (json!({"public_keys": [{"kid": "a"}]}), "public_keys[0].pem"),
        (
            json!({"public_keys": [{"pem": SECRET, "x": 1}]}),
            "public_keys[0].x",
        ),
        (
            json!({"public_keys": [{"pem": SECRET, "alg": "RS1"}]}),
            "public_keys[0].alg",
        ),
        (
            json!({"hmac_secrets": [{"secret": SECRET}]}),
            "hmac_secrets",
        ),
        (hs(json!([])), "hmac_secrets"),
        (hs(json!([SECRET])), "hmac_secrets[0]"),
        (hs(json!([{"secret": 123_456}])), "hmac_secrets[0].secret"),
        (hs(json!([{"secret": "hunter2"}])), "hmac_secrets[0].secret"),
        (
            hs(json!([{"secret": SECRET, "encoding": "base64"}])),
            "hmac_secrets[0].secret",
        ),
        (
            hs(json!([{"secret": SECRET, "encoding": "hex"}])),
            "hmac_secrets[0].encoding",
        ),
        (
            hs(json!([{"secret": SECRET, "alg": "RS256"}])),
            "hmac_secrets[0].alg",
        ),
        (
            hs(json!([{"secret": SECRET, "alg": "HS512"}])),
            "hmac_secrets[0].secret",
        ),
    ] {
        let faults = faults(&with_keys(&bad));
        let path = format!("$.issuers[0].{path}: ");
        assert!(
            faults.iter().any(|fault| fault.starts_with(&path)),
            "{bad}: {faults:?}"
        );
        let shown = ["hunter2", "123456"];
        assert!(
            !shown.iter().any(|secret| faults.concat().contains(secret)),
            "{faults:?}"
        );
    }
    let loaded = settings(&with_keys(&hs(json!([{"secret": SECRET}]))));
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn issuers_have_labels_of_their_own() {
    let labels = |config: Value| -> Vec<_> {
        let issuers = settings(&config).issuers;
        issuers.into_iter().map(|issuer| issuer.label).collect()
    };
    let several = labels(json!({
        "allowed_iss": ["https://a/realms/Shop-EU", "https://b/realms/shop_eu/", "https://login.example"],
        "issuers": [{"iss": "https://c/none"}, {"iss": "https://d/x", "name": "ours"}, {"iss": "https://e/", "name": "shop_eu"}],
    }));
    assert_eq!(
        several,
        [
            "shop_eu",
            "shop_eu_2",
            "login_example",
            "issuer",
            "ours",
            "shop_eu_3"
        ]
    );
}

#[test]
fn consumers_of_kongs_database_are_a_warning() {
    let warnings = |config: Value| {
        load(config.to_string().as_bytes(), Abilities::ALL)
            .unwrap()
            .warnings
    };
    let base = |more: Value| {
        let mut config = json!({"allowed_iss": ["https://a"], "allowed_aud": ["x"]});
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        config
    };
    let is_warned = |more: Value, of: &str| {
        let warnings = warnings(base(more));
        assert_eq!(warnings.len(), usize::from(!of.is_empty()), "{warnings:?}");
        assert!(
            warnings.iter().all(|warning| warning.contains(of)),
            "{warnings:?}"
        );
    };
    is_warned(json!({"consumer_match": true}), "Kong's database");
    is_warned(
        json!({"consumer_match": true, "consumers": [{"id": "1"}]}),
        "",
    );
    is_warned(
        json!({"consumer_match": true, "consumer_from_token": true}),
        "",
    );
    is_warned(
        json!({"anonymous": "nobody"}),
        "$.anonymous: not one of consumers",
    );
    is_warned(
        json!({"anonymous": "nobody", "consumers": [{"username": "nobody"}]}),
        "",
    );
    is_warned(json!({"algorithm": "RS256"}), "$.algorithm: ignored");
    is_warned(json!({"cafile": "/etc/ca.pem"}), "$.cafile: ignored");
    is_warned(
        json!({"run_on_preflight": false}),
        "every OPTIONS request passes",
    );
    is_warned(json!({"report_only": true}), "every request passes");
}

#[test]
fn what_weakens_the_lock_is_a_warning() {
    let warnings = |config: Value| {
        load(config.to_string().as_bytes(), Abilities::ALL)
            .unwrap()
            .warnings
    };
    assert!(warnings(json!({"allowed_iss": ["https://a"], "allowed_aud": ["x"]})).is_empty());
    assert!(warnings(json!({"allowed_iss": ["https://a"]}))[0].contains("no allowed_aud"));
    let off = json!({"allowed_iss": ["https://a"], "allowed_aud": ["x"], "claims_to_verify": {}});
    assert!(warnings(off)[0].contains("expired tokens pass"));
    let pattern = json!({"allowed_iss": ["https://.*"], "allowed_aud": ["x"]});
    assert!(warnings(pattern)[0].contains("pattern"));
}

#[test]
fn what_the_host_cannot_do_is_a_fault() {
    let config = json!({
        "callout_target": "http://kc:8080",
        "issuers": [
            {"iss": "https://kc/a", "callout_target": "outbound|80||kc"},
            {"iss": "https://kc/b", "callout_target": "kc:8080"},
        ],
        "policies": {"orders": {}},
        "upstream_token": "hide",
        "unknown": 1,
    });
    let text = config.to_string();
    let paths = |abilities| -> Vec<String> {
        let faults = load(text.as_bytes(), abilities).unwrap_err();
        faults.into_iter().map(|fault| fault.path).collect()
    };
    assert_eq!(paths(Abilities::ALL), ["$.unknown"]);
    let none = Abilities {
        named_policies: false,
        named_targets: false,
        edits_path: false,
        removes_headers: false,
        wakes_requests: false,
        holds_head: false,
        signs: false,
    };
    assert_eq!(
        paths(none),
        [
            "$.policies",
            "$.upstream_token",
            "$.callout_target",
            "$.issuers[0].callout_target",
            "$.unknown",
        ]
    );
    let fine = json!({
        "allowed_iss": "https://kc/a",
        "callout_target": "kc:8080",
        "upstream_token": "hide",
        "uri_param_names": [],
    });
    assert!(load(fine.to_string().as_bytes(), none).is_ok());
}
