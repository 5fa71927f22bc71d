//! What is counted of the databases that are read.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The metrics of databases.
pub(crate) struct DatabaseMetrics {
    statements: Family<Label, Counter>,
    rows: Family<Label, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    database: &'static str,
}

/// What one database is asked for; that of a database that nobody counts goes nowhere.
#[derive(Default)]
pub(crate) struct Traffic {
    statements: Counter,
    rows: Counter,
}

impl DatabaseMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self { statements: Family::default(), rows: Family::default() };
        registry.register(
            "database_statements",
            "Statements that a database was asked to execute",
            metrics.statements.clone(),
        );
        registry.register(
            "database_rows",
            "Rows that a database gave in answer",
            metrics.rows.clone(),
        );
        metrics
    }

    /// The traffic with one database.
    pub(crate) fn traffic(&self, database: &'static str) -> Traffic {
        let label = Label { database };
        Traffic {
            statements: self.statements.get_or_create_owned(&label),
            rows: self.rows.get_or_create_owned(&label),
        }
    }
}

impl Traffic {
    pub(crate) fn asked(&self) {
        self.statements.inc();
    }

    pub(crate) fn answered(&self, rows: usize) {
        self.rows.inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
    }
}
