//! What a feed does in the simulated proxy when one thing happens to it.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::ring::MAX_NOTED;
use super::world::{SECOND, Server, WRONG, World, user};
use super::{Action, Call, ChangeFeed, Event, Report, Slot, Written};
use crate::config::Config;
use crate::config::example::{self, keyserver};
use crate::fetch::{Answer, FetchFailure};
use crate::record::{Change, Changes, Cursor, InvalidChanges, RevocationEvent};
use crate::time::UnixTime;

fn told(world: &mut World) -> Vec<Option<usize>> {
    world.living().into_iter().map(|index| world.worker(index).told).collect()
}

fn failures(world: &World) -> usize {
    world.reports.iter().filter(|report| matches!(report, Report::Failed { .. })).count()
}

#[test]
fn one_worker_asks_for_all_about_every_poll_period() {
    for (poll, workers, most, least) in
        [("2s", 1, 35, 27), ("2s", 16, 35, 27), ("500ms", 4, 134, 80), ("60s", 4, 3, 1)]
    {
        let mut world = World::with(workers, 1, &json!({"keyserver": {"poll": poll}}));
        world.pass(10 * SECOND);
        world.calls = 0;
        world.pass(60 * SECOND);
        assert!((least..=most).contains(&world.calls), "{} calls, {poll}", world.calls);
    }
}

#[test]
fn a_lone_worker_too_asks_at_odd_times() {
    // A period is shortened by a twentieth on average, so a fleet that starts at once drifts apart.
    let mut world = World::new(1, 1);
    world.pass(10 * SECOND);
    world.calls = 0;
    world.pass(600 * SECOND);
    assert!((306..=334).contains(&world.calls), "{} calls", world.calls);
}

#[test]
fn a_change_reaches_all_workers_within_about_a_poll_period() {
    let mut world = World::new(8, 1);
    world.pass(10 * SECOND);
    for number in 0..10 {
        world.change(user(number));
        let end = world.history.len();
        let since = world.real;
        while told(&mut world).iter().any(|told| *told != Some(end)) {
            world.pass(SECOND / 20);
            assert!(world.real - since < 4 * SECOND, "{:?}", told(&mut world));
        }
    }
}

#[test]
fn a_feed_that_begins_is_soon_known_to_all_workers() {
    for (poll, millis) in [("2s", 500), ("60s", 1_000)] {
        let config = json!({"keyserver": {"poll": poll}});
        let mut world = World::with(8, 1, &config);
        let since = world.real;
        while told(&mut world).iter().any(Option::is_none) {
            world.pass(SECOND / 100);
            assert!(world.real - since < SECOND, "{:?}", told(&mut world));
        }
        // One that does not begin is not looked for so often for ever.
        let mut world = World::with(1, 1, &config);
        world.server = Server::Unreachable;
        world.pass(120 * SECOND);
        let ticks = (0..200).map(|_| {
            world.pass(SECOND / 2);
            world.worker(0).feed.next_tick()
        });
        assert!(ticks.max() > Some(Duration::from_millis(millis)));
    }
}

#[test]
fn without_shared_data_every_worker_asks_for_itself() {
    let mut world = World::new(3, 1);
    world.has_shared_data = false;
    world.pass(10 * SECOND);
    world.change(user(1));
    world.calls = 0;
    world.pass(20 * SECOND);
    assert_eq!(told(&mut world), [Some(1); 3]);
    assert!((24..=36).contains(&world.calls), "{}", world.calls);
}

#[test]
fn a_key_server_that_cannot_be_asked_is_asked_about_once_a_second_and_noticed_when_it_is_back() {
    for server in WRONG {
        let mut world = World::new(4, 1);
        world.pass(10 * SECOND);
        world.server = server;
        world.disturbed_at = world.real;
        world.reports.clear();
        world.pass(60 * SECOND);
        // A call without an answer takes a second.
        assert!((20..=80).contains(&failures(&world)), "{server:?}: {}", failures(&world));
        let now = world.now();
        assert!(world.living().into_iter().all(|index| world.worker(index).feed.is_silent(now)));
        world.change(user(1));
        world.server = Server::Up;
        world.disturbed_at = world.real;
        // It is asked within a second and a half, but for a call that is under way; then the workers look
        // once a second.
        world.pass(3 * SECOND + if server == Server::Silent { SECOND } else { 0 });
        assert_eq!(told(&mut world), [Some(1); 4], "{server:?}");
        let now = world.now();
        assert!(!world.living().into_iter().any(|index| world.worker(index).feed.is_silent(now)));
    }
}

