//! Keystone's own events of revocation (`keystone/revoke/backends/sql.py`): a password was changed, a
//! user disabled, a project or trust deleted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use voussoir_core::record::{Change, RevocationEvent};

use super::events::{BATCH, Events, Numbered};
use crate::access_keys::{Answering, Unavailable};
use crate::changes::{Check, Feed};

/// Follows the table of events.
pub(crate) struct Revocations {
    events: Arc<Events>,
    /// The highest id that was seen; `None` before the first pass.
    last: Option<i64>,
    /// The latest events that were seen, with ids up to [`WINDOW`] below the highest. Ids are given out
    /// before a transaction ends, so a lower one may come to be seen after a higher one.
    seen: HashMap<i64, Option<RevocationEvent>>,
}

impl Revocations {
    pub(crate) fn new(events: Arc<Events>) -> Self {
        Self { events, last: None, seen: HashMap::new() }
    }

    async fn look(&mut self, feed: &Feed) -> Result<(), Unavailable> {
        let highest = self.events.highest().await?;
        let last = self.last.unwrap_or(highest);
        let feed = self.last.map(|_| feed);
        // Keystone deletes old events, and some engines then give their ids out again.
        let mut read = None;
        if highest >= last {
            read = self.read_above(last.saturating_sub(WINDOW), feed).await?;
        }
        if read.is_none() {
            // Whatever comes of it, the next pass is no better off.
            self.last = Some(i64::MAX);
            self.seen.clear();
            read = self.read_above(0, feed).await?;
        }
        let last = highest.max(read.unwrap_or_default());
        self.last = Some(last);
        self.seen.retain(|id, _| *id > last.saturating_sub(WINDOW));
        Ok(())
    }

