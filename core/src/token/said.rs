//! What a vector says of a token, whatever its format.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Delegation, MethodNames, Payload, Scope};

/// What Keystone reads in a token.
#[derive(Deserialize)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) token: String,
    kind: String,
    user_id: String,
    methods: Vec<String>,
    expires_at_text: String,
    issued_at: u64,
    audit_ids: Vec<String>,
    #[serde(default)]
    scope: ScopeIds,
    /// The rest, with the ids of its delegation: of several, where the kind follows from the first.
    #[serde(flatten)]
    ids: Map<String, Value>,
}

#[derive(Default, Deserialize, Debug, PartialEq)]
#[serde(default)]
struct ScopeIds {
    domain_id: Option<String>,
    project_id: Option<String>,
    system: Option<String>,
}

impl Said {
    /// Whether we read the same.
    pub(crate) fn check(&self, payload: &Payload, issued_at: u64, methods: &MethodNames) {
        let name = &self.name;
        assert_eq!(issued_at, self.issued_at, "{name}");
        assert_eq!(payload.kind().name(), self.kind, "{name}");
        assert_eq!(payload.user_id.to_string(), self.user_id, "{name}");
        assert_eq!(methods.of(&payload.methods), self.methods, "{name}");
        assert_eq!(payload.expires_at.time().to_string(), self.expires_at_text, "{name}");
        let audit_ids = core::iter::once(payload.audit_ids.own).chain(payload.audit_ids.chain);
        let audit_ids: Vec<_> = audit_ids.map(|id| id.to_string()).collect();
        assert_eq!(audit_ids, self.audit_ids, "{name}");
        assert_eq!(ScopeIds::from(&payload.scope), self.scope, "{name}");
        for (id, value) in ids(&payload.delegation).as_object().into_iter().flatten() {
            assert_eq!(self.ids.get(id), Some(value), "{name}: {id}");
        }
    }
}

impl From<&Scope> for ScopeIds {
    fn from(scope: &Scope) -> Self {
        let mut ids = Self::default();
        match scope {
            Scope::Unscoped => {}
            Scope::Domain(id) => ids.domain_id = Some(id.to_string()),
            Scope::Project(id) => ids.project_id = Some(id.to_string()),
            Scope::System => ids.system = Some("all".into()),
        }
        ids
    }
}

fn ids(delegation: &Delegation) -> Value {
    match delegation {
        Delegation::None => Value::Null,
        Delegation::Trust { trust_id } => json!({"trust_id": trust_id.to_string()}),
        Delegation::Federation(federation) => json!({
            "group_ids": federation.group_ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "identity_provider_id": federation.identity_provider_id.to_string(),
            "protocol_id": federation.protocol_id.to_string(),
        }),
        Delegation::Oauth1 { access_token_id } => {
            json!({"access_token_id": access_token_id.to_string()})
        }
        Delegation::ApplicationCredential { application_credential_id: id } => {
            json!({"application_credential_id": id.to_string()})
        }
        Delegation::Oauth2Credential { thumbprint } => json!({"thumbprint": thumbprint}),
        Delegation::Restriction { token_restriction_id, allow_renew, allow_rescope } => json!({
            "token_restriction_id": token_restriction_id.to_string(),
            "allow_renew": allow_renew,
            "allow_rescope": allow_rescope,
        }),
    }
}
