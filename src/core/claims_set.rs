//! A JWT Claims Set (RFC 7519, 4): checked whole when it arrives, read member by member when a rule
//! asks.
//!
//! A token has thirty claims of which rules read a handful. To find that a text is JSON with one
//! meaning takes no memory; to build all of its values takes more time than all the rest but the
//! signature.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::json::{self, Check, JsonError, Limits, Name, Names};

/// A JSON object whose members are parsed when they are first asked for.
#[derive(Clone, Debug, Default)]
pub struct ClaimsSet {
    /// The whole document, or the names alone where the values have been parsed.
    text: String,
    members: Vec<Member>,
    depth: usize,
}

#[derive(Clone, Debug)]
struct Member {
    /// Where its name and its value stand in the text.
    name: Range<u32>,
    at: Range<u32>,
    value: OnceCell<Box<Value>>,
}

impl ClaimsSet {
    /// Checks a document: one JSON object within the limits, no member twice at any depth.
    ///
    /// # Errors
    /// [`JsonError`], as [`json::parse_object`].
    pub fn parse(text: Vec<u8>, limits: Limits) -> Result<Self, JsonError> {
        if text.len() > limits.bytes {
            return Err(JsonError::TooLarge);
        }
        let malformed = |why: &dyn fmt::Display| JsonError::Malformed(why.to_string());
        let text = String::from_utf8(text).map_err(|_| malformed(&"not UTF-8"))?;
        let mut source = serde_json::Deserializer::from_str(&text);
        let names = source
            .deserialize_map(Checked(Check {
                depth_left: limits.depth,
            }))
            .and_then(|names| source.end().map(|()| names))
            .map_err(|error| malformed(&error))?;
        match members(&text, &names) {
            Some(members) => Ok(Self {
                members,
                depth: limits.depth,
                text,
            }),
            // Names that are written with escapes.
            None => json::parse_object(text.as_bytes(), limits).map(Self::from),
        }
    }

    /// A claim's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut members = self.members.iter();
        let length = u32::try_from(name.len()).ok()?;
        let member = members.find(|member| {
            member.name.end.wrapping_sub(member.name.start) == length
                && self.part(&member.name) == name
        })?;
        Some(self.value(member))
    }

    /// What it takes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let members = self.members.len().saturating_mul(size_of::<Member>());
        let read = self.members.iter().filter_map(|member| member.value.get());
        let read: usize = read.map(|value| json::bytes_of(value)).sum();
        self.text.len().saturating_add(members).saturating_add(read)
    }

    /// All members, parsed.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        let members = self.members.iter();
        members
            .map(|member| {
                let name = self.part(&member.name).to_owned();
                (name, self.value(member).clone())
            })
            .collect()
    }

    /// For tests of those that read claims.
    #[cfg(test)]
    pub(crate) fn of(claims: &Value) -> Self {
        claims.as_object().unwrap().clone().into()
    }

    fn part(&self, at: &Range<u32>) -> &str {
        let long = |index: u32| usize::try_from(index).unwrap_or_default();
        self.text
            .get(long(at.start)..long(at.end))
            .unwrap_or_default()
    }

    fn value<'a>(&'a self, member: &'a Member) -> &'a Value {
        member.value.get_or_init(|| {
            let text = self.part(&member.at);
            // It was checked: it cannot fail. If it did, the claim would be of no use to anybody.
            let parse = || json::parse_part(text, self.depth).unwrap_or_default();
            Box::new(plain(text).unwrap_or_else(parse))
        })
    }
}

impl From<Map<String, Value>> for ClaimsSet {
    fn from(members: Map<String, Value>) -> Self {
        let mut text = String::new();
        let members = members.into_iter().map(|(name, value)| Member {
            name: append(&mut text, &name),
            at: 0..0,
            value: OnceCell::from(Box::new(value)),
        });
        let members = members.collect();
        Self {
            text,
            members,
            depth: 0,
        }
    }
}

/// Reads the names of the outermost object's members, and checks their values.
struct Checked(Check);

impl<'de> Visitor<'de> for Checked {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Self::Value, A::Error> {
        // Keycloak's tokens have about so many.
        let mut names = Names::with_capacity(32);
        while let Some(Name(name)) = source.next_key()? {
            source.next_value_seed(self.0.inner()?)?;
            names.push(name);
        }
        names.check()
    }
}

/// Where the members of an object stand in its text, which is JSON; `None` if a name has escapes.
fn members(text: &str, names: &[Cow<'_, str>]) -> Option<Vec<Member>> {
    let mut members = Vec::with_capacity(names.len());
    // What is before the closing brace.
    let mut rest = text.trim_ascii_end().strip_suffix('}')?;
    // From the last to the first, for a value ends where the next name begins.
    for name in names.iter().rev() {
        let Cow::Borrowed(name) = name else {
            return None;
        };
        let name = span(text, name);
        let after = rest.get(usize::try_from(name.end).ok()?..)?;
        let value = after.strip_prefix('"')?.trim_ascii_start();
        let value = value.strip_prefix(':')?.trim_ascii();
        let before = rest.get(..usize::try_from(name.start).ok()?)?;
        let before = before.strip_suffix('"')?.trim_ascii_end();
        rest = before.strip_suffix(',').unwrap_or(before);
        members.push(Member {
            name,
            at: span(text, value),
            value: OnceCell::new(),
        });
    }
    members.reverse();
    Some(members)
}

/// A text without escapes, or a whole number: most claims that rules ask for. A parser takes longer to
/// make than to run on them.
fn plain(json: &str) -> Option<Value> {
    if let Some(text) = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        let has_escapes = text.as_bytes().contains(&b'\\');
        return (!has_escapes).then(|| Value::String(text.to_owned()));
    }
    let is_date = json.len() < 19 && json.bytes().all(|byte| byte.is_ascii_digit());
    is_date.then(|| json.parse::<u64>().ok().map(Value::from))?
}

