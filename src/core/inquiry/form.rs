//! application/x-www-form-urlencoded (RFC 6749, appendix B; WHATWG URL, 5).

use form_urlencoded::{Serializer, byte_serialize};

/// A form's text.
#[must_use]
pub fn of<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}

/// One value.
#[must_use]
pub fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
