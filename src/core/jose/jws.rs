//! The JWS compact serialization (RFC 7515, 7.1), taken apart but not believed.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use super::base64url;
use super::header::Header;
use super::known_headers::KnownHeaders;
use crate::claims_set::ClaimsSet;
use crate::json::text::JsonText;
use crate::json::{self, Limits};
use crate::refusal::Reason;

/// Claims nest `resource_access.<client>.roles`; mapped claims may go a little deeper.
const CLAIMS_DEPTH: usize = 16;

/// A token as it was received. Its claims cannot be read from here except for the issuer, which
/// chooses the keys; the rest opens with [`crate::claims::VerifiedClaims`].
#[derive(Debug)]
pub struct ReceivedToken<'a> {
    pub header: Rc<Header>,
    header_text: &'a str,
    signing_input: &'a str,
    signature: Vec<u8>,
    claims: ClaimsSet,
}

/// Whether what is no JWS may be a token all the same, which only its issuer can read: a b64token
/// (RFC 6750, 2.1) that does not begin as a JOSE header, or a JWE (RFC 7516, 7.1). A JWS in another
/// form, which an issuer may read all the same, is none: it would go round what is checked here.
#[must_use]
pub fn may_be_opaque(token: &str) -> bool {
    if !base64url::is_b64token(token.as_bytes()) {
        return false;
    }
    // As any reader might take it: `parse_object` is stricter.
    let header = token
        .split('.')
        .next()
        .and_then(base64url::decode_leniently)
        .and_then(|header| json::parse_leniently(&header));
    let Some(Value::Object(header)) = header else {
        return true;
    };
    let has = |name| header.get(name).is_some_and(Value::is_string);
    let is_jwe = has("alg") && has("enc");
    is_jwe && token.split('.').count() == 5
}

