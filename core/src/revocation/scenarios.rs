//! What a list of revocations does: loads, follows the feed, and tells those who wait.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::list::{Action, Call, Event, Report, RevocationList, Want};
use crate::config::Config;
use crate::config::example::{self, keyserver};
use crate::feed::{self, ChangeFeed};
use crate::fetch::{Answer, FetchFailure};
use crate::record::{Change, RevocationEvent, Revocations};
use crate::time::UnixTime;

/// Who does not wait for the answer.
const NOBODY: u32 = 999_999;

const SECOND: Duration = Duration::from_secs(1);

/// One worker, and the key server's events.
struct World {
    list: RevocationList,
    feed: ChangeFeed,
    now: UnixTime,
    events: Vec<RevocationEvent>,
    /// How many of them go on a page.
    page: usize,
    /// The number of the first event.
    first: u64,
    is_up: bool,
    under_way: Vec<(Call, u64)>,
    calls: usize,
    /// On whose behalf each was made.
    traced: Vec<Option<u32>>,
    told: BTreeMap<u32, Want>,
    loads: Vec<usize>,
    failures: usize,
}

impl World {
    fn new(changes: &Value) -> Self {
        let config = Config::parse(example::with(changes).as_bytes()).unwrap();
        let mut world = Self {
            list: RevocationList::new(&config, &keyserver(&config).server, 1),
            feed: ChangeFeed::new(keyserver(&config), 1),
            now: UnixTime::from_secs(1_800_000_000),
            events: (0..5).map(|n| event(&format!("u{n}"))).collect(),
            page: 2,
            first: 1,
            is_up: true,
            under_way: Vec::new(),
            calls: 0,
            traced: Vec::new(),
            told: BTreeMap::new(),
            loads: Vec::new(),
            failures: 0,
        };
        world.hear();
        world
    }

    /// The feed is heard of now.
    fn hear(&mut self) {
        let config = Config::parse(example::with(&json!({})).as_bytes()).unwrap();
        self.feed = ChangeFeed::new(keyserver(&config), 1);
        self.feed.handle(self.now, feed::Event::Tick);
    }

    fn begun() -> Self {
        let mut world = Self::new(&json!({}));
        world.changed(&[Change::All]);
        world.settle();
        world
    }

    /// Where nothing was loaded yet, somebody waits for it, and gives up.
    fn changed(&mut self, changes: &[Change]) {
        let is_new = self.loads.is_empty();
        if is_new {
            let _waits = self.list.want(self.now, NOBODY, &self.feed);
        }
        self.list.changed(self.now, changes);
        if is_new {
            self.list.handle(self.now, Event::Gone(NOBODY), &self.feed);
        }
    }

    fn handle(&mut self, event: Event<'_>) {
        self.list.handle(self.now, event, &self.feed);
        while let Some(action) = self.list.next_action() {
            match action {
                Action::Fetch { call, after, on_behalf_of } => {
                    self.calls += 1;
                    self.traced.push(on_behalf_of);
                    self.under_way.push((call, after));
                    assert_eq!(self.under_way.len(), 1, "two calls at a time");
                }
                Action::Resume { request, answer } => {
                    assert!(!matches!(answer, Want::Parked));
                    assert!(self.told.insert(request, answer).is_none(), "told twice");
                }
                Action::Report(Report::Loaded { events }) => self.loads.push(events),
                Action::Report(Report::Failed { .. }) => self.failures += 1,
            }
        }
    }

    /// How long it takes until a load is under way.
    fn until_it_loads(&mut self) -> Duration {
        let began = self.now;
        while self.under_way.is_empty() {
            self.now = self.now + Duration::from_millis(10);
            self.tick();
        }
        self.now.since(began)
    }

    fn tick(&mut self) {
        self.handle(Event::Tick);
    }

    fn answer(&mut self) {
        let Some((call, after)) = self.under_way.pop() else { return };
        if !self.is_up {
            return self.handle(Event::Fetched(call, Err(FetchFailure::NotSent)));
        }
        let before = usize::try_from((after + 1).saturating_sub(self.first)).unwrap();
        let start = self.events.len().min(before);
        let end = self.events.len().min(start + self.page);
        let last = self.first + u64::try_from(end).unwrap() - 1;
        let page = Revocations {
            after: if start == end { after } else { last },
            more: end < self.events.len(),
            events: self.events[start..end].to_vec(),
        };
        let body = page.to_json();
        let (protocol, body) = (Some(&b"1"[..]), body.as_bytes());
        self.handle(Event::Fetched(
            call,
            Ok(Answer { status: b"200", protocol, body, ..Answer::default() }),
        ));
    }

