//! A simulated proxy: workers, the shared data between them, a key server that can be anything,
//! and a clock that moves only when a test says so.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::store::ENOUGH;
use super::{Action, Event, KeyStore, Report, Slot, Want, Written};
use crate::config::Config;
use crate::config::example::keyserver;
use crate::feed::{self, ChangeFeed};
use crate::fetch::{Answer, FetchFailure};
use crate::refusal::Unknown;
use crate::time::UnixTime;

/// What the key server does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyServer {
    Up,
    /// The proxy does not even send the call.
    Unreachable,
    /// It takes calls and never answers.
    Silent,
    /// Something else answers in its place.
    Stranger,
    /// It answers 200 with something that is no key set.
    Broken,
    /// It answers 401.
    Unauthorized,
}

impl KeyServer {
    pub(super) const ALL: [Self; 6] = [
        Self::Up,
        Self::Unreachable,
        Self::Silent,
        Self::Stranger,
        Self::Broken,
        Self::Unauthorized,
    ];
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With keys of this primary id.
    Keys(u32),
    Refused(Unknown),
}

pub(super) struct World {
    pub(super) now: UnixTime,
    pub(super) workers: Vec<KeyStore>,
    /// What waits to be carried out by the worker of this number.
    busy: BTreeSet<usize>,
    pub(super) feed: Option<ChangeFeed>,
    shared: BTreeMap<String, (Vec<u8>, u32)>,
    has_shared_data: bool,
    pub(super) server: KeyServer,
    pub(super) primary: u32,
    /// Calls that reached the key server, with the answer's etag.
    pub(super) calls: Vec<Option<String>>,
    /// The request whose trace each call carries.
    traced: Vec<Option<u32>>,
    /// Calls under way: the worker, and the etag it sent.
    pub(super) under_way: VecDeque<(usize, Option<String>)>,
    /// Who waits, and at which worker.
    pub(super) parked: BTreeMap<u32, usize>,
    pub(super) outcomes: BTreeMap<u32, Outcome>,
    reports: Vec<Report>,
    next_request: u32,
    pub(super) random: u64,
    config: Config,
}

