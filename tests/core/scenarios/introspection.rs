//! Tokens about which their issuer is asked: how often, and what its answers and silence lead to.

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{P256_A, P256_B};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Provider, Simulation, configuration};
use jwt_keycloak_tests::tokens::{ISSUER, START, Token, claims, forge, mint_with};
use serde_json::{Value, json};

use crate::{HOSTS, SECOND, seconds};

/// [`configuration`] with introspection of this kind.
fn asking(introspection: Value) -> Value {
    let mut configuration = configuration();
    configuration["client"] = json!({"client_id": "gateway", "client_secret": "a secret"});
    configuration["introspection"] = introspection;
    configuration
}

/// A gateway with one worker and keys, whose provider knows the opaque token `good`.
fn warm(host: Host, introspection: Value) -> Simulation {
    let mut sim = Simulation::configured(host, 1, &asking(introspection));
    sim.provider().keys = vec![P256_A.jwk()];
    sim.run_for(SECOND);
    know(&mut sim, "good", &json!({}));
    sim
}

/// The provider says of a token that it is active, with these claims beside the usual ones.
fn know(sim: &mut Simulation, token: &str, more: &Value) {
    let mut answer = claims(ISSUER);
    answer["active"] = json!(true);
    for (name, value) in more.as_object().unwrap() {
        answer[name] = value.clone();
    }
    sim.provider().tokens.insert(token.to_owned(), answer);
}

fn opaque(text: &str) -> Token {
    Token {
        text: text.to_owned(),
        genuine: true,
    }
}

/// A JWT that the provider knows.
fn jwt(sim: &mut Simulation, more: &Value) -> Token {
    let mut claims = claims(ISSUER);
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let text = mint_with(&P256_A, "ES256", &claims);
    claims["active"] = json!(true);
    sim.provider().tokens.insert(text.clone(), claims);
    opaque(&text)
}

fn revoke(sim: &mut Simulation, token: &str) {
    sim.provider()
        .tokens
        .insert(token.to_owned(), json!({"active": false}));
}

/// Sends it and lets the answer come.
fn outcome(sim: &mut Simulation, token: &Token) -> Option<Reason> {
    let id = sim.request(0, token);
    sim.run_for(Millis(100));
    assert!(!sim.is_waiting(id));
    sim.reason(id)
}

#[test]
fn a_token_that_is_no_jwt_is_shown_to_its_issuer() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        assert_eq!(outcome(&mut sim, &opaque("good")), None, "{host:?}");
        let bad = outcome(&mut sim, &opaque("unknown"));
        assert_eq!(bad, Some(Reason::TokenInactive), "{host:?}");
        // RFC 6749, 2.3.1; RFC 7662, 2.1.
        let (form, authorization) = sim.provider().posted[0].clone();
        assert_eq!(form, "token=good&token_type_hint=access_token");
        assert_eq!(authorization.unwrap(), "Basic Z2F0ZXdheTphK3NlY3JldA==");
        assert_eq!(sim.provider().introspections(), 2);
    }
}

#[test]
fn an_answer_counts_as_long_as_it_may() {
    for host in HOSTS {
        let mut sim = warm(
            host,
            json!({"cache_seconds": 30, "negative_cache_seconds": 5}),
        );
        for _ in 0..100 {
            assert_eq!(outcome(&mut sim, &opaque("good")), None);
        }
        assert_eq!(sim.provider().introspections(), 1, "{host:?}");
        revoke(&mut sim, "good");
        sim.run_for(seconds(19));
        assert_eq!(outcome(&mut sim, &opaque("good")), None);
        sim.run_for(SECOND);
        let reason = outcome(&mut sim, &opaque("good"));
        assert_eq!(reason, Some(Reason::TokenInactive), "{host:?}");
        // That, too, counts for a while.
        know(&mut sim, "good", &json!({}));
        let reason = outcome(&mut sim, &opaque("good"));
        assert_eq!(reason, Some(Reason::TokenInactive), "{host:?}");
        assert_eq!(sim.provider().introspections(), 2, "{host:?}");
        sim.run_for(seconds(5));
        assert_eq!(outcome(&mut sim, &opaque("good")), None, "{host:?}");
        assert_eq!(sim.provider().introspections(), 3, "{host:?}");
    }
}

