//! The rows of Keystone's table of revocations (`keystone/revoke/backends/sql.py`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tracing::warn;
use voussoir_core::record::RevocationEvent;

use crate::access_keys::Unavailable;
use crate::database::{Database, DatabaseError, Engine, Row};
use crate::metrics::Metrics;

/// Reads events, in the order of their ids.
pub(crate) struct Events {
    database: Arc<Database>,
    statement: &'static str,
    metrics: Arc<Metrics>,
    /// The highest id of an event that was complained about.
    complained: AtomicI64,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) id: i64,
    /// `None` if no token can match it.
    pub(super) event: Option<RevocationEvent>,
}

impl Events {
    pub(crate) fn new(database: Arc<Database>, metrics: Arc<Metrics>) -> Self {
        let statement = match database.engine() {
            Engine::MySql => MYSQL,
            Engine::Postgres => POSTGRES,
            Engine::Sqlite => SQLITE,
        };
        Self { database, statement, metrics, complained: AtomicI64::new(0) }
    }

    /// The highest id, 0 if there is no event.
    pub(super) async fn highest(&self) -> Result<i64, Unavailable> {
        let row = self.database.row(HIGHEST, &[]).await?;
        Ok(row.ok_or(DatabaseError::Answer("an id"))?.integer(0)?)
    }

    /// Up to [`BATCH`] events above an id.
    pub(super) async fn above(&self, id: i64) -> Result<Vec<Numbered>, Unavailable> {
        let rows = self.database.rows(self.statement, &[id.into()]).await?;
        let numbered: Result<Vec<Numbered>, DatabaseError> = rows.iter().map(numbered).collect();
        let numbered = numbered?;
        for Numbered { id, event } in &numbered {
            // Events are read again and again; each is worth one word.
            if event.is_none() && self.complained.fetch_max(*id, Ordering::AcqRel) < *id {
                self.metrics.changes.unsound_revocation();
                warn!(
                    id,
                    "an event of revocation is left out: there can be no token that it names"
                );
            }
        }
        Ok(numbered)
    }
}

fn numbered(row: &Row) -> Result<Numbered, DatabaseError> {
    let id = row.integer(0)?;
    let (domain, expires_at) = (row.optional_text(3)?, row.optional_integer(11)?);
    // Keystone's rule: what ends with a token is about the token's scope.
    let (domain_id, domain_scope_id) =
        if expires_at.is_some() { (None, domain) } else { (domain, None) };
    // A time before 1970 is that of no token.
    let Ok(issued_before) = u64::try_from(row.integer(10)?) else {
        return Ok(Numbered { id, event: None });
    };
    let Ok(expires_at) = expires_at.map(u64::try_from).transpose() else {
        return Ok(Numbered { id, event: None });
    };
    let event = RevocationEvent {
        issued_before,
        user_id: row.optional_text(1)?,
        project_id: row.optional_text(2)?,
        domain_id,
        domain_scope_id,
        role_id: row.optional_text(4)?,
        trust_id: row.optional_text(5)?,
        consumer_id: row.optional_text(6)?,
        access_token_id: row.optional_text(7)?,
        audit_id: row.optional_text(8)?,
        audit_chain_id: row.optional_text(9)?,
        expires_at,
    };
    Ok(Numbered { id, event: Some(event).filter(RevocationEvent::is_sound) })
}

/// As many rows as the statement gives at most.
pub(super) const BATCH: usize = 1000;

const HIGHEST: &str = "SELECT COALESCE(max(id), 0) FROM revocation_event";

/// The columns in the order in which [`numbered`] reads them. Keystone's times are in UTC, in types
/// that know no zone; they are made whole seconds of UNIX time whatever the session's zone is.
macro_rules! statement {
    ($issued_before:literal, $expires_at:literal) => {
        concat!(
            "SELECT id, user_id, project_id, domain_id, role_id, trust_id, consumer_id,",
            " access_token_id, audit_id, audit_chain_id, ",
            $issued_before,
            ", ",
            $expires_at,
            " FROM revocation_event WHERE id > ? ORDER BY id LIMIT 1000"
        )
    };
}

