//! What the key server counts, in the text format of Prometheus (`OpenMetrics` 1.0).
//! `docs/key-server.md` explains each metric; no label takes a value that a client chooses.

mod access_keys;
mod changes;
mod databases;
mod identities;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use access_keys::{AccessKeyMetrics, Lookup};
pub(crate) use changes::ChangeMetrics;
pub(crate) use databases::{DatabaseMetrics, Traffic};
pub(crate) use identities::IdentityMetrics;

use crate::clock;
use crate::key_repository::{Incomplete, Published};

/// The metrics of one server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_duration: Histogram,
    connections: Gauge,
    connections_ended: Family<End, Counter>,
    keys: Gauge,
    primary_key_id: Gauge,
    key_set_loads: Counter,
    key_set_loaded: Gauge<f64, AtomicU64>,
    key_set_confirmed: Gauge<f64, AtomicU64>,
    refused_snapshots: Family<Reason, Counter>,
    reloads: Family<Reload, Counter>,
    /// What concerns access keys.
    pub(crate) access_keys: AccessKeyMetrics,
    /// What concerns the feed of changes.
    pub(crate) changes: ChangeMetrics,
    /// What concerns identities.
    pub(crate) identities: IdentityMetrics,
    /// What concerns the databases that are read.
    pub(crate) databases: DatabaseMetrics,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    path: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct End {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reload {
    files: &'static str,
    result: &'static str,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// In order: the client closed it, or it was asked to end and did.
    Done,
    /// By an error of the connection or of the client's HTTP.
    Failed,
    /// In the TLS handshake.
    Handshake,
    /// The client took too long.
    Timeout,
}

impl ConnectionEnd {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Handshake => "handshake",
            Self::Timeout => "timeout",
        }
    }
}

impl Metrics {
    /// All metrics, at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("voussoir_keyserver");
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let metrics = Self {
            requests: Family::default(),
            request_duration: Histogram::new(exponential_buckets(0.000_025, 4.0, 8)),
            connections: Gauge::default(),
            connections_ended: Family::default(),
            keys: Gauge::default(),
            primary_key_id: Gauge::default(),
            key_set_loads: Counter::default(),
            key_set_loaded: Gauge::default(),
            key_set_confirmed: Gauge::default(),
            refused_snapshots: Family::default(),
            reloads: Family::default(),
            access_keys: AccessKeyMetrics::new(&mut registry),
            changes: ChangeMetrics::new(&mut registry),
            identities: IdentityMetrics::new(&mut registry),
            databases: DatabaseMetrics::new(&mut registry),
            registry: Registry::default(),
        };
        registry.register(
            "requests",
            "Requests answered, by path and status",
            metrics.requests.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "Time from a request's head to its answer",
            metrics.request_duration.clone(),
        );
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register(
            "connections_ended",
            "Connections ended, by reason",
            metrics.connections_ended.clone(),
        );
        registry.register("keys", "Keys in the set that is served", metrics.keys.clone());
        registry.register(
            "primary_key_id",
            "Id of the key that makes tokens; it grows by one with each rotation",
            metrics.primary_key_id.clone(),
        );
        registry.register(
            "key_set_loads",
            "Changes of the set that is served",
            metrics.key_set_loads.clone(),
        );
        registry.register(
            "key_set_loaded_timestamp_seconds",
            "When the set that is served was loaded",
            metrics.key_set_loaded.clone(),
        );
        registry.register(
            "key_set_confirmed_timestamp_seconds",
            "When the key repository was last seen to hold the set that is served",
            metrics.key_set_confirmed.clone(),
        );
        registry.register(
            "refused_snapshots",
            "Readings of the key repository that were no complete set, by reason",
            metrics.refused_snapshots.clone(),
        );
        registry.register(
            "reloads",
            "Changes of the bearer token and TLS files, by result",
            metrics.reloads.clone(),
        );
        Self { registry, ..metrics }
    }

    pub(crate) fn request(&self, path: &'static str, status: u16, duration: Duration) {
        self.requests.get_or_create(&Request { path, status }).inc();
        self.request_duration.observe(duration.as_secs_f64());
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_ended(&self, end: ConnectionEnd) {
        self.connections.dec();
        self.connections_ended.get_or_create(&End { reason: end.label() }).inc();
    }

    pub(crate) fn keys_loaded(&self, published: &Published) {
        self.keys
            .set(i64::try_from(published.ids.len() + published.public_keys).unwrap_or(i64::MAX));
        self.primary_key_id.set(published.primary().into());
        self.key_set_loads.inc();
        self.key_set_loaded.set(clock::since_1970().as_secs_f64());
        self.keys_confirmed();
    }

    pub(crate) fn keys_confirmed(&self) {
        self.key_set_confirmed.set(clock::since_1970().as_secs_f64());
    }

    pub(crate) fn snapshot_refused(&self, why: &Incomplete) {
        self.refused_snapshots.get_or_create(&Reason { reason: why.reason() }).inc();
    }

    pub(crate) fn reloaded(&self, files: &'static str, accepted: bool) {
        let result = if accepted { "accepted" } else { "refused" };
        self.reloads.get_or_create(&Reload { files, result }).inc();
    }
}

