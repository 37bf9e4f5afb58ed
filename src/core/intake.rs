//! A request as its policy sees it, before any token is judged: which rule it falls under, whether
//! it needs a token, which one it brings, and what must be taken out of it.

use std::rc::Rc;

use crate::abilities::Abilities;
use crate::admission::{Access, Waiver};
use crate::authorization::requirement::Requirement;
use crate::authorization::services::{AuthorizationRules, Demand};
use crate::config::policy::{Policy, UpstreamToken};
use crate::refusal::Reason;
use crate::request::credentials::{self, Credential};
use crate::request::rules::Rule;
use crate::request::{HeaderEdit, Request};
use crate::upstream_jwt::circumstances::Circumstances;
use crate::verified_tokens::VerifiedToken;

/// What is kept of a request while it waits.
#[derive(Clone, Debug)]
pub struct Intake {
    pub question: Question,
    pub access: Access,
    /// The index of the rule that it falls under.
    pub rule: Option<usize>,
    /// What Keycloak has to permit, if anything.
    pub demand: Option<Demand>,
    /// What is done to it whenever it goes up: nothing that a client says of itself stays where
    /// the filter speaks.
    pub edits: Vec<HeaderEdit>,
    /// What a JWT for the upstream may say of the request, where there is to be one.
    pub circumstances: Option<Circumstances>,
    pub is_grpc: bool,
}

/// What is still to be decided.
#[derive(Clone, Debug)]
pub enum Question {
    /// Nothing: it passes.
    Pass(Waiver),
    /// Nothing: it is refused, unless the policy waives that.
    Refuse(Reason),
    /// Whether this token is good, and enough.
    Token(Credential),
}

impl Intake {
    /// `known` finds tokens that were verified before.
    #[must_use]
    pub fn of(
        request: &Request,
        policy: &Policy,
        abilities: Abilities,
        known: impl Fn(&[u8]) -> Option<Rc<VerifiedToken>>,
    ) -> Self {
        let edits = edits(request, policy);
        let circumstances = policy
            .upstream_jwt
            .is_some()
            .then(|| Circumstances::of(request, &policy.caller, &edits));
        let checked = can_be_edited(request, &edits, abilities);
        let (access, rule) = match checked.and_then(|()| rule(request, policy)) {
            Ok(found) => found,
            Err(reason) => {
                return Self {
                    question: Question::Refuse(reason),
                    access: Access::Deny,
                    rule: None,
                    demand: None,
                    edits,
                    circumstances,
                    is_grpc: request.is_grpc(),
                };
            }
        };
        let preflights = policy.preflights;
        let passes = (preflights.all_options && request.method == b"OPTIONS")
            || (preflights.cors && request.is_cors_preflight());
        let waiver = Waiver::public(access).or_else(|| Waiver::preflight(passes));
        let asks = authorization(policy, rule).filter(|_| waiver.is_none());
        let demand = asks.map(|rules| rules.demand(request)).transpose();
        let question = match (waiver, access, &demand) {
            (Some(waiver), _, _) => Question::Pass(waiver),
            (None, Access::Deny, _) => Question::Refuse(Reason::AccessDenied),
            (None, _, Err(reason)) => Question::Refuse(*reason),
            (None, _, Ok(_)) => match credentials::token(request, &policy.sources, known) {
                Ok(token) => Question::Token(token),
                Err(reason) => Question::Refuse(reason),
            },
        };
        Self {
            question,
            access,
            rule,
            demand: demand.unwrap_or_default(),
            edits,
            circumstances,
            is_grpc: request.is_grpc(),
        }
    }

    /// What the rule that it falls under requires.
    #[must_use]
    pub fn requirement<'p>(&self, policy: &'p Policy) -> &'p Requirement {
        const NOTHING: &Requirement = &Requirement::NOTHING;
        rule_of(policy, self.rule).map_or(NOTHING, |rule| &rule.requirement)
    }

    /// What is asked of Keycloak about it.
    #[must_use]
    pub fn authorization<'p>(&self, policy: &'p Policy) -> Option<&'p AuthorizationRules> {
        authorization(policy, self.rule)
    }

    /// The text of the token that it brings.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        match &self.question {
            Question::Token(token) => Some(token.text()),
            Question::Pass(_) | Question::Refuse(_) => None,
        }
    }

    /// Its token, if that was verified for another request.
    #[must_use]
    pub fn known(&self) -> Option<&Rc<VerifiedToken>> {
        match &self.question {
            Question::Token(Credential::Known(token)) => Some(token),
            _ => None,
        }
    }
}

