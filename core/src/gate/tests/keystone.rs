//! Requests with tokens about which Keystone itself is asked.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::token::{NOW, forwarded, gate, key, keys, now, payload, rejection, set};
use crate::cache::{Fault, Outcome, Record};
use crate::certificate::ClientCertificate;
use crate::fetch::Answer;
use crate::gate::{Effect, Input, Verdict};
use crate::head::RequestHead;
use crate::record::ValidationFault;
use crate::refusal::{Rejection, Unknown};
use crate::time::UnixTime;
use crate::token::{Expiry, Id, Payload};
use crate::validations::ValidationRequest;

/// What stands behind the gate: a Keystone, and perhaps keys.
struct World {
    config: Value,
    says: Vec<Said>,
    path: &'static str,
    now: UnixTime,
    certificate: ClientCertificate,
    /// Who asked about whom.
    questions: Vec<(String, String)>,
}

/// What Keystone says of a token to itself, and to a service: an answer 200, or another status.
struct Said {
    token: String,
    to_itself: Result<Value, u16>,
    to_service: Result<Value, u16>,
}

/// A token that a key opens, whose user has this byte in its id.
fn token(user: u8, expires_in: i64) -> String {
    let seconds = NOW.checked_add_signed(expires_in).unwrap();
    let payload = Payload {
        user_id: Id::uuid([user; 16]),
        expires_at: Expiry::from_whole_seconds(seconds).unwrap(),
        ..payload()
    };
    key(1).seal_text(NOW - 60, &[9; 16], &payload.encode())
}

fn answer(name: &str, roles: &[&str], changes: &Value) -> Value {
    let roles: Vec<_> = roles.iter().map(|role| json!({"id": role, "name": role})).collect();
    let mut token = json!({
        "methods": ["token", "password"],
        "user": {"id": name, "name": name, "domain": {"id": "d1", "name": "Users"},
            "password_expires_at": null},
        "audit_ids": ["AQEBAQEBAQEBAQEBAQEBAQ", "AgICAgICAgICAgICAgICAg"],
        "expires_at": "2027-01-15T08:00:01.000000Z",
        "issued_at": "2027-01-15T07:59:00.000000Z",
        "project": {"id": "p", "name": "web", "domain": {"id": "d2", "name": "Work"}},
        "is_domain": false,
        "roles": roles,
    });
    token.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    token.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"token": token})
}

impl World {
    fn new() -> Self {
        let ann = answer("ann", &["member", "reader"], &json!({}));
        let nova = answer("nova", &["service"], &json!({}));
        Self {
            config: json!({
                "keyserver": null,
                "keystone": {"cluster": "keystone"},
                "token": {"identity": "keystone", "service_type": "compute"},
            }),
            says: vec![
                Said { token: ann_token(), to_itself: Ok(ann.clone()), to_service: Ok(ann) },
                Said { token: nova_token(), to_itself: Ok(nova), to_service: Err(404) },
            ],
            path: "/v2.1/servers",
            now: now(),
            certificate: ClientCertificate::None,
            questions: Vec::new(),
        }
    }

    fn with_keys() -> Self {
        let mut world = Self::new();
        world.config["keyserver"] = json!({"cluster": "keyserver"});
        world
    }

    /// What Keystone says of Ann's token.
    fn says(mut self, to_itself: Result<Value, u16>, to_service: Result<Value, u16>) -> Self {
        self.says.insert(0, Said { token: ann_token(), to_itself, to_service });
        self
    }

    fn run(&mut self, headers: &[(&str, &str)]) -> Effect {
        let mut all: Vec<(&[u8], &[u8])> =
            vec![(b":method", b"GET"), (b":path", self.path.as_bytes())];
        all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let mut gate = gate(&self.config);
        let head = RequestHead::new(&all);
        let mut effect = gate.handle(self.now, Input::Head { head, is_end: true });
        for _ in 0..20 {
            let input = match &effect {
                Effect::NeedKeys { .. } => {
                    assert!(!self.config["keyserver"].is_null());
                    Input::Keys(keys(1, &[1]).into())
                }
                Effect::NeedValidation(request) => self.validation(&request.clone()),
                Effect::NeedCertificate => Input::Certificate(self.certificate.clone()),
                _ => break,
            };
            assert!(!gate.is_open());
            effect = gate.handle(self.now, input);
        }
        assert_eq!(gate.is_open(), matches!(effect, Effect::Forward(..)));
        effect
    }

