//! The decision about one request, from its credentials to its permit, as far as the keys at hand
//! allow.

use crate::authorization::Permit;
use crate::bearer;
use crate::claims::VerifiedClaims;
use crate::config::issuer::Issuer;
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
pub enum Judgement {
    Permit(Permit),
    Refuse(Reason),
    /// It takes keys that are not there. If they do not come, `otherwise` is the answer.
    NeedsKeys {
        /// The issuer's index.
        issuer: usize,
        need: Need,
        otherwise: Reason,
    },
}

/// Judges a request by the values of its credential headers.
///
/// The steps and their order are those of the specifications: the credentials (RFC 6750), the
/// JWS (RFC 7515, 5.2), the claims (RFC 7519, 7.2; RFC 9068, 4), then what the route requires.
pub fn judge<'k>(
    credentials: &[Vec<u8>],
    policy: &Policy,
    issuers: &[Issuer],
    keys: impl Fn(usize) -> Option<&'k JwkSet>,
    now: UnixMillis,
) -> Judgement {
    match try_judge(credentials, policy, issuers, keys, now) {
        Ok(permit) => Judgement::Permit(permit),
        Err(Stop::Refuse(reason)) => Judgement::Refuse(reason),
        Err(Stop::NeedsKeys {
            issuer,
            need,
            otherwise,
        }) => Judgement::NeedsKeys {
            issuer,
            need,
            otherwise,
        },
    }
}

enum Stop {
    Refuse(Reason),
    NeedsKeys {
        issuer: usize,
        need: Need,
        otherwise: Reason,
    },
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refuse(reason)
    }
}

fn try_judge<'k>(
    credentials: &[Vec<u8>],
    policy: &Policy,
    issuers: &[Issuer],
    keys: impl Fn(usize) -> Option<&'k JwkSet>,
    now: UnixMillis,
) -> Result<Permit, Stop> {
    let token = bearer::token(credentials.iter().map(Vec::as_slice))?;
    let token = ReceivedToken::parse(token, policy.max_token_bytes)?;
    // RFC 8725, 3.11: explicit typing; RFC 9068, 4.
    if !token.header.may_be_access_token() {
        return Err(Reason::WrongHeaderType.into());
    }
    // RFC 7519, 4.1.1; RFC 8725, 3.8: exactly one of the issuers that the policy knows. Only they
    // are ever asked for keys; a token cannot name an address.
    let (issuer, rules) = token
        .issuer()
        .and_then(|iss| issuers.iter().position(|issuer| issuer.iss == iss))
        .and_then(|issuer| Some((issuer, policy.issuers.get(issuer)?.as_ref()?)))
        .ok_or(Reason::IssuerNotAllowed)?;
    // RFC 8725, 3.1 and 3.2: the algorithm is ours to choose; the token's is compared with it.
    let alg = Algorithm::by_name(&token.header.alg)
        .filter(|alg| rules.algorithms.contains(alg))
        .ok_or(Reason::AlgorithmNotAllowed)?;
    let needs = |need, otherwise| Stop::NeedsKeys {
        issuer,
        need,
        otherwise,
    };
    let Some(set) = keys(issuer) else {
        return Err(needs(Need::Keys, Reason::KeysUnavailable));
    };
    // RFC 7515, 5.2 step 8. Keys may have been added or, by issuers other than Keycloak, replaced
    // under the same `kid` since the set was fetched.
    let verified = set
        .select(&token.header, alg)
        .and_then(|keys| VerifiedClaims::open(token, alg, &keys))
        .map_err(|reason| match reason {
            Reason::AmbiguousKey => Stop::Refuse(reason),
            Reason::UnknownKey => needs(Need::NewerKeys(Cause::UnknownKey), reason),
            _ => needs(Need::NewerKeys(Cause::BadSignature), reason),
        })?;
    let token = verified.check(&rules.claims, now)?;
    Ok(policy.requirements.permit(token)?)
}
