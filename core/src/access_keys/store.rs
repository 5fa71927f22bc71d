//! The store itself: what becomes of a request that wants a key, and of what the key server answers.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use lru::LruCache;
use zeroize::Zeroizing;

use super::allowance::Allowance;
use super::circuit::Circuit;
use super::flights::{Flight, Flights};
use super::local::{Held, Local, Nothing, Seeded, bounded};
use super::shared::{Entry, Place, Shared};
use super::{AccessKey, Action, Call, Event, Report, Stats, Want};
use crate::config::{Config, Freshness, Limits};
use crate::feed::ChangeFeed;
use crate::fetch::{Answer, FetchFailure, Pause};
use crate::record::{AccessKeyFault, Change, Denial, SigningKeyAnswer, SigningKeyRequest};
use crate::refusal::Unknown;
use crate::shared::Seal;
use crate::sigv4::Credential;
use crate::time::UnixTime;

/// One worker's signing keys. The module says how to drive it.
pub struct AccessKeyStore {
    pub(super) freshness: Freshness,
    limits: Limits,
    pub(super) timeout: Duration,
    pub(super) local: Local,
    /// For how many more scopes a key of this access key may be fetched.
    scopes: LruCache<String, Allowance, Seeded>,
    calls: Allowance,
    circuit: Circuit,
    jitter: Pause,
    is_feed_silent: bool,
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

impl AccessKeyStore {
    /// A store without keys. `seed` makes this worker's hashes and jitter differ from others'.
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let limits = config.limits;
        let slots = Seal::new(&config.keyserver).slot("signing-keys");
        Self {
            freshness: config.freshness,
            limits,
            timeout: config.keyserver.timeout,
            local: Local::new(limits.entries, seed),
            scopes: bounded(limits.entries, seed),
            calls: Allowance::full(limits.calls_per_second, Duration::from_secs(1)),
            circuit: Circuit::new(seed),
            jitter: Pause::new(seed),
            is_feed_silent: false,
            shared: Shared::new(slots, limits.shared_entries),
            flights: Flights::new(),
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

    /// A request wants the key of a credential.
    pub fn want(&mut self, now: UnixTime, request: u32, credential: &Credential) -> Want {
        self.observe(now);
        if let Some(&Nothing { verdict, until }) = self.local.nothing(&credential.access_key, now) {
            return match verdict {
                Ok(fault) => {
                    self.stats.denied += 1;
                    Want::Denied(fault)
                }
                // What no sense was made of may have been asked by anybody: a key that is held
                // serves on.
                Err(_) => self.fallen_back(now, credential, until.since(now)),
            };
        }
        let fresh = self.fresh();
        if let Some(held) = self.local.held(credential)
            && !held.is_suspect
            && now.since(held.confirmed_at) < fresh * 2
        {
            let is_due = now >= held.refresh_at || now.since(held.confirmed_at) >= fresh;
            let key = Rc::clone(&held.key);
            if is_due {
                self.stats.stale += 1;
                self.refresh(now, credential);
            } else {
                self.stats.fresh += 1;
            }
            return ready(key, now);
        }
        if let Some(retry_after) = self.circuit.is_open(now) {
            return self.fallen_back(now, credential, retry_after);
        }
        if self.flights.waiting() >= self.limits.parked {
            self.stats.refused += 1;
            return Want::Refused { cause: Unknown::TooManyWaiting, retry_after: self.timeout };
        }
        if self.flights.has(credential) {
            self.stats.joined += 1;
        } else {
            self.stats.searched += 1;
        }
        let place = self.place_of_new(credential);
        self.flights.join(credential, place, request, now);
        Want::Parked
    }

    /// The change feed tells what has changed.
    pub fn changed(&mut self, changes: &[Change]) {
        for change in changes {
            self.local.changed(change);
        }
    }

    /// How long a key is fresh: while the change feed is silent, not for long.
    pub(super) fn fresh(&self) -> Duration {
        let fresh = self.freshness.fresh;
        if self.is_feed_silent { fresh.min(FRESH_IN_SILENCE) } else { fresh }
    }

    /// Takes in one event at the time `now`. `feed` knows what has changed lately.
    pub fn handle(&mut self, now: UnixTime, event: Event<'_>, feed: Option<&ChangeFeed>) {
        self.observe(now);
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

    /// Whether ticks are wanted often: somebody waits, or a call is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.flights.is_empty() || !self.actions.is_empty()
    }

    /// What was counted since this was last asked.
    pub fn take_stats(&mut self) -> Stats {
        core::mem::take(&mut self.stats)
    }

    /// How many keys are held.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.local.key_count()
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
            for (_, allowance) in &mut self.scopes {
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
            self.give_up(now, call, |store, credential| {
                store.fallen_back(now, credential, retry_after)
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
        answer: impl Fn(&mut Self, &Credential) -> Want,
    ) {
        let Some((flight, requests)) = self.flights.land(call) else { return };
        if let Some(held) = self.local.held_mut(&flight.credential) {
            held.refresh_at = now + A_WHILE;
        }
        for request in requests {
            let answer = answer(self, &flight.credential);
            self.resume(request, answer);
        }
    }

    /// Makes as many calls as may be made.
    fn send(&mut self, now: UnixTime) {
        while self.flights.calls() < self.limits.calls
            && self.flights.has_next()
            && self.circuit.admit(now)
        {
            let Some((call, credential)) = self.flights.send(now) else { break };
            let question = SigningKeyRequest::new(&credential);
            let on_behalf_of = self.flights.get(call).and_then(Flight::first_request);
            self.actions.push_back(Action::Fetch { call, question, on_behalf_of });
        }
    }

    fn refresh(&mut self, now: UnixTime, credential: &Credential) {
        let is_idle = self.flights.calls() < self.limits.calls;
        if is_idle && !self.flights.has(credential) && self.circuit.is_open(now).is_none() {
            self.stats.searched += 1;
            let place = self.place_of_new(credential);
            self.flights.refresh(credential, place, now);
        }
    }

    /// Where to look for a key that nobody looks for yet.
    fn place_of_new(&self, credential: &Credential) -> Option<Place> {
        let is_new = !self.flights.has(credential);
        is_new.then(|| self.shared.place(credential)).flatten()
    }

    /// One more call, of which it is not known whether it will come to anything.
    pub(super) fn spend(&mut self, now: UnixTime, access_key: &str) -> Result<(), Duration> {
        // An access key that has had its share takes none of the others', and one that comes too
        // late leaves no trace.
        self.scopes.peek(access_key).map_or(Ok(()), |allowance| allowance.check(now))?;
        self.calls.take(now)?;
        let full = Allowance::full(self.limits.scopes_per_access_key, self.freshness.fresh);
        let allowance = self.scopes.get_or_insert_mut_ref(access_key, || full);
        allowance.take(now)
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
        let (credential, began) = (&flight.credential, flight.since);
        let outcome = answer.and_then(|answer| outcome(answer, credential));
        let report = match outcome {
            Ok(Outcome::Key(key)) => {
                self.circuit.succeeded();
                let json = Zeroizing::new(body.unwrap_or_default().to_vec());
                self.share(&flight, call, &Entry::Key { confirmed_at: began, json });
                // It may have been under way when something changed.
                let is_suspect = has_changed(feed, now, began, &key);
                self.hold(key, began, is_suspect);
                Report::Fetched
            }
            Ok(Outcome::Denied(fault)) => {
                self.circuit.succeeded();
                let until = now + self.freshness.negative;
                self.share(&flight, call, &Entry::Denied { fault, until });
                self.local.forget(&credential.access_key, Nothing { verdict: Ok(fault), until });
                Report::Denied
            }
            Err(failure) => {
                self.share(&flight, call, &Entry::Lease { until: now });
                if is_about_the_question(failure) {
                    self.circuit.succeeded();
                    let verdict = Err(Unknown::KeysUnavailable);
                    self.local
                        .forget(&credential.access_key, Nothing { verdict, until: now + A_WHILE });
                } else {
                    self.circuit.failed(now);
                }
                if let Some(held) = self.local.held_mut(credential) {
                    held.refresh_at = now + A_WHILE;
                }
                Report::Failed(failure)
            }
        };
        self.actions.push_back(Action::Report(report));
        for request in requests {
            let answer = self.known(now, credential);
            self.resume(request, answer);
        }
        self.send(now);
    }

    /// Keeps a key for this worker.
    pub(super) fn hold(&mut self, key: Rc<AccessKey>, confirmed_at: UnixTime, is_suspect: bool) {
        let refresh_at = confirmed_at + self.jitter.shortened(self.freshness.fresh, 10);
        let is_evicted = self.local.hold(Held { key, confirmed_at, refresh_at, is_suspect });
        self.stats.evicted += u64::from(is_evicted);
    }

    /// What a request that has waited is told.
    pub(super) fn known(&mut self, now: UnixTime, credential: &Credential) -> Want {
        let nothing = self.local.nothing(&credential.access_key, now);
        if let Some(Nothing { verdict: Ok(fault), .. }) = nothing {
            return Want::Denied(*fault);
        }
        self.fallen_back(now, credential, self.circuit.is_open(now).unwrap_or(A_MOMENT))
    }

    /// What is held, if it is not too old; the key server cannot be asked.
    fn fallen_back(&self, now: UnixTime, credential: &Credential, retry_after: Duration) -> Want {
        let stale = self.freshness.stale;
        let held = self.local.peek(credential);
        held.filter(|held| now.since(held.confirmed_at) < stale)
            .map_or(Want::Refused { cause: Unknown::KeysUnavailable, retry_after }, |held| {
                ready(Rc::clone(&held.key), now)
            })
    }

    pub(super) fn resume(&mut self, request: u32, answer: Want) {
        self.actions.push_back(Action::Resume { request, answer });
    }
}

/// Shows no key.
impl fmt::Debug for AccessKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeyStore")
            .field("keys", &self.local.key_count())
            .field("flights", &self.flights)
            .finish_non_exhaustive()
    }
}

/// What a believable answer says.
enum Outcome {
    Key(Rc<AccessKey>),
    Denied(AccessKeyFault),
}

fn outcome(answer: Answer<'_>, credential: &Credential) -> Result<Outcome, FetchFailure> {
    match answer.status()? {
        200 => {
            let request = SigningKeyRequest::new(credential);
            let answer = SigningKeyAnswer::from_json(answer.body, &request)
                .map_err(FetchFailure::SigningKey)?;
            Ok(Outcome::Key(Rc::new(AccessKey::new(credential, answer))))
        }
        404 => {
            let denial = Denial::from_json(answer.body).ok_or(FetchFailure::Status(404))?;
            Ok(Outcome::Denied(denial.reason))
        }
        status => Err(FetchFailure::Status(status)),
    }
}

/// Whether a failure says something about this one question only, and nothing about the key server.
fn is_about_the_question(failure: FetchFailure) -> bool {
    matches!(failure, FetchFailure::Status(400 | 413 | 500) | FetchFailure::SigningKey(_))
}

/// Whether a key may have become another since a time. A feed that has not begun knows nothing.
pub(super) fn has_changed(
    feed: Option<&ChangeFeed>,
    now: UnixTime,
    since: UnixTime,
    key: &AccessKey,
) -> bool {
    feed.filter(|feed| feed.covers(now)).is_some_and(|feed| {
        feed.changed_since(since, |change| *change == Change::All || key.is_concerned_by(change))
    })
}

pub(super) fn ready(key: Rc<AccessKey>, now: UnixTime) -> Want {
    if key.record.is_expired(now) {
        Want::Denied(AccessKeyFault::AccessKeyExpired)
    } else {
        Want::Ready(key)
    }
}

/// How long a key is fresh while the change feed is silent.
const FRESH_IN_SILENCE: Duration = Duration::from_secs(10);

/// How long an access key is let be, of which the key server's answer makes no sense.
const A_WHILE: Duration = Duration::from_secs(5);

/// How long a client should wait after a call that failed.
const A_MOMENT: Duration = Duration::from_secs(1);
