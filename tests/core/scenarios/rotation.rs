//! The issuer's keys change, and tokens name keys that nobody has.

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{ED25519_A, P256_A, P256_B};
use jwt_keycloak_tests::random::Random;
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation, TICK};
use jwt_keycloak_tests::tokens::{self, ISSUER, Token};
use serde_json::json;

use crate::{HOSTS, SECOND, forged, good, seconds, warm};

#[test]
fn a_new_kid_after_rotation_costs_one_fetch_and_passes() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        sim.provider().keys = vec![P256_B.jwk(), P256_A.jwk()];
        sim.run_for(seconds(60));
        let before = sim.provider().asked.len();
        let id = sim.request(0, &good(&P256_B));
        assert!(sim.is_waiting(id));
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(id));
        assert_eq!(sim.provider().asked.len(), before + 1);
        let (old, new) = (
            sim.request(0, &good(&P256_A)),
            sim.request(0, &good(&P256_B)),
        );
        assert!(sim.was_forwarded(old) && sim.was_forwarded(new));
        assert_eq!(sim.provider().asked.len(), before + 1);
    }
}

/// Keycloak makes a key the moment the first token of an algorithm is asked for.
#[test]
fn two_new_keys_within_a_grace_period_are_both_found() {
    for host in HOSTS {
        for workers in [1, 3] {
            let mut sim = warm(host, workers);
            for (worker, key) in [(0, &P256_B), (workers - 1, &ED25519_A)] {
                sim.provider().keys.push(key.jwk());
                let id = sim.request(worker, &good(key));
                sim.run_for(SECOND);
                assert!(sim.was_forwarded(id), "{host:?}, {workers}: {}", key.kid);
            }
            // But one that finds nothing new is followed by none.
            let before = sim.provider().asked.len();
            for kid in ["made up", "another"] {
                let id = sim.request(0, &forged(kid));
                sim.run_for(SECOND);
                assert_eq!(sim.reason(id), Some(Reason::UnknownKey));
            }
            assert_eq!(sim.provider().asked.len(), before + 1);
        }
    }
}

/// What is on its way was asked for before the key was made.
#[test]
fn a_token_newer_than_the_fetch_under_way_gets_a_fetch_of_its_own() {
    for workers in [1, 2] {
        let mut sim = warm(Host::Wakes, workers);
        sim.provider().delay = Millis(300);
        let before = sim.provider().key_fetches();
        while sim.provider().key_fetches() == before {
            sim.run_for(Millis(50));
        }
        sim.provider().keys.push(P256_B.jwk());
        let id = sim.request(workers - 1, &good(&P256_B));
        sim.run_for(seconds(2));
        assert!(sim.was_forwarded(id), "{:?}", sim.reason(id));
        // Nor does an unknown one wait for ever.
        let id = sim.request(workers - 1, &forged("made up"));
        sim.run_for(seconds(2));
        assert_eq!(sim.reason(id), Some(Reason::UnknownKey));
    }
}

#[test]
fn a_key_replaced_under_its_old_name_is_found() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        let mut replaced = P256_B.jwk();
        replaced["kid"] = json!(P256_A.kid);
        sim.provider().keys = vec![replaced];
        let header = tokens::header("ES256", P256_A.kid);
        let claims = tokens::claims(ISSUER);
        let text = tokens::forge(&header, &claims, |input| P256_B.sign("ES256", input));
        let id = sim.request(
            0,
            &Token {
                text,
                genuine: true,
            },
        );
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(id));
        let mut old = good(&P256_A);
        old.genuine = false;
        let id = sim.request(0, &old);
        assert_eq!(sim.reason(id), Some(Reason::InvalidSignature));
    }
}

#[test]
fn an_unknown_kid_is_refused_as_soon_as_the_fresh_keys_lack_it() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        sim.provider().delay = Millis(300);
        let id = sim.request(0, &forged("unknown"));
        // The discovery document was read before: one call.
        sim.run_for(Millis(300));
        assert_eq!(sim.reason(id), Some(Reason::UnknownKey), "{host:?}");
        assert_eq!(sim.response(id).status, 401);
        // The fetch is over: the next one has nothing to wait for.
        let id = sim.request(0, &forged("unknown, too"));
        assert_eq!(sim.reason(id), Some(Reason::UnknownKey), "{host:?}");
    }
}

