//! Permissions of Keycloak's authorization services: a resource, a scope of it, or both.

use std::fmt;

use serde_json::{Map, Value};

/// `RESOURCE`, `RESOURCE#SCOPE` or `#SCOPE`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Permission {
    /// By name or id.
    pub resource: Option<String>,
    pub scope: Option<String>,
}

/// A permission as it is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AskedPermission {
    pub permission: Permission,
    /// Its resource is a path, and Keycloak finds what it is.
    pub by_uri: bool,
}

impl Permission {
    /// Reads one; `None` if neither resource nor scope is there, or a mark stands where it would be
    /// read in two ways.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (resource, scope) = match text.split_once('#') {
            Some((_, "")) => return None,
            Some((resource, scope)) => (resource, Some(scope)),
            None => (text, None),
        };
        // Keycloak takes several scopes with commas between them, of which one would do.
        if scope.is_some_and(|scope| scope.contains(['#', ','])) {
            return None;
        }
        let resource = (!resource.is_empty()).then(|| resource.to_owned());
        (resource.is_some() || scope.is_some()).then(|| Self {
            resource,
            scope: scope.map(str::to_owned),
        })
    }

    /// Whether a requesting party token has it: the claim `authorization.permissions`, as Keycloak
    /// writes it.
    #[must_use]
    pub fn is_granted_by(&self, claims: &Map<String, Value>) -> bool {
        let granted = claims
            .get("authorization")
            .and_then(|authorization| authorization.get("permissions"))
            .and_then(Value::as_array);
        granted.is_some_and(|granted| granted.iter().any(|one| self.is_in(one)))
    }

    fn is_in(&self, granted: &Value) -> bool {
        let is =
            |name: &str, wanted: &str| granted.get(name).and_then(Value::as_str) == Some(wanted);
        let resource = |wanted: &String| is("rsname", wanted) || is("rsid", wanted);
        let scope = |wanted: &String| {
            let scopes = granted.get("scopes").and_then(Value::as_array);
            scopes.is_some_and(|scopes| scopes.iter().any(|scope| scope == wanted))
        };
        self.resource.as_ref().is_none_or(resource) && self.scope.as_ref().is_none_or(scope)
    }
}

impl fmt::Display for Permission {
    /// As Keycloak reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource.as_deref().unwrap_or_default())?;
        match &self.scope {
            Some(scope) => write!(f, "#{scope}"),
            None => Ok(()),
        }
    }
}
