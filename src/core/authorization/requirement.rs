//! What a token must bring along: an expression over scopes, roles, groups and other claims.
//!
//! Everything is compared exactly. A trailing `/*` of a scope or group is the only wildcard.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::claim_shape::{ClaimPath, ClaimShape};
use super::permission::Permission;
use crate::claims::AccessToken;
use crate::json::text::JsonText;
use crate::refusal::Reason;

#[derive(Clone, Debug, PartialEq)]
pub enum Requirement {
    All(Vec<Requirement>),
    Any(Vec<Requirement>),
    Not(Box<Requirement>),
    /// One of these scopes (RFC 9068, 2.2.3; RFC 8693, 4.2).
    Scope(Vec<Branch>),
    /// One of these realm roles.
    RealmRole(Vec<String>),
    /// One of these roles of the calling client.
    Role(Vec<String>),
    /// One of these roles of other clients.
    ClientRole(Vec<ClientRole>),
    /// A member of one of these groups.
    Group(Vec<Branch>),
    Audience(Vec<String>),
    ClientId(Vec<String>),
    Issuer(Vec<String>),
    Claim(ClaimPath, Test),
    /// One of these, in the token itself.
    Permission(Vec<Permission>),
}

/// A scope or a group, or all that are below one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Branch {
    Exactly(String),
    /// With its `/` at the end.
    Below(String),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientRole {
    pub client: String,
    pub role: String,
}

/// What a claim must be. A list passes when one of its elements does.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    OneOf(Vec<Value>),
    Prefix(String),
    Present,
}

/// A token and how to read it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub token: &'a AccessToken,
    pub shape: &'a ClaimShape,
}

impl Default for Requirement {
    /// Nothing.
    fn default() -> Self {
        Self::NOTHING
    }
}

impl Requirement {
    pub const NOTHING: Self = Self::All(Vec::new());

    /// Both this and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut these), Self::All(others)) => {
                these.extend(others);
                Self::All(these)
            }
            (Self::All(mut these), other) => {
                these.push(other);
                Self::All(these)
            }
            (this, other) => Self::All(vec![this]).and(other),
        }
    }

    /// Whether a token meets it.
    ///
    /// # Errors
    /// The [`Reason`] that tells best what is missing.
    pub fn check(&self, subject: Subject<'_>) -> Result<(), Reason> {
        match self {
            Self::All(all) => all.iter().try_for_each(|one| one.check(subject)),
            Self::Any(any) => {
                let mut missing = None;
                for one in any {
                    match (one.check(subject), missing) {
                        (Ok(()), _) => return Ok(()),
                        (Err(reason), None) => missing = Some(reason),
                        (Err(reason), Some(other)) if reason == other => {}
                        (Err(_), Some(_)) => missing = Some(Reason::RequirementNotMet),
                    }
                }
                Err(missing.unwrap_or(Reason::RequirementNotMet))
            }
            Self::Not(one) => match one.check(subject) {
                Ok(()) => Err(Reason::RequirementNotMet),
                Err(_) => Ok(()),
            },
            Self::Scope(_) => met(self.leaf(subject), Reason::MissingScope),
            Self::RealmRole(_) => met(self.leaf(subject), Reason::MissingRealmRole),
            Self::Role(_) | Self::ClientRole(_) => met(self.leaf(subject), Reason::MissingRole),
            Self::Permission(_) => met(self.leaf(subject), Reason::MissingPermission),
            _ => met(self.leaf(subject), Reason::RequirementNotMet),
        }
    }

    fn leaf(&self, Subject { token, shape }: Subject<'_>) -> bool {
        let claims = token.claims();
        match self {
            Self::Scope(wanted) => any_scope(shape.scope.find(claims), |scope| {
                let wildcard = shape.wildcards.then(|| scope.strip_suffix('*')).flatten();
                let stands_for = wildcard.filter(|above| above.ends_with('/'));
                wanted
                    .iter()
                    .any(|wanted| wanted.holds(scope) || wanted.is_within(stands_for))
            }),
            Self::RealmRole(wanted) => shape
                .realm_roles
                .find(claims)
                .is_some_and(|roles| roles.has_any(wanted)),
            Self::Role(wanted) => {
                let own = shape.client_id.text(claims);
                let roles = own.and_then(|client| shape.client_roles.find(&client, claims));
                roles.is_some_and(|roles| roles.has_any(wanted))
            }
            Self::ClientRole(wanted) => wanted.iter().any(|ClientRole { client, role }| {
                let roles = shape.client_roles.find(client, claims);
                roles.is_some_and(|roles| roles.has_any(std::slice::from_ref(role)))
            }),
            Self::Group(wanted) => texts(shape.groups.find(claims))
                .any(|group| wanted.iter().any(|wanted| wanted.holds(&group))),
            Self::Audience(wanted) => claims.get("aud").is_some_and(|aud| aud.has_any(wanted)),
            Self::ClientId(wanted) => shape
                .client_id
                .text(claims)
                .is_some_and(|client| wanted.iter().any(|wanted| *wanted == client)),
            Self::Issuer(wanted) => claims
                .get("iss")
                .is_some_and(|iss| wanted.iter().any(|wanted| iss.is(wanted))),
            Self::Claim(path, test) => path.find(claims).is_some_and(|value| test.passes(value)),
            Self::Permission(wanted) => wanted
                .iter()
                .any(|one| one.is_granted_by(token, &shape.permission_audiences, None)),
            // The branches of the expression, which `check` walks.
            Self::All(_) | Self::Any(_) | Self::Not(_) => false,
        }
    }

    /// The scopes that it speaks of, for a challenge (RFC 6750, 3).
    pub fn scopes(&self, found: &mut Vec<String>) {
        match self {
            Self::All(several) | Self::Any(several) => {
                several.iter().for_each(|one| one.scopes(found));
            }
            Self::Scope(scopes) => {
                for scope in scopes.iter().map(Branch::to_string) {
                    if !found.contains(&scope) {
                        found.push(scope);
                    }
                }
            }
            _ => {}
        }
    }

    /// Every part of it and whether a token meets it, for the log.
    pub fn explain(&self, subject: Subject<'_>, text: &mut dyn fmt::Write) -> fmt::Result {
        let several = |name: &str, several: &[Self], text: &mut dyn fmt::Write| {
            write!(text, "{name}(")?;
            explain_each(several, subject, text)?;
            write!(text, ")")
        };
        match self {
            Self::All(all) => several("all", all, text),
            Self::Any(any) => several("any", any, text),
            Self::Not(one) => several("not", std::slice::from_ref(one), text),
            leaf => {
                let state = if leaf.leaf(subject) { "met" } else { "missing" };
                write!(text, "{leaf}: {state}")
            }
        }
    }
}

