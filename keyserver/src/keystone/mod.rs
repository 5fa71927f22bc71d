//! The EC2 credentials of a Keystone, read from its database: access keys that users make
//! themselves, with `openstack ec2 credentials create`.
//!
//! The database is only read, in one statement for an access key; in two if the credential was made
//! with an application credential or a trust. The secret is sealed in the credential, with keys of
//! Keystone's credential key repository.

mod blob;
mod facts;
mod identity;
mod recheck;
mod revocations;
mod rows;
mod statements;
mod watched;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch::Receiver;
use voussoir_core::record::{AccessKeyFault, CredentialRecord};
use voussoir_core::secret::Secret;
use voussoir_core::time::UnixTime;

pub(crate) use blob::CredentialKeys;
use blob::{Blob, Closed};
use facts::{Facts, Fingerprint, Given, blob_hash};
use identity::{ApplicationCredential, Owner, Trust};
pub(crate) use recheck::Recheck;
pub(crate) use revocations::Revocations;
use statements::{Statements, credential};
pub(crate) use watched::Watched;

use crate::access_keys::{AccessKey, AccessKeys, Answering, LookupError, Unavailable};
use crate::database::Database;

/// A Keystone.
pub(crate) struct Keystone {
    database: Arc<Database>,
    statements: &'static Statements,
    keys: Receiver<Option<Arc<CredentialKeys>>>,
    watched: Arc<Watched>,
}

impl Keystone {
    pub(crate) fn new(
        database: Arc<Database>,
        keys: Receiver<Option<Arc<CredentialKeys>>>,
        watched: Arc<Watched>,
    ) -> Self {
        Self { statements: Statements::of(database.engine()), database, keys, watched }
    }

    async fn find(&self, access_key: &str, now: UnixTime) -> Result<AccessKey, LookupError> {
        let keys = self.keys.borrow().clone();
        let keys = keys.ok_or(LookupError::Unavailable(Unavailable::NotReady))?;
        let id = credential_id(access_key);
        let row = self.database.row(self.statements.credential, &[id.as_str().into()]).await?;
        let row = match row {
            Some(row) if row.text(credential::TYPE)? == EC2 => row,
            _ => {
                self.watched.note(access_key, &id, None, Fingerprint::ABSENT, true);
                return Err(LookupError::Denied(AccessKeyFault::AccessKeyUnknown));
            }
        };
        let sealed = row.text(credential::SEALED_BLOB)?;
        let mut blob = match keys.open(&sealed) {
            Err(Closed::NoKey) => return Err(LookupError::Unavailable(Unavailable::NoSealKey)),
            opened => opened.ok(),
        };
        let given = match &mut blob {
            Some(blob) => self.given(blob).await?,
            None => Given::Other,
        };
        let owner = Owner::from_row(&row)?;
        let hash = blob_hash(&sealed);
        let facts = Facts { blob: &hash, owner: &owner, given: &given };
        let secret = secret(blob, access_key);
        // The record is made of the facts alone, so whether there is one is known before.
        let fingerprint = self.watched.fingerprint(&facts);
        let delegation = given.delegation();
        let answer = secret.and_then(|secret| {
            let record = record(owner, given, now)?;
            Ok(AccessKey { secret, record })
        });
        self.watched.note(access_key, &id, delegation, fingerprint, answer.is_err());
        answer.map_err(LookupError::Denied)
    }

    /// What a credential was made with; the order is Keystone's.
    async fn given(&self, blob: &mut Blob) -> Result<Given, LookupError> {
        let id = |id: &mut Option<String>| id.take().filter(|id| !id.is_empty());
        if let Some(id) = id(&mut blob.trust_id) {
            let values = [(&*id).into(), (&*id).into()];
            let row = self.database.row(self.statements.trust, &values).await?;
            let trust = row.as_ref().map(Trust::from_row).transpose()?;
            return Ok(Given::Trust(id, trust));
        }
        if let Some(id) = id(&mut blob.app_cred_id) {
            let statement = self.statements.application_credentials;
            let rows = self.database.rows_of(statement, &[&id]).await?;
            let given = rows.first().map(ApplicationCredential::from_row).transpose()?;
            return Ok(Given::ApplicationCredential(id, given));
        }
        Ok(id(&mut blob.access_token_id).map_or(Given::Nothing, |_| Given::Other))
    }
}

/// The secret in the blob of a credential, if it is that of this access key.
fn secret(blob: Option<Blob>, access_key: &str) -> Result<Secret, AccessKeyFault> {
    let blob = blob.ok_or(AccessKeyFault::AccessKeyDisabled)?;
    // A blob can be changed after its credential was made; then it is another access key's.
    if blob.access.as_ref().is_some_and(|access| !access.matches(access_key.as_bytes())) {
        return Err(AccessKeyFault::AccessKeyUnknown);
    }
    blob.secret.ok_or(AccessKeyFault::AccessKeyDisabled)
}

fn record(owner: Owner, given: Given, now: UnixTime) -> Result<CredentialRecord, AccessKeyFault> {
    match given {
        Given::Nothing => owner.record(),
        Given::ApplicationCredential(id, Some(given)) => {
            owner.record_of_application_credential(id, &given, now)
        }
        Given::Trust(id, Some(given)) => owner.record_of_trust(id, given, now),
        // Keystone's rules for an OAuth 1 access token rest on roles that are kept as JSON in a text,
        // and nobody has used one for years: no key comes of it.
        Given::ApplicationCredential(_, None) | Given::Trust(_, None) | Given::Other => {
            Err(AccessKeyFault::AccessKeyDisabled)
        }
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
    hex(&Sha256::digest(access_key))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// The type of a credential that is one.
const EC2: &str = "ec2";

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
