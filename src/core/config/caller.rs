//! Reads what the upstream is told of the caller: consumers, claims in headers and properties.

use std::rc::Rc;

use super::reader::{At, Members, describe, quote};
use super::requirement::{claim_path, path_of};
use crate::authorization::claim_shape::ClaimPath;
use crate::caller::consumers::{Consumer, Consumers};
use crate::caller::told_claim::{Format, ToldClaim, header_value};
use crate::caller::{CONSUMER_HEADERS, CallerRules, Matching, is_same};
use crate::upstream_jwt::UpstreamJwt;

/// Headers that belong to the message or its transport, or hold credentials (RFC 9110, 7.6.1).
const NOT_TO_BE_SET: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reads `consumers`.
#[must_use]
pub fn consumers(members: &Members) -> Consumers {
    let mut consumers = Consumers::default();
    for members in members.objects("consumers") {
        let text = |name| {
            let At { path, value } = members.string(name)?;
            told_text(&members, &path, value)
        };
        let tags = members.strings("tags").unwrap_or_default();
        let tags = tags.into_iter().filter_map(|At { path, value }| {
            if value.contains(',') {
                members
                    .findings()
                    .fault(&path, quote(&value), "a tag without commas");
            }
            told_text(&members, &path, value)
        });
        let consumer = Consumer {
            id: text("id"),
            username: text("username"),
            custom_id: text("custom_id"),
            tags: tags.collect(),
        };
        let is_named =
            consumer.id.is_some() || consumer.username.is_some() || consumer.custom_id.is_some();
        if !is_named {
            let found = "a consumer without a name";
            let allowed = "at least one of id, username, custom_id";
            members.findings().fault(&members.path, found, allowed);
        } else if let Err(field) = consumers.add(consumer) {
            let found = "another consumer's name";
            members.fault(field, found, "names of one consumer each");
        }
        members.finish();
    }
    consumers
}

/// Reads what a policy tells.
#[must_use]
pub fn read(members: &Members, consumers: &Consumers, jwt: Option<&UpstreamJwt>) -> CallerRules {
    let from_token = members.boolean("consumer_from_token").unwrap_or(false);
    let consumer_match = members.boolean("consumer_match").unwrap_or(false);
    let ignore_not_found = members.boolean("consumer_match_ignore_not_found");
    let matching = Matching {
        claim: claim_path(members, "consumer_match_claim")
            .unwrap_or_else(|| ClaimPath::dotted("azp")),
        by_custom_id: members
            .boolean("consumer_match_claim_custom_id")
            .unwrap_or(false),
        is_required: consumer_match && !ignore_not_found.unwrap_or(false),
        from_token,
    };
    let keep_consumer_headers = members.boolean("keep_consumer_headers").unwrap_or(false);
    let anonymous = members.string("anonymous");
    if keep_consumer_headers && (consumer_match || from_token || anonymous.is_some()) {
        let found = "true, and a consumer that sets them";
        let allowed = "no consumer_match, consumer_from_token and anonymous beside it";
        members.fault("keep_consumer_headers", found, allowed);
    }
    if consumer_match && consumers.is_empty() && !from_token {
        let text = "there is no consumer to match: this filter cannot see Kong's database. List \
            them in consumers, or let consumer_from_token call them by their claim";
        members
            .findings()
            .warning(&format!("{}.consumer_match", members.path), text);
    }
    let rules = CallerRules {
        matching: (consumer_match || from_token).then_some(matching),
        anonymous: anonymous.map(|anonymous| anonymous_consumer(members, anonymous, consumers)),
        keep_consumer_headers,
        headers: told_claims(members, "claims_to_headers", header_name),
        properties: told_claims(members, "claims_to_properties", property_name),
        report_header: report_header(members),
        jwt_header: jwt.map(|jwt| jwt.header.clone()),
    };
    check_headers(members, &rules);
    rules
}

fn anonymous_consumer(
    members: &Members,
    At { path, value: name }: At<String>,
    consumers: &Consumers,
) -> Rc<Consumer> {
    if let Some(consumer) = consumers.find(&name) {
        return Rc::clone(consumer);
    }
    let text = "not one of consumers, and this filter cannot see Kong's database; the upstream is \
        told this name as it stands";
    members.findings().warning(&path, text);
    let mut consumer = Consumer::default();
    let name = told_text(members, &path, name);
    // Kong's ids are UUIDs (RFC 9562, 4).
    if name.as_deref().is_some_and(is_uuid) {
        consumer.id = name;
    } else {
        consumer.username = name;
    }
    Rc::new(consumer)
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let digits = |c: char| c.is_ascii_hexdigit() || c == '-';
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(digits)
}

