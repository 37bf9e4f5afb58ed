//! On what grounds a request goes up: a token that was let through, or a policy that asks for
//! none. There is no third.

use crate::authorization::Permit;
use crate::refusal::Reason;

/// What a policy or a rule asks of a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Access {
    /// A token that is good and enough.
    Required,
    /// The same, or none at all.
    Optional,
    /// Nothing; no token is looked at.
    Public,
    /// Nothing passes.
    #[default]
    Deny,
}

/// Why a request goes up.
#[derive(Debug)]
pub enum Admission {
    Token(Permit),
    Waiver(Waiver),
}

/// The proof that a policy lets a request pass without a token that was let through. Each is made
/// by one function here, from what allows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waiver(Grounds);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grounds {
    /// The policy or rule is public.
    Public,
    /// A preflight, or any OPTIONS request where the configuration says so.
    Preflight,
    /// There is no token, and none is required.
    NoToken,
    /// Its token was refused, or it has none, and the policy has an anonymous consumer.
    Anonymous(Reason),
    /// It would have been refused, and the policy only reports.
    Reported(Reason),
}

impl Waiver {
    #[must_use]
    pub fn public(access: Access) -> Option<Self> {
        (access == Access::Public).then_some(Self(Grounds::Public))
    }

    /// `passes`: what the policy says of this request as a preflight.
    #[must_use]
    pub fn preflight(passes: bool) -> Option<Self> {
        passes.then_some(Self(Grounds::Preflight))
    }

    /// For a request whose token was refused for `reason`, under what its policy allows.
    #[must_use]
    pub fn instead_of_refusal(
        reason: Reason,
        access: Access,
        has_anonymous: bool,
        reports_only: bool,
    ) -> Option<Self> {
        let grounds = if access == Access::Optional && reason == Reason::MissingToken {
            Grounds::NoToken
        } else if has_anonymous && reason.is_about_the_caller() {
            Grounds::Anonymous(reason)
        } else if reports_only && reason.can_be_reported() {
            Grounds::Reported(reason)
        } else {
            return None;
        };
        Some(Self(grounds))
    }

    #[must_use]
    pub fn grounds(self) -> Grounds {
        self.0
    }

    /// Whether the request goes up as nobody's in particular, so that the upstream is told.
    #[must_use]
    pub fn is_anonymous(self) -> bool {
        matches!(self.0, Grounds::NoToken | Grounds::Anonymous(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What keeps the gateway's JWT from being signed.
    const UNSIGNED: [Reason; 7] = [
        Reason::BodyTooLarge,
        Reason::BodyTimeout,
        Reason::TooManyWaiting,
        Reason::EndlessBody,
        Reason::UnannouncedBody,
        Reason::BodyNotShown,
        Reason::SigningFailed,
    ];

    fn waived(
        reason: Reason,
        access: Access,
        has_anonymous: bool,
        reports_only: bool,
    ) -> Option<Grounds> {
        Waiver::instead_of_refusal(reason, access, has_anonymous, reports_only).map(Waiver::grounds)
    }

    #[test]
    fn a_refusal_stands_unless_the_policy_says_otherwise() {
        for reason in Reason::ALL {
            assert_eq!(
                waived(reason, Access::Required, false, false),
                None,
                "{reason:?}"
            );
            let optional = (reason == Reason::MissingToken).then_some(Grounds::NoToken);
            assert_eq!(
                waived(reason, Access::Optional, false, false),
                optional,
                "{reason:?}"
            );
            let reported = waived(reason, Access::Required, false, true);
            assert_eq!(reported.is_some(), reason.can_be_reported(), "{reason:?}");
        }
    }

    #[test]
    fn anonymous_does_not_help_where_the_caller_is_not_the_matter() {
        let anonymous = |reason| waived(reason, Access::Required, true, false).is_some();
        for reason in [
            Reason::KeysUnavailable,
            Reason::Misconfigured,
            Reason::Internal,
            Reason::AccessDenied,
            Reason::AmbiguousPath,
            Reason::TooManyHeaders,
            Reason::ProtectedHeader,
        ]
        .into_iter()
        .chain(UNSIGNED)
        {
            assert!(!anonymous(reason), "{reason:?}");
        }
        for reason in [
            Reason::MissingToken,
            Reason::MultipleTokens,
            Reason::InvalidSignature,
            Reason::MissingScope,
            Reason::UnknownConsumer,
        ] {
            assert!(anonymous(reason), "{reason:?}");
        }
    }

    #[test]
    fn a_report_lets_nothing_up_that_lacks_what_the_gateway_has_to_say() {
        let reported = |reason| waived(reason, Access::Required, false, true).is_some();
        for reason in UNSIGNED {
            assert!(!reported(reason), "{reason:?}");
        }
        assert!(!reported(Reason::ProtectedHeader));
        assert!(reported(Reason::TokenExpired));
    }
}
