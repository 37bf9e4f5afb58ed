//! Routes with policies of their own, and more than one issuer.

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{ED25519_A, P256_A, RSA_A};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation};
use jwt_keycloak_tests::tokens::{self, ISSUER, Token};
use serde_json::json;

use crate::{HOSTS, SECOND, good, good_of, seconds, warm_with, with};

#[test]
fn an_unknown_policy_is_a_500() {
    for host in HOSTS {
        let mut sim = warm_with(host, 1, &with("policies", json!({"known": {}})));
        let id = sim.request_with(0, Some("known"), &good(&P256_A));
        assert!(sim.was_forwarded(id));
        let mut token = good(&P256_A);
        token.genuine = false;
        let id = sim.request_with(0, Some("unknown"), &token);
        assert_eq!(sim.response(id).status, 500);
        assert_eq!(sim.reason(id), Some(Reason::Misconfigured));
        assert!(sim.has_logged("policy"));
    }
}

#[test]
fn a_waiting_request_is_judged_by_its_own_policy() {
    let configuration = with(
        "policies",
        json!({"writers": {"scope": ["Function2/write"]}}),
    );
    for host in HOSTS {
        let mut sim = Simulation::configured(host, 1, &configuration);
        sim.provider().keys = vec![P256_A.jwk()];
        let mut reader = good(&P256_A);
        let base = sim.request(0, &reader);
        reader.genuine = false;
        let writers = sim.request_with(0, Some("writers"), &reader);
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(base));
        assert_eq!(sim.reason(writers), Some(Reason::MissingScope));
    }
}

const OTHER: &str = "https://other.example/realms/b";

#[test]
fn several_issuers_have_their_own_keys() {
    let configuration = with("allowed_iss", json!([ISSUER, OTHER]));
    for host in HOSTS {
        let mut sim = Simulation::configured(host, 2, &configuration);
        sim.providers[0].keys = vec![P256_A.jwk()];
        sim.providers[1].keys = vec![ED25519_A.jwk()];
        sim.run_for(SECOND);
        for worker in [0, 1] {
            let a = sim.request(worker, &good_of(ISSUER, &P256_A));
            let b = sim.request(worker, &good_of(OTHER, &ED25519_A));
            assert!(sim.was_forwarded(a) && sim.was_forwarded(b));
            let mut crossed = good_of(OTHER, &P256_A);
            crossed.genuine = false;
            let id = sim.request(worker, &crossed);
            sim.run_for(SECOND);
            assert_eq!(sim.reason(id), Some(Reason::UnknownKey));
        }
    }
}

#[test]
fn an_issuer_that_is_down_is_no_other_issuers_matter() {
    let configuration = with("allowed_iss", json!([ISSUER, OTHER]));
    for host in HOSTS {
        let mut sim = Simulation::configured(host, 1, &configuration);
        sim.providers[0].keys = vec![P256_A.jwk()];
        sim.providers[1].behaviour = Behaviour::Silent;
        let (a, b) = (
            sim.request(0, &good_of(ISSUER, &P256_A)),
            sim.request(0, &good_of(OTHER, &ED25519_A)),
        );
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(a));
        assert!(sim.is_waiting(b));
        sim.run_for(seconds(10));
        assert_eq!(sim.reason(b), Some(Reason::KeysUnavailable));
    }
}

#[test]
fn tokens_of_unknown_issuers_cause_no_call() {
    let mut sim = Simulation::new(Host::Wakes, 1);
    sim.provider().keys = vec![P256_A.jwk()];
    for iss in [
        "https://evil.example/realms/demo",
        "https://sso.example/realms/demo/",
        "https://SSO.example/realms/demo",
        "",
    ] {
        let mut token = good_of(iss, &P256_A);
        token.genuine = false;
        let id = sim.request(0, &token);
        assert_eq!(sim.reason(id), Some(Reason::IssuerNotAllowed), "{iss}");
    }
    assert!(sim.provider().asked.is_empty());
}

#[test]
fn a_token_that_is_refused_anyway_causes_no_call() {
    let mut sim = Simulation::new(Host::Wakes, 1);
    for text in ["abc", "a.b.c", ""] {
        sim.request(
            0,
            &Token {
                text: text.to_owned(),
                genuine: false,
            },
        );
    }
    let claims = tokens::claims(ISSUER);
    for alg in ["none", "HS256", "PS256"] {
        let text = tokens::forge(&tokens::header(alg, RSA_A.kid), &claims, |_| vec![1; 256]);
        let id = sim.request(
            0,
            &Token {
                text,
                genuine: false,
            },
        );
        assert_eq!(sim.reason(id), Some(Reason::AlgorithmNotAllowed));
    }
    assert!(sim.provider().asked.is_empty());
    assert!(sim.waiting().is_empty());
}

#[test]
fn discovery_that_speaks_for_another_issuer_is_not_believed() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 1);
        sim.provider().keys = vec![P256_A.jwk()];
        sim.provider().speaks_for = OTHER.to_owned();
        let mut token = good(&P256_A);
        token.genuine = false;
        let id = sim.request(0, &token);
        sim.run_for(seconds(30));
        assert_eq!(sim.reason(id), Some(Reason::KeysUnavailable));
        assert_eq!(sim.provider().key_fetches(), 0);
        assert!(sim.has_logged("speaks for another issuer"));
        sim.provider().speaks_for = ISSUER.to_owned();
        sim.run_for(seconds(31));
        let id = sim.request(0, &good(&P256_A));
        assert!(sim.was_forwarded(id));
    }
}

#[test]
fn a_token_that_expires_while_it_waits_is_refused() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 1);
        sim.provider().keys = vec![P256_A.jwk()];
        sim.provider().delay = Millis(1500);
        let mut claims = tokens::claims(ISSUER);
        claims["exp"] = json!(tokens::START.0 / 1000 + 2);
        let text = tokens::mint_with(&P256_A, "ES256", &claims);
        let id = sim.request(
            0,
            &Token {
                text,
                genuine: false,
            },
        );
        sim.run_for(seconds(4));
        assert_eq!(sim.reason(id), Some(Reason::TokenExpired));
    }
}
