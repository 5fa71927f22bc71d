//! A thousand sidecars before one key server, with all that their workers ask it for: token keys, changes,
//! records, revocations. What is counted is every call, second by second: when they start, when they
//! are configured anew, when the key server was away and is back, and on an ordinary day.

use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::cache::{self, Cache, Kind, Question};
use crate::config::Config;
use crate::config::example::{self, keyserver};
use crate::feed::{self, ChangeFeed};
use crate::fetch::{Answer, FetchFailure};
use crate::keys::{self, KeyStore};
use crate::record::{Change, Changes, Cursor, Revocations};
use crate::revocation::{RevocationList, list};
use crate::shared::Written;
use crate::sigv4::Credential;
use crate::time::UnixTime;

const SECOND: Duration = Duration::from_secs(1);
const SIDECARS: usize = if cfg!(target_arch = "wasm32") { 20 } else { 1000 };

/// Two workers and the main thread.
const VMS: usize = 3;

/// How many records a sidecar's clients have in use.
const RECORDS: usize = 2;

/// How long a call takes.
const ANSWER: Duration = Duration::from_millis(5);

/// One VM, with all its machines.
struct Vm {
    keys: KeyStore,
    feed: ChangeFeed,
    records: Cache,
    list: RevocationList,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Tick,
    /// A request for all of its records, and for what else it takes to decide.
    Request,
    /// The answer to this call.
    Answer(usize),
}

enum Asked {
    Keys(Option<String>),
    Changes(feed::Call, Option<Cursor>),
    Record(cache::Call, Question),
    Revocations(list::Call, u64),
}

/// How many calls there were of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Calls {
    keys: usize,
    changes: usize,
    records: usize,
    revocations: usize,
}

impl Calls {
    fn sum(self) -> usize {
        self.keys + self.changes + self.records + self.revocations
    }
}

struct Fleet {
    config: Config,
    now: UnixTime,
    vms: Vec<Vm>,
    /// Of each sidecar.
    shared: Vec<BTreeMap<String, (Vec<u8>, u32)>>,
    due: BinaryHeap<Reverse<(UnixTime, usize, Due)>>,
    asked: BTreeMap<usize, Asked>,
    next_call: usize,
    is_up: bool,
    /// Which start of the key server this is.
    instance: usize,
    calls: Calls,
    refused: usize,
    next_request: u32,
    /// Which configuration the VMs of now are of: what was due to others is not.
    generation: usize,
}

impl Fleet {
    fn new() -> Self {
        let cache = json!({"fresh": "60s", "stale": "1h", "shared_entries": 64});
        let config = Config::parse(example::with(&json!({"cache": cache})).as_bytes()).unwrap();
        let mut fleet = Self {
            config,
            now: UnixTime::from_secs(1_800_000_000),
            vms: Vec::new(),
            shared: Vec::new(),
            due: BinaryHeap::new(),
            asked: BTreeMap::new(),
            next_call: 0,
            is_up: true,
            instance: 1,
            calls: Calls::default(),
            refused: 0,
            next_request: 0,
            generation: 0,
        };
        fleet.start();
        let names = |vm: &Vm| {
            let names = vm.keys.slot_names().chain(vm.feed.slot_names());
            names.chain(vm.records.slot_names()).map(|name| (name, (Vec::new(), 1))).collect()
        };
        fleet.shared = (0..SIDECARS).map(|sidecar| names(&fleet.vms[sidecar * VMS])).collect();
        fleet
    }

    /// All VMs begin at the same moment: shared data is what it was.
    fn start(&mut self) {
        self.generation += 1;
        self.asked.clear();
        self.due.clear();
        let (config, server) = (&self.config, &keyserver(&self.config).server);
        self.vms = (0..SIDECARS * VMS)
            .map(|number| {
                let seed = u64::try_from(self.generation * 1_000_000 + number).unwrap();
                Vm {
                    keys: KeyStore::new(config, server, seed),
                    feed: ChangeFeed::new(keyserver(config), seed),
                    records: Cache::new(Kind::AccessKey, config, server, seed),
                    list: RevocationList::new(config, server, seed),
                }
            })
            .collect();
        for vm in 0..self.vms.len() {
            self.due.push(Reverse((self.now, vm, Due::Tick)));
            // Clients come at any time, and none to a main thread.
            if vm % VMS != 0 {
                let millis = Duration::from_millis(u64::try_from(vm * 7919 % 500).unwrap());
                self.due.push(Reverse((self.now + millis, vm, Due::Request)));
            }
        }
    }

