//! Very many users, each with a token: who comes next is drawn, each as likely as the others or the first
//! ones far more often (Zipf's law).

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use voussoir_core::fernet::Key;
use voussoir_core::time::UnixTime;
use voussoir_core::token::{AuditId, AuditIds, Delegation, Expiry, Id, Methods, Payload, Scope};

use crate::random::Random;
use crate::{answer, clock, percentiles};

/// Everybody who may come, and with which tokens.
pub(crate) struct Crowd {
    key: Key,
    issued_at: UnixTime,
    /// Of each user, how often the next one to come is that or one before it.
    shares: Vec<f64>,
    /// A bit for each user: whether it came.
    came: Vec<AtomicU64>,
}

impl Crowd {
    /// So many users, of whom the `n`-th comes as often as `1 / n ^ exponent` says.
    pub(crate) fn new(key: &str, count: u32, exponent: f64) -> Self {
        let weight = |place| f64::from(place).powf(-exponent);
        let whole: f64 = (1..=count).map(weight).sum();
        let share = |sum: &mut f64, place| {
            *sum += weight(place) / whole;
            Some(*sum)
        };
        Self {
            key: Key::from_text(key.as_bytes()).expect("a Fernet key"),
            issued_at: clock::now(),
            shares: (1..=count).scan(0.0, share).collect(),
            came: (0..=count / 64).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn next(&self, random: &mut Random) -> usize {
        let drawn = random.fraction();
        // The sum of all shares may come out a little below 1.
        self.shares.partition_point(|share| *share <= drawn).min(self.shares.len() - 1)
    }

    /// The one token of a user, for a project that it shares with a hundred others.
    fn token(&self, user: usize) -> String {
        let seed = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
        let mut random = Random::new(seed(user));
        let project = Random::new(!seed(user / 100)).bytes();
        let payload = Payload {
            user_id: Id::uuid(random.bytes()),
            methods: Methods::Bits(2),
            expires_at: Expiry::from_whole_seconds(self.issued_at.as_secs() + LIFETIME)
                .expect("a time"),
            audit_ids: AuditIds { own: AuditId(random.bytes()), chain: None },
            scope: Scope::Project(Id::uuid(project)),
            delegation: Delegation::None,
        };
        self.key.seal_text(self.issued_at.as_secs(), &random.bytes(), &payload.encode())
    }

    /// Notes that a user came.
    fn note(&self, user: usize) {
        if let Some(word) = self.came.get(user / 64) {
            word.fetch_or(1 << (user % 64), Ordering::Relaxed);
        }
    }

    fn count_of_those_who_came(&self) -> u32 {
        self.came.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum()
    }
}

/// Sends request after request on so many connections, and prints what came of it as JSON: microseconds
/// from each request to its answer.
pub(crate) fn run(
    address: &str,
    crowd: &Crowd,
    time: Duration,
    connections: u64,
) -> io::Result<()> {
    let begin = clock::instant();
    let results: Vec<_> = thread::scope(|scope| {
        let connections: Vec<_> = (0..connections)
            .map(|number| scope.spawn(move || send(address, crowd, number, begin + time)))
            .collect();
        connections.into_iter().map(|connection| connection.join().expect("no panic")).collect()
    });
    let seconds = clock::instant().duration_since(begin).as_secs_f64();
    let (mut all, mut refused) = (Vec::new(), 0);
    for result in results {
        let (micros, bad) = result?;
        all.extend(micros);
        refused += bad;
    }
    let users = crowd.count_of_those_who_came();
    let latency = percentiles::of(all);
    println!(
        "{}",
        json!({"seconds": seconds, "refused": refused, "users": users, "latency": latency})
    );
    Ok(())
}

/// One connection's requests: how long each took, and how many were not answered 200.
fn send(address: &str, crowd: &Crowd, number: u64, end: Instant) -> io::Result<(Vec<u64>, u64)> {
    let mut random = Random::new(number);
    let mut stream = answer::connect(address)?;
    let (mut micros, mut refused) = (Vec::new(), 0);
    loop {
        let user = crowd.next(&mut random);
        let request = request(&crowd.token(user));
        let begin = clock::instant();
        if begin >= end {
            return Ok((micros, refused));
        }
        refused += u64::from(!ask(&mut stream, &request)?);
        micros.push(clock::micros(clock::instant().duration_since(begin)));
        crowd.note(user);
    }
}

fn ask(stream: &mut TcpStream, request: &str) -> io::Result<bool> {
    stream.write_all(request.as_bytes())?;
    answer::is_ok(stream)
}

fn request(token: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: bench\r\nx-auth-token: {token}\r\n\r\n")
}

/// Seconds for which tokens are good.
const LIFETIME: u64 = 86_400;
