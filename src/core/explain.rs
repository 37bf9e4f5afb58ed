//! One line for the log that says how a decision came about. It has what a token says of its
//! caller once that is verified, and nothing else of it.

use std::fmt::Write as _;

use crate::authorization::requirement::{Requirement, Subject};
use crate::claims::AccessToken;
use crate::config::Settings;
use crate::config::policy::Policy;
use crate::metrics::{NONE, Outcome};

/// Characters of a name that a client chose.
const SHOWN: usize = 64;

/// What is known of a request when it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub issuer: Option<usize>,
    pub kid: Option<&'a str>,
    /// Its token, once that is verified.
    pub token: Option<&'a AccessToken>,
    /// What its rule requires.
    pub rule: &'a Requirement,
}

/// Outcome and reason, issuer, key, client, and every requirement with whether it is met.
#[must_use]
pub fn decision(
    outcome: Outcome,
    reason: &str,
    known: Known<'_>,
    settings: &Settings,
    policy: &Policy,
) -> String {
    let mut line = format!("decision: {}", outcome.label());
    if reason != NONE {
        line.push(' ');
        line.push_str(reason);
    }
    let issuer = known
        .issuer
        .and_then(|index| settings.accepted(policy, index));
    if let Some((issuer, _)) = issuer {
        line.push_str("; issuer ");
        line.push_str(&issuer.label);
    }
    if let Some(kid) = known.kid {
        line.push_str("; kid ");
        show(kid, &mut line);
    }
    if let (Some(token), Some((issuer, rules))) = (known.token, issuer) {
        let shape = &rules.shape;
        if let Some(client) = shape.client_id.text(token.claims()) {
            line.push_str("; client ");
            show(&client, &mut line);
        }
        let subject = Subject { token, shape };
        for requirement in [&policy.requirement, known.rule, &issuer.requirement] {
            if let Requirement::All(all) = requirement {
                for one in all {
                    line.push_str("; ");
                    let _ = one.explain(subject, &mut line);
                }
            }
        }
    }
    line
}

/// A text that came from outside: short, quoted, without line feeds.
fn show(text: &str, line: &mut String) {
    let start: String = text.chars().take(SHOWN).collect();
    let _ = write!(line, "{start:?}");
}
