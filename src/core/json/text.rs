//! A JSON value where it stands, in a text that was checked: read in place, and made a [`Value`] only for
//! those who want one.

use std::borrow::Cow;

use serde::Deserialize as _;
use serde_json::Value;

/// The text of one value, without white space around it. What is made of a text that was not checked is
/// some part of it, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct JsonText<'t>(&'t str);

impl<'t> JsonText<'t> {
    /// A value within a text that was checked.
    pub(crate) fn checked(text: &'t str) -> Self {
        Self(text)
    }

    /// As it stands there.
    #[must_use]
    pub fn as_json(self) -> &'t str {
        self.0
    }

    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    #[must_use]
    pub fn is_list(self) -> bool {
        self.0.starts_with('[')
    }

    /// The text that it is, if it is one.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'t, str>> {
        let text = self.as_raw_str()?;
        if text.as_bytes().contains(&b'\\') {
            let mut source = serde_json::Deserializer::from_str(self.0);
            return String::deserialize(&mut source).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(text))
    }

    /// The text that it is, as it stands there: with the escapes that it may have.
    pub(crate) fn as_raw_str(self) -> Option<&'t str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }

    /// Whether it is this text.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        self.as_str().is_some_and(|own| own == text)
    }

    /// The value of an object's member.
    #[must_use]
    pub fn member(self, name: &str) -> Option<Self> {
        let mut members = self.members();
        let (_, value) = members.find(|(own, _)| own.is(name))?;
        Some(value)
    }

    /// The names of an object's members, which are texts, and their values.
    pub fn members(self) -> impl Iterator<Item = (Self, Self)> {
        let mut parts = Parts::within(self.0, '{');
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// The elements of a list, or the one value: as `aud` may be written (RFC 7519, 4.1.3).
    pub fn each(self) -> impl Iterator<Item = Self> {
        let one = (!self.is_list()).then_some(self);
        one.into_iter().chain(Parts::within(self.0, '['))
    }

    /// Whether it is, or has as a list, one of these texts.
    #[must_use]
    pub fn has_any(self, texts: &[String]) -> bool {
        let mut each = self.each().filter_map(Self::as_str);
        each.any(|own| texts.iter().any(|text| *text == own))
    }

    #[must_use]
    pub fn to_value(self) -> Value {
        // It was checked: it cannot fail. If it did, the claim would be of no use to anybody.
        whole_number(self.0).unwrap_or_else(|| super::parse_part(self.0).unwrap_or_default())
    }
}

/// The values within a list or an object, where names are values as well.
struct Parts<'t>(&'t str);

impl<'t> Parts<'t> {
    /// None, if it begins otherwise.
    fn within(text: &'t str, bracket: char) -> Self {
        Self(text.strip_prefix(bracket).unwrap_or_default())
    }
}

impl<'t> Iterator for Parts<'t> {
    type Item = JsonText<'t>;

    fn next(&mut self) -> Option<JsonText<'t>> {
        let is_between = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | ':');
        let rest = self.0.trim_start_matches(is_between);
        let (value, rest) = rest.split_at_checked(length(rest.as_bytes())?)?;
        self.0 = rest;
        Some(JsonText(value))
    }
}

/// How long the value is with which a text begins; none, if it begins with what ends a list or an object.
fn length(text: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| {
        matches!(
            byte,
            b',' | b':' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'
        )
    };
    match text.first()? {
        b'"' => after_text(text, 1),
        b'[' | b'{' => {
            let mut depth = 0_usize;
            let mut at = 0;
            loop {
                let byte = text.get(at)?;
                at = at.wrapping_add(1);
                match byte {
                    b'"' => at = after_text(text, at)?,
                    b'[' | b'{' => depth = depth.wrapping_add(1),
                    b']' | b'}' if depth <= 1 => return Some(at),
                    b']' | b'}' => depth = depth.wrapping_sub(1),
                    _ => {}
                }
            }
        }
        b']' | b'}' => None,
        _ => Some(text.iter().position(is_end).unwrap_or(text.len())),
    }
}

/// Where a text ends whose opening quotation mark stands before `at`.
fn after_text(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = text.get(at..)?;
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        at = at.wrapping_add(end);
        match text.get(at) {
            Some(b'"') => return Some(at.wrapping_add(1)),
            // With what it escapes.
            _ => at = at.wrapping_add(2),
        }
    }
}

/// Most claims that are no texts. A parser takes longer to make than to run on them.
fn whole_number(text: &str) -> Option<Value> {
    let is_one = text.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| text.parse::<u64>().ok().map(Value::from))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = r#"{"a" : [1, -2.5 ,"x\"]}",{"b":[ ]} ,null],"":"", "c\u0064\"":{ }, "e":"é\/",
        "n":18446744073709551616, "z":0,"f":false}"#;

    fn value() -> Value {
        crate::json::parse_part(TEXT).unwrap()
    }

    fn list(text: JsonText<'_>) -> Vec<Value> {
        text.each().map(JsonText::to_value).collect()
    }

    #[test]
    fn members_and_elements_are_what_they_are_to_a_parser() {
        let text = JsonText::checked(TEXT);
        let value = value();
        let members: Vec<_> = text.members().collect();
        assert_eq!(members.len(), value.as_object().unwrap().len());
        for (name, member) in &members {
            let name = name.as_str().unwrap();
            assert_eq!(member.to_value(), value[&*name], "{name}");
            assert_eq!(text.member(&name).unwrap().to_value(), value[&*name]);
        }
        assert!(text.member("b").is_none());
        let a = text.member("a").unwrap();
        assert_eq!(list(a), *value["a"].as_array().unwrap());
        assert!(a.member("b").is_none());
        assert_eq!(text.to_value(), value);
    }

    #[test]
    fn one_value_is_a_list_of_itself() {
        for (text, expected) in [
            ("[]", vec![]),
            ("[ ]", vec![]),
            ("[[1]]", vec![json!([1])]),
            ("1", vec![json!(1)]),
            (r#""a,b""#, vec![json!("a,b")]),
            (r#"{"a":[1]}"#, vec![json!({"a": [1]})]),
            ("null", vec![json!(null)]),
        ] {
            assert_eq!(list(JsonText::checked(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_text_is_compared_as_it_reads() {
        let is = |json: &str, text: &str| JsonText::checked(json).is(text);
        assert!(is(r#""a""#, "a") && is(r#""\u0061""#, "a") && is(r#""\\\"""#, r#"\""#));
        assert!(is(r#""""#, "") && !is(r#""""#, "\""));
        assert!(!is(r#""\u0061""#, r"\u0061") && !is(r#""a""#, "A") && !is("1", "1"));
        assert!(!is("null", "") && !is(r#"["a"]"#, "a"));
    }

    #[test]
    fn what_was_not_checked_ends_somewhere() {
        for text in [
            "", "\"", "[", "{", "[1", "[\"", "[\"\\", "[,", "{\"a\"", "{\"a\":", "}", "[}", "[[",
            "\"a", "[é",
        ] {
            let text = JsonText::checked(text);
            assert!(text.each().count() <= 1, "{text:?}");
            assert!(text.members().count() <= 1, "{text:?}");
            assert!(text.member("a").is_none(), "{text:?}");
            assert!(!text.is("a"));
        }
    }
}
