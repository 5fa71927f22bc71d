//! What Keystone says of a token: its answer to `GET /v3/auth/tokens`.
//!
//! Keystone writes it (`keystone/api/_shared` and `keystone/common/render_token.py`), and it is not
//! ours to change. What is read is what becomes of a token and of records elsewhere, so that a service
//! is told the same either way; fields that are not known are left alone, as by keystonemiddleware.

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use super::catalog::{Catalog, Service};
use super::identity::{IdentityRecord, MAX_IDENTITY_BYTES, Trust};
use super::party::{InvalidRecord, User};
use super::role::Role;
use super::{InvalidCatalog, MAX_CATALOG_BYTES};
use crate::json::{self, Fields, FromJson, Json, Reader, from_fields};
use crate::time::UnixTime;
use crate::token::{
    AuditIds, Delegation, Expiry, Federation, Id, MalformedPayload, Methods, Payload, Scope,
};

/// The most bytes of an answer: an identity, and a catalogue.
pub const MAX_VALIDATION_BYTES: usize = MAX_IDENTITY_BYTES + MAX_CATALOG_BYTES;

/// What Keystone says of a token that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationRecord {
    /// What the token itself says, or would say to whoever has the keys.
    pub payload: Payload,
    /// When it was issued, in seconds.
    pub issued_at: u64,
    /// Whom it stands for.
    pub identity: IdentityRecord,
    /// Which services there are for it, if that was asked, and it is for anything.
    pub catalog: Option<Catalog>,
}

/// Why Keystone takes no such token, or we do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidationFault {
    /// Keystone says that it is none: forged, expired, revoked, or of somebody without any role.
    Denied,
    /// Keystone answers the one who asks no such question: the service that asks on a user's behalf, or
    /// the token that asks about itself. A token of a trust that impersonates may not, nor one of an EC2
    /// credential.
    Forbidden,
    /// No header can carry a name in it, or there is more of it than [`IdentityRecord::check`] allows.
    Unpresentable,
}

/// Why bytes are no answer of Keystone's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidValidation {
    /// The catalogue.
    Catalog(InvalidCatalog),
    /// Parts of it contradict each other: an unscoped token with roles, say.
    Inconsistent,
    /// Not JSON of the right shape.
    Json,
    /// It does not say that it is about the token that was asked about.
    OtherToken,
    /// The record.
    Record(InvalidRecord),
    /// What should be in the token cannot be in any.
    Token,
    /// More than [`MAX_VALIDATION_BYTES`].
    TooLong,
}

impl ValidationRecord {
    /// Reads an answer 200.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidValidation> {
        if json.len() > MAX_VALIDATION_BYTES {
            return Err(InvalidValidation::TooLong);
        }
        let Body { token } = json::read(json).map_err(|_| InvalidValidation::Json)?;
        let payload = token.payload().map_err(|_| InvalidValidation::Token)?;
        let issued_at = UnixTime::from_iso8601(&token.issued_at).ok_or(InvalidValidation::Token)?;
        let Token { identity, catalog, .. } = *token;
        let catalog = catalog.map(Catalog::from_services).transpose();
        let catalog = catalog.map_err(InvalidValidation::Catalog)?;
        identity.check().map_err(InvalidValidation::Record)?;
        Ok(Self { payload, issued_at: issued_at.as_secs(), identity, catalog })
    }
}

impl ValidationFault {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Denied, Self::Forbidden, Self::Unpresentable];

    /// The word for it, in metrics and logs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Denied => "keystone_denied",
            Self::Forbidden => "keystone_forbade",
            Self::Unpresentable => "keystone_unpresentable",
        }
    }
}

/// Whether this is how Keystone says no, and not something in front of it: JSON that repeats the status.
#[must_use]
pub fn is_keystones_refusal(status: u16, json: &[u8]) -> bool {
    if json.len() > MAX_REFUSAL_BYTES {
        return false;
    }
    let refusal = json::parse(json).ok();
    let code = refusal.as_ref().and_then(|it| it.get("error")?.get("code")?.as_usize());
    code == Some(status.into())
}

impl fmt::Display for InvalidValidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog(error) => write!(f, "its catalogue: {error}"),
            Self::Inconsistent => f.write_str("parts of it contradict each other"),
            Self::Json => f.write_str("not the JSON of a token"),
            Self::OtherToken => {
                f.write_str("x-subject-token is not the token that was asked about")
            }
            Self::Record(error) => error.fmt(f),
            Self::Token => f.write_str("no token can say what it says"),
            Self::TooLong => write!(f, "longer than {MAX_VALIDATION_BYTES} bytes"),
        }
    }
}

impl core::error::Error for InvalidValidation {}