impl World {
    fn new(workers: usize) -> Self {
        Self::with(workers, r#"{"fresh":"60s","stale":"10m"}"#, 100)
    }

    pub(super) fn with(workers: usize, cache: &str, parked: usize) -> Self {
        let config = format!(
            r#"{{"keyserver":{{"cluster":"k","bearer_token":"secret"}},
                 "token":{{"www_authenticate_uri":"http://k/v3"}},
                 "cache":{cache},"limits":{{"parked":{parked}}}}}"#
        );
        let config = Config::parse(config.as_bytes()).unwrap();
        let mut world = Self {
            now: UnixTime::from_secs(1_800_000_000),
            workers: vec![],
            busy: BTreeSet::new(),
            feed: None,
            shared: BTreeMap::new(),
            has_shared_data: true,
            server: KeyServer::Up,
            primary: 1,
            calls: vec![],
            traced: vec![],
            under_way: VecDeque::new(),
            parked: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            reports: vec![],
            next_request: 1,
            random: 1,
            config,
        };
        (0..workers).for_each(|_| world.start_worker());
        let names: Vec<_> = world.workers[0].slot_names().collect();
        world.shared = names.into_iter().map(|name| (name, (vec![], 1))).collect();
        world
    }

    fn new_store(&mut self) -> KeyStore {
        let seed = u64::try_from(self.random(1 << 24)).unwrap();
        KeyStore::new(&self.config, &keyserver(&self.config).server, seed)
    }

    pub(super) fn start_worker(&mut self) {
        let store = self.new_store();
        self.workers.push(store);
    }

    /// A worker's VM is gone, with its requests and calls, and another takes its place.
    pub(super) fn lose(&mut self, worker: usize) {
        self.workers[worker] = self.new_store();
        self.under_way.retain(|(other, ..)| *other != worker);
        self.parked.retain(|_, other| *other != worker);
    }

    pub(super) fn random(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.random >> 40).unwrap() % below.max(1)
    }

    /// A request arrives at a worker.
    pub(super) fn request(&mut self, worker: usize, newer_than: Option<u64>) -> u32 {
        let request = self.next_request;
        self.next_request += 1;
        match self.workers[worker].want(self.now, request, newer_than) {
            Want::Parked => {
                self.parked.insert(request, worker);
                self.handle(worker, Event::Tick);
            }
            answer => self.end(request, answer),
        }
        request
    }

    fn end(&mut self, request: u32, answer: Want) {
        let outcome = match answer {
            Want::Ready(keys) => Outcome::Keys(keys.keys.primary().unwrap()),
            Want::Refused { cause, .. } => Outcome::Refused(cause),
            Want::Parked => panic!("a request was resumed to be parked"),
        };
        assert!(self.outcomes.insert(request, outcome).is_none(), "resumed twice");
    }

    pub(super) fn handle(&mut self, worker: usize, event: Event<'_>) {
        self.begin(worker, event);
        self.run();
    }

    fn begin(&mut self, worker: usize, event: Event<'_>) {
        self.workers[worker].handle(self.now, event, self.feed.as_ref());
        self.busy.insert(worker);
    }

    /// The workers' threads take turns, one host call at a time.
    fn run(&mut self) {
        while !self.busy.is_empty() {
            let nth = self.random(self.busy.len());
            let Some(worker) = self.busy.iter().nth(nth).copied() else { return };
            match self.workers[worker].next_action() {
                Some(action) => self.perform(worker, action),
                None => {
                    self.busy.remove(&worker);
                }
            }
        }
    }

    fn perform(&mut self, worker: usize, action: Action) {
        match action {
            Action::Read(slot) => {
                let found = self.shared.get(&self.workers[worker].slot_name(slot)).cloned();
                let (value, version) =
                    found.map_or((None, 0), |(value, version)| (Some(value), version));
                self.begin(worker, Event::Slot { slot, value: value.as_deref(), version });
            }
            Action::Write { slot, value, version } => {
                let outcome = self.write(worker, slot, value, version);
                self.begin(worker, Event::Written { slot, outcome });
            }
            Action::Fetch { .. } if self.server == KeyServer::Unreachable => {
                self.begin(worker, Event::Fetched(Err(FetchFailure::NotSent)));
            }
            Action::Fetch { etag, on_behalf_of } => {
                self.calls.push(etag.clone());
                self.traced.push(on_behalf_of);
                self.under_way.push_back((worker, etag));
            }
            Action::Resume { request, answer } => {
                let at = self.parked.remove(&request);
                assert_eq!(at, Some(worker), "resumed, but not parked");
                self.end(request, answer);
            }
            Action::Report(report) => self.reports.push(report),
        }
    }

    fn write(
        &mut self,
        worker: usize,
        slot: Slot,
        value: Vec<u8>,
        version: Option<u32>,
    ) -> Written {
        if !self.has_shared_data {
            return Written::Unsupported;
        }
        let name = self.workers[worker].slot_name(slot);
        match self.shared.get_mut(&name) {
            Some((_, current)) if version.is_some_and(|version| version != *current) => {
                Written::Conflict
            }
            Some(entry) => {
                *entry = (value, entry.1 + 1);
                Written::Done
            }
            None => {
                self.shared.insert(name, (value, 1));
                Written::Done
            }
        }
    }

    /// The key server answers everything that is under way.
    pub(super) fn answer(&mut self) {
        while let Some((worker, etag)) = self.under_way.pop_front() {
            let current = format!("\"{}\"", self.primary);
            let body = format!(
                r#"{{"fernet":[{{"id":{},"key":"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="}}]}}"#,
                self.primary
            );
            let is_known = etag.as_ref() == Some(&current);
            let mut answer = Answer {
                status: if is_known { b"304" } else { b"200" },
                protocol: Some(b"1"),
                etag: Some(current.as_bytes()),
                body: if is_known { b"" } else { body.as_bytes() },
                subject_token: None,
            };
            match self.server {
                KeyServer::Up | KeyServer::Unreachable => {}
                KeyServer::Silent => continue,
                KeyServer::Stranger => answer.protocol = None,
                KeyServer::Broken => {
                    (answer.status, answer.body) = (b"200", b"{\"fernet\":[]}");
                }
                KeyServer::Unauthorized => (answer.status, answer.body) = (b"401", b"{}"),
            }
            self.handle(worker, Event::Fetched(Ok(answer)));
        }
    }

    /// Time passes, with a tick of every worker each 50 ms, and answers after each.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = self.now + Duration::from_millis(50);
            // Each tick begins with another worker: no order is lucky for ever.
            let count = self.workers.len();
            let tick = self.now.as_micros() / 50_000;
            let first = usize::try_from(tick % u64::try_from(count).unwrap()).unwrap();
            for worker in (first..count).chain(0..first) {
                self.begin(worker, Event::Tick);
            }
            self.run();
            self.answer();
        }
    }

    fn outcome(&self, request: u32) -> Option<&Outcome> {
        self.outcomes.get(&request)
    }

    /// The generation of keys that a worker holds.
    fn generation(&mut self, worker: usize) -> u64 {
        match self.workers[worker].want(self.now, 0, None) {
            Want::Ready(keys) => keys.generation,
            other => panic!("{other:?}"),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn the_first_request_waits_for_the_keys() {
    let mut world = World::new(1);
    let request = world.request(0, None);
    assert_eq!(world.outcome(request), None);
    world.answer();
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
}

#[test]
fn all_that_wait_are_served_by_one_call() {
    let mut world = World::new(1);
    let requests: Vec<_> = (0..50).map(|_| world.request(0, None)).collect();
    world.answer();
    assert_eq!(world.calls.len(), 1);
    assert!(requests.iter().all(|request| world.outcome(*request) == Some(&Outcome::Keys(1))));
}

#[test]
fn a_call_is_made_on_behalf_of_the_first_that_waits_or_of_nobody() {
    let mut world = World::new(1);
    world.pass(ENOUGH + SECOND);
    assert_eq!(world.traced, [None], "the keys are fetched before anybody asks");
    let generation = world.generation(0);
    for request in [11, 12, 13] {
        let answer = world.workers[0].want(world.now, request, Some(generation));
        assert!(matches!(answer, Want::Parked));
        world.parked.insert(request, 0);
    }
    world.handle(0, Event::Gone(11));
    world.handle(0, Event::Tick);
    assert_eq!(world.traced, [None, Some(12)]);
    world.pass(2 * MINUTE);
    assert!(world.traced.len() > 2);
    assert!(world.traced[2..].iter().all(Option::is_none), "nobody waits: {:?}", world.traced);
}

#[test]
fn workers_share_one_call() {
    let mut world = World::new(8);
    let requests: Vec<_> = (0..8).map(|worker| world.request(worker, None)).collect();
    world.pass(SECOND);
    assert_eq!(world.calls.len(), 1);
    assert!(requests.iter().all(|request| world.outcome(*request) == Some(&Outcome::Keys(1))));
}

#[test]
fn keys_are_there_before_the_first_request() {
    let mut world = World::new(2);
    world.pass(SECOND);
    let request = world.request(1, None);
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
}

#[test]
fn keys_are_confirmed_before_they_go_stale_by_one_call_a_period() {
    let mut world = World::new(8);
    world.pass(10 * MINUTE);
    // Jitter takes up to a tenth off each period of 60 seconds.
    assert!((10..=13).contains(&world.calls.len()), "{}", world.calls.len());
    assert_eq!(world.calls[1], Some("\"1\"".to_string()));
    assert!(world.reports.contains(&Report::Unchanged));
    assert!(!world.reports.contains(&Report::Expired));
}

#[test]
fn a_rotation_is_noticed_by_all_workers() {
    let mut world = World::new(4);
    world.pass(SECOND);
    world.primary = 2;
    world.pass(MINUTE + 2 * SECOND);
    for worker in 0..4 {
        let request = world.request(worker, None);
        assert_eq!(world.outcome(request), Some(&Outcome::Keys(2)));
    }
}

#[test]
fn a_token_of_an_unknown_key_makes_one_call_at_once() {
    let mut world = World::new(2);
    world.pass(ENOUGH + SECOND);
    let before = world.calls.len();
    world.primary = 2;
    let generation = world.generation(0);
    let request = world.request(0, Some(generation));
    assert_eq!(world.outcome(request), None);
    world.answer();
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(2)));
    assert_eq!(world.calls.len(), before + 1);
}

