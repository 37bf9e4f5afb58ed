//! The keys of an issuer: a JWK set (RFC 7517, 5), read key by key, so that one bad key costs the
//! issuer nothing but that key; or keys that were configured.

use std::fmt;
use std::rc::Rc;

use serde_json::Value;

use super::algorithm::Algorithm;
use super::header::Header;
use super::key::{Unusable, VerificationKey};
use crate::json::{self, Limits};
use crate::refusal::Reason;
use crate::time::UnixMillis;

/// The largest key set that is read, in bytes. Keycloak's have 3 to 20 kB.
pub const MAX_BYTES: usize = 256 * 1024;

/// How a key set is read, wherever it comes from.
pub const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    depth: 8,
};

/// No issuer needs more, and every one of them costs memory in every worker.
const MAX_KEYS: usize = 100;

/// The keys of an issuer that can verify signatures; never empty when they were fetched.
#[derive(Clone, Debug)]
pub struct JwkSet {
    keys: Vec<Rc<VerificationKey>>,
}

/// A key that was left out, for the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SkippedKey {
    pub index: usize,
    pub why: Unusable,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JwkSetError {
    NotAKeySet(String),
    TooManyKeys,
    NoUsableKey,
}

impl fmt::Display for JwkSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKeySet(why) => write!(f, "not a JWK set: {why}"),
            Self::TooManyKeys => write!(f, "more than {MAX_KEYS} keys"),
            Self::NoUsableKey => f.write_str("no key in it can verify signatures"),
        }
    }
}

impl JwkSet {
    /// The keys that were configured for an issuer, if any.
    #[must_use]
    pub fn of(keys: Vec<VerificationKey>) -> Self {
        Self {
            keys: keys.into_iter().map(Rc::new).collect(),
        }
    }

    /// The same set, with those keys of `other` that it has, too: what was made for a key, and what is
    /// known of tokens by it, stays.
    #[must_use]
    pub fn keeping(mut self, other: &Self) -> Self {
        for key in &mut self.keys {
            if let Some(kept) = other.keys.iter().find(|kept| kept.is(key)) {
                *key = Rc::clone(kept);
            }
        }
        self
    }

    /// Whether this very key is one of them.
    #[must_use]
    pub fn holds(&self, key: &Rc<VerificationKey>) -> bool {
        self.keys.iter().any(|own| Rc::ptr_eq(own, key))
    }

    /// Whether a token without a `kid` would still be verified by this very key.
    #[must_use]
    pub fn selects(&self, key: &Rc<VerificationKey>, alg: Algorithm, now: UnixMillis) -> bool {
        let header = Header {
            alg: alg.name().to_owned(),
            kid: None,
            typ: None,
        };
        let selected = self.select(&header, alg, now).unwrap_or_default();
        selected.iter().any(|own| Rc::ptr_eq(own, key))
    }

