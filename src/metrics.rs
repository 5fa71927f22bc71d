//! What is counted, as the proxy's own statistics.
//!
//! Labels stand in the name as `;key=value`, which the `stats_tags` of `envoy.yaml` turn into
//! Prometheus labels. Their values come from closed sets, so the number of series is fixed.

use voussoir_core::config::Mode;
use voussoir_core::gate::Verdict;
use voussoir_core::keys::Report;

use crate::host::{self, MetricType};

/// The ids of all series. A host without metrics gives none, and nothing is counted.
pub(crate) struct Metrics {
    requests: Vec<(Verdict, u32)>,
    fetches_updated: Option<u32>,
    fetches_unchanged: Option<u32>,
    fetches_failed: Option<u32>,
    keys: Option<u32>,
}

impl Metrics {
    pub(crate) fn define(mode: Mode) -> Self {
        let mode = match mode {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        };
        let counter = |name: &str| host::define_metric(MetricType::Counter, name).ok();
        let requests = Verdict::all().filter_map(|verdict| {
            let (outcome, reason) = (verdict.outcome(), verdict.reason());
            let name =
                format!("voussoir_requests_total;outcome={outcome};reason={reason};mode={mode}");
            counter(&name).map(|id| (verdict, id))
        });
        Self {
            requests: requests.collect(),
            fetches_updated: counter("voussoir_key_fetches_total;result=updated"),
            fetches_unchanged: counter("voussoir_key_fetches_total;result=unchanged"),
            fetches_failed: counter("voussoir_key_fetches_total;result=failed"),
            keys: host::define_metric(MetricType::Gauge, "voussoir_keys").ok(),
        }
    }

    pub(crate) fn count_request(&self, verdict: Verdict) {
        if let Some((_, id)) = self.requests.iter().find(|(other, _)| *other == verdict) {
            host::increment_metric(*id);
        }
    }

    pub(crate) fn count_report(&self, report: &Report) {
        let fetches = match report {
            Report::Updated { .. } => self.fetches_updated,
            Report::Unchanged => self.fetches_unchanged,
            Report::Failed { .. } => self.fetches_failed,
            Report::Expired => None,
        };
        if let Some(id) = fetches {
            host::increment_metric(id);
        }
    }

    pub(crate) fn record_keys(&self, count: usize) {
        if let Some(id) = self.keys {
            host::record_metric(id, u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}
