//! What the host and the gate tell each other of: requests, callouts and their answers, log lines.

use log::Level;

use crate::inquiry::message::Message;
use crate::keys::source::HttpUrl;
use crate::time::Millis;

/// A request at the host, for as long as it is there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u32);

/// A callout, from when it is asked for to its answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CallId(pub u32);

/// Gives each callout of a gate a number of its own.
#[derive(Debug, Default)]
pub struct CallIds(u32);

impl CallIds {
    pub fn draw(&mut self) -> CallId {
        self.0 = self.0.wrapping_add(1);
        CallId(self.0)
    }
}

/// Who sends a callout. One that a request sends is lost when the request goes away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    Background,
    Request(RequestId),
}

/// The answer to a callout.
#[derive(Clone, Debug)]
pub enum Answer<'a> {
    Response {
        status: u16,
        body: &'a [u8],
    },
    /// Not sent, not answered, cut short or too large; why, for the log.
    Failed(&'static str),
}

/// What the host is to send, now, in the context of its owner.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: CallId,
    pub owner: Owner,
    pub target: String,
    pub url: HttpUrl,
    pub timeout: Millis,
    pub message: Message,
}

/// A line for the log. It never holds anything of a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogLine {
    pub level: Level,
    pub text: String,
}
