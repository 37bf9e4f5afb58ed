//! Reads `access` and the rules by method and path.

use super::reader::Members;
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
pub fn read(members: &Members) -> Option<Rules> {
    let default = members.choice("rules_default", &ACCESS);
    let rules: Vec<_> = members.objects("rules").iter().map(rule).collect();
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

fn rule(members: &Members) -> Rule {
    let paths = members.parsed("path", PATH, PathTemplate::parse);
    if paths.as_ref().is_none_or(Vec::is_empty) {
        members.fault("path", "no path", PATH);
    }
    let methods = members.parsed("methods", "a method, in upper case", |method| {
        // RFC 9110, 9.1: methods are case-sensitive, and all that there are are in upper case.
        let other = |c: char| c.is_ascii_digit() || c == '-' || c == '_';
        let good = |c: char| c.is_ascii_uppercase() || other(c);
        (method.chars().all(good) && !method.starts_with(other)).then(|| method.to_owned())
    });
    if methods.as_ref().is_some_and(Vec::is_empty) {
        members.fault(
            "methods",
            "no method",
            "at least one, or no methods for all of them",
        );
    }
    let rule = Rule {
        paths: paths.unwrap_or_default(),
        methods,
        access: access(members),
        requirement: requirement::read(members),
    };
    if !matches!(rule.access, Access::Required | Access::Optional)
        && rule.requirement != Requirement::NOTHING
    {
        let found = "requirements where no token is looked at";
        members.fault("access", found, "required or optional");
    }
    members.finish();
    rule
}
