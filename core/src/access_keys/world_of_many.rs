//! A simulated proxy: many workers with one shared data, before one key server that is slow, wrong,
//! down or starting anew, under a clock that jumps. Rules are asserted after every step.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::world::{Slots, credential, key};
use super::{AccessKeyStore, Action, Call, Event, Want};
use crate::config::{Config, example};
use crate::fetch::{Answer, FetchFailure};
use crate::record::SigningKeyRequest;
use crate::sigv4::Credential;
use crate::time::UnixTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Sound,
    Silent,
    Failing,
    Garbled,
    Unreachable,
}

/// One worker, and what the proxy knows of it.
struct Worker {
    store: AccessKeyStore,
    under_way: BTreeMap<Call, (SigningKeyRequest, UnixTime)>,
    parked: BTreeMap<u32, Credential>,
}

struct Proxy {
    workers: Vec<Worker>,
    shared: Slots,
    config: Config,
    now: UnixTime,
    random: u64,
    server: Server,
    existing: BTreeSet<String>,
    vouched: BTreeMap<Credential, UnixTime>,
    /// When each question was asked.
    calls: BTreeMap<String, Vec<UnixTime>>,
    told: BTreeMap<u32, &'static str>,
    next_request: u32,
}

impl Proxy {
    fn new(workers: u64, changes: &Value, seed: u64) -> Self {
        let config = Config::parse(example::with(changes).as_bytes()).unwrap();
        let stores = (0..workers).map(|n| AccessKeyStore::new(&config, seed * 1000 + n));
        let workers: Vec<_> = stores
            .map(|store| Worker { store, under_way: BTreeMap::new(), parked: BTreeMap::new() })
            .collect();
        Self {
            shared: Slots::of(&workers[0].store),
            workers,
            config,
            now: UnixTime::from_secs(1_800_000_000),
            random: seed,
            server: Server::Sound,
            existing: ["A", "B", "C", "D"].map(String::from).into(),
            vouched: BTreeMap::new(),
            calls: BTreeMap::new(),
            told: BTreeMap::new(),
            next_request: 0,
        }
    }

    fn request(&mut self, worker: usize, access_key: &str, region: &str) -> u32 {
        let credential = credential(access_key, region);
        let request = self.next_request;
        self.next_request += 1;
        match self.workers[worker].store.want(self.now, request, &credential) {
            Want::Parked => {
                self.workers[worker].parked.insert(request, credential);
            }
            answer => self.tell(request, &credential, &answer),
        }
        request
    }

    fn tell(&mut self, request: u32, credential: &Credential, answer: &Want) {
        let word = match answer {
            Want::Ready(key) => {
                assert_eq!(key.credential, *credential, "the key of another credential");
                let vouched = self.vouched.get(credential).expect("nobody vouched for it");
                assert!(self.now.since(*vouched) < self.config.freshness.stale, "too old");
                "ready"
            }
            Want::Denied(fault) => fault.reason(),
            Want::Refused { cause, .. } => cause.reason(),
            Want::Parked => panic!("parked for good"),
        };
        assert!(self.told.insert(request, word).is_none(), "told twice");
    }

    fn handle(&mut self, worker: usize, event: Event<'_>) {
        self.workers[worker].store.handle(self.now, event, None);
        while let Some(action) = self.workers[worker].store.next_action() {
            let Worker { store, under_way, parked } = &mut self.workers[worker];
            match action {
                Action::Read { call, slot, name } => {
                    let (value, version) = self.shared.read(&name);
                    store.handle(self.now, Event::Slot { call, slot, value, version }, None);
                }
                Action::Write { call, name, value, version } => {
                    let outcome = self.shared.write(&name, value, version);
                    store.handle(self.now, Event::Written { call, outcome }, None);
                }
                Action::Fetch { call, question: request, .. } => {
                    self.calls.entry(request.to_json()).or_default().push(self.now);
                    if self.server == Server::Unreachable {
                        store.handle(
                            self.now,
                            Event::Fetched(call, Err(FetchFailure::NotSent)),
                            None,
                        );
                    } else {
                        under_way.insert(call, (request, self.now));
                    }
                }
                Action::Resume { request, answer } => {
                    let credential = parked.remove(&request).expect("does not wait");
                    self.tell(request, &credential, &answer);
                }
                Action::Report(_) => {}
            }
        }
        let Worker { store, under_way, parked } = &self.workers[worker];
        assert!(under_way.len() <= self.config.limits.calls);
        assert!(parked.len() <= self.config.limits.parked);
        assert_eq!(store.waiting(), parked.len());
        assert!(store.key_count() <= self.config.limits.entries);
    }

