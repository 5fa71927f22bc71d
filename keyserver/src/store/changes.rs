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
