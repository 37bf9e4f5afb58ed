//! The claims of a token: opened by its signature, then checked (RFC 7519, 4.1 and 7.2; RFC 8725,
//! 3; RFC 9068, 4).
//!
//! Each stage is a type that only the stage before can make: [`ReceivedToken`], then
//! [`VerifiedClaims`], then [`AccessToken`]. But for `iss`, which
//! chooses the keys, nothing reads a claim that was not verified.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::claim_rules::ClaimRules;
use crate::claims_set::ClaimsSet;
use crate::jose::algorithm::Algorithm;
use crate::jose::jws::ReceivedToken;
use crate::jose::key::VerificationKey;
use crate::jose::signature::{self, HostVerifier};
use crate::json::text::JsonText;
use crate::refusal::Reason;
use crate::time::UnixMillis;
use crate::times::Times;

/// Claims under a good signature by a key of the issuer, or as the issuer told them when it was
/// asked.
#[derive(Clone, Debug)]
pub struct VerifiedClaims {
    claims: Rc<ClaimsSet>,
    told: Option<Told>,
    /// What the token itself says under a good signature, if it is not these.
    own: Option<Rc<ClaimsSet>>,
}

/// How an issuer told claims.
#[derive(Clone, Debug)]
struct Told {
    /// The access token in which it says the same.
    jwt: Option<Rc<str>>,
    /// Which of its answers it was.
    number: u64,
}

/// The claims of an access token that is in force and meant for this gateway.
#[derive(Clone, Debug)]
pub struct AccessToken(VerifiedClaims);

impl VerifiedClaims {
    /// Opens a token with one of `keys` (RFC 7515, 5.2 step 8), by `host` where there is one that checks
    /// signatures.
    ///
    /// # Errors
    /// [`Reason::InvalidSignature`] if none of them made its signature.
    pub fn open(
        token: ReceivedToken<'_>,
        alg: Algorithm,
        keys: &[&Rc<VerificationKey>],
        host: Option<&dyn HostVerifier>,
    ) -> Result<(Self, Rc<VerificationKey>), Reason> {
        let made_it = |key: &&&Rc<VerificationKey>| {
            let (message, signature) = (token.signing_input(), token.signature());
            signature::verifies_with(host, key, alg, message, signature)
        };
        let key = keys.iter().find(made_it).ok_or(Reason::InvalidSignature)?;
        let claims = Self {
            claims: Rc::new(token.into_claims()),
            told: None,
            own: None,
        };
        Ok((claims, Rc::clone(key)))
    }

    /// What an issuer said of a token (RFC 7662, 2.2), in its answer of this number, perhaps with a
    /// JWT that says the same.
    pub(crate) fn introspected(claims: Rc<ClaimsSet>, jwt: Option<Rc<str>>, number: u64) -> Self {
        Self {
            claims,
            told: Some(Told { jwt, number }),
            own: None,
        }
    }

