//! The JWT that the gateway signs for the upstream: what stands in it, for how long it is used, and
//! how a request waits for the body that it depends on.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_keycloak_core::abilities::Abilities;
use jwt_keycloak_core::config;
use jwt_keycloak_core::event::RequestId;
use jwt_keycloak_core::gate::{Decision, Effects, Forward, Gate, Step};
use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::signing_key::{NoHostSigner, SigningKey};
use jwt_keycloak_core::keys::shared::NotShared;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::request::{Body, HeaderEdit, Request};
use jwt_keycloak_core::time::UnixMillis;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const NOW: i64 = 1_700_000_000;
const ID: RequestId = RequestId(1);
const SECRET: &str = "the issuer's secret, of 32 bytes or more";
const KEY: &str = "the gateway's own secret, just as long";

fn seconds(seconds: i64) -> UnixMillis {
    UnixMillis((NOW + seconds) * 1000)
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token of the issuer's, with these claims besides.
fn token(more: &Value) -> String {
    let mut claims = json!({
        "iss": "https://a", "sub": "u-1", "azp": "app", "typ": "Bearer", "exp": NOW + 300,
        "scope": "Orders/read Orders/write email", "realm_access": {"roles": ["admin", "user"]},
    });
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let header = encoded(&json!({"alg": "HS256", "typ": "JWT"}));
    let input = format!("{header}.{}", encoded(&claims));
    let key = SigningKey::from_secret(SECRET.into(), None, Some(Algorithm::Hs256)).unwrap();
    let signature = key.sign(input.as_bytes(), [0; 32], &NoHostSigner).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn loaded(jwt: &Value, more: &Value) -> config::Loaded {
    let mut jwt_members = json!({"issuer": "https://gateway", "keys": {"secret": KEY}});
    jwt_members
        .as_object_mut()
        .unwrap()
        .extend(jwt.as_object().unwrap().clone());
    let mut configuration = json!({
        "issuers": [{"iss": "https://a", "hmac_secrets": [{"secret": SECRET}]}],
        "allowed_alg": "HS256", "upstream_jwt": jwt_members,
    });
    configuration
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config::load(configuration.to_string().as_bytes(), Abilities::ALL)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// `jwt` are members of upstream_jwt, `more` of the configuration.
fn gate_with(jwt: Value, more: Value) -> Gate {
    Gate::new(loaded(&jwt, &more).settings, Abilities::ALL, [7; 32])
}

fn gate(jwt: Value) -> Gate {
    gate_with(jwt, json!({}))
}

fn request(token: Option<&str>) -> Request {
    let field = |token: &str| {
        let value = format!("Bearer {token}").into_bytes();
        (b"authorization".to_vec(), value)
    };
    Request {
        method: b"GET".to_vec(),
        path: b"/orders/1?a=b".to_vec(),
        headers: token.map(field).into_iter().collect(),
        service: Some("orders".to_owned()),
        route: Some("orders-route".to_owned()),
        ..Request::default()
    }
}

fn with_body(token: &str, length: Option<u64>) -> Request {
    Request {
        body: Body::Announced { length },
        ..request(Some(token))
    }
}

fn ask(gate: &mut Gate, request: &Request, now: UnixMillis) -> Step {
    gate.request(ID, request, now, &mut NotShared, &mut Effects::default())
}

/// Asserts that a request waits for its body.
fn awaits_body(gate: &mut Gate, request: &Request) {
    let step = ask(gate, request, seconds(0));
    assert!(matches!(step, Step::AwaitBody(_)), "{step:?}");
}

fn forwarded(step: Step) -> Forward {
    match step {
        Step::Decided(Decision::Forward(forward)) => forward,
        other => panic!("{other:?}"),
    }
}

fn refused(decision: &Decision) -> Reason {
    match decision {
        Decision::Reply(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

/// The value of the header that has the JWT, and that header's name.
fn signed_with(forward: &Forward, entropy: &[u8]) -> (String, String) {
    let jwt = forward.jwt.as_ref().expect("a JWT");
    let edit = jwt.sign(|| Some(entropy.to_vec()), &NoHostSigner).unwrap();
    match edit {
        HeaderEdit::Set(name, value) => (name.to_string(), String::from_utf8(value).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn signed(forward: &Forward) -> String {
    signed_with(forward, b"entropy").1
}

/// What is signed for a token's caller, so many seconds later.
fn signed_at(gate: &mut Gate, token: &str, now: i64) -> String {
    signed(&forwarded(ask(gate, &request(Some(token)), seconds(now))))
}

/// JOSE header and claims.
fn opened(jwt: &str) -> (Value, Value) {
    let mut parts = jwt.split('.');
    (
        decoded(parts.next().unwrap()),
        decoded(parts.next().unwrap()),
    )
}

fn claims_of(gate: &mut Gate, request: &Request) -> Value {
    opened(&signed(&forwarded(ask(gate, request, seconds(0))))).1
}

fn sha256(text: &[u8]) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

// What stands in it

#[test]
fn it_says_who_called_through_which_gateway_for_whom_and_when() {
    let forward = forwarded(ask(
        &mut gate(json!({})),
        &request(Some(&token(&json!({})))),
        seconds(0),
    ));
    let (name, jwt) = signed_with(&forward, b"entropy");
    assert_eq!(name, "jwt");
    let (header, mut claims) = opened(&jwt);
    assert_eq!(header, json!({"alg": "HS256", "typ": "JWT"}));
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    let lengths: Vec<_> = jti.as_str().unwrap().split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{jti}");
    let expected = json!({
        "iss": "https://gateway", "aud": "orders", "iat": NOW, "nbf": NOW, "exp": NOW + 60,
        "sub": "u-1", "sub_id": {"format": "iss_sub", "iss": "https://a", "sub": "u-1"},
        "client_id": "app",
    });
    assert_eq!(claims, expected);
}

#[test]
fn it_never_outlives_the_callers_token() {
    for (exp, expected) in [
        (json!(NOW + 10), NOW + 10),
        (json!(NOW + 60), NOW + 60),
        (json!(NOW as f64 + 10.9), NOW + 10),
        (json!(NOW + 61), NOW + 60),
        (json!(u64::MAX), NOW + 60),
    ] {
        let token = token(&json!({"exp": exp}));
        let claims = claims_of(&mut gate(json!({})), &request(Some(&token)));
        assert_eq!(claims["exp"], expected, "{exp}");
    }
    // Within the skew it is over already, for an upstream whose clock is the gateway's.
    let late = token(&json!({"exp": NOW - 5}));
    let mut gate = gate_with(json!({}), json!({"clock_skew": 30}));
    assert_eq!(claims_of(&mut gate, &request(Some(&late)))["exp"], NOW - 5);
}

#[test]
fn a_request_without_an_accepted_token_is_anonymous_and_says_nothing_of_any() {
    let expired = token(&json!({"exp": NOW - 5}));
    let good = token(&json!({}));
    let anonymous = json!({
        "consumers": [{"username": "guest", "id": "7"}], "anonymous": "guest",
    });
    for (settings, credential, consumer) in [
        (json!({"access": "optional"}), None, None),
        (json!({"access": "public"}), Some(&good), None),
        (json!({"report_only": true}), Some(&expired), None),
        (json!({"report_only": true}), None, None),
        (anonymous.clone(), None, Some("guest")),
        (anonymous, Some(&expired), Some("guest")),
    ] {
        let mut gate = gate_with(
            json!({"claims": {"roles": "realm_access.roles", "app": {"from": "client_id"}}}),
            settings.clone(),
        );
        let credential = credential.map(String::as_str);
        let mut claims = claims_of(&mut gate, &request(credential));
        let members = claims.as_object_mut().unwrap();
        members.remove("jti");
        let name = members.remove("consumername");
        assert_eq!(
            name.as_ref().and_then(Value::as_str),
            consumer,
            "{settings}"
        );
        members.remove("consumerid");
        let expected = json!({
            "iss": "https://gateway", "aud": "orders", "anonymous": true, "iat": NOW, "nbf": NOW,
            "exp": NOW + 60,
        });
        assert_eq!(claims, expected, "{settings}");
    }
}

#[test]
fn claims_come_from_where_the_configuration_says() {
    let mut gate = gate(json!({
        "aud": ["a", "b"], "jti": false, "query_hash": true,
        "claims": {
            "sub": false, "sub_id": false, "client_id": false,
            "roles": {"claim": "realm_access.roles", "only": ["admin", "clerk"]},
            "scope": {"claim": "scope", "only": ["Orders/*"]},
            "none": {"claim": "scope", "only": ["Bills/*"]},
            "missing": "not.there", "azp": {"claim": ["azp"]},
            "fixed": {"value": {"x": [1, true]}},
            "request": {"method": {"from": "method"}, "path": {"from": "path"}},
            "hash": {"from": "query_sha256"}, "at": {"s": {"from": "service"}, "r": {"from": "route"}},
            "nobody": {"name": {"from": "consumer_username"}},
        },
    }));
    let claims = claims_of(&mut gate, &request(Some(&token(&json!({})))));
    let query = sha256(b"a=b");
    let expected = json!({
        "iss": "https://gateway", "aud": ["a", "b"], "iat": NOW, "nbf": NOW, "exp": NOW + 60,
        "roles": ["admin"], "scope": "Orders/read Orders/write", "azp": "app",
        "fixed": {"x": [1, true]}, "request": {"method": "GET", "path": "/orders/1"},
        "queryhash": query, "hash": query, "at": {"s": "orders", "r": "orders-route"},
    });
    assert_eq!(claims, expected);
}

#[test]
fn a_sub_of_another_kind_is_no_issuers_sub() {
    let mut gate = gate(json!({"claims": {"sub": "azp"}}));
    let claims = claims_of(&mut gate, &request(Some(&token(&json!({})))));
    assert_eq!(claims["sub"], "app");
    assert_eq!(claims.get("sub_id"), None);
}

#[test]
fn consumers_are_told_those_found_here_and_those_found_in_front() {
    let found = json!({"consumers": [{"id": "1", "username": "app"}], "consumer_match": true});
    let members = json!({"claims": {"tags": {"from": "consumer_tags"}}});
    let token = token(&json!({}));
    let claims = claims_of(
        &mut gate_with(members.clone(), found),
        &request(Some(&token)),
    );
    assert_eq!(
        (&claims["consumerid"], &claims["consumername"]),
        (&json!("1"), &json!("app"))
    );

    let mut in_front = request(Some(&token));
    for (name, value) in [
        ("x-consumer-id", "9"),
        ("x-consumer-username", "partner"),
        ("x-consumer-tags", "gold, admin"),
    ] {
        in_front.headers.push((name.into(), value.into()));
    }
    let mut kept = gate_with(members.clone(), json!({"keep_consumer_headers": true}));
    let claims = claims_of(&mut kept, &in_front);
    assert_eq!(
        (&claims["consumerid"], &claims["consumername"]),
        (&json!("9"), &json!("partner"))
    );
    // Nothing in front sets these.
    assert_eq!(claims.get("tags"), None);
    // Which of two would it be? And a client's own word counts for nothing.
    in_front.headers.push(("x-consumer-id".into(), "10".into()));
    assert_eq!(claims_of(&mut kept, &in_front).get("consumerid"), None);
    let claims = claims_of(&mut gate_with(members, json!({})), &in_front);
    assert_eq!(claims.get("consumername"), None);
}

#[test]
fn a_query_that_does_not_go_up_is_not_hashed() {
    let token = token(&json!({}));
    let settings = json!({"uri_param_names": ["jwt"], "upstream_token": "hide"});
    let mut gate = gate_with(json!({"query_hash": true}), settings);
    let mut in_query = request(None);
    in_query.path = format!("/orders?a=b&jwt={token}").into_bytes();
    assert_eq!(claims_of(&mut gate, &in_query)["queryhash"], sha256(b"a=b"));
    in_query.path = format!("/orders?jwt={token}").into_bytes();
    assert_eq!(claims_of(&mut gate, &in_query)["queryhash"], sha256(b""));
}

#[test]
fn a_policy_changes_what_it_states() {
    let policies = json!({"policies": {
        "bills": {"upstream_jwt": {"aud": "bills", "keys": {"secret": format!("{KEY}, another")}}},
        "legacy": {"upstream_jwt": false},
        "same": {},
    }});
    let mut gate = gate_with(json!({"include_credential_type": true}), policies);
    let token = token(&json!({}));
    let mut of = |policy: Option<&str>| {
        let mut request = request(Some(&token));
        request.policy = policy.map(str::to_owned);
        let forward = forwarded(ask(&mut gate, &request, seconds(0)));
        forward.jwt.is_some().then(|| signed(&forward))
    };
    let (base, bills) = (of(None).unwrap(), of(Some("bills")).unwrap());
    assert_eq!(
        opened(base.strip_prefix("Bearer ").unwrap()).1["aud"],
        "orders"
    );
    assert_eq!(
        opened(bills.strip_prefix("Bearer ").unwrap()).1["aud"],
        "bills"
    );
    assert_eq!(of(Some("legacy")), None);
    assert_ne!(of(Some("same")), Some(base), "policies share no JWT");
}

// For how long it is used

#[test]
fn one_caller_gets_the_same_again_for_half_of_its_life() {
    let mut gate = gate(json!({"exp": 100}));
    let token = token(&json!({}));
    let mut at = |now| signed_at(&mut gate, &token, now);
    let first = at(0);
    assert_eq!(at(1), first);
    assert_eq!(at(49), first);
    let second = at(50);
    assert_ne!(second, first);
    assert_eq!(opened(&second).1["iat"], NOW + 50);
    assert_eq!(at(99), second);
}

#[test]
fn none_is_used_after_the_callers_token_has_ended() {
    let mut gate = gate_with(json!({"exp": 100}), json!({"clock_skew": 60}));
    let token = token(&json!({"exp": NOW + 10}));
    let mut at = |now| signed_at(&mut gate, &token, now);
    let first = at(0);
    assert_eq!(at(9), first);
    assert_ne!(at(10), first, "it has ended");
}

#[test]
fn a_clock_that_is_put_back_keeps_none_for_good() {
    let mut gate = gate(json!({}));
    let token = token(&json!({}));
    let mut at = |now| signed_at(&mut gate, &token, now);
    let first = at(0);
    assert_ne!(at(-100_000), first);
    // Nor one that is not valid yet, by however little.
    let second = at(0);
    assert_ne!(at(-1), second);
}

#[test]
fn callers_services_and_routes_share_none() {
    let mut gate = gate_with(
        json!({"claims": {"n": {"from": "consumer_username"}}}),
        json!({"access": "optional", "keep_consumer_headers": true}),
    );
    let (one, other) = (token(&json!({})), token(&json!({"sub": "u-2"})));
    let mut requests = vec![request(Some(&one)), request(Some(&other)), request(None)];
    for change in [
        |request: &mut Request| request.service = Some("bills".to_owned()),
        |request: &mut Request| request.route = None,
        |request: &mut Request| {
            let field = (b"x-consumer-username".to_vec(), b"x".to_vec());
            request.headers.push(field);
        },
    ] {
        let mut changed = request(Some(&one));
        change(&mut changed);
        requests.push(changed);
    }
    for (name, value) in [
        ("x-consumer-username", "y"),
        ("x-consumer-id", "y"),
        ("x-consumer-id", "z"),
        ("x-consumer-custom-id", "y"),
        ("x-consumer-custom-id", "z"),
    ] {
        let mut changed = request(Some(&one));
        changed.headers.push((name.into(), value.into()));
        requests.push(changed);
    }
    let mut seen = BTreeSet::new();
    for request in &requests {
        seen.insert(signed(&forwarded(ask(&mut gate, request, seconds(0)))));
    }
    assert_eq!(seen.len(), requests.len());
}

#[test]
fn what_depends_on_the_request_is_signed_for_each() {
    let token = token(&json!({}));
    for members in [
        json!({"reuse": false}),
        json!({"query_hash": true}),
        json!({"body_hash": true}),
        json!({"claims": {"a": {"b": {"from": "method"}}}}),
        json!({"claims": {"a": {"from": "path"}}}),
        json!({"claims": {"a": {"from": "content_digest"}}}),
    ] {
        let mut gate = gate(members.clone());
        let mut jwt = || {
            signed(&forwarded(ask(
                &mut gate,
                &request(Some(&token)),
                seconds(0),
            )))
        };
        assert_ne!(jwt(), jwt(), "{members}");
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let mut gate = gate(json!({}));
    let mut of = |number: usize| {
        let token = token(&json!({"sub": format!("u-{number}")}));
        signed(&forwarded(ask(
            &mut gate,
            &request(Some(&token)),
            seconds(0),
        )))
    };
    let (first, second) = (of(0), of(1));
    for number in 2..2001 {
        of(number);
    }
    assert_eq!(of(1), second, "what has room is kept");
    assert_ne!(of(0), first, "the oldest made room");
}

#[test]
fn identifiers_are_unique_and_cannot_be_foreseen() {
    let token = token(&json!({}));
    let jti = |gate: &mut Gate, entropy: &[u8]| {
        let forward = forwarded(ask(gate, &request(Some(&token)), seconds(0)));
        opened(&signed_with(&forward, entropy).1).1["jti"].clone()
    };
    let members = || json!({"reuse": false});
    let mut one = gate(members());
    // With entropy that never changes: the number does.
    let seen: BTreeSet<_> = (0..1000).map(|_| jti(&mut one, b"").to_string()).collect();
    assert_eq!(seen.len(), 1000);
    // Two workers with one key and the same numbers: their entropy differs.
    assert_ne!(
        jti(&mut gate(members()), b"a"),
        jti(&mut gate(members()), b"b")
    );
    assert_eq!(
        jti(&mut gate(members()), b"a"),
        jti(&mut gate(members()), b"a")
    );
    // Who knows all of it, but not the key.
    let key = format!("{KEY}.");
    let mut other = gate(json!({"reuse": false, "keys": {"secret": key}}));
    assert_ne!(jti(&mut other, b"a"), jti(&mut gate(members()), b"a"));
}

#[test]
fn without_entropy_nothing_is_signed() {
    let forward = forwarded(ask(
        &mut gate(json!({})),
        &request(Some(&token(&json!({})))),
        seconds(0),
    ));
    assert!(forward.jwt.unwrap().sign(|| None, &NoHostSigner).is_err());
}

// How a request waits for its body

fn decisions_after(gate: &mut Gate, body: Result<&[u8], Reason>) -> Vec<Decision> {
    let mut effects = Effects::default();
    gate.body(ID, body, seconds(1), &mut effects);
    effects
        .decisions
        .into_iter()
        .map(|(_, decision)| decision)
        .collect()
}

fn after_tick(gate: &mut Gate, now: UnixMillis) -> Vec<Decision> {
    let mut effects = Effects::default();
    gate.tick(now, &mut NotShared, &mut effects);
    effects
        .decisions
        .into_iter()
        .map(|(_, decision)| decision)
        .collect()
}

#[test]
fn a_body_is_hashed_before_the_request_goes_up() {
    for (members, claim, expected) in [
        (json!({"body_hash": true}), "payloadhash", sha256(b"abc")),
        (json!({"body_hash": "hex"}), "payloadhash", sha256(b"abc")),
        (
            json!({"body_hash": "content-digest"}),
            "content_digest",
            "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:".to_owned(),
        ),
    ] {
        let mut gate = gate(members);
        let step = ask(
            &mut gate,
            &with_body(&token(&json!({})), Some(3)),
            seconds(0),
        );
        assert!(matches!(step, Step::AwaitBody(_)), "{step:?}");
        assert_eq!(gate.reads_body(ID), Some(1_048_576));
        let decisions = decisions_after(&mut gate, Ok(b"abc"));
        let [Decision::Forward(forward)] = decisions.as_slice() else {
            panic!("{decisions:?}");
        };
        assert!(!forward.jwt.as_ref().unwrap().denies_body());
        assert_eq!(opened(&signed(forward)).1[claim], expected);
        assert!(decisions_after(&mut gate, Ok(b"abc")).is_empty(), "once");
        assert_eq!(gate.reads_body(ID), None);
    }
}

#[test]
fn no_body_is_hashed_as_such_and_none_may_come_then() {
    let mut gate = gate(json!({"body_hash": true}));
    let forward = forwarded(ask(
        &mut gate,
        &request(Some(&token(&json!({})))),
        seconds(0),
    ));
    assert!(forward.jwt.as_ref().unwrap().denies_body());
    assert_eq!(opened(&signed(&forward)).1["payloadhash"], sha256(b""));
}

#[test]
fn who_is_refused_is_not_waited_for() {
    let mut gate = gate(json!({"body_hash": true}));
    let expired = token(&json!({"exp": NOW - 1}));
    match ask(&mut gate, &with_body(&expired, Some(3)), seconds(0)) {
        Step::Decided(decision) => assert_eq!(refused(&decision), Reason::TokenExpired),
        other => panic!("{other:?}"),
    }
    assert_eq!(gate.reads_body(ID), None);
}

#[test]
fn a_body_that_cannot_be_hashed_is_refused_whatever_the_policy_waives() {
    for waives in [
        json!({}),
        json!({"report_only": true}),
        json!({"consumers": [{"id": "7"}], "anonymous": "7"}),
    ] {
        let gate = || {
            gate_with(
                json!({"body_hash": true, "max_body_size": 10}),
                waives.clone(),
            )
        };
        let token = token(&json!({}));
        let mut upgrade = with_body(&token, None);
        upgrade.headers.push(("upgrade".into(), "websocket".into()));
        let mut connect = with_body(&token, None);
        connect.method = b"CONNECT".to_vec();
        for (request, reason) in [
            (with_body(&token, Some(11)), Reason::BodyTooLarge),
            (upgrade, Reason::EndlessBody),
            (connect, Reason::EndlessBody),
        ] {
            match ask(&mut gate(), &request, seconds(0)) {
                Step::Decided(decision) => assert_eq!(refused(&decision), reason, "{waives}"),
                other => panic!("{other:?}"),
            }
        }
        let mut gate = gate();
        let step = ask(&mut gate, &with_body(&token, None), seconds(0));
        assert!(matches!(step, Step::AwaitBody(_)));
        let decisions = decisions_after(&mut gate, Err(Reason::BodyTooLarge));
        assert_eq!(refused(&decisions[0]), Reason::BodyTooLarge, "{waives}");
    }
}

#[test]
fn a_host_that_shows_no_body_is_not_waited_for_long() {
    let mut gate = gate(json!({"body_hash": true}));
    let request = with_body(&token(&json!({})), Some(3));
    awaits_body(&mut gate, &request);
    assert!(after_tick(&mut gate, seconds(4)).is_empty());
    let decisions = after_tick(&mut gate, seconds(5));
    assert_eq!(refused(&decisions[0]), Reason::BodyNotShown);
    assert_eq!(gate.reads_body(ID), None);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let mut gate = gate(json!({"body_hash": true, "body_timeout": 20}));
    gate.body_began();
    let request = with_body(&token(&json!({})), Some(3));
    awaits_body(&mut gate, &request);
    assert!(after_tick(&mut gate, seconds(19)).is_empty());
    let decisions = after_tick(&mut gate, seconds(20));
    assert_eq!(refused(&decisions[0]), Reason::BodyTimeout);
}

#[test]
fn a_token_that_has_ended_meanwhile_lets_nothing_up() {
    for (skew, ends) in [(0, false), (5, true)] {
        let more = json!({"clock_skew": skew});
        let mut gate = gate_with(json!({"body_hash": true, "body_timeout": 600}), more);
        gate.body_began();
        let token = token(&json!({"exp": NOW + 10}));
        let request = with_body(&token, Some(3));
        awaits_body(&mut gate, &request);
        let mut effects = Effects::default();
        gate.body(ID, Ok(b"abc"), seconds(12), &mut effects);
        let (_, decision) = &effects.decisions[0];
        match decision {
            Decision::Forward(_) => assert!(ends, "{skew}"),
            other => assert!(!ends && refused(other) == Reason::TokenExpired, "{skew}"),
        }
    }
}

#[test]
fn a_body_that_comes_too_late_is_refused_by_whichever_host() {
    let mut gate = gate(json!({"body_hash": true, "body_timeout": 1}));
    let request = with_body(&token(&json!({})), Some(3));
    awaits_body(&mut gate, &request);
    let decisions = decisions_after(&mut gate, Ok(b"abc"));
    assert_eq!(refused(&decisions[0]), Reason::BodyTimeout);
}

#[test]
fn so_many_may_wait_for_their_bodies_and_no_more() {
    let mut gate = gate(json!({"body_hash": true}));
    let request = with_body(&token(&json!({})), Some(3));
    for number in 0..2000 {
        let id = RequestId(number);
        let mut effects = Effects::default();
        let step = gate.request(id, &request, seconds(0), &mut NotShared, &mut effects);
        assert!(matches!(step, Step::AwaitBody(_)));
    }
    let Step::Decided(decision) = ask(&mut gate, &request, seconds(0)) else {
        panic!("one more waits");
    };
    assert_eq!(refused(&decision), Reason::TooManyWaiting);
    gate.gone(RequestId(7));
    let step = ask(&mut gate, &request, seconds(0));
    assert!(matches!(step, Step::AwaitBody(_)));
}

#[test]
fn a_refusal_for_the_body_is_counted_once() {
    use jwt_keycloak_core::metrics::{Measure, Outcome};
    let mut gate = gate(json!({"body_hash": true}));
    let request = with_body(&token(&json!({})), Some(3));
    let outcomes = |effects: &Effects| {
        let outcome = |measure: &Measure| match measure {
            Measure::Request { outcome, .. } => Some(*outcome),
            _ => None,
        };
        effects
            .measures
            .iter()
            .filter_map(outcome)
            .collect::<Vec<_>>()
    };
    for (body, outcome) in [
        (Ok(b"abc".as_slice()), Outcome::Allowed),
        (Err(Reason::BodyTooLarge), Outcome::Refused),
    ] {
        let mut effects = Effects::default();
        let step = gate.request(ID, &request, seconds(0), &mut NotShared, &mut effects);
        assert!(matches!(step, Step::AwaitBody(_)));
        assert_eq!(outcomes(&effects), []);
        gate.body(ID, body, seconds(0), &mut effects);
        assert_eq!(outcomes(&effects), [outcome]);
    }
}

#[test]
fn where_the_head_goes_first_it_goes_as_it_has_to() {
    let settings = json!({
        "claims_to_headers": {"x-user": "sub"}, "upstream_token": "hide", "uri_param_names": [],
    });
    let loaded = loaded(&json!({"body_hash": true}), &settings);
    for holds_head in [true, false] {
        let abilities = Abilities {
            holds_head,
            ..Abilities::ALL
        };
        let mut gate = Gate::new(loaded.settings.clone(), abilities, [7; 32]);
        let request = with_body(&token(&json!({})), Some(3));
        let Step::AwaitBody(head) = ask(&mut gate, &request, seconds(0)) else {
            panic!("it does not wait");
        };
        let decisions = decisions_after(&mut gate, Ok(b"abc"));
        let [Decision::Forward(forward)] = decisions.as_slice() else {
            panic!("{decisions:?}");
        };
        let (now, later) = (head.headers().count(), forward.head.headers().count());
        assert_eq!((now, later), if holds_head { (0, 2) } else { (2, 0) });
        assert!(forward.jwt.is_some());
    }
}

#[test]
fn a_path_that_is_no_text_is_not_told_as_another() {
    let mut gate = gate(json!({"claims": {"path": {"from": "path"}}}));
    let mut request = request(Some(&token(&json!({}))));
    request.path = b"/a\xff".to_vec();
    assert_eq!(claims_of(&mut gate, &request).get("path"), None);
}

#[test]
fn only_what_has_no_end_is_endless() {
    let mut gate = gate(json!({"body_hash": true}));
    let mut request = with_body(&token(&json!({})), None);
    request.headers.push(("upgrade".into(), "h2c".into()));
    awaits_body(&mut gate, &request);
}

#[test]
fn nobody_is_left_waiting_for_a_body() {
    let request = with_body(&token(&json!({})), Some(3));
    let mut gate = gate(json!({"body_hash": true}));
    awaits_body(&mut gate, &request);
    let refused_all = gate.refuse_all(Some(Reason::KeysUnavailable));
    assert_eq!(refused_all.len(), 1);
    assert_eq!(refused(&refused_all[0].1), Reason::KeysUnavailable);
    awaits_body(&mut gate, &request);
    gate.gone(ID);
    assert!(decisions_after(&mut gate, Ok(b"abc")).is_empty());
    assert!(after_tick(&mut gate, seconds(100)).is_empty());
}

// The keys

#[test]
fn the_keys_are_published_where_the_configuration_says() {
    let key = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----";
    let mut gate = gate(json!({"keys": [key], "jwks_path": "/keys", "jwks_max_age": 7}));
    let mut asked = |method: &str, path: &str| {
        let request = Request {
            method: method.into(),
            path: path.into(),
            ..request(None)
        };
        ask(&mut gate, &request, seconds(0))
    };
    for (method, path) in [("GET", "/keys"), ("HEAD", "/keys"), ("GET", "/keys?x=y")] {
        match asked(method, path) {
            Step::Decided(Decision::Publish(set)) => {
                assert!(
                    set.headers()
                        .contains(&("cache-control", "public, max-age=7".to_owned()))
                );
                let document: Value = serde_json::from_str(&set.document).unwrap();
                let [key] = document["keys"].as_array().unwrap().as_slice() else {
                    panic!("{document}");
                };
                let names: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
                assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
            }
            other => panic!("{method} {path}: {other:?}"),
        }
    }
    for (method, path) in [
        ("POST", "/keys"),
        ("GET", "/keys/"),
        ("GET", "/Keys"),
        ("GET", "/"),
    ] {
        let step = asked(method, path);
        let Step::Decided(decision) = step else {
            panic!("{step:?}")
        };
        assert_eq!(refused(&decision), Reason::MissingToken, "{method} {path}");
    }
}

/// RFC 8410, 10.3, and another one.
const ED25519: [&str; 2] = [
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC",
    "MC4CAQAwBQYDK2VwBCIEIAQnPbJ3fSGzo0IBhXKtTmSLmbjuE6pBu010BrMfcW19",
];

fn pem(number: usize) -> String {
    let body = ED25519[number];
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----")
}

/// At each path, the kids of the keys that are published there.
fn published(settings: &config::Settings) -> Vec<(String, Vec<String>)> {
    let sets = settings.key_sets.iter().map(|set| {
        let document: Value = serde_json::from_str(&set.document).unwrap();
        let keys = document["keys"].as_array().unwrap();
        let kids = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned());
        (set.path.clone(), kids.collect())
    });
    sets.collect()
}

#[test]
fn each_policy_has_its_keys_and_they_are_published_where_it_says() {
    let top = json!({
        "keys": [{"pem": pem(0), "kid": "a"}, {"pem": pem(1), "kid": "next"}, {"secret": KEY}],
        "jwks_path": "/keys",
    });
    let policies = json!({"policies": {
        "other": {"upstream_jwt": {"keys": [{"pem": pem(1), "kid": "b"}]}},
        "apart": {"upstream_jwt": {
            "private_key_location": pem(1), "key_id": "c", "jwks_path": "/apart",
        }},
        "same": {"upstream_jwt": {"aud": "x"}},
        "secret": {"upstream_jwt": {"keys": {"secret": KEY}}},
        "none": {"upstream_jwt": false},
    }});
    let settings = loaded(&top, &policies).settings;
    let kid = |policy: &str| {
        let policy = settings.policy(Some(policy)).unwrap();
        let jwt = policy.upstream_jwt.as_ref()?;
        jwt.keys.first().kid().map(str::to_owned)
    };
    let kid = |policy: &str| kid(policy).unwrap_or_default();
    assert_eq!(
        ["other", "apart", "same", "secret", "none"].map(kid),
        ["b", "c", "a", "", ""]
    );
    let text = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        published(&settings),
        [
            ("/keys".to_owned(), text(&["a", "next", "b"])),
            ("/apart".to_owned(), text(&["c"])),
        ]
    );
}

#[test]
fn two_keys_of_one_name_are_not_published_together() {
    let configuration = json!({
        "allowed_iss": "https://a",
        "upstream_jwt": {
            "issuer": "g", "keys": [{"pem": pem(0), "kid": "a"}], "jwks_path": "/keys",
        },
        "policies": {"p": {"upstream_jwt": {"keys": [{"pem": pem(1), "kid": "a"}]}}},
    });
    let faults = config::load(configuration.to_string().as_bytes(), Abilities::ALL).unwrap_err();
    let [fault] = faults.as_slice() else {
        panic!("{faults:?}");
    };
    assert_eq!(fault.path, "$.upstream_jwt.jwks_path");
}

#[test]
fn what_is_slow_weak_or_unlike_upstream_jwt_is_a_warning() {
    let warned = |jwt: Value, abilities: Abilities| {
        let mut jwt_members = json!({"issuer": "g"});
        jwt_members
            .as_object_mut()
            .unwrap()
            .extend(jwt.as_object().unwrap().clone());
        let configuration = json!({
            "allowed_iss": "https://a", "allowed_aud": "x", "upstream_jwt": jwt_members,
        });
        let loaded = config::load(configuration.to_string().as_bytes(), abilities).unwrap();
        loaded.warnings.join("; ")
    };
    let rsa = include_str!("../e2e/keys/test-only-rsa.pem");
    let cannot_sign = Abilities {
        signs: false,
        ..Abilities::ALL
    };
    let all = Abilities::ALL;
    for (jwt, abilities, expected) in [
        (json!({"keys": pem(0)}), cannot_sign, ""),
        (json!({"keys": rsa}), all, ""),
        (json!({"keys": rsa}), cannot_sign, "slow"),
        (json!({"keys": {"pem": rsa, "alg": "PS256"}}), all, "slow"),
        (
            json!({"keys": {"secret": KEY}}),
            all,
            "whoever verifies it can sign",
        ),
        (
            json!({"keys": pem(0), "iat": false}),
            all,
            "$.upstream_jwt.iat: ignored",
        ),
        (json!({"private_key_location": pem(0)}), all, "payloadhash"),
        (
            json!({"private_key_location": pem(0), "body_hash": false}),
            all,
            "",
        ),
    ] {
        let warnings = warned(jwt, abilities);
        assert!(warnings.contains(expected), "{expected}: {warnings}");
        assert_eq!(warnings.is_empty(), expected.is_empty(), "{warnings}");
    }
}

#[test]
fn a_bad_key_hides_no_other_fault_and_a_name_is_quoted_as_everywhere() {
    let configuration = json!({"allowed_iss": "https://a", "upstream_jwt": {
        "issuer": "g", "keys": {"pem": 5, "zz": 1}, "claims": {"a": {"b c": 7}},
    }});
    let faults = config::load(configuration.to_string().as_bytes(), Abilities::ALL).unwrap_err();
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    let expected =
        ["keys.pem", "keys.zz", "claims.a[\"b c\"]"].map(|at| format!("$.upstream_jwt.{at}"));
    assert_eq!(paths, expected);
}

#[test]
fn nothing_that_is_printed_has_a_key_in_it() {
    let settings = loaded(&json!({}), &json!({})).settings;
    let printed = format!("{settings:?} {settings:#?}");
    assert!(!printed.contains("own secret"), "{printed}");
}
