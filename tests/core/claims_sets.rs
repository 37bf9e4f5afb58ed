//! A Claims Set is read in its text by code of the filter's own; serde_json, made strict, is what it is
//! compared with, on texts that are JSON, nearly so, or hostile.

use jwt_keycloak_core::claims_set::ClaimsSet;
use jwt_keycloak_core::json::text::JsonText;
use jwt_keycloak_core::json::{self, Limits, scan};
use jwt_keycloak_tests::random::Random;
use serde_json::{Map, Value};

const LIMITS: Limits = Limits {
    bytes: 4096,
    depth: 5,
};

const ANY: Limits = Limits {
    bytes: usize::MAX,
    depth: usize::MAX,
};

/// `cargo test --release --test claims_sets` takes as many in less time than a debug build a tenth.
const TEXTS: usize = if cfg!(debug_assertions) {
    60_000
} else {
    3_000_000
};

const SPACES: [&str; 6] = ["", "", "", " ", "\n\t", "\r "];
const NAMES: [&str; 10] = [
    "a",
    "iss",
    "aud",
    "roles",
    "é",
    "longer_than_eight",
    "longer_than_seven",
    "",
    "\\u0061",
    "a\\\"b",
];
/// What tokens are made of.
const PLAIN: [&str; 12] = [
    "null",
    "true",
    "false",
    "0",
    "7",
    "1790000000",
    "123456789012345",
    "\"\"",
    "\"x\"",
    "\"https://sso/realms/a\"",
    "\"é😀\"",
    "\"longer than eight octets\"",
];
/// JSON all the same, or hardly not.
const ODD: [&str; 15] = [
    "1234567890123456789012",
    "-1",
    "-0",
    "1.5",
    "1e3",
    "1e999",
    "01",
    "1.",
    "\"a\\/b\\n\"",
    "\"\\u0061\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"\\uD800\"",
    "\"\\uDBFF\\uDFFF\"",
    "\"\\x\"",
    "\"a\u{1}b\"",
];
const STRAY: [&str; 14] = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", " ", "0", "e", "\u{0}", "\u{7f}", "x",
];

struct Texts(Random);

impl Texts {
    fn space(&mut self, text: &mut String) {
        text.push_str(self.0.pick::<&str>(&SPACES));
    }

    fn object(&mut self, depth: usize, text: &mut String) {
        self.members("{", "}", depth, text, |this, text| {
            text.push('"');
            text.push_str(this.0.pick::<&str>(&NAMES));
            // So that most names stand there once.
            if !this.0.once_in(20) {
                text.push_str(&this.0.below(1000).to_string());
            }
            text.push('"');
            this.space(text);
            text.push(':');
        });
    }

    fn members(
        &mut self,
        open: &str,
        close: &str,
        depth: usize,
        text: &mut String,
        name: impl Fn(&mut Self, &mut String),
    ) {
        text.push_str(open);
        self.space(text);
        let most = if self.0.once_in(30) { 90 } else { 6 };
        let count = self.0.below(most);
        for index in 0..count {
            if index > 0 {
                text.push(',');
                self.space(text);
            }
            name(self, text);
            self.space(text);
            self.value(depth + 1, text);
            self.space(text);
        }
        text.push_str(close);
    }

    fn value(&mut self, depth: usize, text: &mut String) {
        match self.0.below(8) {
            0 if depth < 7 => self.object(depth, text),
            1 if depth < 7 => self.members("[", "]", depth, text, |_, _| {}),
            2..7 => text.push_str(self.0.pick::<&str>(&PLAIN)),
            _ => text.push_str(self.0.pick::<&str>(&ODD)),
        }
    }

    /// An object; or what was one, before a few changes.
    fn text(&mut self) -> String {
        let mut text = String::new();
        self.space(&mut text);
        self.object(0, &mut text);
        self.space(&mut text);
        if self.0.once_in(2) {
            return text;
        }
        for _ in 0..=self.0.below(2) {
            let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            let (at, to) = (*self.0.pick(&places), *self.0.pick(&places));
            match self.0.below(4) {
                0 => {
                    text.remove(at);
                }
                1 => text.truncate(at.max(1)),
                2 => text.insert_str(at, self.0.pick::<&str>(&STRAY)),
                // A part of it once more, somewhere else.
                _ => {
                    let part = text[at.min(to)..at.max(to)].to_owned();
                    text.insert_str(to, &part);
                }
            }
            if text.is_empty() {
                break;
            }
        }
        text
    }
}