    #[must_use]
    pub fn issuer(&self) -> Option<JsonText<'_>> {
        self.claims.get("iss")
    }

    /// Whether `told` may be about the same token (RFC 7519, 4.1.7; RFC 7662, 2.2).
    #[must_use]
    pub fn is_token_of(&self, told: &Self) -> bool {
        let jti = |of: &Self| of.claims.get("jti").map(JsonText::to_value);
        let (own, told) = (jti(self), jti(told));
        own.is_none() || told.is_none() || own == told
    }

    /// What was told, and what the token itself says beside it.
    #[must_use]
    pub fn beside(&self, told: Self) -> Self {
        Self {
            own: Some(Rc::clone(&self.claims)),
            ..told
        }
    }

    /// For [`crate::judge`], where they are what an issuer says of another token.
    #[must_use]
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.claims.to_map()
    }

    /// Whether Keycloak left out of it what introspection gives: its `jti` says how the token was
    /// made, and letters three and four are those of lightweight ones.
    #[must_use]
    pub fn is_lightweight(&self) -> bool {
        let jti = self.claims.get("jti").and_then(JsonText::as_str);
        let kind = jti.as_deref().and_then(|jti| jti.split_once(':'));
        kind.is_some_and(|(kind, _)| kind.len() == 6 && kind.get(2..4) == Some("lt"))
    }

    /// Checks the claims that make it an access token, in force at `now`, for this audience.
    ///
    /// # Errors
    /// The first [`Reason`] against it.
    pub fn check(self, rules: &ClaimRules, now: UnixMillis) -> Result<AccessToken, Reason> {
        self.check_in_force(rules, now)?;
        self.check_audience(rules)?;
        Ok(AccessToken(self))
    }

    /// Checks all but for whom it is meant.
    ///
    /// # Errors
    /// The first [`Reason`] against it.
    pub fn check_in_force(&self, rules: &ClaimRules, now: UnixMillis) -> Result<(), Reason> {
        self.times().check(rules, now)?;
        self.check_type(rules)
    }

    /// When it is in force, as it says.
    #[must_use]
    pub fn times(&self) -> Times {
        self.claims.times()
    }

    /// What they take in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.claims.bytes()
    }

    /// Keycloak signs ID tokens and logout tokens with the keys of access tokens, and all have
    /// `typ: JWT` in the header; its claim `typ` tells them apart (RFC 8725, 3.12). Issuers that
    /// have no such claim are told apart by the audience and the header.
    fn check_type(&self, rules: &ClaimRules) -> Result<(), Reason> {
        let is_bearer = |typ: JsonText<'_>| {
            let typ = typ.as_str();
            typ.is_some_and(|typ| typ.eq_ignore_ascii_case("Bearer"))
        };
        // RFC 7662, 2.2. In a JWT it means nothing.
        let token_type = || self.claims.get("token_type");
        // Others than Keycloak tell so what it tells by `typ`.
        let is_for_access =
            |token_use: JsonText<'_>| token_use.is("access_token") || token_use.is("access");
        let token_use = || self.claims.get("token_use");
        if self.told.is_some()
            && !(token_type().is_none_or(is_bearer) && token_use().is_none_or(is_for_access))
        {
            return Err(Reason::WrongTokenType);
        }
        match self.claims.get("typ") {
            None => Ok(()),
            Some(typ) if rules.types.iter().any(|known| typ.is(known)) => Ok(()),
            Some(_) => Err(Reason::WrongTokenType),
        }
    }

    /// RFC 7519, 4.1.3: one string or several; compared exactly.
    ///
    /// # Errors
    /// [`Reason::AudienceNotAllowed`].
    pub fn check_audience(&self, rules: &ClaimRules) -> Result<(), Reason> {
        let Some(allowed) = &rules.audiences else {
            return Ok(());
        };
        let aud = self.claims.get("aud");
        let good = aud.is_some_and(|aud| aud.has_any(allowed));
        good.then_some(()).ok_or(Reason::AudienceNotAllowed)
    }
}

impl AccessToken {
    /// Whether it was in force when it was checked, and is no longer.
    #[must_use]
    pub fn has_ended(&self, rules: &ClaimRules, now: UnixMillis) -> bool {
        self.0.times().have_ended(rules, now)
    }

    /// When it is in force, as it says.
    #[must_use]
    pub fn times(&self) -> Times {
        self.0.times()
    }

    #[must_use]
    pub fn claims(&self) -> &ClaimsSet {
        &self.0.claims
    }

    /// What the token itself says under a good signature; `None` if only its issuer was heard.
    #[must_use]
    pub fn own_claims(&self) -> Option<&ClaimsSet> {
        match (&self.0.told, &self.0.own) {
            (None, _) => Some(&self.0.claims),
            (Some(_), own) => own.as_deref(),
        }
    }

    /// The JWT in which its issuer says the same, where that was asked for.
    #[must_use]
    pub fn introspected_jwt(&self) -> Option<&str> {
        self.0.told.as_ref()?.jwt.as_deref()
    }

    /// Which of its issuer's answers it stands on; `None` if it speaks for itself.
    #[must_use]
    pub fn answer_number(&self) -> Option<u64> {
        self.0.told.as_ref().map(|told| told.number)
    }

