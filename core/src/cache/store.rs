//! The cache itself: what becomes of a request that wants a record, and of what the key server
//! answers.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use super::allowance::Allowance;
use super::circuit::Circuit;
use super::flights::{Flight, Flights};
use super::local::{Held, Local, Nothing};
use super::record::Subject;
use super::shared::{Entry, Place, Shared};
use super::{Action, Call, Event, Kind, Outcome, Question, Record, Report, Stats, Want};
use crate::config::{Config, Freshness, Limits, Server};
use crate::feed::{ChangeFeed, FRESH_IN_SILENCE, grace};
use crate::fetch::{Answer, BUSY_TICK, FetchFailure, IDLE_TICK, Pause};
use crate::recent::{Recent, keyed};
use crate::record::Change;
use crate::refusal::Unknown;
use crate::shared::Seal;
use crate::time::UnixTime;

/// One worker's records of one kind. The module says how to drive it.
pub struct Cache {
    pub(super) kind: Kind,
    pub(super) freshness: Freshness,
    limits: Limits,
    pub(super) timeout: Duration,
    pub(super) local: Local,
    /// How many more questions about a subject may be asked of which it is not known whether they will
    /// come to anything, by its keyed hash.
    questions: Recent<Allowance>,
    seed: u64,
    calls: Allowance,
    circuit: Circuit,
    jitter: Pause,
    is_feed_silent: bool,
    /// For how long what may have changed serves on while it is confirmed.
    grace: Duration,
    pub(super) shared: Shared,
    pub(super) flights: Flights,
    pub(super) stats: Stats,
    /// The clock at the last event, to notice when it goes back.
    clock: UnixTime,
    /// By how much the clock has gone back in all, and the latest time it had shown: what stands in
    /// shared data and was not written later may be older by that than it looks.
    back: (Duration, UnixTime),
    pub(super) actions: VecDeque<Action>,
}

impl Cache {
    /// A cache without records of this kind, which come from this server. `seed` makes this worker's hashes and jitter differ from others'.
    #[must_use]
    pub fn new(kind: Kind, config: &Config, server: &Server, seed: u64) -> Self {
        let limits = config.limits;
        let slots = Seal::new(server).slot(kind.slots());
        Self {
            kind,
            freshness: config.freshness,
            limits,
            timeout: server.timeout,
            local: Local::new(limits.entries, seed),
            questions: Recent::bounded(limits.entries),
            seed,
            calls: Allowance::full(limits.calls_per_second, Duration::from_secs(1)),
            circuit: Circuit::new(seed),
            jitter: Pause::new(seed),
            is_feed_silent: false,
            grace: grace(config),
            shared: Shared::new(kind, slots, limits.shared_entries),
            flights: Flights::new(seed),
            stats: Stats::default(),
            clock: UnixTime::from_secs(0),
            back: (Duration::ZERO, UnixTime::from_secs(0)),
            actions: VecDeque::new(),
        }
    }

    /// The names of all slots in shared data, to be made when the plugin is configured: only a slot
    /// that is there can be written on a condition.
    pub fn slot_names(&self) -> impl Iterator<Item = String> {
        (0..self.limits.shared_entries).map(|slot| self.shared.name(slot))
    }

    /// A request wants the answer to a question.
    pub fn want(&mut self, now: UnixTime, request: u32, question: &Question) -> Want {
        self.observe(now);
        if let Some(Nothing { fault, until }) = self.local.nothing(&question.subject(), now) {
            return match fault {
                Some(fault) => {
                    self.stats.denied += 1;
                    Want::Denied(fault)
                }
                // What no sense was made of may have been asked by anybody: a record that is held
                // serves on.
                None => self.fallen_back(now, question, until.since(now)),
            };
        }
        let fresh = self.fresh();
        if let Some(held) = self.local.held(question)
            && held.suspect_from.is_none_or(|from| now < from)
            && now.since(held.confirmed_at) < fresh * 2
        {
            let is_due = now >= held.refresh_at
                || now.since(held.confirmed_at) >= fresh
                || held.suspect_from.is_some();
            let record = held.record.clone();
            if is_due {
                self.stats.stale += 1;
                self.refresh(now, question);
            } else {
                self.stats.fresh += 1;
            }
            return ready(record, now);
        }
        if let Some(retry_after) = self.circuit.is_open(now) {
            return self.fallen_back(now, question, retry_after);
        }
        if self.flights.waiting() >= self.limits.parked {
            if self.is_serviceable(now, question) {
                self.refresh(now, question);
                return self.fallen_back(now, question, self.timeout);
            }
            self.stats.refused += 1;
            return Want::Refused { cause: Unknown::TooManyWaiting, retry_after: self.timeout };
        }
        if self.flights.has(question) {
            self.stats.joined += 1;
        } else {
            self.stats.searched += 1;
        }
        let place = self.place_of_new(question);
        self.flights.join(question, place, request, now);
        Want::Parked
    }

