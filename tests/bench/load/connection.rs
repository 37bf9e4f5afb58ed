//! One HTTP/1.1 connection that is kept alive, and the answers that come on it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// More than a refusal's head and body take.
const BUFFER: usize = 16 * 1024;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    /// # Panics
    /// When nobody listens there.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .unwrap_or_else(|error| panic!("port {port}: {error}"));
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self {
            stream,
            buffer: vec![0; BUFFER],
            filled: 0,
        }
    }

    /// Whether the gateway still holds it; one that was stopped does not.
    pub fn is_open(&self) -> bool {
        self.set_waiting(false);
        let told = self.stream.peek(&mut [0]);
        matches!(told, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Whether reading waits for an answer.
    pub fn set_waiting(&self, waiting: bool) {
        self.stream
            .set_nonblocking(!waiting)
            .expect("non-blocking mode");
    }

    pub fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("the request is sent");
    }

    /// The status of the next answer, when all of it is there; waits for it if the connection is
    /// a waiting one.
    ///
    /// # Panics
    /// When the gateway closes the connection or answers something else than HTTP/1.1 with a
    /// `content-length`: then there is nothing to measure.
    pub fn answer(&mut self) -> Option<u16> {
        loop {
            if let Some((status, size)) = complete(&self.buffer[..self.filled]) {
                // What follows would be an answer to a request that was not sent yet.
                assert_eq!(size, self.filled, "more came than the answer");
                self.filled = 0;
                return Some(status);
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => panic!("the gateway closed the connection"),
                Ok(size) => self.filled += size,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("reading an answer: {error}"),
            }
        }
    }
}

/// The status, and the size of head and body, if all of it is there.
fn complete(bytes: &[u8]) -> Option<(u16, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("a head of text");
    let mut lines = text.split("\r\n");
    let first = lines.next().expect("a status line");
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {first}"));
    let body: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().expect("a length"));
    (bytes.len() >= head + body).then_some((status, head + body))
}
