//! A fetch that fails, in whatever way, takes nothing away.

use jwt_keycloak_tests::keys::{P256_A, P256_B};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation};
use jwt_keycloak_tests::tokens::{self, ISSUER};
use serde_json::{Value, json};

use crate::{HOSTS, SECOND, forged, good, seconds, warm, warm_with};

#[test]
fn a_failed_fetch_never_evicts_good_keys() {
    for host in HOSTS {
        for behaviour in [
            Behaviour::Silent,
            Behaviour::Unreachable,
            Behaviour::CannotBeCalled,
            Behaviour::NoKeySet,
            Behaviour::Status(500),
            Behaviour::Status(204),
            Behaviour::Status(302),
        ] {
            let mut sim = warm(host, 2);
            sim.provider().behaviour = behaviour.clone();
            for _ in 0..40 {
                sim.run_for(seconds(60));
                let unknown = sim.request(1, &forged("unknown"));
                for worker in [0, 1] {
                    let id = sim.request(worker, &good(&P256_A));
                    assert!(sim.was_forwarded(id), "{behaviour:?}");
                }
                sim.run_for(seconds(11));
                assert!(!sim.is_waiting(unknown));
            }
        }
    }
}

#[test]
fn garbage_never_evicts() {
    let keys = json!({"keys": [P256_B.jwk()]}).to_string();
    let weak = json!({"keys": [{"kty": "RSA", "kid": "p-256-a", "n": "AQAB", "e": "AQAB"}]});
    let many: Vec<_> = (0..500).map(|_| P256_B.jwk()).collect();
    let garbage: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"<html>Please log in</html>".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        br#"{"keys":[]}"#.to_vec(),
        br#"{"keys":{}}"#.to_vec(),
        weak.to_string().into_bytes(),
        json!({"keys": many}).to_string().into_bytes(),
        format!("{keys}{keys}").into_bytes(),
        format!(r#"{{"keys":[],{}"#, &keys[1..]).into_bytes(),
        "[".repeat(100_000).into_bytes(),
        vec![b' '; 1 << 20],
        vec![0xff; 1000],
    ];
    for host in HOSTS {
        for body in &garbage {
            let mut sim = warm(host, 1);
            sim.provider().behaviour = Behaviour::Body(body.clone());
            // On demand, and then in the background.
            let unknown = sim.request(0, &forged("unknown"));
            sim.run_for(seconds(400));
            assert!(!sim.was_forwarded(unknown));
            assert!(sim.has_logged("keys not fetched"));
            let id = sim.request(0, &good(&P256_A));
            assert!(sim.was_forwarded(id), "{}", String::from_utf8_lossy(body));
        }
    }
}

#[test]
fn an_answer_cut_short_anywhere_never_evicts() {
    let document = json!({"keys": [P256_A.jwk()]}).to_string();
    for length in 0..document.len() {
        let mut sim = warm_with(Host::Wakes, 1, &jwks_uri_configuration());
        sim.provider().behaviour = Behaviour::CutAfter(length);
        sim.run_for(seconds(301));
        assert!(sim.has_logged("keys not fetched"), "{length}");
        let id = sim.request(0, &good(&P256_A));
        assert!(sim.was_forwarded(id), "{length}");
    }
}

fn jwks_uri_configuration() -> Value {
    json!({
        "issuers": [{"iss": ISSUER, "jwks_uri": "https://sso.example/certs"}],
        "allowed_aud": [tokens::AUDIENCE],
        "jwks_refresh_interval": 300,
    })
}

#[test]
fn one_key_that_cannot_be_read_costs_only_that_key() {
    let mut sim = Simulation::new(Host::Wakes, 1);
    let encryption =
        json!({"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"});
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"});
    sim.provider().keys = vec![encryption, unknown, json!(7), P256_A.jwk()];
    sim.run_for(SECOND);
    let id = sim.request(0, &good(&P256_A));
    assert!(sim.was_forwarded(id));
    assert!(sim.has_logged("key 0 is left out: a key that is not for signatures"));
    assert!(sim.has_logged("key 1 is left out"));
    assert!(sim.has_logged("key 2 is left out"));
}
