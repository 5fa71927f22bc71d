//! What Keystone has revoked, page by page: the answers to `GET /v1/revocations`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::time::timeout;
use tracing::warn;
use voussoir_core::record;

use super::events::{BATCH, Events, Numbered};
use super::shared::{Ask, Shared};
use crate::access_keys::{Answering, Unavailable};
use crate::database::DatabaseError;
use crate::logging::Allowance;

/// Makes pages; those who begin at the same time share them.
pub(crate) struct RevocationPages {
    pages: Shared<Pages>,
    allowance: Allowance,
}

struct Pages(Arc<Events>);

impl RevocationPages {
    pub(crate) fn new(events: Arc<Events>) -> Self {
        Self { pages: Shared::new(Pages(events), 1), allowance: Allowance::new() }
    }

    /// The JSON of the page after an id. `None` if it cannot be read now.
    pub(crate) async fn after(&self, id: u64) -> Option<Bytes> {
        let page = timeout(MAX_DURATION, self.pages.answer(id)).await;
        let late = || Err(Arc::new(Unavailable::Database(DatabaseError::Timeout)));
        page.unwrap_or_else(|_| late())
            .inspect_err(|why| {
                if let Some(unsaid) = self.allowance.take() {
                    warn!(unsaid, "events of revocation cannot be read: {why}");
                }
            })
            .ok()
    }
}

impl Ask for Pages {
    type Question = u64;
    type Answer = Bytes;

    fn ask<'a>(&'a self, after: &'a u64) -> Answering<'a, Result<Bytes, Unavailable>> {
        Box::pin(async {
            // No id is higher.
            let above = i64::try_from(*after).unwrap_or(i64::MAX);
            let numbered = self.0.above(above).await?;
            Ok(page(*after, numbered).to_json().into())
        })
    }
}

/// As many of the events as fit. What is left out is gone past all the same.
fn page(after: u64, numbered: Vec<Numbered>) -> record::Revocations {
    let is_last = numbered.len() < BATCH;
    let last = numbered.last().map(|it| it.id);
    let (ids, mut events): (Vec<i64>, Vec<_>) =
        numbered.into_iter().filter_map(|it| Some((it.id, it.event?))).unzip();
    let count = record::Revocations::how_many_fit(&events);
    events.truncate(count);
    let (last, more) = match ids.get(count) {
        Some(next) => (Some(next - 1), true),
        None => (last, !is_last),
    };
    let last = last.and_then(|id| u64::try_from(id).ok()).unwrap_or_default();
    record::Revocations { after: last.max(after), more, events }
}

/// How long a page takes: less than a request may.
const MAX_DURATION: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystone::events::tests::{ISSUED_BEFORE, empty};
    use crate::metrics::Metrics;
    use voussoir_core::record::{RevocationEvent, Revocations};

    async fn world() -> (tempfile::TempDir, Arc<crate::database::Database>, RevocationPages) {
        let (directory, database) = empty().await;
        let events = Arc::new(Events::new(Arc::clone(&database), Arc::new(Metrics::new())));
        (directory, database, RevocationPages::new(events))
    }

    /// Every page, as an edge reads them.
    async fn all(pages: &RevocationPages) -> Vec<Revocations> {
        let mut all: Vec<Revocations> = Vec::new();
        while all.last().is_none_or(|page| page.more) {
            let after = all.last().map_or(0, |page| page.after);
            let json = pages.after(after).await.unwrap();
            all.push(Revocations::from_json(&json, after).unwrap());
        }
        all
    }

    #[tokio::test]
    async fn thousands_of_events_come_in_pages_in_their_order() {
        let (_directory, database, pages) = world().await;
        let empty = Revocations { after: 0, more: false, events: Vec::new() };
        assert_eq!(all(&pages).await, [empty]);
        let many = "INSERT INTO revocation_event (id, user_id) \
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) \
                    SELECT 3 * i, 'u' || i FROM n";
        database.execute(many, &[2500.into()]).await.unwrap();
        let pages = all(&pages).await;
        let places: Vec<_> = pages.iter().map(|it| (it.after, it.more, it.events.len())).collect();
        assert_eq!(places, [(3000, true, 1000), (6000, true, 1000), (7500, false, 500)]);
        let events = pages.iter().flat_map(|page| &page.events);
        for (number, event) in (1..).zip(events) {
            let expected = RevocationEvent {
                issued_before: ISSUED_BEFORE,
                user_id: Some(format!("u{number}")),
                ..RevocationEvent::default()
            };
            assert_eq!(*event, expected);
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_comes_with_the_next_page() {
        let (_directory, database, pages) = world().await;
        let long = "INSERT INTO revocation_event (user_id, role_id, trust_id, consumer_id) \
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999), \
                    x(x) AS (SELECT replace(hex(zeroblob(128)), '0', '\"')) \
                    SELECT i || substr(x, 5), x, x, x FROM n, x";
        database.execute(long, &[]).await.unwrap();
        let pages = all(&pages).await;
        assert!(pages.len() > 3, "{}", pages.len());
        let users: Vec<&str> = pages
            .iter()
            .flat_map(|page| &page.events)
            .map(|event| event.user_id.as_deref().unwrap().trim_end_matches('"'))
            .collect();
        let expected: Vec<String> = (1..=999).map(|number| number.to_string()).collect();
        assert_eq!(users, expected);
    }

    #[tokio::test]
    async fn what_is_left_out_is_gone_past() {
        let (_directory, database, pages) = world().await;
        let unsound = "INSERT INTO revocation_event (user_id) WITH RECURSIVE n(i) AS \
                       (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT '' FROM n";
        database.execute(unsound, &[]).await.unwrap();
        let places: Vec<_> =
            all(&pages).await.iter().map(|it| (it.after, it.more, it.events.len())).collect();
        assert_eq!(places, [(1000, true, 0), (1500, false, 0)]);
    }

    #[tokio::test]
    async fn no_id_is_beyond_the_highest() {
        let (_directory, database, pages) = world().await;
        database.execute("INSERT INTO revocation_event (id) VALUES (7)", &[]).await.unwrap();
        for after in [7, 8, u64::MAX] {
            let json = pages.after(after).await.unwrap();
            let page = Revocations::from_json(&json, after).unwrap();
            assert_eq!(page, Revocations { after, more: false, events: Vec::new() });
        }
        database.execute("DROP TABLE revocation_event", &[]).await.unwrap();
        assert_eq!(pages.after(0).await, None);
    }
}
