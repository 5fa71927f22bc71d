//! What Keystone knows of a token beyond its payload: `POST /v1/identities`.
//!
//! A token holds ids only. Names, roles, and whether all of them are still in force, are Keystone's;
//! the key server reads them from its database, for one user, scope and delegation at a time. Whether
//! the token itself was revoked is not asked here: see [`super::Change`].

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::party::{Delegation, Domain, InvalidRecord, Project, User, check_texts};
use super::role::{Role, check_roles};
use crate::json::{
    self, FromJson, Json, Reader, deserialize_as_json, from_fields, one_of, variant,
};
use crate::token::MAX_GROUPS;

/// Where identities are asked for.
pub const IDENTITIES_PATH: &str = "/v1/identities";

/// The most bytes of a question. The ids of 1024 groups take 36 KiB of them.
pub const MAX_IDENTITY_REQUEST_BYTES: usize = 64 * 1024;

/// The most bytes of an answer.
pub const MAX_IDENTITY_BYTES: usize = 128 * 1024;

/// The most access rules of an application credential. Keystone has no limit of its own.
pub const MAX_ACCESS_RULES: usize = 256;

/// Whose identity is wanted: what of a token's payload decides it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct IdentityRequest {
    /// The user in the token. In a token of a trust that is the trustee.
    pub user: String,
    /// What the token is for.
    pub scope: IdentityScope,
    /// By whose leave, where it is not the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// What an identity provider said of the user, if one spoke for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federation: Option<Federation>,
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityScope {
    /// The domain of an id.
    Domain(String),
    /// The project of an id, which may be that of a domain.
    Project(String),
    /// The deployment as a whole.
    System,
    /// Nothing yet.
    Unscoped,
}

/// What an identity provider said of a user, as a token has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Federation {
    /// The ids of the groups that the user was mapped to, at most [`MAX_GROUPS`].
    pub groups: Vec<String>,
    /// The id of the provider.
    pub identity_provider: String,
    /// The id of the protocol.
    pub protocol: String,
}

/// An identity, and the question that it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityAnswer {
    /// The question: an edge believes no answer to another one.
    #[serde(flatten)]
    pub request: IdentityRequest,
    /// The answer.
    pub identity: IdentityRecord,
}

/// Who acts with a token, as Keystone presents it: what becomes the headers that a service reads.
///
/// A record says that Keystone would take such a token *now*, unless the token itself has expired or
/// was revoked. For what Keystone would not take, the key server sends a [`super::Denial`] with an
/// [`IdentityFault`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityRecord {
    /// Who acts. For a trust that impersonates, this is the trustor, and not the token's user.
    pub user: User,
    /// When the user's password ends, as Keystone writes it: `2026-11-22T06:21:32.000000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_expires_at: Option<String>,
    /// The project, if the token is for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// Whether the project is that of a domain.
    #[serde(skip_serializing_if = "is_false")]
    pub is_domain: bool,
    /// The domain, if the token is for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Whether the token is for the deployment as a whole.
    #[serde(skip_serializing_if = "is_false")]
    pub is_system: bool,
    /// The effective roles: direct, of groups, inherited, implied; and no more of them than were
    /// delegated. None for a token without a scope.
    pub roles: Vec<Role>,
    /// Whether the project is that of the cloud's administrators. `None` where Keystone does not say
    /// so: `[resource] admin_project_name` is not set, or the token is not for a project, or it is of
    /// a trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_admin_project: Option<bool>,
    /// The trust, if the token is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// The application credential, if the token is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_credential: Option<ApplicationCredential>,
    /// The OAuth 1 access token, if the token is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth1: Option<Oauth1>,
    /// The second, in UNIX time, in which the trust or application credential ends. No token of it is
    /// good from then on, whatever it says itself: not all releases of Keystone shorten it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// A trust, as Keystone presents it in a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trust {
    /// Its id.
    pub id: String,
    /// Whether the trustee acts as the trustor.
    pub impersonation: bool,
    /// Who gave it.
    pub trustor_user_id: String,
    /// Who got it: the user in the token.
    pub trustee_user_id: String,
    /// The domain of the trustee, which events of revocation may name. No service is told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trustee_domain_id: Option<String>,
}

