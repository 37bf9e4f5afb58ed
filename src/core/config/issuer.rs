//! An issuer: its name, where its keys come from, and what may differ for it.

use std::rc::Rc;

use super::reader::{At, Members, quote};
use super::{client, endpoints, keys, requirement};
use crate::authorization::requirement::Requirement;
use crate::inquiry::client::Client;
use crate::jose::jwk_set::JwkSet;
pub use crate::keys::discovery::Endpoints;
use crate::keys::source::{HttpUrl, KeySource, Location, well_known_uri};
use crate::metrics::NONE;

/// The default of `well_known_template`, as in jwt-keycloak (OpenID Connect Discovery 1.0, 4).
pub const WELL_KNOWN_TEMPLATE: &str = "%s/.well-known/openid-configuration";

/// What a name must be for its keys to be found by it.
const DISCOVERABLE: &str = "an issuer from which well_known_template makes an http or https URL; \
    another one stands in issuers, with its jwks_uri, well_known_uri or introspection_endpoint";

/// An issuer whose tokens may be accepted.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Compared with the claim `iss` exactly (RFC 7519, 4.1.1; RFC 8725, 3.8).
    pub iss: String,
    /// In metrics and logs: letters, digits and underscores; each issuer its own.
    pub label: String,
    /// Where its keys are fetched from, if they are.
    pub source: Option<KeySource>,
    /// Keys that were configured.
    pub keys: JwkSet,
    /// Whether some of them are secrets.
    pub has_secrets: bool,
    /// What its tokens must bring, beside what the policy requires.
    pub requirement: Requirement,
    /// As whom the gateway asks it about tokens.
    pub client: Option<Rc<Client>>,
    /// Addresses that were stated; others are in its discovery document.
    pub endpoints: Endpoints,
    /// Where callouts to it go, where that is not the URL's authority.
    pub callout_target: Option<String>,
}

impl Issuer {
    /// Whether there is a document that says where it is asked about tokens.
    #[must_use]
    pub fn is_discovered(&self) -> bool {
        let source = self.source.as_ref();
        source.is_some_and(|source| matches!(source.location, Location::Discovery(_)))
    }

    /// Whether any token of it can be verified here.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        let is_without = self.source.is_none() && self.keys.is_empty();
        // Whoever states no introspection endpoint has stated keys, which may be faulty.
        !is_without || self.endpoints.introspection.is_none()
    }
}

/// What issuers inherit from the top of the configuration.
#[derive(Clone, Debug)]
pub struct IssuerDefaults {
    pub well_known_template: String,
    pub callout_target: Option<String>,
}

impl IssuerDefaults {
    #[must_use]
    pub fn read(members: &Members) -> Self {
        let template = members.string("well_known_template");
        if let Some(At { path, value }) = &template {
            let places = value.matches("%s").count();
            if places > 1 || value.replace("%s", "").contains('%') {
                members.findings().fault(
                    path,
                    quote(value),
                    "a URL with %s once at most, for the issuer, and no other %",
                );
            }
        }
        Self {
            well_known_template: template
                .map_or_else(|| WELL_KNOWN_TEMPLATE.to_owned(), |template| template.value),
            callout_target: members.string("callout_target").map(|target| target.value),
        }
    }
}

/// Reads `allowed_iss` and `issuers`, each with its own members: a name alone is the short form of
/// an issuer.
#[must_use]
pub fn read_all<'a>(
    members: &Members<'a>,
    defaults: &IssuerDefaults,
    nothing: &Members<'a>,
) -> Vec<(Issuer, Members<'a>)> {
    let findings = members.findings();
    let mut issuers: Vec<(Issuer, Members)> = Vec::new();
    let mut add = |path: &str, mut issuer: Issuer, own: Members<'a>| {
        if issuers.iter().any(|(other, _)| other.iss == issuer.iss) {
            findings.fault(
                path,
                format!("{} again", quote(&issuer.iss)),
                "each issuer once, in allowed_iss or in issuers",
            );
        } else {
            let taken = |label: &str| issuers.iter().any(|(other, _)| other.label == label);
            if taken(&issuer.label) {
                let numbered = (2..).map(|number| format!("{}_{number}", issuer.label));
                let free = numbered
                    .take(issuers.len().saturating_add(1))
                    .find(|label| !taken(label));
                issuer.label = free.unwrap_or_default();
            }
            issuers.push((issuer, own));
        }
    };
    for At { path, value: iss } in members.strings("allowed_iss").unwrap_or_default() {
        warn_of_pattern(members, &path, &iss);
        match discovered(&iss, defaults) {
            Some(source) => add(
                &path,
                Issuer {
                    label: label(&iss),
                    iss,
                    source: Some(source),
                    keys: JwkSet::of(Vec::new()),
                    has_secrets: false,
                    requirement: Requirement::default(),
                    client: None,
                    endpoints: Endpoints::default(),
                    callout_target: defaults.callout_target.clone(),
                },
                nothing.clone(),
            ),
            None => findings.fault(&path, quote(&iss), DISCOVERABLE),
        }
    }
    for own in members.objects("issuers") {
        if let Some(issuer) = read_one(&own, defaults) {
            let path = own.path.clone();
            add(&path, issuer, own);
        }
    }
    issuers
}

