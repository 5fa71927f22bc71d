//! Logs: where they go, in which form, and how many lines a client can cause.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How much is logged; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What must not happen.
    Error,
    /// What an operator should look at.
    Warn,
    /// Changes of keys and files, start and end, refused requests.
    Info,
    /// Every request and connection.
    Debug,
}

/// Starts to log to stderr.
///
/// Only this crate's own lines are let through: the HTTP/2 library's would show the headers of
/// requests, bearer tokens among them.
pub fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(false);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    // Fails only when a subscriber is set already; then that one it is.
    let _already_set =
        tracing::subscriber::set_global_default(registry().with(lines.with_filter(own)));
}

/// Bounds the lines that clients can cause: so many in a span of time, then none until the next.
pub(crate) struct Allowance(Mutex<Span>);

struct Span {
    begun: Instant,
    said: u32,
    unsaid: u64,
}

impl Allowance {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Span { begun: Instant::now(), said: 0, unsaid: 0 }))
    }

    /// Whether one more line may be written, and how many were not since the last.
    pub(crate) fn take(&self) -> Option<u64> {
        let mut span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if span.begun.elapsed() >= SPAN {
            span.begun = Instant::now();
            span.said = 0;
        }
        if span.said == LINES {
            span.unsaid += 1;
            return None;
        }
        span.said += 1;
        Some(std::mem::take(&mut span.unsaid))
    }
}

const SPAN: Duration = Duration::from_secs(10);
const LINES: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_lines_in_ten_seconds_and_then_the_count_of_the_others() {
        let allowance = Allowance::new();
        for _ in 0..10 {
            assert_eq!(allowance.take(), Some(0));
        }
        for _ in 0..500 {
            assert_eq!(allowance.take(), None);
        }
        tokio::time::advance(SPAN).await;
        assert_eq!(allowance.take(), Some(500));
        assert_eq!(allowance.take(), Some(0));
    }
}
