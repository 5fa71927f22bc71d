//! Drives the change feed, and tells the stores what has changed.

use voussoir_core::feed::{Action, Call, Event, Report, Slot};
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::record::{Change, Cursor};
use voussoir_core::time::{self, UnixTime};

use super::calls::{Purpose, Question};
use super::{Worker, now};
use crate::host::{self, Level};

impl Worker {
    pub(super) fn handle_feed(&self, now: UnixTime, event: Event<'_>) {
        if let Some(feed) = &self.feed {
            feed.borrow_mut().handle(now, event);
        }
    }

    pub(super) fn changes_fetched(&self, call: Call, answer: Result<Answer<'_>, FetchFailure>) {
        if let Some(now) = now() {
            self.handle_feed(now, Event::Fetched(call, answer));
        }
    }

    /// Carries out one thing that the feed asks for, if there is any. No request waits for it.
    pub(super) fn next_of_feed(&self) -> Option<bool> {
        // First, lest an action be lost with it.
        let now = now()?;
        let action = self.feed.as_ref()?.borrow_mut().next_action()?;
        match action {
            Action::Read(slot) => self.read_feed(now, slot),
            Action::Write { slot, value, version } => {
                if let Some(name) = self.feed_slot_name(slot) {
                    let outcome = host::write_shared_data(&name, &value, version);
                    self.handle_feed(now, Event::Written { slot, outcome });
                }
            }
            Action::Fetch { call, after } => self.fetch_changes(now, call, after.as_ref()),
            Action::Changed { changes, at } => self.changed(now, &changes, at),
            Action::Report(report) => self.report_feed(&report),
        }
        Some(false)
    }

    fn read_feed(&self, now: UnixTime, slot: Slot) {
        let Some(name) = self.feed_slot_name(slot) else { return };
        let (value, version) = host::shared_slot(&name);
        self.handle_feed(now, Event::Slot { slot, value: value.as_deref(), version });
    }

    fn feed_slot_name(&self, slot: Slot) -> Option<String> {
        self.feed.as_ref().map(|feed| feed.borrow().slot_name(slot))
    }

    fn fetch_changes(&self, now: UnixTime, call: Call, after: Option<&Cursor>) {
        let path = Cursor::path(after);
        let question = Question { method: "GET", path: &path, etag: None, body: None, trace: &[] };
        let purpose = Purpose::Changes(call);
        if let Err(failure) = self.ask_key_server(&question, purpose) {
            self.handle_feed(now, Event::Fetched(call, Err(failure)));
        }
    }

    fn changed(&self, now: UnixTime, changes: &[Change], at: UnixTime) {
        self.metrics.count_changes(changes.len());
        self.machines().for_each(|machine| machine.changed(now, changes, at));
    }

    fn report_feed(&self, report: &Report) {
        self.metrics.count_poll(report);
        match report {
            Report::Heard { .. } => {}
            Report::Begun => host::log(Level::Info, "voussoir: the change feed has begun"),
            Report::Missed => host::log(
                Level::Info,
                "voussoir: this worker missed changes; all it holds is confirmed again",
            ),
            Report::Failed { failure, retry_after } => {
                let millis = time::millis(*retry_after);
                let message = format!(
                    "voussoir: the change feed could not be read: {failure}; next try in {millis} ms"
                );
                host::log(Level::Warn, &message);
            }
        }
    }
}