    /// The change feed tells what has changed.
    pub fn changed(&mut self, now: UnixTime, changes: &[Change]) {
        self.observe(now);
        if self.kind.is_watched() {
            self.local.changed(changes, now + self.grace);
            self.flights.overtake();
        }
    }

    /// How long a record is fresh: while the change feed is silent, not for long.
    pub(super) fn fresh(&self) -> Duration {
        let fresh = self.freshness.fresh;
        if self.is_feed_silent { fresh.min(FRESH_IN_SILENCE) } else { fresh }
    }

    /// Takes in one event at the time `now`. `feed` knows what has changed lately.
    pub fn handle(&mut self, now: UnixTime, event: Event<'_>, feed: Option<&ChangeFeed>) {
        self.observe(now);
        let feed = feed.filter(|_| self.kind.is_watched());
        self.is_feed_silent = feed.is_some_and(|feed| feed.is_silent(now));
        match event {
            Event::Tick => self.on_tick(now),
            Event::Slot { call, slot, value, version } => {
                self.on_slot(now, call, slot, value, version, feed);
                self.send(now);
            }
            Event::Written { call, outcome } => {
                self.on_written(call, outcome);
                self.send(now);
            }
            Event::Fetched(call, answer) => self.on_fetched(now, call, answer, feed),
            Event::Gone(request) => self.flights.leave(request),
        }
    }

