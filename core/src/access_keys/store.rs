//! The store itself: what is held, and what is due.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::num::NonZeroUsize;
use core::time::Duration;

use lru::LruCache;
use siphasher::sip::SipHasher13;

use super::allowance::Allowance;
use super::circuit::Circuit;
use super::flights::Flights;
use super::{AccessKey, Action, Call, Event, Report, Want};
use crate::config::{Config, Freshness, Limits};
use crate::fetch::{Answer, FetchFailure};
use crate::record::{AccessKeyFault, Denial, SigningKeyAnswer, SigningKeyRequest};
use crate::refusal::Unknown;
use crate::sigv4::Credential;
use crate::time::UnixTime;

/// One worker's signing keys. The module says how to drive it.
pub struct AccessKeyStore {
    freshness: Freshness,
    limits: Limits,
    timeout: Duration,
    keys: LruCache<Credential, Held, Seeded>,
    /// The access keys that open nothing, or of which nothing can be known for a moment.
    none: LruCache<String, Nothing, Seeded>,
    /// For how many more scopes a key of this access key may be fetched.
    scopes: LruCache<String, Allowance, Seeded>,
    calls: Allowance,
    circuit: Circuit,
    flights: Flights,
    /// The clock at the last event, to notice when it goes back.
    clock: UnixTime,
    actions: VecDeque<Action>,
}

struct Held {
    key: Rc<AccessKey>,
    /// When the call that brought it was made.
    confirmed_at: UnixTime,
    /// When to fetch it anew behind a request that it serves.
    refresh_at: UnixTime,
}

#[derive(Clone, Copy)]
struct Nothing {
    verdict: Result<AccessKeyFault, Unknown>,
    until: UnixTime,
}

/// Hashes with a key of this worker's own: who chooses what is hashed cannot choose where it goes.
#[derive(Clone)]
struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, !self.0)
    }
}

