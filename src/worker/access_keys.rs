//! Drives the store of signing keys.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use voussoir_core::access_keys::{AccessKeyStore, Action, Call, Event, Report, Want};
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::gate::Input;
use voussoir_core::record::{SIGNING_KEYS_PATH, SigningKeyRequest};
use voussoir_core::sigv4::Credential;
use voussoir_core::time::UnixTime;

use super::calls::{Purpose, Question};
use super::{Stream, Worker, now};
use crate::host::{self, Level};

impl Worker {
    /// Asks for a signing key on a request's behalf; `None` when there is nothing to tell yet.
    pub(super) fn want_access_key(
        &self,
        now: UnixTime,
        stream: &Rc<Stream>,
        credential: &Credential,
    ) -> Option<Input<'static>> {
        let store = self.access_keys.as_ref()?;
        told(store.borrow_mut().want(now, stream.context_id, credential))
    }

    pub(super) fn handle_access_keys(&self, now: UnixTime, event: Event<'_>) {
        if let Some(store) = &self.access_keys {
            let feed = self.feed.as_ref().map(RefCell::borrow);
            store.borrow_mut().handle(now, event, feed.as_deref());
        }
    }

    /// Makes the slots of shared data that are not there yet: to one that is not, any conditional
    /// write would succeed, and two workers would think that they alone had leased it.
    pub(super) fn make_slots(store: &AccessKeyStore) {
        for name in store.slot_names() {
            match host::shared_data(&name) {
                Ok(None) => {
                    if host::set_shared_data(&name, b"", 0).is_err() {
                        return;
                    }
                }
                Ok(Some(_)) => {}
                Err(_) => return,
            }
        }
    }

    pub(super) fn signing_key_fetched(&self, call: Call, answer: Result<Answer<'_>, FetchFailure>) {
        if let Some(now) = now() {
            self.handle_access_keys(now, Event::Fetched(call, answer));
        }
    }

    /// Carries out one thing that the store asks for, if there is any: whether a request was
    /// resumed.
    pub(super) fn next_of_access_keys(&self) -> Option<bool> {
        let action = self.access_keys.as_ref()?.borrow_mut().next_action()?;
        match action {
            Action::Read { call, slot, name } => self.read_slot(now()?, call, slot, &name),
            Action::Write { call, name, value, version } => {
                self.write_slot(now()?, call, &name, &value, version);
            }
            Action::Fetch { call, question, on_behalf_of } => {
                self.fetch_signing_key(now()?, call, &question, on_behalf_of);
            }
            Action::Resume { request, answer } => {
                if let Some(told) = told(answer) {
                    self.resume(request, told);
                }
                return Some(true);
            }
            Action::Report(report) => self.report_access_keys(now()?, report),
        }
        Some(false)
    }

    fn read_slot(&self, now: UnixTime, call: Call, slot: usize, name: &str) {
        // Shared data that cannot be read is as good as empty; writing it will tell.
        let found = host::shared_data(name).ok().flatten();
        let (value, version) =
            found.as_ref().map_or((None, 0), |(value, version)| (Some(&value[..]), *version));
        self.handle_access_keys(now, Event::Slot { call, slot, value, version });
    }

    fn write_slot(
        &self,
        now: UnixTime,
        call: Call,
        name: &str,
        value: &[u8],
        version: Option<u32>,
    ) {
        let outcome = host::write_shared_data(name, value, version);
        self.handle_access_keys(now, Event::Written { call, outcome });
    }

    fn fetch_signing_key(
        &self,
        now: UnixTime,
        call: Call,
        question: &SigningKeyRequest,
        on_behalf_of: Option<u32>,
    ) {
        let json = question.to_json();
        let question = Question {
            method: "POST",
            path: SIGNING_KEYS_PATH,
            etag: None,
            body: Some(&json),
            trace: &self.trace_of(on_behalf_of),
        };
        let purpose = Purpose::SigningKey(call);
        if let Err(failure) = self.calls.dispatch(&self.config.keyserver, &question, purpose) {
            self.handle_access_keys(now, Event::Fetched(call, Err(failure)));
        }
    }

    /// What was counted since the last tick: a request that is served at once costs no call of the
    /// host for it.
    pub(super) fn count_access_keys(&self) {
        if let Some(store) = &self.access_keys {
            let stats = store.borrow_mut().take_stats();
            self.metrics.count_lookups(stats);
        }
    }

    fn report_access_keys(&self, now: UnixTime, report: Report) {
        self.metrics.count_signing_key(report);
        if let Some(store) = &self.access_keys {
            self.metrics.record_signing_keys(store.borrow().key_count());
        }
        let Report::Failed(failure) = report else { return };
        // Clients can cause failures, and should not fill the log.
        if self.told_at.get().is_some_and(|told_at| now.since(told_at) < BETWEEN_WARNINGS) {
            return;
        }
        self.told_at.set(Some(now));
        let message = format!("voussoir: a signing key could not be fetched: {failure}");
        host::log(Level::Warn, &message);
    }
}

fn told(want: Want) -> Option<Input<'static>> {
    match want {
        Want::Ready(key) => Some(Input::SigningKey(key)),
        Want::Denied(fault) => Some(Input::NoAccessKey(fault)),
        Want::Refused { cause, retry_after } => Some(Input::NoKeys { cause, retry_after }),
        Want::Parked => None,
    }
}

/// How often a failure to fetch a signing key is told.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);
