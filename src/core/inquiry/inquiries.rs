//! Questions under way, and answers: those that are kept, and those that come.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use log::Level;

use super::asked::{Asked, Token};
use super::breaker::Breaker;
use super::client::Client;
use super::decision::{self, Asking};
use super::failure::{Cause, Failure};
use super::introspection::{self, Answered};
use super::kept::{About, Kept};
use super::message::{Message, Post};
use super::question::{Endpoint, Finding, Inquiry, Line, Purpose, Question};
use super::ticket::{self, ProtectionToken};
use crate::authorization::permission::{AskedPermission, Permission};
use crate::bounded::Key;
use crate::event::{Answer, Call, CallId, CallIds, LogLine, Owner};
use crate::jose::hmac_sha256::hmac_sha256;
use crate::sparing::Sparing;
use crate::time::{Millis, UnixMillis};

/// So many calls may be under way to one issuer for one purpose, in one worker.
const CALLS: usize = 100;

/// So often a call is sent.
const TRIES: u32 = 2;

#[derive(Debug)]
pub struct Inquiries {
    digests: Key,
    kept: Kept,
    flights: Vec<Flight>,
    breakers: BTreeMap<Line, Breaker>,
    /// Failures that others need not have.
    told: Sparing<Line>,
    protection_tokens: BTreeMap<usize, ProtectionToken>,
    last_answer: u64,
}

/// A question under way.
#[derive(Debug)]
struct Flight {
    call: CallId,
    owner: Owner,
    key: Key,
    token: Key,
    inquiry: Inquiry,
    request: Request,
    tries: u32,
    asked_at: UnixMillis,
    sent_at: UnixMillis,
    /// When its answer is overdue.
    until: UnixMillis,
}

#[derive(Clone, Debug)]
struct Request {
    endpoint: Endpoint,
    post: Post,
    /// Whether the gateway's client asks, and not the token's owner.
    as_client: bool,
}

/// What an answer to a call leads to.
#[derive(Debug)]
pub enum Next {
    Call(Call),
    Over(Over),
}

/// A question has come to its end.
#[derive(Debug)]
pub struct Over {
    pub key: Key,
    pub owner: Owner,
    pub asked_at: UnixMillis,
    pub inquiry: Inquiry,
    pub finding: Rc<Finding>,
}

