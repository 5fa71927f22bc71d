//! A simulated proxy: workers whose host calls interleave as those of threads do, the shared data
//! between them, a key server that can be anything, clocks that jump, another plugin that writes
//! where it should not. Rules are asserted after every step.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::entry::Entry;
use super::ring::MAX_NOTED;
use super::{Action, Call, ChangeFeed, Event, Report, Slot, Written};
use crate::config::Config;
use crate::config::example::{self, keyserver};
use crate::fetch::{Answer, FetchFailure};
use crate::record::{Change, Changes, Cursor};
use crate::shared::Seal;
use crate::time::UnixTime;

/// What the key server does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Up,
    /// The proxy does not even send the call.
    Unreachable,
    /// It takes calls and never answers.
    Silent,
    /// Something else answers in its place.
    Stranger,
    /// It answers 503.
    Failing,
    /// Half of its answer is lost.
    Torn,
    /// It says that there is more, where it said so before.
    Stuck,
}

pub(super) const WRONG: [Server; 6] = [
    Server::Unreachable,
    Server::Silent,
    Server::Stranger,
    Server::Failing,
    Server::Torn,
    Server::Stuck,
];

pub(super) struct Worker {
    pub(super) feed: ChangeFeed,
    /// When it ticks, in true time.
    tick_at: u64,
    born: u64,
    /// Up to where in history its stores have been told.
    pub(super) told: Option<usize>,
    /// The most of it that they ever have been told.
    most: usize,
    /// What they have been told since.
    changed: Vec<Change>,
    is_drained: bool,
}

struct UnderWay {
    worker: usize,
    call: Call,
    after: Option<Cursor>,
    since: u64,
    /// Once the key server has made up its answer.
    answer: Option<(&'static str, bool, String)>,
}

/// What some worker confirmed and put into shared data.
struct Record {
    user: usize,
    since: UnixTime,
    /// How much of history the key server knew when it answered.
    seen: usize,
}

pub(super) struct World {
    pub(super) config: Config,
    /// The true time, in microseconds since the beginning.
    pub(super) real: u64,
    /// What the clock shows at the beginning.
    clock: u64,
    pub(super) random: u64,
    pub(super) workers: Vec<Option<Worker>>,
    pub(super) shared: BTreeMap<String, (Vec<u8>, u32)>,
    writes: u32,
    pub(super) has_shared_data: bool,
    pub(super) server: Server,
    /// All that ever changed, with the true time.
    pub(super) history: Vec<(Change, u64)>,
    /// From where on the key server remembers it.
    oldest: usize,
    /// Which start of the key server this is.
    instance: u32,
    pub(super) page: usize,
    under_way: Vec<UnderWay>,
    /// When it was last other than a quiet day: in true time.
    pub(super) disturbed_at: u64,
    /// When the clock went elsewhere, in true time.
    jumps: Vec<u64>,
    /// Where the clock goes in the middle of what comes next.
    jump_soon: Option<UnixTime>,
    records: Vec<Record>,
    pub(super) calls: usize,
    pub(super) reports: Vec<Report>,
    pub(super) believed: usize,
    pub(super) doubted: usize,
}

pub(super) const SECOND: u64 = 1_000_000;

/// How long it takes until a disturbance is forgotten: the longest back-off, and a lost call.
const UNTIL_CALM: u64 = 6 * SECOND;

impl World {
    pub(super) fn new(workers: usize, seed: u64) -> Self {
        Self::with(workers, seed, &json!({}))
    }

