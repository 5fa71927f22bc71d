//! How much of all bodies together one worker may hold back.
//!
//! A chunk is held until its signature is verified, and a client may take its time with it. The limit
//! of one request times many requests would be more than the memory that an instance can have.

use alloc::rc::Rc;
use core::cell::Cell;

/// What all requests of one worker share.
#[derive(Debug)]
pub struct Budget {
    held: Cell<usize>,
    /// As much of it as is held of requests that wait for nothing but the rest of their bodies, and may be
    /// sent away.
    waiting: Cell<usize>,
    /// What is kept of bodies that pass whatever they are, beside all of that.
    reported: Cell<usize>,
    most: usize,
}

/// One request's part of it, given back when the request ends.
#[derive(Debug)]
pub(super) struct Share {
    budget: Rc<Budget>,
    bytes: usize,
    is_waiting: bool,
    /// Whether it is of what passes anyway, and is kept for a report alone.
    is_report: bool,
}

impl Budget {
    /// Of so many bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { held: Cell::new(0), waiting: Cell::new(0), reported: Cell::new(0), most }
    }

    /// Whether requests that wait for the rest of their bodies hold more than their half, so that
    /// others might be left with nothing.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.waiting.get() > self.most / 2
    }

    #[cfg(test)]
    pub(crate) fn test(most: usize, waiting: usize) -> Self {
        Self { waiting: Cell::new(waiting), ..Self::new(most) }
    }
}

impl Share {
    pub(super) fn of(budget: &Rc<Budget>) -> Self {
        Self { budget: Rc::clone(budget), bytes: 0, is_waiting: false, is_report: false }
    }

    /// Of what passes anyway. Nobody makes its clients hurry, so it has a quarter more of its own, and takes
    /// nothing from those who wait.
    pub(super) fn of_report(budget: &Rc<Budget>) -> Self {
        let mut share = Self::of(budget);
        share.is_report = true;
        share
    }

    /// From now on nothing is waited for but the rest of the body.
    pub(super) fn wait(&mut self) {
        if !self.is_waiting {
            self.is_waiting = true;
            let waiting = &self.budget.waiting;
            waiting.set(waiting.get().saturating_add(self.bytes));
        }
    }

    /// The request holds so many bytes now: whether that is within the budget.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        let resize = |held: &Cell<usize>| {
            held.set(held.get().saturating_sub(self.bytes).saturating_add(bytes));
        };
        let Budget { held, reported, most, .. } = &*self.budget;
        let (all, most) = if self.is_report { (reported, most / 4) } else { (held, *most) };
        resize(all);
        if self.is_waiting {
            resize(&self.budget.waiting);
        }
        self.bytes = bytes;
        all.get() <= most
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_one_gives_back_another_may_take() {
        let budget = Rc::new(Budget::new(100));
        let (mut a, mut b) = (Share::of(&budget), Share::of(&budget));
        assert!(a.resize(60));
        assert!(b.resize(40));
        assert!(!b.resize(41));
        assert!(b.resize(10));
        drop(a);
        assert!(b.resize(100));
        drop(b);
        assert_eq!(budget.held.get(), 0);
    }

    #[test]
    fn what_is_only_reported_takes_nothing_from_others() {
        let budget = Rc::new(Budget::new(100));
        let (mut report, mut body) = (Share::of_report(&budget), Share::of(&budget));
        assert!(report.resize(25));
        assert!(!report.resize(26));
        assert!(body.resize(100));
        drop(report);
        assert_eq!(budget.reported.get(), 0);
    }

    #[test]
    fn bodies_that_wait_have_half_of_it() {
        let budget = Rc::new(Budget::new(100));
        let (mut chunk, mut body) = (Share::of(&budget), Share::of(&budget));
        assert!(chunk.resize(60));
        assert!(!body.resize(51));
        assert!(!budget.is_crowded());
        body.wait();
        body.wait();
        assert!(budget.is_crowded());
        assert!(body.resize(40));
        assert!(!budget.is_crowded());
        assert!(!body.resize(41));
        drop(body);
        assert_eq!(budget.waiting.get(), 0);
    }
}