    fn validation(&mut self, request: &ValidationRequest) -> Input<'static> {
        let (token, caller) = request.tokens().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (token, caller) = (text(token.expose()), text(caller.expose()));
        assert_eq!(request.is_vouched_for(), token != caller);
        self.questions.push((name_of(&token), name_of(&caller)));
        let known = self.says.iter().find(|said| said.token == token);
        let said = known.map_or(Err(401), |said| {
            if token == caller { said.to_itself.clone() } else { said.to_service.clone() }
        });
        let (status, body) = match said {
            Ok(body) => (200, body.to_string()),
            Err(status) => (status, json!({"error": {"code": status}}).to_string()),
        };
        let status = status.to_string();
        let answer = Answer {
            status: status.as_bytes(),
            subject_token: Some(token.as_bytes()),
            body: body.as_bytes(),
            ..Answer::default()
        };
        match request.read(answer).unwrap() {
            Outcome::Record(Record::Validation(validation)) => Input::Validation(validation),
            Outcome::Denied(Fault::Validation(fault))
            | Outcome::DeniedToAsker(Fault::Validation(fault)) => Input::NoValidation(fault),
            other => panic!("{other:?}"),
        }
    }

    fn forwarded(&mut self, headers: &[(&str, &str)]) -> Vec<(String, String)> {
        let (edits, verdict) = forwarded(self.run(headers));
        assert_eq!(verdict, Verdict::Allowed);
        let owned = set(&edits).into_iter().map(|(name, value)| (name.into(), value.into()));
        owned.collect()
    }

    fn rejection(&mut self, headers: &[(&str, &str)]) -> Rejection {
        rejection(self.run(headers))
    }
}

fn ann_token() -> String {
    token(0xaa, 1)
}

fn nova_token() -> String {
    token(0xdd, 1)
}

fn name_of(token: &str) -> String {
    let known = [(ann_token(), "ann"), (nova_token(), "nova")];
    let known = known.iter().find(|(other, _)| other == token);
    known.map_or("somebody", |(_, name)| name).into()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn asked(questions: &[(&str, &str)]) -> Vec<(String, String)> {
    questions.iter().map(|(token, by)| ((*token).into(), (*by).into())).collect()
}

#[test]
fn a_service_sees_what_keystone_says() {
    for mut world in [World::new(), World::with_keys()] {
        let headers = world.forwarded(&[("x-auth-token", &ann_token())]);
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("x-identity-status", "Confirmed"),
                ("x-user-id", "ann"),
                ("x-user-name", "ann"),
                ("x-user-domain-id", "d1"),
                ("x-user-domain-name", "Users"),
                ("x-project-id", "p"),
                ("x-project-name", "web"),
                ("x-project-domain-id", "d2"),
                ("x-project-domain-name", "Work"),
                ("x-roles", "member,reader"),
                ("x-is-admin-project", "True"),
                ("x-role", "member,reader"),
                ("x-user", "ann"),
                ("x-tenant-id", "p"),
                ("x-tenant-name", "web"),
                ("x-tenant", "web"),
                ("x-voussoir-token-kind", "project"),
                ("x-voussoir-token-methods", "token,password"),
                ("x-voussoir-token-audit-ids", "AQEBAQEBAQEBAQEBAQEBAQ,AgICAgICAgICAgICAgICAg"),
                ("x-voussoir-token-expires-at", "2027-01-15T08:00:01.000000Z"),
                ("x-voussoir-token-issued-at", "2027-01-15T07:59:00.000000Z"),
            ]
        );
        assert_eq!(world.questions, asked(&[("ann", "ann")]));
    }
}

#[test]
fn with_keys_garbage_is_no_question_for_keystone() {
    let mut world = World::with_keys();
    let foreign = key(2).seal_text(NOW - 60, &[9; 16], &payload().encode());
    let bound = Payload {
        delegation: crate::token::Delegation::Oauth2Credential { thumbprint: "t".into() },
        ..payload()
    };
    let bound = key(1).seal_text(NOW - 60, &[9; 16], &bound.encode());
    for (token, expected) in [
        ("garbage", Rejection::TokenMalformed),
        (foreign.as_str(), Rejection::TokenNotAuthentic),
        (&token(0xaa, 0), Rejection::TokenExpired),
        (&bound, Rejection::CertificateMissing),
    ] {
        assert_eq!(world.rejection(&[("x-auth-token", token)]), expected);
    }
    assert_eq!(world.questions, []);
    // Without, it is asked of all that looks like a token.
    let mut world = World::new();
    let malformed = world.rejection(&[("x-auth-token", "garbage")]);
    assert_eq!((malformed, world.questions.len()), (Rejection::TokenMalformed, 0));
    let denied = Rejection::Keystone(ValidationFault::Denied);
    assert_eq!(world.rejection(&[("x-auth-token", &foreign)]), denied);
    assert_eq!(world.questions.len(), 1);
}

