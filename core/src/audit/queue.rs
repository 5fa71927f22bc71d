//! Events on their way to a collector: bounded, in batches, one call at a time.
//!
//! Like the stores, it knows no host and no clock: **hand in one [`Event`], then carry out the [`Action`]s of
//! [`Queue::next_action`] until there are none.** No request waits for it. What finds no room is dropped
//! and counted: the **newest**, so that nobody can push out what stands there of them by doing more.
//!
//! ```text
//!   push ──▶ | oldest ... newest | ──batch──▶ Send ──2xx──▶ gone
//!     │ full                        ▲          │
//!     ▼                             └──again───┘ anything else: later, and later
//!   dropped
//! ```
//!
//! A batch is a JSON array, sent again as long as nobody has taken it: a collector may see an event twice, and
//! knows it by its id. What it calls wrong in itself (400, 413, 422) is sent in halves, until it is one event
//! alone, which is dropped.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::failure::SendFailure;
use crate::config::Collector;
use crate::fetch::{LONGEST, Pause};
use crate::time::UnixTime;

/// The number of a call, within one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(u64);

/// What the world tells a queue.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// What became of an [`Action::Send`]: the status of the answer.
    Answered(Call, Result<u16, SendFailure>),
}

/// What a queue asks of the world.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Send this to the collector, and hand in what it says.
    Send {
        /// Which call it is.
        call: Call,
        /// JSON: a list of events.
        body: Vec<u8>,
    },
    /// Say what went wrong.
    Report(Report),
}

/// That a batch was not taken; told of one failure in ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Why.
    pub failure: SendFailure,
    /// How long until the next try.
    pub retry_after: Duration,
    /// How many events wait.
    pub waiting: usize,
}

/// What has happened since this was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) dropped_full: u64,
    pub(super) dropped_refused: u64,
    pub(super) calls_taken: u64,
    pub(super) calls_failed: u64,
}

/// Events that wait for a collector.
#[derive(Debug)]
pub(super) struct Queue {
    /// The most events of a batch.
    batch: usize,
    /// How long an event may wait for others.
    every: Duration,
    /// The most bytes of all events.
    room: usize,
    timeout: Duration,
    events: VecDeque<Box<str>>,
    bytes: usize,
    /// When what waits is to be sent, whether or not it fills a batch.
    due: Option<UnixTime>,
    /// How many events the next batch may have.
    most: usize,
    under_way: Option<UnderWay>,
    calls: u64,
    pause: Pause,
    /// Before, no call is made.
    not_before: Option<UnixTime>,
    report: Option<Report>,
    /// Before, nothing more is told of what goes wrong.
    quiet_until: Option<UnixTime>,
    pub(super) counts: Counts,
}

/// A batch that was sent.
#[derive(Debug)]
struct UnderWay {
    call: Call,
    events: usize,
    /// When an answer is no longer expected, whatever the proxy says.
    until: UnixTime,
}

impl Queue {
    pub(super) fn new(collector: &Collector, seed: u64) -> Self {
        let Collector { batch, every, queue, server, .. } = collector;
        Self {
            batch: *batch,
            every: *every,
            room: *queue,
            timeout: server.timeout,
            events: VecDeque::new(),
            bytes: 0,
            due: None,
            most: *batch,
            under_way: None,
            calls: 0,
            pause: Pause::new(seed),
            not_before: None,
            report: None,
            quiet_until: None,
            counts: Counts::default(),
        }
    }

    /// Takes in an event, or drops it.
    pub(super) fn push(&mut self, now: UnixTime, event: &str) {
        let bytes = self.bytes.saturating_add(size(event));
        if self.events.len() >= MAX_QUEUED || bytes > self.room {
            self.counts.dropped_full += 1;
            return;
        }
        self.events.push_back(event.into());
        self.bytes = bytes;
        self.due = self.due.or(Some(now + self.every));
    }

    /// Whether a batch could be sent now.
    pub(super) fn is_due(&self, now: UnixTime) -> bool {
        let may_call = self.under_way.is_none() && self.not_before.is_none_or(|then| now >= then);
        let is_full = self.events.len() >= self.most || self.bytes >= MAX_BATCH;
        may_call && !self.events.is_empty() && (is_full || self.due.is_none_or(|due| now >= due))
    }

