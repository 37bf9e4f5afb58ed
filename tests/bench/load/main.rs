//! The benchmark's load generator: one thread, connections that are kept, requests made beforehand.
//!
//! It does what it reads, a line at a time, and answers each line with one:
//!
//! ```text
//! tokens NAME FILE                             -> loaded COUNT
//! send PORT NAME FROM COUNT CONNECTIONS        -> sent SECONDS STATUS:COUNT…
//! watch PORT NAME FROM COUNT CONNECTIONS       -> the same, by reading again and again and not by waiting
//! pace PORT NAME FROM COUNT CONNECTIONS RATE   -> paced P50 P90 P99 MAX STATUS:COUNT…  (microseconds)
//! ```
//!
//! A file has a token a line; an empty line stands for a request without one. Requests go from FROM
//! on and begin anew at the end of the file.

// This is no part of the filter: here the clock is what it is about.
#![allow(clippy::disallowed_methods)]

mod connection;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use connection::Connection;

/// A sleep ends late, by what the system allows itself: before a request is due, time is watched.
const WATCHED: Duration = Duration::from_micros(150);

type Statuses = BTreeMap<u16, usize>;

fn main() {
    let mut load = Load::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line of text");
        let answer = load.obey(&line.split(' ').collect::<Vec<_>>());
        let mut output = std::io::stdout().lock();
        writeln!(output, "{answer}").expect("somebody reads this");
        output.flush().expect("somebody reads this");
    }
}

#[derive(Default)]
struct Load {
    requests: HashMap<String, Vec<Vec<u8>>>,
    connections: HashMap<u16, Vec<Connection>>,
}

impl Load {
    fn obey(&mut self, words: &[&str]) -> String {
        match *words {
            ["tokens", name, file] => {
                let text =
                    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
                let requests: Vec<_> = text.lines().map(request).collect();
                let count = requests.len();
                self.requests.insert(name.into(), requests);
                format!("loaded {count}")
            }
            [
                how @ ("send" | "watch"),
                port,
                name,
                from,
                count,
                connections,
            ] => {
                let (requests, connections) = self.for_port(port, name, connections);
                for connection in connections.iter() {
                    connection.set_waiting(how == "send");
                }
                let started = Instant::now();
                let statuses = send(connections, requests, number(from), number(count));
                let seconds = started.elapsed().as_secs_f64();
                format!("sent {seconds:.6}{}", told(&statuses))
            }
            ["pace", port, name, from, count, connections, rate] => {
                let (requests, connections) = self.for_port(port, name, connections);
                let each = Duration::from_secs_f64(1.0 / number(rate) as f64);
                let (mut took, statuses) =
                    pace(connections, requests, number(from), number(count), each);
                took.sort_unstable();
                let at = |share: f64| {
                    let index = (took.len() as f64 * share) as usize;
                    took[index.min(took.len() - 1)].as_nanos() as f64 / 1e3
                };
                let [p50, p90, p99, most] = [0.5, 0.9, 0.99, 1.0].map(at);
                let statuses = told(&statuses);
                format!("paced {p50:.1} {p90:.1} {p99:.1} {most:.1}{statuses}")
            }
            _ => panic!("unknown command: {words:?}"),
        }
    }

    /// The requests of a name, and as many connections to a port.
    fn for_port(&mut self, port: &str, name: &str, count: &str) -> (&[Vec<u8>], &mut [Connection]) {
        let port = port.parse().expect("a port");
        let connections = self.connections.entry(port).or_default();
        let count = number(count);
        connections.retain(Connection::is_open);
        while connections.len() < count {
            connections.push(Connection::open(port));
        }
        (&self.requests[name], &mut connections[..count])
    }
}

/// As many requests as connections are under way all the time; answers are read in the order in
/// which the requests went.
fn send(
    connections: &mut [Connection],
    requests: &[Vec<u8>],
    from: usize,
    count: usize,
) -> Statuses {
    let mut statuses = Statuses::new();
    let parallel = connections.len();
    for number in 0..count + parallel {
        let connection = &mut connections[number % parallel];
        if number >= parallel && number - parallel < count {
            let status = loop {
                match connection.answer() {
                    Some(status) => break status,
                    // On a machine with one core the gateway has to get it.
                    None => std::thread::yield_now(),
                }
            };
            *statuses.entry(status).or_default() += 1;
        }
        if number < count {
            connection.send(&requests[(from + number) % requests.len()]);
        }
    }
    statuses
}

/// A request each so often, whatever became of those before. What a request took counts from when
/// it was to be sent: one that had to wait, for a connection or for its turn here, took longer.
fn pace(
    connections: &mut [Connection],
    requests: &[Vec<u8>],
    from: usize,
    count: usize,
    each: Duration,
) -> (Vec<Duration>, Statuses) {
    let mut statuses = Statuses::new();
    let mut took = Vec::with_capacity(count);
    let mut free: VecDeque<usize> = (0..connections.len()).collect();
    let mut out: Vec<(usize, Instant)> = Vec::new();
    for connection in connections.iter() {
        connection.set_waiting(false);
    }
    let started = Instant::now() + Duration::from_millis(5);
    let mut sent = 0;
    while took.len() < count {
        let due = started + each * u32::try_from(sent).expect("not so many");
        if sent < count
            && due <= Instant::now()
            && let Some(index) = free.pop_front()
        {
            connections[index].send(&requests[(from + sent) % requests.len()]);
            out.push((index, due));
            sent += 1;
            continue;
        }
        out.retain(|&(index, due)| match connections[index].answer() {
            Some(status) => {
                took.push(due.elapsed());
                *statuses.entry(status).or_default() += 1;
                free.push_back(index);
                false
            }
            None => true,
        });
        if out.is_empty() {
            let left = due.saturating_duration_since(Instant::now());
            if left > WATCHED {
                std::thread::sleep(left - WATCHED);
            }
        } else {
            // On a machine with one core the gateway has to get it.
            std::thread::yield_now();
        }
    }
    (took, statuses)
}

fn request(token: &str) -> Vec<u8> {
    let authorization = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    format!(
        "GET /orders/17 HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: bench\r\n\
         accept: application/json\r\n{authorization}\r\n"
    )
    .into_bytes()
}

fn number(word: &str) -> usize {
    word.parse()
        .unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn told(statuses: &Statuses) -> String {
    statuses
        .iter()
        .map(|(status, count)| format!(" {status}:{count}"))
        .collect()
}