    /// Reads a set and says which of its keys were left out.
    ///
    /// # Errors
    /// [`JwkSetError`] when it is no key set within the limits or holds no usable key.
    pub fn parse(text: &[u8]) -> Result<(Self, Vec<SkippedKey>), JwkSetError> {
        let set = json::parse_object(text, LIMITS)
            .map_err(|error| JwkSetError::NotAKeySet(error.to_string()))?;
        let keys = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or_else(|| JwkSetError::NotAKeySet("it has no list `keys`".to_owned()))?;
        if keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooManyKeys);
        }
        let mut usable = Vec::new();
        let mut skipped = Vec::new();
        for (index, jwk) in keys.iter().enumerate() {
            // The same key twice is one: it must not make a token without `kid` ambiguous.
            if keys.iter().take(index).any(|earlier| earlier == jwk) {
                continue;
            }
            match VerificationKey::from_jwk(jwk) {
                Ok(key) => usable.push(Rc::new(key)),
                Err(why) => skipped.push(SkippedKey { index, why }),
            }
        }
        if usable.is_empty() {
            return Err(JwkSetError::NoUsableKey);
        }
        Ok((Self { keys: usable }, skipped))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it names a key that `other` does not name.
    #[must_use]
    pub fn adds_to(&self, other: &Self) -> bool {
        let named = |kid: &String| other.keys.iter().any(|key| key.kid.as_ref() == Some(kid));
        let mut kids = self.keys.iter().filter_map(|key| key.kid.as_ref());
        kids.any(|kid| !named(kid))
    }

    /// Finds those of an issuer's configured keys that may have signed a token with this header. A
    /// key that was configured without a `kid` goes by any; where several fit, each is tried.
    ///
    /// # Errors
    /// As [`Self::select`], but never [`Reason::AmbiguousKey`].
    pub fn configured(
        &self,
        header: &Header,
        alg: Algorithm,
        now: UnixMillis,
    ) -> Result<Vec<&Rc<VerificationKey>>, Reason> {
        self.fitting(header, alg, now, |key| key.kid.is_none())
    }

    /// Finds the keys that may have signed a token with this header (RFC 7515, 6 and D).
    ///
    /// A `kid` names the key; keys of different types may share one (RFC 7517, 4.5). Without a
    /// `kid` there must be a single key for the algorithm: which one was meant is not guessed. A key
    /// outside its validity is as good as none.
    ///
    /// # Errors
    /// [`Reason::UnknownKey`], [`Reason::AmbiguousKey`], [`Reason::KeyNotValid`] if only keys outside
    /// their validity would do, or [`Reason::InvalidSignature`] for a `kid` whose key cannot have made
    /// a signature of this algorithm.
    pub fn select(
        &self,
        header: &Header,
        alg: Algorithm,
        now: UnixMillis,
    ) -> Result<Vec<&Rc<VerificationKey>>, Reason> {
        let mut keys = self.fitting(header, alg, now, |_| false)?;
        if header.kid.is_none() && keys.len() > 1 {
            keys.retain(|key| key.is_declared_for(alg));
            if keys.len() != 1 {
                return Err(Reason::AmbiguousKey);
            }
        }
        Ok(keys)
    }

    /// The keys that the header's `kid` names, or any if it has none, and those that go by every
    /// `kid`; of them, those for the algorithm that are valid now.
    fn fitting(
        &self,
        header: &Header,
        alg: Algorithm,
        now: UnixMillis,
        goes_by_any: impl Fn(&VerificationKey) -> bool,
    ) -> Result<Vec<&Rc<VerificationKey>>, Reason> {
        let is_named = |key: &VerificationKey| header.kid.is_some() && key.kid == header.kid;
        let is_meant =
            |key: &VerificationKey| header.kid.is_none() || is_named(key) || goes_by_any(key);
        let fits = |key: &&Rc<VerificationKey>| is_meant(key) && key.fits(alg);
        let mut keys: Vec<_> = self.keys.iter().filter(fits).collect();
        if keys.is_empty() {
            return Err(if self.keys.iter().any(|key| is_named(key)) {
                Reason::InvalidSignature
            } else {
                Reason::UnknownKey
            });
        }
        keys.retain(|key| key.is_valid_at(now));
        if keys.is_empty() {
            return Err(Reason::KeyNotValid);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ec(kid: &str) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": kid,
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn parse(keys: &Value) -> Result<(JwkSet, Vec<SkippedKey>), JwkSetError> {
        JwkSet::parse(json!({"keys": keys}).to_string().as_bytes())
    }

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    /// A key that counts from `first` to `last`.
    fn dated(kid: Option<&str>, first: i64, last: i64) -> VerificationKey {
        let mut key = VerificationKey::from_jwk(&ec("")).unwrap();
        key.kid = kid.map(str::to_owned);
        key.validity = Some((UnixMillis(first), UnixMillis(last)));
        key
    }

    fn header(kid: Option<&str>) -> Header {
        Header {
            alg: "ES256".to_owned(),
            kid: kid.map(str::to_owned),
            typ: None,
        }
    }

    #[test]
    fn one_bad_key_costs_that_key_only() {
        let (set, skipped) = parse(&json!([
            {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP"}, ec("a"), {"kty": "new"}, 3
        ]))
        .unwrap();
        assert_eq!(set.len(), 1);
        let why: Vec<_> = skipped.iter().map(|key| (key.index, key.why)).collect();
        assert_eq!(
            why,
            [
                (0, Unusable::NotForSignatures),
                (2, Unusable::UnsupportedKeyType),
                (3, Unusable::NotAnObject),
            ]
        );
    }

    #[test]
    fn a_document_without_usable_keys_is_an_error() {
        assert_eq!(parse(&json!([])).unwrap_err(), JwkSetError::NoUsableKey);
        assert_eq!(parse(&json!([{}])).unwrap_err(), JwkSetError::NoUsableKey);
        assert!(matches!(parse(&json!({})), Err(JwkSetError::NotAKeySet(_))));
        for text in ["", "[]", "<html>", r#"{"keys":[],"keys":[]}"#] {
            assert!(
                matches!(
                    JwkSet::parse(text.as_bytes()),
                    Err(JwkSetError::NotAKeySet(_))
                ),
                "{text}"
            );
        }
        let many = vec![ec("a"); MAX_KEYS + 1];
        assert_eq!(parse(&json!(many)).unwrap_err(), JwkSetError::TooManyKeys);
        let large = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(
            JwkSet::parse(&large),
            Err(JwkSetError::NotAKeySet(_))
        ));
    }

    #[test]
    fn a_kid_names_the_key_and_a_missing_one_must_leave_no_choice() {
        let (one, _) = parse(&json!([ec("a")])).unwrap();
        let (two, _) = parse(&json!([ec("a"), ec("b")])).unwrap();
        let select = |set: &JwkSet, kid, alg| {
            set.select(&header(kid), alg, NOW).map(|keys| {
                keys.iter()
                    .filter_map(|key| key.kid.clone())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(select(&two, Some("b"), Algorithm::Es256).unwrap(), ["b"]);
        assert_eq!(
            select(&two, Some("c"), Algorithm::Es256),
            Err(Reason::UnknownKey)
        );
        assert_eq!(
            select(&two, Some("b"), Algorithm::Rs256),
            Err(Reason::InvalidSignature)
        );
        assert_eq!(select(&one, None, Algorithm::Es256).unwrap(), ["a"]);
        assert_eq!(
            select(&one, None, Algorithm::Rs256),
            Err(Reason::UnknownKey)
        );
        assert_eq!(
            select(&two, None, Algorithm::Es256),
            Err(Reason::AmbiguousKey)
        );
    }

    #[test]
    fn a_set_adds_what_it_names_anew() {
        let set = |keys: &[&str]| parse(&keys.iter().map(|kid| ec(kid)).collect()).unwrap().0;
        assert!(set(&["a", "b"]).adds_to(&set(&["a"])));
        assert!(!set(&["b"]).adds_to(&set(&["a", "b"])));
    }

    #[test]
    fn the_same_key_twice_is_one() {
        let (set, _) = parse(&json!([ec("a"), ec("a")])).unwrap();
        assert!(set.select(&header(None), Algorithm::Es256, NOW).is_ok());
    }

    #[test]
    fn without_a_kid_the_key_marked_for_the_algorithm_is_meant() {
        let mut marked = ec("b");
        marked["alg"] = json!("ES256");
        let (set, _) = parse(&json!([ec("a"), marked])).unwrap();
        let keys = set.select(&header(None), Algorithm::Es256, NOW).unwrap();
        assert_eq!(keys[0].kid.as_deref(), Some("b"));
    }

    #[test]
    fn a_key_counts_from_its_first_moment_through_its_last() {
        for kid in [None, Some("a")] {
            let set = JwkSet::of(vec![dated(kid, 1000, 2000)]);
            let select = |alg, now| {
                let keys = set.select(&header(kid), alg, UnixMillis(now));
                keys.map(|keys| keys.len())
            };
            for now in [1000, 1500, 2000] {
                assert_eq!(select(Algorithm::Es256, now), Ok(1), "{kid:?} {now}");
            }
            for now in [i64::MIN, 0, 999, 2001, i64::MAX] {
                let why = select(Algorithm::Es256, now);
                assert_eq!(why, Err(Reason::KeyNotValid), "{kid:?} {now}");
            }
            // It would not do at any time.
            let expected = match kid {
                None => Reason::UnknownKey,
                Some(_) => Reason::InvalidSignature,
            };
            assert_eq!(select(Algorithm::Rs256, 0), Err(expected));
        }
    }

    #[test]
    fn a_configured_key_without_a_name_goes_by_any() {
        let key = |kid: Option<&str>| dated(kid, 0, 1000);
        let set = JwkSet::of(vec![key(None), key(Some("a")), key(Some("b"))]);
        let tried = |kid, alg, now| {
            let keys = set.configured(&header(kid), alg, UnixMillis(now));
            keys.map(|keys| keys.len())
        };
        assert_eq!(tried(Some("a"), Algorithm::Es256, 500), Ok(2));
        assert_eq!(tried(Some("c"), Algorithm::Es256, 500), Ok(1));
        assert_eq!(tried(None, Algorithm::Es256, 500), Ok(3));
        assert_eq!(tried(None, Algorithm::Rs256, 500), Err(Reason::UnknownKey));
        assert_eq!(
            tried(None, Algorithm::Es256, 1001),
            Err(Reason::KeyNotValid)
        );
        let named = JwkSet::of(vec![key(Some("a"))]);
        let other = named.configured(&header(Some("b")), Algorithm::Es256, UnixMillis(500));
        assert_eq!(other.unwrap_err(), Reason::UnknownKey);
        let unfit = named.configured(&header(Some("a")), Algorithm::Rs256, UnixMillis(500));
        assert_eq!(unfit.unwrap_err(), Reason::InvalidSignature);
    }

    #[test]
    fn a_key_outside_its_validity_is_as_good_as_none() {
        let old_and_new = |kid| vec![dated(kid, 0, 1999), dated(kid, 1000, 2999)];
        let select = |keys: Vec<_>, kid, now| {
            let set = JwkSet::of(keys);
            let keys = set.select(&header(kid), Algorithm::Es256, UnixMillis(now));
            keys.map(|keys| keys.len())
        };
        // Without a kid it makes no other key ambiguous; both are, as long as both are valid.
        assert_eq!(select(old_and_new(None), None, 999), Ok(1));
        assert_eq!(
            select(old_and_new(None), None, 1500),
            Err(Reason::AmbiguousKey)
        );
        assert_eq!(select(old_and_new(None), None, 2000), Ok(1));
        assert_eq!(
            select(old_and_new(None), None, 3000),
            Err(Reason::KeyNotValid)
        );
        // With the same kid, both may have signed.
        let (named, kid) = (old_and_new(Some("a")), Some("a"));
        assert_eq!(select(named.clone(), kid, 999), Ok(1));
        assert_eq!(select(named.clone(), kid, 1500), Ok(2));
        assert_eq!(select(named.clone(), kid, 3000), Err(Reason::KeyNotValid));
        assert_eq!(select(named, Some("b"), 1500), Err(Reason::UnknownKey));
        assert_eq!(select(Vec::new(), None, 1500), Err(Reason::UnknownKey));
    }
}
