//! What is counted of access keys and of the sources that know them.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Reason;
use crate::access_keys::LookupError;
use crate::clock;
use crate::key_repository::Incomplete;

/// The metrics of access keys.
pub(crate) struct AccessKeyMetrics {
    signing_keys: Family<Outcome, Counter>,
    lookup_duration: Family<LookupLabels, Histogram>,
    source_up: Family<Source, Gauge>,
    credential_keys: Gauge,
    credential_keys_confirmed: Gauge<f64, AtomicU64>,
    refused_snapshots: Family<Reason, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LookupLabels {
    source: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Source {
    source: &'static str,
}

/// What a source said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It has nothing to give.
    Denied,
    /// It has what was asked for.
    Found,
    /// It does not know.
    Unavailable,
}

impl Lookup {
    pub(crate) fn of<T>(answer: &Result<T, LookupError>) -> Self {
        match answer {
            Ok(_) => Self::Found,
            Err(LookupError::Denied(_)) => Self::Denied,
            Err(LookupError::Unavailable(_)) => Self::Unavailable,
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Found => "found",
            Self::Unavailable => "unavailable",
        }
    }
}

impl AccessKeyMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            signing_keys: Family::default(),
            // From a quarter of a millisecond, an indexed row nearby, to four seconds.
            lookup_duration: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_25, 4.0, 8))
            }),
            source_up: Family::default(),
            credential_keys: Gauge::default(),
            credential_keys_confirmed: Gauge::default(),
            refused_snapshots: Family::default(),
        };
        registry.register(
            "signing_keys",
            "Questions for signing keys, by outcome",
            metrics.signing_keys.clone(),
        );
        registry.register(
            "access_key_lookup_duration_seconds",
            "Time to look an access key up, by source and result",
            metrics.lookup_duration.clone(),
        );
        registry.register(
            "access_key_source_up",
            "Whether a source of access keys answers",
            metrics.source_up.clone(),
        );
        registry.register(
            "credential_keys",
            "Keys of the credential key repository that are in force",
            metrics.credential_keys.clone(),
        );
        registry.register(
            "credential_keys_confirmed_timestamp_seconds",
            "When the credential key repository was last seen to hold the keys in force",
            metrics.credential_keys_confirmed.clone(),
        );
        registry.register(
            "credential_keys_refused_snapshots",
            "Readings of the credential key repository that were no complete set, by reason",
            metrics.refused_snapshots.clone(),
        );
        metrics
    }

    pub(crate) fn answered(&self, outcome: &'static str) {
        self.signing_keys.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn looked_up(&self, source: &'static str, result: Lookup, duration: Duration) {
        let labels = LookupLabels { source, result: result.label() };
        self.lookup_duration.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    pub(crate) fn source_is_up(&self, source: &'static str, is_up: bool) {
        self.source_up.get_or_create(&Source { source }).set(is_up.into());
    }

    pub(crate) fn credential_keys_loaded(&self, count: usize) {
        self.credential_keys.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.credential_keys_confirmed();
    }

    pub(crate) fn credential_keys_confirmed(&self) {
        self.credential_keys_confirmed.set(clock::since_1970().as_secs_f64());
    }

    pub(crate) fn credential_keys_refused(&self, why: &Incomplete) {
        self.refused_snapshots.get_or_create(&Reason { reason: why.reason() }).inc();
    }
}
