//! Whether a token may pass: it must meet what the route, the rule and its issuer require.

pub mod claim_shape;
pub mod requirement;

use crate::claims::AccessToken;
use crate::refusal::Reason;
use requirement::{Requirement, Subject};

use claim_shape::ClaimShape;

/// The proof that a token may pass. It can only be made here, from a token that was checked.
#[derive(Debug)]
pub struct Permit {
    token: AccessToken,
}

impl Permit {
    /// Lets a token through that meets all of `requirements`.
    ///
    /// # Errors
    /// The [`Reason`] of the first that it does not meet, and the token.
    pub fn grant<'r>(
        token: AccessToken,
        shape: &ClaimShape,
        requirements: impl IntoIterator<Item = &'r Requirement>,
    ) -> Result<Self, (Reason, AccessToken)> {
        let subject = Subject {
            token: &token,
            shape,
        };
        match requirements
            .into_iter()
            .try_for_each(|requirement| requirement.check(subject))
        {
            Ok(()) => Ok(Self { token }),
            Err(reason) => Err((reason, token)),
        }
    }

    /// The token that was let through.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }
}