#[test]
fn a_token_ends_to_the_microsecond_whatever_is_held() {
    let end = json!({"expires_at": "2027-01-15T08:00:00.000002Z"});
    for (micros, expected) in [(1, None), (2, Some(Rejection::TokenExpired))] {
        let said = Ok(answer("ann", &["member"], &end));
        let mut world = World::new().says(said.clone(), said);
        world.now = now() + Duration::from_micros(micros);
        match expected {
            Some(expected) => {
                assert_eq!(world.rejection(&[("x-auth-token", &ann_token())]), expected);
            }
            None => {
                world.forwarded(&[("x-auth-token", &ann_token())]);
            }
        }
    }
}

#[test]
fn a_service_asks_for_its_user() {
    let ended = json!({"expires_at": "2027-01-15T06:00:00.000000Z"});
    let said = Ok(answer("ann", &["member"], &ended));
    let both = [("x-auth-token", &*ann_token()), ("x-service-token", &*nova_token())];
    let mut world = World::new().says(Err(401), said.clone());
    let headers = world.forwarded(&both);
    assert_eq!(world.questions, asked(&[("nova", "nova"), ("ann", "nova")]));
    assert_eq!(value(&headers, "x-service-user-name"), Some("nova"));
    assert_eq!(value(&headers, "x-user-name"), Some("ann"));
    // For as long as is configured, whatever Keystone thinks.
    let mut world = World::new().says(Err(401), said);
    world.config["token"]["allow_expired_window"] = "1h".into();
    assert_eq!(world.rejection(&both), Rejection::TokenExpired);
}

#[test]
fn whom_keystone_does_not_answer_asks_no_more_and_the_token_asks_itself() {
    let both = [("x-auth-token", &*ann_token()), ("x-service-token", &*nova_token())];
    let ann = || Ok(answer("ann", &["member"], &json!({})));
    for status in [401, 403] {
        let mut world = World::new().says(ann(), Err(status));
        world.forwarded(&both);
        let questions = [("nova", "nova"), ("ann", "nova"), ("ann", "ann")];
        assert_eq!(world.questions, asked(&questions));
    }
    let mut world = World::new().says(ann(), Err(404));
    let denied = Rejection::Keystone(ValidationFault::Denied);
    assert_eq!(world.rejection(&both), denied);
    let mut world = World::new().says(Err(403), Err(403));
    let forbidden = Rejection::Keystone(ValidationFault::Forbidden);
    assert_eq!(world.rejection(&both), forbidden);
    // One without the role does not ask at all.
    let mut world = World::new().says(ann(), Err(404));
    world.config["token"]["service_token_roles"] = json!(["other"]);
    world.config["token"]["service_token_roles_required"] = json!(false);
    world.forwarded(&both);
    assert_eq!(world.questions, asked(&[("nova", "nova"), ("ann", "ann")]));
}

#[test]
fn a_service_that_is_none_is_not_left_out() {
    let token = token(0xee, 1);
    let both = [("x-auth-token", &*ann_token()), ("x-service-token", &*token)];
    assert_eq!(World::new().rejection(&both), Rejection::ServiceTokenInvalid);
    let mut world = World::new();
    world.config["missing"] = "anonymous".into();
    let (edits, verdict) = forwarded(world.run(&both));
    assert_eq!(verdict, Verdict::Anonymous(Rejection::ServiceTokenInvalid));
    assert!(set(&edits).contains(&("x-service-identity-status", "Invalid")));
    assert_eq!(world.questions, asked(&[("somebody", "somebody"), ("ann", "ann")]));
}

