//! What is said of a token: the JSON of Keystone 30 (`keystone/common/render_token.py`).

use alloc::string::{String, ToString as _};

use crate::json::Writer;
use crate::record::{
    AccessRule, ApplicationCredential, Catalog, Domain, IdentityRecord, Oauth1, Project, Role, User,
};
use crate::time::UnixTime;
use crate::token::{AuditIds, Delegation, Federation, Payload, Scope};

/// The longest answer, in bytes: a catalogue of some hundred services. A proxy keeps an answer of ours
/// until it is read, however slowly, so a longer one is left to Keystone.
pub const MAX_ANSWER: usize = 128 * 1024;

/// A token that is good, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it says.
    pub payload: &'a Payload,
    /// When it was issued, in seconds.
    pub issued_at: u64,
    /// The names of its methods.
    pub methods: &'a [&'a str],
    /// Whom it stands for.
    pub record: &'a IdentityRecord,
}

impl Subject<'_> {
    /// The answer, with this catalogue. `None` if it would be longer than [`MAX_ANSWER`], or without
    /// something that Keystone shows.
    #[must_use]
    pub fn to_json(self, catalog: Option<&Catalog>) -> Option<String> {
        let lacks_details = self.record.roles.iter().any(|role| role.details.is_none());
        if self.shows_whole_roles() && lacks_details {
            return None;
        }
        let mut json = Writer::default();
        json.begin('{');
        json.name("token").begin('{');
        self.write(&mut json, catalog);
        json.end('}');
        json.end('}');
        let json = json.into_text();
        (json.len() <= MAX_ANSWER).then_some(json)
    }

    /// Writes the members of the token.
    fn write(&self, json: &mut Writer, catalog: Option<&Catalog>) {
        let Self { payload, issued_at, methods, record } = self;
        json.name("methods").begin('[');
        methods.iter().for_each(|method| json.text(method));
        json.end(']');
        self.write_user(json);
        json.name("audit_ids").begin('[');
        let AuditIds { own, chain } = &payload.audit_ids;
        [Some(own), chain.as_ref()].into_iter().flatten().for_each(|id| json.text(&id.to_string()));
        json.end(']');
        json.name("expires_at").text(&payload.expires_at.time().to_string());
        json.name("issued_at").text(&UnixTime::from_secs(*issued_at).to_string());
        if record.is_system {
            json.name("system").written(r#"{"all":true}"#);
        }
        if let Some(domain) = &record.domain {
            json.name("domain");
            write_domain(json, domain);
        }
        if let Some(Project { id, name, domain }) = &record.project {
            json.name("project").begin('{');
            json.name("id").text(id);
            if let Some(name) = name {
                json.name("name").text(name);
            }
            if let Some(domain) = domain {
                json.name("domain");
                write_domain(json, domain);
            }
            json.end('}');
            if record.trust.is_none() {
                json.name("is_domain").truth(record.is_domain);
                if let Some(is_admin_project) = record.is_admin_project {
                    json.name("is_admin_project").truth(is_admin_project);
                }
            }
        }
        if payload.scope != Scope::Unscoped {
            self.write_roles(json);
        }
        if let Some(catalog) = catalog {
            catalog.write_v3(json.name("catalog"));
        }
        if let Some(trust) = &record.trust {
            json.name("OS-TRUST:trust").begin('{');
            json.name("id").text(&trust.id);
            write_id(json.name("trustor_user"), &trust.trustor_user_id);
            write_id(json.name("trustee_user"), &trust.trustee_user_id);
            json.name("impersonation").truth(trust.impersonation);
            json.end('}');
        }
        if let Some(Oauth1 { access_token_id, consumer_id }) = &record.oauth1 {
            json.name("OS-OAUTH1").begin('{');
            json.name("access_token_id").text(access_token_id);
            json.name("consumer_id").text(consumer_id);
            json.end('}');
        }
        if let Some(credential) = &record.application_credential {
            write_credential(json.name("application_credential"), credential);
        }
        if let Delegation::Oauth2Credential { thumbprint } = &payload.delegation {
            json.name("oauth2_credential").begin('{');
            json.name("x5t#S256").text(thumbprint);
            json.end('}');
        }
    }

    /// Whether Keystone shows all that it has of each role, and not its id and its name alone.
    fn shows_whole_roles(&self) -> bool {
        let Payload { scope, delegation, .. } = self.payload;
        match delegation {
            Delegation::Trust { .. } => true,
            Delegation::Federation(_) => matches!(scope, Scope::Domain(_) | Scope::Project(_)),
            _ => false,
        }
    }

    fn write_roles(&self, json: &mut Writer) {
        let is_whole = self.shows_whole_roles();
        json.name("roles").begin('[');
        for Role { id, name, details } in &self.record.roles {
            json.begin('{');
            if let Some(id) = id {
                json.name("id").text(id);
            }
            json.name("name").text(name);
            if let Some(details) = details.as_ref().filter(|_| is_whole) {
                json.written(details.members());
            }
            json.end('}');
        }
        json.end(']');
    }

    /// Of a federated user no password is known.
    fn write_user(&self, json: &mut Writer) {
        let User { id, name, domain } = &self.record.user;
        json.name("user").begin('{');
        json.name("domain");
        match domain {
            Some(domain) => write_domain(json, domain),
            None => json.optional(None),
        }
        json.name("id").text(id);
        json.name("name").optional(name.as_deref());
        if let Delegation::Federation(federation) = &self.payload.delegation {
            let Federation { group_ids, identity_provider_id, protocol_id } = federation;
            json.name("OS-FEDERATION").begin('{');
            json.name("groups").begin('[');
            for id in group_ids {
                write_id(json, &id.to_string());
            }
            json.end(']');
            write_id(json.name("identity_provider"), &identity_provider_id.to_string());
            write_id(json.name("protocol"), &protocol_id.to_string());
            json.end('}');
        } else {
            json.name("password_expires_at").optional(self.record.password_expires_at.as_deref());
        }
        json.end('}');
    }
}

