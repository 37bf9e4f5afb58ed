//! Header fields as they came, in one piece of memory.

use std::ops::Range;

/// Names and values, in order, duplicates included. A name's case is the host's.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    text: Vec<u8>,
    /// Where each name stands in the text, and its value.
    places: Vec<(Range<usize>, Range<usize>)>,
}

impl Fields {
    /// Fields within a text; a place beyond its end is empty.
    #[must_use]
    pub fn within(text: Vec<u8>, places: Vec<(Range<usize>, Range<usize>)>) -> Self {
        Self { text, places }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let part = |place: &Range<usize>| self.text.get(place.clone()).unwrap_or_default();
        let places = self.places.iter();
        places.map(move |(name, value)| (part(name), part(value)))
    }

    /// The values of all fields of a name, in whatever case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn push(&mut self, (name, value): (Vec<u8>, Vec<u8>)) {
        let mut add = |part: Vec<u8>| {
            let start = self.text.len();
            self.text.extend(part);
            start..self.text.len()
        };
        self.places.push((add(name), add(value)));
    }
}

impl Extend<(Vec<u8>, Vec<u8>)> for Fields {
    fn extend<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(&mut self, fields: I) {
        for field in fields {
            self.push(field);
        }
    }
}

impl FromIterator<(Vec<u8>, Vec<u8>)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(fields: I) -> Self {
        let mut all = Self::default();
        all.extend(fields);
        all
    }
}