struct Body {
    token: Box<Token>,
}

struct Token {
    methods: Vec<String>,
    audit_ids: Vec<String>,
    expires_at: String,
    issued_at: String,
    system: Option<System>,
    federation: Option<TokenFederation>,
    oauth2_credential: Option<Oauth2Credential>,
    identity: IdentityRecord,
    catalog: Option<Vec<Service>>,
}

struct TokenUser {
    user: User,
    password_expires_at: Option<String>,
    federation: Option<TokenFederation>,
}

struct TokenRole(Role);

struct TokenTrust(Trust);

struct TokenFederation {
    groups: Vec<Reference>,
    identity_provider: Reference,
    protocol: Reference,
}

struct Reference {
    id: String,
}

struct System {
    all: bool,
}

struct Oauth2Credential {
    thumbprint: String,
}

from_fields! { Body { token } }
from_fields! { TokenUser { password_expires_at, federation: "OS-FEDERATION", ..user } }
from_fields! { TokenFederation { groups, identity_provider, protocol } }
from_fields! { Reference { id } }
from_fields! { System { all } }
from_fields! { Oauth2Credential { thumbprint: "x5t#S256" } }

impl FromJson for Token {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let mut fields = Fields::of(json, reader);
        let TokenUser { user, password_expires_at, federation } = fields.read("user");
        let system: Option<System> = fields.read("system");
        let roles: Vec<TokenRole> = fields.read_or_default("roles");
        let trust: Option<TokenTrust> = fields.read("OS-TRUST:trust");
        let identity = IdentityRecord {
            user,
            password_expires_at,
            project: fields.read("project"),
            is_domain: fields.read_or_default("is_domain"),
            domain: fields.read("domain"),
            is_system: system.is_some(),
            roles: roles.into_iter().map(|TokenRole(role)| role).collect(),
            is_admin_project: fields.read("is_admin_project"),
            trust: trust.map(|TokenTrust(trust)| trust),
            application_credential: fields.read("application_credential"),
            oauth1: fields.read("OS-OAUTH1"),
            // Keystone ends the token with what it was delegated by, or takes it no more.
            expires_at: None,
        };
        Self {
            methods: fields.read("methods"),
            audit_ids: fields.read("audit_ids"),
            expires_at: fields.read("expires_at"),
            issued_at: fields.read("issued_at"),
            system,
            federation,
            oauth2_credential: fields.read("oauth2_credential"),
            identity,
            catalog: fields.read("catalog"),
        }
    }
}

/// Its maker may have given it more members, of any name: none of them is looked at.
impl FromJson for TokenRole {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let mut fields = Fields::of(json, reader);
        Self(Role::new(fields.read("id"), fields.read("name")))
    }
}

impl FromJson for TokenTrust {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let mut fields = Fields::of(json, reader);
        let [trustor, trustee] =
            ["trustor_user", "trustee_user"].map(|name| fields.read::<Reference>(name).id);
        Self(Trust {
            id: fields.read("id"),
            impersonation: fields.read("impersonation"),
            trustor_user_id: trustor,
            trustee_user_id: trustee,
            trustee_domain_id: None,
        })
    }
}

impl Token {
    fn payload(&self) -> Result<Payload, MalformedPayload> {
        let IdentityRecord { user, trust, .. } = &self.identity;
        let user = trust.as_ref().map_or(&user.id, |trust| &trust.trustee_user_id);
        let expires_at = UnixTime::from_iso8601(&self.expires_at).ok_or(MalformedPayload)?;
        Ok(Payload {
            user_id: Id::from_text(user)?,
            methods: Methods::from_names(&self.methods)?,
            expires_at: Expiry::at(expires_at),
            audit_ids: AuditIds::from_texts(&self.audit_ids)?,
            scope: self.scope()?,
            delegation: self.delegation()?,
        })
    }

    fn scope(&self) -> Result<Scope, MalformedPayload> {
        match (&self.identity.project, &self.identity.domain, &self.system) {
            (None, None, None) => Ok(Scope::Unscoped),
            (Some(project), None, None) => Id::from_text(&project.id).map(Scope::Project),
            (None, Some(domain), None) => Id::from_text(&domain.id).map(Scope::Domain),
            (None, None, Some(System { all: true })) => Ok(Scope::System),
            _ => Err(MalformedPayload),
        }
    }

