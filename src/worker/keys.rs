//! Drives the store of token keys.

use std::cell::RefCell;
use std::rc::Rc;

use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::gate::Input;
use voussoir_core::keys::{Action, Event, Report, Slot, Want};
use voussoir_core::record::TOKEN_KEYS_PATH;
use voussoir_core::time::{self, UnixTime};

use super::calls::{Purpose, Question};
use super::{Stream, Worker, now};
use crate::host::{self, Level};

impl Worker {
    /// Asks for keys on a request's behalf; `None` when there is nothing to tell yet.
    pub(super) fn want_keys(
        &self,
        now: UnixTime,
        stream: &Rc<Stream>,
        newer_than: Option<u64>,
    ) -> Option<Input<'static>> {
        let store = self.keys.as_ref()?;
        told(store.borrow_mut().want(now, stream.context_id, newer_than))
    }

    pub(super) fn handle_keys(&self, now: UnixTime, event: Event<'_>) {
        if let Some(store) = &self.keys {
            let feed = self.feed.as_ref().map(RefCell::borrow);
            store.borrow_mut().handle(now, event, feed.as_deref());
        }
    }

    pub(super) fn key_set_fetched(&self, answer: Result<Answer<'_>, FetchFailure>) {
        if let Some(now) = now() {
            self.handle_keys(now, Event::Fetched(answer));
        }
    }

    /// Carries out one thing that the store asks for, if there is any: whether a request was
    /// resumed.
    ///
    /// The clock is read anew each time: a request that is resumed reads it too, and to go on with
    /// an older time would look like a clock that goes back. And the borrow must end before the
    /// action, which may lead back to the store.
    pub(super) fn next_of_keys(&self) -> Option<bool> {
        // First, lest an action be lost with it.
        let now = now()?;
        let action = self.keys.as_ref()?.borrow_mut().next_action()?;
        match action {
            Action::Read(slot) => self.read(now, slot),
            Action::Write { slot, value, version } => self.write(now, slot, &value, version),
            Action::Fetch { etag, on_behalf_of } => {
                self.fetch_keys(now, etag.as_deref(), on_behalf_of);
            }
            Action::Resume { request, answer } => {
                if let Some(told) = told(answer) {
                    self.resume(request, told);
                }
                return Some(true);
            }
            Action::Report(report) => self.report_keys(&report),
        }
        Some(false)
    }

    fn read(&self, now: UnixTime, slot: Slot) {
        let Some(name) = self.slot_name(slot) else { return };
        let (value, version) = host::shared_slot(&name);
        self.handle_keys(now, Event::Slot { slot, value: value.as_deref(), version });
    }

    fn write(&self, now: UnixTime, slot: Slot, value: &[u8], version: Option<u32>) {
        let Some(name) = self.slot_name(slot) else { return };
        let outcome = host::write_shared_data(&name, value, version);
        self.handle_keys(now, Event::Written { slot, outcome });
    }

    fn slot_name(&self, slot: Slot) -> Option<String> {
        self.keys.as_ref().map(|store| store.borrow().slot_name(slot))
    }

    fn fetch_keys(&self, now: UnixTime, etag: Option<&str>, on_behalf_of: Option<u32>) {
        let trace = &self.trace_of(on_behalf_of);
        let question = Question { method: "GET", path: TOKEN_KEYS_PATH, etag, body: None, trace };
        let sent = self.ask_key_server(&question, Purpose::KeySet);
        if let Err(failure) = sent {
            self.handle_keys(now, Event::Fetched(Err(failure)));
        }
    }

    fn report_keys(&self, report: &Report) {
        self.metrics.count_report(report);
        match report {
            Report::Updated { keys, primary } => {
                let primary = primary.unwrap_or_default();
                let message = format!("voussoir: token keys updated: {keys}, primary {primary}");
                host::log(Level::Info, &message);
            }
            Report::Unchanged => {}
            Report::Failed { failure, retry_after } => {
                let millis = time::millis(*retry_after);
                let message = format!(
                    "voussoir: token keys could not be fetched: {failure}; next try in {millis} ms"
                );
                host::log(Level::Warn, &message);
            }
            Report::Expired => {
                let message = "voussoir: token keys are past cache.stale and used no more; \
                               requests are answered 503 until the key server confirms them";
                host::log(Level::Error, message);
            }
        }
    }
}

fn told(want: Want) -> Option<Input<'static>> {
    match want {
        Want::Ready(keys) => Some(Input::Keys(keys)),
        Want::Refused { cause, retry_after } => Some(Input::Unknown { cause, retry_after }),
        Want::Parked => None,
    }
}
