//! Who called, told to the upstream: the consumer's headers as Kong sets them, claims as headers
//! and properties. Whatever the filter may set is taken out when a client sends it.

pub mod consumers;
pub mod told_claim;

use std::rc::Rc;

use serde_json::Value;

use crate::authorization::claim_shape::ClaimPath;
use crate::claims_set::ClaimsSet;
use crate::json::text::JsonText;
use crate::refusal::Reason;
use crate::request::{HeaderEdit, Request};
use consumers::{Consumer, Consumers};
use told_claim::{ToldClaim, header_value};

pub const CONSUMER_ID: &str = "x-consumer-id";
pub const CONSUMER_CUSTOM_ID: &str = "x-consumer-custom-id";
pub const CONSUMER_USERNAME: &str = "x-consumer-username";
pub const CONSUMER_TAGS: &str = "x-consumer-tags";
pub const CREDENTIAL_IDENTIFIER: &str = "x-credential-identifier";
pub const ANONYMOUS_CONSUMER: &str = "x-anonymous-consumer";

/// All that are set for a consumer.
pub const CONSUMER_HEADERS: [&str; 6] = [
    CONSUMER_ID,
    CONSUMER_CUSTOM_ID,
    CONSUMER_USERNAME,
    CONSUMER_TAGS,
    CREDENTIAL_IDENTIFIER,
    ANONYMOUS_CONSUMER,
];

/// What a policy tells of the caller.
#[derive(Clone, Debug, Default)]
pub struct CallerRules {
    pub matching: Option<Matching>,
    /// The consumer as whom a request goes on whose token is missing or refused.
    pub anonymous: Option<Rc<Consumer>>,
    /// Something in front of the filter sets the consumer's headers.
    pub keep_consumer_headers: bool,
    pub headers: Vec<ToldClaim>,
    pub properties: Vec<ToldClaim>,
    /// What would have been refused is told in this header.
    pub report_header: Option<String>,
    /// The header that has the gateway's own JWT. It is set on every request that goes up.
    pub jwt_header: Option<Rc<str>>,
}

/// How the calling application is found.
#[derive(Clone, Debug)]
pub struct Matching {
    pub claim: ClaimPath,
    pub by_custom_id: bool,
    /// A caller that is not known is refused.
    pub is_required: bool,
    /// A caller that is not known is called by its claim.
    pub from_token: bool,
}

/// What the upstream is told of a request, and the gateway's other parts.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Told {
    pub headers: Vec<HeaderEdit>,
    /// Names and values.
    pub properties: Vec<(Rc<str>, Vec<u8>)>,
}

impl Matching {
    /// The application that a token was issued to.
    ///
    /// # Errors
    /// [`Reason::UnknownConsumer`] if there is none and one is required.
    pub fn identify(
        &self,
        claims: &ClaimsSet,
        consumers: &Consumers,
    ) -> Result<Option<Rc<Consumer>>, Reason> {
        let name = match self.claim.find(claims).map(JsonText::to_value) {
            Some(Value::String(name)) => Some(name),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let known = |name: &str| {
            if self.by_custom_id {
                consumers.find_by_custom_id(name)
            } else {
                consumers.find(name)
            }
        };
        let found = name.as_deref().and_then(known).cloned();
        let own_word = || {
            let name = name.filter(|name| self.from_token && header_value(name).is_some())?;
            Some(Rc::new(Consumer {
                username: Some(name.clone()),
                custom_id: Some(name),
                ..Consumer::default()
            }))
        };
        match found.or_else(own_word) {
            None if self.is_required => Err(Reason::UnknownConsumer),
            consumer => Ok(consumer),
        }
    }
}

impl CallerRules {
    /// What takes out the fields that a client sent and only the filter may set, in whatever
    /// spelling an upstream may take for theirs: CGI and its heirs make one of `x-user` and
    /// `X_User`.
    pub fn spoofed<'r>(&'r self, request: &'r Request) -> impl Iterator<Item = HeaderEdit> + 'r {
        let names = request.headers.iter().map(|(name, _)| name);
        names
            .filter(|name| !name.starts_with(b":"))
            .filter_map(|name| {
                let jwt = self.jwt_header.as_ref();
                match jwt.filter(|own| is_same(own, name)) {
                    // It will be overwritten.
                    Some(own) if name.eq_ignore_ascii_case(own.as_bytes()) => {
                        Some(HeaderEdit::Hide(Rc::clone(own)))
                    }
                    found => (found.is_some() || self.sets(name))
                        .then(|| HeaderEdit::Remove(String::from_utf8_lossy(name).into())),
                }
            })
    }

