//! No part of a token, encoded or decoded, is in a log line of any level or in an answer.

use std::collections::BTreeSet;

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{ED25519_A, P256_A, P256_B, RSA_A, signers};
use jwt_keycloak_tests::leaks::Secrets;
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation, configuration};
use jwt_keycloak_tests::tokens::{self, AUDIENCE, ISSUER, Token};
use serde_json::{Value, json};

/// The configuration's own words, which may be said: a token has some of them, too.
const PUBLIC: [&str; 5] = [
    ISSUER,
    // As a challenge quotes it.
    "\"https://sso.example/realms/demo\",",
    AUDIENCE,
    REALM,
    WANTED_SCOPE,
];
const BLOCKED: &str = "https://blocked-issuer-of-the-token.example";
const REALM: &str = "the demo realm";
const CLIENT_SECRET: &str = "0123456789-secret-of-the-gateway's-client";
const WANTED_SCOPE: &str = "Function2/write";

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

/// Tokens that are refused for every reason that a token can be refused for, and a good one.
fn every_kind_of_token() -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut add = |text: String, genuine| tokens.push(Token { text, genuine });
    let claims = || tokens::claims(ISSUER);
    for (alg, key) in signers() {
        let allowed = ["ES256", "RS256", "EdDSA"].contains(&alg);
        add(tokens::mint(key, alg), allowed);
    }
    for (name, value) in [
        ("iss", json!("https://secret-issuer-of-the-token.example")),
        ("iss", json!(BLOCKED)),
        ("iss", json!({"secret-issuer-of-the-token": 1})),
        ("aud", json!(["secret-audience-of-the-token"])),
        ("exp", json!(1_111_111_111)),
        ("exp", json!("secret-exp-of-the-token")),
        ("exp", json!(null)),
        ("nbf", json!(9_999_999_999_i64)),
        ("iat", json!(9_999_999_999_i64)),
        ("typ", json!("secret-type-of-the-token")),
        ("scope", json!("secret-scope-of-the-token")),
        (
            "realm_access",
            json!({"roles": ["secret-role-of-the-token"]}),
        ),
    ] {
        // The scope and the role do no harm where none is asked for.
        let genuine = ["scope", "realm_access"].contains(&name);
        add(
            tokens::mint_with(&P256_A, "ES256", &with(claims(), name, value)),
            genuine,
        );
    }
    let mut endless = claims();
    endless.as_object_mut().unwrap().remove("exp");
    add(tokens::mint_with(&P256_A, "ES256", &endless), false);
    let header = tokens::header("ES256", P256_A.kid);
    for (name, value) in [
        ("alg", json!("secret-alg-of-the-token")),
        ("alg", json!("none")),
        ("alg", json!(["secret-alg-of-the-token"])),
        ("kid", json!("secret-kid-of-the-token")),
        ("kid", json!({"secret-kid-of-the-token": 1})),
        ("typ", json!("secret-typ-of-the-token")),
        ("crit", json!(["secret-extension-of-the-token"])),
    ] {
        let header = with(header.clone(), name, value);
        add(
            tokens::forge(&header, &claims(), |input| P256_A.sign("ES256", input)),
            false,
        );
    }
    add(
        tokens::forge(&header, &claims(), |input| P256_B.sign("ES256", input)),
        false,
    );
    let good = tokens::mint(&P256_A, "ES256");
    let [head, payload, signature] = tokens::parts(&good);
    for text in [
        "secret-text-that-is-no-token".to_owned(),
        "secret.text.that-is-no-token".to_owned(),
        format!("{head}.{payload}"),
        format!("{head}.{payload}.{signature}."),
        format!("{head}.{payload}.{signature}="),
        format!("{head}.{signature}.{payload}"),
        format!("{good},Bearer {good}"),
        format!("{good} {good}"),
        format!("{good}\"\\"),
        format!("{good}{}", "secret-padding".repeat(2000)),
    ] {
        add(text, false);
    }
    let input = |payload: &str| {
        let input = format!(
            "{head}.{}",
            jwt_keycloak_tests::keys::base64url(payload.as_bytes())
        );
        let signature = P256_A.sign("ES256", input.as_bytes());
        format!(
            "{input}.{}",
            jwt_keycloak_tests::keys::base64url(&signature)
        )
    };
    for payload in [
        r#"{"secret-claim-of-the-token":1,"secret-claim-of-the-token":2}"#,
        r#"{"secret-claim-of-the-token":secret-value-of-the-token}"#,
        "secret-payload-of-the-token",
        r#""secret-payload-of-the-token""#,
    ] {
        add(input(payload), false);
    }
    tokens
}

