//! Keys arrive, late, or not at all.

use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::P256_A;
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation, TICK};

use crate::{HOSTS, SECOND, forged, good, seconds, warm};

#[test]
fn keys_are_there_before_the_first_request() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        let id = sim.request(0, &good(&P256_A));
        assert!(sim.was_forwarded(id));
        assert_eq!(sim.waited(id), Millis(0));
        let paths: Vec<_> = sim
            .provider()
            .asked
            .iter()
            .map(|(_, path, _)| path.clone())
            .collect();
        assert_eq!(
            paths,
            ["/realms/demo/.well-known/openid-configuration", "/certs"]
        );
    }
}

#[test]
fn a_request_that_arrives_before_the_keys_waits_and_passes() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 1);
        sim.provider().keys = vec![P256_A.jwk()];
        sim.provider().delay = seconds(1);
        let id = sim.request(0, &good(&P256_A));
        assert!(sim.is_waiting(id));
        sim.run_for(Millis(1900));
        assert!(sim.is_waiting(id));
        sim.run_for(Millis(200));
        assert!(sim.was_forwarded(id), "{:?}", sim.outcome(id));
    }
}

#[test]
fn many_requests_that_arrive_before_the_keys_share_one_fetch() {
    let mut sim = Simulation::new(Host::Wakes, 1);
    sim.provider().keys = vec![P256_A.jwk()];
    let good: Vec<_> = (0..50).map(|_| sim.request(0, &good(&P256_A))).collect();
    let bad: Vec<_> = (0..50)
        .map(|_| sim.request(0, &forged("p-256-a")))
        .collect();
    sim.run_for(SECOND);
    assert!(good.iter().all(|id| sim.was_forwarded(*id)));
    // The keys are fresh: a bad signature is no reason to fetch them again.
    assert!(
        bad.iter()
            .all(|id| sim.reason(*id) == Some(Reason::InvalidSignature))
    );
    assert!(
        sim.provider().key_fetches() <= 2,
        "{:?}",
        sim.provider().asked
    );
}

#[test]
fn keys_that_never_come_end_in_503_with_retry_after() {
    for (host, behaviour) in [
        (Host::Wakes, Behaviour::Silent),
        (Host::Wakes, Behaviour::Unreachable),
        (Host::Wakes, Behaviour::Forgotten),
        (Host::Wakes, Behaviour::Status(404)),
        (Host::CannotWake, Behaviour::Silent),
        (Host::CannotWake, Behaviour::Unreachable),
        (Host::CannotWake, Behaviour::NoKeySet),
    ] {
        let mut sim = Simulation::new(host, 2);
        sim.provider().behaviour = behaviour.clone();
        let first = sim.request(0, &good(&P256_A));
        sim.run_for(seconds(1));
        let second = sim.request(1, &good(&P256_A));
        sim.run_for(seconds(12));
        for id in [first, second] {
            assert_eq!(
                sim.reason(id),
                Some(Reason::KeysUnavailable),
                "{host:?} {behaviour:?}"
            );
            let response = sim.response(id);
            assert_eq!(response.status, 503);
            let (_, after) = response
                .headers
                .iter()
                .find(|(name, _)| *name == "retry-after")
                .unwrap();
            assert!((1..=30).contains(&after.parse::<u32>().unwrap()), "{after}");
        }
    }
}

#[test]
fn a_dispatch_that_cannot_be_sent_is_a_503_not_a_hang() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 1);
        sim.provider().behaviour = Behaviour::CannotBeCalled;
        let id = sim.request(0, &good(&P256_A));
        assert_eq!(sim.reason(id), Some(Reason::KeysUnavailable));
        assert_eq!(sim.waited(id), Millis(0));
        sim.run_for(SECOND);
        let id = sim.request(0, &good(&P256_A));
        assert_eq!(sim.reason(id), Some(Reason::KeysUnavailable));
    }
}

#[test]
fn a_second_call_that_cannot_be_sent_is_a_503_not_a_hang() {
    for host in HOSTS {
        let mut sim = Simulation::new(host, 1);
        sim.provider().delay = Millis(100);
        let id = sim.request(0, &good(&P256_A));
        assert_eq!(sim.calls_in_flight(), 1);
        // Discovery is under way and will be answered; the key set cannot be asked for any more.
        sim.provider().behaviour = Behaviour::CannotBeCalled;
        sim.run_for(Millis(100) /* the answer */);
        sim.run_for(TICK);
        assert_eq!(sim.reason(id), Some(Reason::KeysUnavailable));
    }
}