    fn sets(&self, name: &[u8]) -> bool {
        let consumer =
            !self.keep_consumer_headers && CONSUMER_HEADERS.iter().any(|own| is_same(own, name));
        consumer
            || self.headers.iter().any(|own| is_same(&own.name, name))
            || self
                .report_header
                .as_ref()
                .is_some_and(|own| is_same(own, name))
    }

    /// What is told of a caller with a token.
    #[must_use]
    pub fn of_token(
        &self,
        claims: &ClaimsSet,
        client_id: Option<&str>,
        consumer: Option<&Consumer>,
    ) -> Told {
        let mut told = Told::default();
        if let Some(consumer) = consumer {
            told.consumer(consumer);
            told.header(CREDENTIAL_IDENTIFIER, client_id);
        }
        for header in &self.headers {
            if let Some(value) = header.value(claims) {
                told.headers
                    .push(HeaderEdit::Set(header.name.clone(), value));
            }
        }
        for property in &self.properties {
            if let Some(value) = property.value(claims) {
                told.properties.push((Rc::clone(&property.name), value));
            }
        }
        told
    }

    /// What is told of a caller without one.
    #[must_use]
    pub fn of_anonymous(&self) -> Told {
        let mut told = Told::default();
        if let Some(consumer) = &self.anonymous {
            told.consumer(consumer);
        }
        if !self.keep_consumer_headers {
            told.header(ANONYMOUS_CONSUMER, Some("true"));
        }
        told
    }

    /// What is told of a request that would have been refused.
    #[must_use]
    pub fn of_reported(&self, reason: Reason) -> Told {
        let mut told = Told::default();
        if let Some(name) = &self.report_header {
            told.header(name, Some(reason.row().label));
        }
        told
    }
}

impl Told {
    /// What it takes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const EACH: usize = 60;
        let header = |edit: &HeaderEdit| match edit {
            HeaderEdit::Set(name, value) => name.len().saturating_add(value.len()),
            HeaderEdit::Remove(name) | HeaderEdit::Hide(name) => name.len(),
        };
        let property = |(name, value): &(Rc<str>, Vec<u8>)| name.len().saturating_add(value.len());
        let headers = self.headers.iter().map(header);
        let all = headers.chain(self.properties.iter().map(property));
        all.fold(0, |sum, one| sum.saturating_add(one).saturating_add(EACH))
    }

    fn consumer(&mut self, consumer: &Consumer) {
        let tags = consumer.tags.join(",");
        for (name, property, value) in [
            (CONSUMER_ID, "consumer_id", consumer.id.as_deref()),
            (
                CONSUMER_CUSTOM_ID,
                "consumer_custom_id",
                consumer.custom_id.as_deref(),
            ),
            (
                CONSUMER_USERNAME,
                "consumer_username",
                consumer.username.as_deref(),
            ),
            (CONSUMER_TAGS, "consumer_tags", Some(tags.as_str())),
        ] {
            let Some(bytes) = value.and_then(header_value) else {
                continue;
            };
            self.headers
                .push(HeaderEdit::Set(name.into(), bytes.clone()));
            self.properties.push((property.into(), bytes));
        }
    }

    fn header(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.and_then(header_value) {
            self.headers.push(HeaderEdit::Set(name.into(), value));
        }
    }
}

