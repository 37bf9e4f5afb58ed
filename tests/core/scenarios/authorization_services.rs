//! Permissions that Keycloak is asked for, that a token has, and that a ticket stands for.

use jwt_keycloak_core::event::LogLine;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::request::Request;
use jwt_keycloak_core::request::fields::Fields;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::P256_A;
use jwt_keycloak_tests::simulator::{self, Behaviour, Host, Simulation, get};
use jwt_keycloak_tests::tokens::{ISSUER, Token, claims, mint_with};
use serde_json::{Value, json};

use crate::{HOSTS, SECOND, good, seconds, warm_with};

/// [`simulator::configuration`] with authorization services of this kind.
fn asking(authorization: Value) -> Value {
    let mut configuration = simulator::configuration();
    configuration["client"] = json!({"client_id": "orders", "client_secret": "a secret"});
    configuration["authorization"] = authorization;
    configuration
}

/// A gateway with one worker and keys.
fn warm(host: Host, authorization: Value) -> Simulation {
    warm_with(host, 1, &asking(authorization))
}

fn outcome_of(sim: &mut Simulation, request: &Request) -> Option<Reason> {
    let id = sim.request_of(0, request, true);
    sim.run_for(Millis(200));
    assert!(!sim.is_waiting(id));
    sim.reason(id)
}

fn outcome(sim: &mut Simulation, token: &Token) -> Option<Reason> {
    outcome_of(sim, &get("/orders", &token.text))
}

/// A requesting party token, as Keycloak words it.
fn rpt(permissions: &Value) -> Token {
    let mut claims = claims(ISSUER);
    claims["authorization"] = json!({"permissions": permissions});
    Token {
        text: mint_with(&P256_A, "ES256", &claims),
        genuine: true,
    }
}

/// A field of the form that was sent last.
fn field(sim: &mut Simulation, name: &str) -> Option<String> {
    let (form, _) = sim.provider().posted.last().unwrap();
    let mut fields = form_urlencoded::parse(form.as_bytes());
    fields
        .find(|(of, _)| of == name)
        .map(|(_, value)| value.into_owned())
}

#[test]
fn keycloak_decides() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"permissions": "orders#read"}));
        let (one, other) = (good(&P256_A), good(&P256_A));
        assert_eq!(outcome(&mut sim, &one), Some(Reason::PermissionDenied));
        sim.provider().granted.push("orders#read".to_owned());
        assert_eq!(outcome(&mut sim, &other), None, "{host:?}");
        for (name, value) in [
            ("grant_type", "urn:ietf:params:oauth:grant-type:uma-ticket"),
            ("audience", "orders"),
            ("permission", "orders#read"),
            ("response_mode", "decision"),
        ] {
            assert_eq!(field(&mut sim, name).as_deref(), Some(value));
        }
        assert_eq!(field(&mut sim, "permission_resource_format"), None);
        let (_, authorization) = sim.provider().posted.last().unwrap();
        assert_eq!(*authorization, Some(format!("Bearer {}", other.text)));
    }
}

#[test]
fn decisions_count_as_long_as_they_may() {
    for host in HOSTS {
        let rules = json!({"permissions": "a", "cache_seconds": 20, "negative_cache_seconds": 5});
        let mut sim = warm(host, rules);
        sim.provider().granted.push("a".to_owned());
        let token = good(&P256_A);
        for _ in 0..10 {
            assert_eq!(outcome(&mut sim, &token), None);
        }
        sim.provider().granted.clear();
        sim.run_for(seconds(17));
        assert_eq!(outcome(&mut sim, &token), None);
        assert_eq!(sim.provider().grants(), 1, "{host:?}");
        sim.run_for(seconds(1));
        assert_eq!(outcome(&mut sim, &token), Some(Reason::PermissionDenied));
        sim.provider().granted.push("a".to_owned());
        assert_eq!(outcome(&mut sim, &token), Some(Reason::PermissionDenied));
        sim.run_for(seconds(5));
        assert_eq!(outcome(&mut sim, &token), None, "{host:?}");
        assert_eq!(sim.provider().grants(), 3, "{host:?}");
    }
}

