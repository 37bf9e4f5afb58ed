//! The workers of one gateway share what one of them fetched.

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{P256_A, P256_B};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation, TICK};

use crate::{HOSTS, SECOND, good, seconds, warm};

#[test]
fn workers_share_one_fetch() {
    for host in HOSTS {
        let mut sim = warm(host, 8);
        assert_eq!(
            sim.provider().asked.len(),
            2,
            "discovery and keys, once: {host:?}"
        );
        for worker in 0..8 {
            let id = sim.request(worker, &good(&P256_A));
            assert!(sim.was_forwarded(id));
        }
    }
}

#[test]
fn a_worker_waits_for_the_fetch_of_another() {
    let mut sim = warm(Host::Wakes, 2);
    sim.provider().keys = vec![P256_B.jwk()];
    sim.provider().delay = Millis(700);
    let before = sim.provider().asked.len();
    let first = sim.request(0, &good(&P256_B));
    sim.run_for(Millis(100));
    let second = sim.request(1, &good(&P256_B));
    assert!(sim.is_waiting(second));
    sim.run_for(Millis(600) /* the answer */);
    assert!(sim.was_forwarded(first));
    sim.run_for(TICK);
    assert!(sim.was_forwarded(second));
    assert_eq!(sim.provider().asked.len(), before + 1);
}

#[test]
fn a_worker_hears_that_the_fetch_of_another_failed() {
    let mut sim = Simulation::new(Host::Wakes, 2);
    sim.provider().keys = vec![P256_A.jwk()];
    sim.provider().behaviour = Behaviour::Status(500);
    sim.provider().delay = Millis(400);
    let first = sim.request(0, &good(&P256_A));
    let second = sim.request(1, &good(&P256_A));
    sim.provider().behaviour = Behaviour::Answers;
    sim.run_for(Millis(400));
    assert_eq!(sim.reason(first), Some(Reason::KeysUnavailable));
    sim.run_for(TICK);
    // Or it passes, if its worker fetches for itself.
    assert_ne!(sim.reason(second), Some(Reason::UnknownKey));
    sim.run_for(seconds(3));
    for worker in [0, 1] {
        let id = sim.request(worker, &good(&P256_A));
        assert!(sim.was_forwarded(id));
    }
}

#[test]
fn without_shared_data_every_worker_fetches_for_itself() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 3).without_shared_data();
        sim.provider().keys = vec![P256_A.jwk()];
        sim.run_for(seconds(2));
        assert_eq!(sim.provider().key_fetches(), 3);
        for worker in 0..3 {
            let id = sim.request(worker, &good(&P256_A));
            assert!(sim.was_forwarded(id));
        }
    }
}

/// On Kong several requests may find a new key at the same time. The one that fetches it passes;
/// the others cannot wait for it, and are told to come again: their tokens are good.
#[test]
fn on_a_host_that_cannot_wake_a_new_key_is_no_401_while_it_is_being_fetched() {
    let mut sim = warm(Host::CannotWake, 2);
    sim.provider().keys = vec![P256_B.jwk()];
    sim.provider().delay = Millis(200);
    let first = sim.request(0, &good(&P256_B));
    sim.run_for(Millis(50));
    let same_worker = sim.request(0, &good(&P256_B));
    let other_worker = sim.request(1, &good(&P256_B));
    sim.run_for(SECOND);
    assert!(sim.was_forwarded(first));
    for id in [same_worker, other_worker] {
        let passed = sim.was_forwarded(id) || sim.reason(id) == Some(Reason::KeysUnavailable);
        assert!(passed, "{:?}", sim.outcome(id));
    }
}
