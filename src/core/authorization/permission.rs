//! Permissions of Keycloak's authorization services: a resource, a scope of it, or both.

use std::fmt;

use crate::claims::AccessToken;
use crate::json::text::JsonText;

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
    /// writes it. Resources of different resource servers may have one name: the token must be for
    /// none but `audiences` and `server`, and for that if it is given.
    #[must_use]
    pub fn is_granted_by(
        &self,
        token: &AccessToken,
        audiences: &[String],
        server: Option<&str>,
    ) -> bool {
        let Some(claims) = token.own_claims() else {
            return false;
        };
        let aud = || claims.get("aud").into_iter().flat_map(JsonText::each);
        let is_meant = |aud: JsonText<'_>| {
            server.is_some_and(|server| aud.is(server)) || audiences.iter().any(|of| aud.is(of))
        };
        let is_for_server = server.is_none_or(|server| aud().any(|aud| aud.is(server)));
        if aud().next().is_none() || !aud().all(is_meant) || !is_for_server {
            return false;
        }
        let granted = claims
            .get("authorization")
            .and_then(|authorization| authorization.member("permissions"))
            .filter(|granted| granted.is_list());
        granted.is_some_and(|granted| granted.each().any(|one| self.is_in(one)))
    }

    fn is_in(&self, granted: JsonText<'_>) -> bool {
        let is = |name: &str, wanted: &str| {
            let value = granted.member(name);
            value.is_some_and(|value| value.is(wanted))
        };
        let resource = |wanted: &String| is("rsname", wanted) || is("rsid", wanted);
        let scope = |wanted: &String| {
            let scopes = granted.member("scopes").filter(|scopes| scopes.is_list());
            scopes.is_some_and(|scopes| scopes.each().any(|scope| scope.is(wanted)))
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
