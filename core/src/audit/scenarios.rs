//! A queue before a collector that can be anything, and a clock that moves only when a test says so.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::queue::{
    Action, Call, Counts, Event, MAX_BATCH, MAX_QUEUED, Queue, Report, SendFailure,
};
use crate::config::{Config, example};
use crate::time::UnixTime;

/// What the collector does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Collector {
    Up,
    /// It takes this long.
    Slow(Duration),
    /// It answers so.
    Says(u16),
    /// It takes batches with no more than so many events.
    AtMost(usize),
    /// It takes all but this event.
    AllBut(usize),
    /// The proxy does not even send the call.
    Unreachable,
    /// Nobody ever hears of it.
    Silent,
}

struct World {
    now: UnixTime,
    queue: Queue,
    collector: Collector,
    next: usize,
    /// What the collector has taken, in order.
    taken: Vec<usize>,
    batches: Vec<usize>,
    under_way: VecDeque<(UnixTime, Call, Vec<usize>)>,
    reports: Vec<Report>,
    counts: Counts,
}

impl World {
    fn new(collector: &Value) -> Self {
        let mut whole = json!({"cluster": "audit", "timeout": "1s"});
        whole.as_object_mut().unwrap().extend(collector.as_object().unwrap().clone());
        let config = example::with(&json!({"audit": {"collector": whole}}));
        let rules = Config::parse(config.as_bytes()).unwrap().audit.unwrap();
        Self {
            now: UnixTime::from_secs(1_800_000_000),
            queue: Queue::new(rules.collector.as_ref().unwrap(), 1),
            collector: Collector::Up,
            next: 0,
            taken: Vec::new(),
            batches: Vec::new(),
            under_way: VecDeque::new(),
            reports: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// So many events of so many bytes, one after another.
    fn push(&mut self, count: usize, length: usize) {
        for _ in 0..count {
            let event = format!("{:01$}", self.next, length);
            self.next += 1;
            self.queue.push(self.now, &event);
            if self.queue.is_due(self.now) {
                self.carry_out();
            }
        }
    }

    /// Lets time pass, in ticks as the queue wants them.
    fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + self.queue.next_tick().min(Duration::from_millis(100)));
            while let Some((at, call, events)) = self.under_way.pop_front() {
                if at > self.now {
                    self.under_way.push_front((at, call, events));
                    break;
                }
                self.answer(call, &events);
            }
            self.queue.handle(self.now, Event::Tick);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.queue.next_action(self.now) {
            match action {
                Action::Send { call, body } => self.send(call, &body),
                Action::Report(report) => self.reports.push(report),
            }
        }
        self.count();
    }

    fn send(&mut self, call: Call, body: &[u8]) {
        assert!(body.len() <= MAX_BATCH + 1, "{}", body.len());
        // Numbers with zeros before them are no JSON, and so these are not events.
        let text = core::str::from_utf8(body).unwrap();
        let inside = text.strip_prefix('[').unwrap().strip_suffix(']').unwrap();
        let events: Vec<usize> = inside.split(',').map(|event| event.parse().unwrap()).collect();
        self.batches.push(events.len());
        match self.collector {
            Collector::Unreachable => {
                self.queue.handle(self.now, Event::Answered(call, Err(SendFailure::NotSent)));
            }
            Collector::Slow(time) => self.under_way.push_back((self.now + time, call, events)),
            Collector::Silent => {}
            _ => self.under_way.push_back((self.now, call, events)),
        }
    }

    fn answer(&mut self, call: Call, events: &[usize]) {
        let status = match self.collector {
            Collector::Says(status) => status,
            Collector::AtMost(most) if events.len() > most => 413,
            Collector::AllBut(event) if events.contains(&event) => 400,
            _ => 202,
        };
        if (200..300).contains(&status) {
            self.taken.extend(events);
        }
        self.queue.handle(self.now, Event::Answered(call, Ok(status)));
    }

    fn count(&mut self) {
        let Counts { sent, dropped_full, dropped_refused, calls_taken, calls_failed } =
            core::mem::take(&mut self.queue.counts);
        self.counts.sent += sent;
        self.counts.dropped_full += dropped_full;
        self.counts.dropped_refused += dropped_refused;
        self.counts.calls_taken += calls_taken;
        self.counts.calls_failed += calls_failed;
    }

    /// Each event was sent, was dropped, or waits: none is lost uncounted.
    fn check(&mut self) {
        self.count();
        let Counts { sent, dropped_full, dropped_refused, .. } = self.counts;
        let waiting = u64::try_from(self.queue.len()).unwrap();
        let all = sent + dropped_full + dropped_refused + waiting;
        assert_eq!(all, u64::try_from(self.next).unwrap());
    }

    fn numbers(&self) -> Vec<usize> {
        (0..self.next).collect()
    }
}

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
        assert!((5..60).contains(&world.batches.len()), "{away:?}: {}", world.batches.len());
        assert!(world.reports.iter().all(|report| report.retry_after <= SECOND * 15));
        world.collector = Collector::Up;
        world.advance(SECOND * 16);
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
    let pauses: Vec<_> = world.reports.iter().map(|report| report.retry_after).collect();
    for (pause, full) in pauses.iter().zip([1, 2, 4, 8, 15, 15]) {
        assert!((SECOND * full / 2..=SECOND * full).contains(pause), "{pauses:?}");
    }
    assert_eq!(world.reports[0].failure, SendFailure::NotSent);
    assert_eq!(world.reports[0].waiting, 1);
    world.collector = Collector::Up;
    world.advance(SECOND * 16);
    world.collector = Collector::Unreachable;
    world.push(1, 10);
    world.advance(Duration::from_millis(200));
    assert!(world.reports.last().unwrap().retry_after <= SECOND);
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
