//! `filter-config/jwt_keycloak.schema.json` says what the filter reads: the same names at each
//! level, and the defaults that it states. That it takes and refuses the same configurations is
//! checked by `tests/e2e/test_schema.py`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jwt_keycloak_core::abilities::Abilities;
use jwt_keycloak_core::config;
use serde_json::{Map, Value, json};

fn schema() -> Value {
    let file = "../filter-config/jwt_keycloak.schema.json";
    let text = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// A part of the schema by its pointer, references followed.
fn part<'a>(schema: &'a Value, pointer: &str) -> &'a Value {
    let found = schema
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{pointer} is not there"));
    match found.get("$ref").and_then(Value::as_str) {
        Some(reference) => part(schema, reference.trim_start_matches('#')),
        None => found,
    }
}

fn properties(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let properties = part(schema, pointer)["properties"].as_object().unwrap();
    properties.keys().cloned().collect()
}

/// A configuration that is good but for `more`.
fn with(more: Value) -> Value {
    let mut configuration = json!({"allowed_iss": ["https://sso.example/realms/demo"]});
    let members = configuration.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    configuration
}

/// What may stand beside a field that nobody knows, by the fault that it makes.
fn known_beside(path: &str, configuration: &Value) -> BTreeSet<String> {
    let faults = config::load(configuration.to_string().as_bytes(), Abilities::ALL).unwrap_err();
    let fault = faults.iter().find(|fault| fault.path == path);
    let fault = fault.unwrap_or_else(|| panic!("{path} is no fault: {faults:?}"));
    let names = fault.allowed.strip_prefix("one of ").unwrap();
    names.split(", ").map(str::to_owned).collect()
}

#[test]
fn each_level_has_the_same_names() {
    let schema = schema();
    for (pointer, path, configuration) in [
        ("", "$.zz", json!({"zz": 1})),
        (
            "/definitions/issuer",
            "$.issuers[0].zz",
            json!({"issuers": [{"iss": "https://b", "zz": 1}]}),
        ),
        (
            "/definitions/policy",
            "$.policies.p.zz",
            json!({"policies": {"p": {"zz": 1}}}),
        ),
        (
            "/definitions/rule",
            "$.rules[0].zz",
            json!({"rules": [{"path": "/a", "zz": 1}]}),
        ),
        (
            "/definitions/expression",
            "$.require.zz",
            json!({"require": {"zz": 1}}),
        ),
        (
            "/definitions/consumer",
            "$.consumers[0].zz",
            json!({"consumers": [{"zz": 1}]}),
        ),
        (
            "/definitions/hmacSecret",
            "$.issuers[0].hmac_secrets[0].zz",
            json!({"issuers": [{"iss": "https://b", "hmac_secrets": [{"zz": 1}]}]}),
        ),
        (
            "/definitions/client",
            "$.client.zz",
            json!({"client": {"client_id": "g", "client_secret": "s", "zz": 1}}),
        ),
        (
            "/definitions/introspection",
            "$.introspection.zz",
            json!({"introspection": {"zz": 1}}),
        ),
        (
            "/definitions/authorization",
            "$.authorization.zz",
            json!({"authorization": {"zz": 1}}),
        ),
        (
            "/definitions/pushedClaim",
            "$.authorization.claims.a.zz",
            json!({"authorization": {"claims": {"a": {"zz": 1}}}}),
        ),
        (
            "/definitions/upstreamJwt",
            "$.upstream_jwt.zz",
            json!({"upstream_jwt": {"issuer": "g", "keys": {"secret": "s".repeat(32)}, "zz": 1}}),
        ),
        (
            "/definitions/signingKey/anyOf/1",
            "$.upstream_jwt.keys.zz",
            json!({"upstream_jwt": {"issuer": "g", "keys": {"secret": "s".repeat(32), "zz": 1}}}),
        ),
    ] {
        assert_eq!(
            properties(&schema, pointer),
            known_beside(path, &with(configuration)),
            "{pointer}"
        );
    }
}

#[test]
fn the_readme_has_every_field() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let schema = schema();
    for pointer in [
        "",
        "/definitions/issuer",
        "/definitions/policy",
        "/definitions/client",
        "/definitions/introspection",
        "/definitions/authorization",
        "/definitions/upstreamJwt",
    ] {
        for name in properties(&schema, pointer) {
            let quoted = format!("`{name}`");
            let first_cells = readme
                .lines()
                .filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
            let mut rows = first_cells.filter(|cell| cell.contains(&quoted));
            assert!(rows.next().is_some(), "README.md has no row for {name}");
        }
    }
}

#[test]
fn the_defaults_are_what_holds_when_nothing_is_said() {
    let schema = schema();
    let settings = |configuration: &Value| {
        let loaded = config::load(configuration.to_string().as_bytes(), Abilities::ALL);
        format!(
            "{:?}",
            loaded
                .unwrap_or_else(|faults| panic!("{faults:?}"))
                .settings
        )
    };
    let mut checked = Vec::new();
    for (name, property) in schema["properties"].as_object().unwrap() {
        let Some(default) = property.get("default") else {
            continue;
        };
        // A default for what no rule matches needs a rule.
        let beside = if name == "rules_default" {
            json!({"rules": [{"path": "/a"}]})
        } else {
            json!({})
        };
        let mut stated = Map::new();
        stated.insert(name.clone(), default.clone());
        stated.extend(beside.as_object().unwrap().clone());
        assert_eq!(
            settings(&with(Value::Object(stated))),
            settings(&with(beside)),
            "{name}"
        );
        checked.push(name.as_str());
    }
    assert!(checked.len() > 20, "{checked:?}");
}