/// An application credential, as Keystone presents it in a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApplicationCredential {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it may not be used to make further credentials and trusts.
    pub restricted: bool,
    /// Which requests it is for, at most [`MAX_ACCESS_RULES`]; `None` if for all. In Keystone's
    /// database a list without a rule is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_rules: Option<Vec<AccessRule>>,
}

/// A kind of requests that an application credential may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessRule {
    /// Its id.
    pub id: String,
    /// The type of the service.
    pub service: String,
    /// The path, in which `*` and `{name}` stand for a segment and `**` for anything.
    pub path: String,
    /// The method.
    pub method: String,
}

/// An OAuth 1 access token, as Keystone presents it in a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Oauth1 {
    /// Its id.
    pub access_token_id: String,
    /// Who got it.
    pub consumer_id: String,
}

/// Why Keystone would not take such a token: the reason of a [`Denial`](super::Denial).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IdentityFault {
    /// There is no such OAuth 1 access token, or its consumer is gone.
    AccessTokenGone,
    /// There is no such application credential, or it is another's or for another project.
    ApplicationCredentialGone,
    /// The domain of the user, of the trustor, or of the project is disabled.
    DomainDisabled,
    /// There is no such domain.
    DomainGone,
    /// The identity provider that spoke for the user is not known any more.
    IdentityProviderGone,
    /// No role is left.
    NoRole,
    /// The project is disabled.
    ProjectDisabled,
    /// There is no such project.
    ProjectGone,
    /// There is no such trust, or it has ended or was used up, or it is another trustee's.
    TrustGone,
    /// The trustor has lost a role that the trust gives.
    TrustRoleLost,
    /// The trustor is disabled.
    TrustorDisabled,
    /// No header can carry a name in it, or there is more of it than [`IdentityRecord::check`]
    /// allows.
    Unpresentable,
    /// The user is disabled.
    UserDisabled,
    /// There is no such user. A user whom Keystone reads from LDAP is in no table of its database.
    UserGone,
}

/// Why bytes are no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidIdentity {
    /// Not JSON of the right shape.
    Json,
    /// The identity of another user, or for another scope or delegation.
    OtherRequest,
    /// Not what was asked for: another project, domain or trust, or one too many of them.
    OtherScope,
    /// The record.
    Record(InvalidRecord),
    /// More than [`MAX_IDENTITY_BYTES`].
    TooLong,
}

from_fields! { IdentityRequest { user, scope, delegation, federation } }
from_fields! { Federation { groups, identity_provider, protocol } }
from_fields! { IdentityAnswer { identity, ..request } }
from_fields! { IdentityRecord {
    user, password_expires_at, project, is_domain or default, domain, is_system or default,
    roles or default, is_admin_project, trust, application_credential, oauth1, expires_at
} }
from_fields! { Trust { id, impersonation, trustor_user_id, trustee_user_id, trustee_domain_id } }
from_fields! { ApplicationCredential { id, name, restricted, access_rules } }
from_fields! { AccessRule { id, service, path, method } }
from_fields! { Oauth1 { access_token_id, consumer_id } }
deserialize_as_json!(IdentityRequest, IdentityAnswer, IdentityRecord, IdentityFault, AccessRule);

impl FromJson for IdentityScope {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        match variant(json).unwrap_or_default() {
            ("domain", Some(id)) => Self::Domain(String::from_json(id, reader)),
            ("project", Some(id)) => Self::Project(String::from_json(id, reader)),
            ("system", None) => Self::System,
            ("unscoped", None) => Self::Unscoped,
            _ => {
                reader.note("no such scope");
                Self::Unscoped
            }
        }
    }
}

impl FromJson for IdentityFault {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        one_of(json, reader, &Self::ALL.map(|fault| (fault.reason(), fault)))
            .unwrap_or(Self::UserGone)
    }
}

