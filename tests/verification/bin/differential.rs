//! `differential emit rsa|p256 SEED COUNT > file` writes inputs with what other implementations say of
//! them, `differential check rsa|p256 < file` runs the kernel on them.

use std::process::ExitCode;

use jwt_keycloak_verification_tests::{p256, rsa};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["check", "rsa"] => rsa::check(&mut std::io::stdin()).map(|checked| println!("{checked}")),
        ["check", "p256"] => {
            p256::check(&mut std::io::stdin()).map(|checked| println!("{checked}"))
        }
        #[cfg(not(target_family = "wasm"))]
        ["emit", algorithm @ ("rsa" | "p256"), seed, count] => emit(algorithm, seed, count),
        _ => Err("usage: differential emit rsa|p256 SEED COUNT | check rsa|p256".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_family = "wasm"))]
fn emit(algorithm: &str, seed: &str, count: &str) -> Result<(), String> {
    let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text}"));
    use std::io::Write as _;
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let emit = if algorithm == "rsa" {
        rsa::emit
    } else {
        p256::emit
    };
    emit(number(seed)?, number(count)? as usize, &mut out)
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())
}
