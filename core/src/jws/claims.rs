//! The claims of a token, which say what the payload of a Fernet token says.

use alloc::string::String;
use alloc::vec::Vec;

use super::Opened;
use crate::json::{self, from_fields};
use crate::token::{
    AuditIds, Delegation, Expiry, Federation, Id, MalformedPayload, Methods, Payload, Scope,
};

/// The claims by their names. One that is not known could be a restriction: such a token is refused.
pub(super) struct Claims {
    sub: String,
    iat: u64,
    exp: u64,
    openstack_methods: Vec<String>,
    openstack_audit_ids: Vec<String>,
    openstack_system: Option<String>,
    openstack_domain_id: Option<String>,
    openstack_project_id: Option<String>,
    openstack_trust_id: Option<String>,
    openstack_group_ids: Option<Vec<Group>>,
    openstack_idp_id: Option<String>,
    openstack_protocol_id: Option<String>,
    openstack_access_token_id: Option<String>,
    openstack_app_cred_id: Option<String>,
    openstack_thumbprint: Option<String>,
}

struct Group {
    id: String,
}

from_fields! { only Claims {
    sub, iat, exp, openstack_methods, openstack_audit_ids, openstack_system,
    openstack_domain_id, openstack_project_id, openstack_trust_id, openstack_group_ids,
    openstack_idp_id, openstack_protocol_id, openstack_access_token_id, openstack_app_cred_id,
    openstack_thumbprint
} }
from_fields! { only Group { id } }

impl Claims {
    pub(super) fn from_json(json: &[u8]) -> Result<Self, MalformedPayload> {
        json::read(json).map_err(|_| MalformedPayload)
    }

    pub(super) fn open(self) -> Result<Opened, MalformedPayload> {
        let scope = self.scope()?;
        let payload = Payload {
            user_id: Id::from_text(&self.sub)?,
            methods: Methods::from_names(&self.openstack_methods)?,
            expires_at: Expiry::from_whole_seconds(self.exp)?,
            audit_ids: AuditIds::from_texts(&self.openstack_audit_ids)?,
            delegation: self.delegation(&scope)?,
            scope,
        };
        // As the end of a token, its beginning is a time that can be written down.
        let issued_at = Expiry::from_whole_seconds(self.iat)?.time().as_secs();
        Ok(Opened { issued_at, payload })
    }

    /// Keystone gives a token one scope at most.
    fn scope(&self) -> Result<Scope, MalformedPayload> {
        let project = self.openstack_project_id.as_deref();
        let domain = self.openstack_domain_id.as_deref();
        match (project, domain, self.openstack_system.as_deref()) {
            (None, None, None) => Ok(Scope::Unscoped),
            (Some(id), None, None) => Id::from_text(id).map(Scope::Project),
            (None, Some(id), None) => Id::from_text(id).map(Scope::Domain),
            (None, None, Some("all")) => Ok(Scope::System),
            _ => Err(MalformedPayload),
        }
    }

    /// In Keystone's order, by which it chooses the version of a Fernet token: access token, trust,
    /// federation, application credential, client certificate.
    ///
    /// A Fernet token has one of them and loses the others. Here they could be there side by side, and
    /// what restricts a token must not get lost: next to an access token or a trust, federation may.
    fn delegation(&self, scope: &Scope) -> Result<Delegation, MalformedPayload> {
        let federation = self.federation()?;
        let access_token = self.openstack_access_token_id.as_deref();
        let trust = self.openstack_trust_id.as_deref();
        let application_credential = self.openstack_app_cred_id.as_deref();
        let thumbprint = self.openstack_thumbprint.as_deref();
        let is_of_a_project = matches!(scope, Scope::Project(_));
        let (delegation, fits) =
            match (access_token, trust, application_credential, thumbprint, federation) {
                (None, None, None, None, None) => (Delegation::None, true),
                (Some(id), None, None, None, _) => {
                    (Delegation::Oauth1 { access_token_id: Id::from_text(id)? }, is_of_a_project)
                }
                (None, Some(id), None, None, _) => {
                    (Delegation::Trust { trust_id: Id::from_text(id)? }, is_of_a_project)
                }
                (None, None, None, None, Some(federation)) => {
                    (Delegation::Federation(federation), *scope != Scope::System)
                }
                (None, None, Some(id), None, None) => {
                    let application_credential_id = Id::from_text(id)?;
                    let delegation =
                        Delegation::ApplicationCredential { application_credential_id };
                    (delegation, is_of_a_project)
                }
                (None, None, None, Some(thumbprint), None) => {
                    // As for an id: it may end up in a header.
                    Id::text(thumbprint.as_bytes())?;
                    let thumbprint = thumbprint.into();
                    (Delegation::Oauth2Credential { thumbprint }, *scope != Scope::System)
                }
                _ => return Err(MalformedPayload),
            };
        if fits { Ok(delegation) } else { Err(MalformedPayload) }
    }

    fn federation(&self) -> Result<Option<Federation>, MalformedPayload> {
        let provider = self.openstack_idp_id.as_deref();
        match (&self.openstack_group_ids, provider, self.openstack_protocol_id.as_deref()) {
            (None, None, None) => Ok(None),
            (Some(groups), Some(provider), Some(protocol)) => {
                let ids = groups.iter().map(|group| &group.id);
                Federation::from_texts(ids, provider, protocol).map(Some)
            }
            _ => Err(MalformedPayload),
        }
    }
}
