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
    fetches_updated: Option<u32>,
    fetches_unchanged: Option<u32>,
    fetches_failed: Option<u32>,
    keys: Share,
    revocations_loaded: Option<u32>,
    revocations_failed: Option<u32>,
    revocations: Share,
    waiting: Share,
    polls_heard: Option<u32>,
    polls_begun: Option<u32>,
    polls_failed: Option<u32>,
    polls_missed: Option<u32>,
    changes: Option<u32>,
    feed_lag: Option<u32>,
    listener_sound: Option<u32>,
    listener_changed: Option<u32>,
    listener_not_reached: Option<u32>,
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
        let schema_fetches = is_fetched.then(|| {
            Results::define("voussoir_schema_fetches_total", &[("loaded", 0), ("failed", 0)])
        });
        let phases = Phase::ALL.into_iter().filter(|phase| phase.is_there(config));
        let phases = phases.filter_map(|phase| {
            let name = format!("voussoir_phase_microseconds;phase={}", phase.name());
            host::define_metric(MetricType::Histogram, &name).ok().map(|id| (phase, id))
        });
        Self {
            requests: RequestMetrics::define(config),
            phases: phases.collect(),
            fetches_updated: counter("voussoir_key_fetches_total;result=updated"),
            fetches_unchanged: counter("voussoir_key_fetches_total;result=unchanged"),
            fetches_failed: counter("voussoir_key_fetches_total;result=failed"),
            keys: Share::define("voussoir_keys"),
            revocations_loaded: counter("voussoir_revocation_loads_total;result=loaded"),
            revocations_failed: counter("voussoir_revocation_loads_total;result=failed"),
            revocations: Share::define("voussoir_revocations"),
            waiting: Share::define("voussoir_waiting_requests"),
            polls_heard: counter("voussoir_feed_polls_total;result=heard"),
            polls_begun: counter("voussoir_feed_polls_total;result=begun"),
            polls_failed: counter("voussoir_feed_polls_total;result=failed"),
            polls_missed: counter("voussoir_feed_polls_total;result=missed"),
            changes: counter("voussoir_feed_changes_total"),
            feed_lag: host::define_metric(MetricType::Gauge, "voussoir_feed_lag_milliseconds").ok(),
            listener_sound: counter("voussoir_listener_checks_total;result=sound"),
            listener_changed: counter("voussoir_listener_checks_total;result=changed"),
            listener_not_reached: counter("voussoir_listener_checks_total;result=not_reached"),
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
            fetches.add(&[(result, 1)]);
        }
    }

    pub(crate) fn count_report(&self, report: &Report) {
        increment(match report {
            Report::Updated { .. } => self.fetches_updated,
            Report::Unchanged => self.fetches_unchanged,
            Report::Failed { .. } => self.fetches_failed,
            Report::Expired => None,
        });
    }

    pub(crate) fn record_keys(&self, count: usize) {
        self.keys.record(count);
    }

    pub(crate) fn count_revocation_load(&self, report: list::Report) {
        increment(match report {
            list::Report::Loaded { .. } => self.revocations_loaded,
            list::Report::Failed { .. } => self.revocations_failed,
        });
    }

    pub(crate) fn record_revocations(&self, count: usize) {
        self.revocations.record(count);
    }

    pub(crate) fn record_waiting(&self, count: usize) {
        self.waiting.record(count);
    }

    pub(crate) fn count_poll(&self, report: &feed::Report) {
        increment(match report {
            feed::Report::Heard { .. } => self.polls_heard,
            feed::Report::Begun => self.polls_begun,
            feed::Report::Failed { .. } => self.polls_failed,
            feed::Report::Missed => self.polls_missed,
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
        increment(match finding {
            Finding::Sound => self.listener_sound,
            Finding::Changed(_) => self.listener_changed,
            Finding::NotReached(_) => self.listener_not_reached,
        });
    }
}

impl AuditMetrics {
    fn define() -> Self {
        let stats = audit::Stats::default();
        Self {
            events: Results::define("voussoir_audit_events_total", &stats.events()),
            calls: Results::define("voussoir_audit_calls_total", &stats.calls()),
            queue: Share::define("voussoir_audit_queue"),
        }
    }
}

impl Results {
    /// One for each result that there may be.
    fn define(name: &str, counts: &[(&'static str, u64)]) -> Self {
        let results = counts.iter().filter_map(|(result, _)| {
            counter(&format!("{name};result={result}")).map(|id| (*result, id))
        });
        Self(results.collect())
    }

    /// Adds how often each has come about.
    fn add(&self, counts: &[(&'static str, u64)]) {
        for (result, count) in counts.iter().filter(|(_, count)| *count > 0) {
            if let Some((_, id)) = self.0.iter().find(|(other, _)| other == result) {
                host::add_to_metric(*id, *count);
            }
        }
    }
}

/// What is counted of one kind of record.
pub(crate) struct RecordMetrics {
    fetched: Option<u32>,
    denied: Option<u32>,
    failed: Option<u32>,
    held: Share,
    lookups: Results,
}

impl RecordMetrics {
    /// Of a kind that is called `name`, and `names` where there are many.
    pub(crate) fn define(name: &str, names: &str) -> Self {
        let fetches = |result| counter(&format!("voussoir_{name}_fetches_total;result={result}"));
        let lookups = format!("voussoir_{name}_lookups_total");
        Self {
            fetched: fetches("fetched"),
            denied: fetches("denied"),
            failed: fetches("failed"),
            held: Share::define(&format!("voussoir_{names}")),
            lookups: Results::define(&lookups, &Stats::default().counts()),
        }
    }

    pub(crate) fn count_fetch(&self, report: cache::Report) {
        increment(match report {
            cache::Report::Fetched => self.fetched,
            cache::Report::Denied => self.denied,
            cache::Report::Failed(_) => self.failed,
        });
    }

    pub(crate) fn count_lookups(&self, stats: Stats) {
        self.lookups.add(&stats.counts());
    }

    pub(crate) fn record_held(&self, count: usize) {
        self.held.record(count);
    }
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
