//! Checks what was asked for lately: Keystone writes no event when a role is taken away, a project or
//! domain disabled, a credential or application credential deleted.
//!
//! The rows that the answers rest on are read for some hundred of them at a time, by primary keys and
//! indexes; what has changed shows in the fingerprints of the facts.

use std::sync::Arc;

use voussoir_core::record::IdentityRequest;

use super::credentials::WatchedCredential;
use super::facts::{CredentialFacts, Fingerprint, blob_hash};
use super::identities::WatchedIdentity;
use super::rows::{Rows, Wanted};
use super::statements::Statements;
use super::watched::{Target, Watched};
use crate::access_keys::{Answering, Unavailable};
use crate::changes::{Check, Feed};
use crate::database::{Database, Engine};
use crate::metrics::Metrics;

/// Compares what Keystone's database has with what was answered from it.
pub(crate) struct Recheck<T: Target> {
    database: Arc<Database>,
    statements: &'static Statements,
    watched: Arc<Watched<T>>,
    metrics: Arc<Metrics>,
}

/// Something whose facts can be read with those of many others.
pub(crate) trait Checked: Target + Sync {
    /// What logs call many of it.
    const NAME: &'static str;
    /// What metrics call many of it.
    const KIND: &'static str;

    /// Adds what its facts are made of.
    fn want<'a>(&'a self, wanted: &mut Wanted<'a>);

    /// The fingerprint of its facts.
    fn fingerprint(&self, rows: &Rows, watched: &Watched<Self>, engine: Engine) -> Fingerprint;
}

impl<T: Checked> Recheck<T> {
    pub(crate) fn new(
        database: &Arc<Database>,
        watched: &Arc<Watched<T>>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            statements: Statements::of(database.engine()),
            database: Arc::clone(database),
            watched: Arc::clone(watched),
            metrics: Arc::clone(metrics),
        }
    }

    async fn look(&self) -> Result<(), Unavailable> {
        let targets = self.watched.targets();
        self.metrics.changes.watched(T::KIND, targets.found, targets.denied);
        let mut wanted = Wanted::default();
        for target in &targets.all {
            target.want(&mut wanted);
        }
        let rows = Rows::read(&self.database, self.statements, &wanted).await?;
        for batch in targets.all.chunks(BATCH) {
            for target in batch {
                let fingerprint = target.fingerprint(&rows, &self.watched, self.database.engine());
                self.watched.found(target, fingerprint);
            }
            // Requests are answered in between.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl<T: Checked> Check for Recheck<T>
where
    T::Key: Sync,
{
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn pass<'a>(&'a mut self, _: &'a Feed) -> Answering<'a, Result<(), Unavailable>> {
        Box::pin(self.look())
    }
}

impl Checked for WatchedCredential {
    const NAME: &'static str = "Keystone's credentials";
    const KIND: &'static str = "access_key";

    fn want<'a>(&'a self, wanted: &mut Wanted<'a>) {
        wanted.credentials.insert(&self.credential_id);
        wanted.add_delegation(self.delegation.as_ref());
    }

    fn fingerprint(&self, rows: &Rows, watched: &Watched<Self>, engine: Engine) -> Fingerprint {
        let Some(credential) = rows.credentials.get(&*self.credential_id) else {
            return Fingerprint::ABSENT;
        };
        let hash;
        let blob = if engine == Engine::Sqlite {
            hash = blob_hash(&credential.blob);
            &hash
        } else {
            &credential.blob
        };
        let owner = rows.owner(credential);
        let given = rows.given(self.delegation.as_ref());
        watched.fingerprint(&CredentialFacts { blob, owner: &owner, given: &given })
    }
}

impl Checked for WatchedIdentity {
    const NAME: &'static str = "Keystone's identities";
    const KIND: &'static str = "identity";

    fn want<'a>(&'a self, wanted: &mut Wanted<'a>) {
        let IdentityRequest { user, scope, delegation, federation } = &*self.0;
        wanted.users.insert(user);
        wanted.projects.extend(scope.id());
        wanted.add_delegation(delegation.as_ref());
        if let Some(federation) = federation {
            wanted.groups.extend(federation.groups.iter().map(|id| &**id));
            wanted.identity_providers.insert(&federation.identity_provider);
        }
    }

    fn fingerprint(&self, rows: &Rows, watched: &Watched<Self>, _: Engine) -> Fingerprint {
        watched.fingerprint(&rows.token(&self.0))
    }
}

/// How many are compared at a go.
const BATCH: usize = 256;