    pub(super) fn with(workers: usize, seed: u64, changes: &Value) -> Self {
        let mut world = Self {
            config: Config::parse(example::with(changes).as_bytes()).unwrap(),
            real: 0,
            clock: 1_800_000_000 * SECOND,
            random: seed,
            workers: vec![],
            shared: BTreeMap::new(),
            writes: 0,
            has_shared_data: true,
            server: Server::Up,
            history: vec![],
            oldest: 0,
            instance: 1,
            page: 1000,
            under_way: vec![],
            disturbed_at: 0,
            jumps: vec![],
            jump_soon: None,
            records: vec![],
            calls: 0,
            reports: vec![],
            believed: 0,
            doubted: 0,
        };
        for _ in 0..workers {
            world.start_worker();
        }
        world
    }

    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below.max(1)
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.random(times) == 0
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.random(u64::try_from(length).unwrap())).unwrap()
    }

    pub(super) fn now(&self) -> UnixTime {
        UnixTime::from_micros(self.clock + self.real)
    }

    pub(super) fn start_worker(&mut self) {
        let seed = self.random(u64::MAX);
        self.workers.push(Some(Worker {
            feed: ChangeFeed::new(keyserver(&self.config), seed),
            tick_at: self.real,
            born: self.real,
            told: None,
            most: 0,
            changed: vec![],
            is_drained: true,
        }));
    }

    /// Its VM is gone, and with it the answers to its calls.
    pub(super) fn kill_worker(&mut self, index: usize) {
        self.workers[index] = None;
        self.under_way.retain(|call| call.worker != index);
        self.disturbed_at = self.real;
    }

    /// Whose call is under way.
    pub(super) fn caller(&self) -> usize {
        self.under_way[0].worker
    }

    pub(super) fn living(&self) -> Vec<usize> {
        (0..self.workers.len()).filter(|index| self.workers[*index].is_some()).collect()
    }

    pub(super) fn worker(&mut self, index: usize) -> &mut Worker {
        self.workers[index].as_mut().unwrap()
    }

    pub(super) fn slot_name(&mut self, slot: Slot) -> String {
        let first = self.living()[0];
        self.worker(first).feed.slot_name(slot)
    }

    fn handle(&mut self, index: usize, event: Event<'_>) {
        let now = self.now();
        let worker = self.worker(index);
        worker.feed.handle(now, event);
        worker.is_drained = false;
    }

    /// The workers' threads take turns, one host call at a time.
    fn run(&mut self) {
        loop {
            let busy: Vec<_> = self
                .living()
                .into_iter()
                .filter(|index| !self.workers[*index].as_ref().unwrap().is_drained)
                .collect();
            if busy.is_empty() {
                return;
            }
            let index = busy[self.index(busy.len())];
            self.real += 1 + self.random(30);
            if self.one_in(10)
                && let Some(to) = self.jump_soon.take()
            {
                self.jump(to);
            }
            match self.worker(index).feed.next_action() {
                Some(action) => self.perform(index, action),
                None => self.on_drained(index),
            }
        }
    }

    fn perform(&mut self, index: usize, action: Action) {
        match action {
            Action::Read(slot) => {
                let name = self.worker(index).feed.slot_name(slot);
                let found = self.shared.get(&name).cloned().filter(|_| self.has_shared_data);
                let (value, version) =
                    found.map_or((None, 0), |(value, version)| (Some(value), version));
                self.handle(index, Event::Slot { slot, value: value.as_deref(), version });
            }
            Action::Write { slot, value, version } => {
                assert!(value.len() <= 128 * 1024);
                let name = self.worker(index).feed.slot_name(slot);
                let outcome = self.write(name, value, version);
                self.handle(index, Event::Written { slot, outcome });
            }
            Action::Fetch { call, .. } if self.server == Server::Unreachable => {
                self.handle(index, Event::Fetched(call, Err(FetchFailure::NotSent)));
            }
            Action::Fetch { call, after } => {
                self.calls += 1;
                let since = self.real;
                self.under_way.push(UnderWay { worker: index, call, after, since, answer: None });
            }
            Action::Changed { changes, at } => {
                // As many as the key server told at once, or as the ring has.
                assert!((1..=MAX_NOTED.max(1000)).contains(&changes.len()));
                assert!(at <= self.now() || !self.jumps.is_empty());
                assert!(changes.len() == 1 || !changes.contains(&Change::All));
                self.worker(index).changed.extend(changes);
            }
            Action::Report(report) => self.reports.push(report),
        }
    }

    /// As Envoy does it: what was never written has every version, and no version is any.
    fn write(&mut self, name: String, value: Vec<u8>, version: Option<u32>) -> Written {
        if !self.has_shared_data {
            return Written::Unsupported;
        }
        let expected = version.filter(|version| *version != 0);
        if let (Some((_, current)), Some(expected)) = (self.shared.get(&name), expected)
            && *current != expected
        {
            return Written::Conflict;
        }
        self.writes += 1;
        self.shared.insert(name, (value, self.writes));
        Written::Done
    }

    /// A worker's stores know now what its feed knows.
    fn on_drained(&mut self, index: usize) {
        let poll = keyserver(&self.config).poll;
        let worker = self.workers[index].as_mut().unwrap();
        worker.is_drained = true;
        let now_told = worker.feed.cursor().map(place);
        let changed = core::mem::take(&mut worker.changed);
        let is_all = changed.contains(&Change::All);
        match (worker.told, now_told) {
            (None, Some(_)) => assert!(is_all, "the first that is told is all"),
            (Some(before), Some(now)) => {
                for (change, _) in self.history.get(before..now).unwrap_or_default() {
                    assert!(is_all || changed.contains(change), "{change:?} was not told");
                }
            }
            (_, None) => assert!(changed.is_empty()),
        }
        worker.told = now_told;
        worker.most = worker.most.max(now_told.unwrap_or(0));
        let next = worker.feed.next_tick();
        assert!(next >= Duration::from_millis(1) && next <= poll / 2, "{next:?}");
        // Timers are late, never early.
        let late = self.random(20_000);
        let real = self.real;
        self.worker(index).tick_at = real + u64::try_from(next.as_micros()).unwrap() + late;
    }

    /// The key server makes up its answer to a call.
    fn serve(&mut self, index: usize) {
        let after = self.under_way[index].after.clone();
        let cursor = |place: usize| Cursor::new(&format!("{}.{place}", self.instance)).unwrap();
        let end = self.history.len();
        let (mut status, mut is_ours) = ("200", true);
        let mut body = match &after {
            None => Changes { cursor: cursor(end), more: false, changes: vec![] }.to_json(),
            Some(after)
                if !after.as_str().starts_with(&format!("{}.", self.instance))
                    || place(after) < self.oldest =>
            {
                status = "410";
                "{}".to_string()
            }
            Some(after) => {
                let told = self.history[place(after)..].iter().map(|(change, _)| change.clone());
                let changes: Vec<_> = told.take(self.page).collect();
                let reached = place(after) + changes.len();
                Changes { cursor: cursor(reached), more: reached < end, changes }.to_json()
            }
        };
        match self.server {
            Server::Up | Server::Unreachable => {}
            Server::Silent => return,
            Server::Stranger => is_ours = false,
            Server::Failing => (status, body) = ("503", String::new()),
            Server::Torn => body.truncate(body.len() / 2),
            Server::Stuck => {
                let at = after.unwrap_or_else(|| cursor(end));
                body = Changes { cursor: at, more: true, changes: vec![] }.to_json();
                // At a beginning there is nothing that more could follow.
                if self.under_way[index].after.is_none() {
                    (status, body) = ("500", String::new());
                }
            }
        }
        self.under_way[index].answer = Some((status, is_ours, body));
    }

    fn deliver(&mut self, index: usize) {
        let UnderWay { worker, call, answer, .. } = self.under_way.remove(index);
        let Some((status, is_ours, body)) = answer else {
            // The proxy's own answer, when there was none in time.
            let gave_up = Answer { status: b"504", protocol: None, body: b"", ..Answer::default() };
            return self.handle(worker, Event::Fetched(call, Ok(gave_up)));
        };
        let protocol = is_ours.then_some(&b"1"[..]);
        let answer = Answer {
            status: status.as_bytes(),
            protocol,
            body: body.as_bytes(),
            ..Answer::default()
        };
        self.handle(worker, Event::Fetched(call, Ok(answer)));
    }

    /// Time passes, up to `micros` of it; whatever is due happens.
    pub(super) fn step(&mut self, micros: u64) {
        let next = self.living().into_iter().map(|index| self.worker(index).tick_at).min();
        let end = self.real + 1 + self.random(micros);
        self.real = self.real.max(next.unwrap_or(end).min(end));
        for index in (0..self.under_way.len()).rev() {
            let call = &self.under_way[index];
            let (age, is_served) = (self.real - call.since, call.answer.is_some());
            if age >= SECOND || (is_served && self.one_in(3)) {
                self.deliver(index);
            } else if !is_served && (age >= SECOND / 5 || self.one_in(3)) {
                self.serve(index);
            }
        }
        for index in self.living() {
            if self.worker(index).tick_at <= self.real {
                self.handle(index, Event::Tick);
            }
        }
        self.run();
        self.check();
    }

    pub(super) fn pass(&mut self, micros: u64) {
        let end = self.real + micros;
        while self.real < end {
            self.step((end - self.real).min(SECOND / 20));
        }
    }

    /// How long a change takes to every worker on a quiet day at most: a poll period and the look
    /// that notices its end, the longest call, and another look.
    fn until_told(&self) -> u64 {
        let poll = u64::try_from(keyserver(&self.config).poll.as_micros()).unwrap();
        2 * poll + SECOND + SECOND / 2
    }

    fn is_calm(&self) -> bool {
        self.real - self.disturbed_at > UNTIL_CALM
    }

    /// What was heard is as old as it is: what has not been told came later.
    fn check_age(&self) {
        let now = self.now();
        for worker in self.workers.iter().flatten() {
            let untold = worker.told.and_then(|_| self.history.get(worker.most));
            let Some((_, since)) = untold else { continue };
            // It takes a look until one is noticed.
            let jumps = || self.jumps.iter().filter(|at| **at + 2 * SECOND > *since);
            if jumps().any(|at| worker.born + 2 * SECOND > *at && *at + 2 * SECOND > worker.born) {
                // It may not have seen the clock go back, and come before those that did.
                continue;
            }
            // Of each time the clock goes back, what passed since the last look goes unnoticed.
            let unnoticed = u64::try_from(jumps().count()).unwrap() * 2 * SECOND;
            let age = Duration::from_micros((self.real - since).saturating_sub(unnoticed));
            let lag = worker.feed.lag(now);
            assert!(lag >= age, "{lag:?}, and a change is {age:?} old");
        }
    }

    fn check(&mut self) {
        assert!(self.under_way.len() <= self.workers.len());
        if !self.has_shared_data || !self.is_calm() {
            return;
        }
        assert!(self.under_way.len() <= 1, "{} calls at a time", self.under_way.len());
        if self.server == Server::Up {
            let until_told = self.until_told();
            let long_ago = self.real.saturating_sub(until_told);
            let known = self.history.iter().take_while(|(_, at)| *at < long_ago).count();
            let (real, now) = (self.real, self.now());
            for index in self.living() {
                let worker = self.worker(index);
                if real - worker.born > until_told {
                    let told = worker.told.unwrap_or(0);
                    assert!(told >= known, "worker {index} knows {told} of {known}");
                    assert!(!worker.feed.is_silent(now));
                    assert!(worker.feed.lag(now) < Duration::from_micros(until_told));
                }
            }
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        self.history.push((change, self.real));
    }

    /// The clock goes elsewhere. Who was confirming a record gives up.
    pub(super) fn jump(&mut self, to: UnixTime) {
        self.clock = to.as_micros().saturating_sub(self.real);
        self.jumps.push(self.real);
        self.disturbed_at = self.real;
    }

    /// The key server starts anew, and has forgotten what it told.
    pub(super) fn restart(&mut self) {
        self.instance += 1;
        self.oldest = self.history.len();
        self.disturbed_at = self.real;
    }

    /// A worker confirms a record: how old it is follows from the beginning of the call.
    fn confirm(&mut self) {
        let user = self.index(USERS);
        let since = self.now();
        self.real += self.random(50_000);
        if self.one_in(5) {
            // The record changes just before the key server reads it.
            self.change(self::user(user));
        }
        let seen = self.history.len();
        self.real += self.random(50_000);
        self.records.push(Record { user, since, seen });
        if self.records.len() > 100 {
            let index = self.index(self.records.len());
            self.records.swap_remove(index);
        }
    }

    /// Every worker looks at what others confirmed.
    fn believe(&mut self) {
        let now = self.now();
        for worker in self.workers.iter().flatten() {
            if worker.told.is_none() {
                assert!(!self.records.iter().any(|record| worker.feed.covers(record.since)));
                continue;
            }
            for Record { user, since, seen } in &self.records {
                let is = |change: &Change| *change == self::user(*user);
                if *since > now {
                    continue;
                }
                if worker.feed.changed_since(*since, is) {
                    self.doubted += 1;
                    continue;
                }
                self.believed += 1;
                let lacks = self.history.get(*seen..worker.most).unwrap_or_default();
                let lacks = lacks.iter().find(|(change, _)| is(change) || *change == Change::All);
                assert!(lacks.is_none(), "believed, although {lacks:?}");
            }
        }
    }

    /// Another plugin writes into a slot: noise, or what was there once.
    fn meddle(&mut self, before: &mut Vec<(String, Vec<u8>)>) {
        let slot = if self.one_in(2) { Slot::Changes } else { Slot::Lease };
        let name = self.slot_name(slot);
        if let Some((value, _)) = self.shared.get(&name) {
            before.push((name.clone(), value.clone()));
        }
        if self.one_in(2) && !before.is_empty() {
            let index = self.index(before.len());
            let (name, value) = before[index].clone();
            self.write(name, value, None);
        } else {
            self.write(name, b"somebody else was here".to_vec(), None);
        }
        if before.len() > 20 {
            before.remove(0);
        }
        self.disturbed_at = self.real;
    }

    /// What stands in the slot of the changes.
    pub(super) fn entry(&mut self) -> Option<Entry> {
        let name = self.slot_name(Slot::Changes);
        let slot = Seal::new(&keyserver(&self.config).server).slot("changes");
        let (value, _) = self.shared.get(&name)?;
        slot.open(value).and_then(|entry| Entry::decode(&entry))
    }
}