    /// Time passes, and every worker looks at the clock.
    fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
        let longest = self.config.keyserver.timeout * 2;
        for worker in 0..self.workers.len() {
            let now = self.now;
            self.workers[worker].under_way.retain(|_, (_, since)| now.since(*since) < longest);
            self.handle(worker, Event::Tick);
        }
    }

    /// The server answers all that is under way, in its present mood.
    fn answer(&mut self) {
        for worker in 0..self.workers.len() {
            for (call, (request, since)) in core::mem::take(&mut self.workers[worker].under_way) {
                let exists = self.existing.contains(&request.access_key);
                let (status, body) = match self.server {
                    Server::Silent => {
                        self.workers[worker].under_way.insert(call, (request, since));
                        continue;
                    }
                    Server::Failing | Server::Unreachable => ("500", String::new()),
                    Server::Garbled => ("200", "{".into()),
                    Server::Sound if exists => ("200", key(&request)),
                    Server::Sound => ("404", r#"{"error":{"reason":"access_key_unknown"}}"#.into()),
                };
                if self.server == Server::Sound && exists {
                    self.vouched.insert(request.credential().unwrap(), self.now);
                }
                let answer = Answer {
                    status: status.as_bytes(),
                    protocol: Some(b"1"),
                    etag: None,
                    body: body.as_bytes(),
                };
                self.handle(worker, Event::Fetched(call, Ok(answer)));
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..4 {
            self.pass(Duration::from_millis(50));
            self.answer();
        }
    }

    fn random(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.random >> 40).unwrap() % below
    }

    fn all_calls(&self) -> usize {
        self.calls.values().map(Vec::len).sum()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn one_call_serves_all_workers() {
    for access_key in ["A", "nobody"] {
        let mut proxy = Proxy::new(64, &json!({}), 1);
        let requests: Vec<_> = (0..1000).map(|n| proxy.request(n % 64, access_key, "r")).collect();
        proxy.settle();
        assert_eq!(proxy.all_calls(), 1);
        let word = if access_key == "A" { "ready" } else { "access_key_unknown" };
        assert!(requests.iter().all(|request| proxy.told[request] == word));
        // Who comes later finds it there.
        let late = proxy.request(63, access_key, "r");
        assert_eq!((proxy.told[&late], proxy.all_calls()), (word, 1));
    }
}

#[test]
fn a_key_in_use_everywhere_is_fetched_once_in_its_time() {
    let mut proxy = Proxy::new(16, &json!({"cache": {"fresh": "10s", "stale": "60s"}}), 7);
    for _ in 0..600 {
        for worker in 0..16 {
            let request = proxy.request(worker, "A", "r");
            let _ = request;
        }
        proxy.pass(SECOND / 10);
        proxy.answer();
    }
    // Sixty seconds; what is fresh for ten is fetched a tenth of that earlier at the most.
    assert!((6..=7).contains(&proxy.all_calls()), "{}", proxy.all_calls());
    let times = proxy.calls.values().next().unwrap();
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= SECOND * 9));
}

#[test]
fn who_holds_a_lease_and_vanishes_blocks_nobody_for_long() {
    let mut proxy = Proxy::new(2, &json!({}), 1);
    proxy.request(0, "A", "r");
    proxy.handle(0, Event::Tick);
    assert_eq!(proxy.all_calls(), 1);
    // Its VM is gone, with the call.
    let config = Config::parse(example::with(&json!({})).as_bytes()).unwrap();
    proxy.workers[0] = Worker {
        store: AccessKeyStore::new(&config, 99),
        under_way: BTreeMap::new(),
        parked: BTreeMap::new(),
    };
    let request = proxy.request(1, "A", "r");
    proxy.settle();
    assert_eq!((proxy.told.get(&request), proxy.all_calls()), (None, 1));
    for _ in 0..10 {
        proxy.pass(SECOND / 4);
        proxy.answer();
    }
    assert_eq!((proxy.told[&request], proxy.all_calls()), ("ready", 2));
}

#[test]
fn strangers_do_not_push_out_keys_in_use() {
    let mut proxy = Proxy::new(
        2,
        &json!({"cache": {"shared_entries": 4, "negative": "1h", "fresh": "1h",
            "stale": "2h"}, "limits": {"calls_per_second": 100_000}}),
        3,
    );
    for access_key in ["A", "B", "C", "D"] {
        proxy.request(0, access_key, "r");
        proxy.settle();
    }
    let calls = proxy.all_calls();
    for n in 0..500 {
        proxy.request(0, &alloc::format!("stranger{n}"), "r");
        proxy.settle();
    }
    // At the other worker, those that found room in shared data are still there.
    let before = proxy.all_calls();
    assert_eq!(before, calls + 500);
    let requests = ["A", "B", "C", "D"].map(|access_key| {
        let request = proxy.request(1, access_key, "r");
        proxy.settle();
        request
    });
    assert!(requests.iter().all(|request| proxy.told[request] == "ready"));
    // Four keys in four slots, each with two to choose from: one or two find none.
    assert!(proxy.all_calls() - before <= 2, "{}", proxy.all_calls() - before);
}

#[test]
fn a_fleet_that_starts_does_not_stampede() {
    // 1,000 sidecars of two workers, each with its own shared data, ask for ten keys each.
    let mut calls = 0;
    for sidecar in 0..1000 {
        let mut proxy = Proxy::new(3, &json!({}), sidecar);
        for worker in 0..3 {
            for region in 0..10 {
                proxy.request(worker, "A", &region.to_string());
            }
        }
        proxy.settle();
        calls += proxy.all_calls();
    }
    assert_eq!(calls, 10_000);
}

#[test]
fn whatever_happens_everybody_is_told_once() {
    for seed in 0..400 {
        let workers = [2, 3, 8, 64][usize::try_from(seed % 4).unwrap()];
        let slots = [0, 1, 3, 64][usize::try_from(seed / 4 % 4).unwrap()];
        let mut proxy = Proxy::new(
            workers,
            &json!({
                "limits": {"parked": 20, "calls": 3, "calls_per_second": 50,
                    "scopes_per_access_key": 4},
                "cache": {"entries": 5, "shared_entries": slots,
                    "fresh": "5s", "stale": "20s", "negative": "3s"},
            }),
            seed,
        );
        for _ in 0..200 {
            let worker = proxy.random(proxy.workers.len());
            match proxy.random(12) {
                0..=4 => {
                    let access_key = ["A", "B", "C", "D", "E", "F"][proxy.random(6)];
                    let region = proxy.random(3).to_string();
                    proxy.request(worker, access_key, &region);
                }
                5 | 6 => proxy.answer(),
                7 => {
                    let millis = u64::try_from(proxy.random(2000)).unwrap();
                    proxy.pass(Duration::from_millis(millis));
                }
                8 if proxy.random(10) == 0 => {
                    let back = Duration::from_secs(u64::try_from(proxy.random(30)).unwrap());
                    proxy.now = proxy.now - back;
                    for vouched in proxy.vouched.values_mut() {
                        *vouched = *vouched - back;
                    }
                    for worker in &mut proxy.workers {
                        for (_, since) in worker.under_way.values_mut() {
                            *since = *since - back;
                        }
                    }
                    proxy.pass(Duration::ZERO);
                }
                9 => {
                    let request = proxy.workers[worker].parked.keys().next().copied();
                    if let Some(request) = request {
                        proxy.workers[worker].parked.remove(&request);
                        proxy.handle(worker, Event::Gone(request));
                    }
                }
                10 => {
                    proxy.server = [
                        Server::Sound,
                        Server::Sound,
                        Server::Silent,
                        Server::Failing,
                        Server::Garbled,
                        Server::Unreachable,
                    ][proxy.random(6)];
                }
                _ => {
                    let access_key = ["A", "B"][proxy.random(2)];
                    if !proxy.existing.remove(access_key) {
                        proxy.existing.insert(access_key.into());
                    }
                }
            }
        }
        proxy.server = Server::Sound;
        for _ in 0..60 {
            proxy.pass(SECOND / 2);
            proxy.answer();
        }
        for worker in &proxy.workers {
            assert!(worker.parked.is_empty(), "seed {seed}");
            assert!(!worker.store.is_busy(), "seed {seed}");
        }
    }
}
