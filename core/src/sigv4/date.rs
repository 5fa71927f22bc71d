//! The dates of Signature Version 4: ISO 8601's basic form, and HTTP's own where that is missing.

use core::fmt;

use crate::time::{UnixTime, two_digits};

/// A day of the Gregorian calendar, 1970-01-01 or later; written `20130524`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: u32,
    month: u32,
    of_month: u32,
}

/// A second of a day, in UTC; written `20130524T000000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AmzDate {
    day: Day,
    hour: u32,
    minute: u32,
    second: u32,
}

/// A text that is no such date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDate;

impl Day {
    /// Reads `yyyyMMdd`, the form in a credential's scope.
    pub fn from_text(text: &[u8]) -> Result<Self, InvalidDate> {
        let [y1, y2, y3, y4, m1, m2, d1, d2] = text else { return Err(InvalidDate) };
        Self::new(number([*y1, *y2, *y3, *y4])?, number([*m1, *m2])?, number([*d1, *d2])?)
    }

    fn new(year: u32, month: u32, of_month: u32) -> Result<Self, InvalidDate> {
        let is_leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return Err(InvalidDate),
        };
        if year < 1970 || !(1..=days).contains(&of_month) {
            return Err(InvalidDate);
        }
        Ok(Self { year, month, of_month })
    }

    /// Its first moment, in UTC.
    #[must_use]
    pub fn begins_at(self) -> UnixTime {
        UnixTime::from_secs(u64::from(self.number()) * 24 * 60 * 60)
    }

    /// Days since 1970-01-01. The year is taken to begin in March, so that the leap day is its
    /// last.
    fn number(self) -> u32 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.of_month - 1;
        365 * year + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_BEFORE_1970
    }
}

impl AmzDate {
    /// Reads `yyyyMMdd'T'HHmmss'Z'`, the form of `x-amz-date` and `X-Amz-Date`.
    pub fn from_iso8601(text: &[u8]) -> Result<Self, InvalidDate> {
        let (day, [b'T', h1, h2, m1, m2, s1, s2, b'Z']) =
            text.split_at_checked(8).ok_or(InvalidDate)?
        else {
            return Err(InvalidDate);
        };
        Self::new(Day::from_text(day)?, [*h1, *h2], [*m1, *m2], [*s1, *s2])
    }

    /// Reads HTTP's `Date` in its one current form (RFC 9110, section 5.6.7):
    /// `Fri, 24 May 2013 00:00:00 GMT`. The obsolete forms are not AWS's either. botocore signs, and
    /// sends, `-0000` instead of `GMT`.
    #[rustfmt::skip] // the pattern has the shape of the text
    pub fn from_http(text: &[u8]) -> Result<Self, InvalidDate> {
        let [w1, w2, w3, b',', b' ', d1, d2, b' ', n1, n2, n3, b' ', y1, y2, y3, y4, b' ',
             h1, h2, b':', m1, m2, b':', s1, s2, b' ', zone @ ..] = text
        else {
            return Err(InvalidDate);
        };
        if !matches!(zone, b"GMT" | b"+0000" | b"-0000") {
            return Err(InvalidDate);
        }
        let month = (1..).zip(MONTHS).find(|(_, name)| *name == &[*n1, *n2, *n3]);
        let (month, _) = month.ok_or(InvalidDate)?;
        let day = Day::new(number([*y1, *y2, *y3, *y4])?, month, number([*d1, *d2])?)?;
        let weekday = (0..).zip(WEEKDAYS).find(|(_, name)| *name == &[*w1, *w2, *w3]);
        if weekday.is_none_or(|(weekday, _)| weekday != day.number() % 7) {
            return Err(InvalidDate);
        }
        Self::new(day, [*h1, *h2], [*m1, *m2], [*s1, *s2])
    }

    fn new(day: Day, hour: [u8; 2], minute: [u8; 2], second: [u8; 2]) -> Result<Self, InvalidDate> {
        let date =
            Self { day, hour: number(hour)?, minute: number(minute)?, second: number(second)? };
        // A leap second (60) has no place in UNIX time, nor in AWS's clocks, which smear it.
        if date.hour < 24 && date.minute < 60 && date.second < 60 {
            Ok(date)
        } else {
            Err(InvalidDate)
        }
    }

    /// The day it lies in.
    #[must_use]
    pub fn day(self) -> Day {
        self.day
    }

    /// The same as a point in time.
    #[must_use]
    pub fn time(self) -> UnixTime {
        let minutes =
            u64::from(self.day.number()) * 24 * 60 + u64::from(self.hour * 60 + self.minute);
        UnixTime::from_secs(minutes * 60 + u64::from(self.second))
    }
}