    /// All calls of each of so many seconds.
    fn seconds(&mut self, count: u32) -> Vec<Calls> {
        (0..count)
            .map(|_| {
                self.calls = Calls::default();
                self.pass(SECOND);
                self.calls
            })
            .collect()
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(Reverse((at, vm, due))) = self.due.pop_if_before(end) {
            self.now = self.now.max(at);
            match due {
                Due::Tick => {
                    self.tick(vm);
                    let vm_of = &self.vms[vm];
                    let next = [
                        vm_of.keys.next_tick(),
                        vm_of.feed.next_tick(),
                        vm_of.records.next_tick(),
                        vm_of.list.next_tick(),
                    ];
                    let next = next.into_iter().min().unwrap();
                    self.due.push(Reverse((self.now + next, vm, Due::Tick)));
                }
                Due::Request => {
                    self.request(vm);
                    self.due.push(Reverse((self.now + SECOND / 2, vm, Due::Request)));
                }
                Due::Answer(call) => self.answer(vm, call),
            }
        }
        self.now = end;
    }

    fn tick(&mut self, number: usize) {
        let now = self.now;
        let Vm { keys, feed, records, list } = &mut self.vms[number];
        feed.handle(now, feed::Event::Tick);
        keys.handle(now, keys::Event::Tick, Some(feed));
        records.handle(now, cache::Event::Tick, Some(feed));
        list.handle(now, list::Event::Tick, feed);
        self.carry_out(number);
    }

    fn request(&mut self, number: usize) {
        let now = self.now;
        let sidecar = number / VMS;
        let mut has_to_wait = false;
        for record in 0..RECORDS {
            let request = self.next_request;
            self.next_request += 1;
            let access_key = format!("{sidecar}x{record}");
            let credential = Credential::from_parts(&access_key, b"20270115", "r", "s3").unwrap();
            let question = Question::AccessKey(credential.into());
            let want = self.vms[number].records.want(now, request, &question);
            has_to_wait |= matches!(want, cache::Want::Parked);
            self.refused += usize::from(matches!(want, cache::Want::Refused { .. }));
        }
        let Vm { keys, feed, list, .. } = &mut self.vms[number];
        let want = list.want(now, self.next_request, feed);
        has_to_wait |= matches!(want, list::Want::Parked);
        self.refused += usize::from(matches!(want, list::Want::Refused { .. }));
        let want = keys.want(now, self.next_request, None);
        has_to_wait |= matches!(want, keys::Want::Parked);
        self.refused += usize::from(matches!(want, keys::Want::Refused { .. }));
        self.next_request += 1;
        if has_to_wait {
            self.tick(number);
        }
    }

    fn ask(&mut self, vm: usize, asked: Asked) {
        match asked {
            Asked::Keys(_) => self.calls.keys += 1,
            Asked::Changes(..) => self.calls.changes += 1,
            Asked::Record(..) => self.calls.records += 1,
            Asked::Revocations(..) => self.calls.revocations += 1,
        }
        let call = self.next_call;
        self.next_call += 1;
        self.asked.insert(call, asked);
        if self.is_up {
            self.due.push(Reverse((self.now + ANSWER, vm, Due::Answer(call))));
        } else {
            self.answer(vm, call);
        }
    }

