//! A simulated world: one worker's store, requests that come and go, a key server that is slow,
//! wrong, down or lying, a clock that jumps. Rules are asserted after every step.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{AccessKeyStore, Action, Call, Event, Report, Want};
use crate::config::{Config, example};
use crate::fetch::{Answer, FetchFailure};
use crate::keys::Written;
use crate::record::{AccessKeyFault, SigningKeyRequest};
use crate::refusal::Unknown;
use crate::sigv4::Credential;
use crate::time::UnixTime;

/// The key server, as the tests want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Sound,
    Silent,
    Failing,
    Garbled,
    OfAnotherProtocol,
    Unreachable,
}

struct World {
    store: AccessKeyStore,
    shared: Slots,
    config: Config,
    now: UnixTime,
    random: u64,
    server: Server,
    /// The access keys that exist.
    existing: BTreeSet<String>,
    under_way: BTreeMap<Call, (SigningKeyRequest, UnixTime)>,
    parked: BTreeMap<u32, Credential>,
    answers: BTreeMap<u32, Want>,
    /// When the key server last vouched for a credential.
    vouched: BTreeMap<Credential, UnixTime>,
    calls: usize,
    reports: Vec<Report>,
    next_request: u32,
}

/// Shared data, as Envoy has it: what was never written takes any conditional write.
#[derive(Default)]
pub(super) struct Slots(BTreeMap<String, (Vec<u8>, u32)>);

impl Slots {
    pub(super) fn of(store: &AccessKeyStore) -> Self {
        Self(store.slot_names().map(|name| (name, (Vec::new(), 1))).collect())
    }

    pub(super) fn read(&self, name: &str) -> (Option<&[u8]>, u32) {
        self.0.get(name).map_or((None, 0), |(value, version)| (Some(value), *version))
    }

    pub(super) fn write(&mut self, name: &str, value: Vec<u8>, version: Option<u32>) -> Written {
        let count = self.0.len();
        let slot = self.0.get_mut(name).expect("no slot that was not there from the beginning");
        if version.is_some_and(|version| version != slot.1) {
            return Written::Conflict;
        }
        *slot = (value, slot.1 + 1);
        assert_eq!(self.0.len(), count);
        Written::Done
    }
}

impl World {
    fn new(changes: &Value, seed: u64) -> Self {
        let config = Config::parse(example::with(changes).as_bytes()).unwrap();
        Self {
            shared: Slots::of(&AccessKeyStore::new(&config, seed)),
            store: AccessKeyStore::new(&config, seed),
            config,
            now: UnixTime::from_secs(1_800_000_000),
            random: seed,
            server: Server::Sound,
            existing: ["A", "B", "C"].map(String::from).into(),
            under_way: BTreeMap::new(),
            parked: BTreeMap::new(),
            answers: BTreeMap::new(),
            vouched: BTreeMap::new(),
            calls: 0,
            reports: Vec::new(),
            next_request: 0,
        }
    }

    fn request(&mut self, access_key: &str, region: &str) -> u32 {
        let credential = credential(access_key, region);
        let request = self.next_request;
        self.next_request += 1;
        match self.store.want(self.now, request, &credential) {
            Want::Parked => {
                self.parked.insert(request, credential);
            }
            answer => self.told(request, &credential, answer),
        }
        self.check();
        request
    }

    fn told(&mut self, request: u32, credential: &Credential, answer: Want) {
        if let Want::Ready(key) = &answer {
            assert_eq!(key.credential, *credential, "the key of another credential");
            let vouched = self.vouched.get(credential).expect("nobody vouched for it");
            assert!(self.now.since(*vouched) < self.config.freshness.stale, "too old");
        }
        assert!(!matches!(answer, Want::Parked));
        assert!(self.answers.insert(request, answer).is_none(), "told twice");
    }

    fn handle(&mut self, event: Event<'_>) {
        self.store.handle(self.now, event, None);
        while let Some(action) = self.store.next_action() {
            match action {
                Action::Read { call, slot, name } => {
                    let (value, version) = self.shared.read(&name);
                    let event = Event::Slot { call, slot, value, version };
                    self.store.handle(self.now, event, None);
                }
                Action::Write { call, name, value, version } => {
                    let outcome = self.shared.write(&name, value, version);
                    self.store.handle(self.now, Event::Written { call, outcome }, None);
                }
                Action::Fetch { call, question: request, .. } => {
                    self.calls += 1;
                    let twice = self.under_way.values().any(|(other, _)| *other == request);
                    assert!(!twice, "two calls for one key");
                    if self.server == Server::Unreachable {
                        self.store.handle(
                            self.now,
                            Event::Fetched(call, Err(FetchFailure::NotSent)),
                            None,
                        );
                    } else {
                        self.under_way.insert(call, (request, self.now));
                    }
                }
                Action::Resume { request, answer } => {
                    // Whoever is gone is not to be told anything.
                    let credential = self.parked.remove(&request).expect("does not wait");
                    self.told(request, &credential, answer);
                }
                Action::Report(report) => self.reports.push(report),
            }
        }
        self.check();
    }