const MYSQL: &str = statement!(
    "TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', issued_before)",
    "TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', expires_at)"
);
const POSTGRES: &str = statement!(
    "CAST(floor(extract(epoch FROM issued_before)) AS BIGINT)",
    "CAST(floor(extract(epoch FROM expires_at)) AS BIGINT)"
);
// Texts such as `2026-11-22 06:21:32.000000`.
const SQLITE: &str = statement!(
    "CAST(strftime('%s', substr(issued_before, 1, 19)) AS INTEGER)",
    "CAST(strftime('%s', substr(expires_at, 1, 19)) AS INTEGER)"
);

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::database::Purpose;

    /// A database with an empty table, as Keystone makes it on SQLite; and its directory.
    pub(crate) async fn empty() -> (tempfile::TempDir, Arc<Database>) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/x.db", directory.path().display()).parse().unwrap();
        let database = Arc::new(Database::open(url, Purpose::Write));
        let table = "CREATE TABLE revocation_event (id INTEGER PRIMARY KEY, domain_id VARCHAR(64), \
                     project_id VARCHAR(64), user_id VARCHAR(64), role_id VARCHAR(64), \
                     trust_id VARCHAR(64), consumer_id VARCHAR(64), access_token_id VARCHAR(64), \
                     issued_before DATETIME NOT NULL DEFAULT '2026-11-22 06:21:32.000000', \
                     expires_at DATETIME, \
                     revoked_at DATETIME NOT NULL DEFAULT '2026-11-22 06:21:32.000000', \
                     audit_id VARCHAR(32), audit_chain_id VARCHAR(32))";
        database.execute(table, &[]).await.unwrap();
        (directory, database)
    }

    /// When an event of these tests was written, unless it says otherwise.
    pub(in crate::keystone) const ISSUED_BEFORE: u64 = 1_795_328_492;

    async fn read(values: &'static str) -> (Vec<Option<RevocationEvent>>, Arc<Metrics>) {
        let (_directory, database) = empty().await;
        let metrics = Arc::new(Metrics::new());
        let events = Events::new(Arc::clone(&database), Arc::clone(&metrics));
        database.execute(values, &[]).await.unwrap();
        events.above(0).await.unwrap();
        let numbered = events.above(0).await.unwrap();
        (numbered.into_iter().map(|it| it.event).collect(), metrics)
    }

    #[tokio::test]
    async fn every_column_finds_its_place() {
        let insert = "INSERT INTO revocation_event VALUES (7, 'd', 'p', 'u', 'r', 't', 'c', 'o', \
                      '2026-11-22 06:21:32.999999', NULL, '2026-11-22 06:21:33', 'a', 'b')";
        let (events, _) = read(insert).await;
        let id = |id: &str| Some(id.to_owned());
        let event = RevocationEvent {
            issued_before: ISSUED_BEFORE,
            user_id: id("u"),
            project_id: id("p"),
            domain_id: id("d"),
            domain_scope_id: None,
            role_id: id("r"),
            trust_id: id("t"),
            consumer_id: id("c"),
            access_token_id: id("o"),
            audit_id: id("a"),
            audit_chain_id: id("b"),
            expires_at: None,
        };
        assert_eq!(events, [Some(event)]);
    }

    #[tokio::test]
    async fn a_domain_with_an_end_is_a_scope() {
        let insert = "INSERT INTO revocation_event (domain_id, expires_at) \
                      VALUES ('d', '1970-01-02 00:00:00.5')";
        let (events, _) = read(insert).await;
        let event = RevocationEvent {
            issued_before: ISSUED_BEFORE,
            domain_scope_id: Some("d".into()),
            expires_at: Some(86_400),
            ..RevocationEvent::default()
        };
        assert_eq!(events, [Some(event)]);
    }

    #[tokio::test]
    async fn what_no_token_can_match_is_left_out_and_counted_once() {
        let insert = "INSERT INTO revocation_event (user_id, issued_before) VALUES \
                      ('', '2026-11-22 06:21:32'), ('u', '1969-12-31 23:59:59'), \
                      ('a' || char(10), '2026-11-22 06:21:32'), ('u', '1970-01-01 00:00:00')";
        let (events, metrics) = read(insert).await;
        assert_eq!(
            events.iter().map(Option::is_some).collect::<Vec<_>>(),
            [false, false, false, true]
        );
        let counted = "unsound_revocation_events_total 3";
        assert!(metrics.to_string().contains(counted), "{metrics}");
    }

    #[tokio::test]
    async fn a_time_that_is_none_is_no_answer() {
        let (_directory, database) = empty().await;
        let insert = "INSERT INTO revocation_event (user_id, issued_before) VALUES ('u', 'soon')";
        database.execute(insert, &[]).await.unwrap();
        let events = Events::new(database, Arc::new(Metrics::new()));
        assert!(events.above(0).await.is_err(), "nobody knows which tokens it revokes");
    }
}
