//! Notices changes of the service catalogue, of which Keystone writes no event.

use std::sync::Arc;

use voussoir_core::record::Change;

use crate::access_keys::{Answering, Unavailable};
use crate::changes::{Check, Feed};
use crate::database::{Database, DatabaseError, Engine};

/// Compares a digest of the catalogue's tables with that of the pass before.
pub(crate) struct CatalogChanges {
    database: Arc<Database>,
    statement: &'static str,
    /// `None` before the first pass.
    digests: Option<Vec<String>>,
}

impl CatalogChanges {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        let statement = match database.engine() {
            Engine::MySql => MYSQL,
            Engine::Postgres => POSTGRES,
            Engine::Sqlite => SQLITE,
        };
        Self { database, statement, digests: None }
    }

    async fn look(&mut self, feed: &Feed) -> Result<(), Unavailable> {
        let row = self.database.row(self.statement, &[]).await?;
        let row = row.ok_or(DatabaseError::Answer("digests"))?;
        let digests: Result<Vec<String>, DatabaseError> =
            (0..TABLES).map(|table| row.text(table)).collect();
        let digests = digests?;
        if self.digests.as_ref().is_some_and(|before| *before != digests) {
            feed.tell(Change::Catalog);
        }
        self.digests = Some(digests);
        Ok(())
    }
}

impl Check for CatalogChanges {
    fn name(&self) -> &'static str {
        "service catalogue"
    }

    fn pass<'a>(&'a mut self, feed: &'a Feed) -> Answering<'a, Result<(), Unavailable>> {
        Box::pin(self.look(feed))
    }
}

/// How many tables there are digests of.
const TABLES: usize = 5;

/// A digest of each table, made of each row's columns. Whoever makes services and endpoints is an
/// administrator, who gains nothing by two catalogues with one digest.
macro_rules! statement {
    ($before:literal, $after:literal, $from:literal, $end:literal) => {
        concat!(
            "SELECT (SELECT ",
            $before,
            "id, COALESCE(type, ''), CASE WHEN enabled THEN 'y' ELSE 'n' END, COALESCE(extra, '')",
            $after,
            $from,
            "service",
            $end,
            "), (SELECT ",
            $before,
            "id, interface, service_id, COALESCE(region_id, ''), url,",
            " CASE WHEN enabled THEN 'y' ELSE 'n' END",
            $after,
            $from,
            "endpoint",
            $end,
            "), (SELECT ",
            $before,
            "endpoint_id, project_id",
            $after,
            $from,
            "project_endpoint",
            $end,
            "), (SELECT ",
            $before,
            "id, filters",
            $after,
            $from,
            "endpoint_group",
            $end,
            "), (SELECT ",
            $before,
            "endpoint_group_id, project_id",
            $after,
            $from,
            "project_endpoint_group",
            $end,
            ")"
        )
    };
}

// Sums of 60 bits of each row's hash: the order of the rows does not matter.
const MYSQL: &str = statement!(
    "CAST(COALESCE(SUM(CAST(CONV(LEFT(MD5(CONCAT_WS('\u{1f}', ",
    ")), 15), 16, 10) AS UNSIGNED)), 0) AS CHAR)",
    " FROM ",
    ""
);
const POSTGRES: &str = statement!(
    "CAST(COALESCE(SUM(CAST(CAST('x' || substr(md5(concat_ws('\u{1f}', ",
    ")), 1, 15) AS bit(60)) AS bigint)), 0) AS text)",
    " FROM ",
    ""
);
// It has no hash. But then the rows have no way to go.
const SQLITE: &str = statement!(
    "COALESCE(group_concat(r, '\u{1e}'), '') FROM (SELECT concat_ws('\u{1f}', ",
    ") AS r",
    " FROM ",
    " ORDER BY 1)"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystone::catalogs::tests::tables;
    use crate::metrics::Metrics;
    use std::time::Duration;

    #[tokio::test]
    async fn each_change_is_told_once() {
        let (_directory, database) = tables().await;
        let metrics = Arc::new(Metrics::new());
        let feed = Feed::new(Duration::from_secs(1), Arc::clone(&metrics));
        let mut changes = CatalogChanges::new(Arc::clone(&database));
        changes.pass(&feed).await.unwrap();
        let statements = [
            "INSERT INTO service (id, type) VALUES ('s', 'a')",
            "UPDATE service SET enabled = 0",
            "UPDATE service SET extra = '{}'",
            "INSERT INTO endpoint (id, interface, service_id, url) VALUES ('e', 'i', 's', 'u')",
            "UPDATE endpoint SET region_id = 'R'",
            "UPDATE endpoint SET url = 'v'",
            "UPDATE endpoint SET enabled = 0",
            "INSERT INTO project_endpoint VALUES ('e', 'p')",
            "UPDATE project_endpoint SET project_id = 'q'",
            "INSERT INTO endpoint_group VALUES ('g', 'g', '{}')",
            "UPDATE endpoint_group SET filters = '[]'",
            "INSERT INTO project_endpoint_group VALUES ('g', 'p')",
            "DELETE FROM project_endpoint_group",
        ];
        for (count, statement) in (1..).zip(statements) {
            database.execute(statement, &[]).await.unwrap();
            for _ in 0..2 {
                changes.pass(&feed).await.unwrap();
            }
            let told = format!("changes_total{{kind=\"catalog\"}} {count}\n");
            assert!(metrics.to_string().contains(&told), "{statement}: {metrics}");
        }
        database.execute("DROP TABLE endpoint_group", &[]).await.unwrap();
        assert!(changes.pass(&feed).await.is_err());
    }
}