#[test]
fn no_answer_counts_beyond_exp() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"cache_seconds": 3600}));
        let exp = START.0 / 1000 + 10;
        know(&mut sim, "good", &json!({"exp": exp}));
        assert_eq!(outcome(&mut sim, &opaque("good")), None);
        sim.run_for(seconds(9));
        know(&mut sim, "good", &json!({"exp": exp + 100}));
        assert_eq!(outcome(&mut sim, &opaque("good")), None, "it was renewed");
        assert_eq!(sim.provider().introspections(), 2, "{host:?}");
    }
}

#[test]
fn without_a_cache_each_request_asks() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"when": "always"}));
        let token = jwt(&mut sim, &json!({}));
        for _ in 0..5 {
            assert_eq!(outcome(&mut sim, &token), None);
        }
        revoke(&mut sim, &token.text);
        let reason = outcome(&mut sim, &token);
        assert_eq!(reason, Some(Reason::TokenInactive));
        assert_eq!(sim.provider().introspections(), 6, "{host:?}");
        know(&mut sim, &token.text.clone(), &json!({}));
        sim.run_for(seconds(10));
        assert_eq!(outcome(&mut sim, &token), None, "{host:?}");
    }
}

#[test]
fn those_who_ask_the_same_at_one_time_share_a_call() {
    for (host, calls) in [(Host::Wakes, 1), (Host::CannotWake, 50)] {
        for introspection in [json!({}), json!({"when": "always"})] {
            let mut sim = warm(host, introspection);
            let ids: Vec<_> = (0..50).map(|_| sim.request(0, &opaque("good"))).collect();
            sim.run_for(SECOND);
            assert!(ids.iter().all(|id| sim.was_forwarded(*id)), "{host:?}");
            assert_eq!(sim.provider().introspections(), calls, "{host:?}");
        }
    }
}

#[test]
fn two_tokens_are_two_questions() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        let (good, bad) = (
            sim.request(0, &opaque("good")),
            sim.request(0, &opaque("bad")),
        );
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(good));
        assert_eq!(sim.reason(bad), Some(Reason::TokenInactive));
    }
}

#[test]
fn who_hangs_up_leaves_nothing_and_takes_nothing_along() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"when": "always"}));
        let first = sim.request(0, &opaque("good"));
        let second = sim.request(0, &opaque("good"));
        sim.hang_up(first);
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(second), "{host:?}");
        let alone = sim.request(0, &opaque("good"));
        sim.hang_up(alone);
        sim.run_for(seconds(10));
        assert_eq!(sim.calls_in_flight(), 0, "{host:?}");
        assert_eq!(outcome(&mut sim, &opaque("good")), None, "{host:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_a_503_after_a_second_try() {
    let opened = br#"{"active": tru"#.to_vec();
    let untold = br#"{"sub": "a"}"#.to_vec();
    let large = format!(r#"{{"active": true, "x": "{}"}}"#, "x".repeat(70_000)).into_bytes();
    for host in HOSTS {
        for (behaviour, calls) in [
            (Behaviour::Unreachable, 2),
            (Behaviour::CannotBeCalled, 2),
            (Behaviour::Status(500), 2),
            (Behaviour::Status(503), 2),
            (Behaviour::Status(429), 2),
            (Behaviour::Status(404), 1),
            (Behaviour::Body(Vec::new()), 1),
            (Behaviour::Body(b"true".to_vec()), 1),
            (Behaviour::Body(opened.clone()), 1),
            (Behaviour::Body(untold.clone()), 1),
            (Behaviour::Body(large.clone()), 1),
            (Behaviour::CutAfter(20), 1),
        ] {
            let mut sim = warm(host, json!({}));
            sim.provider().behaviour = behaviour.clone();
            let id = sim.request(0, &opaque("good"));
            sim.run_for(SECOND);
            let reason = sim.reason(id);
            assert_eq!(
                reason,
                Some(Reason::IntrospectionUnavailable),
                "{behaviour:?}"
            );
            assert_eq!(sim.response(id).status, 503);
            assert_eq!(sim.provider().introspections(), calls, "{behaviour:?}");
            assert!(sim.has_logged("introspection endpoint"), "{behaviour:?}");
            sim.provider().behaviour = Behaviour::Answers;
            sim.run_for(seconds(2));
            assert_eq!(outcome(&mut sim, &opaque("good")), None, "{behaviour:?}");
        }
    }
}

#[test]
fn silence_is_waited_for_once() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        sim.provider().behaviour = Behaviour::Silent;
        let id = sim.request(0, &opaque("good"));
        sim.run_for(seconds(5));
        assert_eq!(sim.reason(id), Some(Reason::IntrospectionUnavailable));
        assert_eq!(sim.provider().introspections(), 1, "{host:?}");
        assert_eq!(sim.waited(id), seconds(5));
    }
}