    /// All that its machines want done. None of them waits for another.
    fn carry_out(&mut self, number: usize) {
        let now = self.now;
        loop {
            let slots = &mut self.shared[number / VMS];
            let Vm { keys, feed, records, list } = &mut self.vms[number];
            if let Some(action) = feed.next_action() {
                match action {
                    feed::Action::Read(slot) => {
                        let (value, version) = &slots[&feed.slot_name(slot)];
                        let (value, version) = (Some(&**value), *version);
                        feed.handle(now, feed::Event::Slot { slot, value, version });
                    }
                    feed::Action::Write { slot, value, version } => {
                        let outcome = write(slots, &feed.slot_name(slot), value, version);
                        feed.handle(now, feed::Event::Written { slot, outcome });
                    }
                    feed::Action::Fetch { call, after } => {
                        self.ask(number, Asked::Changes(call, after));
                    }
                    feed::Action::Changed { changes, at } => {
                        keys.renew(now, at);
                        records.changed(now, &changes);
                        list.changed(now, &changes);
                    }
                    feed::Action::Report(_) => {}
                }
            } else if let Some(action) = keys.next_action() {
                match action {
                    keys::Action::Read(slot) => {
                        let (value, version) = &slots[&keys.slot_name(slot)];
                        let (value, version) = (Some(&**value), *version);
                        let event = keys::Event::Slot { slot, value, version };
                        keys.handle(now, event, Some(feed));
                    }
                    keys::Action::Write { slot, value, version } => {
                        let outcome = write(slots, &keys.slot_name(slot), value, version);
                        keys.handle(now, keys::Event::Written { slot, outcome }, Some(feed));
                    }
                    keys::Action::Fetch { etag, .. } => self.ask(number, Asked::Keys(etag)),
                    keys::Action::Resume { answer, .. } => {
                        self.refused += usize::from(matches!(answer, keys::Want::Refused { .. }));
                    }
                    keys::Action::Report(_) => {}
                }
            } else if let Some(action) = records.next_action() {
                match action {
                    cache::Action::Read { call, slot, name } => {
                        let (value, version) = &slots[&name];
                        let (value, version) = (Some(&**value), *version);
                        let event = cache::Event::Slot { call, slot, value, version };
                        records.handle(now, event, Some(feed));
                    }
                    cache::Action::Write { call, name, value, version } => {
                        let outcome = write(slots, &name, value, version);
                        records.handle(now, cache::Event::Written { call, outcome }, Some(feed));
                    }
                    cache::Action::Fetch { call, question, .. } => {
                        self.ask(number, Asked::Record(call, question));
                    }
                    cache::Action::Resume { answer, .. } => {
                        self.refused += usize::from(matches!(answer, cache::Want::Refused { .. }));
                    }
                    cache::Action::Report(_) => {}
                }
            } else if let Some(action) = list.next_action() {
                match action {
                    list::Action::Fetch { call, after, .. } => {
                        self.ask(number, Asked::Revocations(call, after));
                    }
                    list::Action::Resume { answer, .. } => {
                        self.refused += usize::from(matches!(answer, list::Want::Refused { .. }));
                    }
                    list::Action::Report(_) => {}
                }
            } else {
                return;
            }
        }
    }

    fn answer(&mut self, number: usize, call: usize) {
        let Some(asked) = self.asked.remove(&call) else { return };
        let (now, is_up, instance) = (self.now, self.is_up, self.instance);
        let answer = |status: &'static str, body: &'static [u8]| Answer {
            status: status.as_bytes(),
            protocol: Some(b"1"),
            body,
            ..Answer::default()
        };
        let Vm { keys, feed, records, list } = &mut self.vms[number];
        match asked {
            Asked::Keys(etag) => {
                let full = br#"{"fernet":[{"id":1,"key":"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="}]}"#;
                let found = if etag.is_some() { answer("304", b"") } else { answer("200", full) };
                let found = Answer { etag: Some(b"\"1\""), ..found };
                let found = if is_up { Ok(found) } else { Err(FetchFailure::NotSent) };
                keys.handle(now, keys::Event::Fetched(found), Some(feed));
            }
            Asked::Changes(call, after) => {
                let cursor = Cursor::new(&format!("{instance}.0")).unwrap();
                let is_gone = after.is_some_and(|after| after != cursor);
                let body = Changes { cursor, more: false, changes: Vec::<Change>::new() }.to_json();
                let found = Answer { body: body.as_bytes(), ..answer("200", b"") };
                let found = if is_gone { answer("410", b"{}") } else { found };
                let found = if is_up { Ok(found) } else { Err(FetchFailure::NotSent) };
                feed.handle(now, feed::Event::Fetched(call, found));
            }
            Asked::Record(call, question) => {
                let mut body: Value = serde_json::from_str(&question.json()).unwrap();
                body["signing_key"] = "ab".repeat(32).into();
                body["credential"] = json!({"user": {"id": "u"}, "roles": []});
                let body = format!("{body}");
                let found = Answer { body: body.as_bytes(), ..answer("200", b"") };
                let found = if is_up { Ok(found) } else { Err(FetchFailure::NotSent) };
                records.handle(now, cache::Event::Fetched(call, found), Some(feed));
            }
            Asked::Revocations(call, after) => {
                // All that there is has ten pages.
                let (last, more) = ((after + 1000).min(10_000), after < 9000);
                let events = if after < 10_000 { [event(last)].to_vec() } else { Vec::new() };
                let page = Revocations { after: last, more, events };
                let body = page.to_json();
                let found = Answer { body: body.as_bytes(), ..answer("200", b"") };
                let found = if is_up { Ok(found) } else { Err(FetchFailure::NotSent) };
                list.handle(now, list::Event::Fetched(call, found), feed);
            }
        }
        self.carry_out(number);
    }
}

/// The last event of a page.
fn event(number: u64) -> crate::record::RevocationEvent {
    let audit_id = Some(format!("{number}"));
    crate::record::RevocationEvent { issued_before: 1_800_000_000, audit_id, ..Default::default() }
}

