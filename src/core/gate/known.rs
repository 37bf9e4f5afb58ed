//! Requests with a token that has been verified before.

use std::rc::Rc;

use super::conclude::goes_up;
use super::{Effects, Gate, Step};
use crate::config::Settings;
use crate::config::policy::Policy;
use crate::event::RequestId;
use crate::intake::Intake;
use crate::jose::jwk_set::JwkSet;
use crate::keys::cache::KeyCache;
use crate::metrics::{NONE, Outcome};
use crate::request::Request;
use crate::time::UnixMillis;
use crate::verified_tokens::{Permitted, Place, VerifiedToken};

impl Gate {
    /// What was decided about a request like this one with the same token, if that counts still.
    pub(super) fn permitted(
        &self,
        policy: &Policy,
        intake: &Intake,
        now: UnixMillis,
    ) -> Option<Rc<Permitted>> {
        // Keycloak decides for one request at a time.
        let known = intake.known().filter(|_| intake.demand.is_none());
        let known = known.filter(|token| counts(&self.settings, &self.caches, token, now))?;
        let permitted = known.permitted(place(policy, intake))?;
        let rules = policy.rules_of(permitted.issuer)?;
        let is_in_force = permitted.times.check(&rules.claims, now).is_ok();
        is_in_force.then_some(permitted)
    }

    /// Takes a request up as the one before it with the same token.
    pub(super) fn go_up_again(
        &mut self,
        id: RequestId,
        request: &Request,
        permitted: Rc<Permitted>,
        intake: Intake,
        now: UnixMillis,
        effects: &mut Effects,
    ) -> Step {
        let mut recorded = Effects::default();
        let issuer = Some(permitted.issuer);
        recorded.decided(issuer, Outcome::Allowed, NONE, permitted.line.as_deref());
        let admitted = goes_up(&permitted, intake);
        self.go_up(id, request.policy.clone(), admitted, recorded, now, effects)
    }

    /// Keeps a token that was verified, and what was decided about it where that holds again.
    pub(super) fn remember(
        &mut self,
        token: Option<Rc<VerifiedToken>>,
        decided: Option<(Place, Rc<Permitted>)>,
        is_admitted: bool,
    ) {
        let Some(token) = token else {
            return;
        };
        if let Some((place, permitted)) = decided {
            token.permit(place, permitted);
        }
        if is_admitted {
            self.verified_tokens.admitted(&token);
        } else {
            self.verified_tokens.refused(&token);
        }
    }

    /// Drops verified tokens that have ended, or whose key is gone.
    pub(super) fn tidy(&mut self, now: UnixMillis) {
        let (settings, caches) = (&self.settings, &self.caches);
        let has_ended = |token: &VerifiedToken| {
            let mut rules = settings
                .every_policy()
                .filter_map(|policy| policy.rules_of(token.issuer));
            rules.all(|rules| token.claims.times().have_ended(&rules.claims, now))
        };
        self.verified_tokens
            .tidy(now, |token| counts(settings, caches, token, now), has_ended);
    }
}

/// Whether what a token was verified by is still a key of its issuer's, and valid.
pub(super) fn counts(
    settings: &Settings,
    caches: &[Option<KeyCache>],
    token: &VerifiedToken,
    now: UnixMillis,
) -> bool {
    let configured = settings.issuers.get(token.issuer);
    let is_configured = || configured.is_some_and(|issuer| issuer.keys.holds(&token.key));
    let fetched = || caches.get(token.issuer)?.as_ref()?.usable(now);
    let vouches = |keys: &JwkSet| match token.header.kid {
        Some(_) => keys.holds(&token.key),
        None => keys.selects(&token.key, token.alg, now),
    };
    token.key.is_valid_at(now) && (fetched().is_some_and(vouches) || is_configured())
}

/// Where a request is decided.
pub(super) fn place(policy: &Policy, intake: &Intake) -> Place {
    Place {
        policy: policy.number,
        rule: intake.rule,
    }
}