#[test]
fn all_permissions_must_be_granted_each_by_itself() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"permissions": ["a#read", "b"]}));
        sim.provider().granted.push("a#read".to_owned());
        assert_eq!(
            outcome(&mut sim, &good(&P256_A)),
            Some(Reason::PermissionDenied)
        );
        sim.provider().granted.push("b".to_owned());
        assert_eq!(outcome(&mut sim, &good(&P256_A)), None, "{host:?}");
        assert_eq!(sim.provider().grants(), 4, "{host:?}");
    }
}

#[test]
fn resource_and_scope_come_from_the_request() {
    let scopes = json!({"GET": "view", "POST": "create"});
    for (permission, method, path, expected) in [
        ("{path}#{method}", "GET", "/orders/1", Ok("/orders/1#view")),
        (
            "{path}#{method}",
            "HEAD",
            "/orders/1/",
            Ok("/orders/1#view"),
        ),
        ("{path}", "POST", "/orders/a%20b?x=1", Ok("/orders/a b")),
        ("{path}#see", "DELETE", "/", Ok("/#see")),
        ("orders#{method}", "POST", "/x", Ok("orders#create")),
        ("#{method}", "GET", "/x", Ok("#view")),
        (
            "orders#{method}",
            "DELETE",
            "/x",
            Err(Reason::PermissionDenied),
        ),
        (
            "orders#{method}",
            "get",
            "/x",
            Err(Reason::PermissionDenied),
        ),
        ("{path}", "GET", "/orders/../x", Err(Reason::AmbiguousPath)),
        ("{path}", "GET", "//orders", Err(Reason::AmbiguousPath)),
        ("{path}", "GET", "/orders;a=1", Err(Reason::AmbiguousPath)),
        ("{path}", "GET", "/orders%3Ba", Err(Reason::AmbiguousPath)),
        (
            "{path}",
            "GET",
            "/orders%23read",
            Err(Reason::AmbiguousPath),
        ),
        ("{path}", "GET", "/orders%3Fx", Err(Reason::AmbiguousPath)),
        ("{path}", "GET", "/orders.", Err(Reason::AmbiguousPath)),
        ("{path}", "GET", "/orders%20/a", Err(Reason::AmbiguousPath)),
        ("{path}", "GET", "/orders/*", Err(Reason::AmbiguousPath)),
        (
            "{path}",
            "GET",
            "/orders/%7Bid%7D",
            Err(Reason::AmbiguousPath),
        ),
    ] {
        let mut sim = warm(
            Host::Wakes,
            json!({"permissions": permission, "method_scopes": scopes}),
        );
        let before = sim.provider().posted.len();
        let mut request = get(path, &good(&P256_A).text);
        request.method = method.as_bytes().to_vec();
        if let Ok(permission) = expected {
            sim.provider().granted.push(permission.to_owned());
        }
        let by_path = permission.contains("{path}");
        assert_eq!(
            outcome_of(&mut sim, &request),
            expected.err(),
            "{permission} {path}"
        );
        match expected {
            Ok(_) => {
                let uri = by_path.then(|| "uri".to_owned());
                assert_eq!(field(&mut sim, "permission_resource_format"), uri);
                let matching = by_path.then(|| "true".to_owned());
                assert_eq!(
                    field(&mut sim, "permission_resource_matching_uri"),
                    matching
                );
            }
            Err(_) => assert_eq!(sim.provider().posted.len(), before, "nobody is asked"),
        }
    }
}