    fn settle(&mut self) {
        self.tick();
        while !self.under_way.is_empty() {
            self.answer();
        }
    }

    fn request(&mut self, request: u32) {
        match self.list.want(self.now, request, &self.feed) {
            Want::Parked => {}
            answer => {
                self.told.insert(request, answer);
            }
        }
    }

    /// What a request was told: which users' tokens were revoked, or that it is not known.
    fn word(&self, request: u32) -> String {
        match self.told.get(&request) {
            None => "waits".into(),
            Some(Want::Ready(revoked)) => format!("{} events", revoked.len()),
            Some(Want::Refused { cause, .. }) => cause.reason().into(),
            Some(Want::Parked) => "parked".into(),
        }
    }
}

fn event(user: &str) -> RevocationEvent {
    let issued_before = 1_800_000_000;
    RevocationEvent { issued_before, user_id: Some(user.into()), ..RevocationEvent::default() }
}

fn told(user: &str) -> Change {
    Change::Revocation(Box::new(event(user)))
}

#[test]
fn who_comes_before_all_is_loaded_waits_for_it() {
    let mut world = World::new(&json!({}));
    world.request(1);
    world.tick();
    assert_eq!((world.word(1).as_str(), world.calls), ("waits", 0), "the feed comes first");
    world.changed(&[Change::All]);
    world.tick();
    world.answer();
    assert_eq!(world.word(1), "waits");
    world.settle();
    assert_eq!((world.word(1).as_str(), world.calls), ("5 events", 3));
    world.request(2);
    assert_eq!((world.word(2).as_str(), world.calls), ("5 events", 3));
    assert_eq!(world.loads, [5]);
}

#[test]
fn a_call_is_made_on_behalf_of_the_first_that_waits_or_of_nobody() {
    let mut world = World::new(&json!({}));
    world.changed(&[Change::All]);
    world.tick();
    world.request(7);
    world.request(8);
    world.answer();
    world.handle(Event::Gone(7));
    world.answer();
    assert_eq!(world.traced, [None, Some(7), Some(8)]);
}

#[test]
fn what_the_feed_tells_is_known_at_once() {
    let mut world = World::begun();
    world.changed(&[told("v"), Change::TokenKeys, told("w")]);
    world.request(1);
    assert_eq!(world.word(1), "7 events");
    // And what it tells while all is loaded anew is known then, too.
    world.changed(&[Change::All]);
    world.tick();
    world.changed(&[told("x")]);
    world.settle();
    world.request(2);
    assert_eq!(world.word(2), "8 events");
    // Also when that is everything, without what is over.
    world.now = world.now + Duration::from_hours(1);
    world.tick();
    world.changed(&[told("y")]);
    world.settle();
    world.hear();
    world.request(3);
    assert_eq!(world.word(3), "6 events");
}

#[test]
fn what_may_lack_an_event_serves_nobody_before_it_was_loaded_anew() {
    let mut world = World::begun();
    world.events.push(event("missed"));
    world.changed(&[Change::All]);
    // A quarter of a poll period later.
    world.now = world.now + SECOND / 2;
    world.request(1);
    assert_eq!(world.word(1), "waits");
    world.settle();
    assert_eq!(world.word(1), "6 events");
}

#[test]
fn what_may_lack_an_event_serves_on_for_a_moment_while_it_is_loaded() {
    let mut world = World::begun();
    world.events.push(event("missed"));
    world.changed(&[Change::All]);
    assert!(world.list.next_tick() <= SECOND / 4, "{:?}", world.list.next_tick());
    world.now = world.now + SECOND / 2 - Duration::from_micros(1);
    // Over and over does not make it longer.
    world.changed(&[Change::All]);
    world.request(1);
    assert_eq!(world.word(1), "5 events");
    world.now = world.now + Duration::from_micros(1);
    world.request(2);
    assert_eq!(world.word(2), "waits");
}

#[test]
fn what_was_loaded_is_not_loaded_again_but_for_the_end() {
    let mut world = World::new(&json!({"cache": {"stale": "4h"}}));
    (world.first, world.page) = (10_001, 1000);
    world.events = (0..4000).map(|n| event(&format!("u{n}"))).collect();
    world.changed(&[Change::All]);
    world.settle();
    assert_eq!(world.calls, 4);
    world.calls = 0;
    world.events.extend((0..30).map(|n| event(&format!("v{n}"))));
    // One that was given its number before, and comes to be seen only now.
    world.events[3850] = event("late");
    world.changed(&[Change::All]);
    let began = world.now;
    while world.loads.len() < 2 {
        world.now = world.now + SECOND / 20;
        world.settle();
    }
    assert!(world.now.since(began) <= SECOND / 2);
    // From a place at which others begin, too.
    assert_eq!((world.calls, world.loads[1]), (1, 4031));
    world.request(1);
    assert_eq!(world.word(1), "4031 events");
}

