//! JSON as a lock reads it: bounded, and with one meaning only.
//!
//! `serde_json` keeps the last of two members with one name; another parser keeps the first. A
//! document that two readers understand differently is refused here (RFC 8259, 4; RFC 7515, 4;
//! RFC 7519, 4).

pub mod scan;
pub mod text;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How large and how deep a document may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In bytes, checked before anything is parsed.
    pub bytes: usize,
    /// Arrays and objects within one another.
    pub depth: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JsonError {
    TooLarge,
    /// Not JSON, a member twice, too deep, or bytes after the end. The text quotes nothing of the
    /// document.
    Malformed(String),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("too large"),
            Self::Malformed(text) => f.write_str(text),
        }
    }
}

/// Parses one JSON document.
///
/// # Errors
/// [`JsonError`] when it is over the limits, not JSON, has a member twice, or anything but
/// white space after its end.
pub fn parse(text: &[u8], limits: Limits) -> Result<Value, JsonError> {
    if text.len() > limits.bytes {
        return Err(JsonError::TooLarge);
    }
    let mut source = serde_json::Deserializer::from_slice(text);
    Strict {
        depth_left: limits.depth,
        takes_the_last: false,
    }
    .deserialize(&mut source)
    .and_then(|value| source.end().map(|()| value))
    .map_err(|error| JsonError::Malformed(error.to_string()))
}

/// Parses one JSON object; anything else is malformed.
///
/// # Errors
/// As [`parse`].
pub fn parse_object(text: &[u8], limits: Limits) -> Result<Map<String, Value>, JsonError> {
    match parse(text, limits)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::Malformed("not a JSON object".to_owned())),
    }
}

/// The elements of a list, or the one value: as `aud` may be written (RFC 7519, 4.1.3).
pub fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Some(Value::Array(list)) => (list.as_slice(), None),
        one => ([].as_slice(), one),
    };
    list.iter().chain(one)
}

/// Parses a part of a document that [`parse`] would take.
///
/// # Errors
/// [`JsonError`] as [`parse`].
fn parse_part(text: &str) -> Result<Value, JsonError> {
    let limits = Limits {
        bytes: text.len(),
        depth: usize::MAX,
    };
    parse(text.as_bytes(), limits)
}

/// Parses what any reader might take for JSON: of two members of one name the last. For telling what a
/// text is, never for going by it.
#[must_use]
pub fn parse_leniently(text: &[u8]) -> Option<Value> {
    /// serde_json's own.
    const DEPTH: usize = 128;
    let mut source = serde_json::Deserializer::from_slice(text);
    let reader = Strict {
        depth_left: DEPTH,
        takes_the_last: true,
    };
    let value = reader.deserialize(&mut source).ok()?;
    source.end().ok().map(|()| value)
}

/// Never by `Value`'s own `Deserialize`: by features that any crate may switch on, that reads members
/// with certain names as something else.
struct Strict {
    depth_left: usize,
    takes_the_last: bool,
}

impl Strict {
    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1);
        let depth_left = depth_left.ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self {
            depth_left,
            ..*self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inner()?)?;
            if object.insert(name, value).is_some() && !self.takes_the_last {
                return Err(A::Error::custom("an object has a member twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LIMITS: Limits = Limits {
        bytes: 100,
        depth: 3,
    };

    fn refused(text: &str) -> bool {
        parse(text.as_bytes(), LIMITS).is_err()
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#" {"a":[1,-2,3.5,"\u00e9",null,true],"b":{}} "#;
        assert_eq!(
            parse(text.as_bytes(), LIMITS).unwrap(),
            json!({"a": [1, -2, 3.5, "é", null, true], "b": {}})
        );
    }

    #[test]
    fn refuses_a_member_twice_at_any_depth() {
        assert!(refused(r#"{"exp":1,"exp":2}"#));
        assert!(refused(r#"{"a":{"exp":1,"exp":1}}"#));
        assert!(refused(r#"{"exp":1,"e\u0078p":2}"#));
        assert!(!refused(r#"{"a":{"exp":1},"exp":1}"#));
    }

    #[test]
    fn refuses_trailing_bytes_and_broken_text() {
        for text in [
            "{}x",
            "{} {}",
            "",
            "{",
            "[1,]",
            "nul",
            "\"\\ud800\"",
            "1e999",
        ] {
            assert!(refused(text), "{text}");
        }
        assert!(parse(b"\"\xff\"", LIMITS).is_err());
    }

    #[test]
    fn refuses_what_is_too_large_or_too_deep() {
        assert!(!refused("[[[1]]]"));
        assert!(refused("[[[[1]]]]"));
        assert_eq!(parse(&[b' '; 101], LIMITS), Err(JsonError::TooLarge));
        let deep = "[".repeat(100);
        assert!(refused(&deep));
    }
}