impl IdentityRequest {
    /// Reads a question from JSON.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let is_short = json.len() <= MAX_IDENTITY_REQUEST_BYTES;
        let request: Option<Self> = is_short.then(|| json::read(json).ok()).flatten();
        request.filter(Self::is_sound)
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts and lists of texts: there is nothing in them that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether some token can say this.
    fn is_sound(&self) -> bool {
        let Self { user, scope, delegation, federation } = self;
        let delegation = delegation.as_ref();
        // The delegations that Keystone knows are all for a project.
        let is_possible = delegation.is_none()
            || (matches!(scope, IdentityScope::Project(_)) && federation.is_none());
        let groups = federation.as_ref().map_or(&[][..], |federation| &federation.groups);
        let providers = federation.iter().flat_map(|it| [&it.identity_provider, &it.protocol]);
        let texts = [Some(&**user), scope.id(), delegation.map(Delegation::id)];
        let texts = texts.into_iter().flatten();
        let texts = texts.chain(groups.iter().chain(providers).map(|text| &**text));
        is_possible && groups.len() <= MAX_GROUPS && check_texts("request", texts).is_ok()
    }
}

impl IdentityScope {
    /// The id of the domain or project.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Domain(id) | Self::Project(id) => Some(id),
            Self::System | Self::Unscoped => None,
        }
    }
}