impl AccessKeyStore {
    /// A store without keys. `seed` makes this worker's hashes and jitter differ from others'.
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let limits = config.limits;
        let entries = NonZeroUsize::new(limits.entries).unwrap_or(NonZeroUsize::MIN);
        Self {
            freshness: config.freshness,
            limits,
            timeout: config.keyserver.timeout,
            keys: bounded(entries, seed),
            none: bounded(entries, seed),
            scopes: bounded(entries, seed),
            calls: Allowance::full(limits.calls_per_second, Duration::from_secs(1)),
            circuit: Circuit::new(seed),
            flights: Flights::new(),
            clock: UnixTime::from_secs(0),
            actions: VecDeque::new(),
        }
    }

    /// A request wants the key of a credential.
    pub fn want(&mut self, now: UnixTime, request: u32, credential: &Credential) -> Want {
        self.observe(now);
        if let Some(none) = self.none.get(&credential.access_key).filter(|none| now < none.until) {
            return match none.verdict {
                Ok(fault) => Want::Denied(fault),
                Err(cause) => Want::Refused { cause, retry_after: none.until.since(now) },
            };
        }
        let held = self.keys.get(credential);
        let is_held = held.is_some();
        if let Some(held) =
            held.filter(|held| now.since(held.confirmed_at) < self.freshness.fresh * 2)
        {
            let key = Rc::clone(&held.key);
            if now >= held.refresh_at {
                self.refresh(now, credential);
            }
            return ready(key, now);
        }
        if let Some(retry_after) = self.circuit.is_open(now) {
            return self.fallen_back(now, credential, retry_after);
        }
        if self.flights.waiting() >= self.limits.parked {
            return Want::Refused { cause: Unknown::TooManyWaiting, retry_after: self.timeout };
        }
        // What is held was paid for when it was fetched first.
        if !self.flights.has(credential)
            && !is_held
            && let Err(retry_after) = self.spend(now, &credential.access_key)
        {
            return Want::Refused { cause: Unknown::TooManyCalls, retry_after };
        }
        self.flights.join(credential, request, now);
        Want::Parked
    }

    /// Takes in one event at the time `now`.
    pub fn handle(&mut self, now: UnixTime, event: Event<'_>) {
        self.observe(now);
        match event {
            Event::Tick => self.on_tick(now),
            Event::Fetched(call, answer) => self.on_fetched(now, call, answer),
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

    /// How many keys are held.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.len()
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
            for (_, held) in &mut self.keys {
                held.confirmed_at = held.confirmed_at - back;
                held.refresh_at = held.refresh_at - back;
            }
            for (_, allowance) in &mut self.scopes {
                allowance.move_back(back);
            }
            self.calls.move_back(back);
            self.none.clear();
            self.circuit.clock_went_back();
            self.flights.move_back(back);
        }
        self.clock = now;
    }

    fn on_tick(&mut self, now: UnixTime) {
        // A call of which nothing was heard is lost; the proxy should have said so long ago.
        for call in self.flights.lost(now, self.timeout * 2) {
            self.on_fetched(now, call, Err(FetchFailure::NoAnswer));
        }
        let patience = match self.circuit.is_open(now) {
            Some(_) => Duration::ZERO,
            None => self.timeout * 2,
        };
        for (credential, requests) in self.flights.give_up(now, patience) {
            let retry_after = self.circuit.is_open(now).unwrap_or(self.timeout);
            for request in requests {
                let answer = self.fallen_back(now, &credential, retry_after);
                self.resume(request, answer);
            }
        }
        self.send(now);
    }

    /// Makes as many calls as may be made.
    fn send(&mut self, now: UnixTime) {
        while self.flights.calls() < self.limits.calls
            && self.flights.has_next()
            && self.circuit.admit(now)
        {
            let Some((call, credential)) = self.flights.send(now) else { break };
            let request = SigningKeyRequest::new(&credential);
            self.actions.push_back(Action::Fetch(call, request));
        }
    }

    fn refresh(&mut self, now: UnixTime, credential: &Credential) {
        let is_idle = self.flights.calls() < self.limits.calls;
        if is_idle && !self.flights.has(credential) && self.circuit.is_open(now).is_none() {
            self.flights.refresh(credential, now);
        }
    }

    /// One more call, of which it is not known whether it will come to anything.
    fn spend(&mut self, now: UnixTime, access_key: &str) -> Result<(), Duration> {
        // An access key that has had its share takes none of the others', and one that comes too
        // late leaves no trace.
        self.scopes.peek(access_key).map_or(Ok(()), |allowance| allowance.check(now))?;
        self.calls.take(now)?;
        let full = Allowance::full(self.limits.scopes_per_access_key, self.freshness.fresh);
        let allowance = self.scopes.get_or_insert_mut_ref(access_key, || full);
        allowance.take(now)
    }

    fn on_fetched(&mut self, now: UnixTime, call: Call, answer: Result<Answer<'_>, FetchFailure>) {
        let began = self.flights.since(call).unwrap_or(now);
        let Some((credential, requests)) = self.flights.land(call) else { return };
        let outcome = answer.and_then(|answer| outcome(answer, &credential));
        let report = match outcome {
            Ok(Outcome::Key(key)) => {
                self.circuit.succeeded();
                self.none.pop(&credential.access_key);
                let refresh_at = began + self.freshness.fresh;
                self.keys.put(credential.clone(), Held { key, confirmed_at: began, refresh_at });
                Report::Fetched
            }
            Ok(Outcome::Denied(fault)) => {
                self.circuit.succeeded();
                self.forget(now, &credential, Ok(fault), self.freshness.negative);
                Report::Denied
            }
            Err(failure) => {
                if is_about_the_question(failure) {
                    self.circuit.succeeded();
                    let unknown = Err(Unknown::KeysUnavailable);
                    self.forget(now, &credential, unknown, A_WHILE);
                } else {
                    self.circuit.failed(now);
                }
                if let Some(held) = self.keys.peek_mut(&credential) {
                    held.refresh_at = now + A_WHILE;
                }
                Report::Failed(failure)
            }
        };
        self.actions.push_back(Action::Report(report));
        for request in requests {
            let answer = self.known(now, &credential);
            self.resume(request, answer);
        }
        self.send(now);
    }

    /// An access key is none, or nothing can be known of it: what was known is no more.
    fn forget(
        &mut self,
        now: UnixTime,
        credential: &Credential,
        verdict: Result<AccessKeyFault, Unknown>,
        period: Duration,
    ) {
        if verdict.is_ok() {
            self.keys.pop(credential);
        }
        self.none.put(credential.access_key.clone(), Nothing { verdict, until: now + period });
    }

    /// What a request that has waited is told.
    fn known(&mut self, now: UnixTime, credential: &Credential) -> Want {
        let none = self.none.peek(&credential.access_key).filter(|none| now < none.until);
        if let Some(Nothing { verdict: Ok(fault), .. }) = none {
            return Want::Denied(*fault);
        }
        self.fallen_back(now, credential, self.circuit.is_open(now).unwrap_or(A_MOMENT))
    }

    /// What is held, if it is not too old; the key server cannot be asked.
    fn fallen_back(&self, now: UnixTime, credential: &Credential, retry_after: Duration) -> Want {
        let stale = self.freshness.stale;
        let held = self.keys.peek(credential);
        held.filter(|held| now.since(held.confirmed_at) < stale)
            .map_or(Want::Refused { cause: Unknown::KeysUnavailable, retry_after }, |held| {
                ready(Rc::clone(&held.key), now)
            })
    }

    fn resume(&mut self, request: u32, answer: Want) {
        self.actions.push_back(Action::Resume { request, answer });
    }
}

/// Shows no key.
impl fmt::Debug for AccessKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeyStore")
            .field("keys", &self.keys.len())
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
            let SigningKeyAnswer { signing_key, credential: record, .. } =
                SigningKeyAnswer::from_json(answer.body, &request)
                    .map_err(FetchFailure::SigningKey)?;
            let key = AccessKey { credential: credential.clone(), signing_key, record };
            Ok(Outcome::Key(Rc::new(key)))
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
    matches!(failure, FetchFailure::Status(400 | 413) | FetchFailure::SigningKey(_))
}

fn ready(key: Rc<AccessKey>, now: UnixTime) -> Want {
    if key.record.is_expired(now) {
        Want::Denied(AccessKeyFault::AccessKeyExpired)
    } else {
        Want::Ready(key)
    }
}

/// Takes no memory for entries that are not there.
fn bounded<K: Hash + Eq, V>(entries: NonZeroUsize, seed: u64) -> LruCache<K, V, Seeded> {
    let mut cache = LruCache::unbounded_with_hasher(Seeded(seed));
    cache.resize(entries);
    cache
}

/// How long an access key is let be, of which the key server's answer makes no sense.
const A_WHILE: Duration = Duration::from_secs(5);

/// How long a client should wait after a call that failed.
const A_MOMENT: Duration = Duration::from_secs(1);
