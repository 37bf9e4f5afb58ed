//! A claim that the upstream is told, as the text of a header or a property.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use crate::authorization::claim_shape::ClaimPath;
use crate::claims_set::ClaimsSet;
use crate::jose::base64url;
use crate::json::text::JsonText;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToldClaim {
    /// Of the header, in lower case, or of the property.
    pub name: Rc<str>,
    pub claim: ClaimPath,
    pub format: Format,
    /// base64url, without padding.
    pub base64: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Format {
    /// Texts as they are, lists with this between their elements.
    Text { separator: String },
    /// ASCII JSON.
    Json,
}

impl ToldClaim {
    /// Its value; `None` if the claim is missing, empty, or cannot stand in a header.
    #[must_use]
    pub fn value(&self, claims: &ClaimsSet) -> Option<Vec<u8>> {
        let value = self.claim.find(claims).filter(|value| !value.is_null())?;
        let text = match &self.format {
            Format::Json => Cow::Owned(ascii_json(&value.to_value())),
            Format::Text { separator } => text(value, separator),
        };
        let text = if self.base64 {
            Cow::Owned(base64url::encode(text.as_bytes()))
        } else {
            text
        };
        header_value(&text)
    }
}

/// A text as a header's value; `None` if it is empty or has controls: a line feed would begin
/// another header (RFC 9110, 5.5).
#[must_use]
pub fn header_value(text: &str) -> Option<Vec<u8>> {
    let good = !text.is_empty() && !text.chars().any(char::is_control);
    good.then(|| text.as_bytes().to_vec())
}

fn text<'c>(value: JsonText<'c>, separator: &str) -> Cow<'c, str> {
    value
        .as_str()
        .unwrap_or_else(|| Cow::Owned(joined(&value.to_value(), separator)))
}

fn joined(value: &Value, separator: &str) -> String {
    match value {
        Value::Array(list) => {
            // An element that holds the separator would be read as two.
            let elements = list.iter().filter_map(scalar);
            let elements: Vec<_> = elements.filter(|text| !text.contains(separator)).collect();
            elements.join(separator)
        }
        Value::Object(_) => ascii_json(value),
        one => scalar(one).unwrap_or_default(),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// JSON whose characters can all stand in a header.
fn ascii_json(value: &Value) -> String {
    use std::fmt::Write as _;
    let mut ascii = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(claim: &Value, format: Format, base64: bool) -> Option<String> {
        let told = ToldClaim {
            name: "x".into(),
            claim: ClaimPath::dotted("c"),
            format,
            base64,
        };
        let claims = json!({"c": claim});
        let value = told.value(&ClaimsSet::of(&claims))?;
        Some(String::from_utf8(value).unwrap())
    }

    fn as_text(claim: Value) -> Option<String> {
        let separator = ",".to_owned();
        told(&claim, Format::Text { separator }, false)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn texts() {
        assert_eq!(as_text(json!("alice")), some("alice"));
        assert_eq!(as_text(json!("Zoë")), some("Zoë"));
        assert_eq!(as_text(json!(7)), some("7"));
        assert_eq!(as_text(json!(true)), some("true"));
        assert_eq!(as_text(json!(["a", 1, "b"])), some("a,1,b"));
        assert_eq!(as_text(json!({"é": 1})), some(r#"{"\u00e9":1}"#));
        for nothing in [json!(null), json!(""), json!([]), json!([null, ["a"]])] {
            assert_eq!(as_text(nothing.clone()), None, "{nothing}");
        }
    }

    #[test]
    fn nothing_can_be_smuggled_in() {
        assert_eq!(as_text(json!("a\r\nx-admin: true")), None);
        assert_eq!(as_text(json!(["a", "b\u{0}"])), None);
        assert_eq!(as_text(json!("a\u{7f}")), None);
        assert_eq!(as_text(json!("a\u{85}")), None);
        assert_eq!(as_text(json!(["reader", "x,admin"])), some("reader"));
        assert_eq!(
            told(&json!("a\n\u{7f}😀"), Format::Json, false),
            some(r#""a\n\u007f\ud83d\ude00""#)
        );
    }

    #[test]
    fn base64_of_either() {
        assert_eq!(
            told(&json!({"a": 1}), Format::Json, true),
            some("eyJhIjoxfQ")
        );
        let separator = " ".to_owned();
        assert_eq!(
            told(&json!(["é\n"]), Format::Text { separator }, true),
            some("w6kK")
        );
    }
}
