//! Checks the access keys that were asked for lately: Keystone writes no event when a role is taken
//! away, a project or domain disabled, a credential or application credential deleted.
//!
//! The rows that the records rest on are read for some hundred access keys at a time, by primary keys
//! and indexes; what has changed shows in the fingerprints of the facts.

use std::sync::Arc;

use super::facts::{Facts, Fingerprint, blob_hash};
use super::rows::Rows;
use super::statements::Statements;
use super::watched::{Target, Watched};
use crate::access_keys::{Answering, Unavailable};
use crate::changes::{Check, Feed};
use crate::database::{Database, Engine};

/// Compares what Keystone's database has with what was answered from it.
pub(crate) struct Recheck {
    database: Arc<Database>,
    statements: &'static Statements,
    watched: Arc<Watched>,
}

impl Recheck {
    pub(crate) fn new(database: Arc<Database>, watched: Arc<Watched>) -> Self {
        Self { statements: Statements::of(database.engine()), database, watched }
    }

    async fn look(&self) -> Result<(), Unavailable> {
        let targets = self.watched.targets();
        let rows = Rows::read(&self.database, self.statements, &targets).await?;
        for batch in targets.chunks(BATCH) {
            for target in batch {
                self.watched.found(&target.access_key, self.fingerprint(&rows, target));
            }
            // Requests are answered in between.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn fingerprint(&self, rows: &Rows, target: &Target) -> Fingerprint {
        let Some(credential) = rows.credentials.get(&*target.credential_id) else {
            return Fingerprint::ABSENT;
        };
        let hash;
        let blob = if self.database.engine() == Engine::Sqlite {
            hash = blob_hash(&credential.blob);
            &hash
        } else {
            &credential.blob
        };
        let owner = rows.owner(credential);
        let given = rows.given(target.delegation.as_ref());
        self.watched.fingerprint(&Facts { blob, owner: &owner, given: &given })
    }
}

impl Check for Recheck {
    fn name(&self) -> &'static str {
        "Keystone's credentials"
    }

    fn pass<'a>(&'a mut self, _: &'a Feed) -> Answering<'a, Result<(), Unavailable>> {
        Box::pin(self.look())
    }
}

/// How many are compared at a go.
const BATCH: usize = 256;