impl Inquiries {
    /// `secret` should be known to nobody else: what is kept of tokens is kept under digests with it.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self {
            digests: hmac_sha256(secret, &[b"jwt_keycloak digests of tokens"]),
            kept: Kept::default(),
            flights: Vec::new(),
            breakers: BTreeMap::new(),
            told: Sparing::default(),
            protection_tokens: BTreeMap::new(),
            last_answer: 0,
        }
    }

    /// Stands for a token.
    #[must_use]
    pub fn digest(&self, token: &str) -> Key {
        hmac_sha256(&self.digests, &[token.as_bytes()])
    }

    /// What a question about a token is known under.
    #[must_use]
    pub fn key(&self, question: &Question, token: &Key) -> Key {
        question.key(&self.digests, token)
    }

    /// An answer that may count again.
    #[must_use]
    pub fn known(&self, key: &Key, inquiry: &Inquiry, now: UnixMillis) -> Option<Rc<Finding>> {
        self.kept.find(key, inquiry, now)
    }

    /// Drops an answer that turned out to be of no use.
    pub fn forget(&mut self, key: &Key) {
        self.kept.forget(key);
    }

    /// When a question was asked whose answer is on its way, in time; the last of several.
    #[must_use]
    pub fn asked_at(&self, key: &Key, now: UnixMillis) -> Option<UnixMillis> {
        let is_it = |flight: &&Flight| flight.key == *key && flight.is_in_time(now);
        let flights = self.flights.iter().filter(is_it);
        flights.map(|flight| flight.asked_at).max()
    }

    /// Of which issuer a call asks.
    #[must_use]
    pub fn issuer_of(&self, call: CallId) -> Option<usize> {
        let flight = self.flights.iter().find(|flight| flight.call == call)?;
        Some(flight.inquiry.question.issuer())
    }

    /// When it is worth while to ask an issuer again.
    #[must_use]
    pub fn retry_after(&self, issuer: usize, purposes: &[Purpose], now: UnixMillis) -> Millis {
        let is_meant = |of: usize, purpose| of == issuer && purposes.contains(purpose);
        let breakers = self.breakers.iter();
        let breakers = breakers.filter(|((of, purpose), _)| is_meant(*of, purpose));
        let longest = breakers.map(|(_, breaker)| breaker.retry_after(now)).max();
        longest.unwrap_or(Millis::from_secs(1))
    }

    /// Begins to ask.
    ///
    /// # Errors
    /// What is found if that cannot be now.
    pub fn ask(
        &mut self,
        inquiry: Inquiry,
        token: Token<'_>,
        owner: Owner,
        asked: &Asked<'_>,
        ids: &mut CallIds,
        log: &mut Vec<LogLine>,
    ) -> Result<Call, Rc<Finding>> {
        let of = inquiry.question.line();
        let breaker = self.breakers.get(&of);
        let is_out = breaker.is_some_and(|breaker| breaker.is_outage(asked.now));
        let call = ids.draw();
        let request = self.request(&inquiry, token.text, asked, call);
        let is_known = request
            .as_ref()
            .is_some_and(|request| asked.url(request.endpoint).is_some());
        if !is_known && self.told.tells(of, asked.now) {
            log.push(LogLine {
                level: Level::Warn,
                text: format!(
                    "{}: it is not known where to ask it; its discovery document names no such \
                     endpoint, or one without TLS, or has not come",
                    asked.iss
                ),
            });
        }
        let flight = request.map(|request| Flight {
            call,
            owner,
            key: token.key,
            token: token.digest,
            inquiry,
            request,
            tries: 1,
            asked_at: asked.now,
            sent_at: asked.now,
            until: asked.now.plus(asked.timeout),
        });
        let call = flight.and_then(|flight| self.send(flight, asked));
        call.ok_or_else(|| {
            Rc::new(if is_out {
                Finding::Unavailable
            } else {
                Finding::Unusable
            })
        })
    }

    /// The answer to a call came, or it failed. `None` if it is nobody's.
    pub fn answered(
        &mut self,
        call: CallId,
        answer: &Answer<'_>,
        asked: &Asked<'_>,
        ids: &mut CallIds,
        log: &mut Vec<LogLine>,
    ) -> Option<(Millis, Next)> {
        let index = self.flights.iter().position(|flight| flight.call == call)?;
        let mut flight = self.flights.swap_remove(index);
        let now = asked.now;
        let took = now.since(flight.sent_at);
        let of = flight.inquiry.question.line();
        let read = self.read(&flight, answer, asked, log);
        let breaker = self.breakers.entry(of).or_default();
        let failure = match read {
            Ok(read) => {
                breaker.succeeded();
                match read {
                    Some(finding) => return Some((took, self.over(flight, finding, now))),
                    // The protection token came; now for the ticket.
                    None => None,
                }
            }
            Err(failure) => {
                // What one token or one route brings about must not shut others out.
                match failure.cause {
                    Cause::Outage => breaker.failed(true, now),
                    Cause::Credentials => breaker.failed(false, now),
                    _ => breaker.succeeded(),
                }
                Some(failure)
            }
        };
        let pause = breaker.pause(now);
        let cause = failure.as_ref().map(|failure| failure.cause);
        // What failed fast may be tried again, all within the time for one call.
        let may_pass = |cause| matches!(cause, Cause::Outage | Cause::ProtectionToken);
        let is_worth_it = cause.is_none_or(|cause| may_pass(cause) && flight.tries < TRIES);
        if is_worth_it && now < flight.asked_at.plus(asked.timeout.halved()) {
            flight.call = ids.draw();
            flight.sent_at = now;
            flight.tries = flight.tries.saturating_add(u32::from(cause.is_some()));
            if let Some(request) = self.request_again(&flight, asked) {
                flight.request = request;
                let rest = flight.until.since(now).min(asked.timeout);
                if let Some(call) = self.send_for(&flight, asked, rest) {
                    self.flights.push(flight);
                    return Some((took, Next::Call(call)));
                }
            }
        }
        let failure = failure.unwrap_or_else(|| Failure::unusable("there was no time for it"));
        self.tell(&flight, &failure, pause, asked, log);
        let finding = match failure.cause {
            Cause::Outage => Finding::Unavailable,
            _ => Finding::Unusable,
        };
        Some((took, self.over(flight, finding, now)))
    }

    /// Tells the log of a failure, and what can be done about it; often only of those that are rare.
    fn tell(
        &mut self,
        flight: &Flight,
        failure: &Failure,
        pause: Option<Millis>,
        asked: &Asked<'_>,
        log: &mut Vec<LogLine>,
    ) {
        let question = &flight.inquiry.question;
        let of = question.line();
        let is_rare = matches!(failure.cause, Cause::Outage | Cause::Credentials);
        if !is_rare && !self.told.tells(of, asked.now) {
            return;
        }
        let name = flight.request.endpoint.name();
        let url = asked.url(flight.request.endpoint);
        let url = url.map(|url| url.to_string()).unwrap_or_default();
        let mut text = format!(
            "{}: no usable answer of the {name} endpoint ({url}): {}",
            asked.iss, failure.why
        );
        if let (Cause::Credentials, Some(client)) = (failure.cause, asked.client) {
            let _ = write!(
                text,
                "; it does not take the client {:?}: see its secret or key, auth_method, and whether \
                 it is enabled, confidential and has a service account",
                client.id
            );
        }
        if let Question::Decision {
            resource_server, ..
        } = question
        {
            let _ = write!(text, "; resource server {resource_server:?}");
        }
        if let Some(pause) = pause {
            let _ = write!(text, "; not asked again for {} s", pause.whole_secs());
        }
        let level = match failure.cause {
            // What will not pass by itself.
            Cause::Credentials => Level::Error,
            _ => Level::Warn,
        };
        log.push(LogLine { level, text });
    }

    /// A request is gone, and with it what it asked.
    pub fn abandoned(&mut self, owner: Owner) {
        self.flights.retain(|flight| flight.owner != owner);
    }

    /// Gives up calls of the background that are never answered.
    pub fn drop_overdue(&mut self, now: UnixMillis) {
        self.flights
            .retain(|flight| flight.owner != Owner::Background || flight.is_in_time(now));
    }

    pub fn retire(&mut self) {
        self.flights.clear();
    }

    /// What is sent for a question; `None` if the issuer cannot be asked.
    fn request(
        &self,
        inquiry: &Inquiry,
        token: &str,
        asked: &Asked<'_>,
        call: CallId,
    ) -> Option<Request> {
        let proof = |client: &Client| client.proof(asked.iss, call.0, asked.now);
        let request = match &inquiry.question {
            Question::Introspection { response, .. } => Request {
                endpoint: Endpoint::Introspection,
                post: introspection::request(token, *response, proof(asked.client?)),
                as_client: true,
            },
            Question::Decision {
                resource_server,
                asked: permission,
                claims,
                ..
            } => {
                let asking = Asking {
                    resource_server,
                    asked: permission,
                    claims: claims.as_deref(),
                };
                let client = decision::prover(asked.client, asking.claims);
                Request {
                    endpoint: Endpoint::Token,
                    post: decision::request(token, &asking, client.map(proof)),
                    as_client: client.is_some(),
                }
            }
            Question::Ticket {
                issuer,
                permissions,
            } => self.ticket_request(*issuer, permissions, asked, call)?,
        };
        Some(request)
    }

    fn ticket_request(
        &self,
        issuer: usize,
        permissions: &[Permission],
        asked: &Asked<'_>,
        call: CallId,
    ) -> Option<Request> {
        let own = self.protection_tokens.get(&issuer);
        let (endpoint, post) = match own.and_then(|own| own.text(asked.now)) {
            Some(own) => (Endpoint::Permission, ticket::request(permissions, own)),
            None => {
                let proof = asked.client?.proof(asked.iss, call.0, asked.now);
                (Endpoint::Token, ProtectionToken::request(proof))
            }
        };
        Some(Request {
            endpoint,
            post,
            as_client: true,
        })
    }

    /// The same once more, or the next step.
    fn request_again(&self, flight: &Flight, asked: &Asked<'_>) -> Option<Request> {
        match &flight.inquiry.question {
            Question::Ticket {
                issuer,
                permissions,
            } => self.ticket_request(*issuer, permissions, asked, flight.call),
            _ => Some(Request {
                post: flight.request.post.again(flight.call.0, asked.now),
                ..flight.request.clone()
            }),
        }
    }

    fn send(&mut self, flight: Flight, asked: &Asked<'_>) -> Option<Call> {
        let call = self.send_for(&flight, asked, asked.timeout)?;
        self.flights.push(flight);
        Some(call)
    }

    fn send_for(&self, flight: &Flight, asked: &Asked<'_>, timeout: Millis) -> Option<Call> {
        let endpoint = flight.request.endpoint;
        let url = asked.url(endpoint)?;
        if !self.may_call(&flight.inquiry.question, asked.now) {
            return None;
        }
        Some(Call {
            id: flight.call,
            owner: flight.owner,
            target: asked.target.unwrap_or(&url.authority).to_owned(),
            url,
            timeout,
            message: Message::Post(flight.request.post.clone()),
        })
    }

    fn may_call(&self, question: &Question, now: UnixMillis) -> bool {
        let of = question.line();
        let is_alike =
            |flight: &&Flight| flight.inquiry.question.line() == of && flight.is_in_time(now);
        let others = self.flights.iter().filter(is_alike).count();
        let breaker = self.breakers.get(&of);
        others < CALLS && breaker.is_none_or(|breaker| breaker.lets_pass(others, now))
    }

    /// Reads an answer; `None` if it was a step on the way.
    fn read(
        &mut self,
        flight: &Flight,
        answer: &Answer<'_>,
        asked: &Asked<'_>,
        log: &mut Vec<LogLine>,
    ) -> Result<Option<Finding>, Failure> {
        let (status, body) = match answer {
            Answer::Failed(why) => return Err(Failure::outage(*why)),
            Answer::Response { status, body } => (*status, *body),
        };
        // RFC 6585, 4; RFC 9110, 15.6.
        if status == 429 || status >= 500 {
            return Err(Failure::outage(status.to_string()));
        }
        match &flight.inquiry.question {
            Question::Introspection { response, .. } => {
                if status != 200 {
                    return Err(introspection::refused(status, body));
                }
                self.last_answer = self.last_answer.wrapping_add(1);
                let read = introspection::read(body, *response, asked.iss, self.last_answer);
                match read.map_err(Failure::unusable)? {
                    Answered::Active(introspection) => Ok(Some(Finding::Active(introspection))),
                    Answered::Inactive => Ok(Some(Finding::Inactive)),
                }
            }
            Question::Decision {
                resource_server,
                asked: AskedPermission { permission, by_uri },
                ..
            } => {
                let finding = decision::read(status, body, flight.request.as_client)?;
                let is_mistaken = !by_uri && decision::is_unknown(status);
                let of = (flight.inquiry.question.issuer(), Purpose::Decision);
                if is_mistaken
                    && matches!(finding, Finding::Denied)
                    && self.told.tells(of, asked.now)
                {
                    let permission = permission.to_string();
                    log.push(LogLine {
                        level: Level::Warn,
                        text: format!(
                            "{}: the resource server {resource_server:?} has no permission \
                             {permission:?}: nobody gets it",
                            asked.iss
                        ),
                    });
                }
                Ok(Some(finding))
            }
            Question::Ticket { issuer, .. } if flight.request.endpoint == Endpoint::Token => {
                let token = ProtectionToken::read(status, body, asked.now)?;
                self.protection_tokens.insert(*issuer, token);
                Ok(None)
            }
            Question::Ticket { issuer, .. } => match ticket::read(status, body) {
                Ok(ticket) => Ok(Some(Finding::Ticket(ticket))),
                Err(failure) => {
                    // It may be that the token has been revoked: a new one is worth a try.
                    self.protection_tokens.remove(issuer);
                    Err(match status {
                        401 | 403 => failure.of(Cause::ProtectionToken),
                        _ => failure,
                    })
                }
            },
        }
    }

    fn over(&mut self, flight: Flight, finding: Finding, now: UnixMillis) -> Next {
        let (expires, session) = match &finding {
            Finding::Active(introspection) => {
                (introspection.expires, introspection.session.as_deref())
            }
            _ => (None, None),
        };
        let about = About {
            token: flight.token,
            session: session.map(|session| self.digest(session)),
            expires,
            bytes: match &finding {
                Finding::Active(introspection) => introspection.bytes(),
                _ => 0,
            },
        };
        let finding = Rc::new(finding);
        let at = flight.sent_at.min(now);
        self.kept
            .keep(flight.key, &finding, &flight.inquiry, about, at);
        Next::Over(Over {
            key: flight.key,
            owner: flight.owner,
            asked_at: flight.asked_at,
            inquiry: flight.inquiry,
            finding,
        })
    }
}

impl Flight {
    fn is_in_time(&self, now: UnixMillis) -> bool {
        /// For the host to report a time-out.
        const MARGIN: Millis = Millis::from_secs(1);
        let longest = Millis::from_secs(120);
        self.until.plus(MARGIN).is_ahead(now, longest)
    }
}