#[test]
fn a_flood_of_forged_tokens_makes_a_call_every_few_seconds() {
    let mut world = World::new(4);
    world.pass(SECOND);
    let before = world.calls.len();
    let mut requests = vec![];
    for round in 0..600 {
        let worker = round % 4;
        let generation = world.generation(worker);
        requests.push(world.request(worker, Some(generation)));
        world.pass(Duration::from_millis(50));
    }
    let calls = world.calls.len() - before;
    assert!(calls <= 7, "{calls} calls in 30 seconds");
    world.pass(SECOND);
    assert!(requests.iter().all(|request| world.outcome(*request) == Some(&Outcome::Keys(1))));
}

#[test]
fn without_a_key_server_requests_are_refused_and_then_recover() {
    for server in KeyServer::ALL.into_iter().filter(|server| *server != KeyServer::Up) {
        let mut world = World::new(2);
        world.server = server;
        let requests = [world.request(0, None), world.request(1, None)];
        world.pass(5 * SECOND);
        for request in requests {
            let refused = Outcome::Refused(Unknown::KeysUnavailable);
            assert_eq!(world.outcome(request), Some(&refused), "{server:?}");
        }
        world.server = KeyServer::Up;
        // A call that is lost takes a second.
        world.pass(2 * SECOND + if server == KeyServer::Silent { SECOND } else { Duration::ZERO });
        let request = world.request(0, None);
        assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)), "{server:?}");
    }
}

