//! What is counted of identities.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Lookup;

/// The metrics of identities.
pub(crate) struct IdentityMetrics {
    identities: Family<Outcome, Counter>,
    lookup_duration: Family<LookupResult, Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LookupResult {
    result: &'static str,
}

impl IdentityMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            identities: Family::default(),
            // From a quarter of a millisecond, some indexed rows nearby, to four seconds.
            lookup_duration: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_25, 4.0, 8))
            }),
        };
        registry.register(
            "identities",
            "Questions for identities, by outcome",
            metrics.identities.clone(),
        );
        registry.register(
            "identity_lookup_duration_seconds",
            "Time to look an identity up, by result",
            metrics.lookup_duration.clone(),
        );
        metrics
    }

    pub(crate) fn answered(&self, outcome: &'static str) {
        self.identities.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn looked_up(&self, result: Lookup, duration: Duration) {
        let labels = LookupResult { result: result.label() };
        self.lookup_duration.get_or_create(&labels).observe(duration.as_secs_f64());
    }
}
