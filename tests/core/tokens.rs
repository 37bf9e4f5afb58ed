//! Tokens as Keycloak mints them, and as it never would.

use std::sync::atomic::{AtomicU32, Ordering};

use jwt_keycloak_core::time::UnixMillis;
use serde_json::{Value, json};

use crate::keys::{TestKey, base64url};

pub const ISSUER: &str = "https://sso.example/realms/demo";
pub const AUDIENCE: &str = "orders";

/// When the tests take place.
pub const START: UnixMillis = UnixMillis(1_790_000_000_000);

/// A token and whether the gateway should let it through: for ever no if it should not.
#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    pub genuine: bool,
}

/// The claims of an access token that is good for a year. No two have the same `jti`.
#[must_use]
pub fn claims(iss: &str) -> Value {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = START.0 / 1000;
    json!({
        "iss": iss,
        "aud": ["account", AUDIENCE],
        "exp": now + 365 * 86_400,
        "iat": now,
        "jti": format!("jti-of-token-{count:08}"),
        "sub": "5d1c0b0a-subject-of-the-token",
        "typ": "Bearer",
        "azp": "client-of-the-token",
        "scope": "email profile Function1/read",
        "preferred_username": "user-of-the-token",
        "realm_access": {"roles": ["reader"]},
        "resource_access": {"client-of-the-token": {"roles": ["editor"]}},
    })
}

#[must_use]
pub fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "JWT", "kid": kid})
}

/// What is signed: both parts in base64url.
#[must_use]
pub fn signing_input(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    )
}

/// A token of any header and claims, signed in any way.
#[must_use]
pub fn forge(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let input = signing_input(header, claims);
    let signature = sign(input.as_bytes());
    format!("{input}.{}", base64url(&signature))
}

/// An access token of [`ISSUER`] as it should be.
#[must_use]
pub fn mint(key: &TestKey, alg: &str) -> String {
    mint_with(key, alg, &claims(ISSUER))
}

#[must_use]
pub fn mint_with(key: &TestKey, alg: &str, claims: &Value) -> String {
    forge(&header(alg, key.kid), claims, |input| key.sign(alg, input))
}

/// The three parts of a token.
#[must_use]
pub fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().expect("a token has three parts")
}
