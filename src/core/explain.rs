//! One line for the log that says how a decision came about. It has what a token says of its
//! caller once that is verified, and nothing else of it.

use std::fmt::Write as _;

use crate::authorization::requirement::{Requirement, Subject};
use crate::claims::AccessToken;
use crate::config::Settings;
use crate::config::policy::Policy;
use crate::judge::{Judgement, Verdict};

/// Characters of a name that a client chose.
const SHOWN: usize = 64;

/// Issuer, key, client, and every requirement with whether it is met.
#[must_use]
pub fn decision(
    judgement: &Judgement,
    settings: &Settings,
    policy: &Policy,
    rule: &Requirement,
) -> String {
    let mut line = String::from("decision: ");
    let token = match &judgement.verdict {
        Verdict::Permit(permit, _) => {
            line.push_str("allowed");
            Some(permit.token())
        }
        Verdict::Waived(waiver) => {
            let _ = write!(line, "no token asked for ({:?})", waiver.grounds());
            None
        }
        Verdict::Refuse(reason, token) => {
            line.push_str(reason.row().label);
            token.as_ref()
        }
        Verdict::NeedsKeys { otherwise, .. } => {
            line.push_str(otherwise.row().label);
            None
        }
    };
    let issuer = judgement.issuer.and_then(|index| {
        let rules = policy.issuers.get(index)?.as_ref()?;
        Some((settings.issuers.get(index)?, rules))
    });
    if let Some((issuer, _)) = issuer {
        let _ = write!(line, "; issuer {}", issuer.label);
    }
    if let Some(kid) = &judgement.kid {
        let _ = write!(line, "; kid {}", shown(kid));
    }
    if let (Some(token), Some((issuer, rules))) = (token, issuer) {
        let shape = &rules.shape;
        let subject = Subject { token, shape };
        client(subject, &mut line);
        for requirement in [&policy.requirement, rule, &issuer.requirement] {
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

fn client(Subject { token, shape }: Subject<'_>, line: &mut String) {
    let client: Option<&str> = shape.client_id.text(AccessToken::claims(token));
    if let Some(client) = client {
        let _ = write!(line, "; client {}", shown(client));
    }
}

/// A text that came from outside: short, quoted, without line feeds.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}")
}
