//! A queue before a collector that can be anything.

mod world;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use self::world::{Collector, TICK, World};
use super::failure::SendFailure;
use super::queue::{Counts, MAX_QUEUED, REPORT_EVERY};
use crate::fetch::LONGEST;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn events_go_in_batches_by_count_or_by_time() {
    let mut world = World::new(&json!({"batch": 10, "every": "1s"}));
    world.push(25, 100);
    world.advance(Duration::from_millis(300));
    assert_eq!(world.batches, [10, 10], "the rest waits for more");
    world.advance(Duration::from_millis(1500));
    assert_eq!(world.batches, [10, 10, 5]);
    assert_eq!(world.taken, world.numbers());
    world.advance(SECOND * 10);
    assert_eq!(world.batches.len(), 3, "nothing is sent where there is nothing");
    world.push(1, 100);
    world.advance(SECOND * 2);
    assert_eq!((world.batches.len(), world.taken.len()), (4, 26));
    world.check();
    assert_eq!(world.counts, Counts { sent: 26, calls_taken: 4, ..Counts::default() });
}

#[test]
fn one_call_is_under_way_at_a_time() {
    let mut world = World::new(&json!({"batch": 10, "every": "100ms"}));
    world.collector = Collector::Slow(SECOND);
    world.push(30, 100);
    world.advance(Duration::from_millis(900));
    assert_eq!(world.batches, [10]);
    world.push(70, 100);
    world.advance(SECOND * 12);
    assert_eq!(world.taken, world.numbers(), "in order, each once");
    world.check();
}

#[test]
fn a_batch_has_a_size_too() {
    let mut world = World::new(&json!({"batch": 1000, "queue": "8MiB"}));
    world.push(300, 16_000);
    world.advance(SECOND * 5);
    assert_eq!(world.taken, world.numbers());
    assert!(world.batches.iter().all(|count| *count <= 66), "{:?}", world.batches);
    world.check();
}

#[test]
fn a_collector_that_is_away_gets_what_waited_and_the_newest_are_dropped() {
    for away in [Collector::Unreachable, Collector::Silent, Collector::Says(503)] {
        let mut world = World::new(&json!({"batch": 100, "queue": "64KiB"}));
        world.collector = away;
        for _ in 0..100 {
            world.push(10, 1000);
            world.advance(SECOND);
            world.check();
        }
        let held = 65_536 / 1064;
        assert_eq!(world.queue.len(), held, "{away:?}");
        assert_eq!(world.counts.dropped_full, 1000 - u64::try_from(held).unwrap());
        assert!(world.taken.is_empty());
        let calls = world.calls.len();
        assert!(calls >= 5, "{away:?}: {calls}");
        assert!(world.reports.iter().all(|report| report.retry_after <= LONGEST));
        world.collector = Collector::Up;
        world.advance(LONGEST + SECOND);
        assert_eq!(world.taken, (0..held).collect::<Vec<_>>(), "the oldest, in order");
        let before = world.next;
        world.push(5, 1000);
        world.advance(SECOND * 2);
        assert_eq!(world.taken[held..], (before..before + 5).collect::<Vec<_>>());
        world.check();
    }
}

#[test]
fn pauses_grow_while_it_fails_and_are_forgotten_when_it_does_not() {
    let mut world = World::new(&json!({"batch": 1, "every": "100ms"}));
    world.collector = Collector::Unreachable;
    world.push(1, 10);
    world.advance(SECOND * 60);
    let pauses: Vec<_> = world.calls.windows(2).map(|two| two[1].since(two[0])).collect();
    let (first, others) = pauses.split_first().unwrap();
    assert!((SECOND / 2..=SECOND + TICK).contains(first), "{pauses:?}");
    let all = LONGEST / 2..=LONGEST + TICK;
    assert!(others.iter().all(|pause| all.contains(pause)), "{pauses:?}");
    assert!(others.iter().any(|pause| *pause > SECOND + TICK), "{pauses:?}");
    assert_eq!(world.reports[0].failure, SendFailure::NotSent);
    assert_eq!(world.reports[0].waiting, 1);
    world.collector = Collector::Up;
    world.advance(LONGEST + REPORT_EVERY);
    world.collector = Collector::Unreachable;
    world.push(1, 10);
    world.advance(TICK * 2);
    assert!(world.reports.last().unwrap().retry_after <= SECOND);
}

