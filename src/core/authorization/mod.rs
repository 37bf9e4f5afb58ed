//! Whether a token may pass: it must meet what the route, the rule and its issuer require.

pub mod claim_shape;
pub mod permission;
pub mod requirement;
pub mod services;

use crate::claims::AccessToken;
use crate::refusal::Reason;
use requirement::{Requirement, Subject};
use services::Granted;

use claim_shape::ClaimShape;

/// The proof that a token may pass. It can only be made here, from a token that was checked.
#[derive(Clone, Debug)]
pub struct Permit {
    token: AccessToken,
}

impl Permit {
    /// Lets a token through that meets all of `requirements`, and of which `ask` says that all is
    /// granted that is to be asked about it.
    ///
    /// # Errors
    /// The [`Reason`] of the first that it does not meet, or what `ask` says, and the token.
    pub fn grant<'r, E: From<Reason>>(
        token: AccessToken,
        shape: &ClaimShape,
        requirements: impl IntoIterator<Item = &'r Requirement>,
        ask: impl FnOnce(&AccessToken) -> Result<Granted, E>,
    ) -> Result<Self, (E, AccessToken)> {
        let subject = Subject {
            token: &token,
            shape,
        };
        let met = requirements
            .into_iter()
            .try_for_each(|requirement| requirement.check(subject));
        match met.map_err(E::from).and_then(|()| ask(&token)) {
            Ok(_) => Ok(Self { token }),
            Err(why) => Err((why, token)),
        }
    }

    /// The token that was let through.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }
}