#[test]
fn a_call_that_the_host_forgets_ends_a_little_later() {
    let mut sim = warm(Host::Wakes, json!({}));
    sim.provider().behaviour = Behaviour::Forgotten;
    let id = sim.request(0, &opaque("good"));
    sim.run_for(Millis(6500));
    assert_eq!(sim.reason(id), Some(Reason::IntrospectionUnavailable));
    sim.provider().behaviour = Behaviour::Answers;
    assert_eq!(outcome(&mut sim, &opaque("good")), None);
}

#[test]
fn an_endpoint_that_does_not_answer_is_spared() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        sim.provider().behaviour = Behaviour::Status(500);
        for index in 0..100 {
            let reason = outcome(&mut sim, &opaque(&format!("token-{index}")));
            assert_eq!(reason, Some(Reason::IntrospectionUnavailable));
        }
        // Ten seconds: three failures, then pauses of 1, 2 and 4 seconds with a try after each.
        let asked = sim.provider().introspections();
        assert!((4..=12).contains(&asked), "{asked}");
        sim.provider().behaviour = Behaviour::Answers;
        sim.run_for(seconds(30));
        for _ in 0..5 {
            assert_eq!(outcome(&mut sim, &opaque("good")), None, "{host:?}");
        }
    }
}

#[test]
fn what_one_token_brings_about_shuts_nobody_out() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        for index in 0..20 {
            sim.provider().behaviour = Behaviour::Status(400);
            let token = opaque(&format!("token-{index}"));
            let reason = outcome(&mut sim, &token);
            assert_eq!(reason, Some(Reason::IntrospectionUnavailable));
        }
        sim.provider().behaviour = Behaviour::Answers;
        assert_eq!(outcome(&mut sim, &opaque("good")), None, "{host:?}");
    }
}

#[test]
fn a_local_verdict_counts_only_where_it_is_chosen() {
    for host in HOSTS {
        for when in ["always", "after_local"] {
            for (if_unavailable, expected) in [
                ("refuse", Some(Reason::IntrospectionUnavailable)),
                ("local", None),
            ] {
                let rules = json!({"when": when, "if_unavailable": if_unavailable});
                let mut sim = warm(host, rules);
                let token = jwt(&mut sim, &json!({}));
                let mut forged = token.clone();
                forged.text.replace_range(forged.text.len() - 6.., "AAAAAA");
                forged.genuine = false;
                sim.provider().behaviour = Behaviour::Unreachable;
                assert_eq!(outcome(&mut sim, &token), expected, "{when} {host:?}");
                assert!(outcome(&mut sim, &forged).is_some());
                let reason = match when {
                    "always" => Reason::IntrospectionUnavailable,
                    // It cannot be verified first.
                    _ => Reason::MalformedToken,
                };
                assert_eq!(outcome(&mut sim, &opaque("good")), Some(reason));
            }
        }
    }
}

