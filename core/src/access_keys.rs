//! Signing keys, and whom they sign for: what [`crate::cache`] keeps for signed requests.

use alloc::rc::Rc;
use core::cell::OnceCell;

use crate::acl::Caller;
use crate::fetch::FetchFailure;
use crate::identity::{HeaderEdits, IdentityHeaders, SelectedHeaders};
use crate::record::{
    AccessKeyFault, CredentialRecord, Delegation, Domain, SigningKeyAnswer, SigningKeyRequest,
    Thing,
};
use crate::sigv4::{Credential, SigningKey};
use crate::time::UnixTime;

/// A signing key and whom it signs for.
#[derive(Debug)]
pub struct AccessKey {
    /// The access key, and what the signing key is good for.
    pub credential: Credential,
    /// The key.
    pub signing_key: SigningKey,
    /// Whom it signs for.
    pub record: CredentialRecord,
    identity: OnceCell<Rc<HeaderEdits>>,
}

impl AccessKey {
    /// A key that signs for this owner.
    #[must_use]
    pub fn new(credential: Credential, signing_key: SigningKey, record: CredentialRecord) -> Self {
        Self { credential, signing_key, record, identity: OnceCell::new() }
    }

    /// The owner, to whom rules may apply.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller::of_access_key(&self.credential.access_key, &self.record)
    }

    /// What a service is told of the owner. It is written down for the first request, and is the same
    /// for all others: a key is kept for one configuration, and so for one selection.
    pub(crate) fn identity(&self, selected: &SelectedHeaders) -> &Rc<HeaderEdits> {
        self.identity.get_or_init(|| {
            let mut headers = IdentityHeaders::new(selected);
            headers.set_credential_identity(&self.credential.access_key, &self.record);
            headers.into_edits().into()
        })
    }

    /// Reads the answer to a question about a credential.
    pub(crate) fn from_json(credential: &Credential, json: &[u8]) -> Result<Self, FetchFailure> {
        let request = SigningKeyRequest::new(credential);
        let answer =
            SigningKeyAnswer::from_json(json, &request).map_err(FetchFailure::SigningKey)?;
        let SigningKeyAnswer { signing_key, credential: record, .. } = answer;
        Ok(Self::new(credential.clone(), signing_key, record))
    }

    /// Why the key is good no more at a time, if it is not.
    pub(crate) fn fault(&self, now: UnixTime) -> Option<AccessKeyFault> {
        self.record.is_expired(now).then_some(AccessKeyFault::AccessKeyExpired)
    }

    /// Whether it rests on one of the things for which `has_changed` holds.
    pub(crate) fn is_concerned(&self, has_changed: &dyn Fn(Thing<'_>) -> bool) -> bool {
        let CredentialRecord { user, project, delegation, .. } = &self.record;
        let of_domain = |domain: &Option<Domain>| {
            domain.as_ref().is_some_and(|domain| has_changed(Thing::Domain(&domain.id)))
        };
        has_changed(Thing::AccessKey(&self.credential.access_key))
            || has_changed(Thing::User(&user.id))
            || of_domain(&user.domain)
            || project.as_ref().is_some_and(|project| {
                has_changed(Thing::Project(&project.id)) || of_domain(&project.domain)
            })
            || match delegation {
                Some(Delegation::ApplicationCredential(id)) => {
                    has_changed(Thing::ApplicationCredential(id))
                }
                Some(Delegation::Trust(id)) => has_changed(Thing::Trust(id)),
                Some(Delegation::AccessToken(_)) | None => false,
            }
    }
}