impl IdentityAnswer {
    /// Reads the answer to a question from JSON.
    pub fn from_json(json: &[u8], request: &IdentityRequest) -> Result<Self, InvalidIdentity> {
        if json.len() > MAX_IDENTITY_BYTES {
            return Err(InvalidIdentity::TooLong);
        }
        let answer: Self = json::read(json).map_err(|_| InvalidIdentity::Json)?;
        if answer.request != *request {
            return Err(InvalidIdentity::OtherRequest);
        }
        if !answer.identity.is_of(request) {
            return Err(InvalidIdentity::OtherScope);
        }
        answer.identity.check().map_err(InvalidIdentity::Record)?;
        Ok(answer)
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts, truth values and a number: there is nothing in them that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl IdentityRecord {
    /// Whether all of it can be told to a service in headers.
    pub fn check(&self) -> Result<(), InvalidRecord> {
        self.user.check()?;
        check_texts("password_expires_at", self.password_expires_at.as_deref())?;
        self.project.as_ref().map_or(Ok(()), Project::check)?;
        self.domain.as_ref().map_or(Ok(()), Domain::check)?;
        check_roles(&self.roles)?;
        if let Some(Trust { id, trustor_user_id, trustee_user_id, trustee_domain_id, .. }) =
            &self.trust
        {
            check_texts("trust", [id, trustor_user_id, trustee_user_id].map(|text| &**text))?;
            check_texts("trust", trustee_domain_id.as_deref())?;
        }
        if let Some(ApplicationCredential { id, name, access_rules, .. }) =
            &self.application_credential
        {
            check_texts("application_credential", [id, name].map(|text| &**text))?;
            let rules = access_rules.as_deref().unwrap_or_default();
            if rules.len() > MAX_ACCESS_RULES {
                return Err(InvalidRecord::AccessRuleCount);
            }
            for AccessRule { id, service, path, method } in rules {
                check_texts("access_rules", [id, service, path, method].map(|text| &**text))?;
            }
        }
        if let Some(Oauth1 { access_token_id, consumer_id }) = &self.oauth1 {
            check_texts("oauth1", [access_token_id, consumer_id].map(|text| &**text))?;
        }
        Ok(())
    }

    /// Whether it is for the scope and of the delegation of a question, and of nothing else.
    pub(crate) fn is_of(&self, request: &IdentityRequest) -> bool {
        let project = self.project.as_ref().map(|project| &project.id);
        let domain = self.domain.as_ref().map(|domain| &domain.id);
        let is_for_scope = match &request.scope {
            IdentityScope::Domain(id) => {
                (project, domain, self.is_system) == (None, Some(id), false)
            }
            IdentityScope::Project(id) => {
                (project, domain, self.is_system) == (Some(id), None, false)
            }
            IdentityScope::System => (project, domain, self.is_system) == (None, None, true),
            IdentityScope::Unscoped => {
                (project, domain, self.is_system) == (None, None, false) && self.roles.is_empty()
            }
        };
        let trust = self.trust.as_ref().map(|trust| &trust.id);
        let application_credential = self.application_credential.as_ref().map(|it| &it.id);
        let access_token = self.oauth1.as_ref().map(|oauth1| &oauth1.access_token_id);
        let ids = (trust, application_credential, access_token);
        let is_of_delegation = match &request.delegation {
            None => ids == (None, None, None),
            Some(Delegation::Trust(id)) => ids == (Some(id), None, None),
            Some(Delegation::ApplicationCredential(id)) => ids == (None, Some(id), None),
            Some(Delegation::AccessToken(id)) => ids == (None, None, Some(id)),
        };
        is_for_scope && is_of_delegation && self.is_of_user(&request.user)
    }

    /// Whether it presents the user of a token, or the trustor in the place of that trustee.
    fn is_of_user(&self, user: &str) -> bool {
        match &self.trust {
            None => self.user.id == user,
            Some(trust) => {
                let presented = if trust.impersonation {
                    &trust.trustor_user_id
                } else {
                    &trust.trustee_user_id
                };
                trust.trustee_user_id == user && self.user.id == *presented
            }
        }
    }
}

impl IdentityFault {
    /// All there are.
    pub const ALL: [Self; 14] = [
        Self::AccessTokenGone,
        Self::ApplicationCredentialGone,
        Self::DomainDisabled,
        Self::DomainGone,
        Self::IdentityProviderGone,
        Self::NoRole,
        Self::ProjectDisabled,
        Self::ProjectGone,
        Self::TrustGone,
        Self::TrustRoleLost,
        Self::TrustorDisabled,
        Self::Unpresentable,
        Self::UserDisabled,
        Self::UserGone,
    ];

    /// The word for it, in the key server's answer and in metrics and logs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AccessTokenGone => "access_token_gone",
            Self::ApplicationCredentialGone => "application_credential_gone",
            Self::DomainDisabled => "domain_disabled",
            Self::DomainGone => "domain_gone",
            Self::IdentityProviderGone => "identity_provider_gone",
            Self::NoRole => "no_role",
            Self::ProjectDisabled => "project_disabled",
            Self::ProjectGone => "project_gone",
            Self::TrustGone => "trust_gone",
            Self::TrustRoleLost => "trust_role_lost",
            Self::TrustorDisabled => "trustor_disabled",
            Self::Unpresentable => "unpresentable",
            Self::UserDisabled => "user_disabled",
            Self::UserGone => "user_gone",
        }
    }
}

impl fmt::Display for InvalidIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("not the JSON of an identity"),
            Self::OtherRequest => f.write_str("the answer to another question"),
            Self::OtherScope => f.write_str("an identity that is not the one that was asked for"),
            Self::Record(error) => write!(f, "identity.{error}"),
            Self::TooLong => write!(f, "longer than {MAX_IDENTITY_BYTES} bytes"),
        }
    }
}

impl core::error::Error for InvalidIdentity {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::{Denial, MAX_ROLE_DETAILS, MAX_ROLES, MAX_TEXT};
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec;
    use serde_json::{Value, from_value, json, to_value};

    fn merged(mut to: Value, changes: &Value) -> Value {
        to.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        to
    }