#[test]
fn claims_are_pushed_as_the_client() {
    let claims = json!({
        "amount": {"query": "amount"},
        "region": {"header": "x-region"},
        "channel": {"value": "web"},
        "via": {"from": "method"},
        "where": {"from": "path"},
    });
    let mut sim = warm(Host::Wakes, json!({"permissions": "a", "claims": claims}));
    sim.provider().granted.push("a".to_owned());
    let token = good(&P256_A).text;
    let mut request = get("/orders?amount=4%32&b=1", &token);
    request.headers.push((b"x-region".to_vec(), b"eu".to_vec()));
    assert_eq!(outcome_of(&mut sim, &request), None);
    let pushed = field(&mut sim, "claim_token").unwrap();
    let pushed = jwt_keycloak_core::jose::base64url::decode(&pushed).unwrap();
    let pushed: Value = serde_json::from_slice(&pushed).unwrap();
    let expected = json!({"amount": ["42"], "region": ["eu"], "channel": ["web"], "via": ["GET"],
        "where": ["/orders"]});
    assert_eq!(pushed, expected);
    let format = field(&mut sim, "claim_token_format").unwrap();
    assert_eq!(format, "urn:ietf:params:oauth:token-type:jwt");
    assert_eq!(field(&mut sim, "subject_token"), Some(token.clone()));
    let (_, authorization) = sim.provider().posted.last().unwrap();
    assert_eq!(authorization.as_deref(), Some("Basic b3JkZXJzOmErc2VjcmV0"));
    // Another amount is another question.
    let asked = sim.provider().grants();
    assert_eq!(outcome_of(&mut sim, &request), None);
    assert_eq!(sim.provider().grants(), asked);
    request.path = b"/orders?amount=43".to_vec();
    assert_eq!(outcome_of(&mut sim, &request), None);
    assert_eq!(sim.provider().grants(), asked + 1);
    // What the upstream may read otherwise is refused.
    for path in [
        "/orders?amount=1&amount=2",
        "/orders?amount=1&%61mount=1",
        "/orders?amount=1&Amount=2",
        "/orders?amount=1&+amount=2",
        "/orders?amount=1&amount%00=2",
        "/orders?amount=1&amount[]=2",
        "/orders?x=1;amount=2",
        "/orders?amount=%ff",
    ] {
        request.path = path.as_bytes().to_vec();
        let reason = outcome_of(&mut sim, &request);
        assert_eq!(reason, Some(Reason::AmbiguousParameter), "{path}");
    }
    request.path = format!("/orders?amount={}", "1".repeat(20_000)).into_bytes();
    let reason = outcome_of(&mut sim, &request);
    assert_eq!(reason, Some(Reason::PermissionDenied));
    request.path = b"/orders".to_vec();
    request.headers.push((b"X-Region".to_vec(), b"us".to_vec()));
    let reason = outcome_of(&mut sim, &request);
    assert_eq!(reason, Some(Reason::AmbiguousParameter));
    assert_eq!(sim.provider().grants(), asked + 1);
}

#[test]
fn a_token_may_have_its_permissions_with_it() {
    let read = json!([{"rsname": "orders", "rsid": "1", "scopes": ["read"]}]);
    let any = json!([{"rsname": "orders", "rsid": "1"}]);
    let other = json!([{"rsname": "invoices", "scopes": ["read", "write"]}]);
    for (asked, permissions, is_enough) in [
        ("orders#read", &read, true),
        ("1#read", &read, true),
        ("orders", &read, true),
        ("#read", &read, true),
        ("orders#write", &read, false),
        ("#write", &read, false),
        ("Orders", &read, false),
        ("orders", &any, true),
        ("orders#read", &any, false),
        ("orders#read", &other, false),
        ("orders", &json!([]), false),
        ("orders", &json!("orders"), false),
        ("orders", &json!(null), false),
    ] {
        let reason = (!is_enough).then_some(Reason::MissingPermission);
        let mut configuration = simulator::configuration();
        configuration["authorization"] = json!({"permissions": asked, "decision": "rpt"});
        let mut sim = warm_with(Host::Wakes, 1, &configuration);
        assert_eq!(
            outcome(&mut sim, &rpt(permissions)),
            reason,
            "{asked} {permissions}"
        );
        assert_eq!(sim.provider().grants(), 0);
        // As a requirement among others.
        let mut configuration = simulator::configuration();
        configuration["require"] = json!({"permission": ["nothing", asked]});
        let mut sim = warm_with(Host::Wakes, 1, &configuration);
        assert_eq!(
            outcome(&mut sim, &rpt(permissions)),
            reason,
            "{asked} {permissions}"
        );
        // Keycloak is asked about the rest only.
        let rules = json!({"permissions": asked, "decision": "rpt_or_remote"});
        let mut sim = warm(Host::Wakes, rules);
        let reason = (!is_enough).then_some(Reason::PermissionDenied);
        assert_eq!(
            outcome(&mut sim, &rpt(permissions)),
            reason,
            "{asked} {permissions}"
        );
        assert_eq!(sim.provider().grants(), usize::from(!is_enough));
    }
}

