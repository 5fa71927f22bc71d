//! Points in time, as values: the core never reads a clock.

use alloc::string::ToString as _;
use core::fmt;
use core::time::Duration;

/// A point in time: whole microseconds since 1970-01-01T00:00:00Z, the resolution of Keystone's
/// timestamps and of the clock that Envoy gives to a filter.
///
/// It is reckoned with in a hundred places, none of which is worth a copy of the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The last point in time there is: 9999-12-31T23:59:59.999999Z, as far as ISO 8601 goes.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The point in time that is `micros` microseconds after 1970, at most [`UnixTime::MAX`].
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        if micros < Self::MAX.0 { Self(micros) } else { Self::MAX }
    }

    /// The point in time that is `secs` seconds after 1970, at most [`UnixTime::MAX`].
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Reads what is written below: ISO 8601 as Keystone writes it, and in no other form.
    #[must_use]
    pub fn from_iso8601(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let [year, month, day] = numbers(date, '-')?;
        let (time, micros) = time.split_once('.')?;
        let [hour, minute, second] = numbers(time, ':')?;
        let [micros] = numbers(micros, '.')?;
        let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
        let read = Self::from_micros(seconds.checked_mul(1_000_000)?.checked_add(micros)?);
        // Whatever is no date, or is spelt otherwise, comes out as another one.
        (text.len() == LENGTH && read.to_string() == text).then_some(read)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    #[inline(never)]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Sub<Duration> for UnixTime {
    type Output = Self;

    /// Saturates at 1970.
    #[inline(never)]
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl core::ops::Add<Duration> for UnixTime {
    type Output = Self;

    /// Saturates at [`UnixTime::MAX`].
    #[inline(never)]
    fn add(self, duration: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(micros(duration)))
    }
}

/// Whole microseconds, at most as many as fit. [`Duration`] itself counts them in 128 bits.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    let secs = duration.as_secs().min(u64::MAX / 1_000_000 - 1);
    secs * 1_000_000 + u64::from(duration.subsec_micros())
}

/// Whole milliseconds, at most as many as fit.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    let secs = duration.as_secs().min(u64::MAX / 1_000 - 1);
    secs * 1_000 + u64::from(duration.subsec_millis())
}

/// ISO 8601 as Keystone writes it: `2026-11-22T06:21:32.000000Z`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.as_secs() / 86_400, self.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        let micro = self.0 % 1_000_000;
        let [[c1, c2], [y1, y2], [o1, o2], [d1, d2]] =
            [year / 100, year, month, day].map(two_digits);
        let [[h1, h2], [m1, m2], [s1, s2]] =
            [second / 3600, second / 60 % 60, second % 60].map(two_digits);
        let [[f1, f2], [f3, f4], [f5, f6]] = [micro / 10_000, micro / 100, micro].map(two_digits);
        #[rustfmt::skip] // it has the shape of the text
        let text = [
            c1, c2, y1, y2, b'-', o1, o2, b'-', d1, d2, b'T',
            h1, h2, b':', m1, m2, b':', s1, s2, b'.', f1, f2, f3, f4, f5, f6, b'Z',
        ];
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The last two decimal digits of a number. The machinery of `fmt` takes twenty times as long, for times that
/// are written for every new token and every signature.
pub(crate) fn two_digits(number: u64) -> [u8; 2] {
    // Bytes, since engines divide those by a multiplication.
    let [number, ..] = (number % 100).to_le_bytes();
    [number / 10, number % 10].map(|digit| b'0' + digit)
}

/// The Gregorian date that lies `days` after 1970-01-01.
///
/// The year is taken to begin in March, so that the leap day is its last; a period of 400 years
/// (146,097 days) repeats itself exactly.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// How many days lie between 1970-01-01 and a date, which need not be one: the way back from
/// [`civil()`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// So many numbers of six digits at the most.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for number in &mut numbers {
        let part = parts.next()?;
        let is_number = part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The characters of a point in time.
const LENGTH: usize = "2026-11-22T06:21:32.000000Z".len();

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn is_written_as_keystone_writes_it() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000000Z"),
            (1_795_328_492, "2026-11-22T06:21:32.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(UnixTime::from_secs(secs).to_string(), text);
            assert_eq!(UnixTime::from_iso8601(text), Some(UnixTime::from_secs(secs)));
        }
        assert_eq!(UnixTime::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
    }

    #[test]
    fn reads_no_other_form_and_no_other_date() {
        let micros = UnixTime::from_micros(1_795_328_492_000_001);
        assert_eq!(UnixTime::from_iso8601(&micros.to_string()), Some(micros));
        assert_eq!(UnixTime::from_iso8601(&UnixTime::MAX.to_string()), Some(UnixTime::MAX));
        for day in 0..100_000 {
            let time = UnixTime::from_secs(day * 86_400 + 1);
            assert_eq!(UnixTime::from_iso8601(&time.to_string()), Some(time));
        }
        for text in [
            "",
            "2026-11-22T06:21:32Z",
            "2026-11-22T06:21:32.000000",
            "2026-11-22T06:21:32.000000+00:00",
            "2026-11-22T06:21:32.00000Z",
            "2026-11-22T06:21:32.0000000Z",
            "2026-11-22t06:21:32.000000Z",
            "2026-11-22 06:21:32.000000Z",
            "2026-02-29T06:21:32.000000Z",
            "2026-00-22T06:21:32.000000Z",
            "2026-13-22T06:21:32.000000Z",
            "2026-11-00T06:21:32.000000Z",
            "2026-11-31T06:21:32.000000Z",
            "2026-11-22T24:21:32.000000Z",
            "2026-11-22T06:60:32.000000Z",
            "2026-11-22T06:21:60.000000Z",
            "+026-11-22T06:21:32.000000Z",
            "1969-12-31T23:59:59.000000Z",
            "0000-01-01T00:00:00.000000Z",
            "99999-1-1T00:00:00.0000000Z",
        ] {
            assert_eq!(UnixTime::from_iso8601(text), None, "{text}");
        }
    }

    #[test]
    fn ends_with_the_year_9999() {
        assert_eq!(UnixTime::from_secs(u64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(UnixTime::MAX + Duration::from_secs(1), UnixTime::MAX);
    }

    #[test]
    fn what_lies_ahead_was_no_time_ago() {
        let (early, late) = (UnixTime::from_secs(5), UnixTime::from_secs(9));
        assert_eq!(late.since(early), Duration::from_secs(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