/// What must be taken out of a request, whatever is decided about it.
fn edits(request: &Request, policy: &Policy) -> Vec<HeaderEdit> {
    let mut edits: Vec<_> = policy.caller.spoofed(request).collect();
    if policy.upstream_token != UpstreamToken::Keep {
        credentials::hide(request, &policy.sources, &mut edits);
    }
    edits
}

/// Whether all of it can be taken out for sure on this host.
fn can_be_edited(
    request: &Request,
    edits: &[HeaderEdit],
    abilities: Abilities,
) -> Result<(), Reason> {
    if request.is_cut {
        return Err(Reason::TooManyHeaders);
    }
    let is_sure = |edit: &HeaderEdit| match edit {
        HeaderEdit::Remove(_) => false,
        HeaderEdit::Hide(name) | HeaderEdit::Set(name, _) => request.values(name).count() <= 1,
    };
    if abilities.removes_headers || edits.iter().all(is_sure) {
        Ok(())
    } else {
        Err(Reason::ProtectedHeader)
    }
}

fn rule_of(policy: &Policy, index: Option<usize>) -> Option<&Rule> {
    policy.rules.as_ref()?.rules.get(index?)
}

/// That of its rule, or of the policy where there is none.
fn authorization(policy: &Policy, rule: Option<usize>) -> Option<&AuthorizationRules> {
    match rule_of(policy, rule) {
        Some(rule) => rule.authorization.as_ref(),
        None => policy.authorization.as_ref(),
    }
}

/// The access that a request has, and the rule that gives it.
fn rule(request: &Request, policy: &Policy) -> Result<(Access, Option<usize>), Reason> {
    let Some(rules) = &policy.rules else {
        return Ok((policy.access, None));
    };
    let found = rules.find(&request.method, request.path_without_query())?;
    let rule = found.and_then(|index| rules.rules.get(index));
    Ok((rule.map_or(rules.default, |rule| rule.access), found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const CANNOT_REMOVE: Abilities = Abilities {
        removes_headers: false,
        ..Abilities::ALL
    };

    fn refused(request: &Request, abilities: Abilities) -> Option<Reason> {
        let text = br#"{"allowed_iss": "https://kc/a", "upstream_token": "hide", "header_names":
            ["authorization", {"name": "x-token", "scheme": ""}], "cookie_names": ["session"]}"#;
        let loaded = config::load(text, abilities).unwrap();
        match Intake::of(request, &loaded.settings.base, abilities, |_| None).question {
            Question::Refuse(Reason::MissingToken) => None,
            Question::Refuse(reason) => Some(reason),
            _ => None,
        }
    }

    fn with(fields: &[(&str, &str)]) -> Request {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Request {
            headers: fields.iter().map(|(n, v)| (bytes(n), bytes(v))).collect(),
            ..Request::default()
        }
    }

    #[test]
    fn what_cannot_be_removed_is_refused() {
        for fields in [
            &[("x-consumer-id", "1")][..],
            &[("X_Consumer_Username", "1")],
            &[("x-token", "a"), ("x-token", "a")],
            &[("cookie", "session=a"), ("cookie", "other=b")],
        ] {
            let reason = refused(&with(fields), CANNOT_REMOVE);
            assert_eq!(reason, Some(Reason::ProtectedHeader), "{fields:?}");
            assert_eq!(refused(&with(fields), Abilities::ALL), None, "{fields:?}");
        }
        for fields in [
            &[("x-token", "a"), ("accept", "x"), ("accept", "y")][..],
            &[("cookie", "session=a; other=b")],
            &[("cookie", "other=a"), ("cookie", "other=b")],
        ] {
            assert_eq!(refused(&with(fields), CANNOT_REMOVE), None, "{fields:?}");
        }
    }

    #[test]
    fn what_the_host_does_not_show_is_refused() {
        let mut request = with(&[("x-token", "a")]);
        request.is_cut = true;
        for abilities in [Abilities::ALL, CANNOT_REMOVE] {
            let reason = refused(&request, abilities);
            assert_eq!(reason, Some(Reason::TooManyHeaders));
        }
    }
}
