//! The ABI's map: a count, then pairs of sizes, then names and values, each ended by a zero byte;
//! all numbers little-endian. Whatever a host gives is read without trust in its sizes.

use std::ops::Range;

use jwt_keycloak_core::request::fields::Fields;

/// The fields of a map; `None` if it is not one.
pub fn decode(bytes: Vec<u8>) -> Option<Fields> {
    if bytes.is_empty() {
        return Some(Fields::default());
    }
    let mut rest = bytes.as_slice();
    let count = take_size(&mut rest)?;
    // As many as there is room for: the count may be wrong.
    let sizes = rest.chunks_exact(8).take(count);
    let mut places = Vec::with_capacity(sizes.len());
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    for mut sizes in sizes {
        let name = place(&mut at, take_size(&mut sizes)?)?;
        places.push((name, place(&mut at, take_size(&mut sizes)?)?));
    }
    (places.len() == count && at <= bytes.len()).then(|| Fields::within(bytes, places))
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

/// Where the next text of this size stands; a zero byte follows it.
fn place(at: &mut usize, size: usize) -> Option<Range<usize>> {
    let start = *at;
    let end = start.checked_add(size)?;
    *at = end.checked_add(1)?;
    Some(start..end)
}