fn write_domain(json: &mut Writer, Domain { id, name }: &Domain) {
    json.begin('{');
    json.name("id").text(id);
    if let Some(name) = name {
        json.name("name").text(name);
    }
    json.end('}');
}

/// What is said of a thing by its id alone.
fn write_id(json: &mut Writer, id: &str) {
    json.begin('{');
    json.name("id").text(id);
    json.end('}');
}

fn write_credential(json: &mut Writer, credential: &ApplicationCredential) {
    let ApplicationCredential { id, name, restricted, access_rules } = credential;
    json.begin('{');
    json.name("id").text(id);
    json.name("name").text(name);
    json.name("restricted").truth(*restricted);
    if let Some(rules) = access_rules.as_ref().filter(|rules| !rules.is_empty()) {
        json.name("access_rules").begin('[');
        for AccessRule { id, service, path, method } in rules {
            json.begin('{');
            json.name("id").text(id);
            json.name("service").text(service);
            json.name("path").text(path);
            json.name("method").text(method);
            json.end('}');
        }
        json.end(']');
    }
    json.end('}');
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::CatalogRecord;
    use crate::token::{AuditId, Expiry, Id, Methods};
    use alloc::vec;
    use serde_json::{Value, from_str, from_value, json};

    fn payload(scope: Scope, delegation: Delegation) -> Payload {
        Payload {
            user_id: Id::uuid([0xaa; 16]),
            methods: Methods::Bits(2),
            expires_at: Expiry::from_seconds(1_800_000_001.0).unwrap(),
            audit_ids: AuditIds { own: AuditId([1; 16]), chain: None },
            scope,
            delegation,
        }
    }

    fn shown(payload: &Payload, record: &Value, catalog: Option<&Catalog>) -> Value {
        let record = from_value(record.clone()).unwrap();
        let methods = &["password"];
        let subject = Subject { payload, issued_at: 1_800_000_000, methods, record: &record };
        let mut answer: Value = from_str(&subject.to_json(catalog).unwrap()).unwrap();
        answer["token"].take()
    }

    fn user() -> Value {
        json!({"id": "u", "name": "Ann", "domain": {"id": "d", "name": "D"}})
    }

    fn id() -> Id {
        Id::uuid([0xbb; 16])
    }

    /// What is in the answer besides that which every token has.
    fn rest(payload: &Payload, record: &Value, catalog: Option<&Catalog>) -> Value {
        let mut token = shown(payload, record, catalog);
        let fields = token.as_object_mut().unwrap();
        for name in ["methods", "user", "audit_ids", "expires_at", "issued_at"] {
            assert!(fields.remove(name).is_some(), "{name}");
        }
        token
    }

    #[test]
    fn an_unscoped_token_has_neither_roles_nor_a_catalogue() {
        let payload = payload(Scope::Unscoped, Delegation::None);
        assert_eq!(
            shown(&payload, &json!({"user": user()}), None),
            json!({
                "methods": ["password"],
                "user": {"id": "u", "name": "Ann", "domain": {"id": "d", "name": "D"},
                         "password_expires_at": null},
                "audit_ids": ["AQEBAQEBAQEBAQEBAQEBAQ"],
                "expires_at": "2027-01-15T08:00:01.000000Z",
                "issued_at": "2027-01-15T08:00:00.000000Z",
            })
        );
    }

    #[test]
    fn each_scope_is_shown_as_keystone_shows_it() {
        let roles = json!([{"id": "r", "name": "reader"}]);
        let project = json!({"id": "p", "name": "P", "domain": {"id": "d", "name": "D"}});
        let domain = json!({"id": "d", "name": "D"});
        for (scope, mut record, expected) in [
            (Scope::System, json!({"is_system": true}), json!({"system": {"all": true}})),
            (Scope::Domain(id()), json!({"domain": domain}), json!({"domain": domain})),
            (
                Scope::Project(id()),
                json!({"project": project}),
                json!({"project": project, "is_domain": false}),
            ),
            (
                Scope::Project(id()),
                json!({"project": project, "is_domain": true, "is_admin_project": false}),
                json!({"project": project, "is_domain": true, "is_admin_project": false}),
            ),
        ] {
            let mut expected = expected;
            expected["roles"] = roles.clone();
            record["user"] = user();
            record["roles"] = roles.clone();
            assert_eq!(rest(&payload(scope, Delegation::None), &record, None), expected);
        }
    }

    #[test]
    fn each_delegation_is_shown_as_keystone_shows_it() {
        let rule = json!({"id": "x", "service": "compute", "path": "/**", "method": "GET"});
        let credential = |rules: Value| json!({"id": "a", "name": "A", "restricted": true, "access_rules": rules});
        let plain = json!({"id": "a", "name": "A", "restricted": true});
        let of_credential =
            || Delegation::ApplicationCredential { application_credential_id: id() };
        let certificate = Delegation::Oauth2Credential { thumbprint: "tp=".into() };
        let oauth1 = json!({"access_token_id": "t", "consumer_id": "c"});
        for (delegation, record, expected) in [
            (
                of_credential(),
                json!({"application_credential": credential(json!([rule]))}),
                json!({"application_credential": credential(json!([rule]))}),
            ),
            (
                of_credential(),
                json!({"application_credential": credential(json!([]))}),
                json!({"application_credential": plain}),
            ),
            (
                of_credential(),
                json!({"application_credential": plain}),
                json!({"application_credential": plain}),
            ),
            (
                Delegation::Oauth1 { access_token_id: id() },
                json!({"oauth1": oauth1}),
                json!({"OS-OAUTH1": oauth1}),
            ),
            (certificate, json!({}), json!({"oauth2_credential": {"x5t#S256": "tp="}})),
        ] {
            let (mut record, mut expected) = (record, expected);
            record["user"] = user();
            record["project"] = json!({"id": "p"});
            expected["project"] = json!({"id": "p"});
            expected["is_domain"] = false.into();
            expected["roles"] = json!([]);
            assert_eq!(rest(&payload(Scope::Project(id()), delegation), &record, None), expected);
        }
    }

    #[test]
    fn a_trust_names_both_and_no_more_of_the_project() {
        let trust = json!({"id": "t", "impersonation": true, "trustor_user_id": "u",
            "trustee_user_id": "v", "trustee_domain_id": "e"});
        let record = json!({"user": user(), "trust": trust, "project": {"id": "p"},
            "is_domain": true, "is_admin_project": true});
        let payload = payload(Scope::Project(id()), Delegation::Trust { trust_id: id() });
        let expected = json!({
            "OS-TRUST:trust": {"id": "t", "impersonation": true, "trustor_user": {"id": "u"},
                               "trustee_user": {"id": "v"}},
            "project": {"id": "p"},
            "roles": [],
        });
        assert_eq!(rest(&payload, &record, None), expected);
    }

    #[test]
    fn a_role_is_whole_where_keystone_shows_it_whole() {
        let details =
            json!({"domain_id": null, "description": "reads", "options": {"immutable": true}});
        let whole = json!([
            {"id": "r", "name": "reader", "details": details},
            {"id": "s", "name": "plain", "details": {"domain_id": null, "options": {}, "team": [7]}},
        ]);
        let shown_whole = json!([
            {"id": "r", "name": "reader", "domain_id": null, "description": "reads",
             "options": {"immutable": true}},
            {"id": "s", "name": "plain", "domain_id": null, "options": {}, "team": [7]},
        ]);
        let named = json!([{"id": "r", "name": "reader"}, {"id": "s", "name": "plain"}]);
        let federation = || {
            Delegation::Federation(Federation {
                group_ids: vec![id()],
                identity_provider_id: id(),
                protocol_id: id(),
            })
        };
        let trust = || Delegation::Trust { trust_id: id() };
        for (scope, delegation, expected) in [
            (Scope::Project(id()), trust(), Some(&shown_whole)),
            (Scope::Project(id()), federation(), Some(&shown_whole)),
            (Scope::Domain(id()), federation(), Some(&shown_whole)),
            (Scope::System, federation(), Some(&named)),
            (Scope::Unscoped, federation(), None),
            (Scope::Project(id()), Delegation::None, Some(&named)),
            (Scope::Domain(id()), Delegation::None, Some(&named)),
            (Scope::System, Delegation::None, Some(&named)),
            (Scope::Project(id()), Delegation::Oauth1 { access_token_id: id() }, Some(&named)),
        ] {
            let is_whole = expected == Some(&shown_whole);
            let payload = payload(scope, delegation);
            let record = |roles: &Value| json!({"user": user(), "roles": roles});
            let token = shown(&payload, &record(&whole), None);
            assert_eq!(token.get("roles"), expected, "{payload:?}");
            // Without what Keystone would show, the answer is Keystone's to give.
            let mut some = whole.clone();
            some[0].as_object_mut().unwrap().remove("details");
            let record = from_value(record(&some)).unwrap();
            let subject =
                Subject { payload: &payload, issued_at: 0, methods: &[], record: &record };
            assert_eq!(subject.to_json(None).is_none(), is_whole, "{payload:?}");
        }
    }

    #[test]
    fn a_federated_user_has_groups_and_no_password() {
        let federation = Federation {
            group_ids: vec![id(), Id::text(b"staff").unwrap()],
            identity_provider_id: Id::text(b"idp").unwrap(),
            protocol_id: Id::text(b"saml2").unwrap(),
        };
        let payload = payload(Scope::Unscoped, Delegation::Federation(federation));
        let user = shown(&payload, &json!({"user": user()}), None)["user"].take();
        let expected = json!({
            "id": "u", "name": "Ann", "domain": {"id": "d", "name": "D"},
            "OS-FEDERATION": {
                "groups": [{"id": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}, {"id": "staff"}],
                "identity_provider": {"id": "idp"},
                "protocol": {"id": "saml2"},
            },
        });
        assert_eq!(user, expected);
    }

    #[test]
    fn a_password_that_ends_is_shown_as_it_is_written() {
        let ends = "2026-11-22T06:21:32.000000";
        let record = json!({"user": user(), "password_expires_at": ends});
        let payload = payload(Scope::Unscoped, Delegation::None);
        assert_eq!(shown(&payload, &record, None)["user"]["password_expires_at"], ends);
    }

    #[test]
    fn a_catalogue_is_part_of_it_up_to_a_limit() {
        let url = |url: &str| -> CatalogRecord {
            let endpoint = json!({"id": "e", "interface": "public", "url": url});
            let service = json!({"id": "s", "type": "t", "name": "", "endpoints": [endpoint]});
            from_value(json!({"services": [service]})).unwrap()
        };
        let payload = payload(Scope::System, Delegation::None);
        let record = json!({"user": user(), "is_system": true});
        let catalog = url("http://x/%(user_id)s").for_token(None, "u");
        let token = rest(&payload, &record, Some(&catalog));
        assert_eq!(token["catalog"][0]["endpoints"][0]["url"], "http://x/u");
        let record = from_value(record).unwrap();
        let subject = Subject { payload: &payload, issued_at: 0, methods: &[], record: &record };
        let catalog = url(&"x".repeat(MAX_ANSWER)).for_token(None, "u");
        assert_eq!(subject.to_json(Some(&catalog)), None);
    }
}
