//! `client`, endpoints, `introspection` and `authorization`: what they mean, and what is refused.

use serde_json::{Value, json};

use super::policy::{Policy, UpstreamToken};
use super::reader::Fault;
use super::settings::{Loaded, Settings, load};
use crate::abilities::Abilities;
use crate::authorization::permission::Permission;
use crate::authorization::requirement::Requirement;
use crate::authorization::services::{
    AuthorizationRules, DecidedBy, PermissionTemplate, PushedClaim,
};
use crate::inquiry::client::Authentication;
use crate::inquiry::introspection::{IfUnavailable, IntrospectionRules, ResponseKind, When};
use crate::jose::algorithm::Algorithm;
use crate::keys::source::HttpUrl;
use crate::time::Millis;

const ISS: &str = "https://kc/realms/a";
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

/// RFC 8410, 10.3.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU\
    ++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

fn read(config: &Value) -> Result<Loaded, Vec<Fault>> {
    load(config.to_string().as_bytes(), Abilities::ALL)
}

fn settings(config: &Value) -> Settings {
    read(config).unwrap().settings
}

/// The faults without what is allowed.
fn faults(config: &Value) -> Vec<String> {
    let faults = read(config).err().unwrap_or_default();
    let text = |fault: Fault| format!("{}: {}", fault.path, fault.found);
    faults.into_iter().map(text).collect()
}

/// `more` laid over `base`, member by member.
fn merged(mut base: Value, more: &Value) -> Value {
    match (&mut base, more) {
        (Value::Object(members), Value::Object(more)) => {
            for (name, value) in more {
                let below = members.remove(name).unwrap_or(Value::Null);
                members.insert(name.clone(), merged(below, value));
            }
            base
        }
        _ => more.clone(),
    }
}

fn client() -> Value {
    json!({"client_id": "gateway", "client_secret": SECRET})
}

/// One issuer with a client, and introspection; with more.
fn shown(more: &Value) -> Value {
    let base = json!({
        "allowed_iss": ISS, "allowed_aud": "gateway", "client": client(), "introspection": {},
    });
    merged(base, more)
}

/// The same with authorization in place of introspection.
fn asked(authorization: &Value) -> Value {
    let base = json!({
        "allowed_iss": ISS, "allowed_aud": "gateway", "client": client(),
        "authorization": {"permissions": ["orders#read"]},
    });
    merged(base, &json!({"authorization": authorization}))
}

/// With this client alone.
fn by(client: &Value) -> Value {
    json!({"allowed_iss": ISS, "allowed_aud": "x", "client": client, "introspection": {}})
}

fn introspection(policy: &Policy, issuer: usize) -> Option<IntrospectionRules> {
    policy.rules_of(issuer).unwrap().introspection.clone()
}

fn authorization(config: &Value) -> AuthorizationRules {
    settings(config).base.authorization.unwrap()
}

fn fixed(resource: &str, scope: &str) -> PermissionTemplate {
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    PermissionTemplate::Fixed(Permission {
        resource: part(resource),
        scope: part(scope),
    })
}

#[test]
fn a_client_proves_to_be_it_in_one_of_four_ways() {
    let authentication = |more: Value| {
        let client = merged(json!({"client_id": "gateway"}), &more);
        let client = settings(&by(&client)).issuers[0].client.clone().unwrap();
        assert_eq!(client.id, "gateway");
        client.authentication.clone()
    };
    let secret = |method: Value| json!({"client_secret": SECRET, "auth_method": method});
    for method in [json!(null), json!("client_secret_basic")] {
        let basic = authentication(secret(method));
        assert!(matches!(basic, Authentication::SecretBasic(_)));
    }
    let post = authentication(secret(json!("client_secret_post")));
    assert!(matches!(post, Authentication::SecretPost(_)));
    let alg = |authentication| match authentication {
        Authentication::Assertion(key) => (key.alg(), key.kid().map(str::to_owned)),
        other => panic!("{other:?}"),
    };
    let jwt = authentication(secret(json!("client_secret_jwt")));
    assert_eq!(alg(jwt), (Algorithm::Hs256, None));
    for key in [
        json!(PEM),
        json!({"pem": PEM, "kid": "mine", "alg": "EdDSA"}),
    ] {
        let kid = key.get("kid").map(|_| "mine".to_owned());
        for method in [json!(null), json!("private_key_jwt")] {
            let more = json!({"signing_key": key, "auth_method": method});
            let (alg, found) = alg(authentication(more));
            assert_eq!(alg, Algorithm::EdDsa);
            assert!(kid.is_none() || found == kid);
        }
    }
}

