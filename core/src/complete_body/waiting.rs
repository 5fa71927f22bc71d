//! The requests of one worker that are held until the rest of their bodies has come.
//!
//! An honest body comes within moments of its head. Who wants to keep others out sends a little and
//! then nothing, so that what has waited longest is the likeliest to be such a one: **where there are
//! too many, the oldest goes**, and not the one that has just come.

use core::time::Duration;

use crate::gate::Budget;
use crate::recent::Recent;
use crate::refusal::Unknown;
use crate::rows::{Row, Rows};
use crate::time::UnixTime;

/// Who waits, and until when.
#[derive(Debug)]
pub struct Waiting {
    most: usize,
    /// By their numbers, in the order in which they came.
    requests: Recent<Waiter>,
    /// Until when each waits, its place in that order, and its number.
    by_end: Rows,
    next_place: u64,
    clock: UnixTime,
}

/// One request that waits.
#[derive(Debug)]
struct Waiter {
    request: u32,
    until: UnixTime,
    place: u64,
}

/// Why a request waits no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its time is over.
    Late,
    /// There is not room for all, and it was the first to come.
    Crowded(Unknown),
}

impl Waiting {
    /// So many may wait.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            requests: Recent::default(),
            by_end: Rows::new(),
            next_place: 0,
            clock: UnixTime::from_secs(0),
        }
    }

    /// A request waits from now on, at most until then.
    pub fn insert(&mut self, now: UnixTime, request: u32, until: UnixTime) {
        self.observe(now);
        self.remove(request);
        let place = self.next_place;
        self.next_place = self.next_place.wrapping_add(1);
        let waiter = Waiter { request, until, place };
        self.by_end.insert(waiter.row());
        self.requests.insert(request.into(), waiter);
    }

    /// Whether somebody has to go, to make room for others.
    #[must_use]
    pub fn is_crowded(&self, budget: &Budget) -> bool {
        self.crowd(budget).is_some()
    }

    /// A request waits no longer, if it did at all: whether it did.
    pub fn remove(&mut self, request: u32) -> bool {
        let Some(waiter) = self.requests.remove(request.into()) else { return false };
        self.by_end.remove(&waiter.row());
        true
    }

    /// The next that shall wait no longer; to be asked until there is none.
    pub fn next_over(&mut self, now: UnixTime, budget: &Budget) -> Option<(u32, Why)> {
        self.observe(now);
        let (next, why) = match self.next_end() {
            Some((until, next)) if until <= now => (next, Why::Late),
            _ => {
                let cause = self.crowd(budget)?;
                (self.requests.oldest()?.0, Why::Crowded(cause))
            }
        };
        let request = self.requests.get(next)?.request;
        self.remove(request);
        Some((request, why))
    }

    /// What there is too much of, if somebody waits who could make it less.
    fn crowd(&self, budget: &Budget) -> Option<Unknown> {
        if self.requests.len() > self.most {
            return Some(Unknown::TooManyWaiting);
        }
        (budget.is_crowded() && !self.requests.is_empty()).then_some(Unknown::TooMuchHeld)
    }

    /// When to ask again, if nobody comes before; `None` when nobody waits.
    #[must_use]
    pub fn next_tick(&self) -> Option<Duration> {
        let (until, _) = self.next_end()?;
        Some(until.since(self.clock).clamp(SHORTEST_TICK, LONGEST_TICK))
    }

    /// A clock that goes back makes nobody wait for a time that is far off again.
    fn observe(&mut self, now: UnixTime) {
        if now < self.clock {
            let back = self.clock.since(now);
            self.by_end.clear();
            for waiter in self.requests.values_mut() {
                waiter.until = waiter.until - back;
                self.by_end.insert(waiter.row());
            }
        }
        self.clock = now;
    }

    /// Whose time is over first, and when.
    fn next_end(&self) -> Option<(UnixTime, u64)> {
        let [until, _, request, _] = *self.by_end.first()?;
        Some((UnixTime::from_micros(until), request))
    }
}

impl Waiter {
    fn row(&self) -> Row {
        [self.until.as_micros(), self.place, self.request.into(), 0]
    }
}

const SHORTEST_TICK: Duration = Duration::from_millis(50);
const LONGEST_TICK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec::Vec;

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000_000 + secs)
    }

    fn over(waiting: &mut Waiting, now: UnixTime) -> Vec<(u32, Why)> {
        let budget = Budget::new(100);
        core::iter::from_fn(|| waiting.next_over(now, &budget)).collect()
    }

    #[test]
    fn each_waits_until_its_time_is_over() {
        let mut waiting = Waiting::new(10);
        waiting.insert(at(0), 1, at(10));
        waiting.insert(at(1), 2, at(5));
        waiting.insert(at(2), 3, at(12));
        assert_eq!(over(&mut waiting, at(4)), []);
        assert_eq!(over(&mut waiting, at(5)), [(2, Why::Late)]);
        assert!(waiting.remove(1));
        assert!(!waiting.remove(1));
        assert_eq!(over(&mut waiting, at(11)), []);
        assert_eq!(over(&mut waiting, at(99)), [(3, Why::Late)]);
        assert_eq!(waiting.next_tick(), None);
    }

    #[test]
    fn where_there_are_too_many_the_oldest_go() {
        let mut waiting = Waiting::new(2);
        let budget = Budget::new(100);
        waiting.insert(at(0), 7, at(20));
        waiting.insert(at(0), 5, at(10));
        assert!(!waiting.is_crowded(&budget));
        waiting.insert(at(0), 6, at(15));
        assert!(waiting.is_crowded(&budget));
        waiting.insert(at(0), 4, at(15));
        let crowded = Why::Crowded(Unknown::TooManyWaiting);
        assert_eq!(over(&mut waiting, at(1)), [(7, crowded), (5, crowded)]);
        assert_eq!(over(&mut waiting, at(15)), [(6, Why::Late), (4, Why::Late)]);
    }

    #[test]
    fn where_too_much_is_held_the_oldest_go() {
        let mut waiting = Waiting::new(10);
        waiting.insert(at(0), 1, at(10));
        waiting.insert(at(0), 2, at(10));
        assert_eq!(over(&mut waiting, at(1)), []);
        let budget = Budget::test(100, 51);
        let crowded = Why::Crowded(Unknown::TooMuchHeld);
        assert_eq!(waiting.next_over(at(1), &budget), Some((1, crowded)));
        assert!(waiting.is_crowded(&budget));
        assert!(waiting.remove(2));
        // It is held of others, who do not wait here.
        assert!(!waiting.is_crowded(&budget));
        assert_eq!(waiting.next_over(at(1), &budget), None);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nobody_wait_longer() {
        let mut waiting = Waiting::new(10);
        waiting.insert(at(1000), 1, at(1010));
        assert_eq!(over(&mut waiting, at(0)), []);
        assert_eq!(waiting.next_tick(), Some(LONGEST_TICK));
        assert_eq!(over(&mut waiting, at(9)), []);
        assert_eq!(over(&mut waiting, at(10)), [(1, Why::Late)]);
    }

    #[test]
    fn looks_again_when_the_next_time_is_over() {
        let mut waiting = Waiting::new(10);
        waiting.insert(at(0), 1, at(0) + Duration::from_millis(300));
        assert_eq!(waiting.next_tick(), Some(Duration::from_millis(300)));
        waiting.insert(at(1), 2, at(60));
        assert_eq!(waiting.next_tick(), Some(SHORTEST_TICK));
    }
}
