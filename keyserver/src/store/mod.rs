//! Access keys of our own: a table that the program makes, fills and reads.
//!
//! Signing keys are derived from the secret itself, so a store must hold secrets that can be had
//! back, unlike passwords. They are sealed with a key that is not in the database: whoever gets a
//! copy of the database alone, such as a backup, cannot sign with it.

mod changes;
mod entries;
mod format;
mod schema;
mod seal;

use std::sync::Arc;

use tokio::sync::watch::Receiver;
use voussoir_core::record::AccessKeyFault;
use voussoir_core::time::UnixTime;

pub(crate) use changes::StoreChanges;
pub(crate) use entries::{Entry, count, delete, insert, list, set_enabled};
pub use format::{InvalidPrefix, Prefix};
pub(crate) use format::{access_key, secret, session_token};
pub(crate) use schema::{SchemaError, prepare};
pub(crate) use seal::StoreKeys;

use crate::access_keys::{AccessKey, AccessKeys, Answering, LookupError, Unavailable};
use crate::database::Database;

/// The store as a server sees it: it reads only.
pub(crate) struct Store {
    pub(crate) database: Arc<Database>,
    pub(crate) keys: Receiver<Arc<StoreKeys>>,
}

impl AccessKeys for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn look_up<'a>(
        &'a self,
        access_key: &'a str,
        _now: UnixTime,
    ) -> Answering<'a, Result<AccessKey, LookupError>> {
        Box::pin(async move {
            let denied = |fault| Err(LookupError::Denied(fault));
            let found = entries::find(&self.database, access_key).await?;
            let Some((entry, sealed, version)) = found else {
                return denied(AccessKeyFault::AccessKeyUnknown);
            };
            if version != schema::VERSION {
                return Err(LookupError::Unavailable(Unavailable::Schema));
            }
            // A database may compare texts in ways of its own.
            if entry.access_key != access_key {
                return denied(AccessKeyFault::AccessKeyUnknown);
            }
            if !entry.is_enabled {
                return denied(AccessKeyFault::AccessKeyDisabled);
            }
            let keys = Arc::clone(&self.keys.borrow());
            let secret = keys
                .open(access_key, &sealed)
                .ok_or(LookupError::Unavailable(Unavailable::NoSealKey))?;
            Ok(AccessKey { secret, record: entry.record })
        })
    }

    fn check(&self) -> Answering<'_, Result<(), LookupError>> {
        Box::pin(async {
            match schema::version(&self.database).await? {
                Some(schema::VERSION) => Ok(()),
                _ => Err(LookupError::Unavailable(Unavailable::Schema)),
            }
        })
    }
}
