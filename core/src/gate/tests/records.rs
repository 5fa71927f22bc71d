//! Requests with tokens where records tell what Keystone knows of them.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, from_value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::known_tokens;
use super::token::{
    NOW, forwarded, gate, gate_that_knows, key, keys, now, payload, rejection, set,
};
use crate::catalogs::ServiceCatalog;
use crate::certificate::ClientCertificate;
use crate::config::{Config, example};
use crate::fernet::Key;
use crate::gate::{Effect, Input, KnownTokens, Trail, Verdict};
use crate::head::RequestHead;
use crate::identities::Identity;
use crate::record::{CatalogRequest, IdentityFault, IdentityRequest, RevocationEvent};
use crate::refusal::{Rejection, Unknown};
use crate::revocation::RevocationSet;
use crate::token::{AuditId, AuditIds, Delegation, Expiry, Id, Payload, Scope};

/// What stands behind the gate: what Keystone knows, and what it has revoked.
pub(super) struct World {
    config: Value,
    /// Records by the user in the token; for any other, Keystone would not take the token.
    pub(super) records: Vec<(&'static str, Value)>,
    revoked: RevocationSet,
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) catalog: Value,
    pub(super) certificate: ClientCertificate,
    /// What was asked for.
    pub(super) questions: Vec<IdentityRequest>,
    pub(super) catalogs: Vec<CatalogRequest>,
    /// What the last request has left behind.
    pub(super) left: Option<(Rc<Config>, Box<Trail>)>,
}

pub(super) const ANN: [u8; 16] = [0xaa; 16];
pub(super) const NOVA: [u8; 16] = [0xdd; 16];

pub(super) fn hex(bytes: [u8; 16]) -> &'static str {
    if bytes == ANN {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    } else {
        "dddddddddddddddddddddddddddddddd"
    }
}

pub(super) fn record(user: [u8; 16], roles: &[&str], changes: &Value) -> Value {
    let roles: Vec<_> = roles.iter().map(|role| json!({"id": role, "name": role})).collect();
    let mut record = json!({
        "user": {"id": hex(user), "name": "Ann", "domain": {"id": "d1", "name": "Users"}},
        "project": {"id": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "name": "web",
                    "domain": {"id": "d2", "name": "Work"}},
        "roles": roles,
    });
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    record
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            config: json!({"token": {"identity": "records"}}),
            records: vec![
                (hex(ANN), record(ANN, &["member", "reader"], &json!({}))),
                (hex(NOVA), record(NOVA, &["service"], &json!({}))),
            ],
            revoked: RevocationSet::new(100, 1),
            path: "/v2.1/servers",
            method: "GET",
            catalog: json!({"services": []}),
            certificate: ClientCertificate::None,
            questions: Vec::new(),
            catalogs: Vec::new(),
            left: None,
        }
    }

    pub(super) fn with_record(mut self, changes: &Value) -> Self {
        self.records[0].1 = record(ANN, &["member", "reader"], changes);
        self
    }

    pub(super) fn with_config(mut self, fields: &Value) -> Self {
        for (name, value) in fields.as_object().unwrap() {
            match (self.config[name].as_object_mut(), value.as_object()) {
                (Some(section), Some(fields)) => section.extend(fields.clone()),
                _ => self.config[name] = value.clone(),
            }
        }
        self
    }

    pub(super) fn revoke(mut self, event: &RevocationEvent) -> Self {
        self.revoked.add(event);
        self
    }

    /// What becomes of a request with these headers: the same when it comes again, and its tokens are
    /// known.
    pub(super) fn run(&mut self, headers: &[(&str, &str)]) -> Effect {
        let known = known_tokens();
        let first = self.run_once(headers, &known);
        let asked = (self.questions.len(), self.catalogs.len());
        for _ in 0..2 {
            assert_eq!(first, self.run_once(headers, &known), "it came again");
        }
        self.questions.truncate(asked.0);
        self.catalogs.truncate(asked.1);
        first
    }

    fn run_once(&mut self, headers: &[(&str, &str)], known: &Rc<KnownTokens>) -> Effect {
        let mut all: Vec<(&[u8], &[u8])> =
            vec![(b":method", self.method.as_bytes()), (b":path", self.path.as_bytes())];
        all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let mut gate = gate_that_knows(&self.config, known);
        let head = RequestHead::new(&all);
        let mut effect = gate.handle(now(), Input::Head { head, is_end: true });
        for _ in 0..20 {
            let input = match &effect {
                Effect::NeedKeys { .. } => Input::Keys(keys(1, &[1]).into()),
                Effect::NeedIdentity(request) => {
                    self.questions.push((**request).clone());
                    self.identity(request)
                }
                Effect::NeedCatalog(request) => {
                    self.catalogs.push(request.clone());
                    self.catalog(request)
                }
                Effect::NeedRevocations => Input::Revocations(Rc::new(self.revoked())),
                Effect::NeedCertificate => Input::Certificate(self.certificate.clone()),
                _ => break,
            };
            assert!(!gate.is_open());
            effect = gate.handle(now(), input);
        }
        assert_eq!(gate.is_open(), matches!(effect, Effect::Forward(..)));
        self.left = gate.take_trail().map(|trail| (Rc::clone(&gate.config), trail));
        effect
    }

    pub(super) fn identity(&self, request: &IdentityRequest) -> Input<'static> {
        let known = self.records.iter().find(|(user, _)| *user == request.user);
        known.map_or(Input::NoIdentity(IdentityFault::UserDisabled), |(_, record)| {
            let record = from_value(record.clone()).unwrap();
            Input::Identity(Rc::new(Identity { request: request.clone(), record }))
        })
    }

    pub(super) fn catalog(&self, request: &CatalogRequest) -> Input<'static> {
        let record = from_value(self.catalog.clone()).unwrap();
        Input::Catalog(Rc::new(ServiceCatalog { request: request.clone(), record }))
    }

    pub(super) fn revoked(&self) -> RevocationSet {
        self.revoked.clone()
    }

    pub(super) fn forwarded(&mut self, headers: &[(&str, &str)]) -> Vec<(String, String)> {
        let (edits, verdict) = forwarded(self.run(headers));
        assert_eq!(verdict, Verdict::Allowed);
        let owned = set(&edits).into_iter().map(|(name, value)| (name.into(), value.into()));
        owned.collect()
    }

    pub(super) fn rejection(&mut self, headers: &[(&str, &str)]) -> Rejection {
        rejection(self.run(headers))
    }
}

