//! The ids of events: UUIDs of version 7 (RFC 9562, section 5.7), made of a time, a count and a seed.

use alloc::string::ToString as _;
use core::fmt;

use crate::recent::keyed;
use crate::sigv4::Hex;
use crate::time::UnixTime;

/// The id of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventId(u128);

/// What ids are made of. Two workers have two seeds, and so no two events have one id.
#[derive(Debug)]
pub(super) struct Ids {
    seed: u64,
    count: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// One that was not made before. Those of one worker and one millisecond are in order, as long as they
    /// are fewer than 4096.
    pub(super) fn next(&mut self, now: UnixTime) -> EventId {
        let (count, mixed) = (self.count, keyed(self.seed, &self.count));
        self.count = self.count.wrapping_add(1);
        let millis = u128::from(now.as_micros() / 1000) & 0xffff_ffff_ffff;
        let (count, mixed) = (u128::from(count & 0xfff), u128::from(mixed >> 2));
        EventId(millis << 80 | VERSION << 76 | count << 64 | VARIANT << 62 | mixed)
    }
}

impl EventId {
    /// The id as a number, for whoever hashes it.
    pub(super) fn number(self) -> u128 {
        self.0
    }
}

/// `0198d2c8-3a5c-7000-8e2f-4f1b6a0c9d3e`.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = Hex(&self.0.to_be_bytes()).to_string();
        for (place, part) in [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().enumerate() {
            if place > 0 {
                f.write_str("-")?;
            }
            f.write_str(digits.get(part).unwrap_or_default())?;
        }
        Ok(())
    }
}

const VERSION: u128 = 7;
const VARIANT: u128 = 0b10;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn is_written_as_a_uuid_of_version_7() {
        let now = UnixTime::from_micros(0x0198_d2c8_3a5c * 1000 + 999);
        for seed in 0..100 {
            let text = Ids::new(seed).next(now).to_string();
            assert!(text.starts_with("0198d2c8-3a5c-7000-"), "{text}");
            assert_eq!(text.len(), 36);
            assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
            assert_eq!(text.as_bytes()[23], b'-');
        }
        let last = Ids { seed: 1, count: u64::MAX }.next(UnixTime::MAX).to_string();
        assert_eq!((last.len(), &last[14..18]), (36, "7fff"));
    }

    #[test]
    fn no_two_are_the_same_and_one_workers_are_in_order() {
        let now = UnixTime::from_secs(1_800_000_000);
        let mut all = BTreeSet::new();
        for seed in 0..4 {
            let mut ids = Ids::new(seed);
            let made: alloc::vec::Vec<_> = (0..4096).map(|_| ids.next(now).to_string()).collect();
            assert!(made.is_sorted());
            all.extend(made);
            all.extend((0..4096).map(|_| ids.next(now).to_string()));
        }
        assert_eq!(all.len(), 4 * 8192);
    }
}