    /// Everything that a record can say, though no token says all of it.
    fn whole() -> Value {
        json!({
            "user": {"id": "u1", "name": "Ann", "domain": {"id": "d1", "name": "Users"}},
            "password_expires_at": "2026-11-22T06:21:32.000000",
            "project": {"id": "p1", "name": "Ω", "domain": {"id": "d2", "name": "Work"}},
            "is_domain": true,
            "domain": {"id": "d3", "name": "Domain"},
            "is_system": true,
            "roles": [
                {"id": "r1", "name": "member"},
                {"id": "r2", "name": "reader",
                 "details": {"domain_id": null, "description": "a\r\nb", "options": {}}},
            ],
            "is_admin_project": false,
            "trust": {
                "id": "t1", "impersonation": true, "trustor_user_id": "u1",
                "trustee_user_id": "u2", "trustee_domain_id": "d4",
            },
            "application_credential": {
                "id": "a1", "name": "backup", "restricted": true,
                "access_rules": [
                    {"id": "x1", "service": "object-store", "path": "/v1/**", "method": "GET"},
                ],
            },
            "oauth1": {"access_token_id": "o1", "consumer_id": "c1"},
            "expires_at": 1_700_000_000,
        })
    }

    fn record(changes: &Value) -> IdentityRecord {
        from_value(merged(whole(), changes)).unwrap()
    }

    fn request(changes: &Value) -> IdentityRequest {
        from_value(merged(json!({"user": "u1", "scope": "unscoped"}), changes)).unwrap()
    }

    /// Reads the answer to `changes` with the record of the user `u1` and `fields`.
    fn answer(changes: &Value, fields: &Value) -> Result<IdentityAnswer, InvalidIdentity> {
        let record = merged(json!({"user": {"id": "u1"}}), fields);
        let echo = merged(json!({"user": "u1", "scope": "unscoped"}), changes);
        let json = merged(echo, &json!({"identity": record})).to_string();
        IdentityAnswer::from_json(json.as_bytes(), &request(changes))
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let record: IdentityRecord = from_value(whole()).unwrap();
        assert_eq!(to_value(&record).unwrap(), whole());
        assert_eq!(record.check(), Ok(()));
        let least: IdentityRecord = from_value(json!({"user": {"id": "u1"}})).unwrap();
        assert_eq!(to_value(&least).unwrap(), json!({"user": {"id": "u1"}, "roles": []}));
        assert_eq!(least.check(), Ok(()));
    }

    #[test]
    fn a_question_is_read_as_it_is_written() {
        for json in [
            json!({"user": "u", "scope": "unscoped"}),
            json!({"user": "u", "scope": "system"}),
            json!({"user": "u", "scope": {"domain": "default"}}),
            json!({"user": "u", "scope": {"project": "p"}, "delegation": {"trust": "t"}}),
            json!({"user": "u", "scope": {"project": "p"},
                   "delegation": {"application_credential": "a"}}),
            json!({"user": "u", "scope": {"project": "p"}, "delegation": {"access_token": "o"}}),
            json!({"user": "u", "scope": {"project": "p"}, "federation":
                   {"groups": ["g", "h"], "identity_provider": "i", "protocol": "saml2"}}),
        ] {
            let request = IdentityRequest::from_json(json.to_string().as_bytes()).unwrap();
            let written: Value = serde_json::from_str(&request.to_json()).unwrap();
            assert_eq!(written, json);
        }
    }

    #[test]
    fn refuses_what_no_token_asks() {
        let federation = |groups: usize| json!({"groups": vec!["g"; groups], "identity_provider": "i", "protocol": "p"});
        let project = json!({"project": "p"});
        let question = |changes| {
            let json = merged(json!({"user": "u", "scope": "system"}), &changes).to_string();
            IdentityRequest::from_json(json.as_bytes())
        };
        assert!(question(json!({"federation": federation(MAX_GROUPS)})).is_some());
        for changes in [
            json!({"user": ""}),
            json!({"user": 7}),
            json!({"user": "a\n"}),
            json!({"user": "a".repeat(MAX_TEXT + 1)}),
            json!({"scope": null}),
            json!({"scope": "moon"}),
            json!({"scope": {"project": ""}}),
            json!({"scope": {"project": "p", "domain": "d"}}),
            json!({"delegation": {"trust": "t"}}),
            json!({"scope": {"domain": "d"}, "delegation": {"trust": "t"}}),
            json!({"scope": project, "delegation": {"trust": "\0"}}),
            json!({"scope": project, "delegation": {"magic": "m"}}),
            json!({"scope": project, "delegation": {"trust": "t"}, "federation": federation(1)}),
            json!({"federation": federation(MAX_GROUPS + 1)}),
            json!({"federation": {"groups": [""], "identity_provider": "i", "protocol": "p"}}),
            json!({"federation": {"groups": [], "identity_provider": "", "protocol": "p"}}),
            json!({"federation": {"groups": []}}),
        ] {
            assert_eq!(question(changes.clone()), None, "{changes}");
        }
        let long = format!("{}{}", " ".repeat(MAX_IDENTITY_REQUEST_BYTES), "{}");
        assert_eq!(IdentityRequest::from_json(long.as_bytes()), None);
    }