#[test]
fn a_key_server_that_is_down_is_asked_about_once_a_second() {
    let mut world = World::new(16);
    world.server = KeyServer::Stranger;
    world.pass(MINUTE);
    assert!((40..=80).contains(&world.calls.len()), "{}", world.calls.len());
    // By the clock of a worker that ticks no sooner than it wants to, too.
    world.server = KeyServer::Up;
    let (mut waited, mut next) = (Duration::ZERO, Duration::ZERO);
    while world.workers[0].key_count() == 0 {
        world.now = world.now + next;
        waited += next;
        world.handle(0, Event::Tick);
        world.answer();
        next = world.workers[0].next_tick();
    }
    assert!(waited <= 2 * SECOND, "{waited:?}");
}

/// All workers are told that the keys have changed, as the feed does.
fn tell(world: &mut World, worker: usize, changed_at: UnixTime) {
    let now = world.now;
    world.workers[worker].renew(now, changed_at);
}

#[test]
fn keys_that_may_have_changed_are_confirmed_by_a_call_that_begins_later() {
    let mut world = World::with(2, r#"{"fresh":"1h","stale":"4h"}"#, 100);
    world.pass(SECOND);
    // The workers differ in what they hold: one has been asked for newer keys, and shared them.
    world.pass(10 * SECOND);
    let generation = world.generation(0);
    let request = world.request(0, Some(generation));
    world.answer();
    assert!(world.outcome(request).is_some());
    world.primary = 2;
    let before = world.calls.len();
    // What the other worker finds in shared data is later than what it holds, and from before the change.
    let changed_at = world.now;
    tell(&mut world, 1, changed_at);
    assert_eq!(world.workers[1].next_tick(), Duration::from_millis(50));
    world.pass(SECOND);
    tell(&mut world, 0, changed_at);
    world.pass(SECOND);
    for worker in 0..2 {
        let request = world.request(worker, None);
        assert_eq!(world.outcome(request), Some(&Outcome::Keys(2)), "worker {worker}");
        assert_eq!(world.workers[worker].next_tick(), SECOND);
    }
    assert_eq!(world.calls.len(), before + 1, "one call is enough for both");
}

#[test]
fn a_call_that_was_under_way_when_the_keys_changed_does_not_confirm_them() {
    let mut world = World::with(1, r#"{"fresh":"1h","stale":"4h"}"#, 100);
    world.pass(10 * SECOND);
    let generation = world.generation(0);
    world.request(0, Some(generation));
    assert_eq!(world.under_way.len(), 1);
    world.now = world.now + Duration::from_millis(100);
    let changed_at = world.now;
    tell(&mut world, 0, changed_at);
    // The key server had made up this answer before.
    world.answer();
    world.primary = 2;
    world.now = world.now + Duration::from_millis(100);
    world.pass(SECOND);
    let request = world.request(0, None);
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(2)));
}