/// Only the issuer's silence is a reason to go by what can be verified here.
#[test]
fn no_local_verdict_stands_in_for_an_answer_that_cannot_be_used() {
    let unusable = Some(Reason::IntrospectionUnavailable);
    for host in HOSTS {
        for (behaviour, expected) in [
            (Behaviour::Status(500), None),
            (Behaviour::Status(429), None),
            (Behaviour::Status(404), unusable),
            (
                Behaviour::Response(401, br#"{"error": "invalid_client"}"#.to_vec()),
                unusable,
            ),
            (
                Behaviour::Response(403, br#"{"error": "invalid_request"}"#.to_vec()),
                unusable,
            ),
            (Behaviour::Body(b"{}".to_vec()), unusable),
        ] {
            let rules = json!({"when": "after_local", "if_unavailable": "local"});
            let mut sim = warm(host, rules);
            sim.provider().behaviour = behaviour.clone();
            for _ in 0..8 {
                let token = jwt(&mut sim, &json!({}));
                assert_eq!(
                    outcome(&mut sim, &token),
                    expected,
                    "{behaviour:?} {host:?}"
                );
            }
        }
        // Nor for one that was not asked for because others ask so much.
        let rules = json!({"when": "always", "if_unavailable": "local"});
        let mut sim = warm(host, rules);
        sim.provider().delay = Millis(1000);
        for index in 0..100 {
            let mut token = opaque(&format!("made-up-{index}"));
            token.genuine = false;
            sim.request(0, &token);
        }
        let token = jwt(&mut sim, &json!({}));
        revoke(&mut sim, &token.text);
        let id = sim.request(0, &token);
        sim.run_for(seconds(2));
        assert_eq!(sim.reason(id), unusable, "{host:?}");
    }
}

#[test]
fn a_jwt_in_another_form_goes_round_nothing() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        let token = jwt(&mut sim, &json!({}));
        for end in ["=", ".", "....", "=="] {
            let mut other = opaque(&format!("{}{end}", token.text));
            other.genuine = false;
            know(&mut sim, &other.text, &json!({}));
            let reason = outcome(&mut sim, &other);
            assert_eq!(reason, Some(Reason::MalformedToken), "{end} {host:?}");
        }
        assert_eq!(sim.provider().introspections(), 0, "{host:?}");
    }
}

#[test]
fn an_answer_is_verified_by_what_each_policy_allows() {
    for host in HOSTS {
        let mut configuration = asking(json!({"response": "jwt", "cache_seconds": 60}));
        configuration["policies"] = json!({"strict": {"allowed_alg": ["EdDSA"]}});
        let mut sim = Simulation::configured(host, 1, &configuration);
        sim.provider().keys = vec![P256_A.jwk()];
        sim.run_for(SECOND);
        let mut full = claims(ISSUER);
        full["jti"] = json!("a");
        let jwt = mint_with(&P256_A, "ES256", &full);
        know(&mut sim, "good", &json!({"jti": "a", "jwt": jwt}));
        assert_eq!(outcome(&mut sim, &opaque("good")), None);
        let id = sim.request_with(0, Some("strict"), &opaque("good"));
        sim.run_for(SECOND);
        let reason = sim.reason(id);
        assert_eq!(reason, Some(Reason::IntrospectionUnavailable), "{host:?}");
    }
}

#[test]
fn who_asks_for_the_moment_does_not_join_an_old_question() {
    let mut sim = warm(Host::Wakes, json!({"when": "always"}));
    sim.provider().delay = Millis(1000);
    let first = sim.request(0, &opaque("good"));
    sim.run_for(Millis(50));
    let joins = sim.request(0, &opaque("good"));
    sim.run_for(Millis(450));
    revoke(&mut sim, "good");
    let later = sim.request(0, &opaque("good"));
    sim.run_for(seconds(2));
    assert!(sim.was_forwarded(first) && sim.was_forwarded(joins));
    assert_eq!(sim.reason(later), Some(Reason::TokenInactive));
    assert_eq!(sim.provider().introspections(), 2);
}

#[test]
fn what_can_be_verified_here_is_not_shown_without_need() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        let token = jwt(&mut sim, &json!({}));
        assert_eq!(outcome(&mut sim, &token), None);
        let mut forged = token.clone();
        forged.text.replace_range(forged.text.len() - 6.., "AAAAAA");
        forged.genuine = false;
        sim.run_for(seconds(20));
        let reason = outcome(&mut sim, &forged);
        assert_eq!(reason, Some(Reason::InvalidSignature), "{host:?}");
        let ended = jwt(&mut sim, &json!({"exp": START.0 / 1000}));
        assert_eq!(outcome(&mut sim, &ended), Some(Reason::TokenExpired));
        assert_eq!(sim.provider().introspections(), 0, "{host:?}");
    }
}

