//! A token that a key has opened: whether it is good, by its own words and by what Keystone knows of it.

use alloc::rc::Rc;
use core::time::Duration;

use super::Asked;
use super::opened::Opened;
use crate::access_rules::{AccessRule, allow};
use crate::acl::Caller;
use crate::config::{RecordRules, TokenRules};
use crate::identities::Identity;
use crate::identity::IdentityHeaders;
use crate::record::{Catalog, CatalogRecord, CatalogRequest, IdentityRecord};
use crate::refusal::Rejection;
use crate::revocation::{RevocationSet, TokenFacts};
use crate::time::UnixTime;
use crate::token::Scope;
use crate::validations::Validation;

/// A token that is good, and whom it stands for.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) token: Rc<Opened>,
    pub(super) identity: Rc<Identity>,
    /// Where Keystone itself was asked, what it said.
    pub(super) heard: Option<Rc<Validation>>,
}

impl Verified {
    /// Whether it is still good by its own words, and what Keystone knows of it has not ended.
    pub(super) fn check(
        &self,
        now: UnixTime,
        rules: &TokenRules,
        window: Duration,
    ) -> Result<(), Rejection> {
        self.token.check(now, rules, window)?;
        self.identity.fault(now).map_or(Ok(()), |fault| Err(Rejection::Identity(fault)))
    }

    /// Whether it was revoked.
    pub(super) fn is_revoked(&self, revoked: &RevocationSet) -> bool {
        let Opened { payload, issued_at, .. } = &*self.token;
        let IdentityRecord { user, project, domain, trust, oauth1, roles, .. } =
            &self.identity.record;
        let (audit_id, audit_chain_id) = self.token.audit_ids();
        let (trust, oauth1) = (trust.as_ref(), oauth1.as_ref());
        revoked.revokes(&TokenFacts {
            issued_at: UnixTime::from_secs(*issued_at),
            expires_at: payload.expires_at.time(),
            user_id: &user.id,
            trustor_id: trust.map(|trust| trust.trustor_user_id.as_str()),
            trustee_id: trust.map(|trust| trust.trustee_user_id.as_str()),
            user_domain_id: user.domain.as_ref().map(|domain| domain.id.as_str()),
            scope_domain_id: domain.as_ref().map(|domain| domain.id.as_str()),
            project_id: project.as_ref().map(|project| project.id.as_str()),
            audit_id,
            audit_chain_id,
            trust_id: trust.map(|trust| trust.id.as_str()),
            consumer_id: oauth1.map(|oauth1| oauth1.consumer_id.as_str()),
            access_token_id: oauth1.map(|oauth1| oauth1.access_token_id.as_str()),
            roles,
        })
    }

    /// Whether a service with this token may ask with a user's that has expired.
    pub(super) fn has_service_role(&self, records: &RecordRules) -> bool {
        let taken = &records.service_token_roles;
        self.identity.record.roles.iter().any(|role| taken.contains(&role.name))
    }

    /// Whoever has it, to whom rules may apply.
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller::from(&self.identity.record)
    }

    /// Tells a service of it.
    pub(super) fn present(&self, headers: &mut IdentityHeaders<'_>, rules: &TokenRules) {
        let Opened { payload, issued_at, .. } = &*self.token;
        headers.set_user(&self.identity.record);
        headers.set_token(payload, *issued_at, rules);
    }

    /// Whether the token may be used for a request to a service of this type. The access rules of an application credential say
    /// for which ones, and every other token may for all.
    pub(super) fn may(&self, service_type: Option<&str>, request: &Asked) -> bool {
        let credential = self.identity.record.application_credential.as_ref();
        let access_rules = credential.and_then(|credential| credential.access_rules.as_ref());
        let access_rules = access_rules.into_iter().flatten().map(|rule| AccessRule {
            method: &rule.method,
            path: &rule.path,
            service: &rule.service,
        });
        let (method, path) = (request.method.as_slice(), request.path.as_slice());
        allow(access_rules, service_type, method, path)
    }

    /// Whether the token is for some requests only.
    pub(super) fn has_access_rules(&self) -> bool {
        let credential = self.identity.record.application_credential.as_ref();
        credential.and_then(|it| it.access_rules.as_ref()).is_some_and(|rules| !rules.is_empty())
    }

    /// Which catalogue the token has; none where it is for nothing yet.
    pub(super) fn catalog_request(&self) -> Option<CatalogRequest> {
        let IdentityRecord { project, .. } = &self.identity.record;
        let is_scoped = self.token.payload.scope != Scope::Unscoped;
        let project = project.as_ref().map(|project| project.id.clone());
        is_scoped.then_some(CatalogRequest { project })
    }

    /// The catalogue, filled in for the token.
    pub(super) fn catalog(&self, record: &CatalogRecord) -> Catalog {
        let IdentityRecord { user, project, trust, .. } = &self.identity.record;
        let project = project.as_ref().map(|project| project.id.as_str());
        let user = trust.as_ref().map_or(user.id.as_str(), |trust| &trust.trustor_user_id);
        record.for_token(project, user)
    }
}
