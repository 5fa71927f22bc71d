//! What was changed in the store: every command of `keys` writes it down with what it does.

use std::sync::Arc;

use voussoir_core::record::Change;

use super::schema;
use crate::access_keys::{Answering, Unavailable};
use crate::changes::{Check, Feed};
use crate::database::{Database, DatabaseError};

/// Follows the store's changes.
pub(crate) struct StoreChanges {
    database: Arc<Database>,
    /// The last revision that was told; `None` before the first pass.
    last: Option<i64>,
}

impl StoreChanges {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, last: None }
    }

    async fn look(&mut self, feed: &Feed) -> Result<(), Unavailable> {
        let row = self.database.row(SELECT_LAST, &[]).await?;
        let row = row.ok_or(DatabaseError::Answer("a revision"))?;
        if row.optional_integer(0)? != Some(schema::VERSION) {
            return Err(Unavailable::Schema);
        }
        let newest = row.integer(1)?;
        let mut last = *self.last.get_or_insert(newest);
        if newest < last {
            // Another database, such as a restored backup.
            feed.tell(Change::All);
            self.last = Some(newest);
            return Ok(());
        }
        while last < newest {
            let rows = self.database.rows(SELECT_CHANGES, &[last.into()]).await?;
            for row in &rows {
                let revision = row.integer(0)?;
                // Some between were forgotten, after a week.
                let change = if revision == last + 1 {
                    Change::AccessKey(row.text(1)?)
                } else {
                    Change::All
                };
                feed.tell(change);
                last = revision;
                self.last = Some(last);
            }
            if rows.is_empty() {
                return Err(DatabaseError::Answer("the changes that it has").into());
            }
        }
        Ok(())
    }
}

impl Check for StoreChanges {
    fn name(&self) -> &'static str {
        "store"
    }

    fn pass<'a>(&'a mut self, feed: &'a Feed) -> Answering<'a, Result<(), Unavailable>> {
        Box::pin(self.look(feed))
    }
}

const SELECT_LAST: &str = "\
    SELECT (SELECT max(version) FROM voussoir_store), \
    (SELECT COALESCE(max(revision), 0) FROM voussoir_changes)";
const SELECT_CHANGES: &str = "\
    SELECT revision, access_key FROM voussoir_changes WHERE revision > ? \
    ORDER BY revision LIMIT 1000";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Purpose;
    use crate::metrics::Metrics;
    use crate::store::{self, SchemaError, prepare};
    use std::time::Duration;
    use tempfile::TempDir;
    use voussoir_core::record::Changes;
    use voussoir_core::time::UnixTime;

    fn database(directory: &TempDir) -> Arc<Database> {
        let url = format!("sqlite:{}/x.db", directory.path().display()).parse().unwrap();
        Arc::new(Database::open(url, Purpose::Write))
    }

    /// A feed over the store, and what an edge knows of it.
    struct World {
        database: Arc<Database>,
        feed: Feed,
        changes: StoreChanges,
        cursor: Option<String>,
    }

    impl World {
        async fn new(directory: &TempDir) -> Self {
            let database = database(directory);
            prepare(&database).await.unwrap();
            let feed = Feed::new(Duration::from_secs(1), Arc::new(Metrics::new()));
            let changes = StoreChanges::new(Arc::clone(&database));
            Self { database, feed, changes, cursor: None }
        }

        async fn change(&self, access_key: &str, day: u64) {
            let now = UnixTime::from_secs(86_400 * day);
            store::delete(&self.database, access_key, now).await.unwrap();
        }

        /// What a pass tells.
        async fn pass(&mut self) -> Vec<Change> {
            self.changes.pass(&self.feed).await.unwrap();
            self.feed.checked(crate::clock::now(), Duration::ZERO);
            let answer = self.feed.answer(self.cursor.as_deref()).unwrap();
            let answer = Changes::from_json(&answer, None).unwrap();
            self.cursor = Some(answer.cursor.as_str().into());
            answer.changes
        }
    }

    fn keys(names: &[&str]) -> Vec<Change> {
        names.iter().map(|name| Change::AccessKey((*name).into())).collect()
    }

    #[tokio::test]
    async fn every_change_is_told_in_order_and_none_from_before() {
        let directory = tempfile::tempdir().unwrap();
        let mut world = World::new(&directory).await;
        world.change("before", 1).await;
        assert_eq!(world.pass().await, []);
        for access_key in ["B", "A", "B"] {
            world.change(access_key, 1).await;
        }
        assert_eq!(world.pass().await, keys(&["B", "A", "B"]));
        assert_eq!(world.pass().await, []);
    }

    #[tokio::test]
    async fn after_a_week_away_anything_may_have_changed() {
        let directory = tempfile::tempdir().unwrap();
        let mut world = World::new(&directory).await;
        world.change("before", 1).await;
        world.pass().await;
        world.change("forgotten", 1).await;
        world.change("A", 9).await;
        assert_eq!(world.pass().await, [Change::All]);
        world.change("B", 9).await;
        assert_eq!(world.pass().await, keys(&["B"]));
    }

    #[tokio::test]
    async fn in_a_restored_backup_anything_may_have_changed() {
        let directory = tempfile::tempdir().unwrap();
        let mut world = World::new(&directory).await;
        for _ in 0..3 {
            world.change("A", 1).await;
        }
        world.pass().await;
        let restore = "DELETE FROM voussoir_changes WHERE revision > 1";
        world.database.execute(restore, &[]).await.unwrap();
        assert_eq!(world.pass().await, [Change::All]);
        world.change("B", 1).await;
        assert_eq!(world.pass().await, keys(&["B"]));
    }

    #[tokio::test]
    async fn writers_at_the_same_time_leave_no_gap() {
        let directory = tempfile::tempdir().unwrap();
        let mut world = World::new(&directory).await;
        world.pass().await;
        let database = &world.database;
        let write = async |access_key: &str| {
            store::delete(database, access_key, UnixTime::from_secs(1)).await.unwrap();
        };
        tokio::join!(write("A"), write("B"), write("C"), write("D"));
        let mut told = world.pass().await;
        told.sort();
        assert_eq!(told, keys(&["A", "B", "C", "D"]));
    }

    #[tokio::test]
    async fn version_1_becomes_version_2_and_a_later_one_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory);
        prepare(&database).await.unwrap();
        for statement in ["DROP TABLE voussoir_changes", "UPDATE voussoir_store SET version = 1"] {
            database.execute(statement, &[]).await.unwrap();
        }
        let feed = Feed::new(Duration::from_secs(1), Arc::new(Metrics::new()));
        let mut changes = StoreChanges::new(Arc::clone(&database));
        let error = changes.pass(&feed).await.unwrap_err();
        assert!(matches!(error, Unavailable::Schema), "{error}");
        prepare(&database).await.unwrap();
        prepare(&database).await.unwrap();
        changes.pass(&feed).await.unwrap();
        store::delete(&database, "A", UnixTime::from_secs(1)).await.unwrap();
        changes.pass(&feed).await.unwrap();
        assert_eq!(changes.last, Some(1));
        let later = "INSERT INTO voussoir_store (version) VALUES (3)";
        database.execute(later, &[]).await.unwrap();
        let error = prepare(&database).await.unwrap_err();
        assert!(matches!(error, SchemaError::OtherVersion(3)), "{error}");
    }
}