    fn tick(&mut self) {
        self.handle(Event::Tick);
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
        // Nothing is heard of a call that takes too long.
        let longest = self.config.keyserver.timeout * 2;
        self.under_way.retain(|_, (_, since)| self.now.since(*since) < longest);
        self.tick();
    }

    /// The server answers all that is under way, in its present mood.
    fn answer(&mut self) {
        for (call, (request, since)) in core::mem::take(&mut self.under_way) {
            let exists = self.existing.contains(&request.access_key);
            let (status, body) = match self.server {
                Server::Silent => {
                    self.under_way.insert(call, (request, since));
                    continue;
                }
                Server::Failing | Server::Unreachable => ("503", "{}".into()),
                Server::Garbled => ("200", "{\"signing_key\": 7}".into()),
                Server::Sound | Server::OfAnotherProtocol if exists => ("200", key(&request)),
                Server::Sound | Server::OfAnotherProtocol => {
                    ("404", r#"{"error":{"reason":"access_key_unknown"}}"#.into())
                }
            };
            let protocol = if self.server == Server::OfAnotherProtocol { &b"2"[..] } else { b"1" };
            if self.server == Server::Sound && exists {
                self.vouched.insert(request.credential().unwrap(), self.now);
            }
            let answer = Answer {
                status: status.as_bytes(),
                protocol: Some(protocol),
                etag: None,
                body: body.as_bytes(),
            };
            self.handle(Event::Fetched(call, Ok(answer)));
        }
    }

    fn leave(&mut self, request: u32) {
        if self.parked.remove(&request).is_some() {
            self.handle(Event::Gone(request));
        }
    }

    fn check(&self) {
        let limits = &self.config.limits;
        assert!(self.under_way.len() <= limits.calls);
        assert!(self.parked.len() <= limits.parked);
        assert_eq!(self.store.waiting(), self.parked.len());
        assert!(self.store.key_count() <= limits.entries);
    }

    /// What a request was told, in a word.
    fn word(&self, request: u32) -> &'static str {
        match self.answers.get(&request) {
            None => "waits",
            Some(Want::Ready(_)) => "ready",
            Some(Want::Denied(fault)) => fault.reason(),
            Some(Want::Refused { cause, .. }) => cause.reason(),
            Some(Want::Parked) => "parked",
        }
    }

    fn random(&mut self, below: u32) -> u32 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(self.random >> 33).unwrap() % below
    }

    fn one_of<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        let nth = self.random(u32::try_from(N).unwrap());
        all[usize::try_from(nth).unwrap()]
    }
}

pub(super) fn credential(access_key: &str, region: &str) -> Credential {
    Credential::from_parts(access_key, b"20270115", region, "s3").unwrap()
}

