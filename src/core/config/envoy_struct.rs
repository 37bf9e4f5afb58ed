//! A configuration that Envoy hands over as the bytes of a `google.protobuf.Struct`.
//!
//! In Envoy's own configuration the filter's may stand as a `StringValue`, which arrives as its
//! text, or as a `Struct`, which reads better in YAML. Envoy 1.40 passes the latter on in protobuf's
//! wire format.

use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value as ProtoValue};
use serde_json::{Map, Value};

/// Decodes a `Struct`; `None` if the bytes are not one.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Value> {
    Struct::decode(bytes).ok().map(object)
}

fn object(object: Struct) -> Value {
    let member = |(name, value)| (name, json(value));
    Value::Object(object.fields.into_iter().map(member).collect::<Map<_, _>>())
}

fn json(value: ProtoValue) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::from(value),
        Some(Kind::NumberValue(value)) => Value::from(value),
        Some(Kind::StringValue(value)) => Value::from(value),
        Some(Kind::StructValue(value)) => object(value),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decodes_every_kind_of_value() {
        // {"a": null, "b": true, "n": 1.5, "l": ["s", {"": null}]}, a member a line.
        let bytes = [
            &b"\x0a\x07\x0a\x01a\x12\x02\x08\x00"[..],
            b"\x0a\x07\x0a\x01b\x12\x02\x20\x01",
            b"\x0a\x0e\x0a\x01n\x12\x09\x11\0\0\0\0\0\0\xf8\x3f",
            b"\x0a\x12\x0a\x01l\x12\x0d\x32\x0b\x0a\x03\x1a\x01s\x0a\x04\x2a\x02\x0a\x00",
        ];
        let expected = json!({"a": null, "b": true, "n": 1.5});
        assert_eq!(decode(&bytes[..3].concat()).unwrap(), expected);
        // The inner object's member has neither name nor value: both are then the default.
        assert_eq!(decode(bytes[3]).unwrap(), json!({"l": ["s", {"": null}]}));
    }

    #[test]
    fn other_bytes_are_not_a_struct() {
        assert_eq!(decode(b"\x0a\x05cut"), None);
        assert_eq!(decode(b"allowed_iss: x"), None);
    }
}
