//! A JWT Claims Set (RFC 7519, 4): checked whole when it arrives, read in its text when a rule asks.
//!
//! A token has thirty claims of which rules read a handful. To build values of them takes more time than
//! all the rest but the signature, and to keep them more room than the token.

use std::cell::OnceCell;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::json::scan::{self, Member, wide};
use crate::json::text::JsonText;
use crate::json::{self, JsonError, Limits};
use crate::refusal::Reason;
use crate::time::UnixMillis;
use crate::times::Times;

/// A JSON object, and where its members stand.
#[derive(Clone, Debug, Default)]
pub struct ClaimsSet {
    text: String,
    members: Vec<Member>,
    /// Whether a name stands there otherwise than it reads.
    has_escaped_names: bool,
    times: OnceCell<Times>,
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
        let text =
            String::from_utf8(text).map_err(|_| JsonError::Malformed("not UTF-8".to_owned()))?;
        if let Some(members) = scan::members(&text, limits.depth) {
            return Ok(Self {
                text,
                members,
                ..Self::default()
            });
        }
        json::parse_object(text.as_bytes(), limits)?;
        Ok(Self::checked(text))
    }

    /// Of a text that was checked.
    fn checked(text: String) -> Self {
        let members = JsonText::checked(text.trim_ascii()).members();
        let members = members.map(|(name, value)| Member {
            name: place(&text, name),
            value: place(&text, value),
        });
        let members: Vec<_> = members.collect();
        let name = |member: &Member| text.get(wide(&member.name));
        Self {
            has_escaped_names: members
                .iter()
                .filter_map(name)
                .any(|name| name.contains('\\')),
            members,
            text,
            times: OnceCell::new(),
        }
    }

    /// A claim's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<JsonText<'_>> {
        let mut members = self.members.iter();
        let member = if self.has_escaped_names {
            members.find(|member| self.part(&member.name).is(name))
        } else {
            // Long before a text is compared its length says that it is another.
            let length = u32::try_from(name.len()).ok()?.checked_add(2)?;
            members.find(|member| {
                member.length() == length && self.part(&member.name).as_raw_str() == Some(name)
            })
        };
        Some(self.part(&member?.value))
    }

    /// When it is in force.
    #[must_use]
    pub fn times(&self) -> Times {
        let date = |name| {
            let date = |value: JsonText<'_>| {
                let date = UnixMillis::from_numeric_date(&value.to_value());
                date.ok_or(Reason::ClaimMalformed)
            };
            self.get(name).map(date).transpose()
        };
        *self.times.get_or_init(|| Times {
            exp: date("exp"),
            nbf: date("nbf"),
            iat: date("iat"),
        })
    }

    /// What it takes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let members = self.members.len().saturating_mul(size_of::<Member>());
        self.text.len().saturating_add(members)
    }

    /// All members, parsed.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        match JsonText::checked(self.text.trim_ascii()).to_value() {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// For tests of those that read claims.
    #[cfg(test)]
    pub(crate) fn of(claims: &Value) -> Self {
        claims.as_object().unwrap().clone().into()
    }

    fn part(&self, place: &Range<u32>) -> JsonText<'_> {
        JsonText::checked(self.text.get(wide(place)).unwrap_or_default())
    }
}

impl From<Map<String, Value>> for ClaimsSet {
    fn from(members: Map<String, Value>) -> Self {
        Self::checked(Value::Object(members).to_string())
    }
}

/// Where a part of a text stands in it. A token is shorter than 4 GiB by far.
fn place(text: &str, part: JsonText<'_>) -> Range<u32> {
    let part = part.as_json();
    let short = |index: usize| u32::try_from(index).unwrap_or_default();
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    short(start)..short(start.wrapping_add(part.len()))
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
            assert_eq!(
                claims.get(name).map(JsonText::to_value).as_ref(),
                Some(value),
                "{name}"
            );
        }
        assert!(claims.get("c").is_none());
        assert!(claims.get("d").is_none());
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
                assert_eq!(claims.get("a").unwrap().to_value(), expected["a"], "{text}");
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
        assert_eq!(claims.get("a").unwrap().to_value(), map["a"]);
    }
}
