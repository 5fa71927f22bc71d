//! The time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use voussoir_core::time::UnixTime;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "no proxy is here to tell the time")]
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// A time to measure from.
#[expect(clippy::disallowed_methods, reason = "a load generator keeps time itself")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Whole microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
