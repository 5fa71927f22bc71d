//! Whether the key server is worth a call.

use core::time::Duration;

use crate::fetch::Pause;
use crate::time::UnixTime;

/// Calls go through while they succeed. After a few failures in a row nobody calls for a while,
/// then one call tries it out.
#[derive(Debug)]
pub(super) struct Circuit {
    pause: Pause,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many calls in a row have failed.
    Closed(u32),
    Open {
        until: UnixTime,
    },
    /// One call may be made, or is under way.
    Probing {
        is_under_way: bool,
    },
}

impl Circuit {
    pub(super) fn new(seed: u64) -> Self {
        Self { pause: Pause::new(seed), state: State::Closed(0) }
    }

    /// For how long there is no use in waiting for a call.
    pub(super) fn is_open(&self, now: UnixTime) -> Option<Duration> {
        match self.state {
            State::Open { until } if now < until => Some(until.since(now)),
            _ => None,
        }
    }

    /// Whether one more call may be made; if so, it counts as made.
    pub(super) fn admit(&mut self, now: UnixTime) -> bool {
        match self.state {
            State::Closed(_) => true,
            State::Open { until } if now < until => false,
            State::Open { .. } | State::Probing { is_under_way: false } => {
                self.state = State::Probing { is_under_way: true };
                true
            }
            State::Probing { is_under_way: true } => false,
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.pause.succeeded();
        self.state = State::Closed(0);
    }

    pub(super) fn failed(&mut self, now: UnixTime) {
        self.state = match self.state {
            State::Closed(failures) if failures + 1 < TOLERATED => State::Closed(failures + 1),
            // A call from before it opened says nothing new.
            State::Open { until } if now < until => self.state,
            _ => State::Open { until: now + self.pause.failed() },
        };
    }

    /// The clock went back: nobody shall wait for a time that is far off again.
    pub(super) fn clock_went_back(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.state = State::Probing { is_under_way: false };
        }
    }
}

/// How many calls in a row may fail before nobody calls any more. One that got lost is no sign.
const TOLERATED: u32 = 3;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn opens_after_a_few_failures_and_tries_again_with_one_call() {
        let mut now = UnixTime::from_secs(1000);
        let mut circuit = Circuit::new(1);
        for _ in 0..TOLERATED {
            assert!(circuit.admit(now));
            circuit.failed(now);
        }
        let wait = circuit.is_open(now).unwrap();
        assert!(!circuit.admit(now));
        circuit.failed(now);
        assert_eq!(circuit.is_open(now), Some(wait));

        now = now + wait;
        assert_eq!(circuit.is_open(now), None);
        assert!(circuit.admit(now));
        assert!(!circuit.admit(now));
        circuit.failed(now);
        assert!(circuit.is_open(now).is_some());

        now = now + Duration::from_millis(1500);
        assert!(circuit.admit(now));
        circuit.succeeded();
        assert!(circuit.admit(now) && circuit.admit(now));
    }

    #[test]
    fn a_success_in_between_forgets_the_failures() {
        let now = UnixTime::from_secs(1000);
        let mut circuit = Circuit::new(1);
        for _ in 0..10 {
            circuit.failed(now);
            circuit.failed(now);
            circuit.succeeded();
        }
        assert_eq!(circuit.is_open(now), None);
    }
}
