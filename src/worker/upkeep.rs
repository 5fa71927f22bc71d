//! What a worker looks after: each of its machines in the same way.

use std::cell::RefCell;
use std::time::Duration;

use voussoir_core::cache;
use voussoir_core::feed::{self, ChangeFeed};
use voussoir_core::keys::{self, KeyStore};
use voussoir_core::record::Change;
use voussoir_core::revocation::{RevocationList, list};
use voussoir_core::time::UnixTime;

use super::Worker;
use super::records::Records;

/// A machine that has work of its own, whether or not a request waits for it.
pub(super) trait Upkeep {
    /// Some time has passed.
    fn tick(&self, worker: &Worker, now: UnixTime);

    /// A request that waited is no more.
    fn gone(&self, worker: &Worker, now: UnixTime, request: u32);

    /// What the change feed tells; all of it had come in at the time `at`.
    fn changed(&self, now: UnixTime, changes: &[Change], at: UnixTime);

    /// Carries out one thing that it asks for, if there is any: whether a request was resumed.
    fn next(&self, worker: &Worker) -> Option<bool>;

    /// When it wants the next tick, at the latest.
    fn next_tick(&self) -> Duration;

    /// Tells metrics what it holds; what has not changed costs no call of the host.
    fn record(&self, worker: &Worker, now: UnixTime);
}

impl Worker {
    /// All its machines. What has changed is looked for first, and acted upon in the same round.
    pub(super) fn machines(&self) -> impl Iterator<Item = &dyn Upkeep> {
        fn one<T: Upkeep>(machine: Option<&T>) -> Option<&dyn Upkeep> {
            let machine: &dyn Upkeep = machine?;
            Some(machine)
        }
        let machines = [
            one(self.feed.as_ref()),
            one(self.keys.as_ref()),
            one(self.access_keys.as_ref()),
            one(self.identities.as_ref()),
            one(self.catalogs.as_ref()),
            one(self.validations.as_ref()),
            one(self.revocations.as_ref()),
            one(self.documents.as_ref()),
            one(Some(&self.bodies)),
            one(self.audit.as_ref()),
        ];
        machines.into_iter().flatten()
    }
}

impl Upkeep for Records {
    fn tick(&self, worker: &Worker, now: UnixTime) {
        worker.handle(self, now, cache::Event::Tick);
    }

    fn gone(&self, worker: &Worker, now: UnixTime, request: u32) {
        worker.handle(self, now, cache::Event::Gone(request));
    }

    fn changed(&self, now: UnixTime, changes: &[Change], _at: UnixTime) {
        self.cache.borrow_mut().changed(now, changes);
    }

    fn next(&self, worker: &Worker) -> Option<bool> {
        worker.next_of(self)
    }

    fn next_tick(&self) -> Duration {
        self.cache.borrow().next_tick()
    }

    fn record(&self, _worker: &Worker, _now: UnixTime) {
        self.count();
    }
}

impl Upkeep for RefCell<KeyStore> {
    fn tick(&self, worker: &Worker, now: UnixTime) {
        worker.handle_keys(now, keys::Event::Tick);
    }

    fn gone(&self, worker: &Worker, now: UnixTime, request: u32) {
        worker.handle_keys(now, keys::Event::Gone(request));
    }

    fn changed(&self, now: UnixTime, changes: &[Change], at: UnixTime) {
        let is_about_tokens = |change| matches!(change, &Change::All | &Change::TokenKeys);
        if changes.iter().any(is_about_tokens) {
            self.borrow_mut().renew(now, at);
        }
    }

    fn next(&self, worker: &Worker) -> Option<bool> {
        worker.next_of_keys()
    }

    fn next_tick(&self) -> Duration {
        self.borrow().next_tick()
    }

    fn record(&self, worker: &Worker, _now: UnixTime) {
        worker.metrics.record_keys(self.borrow().key_count());
    }
}

impl Upkeep for RefCell<RevocationList> {
    fn tick(&self, worker: &Worker, now: UnixTime) {
        worker.handle_revocations(now, list::Event::Tick);
    }

    fn gone(&self, worker: &Worker, now: UnixTime, request: u32) {
        worker.handle_revocations(now, list::Event::Gone(request));
    }

    fn changed(&self, now: UnixTime, changes: &[Change], _at: UnixTime) {
        self.borrow_mut().changed(now, changes);
    }

    fn next(&self, worker: &Worker) -> Option<bool> {
        worker.next_of_revocations()
    }

    fn next_tick(&self) -> Duration {
        self.borrow().next_tick()
    }

    fn record(&self, worker: &Worker, _now: UnixTime) {
        worker.metrics.record_revocations(self.borrow().event_count());
    }
}

/// No request waits for it, and it is who tells what has changed.
impl Upkeep for RefCell<ChangeFeed> {
    fn tick(&self, worker: &Worker, now: UnixTime) {
        worker.handle_feed(now, feed::Event::Tick);
    }

    fn gone(&self, _worker: &Worker, _now: UnixTime, _request: u32) {}

    fn changed(&self, _now: UnixTime, _changes: &[Change], _at: UnixTime) {}

    fn next(&self, worker: &Worker) -> Option<bool> {
        worker.next_of_feed()
    }

    fn next_tick(&self) -> Duration {
        self.borrow().next_tick()
    }

    fn record(&self, worker: &Worker, now: UnixTime) {
        worker.metrics.record_feed_lag(self.borrow().lag(now));
    }
}