impl Day {
    /// Writes it as a scope has it.
    pub(super) fn write(self, to: &mut dyn fmt::Write) -> fmt::Result {
        let Self { year, month, of_month } = self;
        let digits = [year / 100, year, month, of_month].map(|number| two_digits(number.into()));
        to.write_str(str::from_utf8(digits.as_flattened()).map_err(|_| fmt::Error)?)
    }
}

impl AmzDate {
    /// Writes it as the string to sign has it.
    pub(super) fn write(self, to: &mut dyn fmt::Write) -> fmt::Result {
        let Self { day, hour, minute, second } = self;
        let [[h1, h2], [m1, m2], [s1, s2]] =
            [hour, minute, second].map(|number| two_digits(number.into()));
        let time = [b'T', h1, h2, m1, m2, s1, s2, b'Z'];
        day.write(to)?;
        to.write_str(str::from_utf8(&time).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

fn number<const N: usize>(digits: [u8; N]) -> Result<u32, InvalidDate> {
    digits.into_iter().try_fold(0, |number, digit| {
        if digit.is_ascii_digit() {
            Ok(number * 10 + u32::from(digit - b'0'))
        } else {
            Err(InvalidDate)
        }
    })
}

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// From the weekday of 1970-01-01 on.
const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
/// From 0000-03-01 on.
const DAYS_BEFORE_1970: u32 = 719_468;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::ToString;

    #[test]
    fn both_forms_are_the_same_point_in_time() {
        for (secs, iso, http) in [
            (0, "19700101T000000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "20000228T235959Z", "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "20000229T000000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_369_353_600, "20130524T000000Z", "Fri, 24 May 2013 00:00:00 GMT"),
            (1_795_328_492, "20261122T062132Z", "Sun, 22 Nov 2026 06:21:32 GMT"),
            (4_107_542_400, "21000301T000000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "99991231T235959Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = AmzDate::from_iso8601(iso.as_bytes()).unwrap();
            assert_eq!(date.time(), UnixTime::from_secs(secs), "{iso}");
            for zone in ["GMT", "+0000", "-0000"] {
                let http = http.replace("GMT", zone);
                assert_eq!(AmzDate::from_http(http.as_bytes()), Ok(date), "{http}");
            }
            assert_eq!(date.to_string(), iso);
            assert_eq!(date.day().to_string(), iso[..8]);
        }
    }

    #[test]
    fn agrees_with_the_clock_on_every_day_of_two_centuries() {
        for number in 0..73_000 {
            let time = UnixTime::from_secs(number * 86_400);
            let iso = time.to_string().replace('-', "");
            let day = Day::from_text(&iso.as_bytes()[..8]).unwrap();
            assert_eq!(u64::from(day.number()), number);
        }
    }

    #[test]
    fn refuses_days_that_the_calendar_has_not() {
        for text in [
            "20130229", "21000229", "20130431", "20130532", "20130500", "20130024", "20131324",
            "19691231",
        ] {
            assert_eq!(Day::from_text(text.as_bytes()), Err(InvalidDate), "{text}");
        }
        assert!(Day::from_text(b"20240229").is_ok());
    }

    #[test]
    fn refuses_every_other_spelling_of_iso_8601() {
        for text in [
            "",
            "20130524",
            "20130524T000000",
            "20130524T000000z",
            "20130524t000000Z",
            "20130524T0000Z",
            "20130524T000000.000Z",
            "2013-05-24T00:00:00Z",
            "20130524T240000Z",
            "20130524T006000Z",
            "20130524T235960Z",
            " 20130524T000000Z",
            "20130524T000000Z ",
            "20130524T000000+0000",
            "+0130524T000000Z",
            "é130524T000000Z",
        ] {
            assert_eq!(AmzDate::from_iso8601(text.as_bytes()), Err(InvalidDate), "{text}");
        }
    }

    #[test]
    fn refuses_every_other_spelling_of_an_http_date() {
        for text in [
            "Sat, 24 May 2013 00:00:00 GMT", // it was a Friday
            "Fri, 24 May 2013 00:00:00 UTC",
            "Fri, 24 May 2013 00:00:00 +0100",
            "Fri, 24 May 2013 00:00:00 ",
            "Fri, 24 may 2013 00:00:00 GMT",
            "Friday, 24-May-13 00:00:00 GMT", // RFC 850
            "Fri May 24 00:00:00 2013",       // asctime
            "24 May 2013 00:00:00 GMT",
        ] {
            assert_eq!(AmzDate::from_http(text.as_bytes()), Err(InvalidDate), "{text}");
        }
    }
}