/// Whether an upstream might take one header for the other: case and every character but letters
/// and digits may be folded.
#[must_use]
pub fn is_same(own: &str, name: &[u8]) -> bool {
    let fold = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            byte.to_ascii_lowercase()
        } else {
            b'-'
        }
    };
    own.len() == name.len() && own.bytes().zip(name).all(|(a, b)| fold(a) == fold(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn consumers() -> Consumers {
        let mut consumers = Consumers::default();
        let app = Consumer {
            id: Some("1".to_owned()),
            username: Some("app".to_owned()),
            custom_id: Some("sub-1".to_owned()),
            tags: vec!["gold".to_owned(), "eu".to_owned()],
        };
        consumers.add(app).unwrap();
        consumers
    }

    fn matching() -> Matching {
        Matching {
            claim: ClaimPath::dotted("azp"),
            by_custom_id: false,
            is_required: true,
            from_token: false,
        }
    }

    fn identify(matching: &Matching, claims: &Value) -> Result<Option<String>, Reason> {
        let found = matching.identify(&ClaimsSet::of(claims), &consumers())?;
        Ok(found.map(|consumer| consumer.username.clone().unwrap()))
    }

    fn named(name: &str) -> Result<Option<String>, Reason> {
        Ok(Some(name.to_owned()))
    }

    #[test]
    fn a_consumer_is_found_as_the_policy_says() {
        assert_eq!(identify(&matching(), &json!({"azp": "app"})), named("app"));
        assert_eq!(identify(&matching(), &json!({"azp": 1})), named("app"));
        let by_custom_id = Matching {
            by_custom_id: true,
            ..matching()
        };
        assert_eq!(
            identify(&by_custom_id, &json!({"azp": "sub-1"})),
            named("app")
        );
        for unknown in [
            json!({"azp": "other"}),
            json!({}),
            json!({"azp": ["app"]}),
            json!({"azp": "sub-1"}),
        ] {
            assert_eq!(
                identify(&matching(), &unknown),
                Err(Reason::UnknownConsumer)
            );
            let lenient = Matching {
                is_required: false,
                ..matching()
            };
            assert_eq!(identify(&lenient, &unknown), Ok(None));
        }
    }

    #[test]
    fn a_caller_may_be_called_by_its_claim() {
        let from_token = Matching {
            from_token: true,
            ..matching()
        };
        assert_eq!(identify(&from_token, &json!({"azp": "app"})), named("app"));
        assert_eq!(
            identify(&from_token, &json!({"azp": "other"})),
            named("other")
        );
        for nobody in [json!({}), json!({"azp": ""}), json!({"azp": "a\r\nb: c"})] {
            assert_eq!(identify(&from_token, &nobody), Err(Reason::UnknownConsumer));
        }
    }

    #[test]
    fn what_the_filter_sets_cannot_be_sent_in_any_spelling() {
        let told = ToldClaim {
            name: "x-user".into(),
            claim: ClaimPath::dotted("sub"),
            format: told_claim::Format::Json,
            base64: false,
        };
        let mut rules = CallerRules {
            headers: vec![told],
            report_header: Some("x-report".to_owned()),
            ..CallerRules::default()
        };
        let names = [
            "X-Consumer-ID",
            "x_consumer_id",
            "x.consumer-custom_id",
            "X-CONSUMER-USERNAME",
            "x-consumer-tags",
            "x-credential_identifier",
            "x-anonymous-consumer",
            "X_USER",
            "x_report",
        ];
        let field = |name: &&str| (name.as_bytes().to_vec(), b"x".to_vec());
        let mut request = Request {
            headers: names.iter().map(field).collect(),
            ..Request::default()
        };
        let others = [
            ":path",
            "x-consumer",
            "x-consumer-id2",
            "x-users",
            "xuser",
            "host",
        ];
        request.headers.extend(others.iter().map(field));
        let removed = |names: &[&str]| -> Vec<_> {
            let removed = names.iter().map(|name| HeaderEdit::Remove((*name).into()));
            removed.collect()
        };
        let spoofed: Vec<_> = rules.spoofed(&request).collect();
        assert_eq!(spoofed, removed(&names));
        rules.keep_consumer_headers = true;
        assert_eq!(
            rules.spoofed(&request).collect::<Vec<_>>(),
            removed(&["X_USER", "x_report"])
        );
    }

    #[test]
    fn the_gateways_own_jwt_is_set_over_what_a_client_sent() {
        let rules = CallerRules {
            jwt_header: Some("x-jwt".into()),
            keep_consumer_headers: true,
            ..CallerRules::default()
        };
        let names = ["X-JWT", "x_jwt", "x-jwt2", "jwt"];
        let field = |name: &&str| (name.as_bytes().to_vec(), b"x".to_vec());
        let request = Request {
            headers: names.iter().map(field).collect(),
            ..Request::default()
        };
        let expected = [
            HeaderEdit::Hide("x-jwt".into()),
            HeaderEdit::Remove("x_jwt".into()),
        ];
        assert_eq!(rules.spoofed(&request).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_consumers_headers_are_kongs() {
        let consumers = consumers();
        let app = consumers.find("app").unwrap();
        let told = CallerRules::default().of_token(&ClaimsSet::default(), Some("app"), Some(app));
        let set = |name: &str, value: &str| HeaderEdit::Set(name.into(), value.into());
        let expected = [
            set(CONSUMER_ID, "1"),
            set(CONSUMER_CUSTOM_ID, "sub-1"),
            set(CONSUMER_USERNAME, "app"),
            set(CONSUMER_TAGS, "gold,eu"),
            set(CREDENTIAL_IDENTIFIER, "app"),
        ];
        assert_eq!(told.headers, expected);
        assert_eq!(
            told.properties[3],
            ("consumer_tags".into(), b"gold,eu".to_vec())
        );
        let anonymous = CallerRules {
            anonymous: Some(Rc::clone(app)),
            ..CallerRules::default()
        };
        let told = anonymous.of_anonymous().headers;
        assert_eq!(told[..4], expected[..4]);
        assert_eq!(told[4..], [set(ANONYMOUS_CONSUMER, "true")]);
        assert_eq!(
            CallerRules::default().of_token(&ClaimsSet::default(), Some("app"), None),
            Told::default()
        );
    }
}