#[test]
fn after_local_shows_only_what_was_verified_and_is_in_force() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"when": "after_local"}));
        let token = jwt(&mut sim, &json!({}));
        let mut forged = token.clone();
        forged.text.replace_range(forged.text.len() - 6.., "AAAAAA");
        forged.genuine = false;
        assert_eq!(outcome(&mut sim, &forged), Some(Reason::InvalidSignature));
        let ended = jwt(&mut sim, &json!({"exp": START.0 / 1000}));
        assert_eq!(outcome(&mut sim, &ended), Some(Reason::TokenExpired));
        assert_eq!(sim.provider().introspections(), 0, "{host:?}");
        assert_eq!(outcome(&mut sim, &token), None);
        revoke(&mut sim, &token.text);
        assert_eq!(outcome(&mut sim, &token), Some(Reason::TokenInactive));
        assert_eq!(sim.provider().introspections(), 2, "{host:?}");
    }
}

#[test]
fn a_lightweight_token_is_completed() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        let light = json!({"jti": "trltcc:1", "aud": null});
        let token = jwt(&mut sim, &light);
        know(&mut sim, &token.text.clone(), &json!({"jti": "trltcc:1"}));
        assert_eq!(outcome(&mut sim, &token), None, "{host:?}");
        assert_eq!(outcome(&mut sim, &token), None, "{host:?}");
        assert_eq!(sim.provider().introspections(), 1, "{host:?}");
        let unknown = jwt(&mut sim, &json!({"jti": "onltro:2", "aud": null}));
        revoke(&mut sim, &unknown.text);
        assert_eq!(outcome(&mut sim, &unknown), Some(Reason::TokenInactive));
    }
}

#[test]
fn what_is_learnt_of_a_session_counts_for_all_of_it() {
    for host in HOSTS {
        let mut configuration = asking(json!({"cache_seconds": 3600}));
        configuration["policies"] = json!({"now": {"introspection": {"cache_seconds": 0}}});
        let mut sim = Simulation::configured(host, 1, &configuration);
        sim.run_for(SECOND);
        for (token, sid) in [("a", "one"), ("b", "one"), ("c", "two")] {
            know(&mut sim, token, &json!({"sid": sid}));
            assert_eq!(outcome(&mut sim, &opaque(token)), None);
        }
        for token in ["a", "b", "c"] {
            revoke(&mut sim, token);
            assert_eq!(outcome(&mut sim, &opaque(token)), None, "it is kept");
        }
        let id = sim.request_with(0, Some("now"), &opaque("a"));
        sim.run_for(SECOND);
        assert_eq!(sim.reason(id), Some(Reason::TokenInactive));
        for (token, expected) in [
            ("a", Some(Reason::TokenInactive)),
            ("b", Some(Reason::TokenInactive)),
            ("c", None),
        ] {
            assert_eq!(
                outcome(&mut sim, &opaque(token)),
                expected,
                "{token} {host:?}"
            );
        }
    }
}

#[test]
fn the_log_says_why_a_good_token_may_be_called_inactive() {
    for host in HOSTS {
        let rules = json!({"when": "always", "negative_cache_seconds": 0});
        let mut sim = warm(host, rules);
        let hint = "audience mapper";
        assert!(outcome(&mut sim, &opaque("unknown")).is_some());
        let for_us = jwt(&mut sim, &json!({"aud": ["orders", "gateway"]}));
        revoke(&mut sim, &for_us.text);
        assert!(outcome(&mut sim, &for_us).is_some());
        assert!(!sim.has_logged(hint), "{host:?}");
        let for_others = jwt(&mut sim, &json!({}));
        revoke(&mut sim, &for_others.text);
        for _ in 0..10 {
            assert!(outcome(&mut sim, &for_others).is_some());
        }
        let hints = sim.log.iter().filter(|(_, line)| line.text.contains(hint));
        assert_eq!(hints.count(), 1, "{host:?}");
        assert!(sim.has_logged("whose audience does not have"));
    }
}

#[test]
fn every_worker_knows_where_to_ask_while_keys_are_out_of_reach() {
    for host in HOSTS {
        let mut sim = Simulation::configured(host, 3, &asking(json!({})));
        sim.provider().behaviour = Behaviour::NoKeySet;
        know(&mut sim, "good", &json!({}));
        sim.run_for(seconds(3));
        for worker in 0..3 {
            let id = sim.request(worker, &opaque("good"));
            sim.run_for(SECOND);
            assert!(sim.was_forwarded(id), "{worker} {host:?}");
        }
    }
}

