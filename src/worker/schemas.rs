//! Fetches the documents of APIs that the key server has, and counts what requests come to that are held
//! against them.

use std::cell::RefCell;
use std::time::Duration;

use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::record::Change;
use voussoir_core::schema::{Action, Documents, Event, Report};
use voussoir_core::time::{self, UnixTime};

use super::calls::{Purpose, Question};
use super::upkeep::Upkeep;
use super::{Stream, Worker, now};
use crate::host::{self, Level};

impl Worker {
    pub(super) fn schema_fetched(&self, answer: Result<Answer<'_>, FetchFailure>) {
        if let Some(now) = now() {
            self.handle_schemas(now, Event::Fetched(answer));
        }
    }

    /// Counts what a request came to, if that is known by now.
    pub(super) fn count_schema(&self, stream: &Stream) {
        let mut gate = stream.gate.borrow_mut();
        if let Some(check) = gate.take_schema_outcome() {
            self.metrics.count_check(gate.route(), &gate.settings().schemas, check);
        }
    }

    fn handle_schemas(&self, now: UnixTime, event: Event<'_>) {
        if let Some(documents) = &self.documents {
            documents.borrow_mut().handle(now, event);
        }
    }

    fn fetch_schema(&self, now: UnixTime, path: &str) {
        let question = Question { method: "GET", path, etag: None, body: None, trace: &[] };
        if let Err(failure) = self.ask_key_server(&question, Purpose::Schema) {
            self.handle_schemas(now, Event::Fetched(Err(failure)));
        }
    }

    fn report_schema(&self, report: &Report) {
        self.metrics.count_schema_fetch(report);
        match report {
            Report::Loaded(name) => {
                host::log(Level::Info, &format!("voussoir: schema {name} is loaded"));
            }
            Report::Failed { is_news: false, .. } => {}
            Report::Failed { name, failure, retry_after, .. } => {
                let millis = time::millis(*retry_after);
                let message = format!(
                    "voussoir: schema {name} could not be fetched: {failure}; next try in {millis} ms"
                );
                host::log(Level::Warn, &message);
            }
        }
    }
}

/// No request waits for it: one that needs a document is refused until that is there.
impl Upkeep for RefCell<Documents> {
    fn tick(&self, worker: &Worker, now: UnixTime) {
        worker.handle_schemas(now, Event::Tick);
    }

    fn gone(&self, _worker: &Worker, _now: UnixTime, _request: u32) {}

    fn changed(&self, _now: UnixTime, _changes: &[Change], _at: UnixTime) {}

    fn next(&self, worker: &Worker) -> Option<bool> {
        // First, lest an action be lost with it.
        let now = now()?;
        let action = self.borrow_mut().next_action()?;
        match action {
            Action::Fetch(path) => worker.fetch_schema(now, &path),
            Action::Report(report) => worker.report_schema(&report),
        }
        Some(false)
    }

    fn next_tick(&self) -> Duration {
        self.borrow().next_tick()
    }

    fn record(&self, _worker: &Worker, _now: UnixTime) {}
}
