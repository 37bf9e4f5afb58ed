//! The keys of one issuer in one worker: fetched, kept, refreshed, never thrown away for a
//! failure.
//!
//! The cache holds no clock and sends nothing: it is told what came and says what to fetch.

use log::Level;

use super::discovery::{self, Endpoints, Metadata};
use super::shared::{Cause, Fetched, Lease, SharedData, SharedKeys, Trouble};
use super::source::{HttpUrl, KeySource, Location};
use crate::event::{Answer, CallId, LogLine, Owner};
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
/// Without keys nothing passes, so an identity provider that starts after the gateway must be
/// noticed soon.
const LAST_RETRY_WITHOUT_KEYS: Millis = Millis::from_secs(2);

/// On a host where one request cannot wake another, each that waits must fetch for itself; so
/// many may.
const PARALLEL_FETCHES: usize = 8;

/// Why a request needs a fetch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// There are no keys.
    Keys,
    /// There are keys, but the token may be newer than they are.
    NewerKeys(Cause),
}

/// What a request that needs keys can do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wish {
    /// Fetch this, and wait.
    Fetch(HttpUrl),
    /// Someone is fetching; wait.
    Join,
    /// Someone is fetching, but this request cannot wait for it.
    TryLater,
    /// Nothing will come soon.
    Denied,
}

/// What comes after a callout's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// The same flight goes on with this address.
    Fetch(HttpUrl),
    /// The flight is over, well or not.
    Over { success: bool },
}

#[derive(Debug)]
pub struct KeyCache {
    iss: String,
    source: KeySource,
    timing: Timing,
    shared: SharedKeys,
    keys: Option<Keys>,
    jwks_uri: Option<HttpUrl>,
    /// What else the discovery document said, once it was read.
    endpoints: Option<Endpoints>,
    flights: Vec<Flight>,
    /// A flight was lost with its request; the lease is still out.
    orphaned: bool,
    /// A flight of the background was given up.
    gave_up: bool,
    /// Until when a worker may be fetching, this one or another.
    lease_until: UnixMillis,
    trouble: Trouble,
    /// When this worker last fetched for each cause.
    refetched: Vec<(Cause, UnixMillis)>,
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
    sent_at: UnixMillis,
    /// When its answer is overdue.
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
            endpoints: None,
            flights: Vec::new(),
            orphaned: false,
            gave_up: false,
            lease_until: UnixMillis::default(),
            trouble: Trouble::default(),
            refetched: Vec::new(),
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

    /// Where its issuer is asked about tokens, by its discovery document; `None` before that has been
    /// read.
    #[must_use]
    pub fn endpoints(&self) -> Option<&Endpoints> {
        self.endpoints.as_ref()
    }

    /// Whether its issuer has a discovery document.
    #[must_use]
    pub fn discovers(&self) -> bool {
        matches!(self.source.location, Location::Discovery(_))
    }

    #[must_use]
    pub fn target_of<'a>(&'a self, url: &'a HttpUrl) -> &'a str {
        self.source.target_of(url)
    }

