//! What the JWT says: of the gateway, of the caller, of the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::circumstances::Circumstances;
use super::text;
use crate::admission::Admission;
use crate::authorization::claim_shape::ClaimPath;
use crate::authorization::requirement::Branch;
use crate::caller::consumers::Consumer;
use crate::claims_set::ClaimsSet;

/// Claims and where each comes from.
#[derive(Clone, Debug)]
pub struct Claims {
    pub issuer: String,
    pub audience: Audience,
    /// Each JWT has an identifier of its own (RFC 7519, 4.1.7).
    pub with_jti: bool,
    pub members: Vec<(String, Source)>,
}

/// For whom it is meant (RFC 7519, 4.1.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Audience {
    None,
    Fixed(Value),
    Service,
    Route,
}

/// Where a claim's value comes from. What is not there gives no claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A claim of the caller's token.
    Claim {
        path: ClaimPath,
        /// Of a list, or of a text with blanks, these parts.
        only: Option<Vec<Branch>>,
    },
    Constant(Value),
    Fact(Fact),
    Object(Vec<(String, Source)>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fact {
    Method,
    Path,
    BodySha256,
    /// As `Content-Digest` has it (RFC 9530, 2).
    ContentDigest,
    QuerySha256,
    Service,
    Route,
    ClientId,
    /// Of which issuer's subjects `sub` is one (RFC 9493, 3.2.3 and 4.1).
    SubjectId,
    ConsumerId,
    ConsumerUsername,
    ConsumerCustomId,
    ConsumerTags,
}

impl Fact {
    /// Those that a configuration can name, by their names there.
    pub const NAMED: [(&str, Self); 12] = [
        ("method", Self::Method),
        ("path", Self::Path),
        ("body_sha256", Self::BodySha256),
        ("content_digest", Self::ContentDigest),
        ("query_sha256", Self::QuerySha256),
        ("service", Self::Service),
        ("route", Self::Route),
        ("client_id", Self::ClientId),
        ("consumer_id", Self::ConsumerId),
        ("consumer_username", Self::ConsumerUsername),
        ("consumer_custom_id", Self::ConsumerCustomId),
        ("consumer_tags", Self::ConsumerTags),
    ];
}

/// Who calls. Of a token it knows only if the request was admitted by it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    claims: Option<&'a ClaimsSet>,
    client_id: Option<&'a str>,
    consumer: Option<&'a Consumer>,
}

impl<'a> Caller<'a> {
    /// `client_id` is what the issuer's tokens say, `consumer` whom the policy found.
    #[must_use]
    pub fn of(
        admission: &'a Admission,
        client_id: Option<&'a str>,
        consumer: Option<&'a Consumer>,
    ) -> Self {
        match admission {
            Admission::Token(permit) => Self {
                claims: Some(permit.token().claims()),
                client_id,
                consumer,
            },
            Admission::Waiver(_) => Self {
                claims: None,
                client_id: None,
                consumer,
            },
        }
    }

    /// Whether it has a token that was accepted.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.claims.is_some()
    }

    #[must_use]
    pub fn consumer_name(&self) -> Option<&str> {
        let consumer = self.consumer?;
        let names = [&consumer.id, &consumer.username, &consumer.custom_id];
        names.into_iter().find_map(Option::as_deref)
    }

    /// Its token's `exp`, in whole seconds.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        Some(self.claims?.times().exp.ok()??.whole_secs())
    }
}

impl Claims {
    /// All but the times and `jti`.
    #[must_use]
    pub fn of(&self, caller: &Caller<'_>, circumstances: &Circumstances) -> Map<String, Value> {
        let mut claims = object(&self.members, caller, circumstances);
        claims.insert("iss".to_owned(), json!(self.issuer));
        let audience = match &self.audience {
            Audience::None => None,
            Audience::Fixed(value) => Some(value.clone()),
            Audience::Service => text(circumstances.service.as_deref()),
            Audience::Route => text(circumstances.route.as_deref()),
        };
        if let Some(audience) = audience {
            claims.insert("aud".to_owned(), audience);
        }
        if !caller.is_known() {
            claims.insert("anonymous".to_owned(), Value::Bool(true));
        }
        claims
    }

    /// Whether the body has to be read for it.
    #[must_use]
    pub fn need_body(&self) -> bool {
        self.any(|fact| matches!(fact, Fact::BodySha256 | Fact::ContentDigest))
    }

