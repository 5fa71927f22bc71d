//! The EC2 credentials of a Keystone, read from its database: access keys that users make
//! themselves, with `openstack ec2 credentials create`.
//!
//! The database is only read, in one statement for an access key; in two if the credential was made
//! with an application credential or a trust. The secret is sealed in the credential, with keys of
//! Keystone's credential key repository.

mod blob;
mod identity;
mod statements;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch::Receiver;
use voussoir_core::record::{AccessKeyFault, CredentialRecord};
use voussoir_core::time::UnixTime;

pub(crate) use blob::CredentialKeys;
use blob::{Blob, Closed};
use identity::{ApplicationCredential, Owner, Trust};
use statements::{Statements, credential};

use crate::access_keys::{AccessKey, AccessKeys, Answering, LookupError, Unavailable};
use crate::database::Database;

/// A Keystone.
pub(crate) struct Keystone {
    database: Database,
    statements: &'static Statements,
    keys: Receiver<Option<Arc<CredentialKeys>>>,
}

impl Keystone {
    pub(crate) fn new(database: Database, keys: Receiver<Option<Arc<CredentialKeys>>>) -> Self {
        Self { statements: Statements::of(database.engine()), database, keys }
    }

    async fn find(&self, access_key: &str, now: UnixTime) -> Result<AccessKey, LookupError> {
        let keys = self.keys.borrow().clone();
        let keys = keys.ok_or(LookupError::Unavailable(Unavailable::NotReady))?;
        let id = credential_id(access_key);
        let row = self.database.row(self.statements.credential, &[id.as_str().into()]).await?;
        let row = row.ok_or(LookupError::Denied(AccessKeyFault::AccessKeyUnknown))?;
        if row.text(credential::TYPE)? != "ec2" {
            return Err(LookupError::Denied(AccessKeyFault::AccessKeyUnknown));
        }
        let mut blob = match keys.open(&row.text(credential::SEALED_BLOB)?) {
            Ok(blob) => blob,
            Err(Closed::Content) => {
                return Err(LookupError::Denied(AccessKeyFault::AccessKeyDisabled));
            }
            Err(Closed::NoKey) => return Err(LookupError::Unavailable(Unavailable::NoSealKey)),
        };
        // A blob can be changed after its credential was made; then it is another access key's.
        if blob.access.as_ref().is_some_and(|access| !access.matches(access_key.as_bytes())) {
            return Err(LookupError::Denied(AccessKeyFault::AccessKeyUnknown));
        }
        let secret = blob.secret.take();
        let secret = secret.ok_or(LookupError::Denied(AccessKeyFault::AccessKeyDisabled))?;
        let record = self.record(Owner::from_row(&row)?, blob, now).await?;
        Ok(AccessKey { secret, record })
    }

    async fn record(
        &self,
        owner: Owner,
        blob: Blob,
        now: UnixTime,
    ) -> Result<CredentialRecord, LookupError> {
        let disabled = LookupError::Denied(AccessKeyFault::AccessKeyDisabled);
        // The order is Keystone's. Its rules for an OAuth 1 access token rest on roles that are kept
        // as JSON in a text, and nobody has used one for years: no key comes of it.
        let record = if let Some(id) = blob.trust_id.filter(|id| !id.is_empty()) {
            let values = [(&*id).into(), (&*id).into()];
            let row = self.database.row(self.statements.trust, &values).await?.ok_or(disabled)?;
            let trust = Trust::from_row(&row)?;
            owner.record_of_trust(id, trust, now)
        } else if let Some(id) = blob.app_cred_id.filter(|id| !id.is_empty()) {
            let statement = self.statements.application_credential;
            let row = self.database.row(statement, &[(&*id).into()]).await?.ok_or(disabled)?;
            let given = ApplicationCredential::from_row(&row)?;
            owner.record_of_application_credential(id, &given, now)
        } else if blob.access_token_id.is_some_and(|id| !id.is_empty()) {
            return Err(disabled);
        } else {
            owner.record()
        };
        record.map_err(LookupError::Denied)
    }
}

impl AccessKeys for Keystone {
    fn name(&self) -> &'static str {
        "keystone"
    }

    fn look_up<'a>(
        &'a self,
        access_key: &'a str,
        now: UnixTime,
    ) -> Answering<'a, Result<AccessKey, LookupError>> {
        Box::pin(self.find(access_key, now))
    }

    fn check(&self) -> Answering<'_, Result<(), LookupError>> {
        Box::pin(async {
            self.database.row(self.statements.check, &[]).await?;
            if self.keys.borrow().is_none() {
                return Err(LookupError::Unavailable(Unavailable::NotReady));
            }
            Ok(())
        })
    }
}

/// The id of the credential with this access key (`keystone/common/utils.py`, `hash_access_key`).
fn credential_id(access_key: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(access_key).iter().fold(String::with_capacity(64), |mut id, byte| {
        let _infallible = write!(id, "{byte:02x}");
        id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_credential_is_the_hash_of_its_access_key() {
        assert_eq!(
            credential_id("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
