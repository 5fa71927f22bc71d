//! How many calls may be made: what an attacker can choose must not decide it.

use core::time::Duration;

use crate::time::UnixTime;

/// A bucket of calls that fills up again with time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// How many there are when it is full.
    capacity: u32,
    /// How long it takes to fill up.
    period: Duration,
    /// Since when it would have been filling, had it been empty. That long ago is as good as full.
    empty_at: UnixTime,
}

impl Allowance {
    /// A full one.
    pub(super) fn full(capacity: u32, period: Duration) -> Self {
        Self { capacity, period, empty_at: UnixTime::from_secs(0) }
    }

    /// Takes one out; if there is none, how long until there will be.
    pub(super) fn take(&mut self, now: UnixTime) -> Result<(), Duration> {
        let empty_at = self.empty_at.max(now - self.period);
        let after = empty_at + self.period / self.capacity.max(1);
        if after > now {
            return Err(after.since(now));
        }
        self.empty_at = after;
        Ok(())
    }

    /// Puts one back that was not used.
    pub(super) fn put_back(&mut self) {
        self.empty_at = self.empty_at - self.period / self.capacity.max(1);
    }

    /// The clock went back by so much: it holds what it held.
    pub(super) fn move_back(&mut self, back: Duration) {
        self.empty_at = self.empty_at - back;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn taken(allowance: &mut Allowance, now: UnixTime) -> usize {
        (0..100).take_while(|_| allowance.take(now).is_ok()).count()
    }

    #[test]
    fn gives_as_many_as_it_holds_and_fills_up_again() {
        let start = UnixTime::from_secs(1_000_000);
        let mut allowance = Allowance::full(10, Duration::from_secs(10));
        assert_eq!(taken(&mut allowance, start), 10);
        assert_eq!(allowance.take(start), Err(Duration::from_secs(1)));
        assert_eq!(taken(&mut allowance, start + Duration::from_millis(999)), 0);
        assert_eq!(taken(&mut allowance, start + Duration::from_secs(1)), 1);
        assert_eq!(taken(&mut allowance, start + Duration::from_secs(4)), 3);
        assert_eq!(taken(&mut allowance, start + Duration::from_hours(1)), 10);
    }

    #[test]
    fn what_is_put_back_can_be_taken_again_and_nothing_beyond() {
        let start = UnixTime::from_secs(1_000_000);
        let mut allowance = Allowance::full(10, Duration::from_secs(10));
        assert_eq!(taken(&mut allowance, start), 10);
        allowance.put_back();
        allowance.put_back();
        assert_eq!(taken(&mut allowance, start), 2);
        let mut allowance = Allowance::full(10, Duration::from_secs(10));
        allowance.put_back();
        assert_eq!(taken(&mut allowance, start), 10);
    }

    #[test]
    fn a_clock_that_goes_back_blocks_nobody_for_long() {
        let start = UnixTime::from_secs(1_000_000);
        let mut allowance = Allowance::full(10, Duration::from_secs(10));
        assert_eq!(taken(&mut allowance, start), 10);
        let back = Duration::from_secs(500_000);
        let before = start - back;
        allowance.move_back(back);
        assert_eq!(taken(&mut allowance, before), 0);
        assert_eq!(taken(&mut allowance, before + Duration::from_secs(10)), 10);
    }
}
