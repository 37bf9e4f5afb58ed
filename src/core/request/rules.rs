//! Rules by method and path, for gateways whose routes are coarse: the first that matches decides.

use super::path::{Segments, fold};
use crate::admission::Access;
use crate::authorization::requirement::Requirement;
use crate::authorization::services::AuthorizationRules;
use crate::refusal::Reason;

#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub rules: Vec<Rule>,
    /// For requests that no rule matches.
    pub default: Access,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub paths: Vec<PathTemplate>,
    /// None: all.
    pub methods: Option<Vec<String>>,
    pub access: Access,
    /// Beside what the policy requires.
    pub requirement: Requirement,
    /// In place of what the policy asks for.
    pub authorization: Option<AuthorizationRules>,
}

/// A path with places for any one segment, and perhaps for everything below it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathTemplate {
    /// None stands for any segment.
    segments: Vec<Option<String>>,
    and_below: bool,
}

impl Rules {
    /// The index of the rule for a request; `None` if no rule matches.
    ///
    /// # Errors
    /// [`Reason::AmbiguousPath`] if readers may differ about the path, so that different rules
    /// would apply.
    pub fn find(&self, method: &[u8], path: &[u8]) -> Result<Option<usize>, Reason> {
        let path = Segments::parse(path).ok_or(Reason::AmbiguousPath)?;
        let exact = self.first(method, |template| template.matches(path.as_slice()));
        let folded = path.folded();
        let careless = self.first(method, |template| {
            template.matches_folded(folded.as_slice())
        });
        if exact == careless {
            Ok(exact)
        } else {
            Err(Reason::AmbiguousPath)
        }
    }

    fn first(&self, method: &[u8], matches: impl Fn(&PathTemplate) -> bool) -> Option<usize> {
        self.rules
            .iter()
            .position(|rule| rule.takes(method) && rule.paths.iter().any(&matches))
    }
}

impl Rule {
    /// A rule for GET is one for HEAD (RFC 9110, 9.3.2: the same but for the content).
    fn takes(&self, method: &[u8]) -> bool {
        let is = |name: &str| name.as_bytes() == method || (name == "GET" && method == b"HEAD");
        self.methods
            .as_ref()
            .is_none_or(|methods| methods.iter().any(|name| is(name)))
    }
}

impl PathTemplate {
    /// Reads a template: `/orders`, `/orders/{id}`, `/orders/*`. `None` for anything that a path
    /// cannot be, and for `*` and braces elsewhere.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (text, and_below) = match text.strip_suffix("/*") {
            Some("") => ("/", true),
            Some(above) => (above, true),
            None => (text, false),
        };
        // Templates are written decoded; a parameter would be refused in requests.
        if text.contains(['%', '?', ';', '*']) {
            return None;
        }
        let segments = Segments::parse(text.as_bytes())?;
        let segment = |segment: &String| {
            let name = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            match name {
                Some(name) if !name.is_empty() && !name.contains(['{', '}']) => Some(None),
                None if !segment.contains(['{', '}']) => Some(Some(segment.clone())),
                _ => None,
            }
        };
        Some(Self {
            segments: segments
                .as_slice()
                .iter()
                .map(segment)
                .collect::<Option<_>>()?,
            and_below,
        })
    }

    fn matches(&self, path: &[String]) -> bool {
        self.compare(path, |own, segment| own == segment)
    }

    fn matches_folded(&self, path: &[String]) -> bool {
        self.compare(path, |own, segment| fold(own) == segment)
    }

    fn compare(&self, path: &[String], same: impl Fn(&str, &str) -> bool) -> bool {
        let fits = if self.and_below {
            path.len() >= self.segments.len()
        } else {
            path.len() == self.segments.len()
        };
        fits && self
            .segments
            .iter()
            .zip(path)
            .all(|(own, segment)| own.as_ref().is_none_or(|own| same(own, segment)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, methods: &[&str]) -> Rule {
        let methods: Vec<_> = methods.iter().map(|&m| m.to_owned()).collect();
        Rule {
            paths: vec![PathTemplate::parse(path).unwrap()],
            methods: (!methods.is_empty()).then_some(methods),
            access: Access::Required,
            requirement: Requirement::default(),
            authorization: None,
        }
    }

    fn rules() -> Rules {
        Rules {
            rules: vec![
                rule("/admin/*", &[]),
                rule("/orders/special", &["GET"]),
                rule("/orders/{id}", &["GET", "DELETE"]),
                rule("/orders", &["POST"]),
                rule("/Reports", &[]),
            ],
            default: Access::Deny,
        }
    }

    fn find(method: &str, path: &str) -> Result<Option<usize>, Reason> {
        rules().find(method.as_bytes(), path.as_bytes())
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        assert_eq!(find("GET", "/admin"), Ok(Some(0)));
        assert_eq!(find("PUT", "/admin/a/b/"), Ok(Some(0)));
        assert_eq!(find("GET", "/orders/special"), Ok(Some(1)));
        assert_eq!(find("DELETE", "/orders/special"), Ok(Some(2)));
        assert_eq!(find("HEAD", "/orders/5"), Ok(Some(2)));
        assert_eq!(find("GET", "/orders/A%20B"), Ok(Some(2)));
        assert_eq!(find("POST", "/orders/"), Ok(Some(3)));
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/orders"),
            ("POST", "/orders/5"),
            ("GET", "/orders/5/x"),
            ("GET", "/administrator"),
            ("post", "/orders"),
            ("HEAD", "/orders"),
        ] {
            assert_eq!(find(method, path), Ok(None), "{method} {path}");
        }
    }

    #[test]
    fn a_path_that_a_careless_upstream_would_serve_under_another_rule_is_refused() {
        for (method, path) in [
            ("GET", "/ADMIN"),
            ("GET", "/Admin/users"),
            ("GET", "/admin;x/users"),
            ("GET", "/orders/SPECIAL"),
            ("GET", "/orders/special;a"),
            ("GET", "/orders/special."),
            ("POST", "/ORDERS"),
            ("GET", "/reports"),
            ("GET", "/x/../admin"),
            ("GET", "//admin"),
        ] {
            assert_eq!(
                find(method, path),
                Err(Reason::AmbiguousPath),
                "{method} {path}"
            );
        }
        assert_eq!(find("GET", "/orders/ABC;v=1"), Ok(Some(2)));
        assert_eq!(find("GET", "/Reports"), Ok(Some(4)));
    }

    #[test]
    fn templates_that_cannot_be_meant() {
        for text in [
            "", "orders", "/a/*/b", "/*a", "/a*", "/{}", "/{a", "/a{b}", "/{a}{b}", "/%61", "/a?b",
            "/a//b", "/..", "/a;b",
        ] {
            assert_eq!(PathTemplate::parse(text), None, "{text}");
        }
        let all = PathTemplate::parse("/*").unwrap();
        assert!(all.matches(&[]) && all.matches(&["a".to_owned(), "b".to_owned()]));
    }
}