#[test]
fn a_jwt_that_goes_up_is_about_the_token_that_was_asked_about() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"when": "always", "response": "jwt"}));
        let full = |jti: &str| {
            let mut claims = claims(ISSUER);
            claims["jti"] = json!(jti);
            mint_with(&P256_A, "ES256", &claims)
        };
        for (token, jwt, expected) in [
            ("a", json!(full("a")), None),
            (
                "b",
                json!(full("c")),
                Some(Reason::IntrospectionUnavailable),
            ),
            (
                "d",
                json!("no.j.wt"),
                Some(Reason::IntrospectionUnavailable),
            ),
            ("e", json!(null), Some(Reason::IntrospectionUnavailable)),
        ] {
            know(&mut sim, token, &json!({"jti": token, "jwt": jwt}));
            assert_eq!(
                outcome(&mut sim, &opaque(token)),
                expected,
                "{token} {host:?}"
            );
        }
    }
}

#[test]
fn a_token_keeps_the_permissions_that_it_has_itself() {
    for host in HOSTS {
        let mut configuration = asking(json!({"when": "after_local"}));
        configuration["require"] = json!({"permission": "orders#read"});
        let mut sim = Simulation::configured(host, 1, &configuration);
        sim.provider().keys = vec![P256_A.jwk()];
        sim.run_for(SECOND);
        let permissions = json!({"permissions": [{"rsname": "orders", "scopes": ["read"]}]});
        let token = jwt(
            &mut sim,
            &json!({"jti": "rpt", "authorization": permissions}),
        );
        know(&mut sim, &token.text.clone(), &json!({"jti": "rpt"}));
        assert_eq!(outcome(&mut sim, &token), None, "{host:?}");
        // An answer about another token is none about this.
        know(&mut sim, &token.text.clone(), &json!({"jti": "another"}));
        let reason = outcome(&mut sim, &token);
        assert_eq!(reason, Some(Reason::IntrospectionUnavailable), "{host:?}");
    }
}

#[test]
fn only_what_cannot_be_verified_is_shown_instead() {
    for host in HOSTS {
        for (alg, when, is_shown) in [
            // HS256 by a secret that only the issuer has.
            ("HS256", "needed", true),
            ("HS256", "after_local", false),
            // Not allowed is not allowed.
            ("ES384", "needed", false),
            ("none", "needed", false),
            ("xyz", "needed", false),
        ] {
            let mut sim = warm(host, json!({"when": when}));
            let header = json!({"alg": alg, "typ": "JWT", "kid": "elsewhere"});
            let claims = claims(ISSUER);
            let text = forge(&header, &claims, |_| vec![7; 32]);
            know(&mut sim, &text, &json!({}));
            let id = sim.request(
                0,
                &Token {
                    text,
                    genuine: is_shown,
                },
            );
            sim.run_for(SECOND);
            let reason = (!is_shown).then_some(Reason::AlgorithmNotAllowed);
            assert_eq!(sim.reason(id), reason, "{alg} {when} {host:?}");
            assert_eq!(sim.provider().introspections(), usize::from(is_shown));
        }
        // A key that nobody has.
        for (when, shown) in [("needed", 1), ("after_local", 0)] {
            let mut sim = warm(host, json!({"when": when}));
            let mut token = crate::forged("nobody's");
            token.genuine = false;
            let id = sim.request(0, &token);
            sim.run_for(seconds(2));
            let reason = match shown {
                0 => Reason::UnknownKey,
                _ => Reason::TokenInactive,
            };
            assert_eq!(sim.reason(id), Some(reason), "{when} {host:?}");
            assert_eq!(sim.provider().introspections(), shown, "{when} {host:?}");
        }
    }
}

