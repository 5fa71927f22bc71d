//! The store itself: what is held, and what is due.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use super::entry::KeySetEntry;
use super::outcome::{Fetched, Outcome};
use super::{Action, Event, Keys, Report, Slot, TokenKeys, Want, Written};
use crate::config::{Config, Freshness, Server};
use crate::feed::{ChangeFeed, FRESH_IN_SILENCE};
use crate::fetch::{Answer, BUSY_TICK, FetchFailure, IDLE_TICK, LONGEST, Pause, Waiter, Waiting};
use crate::record::KeySet;
use crate::refusal::Unknown;
use crate::shared::{Lease, Seal, SlotKeys};
use crate::time::UnixTime;

/// One worker's key set. The module says how to drive it.
pub struct KeyStore {
    freshness: Freshness,
    timeout: Duration,
    slots: Slots,
    held: Option<Held>,
    /// When the latest change came in that may be one of the keys: what was confirmed no later has to be
    /// confirmed again.
    renewed_at: Option<UnixTime>,
    is_feed_silent: bool,
    /// The number of the next generation.
    next_generation: u64,
    /// Until when to let the key server be: a call of another worker, or the back-off.
    blocked: Option<Lease>,
    call: Call,
    waiting: Waiting,
    pause: Pause,
    /// The clock at the last event, to notice when it goes back.
    clock: UnixTime,
    actions: VecDeque<Action>,
}

struct Held {
    keys: Rc<Keys>,
    etag: Option<String>,
    /// The answer that the keys were made of, to be shared.
    json: Zeroizing<Vec<u8>>,
    /// When the fetch that last confirmed it began.
    confirmed_at: UnixTime,
    /// When to fetch again.
    refresh_at: UnixTime,
}

/// What seals each slot.
struct Slots {
    key_set: SlotKeys,
    lease: SlotKeys,
}

/// How far a call to the key server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    None,
    /// The slots are being read, and the lease taken.
    Preparing,
    /// It is under way.
    Sent {
        since: UnixTime,
        /// Whether it named an entity tag, so that 304 may be the answer.
        is_conditional: bool,
    },
}

impl KeyStore {
    /// A store without keys. `seed` makes this worker's jitter differ from others'.
    #[must_use]
    pub fn new(config: &Config, keyserver: &Server, seed: u64) -> Self {
        Self {
            freshness: config.freshness,
            timeout: keyserver.timeout,
            slots: Slots::new(&Seal::new(keyserver)),
            held: None,
            renewed_at: None,
            is_feed_silent: false,
            next_generation: 1,
            blocked: None,
            call: Call::None,
            waiting: Waiting::new(config.limits.parked),
            pause: Pause::new(seed),
            clock: UnixTime::from_secs(0),
            actions: VecDeque::new(),
        }
    }

    /// The name of a slot in shared data.
    #[must_use]
    pub fn slot_name(&self, slot: Slot) -> String {
        self.slots.keys(slot).name().into()
    }

    /// The names of all of them, to be made when the plugin is configured: only a slot that is there can be
    /// written on a condition.
    pub fn slot_names(&self) -> impl Iterator<Item = String> {
        [Slot::KeySet, Slot::Lease].into_iter().map(|slot| self.slot_name(slot))
    }

    /// A request wants keys: any, or newer ones than those of a generation.
    ///
    /// "Newer" may turn out to be the same again: then they were confirmed after the request had
    /// arrived, or so shortly before ([`ENOUGH`]) that no rotation can have gone by unnoticed.
    pub fn want(&mut self, now: UnixTime, request: u32, newer_than: Option<u64>) -> Want {
        self.observe(now);
        let waiter = Waiter { request, newer_than, since: now };
        if let Some(held) = self.held.as_ref().filter(|held| held.satisfies(&waiter)) {
            return Want::Ready(Rc::clone(&held.keys));
        }
        if let Some(lease) =
            self.blocked.filter(|lease| lease.is_back_off() && self.call == Call::None)
        {
            return unavailable(lease.until.since(now));
        }
        if self.waiting.add(waiter) {
            Want::Parked
        } else {
            Want::Refused { cause: Unknown::TooManyWaiting, retry_after: self.timeout }
        }
    }

