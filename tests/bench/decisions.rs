//! What a decision costs in the core, without host and public-key signature: tokens signed with a
//! shared secret, for a rule like that of `make bench`.
//!
//!     cargo run --release -p jwt-keycloak-tests --example decisions -- [REQUESTS]
//!
//! Under `valgrind --tool=callgrind` it tells what takes how many instructions.

// It is a clock that it is about.
#![allow(clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Instant;

use jwt_keycloak_core::abilities::Abilities;
use jwt_keycloak_core::config;
use jwt_keycloak_core::event::RequestId;
use jwt_keycloak_core::gate::{Decision, Effects, Gate, Step};
use jwt_keycloak_core::keys::shared::NotShared;
use jwt_keycloak_core::request::Request;
use jwt_keycloak_core::time::UnixMillis;
use jwt_keycloak_tests::keys::{SHARED_SECRET, base64url, hmac};
use jwt_keycloak_tests::tokens::{self, AUDIENCE, ISSUER, START};
use serde_json::json;

fn main() {
    let argument = std::env::args().nth(1);
    let count = argument.map_or(2000, |count| count.parse().expect("a number of requests"));
    let mut gate = gate();
    let requests: Vec<Request> = (0..count).map(request).collect();
    for (name, pass) in [("new", new as fn(&mut Gate, &[Request])), ("seen", seen)] {
        let start = Instant::now();
        pass(&mut gate, &requests);
        let took = start.elapsed().as_secs_f64() / f64::from(count);
        println!("{name}: {:.2} µs a decision", took * 1e6);
    }
}

// Two functions, so that a profiler tells them apart.

#[inline(never)]
fn new(gate: &mut Gate, requests: &[Request]) {
    decide_all(gate, requests);
}

#[inline(never)]
fn seen(gate: &mut Gate, requests: &[Request]) {
    black_box(&requests);
    decide_all(gate, requests);
}

fn decide_all(gate: &mut Gate, requests: &[Request]) {
    for (id, request) in (0..).zip(requests) {
        decide(gate, RequestId(id), request);
    }
}

fn gate() -> Gate {
    let configuration = json!({
        "issuers": [{"iss": ISSUER, "allowed_alg": ["HS256"], "hmac_secrets": [
            {"secret": base64url(SHARED_SECRET), "encoding": "base64url", "kid": "key", "alg": "HS256"},
        ]}],
        "allowed_aud": AUDIENCE,
        "scope": ["Function1/read"],
        "realm_roles": ["reader"],
        "client_roles": ["orders:editor"],
        "claims_to_headers": {"x-user": "sub", "x-client": "azp", "x-name": "preferred_username"},
    });
    let text = configuration.to_string();
    let loaded = config::load(text.as_bytes(), Abilities::ALL).expect("a good configuration");
    Gate::new(loaded.settings, Abilities::ALL, [7; 32])
}

fn request(number: u32) -> Request {
    let mut claims = tokens::claims(ISSUER);
    let more = json!({
        "resource_access": {
            "orders": {"roles": ["editor", "viewer"]},
            "account": {"roles": ["manage-account", "manage-account-links", "view-profile"]},
        },
        "sid": format!("0e4f9a9c-2b1e-4f0e-9a3d-{number:012}"),
        "acr": "1",
        "allowed-origins": ["https://orders.example.com"],
        "email_verified": true,
        "name": "Jo Müller",
        "given_name": "Jo",
        "family_name": "Müller",
        "email": "jo.mueller@example.com",
    });
    let members = more.as_object().expect("an object").clone();
    claims.as_object_mut().expect("an object").extend(members);
    let sign = |input: &[u8]| hmac("HS256", SHARED_SECRET, input);
    let token = tokens::forge(&tokens::header("HS256", "key"), &claims, sign);
    let fields = [
        (":authority", "api.example.com"),
        (":path", "/orders/17?expand=lines"),
        (":method", "GET"),
        (":scheme", "https"),
        ("user-agent", "curl/8.5.0"),
        ("authorization", &format!("Bearer {token}")),
        ("x-request-id", "2f0c1c1e-6a9b-4a52-9ff5-7a51e5a7a0f3"),
    ];
    let bytes = |text: &str| text.as_bytes().to_vec();
    Request {
        method: bytes("GET"),
        path: bytes("/orders/17?expand=lines"),
        headers: fields.iter().map(|(n, v)| (bytes(n), bytes(v))).collect(),
        ..Request::default()
    }
}

#[inline(never)]
fn decide(gate: &mut Gate, id: RequestId, request: &Request) {
    let now = UnixMillis(START.0 + 1000);
    let mut effects = Effects::default();
    let step = gate.request(id, request, now, &mut NotShared, &mut effects);
    assert!(
        matches!(step, Step::Decided(Decision::Forward(_))),
        "{step:?}"
    );
    let _ = black_box((step, effects));
}
