//! What a worker keeps of Keystone's answers, and what several share.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::cache::{Action, Cache, Event, Kind, Question, Want, Written};
use crate::config::{Config, example};
use crate::feed::ChangeFeed;
use crate::record::Change;
use crate::time::UnixTime;

/// Workers with one shared data before a Keystone, and a change feed that is silent.
struct World {
    workers: Vec<Cache>,
    feed: ChangeFeed,
    config: Config,
    shared: BTreeMap<String, (Vec<u8>, u32)>,
    now: UnixTime,
    status: u16,
    calls: usize,
    told: BTreeMap<u32, &'static str>,
}

const KEYSTONE: &str = r#"{"token":{"methods":["password"],"user":{"id":"u","name":"Ann"},
    "audit_ids":["t_Uduzq7Q7GV_PbUdinLIQ"],"expires_at":"2027-01-15T09:00:00.000000Z",
    "issued_at":"2027-01-15T08:00:00.000000Z"}}"#;

impl World {
    fn new(workers: u64) -> Self {
        let config = example::with(&json!({
            "keystone": {"cluster": "keystone"},
            "token": {"identity": "keystone"},
            "sigv4": {},
            "cache": {"fresh": "30s", "stale": "100s", "shared_entries": 64},
        }));
        let config = Config::parse(config.as_bytes()).unwrap();
        let server = &config.keystone().unwrap().server;
        let workers: Vec<_> =
            (0..workers).map(|seed| Cache::new(Kind::Validation, &config, server, seed)).collect();
        let names = workers.first().unwrap().slot_names();
        Self {
            shared: names.map(|name| (name, (Vec::new(), 1))).collect(),
            feed: ChangeFeed::new(example::keyserver(&config), 1),
            workers,
            config,
            now: UnixTime::from_secs(1_800_000_000),
            status: 200,
            calls: 0,
            told: BTreeMap::new(),
        }
    }

    fn request(&self, token: &str) -> ValidationRequest {
        let token = Rc::new(Secret::new(token.into()));
        ValidationRequest::new(self.config.keystone().unwrap(), false, token, None)
    }

    /// What a request at a worker is told in the end.
    fn ask(&mut self, worker: usize, token: &str) -> &'static str {
        let request = self.request(token);
        self.ask_about(worker, request)
    }

    fn ask_about(&mut self, worker: usize, request: ValidationRequest) -> &'static str {
        let question = Question::Validation(request);
        let want = self.workers[worker].want(self.now, 1, &question);
        if let Want::Parked = want {
            self.tick(worker);
            self.told.remove(&1).expect("an answer at once")
        } else {
            let told = word(&want);
            self.tick(worker);
            told
        }
    }

    fn tick(&mut self, worker: usize) {
        let cache = &mut self.workers[worker];
        let feed = Some(&self.feed);
        cache.handle(self.now, Event::Tick, feed);
        while let Some(action) = cache.next_action() {
            match action {
                Action::Read { call, slot, name } => {
                    let (value, version) = &self.shared[&name];
                    let event = Event::Slot { call, slot, value: Some(value), version: *version };
                    cache.handle(self.now, event, feed);
                }
                Action::Write { call, name, value, version } => {
                    let slot = self.shared.get_mut(&name).unwrap();
                    let outcome = if version.is_none_or(|version| version == slot.1) {
                        *slot = (value, slot.1 + 1);
                        Written::Done
                    } else {
                        Written::Conflict
                    };
                    cache.handle(self.now, Event::Written { call, outcome }, feed);
                }
                Action::Fetch { call, question, .. } => {
                    self.calls += 1;
                    let Question::Validation(request) = question else { panic!("{question:?}") };
                    let (token, caller) = request.tokens().unwrap();
                    assert!(request.is_vouched_for() || token.matches(caller.expose()));
                    let status = self.status.to_string();
                    let refusal = json!({"error": {"code": self.status}}).to_string();
                    let body = if self.status == 200 { KEYSTONE } else { &refusal };
                    let answer = Answer {
                        status: status.as_bytes(),
                        subject_token: Some(token.expose()),
                        body: body.as_bytes(),
                        ..Answer::default()
                    };
                    cache.handle(self.now, Event::Fetched(call, Ok(answer)), feed);
                }
                Action::Resume { request, answer } => {
                    self.told.insert(request, word(&answer));
                }
                Action::Report(_) => {}
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }
}

fn word(want: &Want) -> &'static str {
    match want {
        Want::Ready(_) => "ready",
        Want::Denied(fault) => fault.reason(),
        Want::Refused { cause, .. } => cause.reason(),
        Want::Parked => "waits",
    }
}

#[test]
fn all_workers_share_one_answer_while_it_is_fresh_also_if_the_feed_is_silent() {
    let mut world = World::new(3);
    for second in 0..26 {
        for worker in 0..3 {
            assert_eq!(world.ask(worker, "t"), "ready");
        }
        assert_eq!(world.calls, 1, "second {second}");
        world.pass(1);
    }
    // What a key server changes is none of Keystone's business.
    world.workers.iter_mut().for_each(|cache| cache.changed(world.now, &[Change::All]));
    assert_eq!((world.ask(0, "t"), world.calls), ("ready", 1));
    world.pass(5);
    assert_eq!((world.ask(0, "t"), world.calls), ("ready", 2));
}

