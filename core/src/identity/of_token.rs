//! What a token says by itself.

use alloc::string::ToString as _;

use super::{HeaderEdits, IDENTITY_STATUS, joined};
use crate::config::TokenRules;
use crate::time::UnixTime;
use crate::token::{Delegation, Id, Payload, Scope};

impl HeaderEdits {
    /// Says what a verified token says, and no more than that.
    ///
    /// Keystone's own names are used for what they mean there. The user of a trust's token is the
    /// trustee, and whether Keystone presents the trustor in its place is not in the token: hence
    /// no `x-user-id` for it.
    pub fn set_identity(&mut self, payload: &Payload, issued_at: u64, rules: &TokenRules) {
        self.set.push((IDENTITY_STATUS, "Confirmed".into()));
        let user = match payload.delegation {
            Delegation::Trust { .. } => "x-voussoir-trustee-user-id",
            Delegation::None
            | Delegation::Federation(_)
            | Delegation::Oauth1 { .. }
            | Delegation::ApplicationCredential { .. }
            | Delegation::Oauth2Credential { .. }
            | Delegation::Restriction { .. } => "x-user-id",
        };
        self.set.push((user, payload.user_id.to_string()));
        match &payload.scope {
            Scope::Unscoped => {}
            Scope::Domain(id) => self.set.push(("x-domain-id", id.to_string())),
            Scope::Project(id) => {
                self.set.push(("x-project-id", id.to_string()));
                self.set.push(("x-tenant-id", id.to_string()));
            }
            Scope::System => self.set.push(("openstack-system-scope", "all".into())),
        }
        self.set_token(payload, issued_at, rules);
    }

    /// Says of a verified token what keystonemiddleware does not.
    pub fn set_token(&mut self, payload: &Payload, issued_at: u64, rules: &TokenRules) {
        self.set_delegation(&payload.delegation);
        self.set.push(("x-voussoir-token-kind", payload.kind().name().into()));
        let methods = rules.methods.of(&payload.methods).join(",");
        self.set.push(("x-voussoir-token-methods", methods));
        let audit_ids = core::iter::once(&payload.audit_ids.own).chain(&payload.audit_ids.chain);
        self.set.push(("x-voussoir-token-audit-ids", joined(audit_ids)));
        self.set.push(("x-voussoir-token-expires-at", payload.expires_at.time().to_string()));
        self.set.push(("x-voussoir-token-issued-at", UnixTime::from_secs(issued_at).to_string()));
    }

    fn set_delegation(&mut self, delegation: &Delegation) {
        let mut set = |name, id: &Id| self.set.push((name, id.to_string()));
        match delegation {
            Delegation::None => {}
            Delegation::Trust { trust_id } => set("x-voussoir-trust-id", trust_id),
            Delegation::Federation(federation) => {
                set("x-voussoir-identity-provider-id", &federation.identity_provider_id);
                set("x-voussoir-protocol-id", &federation.protocol_id);
                self.set.push(("x-voussoir-group-ids", joined(&federation.group_ids)));
            }
            Delegation::Oauth1 { access_token_id } => {
                set("x-voussoir-access-token-id", access_token_id);
            }
            Delegation::ApplicationCredential { application_credential_id } => {
                set("x-voussoir-application-credential-id", application_credential_id);
            }
            Delegation::Oauth2Credential { thumbprint } => {
                self.set.push(("x-voussoir-certificate-thumbprint", thumbprint.clone()));
            }
            Delegation::Restriction { token_restriction_id, .. } => {
                set("x-voussoir-token-restriction-id", token_restriction_id);
            }
        }
    }
}
