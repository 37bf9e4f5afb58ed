//! What is asked of an issuer about a token, and what it said.

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::rc::Rc;

use super::introspection::{Introspection, ResponseKind};
use crate::authorization::permission::{AskedPermission, Permission};
use crate::bounded::Key;
use crate::claims::VerifiedClaims;
use crate::jose::hmac_sha256::hmac_sha256;
use crate::time::Millis;
use crate::verified_tokens::VerifiedToken;

/// A question; whether its answer may be one that was given before says [`Inquiry`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// Whether a token is in force, and what it says (RFC 7662).
    Introspection {
        issuer: usize,
        response: ResponseKind,
    },
    /// Whether its owner has a permission (Keycloak's authorization services).
    Decision {
        issuer: usize,
        resource_server: Rc<str>,
        asked: AskedPermission,
        /// What Keycloak's policies are told, as it takes them.
        claims: Option<Rc<str>>,
    },
    /// A permission ticket (UMA 2.0 Federated Authorization, 4).
    Ticket {
        issuer: usize,
        permissions: Vec<Permission>,
    },
}

/// Where an issuer is asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Endpoint {
    Introspection,
    Token,
    Permission,
}

/// A question, and how old an answer may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inquiry {
    pub question: Question,
    /// One that lets the request pass.
    pub max_age: Millis,
    /// One that does not.
    pub negative_max_age: Millis,
}

/// What calls are for: that those for one thing fail tells nothing of those for another.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Purpose {
    Introspection,
    /// By the word of the token's owner.
    Decision,
    /// By that of the gateway's client.
    DecisionAsClient,
    Ticket,
}

/// What fails together: calls to one issuer for one purpose.
pub type Line = (usize, Purpose);

/// What came of a question.
#[derive(Debug)]
pub enum Finding {
    /// The token is in force.
    Active(Introspection),
    /// It is not.
    Inactive,
    Granted,
    Denied,
    Ticket(String),
    /// The issuer does not answer.
    Unavailable,
    /// There is no answer that can be used, for another reason.
    Unusable,
}

/// What has been found out about a request's token.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<(Question, Rc<Finding>)>,
    /// Once its own signature is found good: it is not verified again after each answer.
    verified: OnceCell<Rc<VerifiedToken>>,
}

impl Findings {
    #[must_use]
    pub fn of(&self, question: &Question) -> Option<&Finding> {
        let mut found = self.found.iter();
        let (_, finding) = found.find(|(of, _)| of == question)?;
        Some(finding)
    }

    /// The token's own claims, which `verify` verifies if that has not been done.
    ///
    /// # Errors
    /// Those of `verify`.
    pub fn verified<E>(
        &self,
        verify: impl FnOnce() -> Result<VerifiedToken, E>,
    ) -> Result<VerifiedClaims, E> {
        if let Some(verified) = self.verified.get() {
            return Ok(verified.claims.clone());
        }
        let verified = Rc::new(verify()?);
        Ok(self.verified.get_or_init(|| verified).claims.clone())
    }

    /// The token, if its signature was found good here.
    #[must_use]
    pub fn take_verified(&mut self) -> Option<Rc<VerifiedToken>> {
        self.verified.take()
    }

    pub fn add(&mut self, question: Question, finding: Rc<Finding>) {
        self.found.push((question, finding));
    }

    /// How many questions have been asked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Answers that say something of the token, and their questions.
    pub fn active(&self) -> impl Iterator<Item = &Question> {
        let active = self.found.iter();
        let active = active.filter(|(_, finding)| matches!(**finding, Finding::Active(_)));
        active.map(|(question, _)| question)
    }
}

impl Question {
    #[must_use]
    pub fn issuer(&self) -> usize {
        match self {
            Self::Introspection { issuer, .. }
            | Self::Decision { issuer, .. }
            | Self::Ticket { issuer, .. } => *issuer,
        }
    }

    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::Introspection { .. } => Purpose::Introspection,
            Self::Decision { claims: None, .. } => Purpose::Decision,
            Self::Decision { .. } => Purpose::DecisionAsClient,
            Self::Ticket { .. } => Purpose::Ticket,
        }
    }

    #[must_use]
    pub fn line(&self) -> Line {
        (self.issuer(), self.purpose())
    }

    /// Where it is asked, in the end.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Introspection { .. } => Endpoint::Introspection,
            Self::Decision { .. } => Endpoint::Token,
            Self::Ticket { .. } => Endpoint::Permission,
        }
    }

    /// What an answer is kept under: half a digest of the token that it is about, by which all of
    /// that token's can be found, and half one of question and token.
    #[must_use]
    pub fn key(&self, digests: &Key, token: &Key) -> Key {
        let mut text = String::new();
        let _ = match self {
            Self::Introspection { issuer, response } => {
                write!(text, "introspection {issuer} {response:?}")
            }
            Self::Decision {
                issuer,
                resource_server,
                asked: AskedPermission { permission, by_uri },
                claims,
            } => write!(
                text,
                "decision {issuer} {by_uri} {resource_server:?} {permission:?} {claims:?}"
            ),
            Self::Ticket {
                issuer,
                permissions,
            } => write!(text, "ticket {issuer} {permissions:?}"),
        };
        let mut key = hmac_sha256(digests, &[token, text.as_bytes()]);
        for (octet, of) in key.iter_mut().zip(prefix_of(token)) {
            *octet = of;
        }
        key
    }
}

impl Endpoint {
    /// For the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::Token => "token",
            Self::Permission => "permission",
        }
    }
}

/// What the keys of all answers about a token begin with.
#[must_use]
pub fn prefix_of(token: &Key) -> [u8; 16] {
    let mut prefix = [0; 16];
    for (octet, of) in prefix.iter_mut().zip(token) {
        *octet = *of;
    }
    prefix
}