    /// What to do next; `None` until another event.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next tick is wanted at the latest: soon, while somebody waits or a call is under way.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        let is_idle = self.flights.is_empty() && self.actions.is_empty();
        if is_idle { IDLE_TICK } else { BUSY_TICK }
    }

    /// What was counted since this was last asked.
    pub fn take_stats(&mut self) -> Stats {
        core::mem::take(&mut self.stats)
    }

    /// How many records are held.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.local.record_count()
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.flights.waiting()
    }

    /// Mends what a clock that goes back would break: nothing gets younger, and nobody waits for a
    /// time that is far off again.
    fn observe(&mut self, now: UnixTime) {
        if now < self.clock {
            let back = self.clock.since(now);
            self.back = (self.back.0.saturating_add(back), self.back.1.max(self.clock));
            self.local.clock_went_back(back);
            for allowance in self.questions.values_mut() {
                allowance.move_back(back);
            }
            self.calls.move_back(back);
            self.circuit.clock_went_back();
            self.flights.move_back(back);
        }
        self.clock = now;
    }

    /// When something in shared data was really written that says so.
    pub(super) fn really(&self, time: UnixTime) -> UnixTime {
        let (back, until) = self.back;
        if time <= until { time - back } else { time }
    }

    fn on_tick(&mut self, now: UnixTime) {
        // A call of which nothing was heard is lost; the proxy should have said so long ago.
        for call in self.flights.lost(now, self.timeout * 2) {
            self.on_fetched(now, call, Err(FetchFailure::NoAnswer), None);
        }
        let (patience, retry_after) = match self.circuit.is_open(now) {
            Some(retry_after) => (Duration::ZERO, retry_after),
            None => (self.timeout * 4, self.timeout),
        };
        for call in self.flights.stuck(now, patience) {
            self.give_up(now, call, &|cache, question| {
                cache.fallen_back(now, question, retry_after)
            });
        }
        for call in self.flights.take_looking() {
            self.look(now, call);
        }
        self.send(now);
    }

    /// Ends a search without a call; all who wait are told the same.
    pub(super) fn give_up(
        &mut self,
        now: UnixTime,
        call: Call,
        answer: &dyn Fn(&mut Self, &Question) -> Want,
    ) {
        let Some((flight, requests)) = self.flights.land(call) else { return };
        self.pay_back(&flight);
        if let Some(held) = self.local.held_mut(&flight.question) {
            held.refresh_at = now + A_WHILE;
        }
        for request in requests {
            let answer = answer(self, &flight.question);
            self.resume(request, answer);
        }
    }

    /// Makes as many calls as may be made.
    fn send(&mut self, now: UnixTime) {
        while self.flights.calls() < self.limits.calls
            && self.flights.has_next()
            && self.circuit.admit(now)
        {
            let Some((call, question)) = self.flights.send(now) else { break };
            let on_behalf_of = self.flights.get(call).and_then(Flight::first_request);
            self.actions.push_back(Action::Fetch { call, question, on_behalf_of });
        }
    }

    fn refresh(&mut self, now: UnixTime, question: &Question) {
        // Apart from the calls for what is not held: these may be as many as clients like.
        let has_room = self.flights.refreshes() < self.limits.calls;
        if has_room && !self.flights.has(question) && self.circuit.is_open(now).is_none() {
            self.stats.searched += 1;
            let place = self.place_of_new(question);
            self.flights.refresh(question, place, now);
        }
    }

    /// Where to look for an answer that nobody looks for yet.
    fn place_of_new(&self, question: &Question) -> Option<Place> {
        let is_new = !self.flights.has(question);
        is_new.then(|| self.shared.place(question)).flatten()
    }

    /// One more call, of which it is not known whether it will come to anything.
    pub(super) fn spend(&mut self, now: UnixTime, subject: &Subject) -> Result<(), Duration> {
        // A subject that has had its share takes none of the others', and one that comes too late
        // leaves no trace.
        let subject = keyed(self.seed, subject);
        let full = Allowance::full(self.limits.scopes_per_access_key, self.freshness.fresh);
        let mut share = self.questions.get(subject).copied().unwrap_or(full);
        share.take(now)?;
        self.calls.take(now)?;
        self.questions.insert(subject, share);
        Ok(())
    }

    /// A search is over for which no call was made.
    pub(super) fn pay_back(&mut self, flight: &Flight) {
        if flight.is_paid && !flight.is_refresh {
            self.calls.put_back();
            self.give_back(&flight.question);
        }
    }

    /// A subject gets back what was taken of its share.
    fn give_back(&mut self, question: &Question) {
        if let Some(share) = self.questions.get_mut(keyed(self.seed, &question.subject())) {
            share.put_back();
        }
    }

    fn on_fetched(
        &mut self,
        now: UnixTime,
        call: Call,
        answer: Result<Answer<'_>, FetchFailure>,
        feed: Option<&ChangeFeed>,
    ) {
        let body = answer.map(|answer| answer.body);
        let Some((flight, requests)) = self.flights.land(call) else { return };
        let (question, began) = (&flight.question, flight.since);
        let outcome = answer.and_then(|answer| question.read(answer));
        let (mut denied_to_asker, mut is_over) = (None, false);
        let report = match outcome {
            Ok(Outcome::Record(record)) => {
                self.circuit.succeeded();
                let json = Zeroizing::new(body.unwrap_or_default().to_vec());
                let bytes = json.len();
                self.share(&flight, call, &Entry::Record { confirmed_at: began, json });
                // It may have been under way when something changed.
                let is_suspect = match feed {
                    Some(feed) if !feed.covers(now) => flight.is_overtaken,
                    _ => has_changed(feed, began, &record),
                };
                // And what this worker was told to let go of is not to come back, nor be told to those who
                // came after that.
                is_over = is_suspect && flight.is_overtaken;
                if !is_over {
                    self.hold(question, record, bytes, began, is_suspect.then_some(now));
                }
                Report::Fetched
            }
            Ok(Outcome::Denied(fault)) => {
                self.circuit.succeeded();
                let until = now + self.freshness.negative;
                self.share(&flight, call, &Entry::Denied { fault, until });
                self.local.forget(&question.subject(), Nothing { fault: Some(fault), until });
                Report::Denied
            }
            Ok(Outcome::DeniedToAsker(fault)) => {
                self.circuit.succeeded();
                self.end_lease(now, &flight, call);
                if let Some(held) = self.local.held_mut(question) {
                    held.refresh_at = now + A_WHILE;
                }
                denied_to_asker = Some(fault);
                Report::Denied
            }
            Err(failure) => {
                self.end_lease(now, &flight, call);
                if failure.is_about_the_question() {
                    self.circuit.succeeded();
                    let until = now + A_WHILE;
                    self.local.forget(&question.subject(), Nothing { fault: None, until });
                } else {
                    self.circuit.failed(now);
                    // It says nothing of the subject, which shall not suffer when all is well again.
                    if flight.is_paid {
                        self.give_back(question);
                    }
                }
                if let Some(held) = self.local.held_mut(question) {
                    held.refresh_at = now + A_WHILE;
                }
                Report::Failed(failure)
            }
        };
        let has_failed = matches!(report, Report::Failed(_));
        self.actions.push_back(Action::Report(report));
        for request in requests {
            if is_over {
                let place = self.place_of_new(question);
                self.flights.join(question, place, request, now);
                continue;
            }
            let answer =
                denied_to_asker.map_or_else(|| self.known(now, question, has_failed), Want::Denied);
            self.resume(request, answer);
        }
        self.send(now);
    }

    /// Keeps a record for this worker.
    pub(super) fn hold(
        &mut self,
        question: &Question,
        record: Record,
        bytes: usize,
        confirmed_at: UnixTime,
        suspect_from: Option<UnixTime>,
    ) {
        let refresh_at = confirmed_at + self.jitter.shortened(self.freshness.fresh, 10);
        let held = Held { record, bytes, confirmed_at, refresh_at, suspect_from };
        let evicted = self.local.hold(question, held);
        self.stats.evicted += u64::try_from(evicted).unwrap_or(u64::MAX);
    }

    /// What a request is told that has waited for a call.
    fn known(&mut self, now: UnixTime, question: &Question, has_failed: bool) -> Want {
        let nothing = self.local.nothing(&question.subject(), now);
        if let Some(Nothing { fault: Some(fault), .. }) = nothing {
            return Want::Denied(fault);
        }
        let retry_after = self.circuit.is_open(now).unwrap_or(A_MOMENT);
        if has_failed {
            self.fallen_back(now, question, retry_after)
        } else {
            self.held_or_refused(now, question, retry_after)
        }
    }

    /// What is held, if it is not too old, since the key server cannot be asked.
    fn fallen_back(&mut self, now: UnixTime, question: &Question, wait: Duration) -> Want {
        let answer = self.held_or_refused(now, question, wait);
        match answer {
            Want::Ready(_) | Want::Denied(_) => self.stats.stale += 1,
            Want::Refused { .. } | Want::Parked => self.stats.refused += 1,
        }
        answer
    }

    fn held_or_refused(&self, now: UnixTime, question: &Question, retry_after: Duration) -> Want {
        let held = self.local.peek(question);
        held.filter(|_| self.is_serviceable(now, question))
            .map_or(Want::Refused { cause: self.kind.unavailable(), retry_after }, |held| {
                ready(held.record.clone(), now)
            })
    }

    /// Whether what is held would do if nothing better can be had.
    fn is_serviceable(&self, now: UnixTime, question: &Question) -> bool {
        let stale = self.freshness.stale;
        self.local.peek(question).is_some_and(|held| now.since(held.confirmed_at) < stale)
    }

    pub(super) fn resume(&mut self, request: u32, answer: Want) {
        self.actions.push_back(Action::Resume { request, answer });
    }
}

/// Shows no record.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("records", &self.local.record_count())
            .field("flights", &self.flights)
            .finish_non_exhaustive()
    }
}

/// Whether a record may have become another since a time. A feed that has not begun knows nothing; one that
/// does not reach back so far, as after the clock went back, may lack the change.
pub(super) fn has_changed(feed: Option<&ChangeFeed>, since: UnixTime, record: &Record) -> bool {
    feed.filter(|feed| feed.has_begun()).is_some_and(|feed| {
        feed.changed_since(since, |change| {
            record.is_concerned(&|thing| change.thing() == Some(thing))
        })
    })
}

pub(super) fn ready(record: Record, now: UnixTime) -> Want {
    record.fault(now).map_or(Want::Ready(record), Want::Denied)
}

/// How long a question is let be, of which the key server's answer makes no sense.
const A_WHILE: Duration = Duration::from_secs(5);

/// How long a client should wait after a call that failed.
const A_MOMENT: Duration = Duration::from_secs(1);