fn behaviours() -> Vec<Behaviour> {
    vec![
        Behaviour::Answers,
        Behaviour::CannotBeCalled,
        Behaviour::Unreachable,
        Behaviour::Silent,
        Behaviour::Status(500),
        Behaviour::NoKeySet,
        Behaviour::CutAfter(30),
        Behaviour::Body(b"<html>".to_vec()),
        Behaviour::Body(br#"{"keys":[{"kty":"RSA"},7]}"#.to_vec()),
    ]
}

/// All tokens, sent to a gateway whose keys have not come, have come, or cannot come.
fn everything_that_happens(host: Host) -> (Simulation, Vec<Token>) {
    let mut configuration = configuration();
    configuration["realm"] = json!(REALM);
    configuration["log_decisions"] = json!("all");
    configuration["blocked_iss"] = json!([BLOCKED]);
    configuration["policies"] = json!({
        "writers": {"scope": [WANTED_SCOPE]},
        "admins": {"realm_roles": ["admin"]},
        "editors": {"roles": ["x"]},
        "auditors": {"client_roles": ["audit:x"]},
        "short": {"maximum_expiration": 60},
        "staff": {"require": {"group": "/staff"}},
        "known": {"consumer_match": true},
        "closed": {"access": "deny"},
        "shown": {"introspection": {"when": "always"}},
        "permitted": {"authorization": {"permissions": "orders#read"}},
        "ticketed": {"authorization": {"permissions": "orders", "uma_challenge": true}},
        "entitled": {"require": {"permission": "orders#read"}},
    });
    configuration["client"] = json!({"client_id": "gateway", "client_secret": CLIENT_SECRET});
    let mut sim = Simulation::configured(host, 2, &configuration);
    let tokens = every_kind_of_token();
    for before in [true, false] {
        for behaviour in behaviours() {
            sim.provider().keys = vec![P256_A.jwk(), ED25519_A.jwk(), RSA_A.jwk(), json!(7)];
            sim.provider().behaviour = Behaviour::Answers;
            if !before {
                sim.run_for(Millis(60_000));
            }
            sim.provider().behaviour = behaviour.clone();
            for token in &tokens {
                let mut token = token.clone();
                sim.request(0, &token);
                token.genuine = false;
                for policy in [
                    "writers",
                    "admins",
                    "editors",
                    "auditors",
                    "short",
                    "staff",
                    "known",
                    "closed",
                    "shown",
                    "permitted",
                    "ticketed",
                    "entitled",
                    "unknown",
                ] {
                    sim.request_with(1, Some(policy), &token);
                }
                sim.run_for(Millis(400));
            }
            sim.run_for(Millis(20_000));
        }
    }
    (sim, tokens)
}

#[test]
fn no_part_of_a_token_is_in_a_log_or_an_answer() {
    for host in [Host::Wakes, Host::CannotWake] {
        let (sim, tokens) = everything_that_happens(host);
        let mut secrets = Secrets::default();
        for token in &tokens {
            secrets.add(&token.text, &PUBLIC);
        }
        secrets.add(CLIENT_SECRET, &PUBLIC);
        assert!(
            sim.log.len() > 100,
            "{} lines are too few to be a test",
            sim.log.len()
        );
        for (_, line) in &sim.log {
            assert_eq!(secrets.found_in_line(&line.text), None, "{}", line.text);
        }
        let mut labels = BTreeSet::new();
        for response in sim.responses() {
            labels.insert(response.details.clone());
            let mut texts = vec![response.body.clone(), response.details.clone()];
            texts.extend(response.headers.iter().map(|(_, value)| value.clone()));
            for text in texts {
                assert_eq!(secrets.found_in(&text), None, "{text}");
            }
        }
        // Everything that a token can be refused for was there.
        for reason in Reason::ALL {
            let unreachable = [
                Reason::MissingToken,
                Reason::MultipleTokens,
                Reason::AmbiguousKey,
                Reason::KeyNotValid,
                Reason::AmbiguousPath,
                Reason::AmbiguousParameter,
                Reason::TooManyHeaders,
                Reason::ProtectedHeader,
                Reason::BodyTooLarge,
                Reason::BodyTimeout,
                Reason::TooManyWaiting,
                Reason::EndlessBody,
                Reason::UnannouncedBody,
                Reason::BodyNotShown,
                Reason::SigningFailed,
                Reason::Internal,
            ];
            let label = format!("jwt_keycloak{{{}}}", reason.row().label);
            assert!(
                labels.contains(&label) || unreachable.contains(&reason),
                "{reason:?} never came"
            );
        }
    }
}

/// Until the signature is good, a token says nothing that is told.
#[test]
fn a_client_is_named_once_its_token_is_verified() {
    let mut configuration = configuration();
    configuration["log_decisions"] = json!("all");
    let mut sim = Simulation::configured(Host::Wakes, 1, &configuration);
    sim.provider().keys = vec![P256_A.jwk()];
    sim.run_for(Millis(1000));
    let good = tokens::mint(&P256_A, "ES256");
    let forged = good.split_at(good.len() - 8).0.to_owned() + "AAAAAAAA";
    for (text, genuine) in [(good, true), (forged, false)] {
        let before = sim.log.len();
        sim.request(0, &Token { text, genuine });
        sim.run_for(Millis(10_000));
        let decisions: Vec<_> = sim.log[before..]
            .iter()
            .filter(|(_, line)| line.text.starts_with("decision: "))
            .collect();
        assert_eq!(decisions.len(), 1, "{decisions:?}");
        let line = &decisions[0].1.text;
        assert!(line.contains("; issuer demo; kid \"p-256-a\""), "{line}");
        assert_eq!(line.contains("client-of-the-token"), genuine, "{line}");
    }
}

/// A token that is known is told of as one that is new.
#[test]
fn requests_that_pass_are_told_of_where_that_is_asked_for() {
    for (asked_for, told) in [(None, 0), (Some("refused"), 0), (Some("all"), 3)] {
        let mut configuration = configuration();
        configuration["log_decisions"] = json!(asked_for);
        let mut sim = Simulation::configured(Host::Wakes, 1, &configuration);
        sim.provider().keys = vec![P256_A.jwk()];
        sim.run_for(Millis(1000));
        let good = Token {
            text: tokens::mint(&P256_A, "ES256"),
            genuine: true,
        };
        let bad = Token {
            text: "no token".to_owned(),
            genuine: false,
        };
        for token in [&good, &good, &good, &bad] {
            sim.request(0, token);
        }
        let lines = sim.log.iter().map(|(_, line)| line.text.as_str());
        let decisions: Vec<_> = lines
            .filter(|line| line.starts_with("decision: "))
            .collect();
        assert_eq!(decisions.len(), told + 1, "{decisions:?}");
        assert_eq!(
            decisions.last(),
            Some(&"decision: refused malformed_credentials")
        );
        assert!(decisions[..told].iter().all(|line| line == &decisions[0]));
    }
}

/// The test above finds what it looks for.
#[test]
fn a_part_of_a_token_would_be_found() {
    let token = tokens::mint(&P256_A, "ES256");
    let mut secrets = Secrets::default();
    secrets.add(&token, &PUBLIC);
    let [header, payload, signature] = tokens::parts(&token);
    for text in [
        header,
        payload,
        signature,
        &signature[5..20],
        "5d1c0b0a-subject-of-the-token",
        "token of user-of-the-token refused",
        "jti-of-token-",
        "1821536000",
        &token,
    ] {
        assert!(
            secrets.found_in(&format!("line {text} end")).is_some(),
            "{text}"
        );
    }
    for text in [
        ISSUER,
        "https://sso.example/realms/demo: 2 keys",
        AUDIENCE,
        "The token has expired",
    ] {
        assert_eq!(secrets.found_in(text), None);
    }
}