#[test]
fn where_the_numbers_begin_anew_all_is_loaded() {
    for (first, count) in [(1, 5), (1, 0), (1, 600), (1_000_000, 5)] {
        let mut world = World::new(&json!({"cache": {"stale": "4h"}}));
        (world.first, world.page) = (1000, 1000);
        world.changed(&[Change::All]);
        world.settle();
        world.first = first;
        world.events = (0..count).map(|n| event(&format!("new{n}"))).collect();
        world.changed(&[Change::All]);
        world.now = world.now + SECOND;
        world.settle();
        assert_eq!(world.loads, [5, count], "{first} {count}");
    }
}

#[test]
fn where_nobody_asks_all_is_loaded_within_ten_seconds_and_else_at_once() {
    let config = Config::parse(example::with(&json!({})).as_bytes()).unwrap();
    let waits: BTreeSet<_> = (0..30)
        .map(|seed| {
            let mut world = World::new(&json!({}));
            world.list = RevocationList::new(&config, &keyserver(&config).server, seed);
            world.list.changed(world.now, &[Change::All]);
            world.until_it_loads()
        })
        .collect();
    assert!(waits.len() > 20 && waits.last() <= Some(&(SECOND * 10)), "{waits:?}");
    let mut world = World::new(&json!({}));
    world.list.changed(world.now, &[Change::All]);
    world.request(1);
    world.tick();
    assert_eq!(world.under_way.len(), 1);
}

#[test]
fn workers_do_not_load_together() {
    let config = Config::parse(example::with(&json!({})).as_bytes()).unwrap();
    let ticks: BTreeSet<_> = (0..30)
        .map(|seed| {
            let mut world = World::begun();
            world.list = RevocationList::new(&config, &keyserver(&config).server, seed);
            world.request(1);
            world.changed(&[Change::All]);
            world.settle();
            world.changed(&[Change::All]);
            world.until_it_loads()
        })
        .collect();
    assert!(ticks.len() > 10, "{ticks:?}");
    assert!(ticks.last() <= Some(&Duration::from_millis(250)), "{ticks:?}");
}

#[test]
fn a_load_that_began_before_is_not_believed() {
    let mut world = World::new(&json!({}));
    world.changed(&[Change::All]);
    world.tick();
    world.changed(&[Change::All]);
    world.answer();
    assert!(world.loads.is_empty());
    world.settle();
    assert_eq!(world.loads, [5]);
}

#[test]
fn while_the_key_server_is_away_it_serves_until_it_is_stale() {
    let mut world = World::begun();
    world.is_up = false;
    world.changed(&[Change::All]);
    world.now = world.now + SECOND / 2;
    world.request(1);
    world.settle();
    assert_eq!((world.word(1).as_str(), world.failures), ("5 events", 1));
    world.request(2);
    assert_eq!(world.word(2), "5 events", "at once, until the next try");
    world.now = world.now + SECOND / 2 + Duration::from_secs(3598);
    world.request(3);
    world.settle();
    assert_eq!(world.word(3), "5 events");
    world.now = world.now + SECOND;
    world.request(4);
    world.settle();
    assert_eq!(world.word(4), "revocations_unavailable");
    world.is_up = true;
    world.hear();
    world.now = world.now + SECOND * 20;
    world.settle();
    world.request(5);
    assert_eq!(world.word(5), "5 events");
}

#[test]
fn who_asks_where_nothing_was_ever_known_is_refused_after_a_while() {
    for is_begun in [true, false] {
        let mut world = World::new(&json!({}));
        world.is_up = false;
        if is_begun {
            world.changed(&[Change::All]);
        }
        world.request(1);
        for _ in 0..5 {
            world.settle();
            world.now = world.now + SECOND;
        }
        assert_eq!(world.word(1), "revocations_unavailable", "{is_begun}");
    }
}

#[test]
fn what_lacks_events_ends_however_lively_the_feed_is() {
    let mut world = World::begun();
    world.is_up = false;
    world.changed(&[Change::All]);
    for second in 0..3700_u32 {
        world.hear();
        world.settle();
        world.request(second);
        world.settle();
        let expected = if second < 3600 { "5 events" } else { "revocations_unavailable" };
        assert_eq!(world.word(second), expected, "{second}");
        if second % 600 == 0 {
            world.changed(&[Change::All]);
        }
        world.now = world.now + SECOND;
    }
}

