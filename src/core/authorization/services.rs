//! What is asked of Keycloak's authorization services about a request (UMA 2.0).

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::permission::{AskedPermission, Permission};
use crate::jose::base64url;
use crate::refusal::Reason;
use crate::request::Request;
use crate::request::path::Segments;
use crate::time::Millis;

/// Keycloak takes 20,000 characters of a parameter and complains of more.
const MAX_CLAIMS_BYTES: usize = 20_000;

/// What a policy or a rule asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorizationRules {
    /// The client whose resources these are; `None`: the gateway's own client.
    pub resource_server: Option<String>,
    /// All of them.
    pub permissions: Vec<PermissionTemplate>,
    /// The scope for a method; `None`: it has the method's name.
    pub method_scopes: Option<Vec<(String, String)>>,
    pub decision: DecidedBy,
    /// What Keycloak's policies are told of the request.
    pub claims: Vec<(String, PushedClaim)>,
    /// Whether a refusal has a permission ticket (UMA 2.0 Grant, 3.2.1).
    pub uma_challenge: bool,
    /// How long a permission counts as granted; zero: for one request.
    pub max_age: Millis,
    /// How long it counts as denied.
    pub negative_max_age: Millis,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DecidedBy {
    /// Keycloak, each time or as it did a short time ago.
    #[default]
    Remote,
    /// The token itself, which is a requesting party token.
    Rpt,
    /// The token, and if it says nothing of it, Keycloak.
    RptOrRemote,
}

/// A permission with places for what a request says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PermissionTemplate {
    Fixed(Permission),
    /// `RESOURCE#{method}`, or `#{method}`
    MethodAsScope {
        resource: Option<String>,
    },
    /// `{path}`, `{path}#SCOPE`
    Path {
        scope: Option<String>,
    },
    /// `{path}#{method}`
    PathAndMethod,
}

/// Where a pushed claim comes from. What is not there gives none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PushedClaim {
    /// All fields of this name, in lower case.
    Header(String),
    /// All parameters of this name.
    Query(String),
    Value(Vec<String>),
    Method,
    Path,
}

/// What is asked about one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Demand {
    pub permissions: Vec<AskedPermission>,
    /// Pushed claims, as Keycloak takes them: base64url of a JSON object.
    pub claims: Option<Rc<str>>,
}

/// The proof that all that is demanded was granted, or that nothing is.
#[derive(Debug)]
pub struct Granted(());

impl Granted {
    /// `is_granted` must say so of each permission.
    ///
    /// # Errors
    /// The first of `is_granted`.
    pub fn all<E>(
        demand: Option<&Demand>,
        is_granted: impl FnMut(&AskedPermission) -> Result<(), E>,
    ) -> Result<Self, E> {
        let permissions = demand.map(|demand| demand.permissions.as_slice());
        permissions
            .unwrap_or_default()
            .iter()
            .try_for_each(is_granted)?;
        Ok(Self(()))
    }
}

impl AuthorizationRules {
    /// What is asked about a request.
    ///
    /// # Errors
    /// [`Reason::AmbiguousPath`] and [`Reason::AmbiguousParameter`] where Keycloak and the upstream
    /// might understand it differently, [`Reason::PermissionDenied`] if there is no scope for its
    /// method.
    pub fn demand(&self, request: &Request) -> Result<Demand, Reason> {
        let permissions = self.permissions.iter();
        Ok(Demand {
            permissions: permissions
                .map(|template| self.permission(template, request))
                .collect::<Result<_, _>>()?,
            claims: self.pushed(request)?,
        })
    }

    fn permission(
        &self,
        template: &PermissionTemplate,
        request: &Request,
    ) -> Result<AskedPermission, Reason> {
        let (resource, scope) = match template {
            PermissionTemplate::Fixed(permission) => {
                return Ok(AskedPermission {
                    permission: permission.clone(),
                    by_uri: false,
                });
            }
            PermissionTemplate::MethodAsScope { resource } => {
                (resource.clone(), Some(self.scope(&request.method)?))
            }
            PermissionTemplate::Path { scope } => (Some(path(request)?), scope.clone()),
            PermissionTemplate::PathAndMethod => {
                (Some(path(request)?), Some(self.scope(&request.method)?))
            }
        };
        let by_uri = !matches!(template, PermissionTemplate::MethodAsScope { .. });
        let permission = Permission { resource, scope };
        Ok(AskedPermission { permission, by_uri })
    }

