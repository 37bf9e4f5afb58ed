//! Reads `authorization`: what Keycloak's authorization services have to permit. It may stand in a
//! rule, in the policy and at the top; each of its fields counts where it stands uppermost.

use serde_json::Value;

use super::introspection::negative_default;
use super::issuer::Issuer;
use super::reader::{At, Members, describe, quote};
use super::rules::method;
use super::sources::header_name;
use super::token::IssuerRules;
use crate::authorization::permission::Permission;
use crate::authorization::services::{
    AuthorizationRules, DecidedBy, PermissionTemplate, PushedClaim,
};
use crate::keys::source::HttpUrl;
use crate::time::Millis;

const MAX_AGE: Millis = Millis::from_secs(30);
const NEGATIVE_MAX_AGE: Millis = Millis::from_secs(10);

const PATH: &str = "{path}";
const METHOD: &str = "{method}";

const TEMPLATE: &str = "RESOURCE, RESOURCE#SCOPE or #SCOPE, one scope without commas; {path} stands \
    for a whole resource, {method} for a whole scope";

/// What a permission of a token's own is.
pub const PERMISSION: &str = "RESOURCE, RESOURCE#SCOPE or #SCOPE, one scope without commas";
const CLAIM: &str = "an object with one of header, query, value and from";

/// Headers that hold credentials: no policy of Keycloak's is to be shown them.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Who can be asked about the tokens that a policy accepts.
#[derive(Debug, Default)]
pub struct Askable {
    /// The ids of the gateway's clients at the issuers that are accepted.
    clients: Vec<Option<String>>,
    /// Issuers whose token endpoint is not known.
    without_token_endpoint: Vec<String>,
    /// Those whose permission endpoint is neither stated nor follows from the token endpoint.
    without_permission_endpoint: Vec<String>,
    /// Whether each token is meant for somebody whom the policy names.
    pub has_audiences: bool,
    /// Whether each issuer's JWTs are verified here.
    pub is_local: bool,
}

impl Askable {
    #[must_use]
    pub fn of(issuers: &[(Issuer, Members)], rules: &[Option<IssuerRules>]) -> Self {
        let mut askable = Self {
            has_audiences: true,
            is_local: true,
            ..Self::default()
        };
        for ((issuer, _), rules) in issuers.iter().zip(rules) {
            let Some(rules) = rules else {
                continue;
            };
            let client = issuer.client.as_ref().map(|client| client.id.clone());
            askable.clients.push(client);
            let endpoints = &issuer.endpoints;
            match &endpoints.token {
                None if !issuer.is_discovered() => {
                    askable.without_token_endpoint.push(issuer.iss.clone());
                }
                Some(url) if endpoints.permission.is_none() && !is_keycloaks(url) => {
                    askable.without_permission_endpoint.push(issuer.iss.clone());
                }
                _ => {}
            }
            askable.has_audiences &= rules.claims.audiences.is_some();
            askable.is_local &= rules.verify_here(issuer);
        }
        askable
    }
}

/// Whether a token endpoint's address says where the permission endpoint is.
fn is_keycloaks(url: &HttpUrl) -> bool {
    url.path.ends_with("/protocol/openid-connect/token")
}

/// Reads it; `None` if nothing is asked. What `is_used` nowhere may be incomplete: rules may state the
/// rest.
#[must_use]
pub fn read(members: &Members, askable: &Askable, is_used: bool) -> Option<AuthorizationRules> {
    let own = members.layered_object("authorization")?;
    let permissions = own.parsed("permissions", TEMPLATE, template);
    let stated = own.strings("permissions");
    let is_missing =
        own.get("permissions").is_none() || stated.is_some_and(|texts| texts.is_empty());
    let stated_age = own.seconds("cache_seconds", 0.0..=3600.0);
    let negative = own.seconds("negative_cache_seconds", 0.0..=300.0);
    let decision = own.choice(
        "decision",
        &[
            ("remote", DecidedBy::Remote),
            ("rpt", DecidedBy::Rpt),
            ("rpt_or_remote", DecidedBy::RptOrRemote),
        ],
    );
    let rules = AuthorizationRules {
        resource_server: own.string("resource_server").map(|text| text.value),
        permissions: permissions.unwrap_or_default(),
        method_scopes: method_scopes(&own),
        decision: decision.unwrap_or_default(),
        claims: claims(&own),
        uma_challenge: own.boolean("uma_challenge").unwrap_or(false),
        max_age: stated_age.unwrap_or(MAX_AGE),
        negative_max_age: negative.unwrap_or(negative_default(stated_age, NEGATIVE_MAX_AGE)),
    };
    own.finish();
    if !is_used {
        return None;
    }
    if is_missing {
        own.fault(
            "permissions",
            "no permission",
            format!("one or several: {TEMPLATE}"),
        );
    }
    warn_of_method_scopes(&own, &rules);
    check_decision(&own, &rules, askable);
    if rules.uma_challenge {
        check_challenge(&own, &rules, askable);
    }
    Some(rules)
}

