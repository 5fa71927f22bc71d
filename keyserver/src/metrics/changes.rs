//! What is counted of the feed of changes.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use voussoir_core::time::UnixTime;

/// The metrics of the feed.
pub(crate) struct ChangeMetrics {
    told: Family<Kind, Counter>,
    passes: Family<PassResult, Counter>,
    pass_duration: Histogram,
    checked: Gauge<f64, AtomicU64>,
    watched: Family<Answer, Gauge>,
    unsound_revocations: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PassResult {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    kind: &'static str,
    answer: &'static str,
}

impl ChangeMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            told: Family::default(),
            passes: Family::default(),
            // From a millisecond, nothing watched, to 16 seconds.
            pass_duration: Histogram::new(exponential_buckets(0.001, 4.0, 8)),
            checked: Gauge::default(),
            watched: Family::default(),
            unsound_revocations: Counter::default(),
        };
        registry.register("changes", "Changes noticed, by kind", metrics.told.clone());
        registry.register(
            "change_passes",
            "Passes over all that may change, by result",
            metrics.passes.clone(),
        );
        registry.register(
            "change_pass_duration_seconds",
            "Time of a pass, complete or not",
            metrics.pass_duration.clone(),
        );
        registry.register(
            "changes_checked_timestamp_seconds",
            "When the last complete pass began: the cursor that edges get",
            metrics.checked.clone(),
        );
        registry.register(
            "watched",
            "What of Keystone's is checked in each pass, by kind and by what was answered",
            metrics.watched.clone(),
        );
        registry.register(
            "unsound_revocation_events",
            "Keystone's events of revocation that no token can match, and that are left out",
            metrics.unsound_revocations.clone(),
        );
        metrics
    }

    pub(crate) fn unsound_revocation(&self) {
        self.unsound_revocations.inc();
    }

    pub(crate) fn told(&self, kind: &'static str) {
        self.told.get_or_create(&Kind { kind }).inc();
    }

    pub(crate) fn passed(&self, is_complete: bool, duration: Duration) {
        let result = if is_complete { "complete" } else { "failed" };
        self.passes.get_or_create(&PassResult { result }).inc();
        self.pass_duration.observe(duration.as_secs_f64());
    }

    pub(crate) fn checked(&self, begun: UnixTime) {
        self.checked.set(Duration::from_micros(begun.as_micros()).as_secs_f64());
    }

    pub(crate) fn watched(&self, kind: &'static str, found: usize, denied: usize) {
        for (answer, count) in [("found", found), ("denied", denied)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.watched.get_or_create(&Answer { kind, answer }).set(count);
        }
    }
}