fn read_one(members: &Members, defaults: &IssuerDefaults) -> Option<Issuer> {
    let iss = members.string("iss");
    if iss.is_none() {
        members.fault(
            "iss",
            "nothing that names the issuer",
            "the value of the claim iss",
        );
    }
    let name = name(members);
    let well_known = url(members, "well_known_uri");
    let jwks = url(members, "jwks_uri");
    let target = members.string("callout_target").map(|target| target.value);
    let target = target.or_else(|| defaults.callout_target.clone());
    let callout_target = target.clone();
    let requirement = requirement::read(members);
    let keys = keys::read(members);
    let client = client::read(members);
    let endpoints = endpoints::read(members);
    let source = match (well_known, jwks) {
        (Some(_), Some(_)) => {
            members.fault("jwks_uri", "well_known_uri and jwks_uri", "one of them");
            None
        }
        // Configured keys stand instead of fetched ones, or beside them where an address is given.
        (None, None) if keys.is_some() => None,
        (Some(url), None) => Some(KeySource {
            location: Location::Discovery(url),
            target,
            own_address: false,
        }),
        (None, Some(url)) => Some(KeySource {
            location: Location::JwkSet(url),
            target,
            own_address: false,
        }),
        (None, None) => iss.as_ref().and_then(|At { path, value }| {
            let found = discovered(
                value,
                &IssuerDefaults {
                    callout_target: target,
                    ..defaults.clone()
                },
            );
            // Without keys all its tokens have to be shown to it.
            if found.is_none() && endpoints.introspection.is_none() {
                members.findings().fault(path, quote(value), DISCOVERABLE);
            }
            found
        }),
    };
    if let Some(At { path, value }) = &iss {
        warn_of_pattern(members, path, value);
    }
    let iss = iss?.value;
    if source.is_none() && keys.is_none() && endpoints.introspection.is_none() {
        return None;
    }
    Some(Issuer {
        label: name.unwrap_or_else(|| label(&iss)),
        iss,
        source,
        has_secrets: keys.as_ref().is_some_and(|keys| keys.has_secrets),
        keys: keys.map_or_else(|| JwkSet::of(Vec::new()), |keys| keys.keys),
        requirement,
        client,
        endpoints,
        callout_target,
    })
}

fn name(members: &Members) -> Option<String> {
    let At { path, value } = members.string("name")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    // What stands for no issuer cannot be one.
    if !value.bytes().all(plain) || value == NONE {
        let allowed = "lower-case letters, digits and underscores, and not none";
        members.findings().fault(&path, quote(&value), allowed);
    }
    Some(value)
}

/// A name's last part, Keycloak's realm, as metrics can hold it.
fn label(iss: &str) -> String {
    let last = iss.trim_end_matches('/').rsplit('/').next().unwrap_or(iss);
    let mut label = String::new();
    for c in last.chars() {
        if c.is_ascii_alphanumeric() {
            label.push(c.to_ascii_lowercase());
        } else if !label.ends_with('_') {
            label.push('_');
        }
    }
    let label = label.trim_matches('_');
    if label.is_empty() || label == NONE {
        "issuer".to_owned()
    } else {
        label.to_owned()
    }
}

fn discovered(iss: &str, defaults: &IssuerDefaults) -> Option<KeySource> {
    let uri = well_known_uri(&defaults.well_known_template, iss);
    Some(KeySource {
        location: Location::Discovery(HttpUrl::parse(&uri)?),
        target: defaults.callout_target.clone(),
        own_address: defaults.well_known_template.starts_with("%s"),
    })
}

pub(super) fn url(members: &Members, name: &'static str) -> Option<HttpUrl> {
    let At { path, value } = members.string(name)?;
    let url = HttpUrl::parse(&value);
    if url.is_none() {
        members.findings().fault(
            &path,
            quote(&value),
            "an http or https URL without user information",
        );
    }
    url
}

/// Up to 1.8.0 jwt-keycloak took Lua patterns here, unanchored; some configurations still do.
fn warn_of_pattern(members: &Members, path: &str, iss: &str) {
    if iss.contains(['*', '^', '$', '%', '[', ' ']) {
        members
            .findings()
            .warning(path, "looks like a pattern; issuers are compared exactly");
    }
}