#[test]
fn a_client_belongs_to_one_issuer() {
    let ids = |config: &Value| -> Vec<_> {
        let issuers = settings(config).issuers;
        let id = |issuer: &super::issuer::Issuer| issuer.client.as_ref().map(|c| c.id.clone());
        issuers.iter().map(id).collect()
    };
    let own = |iss: &str, id: &str| json!({"iss": iss, "client": {"client_id": id, "client_secret": "s"}});
    let top = json!({"client_id": "top", "client_secret": "s"});
    let text = |id: &str| Some(id.to_owned());
    let config = json!({
        "allowed_iss": ISS, "issuers": [own("https://b", "b")], "client": top,
        "allowed_aud": "x", "introspection": {"opaque_tokens": false},
    });
    assert_eq!(ids(&config), [text("top"), text("b")]);

    let several = merged(config.clone(), &json!({"allowed_iss": [ISS, "https://c"]}));
    assert_eq!(faults(&several), ["$.client: a client of several issuers"]);
    let none = merged(config.clone(), &json!({"allowed_iss": null}));
    assert_eq!(
        faults(&none),
        ["$.client: a client, and issuers that have their own"]
    );
    let in_a_policy = merged(config, &json!({"policies": {"p": {"client": top}}}));
    assert_eq!(
        faults(&in_a_policy),
        ["$.policies.p.client: an unknown field"]
    );
}

