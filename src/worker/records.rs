//! Drives the caches of records: signing keys for signed requests, identities for tokens, and what
//! Keystone itself says of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use voussoir_core::access_keys::AccessKey;
use voussoir_core::cache::{Action, Cache, Call, Event, Record, Report, Want};
use voussoir_core::catalogs::{NoFault, ServiceCatalog};
use voussoir_core::config::{Config, Server};
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::gate::Input;
use voussoir_core::identities::Identity;
use voussoir_core::record::{
    CATALOGS_PATH, IDENTITIES_PATH, MAX_CATALOG_BYTES, MAX_IDENTITY_BYTES, MAX_SIGNING_KEY_BYTES,
    MAX_VALIDATION_BYTES, SIGNING_KEYS_PATH,
};
use voussoir_core::time::UnixTime;
use voussoir_core::validations::Validation;

use super::calls::{Purpose, Question};
use super::{Stream, Worker, now};
use crate::host::{self, Level};
use crate::metrics::RecordMetrics;

/// A kind of record that a worker keeps.
pub(super) trait Kept: Record {
    /// What metrics call it.
    const NAME: &'static str;
    /// What they call many.
    const NAMES: &'static str;
    /// The most bytes of an answer.
    const MAX_BYTES: usize;

    /// Where a worker keeps them, if its configuration needs any.
    fn of(worker: &Worker) -> Option<&Records<Self>>;

    /// Makes a call for one.
    fn ask(
        worker: &Worker,
        call: Call,
        question: &Self::Question,
        trace: &Trace,
    ) -> Result<(), FetchFailure>;

    /// What a request is told.
    fn ready(record: Rc<Self>) -> Input<'static>;

    /// What a request is told if there is none.
    fn denied(fault: Self::Fault) -> Input<'static>;
}

impl Kept for AccessKey {
    const NAME: &'static str = "signing_key";
    const NAMES: &'static str = "signing_keys";
    const MAX_BYTES: usize = MAX_SIGNING_KEY_BYTES;

    fn of(worker: &Worker) -> Option<&Records<Self>> {
        worker.access_keys.as_ref()
    }

    fn ask(
        worker: &Worker,
        call: Call,
        question: &Self::Question,
        trace: &Trace,
    ) -> Result<(), FetchFailure> {
        let json = Self::json(question);
        worker.ask_key_server(&posted(SIGNING_KEYS_PATH, &json, trace), Purpose::SigningKey(call))
    }

    fn ready(key: Rc<Self>) -> Input<'static> {
        Input::SigningKey(key)
    }

    fn denied(fault: Self::Fault) -> Input<'static> {
        Input::NoAccessKey(fault)
    }
}

impl Kept for Identity {
    const NAME: &'static str = "identity";
    const NAMES: &'static str = "identities";
    const MAX_BYTES: usize = MAX_IDENTITY_BYTES;

    fn of(worker: &Worker) -> Option<&Records<Self>> {
        worker.identities.as_ref()
    }

    fn ask(
        worker: &Worker,
        call: Call,
        question: &Self::Question,
        trace: &Trace,
    ) -> Result<(), FetchFailure> {
        let json = Self::json(question);
        worker.ask_key_server(&posted(IDENTITIES_PATH, &json, trace), Purpose::Identity(call))
    }

    fn ready(identity: Rc<Self>) -> Input<'static> {
        Input::Identity(identity)
    }

    fn denied(fault: Self::Fault) -> Input<'static> {
        Input::NoIdentity(fault)
    }
}

impl Kept for ServiceCatalog {
    const NAME: &'static str = "catalog";
    const NAMES: &'static str = "catalogs";
    const MAX_BYTES: usize = MAX_CATALOG_BYTES;

    fn of(worker: &Worker) -> Option<&Records<Self>> {
        worker.catalogs.as_ref()
    }

    fn ask(
        worker: &Worker,
        call: Call,
        question: &Self::Question,
        trace: &Trace,
    ) -> Result<(), FetchFailure> {
        let json = Self::json(question);
        worker.ask_key_server(&posted(CATALOGS_PATH, &json, trace), Purpose::Catalog(call))
    }

    fn ready(catalog: Rc<Self>) -> Input<'static> {
        Input::Catalog(catalog)
    }

    fn denied(fault: NoFault) -> Input<'static> {
        match fault {}
    }
}

impl Kept for Validation {
    const NAME: &'static str = "validation";
    const NAMES: &'static str = "validations";
    const MAX_BYTES: usize = MAX_VALIDATION_BYTES;

    fn of(worker: &Worker) -> Option<&Records<Self>> {
        worker.validations.as_ref()
    }

    fn ask(
        worker: &Worker,
        call: Call,
        question: &Self::Question,
        trace: &Trace,
    ) -> Result<(), FetchFailure> {
        let keystone = worker.config.keystone().ok_or(FetchFailure::NotSent)?;
        worker.calls.validate(&keystone.server, question, trace, Purpose::Validation(call))
    }

