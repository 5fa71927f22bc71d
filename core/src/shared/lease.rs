//! The lease by which one worker of a proxy calls the key server for all.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::UnixTime;

/// Who may call: nobody before a point in time, then whoever takes the lease first.
///
/// It is taken for as long as a call can take, so a holder that vanishes blocks nobody for longer;
/// after a call that failed it stays taken for as long as the back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// When it was taken.
    pub(crate) since: UnixTime,
    pub(crate) until: UnixTime,
    /// How many calls have failed in a row before it.
    pub(crate) failures: u32,
    /// Whether a call is under way.
    pub(crate) is_call: bool,
}

impl Lease {
    /// `since: u64 | until: u64 | failures: u32 | is call: u8`
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = self.since.as_micros().to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.until.as_micros().to_be_bytes());
        bytes.extend_from_slice(&self.failures.to_be_bytes());
        bytes.push(u8::from(self.is_call));
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (since, rest) = bytes.split_first_chunk()?;
        let (until, rest) = rest.split_first_chunk()?;
        let (failures, rest) = rest.split_first_chunk()?;
        let [is_call] = rest else { return None };
        Some(Self {
            since: UnixTime::from_micros(u64::from_be_bytes(*since)),
            until: UnixTime::from_micros(u64::from_be_bytes(*until)),
            failures: u32::from_be_bytes(*failures),
            is_call: *is_call != 0,
        })
    }

    /// Whether a lease says this that was taken by the clock of now. None is taken for longer than
    /// `longest`.
    pub(crate) fn is_believable(self, now: UnixTime, longest: Duration) -> bool {
        self.since <= now && self.until.since(now) <= longest
    }

    /// Whether nobody shall call because calls fail, so that nothing is to be waited for.
    pub(crate) fn is_back_off(self) -> bool {
        self.failures > 0 && !self.is_call
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const LEASE: Lease = Lease {
        since: UnixTime::from_micros(123_000_000),
        until: UnixTime::from_micros(123_456_789),
        failures: 3,
        is_call: false,
    };

    #[test]
    fn comes_back_as_it_was() {
        for is_call in [false, true] {
            let lease = Lease { is_call, ..LEASE };
            assert_eq!(Lease::decode(&lease.encode()), Some(lease));
        }
    }

    #[test]
    fn what_is_cut_or_too_long_is_none() {
        let mut bytes = LEASE.encode();
        for length in 0..bytes.len() {
            assert_eq!(Lease::decode(&bytes[..length]), None);
        }
        bytes.push(0);
        assert_eq!(Lease::decode(&bytes), None);
    }

    #[test]
    fn one_of_another_clock_is_not_believed() {
        let second = Duration::from_secs(1);
        assert!(LEASE.is_believable(LEASE.since, second));
        assert!(LEASE.is_believable(LEASE.since + second * 1000, second));
        assert!(!LEASE.is_believable(LEASE.since - second, second * 10));
        assert!(!LEASE.is_believable(LEASE.since, second / 10));
    }
}