#[test]
fn is_silent_after_five_poll_periods_and_ten_seconds_at_least() {
    for (poll, secs) in [("500ms", 10), ("2s", 10), ("4s", 20)] {
        let mut world = World::with(2, 1, &json!({"keyserver": {"poll": poll}}));
        world.pass(30 * SECOND);
        let silence = Duration::from_secs(secs);
        let now = world.now();
        let feed = &world.worker(0).feed;
        let heard_at = now - feed.lag(now);
        assert!(!feed.is_silent(heard_at + silence));
        assert!(feed.is_silent(heard_at + silence + Duration::from_micros(1)));
    }
}

#[test]
fn a_worker_that_is_lost_in_a_call_blocks_nobody_for_long() {
    let mut world = World::new(2, 1);
    world.pass(10 * SECOND);
    let before = world.calls;
    while world.calls == before {
        world.step(SECOND / 20);
    }
    let holder = world.caller();
    world.kill_worker(holder);
    world.change(user(1));
    world.pass(5 * SECOND);
    assert_eq!(told(&mut world), [Some(1)]);
}

#[test]
fn what_the_key_server_does_not_know_any_more_begins_anew_with_all() {
    let mut world = World::new(3, 1);
    world.pass(10 * SECOND);
    world.change(user(1));
    world.restart();
    world.reports.clear();
    let since = world.now();
    world.pass(10 * SECOND);
    assert_eq!(told(&mut world), [Some(1); 3]);
    assert_eq!(failures(&world), 0);
    let begun = world.reports.iter().filter(|report| **report == Report::Begun).count();
    assert_eq!(begun, 1);
    assert!(!world.reports.contains(&Report::Missed));
    for index in 0..3 {
        assert!(world.worker(index).feed.changed_since(since, |_| false));
    }
}

#[test]
fn more_changes_than_one_answer_holds_are_asked_for_at_once() {
    let mut world = World::new(2, 1);
    world.pass(10 * SECOND);
    world.page = 20;
    for number in 0..100 {
        world.change(user(number));
    }
    world.disturbed_at = world.real;
    world.reports.clear();
    world.pass(5 * SECOND);
    assert_eq!(told(&mut world), [Some(100); 2]);
    assert!(!world.reports.contains(&Report::Begun));
    // Without an end, a new beginning is.
    world.page = 1;
    for number in 0..100 {
        world.change(user(number));
    }
    world.calls = 0;
    world.pass(8 * SECOND);
    assert_eq!(told(&mut world), [Some(200); 2]);
    assert!(world.reports.contains(&Report::Begun));
    assert!(world.calls <= 13, "{}", world.calls);
}

#[test]
fn more_changes_than_the_ring_holds_are_all() {
    let mut world = World::new(3, 1);
    world.pass(10 * SECOND);
    for number in 0..=MAX_NOTED {
        world.change(user(number));
    }
    world.reports.clear();
    world.pass(6 * SECOND);
    assert_eq!(told(&mut world), [Some(MAX_NOTED + 1); 3]);
    // The one that asked knows which they are.
    let missed = world.reports.iter().filter(|report| **report == Report::Missed).count();
    assert_eq!(missed, 2);
    assert_eq!(world.entry().unwrap().log.ring.changes().len(), MAX_NOTED);
}

#[test]
fn what_any_user_can_change_in_a_poll_period_is_told_one_by_one() {
    let mut world = World::new(3, 1);
    world.pass(10 * SECOND);
    world.reports.clear();
    for number in 0..1000 {
        world.change(revocation(number));
    }
    world.pass(6 * SECOND);
    assert_eq!(told(&mut world), [Some(1000); 3]);
    assert!(!world.reports.contains(&Report::Missed));
}

