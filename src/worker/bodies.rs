//! Looks after the requests that are held until the rest of their bodies has come.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use voussoir_core::complete_body::{Waiting, Why};
use voussoir_core::gate::Input;
use voussoir_core::record::Change;
use voussoir_core::time::UnixTime;

use super::upkeep::Upkeep;
use super::{IDLE_TICK, Stream, Worker, now};

impl Worker {
    /// Holds a request until its body is complete, or until that time.
    pub(super) fn await_rest(&self, now: UnixTime, stream: &Rc<Stream>, until: UnixTime) {
        self.parked.borrow_mut().insert(stream.context_id.into(), Rc::clone(stream));
        self.bodies.borrow_mut().insert(now, stream.context_id, until);
        self.make_room();
    }

    /// Whatever came of the request's body, nobody waits for more: it is decided, or all is there.
    pub(super) fn stop_waiting(&self, stream: &Stream) {
        if self.bodies.borrow_mut().remove(stream.context_id) {
            self.parked.borrow_mut().remove(stream.context_id.into());
        }
    }

    /// Has somebody sent away, as soon as this callback is over, if there are too many.
    pub(super) fn make_room(&self) {
        if self.bodies.borrow().is_crowded(&self.budget) {
            self.wake_root();
        }
    }
}

impl Upkeep for RefCell<Waiting> {
    fn tick(&self, _worker: &Worker, _now: UnixTime) {}

    fn gone(&self, _worker: &Worker, _now: UnixTime, request: u32) {
        self.borrow_mut().remove(request);
    }

    fn changed(&self, _now: UnixTime, _changes: &[Change], _at: UnixTime) {}

    fn next(&self, worker: &Worker) -> Option<bool> {
        let (request, why) = self.borrow_mut().next_over(now()?, &worker.budget)?;
        let told = match why {
            Why::Late => Input::Late,
            Why::Crowded(cause) => Input::Unknown { cause, retry_after: A_MOMENT },
        };
        worker.resume(request, told);
        Some(true)
    }

    fn next_tick(&self) -> Duration {
        self.borrow().next_tick().unwrap_or(IDLE_TICK)
    }

    fn record(&self, _worker: &Worker, _now: UnixTime) {}
}

/// When it may be worth another try, for who was sent away to make room.
const A_MOMENT: Duration = Duration::from_secs(1);