    /// RFC 9110, 9.3.2: HEAD is GET but for the content.
    fn scope(&self, method: &[u8]) -> Result<String, Reason> {
        let method = if method == b"HEAD" { b"GET" } else { method };
        let plain = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-' || *byte == b'_';
        let method = std::str::from_utf8(method).ok();
        let method = method.filter(|method| method.as_bytes().iter().all(plain));
        let method = method.filter(|method| !method.is_empty());
        let scope = |method: &str| match &self.method_scopes {
            None => Some(method.to_owned()),
            Some(scopes) => {
                let found = scopes.iter().find(|(of, _)| of == method);
                found.map(|(_, scope)| scope.clone())
            }
        };
        method.and_then(scope).ok_or(Reason::PermissionDenied)
    }

    fn pushed(&self, request: &Request) -> Result<Option<Rc<str>>, Reason> {
        let mut claims = Map::new();
        for (name, claim) in &self.claims {
            if let Some(value) = claim.value(request)? {
                claims.insert(name.clone(), value);
            }
        }
        if claims.is_empty() {
            return Ok(None);
        }
        let text = base64url::encode(Value::Object(claims).to_string().as_bytes());
        if text.len() > MAX_CLAIMS_BYTES {
            return Err(Reason::PermissionDenied);
        }
        Ok(Some(text.into()))
    }
}

impl PushedClaim {
    /// Keycloak takes lists of texts only. Its policies look at the first: of several that a client
    /// sent, the upstream may look at another.
    fn value(&self, request: &Request) -> Result<Option<Value>, Reason> {
        let one = |mut values: Vec<String>| match (values.pop(), values.pop()) {
            (one, None) => Ok(one.map(|one| json!([one]))),
            _ => Err(Reason::AmbiguousParameter),
        };
        match self {
            Self::Header(name) => {
                let values = request
                    .values(name)
                    .map(|value| String::from_utf8(value.to_vec()));
                let values: Result<Vec<_>, _> = values.collect();
                one(values.map_err(|_| Reason::AmbiguousParameter)?)
            }
            Self::Query(name) => {
                let query = request.query().unwrap_or_default();
                // What some readers take for another `&`.
                if query.contains(&b';') {
                    return Err(Reason::AmbiguousParameter);
                }
                let pairs = form_urlencoded::parse(query);
                let is_alike = |of: &str| of != name && fold(of) == fold(name);
                if pairs.clone().any(|(of, _)| is_alike(&of)) {
                    return Err(Reason::AmbiguousParameter);
                }
                let values = pairs.filter(|(of, _)| of == name);
                let values: Vec<_> = values.map(|(_, value)| value.into_owned()).collect();
                // It stands for what is not UTF-8.
                if values.iter().any(|value| value.contains('\u{fffd}')) {
                    return Err(Reason::AmbiguousParameter);
                }
                one(values)
            }
            Self::Value(values) => Ok(Some(json!(values))),
            Self::Method => Ok(Some(json!([String::from_utf8_lossy(&request.method)]))),
            Self::Path => Ok(Some(json!([path(request)?]))),
        }
    }
}

/// A parameter's name as a careless reader sees it: without case, blanks, controls and an index.
fn fold(name: &str) -> String {
    let name = name.split('[').next().unwrap_or_default();
    let plain = |c: &char| !c.is_control() && !c.is_whitespace();
    name.chars()
        .filter(plain)
        .collect::<String>()
        .to_lowercase()
}

/// Decoded, and as everybody understands it: Keycloak compares it as it stands.
fn path(request: &Request) -> Result<String, Reason> {
    let path = Segments::parse(request.path_without_query()).ok_or(Reason::AmbiguousPath)?;
    let segments = path.as_slice();
    // What some readers take for a parameter, a query or nothing, and Keycloak for a place.
    let is_plain = |segment: &String| {
        !segment.contains([';', '?', '*', '{', '}']) && !segment.ends_with(['.', ' '])
    };
    if !segments.iter().all(is_plain) {
        return Err(Reason::AmbiguousPath);
    }
    Ok(format!("/{}", segments.join("/")))
}