#[test]
fn a_thousand_random_kids_cause_one_fetch_per_grace_period() {
    for host in HOSTS {
        let mut sim = warm(host, 3);
        let before = sim.provider().asked.len();
        let mut random = Random::seeded(1);
        let mut ids = Vec::new();
        // One every 25 ms: 25 seconds, in which three fetches are allowed.
        for _ in 0..1000 {
            let kid = format!("{:x?}", random.bytes(8));
            let worker = random.below(3);
            ids.push(sim.request(worker, &forged(&kid)));
            let id = sim.request(worker, &good(&P256_A));
            assert!(sim.was_forwarded(id));
            sim.run_for(Millis(25));
        }
        sim.run_for(SECOND);
        assert_eq!(sim.provider().asked.len() - before, 3, "{host:?}");
        let refused = |reason| {
            ids.iter()
                .filter(|id| sim.reason(**id) == Some(reason))
                .count()
        };
        let (unknown, later) = (
            refused(Reason::UnknownKey),
            refused(Reason::KeysUnavailable),
        );
        assert_eq!(unknown + later, ids.len());
        // Who comes while a fetch is under way, and cannot wait for it, is told to come again.
        let few = if host == Host::CannotWake { 50 } else { 0 };
        assert!(later <= few, "{host:?}: {later}");
    }
}

#[test]
fn bad_signatures_by_a_known_kid_cause_one_fetch_per_grace_period() {
    for host in HOSTS {
        let mut sim = warm(host, 2);
        let before = sim.provider().asked.len();
        for step in 0..400 {
            let id = sim.request(step % 2, &forged(P256_A.kid));
            sim.run_for(Millis(50));
            if step % 20 == 19 {
                sim.run_for(TICK);
                assert_eq!(sim.reason(id), Some(Reason::InvalidSignature));
            }
        }
        // 25 seconds.
        assert_eq!(sim.provider().asked.len() - before, 3, "{host:?}");
    }
}

#[test]
fn tampered_tokens_do_not_use_up_the_fetch_that_a_new_key_needs() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        sim.request(0, &forged(P256_A.kid));
        sim.run_for(SECOND);
        sim.provider().keys = vec![P256_B.jwk(), P256_A.jwk()];
        sim.request(0, &forged(P256_A.kid));
        let id = sim.request(0, &good(&P256_B));
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(id), "{:?}", sim.outcome(id));
    }
}

#[test]
fn a_flood_of_random_kids_without_shared_data_costs_one_fetch_per_worker_and_period() {
    let mut sim = Simulation::new(Host::Wakes, 2).without_shared_data();
    sim.provider().keys = vec![P256_A.jwk()];
    sim.run_for(SECOND);
    assert_eq!(sim.provider().key_fetches(), 2);
    for step in 0..200 {
        sim.request(step % 2, &forged(&format!("unknown-{step}")));
        sim.run_for(Millis(45));
    }
    assert_eq!(sim.provider().key_fetches(), 4);
}

#[test]
fn the_fetch_for_a_random_kid_also_finds_the_new_key_of_others() {
    let mut sim = warm(Host::Wakes, 1);
    sim.provider().keys = vec![P256_B.jwk()];
    sim.provider().delay = Millis(200);
    let random = sim.request(0, &forged("random"));
    let new = sim.request(0, &good(&P256_B));
    sim.run_for(SECOND);
    assert_eq!(sim.reason(random), Some(Reason::UnknownKey));
    assert!(sim.was_forwarded(new));
}

#[test]
fn an_unknown_kid_during_an_outage_is_a_503_for_the_key_may_be_new() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        sim.provider().behaviour = Behaviour::Unreachable;
        let first = sim.request(0, &good(&P256_B));
        sim.run_for(SECOND);
        let second = sim.request(0, &good(&P256_B));
        for id in [first, second] {
            assert_eq!(sim.reason(id), Some(Reason::KeysUnavailable), "{host:?}");
        }
    }
}
