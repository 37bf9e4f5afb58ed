//! `speed rsa|p256 ROUNDS`: microseconds of each, a line.

use std::process::ExitCode;

use jwt_keycloak_verification_tests::{p256, rsa};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let algorithm = arguments.next().unwrap_or_default();
    let rounds = arguments
        .next()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(5);
    let measured = match algorithm.as_str() {
        "rsa" => rsa::speed(rounds),
        "p256" => p256::speed(rounds),
        _ => {
            eprintln!("usage: speed rsa|p256 ROUNDS");
            return ExitCode::FAILURE;
        }
    };
    for (name, microseconds) in measured {
        println!("{name}\t{microseconds:.2}");
    }
    ExitCode::SUCCESS
}
