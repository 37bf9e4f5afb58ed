//! Reads `access` and the rules by method and path.

use super::authorization::{self, Askable};
use super::reader::{At, Members};
use super::requirement;
use crate::admission::Access;
use crate::authorization::requirement::Requirement;
use crate::request::rules::{PathTemplate, Rule, Rules};

const ACCESS: [(&str, Access); 4] = [
    ("required", Access::Required),
    ("optional", Access::Optional),
    ("public", Access::Public),
    ("deny", Access::Deny),
];

const PATH: &str = "a path, decoded and without dots, empty segments and parameters; {name} for \
    one segment, /* at the end for everything below";

/// Reads `access`; required if it is not there.
#[must_use]
pub fn access(members: &Members) -> Access {
    members
        .choice("access", &ACCESS)
        .unwrap_or(Access::Required)
}

/// Reads `rules` and `rules_default`; `None` if there are none, or an empty list.
#[must_use]
pub fn read(members: &Members, askable: &Askable) -> Option<Rules> {
    let default = members.choice("rules_default", &ACCESS);
    let rules = members.objects("rules");
    let rules: Vec<_> = rules
        .iter()
        .map(|own| rule(own, &own.over(members), askable))
        .collect();
    if rules.is_empty() {
        return None;
    }
    if members.get("access").is_some() {
        let found = "access beside rules";
        let allowed = "one of them; rules_default is for what no rule matches";
        members.fault("access", found, allowed);
    }
    Some(Rules {
        rules,
        default: default.unwrap_or_default(),
    })
}

/// Notes a `rules_default` beside which there are no rules, in `members` or in what inherits it.
pub fn check_default(members: &Members, has_rules: bool) {
    if members.get("rules_default").is_some() && !has_rules {
        let found = "a default, and no rules";
        members.fault("rules_default", found, "rules beside it");
    }
}

/// Whether tokens are looked at.
#[must_use]
pub fn looks_at_tokens(access: Access) -> bool {
    matches!(access, Access::Required | Access::Optional)
}

/// A method's name. RFC 9110, 9.1: methods are case-sensitive, and all that there are are in upper
/// case.
#[must_use]
pub fn method(text: &str) -> Option<String> {
    let other = |c: char| c.is_ascii_digit() || c == '-' || c == '_';
    let good = |c: char| c.is_ascii_uppercase() || other(c);
    (text.chars().all(good) && !text.is_empty() && !text.starts_with(other))
        .then(|| text.to_owned())
}

/// Reads one from its own members; `all` are these over the policy's.
fn rule(members: &Members, all: &Members, askable: &Askable) -> Rule {
    let paths = members.parsed("path", PATH, PathTemplate::parse);
    if paths.as_ref().is_none_or(Vec::is_empty) {
        members.fault("path", "no path", PATH);
    }
    let methods = members.parsed("methods", "a method, in upper case", method);
    if methods.as_ref().is_some_and(Vec::is_empty) {
        members.fault(
            "methods",
            "no method",
            "at least one, or no methods for all of them",
        );
    }
    let access = access(members);
    let rule = Rule {
        paths: paths.unwrap_or_default(),
        methods,
        access,
        requirement: requirement::read(members),
        authorization: authorization::read(all, askable, looks_at_tokens(access)),
    };
    let asks = |At { value, .. }: At<&serde_json::Value>| value.is_object();
    let states_authorization = members.get("authorization").is_some_and(asks);
    if !looks_at_tokens(access)
        && (rule.requirement != Requirement::NOTHING || states_authorization)
    {
        let found = "requirements where no token is looked at";
        members.fault("access", found, "required or optional");
    }
    members.finish();
    rule
}