#[test]
fn what_an_issuer_says_is_checked_as_a_token_is() {
    for host in HOSTS {
        let mut sim = warm(host, json!({"cache_seconds": 0}));
        let now = START.0 / 1000;
        for (more, reason) in [
            (json!({"iss": null}), Some(Reason::IssuerNotAllowed)),
            (
                json!({"iss": "https://other.example"}),
                Some(Reason::IssuerNotAllowed),
            ),
            (json!({"aud": "billing"}), Some(Reason::AudienceNotAllowed)),
            (json!({"exp": now - 1}), Some(Reason::TokenExpired)),
            (json!({"nbf": now + 600}), Some(Reason::TokenNotYetValid)),
            (json!({"typ": "Refresh"}), Some(Reason::WrongTokenType)),
            (
                json!({"typ": "ID", "token_type": "ID"}),
                Some(Reason::WrongTokenType),
            ),
            (json!({"token_type": "DPoP"}), Some(Reason::WrongTokenType)),
            (json!({"token_type": 7}), Some(Reason::WrongTokenType)),
            (json!({"token_type": "bearer"}), None),
            (
                json!({"token_use": "refresh_token"}),
                Some(Reason::WrongTokenType),
            ),
            (json!({"token_use": "access_token"}), None),
        ] {
            know(&mut sim, "good", &more);
            assert_eq!(
                outcome(&mut sim, &opaque("good")),
                reason,
                "{more} {host:?}"
            );
        }
        // RFC 7662, 2.2: it need not say who it is.
        know(&mut sim, "good", &json!({}));
        let answer = sim.provider().tokens.get_mut("good").unwrap();
        answer.as_object_mut().unwrap().remove("iss");
        assert_eq!(outcome(&mut sim, &opaque("good")), None, "{host:?}");
    }
}

#[test]
fn a_token_that_is_no_jwt_is_shown_to_one_issuer_after_the_other() {
    let client = json!({"client_id": "gateway", "client_secret": "a secret"});
    for host in HOSTS {
        let mut configuration = configuration();
        configuration["allowed_iss"] = json!([]);
        configuration["blocked_iss"] = json!(["https://blocked.example/r"]);
        configuration["introspection"] = json!({"negative_cache_seconds": 0});
        configuration["issuers"] = json!([
            {"iss": "https://blocked.example/r", "client": client},
            {"iss": "https://first.example/r", "client": client},
            {"iss": "https://second.example/r", "client": client},
        ]);
        let mut sim = Simulation::configured(host, 1, &configuration);
        sim.run_for(SECOND);
        for (index, token) in [(0, "of-blocked"), (1, "of-first"), (2, "of-second")] {
            let iss = sim.providers[index].iss.clone();
            let mut answer = claims(&iss);
            answer["active"] = json!(true);
            let tokens = &mut sim.providers[index].tokens;
            tokens.insert(token.to_owned(), answer);
        }
        for (token, expected, asked) in [
            ("of-first", None, [0, 1, 0]),
            ("of-second", None, [0, 2, 1]),
            ("of-nobody", Some(Reason::TokenInactive), [0, 3, 2]),
            ("of-blocked", Some(Reason::TokenInactive), [0, 4, 3]),
        ] {
            assert_eq!(
                outcome(&mut sim, &opaque(token)),
                expected,
                "{token} {host:?}"
            );
            let found: Vec<_> = sim.providers.iter().map(Provider::introspections).collect();
            assert_eq!(found, asked, "{token} {host:?}");
        }
        // Nobody knows whether it is the first one's.
        sim.providers[1].behaviour = Behaviour::Status(404);
        let reason = outcome(&mut sim, &opaque("of-nobody"));
        assert_eq!(reason, Some(Reason::IntrospectionUnavailable), "{host:?}");
        let of_second = opaque("of-second");
        assert_eq!(outcome(&mut sim, &of_second), None, "{host:?}");
    }
}

