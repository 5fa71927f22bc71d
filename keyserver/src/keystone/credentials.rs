//! The EC2 credentials of a Keystone as a source of access keys.
//!
//! The secret is sealed in the credential, with keys of Keystone's credential key repository.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch::Receiver;
use voussoir_core::record::{AccessKeyFault, Change, Delegation};
use voussoir_core::secret::Secret;
use voussoir_core::time::UnixTime;

use super::access_key::record;
use super::blob::{Blob, Closed, CredentialKeys};
use super::facts::{CredentialFacts, Fingerprint, Given, blob_hash};
use super::hex;
use super::lookup::{Credential, Lookup};
use super::statements::CHECK;
use super::watched::{Target, Watched};
use crate::access_keys::{AccessKey, AccessKeys, Answering, LookupError, Unavailable};
use crate::database::Database;

/// The credentials of a Keystone.
pub(crate) struct Credentials {
    lookup: Lookup,
    keys: Receiver<Option<Arc<CredentialKeys>>>,
    watched: Arc<Watched<WatchedCredential>>,
}

/// An access key that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct WatchedCredential {
    pub(super) access_key: Arc<str>,
    /// The id of its credential.
    pub(super) credential_id: Arc<str>,
    /// What the credential was made with, as far as is known.
    pub(super) delegation: Option<Delegation>,
}

impl Target for WatchedCredential {
    type Key = Arc<str>;

    fn key(&self) -> &Arc<str> {
        &self.access_key
    }

    fn change(&self) -> Change {
        Change::AccessKey(self.access_key.as_ref().into())
    }
}

impl Credentials {
    pub(crate) fn new(
        database: Arc<Database>,
        keys: Receiver<Option<Arc<CredentialKeys>>>,
        watched: Arc<Watched<WatchedCredential>>,
    ) -> Self {
        Self { lookup: Lookup::new(database), keys, watched }
    }

    async fn find(&self, access_key: &str, now: UnixTime) -> Result<AccessKey, LookupError> {
        let keys = self.keys.borrow().clone();
        let keys = keys.ok_or(LookupError::Unavailable(Unavailable::NotReady))?;
        let id = credential_id(access_key);
        let mut target = WatchedCredential {
            access_key: access_key.into(),
            credential_id: id.as_str().into(),
            delegation: None,
        };
        let Some(Credential { sealed_blob, owner }) = self.lookup.credential(&id).await? else {
            self.watched.note(target, Fingerprint::ABSENT, true);
            return Err(LookupError::Denied(AccessKeyFault::AccessKeyUnknown));
        };
        let mut blob = match keys.open(&sealed_blob) {
            Err(Closed::NoKey) => return Err(LookupError::Unavailable(Unavailable::NoSealKey)),
            opened => opened.ok(),
        };
        let delegation = blob.as_mut().and_then(delegation);
        let given = match &delegation {
            None => Given::Nothing,
            Some(delegation) => self.lookup.given(delegation).await?.0,
        };
        let hash = blob_hash(&sealed_blob);
        let facts = CredentialFacts { blob: &hash, owner: &owner, given: &given };
        let fingerprint = self.watched.fingerprint(&facts);
        target.delegation.clone_from(&delegation);
        let answer = secret(blob, access_key).and_then(|secret| {
            let record = record(&owner, delegation, &given, now)?;
            Ok(AccessKey { secret, record })
        });
        self.watched.note(target, fingerprint, answer.is_err());
        answer.map_err(LookupError::Denied)
    }
}

/// What a credential was made with; the order is Keystone's.
fn delegation(blob: &mut Blob) -> Option<Delegation> {
    let id = |id: &mut Option<String>| id.take().filter(|id| !id.is_empty());
    id(&mut blob.trust_id)
        .map(Delegation::Trust)
        .or_else(|| id(&mut blob.app_cred_id).map(Delegation::ApplicationCredential))
        .or_else(|| id(&mut blob.access_token_id).map(Delegation::AccessToken))
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

impl AccessKeys for Credentials {
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
            self.lookup.database.row(CHECK, &[]).await?;
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
