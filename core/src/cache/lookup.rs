//! The search in shared data: for a record that another worker has fetched, or a sign that one does.
//!
//! Of the two slots that a record may stand in, the first is read, then the second. If neither
//! has it, one of them is leased, by a write that fails if another worker was quicker; then the
//! holder of the lease calls.

use core::time::Duration;

use super::flights::{Flight, Stage, Target, Tenant};
use super::local::Nothing;
use super::record::Subject;
use super::shared::{Entry, Found, Place};
use super::store::{Cache, has_changed, ready};
use super::{Action, Call, Question, Want};
use crate::feed::ChangeFeed;
use crate::refusal::Unknown;
use crate::shared::Written;
use crate::time::UnixTime;

impl Cache {
    /// Begins a search, or begins it again.
    pub(super) fn look(&mut self, now: UnixTime, call: Call) {
        let Some(flight) = self.flights.get(call) else { return };
        match flight.place {
            Some(Place { slots: [first, _], .. }) => self.read(call, first),
            None => self.call_for(now, call),
        }
    }

    fn read(&mut self, call: Call, slot: usize) {
        let name = self.shared.name(slot);
        self.actions.push_back(Action::Read { call, slot, name });
    }

    /// What a slot holds.
    pub(super) fn on_slot(
        &mut self,
        now: UnixTime,
        call: Call,
        slot: usize,
        value: Option<&[u8]>,
        version: u32,
        feed: Option<&ChangeFeed>,
    ) {
        let Some(flight) = self.flights.get(call) else { return };
        let (Some(place), Stage::Looking) = (flight.place, flight.stage) else { return };
        let tenant = match self.shared.read(&place, value, now) {
            Found::Ours(Entry::Lease { until }) => return self.wait_for(now, call, until),
            // It is one of the things that end when something changes.
            Found::Ours(Entry::Denied { until, .. })
                if self.was_made_since(feed, now, &flight.question.subject(), until) =>
            {
                Tenant::Nobody
            }
            Found::Ours(Entry::Denied { fault, until }) => {
                let nothing = Nothing { fault: Some(fault), until };
                let subject = flight.question.subject();
                self.local.forget(&subject, nothing);
                return self.give_up(now, call, &|_, _| Want::Denied(fault));
            }
            Found::Ours(Entry::Record { confirmed_at, json }) => {
                let question = flight.question.clone();
                if self.adopt(now, &question, confirmed_at, &json, feed) {
                    return self.found(now, call);
                }
                Tenant::Nobody
            }
            Found::Free => Tenant::Nobody,
            Found::Others(until) => Tenant::Denial(until),
            Found::Taken(time) => Tenant::Record(time),
        };
        let Some(flight) = self.flights.get_mut(call) else { return };
        let target = Target { slot, version, tenant };
        if flight.target.is_none_or(|other| tenant < other.tenant) {
            flight.target = Some(target);
        }
        let [first, second] = place.slots;
        if slot == first && first != second {
            self.read(call, second);
        } else {
            self.lease(now, call);
        }
    }

    /// Takes over what another worker fetched: whether it is as good as fetched now.
    fn adopt(
        &mut self,
        now: UnixTime,
        question: &Question,
        confirmed_at: UnixTime,
        json: &[u8],
        feed: Option<&ChangeFeed>,
    ) -> bool {
        let confirmed_at = self.really(confirmed_at);
        let age = now.since(confirmed_at);
        let held = self.local.peek(question);
        // A denial that came meanwhile is newer than what stands there.
        if self.local.nothing(&question.subject(), now).is_some() {
            return false;
        }
        if age >= self.freshness.stale || held.is_some_and(|held| held.confirmed_at >= confirmed_at)
        {
            return false;
        }
        let Ok(record) = question.read_record(json) else { return false };
        if has_changed(feed, confirmed_at, &record) {
            return false;
        }
        self.hold(question, record, json.len(), confirmed_at, None);
        age < self.fresh()
    }

    /// Whether there may be a record now that was denied.
    fn was_made_since(
        &self,
        feed: Option<&ChangeFeed>,
        now: UnixTime,
        subject: &Subject,
        until: UnixTime,
    ) -> bool {
        let since = self.really(until - self.freshness.negative);
        feed.filter(|feed| feed.covers(now)).is_some_and(|feed| {
            feed.changed_since(since, |change| {
                subject.may_be_made(&|thing| change.thing() == Some(thing))
            })
        })
    }

