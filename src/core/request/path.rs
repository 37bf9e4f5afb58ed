//! A request's path as rules see it, and nothing that an upstream might see otherwise.
//!
//! Gateways send paths up as they came, and upstreams read them in ways of their own: some merge
//! slashes, resolve dots, decode twice, ignore case, drop `;parameters`. A path that means
//! different things to different readers could be let through by one rule and served as what
//! another rule guards. So such paths are refused, not mended.

/// A path's segments, decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segments(Vec<String>);

impl Segments {
    /// Reads a path, without its query (RFC 3986, 3.3). A slash at the end counts for nothing.
    ///
    /// `None` for what readers may differ about: empty and dot segments, slashes and backslashes
    /// within a segment, controls, what is not UTF-8, and percent-encoding that is malformed or
    /// encoded once more.
    #[must_use]
    pub fn parse(path: &[u8]) -> Option<Self> {
        let path = path.strip_prefix(b"/")?;
        if path.is_empty() {
            return Some(Self(Vec::new()));
        }
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let segments = path.split(|byte| *byte == b'/').map(segment);
        segments.collect::<Option<_>>().map(Self)
    }

    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The same path as a careless reader sees it: without parameters, case, and dots or blanks
    /// at a segment's end.
    #[must_use]
    pub fn folded(&self) -> Self {
        let segments = self.0.iter().map(|segment| fold(segment));
        Self(segments.filter(|segment| !segment.is_empty()).collect())
    }
}

/// A segment as [`Segments::folded`] has it.
#[must_use]
pub fn fold(segment: &str) -> String {
    without_parameters(segment)
        .trim_end_matches(['.', ' '])
        .to_lowercase()
}

fn segment(raw: &[u8]) -> Option<String> {
    let decoded = String::from_utf8(percent_decoded(raw)?).ok()?;
    let is_dots = matches!(without_parameters(&decoded), "" | "." | "..");
    let is_plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | '#');
    let again = percent_decoded(decoded.as_bytes()).is_none_or(|again| again != decoded.as_bytes());
    let is_twice = again && has_escape(decoded.as_bytes());
    (!is_dots && !is_twice && decoded.chars().all(is_plain)).then_some(decoded)
}

fn without_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or_default()
}

/// RFC 3986, 2.1; `None` if a `%` is not followed by two hexadecimal digits.
#[must_use]
pub fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = after.split_first_chunk::<2>()?;
            decoded.push(hex(*digits)?);
            rest = after;
        } else {
            decoded.push(*first);
        }
    }
    Some(decoded)
}

fn has_escape(text: &[u8]) -> bool {
    text.windows(3)
        .any(|three| matches!(three, [b'%', a, b] if hex([*a, *b]).is_some()))
}

fn hex(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<Vec<String>> {
        Segments::parse(path.as_bytes()).map(|segments| segments.0)
    }

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(read("/").unwrap(), [""; 0]);
        assert_eq!(read("/a/b").unwrap(), ["a", "b"]);
        assert_eq!(read("/a/b/").unwrap(), ["a", "b"]);
        assert_eq!(read("/%61/%C3%A9/a%20b").unwrap(), ["a", "é", "a b"]);
        assert_eq!(read("/100%25").unwrap(), ["100%"]);
        assert_eq!(read("/...").unwrap(), ["..."]);
        assert_eq!(read("/a;v=1").unwrap(), ["a;v=1"]);
    }

    #[test]
    fn what_readers_may_differ_about_is_no_path() {
        for path in [
            "",
            "*",
            "a",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/%2e%2e/a",
            "/a/%2E",
            "/.%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a\\b",
            "/a%5cb",
            "/%00",
            "/a%0a",
            "/\u{7f}",
            "/%252e",
            "/%25%32%65",
            "/%",
            "/%4",
            "/%zz",
            "/%c0%af",
            "/a/..;/b",
            "/;x/a",
            "/a#b",
            "/%23",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
        assert_eq!(Segments::parse(b"/\xff"), None);
    }

    #[test]
    fn a_careless_reader_sees_less() {
        let folded = |path: &str| Segments::parse(path.as_bytes()).unwrap().folded().0;
        assert_eq!(folded("/ADMIN/Users"), ["admin", "users"]);
        assert_eq!(folded("/admin;x=1/users%3by"), ["admin", "users"]);
        assert_eq!(folded("/admin./users%20"), ["admin", "users"]);
    }
}