    /// A token for tests of what comes after.
    #[cfg(test)]
    pub(crate) fn of(claims: &Value) -> Self {
        Self(VerifiedClaims {
            claims: Rc::new(ClaimsSet::of(claims)),
            told: None,
            own: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;
    use serde_json::json;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const NOW_SECS: i64 = 1_700_000_000;

    fn rules() -> ClaimRules {
        ClaimRules {
            clock_skew: Millis(0),
            require_exp: true,
            require_nbf: false,
            maximum_expiration: None,
            audiences: None,
            types: vec!["Bearer".to_owned()],
        }
    }

    fn check(claims: Value, rules: &ClaimRules) -> Result<(), Reason> {
        VerifiedClaims {
            claims: Rc::new(ClaimsSet::of(&claims)),
            told: None,
            own: None,
        }
        .check(rules, NOW)
        .map(|_| ())
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = json!({"exp": NOW_SECS + 100});
        claims[name] = value;
        claims
    }

    #[test]
    fn exp() {
        let exp = |value| check(json!({"exp": value}), &rules());
        assert_eq!(exp(json!(NOW_SECS + 1)), Ok(()));
        assert_eq!(exp(json!(NOW_SECS as f64 + 0.5)), Ok(()));
        assert_eq!(exp(json!(u64::MAX)), Ok(()));
        assert_eq!(exp(json!(NOW_SECS)), Err(Reason::TokenExpired));
        assert_eq!(exp(json!(i64::MIN)), Err(Reason::TokenExpired));
        assert_eq!(exp(json!(-1)), Err(Reason::TokenExpired));
        assert_eq!(
            exp(json!((NOW_SECS + 1).to_string())),
            Err(Reason::ClaimMalformed)
        );
        assert_eq!(exp(json!(null)), Err(Reason::ClaimMalformed));
        assert_eq!(check(json!({}), &rules()), Err(Reason::ClaimMissing));
        let off = ClaimRules {
            require_exp: false,
            ..rules()
        };
        assert_eq!(check(json!({"exp": 1}), &off), Ok(()));
        assert_eq!(check(json!({}), &off), Ok(()));
    }

    #[test]
    fn nbf() {
        let nbf = |value| check(with("nbf", value), &rules());
        assert_eq!(nbf(json!(NOW_SECS)), Ok(()));
        assert_eq!(nbf(json!(i64::MIN)), Ok(()));
        assert_eq!(nbf(json!(-8_334_601_228_800_i64)), Ok(()));
        assert_eq!(nbf(json!(NOW_SECS + 1)), Err(Reason::TokenNotYetValid));
        assert_eq!(nbf(json!(u64::MAX)), Err(Reason::TokenNotYetValid));
        assert_eq!(nbf(json!("now")), Err(Reason::ClaimMalformed));
        let required = ClaimRules {
            require_nbf: true,
            ..rules()
        };
        assert_eq!(check(with("nbf", json!(1)), &required), Ok(()));
        assert_eq!(
            check(with("x", json!(1)), &required),
            Err(Reason::ClaimMissing)
        );
    }

    #[test]
    fn iat() {
        let iat = |value| check(with("iat", value), &rules());
        assert_eq!(iat(json!(NOW_SECS)), Ok(()));
        assert_eq!(iat(json!(NOW_SECS + 60)), Ok(()));
        assert_eq!(iat(json!(NOW_SECS + 61)), Err(Reason::TokenIssuedInFuture));
        assert_eq!(iat(json!(i64::MAX)), Err(Reason::TokenIssuedInFuture));
        assert_eq!(iat(json!([])), Err(Reason::ClaimMalformed));
    }

    #[test]
    fn clock_skew_widens_every_bound_and_never_wraps() {
        let skewed = ClaimRules {
            clock_skew: Millis::from_secs(10),
            ..rules()
        };
        assert_eq!(check(json!({"exp": NOW_SECS - 9}), &skewed), Ok(()));
        assert_eq!(
            check(json!({"exp": NOW_SECS - 10}), &skewed),
            Err(Reason::TokenExpired)
        );
        assert_eq!(check(json!({"exp": i64::MAX}), &skewed), Ok(()));
        assert_eq!(
            check(json!({"exp": i64::MIN}), &skewed),
            Err(Reason::TokenExpired)
        );
        assert_eq!(check(with("nbf", json!(NOW_SECS + 10)), &skewed), Ok(()));
        assert_eq!(
            check(with("nbf", json!(NOW_SECS + 11)), &skewed),
            Err(Reason::TokenNotYetValid)
        );
        assert_eq!(check(with("iat", json!(NOW_SECS + 70)), &skewed), Ok(()));
    }

    #[test]
    fn maximum_expiration() {
        let short = ClaimRules {
            maximum_expiration: Some(Millis::from_secs(50)),
            ..rules()
        };
        assert_eq!(check(json!({"exp": NOW_SECS + 50}), &short), Ok(()));
        assert_eq!(
            check(json!({"exp": NOW_SECS + 51}), &short),
            Err(Reason::LifetimeTooLong)
        );
        assert_eq!(
            check(json!({"exp": u64::MAX}), &short),
            Err(Reason::LifetimeTooLong)
        );
    }

    #[test]
    fn typ_claim() {
        let typ = |value| check(with("typ", value), &rules());
        assert_eq!(typ(json!("Bearer")), Ok(()));
        assert_eq!(check(with("x", json!(1)), &rules()), Ok(()));
        for other in [
            json!("ID"),
            json!("Refresh"),
            json!("Logout"),
            json!("bearer"),
            json!(1),
            json!(null),
        ] {
            assert_eq!(typ(other), Err(Reason::WrongTokenType));
        }
    }

    #[test]
    fn audience() {
        let for_orders = ClaimRules {
            audiences: Some(vec!["orders".to_owned(), "billing".to_owned()]),
            ..rules()
        };
        let aud = |value| check(with("aud", value), &for_orders);
        assert_eq!(aud(json!("orders")), Ok(()));
        assert_eq!(aud(json!(["account", "billing"])), Ok(()));
        for other in [
            json!("Orders"),
            json!("orders/"),
            json!("orders billing"),
            json!(""),
            json!([]),
            json!(["account"]),
            json!({"orders": 1}),
            json!(null),
        ] {
            assert_eq!(aud(other), Err(Reason::AudienceNotAllowed));
        }
        assert_eq!(
            check(with("x", json!(1)), &for_orders),
            Err(Reason::AudienceNotAllowed)
        );
    }
}
