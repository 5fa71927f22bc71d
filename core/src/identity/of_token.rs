//! What a token says by itself.

use super::{IDENTITY_STATUS, IdentityHeaders};
use crate::config::TokenRules;
use crate::time::UnixTime;
use crate::token::{Delegation, Id, Payload, Scope};

impl IdentityHeaders<'_> {
    /// Says what a verified token says, and no more than that.
    ///
    /// Keystone's own names are used for what they mean there. The user of a trust's token is the
    /// trustee, and whether Keystone presents the trustor in its place is not in the token: hence
    /// no `x-user-id` for it.
    pub fn set_identity(&mut self, payload: &Payload, issued_at: u64, rules: &TokenRules) {
        self.set(IDENTITY_STATUS, &"Confirmed");
        let user = match payload.delegation {
            Delegation::Trust { .. } => "x-voussoir-trustee-user-id",
            Delegation::None
            | Delegation::Federation(_)
            | Delegation::Oauth1 { .. }
            | Delegation::ApplicationCredential { .. }
            | Delegation::Oauth2Credential { .. }
            | Delegation::Restriction { .. } => "x-user-id",
        };
        self.set(user, &payload.user_id);
        match &payload.scope {
            Scope::Unscoped => {}
            Scope::Domain(id) => self.set("x-domain-id", id),
            Scope::Project(id) => {
                self.set("x-project-id", id);
                self.set("x-tenant-id", id);
            }
            Scope::System => self.set("openstack-system-scope", &"all"),
        }
        self.set_token(payload, issued_at, rules);
    }

    /// Says of a verified token what keystonemiddleware does not.
    pub fn set_token(&mut self, payload: &Payload, issued_at: u64, rules: &TokenRules) {
        self.set_delegation(&payload.delegation);
        self.set("x-voussoir-token-kind", &payload.kind().name());
        if self.wants(METHODS) {
            self.set_list(METHODS, rules.methods.of(&payload.methods));
        }
        let audit_ids = core::iter::once(&payload.audit_ids.own).chain(&payload.audit_ids.chain);
        self.set_list("x-voussoir-token-audit-ids", audit_ids);
        self.set("x-voussoir-token-expires-at", &payload.expires_at.time());
        self.set("x-voussoir-token-issued-at", &UnixTime::from_secs(issued_at));
    }

    fn set_delegation(&mut self, delegation: &Delegation) {
        let mut set = |name, id: &Id| self.set(name, id);
        match delegation {
            Delegation::None => {}
            Delegation::Trust { trust_id } => set("x-voussoir-trust-id", trust_id),
            Delegation::Federation(federation) => {
                set("x-voussoir-identity-provider-id", &federation.identity_provider_id);
                set("x-voussoir-protocol-id", &federation.protocol_id);
                self.set_list("x-voussoir-group-ids", &federation.group_ids);
            }
            Delegation::Oauth1 { access_token_id } => {
                set("x-voussoir-access-token-id", access_token_id);
            }
            Delegation::ApplicationCredential { application_credential_id } => {
                set("x-voussoir-application-credential-id", application_credential_id);
            }
            Delegation::Oauth2Credential { thumbprint } => {
                self.set("x-voussoir-certificate-thumbprint", thumbprint);
            }
            Delegation::Restriction { token_restriction_id, .. } => {
                set("x-voussoir-token-restriction-id", token_restriction_id);
            }
        }
    }
}

const METHODS: &str = "x-voussoir-token-methods";
