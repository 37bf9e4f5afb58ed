//! A request as its policy sees it, before any token is judged: which rule it falls under, whether
//! it needs a token, which one it brings, and what must be taken out of it.

use crate::admission::{Access, Waiver};
use crate::config::policy::{Policy, UpstreamToken};
use crate::refusal::Reason;
use crate::request::credentials;
use crate::request::{HeaderEdit, Request};

/// What is kept of a request while it waits.
#[derive(Clone, Debug)]
pub struct Intake {
    pub question: Question,
    pub access: Access,
    /// The index of the rule that it falls under.
    pub rule: Option<usize>,
    /// What is done to it whenever it goes up: nothing that a client says of itself stays where
    /// the filter speaks.
    pub edits: Vec<HeaderEdit>,
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
    Token(String),
}

impl Intake {
    #[must_use]
    pub fn of(request: &Request, policy: &Policy) -> Self {
        let (access, rule) = match rule(request, policy) {
            Ok(found) => found,
            Err(reason) => {
                return Self::new(
                    request,
                    policy,
                    Question::Refuse(reason),
                    Access::Deny,
                    None,
                );
            }
        };
        let preflights = policy.preflights;
        let passes = (preflights.all_options && request.method == b"OPTIONS")
            || (preflights.cors && request.is_cors_preflight());
        let waiver = Waiver::public(access).or_else(|| Waiver::preflight(passes));
        let question = match (waiver, access) {
            (Some(waiver), _) => Question::Pass(waiver),
            (None, Access::Deny) => Question::Refuse(Reason::AccessDenied),
            (None, _) => match credentials::token(request, &policy.sources) {
                Ok(token) => Question::Token(token),
                Err(reason) => Question::Refuse(reason),
            },
        };
        Self::new(request, policy, question, access, rule)
    }

    fn new(
        request: &Request,
        policy: &Policy,
        question: Question,
        access: Access,
        rule: Option<usize>,
    ) -> Self {
        let spoofed = policy.caller.spoofed(request).map(HeaderEdit::Remove);
        let mut edits: Vec<_> = spoofed.collect();
        if policy.upstream_token != UpstreamToken::Keep {
            credentials::hide(request, &policy.sources, &mut edits);
        }
        Self {
            question,
            access,
            rule,
            edits,
            is_grpc: request.is_grpc(),
        }
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
