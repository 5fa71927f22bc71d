//! When a token ends: the float in its payload.

use super::MalformedPayload;
use crate::time::UnixTime;

/// The end of a token's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(UnixTime);

impl Expiry {
    /// Seconds since 1970. A fraction is dropped, as Keystone's formatter drops it when it reads a
    /// token. Refused: what is not a number, infinite, negative, or beyond the year 9999, on all of
    /// which Keystone itself stumbles.
    pub fn from_seconds(seconds: f64) -> Result<Self, MalformedPayload> {
        if !(0.0..=LAST_SECOND).contains(&seconds) {
            return Err(MalformedPayload);
        }
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "there is no other conversion from float to integer; the range was checked"
        )]
        let seconds = seconds as u64;
        Ok(Self(UnixTime::from_secs(seconds)))
    }

    /// Whole seconds since 1970. Refused: what is beyond the year 9999.
    pub fn from_whole_seconds(seconds: u64) -> Result<Self, MalformedPayload> {
        let time = UnixTime::from_secs(seconds);
        // A time beyond the last there is becomes the last.
        if time.as_secs() == seconds { Ok(Self(time)) } else { Err(MalformedPayload) }
    }

    /// The end as Keystone tells it, to the microsecond.
    #[must_use]
    pub const fn at(time: UnixTime) -> Self {
        Self(time)
    }

    /// The point in time itself.
    #[must_use]
    pub fn time(self) -> UnixTime {
        self.0
    }

    /// The seconds that [`Expiry::from_seconds`] takes.
    #[must_use]
    pub fn seconds(self) -> f64 {
        #[expect(
            clippy::as_conversions,
            clippy::cast_precision_loss,
            reason = "whole seconds up to the year 9999 fit a float exactly"
        )]
        let seconds = self.0.as_secs() as f64;
        seconds
    }

    /// Whether the token has ended. At the very second of its expiry it has: Keystone asks
    /// for `current_time < expires_at`, without leeway (`keystone/token/provider.py`,
    /// `_is_valid_token`).
    #[must_use]
    pub fn is_past(self, now: UnixTime) -> bool {
        now >= self.0
    }
}

/// The beginning of 9999-12-31T23:59:59Z, where ISO 8601 and Python's `datetime` end.
const LAST_SECOND: f64 = 253_402_300_799.0;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_token_ends_at_its_expiry_not_after_it() {
        let expiry = Expiry::from_seconds(100.5).unwrap();
        assert!(!expiry.is_past(UnixTime::from_micros(99_999_999)));
        assert!(expiry.is_past(UnixTime::from_micros(100_000_000)));
        assert!(expiry.is_past(UnixTime::MAX));
    }

    #[test]
    fn refuses_what_is_no_point_in_time() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9, 1e12, f64::MAX] {
            assert!(Expiry::from_seconds(seconds).is_err(), "{seconds}");
        }
        assert!(Expiry::from_seconds(0.0).is_ok());
        assert!(Expiry::from_seconds(LAST_SECOND).is_ok());
        assert!(Expiry::from_whole_seconds(253_402_300_799).is_ok());
        assert!(Expiry::from_whole_seconds(253_402_300_800).is_err());
        assert!(Expiry::from_whole_seconds(u64::MAX).is_err());
    }
}
