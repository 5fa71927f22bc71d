//! What all edges together have seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use voussoir_core::time::UnixTime;

use crate::{clock, percentiles};

/// What an edge asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    Changes,
    Keys,
    Revocations,
}

/// Since the last beginning, but for `ready`.
#[derive(Default)]
pub(super) struct Counts {
    /// Edges that know all that they serve requests with.
    ready: BTreeSet<u32>,
    /// Microseconds from each question to its answer.
    changes: Vec<u64>,
    keys: Vec<u64>,
    revocations: Vec<u64>,
    /// Questions for keys to which the answer was that they are the same.
    unchanged: u64,
    /// Questions without a good answer, by what went wrong.
    failures: BTreeMap<String, u64>,
    /// When each edge got other keys.
    renewed: BTreeMap<u32, UnixTime>,
    /// How many revocations each edge was told of, and when of the last.
    told: BTreeMap<u32, (u64, UnixTime)>,
}

impl Counts {
    pub(super) fn begin(&mut self) {
        *self = Self { ready: std::mem::take(&mut self.ready), ..Self::default() };
    }

    pub(super) fn answered(&mut self, asked: Asked, after: Duration) {
        let figures = match asked {
            Asked::Changes => &mut self.changes,
            Asked::Keys => &mut self.keys,
            Asked::Revocations => &mut self.revocations,
        };
        figures.push(clock::micros(after));
    }

    pub(super) fn failed(&mut self, why: &impl ToString) {
        *self.failures.entry(why.to_string()).or_default() += 1;
    }

    pub(super) fn unchanged(&mut self) {
        self.unchanged += 1;
    }

    pub(super) fn ready(&mut self, edge: u32) {
        self.ready.insert(edge);
    }

    pub(super) fn renewed(&mut self, edge: u32) {
        self.renewed.insert(edge, clock::now());
    }

    pub(super) fn told(&mut self, edge: u32, revocations: u64) {
        let (count, last) = self.told.entry(edge).or_insert((0, UnixTime::from_secs(0)));
        *count += revocations;
        *last = clock::now();
    }

    /// Times of day are microseconds, too.
    pub(super) fn to_json(&self) -> Value {
        let times = |times: Vec<UnixTime>| {
            percentiles::of(times.into_iter().map(UnixTime::as_micros).collect())
        };
        json!({
            "ready": self.ready.len(),
            "changes": percentiles::of(self.changes.clone()),
            "keys": percentiles::of(self.keys.clone()),
            "revocations": percentiles::of(self.revocations.clone()),
            "unchanged": self.unchanged,
            "failures": self.failures,
            "renewed": times(self.renewed.values().copied().collect()),
            "told": times(self.told.values().map(|(_, last)| *last).collect()),
            "told_revocations": self.told.values().map(|(count, _)| count).sum::<u64>(),
        })
    }
}
