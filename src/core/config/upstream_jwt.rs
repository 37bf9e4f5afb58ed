//! Reads `upstream_jwt`: the JWT that the gateway signs for the upstream. The names of Kong's
//! upstream-jwt, and of its fork kong-upstream-jwt-extended, are taken as they stand there.

use std::rc::Rc;

use serde_json::{Value, json};

use super::reader::{At, Members, describe, join, quote};
use super::requirement::{branch, path_of};
use super::signing_keys;
use crate::abilities::Abilities;
use crate::authorization::claim_shape::ClaimPath;
use crate::jose::algorithm::Family;
use crate::time::Millis;
use crate::upstream_jwt::claims::{Audience, Claims, Fact, Source};
use crate::upstream_jwt::key_set::KeySet;
use crate::upstream_jwt::signing_keys::SigningKeys;
use crate::upstream_jwt::{BodyLimits, UpstreamJwt};

/// upstream-jwt's.
const HEADER: &str = "jwt";
const LIFETIME: Millis = Millis::from_secs(60);
/// Envoy's own limit, unless it is told another.
const MAX_BODY_BYTES: usize = 1024 * 1024;
const BODY_WAIT: Millis = Millis::from_secs(30);
const JWKS_MAX_AGE: Millis = Millis::from_secs(300);

/// Claims that other fields speak of, or nobody may set.
const RESERVED: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "anonymous"];

const SOURCE: &str = "a claim's path, an object with claim, value or from, an object of such, or \
    false";

/// What a policy signs, and where its keys are published.
#[derive(Clone, Debug)]
pub struct Read {
    pub jwt: UpstreamJwt,
    pub published: Option<(KeySetPlace, Rc<SigningKeys>)>,
}

/// Where a key set is published.
#[derive(Clone, Debug)]
pub struct KeySetPlace {
    pub path: String,
    pub max_age: Millis,
    /// Where the configuration says so.
    pub at: String,
}

/// Reads it; `None` if there is none. `base` is what the top's own policy has: its keys are the same
/// unless others are stated.
#[must_use]
pub fn read(members: &Members, base: Option<&Read>, abilities: Abilities) -> Option<Read> {
    let members = members.layered_object("upstream_jwt")?;
    let keys = signing_keys::read(&members, base.map(|base| &base.jwt.keys));
    let issuer = members.string("issuer");
    if issuer.is_none() && members.get("issuer").is_none() {
        members.fault(
            "issuer",
            "no issuer",
            "the gateway's name, for the claim iss",
        );
    }
    let with_scheme = members.boolean("include_credential_type");
    let with_scheme = with_scheme.or(members.boolean("include_bearer"));
    if members.boolean("iat") == Some(false) {
        let text = "ignored: iat is always there, and with it the age of a JWT is known";
        members
            .findings()
            .warning(&format!("{}.iat", members.path), text);
    }
    refuse_entities(&members);
    let claims = Claims {
        issuer: issuer.map(|issuer| issuer.value).unwrap_or_default(),
        audience: audience(&members),
        with_jti: members.boolean("jti").unwrap_or(true),
        members: claims(&members),
    };
    let is_reusable = members.boolean("reuse").unwrap_or(true) && !claims.depend_on_request();
    let header = header(&members).unwrap_or_else(|| HEADER.to_owned());
    let lifetime = members.seconds("exp", 1.0..=86_400.0).unwrap_or(LIFETIME);
    let body = BodyLimits {
        bytes: members
            .bytes("max_body_size", 1.0..=67_108_864.0)
            .unwrap_or(MAX_BODY_BYTES),
        wait: members
            .seconds("body_timeout", 1.0..=600.0)
            .unwrap_or(BODY_WAIT),
    };
    let place = place(&members, keys.as_ref());
    members.finish();
    let jwt = UpstreamJwt {
        header: header.into(),
        with_scheme: with_scheme.unwrap_or(false),
        claims,
        lifetime,
        is_reusable,
        body,
        keys: keys.clone()?,
    };
    warn(&members, &jwt, abilities);
    let published = place.zip(keys);
    Some(Read { jwt, published })
}

fn header(members: &Members) -> Option<String> {
    let At { path, value } = members.string("header")?;
    // Where the caller's own token was.
    if value.eq_ignore_ascii_case("authorization") {
        return Some(value.to_ascii_lowercase());
    }
    super::caller::header_name(members, &path, &value)
}