fn write(
    slots: &mut BTreeMap<String, (Vec<u8>, u32)>,
    name: &str,
    value: Vec<u8>,
    version: Option<u32>,
) -> Written {
    let slot = slots.get_mut(name).expect("no slot that was not there from the beginning");
    if version.is_some_and(|version| version != slot.1) {
        return Written::Conflict;
    }
    *slot = (value, slot.1 + 1);
    Written::Done
}

trait PopIf {
    fn pop_if_before(&mut self, end: UnixTime) -> Option<Reverse<(UnixTime, usize, Due)>>;
}

impl PopIf for BinaryHeap<Reverse<(UnixTime, usize, Due)>> {
    fn pop_if_before(&mut self, end: UnixTime) -> Option<Reverse<(UnixTime, usize, Due)>> {
        let is_due = self.peek().is_some_and(|Reverse((at, ..))| *at < end);
        is_due.then(|| self.pop()).flatten()
    }
}

fn total(seconds: &[Calls]) -> Calls {
    seconds.iter().fold(Calls::default(), |all, one| Calls {
        keys: all.keys + one.keys,
        changes: all.changes + one.changes,
        records: all.records + one.records,
        revocations: all.revocations + one.revocations,
    })
}

fn peak(seconds: &[Calls]) -> usize {
    seconds.iter().map(|calls| calls.sum()).max().unwrap_or_default()
}

#[test]
fn a_thousand_sidecars_do_not_stampede_the_key_server() {
    let mut fleet = Fleet::new();
    // When they start, each sidecar asks for its records and keys, for these once more when its feed has
    // begun, and each of its workers for what was revoked. There is no less that they could do, nor any later. The
    // main threads, for which nobody waits, take their time.
    let start = fleet.seconds(12);
    let calls = total(&start);
    assert!((SIDECARS..=2 * SIDECARS).contains(&calls.keys), "{start:?}");
    assert!(calls.records * 10 <= 12 * RECORDS * SIDECARS, "{start:?}");
    assert_eq!(calls.revocations, PAGES * VMS * SIDECARS, "{start:?}");
    assert!(start[0].revocations <= PAGES * (VMS - 1) * SIDECARS * 12 / 10, "{start:?}");
    assert!(calls.changes <= 12 * SIDECARS, "{start:?}");
    assert_eq!(fleet.refused, 0);

    // On an ordinary day it is one call for changes each poll period, and what is confirmed.
    let day = fleet.seconds(70);
    let calls = total(&day);
    assert_eq!(calls.revocations, 0);
    assert!(calls.changes <= 70 * SIDECARS * 6 / 10, "{calls:?}");
    assert!((SIDECARS..=2 * SIDECARS).contains(&calls.keys), "{calls:?}");
    assert!((RECORDS * SIDECARS..=2 * RECORDS * SIDECARS).contains(&calls.records), "{calls:?}");
    assert!(peak(&day) <= 2 * SIDECARS, "{day:?}");

    // All are configured anew at the same moment: what a sidecar has is not asked for again, but for what
    // was revoked.
    fleet.start();
    let reload = fleet.seconds(12);
    let calls = total(&reload);
    assert!(calls.keys <= SIDECARS / 2, "{reload:?}");
    assert!(calls.records <= RECORDS * SIDECARS / 2, "{reload:?}");
    assert_eq!(calls.revocations, PAGES * VMS * SIDECARS, "{reload:?}");
    assert!(calls.changes <= 8 * SIDECARS, "{reload:?}");
    assert_eq!(fleet.refused, 0);
    fleet.seconds(20);

    // The key server is away: each worker knocks about once a second for records, and each proxy for keys
    // and changes.
    fleet.is_up = false;
    let away = fleet.seconds(30);
    assert!(peak(&away) <= 12 * SIDECARS, "{away:?}");
    assert!(peak(&away[2..]) <= 7 * SIDECARS, "{away:?}");
    assert_eq!(fleet.refused, 0, "nobody is refused who was there");

    // It is back, and knows nothing of what it told: what was read is confirmed, once for each sidecar, and of
    // what was revoked the end is read.
    fleet.is_up = true;
    fleet.instance += 1;
    let back = fleet.seconds(6);
    let calls = total(&back);
    assert!(calls.keys <= 2 * SIDECARS, "{back:?}");
    assert!(calls.records <= 2 * RECORDS * SIDECARS, "{back:?}");
    assert_eq!(calls.revocations, VMS * SIDECARS, "{back:?}");
    assert!(calls.changes <= 6 * SIDECARS, "{back:?}");
    assert!(peak(&back) <= 8 * SIDECARS, "{back:?}");
    assert_eq!(fleet.refused, 0, "nobody is refused who was there");
}

/// The pages of what was revoked, in this fleet.
const PAGES: usize = 10;
