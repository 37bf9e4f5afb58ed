//! The members of a JSON object in one pass over its text: what a Claims Set is to be read by, and found
//! to be strict JSON on the way.
//!
//! It knows what nearly all tokens are made of. Whatever else stands there makes it unsure, also where
//! that would be fine: then [`super::parse`] has the say. So it must be right only where it says yes.

use std::ops::Range;

/// So many names of one object are compared one by one.
const MOST_NAMES: usize = 64;

/// Of whole numbers: as many as no reader takes for another number.
const MOST_DIGITS: usize = 15;

/// A member of an object: where its name stands in the text, with its quotation marks, and its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    pub name: Range<u32>,
    pub value: Range<u32>,
}

/// The members of the object that a text is: JSON (RFC 8259), no name twice in any object and none with
/// escapes, not nested deeper than `depth`. `None` if it may not be.
#[must_use]
pub fn members(text: &str, depth: usize) -> Option<Vec<Member>> {
    // Places are kept in half the room.
    u32::try_from(text.len()).ok()?;
    let mut scan = Scan {
        text: text.as_bytes(),
        at: 0,
        // Keycloak's tokens have about so many.
        members: Vec::with_capacity(24),
    };
    scan.space();
    scan.expect(b'{')?;
    scan.object(depth.checked_sub(1)?)?;
    scan.space();
    (scan.at == text.len()).then_some(scan.members)
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    /// Of all objects that are open, the outermost first.
    members: Vec<Member>,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, octets: usize) {
        self.at = self.at.wrapping_add(octets);
    }

    fn next(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.skip(1);
        Some(octet)
    }

    fn expect(&mut self, octet: u8) -> Option<()> {
        (self.next()? == octet).then_some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.skip(1);
        }
    }

    fn place(&self) -> u32 {
        // A text's length was found to fit.
        u32::try_from(self.at).unwrap_or(u32::MAX)
    }

    /// Behind its opening brace. Its members stay when it is the outermost.
    fn object(&mut self, depth_left: usize) -> Option<()> {
        let first = self.members.len();
        self.space();
        if self.peek()? == b'}' {
            self.skip(1);
            return Some(());
        }
        loop {
            let index = self.members.len();
            self.name(first)?;
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.place();
            self.value(depth_left)?;
            let value = start..self.place();
            self.members.truncate(index.wrapping_add(1));
            self.members.last_mut()?.value = value;
            self.space();
            match self.next()? {
                b',' => self.space(),
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A member's name, which no other since the `first` has.
    fn name(&mut self, first: usize) -> Option<()> {
        let start = self.at;
        let from = self.place();
        self.expect(b'"')?;
        self.plain_part();
        self.expect(b'"')?;
        let name = self.text.get(start..self.at)?;
        let span = from..self.place();
        let others = self.members.get(first..)?;
        let is_same = |other: &Member| {
            // Long before a text is compared its length says that it is another.
            other.name.end.wrapping_sub(other.name.start) == span.end.wrapping_sub(span.start)
                && self
                    .text
                    .get(wide(&other.name))
                    .is_some_and(|other| other.iter().eq(name))
        };
        if others.len() >= MOST_NAMES || others.iter().any(is_same) {
            return None;
        }
        self.members.push(Member {
            name: span,
            value: 0..0,
        });
        Some(())
    }

    fn value(&mut self, depth_left: usize) -> Option<()> {
        match self.next()? {
            b'"' => self.rest_of_text(),
            b'{' => self.object(depth_left.checked_sub(1)?),
            b'[' => self.list(depth_left.checked_sub(1)?),
            b't' => self.rest_of_word(b"rue"),
            b'f' => self.rest_of_word(b"alse"),
            b'n' => self.rest_of_word(b"ull"),
            // RFC 8259, 6: no zero before other digits.
            b'0' => Some(()),
            b'1'..=b'9' => {
                let start = self.at;
                while matches!(self.peek(), Some(b'0'..=b'9')) {
                    self.skip(1);
                }
                (self.at.wrapping_sub(start) < MOST_DIGITS).then_some(())
            }
            // Also what is below zero, which no claim is that anybody knows. A fraction or an exponent is
            // not what may follow a value.
            _ => None,
        }
    }

    /// Behind its opening bracket.
    fn list(&mut self, depth_left: usize) -> Option<()> {
        self.space();
        if self.peek()? == b']' {
            self.skip(1);
            return Some(());
        }
        loop {
            self.value(depth_left)?;
            self.space();
            match self.next()? {
                b',' => self.space(),
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn rest_of_word(&mut self, rest: &[u8]) -> Option<()> {
        let is_it = self.text.get(self.at..)?.starts_with(rest);
        self.skip(rest.len());
        is_it.then_some(())
    }

    /// Behind its opening quotation mark.
    fn rest_of_text(&mut self) -> Option<()> {
        loop {
            self.plain_part();
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => {
                    // Others stand for characters by their number, of which some are none.
                    let is_sure = matches!(
                        self.next()?,
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'
                    );
                    is_sure.then_some(())?;
                }
                // RFC 8259, 7: controls are escaped.
                _ => return None,
            }
        }
    }

    /// What in a text is neither its end, nor an escape, nor a control.
    fn plain_part(&mut self) {
        while let Some(octets) = self.text.get(self.at..).and_then(<[u8]>::first_chunk) {
            let special = special(u64::from_le_bytes(*octets));
            if special != 0 {
                let plain = special.trailing_zeros() / u8::BITS;
                return self.skip(usize::try_from(plain).unwrap_or_default());
            }
            self.skip(size_of::<u64>());
        }
        while self
            .peek()
            .is_some_and(|octet| !matches!(octet, b'"' | b'\\' | ..b' '))
        {
            self.skip(1);
        }
    }
}

/// Of eight octets, the first of which is the lowest: a bit in the first of them that is a quotation mark,
/// a backslash or a control, and none before it.
fn special(octets: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const MARKS: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    // An octet that is less than the other borrows; from there on the bits say nothing.
    let less = |octets: u64, than: u64| octets.wrapping_sub(than) & !octets & HIGH;
    less(octets, SPACES) | less(octets ^ MARKS, EACH) | less(octets ^ BACKSLASHES, EACH)
}

/// The same place as a slice takes it.
pub fn wide(place: &Range<u32>) -> Range<usize> {
    let wide = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    wide(place.start)..wide(place.end)
}
