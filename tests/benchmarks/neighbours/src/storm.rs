//! Load that does not wait: requests at a steady rate, each counted from when it was due.
//!
//! A generator that sends the next request when the last one was answered asks a slow service less often, and
//! so hides how slow it is. Here a request that is late because the one before it took long is late by that.
//!
//! One thread sends and reads for all connections and never sleeps: one that does is woken late, by a timer's
//! slack of fifty microseconds to begin with, and that would count as the service's.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::answer::{Answer, connect};
use crate::clock::{instant as now, micros as whole_micros};
use crate::percentiles;

/// So many connections share the load, each with one request at a time.
const CONNECTIONS: u32 = 64;

/// What came of each tenth of a second is told by itself: a machine is rarely left alone for a whole one.
const WINDOWS_PER_SECOND: u32 = 10;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends `request`, again and again, so many times a second, and prints what came of it as JSON:
/// microseconds from when each request was due until its answer was there, of each window in turn.
pub(crate) fn run(address: &str, request: &[u8], rate: u32, time: Duration) -> io::Result<()> {
    let interval = Duration::from_secs(1) / rate;
    let start = now() + Duration::from_millis(200);
    let mut connections = Vec::new();
    for index in 0..CONNECTIONS {
        connections.push(Connection::new(address, start + interval * index)?);
    }
    let window = Duration::from_secs(1) / WINDOWS_PER_SECOND;
    let (mut windows, mut refused) = (BTreeMap::<u128, Vec<u64>>::new(), 0);
    loop {
        let mut is_over = true;
        for connection in &mut connections {
            if connection.due >= start + time {
                continue;
            }
            is_over = false;
            if let Some((took, is_ok)) = connection.go_on(request)? {
                let place = (connection.due - start).as_nanos() / window.as_nanos();
                windows.entry(place).or_default().push(whole_micros(took));
                refused += u64::from(!is_ok);
                connection.due += interval * CONNECTIONS;
            }
        }
        if is_over {
            break;
        }
    }
    let windows: Vec<_> = windows.into_values().map(percentiles::of).collect();
    println!("{}", json!({"refused": refused, "windows": windows}));
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// When the next request is to be sent, or the one that is under way was.
    due: Instant,
    /// What has come of the answer to a request that is under way.
    answer: Option<Answer>,
}

impl Connection {
    fn new(address: &str, due: Instant) -> io::Result<Self> {
        let stream = connect(address)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, due, answer: None })
    }

    /// Sends what is due, or reads what is there. With an answer: how long it took, and whether it is 200.
    fn go_on(&mut self, request: &[u8]) -> io::Result<Option<(Duration, bool)>> {
        let late = now().saturating_duration_since(self.due);
        let Some(answer) = &mut self.answer else {
            if !late.is_zero() {
                self.stream.write_all(request)?;
                self.answer = Some(Answer::default());
            }
            return Ok(None);
        };
        match answer.read(&mut self.stream) {
            Ok(None) => Ok(None),
            Ok(Some(is_ok)) => {
                self.answer = None;
                Ok(Some((now().saturating_duration_since(self.due), is_ok)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && late < PATIENCE => Ok(None),
            Err(error) => Err(error),
        }
    }
}