/// Names of resources are those of their resource server.
#[test]
fn permissions_of_another_resource_server_are_none() {
    let permissions = json!({"permissions": [{"rsname": "orders", "scopes": ["read"]}]});
    for (aud, is_enough) in [
        (json!("orders"), true),
        (json!(["orders", "account"]), true),
        (json!(["evil", "orders"]), false),
        (json!(["orders", "gateway"]), false),
        (json!(["orders", 7]), false),
    ] {
        let mut claims = claims(ISSUER);
        claims["aud"] = aud.clone();
        claims["authorization"] = permissions.clone();
        let token = Token {
            text: mint_with(&P256_A, "ES256", &claims),
            genuine: is_enough,
        };
        let reason = (!is_enough).then_some(Reason::MissingPermission);
        let mut by_rule = simulator::configuration();
        by_rule["require"] = json!({"permission": "orders#read"});
        let mut by_token = simulator::configuration();
        by_token["authorization"] = json!({"permissions": "orders#read", "decision": "rpt"});
        for configuration in [by_rule, by_token] {
            let mut sim = warm_with(Host::Wakes, 1, &configuration);
            assert_eq!(outcome(&mut sim, &token), reason, "{aud} {configuration}");
        }
        // An answer may have more audiences than the token; its permissions are the token's own.
        let mut asked = asking(json!({"permissions": "orders#read", "decision": "rpt"}));
        asked["client"]["client_id"] = json!("asker");
        asked["introspection"] = json!({"when": "after_local"});
        let mut sim = warm_with(Host::Wakes, 1, &asked);
        let mut answer = claims.clone();
        answer["active"] = json!(true);
        answer["aud"] = json!("orders");
        sim.provider().tokens.insert(token.text.clone(), answer);
        assert_eq!(outcome(&mut sim, &token), reason, "{aud}");
    }
}

#[test]
fn a_request_does_not_wait_for_ever_however_much_it_asks() {
    for host in HOSTS {
        let permissions: Vec<_> = (0..40).map(|number| format!("r{number}")).collect();
        let mut sim = warm(
            host,
            json!({"permissions": permissions, "cache_seconds": 0}),
        );
        sim.provider().granted = permissions.clone();
        sim.provider().delay = Millis(4900);
        let id = sim.request_of(0, &get("/orders", &good(&P256_A).text), true);
        sim.run_for(seconds(25));
        let reason = sim.reason(id);
        assert_eq!(reason, Some(Reason::AuthorizationUnavailable), "{host:?}");
    }
}

#[test]
fn keycloaks_errors_are_what_they_mean() {
    for host in HOSTS {
        for (status, answer, reason) in [
            (200, r#"{"result": false}"#, Reason::PermissionDenied),
            (
                200,
                r#"{"result": "true"}"#,
                Reason::AuthorizationUnavailable,
            ),
            (
                200,
                r#"{"access_token": "x"}"#,
                Reason::AuthorizationUnavailable,
            ),
            (200, "true", Reason::AuthorizationUnavailable),
            (
                403,
                r#"{"error": "access_denied"}"#,
                Reason::PermissionDenied,
            ),
            (
                400,
                r#"{"error": "invalid_resource"}"#,
                Reason::PermissionDenied,
            ),
            (
                400,
                r#"{"error": "invalid_scope"}"#,
                Reason::PermissionDenied,
            ),
            (400, r#"{"error": "invalid_grant"}"#, Reason::TokenInactive),
            (
                400,
                r#"{"error": "invalid_request"}"#,
                Reason::AuthorizationUnavailable,
            ),
            (
                401,
                r#"{"error": "invalid_client"}"#,
                Reason::AuthorizationUnavailable,
            ),
            (403, "{}", Reason::AuthorizationUnavailable),
            (
                500,
                r#"{"error": "access_denied"}"#,
                Reason::AuthorizationUnavailable,
            ),
            (302, "{}", Reason::AuthorizationUnavailable),
        ] {
            let mut sim = warm(host, json!({"permissions": "orders#read"}));
            let answer = answer.as_bytes().to_vec();
            sim.provider().behaviour = Behaviour::Response(status, answer);
            let found = outcome(&mut sim, &good(&P256_A));
            assert_eq!(found, Some(reason), "{status}");
        }
    }
}

#[test]
fn what_one_route_brings_about_shuts_no_other_out() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"permissions": "orders#read"}));
        sim.provider().granted.push("orders#read".to_owned());
        for _ in 0..20 {
            let answer = br#"{"error": "invalid_request"}"#.to_vec();
            sim.provider().behaviour = Behaviour::Response(400, answer);
            let reason = outcome(&mut sim, &good(&P256_A));
            assert_eq!(reason, Some(Reason::AuthorizationUnavailable));
        }
        sim.provider().behaviour = Behaviour::Answers;
        assert_eq!(outcome(&mut sim, &good(&P256_A)), None, "{host:?}");
    }
}