    /// One at most, but for what an identity provider said of a user who acts by an access token or a
    /// trust.
    fn delegation(&self) -> Result<Delegation, MalformedPayload> {
        let Self { federation, oauth2_credential, identity, .. } = self;
        let IdentityRecord { oauth1, trust, application_credential, .. } = identity;
        match (oauth1, trust, application_credential, oauth2_credential, federation) {
            (None, None, None, None, None) => Ok(Delegation::None),
            (Some(oauth1), None, None, None, _) => {
                let access_token_id = Id::from_text(&oauth1.access_token_id)?;
                Ok(Delegation::Oauth1 { access_token_id })
            }
            (None, Some(trust), None, None, _) => {
                Ok(Delegation::Trust { trust_id: Id::from_text(&trust.id)? })
            }
            (None, None, Some(credential), None, None) => {
                let application_credential_id = Id::from_text(&credential.id)?;
                Ok(Delegation::ApplicationCredential { application_credential_id })
            }
            (None, None, None, Some(Oauth2Credential { thumbprint }), None) => {
                let thumbprint = Id::text(thumbprint.as_bytes())?.to_string();
                Ok(Delegation::Oauth2Credential { thumbprint })
            }
            (None, None, None, None, Some(said)) => said.read().map(Delegation::Federation),
            _ => Err(MalformedPayload),
        }
    }
}

impl TokenFederation {
    fn read(&self) -> Result<Federation, MalformedPayload> {
        let ids = self.groups.iter().map(|group| &group.id);
        Federation::from_texts(ids, &self.identity_provider.id, &self.protocol.id)
    }
}

