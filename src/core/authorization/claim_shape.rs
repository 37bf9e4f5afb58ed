//! Where a token's claims say what: Keycloak's places by default, other issuers' by configuration.

use std::borrow::Cow;
use std::fmt;

use crate::claims_set::ClaimsSet;
use crate::json::text::JsonText;

/// The way to a claim: the names of members, one within another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimPath(Vec<String>);

/// The way to a client's roles: a [`ClaimPath`], one of whose names is the client's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientRolesPath(Vec<String>);

/// Stands for the client's id in a [`ClientRolesPath`].
pub const CLIENT: &str = "{client}";

/// The claims that requirements are about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimShape {
    /// Scopes: a text with blanks between them (RFC 8693, 4.2), or a list.
    pub scope: ClaimPath,
    pub realm_roles: ClaimPath,
    pub client_roles: ClientRolesPath,
    /// The client that the token was issued to.
    pub client_id: ClaimPath,
    pub groups: ClaimPath,
    /// Whether a scope `X/*` in a token stands for all scopes below `X/`.
    pub wildcards: bool,
    /// Whom a token with permissions of its own may be for: nobody else's resources are meant.
    pub permission_audiences: Vec<String>,
}

impl Default for ClaimShape {
    fn default() -> Self {
        Self {
            scope: ClaimPath::dotted("scope"),
            realm_roles: ClaimPath::dotted("realm_access.roles"),
            client_roles: ClientRolesPath(
                ClaimPath::dotted("resource_access.{client}.roles").into_names(),
            ),
            client_id: ClaimPath::dotted("azp"),
            groups: ClaimPath::dotted("groups"),
            wildcards: false,
            permission_audiences: Vec::new(),
        }
    }
}

impl ClaimPath {
    /// A path whose names are separated by dots.
    #[must_use]
    pub fn dotted(path: &str) -> Self {
        Self(path.split('.').map(str::to_owned).collect())
    }

    /// A path of these names; `None` if there are none, or one is empty.
    #[must_use]
    pub fn of(names: Vec<String>) -> Option<Self> {
        let good = !names.is_empty() && names.iter().all(|name| !name.is_empty());
        good.then_some(Self(names))
    }

    #[must_use]
    pub fn into_names(self) -> Vec<String> {
        self.0
    }

    #[must_use]
    pub fn find<'a>(&self, claims: &'a ClaimsSet) -> Option<JsonText<'a>> {
        find(self.0.iter().map(String::as_str), claims)
    }

    #[must_use]
    pub fn text<'a>(&self, claims: &'a ClaimsSet) -> Option<Cow<'a, str>> {
        self.find(claims).and_then(JsonText::as_str)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl ClientRolesPath {
    /// `None` unless exactly one name is [`CLIENT`].
    #[must_use]
    pub fn of(path: ClaimPath) -> Option<Self> {
        let names = path.into_names();
        let places = names.iter().filter(|name| *name == CLIENT).count();
        (places == 1).then_some(Self(names))
    }

    #[must_use]
    pub fn find<'a>(&self, client: &str, claims: &'a ClaimsSet) -> Option<JsonText<'a>> {
        let name = |name: &'_ String| name == CLIENT;
        find(
            self.0
                .iter()
                .map(|n| if name(n) { client } else { n.as_str() }),
            claims,
        )
    }
}

fn find<'a, 'n>(
    mut names: impl Iterator<Item = &'n str>,
    claims: &'a ClaimsSet,
) -> Option<JsonText<'a>> {
    let first = claims.get(names.next()?)?;
    names.try_fold(first, JsonText::member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn claims() -> ClaimsSet {
        ClaimsSet::of(&json!({
            "a": {"b": {"c": 1}}, "https://x.example/roles": ["r"], "list": [{"b": 1}],
            "resource_access": {"my.app": {"roles": ["x"]}},
        }))
    }

    fn value(found: Option<JsonText<'_>>) -> Option<Value> {
        found.map(JsonText::to_value)
    }

    #[test]
    fn paths_go_through_objects_only() {
        let find = |path: &str| value(ClaimPath::dotted(path).find(&claims()));
        assert_eq!(find("a.b.c"), Some(json!(1)));
        assert_eq!(find("a.b"), Some(json!({"c": 1})));
        for nothing in ["a.c", "a.b.c.d", "list.b", "list.0", "", "a."] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn names_may_have_dots_where_they_stand_alone() {
        let path = ClaimPath::of(vec!["https://x.example/roles".to_owned()]).unwrap();
        assert_eq!(value(path.find(&claims())), Some(json!(["r"])));
        assert_eq!(ClaimPath::of(Vec::new()), None);
        assert_eq!(ClaimPath::of(vec![String::new()]), None);
    }

    #[test]
    fn a_clients_name_is_one_name_whatever_is_in_it() {
        let path = ClaimShape::default().client_roles;
        assert_eq!(value(path.find("my.app", &claims())), Some(json!(["x"])));
        assert!(path.find("my", &claims()).is_none());
        assert_eq!(ClientRolesPath::of(ClaimPath::dotted("a.b")), None);
        let twice = ClaimPath::dotted("{client}.{client}");
        assert_eq!(ClientRolesPath::of(twice), None);
    }
}
