//! The audit log: an event of CADF for each request, to the proxy's log, to its access log, and to a
//! collector.
//!
//! ```text
//!   gate::Gate ─Trail─▶ who, how, what ──┐        Rules: is there an event, of how many?
//!   host ──End─▶ when, with which status ─┴▶ AuditLog::record ──JSON──▶ the proxy's logs
//!                                              │
//!                                              └──▶ Queue ──batches──▶ collector
//! ```
//!
//! A request is over when its event is made: nothing here can delay or refuse one.

mod event;
mod failure;
mod id;
mod json;
mod names;
mod path;
mod queue;
mod request;
mod rule;
#[cfg(test)]
mod scenarios;
mod secrets;
#[cfg(test)]
mod tests;

use alloc::string::String;
use core::time::Duration;

use crate::config::{AuditRules, Config};
use crate::gate::Trail;
use crate::recent::keyed;
use crate::source::SourceAddress;
use crate::time::UnixTime;
pub(crate) use event::{Credential, Facts};
pub use event::{End, MAX_EVENT};
pub use failure::SendFailure;
pub use names::{Names, UNKNOWN, Words};
pub use queue::{Action, Call, Event, MAX_BATCH, MAX_QUEUED, Report};
pub(crate) use request::Request;
pub use rule::{MAX_RULES, Outcome, Rule, Rules, Sample};

use id::Ids;
use queue::{Counts, Queue};

/// The audit log of one worker.
#[derive(Debug)]
pub struct AuditLog {
    ids: Ids,
    /// What makes the sample one that nobody can foresee.
    seed: u64,
    /// What the proxy is called.
    observer: String,
    /// None where there is no collector.
    queue: Option<Queue>,
    /// The last text that was written.
    text: String,
    recorded: u64,
    left_out: u64,
}

/// What has happened since this was asked last, for whoever counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    recorded: u64,
    left_out: u64,
    sent: u64,
    dropped_full: u64,
    dropped_refused: u64,
    calls_taken: u64,
    calls_failed: u64,
}

impl AuditLog {
    /// The audit log of a configuration; it is the `node` that sees, unless the configuration says
    /// otherwise.
    #[must_use]
    pub fn new(rules: &AuditRules, node: Option<&str>, seed: u64) -> Self {
        let observer = rules.observer.id.as_deref().or(node).unwrap_or(UNKNOWN);
        Self {
            ids: Ids::new(seed),
            seed,
            observer: observer.into(),
            queue: rules.collector.as_ref().map(|collector| Queue::new(collector, seed)),
            text: String::new(),
            recorded: 0,
            left_out: 0,
        }
    }

    /// The event of a request that is over, if there is one: a line of JSON. It is on its way to the collector
    /// then, if there is one. `source` is asked for the client's address if that is needed.
    pub fn record(
        &mut self,
        config: &Config,
        trail: &Trail,
        end: End,
        source: impl FnOnce() -> Option<SourceAddress>,
    ) -> Option<&str> {
        let rules = config.audit.as_ref()?;
        let facts = trail.facts(config);
        let outcome = Outcome::of(end.status);
        let matched = facts.request.matched?;
        let sample = rules.rules.sample(matched, facts.verdict, outcome);
        let id = self.ids.next(facts.began);
        if !sample.has(keyed(self.seed, &id.number())) {
            self.left_out += 1;
            return None;
        }
        self.recorded += 1;
        self.text.clear();
        let event = event::Event {
            id,
            facts: &facts,
            end,
            source: source(),
            observer: &self.observer,
            rules,
            mode: config.mode,
        };
        event.write(&mut self.text);
        if let Some(queue) = &mut self.queue {
            queue.push(end.at, &self.text);
        }
        Some(&self.text)
    }

    /// Who sent a request and how it was decided, in short; a line of JSON.
    pub fn summary(&mut self, config: &Config, trail: &Trail) -> &str {
        self.text.clear();
        event::write_summary(&mut self.text, &trail.facts(config));
        &self.text
    }

    /// Takes in what the world says of the way to the collector.
    pub fn handle(&mut self, now: UnixTime, event: Event) {
        if let Some(queue) = &mut self.queue {
            queue.handle(now, event);
        }
    }

    /// What is to be done now, until there is nothing.
    pub fn next_action(&mut self, now: UnixTime) -> Option<Action> {
        self.queue.as_mut()?.next_action(now)
    }

    /// Whether a batch could be sent now, so that [`Self::next_action`] is worth a call.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.is_due(now))
    }

    /// When it wants the next tick; `None` if it does not.
    #[must_use]
    pub fn next_tick(&self) -> Option<Duration> {
        self.queue.as_ref().map(Queue::next_tick)
    }

    /// How many events wait for the collector.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.as_ref().map_or(0, Queue::len)
    }

    /// What has happened since this was asked last.
    pub fn take_stats(&mut self) -> Stats {
        let counts = self.queue.as_mut().map(|queue| core::mem::take(&mut queue.counts));
        let Counts { sent, dropped_full, dropped_refused, calls_taken, calls_failed } =
            counts.unwrap_or_default();
        Stats {
            recorded: core::mem::take(&mut self.recorded),
            left_out: core::mem::take(&mut self.left_out),
            sent,
            dropped_full,
            dropped_refused,
            calls_taken,
            calls_failed,
        }
    }
}

impl Stats {
    /// What became of events, by name, and how often.
    #[must_use]
    pub fn events(self) -> [(&'static str, u64); 5] {
        [
            ("recorded", self.recorded),
            ("left_out", self.left_out),
            ("sent", self.sent),
            ("dropped_full", self.dropped_full),
            ("dropped_refused", self.dropped_refused),
        ]
    }

    /// What became of calls to the collector, by name, and how often.
    #[must_use]
    pub fn calls(self) -> [(&'static str, u64); 2] {
        [("taken", self.calls_taken), ("failed", self.calls_failed)]
    }
}
