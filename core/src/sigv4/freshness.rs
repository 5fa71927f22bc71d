//! Whether a signature is of now: the clock's only say in the matter.
//!
//! What is checked is the date in the string to sign, whichever header it came from. A signature
//! that is checked against another date can be used for ever (CVE-2025-68671 in lakeFS).

use core::time::Duration;

use super::authorization::Authorization;
use super::date::Day;
use super::error::Error;
use super::scope::Dialect;
use crate::time::UnixTime;

impl Authorization {
    /// Refuses what was signed too long ago, or ahead of its time.
    ///
    /// In header form the date may be off by `max_skew`, either way. A presigned URL is good from
    /// its date, at most `max_skew` ahead of now, until its own end, to which nothing is added.
    pub fn check_freshness(&self, now: UnixTime, max_skew: Duration) -> Result<(), Error> {
        let date = self.date.time();
        let is_ahead = date.since(now) > max_skew;
        let Some(expires) = self.expires else {
            let is_skewed = is_ahead || now.since(date) > max_skew;
            return if is_skewed { Err(Error::Skewed { date: self.date }) } else { Ok(()) };
        };
        if is_ahead {
            return Err(Error::NotYetValid);
        }
        let expires_at = date + Duration::from_secs(expires);
        if expires == 0 || now >= expires_at {
            return Err(Error::Expired { expires_at, expires });
        }
        Ok(())
    }
}

impl Dialect {
    /// How far a client's clock may be off: S3 is the one service that is patient.
    #[must_use]
    pub fn max_skew(self) -> Duration {
        match self {
            Self::General => Duration::from_mins(5),
            Self::S3 => DEFAULT_MAX_SKEW,
        }
    }
}

/// Whether a signing key for this day can still, or already, be of use to anybody: what the key
/// server asks before it derives one.
///
/// The oldest is that of a presigned URL that is good for a week and was signed at the beginning of
/// its day; a clock may be ahead by [`DEFAULT_MAX_SKEW`].
#[must_use]
pub fn is_derivable(day: Day, now: UnixTime) -> bool {
    let begins = day.begins_at();
    begins <= now + DEFAULT_MAX_SKEW && now < begins + OLDEST
}

/// A day, and a week for which a presigned URL is good.
const OLDEST: Duration = Duration::from_hours(8 * 24);

/// How far a client's clock may be off: S3's 15 minutes.
pub const DEFAULT_MAX_SKEW: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::head::RequestHead;
    use crate::sigv4::query::Query;
    use alloc::format;

    /// 2013-05-24T00:00:00Z.
    const DATE: u64 = 1_369_353_600;

    fn header() -> Authorization {
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host,Signature={}",
            "00".repeat(32)
        );
        let date = [(&b"x-amz-date"[..], &b"20130524T000000Z"[..])];
        Authorization::from_header(value.as_bytes(), RequestHead::new(&date)).unwrap()
    }

    fn presigned(expires: u64) -> Authorization {
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Expires={expires}&\
             X-Amz-Credential=AKID/20130524/us-east-1/s3/aws4_request&X-Amz-Date=20130524T000000Z&\
             X-Amz-Signature={}",
            "00".repeat(32)
        );
        Authorization::from_query(Query::new(query.as_bytes())).unwrap()
    }

    fn check(authorization: &Authorization, now: UnixTime) -> Result<(), Error> {
        authorization.check_freshness(now, DEFAULT_MAX_SKEW)
    }

    #[test]
    fn a_header_is_good_for_the_skew_either_way() {
        let authorization = header();
        for now in [DATE - 900, DATE - 1, DATE, DATE + 1, DATE + 900] {
            assert_eq!(check(&authorization, UnixTime::from_secs(now)), Ok(()), "{now}");
        }
        let skewed = Err(Error::Skewed { date: authorization.date });
        for now in [0, DATE - 901, DATE + 901, u64::MAX] {
            assert_eq!(check(&authorization, UnixTime::from_secs(now)), skewed, "{now}");
        }
        let a_moment_late = UnixTime::from_micros((DATE + 900) * 1_000_000 + 1);
        assert_eq!(check(&authorization, a_moment_late), skewed);
    }

    #[test]
    fn a_presigned_url_is_good_until_its_end() {
        for expires in [1, 60, 604_800] {
            let authorization = presigned(expires);
            for now in [DATE - 900, DATE, DATE + expires - 1] {
                assert_eq!(check(&authorization, UnixTime::from_secs(now)), Ok(()), "{now}");
            }
            let last = UnixTime::from_micros((DATE + expires) * 1_000_000 - 1);
            assert_eq!(check(&authorization, last), Ok(()));
            let expires_at = UnixTime::from_secs(DATE + expires);
            for now in [DATE + expires, DATE + expires + 1, u64::MAX] {
                let expired = Err(Error::Expired { expires_at, expires });
                assert_eq!(check(&authorization, UnixTime::from_secs(now)), expired, "{now}");
            }
            let early = UnixTime::from_secs(DATE - 901);
            assert_eq!(check(&authorization, early), Err(Error::NotYetValid));
        }
    }

    #[test]
    fn a_key_is_derived_as_long_as_it_is_of_use() {
        let day = Day::from_text(b"20130524").unwrap();
        let derivable = |now| is_derivable(day, UnixTime::from_secs(now));
        assert!(!derivable(DATE - 901));
        assert!(derivable(DATE - 900));
        assert!(derivable(DATE));
        // A presigned URL from the last second of the day, for a week.
        assert!(derivable(DATE + 86_399 + 604_800));
        assert!(!derivable(DATE + 8 * 86_400));
    }

    #[test]
    fn a_presigned_url_for_no_time_is_over_at_once() {
        for now in [DATE - 900, DATE - 1, DATE, DATE + 1] {
            let refused = check(&presigned(0), UnixTime::from_secs(now));
            assert!(matches!(refused, Err(Error::Expired { expires: 0, .. })), "{now}");
        }
    }
}
