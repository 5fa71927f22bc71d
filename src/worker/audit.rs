//! Makes the events of requests that are over, and sends them to the collector.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use voussoir_core::audit::{Action, AuditLog, Call, End, Event, Report, SendFailure};
use voussoir_core::config::{Collector, FilterState};
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::record::Change;
use voussoir_core::time::{self, UnixTime};

use super::calls::Purpose;
use super::upkeep::Upkeep;
use super::{IDLE_TICK, Stream, Worker, now};
use crate::host::{self, Level};

impl Worker {
    /// A request is over, and its access log is about to be written.
    pub(crate) fn audit(&self, stream: &Stream) {
        let (Some(log), Some(rules)) = (&self.audit, &self.config.audit) else { return };
        let Some(trail) = stream.gate.borrow_mut().take_trail() else { return };
        let settings = Rc::clone(stream.gate.borrow().settings());
        let Some(at) = now() else { return };
        let mut log = log.borrow_mut();
        if rules.filter_state == FilterState::Summary {
            show(log.summary(&settings, &trail));
        }
        let end = End { at, status: host::response_code() };
        if let Some(event) = log.record(&settings, &trail, end, host::source_address) {
            if rules.filter_state == FilterState::Event {
                show(event);
            }
            if rules.log {
                host::log(Level::Info, &format!("voussoir: audit: {event}"));
            }
        }
        let is_due = log.is_due(at);
        // Whoever is woken may look at it at once.
        drop(log);
        if is_due {
            self.wake_root();
        }
    }

    pub(super) fn events_sent(&self, call: Call, answer: Result<Answer<'_>, FetchFailure>) {
        let status =
            answer.ok().and_then(|answer| str::from_utf8(answer.status).ok()?.parse().ok());
        self.handle_audit(Event::Answered(call, status.ok_or(SendFailure::NoAnswer)));
    }

    fn handle_audit(&self, event: Event) {
        if let (Some(log), Some(now)) = (&self.audit, now()) {
            log.borrow_mut().handle(now, event);
        }
    }

    fn send_events(&self, call: Call, body: &[u8]) {
        let collector = self.config.audit.as_ref().and_then(|rules| rules.collector.as_ref());
        let Some(Collector { server, path, .. }) = collector else { return };
        if self.calls.send(server, path, body, Purpose::Audit(call)).is_err() {
            self.handle_audit(Event::Answered(call, Err(SendFailure::NotSent)));
        }
    }
}

/// Lets the access log show it.
fn show(text: &str) {
    if host::set_filter_state(FILTER_STATE, text).is_err() {
        host::log(Level::Warn, "voussoir: the host takes no filter state for its access log");
    }
}

/// No request waits for it.
impl Upkeep for RefCell<AuditLog> {
    fn tick(&self, worker: &Worker, _now: UnixTime) {
        worker.handle_audit(Event::Tick);
    }

    fn gone(&self, _worker: &Worker, _now: UnixTime, _request: u32) {}

    fn changed(&self, _now: UnixTime, _changes: &[Change], _at: UnixTime) {}

    fn next(&self, worker: &Worker) -> Option<bool> {
        let action = self.borrow_mut().next_action(now()?)?;
        match action {
            Action::Send { call, body } => worker.send_events(call, &body),
            Action::Report(report) => tell(&report),
        }
        Some(false)
    }

    fn next_tick(&self) -> Duration {
        self.borrow().next_tick().map_or(IDLE_TICK, |tick| tick.min(IDLE_TICK))
    }

    fn record(&self, worker: &Worker, _now: UnixTime) {
        let mut log = self.borrow_mut();
        worker.metrics.record_audit(log.take_stats(), log.waiting());
    }
}

fn tell(report: &Report) {
    let Report { failure, retry_after, waiting } = report;
    let millis = time::millis(*retry_after);
    let message = format!(
        "voussoir: events could not be sent: {failure}; {waiting} wait; next try in {millis} ms"
    );
    host::log(Level::Warn, &message);
}

/// Envoy puts `wasm.` before it.
const FILTER_STATE: &str = "voussoir_audit";
