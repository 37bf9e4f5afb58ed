//! What a policy asks of the claims that make a JWT an access token in force.

use crate::time::Millis;

/// What the claims of an access token must be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClaimRules {
    /// Allowed on either side of `exp`, `nbf` and `iat`.
    pub clock_skew: Millis,
    /// `exp` must be there and in the future. Off only where `claims_to_verify` says so.
    pub require_exp: bool,
    /// `nbf` must be there; it is checked in any case when it is.
    pub require_nbf: bool,
    /// How far in the future `exp` may lie.
    pub maximum_expiration: Option<Millis>,
    /// One of these must be in `aud`; `None` asks for nothing.
    pub audiences: Option<Vec<String>>,
    /// Allowed values of Keycloak's `typ` claim.
    pub types: Vec<String>,
}
