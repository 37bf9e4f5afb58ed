//! The keys of one issuer in one worker: fetched, kept, refreshed, never thrown away for a
//! failure.
//!
//! The cache holds no clock and sends nothing: it is told what came and says what to fetch.

use log::Level;

use super::discovery;
use super::shared::{Fetched, Lease, SharedData, SharedKeys};
use super::source::{HttpUrl, KeySource, Location};
use crate::gate::{Answer, CallId, LogLine, Owner};
use crate::jose::jwk_set::{self, JwkSet};
use crate::time::{Millis, UnixMillis};

/// How long things may take and last.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// One callout.
    pub callout_timeout: Millis,
    /// A request waits for keys.
    pub key_wait_timeout: Millis,
    /// Age at which keys are fetched again, in the background. Keycloak forbids caches to keep
    /// its key set (`no-cache`); obeyed, every request would cost a fetch.
    pub refresh_interval: Millis,
    /// Age at which keys end, if they could not be refreshed.
    pub max_stale: Millis,
    /// Between fetches for an unknown `kid` or a bad signature.
    pub grace_period: Millis,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            callout_timeout: Millis::from_secs(5),
            key_wait_timeout: Millis::from_secs(5),
            refresh_interval: Millis::from_secs(300),
            // A day: an identity provider that is down issues no tokens either, and those that it
            // issued before end sooner.
            max_stale: Millis::from_secs(86_400),
            // jwt-keycloak's default.
            grace_period: Millis::from_secs(10),
        }
    }
}

/// After a failed fetch the next one waits this long, doubled with every failure.
const FIRST_RETRY: Millis = Millis::from_secs(1);
const LAST_RETRY: Millis = Millis::from_secs(30);

/// On a host where one request cannot wake another, each that waits must fetch for itself; so
/// many may.
const PARALLEL_FETCHES: usize = 8;

/// Why a request needs a fetch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// There are no keys.
    Keys,
    /// There are keys, but none that fits the token: it may be newer than they are.
    NewerKeys,
}

/// What a request that needs keys can do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wish {
    /// Fetch this, and wait.
    Fetch(HttpUrl),
    /// Someone is fetching; wait.
    Join,
    /// Nothing will come soon.
    Denied,
}

/// What comes after a callout's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// The same flight goes on with this address.
    Fetch(HttpUrl),
    /// The flight is over, well or not.
    Over,
}

#[derive(Debug)]
pub struct KeyCache {
    iss: String,
    source: KeySource,
    timing: Timing,
    shared: SharedKeys,
    keys: Option<Keys>,
    jwks_uri: Option<HttpUrl>,
    flights: Vec<Flight>,
    /// A flight was lost with its request, while others waited for it.
    orphaned: bool,
    others_fetch_until: UnixMillis,
    failures: u32,
    next_attempt: UnixMillis,
    refetched_at: Option<UnixMillis>,
}

#[derive(Debug)]
struct Keys {
    set: JwkSet,
    fetched_at: UnixMillis,
}

/// A fetch under way: the discovery document, the key set, or first one and then the other.
#[derive(Debug)]
struct Flight {
    call: CallId,
    owner: Owner,
    fetches: Document,
    /// For a host that does not call back.
    until: UnixMillis,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Document {
    Discovery,
    JwkSet,
}

impl KeyCache {
    #[must_use]
    pub fn new(iss: &str, source: KeySource, timing: Timing) -> Self {
        Self {
            iss: iss.to_owned(),
            shared: SharedKeys::new(source.identity(iss)),
            source,
            timing,
            keys: None,
            jwks_uri: None,
            flights: Vec::new(),
            orphaned: false,
            others_fetch_until: UnixMillis::default(),
            failures: 0,
            next_attempt: UnixMillis::default(),
            refetched_at: None,
        }
    }

    /// The keys, unless they are too old to be trusted.
    #[must_use]
    pub fn usable(&self, now: UnixMillis) -> Option<&JwkSet> {
        self.keys
            .as_ref()
            .filter(|keys| now <= keys.fetched_at.plus(self.timing.max_stale))
            .map(|keys| &keys.set)
    }

    #[must_use]
    pub fn target_of<'a>(&'a self, url: &'a HttpUrl) -> &'a str {
        self.source.target_of(url)
    }

    /// Whether the last fetch failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// When a client may try again.
    #[must_use]
    pub fn retry_after(&self, now: UnixMillis) -> Millis {
        self.next_attempt.since(now).max(FIRST_RETRY)
    }

