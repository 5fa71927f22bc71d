//! The records that are being looked for, and who waits for which: one search serves all who want
//! the same one.
//!
//! ```text
//!   Looking ──▶ Leasing ──▶ Queued ──▶ Sent
//!    ▲   │         │ a worker was quicker
//!    │   ▼         ▼
//!   Elsewhere: another worker fetches it
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::shared::Place;
use super::{Call, Question};
use crate::recent::{Recent, keyed};
use crate::time::UnixTime;

/// All of them.
#[derive(Debug)]
pub(super) struct Flights {
    /// By the numbers of their calls, and so in the order in which they began.
    all: Recent<Flight>,
    /// By keyed hashes of their questions.
    by_question: Recent<Call>,
    seed: u64,
    /// Those that are at their beginning.
    looking: Vec<Call>,
    /// Those that wait to call, in order: such of which there is a record, and such of which nothing is
    /// known. They take turns, so that neither kind keeps the other waiting, however many there are.
    held: VecDeque<Call>,
    new: VecDeque<Call>,
    is_turn_of_new: bool,
    /// How many records are fetched anew while they serve.
    refreshes: usize,
    /// How many calls are under way.
    sent: usize,
    /// Which requests wait, and for what.
    waiting: Recent<()>,
    next_call: u64,
}

/// One record that is being looked for.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) question: Question,
    /// Where it may stand in shared data.
    pub(super) place: Option<Place>,
    pub(super) stage: Stage,
    /// Where to write what comes of it, if anywhere.
    pub(super) target: Option<Target>,
    /// Until when nobody else calls, by what was written there.
    pub(super) leased_until: Option<UnixTime>,
    /// Whether a call for it was paid for.
    pub(super) is_paid: bool,
    /// The requests that wait for it. Some may be gone.
    requests: Vec<u32>,
    /// Since when it is under way, or the call is.
    pub(super) since: UnixTime,
    /// Whether it is fetched although nobody waits, to replace one that is in use.
    pub(super) is_refresh: bool,
    /// Whether anything has changed since the call is under way.
    pub(super) is_overtaken: bool,
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// In shared data.
    Looking,
    /// It is being written down that we call.
    Leasing,
    /// Another worker calls, at most until then.
    Elsewhere { until: UnixTime },
    /// We call when it is its turn.
    Queued,
    /// The call is under way.
    Sent,
}

/// A slot that may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) slot: usize,
    pub(super) version: u32,
    /// How willingly its present tenant goes.
    pub(super) tenant: Tenant,
}

/// What stands in a slot, the most dispensable first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tenant {
    /// Nothing, or what is ours.
    Nobody,
    /// A denial, until then.
    Denial(UnixTime),
    /// A record or a call of others, since or until then. It makes room for a record only.
    Record(UnixTime),
}

impl Flight {
    /// The request that has waited longest, of those that may still wait.
    pub(super) fn first_request(&self) -> Option<u32> {
        self.requests.first().copied()
    }
}

impl Flights {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            all: Recent::default(),
            by_question: Recent::default(),
            seed,
            looking: Vec::new(),
            held: VecDeque::new(),
            new: VecDeque::new(),
            is_turn_of_new: false,
            refreshes: 0,
            sent: 0,
            waiting: Recent::default(),
            next_call: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many calls are under way.
    pub(super) fn calls(&self) -> usize {
        self.sent
    }

    /// How many records are fetched anew while they serve.
    pub(super) fn refreshes(&self) -> usize {
        self.refreshes
    }

    /// Whether this one is being looked for already.
    pub(super) fn has(&self, question: &Question) -> bool {
        self.find(question).is_some()
    }

    pub(super) fn get_mut(&mut self, call: Call) -> Option<&mut Flight> {
        self.all.get_mut(call.0)
    }

    pub(super) fn get(&self, call: Call) -> Option<&Flight> {
        self.all.get(call.0)
    }

    fn find(&self, question: &Question) -> Option<Call> {
        let call = *self.by_question.get(keyed(self.seed, question))?;
        self.get(call).filter(|flight| flight.question == *question).map(|_| call)
    }

    /// A request waits for a record.
    pub(super) fn join(
        &mut self,
        question: &Question,
        place: Option<Place>,
        request: u32,
        now: UnixTime,
    ) {
        let call = self.start(question, place, false, now);
        if let Some(flight) = self.get_mut(call) {
            flight.requests.push(request);
            self.waiting.insert(request.into(), ());
        }
    }

    /// A record is to be fetched anew, and nobody waits.
    pub(super) fn refresh(&mut self, question: &Question, place: Option<Place>, now: UnixTime) {
        self.start(question, place, true, now);
    }

    fn start(
        &mut self,
        question: &Question,
        place: Option<Place>,
        is_refresh: bool,
        now: UnixTime,
    ) -> Call {
        if let Some(call) = self.find(question) {
            return call;
        }
        let call = Call(self.next_call);
        self.next_call += 1;
        self.by_question.insert(keyed(self.seed, question), call);
        self.looking.push(call);
        self.refreshes += usize::from(is_refresh);
        let flight = Flight {
            question: question.clone(),
            place,
            stage: Stage::Looking,
            target: None,
            leased_until: None,
            is_paid: is_refresh,
            requests: Vec::new(),
            since: now,
            is_refresh,
            is_overtaken: false,
        };
        self.all.insert(call.0, flight);
        call
    }

    /// A request is gone. Its flight goes on, if the call is under way.
    pub(super) fn leave(&mut self, request: u32) {
        self.waiting.remove(request.into());
    }