impl<'a> ReceivedToken<'a> {
    /// Takes a token apart: three parts, canonical base64url, JSON objects without duplicates.
    ///
    /// # Errors
    /// The [`Reason`] to refuse the token: too large, malformed, or a `crit` that asks for an
    /// extension (none is understood here).
    pub fn parse(
        token: &'a str,
        max_bytes: usize,
        known_headers: &KnownHeaders,
    ) -> Result<Self, Reason> {
        if token.len() > max_bytes {
            return Err(Reason::TokenTooLarge);
        }
        // RFC 7515, 5.2 step 1 and 7.1: exactly two dots.
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Reason::MalformedToken)?;
        let (header_text, payload) = signing_input
            .split_once('.')
            .ok_or(Reason::MalformedToken)?;
        if payload.contains('.') {
            return Err(Reason::MalformedToken);
        }
        // RFC 7515, 5.2 steps 2 to 4: the header.
        let header = match known_headers.find(header_text) {
            Some(header) => header,
            None => Rc::new(Header::parse(header_text)?),
        };
        // RFC 7515, 5.2 steps 6 and 7: the payload and the signature.
        let payload = base64url::decode(payload).ok_or(Reason::MalformedToken)?;
        let signature = base64url::decode(signature).ok_or(Reason::MalformedToken)?;
        // RFC 7519, 7.2 step 10: the claims are a JSON object.
        let limits = Limits {
            bytes: max_bytes,
            depth: CLAIMS_DEPTH,
        };
        let claims = ClaimsSet::parse(payload, limits).map_err(|_| Reason::MalformedToken)?;
        Ok(Self {
            header,
            header_text,
            signing_input,
            signature,
            claims,
        })
    }

    /// The unverified `iss`, good for choosing keys and for nothing else.
    #[must_use]
    pub fn issuer(&self) -> Option<Cow<'_, str>> {
        self.claims.get("iss").and_then(JsonText::as_str)
    }

    /// The header as it was sent.
    #[must_use]
    pub fn header_text(&self) -> &'a str {
        self.header_text
    }

    /// What was signed: header and payload as they were sent (RFC 7515, 5.2 step 8).
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// For [`crate::claims`], once the signature is good.
    pub(crate) fn into_claims(self) -> ClaimsSet {
        self.claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_be_opaque() {
        // {"alg":"RSA-OAEP","enc":"A128GCM"}
        let jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.a.b.c.d";
        // Random ones may begin like a header.
        for text in [
            "2YotnFZFEjr1zCsicMWpAA",
            "a.b.c",
            "ya29.a0_-~+/=",
            "eyJh",
            "ew2YotnF",
            "e",
            jwe,
        ] {
            assert!(may_be_opaque(text), "{text}");
        }
        // {"alg":"ES256"}, in forms that readers may take for it; {}, {"alg":null}.
        let jws = "eyJhbGciOiJFUzI1NiJ9.e30";
        for text in [
            "",
            "a b",
            "a\r\nb",
            "é",
            &format!("{jws}.AA="),
            &format!("{jws}.AB"),
            &format!("{jws}.AA."),
            &format!("{jws}.AA...."),
            jws,
            "eyJhbGciOiJFUzI1NiJ9",
            "eyJhbGciOiJFUzI1NiJ9=.e30.AA",
            "eyJhbGciOiJFUzI1NiJ9..",
            "e30.e30.e30",
            "e31.e30.e30",
            "e30=.e30.e30",
            "eyJhbGciOiJub25lIiwiYWxnIjoiRVMyNTYifQ.e30.AA",
            "eyJhbGciOm51bGx9.e30.",
            &jwe.replace(".d", ""),
            &format!("{jwe}.e"),
        ] {
            assert!(!may_be_opaque(text), "{text}");
        }
    }

    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        format!("{}.{}.AAAA", encode(header), encode(payload))
    }

    fn refusal(token: &str) -> Reason {
        ReceivedToken::parse(token, 1000, &KnownHeaders::default()).unwrap_err()
    }

    #[test]
    fn takes_a_token_apart() {
        let text = token(r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#, r#"{"iss":"i"}"#);
        let headers = KnownHeaders::default();
        let token = ReceivedToken::parse(&text, 1000, &headers).unwrap();
        assert_eq!(token.issuer().as_deref(), Some("i"));
        assert_eq!(token.header.alg, "RS256");
        assert_eq!(token.header.kid.as_deref(), Some("k"));
        assert_eq!(token.signature(), [0, 0, 0]);
        assert!(text.starts_with(std::str::from_utf8(token.signing_input()).unwrap()));
    }

    #[test]
    fn refuses_other_shapes() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        for text in [
            "",
            ".",
            "..",
            "abc",
            "a.b.c",
            "a.b.c.d.e",
            "AAAA.AAAA.AAAA",
            &format!("{good}."),
            &format!("{good}="),
            &format!(".{good}"),
            &token(r#"{"alg":"RS256"}"#, "[]"),
            &token(r#"{"alg":"RS256","alg":"RS256"}"#, "{}"),
            &token(r#"{"alg":"RS256"}"#, r#"{"exp":1,"exp":2}"#),
            &token(r#"{"alg":"RS256"}"#, "{} x"),
            &token(r#"{"alg":5}"#, "{}"),
            &token(r#"{"typ":"JWT"}"#, "{}"),
            &token(r#"{"alg":"RS256","kid":7}"#, "{}"),
            &token(r#"{"alg":"RS256","typ":null}"#, "{}"),
        ] {
            assert_eq!(refusal(text), Reason::MalformedToken, "{text}");
        }
        assert_eq!(refusal(&"a".repeat(1001)), Reason::TokenTooLarge);
    }

    #[test]
    fn refuses_every_critical_extension() {
        for crit in [r#"["b64"]"#, "[]", "null"] {
            let text = token(&format!(r#"{{"alg":"RS256","crit":{crit}}}"#), "{}");
            assert_eq!(refusal(&text), Reason::UnsupportedCriticalHeader);
        }
    }
}