pub(super) fn token_of(payload: &Payload) -> String {
    sealed(&key(1), payload)
}

pub(super) fn sealed(key: &Key, payload: &Payload) -> String {
    key.seal_text(NOW - 60, &[9; 16], &payload.encode())
}

pub(super) fn ann() -> String {
    token_of(&payload())
}

pub(super) fn nova() -> String {
    token_of(&Payload { user_id: Id::uuid(NOVA), ..payload() })
}

/// A token of Ann's that ended so long ago.
pub(super) fn expired(ago: u64) -> String {
    let seconds = (NOW - ago).to_string().parse().unwrap();
    token_of(&Payload { expires_at: Expiry::from_seconds(seconds).unwrap(), ..payload() })
}

pub(super) fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_service_sees_what_keystonemiddleware_would_have_set() {
    let headers = World::new().forwarded(&[("x-auth-token", &ann())]);
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("x-identity-status", "Confirmed"),
            ("x-user-id", hex(ANN)),
            ("x-user-name", "Ann"),
            ("x-user-domain-id", "d1"),
            ("x-user-domain-name", "Users"),
            ("x-project-id", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
            ("x-project-name", "web"),
            ("x-project-domain-id", "d2"),
            ("x-project-domain-name", "Work"),
            ("x-roles", "member,reader"),
            ("x-is-admin-project", "True"),
            ("x-role", "member,reader"),
            ("x-user", "Ann"),
            ("x-tenant-id", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
            ("x-tenant-name", "web"),
            ("x-tenant", "web"),
            ("x-voussoir-token-kind", "project"),
            ("x-voussoir-token-methods", "token,password"),
            ("x-voussoir-token-audit-ids", "AQEBAQEBAQEBAQEBAQEBAQ,AgICAgICAgICAgICAgICAg"),
            ("x-voussoir-token-expires-at", "2027-01-15T08:00:01.000000Z"),
            ("x-voussoir-token-issued-at", "2027-01-15T07:59:00.000000Z"),
        ]
    );
}

