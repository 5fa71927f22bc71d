//! Keystone's own events of revocation (`keystone/revoke/backends/sql.py`): a password was changed, a
//! user disabled, a project or trust deleted.

use std::collections::HashSet;
use std::sync::Arc;

use voussoir_core::record::Change;

use super::statements::{LAST_REVOCATION, REVOCATIONS};
use crate::access_keys::{Answering, Unavailable};
use crate::changes::{Check, Feed};
use crate::database::{Database, DatabaseError, Row};

/// Follows the table of events.
pub(crate) struct Revocations {
    database: Arc<Database>,
    /// The highest id that was seen; `None` before the first pass.
    last: Option<i64>,
    /// The latest ids that were seen, up to [`WINDOW`] below the highest. Ids are given out before a
    /// transaction ends, so a lower one may come to be seen after a higher one.
    seen: HashSet<i64>,
}

impl Revocations {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, last: None, seen: HashSet::new() }
    }

    async fn look(&mut self, feed: &Feed) -> Result<(), Unavailable> {
        let is_first = self.last.is_none();
        let highest = self.database.row(LAST_REVOCATION, &[]).await?;
        let highest = highest.ok_or(DatabaseError::Answer("an id"))?.integer(0)?;
        let last = self.last.unwrap_or(highest);
        // Keystone deletes old events, and some engines then give their ids out again.
        let was_reset = highest < last;
        if was_reset {
            self.seen.clear();
        }
        let mut above = if was_reset { 0 } else { last.saturating_sub(WINDOW) };
        loop {
            let rows = self.database.rows(REVOCATIONS, &[above.into()]).await?;
            for row in &rows {
                above = row.integer(0)?;
                if self.seen.insert(above)
                    && !is_first
                    && let Some(change) = change(row)?
                {
                    feed.tell(change);
                }
            }
            if rows.len() < BATCH {
                break;
            }
        }
        let highest = highest.max(above);
        self.last = Some(highest);
        self.seen.retain(|id| *id > highest.saturating_sub(WINDOW));
        Ok(())
    }
}

impl Check for Revocations {
    fn name(&self) -> &'static str {
        "revocation events"
    }

    fn pass<'a>(&'a mut self, feed: &'a Feed) -> Answering<'a, Result<(), Unavailable>> {
        Box::pin(self.look(feed))
    }
}

/// What an event is about. It concerns what fits all of its fields, so one of them will do: that
/// which fits the fewest.
fn change(row: &Row) -> Result<Option<Change>, DatabaseError> {
    let (user, project) = (row.optional_text(1)?, row.optional_text(2)?);
    let (domain, trust) = (row.optional_text(3)?, row.optional_text(4)?);
    // An event of audit ids alone ends a token, and with it no access key: what edges hold of tokens
    // will need a kind of its own here.
    Ok(trust
        .map(Change::Trust)
        .or(user.map(Change::User))
        .or(project.map(Change::Project))
        .or(domain.map(Change::Domain)))
}

/// Far more ids than are given out and not committed at any time.
const WINDOW: i64 = 200;
/// As many rows as the statement gives at most.
const BATCH: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Purpose;
    use crate::metrics::Metrics;
    use std::time::Duration;
    use voussoir_core::record::Changes;

    struct World {
        _directory: tempfile::TempDir,
        database: Arc<Database>,
        feed: Feed,
        revocations: Revocations,
        cursor: Option<String>,
    }

    impl World {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}/x.db", directory.path().display()).parse().unwrap();
            let database = Arc::new(Database::open(url, Purpose::Write));
            let table = "CREATE TABLE revocation_event (id INTEGER PRIMARY KEY, user_id TEXT, \
                         project_id TEXT, domain_id TEXT, trust_id TEXT, audit_id TEXT)";
            database.execute(table, &[]).await.unwrap();
            let feed = Feed::new(Duration::from_secs(1), Arc::new(Metrics::new()));
            let revocations = Revocations::new(Arc::clone(&database));
            Self { _directory: directory, database, feed, revocations, cursor: None }
        }

        async fn event(&self, id: i64, field: &'static str) {
            self.database.execute(field, &[id.into()]).await.unwrap();
        }

        /// What a pass tells.
        async fn pass(&mut self) -> Vec<Change> {
            self.revocations.pass(&self.feed).await.unwrap();
            self.feed.checked(crate::clock::now(), Duration::ZERO);
            let answer = self.feed.answer(self.cursor.as_deref()).unwrap();
            let answer = Changes::from_json(&answer, None).unwrap();
            self.cursor = Some(answer.cursor.as_str().into());
            answer.changes
        }
    }

    const USER: &str = "INSERT INTO revocation_event (id, user_id) VALUES (?, 'u')";
    const NOBODY: &str = "INSERT INTO revocation_event (id, audit_id) VALUES (?, 'a')";
    const USER_IN_PROJECT: &str =
        "INSERT INTO revocation_event (id, user_id, project_id) VALUES (?, 'u', 'p')";
    const PROJECT: &str = "INSERT INTO revocation_event (id, project_id) VALUES (?, 'p')";
    const DOMAIN: &str = "INSERT INTO revocation_event (id, domain_id) VALUES (?, 'd')";
    const TRUST: &str =
        "INSERT INTO revocation_event (id, trust_id, domain_id) VALUES (?, 't', 'd')";

    #[tokio::test]
    async fn each_event_is_told_once_by_what_it_is_about() {
        let mut world = World::new().await;
        world.event(10, USER).await;
        assert_eq!(world.pass().await, [], "what was before");
        for (id, event) in
            [(12, USER_IN_PROJECT), (13, PROJECT), (14, DOMAIN), (15, TRUST), (16, NOBODY)]
        {
            world.event(id, event).await;
        }
        let user = || Change::User("u".into());
        let others =
            [Change::Project("p".into()), Change::Domain("d".into()), Change::Trust("t".into())];
        assert_eq!(world.pass().await, [&[user()], &others[..]].concat());
        assert_eq!(world.pass().await, []);
        world.event(11, USER).await;
        assert_eq!(world.pass().await, [user()], "committed after those with higher ids");
        world.event(17, USER).await;
        assert_eq!(world.pass().await, [user()]);
        assert_eq!(world.pass().await, []);
    }

    #[tokio::test]
    async fn ids_that_are_given_out_again_are_seen() {
        let mut world = World::new().await;
        world.event(500, USER).await;
        world.pass().await;
        world.event(501, USER).await;
        world.pass().await;
        world.database.execute("DELETE FROM revocation_event", &[]).await.unwrap();
        world.event(1, PROJECT).await;
        assert_eq!(world.pass().await, [Change::Project("p".into())]);
        assert_eq!(world.pass().await, []);
    }

    #[tokio::test]
    async fn thousands_of_events_are_told() {
        let mut world = World::new().await;
        world.pass().await;
        let many = "INSERT INTO revocation_event (id, domain_id) \
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) \
                    SELECT i, 'd' FROM n";
        world.event(2500, many).await;
        world.revocations.pass(&world.feed).await.unwrap();
        assert_eq!(world.revocations.last, Some(2500));
        assert_eq!(world.pass().await.len(), 1000);
        assert_eq!((world.pass().await.len(), world.pass().await.len()), (1000, 500));
    }
}