/// The most bytes of an answer that says no.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::token::Kind;
    use alloc::format;
    use alloc::vec;
    use serde_json::{Value, json};

    const HEX: &str = "2578575a24ab49d79ec433dff73cf790";

    /// What Keystone 30 says of a token for a project, with changes to it; null takes a field away.
    fn answer(changes: &Value) -> String {
        let mut token = json!({
            "methods": ["password"],
            "user": {"domain": {"id": "default", "name": "Default"}, "id": HEX, "name": "alice",
                "password_expires_at": null},
            "audit_ids": ["t_Uduzq7Q7GV_PbUdinLIQ"],
            "expires_at": "2026-11-23T01:21:08.000000Z",
            "issued_at": "2026-11-23T00:21:08.000000Z",
            "project": {"domain": {"id": "default", "name": "Default"}, "id": "p", "name": "web"},
            "is_domain": false,
            "roles": [{"id": "r", "name": "member", "domain_id": null, "description": null,
                "options": {"immutable": true}, "details": "of an operator"}],
        });
        token.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        token.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        json!({"token": token}).to_string()
    }

    fn read(changes: &Value) -> Result<ValidationRecord, InvalidValidation> {
        ValidationRecord::from_json(answer(changes).as_bytes())
    }

    #[test]
    fn reads_what_a_token_and_a_record_would_say() {
        let ValidationRecord { payload, issued_at, identity, catalog } = read(&json!({})).unwrap();
        assert_eq!(payload.user_id.to_string(), HEX);
        assert_eq!(payload.expires_at.time().to_string(), "2026-11-23T01:21:08.000000Z");
        assert_eq!(payload.audit_ids.own.to_string(), "t_Uduzq7Q7GV_PbUdinLIQ");
        assert_eq!(payload.methods, Methods::Names(vec!["password".into()]));
        assert_eq!(issued_at, 1_795_393_268);
        assert_eq!(identity.user.name.as_deref(), Some("alice"));
        assert_eq!(identity.roles, [Role::new(Some("r".into()), "member".into())]);
        assert_eq!((identity.is_admin_project, catalog), (None, None));
    }

    #[test]
    fn each_kind_of_token_is_told_from_the_others() {
        let federation = json!({"user": {"id": "u", "name": "carol", "domain": {"id": "d", "name": "d"},
            "OS-FEDERATION": {"groups": [{"id": "g"}], "identity_provider": {"id": "idp"},
                "protocol": {"id": "mapped"}}}});
        let unscoped = json!({"project": null, "is_domain": null, "roles": null});
        let both = |changes: &Value, more: &Value| {
            let mut changes = changes.clone();
            changes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            changes
        };
        let domain = json!({"project": null, "domain": {"id": "d", "name": "elsewhere"}});
        let trust = json!({"OS-TRUST:trust": {"id": "t", "impersonation": true,
            "trustor_user": {"id": HEX}, "trustee_user": {"id": "trustee"}}});
        let oauth1 = json!({"OS-OAUTH1": {"access_token_id": "at", "consumer_id": "c"}});
        let rules = json!([{"id": "x", "service": "compute", "path": "/v2.1", "method": "GET"}]);
        let credential = json!({"application_credential":
            {"id": "a", "name": "a", "restricted": true, "access_rules": rules}});
        let bound = json!({"oauth2_credential": {"x5t#S256": "o2Ko_PGfZ8AeRUgdUyBfeO47xWWWhvfc6NcF1hf2NRk="}});
        for (changes, kind) in [
            (json!({}), Kind::Project),
            (unscoped.clone(), Kind::Unscoped),
            (domain.clone(), Kind::Domain),
            (json!({"project": null, "system": {"all": true}}), Kind::System),
            (trust.clone(), Kind::Trust),
            (both(&trust, &federation), Kind::Trust),
            (oauth1.clone(), Kind::Oauth1),
            (credential.clone(), Kind::ApplicationCredential),
            (bound.clone(), Kind::Oauth2Credential),
            (federation.clone(), Kind::FederatedProject),
            (both(&unscoped, &federation), Kind::FederatedUnscoped),
            (both(&domain, &federation), Kind::FederatedDomain),
        ] {
            assert_eq!(read(&changes).unwrap().payload.kind(), kind, "{changes}");
        }
        assert_eq!(read(&trust).unwrap().payload.user_id.to_string(), "trustee");
        let credential_ = read(&credential).unwrap().identity.application_credential.unwrap();
        assert_eq!(credential_.access_rules.unwrap().len(), 1);
        for changes in [
            both(&trust, &oauth1),
            both(&trust, &credential),
            both(&credential, &bound),
            both(&credential, &federation),
            json!({"domain": {"id": "d"}}),
            json!({"system": {"all": true}}),
            json!({"project": null, "system": {"all": false}}),
        ] {
            assert_eq!(read(&changes), Err(InvalidValidation::Token), "{changes}");
        }
    }

    #[test]
    fn a_catalogue_is_as_keystone_says_it() {
        let endpoint = json!({"id": "e", "interface": "public", "region_id": "R", "region": "R",
            "url": "http://x/$(project_id)s"});
        let service = json!({"id": "s", "type": "compute", "name": "", "endpoints": [endpoint]});
        let catalog = read(&json!({"catalog": [service]})).unwrap().catalog.unwrap();
        // What looks like a template is none: it was filled in.
        assert_eq!(catalog.services()[0].endpoints[0].url, "http://x/$(project_id)s");
        let mut odd = service;
        odd["endpoints"][0]["url"] = "http://x\n".into();
        let error = InvalidValidation::Catalog(InvalidCatalog::Text);
        assert_eq!(read(&json!({"catalog": [odd]})), Err(error));
    }

    #[test]
    fn refuses_what_is_no_answer_of_keystones() {
        for (changes, error) in [
            (json!({"methods": null}), InvalidValidation::Json),
            (json!({"user": {"name": "alice"}}), InvalidValidation::Json),
            (json!({"user": 7}), InvalidValidation::Json),
            (json!({"audit_ids": null}), InvalidValidation::Json),
            (json!({"audit_ids": []}), InvalidValidation::Token),
            (json!({"audit_ids": ["short"]}), InvalidValidation::Token),
            (json!({"methods": ["a,b"]}), InvalidValidation::Token),
            (json!({"expires_at": "2026-11-23T01:21:08Z"}), InvalidValidation::Token),
            (json!({"expires_at": ""}), InvalidValidation::Token),
            (json!({"issued_at": "yesterday"}), InvalidValidation::Token),
            (json!({"project": {"id": "a\n"}}), InvalidValidation::Token),
            (json!({"project": {"id": ""}}), InvalidValidation::Token),
            (
                json!({"roles": [{"name": "a,b"}]}),
                InvalidValidation::Record(InvalidRecord::Text("roles")),
            ),
            (
                json!({"user": {"id": "u", "name": "a\r\n"}}),
                InvalidValidation::Record(InvalidRecord::Text("user")),
            ),
        ] {
            assert_eq!(read(&changes), Err(error), "{changes}");
        }
        let good = answer(&json!({}));
        for json in [&good[..good.len() - 1], &format!("{good}{{}}"), "", "[]", "{}", "\u{feff}{}"]
        {
            let error = ValidationRecord::from_json(json.as_bytes());
            assert_eq!(error, Err(InvalidValidation::Json), "{json}");
        }
        let long = format!("{}{good}", " ".repeat(MAX_VALIDATION_BYTES));
        let error = ValidationRecord::from_json(long.as_bytes());
        assert_eq!(error, Err(InvalidValidation::TooLong));
    }

    #[test]
    fn keystone_says_no_in_its_own_form() {
        let no = br#"{"error":{"code":401,"message":"...","title":"Unauthorized"}}"#;
        assert!(is_keystones_refusal(401, no));
        assert!(!is_keystones_refusal(404, no));
        for json in [&b""[..], b"<html>", b"{}", br#"{"error":"no"}"#, br#"{"error":{}}"#] {
            assert!(!is_keystones_refusal(401, json));
        }
    }
}