#[test]
fn what_goes_wrong_again_and_again_is_told_now_and_then() {
    let mut world = World::new(&json!({"batch": 1, "every": "100ms"}));
    for second in 0..60 {
        world.collector = [Collector::Unreachable, Collector::Up][second % 2];
        world.push(1, 10);
        world.advance(SECOND);
    }
    let told = world.reports.len();
    assert!((4..=6).contains(&told), "{told} of {} failures", world.counts.calls_failed);
    assert!(world.counts.calls_failed > 20);
}

#[test]
fn a_collector_that_comes_and_goes_loses_nothing() {
    let mut world = World::new(&json!({"batch": 7, "every": "100ms"}));
    for round in 0..60 {
        world.collector = [
            Collector::Up,
            Collector::Says(500),
            Collector::Unreachable,
            Collector::Slow(Duration::from_millis(700)),
            Collector::Says(429),
        ][round % 5];
        world.push(11, 100);
        world.advance(Duration::from_millis(350));
        world.check();
    }
    world.collector = Collector::Up;
    world.advance(SECOND * 60);
    let mut once = world.taken.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once, world.numbers());
    assert_eq!(world.counts.dropped_full, 0);
    world.check();
}

#[test]
fn a_batch_that_is_too_long_is_sent_in_smaller_ones() {
    let mut world = World::new(&json!({"batch": 100, "every": "100ms"}));
    world.collector = Collector::AtMost(10);
    world.push(200, 100);
    world.advance(SECOND * 120);
    assert_eq!(world.taken, world.numbers());
    assert_eq!(world.counts.dropped_refused, 0);
    world.check();
}

#[test]
fn an_event_that_nobody_takes_holds_up_no_others() {
    let mut world = World::new(&json!({"batch": 64, "every": "100ms"}));
    world.collector = Collector::AllBut(37);
    world.push(100, 100);
    world.advance(SECOND * 60);
    let expected: Vec<_> = (0..100).filter(|event| *event != 37).collect();
    assert_eq!(world.taken, expected);
    assert_eq!(world.counts.dropped_refused, 1);
    world.check();
}

#[test]
fn a_late_answer_is_none() {
    let mut world = World::new(&json!({"batch": 10, "every": "100ms"}));
    // The proxy should have ended the call after a second.
    world.collector = Collector::Slow(SECOND * 7);
    world.push(10, 100);
    world.advance(Duration::from_millis(6500));
    assert_eq!(world.reports.len(), 1);
    assert_eq!(world.reports[0].failure, SendFailure::NoAnswer);
    world.collector = Collector::Up;
    world.advance(SECOND * 30);
    world.check();
    assert_eq!(world.counts.sent, 10, "what was answered late was sent again, and counts once");
    assert!(world.taken.len() >= 10);
}

#[test]
fn a_clock_that_goes_back_holds_nothing_up() {
    for collector in [Collector::Up, Collector::Says(500), Collector::Silent] {
        let mut world = World::new(&json!({"batch": 10, "every": "1s"}));
        world.collector = collector;
        world.push(5, 100);
        world.advance(SECOND * 10);
        world.push(5, 100);
        world.now = world.now - Duration::from_hours(24);
        world.collector = Collector::Up;
        world.advance(SECOND * 25);
        assert_eq!(world.queue.len(), 0, "{collector:?}");
        world.check();
    }
}

#[test]
fn there_are_no_more_than_have_room() {
    let mut world = World::new(&json!({"queue": "64MiB"}));
    world.collector = Collector::Silent;
    world.push(MAX_QUEUED + 10, 10);
    assert_eq!(world.queue.len(), MAX_QUEUED);
    world.check();
    assert_eq!(world.counts.dropped_full, 10);
}

#[test]
fn what_went_wrong_is_told_in_words() {
    let told = |failure: SendFailure| -> String { format!("{failure}") };
    assert!(told(SendFailure::NotSent).contains("audit.collector.cluster"));
    assert!(told(SendFailure::Status(401)).contains("audit.collector.bearer_token"));
    assert_eq!(told(SendFailure::Status(503)), "the collector answered 503");
    assert_eq!(told(SendFailure::NoAnswer), "no answer in time");
}
