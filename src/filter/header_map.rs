//! The ABI's map: a count, then pairs of sizes, then names and values, each ended by a zero byte;
//! all numbers little-endian. Whatever a host gives is read without trust in its sizes.

use jwt_keycloak_core::request::Field;

/// The fields of a map; `None` if it is not one.
pub fn decode(mut bytes: &[u8]) -> Option<Vec<Field>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let count = take_size(&mut bytes)?;
    let mut sizes = Vec::new();
    for _ in 0..count {
        sizes.push((take_size(&mut bytes)?, take_size(&mut bytes)?));
    }
    let mut pairs = Vec::with_capacity(sizes.len());
    for (name, value) in sizes {
        pairs.push((take_text(&mut bytes, name)?, take_text(&mut bytes, value)?));
    }
    Some(pairs)
}

/// The map of our own few short fields.
pub fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    // They cannot reach 4 GiB.
    #[allow(clippy::cast_possible_truncation)]
    let size = |length: usize| (length as u32).to_le_bytes();
    let mut bytes = size(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(size(name.len()));
        bytes.extend(size(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn take_size(bytes: &mut &[u8]) -> Option<usize> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*size)).ok()
}

fn take_text(bytes: &mut &[u8], size: usize) -> Option<Vec<u8>> {
    let (text, rest) = bytes.split_at_checked(size)?;
    let (_zero, rest) = rest.split_first()?;
    *bytes = rest;
    Some(text.to_vec())
}
