//! The world around a queue: a collector, and a clock that moves only when a test says so.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};

use super::super::failure::SendFailure;
use super::super::queue::{Action, Call, Counts, Event, MAX_BATCH, Queue, Report};
use crate::config::{Config, example};
use crate::time::UnixTime;

/// What the collector does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collector {
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

/// A queue, a collector, and what came of it.
pub(super) struct World {
    pub(super) now: UnixTime,
    pub(super) queue: Queue,
    pub(super) collector: Collector,
    pub(super) next: usize,
    /// What the collector has taken, in order.
    pub(super) taken: Vec<usize>,
    /// Of how many events each call was.
    pub(super) batches: Vec<usize>,
    /// When each was made.
    pub(super) calls: Vec<UnixTime>,
    under_way: VecDeque<(UnixTime, Call, Vec<usize>)>,
    pub(super) reports: Vec<Report>,
    pub(super) counts: Counts,
}

impl World {
    pub(super) fn new(collector: &Value) -> Self {
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
            calls: Vec::new(),
            under_way: VecDeque::new(),
            reports: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// So many events of so many bytes, one after another.
    pub(super) fn push(&mut self, count: usize, length: usize) {
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
    pub(super) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + self.queue.next_tick().min(TICK));
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
        self.calls.push(self.now);
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
    pub(super) fn check(&mut self) {
        self.count();
        let Counts { sent, dropped_full, dropped_refused, .. } = self.counts;
        let waiting = u64::try_from(self.queue.len()).unwrap();
        let all = sent + dropped_full + dropped_refused + waiting;
        assert_eq!(all, u64::try_from(self.next).unwrap());
    }

    pub(super) fn numbers(&self) -> Vec<usize> {
        (0..self.next).collect()
    }
}

/// No time that passes at once is longer.
pub(super) const TICK: Duration = Duration::from_millis(100);