    fn ready(validation: Rc<Self>) -> Input<'static> {
        Input::Validation(validation)
    }

    fn denied(fault: Self::Fault) -> Input<'static> {
        Input::NoValidation(fault)
    }
}

/// Headers by which a call can be told to be part of a request.
type Trace = [(&'static str, String)];

/// A question in JSON.
fn posted<'a>(path: &'a str, json: &'a str, trace: &'a Trace) -> Question<'a> {
    Question { method: "POST", path, etag: None, body: Some(json), trace }
}

/// The records of one kind.
pub(super) struct Records<R: Kept> {
    pub(super) cache: RefCell<Cache<R>>,
    metrics: RecordMetrics,
    /// When a failure to fetch one was last told.
    told_at: Cell<Option<UnixTime>>,
}

impl<R: Kept> Records<R> {
    pub(super) fn new(config: &Config, server: &Server, seed: u64) -> Self {
        let cache = Cache::new(config, server, seed);
        make_slots(cache.slot_names());
        let metrics = RecordMetrics::define(R::NAME, R::NAMES);
        Self { cache: RefCell::new(cache), metrics, told_at: Cell::new(None) }
    }

    /// What was counted since the last tick: a request that is served at once costs no call of the
    /// host for it.
    pub(super) fn count(&self) {
        let mut cache = self.cache.borrow_mut();
        self.metrics.count_lookups(cache.take_stats());
        self.metrics.record_held(cache.record_count());
    }

    fn report(&self, now: UnixTime, report: Report) {
        self.metrics.count_fetch(report);
        let Report::Failed(failure) = report else { return };
        // Clients can cause failures, and should not fill the log.
        if self.told_at.get().is_some_and(|told_at| now.since(told_at) < BETWEEN_WARNINGS) {
            return;
        }
        self.told_at.set(Some(now));
        let what = R::NAME.replace('_', " ");
        host::log(Level::Warn, &format!("voussoir: no {what} could be fetched: {failure}"));
    }
}

/// Makes the slots of shared data that are not there yet: to one that is not, any conditional write
/// would succeed, and two workers would think that they alone had leased it.
pub(super) fn make_slots(names: impl IntoIterator<Item = String>) {
    for name in names {
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

impl Worker {
    /// Asks for a record on a request's behalf; `None` when there is nothing to tell yet.
    pub(super) fn want<R: Kept>(
        &self,
        now: UnixTime,
        stream: &Rc<Stream>,
        question: &R::Question,
    ) -> Option<Input<'static>> {
        let records = R::of(self)?;
        told(records.cache.borrow_mut().want(now, stream.context_id, question))
    }

    pub(super) fn handle<R: Kept>(&self, now: UnixTime, event: Event<'_>) {
        if let Some(records) = R::of(self) {
            let feed = self.feed.as_ref().map(RefCell::borrow);
            records.cache.borrow_mut().handle(now, event, feed.as_deref());
        }
    }

    pub(super) fn record_fetched<R: Kept>(
        &self,
        call: Call,
        answer: Result<Answer<'_>, FetchFailure>,
    ) {
        if let Some(now) = now() {
            self.handle::<R>(now, Event::Fetched(call, answer));
        }
    }

    /// Carries out one thing that a cache asks for, if there is any: whether a request was resumed.
    pub(super) fn next_of<R: Kept>(&self) -> Option<bool> {
        // First, lest an action be lost with it.
        let now = now()?;
        let records = R::of(self)?;
        let action = records.cache.borrow_mut().next_action()?;
        match action {
            Action::Read { call, slot, name } => {
                let (value, version) = host::shared_slot(&name);
                let value = value.as_deref();
                self.handle::<R>(now, Event::Slot { call, slot, value, version });
            }
            Action::Write { call, name, value, version } => {
                let outcome = host::write_shared_data(&name, &value, version);
                self.handle::<R>(now, Event::Written { call, outcome });
            }
            Action::Fetch { call, question, on_behalf_of } => {
                self.fetch_record::<R>(now, call, &question, on_behalf_of);
            }
            Action::Resume { request, answer } => {
                if let Some(told) = told(answer) {
                    self.resume(request, told);
                }
                return Some(true);
            }
            Action::Report(report) => records.report(now, report),
        }
        Some(false)
    }

    fn fetch_record<R: Kept>(
        &self,
        now: UnixTime,
        call: Call,
        question: &R::Question,
        on_behalf_of: Option<u32>,
    ) {
        let trace = self.trace_of(on_behalf_of);
        if let Err(failure) = R::ask(self, call, question, &trace) {
            self.handle::<R>(now, Event::Fetched(call, Err(failure)));
        }
    }
}

fn told<R: Kept>(want: Want<R>) -> Option<Input<'static>> {
    match want {
        Want::Ready(record) => Some(R::ready(record)),
        Want::Denied(fault) => Some(R::denied(fault)),
        Want::Refused { cause, retry_after } => Some(Input::Unknown { cause, retry_after }),
        Want::Parked => None,
    }
}

/// How often a failure to fetch a record is told.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);
