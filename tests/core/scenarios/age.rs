//! Keys grow old, are refreshed, or outlive an outage.

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{P256_A, P256_B};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation, configuration};
use serde_json::json;

use crate::{HOSTS, SECOND, good, seconds, warm, warm_with, with};

#[test]
fn keys_are_refreshed_in_the_background_before_they_are_old() {
    for host in HOSTS {
        let mut sim = warm(host, 4);
        sim.provider().keys = vec![P256_B.jwk()];
        sim.run_for(seconds(3600));
        // One fetch every five minutes, whichever worker makes it.
        assert!(
            (12..=13).contains(&sim.provider().key_fetches()),
            "{}",
            sim.provider().key_fetches()
        );
        let before = sim.provider().asked.len();
        for worker in 0..4 {
            let id = sim.request(worker, &good(&P256_B));
            assert!(sim.was_forwarded(id));
        }
        assert_eq!(
            sim.provider().asked.len(),
            before,
            "no request had to fetch"
        );
    }
}

#[test]
fn a_key_that_the_issuer_withdrew_ends_with_the_next_refresh() {
    let mut sim = warm(Host::Wakes, 2);
    sim.provider().keys = vec![P256_B.jwk()];
    sim.run_for(seconds(302));
    let mut withdrawn = good(&P256_A);
    withdrawn.genuine = false;
    for worker in [0, 1] {
        let id = sim.request(worker, &withdrawn);
        sim.run_for(SECOND);
        assert_eq!(sim.reason(id), Some(Reason::UnknownKey));
    }
}

#[test]
fn stale_keys_serve_until_the_stated_limit() {
    for host in HOSTS {
        let mut sim = warm_with(host, 2, &with("jwks_max_stale", json!(3600)));
        sim.provider().behaviour = Behaviour::Unreachable;
        // Fetched in the first second.
        sim.run_for(seconds(3598));
        for worker in [0, 1] {
            let id = sim.request(worker, &good(&P256_A));
            assert!(sim.was_forwarded(id), "{host:?}");
        }
        sim.run_for(seconds(2));
        for worker in [0, 1] {
            let id = sim.request(worker, &good(&P256_A));
            sim.run_for(SECOND);
            assert_eq!(sim.reason(id), Some(Reason::KeysUnavailable), "{host:?}");
        }
    }
}

#[test]
fn recovery_after_an_outage() {
    for host in HOSTS {
        for configuration in [configuration(), with("jwks_max_stale", json!(300))] {
            let mut sim = warm_with(host, 3, &configuration);
            sim.provider().behaviour = Behaviour::Silent;
            sim.run_for(seconds(7200));
            sim.provider().behaviour = Behaviour::Answers;
            sim.provider().keys = vec![P256_B.jwk()];
            // The longest pause between tries is half a minute; the last try may have just begun.
            sim.run_for(seconds(30 + 5 + 1));
            for worker in 0..3 {
                let id = sim.request(worker, &good(&P256_B));
                assert!(sim.was_forwarded(id), "{host:?}");
            }
        }
    }
}

#[test]
fn an_outage_is_met_with_growing_patience() {
    for host in HOSTS {
        for workers in [1, 4] {
            let mut sim = warm(host, workers);
            sim.run_for(seconds(290));
            sim.provider().asked.clear();
            sim.provider().behaviour = Behaviour::Unreachable;
            sim.run_for(seconds(3600));
            let times: Vec<_> = sim.provider().asked.iter().map(|(at, _, _)| at.0).collect();
            let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(gaps[..4].is_sorted() && gaps[0] < gaps[3], "{gaps:?}");
            assert!(gaps.iter().all(|gap| *gap <= 31_000), "{gaps:?}");
            // Half a minute in the end, whatever the number of workers.
            assert!((100..=150).contains(&times.len()), "{}", times.len());
        }
    }
}

/// Requests fail meanwhile: it is worth to be quick.
#[test]
fn without_any_keys_an_outage_is_met_with_less_patience() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 4);
        sim.provider().behaviour = Behaviour::Unreachable;
        sim.run_for(seconds(600));
        let calls = sim.provider().asked.len();
        assert!((200..=600).contains(&calls), "{host:?}: {calls}");
    }
}

#[test]
fn requests_during_an_outage_do_not_add_calls() {
    for host in HOSTS {
        let calls = |requests: bool| {
            let mut sim = Simulation::new(host, 2);
            sim.provider().behaviour = Behaviour::Unreachable;
            for step in 0..60 * 20 {
                if requests {
                    sim.request(step % 2, &good(&P256_A));
                }
                sim.run_for(Millis(50));
            }
            sim.provider().asked.len()
        };
        let (without, with) = (calls(false), calls(true));
        // They may come a little earlier than the next tick.
        assert!(
            with <= without + without / 4,
            "{host:?}: {without}, with requests {with}"
        );
    }
}
