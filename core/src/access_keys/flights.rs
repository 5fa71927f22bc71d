//! The calls that are under way or wait their turn, and who waits for which: one call serves all
//! who want the same key.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::Call;
use crate::sigv4::Credential;
use crate::time::UnixTime;

/// All of them.
#[derive(Debug)]
pub(super) struct Flights {
    by_credential: BTreeMap<Credential, Flight>,
    sent: BTreeMap<Call, Credential>,
    /// Those that wait their turn, in order.
    queue: VecDeque<Credential>,
    /// Which requests wait, and for what.
    waiting: BTreeMap<u32, Credential>,
    next_call: u64,
}

/// One key that is being fetched.
#[derive(Debug)]
struct Flight {
    /// The requests that wait for it. Some may be gone.
    requests: Vec<u32>,
    /// Since when the oldest of them waits, or the call is under way.
    since: UnixTime,
    /// Whether it is fetched although nobody waits, to replace one that is in use.
    is_refresh: bool,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self {
            by_credential: BTreeMap::new(),
            sent: BTreeMap::new(),
            queue: VecDeque::new(),
            waiting: BTreeMap::new(),
            next_call: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_credential.is_empty()
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many calls are under way.
    pub(super) fn calls(&self) -> usize {
        self.sent.len()
    }

    /// Whether there is one whose turn it is. Those for which nobody waits any more are dropped.
    pub(super) fn has_next(&mut self) -> bool {
        while let Some(credential) = self.queue.front() {
            if let Some(flight) = self.by_credential.get_mut(credential) {
                flight.requests.retain(|request| self.waiting.contains_key(request));
                if !flight.requests.is_empty() || flight.is_refresh {
                    return true;
                }
            }
            self.by_credential.remove(credential);
            self.queue.pop_front();
        }
        false
    }

    /// When a call was made.
    pub(super) fn since(&self, call: Call) -> Option<UnixTime> {
        let flight = self.sent.get(&call).and_then(|asked| self.by_credential.get(asked));
        flight.map(|flight| flight.since)
    }

    /// Whether this key is being fetched already.
    pub(super) fn has(&self, credential: &Credential) -> bool {
        self.by_credential.contains_key(credential)
    }

    /// A request waits for a key.
    pub(super) fn join(&mut self, credential: &Credential, request: u32, now: UnixTime) {
        self.start(credential, false, now).requests.push(request);
        self.waiting.insert(request, credential.clone());
    }

    /// A key is to be fetched anew, and nobody waits.
    pub(super) fn refresh(&mut self, credential: &Credential, now: UnixTime) {
        self.start(credential, true, now);
    }

    fn start(&mut self, credential: &Credential, is_refresh: bool, now: UnixTime) -> &mut Flight {
        if !self.has(credential) {
            self.queue.push_back(credential.clone());
        }
        self.by_credential.entry(credential.clone()).or_insert_with(|| Flight {
            requests: Vec::new(),
            since: now,
            is_refresh,
        })
    }

    /// A request is gone. Its flight goes on, if it is under way.
    pub(super) fn leave(&mut self, request: u32) {
        self.waiting.remove(&request);
    }

    /// The next one whose turn it is, as a call under way.
    pub(super) fn send(&mut self, now: UnixTime) -> Option<(Call, Credential)> {
        if !self.has_next() {
            return None;
        }
        let credential = self.queue.pop_front()?;
        let call = Call(self.next_call);
        self.next_call += 1;
        if let Some(flight) = self.by_credential.get_mut(&credential) {
            flight.since = now;
        }
        self.sent.insert(call, credential.clone());
        Some((call, credential))
    }

    /// A call is over: who asked for what, and the requests that still wait for it.
    pub(super) fn land(&mut self, call: Call) -> Option<(Credential, Vec<u32>)> {
        let credential = self.sent.remove(&call)?;
        let requests = self.disband(&credential);
        Some((credential, requests))
    }

    /// The calls that have been under way for longer than this.
    pub(super) fn lost(&self, now: UnixTime, longest: Duration) -> Vec<Call> {
        let is_lost = |credential: &Credential| {
            let flight = self.by_credential.get(credential);
            flight.is_none_or(|flight| now.since(flight.since) >= longest)
        };
        self.sent.iter().filter(|(_, asked)| is_lost(asked)).map(|(call, _)| *call).collect()
    }

    /// Gives up all that wait their turn, or those of them that have waited for longer than this:
    /// the requests, each with what it waited for.
    pub(super) fn give_up(
        &mut self,
        now: UnixTime,
        longest: Duration,
    ) -> Vec<(Credential, Vec<u32>)> {
        let is_patient = |flights: &Self, credential: &Credential| {
            let flight = flights.by_credential.get(credential);
            flight.is_some_and(|flight| now.since(flight.since) < longest)
        };
        let queue = core::mem::take(&mut self.queue);
        let mut given_up = Vec::new();
        for credential in queue {
            if is_patient(self, &credential) {
                self.queue.push_back(credential);
            } else {
                let requests = self.disband(&credential);
                given_up.push((credential, requests));
            }
        }
        given_up
    }

    /// The clock went back by so much, and with it the times since when they wait.
    pub(super) fn move_back(&mut self, back: Duration) {
        for flight in self.by_credential.values_mut() {
            flight.since = flight.since - back;
        }
    }

    fn disband(&mut self, credential: &Credential) -> Vec<u32> {
        let flight = self.by_credential.remove(credential);
        let mut requests = flight.map(|flight| flight.requests).unwrap_or_default();
        requests.retain(|request| self.waiting.remove(request).is_some());
        requests
    }
}