/// The text that `GET /metrics` answers.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::encode(f, &self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_written_and_documented() {
        let metrics = Metrics::new();
        metrics.request("/v1/token-keys", 304, Duration::from_micros(30));
        metrics.connection_opened();
        metrics.connection_ended(ConnectionEnd::Timeout);
        metrics.snapshot_refused(&Incomplete::NoStagedKey);
        metrics.reloaded("tls", false);
        metrics.access_keys.answered("derived");
        metrics.access_keys.looked_up("store", Lookup::Found, Duration::from_millis(1));
        metrics.access_keys.source_is_up("store", true);
        metrics.changes.told("token_keys");
        metrics.changes.passed(false, Duration::from_millis(3));
        metrics.changes.watched("identity", 1, 2);
        metrics.identities.answered("found");
        metrics.identities.looked_up(Lookup::Denied, Duration::from_millis(1));
        let traffic = metrics.databases.traffic("keystone");
        traffic.asked();
        traffic.answered(2);
        let text = metrics.to_string();
        for line in [
            concat!("voussoir_keyserver_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "voussoir_keyserver_requests_total{path=\"/v1/token-keys\",status=\"304\"} 1",
            "voussoir_keyserver_request_duration_seconds_count 1",
            "voussoir_keyserver_connections 0",
            "voussoir_keyserver_connections_ended_total{reason=\"timeout\"} 1",
            "voussoir_keyserver_refused_snapshots_total{reason=\"no_staged_key\"} 1",
            "voussoir_keyserver_reloads_total{files=\"tls\",result=\"refused\"} 1",
            "voussoir_keyserver_signing_keys_total{outcome=\"derived\"} 1",
            "voussoir_keyserver_access_key_lookup_duration_seconds_count{source=\"store\",result=\"found\"} 1",
            "voussoir_keyserver_access_key_source_up{source=\"store\"} 1",
            "voussoir_keyserver_changes_total{kind=\"token_keys\"} 1",
            "voussoir_keyserver_change_passes_total{result=\"failed\"} 1",
            "voussoir_keyserver_change_pass_duration_seconds_count 1",
            "voussoir_keyserver_watched{kind=\"identity\",answer=\"denied\"} 2",
            "voussoir_keyserver_identities_total{outcome=\"found\"} 1",
            "voussoir_keyserver_identity_lookup_duration_seconds_count{result=\"denied\"} 1",
            "voussoir_keyserver_database_statements_total{database=\"keystone\"} 1",
            "voussoir_keyserver_database_rows_total{database=\"keystone\"} 2",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));

        let documentation = include_str!("../../../docs/key-server.md");
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let name = match line.rsplit_once(' ').unwrap() {
                (name, "counter") => format!("`{name}_total`"),
                (name, "info") => format!("`{name}_info`"),
                (name, _) => format!("`{name}`"),
            };
            assert!(documentation.contains(&name), "{name} is not documented");
        }
    }
}
