//! A simulated proxy: workers whose host calls interleave as those of threads do, the shared data between
//! them, change feeds if wanted, requests that come and go, and a key server that is slow, wrong, down, lying
//! or starting anew, under a clock that jumps. Rules are asserted after every step.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};

use super::{Action, Cache, Call, Event, Kind, Question, Record, Report, Want, Written};
use crate::config::Config;
use crate::config::example::{self, keyserver};
use crate::feed::{self, ChangeFeed};
use crate::fetch::{Answer, FetchFailure};
use crate::record::{Change, Changes, Cursor, SigningKeyRequest};
use crate::sigv4::Credential;
use crate::time::UnixTime;

/// The key server, as the tests want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Sound,
    /// It takes calls, and does not answer.
    Silent,
    /// It has no database.
    Failing,
    /// It answers all calls with 500.
    Faulty,
    Garbled,
    /// Its answers end in the middle.
    Truncating,
    OfAnotherProtocol,
    /// It answers each question with the key of another one.
    Confused,
    Unreachable,
}

impl Server {
    pub(super) const ALL: [Self; 9] = [
        Self::Sound,
        Self::Silent,
        Self::Failing,
        Self::Faulty,
        Self::Garbled,
        Self::Truncating,
        Self::OfAnotherProtocol,
        Self::Confused,
        Self::Unreachable,
    ];
}

/// One worker, and what the proxy knows of it.
pub(super) struct Worker {
    pub(super) cache: Cache,
    pub(super) under_way: BTreeMap<Call, (Credential, UnixTime)>,
    /// What each that waits wants, and of which version it must be at least.
    pub(super) parked: BTreeMap<u32, (Credential, usize)>,
    pub(super) feed: Option<ChangeFeed>,
    polls: VecDeque<(feed::Call, Option<Cursor>)>,
    /// Of which version this worker knows that each access key is, at least.
    told: BTreeMap<String, usize>,
}

pub(super) struct World {
    pub(super) workers: Vec<Worker>,
    shared: Slots,
    pub(super) config: Config,
    pub(super) now: UnixTime,
    random: u64,
    pub(super) server: Server,
    /// The access keys that exist.
    pub(super) existing: BTreeSet<String>,
    /// When the key server last vouched for a credential.
    pub(super) vouched: BTreeMap<Credential, UnixTime>,
    /// When each question was asked.
    pub(super) calls: BTreeMap<Credential, Vec<UnixTime>>,
    pub(super) answers: BTreeMap<u32, Want>,
    pub(super) reports: Vec<Report>,
    next_request: u32,
    next_seed: u64,
    /// What waits to be carried out by the worker of this number.
    busy: BTreeSet<usize>,
    has_feeds: bool,
    /// Whether the key server answers all calls but those of the feed.
    pub(super) is_feed_mute: bool,
    /// The access keys that have changed, in their order; each time they are of the next version.
    pub(super) history: Vec<String>,
    /// Which start of the key server this is, and how much it has forgotten.
    instance: (usize, usize),
    /// How many writes came too late.
    pub(super) conflicts: usize,
}

/// Shared data, as Envoy has it: what was never written takes any conditional write.
struct Slots(BTreeMap<String, (Vec<u8>, u32)>);

impl Slots {
    fn of(worker: &Worker) -> Self {
        let of_feed = worker.feed.iter().flat_map(ChangeFeed::slot_names);
        Self(worker.cache.slot_names().chain(of_feed).map(|it| (it, (Vec::new(), 1))).collect())
    }

    fn read(&self, name: &str) -> (Option<&[u8]>, u32) {
        self.0.get(name).map_or((None, 0), |(value, version)| (Some(value), *version))
    }

    fn write(&mut self, name: &str, value: Vec<u8>, version: Option<u32>) -> Written {
        let slot = self.0.get_mut(name).expect("no slot that was not there from the beginning");
        if version.is_some_and(|version| version != slot.1) {
            return Written::Conflict;
        }
        *slot = (value, slot.1 + 1);
        Written::Done
    }
}