    /// Whether two requests of one caller may have different ones.
    #[must_use]
    pub fn depend_on_request(&self) -> bool {
        self.need_body()
            || self.any(|fact| matches!(fact, Fact::Method | Fact::Path | Fact::QuerySha256))
    }

    /// Whether the name of the service is asked for.
    #[must_use]
    pub fn need_service(&self) -> bool {
        self.audience == Audience::Service || self.any(|fact| fact == Fact::Service)
    }

    /// Whether the name of the route is asked for.
    #[must_use]
    pub fn need_route(&self) -> bool {
        self.audience == Audience::Route || self.any(|fact| fact == Fact::Route)
    }

    fn any(&self, is_meant: fn(Fact) -> bool) -> bool {
        self.members.iter().any(|(_, source)| source.any(is_meant))
    }
}

impl Source {
    fn value(&self, caller: &Caller<'_>, circumstances: &Circumstances) -> Option<Value> {
        match self {
            Self::Claim { path, only } => {
                let value = path.find(caller.claims?).filter(|value| !value.is_null())?;
                match only {
                    None => Some(value.to_value()),
                    Some(only) => filtered(&value.to_value(), only),
                }
            }
            Self::Constant(value) => Some(value.clone()),
            Self::Fact(fact) => fact.value(caller, circumstances),
            Self::Object(members) => {
                let object = object(members, caller, circumstances);
                (!object.is_empty()).then_some(Value::Object(object))
            }
        }
    }

    fn any(&self, is_meant: fn(Fact) -> bool) -> bool {
        match self {
            Self::Fact(fact) => is_meant(*fact),
            Self::Object(members) => members.iter().any(|(_, source)| source.any(is_meant)),
            Self::Claim { .. } | Self::Constant(_) => false,
        }
    }
}

impl Fact {
    fn value(self, caller: &Caller<'_>, circumstances: &Circumstances) -> Option<Value> {
        let consumer = caller.consumer.or(circumstances.consumer.as_ref());
        match self {
            Self::Method => text(Some(&circumstances.method)),
            // One that is no UTF-8 cannot be told without being changed.
            Self::Path => text(std::str::from_utf8(circumstances.path()).ok()),
            Self::BodySha256 => Some(json!(hex(&circumstances.digest()?))),
            Self::ContentDigest => {
                let digest = STANDARD.encode(circumstances.digest()?);
                Some(json!(format!("sha-256=:{digest}:")))
            }
            Self::QuerySha256 => Some(json!(hex(&Sha256::digest(circumstances.query())))),
            Self::Service => text(circumstances.service.as_deref()),
            Self::Route => text(circumstances.route.as_deref()),
            Self::ClientId => text(caller.client_id),
            Self::SubjectId => {
                let claim = |name| caller.claims?.get(name)?.as_str();
                let (iss, sub) = (claim("iss")?, claim("sub")?);
                Some(json!({"format": "iss_sub", "iss": iss, "sub": sub}))
            }
            Self::ConsumerId => text(consumer?.id.as_deref()),
            Self::ConsumerUsername => text(consumer?.username.as_deref()),
            Self::ConsumerCustomId => text(consumer?.custom_id.as_deref()),
            Self::ConsumerTags => {
                let tags = &consumer?.tags;
                (!tags.is_empty()).then(|| json!(tags))
            }
        }
    }
}

fn object(
    members: &[(String, Source)],
    caller: &Caller<'_>,
    circumstances: &Circumstances,
) -> Map<String, Value> {
    let value = |(name, source): &(String, Source)| {
        Some((name.clone(), source.value(caller, circumstances)?))
    };
    members.iter().filter_map(value).collect()
}

/// The parts of a list, or of a text with blanks between them, that may be told.
fn filtered(value: &Value, only: &[Branch]) -> Option<Value> {
    let may_be_told = |part: &str| only.iter().any(|branch| branch.holds(part));
    match value {
        Value::Array(list) => {
            let told = |part: &&Value| part.as_str().is_some_and(may_be_told);
            let parts: Vec<_> = list.iter().filter(told).cloned().collect();
            (!parts.is_empty()).then_some(Value::Array(parts))
        }
        Value::String(text) => {
            let parts: Vec<_> = text.split(' ').filter(|part| may_be_told(part)).collect();
            (!parts.is_empty()).then(|| Value::String(parts.join(" ")))
        }
        _ => None,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