/// Several requirements with commas between them.
pub fn explain_each(
    several: &[Requirement],
    subject: Subject<'_>,
    text: &mut dyn fmt::Write,
) -> fmt::Result {
    for (index, one) in several.iter().enumerate() {
        if index > 0 {
            text.write_str(", ")?;
        }
        one.explain(subject, text)?;
    }
    Ok(())
}

impl Branch {
    /// Whether `name` is this one, or below it.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::Exactly(this) => this == name,
            Self::Below(above) => name
                .strip_prefix(above.as_str())
                .is_some_and(|rest| !rest.is_empty()),
        }
    }

    /// Whether it is below `above`, a name with its `/`.
    fn is_within(&self, above: Option<&str>) -> bool {
        let (Some(above), Self::Exactly(this) | Self::Below(this)) = (above, self) else {
            return false;
        };
        this.strip_prefix(above)
            .is_some_and(|rest| !rest.is_empty())
            || matches!(self, Self::Below(this) if this == above)
    }
}

impl Test {
    fn passes(&self, value: JsonText<'_>) -> bool {
        match self {
            Self::OneOf(wanted) => {
                let mut values = value.each().map(JsonText::to_value);
                values.any(|value| wanted.iter().any(|w| same(w, &value)))
            }
            Self::Prefix(prefix) => texts(Some(value)).any(|text| text.starts_with(prefix)),
            Self::Present => !value.is_null(),
        }
    }
}

/// Texts and truth values exactly, numbers by their value: a host may write 3 as 3.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().is_some_and(|one| other.as_f64() == Some(one))
        }
        _ => one == other,
    }
}

fn met(met: bool, otherwise: Reason) -> Result<(), Reason> {
    if met { Ok(()) } else { Err(otherwise) }
}