    /// Those at their beginning that somebody still waits for, and those whose call is another
    /// worker's: it is time to look.
    pub(super) fn take_looking(&mut self) -> Vec<Call> {
        let mut calls = core::mem::take(&mut self.looking);
        calls.extend(self.that(&|flight| matches!(flight.stage, Stage::Elsewhere { .. })));
        calls.retain(|call| self.is_wanted(*call));
        for call in &calls {
            if let Some(flight) = self.get_mut(*call) {
                flight.stage = Stage::Looking;
                flight.target = None;
            }
        }
        calls
    }

    /// To look again at the next tick.
    pub(super) fn look_again(&mut self, call: Call) {
        if let Some(flight) = self.get_mut(call) {
            flight.stage = Stage::Looking;
            self.looking.push(call);
        }
    }

    /// The call is to be made when it is its turn, among those of which there is a record or there is
    /// none.
    pub(super) fn enqueue(&mut self, call: Call, is_held: bool) {
        if let Some(flight) = self.get_mut(call) {
            flight.stage = Stage::Queued;
            self.queue(!is_held).push_back(call);
        }
    }

    /// Whether there is one whose turn it is. Those for which nobody waits any more are dropped.
    pub(super) fn has_next(&mut self) -> bool {
        for is_new in [false, true] {
            while let Some(call) = self.queue(is_new).front().copied() {
                if self.is_wanted(call) {
                    break;
                }
                self.queue(is_new).pop_front();
            }
        }
        !self.held.is_empty() || !self.new.is_empty()
    }

    fn queue(&mut self, is_new: bool) -> &mut VecDeque<Call> {
        if is_new { &mut self.new } else { &mut self.held }
    }

    /// The next one whose turn it is, as a call under way.
    pub(super) fn send(&mut self, now: UnixTime) -> Option<(Call, Question)> {
        if !self.has_next() {
            return None;
        }
        let turn = self.is_turn_of_new;
        let call = self.queue(turn).pop_front().or_else(|| self.queue(!turn).pop_front())?;
        self.is_turn_of_new = !turn;
        let flight = self.get_mut(call)?;
        flight.since = now;
        flight.stage = Stage::Sent;
        flight.is_overtaken = false;
        let question = flight.question.clone();
        self.sent += 1;
        Some((call, question))
    }

    /// Whether anybody wants it; if not, it is over.
    fn is_wanted(&mut self, call: Call) -> bool {
        let Some(flight) = self.all.get_mut(call.0) else { return false };
        flight.requests.retain(|request| self.waiting.get((*request).into()).is_some());
        let is_wanted = flight.is_refresh || !flight.requests.is_empty();
        if !is_wanted {
            self.land(call);
        }
        is_wanted
    }

    /// A search is over: what it was, and the requests that still wait for it.
    pub(super) fn land(&mut self, call: Call) -> Option<(Flight, Vec<u32>)> {
        let mut flight = self.all.remove(call.0)?;
        let hash = keyed(self.seed, &flight.question);
        // Another question may have the same hash, though hardly ever.
        if self.by_question.get(hash) == Some(&call) {
            self.by_question.remove(hash);
        }
        self.sent -= usize::from(flight.stage == Stage::Sent);
        self.refreshes -= usize::from(flight.is_refresh);
        let mut requests = core::mem::take(&mut flight.requests);
        requests.retain(|request| self.waiting.remove((*request).into()).is_some());
        Some((flight, requests))
    }

    /// The calls that have been under way for longer than this.
    pub(super) fn lost(&self, now: UnixTime, longest: Duration) -> Vec<Call> {
        self.that(&|flight| flight.stage == Stage::Sent && now.since(flight.since) >= longest)
    }

    /// The searches that have taken longer than this without coming to a call.
    pub(super) fn stuck(&self, now: UnixTime, longest: Duration) -> Vec<Call> {
        self.that(&|flight| flight.stage != Stage::Sent && now.since(flight.since) >= longest)
    }

    /// The calls of all flights for which `is_it` holds.
    fn that(&self, is_it: &dyn Fn(&Flight) -> bool) -> Vec<Call> {
        self.all.numbers(is_it).into_iter().map(Call).collect()
    }

    /// Something has changed.
    pub(super) fn overtake(&mut self) {
        self.all.values_mut().for_each(|flight| flight.is_overtaken = true);
    }

    /// The clock went back by so much, and with it the times since when they wait.
    pub(super) fn move_back(&mut self, back: Duration) {
        for flight in self.all.values_mut() {
            flight.since = flight.since - back;
            flight.leased_until = flight.leased_until.map(|until| until - back);
            if let Stage::Elsewhere { until } = &mut flight.stage {
                *until = *until - back;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::CatalogRequest;

    #[test]
    fn of_two_questions_with_one_hash_each_has_its_own_flight() {
        let now = UnixTime::from_secs(1);
        let (one, other) =
            (Question::Catalog(CatalogRequest::default()), Question::Catalog(catalog("p")));
        let mut flights = Flights::new(1);
        flights.join(&one, None, 1, now);
        let call = flights.by_question.remove(keyed(1, &one)).unwrap();
        flights.by_question.insert(keyed(1, &other), call);
        assert!(!flights.has(&other));
        flights.join(&other, None, 2, now);
        let calls = flights.take_looking();
        let landed = calls.into_iter().filter_map(|call| flights.land(call));
        let landed: Vec<_> = landed.map(|(flight, requests)| (flight.question, requests)).collect();
        assert_eq!(landed, [(one, Vec::from([1])), (other, Vec::from([2]))]);
        assert!(flights.is_empty() && flights.by_question.is_empty());
    }

    fn catalog(project: &str) -> CatalogRequest {
        CatalogRequest { project: Some(project.into()) }
    }
}