#[test]
fn what_is_asked_without_a_token_shuts_nobody_out() {
    for host in HOSTS {
        let mut configuration = asking(json!({"permissions": "a"}));
        let ticketed = json!({"permissions": "a", "decision": "rpt", "uma_challenge": true});
        configuration["policies"] = json!({"t": {"authorization": ticketed}});
        let mut sim = warm_with(host, 1, &configuration);
        sim.provider().granted.push("a".to_owned());
        let request = Request {
            headers: Fields::default(),
            policy: Some("t".to_owned()),
            ..get("/orders", "")
        };
        let refused = br#"{"error": "unauthorized_client"}"#.to_vec();
        sim.provider().behaviour = Behaviour::Response(401, refused);
        for _ in 0..10 {
            assert_eq!(challenge(&mut sim, &request).0, 403, "{host:?}");
        }
        // The gateway's own fault: it is not asked for ever.
        assert!(sim.provider().grants() < 10, "{host:?}");
        assert!(sim.has_logged("it does not take the client"));
        sim.provider().behaviour = Behaviour::Answers;
        assert_eq!(outcome(&mut sim, &good(&P256_A)), None, "{host:?}");
    }
}

#[test]
fn a_permission_that_does_not_exist_is_told_of_once_in_a_while() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"permissions": "order#read"}));
        let unknown = br#"{"error": "invalid_resource"}"#.to_vec();
        sim.provider().behaviour = Behaviour::Response(400, unknown);
        for _ in 0..5 {
            let reason = outcome(&mut sim, &good(&P256_A));
            assert_eq!(reason, Some(Reason::PermissionDenied));
        }
        let told = |(_, line): &&(_, LogLine)| line.text.contains("has no permission");
        assert_eq!(sim.log.iter().filter(told).count(), 1, "{host:?}");
    }
}

/// Though nothing is kept of the introspection itself.
#[test]
fn a_token_that_turns_out_inactive_takes_its_decisions_along() {
    for host in HOSTS {
        let mut configuration = asking(json!({"permissions": "a", "cache_seconds": 600}));
        configuration["policies"] = json!({"strict": {"introspection": {"when": "after_local"}}});
        let mut sim = warm_with(host, 1, &configuration);
        sim.provider().granted.push("a".to_owned());
        let token = good(&P256_A);
        assert_eq!(outcome(&mut sim, &token), None);
        let revoked = json!({"active": false});
        sim.provider().tokens.insert(token.text.clone(), revoked);
        assert_eq!(outcome(&mut sim, &token), None, "it is kept");
        let id = sim.request_with(0, Some("strict"), &token);
        sim.run_for(SECOND);
        assert_eq!(sim.reason(id), Some(Reason::TokenInactive));
        let reason = outcome(&mut sim, &token);
        assert_eq!(reason, Some(Reason::TokenInactive), "{host:?}");
    }
}

fn challenge(sim: &mut Simulation, request: &Request) -> (u16, Option<String>, Option<String>) {
    let id = sim.request_of(0, request, false);
    sim.run_for(SECOND);
    let response = sim.response(id);
    let header = |name: &str| {
        let mut headers = response.headers.iter();
        headers
            .find(|(of, _)| *of == name)
            .map(|(_, value)| value.clone())
    };
    (
        response.status,
        header("www-authenticate"),
        header("warning"),
    )
}

