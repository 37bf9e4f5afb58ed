//! When a token is in force, as it says (RFC 7519, 4.1.4 to 4.1.6).

use crate::claim_rules::ClaimRules;
use crate::refusal::Reason;
use crate::time::{Millis, UnixMillis};

/// How far `iat` may lie in the future beyond the clock skew. RFC 7519 asks for no such check; it
/// is here for grossly wrong values and must not refuse a fresh token to a gateway whose clock is
/// a little late.
const IAT_TOLERANCE: Millis = Millis::from_secs(60);

/// A claim that is a NumericDate (RFC 7519, 2), if it is there.
pub type Date = Result<Option<UnixMillis>, Reason>;

/// When a token is in force, as it says.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub exp: Date,
    pub nbf: Date,
    pub iat: Date,
}

impl Times {
    /// RFC 7519, 4.1.4 to 4.1.6.
    ///
    /// # Errors
    /// The first [`Reason`] against it.
    pub fn check(&self, rules: &ClaimRules, now: UnixMillis) -> Result<(), Reason> {
        if rules.require_exp {
            let exp = self.exp?.ok_or(Reason::ClaimMissing)?;
            if has_ended(exp, rules, now) {
                return Err(Reason::TokenExpired);
            }
            let latest = |maximum| now.plus(maximum).plus(rules.clock_skew);
            if rules
                .maximum_expiration
                .is_some_and(|maximum| exp > latest(maximum))
            {
                return Err(Reason::LifetimeTooLong);
            }
        }
        // RFC 7519, 4.1.5: not before `nbf`.
        match self.nbf? {
            None if rules.require_nbf => return Err(Reason::ClaimMissing),
            Some(nbf) if nbf > now.plus(rules.clock_skew) => {
                return Err(Reason::TokenNotYetValid);
            }
            _ => {}
        }
        // RFC 7519, 4.1.6.
        let latest = now.plus(rules.clock_skew).plus(IAT_TOLERANCE);
        if self.iat?.is_some_and(|iat| iat > latest) {
            return Err(Reason::TokenIssuedInFuture);
        }
        Ok(())
    }

    /// RFC 7519, 4.1.4: not on or after `exp`.
    #[must_use]
    pub fn have_ended(&self, rules: &ClaimRules, now: UnixMillis) -> bool {
        matches!(self.exp, Ok(Some(exp)) if rules.require_exp && has_ended(exp, rules, now))
    }
}

/// RFC 7519, 4.1.4: not on or after `exp`.
fn has_ended(exp: UnixMillis, rules: &ClaimRules, now: UnixMillis) -> bool {
    now >= exp.plus(rules.clock_skew)
}