impl World {
    pub(super) fn new(workers: usize, changes: &Value, seed: u64) -> Self {
        Self::with(workers, changes, seed, false)
    }

    /// A world in which feeds tell what changes.
    pub(super) fn with_feeds(workers: usize, changes: &Value, seed: u64) -> Self {
        Self::with(workers, changes, seed, true)
    }

    fn with(workers: usize, changes: &Value, seed: u64, has_feeds: bool) -> Self {
        let config = Config::parse(example::with(changes).as_bytes()).unwrap();
        let mut world = Self {
            shared: Slots(BTreeMap::new()),
            workers: Vec::new(),
            config,
            now: UnixTime::from_secs(1_800_000_000),
            random: seed,
            server: Server::Sound,
            existing: ["A", "B", "C", "D"].map(String::from).into(),
            vouched: BTreeMap::new(),
            calls: BTreeMap::new(),
            answers: BTreeMap::new(),
            reports: Vec::new(),
            next_request: 0,
            next_seed: seed * 1000,
            busy: BTreeSet::new(),
            has_feeds,
            is_feed_mute: false,
            history: Vec::new(),
            instance: (1, 0),
            conflicts: 0,
        };
        world.workers = (0..workers).map(|_| world.new_worker()).collect();
        world.shared = Slots::of(&world.workers[0]);
        world
    }

    fn new_worker(&mut self) -> Worker {
        self.next_seed += 1;
        let cache = Cache::new(
            Kind::AccessKey,
            &self.config,
            &keyserver(&self.config).server,
            self.next_seed,
        );
        let feed = ChangeFeed::new(keyserver(&self.config), self.next_seed);
        Worker {
            cache,
            under_way: BTreeMap::new(),
            parked: BTreeMap::new(),
            feed: Some(feed).filter(|_| self.has_feeds),
            polls: VecDeque::new(),
            told: BTreeMap::new(),
        }
    }

    /// What a record was made of becomes something else.
    pub(super) fn change(&mut self, access_key: &str) {
        self.history.push(access_key.into());
    }

    /// How often an access key had changed when so much had happened.
    fn version(&self, access_key: &str, place: usize) -> usize {
        let before = self.history.get(..place).unwrap_or_default();
        before.iter().filter(|other| *other == access_key).count()
    }

    /// A worker's VM is gone, with its requests and calls, and another takes its place.
    pub(super) fn lose(&mut self, worker: usize) {
        self.workers[worker] = self.new_worker();
    }

    /// The same configuration is loaded again: all workers are new, and shared data is not.
    pub(super) fn reload(&mut self) {
        (0..self.workers.len()).for_each(|worker| self.lose(worker));
    }

    /// The key server starts anew: nothing is heard of the calls under way.
    pub(super) fn restart_server(&mut self) {
        self.server = Server::Sound;
        self.instance = (self.instance.0 + 1, self.history.len());
        for worker in 0..self.workers.len() {
            for (call, _) in core::mem::take(&mut self.workers[worker].under_way) {
                self.begin(worker, Event::Fetched(call, Err(FetchFailure::NoAnswer)));
            }
            for (call, _) in core::mem::take(&mut self.workers[worker].polls) {
                self.hear(worker, feed::Event::Fetched(call, Err(FetchFailure::NoAnswer)));
            }
        }
        self.run();
    }

    pub(super) fn request(&mut self, worker: usize, access_key: &str, region: &str) -> u32 {
        let credential = credential(access_key, region);
        let request = self.next_request;
        self.next_request += 1;
        let least = self.workers[worker].told.get(access_key).copied().unwrap_or_default();
        let question = Question::AccessKey(credential.clone().into());
        match self.workers[worker].cache.want(self.now, request, &question) {
            Want::Parked => {
                self.workers[worker].parked.insert(request, (credential, least));
            }
            answer => self.tell(request, &credential, least, answer),
        }
        self.check(worker);
        request
    }

