//! The decision about one token, as far as the keys at hand allow.

use std::rc::Rc;

use crate::admission::Waiver;
use crate::authorization::Permit;
use crate::authorization::requirement::Requirement;
use crate::caller::consumers::Consumer;
use crate::claims::{AccessToken, VerifiedClaims};
use crate::config::Settings;
use crate::config::policy::Policy;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwk_set::JwkSet;
use crate::jose::jws::ReceivedToken;
use crate::keys::cache::Need;
use crate::keys::shared::Cause;
use crate::refusal::Reason;
use crate::time::UnixMillis;

/// What the judge says.
#[derive(Debug)]
pub struct Judgement {
    /// The index of the token's issuer, if it is one of those that the policy accepts.
    pub issuer: Option<usize>,
    pub kid: Option<String>,
    pub verdict: Verdict,
}

#[derive(Debug)]
pub enum Verdict {
    Permit(Permit, Option<Rc<Consumer>>),
    /// No token is asked for.
    Waived(Waiver),
    /// With the token, if it is a good one that is not enough.
    Refuse(Reason, Option<AccessToken>),
    /// It takes keys that are not there. If they do not come, `otherwise` is the answer.
    NeedsKeys {
        /// The issuer's index.
        issuer: usize,
        need: Need,
        otherwise: Reason,
    },
}

/// Judges a token under a policy, and a rule of it that adds a requirement.
///
/// The steps and their order are those of the specifications: the JWS (RFC 7515, 5.2), the claims
/// (RFC 7519, 7.2; RFC 9068, 4), then what is required.
pub fn judge<'k>(
    token: &str,
    settings: &Settings,
    policy: &Policy,
    rule: &Requirement,
    keys: impl Fn(usize) -> Option<&'k JwkSet>,
    now: UnixMillis,
) -> Judgement {
    let mut issuer = None;
    let mut kid = None;
    let verdict = ReceivedToken::parse(token, policy.max_token_bytes)
        .map_err(Verdict::from)
        .and_then(|token| {
            kid.clone_from(&token.header.kid);
            let known = accepted(&token, settings, policy)?;
            issuer = Some(known);
            verify(token, known, settings, policy, keys(known), now)
        })
        .and_then(|token| permit(token, issuer, settings, policy, rule));
    Judgement {
        issuer,
        kid,
        verdict: verdict.unwrap_or_else(|stop| stop),
    }
}

impl Judgement {
    /// About a request whose credentials cannot be read, or are not looked at.
    #[must_use]
    pub fn without_token(reason: Reason) -> Self {
        Self::of(Verdict::from(reason))
    }

    /// About a request that passes without a token.
    #[must_use]
    pub fn waived(waiver: Waiver) -> Self {
        Self::of(Verdict::Waived(waiver))
    }

    fn of(verdict: Verdict) -> Self {
        Self {
            issuer: None,
            kid: None,
            verdict,
        }
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self::Refuse(reason, None)
    }
}

/// RFC 7519, 4.1.1; RFC 8725, 3.8: exactly one of the issuers that the policy knows. Only they
/// are ever asked for keys; a token cannot name an address.
fn accepted(
    token: &ReceivedToken<'_>,
    settings: &Settings,
    policy: &Policy,
) -> Result<usize, Reason> {
    // RFC 8725, 3.11: explicit typing; RFC 9068, 4.
    if !token.header.may_be_access_token() {
        return Err(Reason::WrongHeaderType);
    }
    let iss = token.issuer().ok_or(Reason::IssuerNotAllowed)?;
    if settings.blocked.iter().any(|blocked| blocked == iss) {
        return Err(Reason::IssuerBlocked);
    }
    settings
        .issuers
        .iter()
        .position(|issuer| issuer.iss == iss)
        .filter(|issuer| policy.rules_of(*issuer).is_some())
        .ok_or(Reason::IssuerNotAllowed)
}

/// RFC 7515, 5.2 step 8, with the issuer's configured keys and those that were fetched.
fn verify(
    token: ReceivedToken<'_>,
    issuer: usize,
    settings: &Settings,
    policy: &Policy,
    fetched: Option<&JwkSet>,
    now: UnixMillis,
) -> Result<AccessToken, Verdict> {
    let known = settings.accepted(policy, issuer);
    let (own, rules) = known.ok_or(Reason::IssuerNotAllowed)?;
    // RFC 8725, 3.1 and 3.2: the algorithm is ours to choose; the token's is compared with it.
    let alg = Algorithm::by_name(&token.header.alg)
        .filter(|alg| rules.algorithms.contains(alg))
        .ok_or(Reason::AlgorithmNotAllowed)?;
    let configured = own.keys.configured(&token.header, alg, now);
    let needs = |need, otherwise| Verdict::NeedsKeys {
        issuer,
        need,
        otherwise,
    };
    // What is wrong if none of the keys made the signature. Keys may have been added or, by issuers
    // other than Keycloak, replaced under the same `kid` since the set was fetched.
    let (fetched, otherwise) = match (&own.source, fetched) {
        (None, _) => {
            let reason = configured.as_ref().err().copied();
            let reason = reason.unwrap_or(Reason::InvalidSignature);
            (Vec::new(), Verdict::from(reason))
        }
        (Some(_), None) => (Vec::new(), needs(Need::Keys, Reason::KeysUnavailable)),
        (Some(_), Some(set)) => match set.select(&token.header, alg, now) {
            Err(reason @ (Reason::AmbiguousKey | Reason::KeyNotValid)) => {
                (Vec::new(), Verdict::from(reason))
            }
            Err(reason @ Reason::UnknownKey) => (
                Vec::new(),
                needs(Need::NewerKeys(Cause::UnknownKey), reason),
            ),
            selected => {
                let need = Need::NewerKeys(Cause::BadSignature);
                let keys = selected.unwrap_or_default();
                (keys, needs(need, Reason::InvalidSignature))
            }
        },
    };
    let mut keys = configured.unwrap_or_default();
    keys.extend(fetched);
    match VerifiedClaims::open(token, alg, &keys) {
        Ok(verified) => Ok(verified.check(&rules.claims, now)?),
        Err(_) => Err(otherwise),
    }
}

/// Whether a good token is enough: its caller must be known, where that is asked for, and the
/// policy, its rule and the issuer must have what they require.
fn permit(
    token: AccessToken,
    issuer: Option<usize>,
    settings: &Settings,
    policy: &Policy,
    rule: &Requirement,
) -> Result<Verdict, Verdict> {
    let known = issuer.and_then(|index| settings.accepted(policy, index));
    let (issuer, rules) = known.ok_or(Reason::IssuerNotAllowed)?;
    let consumer = match &policy.caller.matching {
        None => None,
        Some(matching) => match matching.identify(token.claims(), &settings.consumers) {
            Ok(consumer) => consumer,
            Err(reason) => return Err(Verdict::Refuse(reason, Some(token))),
        },
    };
    let requirements = [&policy.requirement, rule, &issuer.requirement];
    match Permit::grant(token, &rules.shape, requirements) {
        Ok(permit) => Ok(Verdict::Permit(permit, consumer)),
        Err((reason, token)) => Err(Verdict::Refuse(reason, Some(token))),
    }
}