fn told_claims(
    members: &Members,
    name: &'static str,
    read_name: fn(&Members, &str, &str) -> Option<String>,
) -> Vec<ToldClaim> {
    let named = members.named_values(name).unwrap_or_default();
    let told = named.into_iter().filter_map(|(name, At { path, value })| {
        let name = read_name(members, &path, &name);
        let plain = Format::Text {
            separator: ",".to_owned(),
        };
        if let Some(claim) = path_of(value) {
            return Some(ToldClaim {
                name: name?.into(),
                claim,
                format: plain,
                base64: false,
            });
        }
        if !value.is_object() {
            let allowed = "a claim's path, or an object with claim, format, separator, base64";
            members.findings().fault(&path, describe(value), allowed);
            return None;
        }
        let members = Members::open(&path, value, members.findings())?;
        let claim = claim_path(&members, "claim");
        if members.get("claim").is_none() {
            members.fault("claim", "no claim", "the path of the claim");
        }
        let separator = members.string("separator");
        let is_json = members.choice("format", &[("text", false), ("json", true)]);
        if let Some(At { path, value }) = &separator
            && (is_json == Some(true) || header_value(value).is_none())
        {
            let allowed = "a text without controls, for the format text";
            members.findings().fault(path, quote(value), allowed);
        }
        let base64 = members.boolean("base64").unwrap_or(false);
        members.finish();
        let format = match (is_json, separator) {
            (Some(true), _) => Format::Json,
            (
                _,
                Some(At {
                    value: separator, ..
                }),
            ) => Format::Text { separator },
            (_, None) => plain,
        };
        Some(ToldClaim {
            name: name?.into(),
            claim: claim?,
            format,
            base64,
        })
    });
    told.collect()
}

pub(super) fn header_name(members: &Members, path: &str, name: &str) -> Option<String> {
    let lower =
        super::sources::header_name(name).filter(|name| !NOT_TO_BE_SET.contains(&name.as_str()));
    if lower.is_none() {
        let allowed = "the name of a header that is not the message's own";
        members.findings().fault(path, quote(name), allowed);
    }
    lower
}

fn property_name(members: &Members, path: &str, name: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let good = !name.is_empty() && name.bytes().all(plain);
    if !good {
        let allowed = "a name of lower-case letters, digits and _";
        members.findings().fault(path, quote(name), allowed);
    }
    good.then(|| name.to_owned())
}

fn report_header(members: &Members) -> Option<String> {
    let At { path, value } = members.string("report_only_header")?;
    header_name(members, &path, &value)
}

/// No two headers that an upstream may take for one.
fn check_headers(members: &Members, rules: &CallerRules) {
    let mut seen: Vec<&str> = Vec::new();
    if !rules.keep_consumer_headers {
        seen.extend(CONSUMER_HEADERS);
    }
    let names = rules
        .headers
        .iter()
        .map(|told| ("claims_to_headers", &*told.name));
    let report = rules
        .report_header
        .iter()
        .map(|name| ("report_only_header", name.as_str()));
    let jwt = rules
        .jwt_header
        .iter()
        .map(|name| ("upstream_jwt.header", &**name));
    for (field, name) in names.chain(report).chain(jwt) {
        if seen.iter().any(|other| is_same(other, name.as_bytes())) {
            let found = format!("{}, which is set for something else", quote(name));
            let allowed = "each header once, and none of the consumer's";
            match field.split_once('.') {
                Some((object, field)) => {
                    let path = format!("{}.{object}.{field}", members.path);
                    members.findings().fault(&path, found, allowed);
                }
                None => members.fault(field, found, allowed),
            }
        }
        seen.push(name);
    }
}

/// A text that can stand in a header.
fn told_text(members: &Members, path: &str, text: String) -> Option<String> {
    let good = header_value(&text).is_some();
    if !good {
        members
            .findings()
            .fault(path, quote(&text), "a text without controls");
    }
    good.then_some(text)
}