#[test]
fn a_refusal_has_a_ticket_where_it_is_asked_for() {
    for host in HOSTS {
        let rules = json!({"permissions": ["orders#read", "b"], "uma_challenge": true});
        let mut sim = warm(host, rules);
        let expected = format!(r#"UMA realm="keycloak", as_uri="{ISSUER}", ticket="a.ticket""#);
        let without_token = Request {
            headers: Fields::default(),
            ..get("/orders", "")
        };
        for request in [&get("/orders", &good(&P256_A).text), &without_token] {
            let (status, challenge, warning) = challenge(&mut sim, request);
            assert_eq!(
                (status, challenge.as_ref()),
                (401, Some(&expected)),
                "{host:?}"
            );
            assert_eq!(warning, None);
        }
        let posted = &sim.provider().posted;
        let (permissions, authorization) = posted.last().unwrap();
        assert_eq!(authorization.as_deref(), Some("Bearer protection"));
        let permissions: Value = serde_json::from_str(permissions).unwrap();
        let asked = json!([{"resource_id": "orders", "resource_scopes": ["read"]},
            {"resource_id": "b", "resource_scopes": []}]);
        assert_eq!(permissions, asked);
        // A decision, the gateway's own token, a ticket; then a ticket.
        let asked = sim.provider().posted.len();
        assert_eq!(asked, 4, "{host:?}");
        // Where a permission would not help, none is asked for.
        let mut forged = good(&P256_A).text;
        forged.replace_range(forged.len() - 6.., "AAAAAA");
        let (status, challenge, _) = challenge(&mut sim, &get("/orders", &forged));
        assert_eq!(status, 401);
        assert!(challenge.unwrap().starts_with("Bearer"));
        assert_eq!(sim.provider().posted.len(), asked, "{host:?}");
    }
}

#[test]
fn without_a_ticket_the_refusal_says_so() {
    for host in HOSTS {
        let rules = json!({"permissions": "a", "decision": "rpt", "uma_challenge": true});
        let mut sim = warm(host, rules);
        sim.provider().behaviour = Behaviour::Status(500);
        let request = get("/orders", &good(&P256_A).text);
        let (status, challenge, warning) = challenge(&mut sim, &request);
        assert_eq!((status, challenge), (403, None), "{host:?}");
        assert!(warning.unwrap().starts_with("199"));
    }
}

#[test]
fn a_protection_token_that_was_revoked_is_replaced() {
    for host in HOSTS {
        let rules = json!({"permissions": "a", "decision": "rpt", "uma_challenge": true});
        let mut sim = warm(host, rules);
        let request = get("/orders", &good(&P256_A).text);
        assert_eq!(challenge(&mut sim, &request).0, 401);
        sim.provider().behaviour = Behaviour::Once(401, b"{}".to_vec());
        assert_eq!(challenge(&mut sim, &request).0, 401, "{host:?}");
        assert_eq!(sim.provider().grants(), 2, "{host:?}");
    }
}

#[test]
fn a_decision_that_says_that_the_token_ended_is_learnt() {
    for host in HOSTS {
        let mut configuration = asking(json!({"permissions": "a", "cache_seconds": 600}));
        configuration["policies"] = json!({"b": {"authorization": {"permissions": "b"}}});
        let mut sim = warm_with(host, 1, &configuration);
        sim.provider().granted = vec!["a".to_owned(), "b".to_owned()];
        let token = good(&P256_A);
        assert_eq!(outcome(&mut sim, &token), None);
        let revoked = json!({"active": false});
        sim.provider().tokens.insert(token.text.clone(), revoked);
        assert_eq!(outcome(&mut sim, &token), None, "it is kept");
        let id = sim.request_with(0, Some("b"), &token);
        sim.run_for(SECOND);
        assert_eq!(sim.reason(id), Some(Reason::TokenInactive), "{host:?}");
        assert_eq!(outcome(&mut sim, &token), Some(Reason::TokenInactive));
    }
}
