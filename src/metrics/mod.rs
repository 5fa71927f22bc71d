//! What is counted, as the proxy's own statistics.
//!
//! Labels stand in the name as `;key=value`, which the `stats_tags` of `envoy.yaml` turn into
//! Prometheus labels. Their values come from closed sets, so the number of series is fixed.

mod requests;

use std::cell::Cell;
use std::time::Duration;

use voussoir_core::acl::{Acl, Decision};
use voussoir_core::audit;
use voussoir_core::cache::{self, Stats};
use voussoir_core::config::Config;
use voussoir_core::feed;
use voussoir_core::gate::{Mechanism, Verdict};
use voussoir_core::keys::Report;
use voussoir_core::listener_check::Finding;
use voussoir_core::revocation::list;
use voussoir_core::schema::{self, Outcome, Schemas};
use voussoir_core::time;

use crate::host::{self, MetricType};
use crate::phases::Phase;
use requests::RequestMetrics;

/// The ids of all series. A host without metrics gives none, and nothing is counted.
pub(crate) struct Metrics {
    requests: RequestMetrics,
    phases: Vec<(Phase, u32)>,
    key_fetches: Results,
    keys: Share,
    revocation_loads: Results,
    revocations: Share,
    waiting: Share,
    polls: Results,
    changes: Option<u32>,
    feed_lag: Option<u32>,
    listener_checks: Results,
    audit: Option<AuditMetrics>,
    schema_fetches: Option<Results>,
}

/// What is counted of the audit log.
struct AuditMetrics {
    events: Results,
    calls: Results,
    queue: Share,
}

