//! Drives the caches of records: signing keys for signed requests, identities for tokens, and what
//! Keystone itself says of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use voussoir_core::cache::{
    Action, Cache, Call, Event, Fault, Kind, Question, Record, Report, Want,
};
use voussoir_core::config::{Config, Server};
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::gate::Input;
use voussoir_core::record::{
    CATALOGS_PATH, IDENTITIES_PATH, MAX_CATALOG_BYTES, MAX_IDENTITY_BYTES, MAX_SIGNING_KEY_BYTES,
    MAX_VALIDATION_BYTES, SIGNING_KEYS_PATH,
};
use voussoir_core::time::UnixTime;

use super::calls::{self, Purpose};
use super::{Stream, Worker, now};
use crate::host::{self, Level};
use crate::metrics::RecordMetrics;

/// The records of one kind.
pub(super) struct Records {
    kind: Kind,
    pub(super) cache: RefCell<Cache>,
    metrics: RecordMetrics,
    /// When a failure to fetch one was last told.
    told_at: Cell<Option<UnixTime>>,
}

impl Records {
    pub(super) fn new(kind: Kind, config: &Config, server: &Server, seed: u64) -> Self {
        let cache = Cache::new(kind, config, server, seed);
        make_slots(cache.slot_names());
        let (one, many) = names(kind);
        let metrics = RecordMetrics::define(one, many);
        Self { kind, cache: RefCell::new(cache), metrics, told_at: Cell::new(None) }
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
        let what = names(self.kind).0.replace('_', " ");
        host::log(Level::Warn, &format!("voussoir: no {what} could be fetched: {failure}"));
    }
}

/// Makes the slots of shared data that are not there yet: to one that is not, any conditional write
/// would succeed, and two workers would think that they alone had leased it.
pub(super) fn make_slots(names: impl IntoIterator<Item = String>) {
    // Where there is no shared data, no other is made either.
    names.into_iter().all(|name| make_slot(&name));
}

fn make_slot(name: &str) -> bool {
    match host::shared_data(name) {
        Ok(None) => host::set_shared_data(name, b"", 0).is_ok(),
        Ok(Some(_)) => true,
        Err(_) => false,
    }
}

impl Worker {
    /// Where records of a kind are kept, if the configuration needs any.
    fn records(&self, kind: Kind) -> Option<&Records> {
        match kind {
            Kind::AccessKey => self.access_keys.as_ref(),
            Kind::Identity => self.identities.as_ref(),
            Kind::Catalog => self.catalogs.as_ref(),
            Kind::Validation => self.validations.as_ref(),
        }
    }

    /// Asks for a record on a request's behalf; `None` when there is nothing to tell yet.
    pub(super) fn want(
        &self,
        now: UnixTime,
        stream: &Rc<Stream>,
        question: &Question,
    ) -> Option<Input<'static>> {
        let records = self.records(question.kind())?;
        told(records.cache.borrow_mut().want(now, stream.context_id, question))
    }

    pub(super) fn handle(&self, records: &Records, now: UnixTime, event: Event<'_>) {
        let feed = self.feed.as_ref().map(RefCell::borrow);
        records.cache.borrow_mut().handle(now, event, feed.as_deref());
    }

    pub(super) fn record_fetched(
        &self,
        kind: Kind,
        call: Call,
        answer: Result<Answer<'_>, FetchFailure>,
    ) {
        if let Some((now, records)) = now().zip(self.records(kind)) {
            self.handle(records, now, Event::Fetched(call, answer));
        }
    }

    /// Carries out one thing that a cache asks for, if there is any: whether a request was resumed.
    pub(super) fn next_of(&self, records: &Records) -> Option<bool> {
        // First, lest an action be lost with it.
        let now = now()?;
        let action = records.cache.borrow_mut().next_action()?;
        match action {
            Action::Read { call, slot, name } => {
                let (value, version) = host::shared_slot(&name);
                let value = value.as_deref();
                self.handle(records, now, Event::Slot { call, slot, value, version });
            }
            Action::Write { call, name, value, version } => {
                let outcome = host::write_shared_data(&name, &value, version);
                self.handle(records, now, Event::Written { call, outcome });
            }
            Action::Fetch { call, question, on_behalf_of } => {
                let trace = self.trace_of(on_behalf_of);
                if let Err(failure) = self.fetch_record(call, &question, &trace) {
                    self.handle(records, now, Event::Fetched(call, Err(failure)));
                }
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

    /// Makes a call for one.
    fn fetch_record(
        &self,
        call: Call,
        question: &Question,
        trace: &[(&'static str, String)],
    ) -> Result<(), FetchFailure> {
        let purpose = Purpose::Record(question.kind(), call);
        let path = match question {
            Question::AccessKey(_) => SIGNING_KEYS_PATH,
            Question::Identity(_) => IDENTITIES_PATH,
            Question::Catalog(_) => CATALOGS_PATH,
            Question::Validation(request) => {
                let keystone = self.config.keystone().ok_or(FetchFailure::NotSent)?;
                return self.calls.validate(&keystone.server, request, trace, purpose);
            }
        };
        let json = question.json();
        let posted = calls::Question { method: "POST", path, etag: None, body: Some(&json), trace };
        self.ask_key_server(&posted, purpose)
    }
}

/// What a request is told; `None` when there is nothing to tell yet.
fn told(want: Want) -> Option<Input<'static>> {
    Some(match want {
        Want::Ready(Record::AccessKey(key)) => Input::SigningKey(key),
        Want::Ready(Record::Identity(identity)) => Input::Identity(identity),
        Want::Ready(Record::Catalog(catalog)) => Input::Catalog(catalog),
        Want::Ready(Record::Validation(validation)) => Input::Validation(validation),
        Want::Denied(Fault::AccessKey(fault)) => Input::NoAccessKey(fault),
        Want::Denied(Fault::Identity(fault)) => Input::NoIdentity(fault),
        Want::Denied(Fault::Validation(fault)) => Input::NoValidation(fault),
        Want::Refused { cause, retry_after } => Input::Unknown { cause, retry_after },
        Want::Parked => return None,
    })
}

/// What metrics call one, and what they call many.
fn names(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::AccessKey => ("signing_key", "signing_keys"),
        Kind::Identity => ("identity", "identities"),
        Kind::Catalog => ("catalog", "catalogs"),
        Kind::Validation => ("validation", "validations"),
    }
}

/// The most bytes of an answer.
pub(super) fn max_bytes(kind: Kind) -> usize {
    match kind {
        Kind::AccessKey => MAX_SIGNING_KEY_BYTES,
        Kind::Identity => MAX_IDENTITY_BYTES,
        Kind::Catalog => MAX_CATALOG_BYTES,
        Kind::Validation => MAX_VALIDATION_BYTES,
    }
}

/// How often a failure to fetch a record is told.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);