/// The texts of a list, or the one text: some issuers write a list of one so.
fn texts(value: Option<JsonText<'_>>) -> impl Iterator<Item = Cow<'_, str>> {
    let each = value.into_iter().flat_map(JsonText::each);
    each.filter_map(JsonText::as_str)
}

/// RFC 6749, 3.3: scopes are separated by blanks. Some issuers have a list.
fn any_scope(value: Option<JsonText<'_>>, is_it: impl Fn(&str) -> bool) -> bool {
    match value.and_then(JsonText::as_str) {
        Some(text) => text.split_ascii_whitespace().any(is_it),
        None => texts(value).any(|scope| is_it(&scope)),
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(
            f: &mut fmt::Formatter<'_>,
            kind: &str,
            items: &[T],
        ) -> fmt::Result {
            let items: Vec<_> = items.iter().map(T::to_string).collect();
            write!(f, "{kind} {}", items.join(" or "))
        }
        let joined = |several: &[Self], word: &str| {
            let several: Vec<_> = several.iter().map(Self::to_string).collect();
            several.join(word)
        };
        match self {
            Self::All(all) => write!(f, "({})", joined(all, " and ")),
            Self::Any(any) => write!(f, "({})", joined(any, " or ")),
            Self::Not(one) => write!(f, "not {one}"),
            Self::Scope(scopes) => list(f, "scope", scopes),
            Self::RealmRole(roles) => list(f, "realm role", roles),
            Self::Role(roles) => list(f, "role", roles),
            Self::ClientRole(roles) => list(f, "client role", roles),
            Self::Group(groups) => list(f, "group", groups),
            Self::Audience(audiences) => list(f, "audience", audiences),
            Self::ClientId(ids) => list(f, "client id", ids),
            Self::Issuer(issuers) => list(f, "issuer", issuers),
            Self::Claim(path, Test::OneOf(values)) => list(f, &format!("claim {path}"), values),
            Self::Claim(path, Test::Prefix(prefix)) => write!(f, "claim {path} {prefix}…"),
            Self::Permission(wanted) => list(f, "permission", wanted),
            Self::Claim(path, Test::Present) => write!(f, "claim {path}"),
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(name) => f.write_str(name),
            Self::Below(above) => write!(f, "{above}*"),
        }
    }
}

impl fmt::Display for ClientRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.client, self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn scope(scopes: &[&str]) -> Requirement {
        let branch = |scope: &&str| match scope.strip_suffix('*') {
            Some(above) => Branch::Below(above.to_owned()),
            None => Branch::Exactly((*scope).to_owned()),
        };
        Requirement::Scope(scopes.iter().map(branch).collect())
    }

    fn client_role(client: &str, role: &str) -> Requirement {
        Requirement::ClientRole(vec![ClientRole {
            client: client.to_owned(),
            role: role.to_owned(),
        }])
    }

    fn claim(path: &str, test: Test) -> Requirement {
        Requirement::Claim(ClaimPath::dotted(path), test)
    }

    fn check_shaped(
        wanted: &Requirement,
        claims: &Value,
        shape: &ClaimShape,
    ) -> Result<(), Reason> {
        let token = AccessToken::of(claims);
        let token = &token;
        wanted.check(Subject { token, shape })
    }

    fn check_with(wanted: &Requirement, claims: &Value) -> Result<(), Reason> {
        check_shaped(wanted, claims, &ClaimShape::default())
    }

    fn claims() -> Value {
        json!({
            "iss": "https://sso/realms/demo",
            "azp": "app",
            "aud": ["orders", "account"],
            "scope": "email profile Function1/read",
            "realm_access": {"roles": ["reader", "offline_access"]},
            "resource_access": {"app": {"roles": ["editor"]}, "other:svc": {"roles": ["x"]}},
            "groups": ["/sales/emea", "/staff"],
            "tenant": {"id": 7, "name": "acme-eu", "trial": false},
        })
    }

    fn check(wanted: &Requirement) -> Result<(), Reason> {
        check_with(wanted, &claims())
    }

    #[test]
    fn nothing_required_nothing_refused() {
        assert_eq!(check_with(&Requirement::default(), &json!({})), Ok(()));
    }

    #[test]
    fn scopes_are_any_of_and_exact() {
        assert_eq!(check(&scope(&["Function1/read"])), Ok(()));
        assert_eq!(check(&scope(&["nope", "profile"])), Ok(()));
        for missing in [
            "nope",
            "Function1/",
            "function1/read",
            "mail",
            "email profile",
            "Function1/rea",
            ".",
        ] {
            assert_eq!(
                check(&scope(&[missing])),
                Err(Reason::MissingScope),
                "{missing}"
            );
        }
    }

    #[test]
    fn a_wildcard_is_met_by_what_is_below_it() {
        let has = |scopes: &str| check_with(&scope(&["F/*"]), &json!({"scope": scopes})).is_ok();
        for good in ["F/a", "F/a/b", "F/*", "x F/a"] {
            assert!(has(good), "{good}");
        }
        for bad in ["F", "F/", "FF/a", "f/a", "G/F/a", "*", "F*"] {
            assert!(!has(bad), "{bad}");
        }
    }

    #[test]
    fn a_tokens_own_wildcard_counts_where_that_is_said() {
        let wild = ClaimShape {
            wildcards: true,
            ..ClaimShape::default()
        };
        let has = |wanted: &str, scopes: &str, shape: &ClaimShape| {
            check_shaped(&scope(&[wanted]), &json!({"scope": scopes}), shape).is_ok()
        };
        assert!(!has("F/a", "F/*", &ClaimShape::default()));
        for (wanted, good) in [
            ("F/a", "F/*"),
            ("F/a/b", "F/*"),
            ("F/a/*", "F/*"),
            ("F/*", "F/*"),
        ] {
            assert!(has(wanted, good, &wild), "{wanted} by {good}");
        }
        for (wanted, bad) in [
            ("F", "F/*"),
            ("F/", "F/*"),
            ("FF/a", "F/*"),
            ("F/ab", "F/a*"),
            ("F/a", "*"),
            ("F/a", "/*"),
            ("Fa", "F*"),
            ("F/*", "G/*"),
        ] {
            assert!(!has(wanted, bad, &wild), "{wanted} by {bad}");
        }
    }

    #[test]
    fn a_scope_claim_of_another_shape() {
        let wants_a = scope(&["a"]);
        assert_eq!(check_with(&wants_a, &json!({"scope": ["b", "a"]})), Ok(()));
        for claims in [
            json!({}),
            json!({"scope": "a,b"}),
            json!({"scope": 1}),
            json!({"scope": {"a": 1}}),
            json!({"scope": [["a"]]}),
            json!({"scope": ["a b"]}),
        ] {
            assert_eq!(
                check_with(&wants_a, &claims),
                Err(Reason::MissingScope),
                "{claims}"
            );
        }
    }

    #[test]
    fn realm_roles() {
        let realm = |roles: &[&str]| check(&Requirement::RealmRole(list(roles)));
        assert_eq!(realm(&["admin", "reader"]), Ok(()));
        assert_eq!(realm(&["admin"]), Err(Reason::MissingRealmRole));
        assert_eq!(realm(&["editor"]), Err(Reason::MissingRealmRole));
        let one = json!({"realm_access": {"roles": "reader"}});
        let wanted = Requirement::RealmRole(list(&["reader"]));
        assert_eq!(check_with(&wanted, &one), Ok(()));
    }

    #[test]
    fn roles_of_the_calling_client() {
        let wanted = Requirement::Role(list(&["editor"]));
        assert_eq!(check(&wanted), Ok(()));
        let other = json!({"azp": "b", "resource_access": {"app": {"roles": ["editor"]}}});
        assert_eq!(check_with(&wanted, &other), Err(Reason::MissingRole));
        let no_azp = json!({"resource_access": {"app": {"roles": ["editor"]}}});
        assert_eq!(check_with(&wanted, &no_azp), Err(Reason::MissingRole));
    }

    #[test]
    fn client_roles() {
        assert_eq!(check(&client_role("app", "editor")), Ok(()));
        assert_eq!(check(&client_role("other:svc", "x")), Ok(()));
        assert_eq!(check(&client_role("app", "x")), Err(Reason::MissingRole));
        assert_eq!(
            check(&client_role("ghost", "editor")),
            Err(Reason::MissingRole)
        );
    }

    #[test]
    fn roles_of_another_shape_are_none() {
        let wanted = Requirement::RealmRole(list(&["a"]));
        for claims in [
            json!({"realm_access": ["a"]}),
            json!({"realm_access": {"roles": "a b"}}),
            json!({"realm_access": {"roles": [["a"]]}}),
            json!({"realm_access": {"roles": {"a": 1}}}),
            json!({"realm_access": null}),
        ] {
            assert_eq!(
                check_with(&wanted, &claims),
                Err(Reason::MissingRealmRole),
                "{claims}"
            );
        }
    }

    #[test]
    fn groups_audiences_clients_and_issuers() {
        let group = |branch| check(&Requirement::Group(vec![branch])).is_ok();
        assert!(group(Branch::Exactly("/staff".to_owned())));
        assert!(group(Branch::Below("/sales/".to_owned())));
        assert!(!group(Branch::Exactly("/sales".to_owned())));
        assert!(!group(Branch::Below("/staff/".to_owned())));
        let met = |wanted| check(&wanted).is_ok();
        assert!(met(Requirement::Audience(list(&["x", "orders"]))));
        assert!(!met(Requirement::Audience(list(&["order"]))));
        assert!(met(Requirement::ClientId(list(&["app"]))));
        assert!(!met(Requirement::ClientId(list(&["ap"]))));
        assert!(met(Requirement::Issuer(list(&["https://sso/realms/demo"]))));
        assert!(!met(Requirement::Issuer(list(&["https://sso/realms/"]))));
    }

    #[test]
    fn any_claim_by_its_path() {
        let met = |path, test| check(&claim(path, test)).is_ok();
        assert!(met("tenant.id", Test::OneOf(vec![json!(1), json!(7)])));
        assert!(met("tenant.id", Test::OneOf(vec![json!(7.0)])));
        assert!(!met("tenant.id", Test::OneOf(vec![json!("7")])));
        assert!(met("tenant.trial", Test::OneOf(vec![json!(false)])));
        assert!(met("tenant.name", Test::Prefix("acme-".to_owned())));
        assert!(!met("tenant.name", Test::Prefix("cme".to_owned())));
        assert!(!met("tenant.id", Test::Prefix("7".to_owned())));
        assert!(met("groups", Test::OneOf(vec![json!("/staff")])));
        assert!(met("groups", Test::Prefix("/sta".to_owned())));
        assert!(met("tenant", Test::Present));
        assert!(!met("tenant.x", Test::Present));
        assert_eq!(
            check_with(&claim("a", Test::Present), &json!({"a": null})),
            Err(Reason::RequirementNotMet)
        );
    }

    #[test]
    fn expressions() {
        let yes = || scope(&["email"]);
        let no = || scope(&["no"]);
        let role = || Requirement::RealmRole(list(&["no"]));
        let not = |inner| Requirement::Not(Box::new(inner));
        assert_eq!(check(&Requirement::All(vec![yes(), yes()])), Ok(()));
        assert_eq!(
            check(&Requirement::All(vec![yes(), role(), no()])),
            Err(Reason::MissingRealmRole)
        );
        assert_eq!(check(&Requirement::Any(vec![no(), yes()])), Ok(()));
        assert_eq!(
            check(&Requirement::Any(vec![no(), no()])),
            Err(Reason::MissingScope)
        );
        assert_eq!(
            check(&Requirement::Any(vec![no(), role()])),
            Err(Reason::RequirementNotMet)
        );
        assert_eq!(
            check(&Requirement::Any(Vec::new())),
            Err(Reason::RequirementNotMet)
        );
        assert_eq!(check(&not(no())), Ok(()));
        assert_eq!(check(&not(yes())), Err(Reason::RequirementNotMet));
        assert_eq!(check(&not(not(yes()))), Ok(()));
        assert_eq!(
            check(&not(Requirement::Any(vec![no(), yes()]))),
            Err(Reason::RequirementNotMet)
        );
    }

    #[test]
    fn other_issuers_claims() {
        let shape = ClaimShape {
            scope: ClaimPath::dotted("scp"),
            realm_roles: ClaimPath::of(list(&["https://x.example/roles"])).unwrap(),
            client_id: ClaimPath::dotted("cid"),
            ..ClaimShape::default()
        };
        let claims =
            json!({"scp": ["a", "b"], "https://x.example/roles": ["r"], "cid": "c", "azp": "app"});
        let met = |wanted: &Requirement| check_shaped(wanted, &claims, &shape).is_ok();
        assert!(met(&scope(&["b"])));
        assert!(met(&Requirement::RealmRole(list(&["r"]))));
        assert!(met(&Requirement::ClientId(list(&["c"]))));
        assert!(!met(&Requirement::ClientId(list(&["app"]))));
    }

    #[test]
    fn an_explanation_tells_of_every_part() {
        let wanted = Requirement::Any(vec![
            scope(&["a", "F/*"]),
            Requirement::All(vec![
                Requirement::RealmRole(list(&["reader"])),
                client_role("c", "r"),
            ]),
        ]);
        let token = AccessToken::of(&claims());
        let subject = Subject {
            token: &token,
            shape: &ClaimShape::default(),
        };
        let mut text = String::new();
        wanted.explain(subject, &mut text).unwrap();
        assert_eq!(
            text,
            "any(scope a or F/*: missing, all(realm role reader: met, client role c:r: missing))"
        );
        let mut scopes = Vec::new();
        wanted.scopes(&mut scopes);
        assert_eq!(scopes, ["a", "F/*"]);
    }
}