#[test]
fn a_refusal_of_keystones_is_one_of_ours() {
    for (status, fault) in [
        (401, ValidationFault::Denied),
        (404, ValidationFault::Denied),
        (403, ValidationFault::Forbidden),
    ] {
        let mut world = World::new().says(Err(status), Err(status));
        let expected = Rejection::Keystone(fault);
        assert_eq!(world.rejection(&[("x-auth-token", &ann_token())]), expected);
        world.config["missing"] = "anonymous".into();
        let (_, verdict) = forwarded(world.run(&[("x-auth-token", &ann_token())]));
        assert_eq!(verdict, Verdict::Anonymous(expected));
    }
    let odd = Ok(answer("ann", &["one,two"], &json!({})));
    let mut world = World::new().says(odd.clone(), odd);
    let expected = Rejection::Keystone(ValidationFault::Unpresentable);
    assert_eq!(world.rejection(&[("x-auth-token", &ann_token())]), expected);
}

#[test]
fn access_rules_hold() {
    let rules =
        json!([{"id": "r", "service": "compute", "path": "/v2.1/servers", "method": "GET"}]);
    let credential = json!({"application_credential":
        {"id": "a", "name": "a", "restricted": true, "access_rules": rules}});
    let said = Ok(answer("ann", &["member"], &credential));
    let mut world = World::new().says(said.clone(), said);
    world.forwarded(&[("x-auth-token", &ann_token())]);
    world.path = "/v2.1/images";
    assert_eq!(world.rejection(&[("x-auth-token", &ann_token())]), Rejection::AccessRules);
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_for_its_owner() {
    let bound = Ok(answer("ann", &["member"], &json!({"oauth2_credential": {"x5t#S256": "t"}})));
    for (certificate, expected) in [
        (ClientCertificate::None, Some(Rejection::CertificateMissing)),
        (ClientCertificate::known("other"), Some(Rejection::CertificateWrong)),
        (ClientCertificate::known("t"), None),
    ] {
        let mut world = World::new().says(bound.clone(), bound.clone());
        world.certificate = certificate;
        let headers = [("x-auth-token", &*ann_token())];
        match expected {
            Some(expected) => assert_eq!(world.rejection(&headers), expected),
            None => {
                assert_eq!(value(&world.forwarded(&headers), "x-roles"), Some("member"));
            }
        }
    }
}

#[test]
fn a_catalogue_is_told_where_it_is_wanted() {
    let catalog = json!({"catalog": [{"id": "s", "type": "compute", "name": "nova", "endpoints": [
        {"id": "e", "interface": "public", "region_id": "R", "region": "R", "url": "http://x/%"}]}]});
    let said = Ok(answer("ann", &["member"], &catalog));
    for is_wanted in [true, false] {
        let mut world = World::new().says(said.clone(), said.clone());
        world.config["token"]["catalog"] = is_wanted.into();
        let headers = world.forwarded(&[("x-auth-token", &ann_token())]);
        let json = r#"[{"type":"compute","name":"nova","endpoints":[{"region":"R","publicURL":"http://x/%"}]}]"#;
        assert_eq!(value(&headers, "x-service-catalog"), is_wanted.then_some(json));
    }
}

#[test]
fn what_cannot_be_known_is_503_whatever_is_left_to_the_service() {
    for missing in ["reject", "anonymous"] {
        let mut config = World::new().config;
        config["missing"] = missing.into();
        let mut gate = gate(&config);
        let token = ann_token();
        let headers: [(&[u8], &[u8]); 1] = [(b"x-auth-token", token.as_bytes())];
        let head = RequestHead::new(&headers);
        let effect = gate.handle(now(), Input::Head { head, is_end: true });
        assert!(matches!(effect, Effect::NeedValidation(_)));
        for input in [Input::Body { piece: b"x", is_end: false }, Input::Trailers] {
            assert_eq!(gate.handle(now(), input), Effect::Nothing);
        }
        let cause = Unknown::KeystoneUnavailable;
        let retry_after = Duration::from_secs(3);
        let effect = gate.handle(now(), Input::Unknown { cause, retry_after });
        let Effect::Refuse(reply, verdict) = effect else { panic!("{effect:?}") };
        assert_eq!((reply.status, verdict), (503, Verdict::Unavailable(cause)));
    }
}

#[test]
fn nothing_shows_the_token() {
    let mut gate = gate(&World::new().config);
    let token = ann_token();
    let headers: [(&[u8], &[u8]); 1] = [(b"x-auth-token", token.as_bytes())];
    let head = RequestHead::new(&headers);
    let effect = gate.handle(now(), Input::Head { head, is_end: true });
    let shown = format!("{effect:?} {gate:?}");
    assert!(shown.contains("NeedValidation") && !shown.contains(&token[8..]));
}