fn place(cursor: &Cursor) -> usize {
    cursor.as_str().split_once('.').unwrap().1.parse().unwrap()
}

pub(super) fn user(number: usize) -> Change {
    Change::User(format!("u{number}"))
}

const USERS: usize = 10;

/// How wild a world is.
#[derive(Clone, Copy)]
struct Weather {
    jumps: bool,
    meddling: bool,
}

/// Days of trouble and quiet, with everything that can go wrong in between.
fn live(workers: usize, seed: u64, weather: Weather) -> World {
    let mut world = World::new(workers, seed);
    let mut before = vec![];
    for _ in 0..6 {
        for _ in 0..200 {
            world.step(SECOND / 5);
            match world.random(100) {
                0..=14 => {
                    let number = world.index(USERS);
                    world.change(user(number));
                }
                15 => world.change(Change::All),
                16 => {
                    let most = if world.one_in(4) { 2000 } else { 300 };
                    for number in 0..world.random(most) {
                        world.change(user(usize::try_from(number).unwrap()));
                    }
                }
                17..=40 => world.confirm(),
                41..=60 => world.believe(),
                61 => world.server = Server::Up,
                62 => {
                    let index = world.index(WRONG.len());
                    world.server = WRONG[index];
                }
                63 => world.restart(),
                64 => world.page = 1 + world.index(999),
                65 => world.start_worker(),
                66 if world.living().len() > 1 => {
                    let living = world.living();
                    let index = world.index(living.len());
                    world.kill_worker(living[index]);
                }
                67 if weather.jumps => {
                    // A step back that is shorter than the time between two looks at the clock
                    // cannot be noticed by anybody.
                    let by = Duration::from_micros(3 * SECOND + world.random(600 * SECOND));
                    let (now, ahead) = (world.now(), world.one_in(2));
                    // A machine may have slept for months.
                    let by = if ahead && world.one_in(4) { by * 20_000 } else { by };
                    let to = if ahead { now + by } else { now - by };
                    if world.one_in(2) {
                        world.jump(to);
                    } else {
                        world.jump_soon = Some(to);
                        world.step(SECOND / 5);
                        world.jump_soon = None;
                    }
                    if weather.meddling {
                        // Where the clock had been stands in the slot only, if all who saw it go
                        // back are gone.
                        world.records.clear();
                    }
                }
                68 if weather.meddling => world.meddle(&mut before),
                _ => {}
            }
            if !(weather.jumps && weather.meddling) {
                world.check_age();
            }
            if world.server != Server::Up || world.page < 600 {
                world.disturbed_at = world.real;
            }
        }
        // A quiet day, on which rules hold that trouble excuses from.
        world.server = Server::Up;
        world.page = 1000;
        world.disturbed_at = world.real;
        world.pass(UNTIL_CALM);
        for _ in 0..100 {
            world.step(SECOND / 5);
            match world.random(10) {
                0 => {
                    let number = world.index(USERS);
                    world.change(user(number));
                }
                1 | 2 => world.confirm(),
                3 | 4 => world.believe(),
                _ => {}
            }
        }
        world.pass(world.until_told() + SECOND);
        let end = world.history.len();
        for index in world.living() {
            assert_eq!(world.worker(index).told, Some(end));
        }
        let entry = world.entry().unwrap();
        assert_eq!(place(&entry.log.cursor), end);
    }
    world
}