    /// Takes in one event at the time `now`. `feed` tells of changes, if anything does.
    pub fn handle(&mut self, now: UnixTime, event: Event<'_>, feed: Option<&ChangeFeed>) {
        self.observe(now);
        self.is_feed_silent = feed.is_some_and(|feed| feed.is_silent(now));
        match event {
            Event::Tick => self.on_tick(now),
            Event::Slot { slot: Slot::KeySet, value, .. } => self.on_shared_keys(now, value),
            Event::Slot { slot: Slot::Lease, value, version } => {
                self.on_lease(now, value, version);
            }
            Event::Written { slot: Slot::Lease, outcome } => self.on_lease_written(now, outcome),
            Event::Written { slot: Slot::KeySet, .. } => {}
            Event::Fetched(answer) => self.on_fetched(now, answer),
            Event::Gone(request) => self.waiting.remove(request),
        }
    }

    /// The keys may have changed, as was known at the time `changed_at`: they are to be confirmed by a
    /// call that begins later than that, with the next tick.
    pub fn renew(&mut self, now: UnixTime, changed_at: UnixTime) {
        self.observe(now);
        self.renewed_at = self.renewed_at.max(Some(changed_at.min(now)));
    }

    /// What to do next; `None` until another event.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next tick is wanted at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        if let Some(lease) = self.blocked.filter(|lease| lease.is_back_off()) {
            return lease.until.since(self.clock).clamp(BUSY_TICK, IDLE_TICK);
        }
        let is_outdated = self.held.as_ref().is_some_and(|held| self.is_outdated(held));
        let is_idle = self.waiting.is_empty() && self.actions.is_empty() && !is_outdated;
        if is_idle { IDLE_TICK } else { BUSY_TICK }
    }

    /// How many keys are held.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.keys.keys.count())
    }

    /// Lets go of what has become too old, and mends what a clock that goes back would break.
    fn observe(&mut self, now: UnixTime) {
        if now < self.clock {
            // Everything moves back with the clock: nothing gets younger, and nobody waits for a
            // time that is far off again.
            let back = self.clock.since(now);
            if let Some(held) = &mut self.held {
                held.confirmed_at = held.confirmed_at - back;
                held.refresh_at = held.refresh_at - back;
            }
            if let Call::Sent { since, .. } = &mut self.call {
                *since = *since - back;
            }
            self.renewed_at = self.renewed_at.map(|renewed_at| renewed_at - back);
            self.waiting.move_back(back);
            self.blocked = None;
            // The shared copy would pass for a later one, and make old keys young again.
            self.share();
        }
        self.clock = now;
        self.blocked = self.blocked.filter(|lease| now < lease.until);
        let stale = self.freshness.stale;
        if self.held.take_if(|held| now.since(held.confirmed_at) >= stale).is_some() {
            self.actions.push_back(Action::Report(Report::Expired));
        }
    }

    fn on_tick(&mut self, now: UnixTime) {
        // A call of which nothing was heard is lost; the proxy should have said so long ago.
        if matches!(self.call, Call::Sent { since, .. } if now.since(since) >= self.timeout * 2) {
            self.on_fetched(now, Err(FetchFailure::NoAnswer));
        }
        self.give_up_on_the_patient(now);
        if self.call == Call::None && self.is_due(now) {
            // Another worker may have been there already.
            self.call = Call::Preparing;
            self.actions.push_back(Action::Read(Slot::KeySet));
        }
    }

    /// Whether keys should be fetched.
    fn is_due(&self, now: UnixTime) -> bool {
        let is_old = |held: &Held| {
            let is_fresh = now < held.refresh_at && !self.is_outdated(held);
            // Nobody tells of a change.
            let is_silence_long = now.since(held.confirmed_at) >= FRESH_IN_SILENCE;
            !is_fresh || self.is_feed_silent && is_silence_long
        };
        !self.waiting.is_empty() || self.held.as_ref().is_none_or(is_old)
    }

    /// Whether the keys were last confirmed before they may have changed.
    fn is_outdated(&self, held: &Held) -> bool {
        self.renewed_at.is_some_and(|renewed_at| held.confirmed_at <= renewed_at)
    }

    fn on_shared_keys(&mut self, now: UnixTime, value: Option<&[u8]>) {
        let entry = value
            .and_then(|value| self.slots.keys(Slot::KeySet).open(value))
            .and_then(|entry| KeySetEntry::decode(&entry));
        if let Some(entry) = entry {
            self.adopt(now, entry);
        }
        if self.call != Call::Preparing {
            return;
        }
        if self.is_due(now) {
            self.actions.push_back(Action::Read(Slot::Lease));
        } else {
            self.call = Call::None;
        }
    }

    /// Takes over what another worker fetched, if it is later than what is held.
    fn adopt(&mut self, now: UnixTime, entry: KeySetEntry) {
        // From the future: the clock went back. It would never age, so it is not believed.
        let is_usable =
            entry.confirmed_at <= now && now.since(entry.confirmed_at) < self.freshness.stale;
        let is_later = self.held.as_ref().is_none_or(|held| held.confirmed_at < entry.confirmed_at);
        if !is_usable || !is_later {
            return;
        }
        let Ok(keys) = KeySet::from_json(&entry.json).and_then(|set| TokenKeys::read(&set)) else {
            return;
        };
        self.hold(Fetched { keys, etag: entry.etag }, entry.json, entry.confirmed_at);
    }

    fn on_lease(&mut self, now: UnixTime, value: Option<&[u8]>, version: u32) {
        if self.call != Call::Preparing {
            return;
        }
        let lease = value
            .and_then(|value| self.slots.keys(Slot::Lease).open(value))
            .and_then(|entry| Lease::decode(&entry))
            // No lease is taken for longer than this: what claims so was written by another clock.
            .filter(|lease| lease.is_believable(now, self.timeout.max(LONGEST) * 2));
        if let Some(lease) = lease {
            self.pause.learn_of(lease.failures);
            if now < lease.until {
                return self.block(now, lease);
            }
        }
        let until = now + self.timeout * 2;
        let failures = self.pause.failures();
        let lease = Lease { since: now, until, failures, is_call: true };
        self.write_lease(lease, Some(version));
    }

    fn on_lease_written(&mut self, now: UnixTime, outcome: Written) {
        if self.call != Call::Preparing {
            return;
        }
        match outcome {
            // Without shared data every worker fetches for itself.
            Written::Done | Written::Unsupported => {
                let etag = self.held.as_ref().and_then(|held| held.etag.clone());
                self.fetch(now, etag);
            }
            // Another worker was quicker; the next tick will find its lease.
            Written::Conflict => self.call = Call::None,
        }
    }

    fn on_fetched(&mut self, now: UnixTime, answer: Result<Answer<'_>, FetchFailure>) {
        let Call::Sent { since: began, is_conditional } = self.call else { return };
        self.call = Call::None;
        let body = answer.map(|answer| answer.body);
        match answer.and_then(|answer| Outcome::of(answer, self.held.is_some())) {
            // The keys went stale while they were being confirmed: then all of them, please.
            Err(FetchFailure::NothingToKeep) if is_conditional => self.fetch(now, None),
            Ok(Outcome::Unchanged) => {
                self.confirm(began);
                self.actions.push_back(Action::Report(Report::Unchanged));
                self.on_success(now);
            }
            Ok(Outcome::Updated(fetched)) => {
                let json = Zeroizing::new(body.unwrap_or_default().to_vec());
                let report =
                    Report::Updated { keys: fetched.keys.count(), primary: fetched.keys.primary() };
                self.hold(fetched, json, began);
                self.actions.push_back(Action::Report(report));
                self.on_success(now);
            }
            Err(failure) => self.on_failure(now, failure),
        }
    }

    fn fetch(&mut self, now: UnixTime, etag: Option<String>) {
        self.call = Call::Sent { since: now, is_conditional: etag.is_some() };
        let on_behalf_of = self.waiting.first();
        self.actions.push_back(Action::Fetch { etag, on_behalf_of });
    }

    fn on_success(&mut self, now: UnixTime) {
        self.pause.succeeded();
        self.blocked = None;
        self.share();
        self.write_lease(Lease { since: now, until: now, failures: 0, is_call: false }, None);
        self.resume_satisfied();
    }

    /// Puts what is held into shared data, in place of whatever is there.
    fn share(&mut self) {
        let value = self.held.as_ref().map_or_else(Vec::new, |held| {
            let entry = KeySetEntry {
                confirmed_at: held.confirmed_at,
                etag: held.etag.clone(),
                json: held.json.clone(),
            };
            self.slots.keys(Slot::KeySet).seal(&entry.encode())
        });
        self.actions.push_back(Action::Write { slot: Slot::KeySet, value, version: None });
    }

    fn on_failure(&mut self, now: UnixTime, failure: FetchFailure) {
        let retry_after = self.pause.failed();
        self.actions.push_back(Action::Report(Report::Failed { failure, retry_after }));
        let until = now + retry_after;
        let failures = self.pause.failures();
        let lease = Lease { since: now, until, failures, is_call: false };
        self.write_lease(lease, None);
        self.block(now, lease);
    }

    /// Lets the key server be until the lease ends. After a failure nobody waits for that.
    fn block(&mut self, now: UnixTime, lease: Lease) {
        self.call = Call::None;
        self.blocked = Some(lease);
        if lease.is_back_off() {
            for waiter in self.waiting.take(&|_| true) {
                let answer = unavailable(lease.until.since(now));
                self.resume(waiter, answer);
            }
        }
    }

    /// A new set, or the same one again under another confirmation.
    fn hold(&mut self, fetched: Fetched, json: Zeroizing<Vec<u8>>, confirmed_at: UnixTime) {
        let is_same = self.held.as_ref().is_some_and(|held| held.json == json);
        if !is_same {
            let keys = Rc::new(Keys { keys: fetched.keys, generation: self.next_generation });
            self.next_generation = self.next_generation.saturating_add(1);
            let etag = fetched.etag;
            let refresh_at = confirmed_at;
            self.held = Some(Held { keys, etag, json, confirmed_at, refresh_at });
        }
        self.confirm(confirmed_at);
        self.resume_satisfied();
    }

    fn confirm(&mut self, confirmed_at: UnixTime) {
        if let Some(held) = &mut self.held {
            held.confirmed_at = confirmed_at;
            held.refresh_at = confirmed_at + self.pause.shortened(self.freshness.fresh, 10);
        }
    }

    fn resume_satisfied(&mut self) {
        let Some(held) = &self.held else { return };
        let keys = Rc::clone(&held.keys);
        for waiter in self.waiting.take(&|waiter| held.satisfies(waiter)) {
            self.resume(waiter, Want::Ready(Rc::clone(&keys)));
        }
    }

    /// Nobody waits longer than a call of another worker and one of this can take.
    fn give_up_on_the_patient(&mut self, now: UnixTime) {
        let longest = self.timeout * 4;
        for waiter in self.waiting.take(&|waiter| waiter.has_waited(now, longest)) {
            let answer = unavailable(self.timeout);
            self.resume(waiter, answer);
        }
    }

    fn resume(&mut self, waiter: Waiter, answer: Want) {
        self.actions.push_back(Action::Resume { request: waiter.request, answer });
    }

    fn write_lease(&mut self, lease: Lease, version: Option<u32>) {
        let value = self.slots.keys(Slot::Lease).seal(&lease.encode());
        self.actions.push_back(Action::Write { slot: Slot::Lease, value, version });
    }
}

impl Slots {
    fn new(seal: &Seal) -> Self {
        Self { key_set: seal.slot("token-keys"), lease: seal.slot("token-keys-lease") }
    }

    fn keys(&self, slot: Slot) -> &SlotKeys {
        match slot {
            Slot::KeySet => &self.key_set,
            Slot::Lease => &self.lease,
        }
    }
}

impl Held {
    /// Whether these keys are what a request waits for.
    fn satisfies(&self, waiter: &Waiter) -> bool {
        waiter.newer_than.is_none_or(|generation| {
            self.keys.generation > generation || self.confirmed_at + ENOUGH > waiter.since
        })
    }
}

/// Shows no key.
impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore")
            .field("keys", &self.key_count())
            .field("call", &self.call)
            .field("blocked", &self.blocked)
            .finish_non_exhaustive()
    }
}

fn unavailable(retry_after: Duration) -> Want {
    Want::Refused { cause: Unknown::KeysUnavailable, retry_after }
}

/// How recently keys must have been confirmed for a token that none of them opens to be refused
/// without asking again. It is also what bounds the calls that a flood of forged tokens costs.
pub(super) const ENOUGH: Duration = Duration::from_secs(5);