    #[test]
    fn nothing_in_it_may_end_a_header_or_make_a_role() {
        let rule = |path: &str| {
            json!({"id": "a", "name": "a", "restricted": true, "access_rules":
                   [{"id": "x", "service": "s", "path": path, "method": "GET"}]})
        };
        let trust = |id: &str, trustor: &str, domain: &str| {
            json!({"id": id, "impersonation": false, "trustor_user_id": trustor,
                   "trustee_user_id": "v", "trustee_domain_id": domain})
        };
        for (changes, field) in [
            (json!({"user": {"id": "a", "name": "a\r\nx-roles: admin"}}), "user"),
            (json!({"password_expires_at": "\n"}), "password_expires_at"),
            (json!({"project": {"id": "a", "domain": {"id": "\0"}}}), "project"),
            (json!({"domain": {"id": "a", "name": ""}}), "domain"),
            (json!({"domain": {"id": "a".repeat(MAX_TEXT + 1)}}), "domain"),
            (json!({"roles": [{"name": "member,admin"}]}), "roles"),
            (json!({"roles": [{"name": "admin "}]}), "roles"),
            (json!({"roles": [{"id": "", "name": "admin"}]}), "roles"),
            (json!({"trust": trust("\n", "u", "d")}), "trust"),
            (json!({"trust": trust("t", "", "d")}), "trust"),
            (json!({"trust": trust("t", "u", "\u{7f}")}), "trust"),
            (
                json!({"application_credential": {"id": "a", "name": "\t", "restricted": true}}),
                "application_credential",
            ),
            (json!({"application_credential": rule("/a\n")}), "access_rules"),
            (json!({"oauth1": {"access_token_id": "o", "consumer_id": ""}}), "oauth1"),
        ] {
            assert_eq!(record(&changes).check(), Err(InvalidRecord::Text(field)), "{changes}");
        }
        let roles = vec![json!({"name": "r"}); MAX_ROLES + 1];
        assert_eq!(record(&json!({"roles": roles})).check(), Err(InvalidRecord::RoleCount));
        let roles = json!([{"name": "r", "details": {"a": "x".repeat(MAX_ROLE_DETAILS)}}]);
        assert_eq!(record(&json!({"roles": roles})).check(), Err(InvalidRecord::RoleDetails));
        let mut many = rule("/");
        let one = many["access_rules"][0].clone();
        many["access_rules"] = vec![one; MAX_ACCESS_RULES + 1].into();
        let record = record(&json!({"application_credential": many}));
        assert_eq!(record.check(), Err(InvalidRecord::AccessRuleCount));
    }