#[test]
fn what_keystone_takes_no_more_is_refused_with_its_next_answer() {
    let mut world = World::new(2);
    assert_eq!(world.ask(0, "t"), "ready");
    world.status = 401;
    world.pass(31);
    assert_eq!([world.ask(0, "t"), world.ask(0, "t")], ["ready", "keystone_denied"]);
    // The other worker has not used it; what it finds is the denial.
    assert_eq!((world.ask(1, "t"), world.calls), ("keystone_denied", 2));
}

#[test]
fn while_keystone_fails_what_is_held_serves_until_it_is_stale() {
    for status in [429, 500, 502, 503, 504] {
        let mut world = World::new(1);
        assert_eq!(world.ask(0, "t"), "ready");
        world.status = status;
        for _ in 0..9 {
            world.pass(11);
            assert_eq!(world.ask(0, "t"), "ready", "{status}");
        }
        world.pass(11);
        assert_eq!(world.ask(0, "t"), "keystone_unavailable", "{status}");
        assert_eq!(world.ask(0, "new"), "keystone_unavailable", "{status}");
    }
}

#[test]
fn nothing_that_is_kept_holds_the_token() {
    let mut world = World::new(1);
    let token = "a-token-that-is-a-secret";
    assert_eq!(world.ask(0, token), "ready");
    let request = world.request(token);
    let question = Question::Validation(request.clone());
    let Want::Ready(Record::Validation(validation)) =
        world.workers[0].want(world.now, 2, &question)
    else {
        panic!("not held");
    };
    assert_eq!(validation.request, request);
    assert!(validation.request.tokens().is_none() && validation.request.path().is_none());
    let shown = format!("{question:?} {validation:?} {:?}", world.workers[0]);
    assert!(!shown.contains(token));
    assert!(!question.json().contains(token));
    let stands = |(value, _): &(Vec<u8>, u32)| value.windows(8).any(|it| it == b"a-token-");
    assert!(!world.shared.values().any(stands));
}

#[test]
fn a_question_is_another_with_another_path_or_asker() {
    let world = World::new(1);
    let keystone = world.config.keystone().unwrap();
    let secret = |text: &str| Rc::new(Secret::new(text.into()));
    let new = |has_catalog, voucher: Option<&str>| {
        ValidationRequest::new(keystone, has_catalog, secret("t"), voucher.map(secret))
    };
    let own = new(false, None);
    assert_eq!(own.path(), Some("/v3/auth/tokens?nocatalog"));
    for (other, path) in [
        (new(true, None), "/v3/auth/tokens"),
        (new(false, Some("s")), "/v3/auth/tokens?allow_expired=1&nocatalog"),
        (new(true, Some("s")), "/v3/auth/tokens?allow_expired=1"),
    ] {
        assert_eq!(other.path(), Some(path));
        assert_ne!(own.to_json(), other.to_json());
        assert!(own != other);
    }
    // Which service asks makes no difference.
    assert_eq!(new(false, Some("s")), new(false, Some("other")));
    let elsewhere = Keystone { path: "/identity/v3/auth/tokens".into(), ..keystone.clone() };
    assert!(own != ValidationRequest::new(&elsewhere, false, secret("t"), None));
}

#[test]
fn an_answer_is_about_the_token_that_was_asked_about() {
    let world = World::new(1);
    let request = world.request("t");
    let read = |subject_token| {
        let body = KEYSTONE.as_bytes();
        let answer = Answer { status: b"200", subject_token, body, ..Answer::default() };
        request.read(answer).map(|_| ())
    };
    assert_eq!(read(Some(b"t")), Ok(()));
    let error = Err(FetchFailure::Validation(InvalidValidation::OtherToken));
    assert_eq!([read(Some(b"u")), read(Some(b"")), read(None)], [error; 3]);
    // What contradicts itself is none.
    let odd = KEYSTONE.replace(r#""methods""#, r#""roles":[{"name":"admin"}],"methods""#);
    let read = Validation::from_json(&request, odd.as_bytes()).map(|_| ());
    assert_eq!(read, Err(FetchFailure::Validation(InvalidValidation::Inconsistent)));
}

#[test]
fn that_a_service_may_not_ask_is_remembered_only_where_it_is_about_the_token() {
    for (status, calls) in [(401, 3), (403, 1)] {
        let mut world = World::new(1);
        world.status = status;
        for service in ["revoked", "revoked", "good"] {
            let keystone = world.config.keystone().unwrap();
            let secret = |text: &str| Rc::new(Secret::new(text.into()));
            let request =
                ValidationRequest::new(keystone, false, secret("t"), Some(secret(service)));
            assert_eq!(world.ask_about(0, request), "keystone_forbade");
        }
        assert_eq!(world.calls, calls, "{status}");
    }
}