#[test]
fn a_clock_that_goes_back_puts_off_no_renewal_and_makes_none_endless() {
    let mut world = World::with(2, r#"{"fresh":"1h","stale":"4h"}"#, 100);
    world.pass(10 * SECOND);
    world.server = KeyServer::Unreachable;
    let changed_at = world.now;
    (0..2).for_each(|worker| tell(&mut world, worker, changed_at));
    world.pass(SECOND);
    world.now = world.now - MINUTE;
    world.primary = 2;
    world.server = KeyServer::Up;
    let before = world.calls.len();
    world.pass(3 * SECOND);
    for worker in 0..2 {
        let request = world.request(worker, None);
        assert_eq!(world.outcome(request), Some(&Outcome::Keys(2)));
    }
    // Told by a time of before the clock went back.
    (0..2).for_each(|worker| tell(&mut world, worker, changed_at));
    world.pass(10 * SECOND);
    assert!(world.calls.len() <= before + 4, "{}", world.calls.len() - before);
}

#[test]
fn while_the_feed_is_silent_keys_are_confirmed_each_ten_seconds() {
    let mut world = World::with(2, r#"{"fresh":"1h","stale":"4h"}"#, 100);
    let mut feed = ChangeFeed::new(keyserver(&world.config), 1);
    feed.handle(world.now, feed::Event::Tick);
    assert!(feed.is_silent(world.now + 11 * SECOND));
    world.feed = Some(feed);
    world.pass(5 * SECOND);
    assert_eq!(world.calls.len(), 1);
    world.pass(2 * MINUTE);
    assert!((10..=13).contains(&world.calls.len()), "{}", world.calls.len());
    world.feed = None;
    world.pass(2 * MINUTE);
    assert!(world.calls.len() <= 13);
}

#[test]
fn keys_are_used_until_they_are_stale_and_no_longer() {
    let mut world = World::new(2);
    world.pass(SECOND);
    world.server = KeyServer::Silent;
    world.pass(9 * MINUTE);
    let request = world.request(0, None);
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
    world.pass(MINUTE + SECOND);
    let request = world.request(0, None);
    world.pass(5 * SECOND);
    assert_eq!(world.outcome(request), Some(&Outcome::Refused(Unknown::KeysUnavailable)));
    assert!(world.reports.contains(&Report::Expired));
}

#[test]
fn a_forged_token_gets_no_verdict_while_nobody_can_be_asked() {
    let mut world = World::new(1);
    world.pass(ENOUGH + SECOND);
    world.server = KeyServer::Unreachable;
    let generation = world.generation(0);
    let request = world.request(0, Some(generation));
    assert_eq!(world.outcome(request), Some(&Outcome::Refused(Unknown::KeysUnavailable)));
    let genuine = world.request(0, None);
    assert_eq!(world.outcome(genuine), Some(&Outcome::Keys(1)));
}

#[test]
fn a_worker_that_vanishes_in_a_call_blocks_nobody_for_long() {
    let mut world = World::new(2);
    let _lost = world.request(0, None);
    world.workers.remove(0); // its VM is gone, and the answer with it
    world.under_way.clear();
    let request = world.request(0, None);
    world.pass(2 * SECOND + Duration::from_millis(100));
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
}

#[test]
fn more_than_may_wait_are_refused_at_once() {
    let mut world = World::with(1, "{}", 3);
    let requests: Vec<_> = (0..5).map(|_| world.request(0, None)).collect();
    assert_eq!(world.outcome(requests[3]), Some(&Outcome::Refused(Unknown::TooManyWaiting)));
    world.answer();
    assert_eq!(world.outcome(requests[0]), Some(&Outcome::Keys(1)));
    assert_eq!(world.outcomes.len(), 5);
}

#[test]
fn a_request_that_is_gone_is_not_resumed() {
    let mut world = World::new(1);
    let request = world.request(0, None);
    world.parked.remove(&request);
    world.handle(0, Event::Gone(request));
    world.answer();
    assert_eq!(world.outcome(request), None);
}

#[test]
fn without_shared_data_each_worker_fetches_for_itself() {
    let mut world = World::new(3);
    world.has_shared_data = false;
    world.pass(SECOND);
    assert_eq!(world.calls.len(), 3);
    for worker in 0..3 {
        let request = world.request(worker, None);
        assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
    }
}

#[test]
fn garbage_in_shared_data_is_as_good_as_nothing() {
    let mut world = World::new(2);
    for slot in [Slot::KeySet, Slot::Lease] {
        let name = world.workers[0].slot_name(slot);
        world.shared.insert(name, (b"somebody else was here".to_vec(), 7));
    }
    world.pass(SECOND);
    for worker in 0..2 {
        let request = world.request(worker, None);
        assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
    }
}

#[test]
fn a_clock_that_goes_back_neither_keeps_keys_for_longer_nor_stops_the_upkeep() {
    let mut world = World::new(2);
    world.pass(SECOND);
    world.now = UnixTime::from_secs(1_700_000_000);
    world.primary = 2;
    world.pass(MINUTE + SECOND);
    for worker in 0..2 {
        let request = world.request(worker, None);
        assert_eq!(world.outcome(request), Some(&Outcome::Keys(2)));
    }
    world.now = UnixTime::from_secs(1_690_000_000);
    world.server = KeyServer::Silent;
    world.pass(11 * MINUTE);
    let request = world.request(0, None);
    world.pass(5 * SECOND);
    assert_eq!(world.outcome(request), Some(&Outcome::Refused(Unknown::KeysUnavailable)));
}

/// For how long keys are used after the key server has fallen silent and the clock goes back so far
/// each so often, on the clock of somebody who does not.
fn seconds_of_use(workers: usize, back: Duration, each: Duration) -> u64 {
    let mut world = World::new(workers);
    world.pass(SECOND);
    world.server = KeyServer::Silent;
    for second in 1..7200 {
        world.pass(SECOND);
        if second % each.as_secs() == 0 {
            world.now = world.now - back;
        }
        let request = world.request(0, None);
        match world.outcome(request) {
            Some(Outcome::Keys(_)) => {}
            _ => return second,
        }
    }
    panic!("the keys are used for ever");
}

#[test]
fn a_clock_that_goes_back_does_not_keep_keys_young() {
    for workers in [1, 3] {
        for (back, each) in [(55, 60), (300, 300), (600, 60), (3600, 500)] {
            let (back, each) = (Duration::from_secs(back), Duration::from_secs(each));
            let seconds = seconds_of_use(workers, back, each);
            assert!((590..=610).contains(&seconds), "{seconds} s, {back:?} back each {each:?}");
        }
    }
}

#[test]
fn keys_that_were_too_old_once_do_not_come_back_with_the_clock() {
    let mut world = World::new(2);
    world.pass(MINUTE);
    world.server = KeyServer::Silent;
    world.now = world.now - 30 * MINUTE;
    world.pass(11 * MINUTE);
    for _ in 0..40 {
        world.pass(MINUTE);
        let request = world.request(0, None);
        assert!(!matches!(world.outcome(request), Some(Outcome::Keys(_))));
    }
}

#[test]
fn keys_that_go_stale_while_they_are_confirmed_are_fetched_anew() {
    let mut world = World::with(1, r#"{"fresh":"60s","stale":"62s"}"#, 10);
    world.pass(SECOND);
    // A call is under way when the keys become too old.
    while world.under_way.is_empty() {
        world.now = world.now + Duration::from_millis(50);
        world.handle(0, Event::Tick);
    }
    world.now = world.now + 10 * SECOND;
    world.answer();
    let request = world.request(0, None);
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
    assert_eq!(world.calls.last(), Some(&None), "not conditional any more");
    assert!(!world.reports.iter().any(|report| matches!(report, Report::Failed { .. })));
}

#[test]
fn a_failure_after_another_workers_success_is_a_first_failure() {
    for workers in [2, 4, 16] {
        for up in [61, 70, 90, 120] {
            let mut world = World::new(workers);
            world.server = KeyServer::Stranger;
            world.pass(MINUTE);
            world.server = KeyServer::Up;
            world.pass(Duration::from_secs(up));
            world.server = KeyServer::Stranger;
            world.reports.clear();
            world.pass(MINUTE + SECOND);
            let Some(Report::Failed { retry_after, .. }) = world.reports.first() else {
                panic!("{:?}", world.reports)
            };
            assert!(*retry_after <= SECOND, "{retry_after:?} with {workers} workers, {up} s up");
        }
    }
}

#[test]
fn a_clock_that_leaps_forward_refuses_until_keys_are_confirmed() {
    let mut world = World::new(1);
    world.pass(SECOND);
    world.now = world.now + 100 * MINUTE;
    let request = world.request(0, None);
    assert_eq!(world.outcome(request), None);
    world.answer();
    assert_eq!(world.outcome(request), Some(&Outcome::Keys(1)));
}