    #[test]
    fn an_answer_is_to_its_own_question() {
        let trust = |trustor: &str, trustee: &str, impersonation: bool| {
            json!({"id": "t", "impersonation": impersonation, "trustor_user_id": trustor,
                   "trustee_user_id": trustee})
        };
        let project = json!({"scope": {"project": "p"}});
        let of_trust = json!({"scope": {"project": "p"}, "delegation": {"trust": "t"}});
        let of_app =
            json!({"scope": {"project": "p"}, "delegation": {"application_credential": "a"}});
        let of_oauth = json!({"scope": {"project": "p"}, "delegation": {"access_token": "o"}});
        let p = json!({"id": "p"});
        let app = json!({"id": "a", "name": "a", "restricted": true});
        let oauth1 = json!({"access_token_id": "o", "consumer_id": "c"});
        for (question, fields) in [
            (json!({}), json!({})),
            (json!({"scope": "system"}), json!({"is_system": true})),
            (json!({"scope": {"domain": "d"}}), json!({"domain": {"id": "d"}})),
            (project.clone(), json!({"project": p})),
            (of_trust.clone(), json!({"project": p, "trust": trust("v", "u1", false)})),
            (
                of_trust.clone(),
                json!({"project": p, "user": {"id": "v"}, "trust": trust("v", "u1", true)}),
            ),
            (of_app.clone(), json!({"project": p, "application_credential": app})),
            (of_oauth.clone(), json!({"project": p, "oauth1": oauth1})),
        ] {
            assert!(answer(&question, &fields).is_ok(), "{question} {fields}");
        }
        for (question, fields) in [
            (json!({}), json!({"user": {"id": "u2"}})),
            (json!({}), json!({"roles": [{"name": "admin"}]})),
            (json!({}), json!({"is_system": true})),
            (json!({"scope": "system"}), json!({})),
            (json!({"scope": "system"}), json!({"is_system": true, "project": p})),
            (json!({"scope": {"domain": "p"}}), json!({"project": p})),
            (project.clone(), json!({"project": {"id": "q"}})),
            (project.clone(), json!({"project": p, "domain": {"id": "d"}})),
            (project.clone(), json!({"project": p, "trust": trust("v", "u1", false)})),
            (project, json!({"project": p, "application_credential": app})),
            (of_trust.clone(), json!({"project": p})),
            (of_trust.clone(), json!({"project": p, "trust": trust("u1", "v", false)})),
            (of_trust.clone(), json!({"project": p, "trust": trust("v", "u1", true)})),
            (
                of_trust,
                json!({"project": p, "user": {"id": "v"}, "trust": trust("v", "u1", false)}),
            ),
            (of_app.clone(), json!({"project": p})),
            (of_app, json!({"project": p, "application_credential": app, "oauth1": oauth1})),
            (of_oauth, json!({"project": p, "application_credential": app})),
        ] {
            let error = answer(&question, &fields).unwrap_err();
            assert_eq!(error, InvalidIdentity::OtherScope, "{question} {fields}");
        }
        let json = json!({"user": "u1", "scope": "unscoped", "identity": {"user": {"id": "u1"}}});
        let json = json.to_string();
        for changes in [json!({"user": "u2"}), json!({"scope": "system"})] {
            let error = IdentityAnswer::from_json(json.as_bytes(), &request(&changes));
            assert_eq!(error.unwrap_err(), InvalidIdentity::OtherRequest);
        }
    }

    #[test]
    fn refuses_what_is_no_answer() {
        let request = request(&json!({}));
        for json in ["", "{}", r#"{"user":"u1","scope":"unscoped","identity":{}}"#] {
            let error = IdentityAnswer::from_json(json.as_bytes(), &request).unwrap_err();
            assert_eq!(error, InvalidIdentity::Json);
        }
        let error = answer(&json!({}), &json!({"user": {"id": "u1", "name": "\n"}})).unwrap_err();
        assert_eq!(error, InvalidIdentity::Record(InvalidRecord::Text("user")));
        let long = " ".repeat(MAX_IDENTITY_BYTES + 1);
        let error = IdentityAnswer::from_json(long.as_bytes(), &request).unwrap_err();
        assert_eq!(error, InvalidIdentity::TooLong);
    }

    #[test]
    fn a_denial_says_why() {
        for fault in IdentityFault::ALL {
            let json = format!(r#"{{"error":{{"code":404,"reason":"{}"}}}}"#, fault.reason());
            assert_eq!(Denial::from_json(json.as_bytes()), Some(Denial { reason: fault }));
        }
        let json = br#"{"error":{"reason":"access_key_unknown"}}"#;
        assert_eq!(Denial::<IdentityFault>::from_json(json), None);
    }
}