/// As Keystone writes it when a token is revoked by its owner.
fn revocation(number: usize) -> Change {
    Change::Revocation(Box::new(RevocationEvent {
        issued_before: 1_795_328_517,
        audit_id: Some(format!("_6fo8Ix_RSS7T7le5b{number:04}")),
        ..RevocationEvent::default()
    }))
}

#[test]
fn a_worker_that_comes_later_knows_what_the_others_know() {
    let mut world = World::new(2, 1);
    world.pass(10 * SECOND);
    world.change(user(1));
    world.pass(5 * SECOND);
    let since = world.now();
    world.change(user(2));
    world.pass(5 * SECOND);
    world.start_worker();
    world.pass(SECOND);
    let feed = &world.worker(2).feed;
    assert!(feed.covers(since));
    assert!(feed.changed_since(since, |change| *change == user(2)));
    assert!(!feed.changed_since(since, |change| *change == user(1)));
    assert!(!feed.covers(UnixTime::from_secs(1_800_000_000)), "the others began later");
}

#[test]
fn a_clock_that_goes_back_does_not_make_what_was_heard_young() {
    for workers in [1, 3] {
        for (back, each) in [(3, 4), (9, 10), (300, 8), (3600, 5)] {
            let mut world = World::new(workers, 1);
            world.pass(10 * SECOND);
            world.server = Server::Silent;
            let mut seconds = 0;
            while !world.living().into_iter().all(|index| {
                let now = world.now();
                world.worker(index).feed.is_silent(now)
            }) {
                world.pass(SECOND);
                seconds += 1;
                if seconds % each == 0 {
                    world.jump(world.now() - Duration::from_secs(back));
                    world.step(SECOND / 20);
                }
                // Each time up to what passes between two looks at the clock goes unnoticed.
                assert!(seconds < 16, "{workers} workers, {back} s back each {each} s");
            }
            // Nor does it for who comes later.
            world.jump(world.now() - Duration::from_secs(8));
            world.pass(2 * SECOND);
            world.start_worker();
            world.pass(SECOND);
            let now = world.now();
            assert!(world.worker(workers).feed.is_silent(now), "{back} s back each {each} s");
        }
    }
}

#[test]
fn a_clock_that_went_back_covers_nothing_until_it_is_where_it_was() {
    let mut world = World::new(2, 1);
    world.pass(10 * SECOND);
    let before = world.now();
    world.pass(10 * SECOND);
    assert!(world.worker(1).feed.covers(before));
    world.jump(world.now() - Duration::from_mins(1));
    world.pass(30 * SECOND);
    let between = world.now();
    world.start_worker();
    world.pass(5 * SECOND);
    for index in 0..3 {
        let feed = &world.worker(index).feed;
        assert!(!feed.covers(before) && !feed.covers(between));
        assert!(feed.lag(between) < Duration::from_secs(6));
    }
    world.pass(60 * SECOND);
    let after = world.now();
    world.pass(5 * SECOND);
    for index in 0..3 {
        assert!(world.worker(index).feed.covers(after));
    }
}

#[test]
fn noise_in_shared_data_loses_nothing() {
    let mut world = World::new(3, 1);
    world.pass(10 * SECOND);
    for round in 1..10 {
        world.change(user(round));
        for slot in [Slot::Changes, Slot::Lease] {
            let name = world.slot_name(slot);
            let (value, _) = world.shared.get_mut(&name).unwrap();
            *value = b"somebody else was here".to_vec();
        }
        world.disturbed_at = world.real;
        world.pass(5 * SECOND);
        assert_eq!(told(&mut world), [Some(round); 3]);
    }
}