#[test]
fn each_scope_has_its_headers() {
    let system = json!({"project": null, "is_system": true, "is_admin_project": false});
    let headers = World::new().with_record(&system).forwarded(&[("x-auth-token", &ann())]);
    assert_eq!(value(&headers, "openstack-system-scope"), Some("all"));
    assert_eq!(value(&headers, "x-is-admin-project"), Some("False"));
    assert_eq!(value(&headers, "x-project-id"), None);
    let domain = json!({"project": null, "domain": {"id": "d3", "name": "Third"}});
    let headers = World::new().with_record(&domain).forwarded(&[("x-auth-token", &ann())]);
    assert_eq!(value(&headers, "x-domain-id"), Some("d3"));
    assert_eq!(value(&headers, "x-domain-name"), Some("Third"));
    let unscoped = json!({"project": null, "roles": []});
    let headers = World::new().with_record(&unscoped).forwarded(&[("x-auth-token", &ann())]);
    assert_eq!(value(&headers, "x-roles"), Some(""));
    assert_eq!(value(&headers, "x-is-admin-project"), Some("True"));
}

#[test]
fn it_is_asked_for_what_the_token_says() {
    let id = || Id::uuid(NOVA);
    for (scope, delegation, expected) in [
        (Scope::Unscoped, Delegation::None, json!({"scope": "unscoped"})),
        (Scope::System, Delegation::None, json!({"scope": "system"})),
        (Scope::Domain(id()), Delegation::None, json!({"scope": {"domain": hex(NOVA)}})),
        (
            Scope::Project(id()),
            Delegation::Trust { trust_id: id() },
            json!({"scope": {"project": hex(NOVA)}, "delegation": {"trust": hex(NOVA)}}),
        ),
        (
            Scope::Project(id()),
            Delegation::Oauth1 { access_token_id: id() },
            json!({"scope": {"project": hex(NOVA)}, "delegation": {"access_token": hex(NOVA)}}),
        ),
        (
            Scope::Project(id()),
            Delegation::ApplicationCredential { application_credential_id: id() },
            json!({"scope": {"project": hex(NOVA)},
                "delegation": {"application_credential": hex(NOVA)}}),
        ),
    ] {
        let mut world = World::new();
        let token = token_of(&Payload { scope, delegation, ..payload() });
        let _ = world.run(&[("x-auth-token", &token)]);
        let mut expected = expected;
        expected["user"] = hex(ANN).into();
        assert_eq!(world.questions, [from_value::<IdentityRequest>(expected).unwrap()]);
    }
}

#[test]
fn what_keystone_would_not_take_is_refused() {
    let mut world = World::new();
    world.records.remove(0);
    let expected = Rejection::Identity(IdentityFault::UserDisabled);
    assert_eq!(world.rejection(&[("x-auth-token", &ann())]), expected);
    // Nobody is asked about a token that is none.
    let mut world = World::new();
    let forged = sealed(&key(2), &payload());
    assert_eq!(world.rejection(&[("x-auth-token", &forged)]), Rejection::TokenNotAuthentic);
    assert_eq!(world.rejection(&[("x-auth-token", &expired(0))]), Rejection::TokenExpired);
    assert_eq!(world.questions, []);
}

#[test]
fn what_cannot_be_known_is_503_at_each_step_whatever_is_left_to_the_service() {
    for missing in ["reject", "anonymous"] {
        for steps in 0..4 {
            let config =
                json!({"missing": missing, "token": {"identity": "records", "catalog": true}});
            let mut gate = gate(&config);
            let token = ann();
            let headers: [(&[u8], &[u8]); 1] = [(b"x-auth-token", token.as_bytes())];
            let head = RequestHead::new(&headers);
            let world = World::new();
            let mut effect = gate.handle(now(), Input::Head { head, is_end: true });
            for _ in 0..steps {
                let input = match &effect {
                    Effect::NeedKeys { .. } => Input::Keys(keys(1, &[1]).into()),
                    Effect::NeedIdentity(request) => world.identity(request),
                    Effect::NeedRevocations => Input::Revocations(Rc::new(world.revoked.clone())),
                    other => panic!("{other:?}"),
                };
                effect = gate.handle(now(), input);
            }
            // What of the request comes meanwhile changes nothing.
            for input in [Input::Body { piece: b"x", is_end: false }, Input::Trailers] {
                assert_eq!(gate.handle(now(), input), Effect::Nothing);
            }
            let cause = Unknown::IdentityUnavailable;
            let retry_after = Duration::from_secs(3);
            let effect = gate.handle(now(), Input::Unknown { cause, retry_after });
            let Effect::Refuse(reply, verdict) = effect else { panic!("{effect:?}") };
            assert_eq!((reply.status, verdict), (503, Verdict::Unavailable(cause)));
        }
    }
}