    /// It was there.
    fn found(&mut self, now: UnixTime, call: Call) {
        self.stats.shared += 1;
        let Some((flight, requests)) = self.flights.land(call) else { return };
        self.pay_back(&flight);
        for request in requests {
            let answer = self.local.peek(&flight.question).map_or(
                Want::Refused {
                    cause: self.kind.unavailable(),
                    retry_after: Duration::from_secs(1),
                },
                |held| ready(held.record.clone(), now),
            );
            self.resume(request, answer);
        }
    }

    /// Another worker calls.
    fn wait_for(&mut self, now: UnixTime, call: Call, until: UnixTime) {
        // No lease is taken for longer: what claims so was written by another clock.
        if until.since(now) > self.timeout * 4 {
            return self.lease(now, call);
        }
        if let Some(flight) = self.flights.get_mut(call) {
            flight.stage = Stage::Elsewhere { until };
        }
    }

    /// It was not there: it is to be fetched, by us if nobody is quicker.
    fn lease(&mut self, now: UnixTime, call: Call) {
        let Some(flight) = self.flights.get(call) else { return };
        let (place, target) = (flight.place, flight.target);
        // Records in use make room for a record that is there, not for one that may not be.
        let leasable = target.filter(|target| !matches!(target.tenant, Tenant::Record(_)));
        let (Some(place), Some(target)) = (place, leasable) else {
            return self.call_for(now, call);
        };
        if !self.is_paid(now, call) {
            return;
        }
        let until = now + self.timeout * 2;
        let lease = Entry::Lease { until };
        let Some(value) = self.shared.seal(&place, &lease) else { return };
        if let Some(flight) = self.flights.get_mut(call) {
            flight.stage = Stage::Leasing;
            flight.leased_until = Some(until);
        }
        let (slot, version) = (target.slot, target.version);
        let name = self.shared.name(slot);
        self.actions.push_back(Action::Write { call, name, value, version: Some(version) });
    }

    /// What became of the lease.
    pub(super) fn on_written(&mut self, call: Call, outcome: Written) {
        let Some(flight) = self.flights.get_mut(call) else { return };
        if flight.stage != Stage::Leasing {
            return;
        }
        match outcome {
            Written::Done => self.enqueue(call),
            // Without shared data every worker fetches for itself.
            Written::Unsupported => {
                flight.target = None;
                self.enqueue(call);
            }
            // Another worker was quicker, or another record came to stand there.
            Written::Conflict => self.flights.look_again(call),
        }
    }

    /// Fetches without a lease.
    fn call_for(&mut self, now: UnixTime, call: Call) {
        if self.is_paid(now, call) {
            self.enqueue(call);
        }
    }

    fn enqueue(&mut self, call: Call) {
        let Some(flight) = self.flights.get(call) else { return };
        let is_held = self.local.peek(&flight.question).is_some();
        self.flights.enqueue(call, is_held);
    }

    /// Whether the call may be made; if not, the search is over.
    fn is_paid(&mut self, now: UnixTime, call: Call) -> bool {
        let Some(flight) = self.flights.get(call) else { return false };
        // What is held was paid for when it was fetched first.
        let is_held = self.local.peek(&flight.question).is_some();
        if flight.is_paid || is_held {
            return true;
        }
        let subject = flight.question.subject();
        match self.spend(now, &subject) {
            Ok(()) => {
                if let Some(flight) = self.flights.get_mut(call) {
                    flight.is_paid = true;
                }
                true
            }
            Err(retry_after) => {
                let cause = Unknown::TooManyCalls;
                self.give_up(now, call, &|cache, _| {
                    cache.stats.refused += 1;
                    Want::Refused { cause, retry_after }
                });
                false
            }
        }
    }

    /// Nobody calls any more. A lease that has run out may be another worker's by now.
    pub(super) fn end_lease(&mut self, now: UnixTime, flight: &Flight, call: Call) {
        if flight.leased_until.is_some_and(|until| now < until) {
            self.share(flight, call, &Entry::Lease { until: now });
        }
    }

    /// Puts what came of a call into shared data, or ends the lease.
    pub(super) fn share(&mut self, flight: &Flight, call: Call, entry: &Entry) {
        let (Some(place), Some(target)) = (flight.place, flight.target) else { return };
        // Records in use make room for a record, and for nothing less.
        let is_record = matches!(entry, Entry::Record { .. });
        if matches!(target.tenant, Tenant::Record(_)) && !is_record {
            return;
        }
        if let Some(value) = self.shared.seal(&place, entry) {
            let name = self.shared.name(target.slot);
            self.actions.push_back(Action::Write { call, name, value, version: None });
        }
    }
}
