//! Reads the gateway's client at an issuer: `client`. Nothing of a secret, or of what may have been
//! meant as one, is ever shown.

use std::rc::Rc;

use serde_json::Value;

use super::issuer::Issuer;
use super::keys::{open, text};
use super::reader::{At, Members};
use super::signing_keys;
use crate::caller::told_claim::header_value;
use crate::inquiry::client::{Authentication, Client, ClientSecret};
use crate::jose::algorithm::{Algorithm, Family};
use crate::jose::signing_key::SigningKey;

const OBJECT: &str = "an object with client_id and client_secret, or client_id and signing_key";
const ITSELF: &str = "its text itself: a filter cannot read files, nor Kong's vaults";
const LONG_SECRET: &str = "a secret of 32 bytes or more for client_secret_jwt (RFC 7518, 3.2)";

/// How a client proves to be it, by the names of OpenID Connect Core 1.0, 9.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Method {
    SecretBasic,
    SecretPost,
    SecretJwt,
    PrivateKeyJwt,
}

const METHODS: [(&str, Method); 4] = [
    ("client_secret_basic", Method::SecretBasic),
    ("client_secret_post", Method::SecretPost),
    ("client_secret_jwt", Method::SecretJwt),
    ("private_key_jwt", Method::PrivateKeyJwt),
];

/// Reads an issuer's own. A faulty one stands for one that is there, lest it be missed elsewhere.
#[must_use]
pub fn read(members: &Members) -> Option<Rc<Client>> {
    let At { path, value } = members.get("client")?;
    let client = open(members, &path, value, OBJECT).map(|own| Client {
        id: client_id(&own).unwrap_or_default(),
        authentication: authentication(&own).unwrap_or_else(nothing),
    });
    Some(Rc::new(client.unwrap_or_else(|| Client {
        id: String::new(),
        authentication: nothing(),
    })))
}

/// Gives the top's client to the issuer that has none of its own. There may be one such issuer: with
/// several, each would be shown what proves the client to another.
pub fn share(members: &Members, issuers: &mut [(Issuer, Members)]) {
    let Some(client) = read(members) else {
        return;
    };
    let is_without = |(issuer, _): &&mut (Issuer, Members)| issuer.client.is_none();
    let without: Vec<_> = issuers.iter_mut().filter(is_without).collect();
    match without.len() {
        0 => {
            let found = "a client, and issuers that have their own";
            members.fault("client", found, "none beside these");
        }
        1 => {}
        _ => {
            let found = "a client of several issuers";
            let allowed = "a client in each of issuers: one would be shown another's secret";
            members.fault("client", found, allowed);
        }
    }
    for (issuer, _) in without {
        issuer.client = Some(Rc::clone(&client));
    }
}

/// Notes an issuer's client as which nothing is asked; `members` are the top's.
pub fn check_use(members: &Members, own: &Members, issuer: &Issuer, is_used: bool) {
    if issuer.client.is_none() || is_used {
        return;
    }
    let stating = if own.get("client").is_some() {
        own
    } else {
        members
    };
    let found = "a client, and nothing that is asked as it";
    stating.fault("client", found, "introspection or authorization beside it");
}

fn nothing() -> Authentication {
    Authentication::SecretPost(ClientSecret::new(String::new()))
}

/// RFC 6749, 2.2. Keycloak's may have any characters.
fn client_id(own: &Members) -> Option<String> {
    let allowed = "the client's id at the issuer";
    if own.get("client_id").is_none() {
        own.fault("client_id", "no client_id", allowed);
    }
    let At { path, value } = own.string("client_id")?;
    if header_value(&value).is_none() {
        own.findings().fault(&path, "a text with controls", allowed);
    }
    Some(value)
}

fn authentication(own: &Members) -> Option<Authentication> {
    let method = own.choice("auth_method", &METHODS);
    let secret = own.get("client_secret");
    let key = own.get("signing_key");
    own.finish();
    match (secret, key) {
        (Some(_), Some(_)) => {
            let allowed = "one of the two: client_secret, or signing_key";
            own.fault("signing_key", "client_secret as well", allowed);
            None
        }
        (None, None) => {
            let found = "a client that cannot prove to be it";
            let allowed = "client_secret, or signing_key, beside client_id";
            own.findings().fault(&own.path, found, allowed);
            None
        }
        (Some(_), None) => by_secret(own, method.unwrap_or(Method::SecretBasic)),
        (None, Some(key)) => by_key(own, &key, method.unwrap_or(Method::PrivateKeyJwt)),
    }
}

fn by_secret(own: &Members, method: Method) -> Option<Authentication> {
    let secret = text(own, "client_secret")?;
    let fault = |found: &str, allowed: &str| {
        own.fault("client_secret", found, allowed);
        None
    };
    if secret.contains("-----BEGIN") {
        return fault("a PEM text", "a secret; a private key is a signing_key");
    }
    if secret.starts_with("{vault://") {
        return fault("a reference", ITSELF);
    }
    // RFC 6749, A.2. A line feed at the end is a file's.
    if header_value(secret).is_none() {
        return fault("a text with controls", "a text without them");
    }
    let secret = secret.to_owned();
    match method {
        Method::SecretBasic => Some(Authentication::SecretBasic(ClientSecret::new(secret))),
        Method::SecretPost => Some(Authentication::SecretPost(ClientSecret::new(secret))),
        Method::SecretJwt => {
            match SigningKey::from_secret(secret.into_bytes(), None, Some(Algorithm::Hs256)) {
                Ok(key) => Some(Authentication::Assertion(Rc::new(key))),
                Err(why) => fault(&why.to_string(), LONG_SECRET),
            }
        }
        Method::PrivateKeyJwt => {
            let found = "private_key_jwt, and no signing_key";
            own.fault("auth_method", found, "a signing_key beside it");
            None
        }
    }
}

fn by_key(own: &Members, key: &At<&Value>, method: Method) -> Option<Authentication> {
    if method != Method::PrivateKeyJwt {
        let found = "a method with a secret, and a signing_key";
        own.fault("auth_method", found, "private_key_jwt; or a client_secret");
    }
    let signs = signing_keys::key(own, &key.path, key.value)?;
    if signs.alg().family() == Family::Hmac {
        let allowed = "a private key; a secret is a client_secret, with client_secret_jwt";
        own.findings().fault(&key.path, "a secret", allowed);
    }
    Some(Authentication::Assertion(Rc::new(signs)))
}