pub(super) fn revoked(changes: &Value) -> RevocationEvent {
    let mut event = json!({"issued_before": NOW - 60});
    event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    from_value(event).unwrap()
}

#[test]
fn what_was_revoked_is_refused() {
    let trust = json!({"trust": {"id": "t", "impersonation": true, "trustor_user_id": hex(ANN),
        "trustee_user_id": "trustee"}});
    let oauth1 = json!({"oauth1": {"access_token_id": "at", "consumer_id": "c"}});
    let domain = json!({"project": null, "domain": {"id": "d3"}});
    for (changes, event) in [
        (json!({}), json!({})),
        (json!({}), json!({"user_id": hex(ANN)})),
        (json!({}), json!({"project_id": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"})),
        (json!({}), json!({"audit_id": "AQEBAQEBAQEBAQEBAQEBAQ"})),
        (json!({}), json!({"audit_chain_id": "AgICAgICAgICAgICAgICAg"})),
        (json!({}), json!({"domain_id": "d1"})),
        (json!({}), json!({"role_id": "reader", "user_id": hex(ANN)})),
        (json!({}), json!({"expires_at": NOW + 1, "user_id": hex(ANN)})),
        (trust.clone(), json!({"trust_id": "t"})),
        (trust, json!({"user_id": "trustee"})),
        (oauth1.clone(), json!({"consumer_id": "c"})),
        (oauth1, json!({"access_token_id": "at"})),
        (domain.clone(), json!({"domain_id": "d3"})),
        (domain, json!({"domain_scope_id": "d3"})),
    ] {
        let mut world = World::new().with_record(&changes).revoke(&revoked(&event));
        let rejection = world.rejection(&[("x-auth-token", &ann())]);
        assert_eq!(rejection, Rejection::TokenRevoked, "{changes} {event}");
    }
    for event in [
        json!({"issued_before": NOW - 61, "user_id": hex(ANN)}),
        json!({"user_id": hex(NOVA)}),
        json!({"audit_id": "AgICAgICAgICAgICAgICAg"}),
        json!({"audit_chain_id": "AQEBAQEBAQEBAQEBAQEBAQ"}),
        json!({"domain_id": "d9"}),
        json!({"role_id": "admin"}),
        json!({"trust_id": "t"}),
    ] {
        let mut world = World::new().revoke(&revoked(&event));
        world.forwarded(&[("x-auth-token", &ann())]);
    }
}

#[test]
fn a_service_may_ask_with_a_token_that_has_just_expired() {
    let hour = 3600;
    for (ago, service, expected) in [
        (0, Some(nova()), None),
        (47 * hour, Some(nova()), None),
        (48 * hour, Some(nova()), Some(Rejection::TokenExpired)),
        (0, None, Some(Rejection::TokenExpired)),
        // Ann is no service.
        (0, Some(ann()), Some(Rejection::ServiceTokenInvalid)),
        (0, Some(expired(1)), Some(Rejection::ServiceTokenInvalid)),
        (0, Some("junk".into()), Some(Rejection::ServiceTokenInvalid)),
    ] {
        let user = expired(ago);
        let mut headers = vec![("x-auth-token", user.as_str())];
        headers.extend(service.as_ref().map(|service| ("x-service-token", service.as_str())));
        let mut world = World::new();
        match expected {
            Some(rejection) => assert_eq!(world.rejection(&headers), rejection, "{ago}"),
            None => assert!(!world.forwarded(&headers).is_empty()),
        }
    }
    // Without the role a service's token is one where that is allowed, but opens no window.
    let lax = json!({"token": {"service_token_roles_required": false}});
    let mut world = World::new().with_config(&lax);
    let service = ann();
    world.forwarded(&[("x-auth-token", &ann()), ("x-service-token", &service)]);
    let user = expired(1);
    let headers = [("x-auth-token", user.as_str()), ("x-service-token", &service)];
    assert_eq!(world.rejection(&headers), Rejection::TokenExpired);
    let mut world = World::new().with_config(&json!({"token": {"service_token_roles": ["nova"]}}));
    let headers = [("x-auth-token", user.as_str()), ("x-service-token", &nova())];
    assert_eq!(world.rejection(&headers), Rejection::ServiceTokenInvalid);
}

#[test]
fn a_service_is_presented_beside_the_user_and_its_scope_stays_its_own() {
    let mut world = World::new();
    world.records[1].1["is_system"] = true.into();
    world.records[1].1["project"] = Value::Null;
    let headers = world.forwarded(&[("x-auth-token", &ann()), ("x-service-token", &nova())]);
    assert_eq!(value(&headers, "x-service-identity-status"), Some("Confirmed"));
    assert_eq!(value(&headers, "x-service-user-id"), Some(hex(NOVA)));
    assert_eq!(value(&headers, "x-service-roles"), Some("service"));
    assert_eq!(value(&headers, "x-service-project-id"), None);
    assert_eq!(value(&headers, "x-user-id"), Some(hex(ANN)));
    assert_eq!(value(&headers, "openstack-system-scope"), None);
}

#[test]
fn what_is_left_to_the_service_is_told_of_each_token() {
    let anonymous = || World::new().with_config(&json!({"missing": "anonymous"}));
    let (ann, nova) = (ann(), nova());
    for (headers, user, service) in [
        (vec![], "Invalid", None),
        (vec![("x-auth-token", "junk")], "Invalid", None),
        (vec![("x-service-token", nova.as_str())], "Invalid", Some("Confirmed")),
        (vec![("x-auth-token", "junk"), ("x-service-token", &nova)], "Invalid", Some("Confirmed")),
        (vec![("x-auth-token", &ann), ("x-service-token", "junk")], "Confirmed", Some("Invalid")),
        (vec![("x-auth-token", &ann), ("x-service-token", &ann)], "Confirmed", Some("Invalid")),
        (vec![("x-auth-token", "junk"), ("x-service-token", "junk")], "Invalid", Some("Invalid")),
    ] {
        let (edits, verdict) = forwarded(anonymous().run(&headers));
        assert!(matches!(verdict, Verdict::Anonymous(_)), "{headers:?} {verdict:?}");
        let set = set(&edits);
        let of = |name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        assert_eq!(of("x-identity-status"), Some(user), "{headers:?}");
        assert_eq!(of("x-service-identity-status"), service, "{headers:?}");
        assert_eq!(of("x-user-id").is_some(), user == "Confirmed");
        assert_eq!(of("x-service-user-id").is_some(), service == Some("Confirmed"));
    }
    let twice =
        [("x-auth-token", ann.as_str()), ("x-service-token", &nova), ("x-service-token", "")];
    assert_eq!(anonymous().rejection(&twice), Rejection::TokenAmbiguous);
}

#[test]
fn an_application_credential_is_for_what_its_rules_say_whoever_asks_with_it() {
    let rules =
        json!([{"id": "r", "service": "object-store", "path": "/v1/*/pub/**", "method": "GET"}]);
    let restricted = |rules: &Value| {
        json!({"application_credential": {"id": "ac", "name": "ac", "restricted": true,
            "access_rules": rules}})
    };
    let world = |path, method| {
        let config = json!({"token": {"service_type": "object-store"}});
        let mut world = World::new().with_config(&config).with_record(&restricted(&rules));
        world.path = path;
        world.method = method;
        world
    };
    let application_credential_id = Id::uuid([0xee; 16]);
    let delegation = Delegation::ApplicationCredential { application_credential_id };
    let (ann, nova) = (token_of(&Payload { delegation, ..payload() }), nova());
    let alone = [("x-auth-token", ann.as_str())];
    let with_service = [("x-auth-token", ann.as_str()), ("x-service-token", &nova)];
    let with_junk = [("x-auth-token", ann.as_str()), ("x-service-token", "junk")];
    for headers in [&alone[..], &with_service] {
        world("/v1/a/pub/x/y?marker=/../", "GET").forwarded(headers);
        for (path, method) in [
            ("/v1/a/pub/x", "PUT"),
            ("/v1/a/priv/x", "GET"),
            ("/v1/a/pub/../priv/x", "GET"),
            ("/v1/a/pub/%2e%2e/priv/x", "GET"),
        ] {
            assert_eq!(world(path, method).rejection(headers), Rejection::AccessRules, "{path}");
        }
    }
    let mut left_to_the_service = world("/v1/a/priv/x", "GET");
    left_to_the_service.config["missing"] = "anonymous".into();
    let (edits, _) = forwarded(left_to_the_service.run(&with_junk));
    assert_eq!(set(&edits)[0], ("x-identity-status", "Invalid"));
    // A service that has not said what it is allows nothing of it, and what has no rules has no limits.
    let mut nameless = World::new().with_record(&restricted(&rules));
    nameless.path = "/v1/a/pub/x";
    assert_eq!(nameless.rejection(&alone), Rejection::AccessRules);
    World::new().with_record(&restricted(&json!([]))).forwarded(&alone);
    World::new().with_record(&restricted(&Value::Null)).forwarded(&alone);
}

#[test]
fn kinds_that_no_record_tells_the_whole_of_are_refused() {
    let restricted = Delegation::Restriction {
        token_restriction_id: Id::uuid([4; 16]),
        allow_renew: true,
        allow_rescope: true,
    };
    let token = token_of(&Payload { delegation: restricted, ..payload() });
    assert_eq!(World::new().rejection(&[("x-auth-token", &token)]), Rejection::TokenKindRefused);
    let config = json!({"token": {"identity": "records", "kinds": ["project", "restricted"]}});
    let error = Config::parse(example::with(&config).as_bytes()).unwrap_err();
    assert!(format!("{error}").starts_with("token.kinds[1]: must be a kind that records"));
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_for_its_owner_and_then_as_any_other() {
    let bound = |user| {
        let delegation = Delegation::Oauth2Credential { thumbprint: "x".into() };
        token_of(&Payload { delegation, user_id: Id::uuid(user), ..payload() })
    };
    let (ann, nova) = (bound(ANN), bound(NOVA));
    let mut world = World::new();
    assert_eq!(world.rejection(&[("x-auth-token", &ann)]), Rejection::CertificateMissing);
    // It is not even asked whose it is.
    assert_eq!(world.questions, []);
    world.certificate = ClientCertificate::known("x");
    let headers = world.forwarded(&[("x-auth-token", &ann)]);
    assert_eq!(value(&headers, "x-roles"), Some("member,reader"));
    assert_eq!(world.questions[0].delegation, None);
    // So for a service's token, of which it is the other end of the connection as well.
    let both = [("x-auth-token", ann.as_str()), ("x-service-token", &nova)];
    assert_eq!(value(&world.forwarded(&both), "x-service-roles"), Some("service"));
    let free = self::ann();
    let service = [("x-auth-token", free.as_str()), ("x-service-token", &nova)];
    world.certificate = ClientCertificate::known("y");
    assert_eq!(world.rejection(&service), Rejection::ServiceTokenInvalid);
    world.config["missing"] = "anonymous".into();
    let (edits, verdict) = forwarded(world.run(&service));
    assert_eq!(verdict, Verdict::Anonymous(Rejection::ServiceTokenInvalid));
    assert!(set(&edits).contains(&("x-service-identity-status", "Invalid")));
    let (edits, verdict) = forwarded(world.run(&[("x-auth-token", &ann)]));
    assert_eq!(verdict, Verdict::Anonymous(Rejection::CertificateWrong));
    assert_eq!(set(&edits), [("x-identity-status", "Invalid")]);
    // And what Keystone knows of it counts as ever.
    let mut revoked = World::new().revoke(&revoked(&json!({"user_id": hex(ANN)})));
    revoked.certificate = ClientCertificate::known("x");
    assert_eq!(revoked.rejection(&[("x-auth-token", &ann)]), Rejection::TokenRevoked);
}

#[test]
fn both_tokens_stay_here_where_the_service_shall_not_see_them() {
    let mut world = World::new().with_config(&json!({"token": {"forward": false}}));
    let (edits, _) =
        forwarded(world.run(&[("x-auth-token", &ann()), ("x-service-token", &nova())]));
    let names: [&[u8]; 3] = [b"x-auth-token", b"x-storage-token", b"x-service-token"];
    assert_eq!(edits.remove, names);
}

#[test]
fn a_first_token_without_a_chain_is_asked_for_by_its_own_audit_id_alone() {
    let audit_ids = AuditIds { own: AuditId([1; 16]), chain: None };
    let token = token_of(&Payload { audit_ids, ..payload() });
    let own = || revoked(&json!({"audit_id": "AQEBAQEBAQEBAQEBAQEBAQ"}));
    let mut world = World::new().revoke(&own());
    assert_eq!(world.rejection(&[("x-auth-token", &token)]), Rejection::TokenRevoked);
}

#[test]
fn a_service_that_wants_it_is_told_the_catalogue_of_the_users_token() {
    let catalog = json!({"services": [{"id": "s", "type": "compute", "name": "nova", "endpoints": [
        {"id": "e", "interface": "public", "region": "r", "url": "http://n/$(project_id)s/%(user_id)s"},
    ]}]});
    let trust = json!({"trust": {"id": "t", "impersonation": false, "trustor_user_id": "trustor",
        "trustee_user_id": hex(ANN)}});
    for (record, user) in [(json!({}), hex(ANN)), (trust, "trustor")] {
        let config = json!({"token": {"catalog": true}});
        let mut world = World::new().with_config(&config).with_record(&record);
        world.catalog = catalog.clone();
        let headers = world.forwarded(&[("x-auth-token", &ann())]);
        let project = "b".repeat(32);
        assert_eq!(world.catalogs, [CatalogRequest { project: Some(project.clone()) }]);
        let value = value(&headers, "x-service-catalog").unwrap();
        let url = format!("\"publicURL\":\"http://n/{project}/{user}\"");
        assert!(value.contains(&url), "{value}");
    }
    // A token for nothing yet has none, and neither has one of a service that does not want it.
    for (scope, wants) in [(Scope::Unscoped, true), (Scope::Project(Id::uuid([0xbb; 16])), false)] {
        let mut world = World::new().with_config(&json!({"token": {"catalog": wants}}));
        let token = token_of(&Payload { scope, ..payload() });
        let headers = world.forwarded(&[("x-auth-token", &token)]);
        assert_eq!((value(&headers, "x-service-catalog"), world.catalogs.len()), (None, 0));
    }
}

#[test]
fn a_token_that_ends_while_it_waits_has_ended() {
    let world = World::new().with_record(&json!({"expires_at": NOW + 1,
        "application_credential": {"id": "a", "name": "a", "restricted": true}}));
    for wait in 0..3 {
        let mut gate = gate(&json!({"token": {"identity": "records", "catalog": true}}));
        let token = ann();
        let headers: [(&[u8], &[u8]); 1] = [(b"x-auth-token", token.as_bytes())];
        let head = RequestHead::new(&headers);
        let mut effect = gate.handle(now(), Input::Head { head, is_end: true });
        for step in 0..4 {
            let time = if step > wait { now() + Duration::from_secs(1) } else { now() };
            let input = match &effect {
                Effect::NeedKeys { .. } => Input::Keys(keys(1, &[1]).into()),
                Effect::NeedIdentity(request) => world.identity(request),
                Effect::NeedRevocations => Input::Revocations(Rc::new(world.revoked.clone())),
                Effect::NeedCatalog(request) => {
                    let record = from_value(json!({"services": []})).unwrap();
                    Input::Catalog(Rc::new(ServiceCatalog { request: request.clone(), record }))
                }
                _ => break,
            };
            effect = gate.handle(time, input);
        }
        assert_eq!(rejection(effect), Rejection::TokenExpired, "{wait}");
    }
}

#[test]
fn access_rules_are_asked_of_a_services_token_too() {
    let mut world = World::new();
    world.records[1].1["application_credential"] = json!({"id": "a", "name": "a",
        "restricted": true,
        "access_rules": [{"id": "r", "service": "image", "path": "/v2/**", "method": "GET"}]});
    let (ann, nova) = (ann(), nova());
    let headers = [("x-auth-token", ann.as_str()), ("x-service-token", &nova)];
    assert_eq!(world.rejection(&headers), Rejection::ServiceTokenInvalid);
}
