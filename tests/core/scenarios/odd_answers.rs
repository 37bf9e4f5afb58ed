//! Answers that come late, twice, or never.

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{P256_A, P256_B};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Outcome, Simulation};

use crate::{HOSTS, SECOND, good, seconds};

#[test]
fn late_and_double_answers_are_nobodys() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 2);
        sim.provider().keys = vec![P256_A.jwk()];
        let id = sim.request(0, &good(&P256_A));
        sim.run_for(seconds(1));
        assert!(sim.was_forwarded(id));
        sim.answer_again();
        sim.run_for(seconds(600));
        sim.answer_again();
        sim.provider().keys = vec![P256_B.jwk()];
        let id = sim.request(0, &good(&P256_B));
        sim.run_for(SECOND);
        assert!(sim.was_forwarded(id));
        sim.answer_again();
        let id = sim.request(0, &good(&P256_B));
        assert!(
            sim.was_forwarded(id),
            "an old answer did not bring the old keys back"
        );
    }
}

#[test]
fn a_call_that_the_host_forgets_does_not_stop_the_next_one() {
    let mut sim = Simulation::new(Host::Wakes, 2);
    sim.provider().keys = vec![P256_A.jwk()];
    sim.provider().behaviour = Behaviour::Forgotten;
    sim.run_for(seconds(5));
    sim.provider().behaviour = Behaviour::Answers;
    sim.run_for(seconds(20));
    for worker in [0, 1] {
        let id = sim.request(worker, &good(&P256_A));
        assert!(sim.was_forwarded(id));
    }
}

/// WasmX times each step of a call, not the whole of it. An answer may come later than any number
/// that the gate was told, and the request that waits for it must be decided all the same.
#[test]
fn an_answer_that_trickles_in_for_a_minute_still_decides_its_request() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 1);
        sim.provider().keys = vec![P256_A.jwk()];
        sim.provider().delay = seconds(60);
        sim.provider().trickles = true;
        let id = sim.request(0, &good(&P256_A));
        sim.run_for(seconds(130));
        assert!(sim.outcome(id).is_some(), "{host:?}");
    }
}

#[test]
fn on_a_host_that_cannot_wake_every_waiting_request_is_decided_by_its_own_answer() {
    let mut sim = Simulation::new(Host::CannotWake, 2);
    sim.provider().keys = vec![P256_A.jwk()];
    sim.provider().delay = Millis(300);
    let mut ids = Vec::new();
    for step in 0..60 {
        ids.push(sim.request(step % 2, &good(&P256_A)));
        sim.run_for(Millis(7));
    }
    sim.run_for(seconds(2));
    let (mut forwarded, mut refused) = (0, 0);
    for id in ids {
        match sim.outcome(id) {
            Some(Outcome::Forwarded(_)) => forwarded += 1,
            Some(Outcome::Refused(Reason::KeysUnavailable, _)) => refused += 1,
            other => panic!("{id:?}: {other:?}"),
        }
    }
    // So many may fetch at once; the others are asked to come again.
    assert!(
        forwarded >= 16 && refused > 0,
        "{forwarded} forwarded, {refused} refused"
    );
    let id = sim.request(0, &good(&P256_A));
    assert!(sim.was_forwarded(id));
}
