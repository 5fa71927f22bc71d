//! What the record of an access key says.

use super::{IDENTITY_STATUS, IdentityHeaders};
use crate::record::{self, CredentialRecord, Domain};

impl IdentityHeaders<'_> {
    /// Says whom an access key stands for, as the same user's token would say it.
    pub fn set_credential_identity(&mut self, access_key: &str, record: &CredentialRecord) {
        let CredentialRecord { user, project, roles, delegation, .. } = record;
        self.set(IDENTITY_STATUS, &"Confirmed");
        let mut set = |name, value| self.set_some(name, value);
        set("x-user-id", Some(&user.id));
        set("x-user-name", user.name.as_deref());
        let (id, name) = domain(user.domain.as_ref());
        set("x-user-domain-id", id);
        set("x-user-domain-name", name);
        if let Some(project) = project {
            for id in ["x-project-id", "x-tenant-id"] {
                set(id, Some(&project.id));
            }
            for name in ["x-project-name", "x-tenant-name"] {
                set(name, project.name.as_deref());
            }
            let (id, name) = domain(project.domain.as_ref());
            set("x-project-domain-id", id);
            set("x-project-domain-name", name);
        }
        self.set_list("x-roles", roles.iter().map(|role| &role.name));
        self.set("x-voussoir-access-key-id", &access_key);
        match delegation {
            Some(record::Delegation::AccessToken(id)) => {
                self.set("x-voussoir-access-token-id", id);
            }
            Some(record::Delegation::ApplicationCredential(id)) => {
                self.set("x-voussoir-application-credential-id", id);
            }
            Some(record::Delegation::Trust(id)) => self.set("x-voussoir-trust-id", id),
            None => {}
        }
    }
}

/// The id and the name of a domain, as far as they are known.
fn domain(domain: Option<&Domain>) -> (Option<&str>, Option<&str>) {
    domain.map_or((None, None), |domain| (Some(&domain.id), domain.name.as_deref()))
}
