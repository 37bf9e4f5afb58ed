//! Reads requirements: the flat fields of jwt-keycloak and the expression `require`.

use serde_json::Value;

use super::authorization::{PERMISSION, permission};
use super::reader::{At, Members, describe, quote};
use crate::authorization::claim_shape::{ClaimPath, ClientRolesPath};
use crate::authorization::requirement::{Branch, ClientRole, Requirement, Test};

/// Expressions within one another.
const DEPTH: usize = 8;

const SCOPE: &str =
    "one scope, without blanks, quotes and backslashes; * only at its end, after a slash";
const GROUP: &str = "the path of a group; * only at its end, after a slash";
const CLIENT_ROLE: &str = "CLIENT:ROLE";

/// Reads `scope`, `realm_roles`, `roles`, `client_roles` and `require`: all must be met. An empty
/// list asks for nothing, as in jwt-keycloak.
#[must_use]
pub fn read(members: &Members) -> Requirement {
    let mut all = Vec::new();
    if let Some(scopes) = some(members.parsed("scope", SCOPE, scope)) {
        all.push(Requirement::Scope(scopes));
    }
    if let Some(roles) = some(members.parsed("realm_roles", "a role", any_text)) {
        all.push(Requirement::RealmRole(roles));
    }
    if let Some(roles) = some(members.parsed("roles", "a role", any_text)) {
        all.push(Requirement::Role(roles));
    }
    if let Some(roles) = some(members.parsed("client_roles", CLIENT_ROLE, client_role)) {
        all.push(Requirement::ClientRole(roles));
    }
    if let Some(At { path, value }) = members.get("require")
        && let Some(members) = Members::open(&path, value, members.findings())
    {
        all.extend(expression(&members, DEPTH));
    }
    Requirement::All(all)
}

/// An object whose members must all be met.
fn expression(members: &Members, depth: usize) -> Option<Requirement> {
    let Some(depth) = depth.checked_sub(1) else {
        let found = "an expression within too many others";
        members
            .findings()
            .fault(&members.path, found, format!("{DEPTH} at most"));
        return None;
    };
    let mut all = Vec::new();
    for (name, combine) in [
        ("all", Requirement::All as fn(_) -> _),
        ("any", Requirement::Any),
    ] {
        all.extend(several(members, name, depth).map(combine));
    }
    if let Some(At { path, value }) = members.get("not") {
        let inner = Members::open(&path, value, members.findings());
        let inner = inner.and_then(|inner| expression(&inner, depth));
        all.extend(inner.map(|inner| Requirement::Not(Box::new(inner))));
    }
    all.extend(leaves(members));
    all.extend(claim(members));
    if members
        .asked()
        .iter()
        .all(|name| members.get(name).is_none())
    {
        let found = "an expression that asks for nothing";
        let allowed = format!("one or several of {}", members.asked().join(", "));
        members.findings().fault(&members.path, found, allowed);
    }
    members.finish();
    match all.len() {
        1 => all.pop(),
        _ => Some(Requirement::All(all)),
    }
}

fn several(members: &Members, name: &'static str, depth: usize) -> Option<Vec<Requirement>> {
    members.get(name)?;
    let parts = members.objects(name);
    if parts.is_empty() {
        members.fault(name, "no expression", "a list of one or more");
    }
    let parts = parts.iter().filter_map(|part| expression(part, depth));
    Some(parts.collect())
}

fn leaves(members: &Members) -> impl Iterator<Item = Requirement> {
    let texts = |name| not_empty(members, name, members.parsed(name, "a text", any_text));
    let scopes = not_empty(members, "scope", members.parsed("scope", SCOPE, scope));
    let groups = not_empty(members, "group", members.parsed("group", GROUP, group));
    let roles = members.parsed("client_role", CLIENT_ROLE, client_role);
    let roles = not_empty(members, "client_role", roles);
    let permissions = members.parsed("permission", PERMISSION, permission);
    let permissions = not_empty(members, "permission", permissions);
    [
        scopes.map(Requirement::Scope),
        texts("realm_role").map(Requirement::RealmRole),
        texts("role").map(Requirement::Role),
        roles.map(Requirement::ClientRole),
        groups.map(Requirement::Group),
        texts("audience").map(Requirement::Audience),
        texts("client_id").map(Requirement::ClientId),
        texts("issuer").map(Requirement::Issuer),
        permissions.map(Requirement::Permission),
    ]
    .into_iter()
    .flatten()
}

/// Whether it asks for permissions of the token itself.
#[must_use]
pub fn asks_for_permission(requirement: &Requirement) -> bool {
    match requirement {
        Requirement::All(parts) | Requirement::Any(parts) => parts.iter().any(asks_for_permission),
        Requirement::Not(part) => asks_for_permission(part),
        Requirement::Permission(_) => true,
        _ => false,
    }
}