#[test]
fn clients_that_cannot_be_meant_are_refused_and_never_shown() {
    let key = |key: Value| json!({"client_id": "g", "signing_key": key});
    let secret = |more: Value| merged(client(), &more);
    for (bad, told) in [
        (json!(SECRET), "$.client: something else"),
        (json!([client()]), "$.client: something else"),
        (
            json!({"client_secret": SECRET}),
            "$.client.client_id: no client_id",
        ),
        (secret(json!({"client_id": 7})), "$.client.client_id: 7"),
        (secret(json!({"client_id": ""})), "$.client.client_id: \"\""),
        (
            secret(json!({"client_id": "a\nb"})),
            "$.client.client_id: a text with controls",
        ),
        (
            json!({"client_id": "g"}),
            "$.client: a client that cannot prove to be it",
        ),
        (
            secret(json!({"client_secret": 123_456})),
            "$.client.client_secret: no text",
        ),
        (
            secret(json!({"client_secret": ""})),
            "$.client.client_secret: no text",
        ),
        (
            secret(json!({"client_secret": format!("{SECRET}\n")})),
            "$.client.client_secret: a text with controls",
        ),
        (
            secret(json!({"client_secret": PEM})),
            "$.client.client_secret: a PEM text",
        ),
        (
            secret(json!({"client_secret": "{vault://env/hunter2}"})),
            "$.client.client_secret: a reference",
        ),
        (
            json!({"client_id": "g", "client_secret": "hunter2", "auth_method": "client_secret_jwt"}),
            "$.client.client_secret: a secret of fewer than 32 bytes",
        ),
        (
            secret(json!({"auth_method": "none"})),
            "$.client.auth_method: \"none\"",
        ),
        (
            secret(json!({"auth_method": "private_key_jwt"})),
            "$.client.auth_method: private_key_jwt, and no signing_key",
        ),
        (
            secret(json!({"signing_key": PEM})),
            "$.client.signing_key: client_secret as well",
        ),
        (
            merged(
                key(json!(PEM)),
                &json!({"auth_method": "client_secret_basic"}),
            ),
            "$.client.auth_method: a method with a secret, and a signing_key",
        ),
        (
            key(json!({"secret": SECRET})),
            "$.client.signing_key: a secret",
        ),
        (
            key(json!("/etc/hunter2.pem")),
            "$.client.signing_key: something that is no key, such as a file's name",
        ),
        (
            key(json!({"pem": PEM, "jwk": {}})),
            "$.client.signing_key: no key, or several",
        ),
        (
            key(json!({"pem": PEM, "use": "sig"})),
            "$.client.signing_key.use: an unknown field",
        ),
        (
            secret(json!({"scope": "x"})),
            "$.client.scope: an unknown field",
        ),
    ] {
        assert_eq!(faults(&by(&bad)), [told], "{bad}");
        let faults = read(&by(&bad)).unwrap_err();
        for secret in ["hunter2", "123456", "MC4C"] {
            let shown = faults.iter().map(Fault::to_string).collect::<String>();
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn nothing_of_a_client_is_printed() {
    for method in [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
    ] {
        let settings = settings(&by(&merged(client(), &json!({"auth_method": method}))));
        assert!(!format!("{settings:?}").contains("hunter2"), "{method}");
    }
    let settings = settings(&by(&json!({"client_id": "g", "signing_key": PEM})));
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("MC4C") && !shown.contains("212, 238"),
        "{shown}"
    );
}

#[test]
fn a_client_or_an_address_that_nobody_asks_as_or_at_is_a_fault() {
    let without = json!({"introspection": null});
    let unused = "a client, and nothing that is asked as it";
    assert_eq!(faults(&shown(&without)), [format!("$.client: {unused}")]);
    let own = |more: Value| {
        let issuer = merged(json!({"iss": ISS, "client": client()}), &more);
        json!({"issuers": [issuer], "allowed_aud": "gateway"})
    };
    assert_eq!(
        faults(&own(json!({}))),
        [format!("$.issuers[0].client: {unused}")]
    );
    let url = "https://kc/x";
    for (name, use_of_it) in [
        ("introspection_endpoint", json!({"introspection": {}})),
        (
            "token_endpoint",
            json!({"authorization": {"permissions": "a"}}),
        ),
        (
            "permission_endpoint",
            json!({"authorization": {"permissions": "a", "uma_challenge": true}}),
        ),
    ] {
        let mut endpoint = json!({});
        endpoint[name] = json!(url);
        let used = merged(own(endpoint.clone()), &use_of_it);
        assert_eq!(faults(&used), [""; 0]);
        let endpoints = &settings(&used).issuers[0].endpoints;
        let all = [
            &endpoints.introspection,
            &endpoints.token,
            &endpoints.permission,
        ];
        let found: Vec<_> = all.into_iter().flatten().collect();
        assert_eq!(found, [&HttpUrl::parse(url).unwrap()]);
        let other = if name == "introspection_endpoint" {
            json!({"authorization": {"permissions": "a"}})
        } else {
            json!({"introspection": {}})
        };
        let told = format!("$.issuers[0].{name}: an address, and nothing that is asked there");
        assert_eq!(faults(&merged(own(endpoint.clone()), &other)), [told]);
        endpoint[name] = json!("ftp://kc/x");
        let told = format!("$.issuers[0].{name}: \"ftp://kc/x\"");
        assert_eq!(faults(&merged(own(endpoint), &use_of_it))[0], told);
    }
    let top = shown(&json!({"introspection_endpoint": url}));
    assert_eq!(faults(&top), ["$.introspection_endpoint: an unknown field"]);
    // A policy that uses them is enough.
    let in_a_policy = json!({"introspection": null, "policies": {"p": {"introspection": {}}}});
    assert_eq!(faults(&shown(&in_a_policy)), [""; 0]);
    let rpt = json!({"decision": "rpt"});
    assert_eq!(faults(&asked(&rpt)), [format!("$.client: {unused}")]);
}

#[test]
fn introspection_has_defaults_and_is_laid_over_field_by_field() {
    let standard = IntrospectionRules {
        when: When::Needed,
        response: ResponseKind::Json,
        max_age: Millis::from_secs(60),
        negative_max_age: Millis::from_secs(10),
        if_unavailable: IfUnavailable::Refuse,
        opaque_tokens: true,
    };
    let base = |more: Value| introspection(&settings(&shown(&more)).base, 0);
    assert_eq!(base(json!({})), Some(standard.clone()));
    assert_eq!(base(json!({"introspection": false, "client": null})), None);
    for (when, meant) in [("always", When::Always), ("after_local", When::AfterLocal)] {
        let rules = base(json!({"introspection": {"when": when}})).unwrap();
        let expected = IntrospectionRules {
            when: meant,
            max_age: Millis(0),
            opaque_tokens: meant == When::Always,
            ..standard.clone()
        };
        assert_eq!(rules, expected);
    }
    let ages = |more: Value| {
        let rules = base(json!({"introspection": more})).unwrap();
        (rules.max_age.0, rules.negative_max_age.0)
    };
    assert_eq!(ages(json!({"cache_seconds": 0})), (0, 0));
    assert_eq!(
        ages(json!({"cache_seconds": 0, "negative_cache_seconds": 2})),
        (0, 2000)
    );
    assert_eq!(
        ages(json!({"cache_seconds": 3600, "negative_cache_seconds": 300})),
        (3_600_000, 300_000)
    );

    let settings = settings(&json!({
        "issuers": [
            {"iss": ISS, "client": client(), "introspection": {"response": "jwt", "cache_seconds": 5}},
            {"iss": "https://b", "introspection": false},
            {"iss": "https://c", "client": client()},
        ],
        "allowed_aud": "x",
        "introspection": {"cache_seconds": 30, "if_unavailable": "local", "when": "always"},
        "policies": {
            "p": {
                "allowed_iss": [ISS, "https://c"],
                "introspection": {"when": "after_local", "response": "signed"},
            },
            "q": {"introspection": false},
            "r": {"allowed_iss": ISS, "introspection": {"opaque_tokens": false, "cache_seconds": 1}},
        },
    }));
    let of = |policy: &str, issuer: usize| {
        let rules = introspection(&settings.policies[policy], issuer)?;
        Some((
            rules.when,
            rules.response,
            rules.max_age.0,
            rules.if_unavailable,
        ))
    };
    let local = IfUnavailable::Local;
    assert_eq!(
        of("p", 0),
        Some((When::AfterLocal, ResponseKind::Signed, 5000, local))
    );
    assert_eq!(
        of("p", 2),
        Some((When::AfterLocal, ResponseKind::Signed, 30_000, local))
    );
    assert_eq!([of("q", 0), of("q", 1), of("q", 2)], [None, None, None]);
    assert_eq!(
        of("r", 0),
        Some((When::Always, ResponseKind::Jwt, 1000, local))
    );
    let opaque = |policy: &str, issuer| {
        introspection(&settings.policies[policy], issuer)
            .unwrap()
            .opaque_tokens
    };
    assert!(!opaque("p", 0) && !opaque("r", 0));
    assert_eq!(introspection(&settings.base, 1), None);
}

#[test]
fn introspection_that_cannot_be_meant_is_refused() {
    let of = |more: Value| shown(&json!({"introspection": more}));
    for (name, value, told) in [
        ("when", json!("sometimes"), "\"sometimes\""),
        ("when", json!(true), "true"),
        ("response", json!("text"), "\"text\""),
        ("cache_seconds", json!(3601), "3601"),
        ("cache_seconds", json!(-1), "-1"),
        ("cache_seconds", json!("60"), "\"60\""),
        ("negative_cache_seconds", json!(301), "301"),
        ("if_unavailable", json!("allow"), "\"allow\""),
        ("opaque_tokens", json!("no"), "\"no\""),
        ("token_type_hint", json!("x"), "an unknown field"),
        (
            "if_unavailable",
            json!("local"),
            "local, of tokens that cannot be judged here",
        ),
    ] {
        let mut more = json!({});
        more[name] = value;
        assert_eq!(
            faults(&of(more)),
            [format!("$.introspection.{name}: {told}")]
        );
    }
    for value in [json!(true), json!("always"), json!(1)] {
        let fault = &faults(&of(value))[0];
        assert!(fault.starts_with("$.introspection: "), "{fault}");
    }
    let in_a_rule = shown(&json!({"rules": [{"path": "/a", "introspection": {}}]}));
    assert_eq!(
        faults(&in_a_rule),
        ["$.rules[0].introspection: an unknown field"]
    );
    // Each where it stands.
    let config = shown(&json!({
        "introspection": {"when": "always", "if_unavailable": "local"},
        "policies": {"p": {"introspection": {"when": "needed"}}, "q": {"introspection": {"x": 1}}},
    }));
    assert_eq!(
        faults(&config),
        [
            "$.introspection.if_unavailable: local, of tokens that cannot be judged here",
            "$.policies.q.introspection.x: an unknown field",
        ]
    );
}

#[test]
fn introspection_needs_a_client_and_an_address() {
    let without = shown(&json!({"client": null}));
    assert_eq!(
        faults(&without),
        [format!(
            "$.introspection: introspection of the tokens of {ISS:?}, at which the gateway has no client"
        )]
    );
    let issuer = |more: Value| {
        let issuer = merged(
            json!({"iss": ISS, "client": client(), "introspection": {}}),
            &more,
        );
        json!({"issuers": [issuer], "allowed_aud": "x"})
    };
    assert_eq!(
        faults(&issuer(json!({"client": null}))),
        [format!(
            "$.issuers[0].introspection: introspection of the tokens of {ISS:?}, at which the gateway has no client"
        )]
    );
    let keys = json!({"jwks_uri": "https://kc/keys"});
    assert_eq!(
        faults(&issuer(keys.clone())),
        ["$.issuers[0].introspection_endpoint: no address, and introspection"]
    );
    let endpoint = json!({"introspection_endpoint": "https://kc/i"});
    assert_eq!(faults(&issuer(merged(keys, &endpoint))), [""; 0]);
    let discovered = json!({"well_known_uri": "https://kc/wk"});
    assert_eq!(faults(&issuer(discovered)), [""; 0]);
}

#[test]
fn an_issuer_may_do_without_keys_if_all_its_tokens_are_shown_to_it() {
    let issuer = |more: Value, top: Value| {
        let own = json!({
            "iss": "opaque", "client": client(), "introspection_endpoint": "https://as/i",
        });
        let base =
            json!({"issuers": [merged(own, &more)], "allowed_aud": "x", "introspection": {}});
        merged(base, &top)
    };
    let good = settings(&issuer(json!({}), json!({})));
    assert!(good.issuers[0].source.is_none() && good.issuers[0].keys.is_empty());
    assert!(!good.issuers[0].has_keys());

    let none = issuer(json!({"introspection_endpoint": null}), json!({}));
    assert_eq!(
        faults(&none),
        [
            "$.issuers[0].iss: \"opaque\"",
            "$.allowed_iss: no usable issuer"
        ]
    );
    // Faulty keys are no missing ones.
    let faulty = json!({"issuers": [{"iss": ISS, "jwks": {"keys": []}}], "allowed_aud": "x"});
    assert_eq!(faults(&faulty), ["$.issuers[0].jwks: no key"]);
    let unkeyed = "$.issuers[0].introspection_endpoint: no keys beside it, and a policy without introspection";
    let elsewhere = json!({"policies": {"p": {"introspection": false}}});
    assert_eq!(faults(&issuer(json!({}), elsewhere)), [unkeyed]);
    assert_eq!(
        faults(&issuer(json!({"introspection": false}), json!({})))[0],
        unkeyed
    );
    for (more, told) in [
        (json!({"when": "after_local"}), "when: after_local"),
        (
            json!({"response": "jwt"}),
            "response: an answer whose signature nobody can verify",
        ),
        (
            json!({"response": "signed"}),
            "response: an answer whose signature nobody can verify",
        ),
        (
            json!({"when": "always", "if_unavailable": "local"}),
            "if_unavailable: local",
        ),
    ] {
        let config = issuer(json!({"introspection": more}), json!({}));
        assert_eq!(
            faults(&config),
            [format!("$.issuers[0].introspection.{told}")]
        );
    }
}

#[test]
fn the_jwt_of_an_answer_may_go_up() {
    let config = |more: Value| merged(shown(&json!({"upstream_token": "introspected"})), &more);
    let base = settings(&config(json!({}))).base;
    assert_eq!(base.upstream_token, UpstreamToken::Introspected);
    let rules = introspection(&base, 0).unwrap();
    assert_eq!(rules.response, ResponseKind::Jwt);
    for (more, told) in [
        (
            json!({"introspection": false, "client": null}),
            "introspected, and no introspection in $",
        ),
        (
            json!({"introspection": {"response": "signed"}}),
            "introspected, and introspection with response: signed",
        ),
        (
            json!({"introspection": {"response": "json"}}),
            "introspected, and introspection with response: json",
        ),
        (
            json!({"upstream_jwt": {"issuer": "g", "keys": PEM, "header": "Authorization"}}),
            "a replacement, and upstream_jwt in the same header",
        ),
    ] {
        assert_eq!(faults(&config(more)), [format!("$.upstream_token: {told}")]);
    }
}

#[test]
fn authorization_has_defaults_and_says_what_is_asked() {
    let standard = AuthorizationRules {
        resource_server: None,
        permissions: vec![fixed("orders", "read")],
        method_scopes: None,
        decision: DecidedBy::Remote,
        claims: Vec::new(),
        uma_challenge: false,
        max_age: Millis::from_secs(30),
        negative_max_age: Millis::from_secs(10),
    };
    assert_eq!(authorization(&asked(&json!({}))), standard);
    let all = authorization(&asked(&json!({
        "resource_server": "orders-api",
        "permissions": [
            "orders", "#read", "orders#{method}", "#{method}", "{path}", "{path}#read", "{path}#{method}",
        ],
        "method_scopes": {"GET": "read", "POST": "write"},
        "claims": {
            "amount": {"query": "amount"}, "channel": {"value": "web"}, "place": {"from": "path"},
            "region": {"header": "X-Region"}, "tags": {"value": ["a", "b"]}, "via": {"from": "method"},
        },
        "cache_seconds": 0,
    })));
    let text = |text: &str| text.to_owned();
    let some = |part: &str| Some(text(part));
    assert_eq!(
        all.permissions,
        [
            fixed("orders", ""),
            fixed("", "read"),
            PermissionTemplate::MethodAsScope {
                resource: some("orders")
            },
            PermissionTemplate::MethodAsScope { resource: None },
            PermissionTemplate::Path { scope: None },
            PermissionTemplate::Path {
                scope: some("read")
            },
            PermissionTemplate::PathAndMethod,
        ]
    );
    assert_eq!(
        all.claims,
        [
            (text("amount"), PushedClaim::Query(text("amount"))),
            (text("channel"), PushedClaim::Value(vec![text("web")])),
            (text("place"), PushedClaim::Path),
            (text("region"), PushedClaim::Header(text("x-region"))),
            (text("tags"), PushedClaim::Value(vec![text("a"), text("b")])),
            (text("via"), PushedClaim::Method),
        ]
    );
    let scopes = [(text("GET"), text("read")), (text("POST"), text("write"))];
    assert_eq!(all.method_scopes.as_deref(), Some(&scopes[..]));
    assert_eq!(all.resource_server, some("orders-api"));
    assert_eq!(all.decision, DecidedBy::Remote);
    assert_eq!((all.max_age, all.negative_max_age), (Millis(0), Millis(0)));
    // Nobody has to be shown the gateway's secret for a decision.
    let as_caller = merged(
        asked(&json!({"resource_server": "api"})),
        &json!({"client": null}),
    );
    assert_eq!(authorization(&as_caller).resource_server, some("api"));
}

#[test]
fn authorization_is_laid_over_field_by_field() {
    let settings = settings(&json!({
        "allowed_iss": ISS, "allowed_aud": "x",
        "authorization": {"resource_server": "api", "cache_seconds": 5},
        "rules": [
            {"path": "/a", "authorization": {"permissions": "a"}},
            {"path": "/b", "authorization": false},
            {"path": "/c", "access": "public"},
        ],
        "policies": {
            "p": {"authorization": {"permissions": "p", "cache_seconds": 6}},
            "q": {"authorization": {"permissions": "q"}, "rules": [], "access": "optional"},
            "r": {"authorization": false, "rules": [{"path": "/a"}]},
            "s": {"authorization": {"permissions": "s"}, "rules_default": "required"},
        },
    }));
    let of = |rules: Option<&AuthorizationRules>| {
        rules.map(|rules| (rules.permissions.clone(), rules.max_age.0))
    };
    let expected = |name: &str, age| Some((vec![fixed(name, "")], age));
    let rule = |policy: &Policy, index: usize| {
        of(policy.rules.as_ref().unwrap().rules[index]
            .authorization
            .as_ref())
    };
    let base = &settings.base;
    assert_eq!(of(base.authorization.as_ref()), None);
    assert_eq!(rule(base, 0), expected("a", 5000));
    assert_eq!([rule(base, 1), rule(base, 2)], [None, None]);
    let policy = |name: &str| &settings.policies[name];
    assert_eq!(rule(policy("p"), 0), expected("a", 6000));
    assert_eq!(of(policy("p").authorization.as_ref()), None);
    assert_eq!(of(policy("q").authorization.as_ref()), expected("q", 5000));
    assert_eq!(rule(policy("r"), 0), None);
    assert_eq!(of(policy("s").authorization.as_ref()), expected("s", 5000));
}

#[test]
fn permissions_that_cannot_be_meant_are_refused() {
    for bad in [
        "#",
        "orders#",
        "a#b#c",
        "orders#read,write",
        "{path}/x",
        "x{path}",
        "orders#{path}",
        "{method}",
        "{method}#read",
        "orders#x{method}",
        "{path}#{method}s",
        "#{path}",
    ] {
        let told = format!("$.authorization.permissions[0]: {bad:?}");
        assert_eq!(faults(&asked(&json!({"permissions": [bad]}))), [told]);
    }
    for none in [json!([]), json!({}), json!(null)] {
        let told = "$.authorization.permissions: no permission";
        assert_eq!(faults(&asked(&json!({"permissions": none}))), [told]);
    }
    assert_eq!(
        faults(&asked(&json!({"permissions": 7}))),
        ["$.authorization.permissions: 7"]
    );
    for bad in ["#", "orders#", "{path}", "orders#{method}", "{method}"] {
        let config =
            json!({"allowed_iss": ISS, "allowed_aud": "x", "require": {"permission": bad}});
        assert_eq!(faults(&config)[0], format!("$.require.permission: {bad:?}"));
    }
    let config = json!({"allowed_iss": ISS, "allowed_aud": "x", "require": {"permission": []}});
    assert_eq!(faults(&config)[0], "$.require.permission: an empty list");
    let config = json!({
        "allowed_iss": ISS, "allowed_aud": "x", "require": {"permission": ["orders#read", "#admin"]},
    });
    let parse = |text| Permission::parse(text).unwrap();
    let expected = Requirement::Permission(vec![parse("orders#read"), parse("#admin")]);
    assert_eq!(
        settings(&config).base.requirement,
        Requirement::All(vec![expected])
    );
}

#[test]
fn authorization_that_cannot_be_meant_is_refused() {
    let claim = |value: Value| json!({"claims": {"a": value}});
    for (more, told) in [
        (json!({"resource_server": ""}), "resource_server: \"\""),
        (json!({"decision": "local"}), "decision: \"local\""),
        (json!({"uma_challenge": "yes"}), "uma_challenge: \"yes\""),
        (json!({"cache_seconds": 3601}), "cache_seconds: 3601"),
        (
            json!({"negative_cache_seconds": 301}),
            "negative_cache_seconds: 301",
        ),
        (json!({"scopes": ["x"]}), "scopes: an unknown field"),
        (json!({"method_scopes": []}), "method_scopes: no method"),
        (
            json!({"method_scopes": {"get": "read"}}),
            "method_scopes.get: \"get\"",
        ),
        (
            json!({"method_scopes": {"": "read"}}),
            "method_scopes[\"\"]: \"\"",
        ),
        (
            json!({"method_scopes": {"HEAD": "read"}}),
            "method_scopes.HEAD: \"HEAD\"",
        ),
        (json!({"method_scopes": {"GET": 7}}), "method_scopes.GET: 7"),
        (
            json!({"method_scopes": {"GET": "a,b"}}),
            "method_scopes.GET: \"a,b\"",
        ),
        (
            json!({"method_scopes": {"GET": "{method}"}}),
            "method_scopes.GET: \"{method}\"",
        ),
        (
            json!({"claims": {"": {"value": "x"}}}),
            "claims[\"\"]: no name",
        ),
        (claim(json!("amount")), "claims.a: \"amount\""),
        (claim(json!({})), "claims.a: none of them, or several"),
        (
            claim(json!({"header": "x", "value": "y"})),
            "claims.a: none of them, or several",
        ),
        (
            claim(json!({"header": ":path"})),
            "claims.a.header: \":path\"",
        ),
        (claim(json!({"header": "x y"})), "claims.a.header: \"x y\""),
        (
            claim(json!({"header": "Cookie"})),
            "claims.a.header: \"Cookie\"",
        ),
        (
            claim(json!({"header": "authorization"})),
            "claims.a.header: \"authorization\"",
        ),
        (claim(json!({"query": "a&b"})), "claims.a.query: \"a&b\""),
        (claim(json!({"query": "?a"})), "claims.a.query: \"?a\""),
        (
            claim(json!({"query": "a%20b"})),
            "claims.a.query: \"a%20b\"",
        ),
        (claim(json!({"value": 7})), "claims.a.value: 7"),
        (claim(json!({"value": []})), "claims.a.value: an empty list"),
        (
            claim(json!({"value": ["x", ""]})),
            "claims.a.value[1]: \"\"",
        ),
        (claim(json!({"from": "host"})), "claims.a.from: \"host\""),
        (
            claim(json!({"from": "path", "only": 1})),
            "claims.a.only: an unknown field",
        ),
        (
            json!({"decision": "rpt", "permissions": "{path}"}),
            "decision: rpt, and a permission with {path}",
        ),
        (
            json!({"decision": "rpt", "claims": {"a": {"from": "path"}}}),
            "claims: claims, and a decision by the token, which may have come by its permissions \
                with other claims",
        ),
        (
            json!({"decision": "rpt_or_remote", "claims": {"a": {"from": "path"}}}),
            "claims: claims, and a decision by the token, which may have come by its permissions \
                with other claims",
        ),
        (
            json!({"uma_challenge": true, "claims": {"a": {"from": "path"}}}),
            "claims: claims, and uma_challenge, whose tickets do not have them",
        ),
    ] {
        // An rpt asks nobody: for it there is no client.
        let mut config = asked(&more);
        if more.get("decision") == Some(&json!("rpt")) {
            config["client"] = Value::Null;
        }
        assert_eq!(
            faults(&config),
            [format!("$.authorization.{told}")],
            "{more}"
        );
    }
    let in_an_issuer = json!({"issuers": [{"iss": ISS, "authorization": {}}], "allowed_aud": "x"});
    assert_eq!(
        faults(&in_an_issuer),
        ["$.issuers[0].authorization: an unknown field"]
    );
}

#[test]
fn authorization_needs_somebody_to_ask() {
    let none = |more: Value| merged(asked(&more), &json!({"client": null}));
    assert_eq!(
        faults(&none(json!({}))),
        ["$.authorization.resource_server: no resource_server, and no client of the gateway's"]
    );
    assert_eq!(
        faults(&none(
            json!({"resource_server": "x", "claims": {"a": {"from": "path"}}})
        )),
        ["$.authorization.claims: claims, and no client of the gateway's"]
    );
    let stated = |more: Value, authorization: Value| {
        let issuer = merged(
            json!({"iss": ISS, "jwks_uri": "https://kc/k", "client": client()}),
            &more,
        );
        let authorization = merged(json!({"permissions": "a"}), &authorization);
        json!({"issuers": [issuer], "allowed_aud": "x", "authorization": authorization})
    };
    let unknown = |name: &str| format!("an issuer whose {name} is not known, \"{ISS}\"");
    assert_eq!(
        faults(&stated(json!({}), json!({}))),
        [format!(
            "$.authorization.permissions: {}",
            unknown("token_endpoint")
        )]
    );
    let token = json!({"token_endpoint": "https://kc/realms/a/protocol/openid-connect/token"});
    let other = json!({"token_endpoint": "https://kc/token"});
    let uma = json!({"uma_challenge": true});
    assert_eq!(faults(&stated(token.clone(), json!({}))), [""; 0]);
    assert_eq!(faults(&stated(token, uma.clone())), [""; 0]);
    assert_eq!(faults(&stated(other.clone(), json!({}))), [""; 0]);
    assert_eq!(
        faults(&stated(other.clone(), uma.clone())),
        [format!(
            "$.authorization.uma_challenge: {}",
            unknown("permission_endpoint")
        )]
    );
    let both = merged(
        other,
        &json!({"permission_endpoint": "https://kc/permission"}),
    );
    assert_eq!(faults(&stated(both, uma)), [""; 0]);
}

#[test]
fn a_ticket_needs_one_issuer_its_resource_server_and_resources() {
    let uma = |more: Value| merged(asked(&json!({"uma_challenge": true})), &more);
    assert_eq!(faults(&uma(json!({}))), [""; 0]);
    let of = |more: Value| uma(json!({"authorization": more}));
    assert_eq!(faults(&of(json!({"resource_server": "gateway"}))), [""; 0]);
    assert_eq!(
        faults(&of(json!({"resource_server": "orders-api"}))),
        ["$.authorization.resource_server: another client, and uma_challenge"]
    );
    for resource in ["#read", "#{method}", "{path}", "{path}#{method}"] {
        assert_eq!(
            faults(&of(json!({"permissions": ["orders", resource]}))),
            ["$.authorization.uma_challenge: a ticket for permissions that name no resource"]
        );
    }
    assert_eq!(
        faults(&of(json!({"permissions": "orders#{method}"}))),
        [""; 0]
    );
    assert_eq!(
        faults(&uma(
            json!({"client": null, "authorization": {"resource_server": "x"}})
        )),
        ["$.authorization.uma_challenge: a ticket, and no client that could get it"]
    );
    let several = json!({
        "issuers": [{"iss": "https://b", "client": client()}],
        "policies": {"p": {"allowed_iss": ISS}},
    });
    assert_eq!(
        faults(&uma(several.clone())),
        ["$.authorization.uma_challenge: a ticket, and several issuers"]
    );
    let in_the_policy = merged(
        asked(&json!({})),
        &merged(
            several,
            &json!({"policies": {"p": {"authorization": {"uma_challenge": true}}}}),
        ),
    );
    assert_eq!(faults(&in_the_policy), [""; 0]);
}

#[test]
fn a_tokens_own_permissions_need_an_audience_and_a_signature() {
    let rpt = |more: Value| {
        let authorization = json!({"permissions": "a", "decision": "rpt"});
        merged(
            json!({"allowed_iss": ISS, "allowed_aud": "x", "authorization": authorization}),
            &more,
        )
    };
    let leaf = json!({"require": {"any": [{"role": "x"}, {"not": {"permission": "a"}}]}});
    let required = |more: Value| {
        let base = merged(json!({"allowed_iss": ISS, "allowed_aud": "x"}), &leaf);
        merged(base, &more)
    };
    assert_eq!(faults(&rpt(json!({}))), [""; 0]);
    assert_eq!(faults(&required(json!({}))), [""; 0]);

    let unaddressed = json!({"allowed_aud": null});
    let told = "$.authorization.decision: the token's own permissions, and no allowed_aud";
    assert_eq!(faults(&rpt(unaddressed.clone())), [told]);
    let either = json!({"authorization": {"decision": "rpt_or_remote", "resource_server": "x"}});
    assert_eq!(faults(&rpt(merged(unaddressed.clone(), &either))), [told]);
    let missing = "allowed_aud: none, and a permission of the token itself is required";
    assert_eq!(
        faults(&required(unaddressed.clone())),
        [format!("$.{missing}")]
    );
    let by_path = json!({
        "allowed_iss": ISS, "rules": [{"path": "/a", "require": {"permission": "a"}}],
    });
    assert_eq!(faults(&by_path), [format!("$.{missing}")]);
    let in_an_issuer = json!({"issuers": [merged(json!({"iss": ISS}), &leaf)]});
    assert_eq!(faults(&in_an_issuer), [format!("$.issuers[0].{missing}")]);

    let shown = json!({"client": client(), "introspection": {"when": "always"}});
    let told = "$.authorization.decision: rpt, where tokens are not verified here";
    assert_eq!(faults(&rpt(shown.clone())), [told]);
    let keyless = json!({
        "iss": "opaque", "introspection_endpoint": "https://as/i", "client": client(),
        "introspection": {},
    });
    let keyless = json!({"allowed_iss": null, "issuers": [keyless]});
    assert_eq!(faults(&rpt(keyless)), [told]);
    let unverified =
        "introspection: tokens that are not verified here, and permissions of their own required";
    assert_eq!(
        faults(&required(shown.clone())),
        [format!("$.{unverified}")]
    );
    let in_an_issuer = json!({
        "issuers": [merged(json!({"iss": ISS}), &merged(leaf, &shown))], "allowed_aud": "x",
    });
    assert_eq!(
        faults(&in_an_issuer),
        [format!("$.issuers[0].{unverified}")]
    );
}

#[test]
fn permissions_where_no_token_is_looked_at_are_refused() {
    let unread = "authorization: permissions where no token is looked at";
    for access in ["public", "deny"] {
        let config = merged(
            asked(&json!({"resource_server": "x"})),
            &json!({"access": access, "client": null}),
        );
        assert_eq!(faults(&config), [format!("$.{unread}")]);
        let in_a_policy = merged(
            config.clone(),
            &json!({"policies": {"p": {"access": "required"}}}),
        );
        assert_eq!(faults(&in_a_policy), [""; 0]);
    }
    let top = asked(&json!({}));
    let policy = |policy: Value| merged(top.clone(), &json!({"policies": {"p": policy}}));
    assert_eq!(faults(&policy(json!({"access": "public"}))), [""; 0]);
    let stated = json!({"access": "public", "authorization": {"cache_seconds": 1}});
    assert_eq!(faults(&policy(stated)), [format!("$.policies.p.{unread}")]);
    let rule = |authorization: Value| {
        merged(
            top.clone(),
            &json!({"rules": [
                {"path": "/a", "access": "public", "authorization": authorization}, {"path": "/b"},
            ]}),
        )
    };
    assert_eq!(faults(&rule(json!(false))), [""; 0]);
    assert_eq!(
        faults(&rule(json!({"permissions": "a"}))),
        ["$.rules[0].access: requirements where no token is looked at"]
    );
}

#[test]
fn what_has_no_effect_or_weakens_is_a_warning() {
    let warnings = |config: &Value| read(config).unwrap().warnings;
    assert_eq!(warnings(&shown(&json!({}))), [""; 0]);
    let several = shown(&json!({"issuers": [{"iss": "https://b", "client": client()}]}));
    let [warning] = warnings(&several).try_into().unwrap();
    assert!(
        warning.starts_with("$.introspection: a token that is no JWT is shown to several issuers")
    );
    let one = json!({"issuers": [{"iss": "https://b", "client": client(), "introspection": {"opaque_tokens": false}}]});
    assert_eq!(warnings(&shown(&one)), [""; 0]);
    let local = json!({"introspection": {"when": "after_local", "if_unavailable": "local"}});
    let [warning] = warnings(&shown(&local)).try_into().unwrap();
    assert!(warning.contains("revoked tokens pass"), "{warning}");
    let scopes = asked(&json!({"method_scopes": {"GET": "read"}}));
    assert_eq!(
        warnings(&scopes),
        ["$.authorization.method_scopes: no effect: no permission has {method}"]
    );
}