/// `true` is upstream-jwt's: the service.
fn audience(members: &Members) -> Audience {
    let Some(At { path, value }) = members.get("aud") else {
        return Audience::Service;
    };
    let fault = |path: &str, found: &Value| {
        let allowed = "true, false, a text, a list of texts, or an object with from: service or \
            route";
        members.findings().fault(path, describe(found), allowed);
        Audience::None
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match value {
        Value::Bool(true) => Audience::Service,
        Value::Bool(false) => Audience::None,
        Value::Array(list) if !list.is_empty() && list.iter().all(is_text) => {
            Audience::Fixed(value.clone())
        }
        text if is_text(text) => Audience::Fixed(text.clone()),
        // Kong's empty list is an empty object.
        Value::Object(object) if !object.is_empty() => {
            let Some(own) = Members::open(&path, value, members.findings()) else {
                return Audience::None;
            };
            let is_route = own.choice("from", &[("service", false), ("route", true)]);
            if own.get("from").is_none() {
                own.fault("from", "nothing", "service or route");
            }
            own.finish();
            match is_route {
                Some(false) => Audience::Service,
                Some(true) => Audience::Route,
                None => Audience::None,
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, other) in list.iter().enumerate().filter(|(_, value)| !is_text(value)) {
                fault(&format!("{path}[{index}]"), other);
            }
            Audience::None
        }
        other => fault(&path, other),
    }
}

/// What is said by default, and what the configuration says instead or besides.
fn claims(members: &Members) -> Vec<(String, Source)> {
    let own_claim = |name| Source::Claim {
        path: ClaimPath::dotted(name),
        only: None,
    };
    let mut claims = vec![
        ("sub", own_claim("sub")),
        ("sub_id", Source::Fact(Fact::SubjectId)),
        ("client_id", Source::Fact(Fact::ClientId)),
        ("consumerid", Source::Fact(Fact::ConsumerId)),
        ("consumername", Source::Fact(Fact::ConsumerUsername)),
    ];
    match body_hash(members) {
        Some(Fact::ContentDigest) => {
            claims.push(("content_digest", Source::Fact(Fact::ContentDigest)));
        }
        Some(fact) => claims.push(("payloadhash", Source::Fact(fact))),
        None => {}
    }
    if members.boolean("query_hash") == Some(true) {
        claims.push(("queryhash", Source::Fact(Fact::QuerySha256)));
    }
    let mut claims: Vec<_> = claims
        .into_iter()
        .map(|(name, source)| (name.to_owned(), source))
        .collect();
    let stated = members.named_values("claims").unwrap_or_default();
    for (name, At { path, value }) in stated {
        if RESERVED.contains(&name.as_str()) {
            let allowed = "a claim other than iss, aud, exp, nbf, iat, jti and anonymous, of which \
                other fields speak";
            members.findings().fault(&path, quote(&name), allowed);
            continue;
        }
        // Whose `sub` it is says nothing of another.
        claims.retain(|(other, _)| *other != name && !(name == "sub" && other == "sub_id"));
        if *value != Value::Bool(false)
            && let Some(source) = source(members, &path, value)
        {
            claims.push((name, source));
        }
    }
    claims
}

fn body_hash(members: &Members) -> Option<Fact> {
    let At { path, value } = members.get("body_hash")?;
    match value {
        Value::Bool(false) => None,
        Value::Bool(true) => Some(Fact::BodySha256),
        Value::String(text) if text == "hex" => Some(Fact::BodySha256),
        Value::String(text) if text == "content-digest" => Some(Fact::ContentDigest),
        other => {
            let allowed = "true, false, hex or content-digest";
            members.findings().fault(&path, describe(other), allowed);
            None
        }
    }
}

/// Where a claim comes from.
fn source(members: &Members, path: &str, value: &Value) -> Option<Source> {
    let findings = members.findings();
    if let Some(path) = path_of(value) {
        return Some(Source::Claim { path, only: None });
    }
    let Some(object) = value.as_object().filter(|object| !object.is_empty()) else {
        findings.fault(path, describe(value), SOURCE);
        return None;
    };
    if !["claim", "value", "from"]
        .iter()
        .any(|name| object.contains_key(*name))
    {
        let members = object.iter().filter_map(|(name, value)| {
            let path = join(path, name);
            Some((name.clone(), source(members, &path, value)?))
        });
        return Some(Source::Object(members.collect()));
    }
    let own = Members::open(path, value, findings)?;
    let claim = super::requirement::claim_path(&own, "claim");
    let only = own.parsed("only", "a value, or X/* for all below X/", branch);
    let from = own.choice("from", &Fact::NAMED).map(Source::Fact);
    let constant = object.get("value").filter(|value| !value.is_null());
    let stated = [object.get("claim"), object.get("value"), object.get("from")];
    let several = stated.into_iter().flatten().count() > 1;
    if several || (only.is_some() && object.get("claim").is_none()) {
        findings.fault(
            path,
            "several of claim, value and from, or only without claim",
            SOURCE,
        );
    }
    let _ = own.get("value");
    own.finish();
    claim
        .map(|path| Source::Claim { path, only })
        .or(from)
        .or_else(|| constant.map(|value| Source::Constant(value.clone())))
}

/// The fork's lists of what Kong's entities hold: a filter does not see the entities.
fn refuse_entities(members: &Members) {
    for name in ["consumer", "credential", "credentials", "service", "route"] {
        let allowed = "none; claims says what is told, such as {\"kong\": {\"consumer\": \
            {\"username\": {\"from\": \"consumer_username\"}}}}";
        members.refuse(name, "a list of an entity's fields", allowed);
    }
}

fn place(members: &Members, keys: Option<&Rc<SigningKeys>>) -> Option<KeySetPlace> {
    let max_age = members.seconds("jwks_max_age", 0.0..=86_400.0);
    let At { path: at, value } = members.string("jwks_path")?;
    let good = value.starts_with('/')
        && value.bytes().all(|byte| byte.is_ascii_graphic())
        && !value.contains(['?', '#']);
    if !good {
        let allowed = "a path that begins with /, as it stands in a request, without a query";
        members.findings().fault(&at, quote(&value), allowed);
    }
    if keys.is_some_and(|keys| keys.published().next().is_none()) {
        if members.states(&["jwks_path"]) {
            let allowed = "none beside keys that are all secrets: they are not published";
            members.findings().fault(&at, quote(&value), allowed);
        }
        return None;
    }
    Some(KeySetPlace {
        path: value,
        max_age: max_age.unwrap_or(JWKS_MAX_AGE),
        at,
    })
}

fn warn(members: &Members, jwt: &UpstreamJwt, abilities: Abilities) {
    let findings = members.findings();
    let family = jwt.keys.first().alg().family();
    let is_helped = family == Family::RsaPkcs1 && abilities.signs;
    if matches!(family, Family::RsaPkcs1 | Family::RsaPss) && !is_helped {
        let text = "an RSA key signs in WebAssembly, which is slow; ES256 and EdDSA are not";
        findings.warning(&members.path, text);
    }
    if family == Family::Hmac {
        let text = "signed with a secret: whoever verifies it can sign as well";
        findings.warning(&members.path, text);
    }
    if members.get("private_key_location").is_some() && members.get("body_hash").is_none() {
        let text = "upstream-jwt always sends payloadhash; here body_hash: true asks for it";
        findings.warning(&members.path, text);
    }
}

/// The documents at the paths that policies name: of one path, the keys of all that name it.
#[must_use]
pub fn key_sets(
    members: &Members,
    published: &[(KeySetPlace, Rc<SigningKeys>)],
) -> Vec<Rc<KeySet>> {
    let mut sets: Vec<(&KeySetPlace, Vec<Value>)> = Vec::new();
    for (place, keys) in published {
        let known = sets.iter_mut().find(|(other, _)| other.path == place.path);
        let all = match known {
            Some((_, all)) => all,
            None => {
                sets.push((place, Vec::new()));
                let Some((_, all)) = sets.last_mut() else {
                    continue;
                };
                all
            }
        };
        for key in keys.published() {
            let same_kid = |other: &&Value| other.get("kid") == key.get("kid");
            match all.iter().find(same_kid) {
                None => all.push(key),
                Some(other) if *other == key => {}
                Some(_) => {
                    let found = format!(
                        "two keys with the kid {}",
                        key.get("kid").unwrap_or(&json!(null))
                    );
                    let allowed = "each kid once among the keys published at one path";
                    members.findings().fault(&place.at, found, allowed);
                }
            }
        }
    }
    let set = |(place, keys): (&KeySetPlace, Vec<Value>)| {
        Rc::new(KeySet::new(place.path.clone(), &keys, place.max_age))
    };
    sets.into_iter().map(set).collect()
}