/// `{"claim": PATH, …}` with one test.
fn claim(members: &Members) -> Option<Requirement> {
    let path = claim_path(members, "claim");
    let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let allowed = "a text, a number, true or false";
    let checked = |At { path, value }: At<&Value>| {
        if !scalar(value) {
            members.findings().fault(&path, describe(value), allowed);
        }
        value.clone()
    };
    let equals = members.get("equals").map(|at| vec![checked(at)]);
    let one_of = members.list_of("one_of", "a list");
    let one_of = one_of.map(|items| items.into_iter().map(checked).collect());
    let one_of = not_empty(members, "one_of", one_of);
    let prefix = members.string("prefix").map(|prefix| prefix.value);
    let present = members.boolean("present");
    if present == Some(false) {
        let allowed = "true (for a claim that must not be there: not)";
        members.fault("present", "false", allowed);
    }
    let mut tests = [
        equals.map(Test::OneOf),
        one_of.map(Test::OneOf),
        prefix.map(Test::Prefix),
        present.map(|_| Test::Present),
    ]
    .into_iter()
    .flatten();
    let asks = members.get("claim").is_some();
    match (tests.next(), tests.next()) {
        (Some(test), None) if asks => Some(Requirement::Claim(path?, test)),
        (None, None) if !asks => None,
        (None, _) => {
            let found = "a claim and nothing that it must be";
            members.fault(
                "claim",
                found,
                "beside it one of equals, one_of, prefix, present",
            );
            None
        }
        (Some(_), _) => {
            let found = if asks {
                "several tests of a claim"
            } else {
                "a test and no claim"
            };
            let allowed = "a claim and one of equals, one_of, prefix, present";
            members.findings().fault(&members.path, found, allowed);
            None
        }
    }
}

/// Reads the way to a claim: a text with dots, or a list of names.
#[must_use]
pub fn claim_path(members: &Members, name: &'static str) -> Option<ClaimPath> {
    let At { path, value } = members.get(name)?;
    let found = path_of(value);
    if found.is_none() {
        let allowed = "names with dots between them, or a list of names";
        let is_name = |value: &Value| value.as_str().is_some_and(|name| !name.is_empty());
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        match list.iter().enumerate().find(|(_, value)| !is_name(value)) {
            Some((index, other)) => {
                let path = format!("{path}[{index}]");
                members.findings().fault(&path, describe(other), "a name");
            }
            None => members.findings().fault(&path, describe(value), allowed),
        }
    }
    found
}

/// A claim's path as it stands in the configuration.
#[must_use]
pub fn path_of(value: &Value) -> Option<ClaimPath> {
    let names: Vec<_> = match value {
        Value::String(text) => text.split('.').map(str::to_owned).collect(),
        Value::Array(names) => {
            let names = names.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect::<Option<_>>()?
        }
        _ => return None,
    };
    ClaimPath::of(names)
}

/// Reads the way to a client's roles.
#[must_use]
pub fn client_roles_path(members: &Members, name: &'static str) -> Option<ClientRolesPath> {
    let path = claim_path(members, name)?;
    let text = path.to_string();
    let found = ClientRolesPath::of(path);
    if found.is_none() {
        members.fault(
            name,
            quote(&text),
            "a path with {client} as one of its names",
        );
    }
    found
}

fn some<T>(list: Option<Vec<T>>) -> Option<Vec<T>> {
    list.filter(|list| !list.is_empty())
}

/// In an expression an empty list would be something that nobody can meet.
fn not_empty<T>(members: &Members, name: &str, list: Option<Vec<T>>) -> Option<Vec<T>> {
    if list.as_ref().is_some_and(Vec::is_empty) {
        members.fault(name, "an empty list", "at least one");
    }
    list
}

fn any_text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// RFC 6749, 3.3: scope-token.
fn scope(text: &str) -> Option<Branch> {
    let token = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'"' && byte != b'\\';
    text.bytes().all(token).then(|| branch(text)).flatten()
}

/// `/*` alone: any group.
fn group(text: &str) -> Option<Branch> {
    branch(text).or_else(|| (text == "/*").then(|| Branch::Below("/".to_owned())))
}

pub(super) fn branch(text: &str) -> Option<Branch> {
    match text.strip_suffix('*') {
        Some(above) if above.len() > 1 && above.ends_with('/') && !above.contains('*') => {
            Some(Branch::Below(above.to_owned()))
        }
        None if !text.contains('*') => Some(Branch::Exactly(text.to_owned())),
        _ => None,
    }
}

/// As jwt-keycloak: split at the last colon, for client ids may have one.
fn client_role(text: &str) -> Option<ClientRole> {
    let (client, role) = text.rsplit_once(':')?;
    (!client.is_empty() && !role.is_empty()).then(|| ClientRole {
        client: client.to_owned(),
        role: role.to_owned(),
    })
}