/// The counters of one name, by their label `result`.
struct Results(Vec<(&'static str, u32)>);

/// One worker's part of a gauge that shows the sum of all workers.
///
/// Gauges are the whole proxy's: a worker that set one would only show until the next one does. So
/// each adds by how much its own number has changed.
struct Share {
    id: Option<u32>,
    /// What this worker has added so far.
    told: Cell<usize>,
}

impl Share {
    fn define(name: &str) -> Self {
        let id = host::define_metric(MetricType::Gauge, name).ok();
        Self { id, told: Cell::new(0) }
    }

    fn record(&self, number: usize) {
        if let Some(id) = self.id {
            host::change_metric(id, self.told.replace(number), number);
        }
    }
}

/// A worker that ends in order, as for a new configuration, takes its part away again.
impl Drop for Share {
    fn drop(&mut self) {
        self.record(0);
    }
}

impl Metrics {
    pub(crate) fn define(config: &Config) -> Self {
        let mut schemas = config.all_settings().flat_map(|settings| &settings.schemas.all);
        let is_fetched = schemas.any(|it| it.digest.is_some());
        let schema_fetches = is_fetched
            .then(|| Results::define("voussoir_schema_fetches_total", &["loaded", "failed"]));
        let mut phases = Vec::new();
        for phase in Phase::ALL.iter().filter(|phase| phase.is_there(config)) {
            let name = format!("voussoir_phase_microseconds;phase={}", phase.name());
            if let Ok(id) = host::define_metric(MetricType::Histogram, &name) {
                phases.push((*phase, id));
            }
        }
        Self {
            requests: RequestMetrics::define(config),
            phases,
            key_fetches: Results::define(
                "voussoir_key_fetches_total",
                &["updated", "unchanged", "failed"],
            ),
            keys: Share::define("voussoir_keys"),
            revocation_loads: Results::define(
                "voussoir_revocation_loads_total",
                &["loaded", "failed"],
            ),
            revocations: Share::define("voussoir_revocations"),
            waiting: Share::define("voussoir_waiting_requests"),
            polls: Results::define(
                "voussoir_feed_polls_total",
                &["heard", "begun", "failed", "missed"],
            ),
            changes: counter("voussoir_feed_changes_total"),
            feed_lag: host::define_metric(MetricType::Gauge, "voussoir_feed_lag_milliseconds").ok(),
            listener_checks: Results::define(
                "voussoir_listener_checks_total",
                &["sound", "changed", "not_reached"],
            ),
            audit: config.audit.as_ref().map(|_| AuditMetrics::define()),
            schema_fetches,
        }
    }

    /// Counts a request that was looked at with the settings of this route, or with the plugin's own.
    pub(crate) fn count_request(
        &self,
        route: Option<usize>,
        mechanism: Mechanism,
        verdict: Verdict,
    ) {
        self.requests.count(route, mechanism, verdict);
    }

    pub(crate) fn record_phase(&self, phase: Phase, took: Duration) {
        if let Some((_, id)) = self.phases.iter().find(|(other, _)| *other == phase) {
            host::record_metric(*id, time::micros(took));
        }
    }

    /// Counts what the list of these settings has said.
    pub(crate) fn count_decision(&self, route: Option<usize>, acl: &Acl, decision: Decision) {
        self.requests.count_decision(route, acl, decision);
    }

    /// Counts what a request came to that was held against the document in a place.
    pub(crate) fn count_check(
        &self,
        route: Option<usize>,
        schemas: &Schemas,
        check: (usize, Outcome),
    ) {
        self.requests.count_check(route, schemas, check);
    }

    pub(crate) fn count_schema_fetch(&self, report: &schema::Report) {
        let result = match report {
            schema::Report::Loaded(_) => "loaded",
            schema::Report::Failed { .. } => "failed",
        };
        if let Some(fetches) = &self.schema_fetches {
            fetches.add_one(result);
        }
    }

    pub(crate) fn count_report(&self, report: &Report) {
        self.key_fetches.add_one(match report {
            Report::Updated { .. } => "updated",
            Report::Unchanged => "unchanged",
            Report::Failed { .. } => "failed",
            Report::Expired => return,
        });
    }

    pub(crate) fn record_keys(&self, count: usize) {
        self.keys.record(count);
    }

    pub(crate) fn count_revocation_load(&self, report: list::Report) {
        self.revocation_loads.add_one(match report {
            list::Report::Loaded { .. } => "loaded",
            list::Report::Failed { .. } => "failed",
        });
    }

    pub(crate) fn record_revocations(&self, count: usize) {
        self.revocations.record(count);
    }

    pub(crate) fn record_waiting(&self, count: usize) {
        self.waiting.record(count);
    }

    pub(crate) fn count_poll(&self, report: &feed::Report) {
        self.polls.add_one(match report {
            feed::Report::Heard { .. } => "heard",
            feed::Report::Begun => "begun",
            feed::Report::Failed { .. } => "failed",
            feed::Report::Missed => "missed",
        });
    }

    pub(crate) fn count_changes(&self, count: usize) {
        if let Some(id) = self.changes {
            host::add_to_metric(id, u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    pub(crate) fn record_feed_lag(&self, lag: Duration) {
        if let Some(id) = self.feed_lag {
            host::record_metric(id, time::millis(lag));
        }
    }

    pub(crate) fn record_audit(&self, stats: audit::Stats, waiting: usize) {
        if let Some(audit) = &self.audit {
            audit.events.add(&stats.events());
            audit.calls.add(&stats.calls());
            audit.queue.record(waiting);
        }
    }

    pub(crate) fn count_listener_check(&self, finding: &Finding) {
        self.listener_checks.add_one(match finding {
            Finding::Sound => "sound",
            Finding::Changed(_) => "changed",
            Finding::NotReached(_) => "not_reached",
        });
    }
}

impl AuditMetrics {
    fn define() -> Self {
        let stats = audit::Stats::default();
        Self {
            events: Results::define("voussoir_audit_events_total", &stats.events().map(name)),
            calls: Results::define("voussoir_audit_calls_total", &stats.calls().map(name)),
            queue: Share::define("voussoir_audit_queue"),
        }
    }
}

impl Results {
    /// One for each result that there may be.
    fn define(name: &str, results: &[&'static str]) -> Self {
        let mut ids = Vec::with_capacity(results.len());
        for result in results {
            if let Some(id) = counter(&format!("{name};result={result}")) {
                ids.push((*result, id));
            }
        }
        Self(ids)
    }

    /// Adds how often each has come about.
    fn add(&self, counts: &[(&'static str, u64)]) {
        for (result, count) in counts.iter().filter(|(_, count)| *count > 0) {
            if let Some((_, id)) = self.0.iter().find(|(other, _)| other == result) {
                host::add_to_metric(*id, *count);
            }
        }
    }

    fn add_one(&self, result: &'static str) {
        self.add(&[(result, 1)]);
    }
}

/// What is counted of one kind of record.
pub(crate) struct RecordMetrics {
    fetches: Results,
    held: Share,
    lookups: Results,
}

impl RecordMetrics {
    /// Of a kind that is called `name`, and `names` where there are many.
    pub(crate) fn define(name: &str, names: &str) -> Self {
        let fetches = format!("voussoir_{name}_fetches_total");
        let lookups = format!("voussoir_{name}_lookups_total");
        Self {
            fetches: Results::define(&fetches, &["fetched", "denied", "failed"]),
            held: Share::define(&format!("voussoir_{names}")),
            lookups: Results::define(&lookups, &Stats::default().counts().map(self::name)),
        }
    }

    pub(crate) fn count_fetch(&self, report: cache::Report) {
        self.fetches.add_one(match report {
            cache::Report::Fetched => "fetched",
            cache::Report::Denied => "denied",
            cache::Report::Failed(_) => "failed",
        });
    }

    pub(crate) fn count_lookups(&self, stats: Stats) {
        self.lookups.add(&stats.counts());
    }

    pub(crate) fn record_held(&self, count: usize) {
        self.held.record(count);
    }
}

fn name((result, _): (&'static str, u64)) -> &'static str {
    result
}

fn counter(name: &str) -> Option<u32> {
    host::define_metric(MetricType::Counter, name).ok()
}

/// Adds one to a counter, if the host has given it.
fn increment(id: Option<u32>) {
    if let Some(id) = id {
        host::increment_metric(id);
    }
}
