//! A worker's change feed, records and revocations in a world that does anything in any order: every request
//! that is parked is answered once at the most, what was let go of does not come back, calls keep within
//! their limits, and no machine goes on for ever by itself.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use voussoir_core::cache::{self, Cache, Kind, Question, Written};
use voussoir_core::config::Config;
use voussoir_core::feed::{self, ChangeFeed};
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::revocation::{RevocationList, list};
use voussoir_core::sigv4::Credential;
use voussoir_core::time::UnixTime;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Pass { millis: u32 },
    ClockGoesTo { micros: u64 },
    WantKey { access_key: u8 },
    WantRevocations,
    Tick,
    AnswerKey { body: Key<'a> },
    AnswerPoll { body: Poll<'a> },
    AnswerRevocations { body: Page<'a> },
    Gone { request: u8 },
    Slot { nth: u8, value: &'a [u8] },
    Conflict,
}

#[derive(Arbitrary, Debug)]
enum Key<'a> {
    Found,
    Denied,
    Lost,
    Bytes { status: u16, body: &'a [u8] },
}

#[derive(Arbitrary, Debug)]
enum Poll<'a> {
    Changed { access_key: u8 },
    All,
    Gone,
    Lost,
    Bytes { status: u16, body: &'a [u8] },
}

#[derive(Arbitrary, Debug)]
enum Page<'a> {
    Events { count: u8, more: bool },
    Lost,
    Bytes { status: u16, body: &'a [u8] },
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let config = br#"{"keyserver":{"cluster":"k"},"sigv4":{},
                      "cache":{"fresh":"5s","stale":"60s","negative":"3s","entries":4,"shared_entries":3},
                      "limits":{"parked":8,"calls":2}}"#;
    let config = Config::parse(config).expect("it is valid");
    let keyserver = config.keyserver.as_ref().expect("it is there");
    let mut world = World {
        feed: ChangeFeed::new(keyserver, 7),
        keys: Cache::new(Kind::AccessKey, &config, &keyserver.server, 7),
        list: RevocationList::new(&config, &keyserver.server, 7),
        now: UnixTime::from_secs(1_800_000_000),
        slots: HashMap::new(),
        parked: [HashSet::new(), HashSet::new()],
        key_calls: Vec::new(),
        polls: Vec::new(),
        pages: Vec::new(),
        cursor: 0,
        has_conflict: false,
        steps: 0,
    };
    for (request, step) in (1..).zip(steps) {
        world.step(request, step);
    }
});

struct World {
    feed: ChangeFeed,
    keys: Cache,
    list: RevocationList,
    now: UnixTime,
    slots: HashMap<String, Vec<u8>>,
    /// Who waits for keys, and who for revocations.
    parked: [HashSet<u32>; 2],
    key_calls: Vec<(cache::Call, Question)>,
    polls: Vec<feed::Call>,
    pages: Vec<(list::Call, u64)>,
    cursor: u64,
    /// Whether the next write comes too late.
    has_conflict: bool,
    steps: usize,
}

impl World {
    fn step(&mut self, request: u32, step: Step<'_>) {
        match step {
            Step::Pass { millis } => self.now = self.now + Duration::from_millis(millis.into()),
            Step::ClockGoesTo { micros } => self.now = UnixTime::from_micros(micros),
            Step::WantKey { access_key } => {
                let question = Question::AccessKey(credential(access_key).into());
                if let cache::Want::Parked = self.keys.want(self.now, request, &question) {
                    assert!(self.parked[0].insert(request));
                }
            }
            Step::WantRevocations => {
                if let list::Want::Parked = self.list.want(self.now, request, &self.feed) {
                    assert!(self.parked[1].insert(request));
                }
            }
            Step::Tick => {
                self.feed.handle(self.now, feed::Event::Tick);
                self.keys.handle(self.now, cache::Event::Tick, Some(&self.feed));
                self.list.handle(self.now, list::Event::Tick, &self.feed);
            }
            Step::AnswerKey { body } => self.answer_key(&body),
            Step::AnswerPoll { body } => self.answer_poll(&body),
            Step::AnswerRevocations { body } => self.answer_page(&body),
            Step::Gone { request } => {
                let request = request.into();
                self.parked.iter_mut().for_each(|parked| {
                    parked.remove(&request);
                });
                self.keys.handle(self.now, cache::Event::Gone(request), Some(&self.feed));
                self.list.handle(self.now, list::Event::Gone(request), &self.feed);
            }
            Step::Slot { nth, value } => {
                let names = self.keys.slot_names().chain(self.feed.slot_names());
                if let Some(name) = names.collect::<Vec<_>>().get(usize::from(nth)) {
                    self.slots.insert(name.clone(), value.to_vec());
                }
            }
            Step::Conflict => self.has_conflict = true,
        }
        self.carry_out();
        assert!(self.parked.iter().all(|parked| parked.len() <= 8));
        assert_eq!(self.keys.waiting(), self.parked[0].len());
        assert!(self.keys.record_count() <= 4);
    }

    fn answer_key(&mut self, body: &Key<'_>) {
        let Some((call, Question::AccessKey(credential))) = self.key_calls.pop() else { return };
        let (status, body) = match body {
            Key::Lost => {
                let lost = cache::Event::Fetched(call, Err(FetchFailure::NoAnswer));
                return self.keys.handle(self.now, lost, Some(&self.feed));
            }
            Key::Found => {
                let key = format!(
                    r#"{{"access_key":"{}","date":"20270115","region":"r","service":"s3","signing_key":"{}","credential":{{"user":{{"id":"u"}},"roles":[]}}}}"#,
                    credential.access_key,
                    "ab".repeat(32)
                );
                (200, key.into_bytes())
            }
            Key::Denied => (404, br#"{"error":{"reason":"access_key_unknown"}}"#.to_vec()),
            Key::Bytes { status, body } => (*status, body.to_vec()),
        };
        let status = status.to_string();
        let event = cache::Event::Fetched(call, Ok(answer(&status, &body)));
        self.keys.handle(self.now, event, Some(&self.feed));
    }

    fn answer_poll(&mut self, body: &Poll<'_>) {
        let Some(call) = self.polls.pop() else { return };
        self.cursor += 1;
        let cursor = self.cursor;
        let told = |changes: &str| {
            format!(r#"{{"cursor":"{cursor}","more":false,"changes":[{changes}]}}"#).into_bytes()
        };
        let (status, body) = match body {
            Poll::Lost => {
                let lost = feed::Event::Fetched(call, Err(FetchFailure::NoAnswer));
                return self.feed.handle(self.now, lost);
            }
            Poll::Changed { access_key } => {
                (200, told(&format!(r#"{{"kind":"access_key","id":"K{}"}}"#, access_key % 6)))
            }
            Poll::All => (200, told(r#"{"kind":"all"}"#)),
            Poll::Gone => (410, b"{}".to_vec()),
            Poll::Bytes { status, body } => (*status, body.to_vec()),
        };
        let status = status.to_string();
        self.feed.handle(self.now, feed::Event::Fetched(call, Ok(answer(&status, &body))));
    }

    fn answer_page(&mut self, body: &Page<'_>) {
        let Some((call, after)) = self.pages.pop() else { return };
        let (status, body) = match body {
            Page::Lost => {
                let lost = list::Event::Fetched(call, Err(FetchFailure::NoAnswer));
                return self.list.handle(self.now, lost, &self.feed);
            }
            Page::Events { count, more } => {
                let last = after.saturating_add((*count).into());
                let events: Vec<_> = (after..last)
                    .map(|number| format!(r#"{{"issued_before":7,"audit_id":"a{number}"}}"#))
                    .collect();
                let events = events.join(",");
                (
                    200,
                    format!(r#"{{"after":{last},"more":{more},"events":[{events}]}}"#).into_bytes(),
                )
            }
            Page::Bytes { status, body } => (*status, body.to_vec()),
        };
        let status = status.to_string();
        let event = list::Event::Fetched(call, Ok(answer(&status, &body)));
        self.list.handle(self.now, event, &self.feed);
    }

    fn carry_out(&mut self) {
        let mut actions = 0;
        loop {
            actions += 1;
            assert!(actions < 1000, "it never rests");
            if let Some(action) = self.feed.next_action() {
                self.perform_of_feed(action);
            } else if let Some(action) = self.keys.next_action() {
                self.perform_of_keys(action);
            } else if let Some(action) = self.list.next_action() {
                self.perform_of_list(action);
            } else {
                return;
            }
        }
    }

    fn perform_of_feed(&mut self, action: feed::Action) {
        match action {
            feed::Action::Read(slot) => {
                let version = self.version();
                let value = self.slots.get(&self.feed.slot_name(slot)).map(Vec::as_slice);
                self.feed.handle(self.now, feed::Event::Slot { slot, value, version });
            }
            feed::Action::Write { slot, value, version } => {
                let outcome = self.write(self.feed.slot_name(slot), value, version);
                self.feed.handle(self.now, feed::Event::Written { slot, outcome });
            }
            feed::Action::Fetch { call, .. } => self.polls.push(call),
            feed::Action::Changed { changes, .. } => {
                assert!(!changes.is_empty());
                self.keys.changed(self.now, &changes);
                self.list.changed(self.now, &changes);
            }
            feed::Action::Report(_) => {}
        }
    }

    fn perform_of_keys(&mut self, action: cache::Action) {
        match action {
            cache::Action::Read { call, slot, name } => {
                let version = self.version();
                let value = self.slots.get(&name).map(Vec::as_slice);
                let event = cache::Event::Slot { call, slot, value, version };
                self.keys.handle(self.now, event, Some(&self.feed));
            }
            cache::Action::Write { call, name, value, version } => {
                let outcome = self.write(name, value, version);
                self.keys.handle(
                    self.now,
                    cache::Event::Written { call, outcome },
                    Some(&self.feed),
                );
            }
            cache::Action::Fetch { call, question, .. } => self.key_calls.push((call, question)),
            cache::Action::Resume { request, answer } => {
                assert!(self.parked[0].remove(&request), "not parked, or resumed twice");
                assert!(!matches!(answer, cache::Want::Parked));
            }
            cache::Action::Report(_) => {}
        }
    }

    fn perform_of_list(&mut self, action: list::Action) {
        match action {
            list::Action::Fetch { call, after, .. } => self.pages.push((call, after)),
            list::Action::Resume { request, answer } => {
                assert!(self.parked[1].remove(&request), "not parked, or resumed twice");
                assert!(!matches!(answer, list::Want::Parked));
            }
            list::Action::Report(_) => {}
        }
    }

    /// Another with each step that is taken.
    fn version(&mut self) -> u32 {
        self.steps += 1;
        u32::try_from(self.steps).unwrap_or(u32::MAX)
    }

    fn write(&mut self, name: String, value: Vec<u8>, version: Option<u32>) -> Written {
        if version.is_some() && std::mem::take(&mut self.has_conflict) {
            return Written::Conflict;
        }
        self.slots.insert(name, value);
        Written::Done
    }
}

fn credential(access_key: u8) -> Credential {
    let access_key = format!("K{}", access_key % 6);
    Credential::from_parts(&access_key, b"20270115", "r", "s3").expect("it is one")
}

fn answer<'a>(status: &'a str, body: &'a [u8]) -> Answer<'a> {
    Answer { status: status.as_bytes(), protocol: Some(b"1"), body, ..Answer::default() }
}