    /// Tells of the events above an id that were not seen yet; returns the id of the last one. `None`
    /// if an id that was seen is another event's now.
    async fn read_above(
        &mut self,
        mut above: i64,
        feed: Option<&Feed>,
    ) -> Result<Option<i64>, Unavailable> {
        loop {
            let events = self.events.above(above).await?;
            let is_last = events.len() < BATCH;
            for Numbered { id, event } in events {
                above = id;
                match self.seen.entry(id) {
                    Entry::Occupied(known) if *known.get() != event => return Ok(None),
                    Entry::Occupied(_) => {}
                    Entry::Vacant(new) => {
                        new.insert(event.clone());
                        if let (Some(feed), Some(event)) = (feed, event) {
                            tell(event, feed);
                        }
                    }
                }
            }
            if is_last {
                return Ok(Some(above));
            }
        }
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

/// Tells that tokens were revoked, and of what else that is a change.
fn tell(event: RevocationEvent, feed: &Feed) {
    let about = about(&event);
    feed.tell(Change::Revocation(Box::new(event)));
    if let Some(change) = about {
        feed.tell(change);
    }
}

/// What an event is about. It concerns what fits all of its fields, so one of them will do: that
/// which fits the fewest. One of audit ids alone ends a token, and with it no access key.
fn about(event: &RevocationEvent) -> Option<Change> {
    let RevocationEvent { user_id, project_id, domain_id, trust_id, .. } = event.clone();
    trust_id
        .map(Change::Trust)
        .or(user_id.map(Change::User))
        .or(project_id.map(Change::Project))
        .or(domain_id.map(Change::Domain))
}

/// Far more ids than are given out and not committed at any time.
const WINDOW: i64 = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;
    use crate::keystone::events::tests::{ISSUED_BEFORE, empty};
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
            let (directory, database) = empty().await;
            let metrics = Arc::new(Metrics::new());
            let feed = Feed::new(Duration::from_secs(1), Arc::clone(&metrics));
            let events = Events::new(Arc::clone(&database), metrics);
            let revocations = Revocations::new(Arc::new(events));
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

    /// A revocation of what this sets.
    fn revocation(set: impl FnOnce(&mut RevocationEvent)) -> Change {
        let mut event =
            RevocationEvent { issued_before: ISSUED_BEFORE, ..RevocationEvent::default() };
        set(&mut event);
        Change::Revocation(Box::new(event))
    }

    fn of_user() -> Change {
        revocation(|event| event.user_id = Some("u".into()))
    }

    fn of_project() -> Change {
        revocation(|event| event.project_id = Some("p".into()))
    }

    const USER: &str = "INSERT INTO revocation_event (id, user_id) VALUES (?, 'u')";
    const NOBODY: &str = "INSERT INTO revocation_event (id, audit_id) VALUES (?, 'a')";
    const UNSOUND: &str = "INSERT INTO revocation_event (id, audit_id) VALUES (?, '')";
    const USER_IN_PROJECT: &str =
        "INSERT INTO revocation_event (id, user_id, project_id) VALUES (?, 'u', 'p')";
    const PROJECT: &str = "INSERT INTO revocation_event (id, project_id) VALUES (?, 'p')";
    const DOMAIN: &str = "INSERT INTO revocation_event (id, domain_id) VALUES (?, 'd')";
    const TRUST: &str =
        "INSERT INTO revocation_event (id, trust_id, domain_id) VALUES (?, 't', 'd')";

    #[tokio::test]
    async fn each_event_is_told_once_and_what_it_is_about() {
        let mut world = World::new().await;
        world.event(10, USER).await;
        assert_eq!(world.pass().await, [], "what was before");
        for (id, event) in [
            (12, USER_IN_PROJECT),
            (13, PROJECT),
            (14, DOMAIN),
            (15, TRUST),
            (16, NOBODY),
            (17, UNSOUND),
        ] {
            world.event(id, event).await;
        }
        let id = |id: &str| Some(id.to_owned());
        let told = [
            revocation(|event| {
                event.user_id = id("u");
                event.project_id = id("p");
            }),
            Change::User("u".into()),
            of_project(),
            Change::Project("p".into()),
            revocation(|event| event.domain_id = id("d")),
            Change::Domain("d".into()),
            revocation(|event| {
                event.trust_id = id("t");
                event.domain_id = id("d");
            }),
            Change::Trust("t".into()),
            revocation(|event| event.audit_id = id("a")),
        ];
        assert_eq!(world.pass().await, told);
        assert_eq!(world.pass().await, []);
        let again = [of_user(), Change::User("u".into())];
        world.event(11, USER).await;
        assert_eq!(world.pass().await, again, "committed after those with higher ids");
        world.event(18, USER).await;
        assert_eq!(world.pass().await, again);
        assert_eq!(world.pass().await, []);
    }

    #[tokio::test]
    async fn ids_that_are_given_out_again_are_seen() {
        let mut world = World::new().await;
        let project = [of_project(), Change::Project("p".into())];
        world.event(500, USER).await;
        world.pass().await;
        world.event(501, USER).await;
        world.pass().await;
        for id in [1, 501] {
            world.database.execute("DELETE FROM revocation_event", &[]).await.unwrap();
            world.event(id, PROJECT).await;
            assert_eq!(world.pass().await, project);
            assert_eq!(world.pass().await, []);
        }
        world.database.execute("DELETE FROM revocation_event", &[]).await.unwrap();
        world.event(7, PROJECT).await;
        world.event(501, USER).await;
        let all = [&project[..], &[of_user(), Change::User("u".into())]].concat();
        assert_eq!(world.pass().await, all, "and those far below as well");
        assert_eq!(world.pass().await, []);
    }

    #[tokio::test]
    async fn thousands_of_events_are_told() {
        let mut world = World::new().await;
        world.pass().await;
        let many = "INSERT INTO revocation_event (id, audit_id) \
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) \
                    SELECT i, 'a' FROM n";
        world.event(2500, many).await;
        world.revocations.pass(&world.feed).await.unwrap();
        assert_eq!(world.revocations.last, Some(2500));
        let mut told: Vec<usize> = Vec::new();
        while told.last() != Some(&0) {
            told.push(world.pass().await.len());
        }
        assert_eq!(told.iter().sum::<usize>(), 2500, "{told:?}");
    }
}