    /// Whether something is on its way for those who wait.
    #[must_use]
    pub fn is_expected(&self, now: UnixMillis) -> bool {
        !self.flights.is_empty() || self.orphaned || self.others_fetch_until > now
    }

    /// Whether `owner` has a flight of its own.
    #[must_use]
    pub fn has_flight_of(&self, owner: Owner) -> bool {
        self.flights.iter().any(|flight| flight.owner == owner)
    }

    /// Takes over what another worker fetched. True if there was something new.
    pub fn take_news(
        &mut self,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        log: &mut Vec<LogLine>,
    ) -> bool {
        let Some(fetched) = self.shared.news(shared) else {
            return false;
        };
        let at = fetched.at.min(now);
        if self.keys.as_ref().is_some_and(|keys| keys.fetched_at >= at) {
            return false;
        }
        self.jwks_uri = fetched.jwks_uri.or_else(|| self.jwks_uri.take());
        let is_good = self.load(&fetched.jwks, at, log).is_ok();
        if is_good {
            self.failures = 0;
        }
        is_good
    }

    /// A request needs keys. `can_join` says whether it can wait for a fetch that is not its own.
    pub fn wish(
        &mut self,
        need: Need,
        can_join: bool,
        now: UnixMillis,
        shared: &mut dyn SharedData,
    ) -> Wish {
        if can_join && self.is_expected(now) {
            return Wish::Join;
        }
        if self.is_failing() && now < self.next_attempt {
            return Wish::Denied;
        }
        if self.flights.len() >= PARALLEL_FETCHES {
            return Wish::Denied;
        }
        if need == Need::NewerKeys {
            // The cooldown is claimed before the fetch, so that a thousand random `kid`s are one.
            let cools_down = |at: UnixMillis| at.plus(self.timing.grace_period) > now;
            if self.refetched_at.is_some_and(cools_down) {
                return Wish::Denied;
            }
        }
        let cooldown = (need == Need::NewerKeys).then_some(self.timing.grace_period);
        match self
            .shared
            .lease(now, self.flight_length(), cooldown, shared)
        {
            Lease::Granted => {}
            Lease::Busy(until) if can_join => {
                self.others_fetch_until = until;
                return Wish::Join;
            }
            // It cannot be woken by another's fetch: without keys it makes its own.
            Lease::Busy(_) if need == Need::Keys => {}
            Lease::Busy(_) | Lease::CoolingDown => return Wish::Denied,
        }
        if need == Need::NewerKeys {
            self.refetched_at = Some(now);
        }
        Wish::Fetch(self.first_address())
    }

    /// The background's part: what to fetch now, if anything.
    pub fn due(&mut self, now: UnixMillis, shared: &mut dyn SharedData) -> Option<HttpUrl> {
        self.others_fetch_until = self.shared.busy_until(shared);
        self.drop_overdue(now, shared);
        let is_old = |keys: &Keys| now >= keys.fetched_at.plus(self.timing.refresh_interval);
        let is_due = self.keys.as_ref().is_none_or(is_old) || self.orphaned;
        if !is_due || !self.flights.is_empty() || now < self.next_attempt {
            return None;
        }
        match self.shared.lease(now, self.flight_length(), None, shared) {
            Lease::Granted => {}
            Lease::Busy(until) => {
                self.others_fetch_until = until;
                return None;
            }
            Lease::CoolingDown => return None,
        }
        // In the background there is time to ask again where the keys are.
        self.jwks_uri = None;
        Some(self.first_address())
    }

    /// Notes that a call of a flight was sent, the first or a following one.
    pub fn sent(&mut self, call: CallId, owner: Owner, url: &HttpUrl, now: UnixMillis) {
        self.orphaned = false;
        let fetches = match &self.source.location {
            Location::Discovery(discovery) if discovery == url => Document::Discovery,
            _ => Document::JwkSet,
        };
        self.flights.push(Flight {
            call,
            owner,
            fetches,
            until: now.plus(self.flight_length()),
        });
    }

    /// Whether `call` is of a flight of this cache, and whose.
    #[must_use]
    pub fn owner_of(&self, call: CallId) -> Option<Owner> {
        self.flights
            .iter()
            .find(|flight| flight.call == call)
            .map(|flight| flight.owner)
    }

