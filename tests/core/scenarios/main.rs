//! A gateway and its identity providers under virtual time. What must hold in all of these is
//! asserted by the simulator itself.

mod age;
mod authorization_services;
mod failures;
mod hang_ups;
mod introspection;
mod keys_arrive;
mod odd_answers;
mod policies_and_issuers;
mod rotation;
mod verified_tokens;
mod workers;

use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{P256_A, P256_B, TestKey};
use jwt_keycloak_tests::simulator::{Host, Simulation, configuration};
use jwt_keycloak_tests::tokens::{self, ISSUER, Token};
use serde_json::Value;

const SECOND: Millis = Millis(1000);
const HOSTS: [Host; 2] = [Host::Wakes, Host::CannotWake];

fn seconds(seconds: u32) -> Millis {
    Millis::from_secs(seconds)
}

fn good(key: &TestKey) -> Token {
    good_of(ISSUER, key)
}

fn good_of(iss: &str, key: &TestKey) -> Token {
    let alg = if key.kid.starts_with("p-256") {
        "ES256"
    } else {
        "EdDSA"
    };
    Token {
        text: tokens::mint_with(key, alg, &tokens::claims(iss)),
        genuine: true,
    }
}

/// Signed by a key that the issuer never had, under a name of the attacker's choice.
fn forged(kid: &str) -> Token {
    let header = tokens::header("ES256", kid);
    let text = tokens::forge(&header, &tokens::claims(ISSUER), |input| {
        P256_B.sign("ES256", input)
    });
    Token {
        text,
        genuine: false,
    }
}

fn with(name: &str, value: Value) -> Value {
    let mut configuration = configuration();
    configuration[name] = value;
    configuration
}

/// Workers that run for a while, with the keys of `P256_A`.
fn warm(host: Host, workers: usize) -> Simulation {
    warm_with(host, workers, &configuration())
}

fn warm_with(host: Host, workers: usize, configuration: &Value) -> Simulation {
    let mut sim = Simulation::configured(host, workers, configuration);
    for provider in &mut sim.providers {
        provider.keys = vec![P256_A.jwk()];
    }
    sim.run_for(SECOND);
    sim
}
