//! Load that does not wait: requests at a steady rate, each counted from when it was due.
//!
//! A generator that sends the next request when the last one was answered asks a slow service less often, and
//! so hides how slow it is. Here a request that is late because the one before it took long is late by that.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

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
    all.sort_unstable();
    let at = |share: usize| all.get((all.len() * share / 1000).min(all.len() - 1));
    let [p50, p99, p999, most] = [500, 990, 999, 1000].map(|share| at(share).copied().unwrap_or(0));
    println!(
        r#"{{"requests": {}, "refused": {refused}, "p50": {p50}, "p99": {p99}, "p999": {p999}, "most": {most}}}"#,
        all.len()
    );
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
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut micros, mut refused) = (Vec::new(), 0);
    let mut due = first;
    while due < end {
        thread::sleep(due.saturating_duration_since(now()));
        stream.write_all(request)?;
        refused += u64::from(!is_ok(&mut stream)?);
        let took = now().saturating_duration_since(due);
        micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        due += pause;
    }
    Ok((micros, refused))
}

/// Reads one answer: whether it is 200.
fn is_ok(stream: &mut TcpStream) -> io::Result<bool> {
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

#[expect(clippy::disallowed_methods, reason = "a load generator keeps time itself")]
fn now() -> Instant {
    Instant::now()
}