pub(super) fn key(request: &SigningKeyRequest) -> String {
    let mut answer: Value = serde_json::from_str(&request.to_json()).unwrap();
    answer["signing_key"] = "ab".repeat(32).into();
    answer["credential"] = json!({"user": {"id": "u"}, "roles": []});
    answer.to_string()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn one_call_serves_all_who_want_the_same_key() {
    let mut world = World::new(&json!({}), 1);
    let requests: Vec<_> = (0..7).map(|_| world.request("A", "r")).collect();
    world.tick();
    world.answer();
    assert!(requests.iter().all(|request| world.word(*request) == "ready"));
    assert_eq!(world.calls, 1);
    let later = world.request("A", "r");
    assert_eq!((world.word(later), world.calls), ("ready", 1));
    assert_eq!(world.reports, [Report::Fetched]);
}

#[test]
fn an_unknown_access_key_costs_one_call_whatever_else_is_new() {
    let mut world = World::new(&json!({"cache": {"negative": "30s"}}), 1);
    let first = world.request("nobody", "r");
    world.tick();
    world.answer();
    assert_eq!(world.word(first), "access_key_unknown");
    for region in 0..1000 {
        let request = world.request("nobody", &format!("r{region}"));
        assert_eq!(world.word(request), "access_key_unknown");
    }
    world.tick();
    assert_eq!(world.calls, 1);
    world.pass(SECOND * 30);
    let request = world.request("nobody", "r");
    world.tick();
    assert_eq!((world.word(request), world.calls), ("waits", 2));
}

#[test]
fn a_known_access_key_with_ever_new_regions_costs_a_configured_number() {
    let mut world = World::new(&json!({"limits": {"scopes_per_access_key": 4}}), 1);
    for region in 0..100 {
        let request = world.request("A", &format!("r{region}"));
        world.tick();
        world.answer();
        let expected = if region < 4 { "ready" } else { "too_many_calls" };
        assert_eq!(world.word(request), expected);
    }
    assert_eq!(world.calls, 4);
    // Nobody else suffers, and neither do the regions that were there.
    let others = [world.request("A", "r3"), world.request("B", "r")];
    world.tick();
    world.answer();
    assert_eq!(others.map(|request| world.word(request)), ["ready"; 2]);
}

#[test]
fn a_flood_of_access_keys_costs_a_configured_number_of_calls() {
    let changes = json!({"limits": {"calls_per_second": 10}, "cache": {"entries": 50}});
    let mut world = World::new(&changes, 1);
    let known = world.request("A", "r");
    world.tick();
    world.answer();
    for second in 0..20 {
        for request in 0..500 {
            world.request(&format!("k{second}x{request}"), "r");
        }
        world.tick();
        world.answer();
        let request = world.request("A", "r");
        assert_eq!(world.word(request), "ready");
        world.pass(SECOND);
    }
    assert_eq!(world.word(known), "ready");
    assert!((200..=210).contains(&world.calls), "{}", world.calls);
}

#[test]
fn a_key_in_use_is_fetched_anew_while_it_serves() {
    let mut world = World::new(&json!({"cache": {"fresh": "10s", "stale": "60s"}}), 1);
    world.request("A", "r");
    world.tick();
    world.answer();
    world.pass(SECOND * 11);
    let behind = [world.request("A", "r"), world.request("A", "r")];
    world.tick();
    assert_eq!(behind.map(|request| world.word(request)), ["ready"; 2]);
    assert_eq!(world.calls, 2);
    world.answer();
    world.pass(SECOND * 9);
    assert_eq!((world.request("A", "r"), world.calls), (3, 2));
    // After twice as long nobody is served by what was not asked for again.
    world.pass(SECOND * 21);
    let request = world.request("A", "r");
    assert_eq!(world.word(request), "waits");
}

#[test]
fn a_key_that_is_no_more_is_refused_with_the_next_answer() {
    let mut world = World::new(&json!({"cache": {"fresh": "10s", "stale": "60s"}}), 1);
    world.request("A", "r");
    world.tick();
    world.answer();
    world.existing.remove("A");
    world.pass(SECOND * 11);
    let last = world.request("A", "r");
    world.tick();
    world.answer();
    let next = world.request("A", "r");
    assert_eq!([last, next].map(|it| world.word(it)), ["ready", "access_key_unknown"]);
    assert_eq!(world.store.key_count(), 0);
}

#[test]
fn while_the_key_server_fails_keys_serve_until_they_are_stale() {
    for server in [
        Server::Failing,
        Server::Garbled,
        Server::Unreachable,
        Server::OfAnotherProtocol,
        Server::Silent,
    ] {
        let mut world = World::new(&json!({"cache": {"fresh": "10s", "stale": "60s"}}), 1);
        world.request("A", "r");
        world.tick();
        world.answer();
        world.server = server;
        for _ in 0..55 {
            world.pass(SECOND);
            let request = world.request("A", "r");
            for _ in 0..4 {
                world.tick();
                world.answer();
                world.pass(SECOND / 20);
            }
            let mut patience = 0;
            while world.word(request) == "waits" {
                world.pass(SECOND / 2);
                world.answer();
                patience += 1;
                assert!(patience < 20, "{server:?}");
            }
            let age = world.now.since(world.vouched[&credential("A", "r")]);
            let told = world.word(request);
            assert!(age > SECOND * 57 || told == "ready", "{server:?} {age:?} {told}");
            assert!(age < SECOND * 63 || told == "keys_unavailable", "{server:?} {age:?} {told}");
        }
        world.pass(SECOND * 30);
        let request = world.request("A", "r");
        for _ in 0..6 {
            world.pass(SECOND);
            world.answer();
        }
        assert_eq!(world.word(request), "keys_unavailable", "{server:?}");
        world.server = Server::Sound;
        world.pass(SECOND * 16);
        let request = world.request("A", "r");
        world.tick();
        world.answer();
        world.tick();
        world.answer();
        assert_eq!(world.word(request), "ready", "{server:?}");
    }
}

#[test]
fn an_answer_without_sense_is_about_its_question_only() {
    let mut world = World::new(&json!({}), 1);
    world.server = Server::Garbled;
    let request = world.request("A", "r");
    world.tick();
    world.answer();
    assert_eq!(world.word(request), "keys_unavailable");
    let again = world.request("A", "r");
    world.tick();
    assert_eq!((world.word(again), world.calls), ("keys_unavailable", 1));
    world.server = Server::Sound;
    let other = world.request("B", "r");
    world.tick();
    world.answer();
    assert_eq!(world.word(other), "ready");
}

#[test]
fn an_answer_without_sense_takes_no_key_that_is_held() {
    let mut world = World::new(&json!({}), 1);
    world.request("A", "r");
    world.tick();
    world.answer();
    world.server = Server::Garbled;
    let odd = world.request("A", "odd");
    world.tick();
    world.answer();
    assert_eq!(world.word(odd), "keys_unavailable");
    // Whoever knows an access key can ask for odd things in its name.
    let request = world.request("A", "r");
    assert_eq!(world.word(request), "ready");
}

#[test]
fn who_is_gone_is_not_told_and_costs_no_call() {
    let mut world = World::new(&json!({"limits": {"calls": 1}}), 1);
    let first = world.request("A", "r");
    world.tick();
    let second = world.request("B", "r");
    world.leave(first);
    world.leave(second);
    world.answer();
    world.tick();
    assert_eq!(world.calls, 1);
    assert!(world.answers.is_empty());
    assert!(!world.store.is_busy());
    // What was fetched for nobody is there for the next.
    let request = world.request("A", "r");
    assert_eq!(world.word(request), "ready");
}

#[test]
fn no_more_wait_than_may() {
    let mut world = World::new(&json!({"limits": {"parked": 3}}), 1);
    let requests: Vec<_> = (0..5).map(|_| world.request("A", "r")).collect();
    let words: Vec<_> = requests.iter().map(|request| world.word(*request)).collect();
    assert_eq!(words, ["waits", "waits", "waits", "too_many_waiting", "too_many_waiting"]);
    assert!(matches!(world.answers[&4], Want::Refused { cause: Unknown::TooManyWaiting, .. }));
}

#[test]
fn an_access_key_ends_when_its_record_says() {
    let mut world = World::new(&json!({}), 1);
    let request = world.request("A", "r");
    world.tick();
    let (call, (question, _)) = world.under_way.pop_first().unwrap();
    let mut answer: Value = serde_json::from_str(&key(&question)).unwrap();
    answer["credential"]["expires_at"] = (world.now.as_secs() + 5).into();
    let body = answer.to_string();
    world.vouched.insert(credential("A", "r"), world.now);
    world.handle(Event::Fetched(
        call,
        Ok(Answer { status: b"200", protocol: Some(b"1"), etag: None, body: body.as_bytes() }),
    ));
    assert_eq!(world.word(request), "ready");
    world.pass(SECOND * 5);
    let request = world.request("A", "r");
    assert_eq!(world.word(request), AccessKeyFault::AccessKeyExpired.reason());
}

#[test]
fn whatever_happens_everybody_is_told_once_and_nobody_too_much() {
    for seed in 0..300 {
        let mut world = World::new(
            &json!({
                "limits": {"parked": 20, "calls": 3, "calls_per_second": 20,
                    "scopes_per_access_key": 3},
                "cache": {"entries": 5, "fresh": "5s", "stale": "20s", "negative": "3s"},
            }),
            seed,
        );
        for _ in 0..400 {
            match world.random(12) {
                0..=4 => {
                    let access_key = world.one_of(["A", "B", "C", "D", "E"]);
                    let region = world.random(4).to_string();
                    world.request(access_key, &region);
                }
                5 | 6 => world.answer(),
                7 => {
                    let millis = world.random(2000);
                    world.pass(Duration::from_millis(millis.into()));
                }
                8 => {
                    let back = Duration::from_secs(world.random(30).into());
                    if world.random(10) == 0 {
                        world.now = world.now - back;
                        // What was vouched for does not get younger either.
                        for vouched in world.vouched.values_mut() {
                            *vouched = *vouched - back;
                        }
                        for (_, since) in world.under_way.values_mut() {
                            *since = *since - back;
                        }
                    }
                    world.tick();
                }
                9 => {
                    let nth = usize::try_from(world.random(20)).unwrap();
                    if let Some(request) = world.parked.keys().nth(nth).copied() {
                        world.leave(request);
                    }
                }
                10 => {
                    world.server = world.one_of([
                        Server::Sound,
                        Server::Sound,
                        Server::Silent,
                        Server::Failing,
                        Server::Garbled,
                        Server::OfAnotherProtocol,
                        Server::Unreachable,
                    ]);
                }
                _ => {
                    let access_key = world.one_of(["A", "B"]);
                    if !world.existing.remove(access_key) {
                        world.existing.insert(access_key.into());
                    }
                }
            }
        }
        world.server = Server::Sound;
        for _ in 0..40 {
            world.pass(SECOND);
            world.answer();
        }
        assert!(world.parked.is_empty(), "seed {seed}");
        assert!(!world.store.is_busy(), "seed {seed}");
    }
}
