//! How long to wait before the next try.

use core::time::Duration;

use crate::time;

/// Back-off after failures, and jitter that keeps a fleet of proxies from knocking
/// all at once.
///
/// The jitter is pseudo-random from a seed that comes in from outside; nothing secret depends on it.
#[derive(Debug)]
pub(crate) struct Pause {
    failures: u32,
    state: u64,
}

impl Pause {
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, state: seed }
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many calls have failed in a row, of all workers as far as this one knows.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The lease tells how many there have been, fewer or more: whoever called last knows best.
    pub(crate) fn learn_of(&mut self, failures: u32) {
        self.failures = failures;
    }

    /// The wait after one more failure: 1 s and then [`LONGEST`], each shortened by up to half.
    pub(crate) fn failed(&mut self) -> Duration {
        let doubled = SHORTEST.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.shortened(doubled.min(LONGEST), 2)
    }

    /// `duration`, shortened by up to one part in `parts`.
    pub(crate) fn shortened(&mut self, duration: Duration, parts: u32) -> Duration {
        let most = time::micros(duration / parts);
        duration
            .saturating_sub(Duration::from_micros(self.random() % most.saturating_add(1).max(1)))
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

const SHORTEST: Duration = Duration::from_secs(1);

/// The longest wait between two tries while the key server cannot be reached. A feed polls about as often
/// when all is well; and when the key server is back, all shall be as before within two seconds.
pub(crate) const LONGEST: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn grows_up_to_the_longest_and_starts_again_after_success() {
        let mut pause = Pause::new(7);
        for millis in [1000, 1500, 1500, 1500] {
            let wait = pause.failed();
            let full = Duration::from_millis(millis);
            assert!((full / 2..=full).contains(&wait), "{wait:?} of {full:?}");
        }
        pause.succeeded();
        assert!(pause.failed() <= SHORTEST);
    }

    #[test]
    fn two_workers_do_not_wait_alike() {
        let waits = |seed| {
            let mut pause = Pause::new(seed);
            [pause.failed(), pause.failed()]
        };
        assert_ne!(waits(1), waits(2));
    }
}
