//! What the workers of one gateway tell each other about an issuer's keys.
//!
//! One worker fetches, the others take what it fetched. Two records an issuer: the key set, and
//! who is fetching. The host may look records up by a hash of their name (Kong does), so each
//! says in full whose it is, and another's is as good as none.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::discovery::Endpoints;
use super::source::HttpUrl;
use crate::jose::jwk_set;
use crate::json::{self, Limits};
use crate::time::{Millis, UnixMillis};

/// A record holds one key set, as an escaped string.
const LIMITS: Limits = Limits {
    bytes: 4 * jwk_set::MAX_BYTES,
    depth: 4,
};

/// Values that the workers of a gateway share. The one thing that the core asks for and gets at
/// once; tests give it a map.
pub trait SharedData {
    /// The value and its version; `None` if there is none or the host cannot say.
    fn get(&mut self, name: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes if the version is still `version`, or anew if that is `None`. False if another was
    /// faster or the host cannot.
    fn set(&mut self, name: &str, value: &[u8], version: Option<u32>) -> bool;
}

/// For hosts without shared data, or where the configuration says no: every worker for itself.
#[derive(Debug)]
pub struct NotShared;

impl SharedData for NotShared {
    fn get(&mut self, _name: &str) -> Option<(Vec<u8>, u32)> {
        None
    }

    fn set(&mut self, _name: &str, _value: &[u8], _version: Option<u32>) -> bool {
        false
    }
}

/// The records of one issuer.
#[derive(Clone, Debug)]
pub struct SharedKeys {
    identity: String,
    keys_name: String,
    lease_name: String,
    seen: Option<u32>,
}

/// A key set that some worker fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetched {
    /// None: only where they are is known.
    pub jwks: Option<Vec<u8>>,
    pub jwks_uri: Option<HttpUrl>,
    pub endpoints: Option<Endpoints>,
    pub at: UnixMillis,
}

/// The answer to a worker that wants to fetch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lease {
    Granted,
    /// Another worker is fetching, until then at the latest.
    Busy(UnixMillis),
    /// A fetch on demand was made too short a time ago.
    CoolingDown,
}

/// What made a request ask for newer keys. Each has a cooldown of its own, so that tampered tokens
/// cannot use up the fetch that a token with a new key needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    UnknownKey,
    BadSignature,
}

#[derive(Clone, Copy, Debug, Default)]
struct LeaseRecord {
    fetching_until: UnixMillis,
    /// When keys were last fetched for each cause.
    unknown_key_at: UnixMillis,
    bad_signature_at: UnixMillis,
    trouble: Trouble,
}

/// Fetches that failed, one after another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Trouble {
    pub failures: u32,
    /// Not before then is the next one made.
    pub retry_at: UnixMillis,
}

impl LeaseRecord {
    fn last(&mut self, cause: Cause) -> &mut UnixMillis {
        match cause {
            Cause::UnknownKey => &mut self.unknown_key_at,
            Cause::BadSignature => &mut self.bad_signature_at,
        }
    }
}

impl SharedKeys {
    #[must_use]
    pub fn new(identity: String) -> Self {
        use std::fmt::Write as _;
        let mut hash = String::new();
        for byte in Sha256::digest(identity.as_bytes()) {
            let _ = write!(hash, "{byte:02x}");
        }
        Self {
            identity,
            keys_name: format!("jwt_keycloak.keys.{hash}"),
            lease_name: format!("jwt_keycloak.lease.{hash}"),
            seen: None,
        }
    }

    /// What another worker fetched since the last look.
    pub fn news(&mut self, shared: &mut dyn SharedData) -> Option<Fetched> {
        let (value, version) = shared.get(&self.keys_name)?;
        if self.seen == Some(version) {
            return None;
        }
        self.seen = Some(version);
        self.fetched(&value)
    }

    fn fetched(&self, value: &[u8]) -> Option<Fetched> {
        let record = self.own_record(value)?;
        let url = |value: Option<&Value>| HttpUrl::parse(value?.as_str()?);
        let endpoints = |told: &serde_json::Map<String, Value>| Endpoints {
            introspection: url(told.get("introspection")),
            token: url(told.get("token")),
            permission: None,
        };
        let jwks = record.get("jwks").and_then(Value::as_str);
        let told = record.get("endpoints").and_then(Value::as_object);
        Some(Fetched {
            jwks: jwks.map(|jwks| jwks.as_bytes().to_vec()),
            jwks_uri: url(record.get("jwks_uri")),
            endpoints: told.map(endpoints),
            at: UnixMillis(record.get("at")?.as_i64()?),
        })
    }

    /// Tells the other workers where their issuer is asked, if they do not know it: its keys may be
    /// out of reach.
    pub fn publish_endpoints(
        &mut self,
        jwks_uri: &HttpUrl,
        endpoints: &Endpoints,
        now: UnixMillis,
        shared: &mut dyn SharedData,
    ) {
        let known = shared.get(&self.keys_name);
        let known = known.and_then(|(value, _)| self.fetched(&value));
        if known.as_ref().and_then(|known| known.endpoints.as_ref()) == Some(endpoints) {
            return;
        }
        let known = known.filter(|known| known.jwks.is_some());
        let fetched = Fetched {
            at: known.as_ref().map_or(now, |known| known.at),
            jwks: known.and_then(|known| known.jwks),
            jwks_uri: Some(jwks_uri.clone()),
            endpoints: Some(endpoints.clone()),
        };
        self.publish(&fetched, shared);
    }

