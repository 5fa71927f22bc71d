//! The requests that wait for what a call brings.

use alloc::vec::Vec;
use core::time::Duration;

use crate::recent::Recent;
use crate::time::UnixTime;

/// One request that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) request: u32,
    /// The generation of keys that is not new enough for it, if any will not do.
    pub(crate) newer_than: Option<u64>,
    pub(crate) since: UnixTime,
}

/// All that wait, at most as many as the configuration allows, by the numbers of their requests: one
/// that goes away is found without a look at the others.
#[derive(Debug)]
pub(crate) struct Waiting {
    waiters: Recent<Waiter>,
    most: usize,
}

impl Waiting {
    pub(crate) fn new(most: usize) -> Self {
        Self { waiters: Recent::default(), most }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// The request that came first.
    pub(crate) fn first(&self) -> Option<u32> {
        self.waiters.oldest().map(|(_, waiter)| waiter.request)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiters.len() >= self.most
    }

    /// Whether there was room for it.
    pub(crate) fn add(&mut self, waiter: Waiter) -> bool {
        let has_room = !self.is_full();
        if has_room {
            self.waiters.insert(waiter.request.into(), waiter);
        }
        has_room
    }

    /// A request is gone.
    pub(crate) fn remove(&mut self, request: u32) {
        self.waiters.remove(request.into());
    }

    /// Takes out all for which `is_done` holds.
    pub(crate) fn take(&mut self, is_done: &dyn Fn(&Waiter) -> bool) -> Vec<Waiter> {
        let done = self.waiters.numbers(is_done).into_iter();
        done.filter_map(|request| self.waiters.remove(request)).collect()
    }

    /// The clock went back by so much, and with it the times since when they wait.
    pub(crate) fn move_back(&mut self, back: Duration) {
        for waiter in self.waiters.values_mut() {
            waiter.since = waiter.since - back;
        }
    }
}

impl Waiter {
    pub(crate) fn has_waited(&self, now: UnixTime, duration: Duration) -> bool {
        now.since(self.since) >= duration
    }
}