/// RFC 9701.
#[test]
fn a_signed_answer_is_meant_for_the_client_that_asked() {
    for host in HOSTS {
        let good = |sim: &mut Simulation| sim.provider().tokens.get("good").unwrap().clone();
        let typ = "token-introspection+jwt";
        for (header_typ, name, value, is_good) in [
            (typ, "x", json!(1), true),
            (
                "Token-Introspection+JWT",
                "aud",
                json!(["a", "gateway"]),
                true,
            ),
            ("JWT", "x", json!(1), false),
            ("at+jwt", "x", json!(1), false),
            (typ, "aud", json!("another"), false),
            (typ, "aud", json!(null), false),
            (typ, "iss", json!("https://other.example"), false),
            (typ, "token_introspection", json!("active"), false),
        ] {
            let mut sim = warm(host, json!({"response": "signed"}));
            let mut payload = json!({"iss": ISSUER, "aud": "gateway", "iat": START.0 / 1000,
                "token_introspection": good(&mut sim)});
            payload[name] = value.clone();
            let header = json!({"alg": "ES256", "typ": header_typ, "kid": P256_A.kid});
            let jwt = forge(&header, &payload, |input| P256_A.sign("ES256", input));
            sim.provider().behaviour = Behaviour::Body(jwt.clone().into_bytes());
            let reason = (!is_good).then_some(Reason::IntrospectionUnavailable);
            assert_eq!(
                outcome(&mut sim, &opaque("good")),
                reason,
                "{name} {value} {header_typ}"
            );
            if is_good {
                // Not by another key, and not to be kept either.
                let mut sim = warm(host, json!({"response": "signed"}));
                let forged = forge(&header, &payload, |input| P256_B.sign("ES256", input));
                sim.provider().behaviour = Behaviour::Body(forged.into_bytes());
                let id = sim.request(0, &opaque("good"));
                sim.run_for(seconds(2));
                assert_eq!(sim.reason(id), Some(Reason::IntrospectionUnavailable));
                sim.run_for(seconds(15));
                sim.provider().behaviour = Behaviour::Body(jwt.into_bytes());
                assert_eq!(outcome(&mut sim, &opaque("good")), None, "{host:?}");
            }
        }
        // What it says inside is what counts.
        let mut sim = warm(host, json!({"response": "signed"}));
        let payload = json!({"iss": ISSUER, "aud": "gateway", "active": true,
            "token_introspection": {"active": false}});
        let header = json!({"alg": "ES256", "typ": typ, "kid": P256_A.kid});
        let jwt = forge(&header, &payload, |input| P256_A.sign("ES256", input));
        sim.provider().behaviour = Behaviour::Body(jwt.into_bytes());
        let reason = outcome(&mut sim, &opaque("good"));
        assert_eq!(reason, Some(Reason::TokenInactive), "{host:?}");
    }
}

#[test]
fn a_jwt_in_an_answer_is_the_issuers_own_access_token() {
    for host in HOSTS {
        for (change, value, reason) in [
            ("x", json!(1), None),
            (
                "iss",
                json!("https://other.example"),
                Some(Reason::IntrospectionUnavailable),
            ),
            ("typ", json!("ID"), Some(Reason::WrongTokenType)),
            ("exp", json!(1000), Some(Reason::TokenExpired)),
            ("aud", json!("billing"), Some(Reason::AudienceNotAllowed)),
        ] {
            let mut sim = warm(host, json!({"response": "jwt"}));
            let mut full = claims(ISSUER);
            full["jti"] = json!("a");
            full[change] = value;
            let jwt = mint_with(&P256_A, "ES256", &full);
            know(&mut sim, "good", &json!({"jti": "a", "jwt": jwt}));
            assert_eq!(
                outcome(&mut sim, &opaque("good")),
                reason,
                "{change} {host:?}"
            );
        }
        // With `active: false` it counts for nothing.
        let mut sim = warm(host, json!({"response": "jwt"}));
        let jwt = mint_with(&P256_A, "ES256", &claims(ISSUER));
        let answer = json!({"active": false, "jwt": jwt});
        sim.provider().tokens.insert("good".to_owned(), answer);
        let reason = outcome(&mut sim, &opaque("good"));
        assert_eq!(reason, Some(Reason::TokenInactive), "{host:?}");
    }
}

#[test]
fn a_hundred_calls_at_a_time_are_enough() {
    for host in HOSTS {
        let mut sim = warm(host, json!({}));
        sim.provider().delay = Millis(1000);
        let ids: Vec<_> = (0..150)
            .map(|index| sim.request(0, &opaque(&format!("token-{index}"))))
            .collect();
        assert_eq!(sim.calls_in_flight(), 100, "{host:?}");
        sim.run_for(seconds(2));
        let refused = |id: &&jwt_keycloak_core::event::RequestId| {
            sim.reason(**id) == Some(Reason::IntrospectionUnavailable)
        };
        assert_eq!(ids.iter().filter(refused).count(), 50, "{host:?}");
    }
}

#[test]
fn where_to_ask_is_found_before_the_first_request_asks() {
    for host in HOSTS {
        let mut sim = Simulation::configured(host, 1, &asking(json!({"when": "always"})));
        sim.provider().keys = vec![P256_A.jwk()];
        know(&mut sim, "good", &json!({}));
        let id = sim.request(0, &opaque("good"));
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(id), "{host:?}");
    }
}
