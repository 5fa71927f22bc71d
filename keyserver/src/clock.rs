//! The one place where the key server reads the wall clock. Durations are measured with
//! `tokio::time::Instant`, which tests can hold still.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use voussoir_core::time::UnixTime;

/// How much time has passed since 1970; nothing on a machine whose clock stands before that.
#[expect(clippy::disallowed_methods, reason = "the edge of the program: elsewhere time is a value")]
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The same as a point in time.
pub(crate) fn now() -> UnixTime {
    UnixTime::from_micros(u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX))
}
