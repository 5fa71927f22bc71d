//! Load that does not wait: requests at a steady rate, each counted from when it was due.
//!
//! A generator that sends the next request when the last one was answered asks a slow service less often, and
//! so hides how slow it is. Here a request that is late because the one before it took long is late by that.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::clock::{instant as now, micros as whole_micros};
use crate::percentiles;

/// So many connections share the load, each with one request at a time.
const CONNECTIONS: u32 = 64;

/// Sends `request`, again and again, so many times a second, and prints what came of it as JSON:
/// microseconds from when each request was due until its answer was there.
pub(crate) fn run(address: &str, request: &[u8], rate: u32, time: Duration) -> io::Result<()> {
    let interval = Duration::from_secs(1) / rate;
    let start = now() + Duration::from_millis(200);
    let results: Vec<_> = thread::scope(|scope| {
        let connection = |index| {
            let first = start + interval * index;
            scope.spawn(move || send(address, request, first, interval * CONNECTIONS, start + time))
        };
        let connections: Vec<_> = (0..CONNECTIONS).map(connection).collect();
        connections.into_iter().map(|connection| connection.join().expect("no panic")).collect()
    });
    let mut all = Vec::new();
    let mut refused = 0;
    for result in results {
        let (micros, bad) = result?;
        all.extend(micros);
        refused += bad;
    }
    println!("{}", json!({"refused": refused, "latency": percentiles::of(all)}));
    Ok(())
}

/// One connection's requests: how long each took, and how many were not answered 200.
fn send(
    address: &str,
    request: &[u8],
    first: Instant,
    pause: Duration,
    end: Instant,
) -> io::Result<(Vec<u64>, u64)> {
    let mut stream = connect(address)?;
    let (mut micros, mut refused) = (Vec::new(), 0);
    let mut due = first;
    while due < end {
        thread::sleep(due.saturating_duration_since(now()));
        stream.write_all(request)?;
        refused += u64::from(!is_ok(&mut stream)?);
        micros.push(whole_micros(now().saturating_duration_since(due)));
        due += pause;
    }
    Ok((micros, refused))
}

/// A connection that is given up when nothing comes for ten seconds.
pub(crate) fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// Reads one answer: whether it is 200.
pub(crate) fn is_ok(stream: &mut TcpStream) -> io::Result<bool> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let size = stream.read(&mut piece)?;
        if size == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(piece.get(..size).unwrap_or_default());
        let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(bytes.get(..head).unwrap_or_default());
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if bytes.len() >= head + 4 + length {
            return Ok(text.starts_with("HTTP/1.1 200"));
        }
    }
}