    /// The answer to `call` came, or it failed.
    pub fn answered(
        &mut self,
        call: CallId,
        answer: &Answer<'_>,
        now: UnixMillis,
        shared: &mut dyn SharedData,
        log: &mut Vec<LogLine>,
    ) -> Next {
        let Some(index) = self.flights.iter().position(|flight| flight.call == call) else {
            return Next::Over;
        };
        let flight = self.flights.swap_remove(index);
        let outcome = body(answer, flight.fetches).and_then(|body| match flight.fetches {
            Document::Discovery => discovery::jwks_uri(body, &self.iss, &self.source).map(Some),
            Document::JwkSet => {
                self.load(body, now, log)?;
                let fetched = Fetched {
                    jwks: body.to_vec(),
                    jwks_uri: self.jwks_uri.clone(),
                    at: now,
                };
                self.shared.publish(&fetched, shared);
                Ok(None)
            }
        });
        match outcome {
            Ok(Some(jwks_uri)) => {
                self.jwks_uri = Some(jwks_uri.clone());
                return Next::Fetch(jwks_uri);
            }
            Ok(None) => {
                self.failures = 0;
                self.next_attempt = UnixMillis::default();
            }
            Err(why) => self.failed(&why, now, log),
        }
        self.shared.release(shared);
        Next::Over
    }

    /// A request is gone, and with it the flights that it owned.
    pub fn abandoned(&mut self, owner: Owner, others_wait: bool, shared: &mut dyn SharedData) {
        let before = self.flights.len();
        self.flights.retain(|flight| flight.owner != owner);
        if self.flights.len() < before {
            self.shared.release(shared);
            self.orphaned = others_wait;
        }
    }

    fn first_address(&self) -> HttpUrl {
        match (&self.source.location, &self.jwks_uri) {
            (Location::Discovery(_), Some(url))
            | (Location::Discovery(url) | Location::JwkSet(url), _) => url.clone(),
        }
    }

    /// Two callouts, and a little for the host.
    fn flight_length(&self) -> Millis {
        Millis(self.timing.callout_timeout.doubled().0.saturating_add(1000))
    }

    fn drop_overdue(&mut self, now: UnixMillis, shared: &mut dyn SharedData) {
        let before = self.flights.len();
        self.flights.retain(|flight| flight.until > now);
        if self.flights.len() < before {
            self.shared.release(shared);
            self.back_off(now);
        }
    }

    /// Replaces the keys; those of before stay when the new ones cannot be read.
    fn load(&mut self, jwks: &[u8], at: UnixMillis, log: &mut Vec<LogLine>) -> Result<(), String> {
        let (set, skipped) = JwkSet::parse(jwks).map_err(|error| error.to_string())?;
        for key in skipped {
            let text = format!("{}: key {} is left out: {}", self.iss, key.index, key.why);
            log.push(LogLine {
                level: Level::Info,
                text,
            });
        }
        let text = format!("{}: {} keys", self.iss, set.len());
        log.push(LogLine {
            level: Level::Info,
            text,
        });
        self.keys = Some(Keys {
            set,
            fetched_at: at,
        });
        Ok(())
    }

    fn failed(&mut self, why: &str, now: UnixMillis, log: &mut Vec<LogLine>) {
        // What was learnt about the key set's address may be what is wrong.
        self.jwks_uri = None;
        self.back_off(now);
        let seconds = self.next_attempt.since(now).whole_secs();
        let text = format!(
            "{}: keys not fetched: {why}; next try in {seconds} s",
            self.iss
        );
        log.push(LogLine {
            level: Level::Warn,
            text,
        });
    }

    fn back_off(&mut self, now: UnixMillis) {
        let doublings = self.failures.min(8);
        self.failures = self.failures.saturating_add(1);
        let wait = (0..doublings).fold(FIRST_RETRY, |wait, _| wait.doubled());
        self.next_attempt = now.plus(wait.min(LAST_RETRY));
    }
}

fn body<'a>(answer: &Answer<'a>, document: Document) -> Result<&'a [u8], String> {
    match answer {
        Answer::Failed(why) => Err((*why).to_owned()),
        Answer::Response { status: 200, body } => Ok(body),
        Answer::Response { status, .. } => Err(match document {
            Document::Discovery => format!("discovery answered {status}"),
            Document::JwkSet => format!("the key set's address answered {status}"),
        }),
    }
}

/// The largest answer that is worth copying from the host.
pub const MAX_ANSWER_BYTES: usize = if jwk_set::MAX_BYTES > discovery::MAX_BYTES {
    jwk_set::MAX_BYTES
} else {
    discovery::MAX_BYTES
};