/// A permission of a token's own.
#[must_use]
pub fn permission(text: &str) -> Option<Permission> {
    Permission::parse(text).filter(|_| !text.contains(['{', '}']))
}

fn template(text: &str) -> Option<PermissionTemplate> {
    let Permission { resource, scope } = Permission::parse(text)?;
    let is = |part: &Option<String>, place: &str| part.as_deref() == Some(place);
    // A place that is written in another way would be a name that nobody has.
    let has_other = |part: &Option<String>, place: &str| {
        let part = part.as_deref().unwrap_or_default();
        part != place && part.contains(['{', '}'])
    };
    if has_other(&resource, PATH) || has_other(&scope, METHOD) {
        return None;
    }
    Some(match (is(&resource, PATH), is(&scope, METHOD)) {
        (true, true) => PermissionTemplate::PathAndMethod,
        (true, false) => PermissionTemplate::Path { scope },
        (false, true) => PermissionTemplate::MethodAsScope { resource },
        (false, false) => PermissionTemplate::Fixed(Permission { resource, scope }),
    })
}

fn method_scopes(own: &Members) -> Option<Vec<(String, String)>> {
    let stated = own.named_values("method_scopes")?;
    if stated.is_empty() {
        own.fault("method_scopes", "no method", "at least one");
    }
    let mut scopes = Vec::new();
    for (name, At { path, value }) in stated {
        let findings = own.findings();
        if method(&name).is_none() {
            findings.fault(&path, quote(&name), "a method, in upper case");
        } else if name == "HEAD" {
            findings.fault(&path, quote(&name), "GET, as which HEAD counts");
        }
        let scope = value.as_str().filter(|scope| {
            let one = Permission::parse(&format!("#{scope}"));
            one.is_some() && !scope.contains(METHOD) && !scope.contains(PATH)
        });
        match scope {
            Some(scope) => scopes.push((name, scope.to_owned())),
            None => findings.fault(&path, describe(value), "one scope, without commas and #"),
        }
    }
    Some(scopes)
}

fn claims(own: &Members) -> Vec<(String, PushedClaim)> {
    let stated = own.named_values("claims").unwrap_or_default();
    let mut claims = Vec::new();
    for (name, At { path, value }) in stated {
        if name.is_empty() {
            own.findings().fault(&path, "no name", "a claim's name");
        }
        if let Some(claim) = claim(own, &path, value) {
            claims.push((name, claim));
        }
    }
    claims
}

fn claim(own: &Members, path: &str, value: &Value) -> Option<PushedClaim> {
    let findings = own.findings();
    if !value.is_object() {
        findings.fault(path, describe(value), CLAIM);
        return None;
    }
    let own = Members::open(path, value, findings)?;
    let found = [header(&own), query(&own), constant(&own), fact(&own)];
    own.finish();
    let stated = own.asked().into_iter();
    let count = stated.filter(|name| own.get(name).is_some()).count();
    if count != 1 {
        findings.fault(path, "none of them, or several", CLAIM);
    }
    found.into_iter().flatten().next()
}

fn header(own: &Members) -> Option<PushedClaim> {
    let At { path, value } = own.string("header")?;
    let fault = |allowed: &str| own.findings().fault(&path, quote(&value), allowed);
    let Some(name) = header_name(&value) else {
        fault("a header's name");
        return None;
    };
    if CREDENTIALS.contains(&name.as_str()) {
        fault("a header that holds no credentials");
    }
    Some(PushedClaim::Header(name))
}

fn query(own: &Members) -> Option<PushedClaim> {
    let At { path, value } = own.string("query")?;
    if value.contains(['&', '=', '#', '?', '%']) || value.chars().any(char::is_control) {
        let allowed = "a parameter's name, decoded";
        own.findings().fault(&path, quote(&value), allowed);
    }
    Some(PushedClaim::Query(value))
}

fn constant(own: &Members) -> Option<PushedClaim> {
    let texts = own.strings("value")?;
    if texts.is_empty() {
        own.fault("value", "an empty list", "a text, or a list of texts");
    }
    let texts = texts.into_iter().map(|text| text.value);
    Some(PushedClaim::Value(texts.collect()))
}

fn fact(own: &Members) -> Option<PushedClaim> {
    let words = [("method", true), ("path", false)];
    let is_method = own.choice("from", &words)?;
    Some(if is_method {
        PushedClaim::Method
    } else {
        PushedClaim::Path
    })
}

fn is_by_path(template: &PermissionTemplate) -> bool {
    matches!(
        template,
        PermissionTemplate::Path { .. } | PermissionTemplate::PathAndMethod
    )
}