/// A feed by itself, without shared data: its next call.
fn next_call(feed: &mut ChangeFeed, now: UnixTime) -> Option<(Call, Option<Cursor>)> {
    let mut fetch = None;
    while let Some(action) = feed.next_action() {
        match action {
            Action::Read(slot) => {
                feed.handle(now, Event::Slot { slot, value: None, version: 0 });
            }
            Action::Write { slot, .. } => {
                feed.handle(now, Event::Written { slot, outcome: Written::Unsupported });
            }
            Action::Fetch { call, after } => fetch = Some((call, after)),
            Action::Changed { .. } | Action::Report(_) => {}
        }
    }
    fetch
}

fn answer(feed: &mut ChangeFeed, now: UnixTime, call: Call, status: &[u8], body: &str) {
    let body = body.as_bytes();
    let answer = Answer { status, protocol: Some(b"1"), body, ..Answer::default() };
    feed.handle(now, Event::Fetched(call, Ok(answer)));
}

fn alone() -> ChangeFeed {
    let config = Config::parse(example::with(&json!({})).as_bytes()).unwrap();
    ChangeFeed::new(keyserver(&config), 1)
}

#[test]
fn an_answer_that_comes_too_late_is_not_taken_for_another() {
    let start = UnixTime::from_secs(1_800_000_000);
    let mut feed = alone();
    feed.handle(start, Event::Tick);
    let (first, after) = next_call(&mut feed, start).unwrap();
    assert_eq!(after, None);
    // Given up, and asked again.
    let mut now = start + Duration::from_secs(2);
    feed.handle(now, Event::Tick);
    assert!(next_call(&mut feed, now).is_none());
    now = now + Duration::from_secs(1);
    feed.handle(now, Event::Tick);
    let (second, _) = next_call(&mut feed, now).unwrap();
    answer(&mut feed, now, first, b"200", r#"{"cursor":"1","more":false,"changes":[]}"#);
    assert!(next_call(&mut feed, now).is_none());
    assert!(feed.cursor().is_none());
    answer(&mut feed, now, second, b"200", r#"{"cursor":"2","more":false,"changes":[]}"#);
    assert!(next_call(&mut feed, now).is_none());
    assert_eq!(feed.cursor(), Cursor::new("2").as_ref());
}

#[test]
fn a_record_that_was_read_while_the_change_came_in_is_older_than_it() {
    let start = UnixTime::from_secs(1_800_000_000);
    let second = Duration::from_secs(1);
    let mut feed = alone();
    feed.handle(start, Event::Tick);
    let (call, _) = next_call(&mut feed, start).unwrap();
    answer(&mut feed, start, call, b"200", r#"{"cursor":"1","more":false,"changes":[]}"#);
    assert!(next_call(&mut feed, start).is_none());
    let began = start + 2 * second;
    feed.handle(began, Event::Tick);
    let (call, after) = next_call(&mut feed, began).unwrap();
    assert_eq!(after, Cursor::new("1"));
    let changes = vec![Change::User("u".into())];
    let body = Changes { cursor: Cursor::new("2").unwrap(), more: false, changes }.to_json();
    let came = began + second / 2;
    answer(&mut feed, came, call, b"200", &body);
    assert!(next_call(&mut feed, came).is_none());
    let is = |change: &Change| change.id() == Some("u");
    assert!(feed.changed_since(began + second / 4, is));
    assert!(feed.changed_since(came, is));
    assert!(!feed.changed_since(came + second / 4, is));
    assert!(!feed.changed_since(began + second / 4, |change| change.id() == Some("v")));
    assert_eq!(feed.lag(came), second / 2, "counted from where the call began");
}

#[test]
fn while_there_is_more_to_tell_nothing_counts_as_heard() {
    let start = UnixTime::from_secs(1_800_000_000);
    let mut feed = alone();
    feed.handle(start, Event::Tick);
    let (call, _) = next_call(&mut feed, start).unwrap();
    answer(&mut feed, start, call, b"200", r#"{"cursor":"1","more":false,"changes":[]}"#);
    assert!(next_call(&mut feed, start).is_none());
    let later = start + Duration::from_secs(3);
    feed.handle(later, Event::Tick);
    let (call, _) = next_call(&mut feed, later).unwrap();
    answer(&mut feed, later, call, b"200", r#"{"cursor":"2","more":true,"changes":[]}"#);
    let (call, after) = next_call(&mut feed, later).unwrap();
    assert_eq!(after, Cursor::new("2"));
    assert_eq!(feed.lag(later), Duration::from_secs(3));
    answer(&mut feed, later, call, b"200", r#"{"cursor":"3","more":false,"changes":[]}"#);
    assert!(next_call(&mut feed, later).is_none());
    assert_eq!(feed.lag(later), Duration::ZERO);
}

#[test]
fn an_answer_is_written_only_over_what_it_was_read_with() {
    let now = UnixTime::from_secs(1_800_000_000);
    let mut feed = alone();
    feed.handle(now, Event::Tick);
    let (call, _) = next_call(&mut feed, now).unwrap();
    answer(&mut feed, now, call, b"200", r#"{"cursor":"1","more":false,"changes":[]}"#);
    for (version, outcome) in [(7, Written::Conflict), (8, Written::Done)] {
        assert!(matches!(feed.next_action(), Some(Action::Read(Slot::Changes))));
        feed.handle(now, Event::Slot { slot: Slot::Changes, value: None, version });
        let write = feed.next_action();
        let Some(Action::Write { slot: Slot::Changes, version: named, .. }) = write else {
            panic!("{write:?}")
        };
        assert_eq!(named, Some(version));
        feed.handle(now, Event::Written { slot: Slot::Changes, outcome });
        assert_eq!(feed.cursor().is_some(), outcome == Written::Done);
        feed.handle(now, Event::Tick);
    }
}

#[test]
fn a_clock_that_goes_back_while_an_answer_is_written_does_not_make_it_young() {
    let now = UnixTime::from_secs(1_800_000_000);
    let mut feed = alone();
    feed.handle(now, Event::Tick);
    let (call, _) = next_call(&mut feed, now).unwrap();
    answer(&mut feed, now, call, b"200", r#"{"cursor":"1","more":false,"changes":[]}"#);
    assert!(matches!(feed.next_action(), Some(Action::Read(Slot::Changes))));
    feed.handle(now, Event::Slot { slot: Slot::Changes, value: None, version: 0 });
    let earlier = now - Duration::from_hours(1);
    feed.handle(earlier, Event::Written { slot: Slot::Changes, outcome: Written::Done });
    let minute = Duration::from_mins(1);
    assert_eq!(feed.lag(earlier + minute), minute);
    assert!(!feed.covers(earlier + minute) && !feed.covers(now) && feed.covers(now + minute));
}

#[test]
fn says_what_is_wrong_with_an_answer() {
    let now = UnixTime::from_secs(1_800_000_000);
    for (status, body, expected) in [
        (&b"200"[..], "{}", FetchFailure::Changes(InvalidChanges::Json)),
        (b"404", "", FetchFailure::Status(404)),
        (b"410", "", FetchFailure::Status(410)),
    ] {
        let mut feed = alone();
        feed.handle(now, Event::Tick);
        let (call, _) = next_call(&mut feed, now).unwrap();
        answer(&mut feed, now, call, status, body);
        let reports = core::iter::from_fn(|| feed.next_action());
        let failed: Vec<_> = reports
            .filter_map(|action| match action {
                Action::Report(Report::Failed { failure, .. }) => Some(failure),
                _ => None,
            })
            .collect();
        assert_eq!(failed, [expected]);
    }
}

#[test]
fn knows_nothing_at_first_and_shows_no_id() {
    let now = UnixTime::from_secs(1_800_000_000);
    let mut feed = alone();
    assert!(!feed.covers(now) && feed.changed_since(now, |_| false));
    assert!(!feed.is_silent(now) && feed.lag(now) == Duration::ZERO);
    feed.handle(now, Event::Tick);
    assert!(feed.is_silent(now + Duration::from_secs(11)));
    let (call, _) = next_call(&mut feed, now).unwrap();
    answer(&mut feed, now, call, b"200", r#"{"cursor":"s3cret","more":false,"changes":[]}"#);
    assert!(!format!("{feed:?}").contains("s3cret"));
}
