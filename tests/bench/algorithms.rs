//! `algorithms ROUNDS`: microseconds of a decision about a token that is new, by the algorithm of its
//! signature, a line each.

// It is a clock that it is about.
#![allow(clippy::disallowed_methods)]

use std::time::Instant;

use jwt_keycloak_tests::keys::{ED25519_A, P256_A, P384_A, P521_A, RSA_A, TestKey};
use jwt_keycloak_tests::tokens;
use jwt_keycloak_tests::verifier::Verifier;

/// Of each, in each round.
const RUNS: u32 = 20;

fn main() {
    let argument = std::env::args().nth(1);
    let rounds: usize = argument.map_or(5, |rounds| rounds.parse().expect("a number of rounds"));
    let measured: [(&str, &TestKey); 7] = [
        ("RS256", &RSA_A),
        ("PS256", &RSA_A),
        ("PS512", &RSA_A),
        ("ES256", &P256_A),
        ("ES384", &P384_A),
        ("ES512", &P521_A),
        ("EdDSA", &ED25519_A),
    ];
    let mut decided = measured.map(|(alg, key)| {
        let (verifier, token) = (Verifier::with_key(key), tokens::mint(key, alg));
        // What a key has made at its first signature is there from here on.
        assert!(verifier.admits(&token), "{alg}");
        (alg, verifier, token, Vec::new())
    });
    for _ in 0..rounds.max(1) {
        for (_, verifier, token, times) in &mut decided {
            let from = Instant::now();
            for _ in 0..RUNS {
                assert!(verifier.admits(token));
            }
            times.push(from.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS));
        }
    }
    for (alg, _, _, mut times) in decided {
        times.sort_by(f64::total_cmp);
        println!("{alg}\t{:.2}", times[times.len() / 2]);
    }
}