#[test]
fn a_key_server_that_is_back_is_noticed_within_two_seconds() {
    let mut world = World::new(&json!({}));
    world.is_up = false;
    world.changed(&[Change::All]);
    for _ in 0..60 {
        world.settle();
        world.now = world.now + SECOND;
    }
    world.is_up = true;
    world.hear();
    for _ in 0..2 {
        world.now = world.now + SECOND;
        world.settle();
    }
    world.request(1);
    assert_eq!(world.word(1), "5 events");
}

#[test]
fn a_call_that_is_lost_is_made_again() {
    let mut world = World::new(&json!({}));
    world.changed(&[Change::All]);
    world.request(1);
    world.tick();
    world.under_way.clear();
    world.now = world.now + SECOND * 2;
    world.tick();
    assert_eq!((world.word(1).as_str(), world.failures), ("revocations_unavailable", 1));
    world.now = world.now + SECOND;
    world.settle();
    world.request(2);
    assert_eq!(world.word(2), "5 events");
}

#[test]
fn an_answer_that_makes_no_sense_fails() {
    for (status, body) in [
        ("500", "{}"),
        ("404", r#"{"error":{"reason":"user_gone"}}"#),
        ("200", "{"),
        ("200", r#"{"after":0,"more":true,"events":[]}"#),
        ("200", r#"{"after":1,"more":false,"events":[{"issued_before":1,"user_id":"\n"}]}"#),
    ] {
        let mut world = World::new(&json!({}));
        world.changed(&[Change::All]);
        world.tick();
        let (call, _) = world.under_way.pop().unwrap();
        let (status, body) = (status.as_bytes(), body.as_bytes());
        let answer = Answer { status, protocol: Some(b"1"), body, ..Answer::default() };
        world.handle(Event::Fetched(call, Ok(answer)));
        assert_eq!((world.failures, world.loads.len()), (1, 0));
    }
}

#[test]
fn it_is_loaded_anew_now_and_then_without_what_is_over() {
    let mut world = World::begun();
    world.events.truncate(2);
    for _ in 0..3600 {
        world.now = world.now + SECOND;
        world.settle();
    }
    assert!((1..=2).contains(&(world.loads.len() - 1)), "{:?}", world.loads);
    assert_eq!(world.loads.last(), Some(&2));
    // Those who come meanwhile do not wait for it.
    world.now = world.now + SECOND * 3600;
    world.tick();
    assert_eq!(world.under_way.len(), 1);
    world.hear();
    world.request(1);
    assert_eq!(world.word(1), "2 events");
}

#[test]
fn where_no_more_may_wait_what_is_known_serves() {
    let mut world = World::new(&json!({"limits": {"parked": 2}}));
    world.changed(&[Change::All]);
    world.settle();
    world.changed(&[Change::All]);
    world.now = world.now + SECOND;
    for request in 0..4 {
        world.request(request);
    }
    let words: Vec<_> = (0..4).map(|request| world.word(request)).collect();
    assert_eq!(words, ["waits", "waits", "5 events", "5 events"]);
    world.settle();
    assert_eq!(world.word(0), "5 events");
}

#[test]
fn no_more_wait_than_may_and_who_is_gone_is_not_told() {
    let mut world = World::new(&json!({"limits": {"parked": 2}}));
    for request in 0..3 {
        world.request(request);
    }
    assert_eq!(world.word(2), "too_many_waiting");
    world.handle(Event::Gone(0));
    world.changed(&[Change::All]);
    world.settle();
    assert_eq!((world.word(0).as_str(), world.word(1).as_str()), ("waits", "5 events"));
    assert_eq!(world.list.next_tick(), SECOND);
}

#[test]
fn a_clock_that_goes_back_puts_nothing_off() {
    let mut world = World::begun();
    world.now = world.now - Duration::from_hours(1000);
    world.feed.handle(world.now, feed::Event::Tick);
    world.request(1);
    assert_eq!(world.word(1), "5 events");
    world.now = world.now + Duration::from_hours(1);
    world.tick();
    assert_eq!(world.under_way.len(), 1);
}

#[test]
fn a_clock_that_goes_back_makes_nothing_younger() {
    let mut world = World::begun();
    world.is_up = false;
    world.changed(&[Change::All]);
    world.settle();
    world.now = world.now - Duration::from_hours(1000);
    world.tick();
    for (seconds, expected) in [(3599, "5 events"), (1, "revocations_unavailable")] {
        world.now = world.now + SECOND * seconds;
        world.hear();
        world.request(seconds);
        world.settle();
        assert_eq!(world.word(seconds), expected);
    }
}
