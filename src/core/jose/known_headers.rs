//! JOSE headers that have been read before: the tokens that one key signs have the same one, to the
//! letter, and reading it takes longer than all that is asked of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::header::Header;

/// An issuer signs with one or two keys at a time.
const MOST: usize = 16;

/// Those of tokens whose signature was good, so that nobody else can push them out.
#[derive(Debug, Default)]
pub struct KnownHeaders(RefCell<VecDeque<(Box<str>, Rc<Header>)>>);

impl KnownHeaders {
    /// The header of exactly this text, as it stands in a token.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Rc<Header>> {
        let known = self.0.try_borrow().ok()?;
        let (_, header) = known.iter().find(|(known, _)| **known == *text)?;
        Some(Rc::clone(header))
    }

    /// Keeps what a text was read as, in place of the oldest.
    pub fn keep(&self, text: &str, header: &Rc<Header>) {
        if self.find(text).is_some() {
            return;
        }
        let Ok(mut known) = self.0.try_borrow_mut() else {
            return;
        };
        known.truncate(MOST.saturating_sub(1));
        known.push_front((text.into(), Rc::clone(header)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kid: usize) -> Rc<Header> {
        Rc::new(Header {
            alg: "ES256".to_owned(),
            kid: Some(kid.to_string()),
            typ: None,
        })
    }

    #[test]
    fn the_newest_are_known_by_their_whole_text() {
        let known = KnownHeaders::default();
        for number in 0..=MOST {
            known.keep(&format!("text {number}"), &header(number));
            known.keep(&format!("text {number}"), &header(1000));
        }
        assert_eq!(known.find("text 0"), None);
        for number in 1..=MOST {
            assert_eq!(known.find(&format!("text {number}")), Some(header(number)));
        }
        for other in ["", "text", "text ", "text 1 ", "text 16x", "Text 1"] {
            assert_eq!(known.find(other), None, "{other}");
        }
    }
}