/// Where a part of a text stands in it.
fn span(text: &str, part: &str) -> Range<u32> {
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    short(start)..short(start.wrapping_add(part.len()))
}

fn append(text: &mut String, part: &str) -> Range<u32> {
    let start = text.len();
    text.push_str(part);
    short(start)..short(text.len())
}

/// A token is shorter than 4 GiB by far.
fn short(index: usize) -> u32 {
    u32::try_from(index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LIMITS: Limits = Limits {
        bytes: 400,
        depth: 3,
    };

    fn parse(text: &str) -> Result<ClaimsSet, JsonError> {
        ClaimsSet::parse(text.as_bytes().to_vec(), LIMITS)
    }

    #[test]
    fn a_member_is_what_it_is_to_serde_json() {
        let text = r#" {"a": [1, -2.5, "\u00e9\ud83d\ude00", null, true], "b":{"c":{}},
            "" : "x" , "\u0064\"": 1e3, "é": "\\" , "big": 18446744073709551616, "max": 18446744073709551615,
            "empty": "", "quote": "\"", "zero": 0, "minus": -7, "date": 1790000000, "half": 0.5, "no": false } "#;
        let claims = parse(text).unwrap();
        let expected = json::parse_object(text.as_bytes(), LIMITS).unwrap();
        assert_eq!(claims.to_map(), expected);
        for (name, value) in &expected {
            assert_eq!(claims.get(name), Some(value), "{name}");
        }
        assert_eq!(claims.get("c"), None);
        assert_eq!(claims.get("d"), None);
    }

    /// By a feature of serde_json's a member of this name would be the whole object.
    #[test]
    fn no_name_means_anything_to_the_parser() {
        for inner in [
            r#""{\"roles\":[\"admin\"]}""#,
            r#""1""#,
            "1",
            r#""x","y":1"#,
        ] {
            for name in ["RawValue", "Number"] {
                let object = format!(r#"{{"$serde_json::private::{name}":{inner}}}"#);
                let text = format!(r#"{{"a": {object} , "b":[{object}]}}"#);
                let expected = json::parse_object(text.as_bytes(), LIMITS).unwrap();
                assert!(expected["a"].is_object());
                let claims = parse(&text).unwrap();
                assert_eq!(claims.get("a"), Some(&expected["a"]), "{text}");
                assert_eq!(claims.to_map(), expected, "{text}");
                let lenient = json::parse_leniently(object.as_bytes()).unwrap();
                assert!(lenient.is_object(), "{object}");
            }
        }
    }

    #[test]
    fn members_are_found_wherever_there_is_white_space() {
        let members = [
            r#""a":1"#,
            r#""b":"x,\"}""#,
            r#""c":{"d":[ ]}"#,
            r#""":[",",{}]"#,
        ];
        for count in 0..=members.len() {
            for space in ["", " ", "\t\r\n "] {
                let members = members[..count].join(&format!("{space},{space}"));
                let members = members.replacen(':', &format!("{space}:{space}"), 1);
                let text = format!("{space}{{{space}{members}{space}}}{space}");
                let expected = json::parse_object(text.as_bytes(), LIMITS).unwrap();
                assert_eq!(parse(&text).unwrap().to_map(), expected, "{text}");
            }
        }
    }

    #[test]
    fn what_a_strict_parser_refuses_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{}x",
            "{} {}",
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
            r#"{"x":"\ud800"}"#,
            r#"{"\ud800":1}"#,
            r#"{"x":["\ud800"]}"#,
            r#"{"x":1e999}"#,
            r#"{"x":[1e999]}"#,
            r#"{"x":01}"#,
            r#"{"x":[1,]}"#,
            r#"{"x":nul}"#,
            "{\"x\":\"\n\"}",
            r#"{"x":[[[1]]]}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
            let strict = json::parse_object(text.as_bytes(), LIMITS);
            assert!(strict.is_err(), "{text}");
        }
        assert!(parse(r#"{"x":[[1]]}"#).is_ok());
        assert!(ClaimsSet::parse(b"{\"x\":\"\xff\"}".to_vec(), LIMITS).is_err());
        let large = format!(r#"{{"x":{}}}"#, "9".repeat(280));
        assert!(parse(&large).is_ok());
        let larger = format!(r#"{{"x":{}}}"#, "9".repeat(400));
        let limits = Limits {
            bytes: 500,
            ..LIMITS
        };
        assert!(ClaimsSet::parse(larger.into_bytes(), limits).is_err());
        let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(400));
        assert_eq!(parse(&long).unwrap_err(), JsonError::TooLarge);
    }

    #[test]
    fn what_was_a_map_stays_one() {
        let map = json!({"a": [1], "b": {"c": null}});
        let map = map.as_object().unwrap();
        let claims = ClaimsSet::from(map.clone());
        assert_eq!(claims.to_map(), *map);
        assert_eq!(claims.get("a"), map.get("a"));
    }
}