    pub(super) fn handle(&mut self, now: UnixTime, event: Event) {
        match event {
            Event::Tick => self.tick(now),
            Event::Answered(call, answer) => {
                // Whatever else comes is too late.
                if let Some(under_way) = self.under_way.take_if(|it| it.call == call) {
                    self.answered(now, under_way.events, answer);
                }
            }
        }
    }

    pub(super) fn next_action(&mut self, now: UnixTime) -> Option<Action> {
        if let Some(report) = self.report.take() {
            return Some(Action::Report(report));
        }
        self.is_due(now).then(|| self.send(now))
    }

    /// When it wants the next tick.
    pub(super) fn next_tick(&self) -> Duration {
        self.every
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    fn tick(&mut self, now: UnixTime) {
        if let Some(lost) = self.under_way.take_if(|it| now >= it.until) {
            self.answered(now, lost.events, Err(SendFailure::NoAnswer));
        }
        // A clock that goes back must not make anything wait for a time that is far off again.
        let latest = now + LONGEST;
        self.not_before = self.not_before.map(|then| then.min(latest));
        self.due = self.due.map(|due| due.min(now + self.every));
        self.quiet_until = self.quiet_until.map(|then| then.min(now + REPORT_EVERY));
        if let Some(under_way) = &mut self.under_way {
            under_way.until = under_way.until.min(now + self.timeout + GRACE);
        }
    }

    fn send(&mut self, now: UnixTime) -> Action {
        let mut body = Vec::from(b"[");
        let mut events = 0;
        for event in self.events.iter().take(self.most) {
            if events > 0 && body.len() + event.len() >= MAX_BATCH {
                break;
            }
            if events > 0 {
                body.push(b',');
            }
            body.extend_from_slice(event.as_bytes());
            events += 1;
        }
        body.push(b']');
        let call = Call(self.calls);
        self.calls = self.calls.wrapping_add(1);
        self.under_way = Some(UnderWay { call, events, until: now + self.timeout + GRACE });
        Action::Send { call, body }
    }

    fn answered(&mut self, now: UnixTime, events: usize, answer: Result<u16, SendFailure>) {
        let failure = match answer {
            Ok(200..300) => return self.taken(now, events),
            Ok(status) => SendFailure::Status(status),
            Err(failure) => failure,
        };
        self.counts.calls_failed += 1;
        if let SendFailure::Status(400 | 413 | 422) = failure {
            if events <= 1 {
                self.drop_oldest(events);
                self.counts.dropped_refused += 1;
            }
            self.most = (events / 2).max(1);
            // Somebody is there: what others of these events are worth is soon known.
            self.pause.succeeded();
        }
        let retry_after = self.pause.failed();
        self.not_before = Some(now + retry_after);
        if self.quiet_until.is_none_or(|then| now >= then) {
            self.quiet_until = Some(now + REPORT_EVERY);
            self.report = Some(Report { failure, retry_after, waiting: self.events.len() });
        }
    }

    fn taken(&mut self, now: UnixTime, events: usize) {
        self.drop_oldest(events);
        self.counts.calls_taken += 1;
        self.counts.sent += u64::try_from(events).unwrap_or(u64::MAX);
        self.pause.succeeded();
        self.not_before = None;
        self.most = self.most.saturating_mul(2).min(self.batch);
        self.due = (!self.events.is_empty()).then_some(now + self.every);
    }

    fn drop_oldest(&mut self, events: usize) {
        for _ in 0..events {
            let Some(event) = self.events.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(size(&event));
        }
    }
}

/// What an event takes of the room, with what it costs to keep it.
fn size(event: &str) -> usize {
    event.len().saturating_add(OVERHEAD)
}

/// The most events that wait.
pub const MAX_QUEUED: usize = 65_536;

/// The most bytes of a batch: what servers of HTTP take in by default (nginx: 1 MiB).
pub const MAX_BATCH: usize = 1024 * 1024 - 1024;

const OVERHEAD: usize = 64;

/// How often at the most it is told that something went wrong: metrics count each time.
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(10);

/// How much longer than its timeout a call may take, until nobody waits for it.
const GRACE: Duration = Duration::from_secs(5);
