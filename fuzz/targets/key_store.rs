//! A worker's key store in a world that does anything in any order: every request that is parked is
//! answered once at the most, calls do not overlap, and nothing but an answer makes keys.
#![no_main]

use std::collections::HashSet;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use voussoir_core::config::Config;
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::keys::{Action, Event, KeyStore, Report, Slot, Want, Written};
use voussoir_core::time::UnixTime;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Pass { millis: u32 },
    ClockGoesTo { micros: u64 },
    Want { newer_than: Option<u8> },
    Tick,
    Answer { status: Status, protocol: bool, etag: &'a [u8], body: Body<'a> },
    Fail,
    Gone { request: u8 },
    Slot { lease: bool, value: Option<&'a [u8]> },
}

#[derive(Arbitrary, Debug)]
enum Status {
    Ok,
    NotModified,
    Unauthorized,
    Nonsense,
}

#[derive(Arbitrary, Debug)]
enum Body<'a> {
    Keys { id: u8 },
    Bytes(&'a [u8]),
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let config = br#"{"keyserver":{"cluster":"k"},"token":{"www_authenticate_uri":"http://k"},
                      "cache":{"fresh":"5s","stale":"60s"},"limits":{"parked":8}}"#;
    let config = Config::parse(config).expect("it is valid");
    let keyserver = config.keyserver.as_ref().expect("it is there");
    let mut world = World {
        store: KeyStore::new(&config, &keyserver.server, 7),
        now: UnixTime::from_secs(1_800_000_000),
        slots: [None, None],
        parked: HashSet::new(),
        is_called: false,
        was_updated: false,
    };
    for (request, step) in (1..).zip(steps) {
        world.step(request, step);
    }
});

struct World {
    store: KeyStore,
    now: UnixTime,
    slots: [Option<Vec<u8>>; 2],
    parked: HashSet<u32>,
    is_called: bool,
    was_updated: bool,
}

impl World {
    fn step(&mut self, request: u32, step: Step<'_>) {
        match step {
            Step::Pass { millis } => self.now = self.now + Duration::from_millis(millis.into()),
            Step::ClockGoesTo { micros } => self.now = UnixTime::from_micros(micros),
            Step::Want { newer_than } => {
                match self.store.want(self.now, request, newer_than.map(u64::from)) {
                    Want::Parked => assert!(self.parked.insert(request)),
                    Want::Ready(_) => assert!(self.was_updated, "keys out of nothing"),
                    Want::Refused { .. } => {}
                }
                assert!(self.parked.len() <= 8);
            }
            Step::Tick => self.handle(Event::Tick),
            Step::Answer { status, protocol, etag, body } => {
                let body = match body {
                    Body::Keys { id } => format!(
                        r#"{{"fernet":[{{"id":{id},"key":"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="}}]}}"#
                    )
                    .into_bytes(),
                    Body::Bytes(bytes) => bytes.to_vec(),
                };
                self.is_called = false;
                self.handle(Event::Fetched(Ok(Answer {
                    status: match status {
                        Status::Ok => b"200",
                        Status::NotModified => b"304",
                        Status::Unauthorized => b"401",
                        Status::Nonsense => b"\xff",
                    },
                    protocol: protocol.then_some(b"1"),
                    etag: Some(etag),
                    body: &body,
                    subject_token: None,
                })));
            }
            Step::Fail => {
                self.is_called = false;
                self.handle(Event::Fetched(Err(FetchFailure::NoAnswer)));
            }
            Step::Gone { request } => {
                self.parked.remove(&request.into());
                self.handle(Event::Gone(request.into()));
            }
            Step::Slot { lease, value } => {
                self.slots[usize::from(lease)] = value.map(<[u8]>::to_vec);
            }
        }
    }

    fn handle(&mut self, event: Event<'_>) {
        self.store.handle(self.now, event, None);
        let mut actions = 0;
        while let Some(action) = self.store.next_action() {
            actions += 1;
            assert!(actions < 100, "it never rests");
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Read(slot) => {
                let value = self.slots[usize::from(slot == Slot::Lease)].clone();
                let value = value.as_deref();
                self.store.handle(self.now, Event::Slot { slot, value, version: 1 }, None);
            }
            Action::Write { slot, value, .. } => {
                self.slots[usize::from(slot == Slot::Lease)] = Some(value);
                self.store.handle(self.now, Event::Written { slot, outcome: Written::Done }, None);
            }
            Action::Fetch { etag, .. } => {
                // A call that was given up may still be under way when the next one starts.
                self.is_called = true;
                assert!(etag.is_none_or(|etag| etag.bytes().all(|byte| byte.is_ascii_graphic())));
            }
            Action::Resume { request, answer } => {
                assert!(self.parked.remove(&request), "not parked, or resumed twice");
                assert!(!matches!(answer, Want::Parked));
            }
            Action::Report(Report::Updated { keys, .. }) => {
                assert!(keys > 0);
                self.was_updated = true;
            }
            Action::Report(_) => {}
        }
    }
}