const MANY_RUNS: u64 = if cfg!(target_arch = "wasm32") { 1 } else { 9 };
const RUNS: u64 = if cfg!(target_arch = "wasm32") { 2 } else { 8 };

fn live_often(workers: &[usize], weather: Weather) {
    let (mut believed, mut doubted) = (0, 0);
    for seed in 0..RUNS {
        for workers in workers {
            let world = live(*workers, seed + 1, weather);
            believed += world.believed;
            doubted += world.doubted;
        }
    }
    // The rules would hold of a feed that covers nothing, too.
    assert!(believed > doubted / 100, "{believed} believed, {doubted} doubted");
}

#[test]
fn every_change_reaches_every_worker_whatever_the_key_server_does() {
    live_often(&[1, 2, 7], Weather { jumps: false, meddling: false });
}

#[test]
fn every_change_reaches_every_worker_whatever_the_clock_does() {
    live_often(&[1, 2, 7], Weather { jumps: true, meddling: false });
}

#[test]
fn every_change_reaches_every_worker_whatever_another_plugin_does() {
    live_often(&[1, 2, 7], Weather { jumps: false, meddling: true });
    live_often(&[2], Weather { jumps: true, meddling: true });
}

#[test]
fn many_workers_are_as_few() {
    for seed in 0..MANY_RUNS {
        live(64, seed + 100, Weather { jumps: seed % 2 == 0, meddling: seed % 3 == 0 });
    }
}
