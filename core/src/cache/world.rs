//! A simulated proxy: workers with one shared data, requests that come and go, and a key server that
//! is slow, wrong, down, lying or starting anew, under a clock that jumps. Rules are asserted after
//! every step.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};

use super::{Action, Cache, Call, Event, Kind, Question, Record, Report, Want, Written};
use crate::config::Config;
use crate::config::example::{self, keyserver};
use crate::fetch::{Answer, FetchFailure};
use crate::record::SigningKeyRequest;
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
    pub(super) parked: BTreeMap<u32, Credential>,
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
}

/// Shared data, as Envoy has it: what was never written takes any conditional write.
struct Slots(BTreeMap<String, (Vec<u8>, u32)>);

impl Slots {
    fn of(cache: &Cache) -> Self {
        Self(cache.slot_names().map(|name| (name, (Vec::new(), 1))).collect())
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
        let config = Config::parse(example::with(changes).as_bytes()).unwrap();
        let mut world = Self {
            shared: Slots::of(&Cache::new(
                Kind::AccessKey,
                &config,
                &keyserver(&config).server,
                seed,
            )),
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
        };
        world.workers = (0..workers).map(|_| world.new_worker()).collect();
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
        Worker { cache, under_way: BTreeMap::new(), parked: BTreeMap::new() }
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
        for worker in 0..self.workers.len() {
            for (call, _) in core::mem::take(&mut self.workers[worker].under_way) {
                self.handle(worker, Event::Fetched(call, Err(FetchFailure::NoAnswer)));
            }
        }
    }

    pub(super) fn request(&mut self, worker: usize, access_key: &str, region: &str) -> u32 {
        let credential = credential(access_key, region);
        let request = self.next_request;
        self.next_request += 1;
        match self.workers[worker].cache.want(
            self.now,
            request,
            &Question::AccessKey(credential.clone().into()),
        ) {
            Want::Parked => {
                self.workers[worker].parked.insert(request, credential);
            }
            answer => self.tell(request, &credential, answer),
        }
        self.check(worker);
        request
    }

    fn tell(&mut self, request: u32, credential: &Credential, answer: Want) {
        if let Want::Ready(record) = &answer {
            let Record::AccessKey(key) = record else { panic!("{record:?}") };
            assert_eq!(key.credential, *credential, "the key of another credential");
            let vouched = self.vouched.get(credential).expect("nobody vouched for it");
            assert!(self.now.since(*vouched) < self.config.freshness.stale, "too old");
        }
        assert!(!matches!(answer, Want::Parked));
        assert!(self.answers.insert(request, answer).is_none(), "told twice");
    }

    pub(super) fn handle(&mut self, worker: usize, event: Event<'_>) {
        self.workers[worker].cache.handle(self.now, event, None);
        while let Some(action) = self.workers[worker].cache.next_action() {
            let Worker { cache, under_way, parked } = &mut self.workers[worker];
            match action {
                Action::Read { call, slot, name } => {
                    let (value, version) = self.shared.read(&name);
                    cache.handle(self.now, Event::Slot { call, slot, value, version }, None);
                }
                Action::Write { call, name, value, version } => {
                    let outcome = self.shared.write(&name, value, version);
                    cache.handle(self.now, Event::Written { call, outcome }, None);
                }
                Action::Fetch { call, question, .. } => {
                    let Question::AccessKey(question) = question else { panic!("{question:?}") };
                    let question = (*question).clone();
                    let twice = under_way.values().any(|(other, _)| *other == question);
                    assert!(!twice, "two calls of one worker for one key");
                    self.calls.entry(question.clone()).or_default().push(self.now);
                    if self.server == Server::Unreachable {
                        let event = Event::Fetched(call, Err(FetchFailure::NotSent));
                        cache.handle(self.now, event, None);
                    } else {
                        under_way.insert(call, (question, self.now));
                    }
                }
                Action::Resume { request, answer } => {
                    // Whoever is gone is not to be told anything.
                    let credential = parked.remove(&request).expect("does not wait");
                    self.tell(request, &credential, answer);
                }
                Action::Report(report) => self.reports.push(report),
            }
        }
        self.check(worker);
    }

    pub(super) fn tick(&mut self) {
        (0..self.workers.len()).for_each(|worker| self.handle(worker, Event::Tick));
    }

    /// Time passes, and every worker looks at the clock.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
        // Nothing is heard of a call that takes too long.
        let longest = keyserver(&self.config).server.timeout * 2;
        for worker in &mut self.workers {
            worker.under_way.retain(|_, (_, since)| self.now.since(*since) < longest);
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
        (0..self.workers.len()).for_each(|worker| self.answer_calls_of(worker));
    }

    pub(super) fn answer_calls_of(&mut self, worker: usize) {
        if matches!(self.server, Server::Silent | Server::Unreachable) {
            return;
        }
        for (call, (question, _)) in core::mem::take(&mut self.workers[worker].under_way) {
            let exists = self.existing.contains(&question.access_key);
            let (status, mut body) = match self.server {
                Server::Failing => ("503", String::new()),
                Server::Faulty => ("500", String::new()),
                Server::Garbled => ("200", "{\"signing_key\": 7}".into()),
                Server::Confused => ("200", key(&credential("A", "another"))),
                _ if exists => ("200", key(&question)),
                _ => ("404", r#"{"error":{"reason":"access_key_unknown"}}"#.into()),
            };
            if self.server == Server::Truncating {
                body.truncate(body.len() / 2);
            }
            if self.server == Server::Sound && exists {
                self.vouched.insert(question, self.now);
            }
            let protocol = if self.server == Server::OfAnotherProtocol { &b"2"[..] } else { b"1" };
            self.answer_call(worker, call, status, protocol, &body);
        }
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
        let Worker { cache, under_way, parked } = &self.workers[worker];
        assert!(under_way.len() <= limits.calls);
        assert!(parked.len() <= limits.parked);
        assert_eq!(cache.waiting(), parked.len());
        assert!(cache.record_count() <= limits.entries);
        assert_eq!(self.shared.0.len(), limits.shared_entries);
    }

    /// In the end nobody waits and nothing is under way.
    pub(super) fn assert_calm(&self) {
        for Worker { cache, under_way, parked } in &self.workers {
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
