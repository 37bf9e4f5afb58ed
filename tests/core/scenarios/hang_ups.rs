//! A request that goes away takes its call along; the others must not suffer from it.

use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{P256_A, P256_B};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation, TICK};

use crate::{HOSTS, forged, good, seconds, warm};

#[test]
fn a_client_that_hangs_up_leaves_the_others_served() {
    let mut sim = Simulation::new(Host::Wakes, 1);
    sim.provider().keys = vec![P256_A.jwk()];
    sim.provider().delay = Millis(500);
    let fetches = sim.request(0, &good(&P256_A));
    let waits = sim.request(0, &good(&P256_A));
    assert_eq!(sim.calls_in_flight(), 1);
    sim.run_for(Millis(5));
    sim.hang_up(fetches);
    assert_eq!(sim.calls_in_flight(), 0, "the call went with its request");
    // The tick takes over.
    sim.run_for(TICK);
    assert_eq!(sim.calls_in_flight(), 1);
    sim.run_for(seconds(2));
    assert!(sim.was_forwarded(waits));
}

#[test]
fn a_client_that_hangs_up_leaves_the_others_served_while_a_new_key_is_fetched() {
    let mut sim = warm(Host::Wakes, 1);
    sim.provider().keys = vec![P256_B.jwk()];
    sim.provider().delay = Millis(500);
    let fetches = sim.request(0, &good(&P256_B));
    let waits = sim.request(0, &good(&P256_B));
    sim.hang_up(fetches);
    sim.run_for(seconds(2));
    assert!(sim.was_forwarded(waits), "{:?}", sim.outcome(waits));
}

#[test]
fn a_client_that_hangs_up_on_another_worker_leaves_the_others_served() {
    let mut sim = warm(Host::Wakes, 2);
    sim.provider().keys = vec![P256_B.jwk()];
    sim.provider().delay = Millis(500);
    let fetches = sim.request(0, &good(&P256_B));
    let waits = sim.request(1, &good(&P256_B));
    assert_eq!(sim.calls_in_flight(), 1);
    sim.hang_up(fetches);
    sim.run_for(seconds(3));
    assert!(sim.was_forwarded(waits), "{:?}", sim.outcome(waits));
}

/// Who hangs up takes his fetch along. It must not use up the one fetch of the grace period: an
/// attacker who does so every ten seconds would keep a new key out until the next refresh.
#[test]
fn a_client_that_hangs_up_does_not_keep_a_new_key_out() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        sim.provider().keys = vec![P256_B.jwk(), P256_A.jwk()];
        sim.provider().delay = Millis(100);
        let attacker = sim.request(0, &forged("random"));
        sim.run_for(Millis(10));
        sim.hang_up(attacker);
        sim.run_for(seconds(2));
        let id = sim.request(0, &good(&P256_B));
        sim.run_for(seconds(2));
        assert!(sim.was_forwarded(id), "{host:?}: {:?}", sim.outcome(id));
    }
}

#[test]
fn a_request_that_is_gone_is_forgotten() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 1);
        sim.provider().behaviour = Behaviour::Silent;
        let id = sim.request(0, &good(&P256_A));
        sim.hang_up(id);
        sim.run_for(seconds(60));
        assert!(sim.outcome(id).is_none());
    }
}