    fn tell(&mut self, request: u32, credential: &Credential, least: usize, answer: Want) {
        if let Want::Ready(record) = &answer {
            let Record::AccessKey(key) = record else { panic!("{record:?}") };
            let version = key.record.user.name.as_deref().map_or(0, |name| name.parse().unwrap());
            assert!(version >= least, "of version {version}, and the worker knows of {least}");
            assert_eq!(key.credential, *credential, "the key of another credential");
            let vouched = self.vouched.get(credential).expect("nobody vouched for it");
            assert!(self.now.since(*vouched) < self.config.freshness.stale, "too old");
        }
        assert!(!matches!(answer, Want::Parked));
        assert!(self.answers.insert(request, answer).is_none(), "told twice");
    }

    pub(super) fn handle(&mut self, worker: usize, event: Event<'_>) {
        self.begin(worker, event);
        self.run();
    }

    fn begin(&mut self, worker: usize, event: Event<'_>) {
        let Worker { cache, feed, .. } = &mut self.workers[worker];
        cache.handle(self.now, event, feed.as_ref());
        self.busy.insert(worker);
    }

    fn hear(&mut self, worker: usize, event: feed::Event<'_>) {
        if let Some(feed) = &mut self.workers[worker].feed {
            feed.handle(self.now, event);
            self.busy.insert(worker);
        }
    }

    /// The workers' threads take turns, one host call at a time.
    fn run(&mut self) {
        while !self.busy.is_empty() {
            let nth = self.random(self.busy.len());
            let Some(worker) = self.busy.iter().nth(nth).copied() else { return };
            // Who tells what has changed comes first, as in the filter.
            let feed = self.workers[worker].feed.as_mut();
            if let Some(action) = feed.and_then(ChangeFeed::next_action) {
                self.perform_of_feed(worker, action);
            } else if let Some(action) = self.workers[worker].cache.next_action() {
                self.perform(worker, action);
            } else {
                self.busy.remove(&worker);
                self.check(worker);
            }
        }
    }

    fn perform(&mut self, worker: usize, action: Action) {
        let Worker { cache, under_way, parked, feed, .. } = &mut self.workers[worker];
        match action {
            Action::Read { call, slot, name } => {
                let (value, version) = self.shared.read(&name);
                let event = Event::Slot { call, slot, value, version };
                cache.handle(self.now, event, feed.as_ref());
            }
            Action::Write { call, name, value, version } => {
                let outcome = self.shared.write(&name, value, version);
                self.conflicts += usize::from(outcome == Written::Conflict);
                cache.handle(self.now, Event::Written { call, outcome }, feed.as_ref());
            }
            Action::Fetch { call, question, .. } => {
                let Question::AccessKey(question) = question else { panic!("{question:?}") };
                let question = (*question).clone();
                let twice = under_way.values().any(|(other, _)| *other == question);
                assert!(!twice, "two calls of one worker for one key");
                self.calls.entry(question.clone()).or_default().push(self.now);
                if self.server == Server::Unreachable {
                    let event = Event::Fetched(call, Err(FetchFailure::NotSent));
                    cache.handle(self.now, event, feed.as_ref());
                } else {
                    under_way.insert(call, (question, self.now));
                }
            }
            Action::Resume { request, answer } => {
                // Whoever is gone is not to be told anything.
                let (credential, least) = parked.remove(&request).expect("does not wait");
                self.tell(request, &credential, least, answer);
            }
            Action::Report(report) => self.reports.push(report),
        }
    }

    fn perform_of_feed(&mut self, worker: usize, action: feed::Action) {
        let Worker { cache, feed: Some(feed), polls, .. } = &mut self.workers[worker] else {
            return;
        };
        match action {
            feed::Action::Read(slot) => {
                let (value, version) = self.shared.read(&feed.slot_name(slot));
                feed.handle(self.now, feed::Event::Slot { slot, value, version });
            }
            feed::Action::Write { slot, value, version } => {
                let outcome = self.shared.write(&feed.slot_name(slot), value, version);
                feed.handle(self.now, feed::Event::Written { slot, outcome });
            }
            feed::Action::Fetch { call, .. } if self.server == Server::Unreachable => {
                let event = feed::Event::Fetched(call, Err(FetchFailure::NotSent));
                feed.handle(self.now, event);
            }
            feed::Action::Fetch { call, after } => polls.push_back((call, after)),
            feed::Action::Changed { changes, .. } => {
                cache.changed(self.now, &changes);
                let place = feed.cursor().map_or(0, place);
                for change in &changes {
                    let Some(access_key) = change.id() else { continue };
                    let version = self.version(access_key, place);
                    self.workers[worker].told.insert(access_key.into(), version);
                }
            }
            feed::Action::Report(_) => {}
        }
    }

