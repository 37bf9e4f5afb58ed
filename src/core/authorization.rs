//! Scopes and roles: what an access token must bring along to be let through.
//!
//! Each kind is any-of; all kinds that are asked for must be met, as in Kong's jwt-keycloak.
//! Everything is compared exactly.

use serde_json::Value;

use crate::claims::AccessToken;
use crate::refusal::Reason;

/// What a route requires. An empty list requires nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Requirements {
    /// One of these in the claim `scope` (RFC 9068, 2.2.3; RFC 8693, 4.2).
    pub scopes: Vec<String>,
    /// One of these in `realm_access.roles`.
    pub realm_roles: Vec<String>,
    /// One of these in `resource_access.<azp>.roles`: roles of the client that calls.
    pub roles: Vec<String>,
    /// One of these in `resource_access.<client>.roles`.
    pub client_roles: Vec<ClientRole>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientRole {
    pub client: String,
    pub role: String,
}

/// The proof that a token may pass. It can only be made here, from a token that was checked.
#[derive(Debug)]
pub struct Permit {
    token: AccessToken,
}

impl Permit {
    /// The token that was let through.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }
}

impl Requirements {
    /// Lets a token through that meets them.
    ///
    /// # Errors
    /// [`Reason::MissingScope`], [`Reason::MissingRealmRole`] or [`Reason::MissingRole`].
    pub fn permit(&self, token: AccessToken) -> Result<Permit, Reason> {
        if !self.scopes.is_empty() && !self.has_scope(&token) {
            return Err(Reason::MissingScope);
        }
        let realm_roles = token.claims().get("realm_access");
        if !self.realm_roles.is_empty()
            && !self
                .realm_roles
                .iter()
                .any(|role| has_role(realm_roles, role))
        {
            return Err(Reason::MissingRealmRole);
        }
        let of_client = |client: &str| {
            token
                .claims()
                .get("resource_access")
                .and_then(|access| access.get(client))
        };
        let own = token.authorized_party().and_then(of_client);
        if !self.roles.is_empty() && !self.roles.iter().any(|role| has_role(own, role)) {
            return Err(Reason::MissingRole);
        }
        let has_client_role =
            |wanted: &ClientRole| has_role(of_client(&wanted.client), &wanted.role);
        if !self.client_roles.is_empty() && !self.client_roles.iter().any(has_client_role) {
            return Err(Reason::MissingRole);
        }
        Ok(Permit { token })
    }

    fn has_scope(&self, token: &AccessToken) -> bool {
        let wanted = |scope: &str| self.scopes.iter().any(|wanted| wanted == scope);
        match token.claims().get("scope") {
            // RFC 6749, 3.3: separated by spaces.
            Some(Value::String(scopes)) => scopes.split_ascii_whitespace().any(wanted),
            // Not Keycloak's way, but some issuers'.
            Some(Value::Array(scopes)) => scopes.iter().filter_map(Value::as_str).any(wanted),
            _ => false,
        }
    }
}

/// Whether `access`, an object such as `realm_access`, has `role` among its `roles`.
fn has_role(access: Option<&Value>, role: &str) -> bool {
    access
        .and_then(|access| access.get("roles"))
        .and_then(Value::as_array)
        .is_some_and(|roles| roles.iter().any(|has| has == role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn client_role(client: &str, role: &str) -> ClientRole {
        ClientRole {
            client: client.to_owned(),
            role: role.to_owned(),
        }
    }

    fn check(requirements: &Requirements) -> Result<(), Reason> {
        check_with(
            requirements,
            &json!({
                "azp": "app",
                "scope": "email profile Function1/read",
                "realm_access": {"roles": ["reader", "offline_access"]},
                "resource_access": {"app": {"roles": ["editor"]}, "other:svc": {"roles": ["x"]}},
            }),
        )
    }

    fn check_with(requirements: &Requirements, claims: &Value) -> Result<(), Reason> {
        requirements.permit(AccessToken::of(claims)).map(|_| ())
    }

    #[test]
    fn nothing_required_nothing_refused() {
        assert_eq!(check_with(&Requirements::default(), &json!({})), Ok(()));
    }

    #[test]
    fn scopes_are_any_of_and_exact() {
        let scope = |scopes: &[&str]| {
            check(&Requirements {
                scopes: list(scopes),
                ..Default::default()
            })
        };
        assert_eq!(scope(&["Function1/read"]), Ok(()));
        assert_eq!(scope(&["nope", "profile"]), Ok(()));
        for missing in [
            "nope",
            "Function1/",
            "function1/read",
            "mail",
            "email profile",
            "Function1/rea",
            ".",
        ] {
            assert_eq!(scope(&[missing]), Err(Reason::MissingScope), "{missing}");
        }
    }

    #[test]
    fn a_scope_claim_of_another_shape() {
        let wants_a = Requirements {
            scopes: list(&["a"]),
            ..Default::default()
        };
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
        let realm = |roles: &[&str]| {
            check(&Requirements {
                realm_roles: list(roles),
                ..Default::default()
            })
        };
        assert_eq!(realm(&["admin", "reader"]), Ok(()));
        assert_eq!(realm(&["admin"]), Err(Reason::MissingRealmRole));
        assert_eq!(realm(&["editor"]), Err(Reason::MissingRealmRole));
    }

    #[test]
    fn roles_of_the_calling_client() {
        let wanted = Requirements {
            roles: list(&["editor"]),
            ..Default::default()
        };
        assert_eq!(check(&wanted), Ok(()));
        let other = json!({"azp": "b", "resource_access": {"app": {"roles": ["editor"]}}});
        assert_eq!(check_with(&wanted, &other), Err(Reason::MissingRole));
        let no_azp = json!({"resource_access": {"app": {"roles": ["editor"]}}});
        assert_eq!(check_with(&wanted, &no_azp), Err(Reason::MissingRole));
    }

    #[test]
    fn client_roles() {
        let wants = |client, role| {
            check(&Requirements {
                client_roles: vec![client_role(client, role)],
                ..Default::default()
            })
        };
        assert_eq!(wants("app", "editor"), Ok(()));
        assert_eq!(wants("other:svc", "x"), Ok(()));
        assert_eq!(wants("app", "x"), Err(Reason::MissingRole));
        assert_eq!(wants("ghost", "editor"), Err(Reason::MissingRole));
    }

    #[test]
    fn all_kinds_must_be_met() {
        let all = Requirements {
            scopes: list(&["email"]),
            realm_roles: list(&["reader"]),
            roles: list(&["editor"]),
            client_roles: vec![client_role("other:svc", "x")],
        };
        assert_eq!(check(&all), Ok(()));
        let no = || list(&["no"]);
        assert_eq!(
            check(&Requirements {
                scopes: no(),
                ..all.clone()
            }),
            Err(Reason::MissingScope)
        );
        assert_eq!(
            check(&Requirements {
                realm_roles: no(),
                ..all.clone()
            }),
            Err(Reason::MissingRealmRole)
        );
        assert_eq!(
            check(&Requirements {
                roles: no(),
                ..all.clone()
            }),
            Err(Reason::MissingRole)
        );
        assert_eq!(
            check(&Requirements {
                client_roles: vec![client_role("app", "no")],
                ..all
            }),
            Err(Reason::MissingRole)
        );
    }

    #[test]
    fn roles_of_another_shape_are_none() {
        let wanted = Requirements {
            realm_roles: list(&["a"]),
            ..Default::default()
        };
        for claims in [
            json!({"realm_access": ["a"]}),
            json!({"realm_access": {"roles": "a"}}),
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
}