    /// Tells the other workers what was fetched.
    pub fn publish(&mut self, fetched: &Fetched, shared: &mut dyn SharedData) {
        let text = |url: &Option<HttpUrl>| url.as_ref().map(HttpUrl::to_string);
        let endpoints = fetched.endpoints.as_ref().map(|endpoints| {
            json!({
                "introspection": text(&endpoints.introspection),
                "token": text(&endpoints.token),
            })
        });
        let record = json!({
            "identity": self.identity,
            "jwks": fetched.jwks.as_ref().map(|jwks| String::from_utf8_lossy(jwks)),
            "jwks_uri": text(&fetched.jwks_uri),
            "endpoints": endpoints,
            "at": fetched.at.0,
        })
        .to_string();
        let version = shared.get(&self.keys_name).map(|(_, version)| version);
        if shared.set(&self.keys_name, record.as_bytes(), version) {
            self.seen = shared.get(&self.keys_name).map(|(_, version)| version);
        }
    }

    /// Asks to fetch, for `length` at most. With a `cooldown`, that much time must have passed
    /// since the last fetch of its cause; the answer claims it before anything is fetched.
    pub fn lease(
        &self,
        now: UnixMillis,
        length: Millis,
        cooldown: Option<(Cause, Millis)>,
        shared: &mut dyn SharedData,
    ) -> Lease {
        if shared.get(&self.lease_name).is_none() {
            // So that there is a version to compare with. Workers that start at one moment may
            // overwrite each other here (Envoy writes unconditionally without a version), and then
            // more than one fetches, once.
            shared.set(
                &self.lease_name,
                &self.lease_text(LeaseRecord::default()),
                None,
            );
        }
        let Some((value, version)) = shared.get(&self.lease_name) else {
            return Lease::Granted;
        };
        let mut record = self.read_lease(&value);
        let longest = now.plus(length);
        if record.fetching_until > now && record.fetching_until <= longest {
            return Lease::Busy(record.fetching_until);
        }
        if let Some((cause, cooldown)) = cooldown {
            let last = record.last(cause);
            if *last <= now && last.plus(cooldown) > now {
                return Lease::CoolingDown;
            }
            *last = now;
        }
        record.fetching_until = longest;
        if shared.set(&self.lease_name, &self.lease_text(record), Some(version)) {
            Lease::Granted
        } else {
            Lease::Busy(longest)
        }
    }

    /// Gives a granted lease back, the fetch being over, and tells how fetching goes and whether
    /// the next one may be made at once.
    pub fn release(&self, trouble: Trouble, lifts_cooldowns: bool, shared: &mut dyn SharedData) {
        if let Some((value, version)) = shared.get(&self.lease_name) {
            let before = self.read_lease(&value);
            let record = LeaseRecord {
                fetching_until: UnixMillis::default(),
                trouble,
                ..if lifts_cooldowns {
                    LeaseRecord::default()
                } else {
                    before
                }
            };
            shared.set(&self.lease_name, &self.lease_text(record), Some(version));
        }
    }

    /// Until when another worker may be fetching, and how fetching went; `None` where nothing is
    /// shared.
    pub fn state(&self, shared: &mut dyn SharedData) -> Option<(UnixMillis, Trouble)> {
        let (value, _) = shared.get(&self.lease_name)?;
        let record = self.read_lease(&value);
        Some((record.fetching_until, record.trouble))
    }

    fn own_record(&self, value: &[u8]) -> Option<serde_json::Map<String, Value>> {
        let record = json::parse_object(value, LIMITS).ok()?;
        let own = record.get("identity").and_then(Value::as_str) == Some(&self.identity);
        own.then_some(record)
    }

    fn read_lease(&self, value: &[u8]) -> LeaseRecord {
        let record = self.own_record(value).unwrap_or_default();
        let time = |name| UnixMillis(record.get(name).and_then(Value::as_i64).unwrap_or(0));
        LeaseRecord {
            fetching_until: time("fetching_until"),
            unknown_key_at: time("unknown_key_at"),
            bad_signature_at: time("bad_signature_at"),
            trouble: Trouble {
                failures: record
                    .get("failures")
                    .and_then(Value::as_u64)
                    .and_then(|failures| failures.try_into().ok())
                    .unwrap_or(0),
                retry_at: time("retry_at"),
            },
        }
    }

    fn lease_text(&self, record: LeaseRecord) -> Vec<u8> {
        json!({
            "identity": self.identity,
            "fetching_until": record.fetching_until.0,
            "unknown_key_at": record.unknown_key_at.0,
            "bad_signature_at": record.bad_signature_at.0,
            "failures": record.trouble.failures,
            "retry_at": record.trouble.retry_at.0,
        })
        .to_string()
        .into_bytes()
    }
}