/// By all the ways in which a value is read.
fn is_same(found: JsonText<'_>, value: &Value) -> bool {
    let elements = || found.each().zip(json::each(Some(value)));
    let mut members = value.as_object().into_iter().flatten();
    found.to_value() == *value
        && found.as_str().as_deref() == value.as_str()
        && value
            .as_str()
            .is_none_or(|text| found.is(text) && !found.is(&format!("{text}x")))
        && found.is_list() == value.is_array()
        && found.is_null() == value.is_null()
        && found.each().count() == json::each(Some(value)).count()
        && (!value.is_array() || elements().all(|(found, value)| is_same(found, value)))
        && found.members().count() == members.clone().count()
        && members.all(|(name, value)| {
            let member = found.member(name);
            member.is_some_and(|member| is_same(member, value))
        })
        && found.member("no such name").is_none()
}

fn require_same(text: &str, claims: &ClaimsSet, object: &Map<String, Value>) {
    assert_eq!(claims.to_map(), *object, "{text}");
    for (name, value) in object {
        let found = claims.get(name);
        assert!(
            found.is_some_and(|found| is_same(found, value)),
            "{name} in {text}"
        );
    }
    assert!(
        object.contains_key("a") || claims.get("a").is_none(),
        "{text}"
    );
}

#[test]
fn it_is_what_a_strict_parser_takes_it_for() {
    let mut texts = Texts(Random::seeded(1));
    let (mut sure, mut good) = (0, 0);
    for _ in 0..TEXTS {
        let text = texts.text();
        let expected = json::parse_object(text.as_bytes(), LIMITS);
        let claims = ClaimsSet::parse(text.clone().into_bytes(), LIMITS);
        assert_eq!(claims.is_ok(), expected.is_ok(), "{text}");
        if scan::members(&text, LIMITS.depth).is_some() {
            sure += 1;
            assert!(expected.is_ok() || text.len() > LIMITS.bytes, "{text}");
        }
        if let (Ok(claims), Ok(object)) = (claims, expected) {
            good += 1;
            require_same(&text, &claims, &object);
            // Numbers of more digits than a double has may be rounded once more.
            let text = Value::Object(object.clone()).to_string();
            let written = json::parse_object(text.as_bytes(), ANY).unwrap();
            require_same(&text, &ClaimsSet::from(object), &written);
        }
    }
    // Both ways are taken, and often.
    let shares = (sure * 100 / TEXTS, good * 100 / TEXTS);
    assert!(
        sure * 5 > TEXTS && (good - sure) * 10 > TEXTS,
        "{shares:?} per cent"
    );
}

#[test]
fn keycloaks_tokens_need_one_pass() {
    let text = r#"{"exp":1790000000,"iat":1789999700,"auth_time":1789999700,"jti":"onrtac:0d7c5a52",
        "iss":"https://sso.example.com/realms/demo","aud":["orders","account"],"typ":"Bearer","azp":"web",
        "acr":"1","allowed-origins":["https://app.example.com","*"],"realm_access":{"roles":["buyer"]},
        "resource_access":{"orders":{"roles":["reader","writer"]},"account":{"roles":[]}},
        "scope":"openid profile","email_verified":true,"name":"Zoë Müller","given_name":"Zoë"}"#;
    assert!(scan::members(text, 16).is_some());
}

#[test]
fn objects_within_leave_nothing_behind() {
    let text = format!(
        r#"{{"a":[{}],"b":1}}"#,
        vec![r#"{"c":{"d":[]}}"#; 2000].join(",")
    );
    let members = scan::members(&text, 16).unwrap();
    assert_eq!(members.len(), 2);
    assert!(members.capacity() < 100, "{}", members.capacity());
}

#[test]
fn a_name_that_stands_there_twice_is_found_among_any_number() {
    for count in 1..100 {
        let member = |number| format!(r#""name-{number}":{number}"#);
        let members: Vec<_> = (0..count).map(member).collect();
        let good = format!("{{{}}}", members.join(","));
        assert_eq!(scan::members(&good, 1).unwrap().len(), count);
        for again in 0..count {
            let mut members = members.clone();
            members.insert((again * 7) % count, member(again));
            let text = format!("{{{}}}", members.join(","));
            assert_eq!(scan::members(&text, 1), None, "{text}");
            let within = format!(r#"{{"a":[1,{text}]}}"#);
            assert_eq!(scan::members(&within, 3), None, "{within}");
        }
    }
}