fn is_by_method(template: &PermissionTemplate) -> bool {
    matches!(
        template,
        PermissionTemplate::MethodAsScope { .. } | PermissionTemplate::PathAndMethod
    )
}

fn warn_of_method_scopes(own: &Members, rules: &AuthorizationRules) {
    let is_here = own.states(&["method_scopes"]) && own.states(&["permissions"]);
    if is_here && rules.method_scopes.is_some() && !rules.permissions.iter().any(is_by_method) {
        let text = "no effect: no permission has {method}";
        own.findings()
            .warning(&format!("{}.method_scopes", own.path), text);
    }
}

fn check_decision(own: &Members, rules: &AuthorizationRules, askable: &Askable) {
    let asks = rules.decision != DecidedBy::Rpt;
    let reads_token = rules.decision != DecidedBy::Remote;
    if !asks && rules.permissions.iter().any(is_by_path) {
        let allowed = "remote: a token names its resources, and not their paths";
        own.fault("decision", "rpt, and a permission with {path}", allowed);
    }
    if reads_token && !rules.claims.is_empty() {
        let found = "claims, and a decision by the token, which may have come by its permissions with \
            other claims";
        own.fault("claims", found, "none; or decision: remote");
    }
    if rules.uma_challenge && !rules.claims.is_empty() {
        let found = "claims, and uma_challenge, whose tickets do not have them";
        own.fault("claims", found, "none; or no uma_challenge");
    }
    if reads_token && !askable.has_audiences {
        let found = "the token's own permissions, and no allowed_aud";
        own.fault("decision", found, NEEDS_AUDIENCE);
    }
    if !asks && !askable.is_local {
        own.fault(
            "decision",
            "rpt, where tokens are not verified here",
            NEEDS_LOCAL,
        );
    }
    let has_clients = askable.clients.iter().all(Option::is_some);
    if asks && rules.resource_server.is_none() && !has_clients {
        let found = "no resource_server, and no client of the gateway's";
        let allowed =
            "the id of the client whose resources they are; or a client beside the issuer";
        own.fault("resource_server", found, allowed);
    }
    if asks && !rules.claims.is_empty() && !has_clients {
        let found = "claims, and no client of the gateway's";
        own.fault(
            "claims",
            found,
            "a client beside the issuer, as which the gateway tells them",
        );
    }
    if asks && let Some(iss) = askable.without_token_endpoint.first() {
        own.fault("permissions", unknown("token_endpoint", iss), STATED);
    }
}

/// Why a token's own permissions need an audience: any client of the realm can have tokens with
/// permissions, of other resource servers.
pub const NEEDS_AUDIENCE: &str =
    "allowed_aud, with the client whose resources they are: a token's permissions are for its aud";

/// Why they need a signature: what introspection says has no permissions.
pub const NEEDS_LOCAL: &str = "keys, and introspection that is not always: only a token that is \
    verified here has permissions of its own";

const STATED: &str = "its address, beside the issuer";

fn unknown(endpoint: &str, iss: &str) -> String {
    format!("an issuer whose {endpoint} is not known, {}", quote(iss))
}

fn check_challenge(own: &Members, rules: &AuthorizationRules, askable: &Askable) {
    let fault = |found: &str, allowed: &str| own.fault("uma_challenge", found, allowed);
    let names_resource = |template: &PermissionTemplate| match template {
        PermissionTemplate::Fixed(permission) => permission.resource.is_some(),
        PermissionTemplate::MethodAsScope { resource } => resource.is_some(),
        PermissionTemplate::Path { .. } | PermissionTemplate::PathAndMethod => false,
    };
    if !rules.permissions.iter().all(names_resource) {
        let allowed = "permissions that name a resource each, and no {path}";
        fault("a ticket for permissions that name no resource", allowed);
    }
    let [client] = askable.clients.as_slice() else {
        let allowed = "one issuer in this policy's allowed_iss: the answer names one";
        return fault("a ticket, and several issuers", allowed);
    };
    match (client, &rules.resource_server) {
        (None, _) => {
            let allowed = "the resource server's client beside the issuer";
            fault("a ticket, and no client that could get it", allowed);
        }
        (Some(client), Some(server)) if client != server => {
            let allowed = "none, or the client's own id: Keycloak gives tickets to the resource \
                server alone";
            own.fault(
                "resource_server",
                "another client, and uma_challenge",
                allowed,
            );
        }
        _ => {}
    }
    if let Some(iss) = askable.without_token_endpoint.first() {
        fault(&unknown("token_endpoint", iss), STATED);
    }
    if let Some(iss) = askable.without_permission_endpoint.first() {
        fault(&unknown("permission_endpoint", iss), STATED);
    }
}