    /// Whether the last fetch failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.trouble.failures > 0
    }

    /// When a client may try again.
    #[must_use]
    pub fn retry_after(&self, now: UnixMillis) -> Millis {
        self.trouble.retry_at.since(now).max(FIRST_RETRY)
    }

    /// Whether something is on its way for those who wait.
    #[must_use]
    pub fn is_expected(&self, now: UnixMillis) -> bool {
        let is_leased = self.lease_until.is_ahead(now, self.flight_length());
        self.has_flight_in_time(now) || self.orphaned || is_leased
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
        let is_told_where = self.endpoints.is_none() && fetched.endpoints.is_some();
        self.endpoints = fetched.endpoints.or_else(|| self.endpoints.take());
        let Some(jwks) = fetched.jwks else {
            return is_told_where;
        };
        let at = fetched.at.min(now);
        let is_as_new = |keys: &Keys| keys.fetched_at >= at && keys.fetched_at <= now;
        if self.keys.as_ref().is_some_and(is_as_new) {
            return is_told_where;
        }
        self.jwks_uri = fetched.jwks_uri.or_else(|| self.jwks_uri.take());
        let is_good = self.load(&jwks, at, log).is_ok();
        if is_good {
            self.trouble = Trouble::default();
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
        let cooldown = match need {
            Need::Keys => None,
            Need::NewerKeys(cause) => Some((cause, self.timing.grace_period)),
        };
        // The cooldown is claimed before the fetch, so that a thousand random `kid`s are one.
        let cools_down = cooldown.is_some_and(|(cause, length)| {
            let mut last = self.refetched.iter().filter(|(of, _)| *of == cause);
            last.any(|(_, at)| at.is_recent(now, length))
        });
        if !self.is_expected(now) {
            if cools_down {
                return Wish::Denied;
            }
            self.look_at_others(shared);
        }
        if self.is_expected(now) {
            match (can_join, need) {
                (true, _) => return Wish::Join,
                (false, Need::NewerKeys(_)) => return Wish::TryLater,
                // It makes its own fetch.
                (false, Need::Keys) => {}
            }
        }
        if self.trouble.retry_at.is_ahead(now, LAST_RETRY) {
            return Wish::Denied;
        }
        if self.flights.len() >= PARALLEL_FETCHES {
            return Wish::TryLater;
        }
        match self
            .shared
            .lease(now, self.flight_length(), cooldown, shared)
        {
            Lease::Granted => {}
            Lease::Busy(until) if can_join => {
                self.lease_until = until;
                return Wish::Join;
            }
            Lease::Busy(_) if need == Need::Keys => {}
            Lease::Busy(_) => return Wish::TryLater,
            Lease::CoolingDown => return Wish::Denied,
        }
        if let Some((cause, _)) = cooldown {
            self.refetched.retain(|(of, _)| *of != cause);
            self.refetched.push((cause, now));
        }
        Wish::Fetch(self.first_address())
    }

    /// The background's part: what to fetch now, if anything.
    pub fn due(&mut self, now: UnixMillis, shared: &mut dyn SharedData) -> Option<HttpUrl> {
        self.look_at_others(shared);
        self.drop_overdue(now, shared);
        if self.has_flight_in_time(now) {
            return None;
        }
        if self.orphaned {
            // Under the lease of the flight that was lost.
            return Some(self.first_address());
        }
        let is_fresh = |keys: &Keys| keys.fetched_at.is_recent(now, self.timing.refresh_interval);
        if self.keys.as_ref().is_some_and(is_fresh)
            || self.trouble.retry_at.is_ahead(now, LAST_RETRY)
        {
            return None;
        }
        match self.shared.lease(now, self.flight_length(), None, shared) {
            Lease::Granted => {}
            Lease::Busy(until) => {
                self.lease_until = until;
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
            sent_at: now,
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

    /// When `call` was sent.
    #[must_use]
    pub fn sent_at(&self, call: CallId) -> Option<UnixMillis> {
        let mut flights = self.flights.iter();
        Some(flights.find(|flight| flight.call == call)?.sent_at)
    }

    /// Whether flights were given up since this was last asked.
    pub fn take_overdue(&mut self) -> bool {
        std::mem::take(&mut self.gave_up)
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
            return Next::Over { success: false };
        };
        let flight = self.flights.swap_remove(index);
        let mut brings_new_key = false;
        let outcome = body(answer, flight.fetches).and_then(|body| match flight.fetches {
            Document::Discovery => discovery::read(body, &self.iss, &self.source).map(Some),
            Document::JwkSet => {
                brings_new_key = self.load(body, now, log)?;
                let fetched = Fetched {
                    jwks: Some(body.to_vec()),
                    jwks_uri: self.jwks_uri.clone(),
                    endpoints: self.endpoints.clone(),
                    at: now,
                };
                self.shared.publish(&fetched, shared);
                Ok(None)
            }
        });
        let success = outcome.is_ok();
        match outcome {
            Ok(Some(Metadata {
                jwks_uri,
                endpoints,
            })) => {
                self.shared
                    .publish_endpoints(&jwks_uri, &endpoints, now, shared);
                self.jwks_uri = Some(jwks_uri.clone());
                self.endpoints = Some(endpoints);
                return Next::Fetch(jwks_uri);
            }
            Ok(None) => {
                self.trouble = Trouble::default();
            }
            Err(why) => self.failed(&why, now, log),
        }
        self.flight_ended(brings_new_key, shared);
        Next::Over { success }
    }

    /// A request is gone, and with it the flights that it owned. The next tick goes on with them,
    /// for those who wait and for those to come: who hangs up must not use up a fetch.
    pub fn abandoned(&mut self, owner: Owner) {
        let before = self.flights.len();
        self.flights.retain(|flight| flight.owner != owner);
        self.orphaned |= self.flights.len() < before;
    }

    /// Nobody is there any more for the answers: another may fetch in this one's place, at once.
    pub fn retire(&mut self, shared: &mut dyn SharedData) {
        if !self.flights.is_empty() || self.orphaned {
            self.flights.clear();
            self.orphaned = false;
            self.flight_ended(false, shared);
        }
    }

    fn first_address(&self) -> HttpUrl {
        // What another version of the filter shared may lack the endpoints.
        let known = self.jwks_uri.as_ref().filter(|_| self.endpoints.is_some());
        match (&self.source.location, known) {
            (Location::Discovery(_), Some(url))
            | (Location::Discovery(url) | Location::JwkSet(url), _) => url.clone(),
        }
    }

    /// Whether a flight may still bring something. One of a request that takes longer, for the host
    /// has no time-out for the whole of a call, must not keep others from fetching.
    fn has_flight_in_time(&self, now: UnixMillis) -> bool {
        let length = self.flight_length();
        let in_time = |flight: &Flight| flight.until.is_ahead(now, length);
        self.flights.iter().any(in_time)
    }

    /// Two callouts, and a little for the host.
    fn flight_length(&self) -> Millis {
        Millis(self.timing.callout_timeout.doubled().0.saturating_add(1000))
    }

    /// Gives up flights of the background whose answer is overdue. Those of requests end with an
    /// answer or with the request: on Kong a request is let go on after its last answer, however
    /// late, and must be decided by it.
    fn drop_overdue(&mut self, now: UnixMillis, shared: &mut dyn SharedData) {
        let length = self.flight_length();
        let before = self.flights.len();
        self.flights.retain(|flight| {
            flight.owner != Owner::Background || flight.until.is_ahead(now, length)
        });
        if self.flights.len() < before {
            self.gave_up = true;
            self.back_off(now);
            self.flight_ended(false, shared);
        }
    }

    /// Replaces the keys; those of before stay when the new ones cannot be read. True if there is
    /// one that was not there.
    fn load(
        &mut self,
        jwks: &[u8],
        at: UnixMillis,
        log: &mut Vec<LogLine>,
    ) -> Result<bool, String> {
        let (set, skipped) = JwkSet::parse(jwks).map_err(|error| error.to_string())?;
        for key in skipped {
            let text = format!("{}: key {} is left out: {}", self.iss, key.index, key.why);
            log.push(LogLine {
                level: Level::Info,
                text,
            });
        }
        let text = format!("{}: keys loaded: {}", self.iss, set.len());
        log.push(LogLine {
            level: Level::Info,
            text,
        });
        // A fetch that found a new key was worth it; the next one need not wait. Who makes kids up
        // finds none.
        let brings_new_key = self.keys.as_ref().is_none_or(|keys| set.adds_to(&keys.set));
        if brings_new_key {
            self.refetched.clear();
        }
        let set = match &self.keys {
            Some(keys) => set.keeping(&keys.set),
            None => set,
        };
        self.keys = Some(Keys {
            set,
            fetched_at: at,
        });
        Ok(brings_new_key)
    }

    fn failed(&mut self, why: &str, now: UnixMillis, log: &mut Vec<LogLine>) {
        // What was learnt about the key set's address may be what is wrong.
        self.jwks_uri = None;
        self.back_off(now);
        let seconds = self.trouble.retry_at.since(now).whole_secs();
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
        let doublings = self.trouble.failures.min(8);
        let wait = (0..doublings).fold(FIRST_RETRY, |wait, _| wait.doubled());
        let longest = match self.usable(now) {
            Some(_) => LAST_RETRY,
            None => LAST_RETRY_WITHOUT_KEYS,
        };
        self.trouble = Trouble {
            failures: self.trouble.failures.saturating_add(1),
            retry_at: now.plus(wait.min(longest)),
        };
    }

    fn flight_ended(&mut self, lifts_cooldowns: bool, shared: &mut dyn SharedData) {
        self.shared.release(self.trouble, lifts_cooldowns, shared);
        self.lease_until = UnixMillis::default();
    }

    /// Another worker's flight is as good as one's own, and its failure counts here, too.
    fn look_at_others(&mut self, shared: &mut dyn SharedData) {
        let Some((busy_until, trouble)) = self.shared.state(shared) else {
            return;
        };
        self.lease_until = busy_until;
        self.trouble = trouble;
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
