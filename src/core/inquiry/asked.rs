//! An issuer as it is asked about a token: where, and as whom.

use super::client::Client;
use super::question::Endpoint;
use super::ticket;
use crate::bounded::Key;
use crate::keys::discovery::Endpoints;
use crate::keys::source::HttpUrl;
use crate::time::{Millis, UnixMillis};

/// An issuer as it is asked, and when.
pub struct Asked<'a> {
    pub iss: &'a str,
    pub client: Option<&'a Client>,
    /// Addresses that the configuration states, and those of its discovery document.
    pub stated: &'a Endpoints,
    pub found: Option<&'a Endpoints>,
    /// Where calls go, if not to the URL's authority.
    pub target: Option<&'a str>,
    /// All that an answer may take.
    pub timeout: Millis,
    pub now: UnixMillis,
}

impl Asked<'_> {
    /// Where it is asked.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> Option<HttpUrl> {
        let among = |of: fn(&Endpoints) -> &Option<HttpUrl>| {
            let found = || of(self.found?).clone();
            of(self.stated).clone().or_else(found)
        };
        match endpoint {
            Endpoint::Introspection => among(|all| &all.introspection),
            Endpoint::Token => among(|all| &all.token),
            Endpoint::Permission => {
                let beside = || ticket::endpoint_beside(&self.url(Endpoint::Token)?);
                among(|all| &all.permission).or_else(beside)
            }
        }
    }
}

/// A token, the digest that it is known by, and what the question about it is known under.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    pub text: &'a str,
    pub digest: Key,
    pub key: Key,
}