    pub(super) fn tick(&mut self) {
        for worker in 0..self.workers.len() {
            self.hear(worker, feed::Event::Tick);
            self.begin(worker, Event::Tick);
        }
        self.run();
    }

    /// Time passes, and every worker looks at the clock.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
        // Nothing is heard of a call that takes too long.
        let longest = keyserver(&self.config).server.timeout * 2;
        for worker in &mut self.workers {
            worker.under_way.retain(|_, (_, since)| self.now.since(*since) < longest);
            if self.server == Server::Silent {
                worker.polls.clear();
            }
        }
        self.tick();
    }

    /// The clock is set back. What was vouched for does not get younger by that.
    pub(super) fn set_back(&mut self, back: Duration) {
        self.now = self.now - back;
        let calls = self.workers.iter_mut().flat_map(|worker| worker.under_way.values_mut());
        let times = calls.map(|(_, since)| since).chain(self.vouched.values_mut());
        times.for_each(|time| *time = *time - back);
        self.tick();
    }

    /// The server answers all that is under way, in its present mood.
    pub(super) fn answer(&mut self) {
        (0..self.workers.len()).for_each(|worker| self.begin_answers(worker));
        self.run();
    }

    pub(super) fn answer_calls_of(&mut self, worker: usize) {
        self.begin_answers(worker);
        self.run();
    }

    fn begin_answers(&mut self, worker: usize) {
        if matches!(self.server, Server::Silent | Server::Unreachable) {
            return;
        }
        for (call, after) in core::mem::take(&mut self.workers[worker].polls) {
            self.answer_poll(worker, call, after.as_ref());
        }
        for (call, (question, _)) in core::mem::take(&mut self.workers[worker].under_way) {
            let exists = self.existing.contains(&question.access_key);
            let (status, mut body) = match self.server {
                Server::Failing => ("503", String::new()),
                Server::Faulty => ("500", String::new()),
                Server::Garbled => ("200", "{\"signing_key\": 7}".into()),
                Server::Confused => ("200", key(&credential("A", "another"))),
                _ if exists => ("200", self.key(&question)),
                _ => ("404", r#"{"error":{"reason":"access_key_unknown"}}"#.into()),
            };
            if self.server == Server::Truncating {
                body.truncate(body.len() / 2);
            }
            if self.server == Server::Sound && exists {
                self.vouched.insert(question, self.now);
            }
            let (status, protocol) = (status.as_bytes(), Some(self.protocol()));
            let answer = Answer { status, protocol, body: body.as_bytes(), ..Answer::default() };
            self.begin(worker, Event::Fetched(call, Ok(answer)));
        }
    }

    fn protocol(&self) -> &'static [u8] {
        if self.server == Server::OfAnotherProtocol { b"2" } else { b"1" }
    }

    /// The answer about an access key as it is now.
    fn key(&self, credential: &Credential) -> String {
        let version = self.version(&credential.access_key, self.history.len());
        let mut answer: Value = serde_json::from_str(&key(credential)).unwrap();
        answer["credential"]["user"]["name"] = version.to_string().into();
        answer.to_string()
    }

    fn answer_poll(&mut self, worker: usize, call: feed::Call, after: Option<&Cursor>) {
        if self.is_feed_mute {
            return;
        }
        let ((instance, oldest), end) = (self.instance, self.history.len());
        let cursor = Cursor::new(&format!("{instance}.{end}")).unwrap();
        let prefix = format!("{instance}.");
        let known = after.filter(|after| after.as_str().starts_with(&prefix)).map(place);
        let is_gone = after.is_some() && known.is_none_or(|place| place < oldest);
        let untold = known.and_then(|place| self.history.get(place..)).unwrap_or_default();
        let changes = untold.iter().cloned().map(Change::AccessKey).collect();
        let (status, body) = match self.server {
            Server::Failing => ("503", String::new()),
            Server::Faulty => ("500", String::new()),
            Server::Garbled => ("200", "7".into()),
            Server::Truncating => ("200", r#"{"cursor":"#.into()),
            _ if is_gone => ("410", "{}".into()),
            _ => ("200", Changes { cursor, more: false, changes }.to_json()),
        };
        let (status, protocol) = (status.as_bytes(), Some(self.protocol()));
        let answer = Answer { status, protocol, body: body.as_bytes(), ..Answer::default() };
        self.hear(worker, feed::Event::Fetched(call, Ok(answer)));
    }

    pub(super) fn answer_call(
        &mut self,
        worker: usize,
        call: Call,
        status: &str,
        protocol: &[u8],
        body: &str,
    ) {
        let (status, body) = (status.as_bytes(), body.as_bytes());
        let answer = Answer { status, protocol: Some(protocol), body, ..Answer::default() };
        self.handle(worker, Event::Fetched(call, Ok(answer)));
    }

    /// Time for all that is under way to come to an end, if the server is sound.
    pub(super) fn settle(&mut self) {
        for _ in 0..4 {
            self.pass(Duration::from_millis(50));
            self.answer();
        }
    }

    pub(super) fn leave(&mut self, worker: usize, request: u32) {
        if self.workers[worker].parked.remove(&request).is_some() {
            self.handle(worker, Event::Gone(request));
        }
    }

    fn check(&self, worker: usize) {
        let limits = &self.config.limits;
        let Worker { cache, under_way, parked, feed, .. } = &self.workers[worker];
        assert!(under_way.len() <= limits.calls);
        assert!(parked.len() <= limits.parked);
        assert_eq!(cache.waiting(), parked.len());
        assert!(cache.record_count() <= limits.entries);
        let of_feed = feed.iter().flat_map(ChangeFeed::slot_names).count();
        assert_eq!(self.shared.0.len(), limits.shared_entries + of_feed);
    }

    /// In the end nobody waits and nothing is under way.
    pub(super) fn assert_calm(&self) {
        for Worker { cache, under_way, parked, .. } in &self.workers {
            assert!(parked.is_empty() && under_way.is_empty());
            assert_eq!(cache.next_tick(), Duration::from_secs(1));
        }
    }

    /// What a request was told, in a word.
    pub(super) fn word(&self, request: u32) -> &'static str {
        match self.answers.get(&request) {
            None => "waits",
            Some(Want::Ready(_)) => "ready",
            Some(Want::Denied(fault)) => fault.reason(),
            Some(Want::Refused { cause, .. }) => cause.reason(),
            Some(Want::Parked) => "parked",
        }
    }

    pub(super) fn all_calls(&self) -> usize {
        self.calls.values().map(Vec::len).sum()
    }

    pub(super) fn random(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.random >> 40).unwrap() % below
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.random(all.len())]
    }

    pub(super) fn random_time(&mut self, below: Duration) -> Duration {
        let millis = self.random(usize::try_from(below.as_millis()).unwrap());
        Duration::from_millis(u64::try_from(millis).unwrap())
    }
}

fn place(cursor: &Cursor) -> usize {
    cursor.as_str().split_once('.').unwrap().1.parse().unwrap()
}

pub(super) fn credential(access_key: &str, region: &str) -> Credential {
    Credential::from_parts(access_key, b"20270115", region, "s3").unwrap()
}

pub(super) fn key(credential: &Credential) -> String {
    let mut answer: Value =
        serde_json::from_str(&SigningKeyRequest::new(credential).to_json()).unwrap();
    answer["signing_key"] = "ab".repeat(32).into();
    answer["credential"] = json!({"user": {"id": "u"}, "roles": []});
    answer.to_string()
}
