//! The members of a JSON object in one pass over its text: what a Claims Set is to be read by, and found
//! to be strict JSON on the way.
//!
//! It knows what nearly all tokens are made of. Whatever else stands there makes it unsure, also where
//! that would be fine: then [`super::parse`] has the say. So it must be right only where it says yes.

use std::collections::BTreeSet;
use std::ops::Range;

/// So many names of one object are compared one by one. A hostile object has thousands.
const FEW: usize = 40;

/// Of whole numbers: as many as no reader takes for another number.
const MOST_DIGITS: usize = 15;

/// A member of an object: where its name stands in the text, with its quotation marks, and its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    pub name: Range<u32>,
    pub value: Range<u32>,
}

impl Member {
    /// Of its name, with quotation marks.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.name.end.wrapping_sub(self.name.start)
    }
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
    /// Of all objects that are open, the outermost first; in the end of that one.
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

    /// Behind its opening brace.
    fn object(&mut self, depth_left: usize) -> Option<()> {
        let first = self.members.len();
        self.space();
        if self.peek()? == b'}' {
            self.skip(1);
            return Some(());
        }
        loop {
            let name = self.name()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.place();
            let index = self.members.len();
            self.members.push(Member { name, value: 0..0 });
            self.value(depth_left)?;
            self.members.get_mut(index)?.value = start..self.place();
            self.space();
            match self.next()? {
                b',' => self.space(),
                b'}' => break,
                _ => return None,
            }
        }
        self.are_distinct(first).then_some(())?;
        let is_within = first > 0;
        if is_within {
            self.members.truncate(first);
        }
        Some(())
    }

    /// A member's name, with its quotation marks.
    fn name(&mut self) -> Option<Range<u32>> {
        let start = self.place();
        self.expect(b'"')?;
        self.plain_part();
        self.expect(b'"')?;
        Some(start..self.place())
    }

    /// Whether no name stands there twice, of the object whose first member this is.
    fn are_distinct(&self, first: usize) -> bool {
        let members = self.members.get(first..).unwrap_or_default();
        let name = |member: &Member| self.text.get(wide(&member.name));
        if members.len() > FEW {
            let mut names = BTreeSet::new();
            return members.iter().map(name).all(|name| names.insert(name));
        }
        let mut rest = members;
        while let Some((member, others)) = rest.split_first() {
            // Long before a text is compared its length says that it is another.
            let is_same =
                |other: &Member| other.length() == member.length() && name(other) == name(member);
            if others.iter().any(is_same) {
                return false;
            }
            rest = others;
        }
        true
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
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => self.rest_of_number_of_character()?,
                    _ => return None,
                },
                // RFC 8259, 7: controls are escaped.
                _ => return None,
            }
        }
    }

    /// Behind `\u`: four hexadecimal digits, but for those of surrogates (D800 to DFFF), of which two
    /// together are a character.
    fn rest_of_number_of_character(&mut self) -> Option<()> {
        let digits: &[u8; 4] = self.text.get(self.at..)?.first_chunk()?;
        let is_sure = digits.iter().all(u8::is_ascii_hexdigit)
            && !matches!(digits, [b'd' | b'D', second, ..] if *second > b'7');
        self.skip(digits.len());
        is_sure.then_some(())
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
