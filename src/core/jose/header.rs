//! A JOSE header (RFC 7515, 4), as far as it matters to a verifier.

use serde_json::{Map, Value};

use super::base64url;
use crate::json::{self, Limits};
use crate::refusal::Reason;

/// A JOSE header has a handful of short members.
const LIMITS: Limits = Limits {
    bytes: 8 * 1024,
    depth: 4,
};

/// A `kid` is compared, never used as a path or a query; a longer one is nobody's.
const KID_BYTES: usize = 512;

/// The header's members that matter to a verifier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// `alg` as it stands there. It is compared with what is allowed, never obeyed.
    pub alg: String,
    pub kid: Option<String>,
    pub typ: Option<String>,
}

impl Header {
    /// Reads one as it stands in a token, in base64url.
    ///
    /// # Errors
    /// The [`Reason`] to refuse the token: malformed, or a `crit` that asks for an extension (none is
    /// understood here).
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let text = base64url::decode(text).ok_or(Reason::MalformedToken)?;
        json::parse_object(&text, LIMITS)
            .map_err(|_| Reason::MalformedToken)
            .and_then(Self::from_members)
    }

    fn from_members(members: Map<String, Value>) -> Result<Self, Reason> {
        // RFC 7515, 4.1.11: `crit` names extensions that must be understood; none is.
        if members.contains_key("crit") {
            return Err(Reason::UnsupportedCriticalHeader);
        }
        let text = |name| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Reason::MalformedToken),
        };
        let kid = text("kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES) {
            return Err(Reason::MalformedToken);
        }
        Ok(Self {
            alg: text("alg")?.ok_or(Reason::MalformedToken)?,
            kid,
            typ: text("typ")?,
        })
    }

    /// Whether `typ` allows the token to be an access token: absent, `JWT`, or RFC 9068's
    /// `at+jwt`, with or without `application/`, in any case (RFC 8725, 3.11; RFC 9068, 4;
    /// RFC 7515, 4.1.9). `logout+jwt`, `dpop+jwt` and the like are something else.
    #[must_use]
    pub fn may_be_access_token(&self) -> bool {
        let Some(typ) = &self.typ else { return true };
        ["JWT", "application/jwt", "at+jwt", "application/at+jwt"]
            .iter()
            .any(|allowed| typ.eq_ignore_ascii_case(allowed))
    }

    /// RFC 9701, 5.
    #[must_use]
    pub fn is_introspection_response(&self) -> bool {
        const TYP: &str = "token-introspection+jwt";
        let typ = self.typ.as_deref().unwrap_or_default();
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        typ.eq_ignore_ascii_case(TYP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typ_must_not_name_another_kind_of_token() {
        let with = |typ: Option<&str>| Header {
            alg: String::new(),
            kid: None,
            typ: typ.map(str::to_owned),
        };
        for typ in [
            None,
            Some("JWT"),
            Some("jwt"),
            Some("at+JWT"),
            Some("application/at+jwt"),
        ] {
            assert!(with(typ).may_be_access_token(), "{typ:?}");
        }
        for typ in ["logout+jwt", "dpop+jwt", "JOSE", "", "secevent+jwt"] {
            assert!(!with(Some(typ)).may_be_access_token(), "{typ}");
        }
    }
}
