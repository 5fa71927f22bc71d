//! All that is told of one Keystone, read over the same connections.

use std::io;
use std::sync::Arc;

use super::{
    CatalogChanges, Catalogs, Credentials, Events, Identities, Recheck, RevocationPages,
    Revocations, Watched,
};
use crate::access_keys::AccessKeys;
use crate::changes::{Check, Feed};
use crate::config::{ChangesConfig, KeystoneConfig};
use crate::database::{Database, Purpose};
use crate::key_repository::{self, Directories};
use crate::metrics::Metrics;

/// What answers questions about a Keystone, and what follows its changes. By default there is none.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) access_keys: Option<Arc<dyn AccessKeys>>,
    pub(crate) identities: Option<Identities>,
    pub(crate) revocations: Option<RevocationPages>,
    pub(crate) catalogs: Option<Catalogs>,
    pub(crate) checks: Vec<Box<dyn Check>>,
}

impl Parts {
    /// Those of a Keystone. Fails if the system gives no thread to watch its credential keys.
    pub(crate) fn open(
        keystone: KeystoneConfig,
        changes: ChangesConfig,
        feed: &Arc<Feed>,
        metrics: &Arc<Metrics>,
    ) -> io::Result<Self> {
        let directories = Directories { fernet: Some(keystone.credential_keys), jws: None };
        let keys = key_repository::watch(directories, Arc::clone(metrics))?;
        let traffic = metrics.databases.traffic("keystone");
        let database = Arc::new(Database::open(keystone.url, Purpose::Read).counted(traffic));
        let recheck_for = changes.recheck_for;
        let of_keys = Arc::new(Watched::new(changes.recheck_keys, recheck_for, Arc::clone(feed)));
        let of_tokens =
            Arc::new(Watched::new(changes.recheck_identities, recheck_for, Arc::clone(feed)));
        let events = Arc::new(Events::new(Arc::clone(&database), Arc::clone(metrics)));
        let checks: Vec<Box<dyn Check>> = vec![
            Box::new(Recheck::new(&database, &of_keys, metrics)),
            Box::new(Recheck::new(&database, &of_tokens, metrics)),
            Box::new(Revocations::new(Arc::clone(&events))),
            Box::new(CatalogChanges::new(Arc::clone(&database))),
        ];
        let identities = Identities::new(
            Arc::clone(&database),
            keystone.admin_project,
            of_tokens,
            Arc::clone(metrics),
        );
        let catalogs = Catalogs::new(Arc::clone(&database), keystone.chosen_endpoints_only);
        Ok(Self {
            access_keys: Some(Arc::new(Credentials::new(database, keys, of_keys))),
            identities: Some(identities),
            revocations: Some(RevocationPages::new(events)),
            catalogs: Some(catalogs),
            checks,
        })
    }
}
