//! What is counted and timed. Labels stand in a metric's name, in a fixed order, since hosts have
//! no others: Envoy's tag extraction and Kong's label patterns take them out again.

use crate::admission::Grounds;
use crate::inquiry::question::{Finding, Question};
use crate::refusal::Reason;
use crate::time::Millis;

/// One thing to be counted, or one length of time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Measure {
    Request {
        /// The issuer's index, once a token named one that is known.
        issuer: Option<usize>,
        outcome: Outcome,
        /// The reason's label.
        reason: &'static str,
    },
    /// A token needed an issuer's keys, and they were there or not.
    Keys {
        issuer: usize,
        hit: bool,
    },
    KeyFetch {
        issuer: usize,
        success: bool,
    },
    Callout {
        issuer: usize,
        took: Millis,
    },
    /// A token was introspected; what came of it.
    Introspection {
        issuer: usize,
        outcome: &'static str,
    },
    /// A permission was asked for; what came of it.
    Decision {
        issuer: usize,
        outcome: &'static str,
    },
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// With a token.
    Allowed,
    /// Without one that was accepted: the policy has an anonymous consumer, or asks for none.
    Anonymous,
    /// No token was looked at.
    Public,
    Refused,
    /// It passed and would have been refused.
    Reported,
}

/// What stands for a label that there is not.
pub const NONE: &str = "none";

impl Measure {
    /// What came of a question; `None`: it was known.
    #[must_use]
    pub fn of_finding(question: &Question, finding: Option<&Finding>) -> Option<Self> {
        let outcome = match finding {
            None => "cached",
            Some(Finding::Active(_)) => "active",
            Some(Finding::Inactive) => "inactive",
            Some(Finding::Granted) => "granted",
            Some(Finding::Denied) => "denied",
            Some(Finding::Ticket(_)) => return None,
            Some(Finding::Unavailable | Finding::Unusable) => "failure",
        };
        let issuer = question.issuer();
        match question {
            Question::Introspection { .. } => Some(Self::Introspection { issuer, outcome }),
            Question::Decision { .. } => Some(Self::Decision { issuer, outcome }),
            Question::Ticket { .. } => None,
        }
    }

    /// The length of time to record, in milliseconds; `None` for what is counted by one.
    #[must_use]
    pub fn recorded(self) -> Option<u64> {
        match self {
            Self::Callout { took, .. } => Some(u64::from(took.0)),
            _ => None,
        }
    }

    /// The same for all measures that go into one metric.
    #[must_use]
    pub fn series(self) -> Self {
        match self {
            Self::Callout { issuer, .. } => Self::Callout {
                issuer,
                took: Millis(0),
            },
            counted => counted,
        }
    }

    /// The metric's name. `label` gives an issuer's.
    #[must_use]
    pub fn name<'l>(self, label: impl Fn(usize) -> &'l str) -> String {
        match self {
            Self::Request {
                issuer,
                outcome,
                reason,
            } => {
                let issuer = issuer.map_or(NONE, label);
                let outcome = outcome.label();
                format!("requests_issuer_{issuer}_outcome_{outcome}_reason_{reason}")
            }
            Self::Keys { issuer, hit } => {
                let outcome = if hit { "hit" } else { "miss" };
                format!("keys_issuer_{}_outcome_{outcome}", label(issuer))
            }
            Self::KeyFetch { issuer, success } => {
                let outcome = if success { "success" } else { "failure" };
                format!("key_fetches_issuer_{}_outcome_{outcome}", label(issuer))
            }
            Self::Introspection { issuer, outcome } => {
                format!("introspections_issuer_{}_outcome_{outcome}", label(issuer))
            }
            Self::Decision { issuer, outcome } => {
                format!("decisions_issuer_{}_outcome_{outcome}", label(issuer))
            }
            Self::Callout { issuer, .. } => {
                format!("callout_milliseconds_issuer_{}", label(issuer))
            }
        }
    }
}

impl Outcome {
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Anonymous => "anonymous",
            Self::Public => "public",
            Self::Refused => "refused",
            Self::Reported => "reported",
        }
    }
}

impl Grounds {
    /// Outcome and reason of a request that passes on these grounds.
    #[must_use]
    pub fn counted(self) -> (Outcome, &'static str) {
        match self {
            Self::Public => (Outcome::Public, NONE),
            Self::Preflight => (Outcome::Public, "preflight"),
            Self::NoToken => (Outcome::Anonymous, Reason::MissingToken.row().label),
            Self::Anonymous(reason) => (Outcome::Anonymous, reason.row().label),
            Self::Reported(reason) => (Outcome::Reported, reason.row().label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_their_labels_in_order() {
        let name = |measure: Measure| measure.name(|_| "demo");
        let request = |issuer| Measure::Request {
            issuer,
            outcome: Outcome::Refused,
            reason: "token_expired",
        };
        assert_eq!(
            name(request(Some(0))),
            "requests_issuer_demo_outcome_refused_reason_token_expired"
        );
        assert_eq!(
            name(request(None)),
            "requests_issuer_none_outcome_refused_reason_token_expired"
        );
        assert_eq!(
            name(Measure::Keys {
                issuer: 0,
                hit: false
            }),
            "keys_issuer_demo_outcome_miss"
        );
        assert_eq!(
            name(Measure::KeyFetch {
                issuer: 0,
                success: true
            }),
            "key_fetches_issuer_demo_outcome_success"
        );
        let took = Millis(7);
        let callout = Measure::Callout { issuer: 0, took };
        assert_eq!(name(callout), "callout_milliseconds_issuer_demo");
        assert_eq!(callout.recorded(), Some(7));
        assert_eq!(callout.series().recorded(), Some(0));
    }
}
