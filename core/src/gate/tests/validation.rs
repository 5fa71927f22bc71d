//! Questions about tokens, answered in Keystone's place.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, from_str, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::records::{
    ANN, NOVA, World, ann, expired, hex, nova, record, revoked, sealed, token_of, value,
};
use super::token::{NOW, forwarded, gate, key, keys, now, payload, refused, set};
use crate::certificate::ClientCertificate;
use crate::config::{Config, example};
use crate::gate::{Effect, Input, Verdict};
use crate::head::RequestHead;
use crate::record::IdentityFault;
use crate::refusal::{Rejection, Reply, Unknown};
use crate::token::{Delegation, Id, Methods, Payload, Scope};

fn world() -> World {
    let mut world = World::new().with_config(&json!({"token": {"serve_validation": true}}));
    world.path = "/v3/auth/tokens";
    world
}

/// Where the callers are such users.
fn with_caller(changes: &Value, roles: &[&str]) -> World {
    let mut world = world();
    world.records[1].1 = record(NOVA, roles, changes);
    world
}

fn ask(world: &mut World, caller: &str, subject: &str) -> Effect {
    world.run(&[("x-auth-token", caller), ("x-subject-token", subject)])
}

fn answered(effect: Effect) -> (Reply, Option<Rejection>) {
    match refused(effect) {
        (reply, Verdict::Answered(rejection)) => (reply, rejection),
        other => panic!("not answered: {other:?}"),
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    value(&reply.headers, name)
}

fn token(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200);
    let mut answer: Value = from_str(&reply.body).unwrap();
    answer["token"].take()
}

#[test]
fn a_service_is_told_of_a_token_what_keystone_would_tell() {
    let mut world = world();
    world.catalog = json!({"services": [{"id": "s", "type": "compute", "name": "nova", "endpoints":
        [{"id": "e", "interface": "public", "region": "r", "url": "http://n/$(user_id)s"}]}]});
    let (reply, rejection) = answered(ask(&mut world, &nova(), &ann()));
    assert_eq!(rejection, None);
    assert_eq!(header(&reply, "x-subject-token"), Some(&*ann()));
    assert_eq!(header(&reply, "content-type"), Some("application/json"));
    assert_eq!(header(&reply, "vary"), Some("X-Auth-Token"));
    assert_eq!(reply.details, "voussoir_answered");
    let shown = token(&reply);
    assert_eq!(shown["user"]["id"], hex(ANN));
    assert_eq!(shown["methods"], json!(["token", "password"]));
    assert_eq!(shown["catalog"][0]["endpoints"][0]["url"], format!("http://n/{}", hex(ANN)));
    assert_eq!(world.catalogs.len(), 1);
    world.path = "/v3/auth/tokens?nocatalog";
    let (reply, _) = answered(ask(&mut world, &nova(), &ann()));
    assert_eq!((&token(&reply)["catalog"], world.catalogs.len()), (&Value::Null, 1));
}

#[test]
fn everything_else_passes_on_as_before() {
    for (method, path) in [
        ("POST", "/v3/auth/tokens"),
        ("DELETE", "/v3/auth/tokens"),
        ("GET", "/v3/auth/tokens/"),
        ("GET", "//v3/auth/tokens"),
        ("GET", "/v3/auth/%74okens"),
        ("GET", "/v3/auth/tokens?allow%5fexpired=1"),
        ("GET", "/v3/auth/tokens/OS-PKI/revoked"),
    ] {
        let mut world = world();
        (world.method, world.path) = (method, path);
        let (edits, verdict) = forwarded(ask(&mut world, &nova(), "junk"));
        assert_eq!(verdict, Verdict::Allowed, "{method} {path}");
        assert!(set(&edits).contains(&("x-user-id", hex(NOVA))));
    }
    // Where it is not wanted, so does the question itself.
    let mut world = World::new();
    world.path = "/v3/auth/tokens";
    assert_eq!(forwarded(ask(&mut world, &nova(), "junk")).1, Verdict::Allowed);
}

#[test]
fn a_caller_without_a_good_token_learns_nothing_whatever_is_left_to_the_service() {
    for missing in ["reject", "anonymous"] {
        for (caller, expected) in [
            (String::new(), Rejection::TokenMissing),
            ("junk".into(), Rejection::TokenMalformed),
            (sealed(&key(2), &payload()), Rejection::TokenNotAuthentic),
            (expired(1), Rejection::TokenExpired),
            (
                token_of(&Payload { user_id: Id::uuid([7; 16]), ..payload() }),
                Rejection::Identity(IdentityFault::UserDisabled),
            ),
        ] {
            // Not even with a service's word, or because the subject may have expired.
            let mut world = world().with_config(&json!({"missing": missing}));
            world.path = "/v3/auth/tokens?allow_expired=1";
            let (ann, nova) = (ann(), nova());
            let headers = [
                ("x-auth-token", caller.as_str()),
                ("x-subject-token", &ann),
                ("x-service-token", &nova),
            ];
            let (reply, verdict) = refused(world.run(&headers));
            assert_eq!((reply.status, verdict), (401, Verdict::Rejected(expected)));
            let challenge = header(&reply, "www-authenticate");
            assert_eq!(challenge, Some("Keystone uri=\"http://keystone/v3\""));
            assert_eq!(header(&reply, "vary"), Some("X-Auth-Token"));
        }
    }
    let mut world = world().revoke(&revoked(&json!({"user_id": hex(NOVA)})));
    let (reply, verdict) = refused(ask(&mut world, &nova(), &ann()));
    assert_eq!((reply.status, verdict), (401, Verdict::Rejected(Rejection::TokenRevoked)));
}

#[test]
fn a_subject_that_is_none_is_not_found() {
    let unknown = token_of(&Payload { user_id: Id::uuid([7; 16]), ..payload() });
    for (subject, expected) in [
        ("junk".into(), Rejection::TokenMalformed),
        (String::new(), Rejection::TokenMissing),
        ("a".repeat(4097), Rejection::TokenTooLong),
        (sealed(&key(2), &payload()), Rejection::TokenNotAuthentic),
        (expired(0), Rejection::TokenExpired),
        (unknown, Rejection::Identity(IdentityFault::UserDisabled)),
    ] {
        let (reply, rejection) = answered(ask(&mut world(), &nova(), &subject));
        assert_eq!((reply.status, rejection), (404, Some(expected)));
        let body =
            r#"{"error":{"code":404,"title":"Not Found","message":"Failed to validate token"}}"#;
        assert_eq!(reply.body, body, "it does not say why");
        assert_eq!(header(&reply, "x-subject-token"), None);
        assert_eq!(header(&reply, "vary"), Some("X-Auth-Token"));
        assert_eq!(reply.details, format!("voussoir_{}", expected.reason()));
        // Whoever may not ask learns as much.
        let mut world = with_caller(&json!({}), &["member"]);
        if expected != Rejection::TokenMissing {
            assert_eq!(answered(ask(&mut world, &nova(), &subject)).0.status, 404);
        }
    }
    let mut world = world().revoke(&revoked(&json!({"user_id": hex(ANN)})));
    let (_, rejection) = answered(ask(&mut world, &nova(), &ann()));
    assert_eq!(rejection, Some(Rejection::TokenRevoked));
}

#[test]
fn why_a_subject_is_none_is_for_those_who_may_ask_about_any() {
    let config = json!({"reason_header": "x-why"});
    for (roles, expected) in [(&["service"], Some("token_expired")), (&["member"], None)] {
        let mut world = with_caller(&json!({}), roles).with_config(&config);
        let (reply, rejection) = answered(ask(&mut world, &nova(), &expired(0)));
        assert_eq!((reply.status, rejection), (404, Some(Rejection::TokenExpired)));
        assert_eq!(header(&reply, "x-why"), expected);
    }
}

#[test]
fn a_trust_whose_trustor_is_gone_is_forbidden_to_both() {
    let faults = [
        (IdentityFault::TrustorDisabled, 403, 403),
        (IdentityFault::TrustRoleLost, 403, 403),
        (IdentityFault::TrustGone, 401, 404),
        (IdentityFault::ProjectDisabled, 401, 404),
    ];
    for (fault, caller_status, subject_status) in faults {
        for (bad, status) in [(hex(NOVA), caller_status), (hex(ANN), subject_status)] {
            let mut gate =
                gate(&json!({"token": {"identity": "records", "serve_validation": true}}));
            let (caller, subject) = (nova(), ann());
            let headers = [
                (&b":method"[..], &b"GET"[..]),
                (b":path", b"/v3/auth/tokens"),
                (b"x-auth-token", caller.as_bytes()),
                (b"x-subject-token", subject.as_bytes()),
            ];
            let head = RequestHead::new(&headers);
            let mut effect = gate.handle(now(), Input::Head { head, is_end: true });
            while !matches!(effect, Effect::Refuse(..)) {
                let input = match &effect {
                    Effect::NeedKeys { .. } => Input::Keys(keys(1, &[1]).into()),
                    Effect::NeedIdentity(request) if request.user == bad => {
                        Input::NoIdentity(fault)
                    }
                    Effect::NeedIdentity(request) => world().identity(request),
                    Effect::NeedRevocations => Input::Revocations(Rc::new(world().revoked())),
                    other => panic!("{other:?}"),
                };
                effect = gate.handle(now(), input);
            }
            assert_eq!(refused(effect).0.status, status, "{fault:?}");
        }
    }
}

#[test]
fn who_may_ask_is_keystones_policy() {
    for (roles, is_system, get, head) in [
        (&["admin"][..], false, 200, 200),
        (&["service"], false, 200, 403),
        (&["reader"], true, 200, 200),
        (&["reader"], false, 403, 403),
    ] {
        for (method, status) in [("GET", get), ("HEAD", head)] {
            let mut world = with_caller(&json!({"is_system": is_system}), roles);
            world.method = method;
            let (reply, verdict) = refused(ask(&mut world, &nova(), &ann()));
            assert_eq!(reply.status, status, "{roles:?} {method}");
            if status == 403 {
                assert_eq!(verdict, Verdict::Rejected(Rejection::ValidationForbidden));
                assert_eq!(header(&reply, "www-authenticate"), None);
                assert_eq!(header(&reply, "vary"), Some("X-Auth-Token"));
            }
            // About themselves all may ask, and about nothing only those who may ask about anyone.
            let (reply, _) = refused(ask(&mut world, &nova(), &nova()));
            assert_eq!(reply.status, 200);
            let (reply, _) = refused(world.run(&[("x-auth-token", &nova())]));
            assert_eq!(reply.status, if status == 200 { 404 } else { 403 });
        }
    }
}

#[test]
fn the_token_of_an_impersonating_trust_may_ask_about_the_trustors_and_not_about_itself() {
    let trust = json!({"trust": {"id": "t", "impersonation": true, "trustor_user_id": hex(NOVA),
        "trustee_user_id": hex(ANN)}});
    let mut world = world();
    world.records[0].1 = record(NOVA, &["member"], &trust);
    world.records[1].1 = record(NOVA, &["member"], &json!({}));
    let trust_id = Id::uuid([0xee; 16]);
    let of_trust = token_of(&Payload { delegation: Delegation::Trust { trust_id }, ..payload() });
    assert_eq!(refused(ask(&mut world, &of_trust, &nova())).0.status, 200);
    assert_eq!(refused(ask(&mut world, &of_trust, &of_trust)).0.status, 403);
    assert_eq!(refused(ask(&mut world, &nova(), &of_trust)).0.status, 403);
}

#[test]
fn a_token_that_a_signature_was_exchanged_for_may_not_ask() {
    // `ec2credential` in Keystone 30's list.
    let exchanged = token_of(&Payload { methods: Methods::Bits(64), ..payload() });
    let (reply, verdict) = refused(ask(&mut world(), &exchanged, &ann()));
    let expected = Verdict::Rejected(Rejection::ValidationForbidden);
    assert_eq!((reply.status, verdict), (403, expected));
    assert_eq!(answered(ask(&mut world(), &nova(), &exchanged)).0.status, 200);
}

#[test]
fn a_token_may_have_expired_where_the_caller_says_so() {
    let hour = 3600;
    for (query, ago, is_found) in [
        ("", 0, false),
        ("?allow_expired=1", 0, true),
        ("?allow_expired=0", 0, false),
        ("?allow_expired=true&nocatalog", 47 * hour, true),
        ("?allow_expired=1", 48 * hour, false),
    ] {
        let mut world = world();
        let path = format!("/v3/auth/tokens{query}");
        world.path = path.leak();
        let (reply, _) = answered(ask(&mut world, &nova(), &expired(ago)));
        assert_eq!(reply.status, if is_found { 200 } else { 404 }, "{query} {ago}");
    }
}

#[test]
fn access_rules_are_told_to_those_who_know_them_and_hold_for_those_who_have_them() {
    let ruled = json!({"application_credential": {"id": "a", "name": "a", "restricted": true,
        "access_rules": [{"id": "r", "service": "compute", "path": "/x", "method": "GET"}]}});
    let (ann, nova) = (ann(), nova());
    let headers = [("x-auth-token", nova.as_str()), ("x-subject-token", &ann)];
    let (reply, rejection) = answered(world().with_record(&ruled).run(&headers));
    assert_eq!((reply.status, rejection), (404, Some(Rejection::AccessRules)));
    let knows = [headers[0], headers[1], ("openstack-identity-access-rules", "1.0")];
    let (reply, _) = answered(world().with_record(&ruled).run(&knows));
    assert_eq!(token(&reply)["application_credential"]["access_rules"][0]["path"], "/x");

    // A caller with such rules may always `GET`; anything else a rule has to allow.
    let mut world = with_caller(&ruled, &["admin"]);
    assert_eq!(refused(world.run(&headers)).0.status, 200);
    world.method = "HEAD";
    let (reply, verdict) = refused(world.run(&headers));
    assert_eq!((reply.status, verdict), (401, Verdict::Rejected(Rejection::AccessRules)));
}

#[test]
fn what_keystone_may_know_better_is_left_to_it() {
    let restriction = Delegation::Restriction {
        token_restriction_id: Id::uuid([1; 16]),
        allow_renew: true,
        allow_rescope: true,
    };
    let restricted = token_of(&Payload { delegation: restriction, ..payload() });
    let later = key(1).seal_text(NOW, &[9; 16], &[0x91, 99]);
    let unreadable = key(1).seal_text(NOW, &[9; 16], b"\x90");
    for subject in [&restricted, &later, &unreadable] {
        let (edits, verdict) = forwarded(ask(&mut world(), &nova(), subject));
        assert_eq!(verdict, Verdict::Allowed);
        assert!(set(&edits).contains(&("x-user-id", hex(NOVA))), "the caller is presented");
        assert!(edits.remove.is_empty());
    }
    // The caller's own has to be known.
    let (reply, verdict) = refused(ask(&mut world(), &restricted, &ann()));
    assert_eq!(verdict, Verdict::Rejected(Rejection::TokenKindRefused));
    assert_eq!(reply.status, 401);
}

#[test]
fn a_certificate_is_the_callers_own_and_not_the_subjects() {
    let bound = Delegation::Oauth2Credential { thumbprint: "x".into() };
    let bound = token_of(&Payload { delegation: bound, ..payload() });
    let (reply, verdict) = answered(ask(&mut world(), &nova(), &bound));
    assert_eq!((reply.status, verdict), (200, None));
    for (certificate, expected) in [
        (ClientCertificate::None, Err(Rejection::CertificateMissing)),
        (ClientCertificate::known("y"), Err(Rejection::CertificateWrong)),
        (ClientCertificate::known("x"), Ok(200)),
    ] {
        let mut world = world();
        world.certificate = certificate;
        match (ask(&mut world, &bound, &bound), expected) {
            (effect, Ok(status)) => assert_eq!(answered(effect).0.status, status),
            (effect, Err(expected)) => {
                let (reply, verdict) = refused(effect);
                assert_eq!((reply.status, verdict), (401, Verdict::Rejected(expected)));
            }
        }
    }
}

#[test]
fn more_than_one_token_is_ambiguous() {
    let (ann, nova) = (ann(), nova());
    for headers in [
        [("x-auth-token", &nova), ("x-subject-token", &ann), ("x-subject-token", &ann)],
        [("x-auth-token", &nova), ("x-auth-token", &nova), ("x-subject-token", &ann)],
        [("x-auth-token", &nova), ("x-storage-token", &ann), ("x-subject-token", &ann)],
    ] {
        let headers = headers.map(|(name, token)| (name, token.as_str()));
        let (reply, verdict) = refused(world().run(&headers));
        assert_eq!((reply.status, verdict), (400, Verdict::Rejected(Rejection::TokenAmbiguous)));
    }
    let headers = [("x-storage-token", nova.as_str()), ("x-subject-token", &ann)];
    assert_eq!(answered(world().run(&headers)).0.status, 200);
}

#[test]
fn what_cannot_be_known_is_503_at_each_step_of_both_tokens() {
    for steps in 0..7 {
        let mut gate = gate(&json!({"token": {"identity": "records", "serve_validation": true}}));
        let (caller, subject) = (nova(), ann());
        let headers = [
            (&b":method"[..], &b"GET"[..]),
            (b":path", b"/v3/auth/tokens"),
            (b"x-auth-token", caller.as_bytes()),
            (b"x-subject-token", subject.as_bytes()),
        ];
        let head = RequestHead::new(&headers);
        let mut effect = gate.handle(now(), Input::Head { head, is_end: false });
        for _ in 0..steps {
            let input = match &effect {
                Effect::NeedKeys { .. } => Input::Keys(keys(1, &[1]).into()),
                Effect::NeedIdentity(request) => world().identity(request),
                Effect::NeedRevocations => Input::Revocations(Rc::new(world().revoked())),
                other => panic!("{other:?}"),
            };
            effect = gate.handle(now(), input);
        }
        assert_eq!(matches!(effect, Effect::NeedCatalog(_)), steps == 6);
        // A body, or the trailers of none, changes nothing.
        for input in [Input::Body { piece: b"x", is_end: true }, Input::Trailers] {
            assert_eq!(gate.handle(now(), input), Effect::Nothing);
        }
        let cause = Unknown::IdentityUnavailable;
        let retry_after = Duration::from_secs(3);
        let (reply, verdict) = refused(gate.handle(now(), Input::Unknown { cause, retry_after }));
        assert_eq!((reply.status, verdict), (503, Verdict::Unavailable(cause)));
        assert_eq!(header(&reply, "retry-after"), Some("3"));
        assert!(!gate.is_open());
    }
}

#[test]
fn a_token_that_ends_while_its_catalogue_is_waited_for_has_ended() {
    let mut gate = gate(&json!({"token": {"identity": "records", "serve_validation": true}}));
    let (caller, subject) = (nova(), ann());
    let headers = [
        (&b":method"[..], &b"GET"[..]),
        (b":path", b"/v3/auth/tokens"),
        (b"x-auth-token", caller.as_bytes()),
        (b"x-subject-token", subject.as_bytes()),
    ];
    let head = RequestHead::new(&headers);
    let mut effect = gate.handle(now(), Input::Head { head, is_end: true });
    loop {
        let (later, input) = match &effect {
            Effect::NeedKeys { .. } => (now(), Input::Keys(keys(1, &[1]).into())),
            Effect::NeedIdentity(request) => (now(), world().identity(request)),
            Effect::NeedRevocations => (now(), Input::Revocations(Rc::new(world().revoked()))),
            Effect::NeedCatalog(request) => {
                (now() + Duration::from_secs(1), world().catalog(request))
            }
            _ => break,
        };
        effect = gate.handle(later, input);
    }
    let (reply, rejection) = answered(effect);
    assert_eq!((reply.status, rejection), (404, Some(Rejection::TokenExpired)));
}

#[test]
fn shadow_mode_leaves_the_answer_to_keystone_and_counts_its_own() {
    let shadow = || world().with_config(&json!({"mode": "shadow"}));
    for (caller, subject, verdict, status) in [
        (nova(), ann(), Verdict::Answered(None), "Confirmed"),
        (nova(), "x".into(), Verdict::Answered(Some(Rejection::TokenMalformed)), "Confirmed"),
        (ann(), nova(), Verdict::Rejected(Rejection::ValidationForbidden), "Invalid"),
        ("x".into(), ann(), Verdict::Rejected(Rejection::TokenMalformed), "Invalid"),
    ] {
        let (edits, found) = forwarded(ask(&mut shadow(), &caller, &subject));
        assert_eq!(found, verdict);
        assert_eq!(set(&edits)[0], ("x-identity-status", status));
        assert!(edits.remove.is_empty());
    }
}

#[test]
fn an_unscoped_token_has_no_catalogue() {
    let mut world = world();
    let unscoped = token_of(&Payload { scope: Scope::Unscoped, ..payload() });
    world.records[0].1 = record(ANN, &[], &json!({"project": null}));
    let (reply, _) = answered(ask(&mut world, &nova(), &unscoped));
    let shown = token(&reply);
    assert_eq!(shown.get("catalog"), None);
    assert_eq!(shown.get("roles"), None);
    assert_eq!(world.catalogs, []);
}

#[test]
fn a_catalogue_that_is_too_long_is_left_to_keystone() {
    let mut world = world();
    let url = "$(user_id)s".repeat(80);
    let endpoint = json!({"id": "e", "interface": "public", "url": url});
    let endpoints: Vec<_> = vec![endpoint; 500];
    world.catalog = json!({"services": [{"id": "s", "type": "compute", "name": "",
        "endpoints": endpoints}]});
    assert!(world.catalog.to_string().len() < crate::record::MAX_CATALOG_BYTES);
    let (_, verdict) = forwarded(ask(&mut world, &nova(), &ann()));
    assert_eq!(verdict, Verdict::Allowed);
}

#[test]
fn it_needs_records_and_the_token() {
    for (changes, field) in [
        (json!({"identity": "payload", "serve_validation": true}), "token.serve_validation"),
        (json!({"identity": "payload", "serve_validation": false}), "token.serve_validation"),
        (
            json!({"identity": "records", "serve_validation": true, "forward": false}),
            "token.forward",
        ),
    ] {
        let error =
            Config::parse(example::with(&json!({"token": changes})).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{field}: must be ")), "{error}");
    }
}

#[test]
fn who_may_ask_is_also_what_the_list_says() {
    let rule = json!({"name": "services", "action": "allow", "to": [{"paths": ["/v3/auth/tokens"]}],
        "when": [{"key": "roles", "values": ["service"]}]});
    let acl = json!({"acl": {"rules": [rule]}});
    let (reply, rejection) = answered(ask(&mut world().with_config(&acl), &nova(), &ann()));
    assert_eq!((reply.status, rejection), (200, None));
    // Not even about itself, and whatever it asks about.
    for subject in [ann(), nova(), "junk".into()] {
        let mut world = with_caller(&json!({}), &["admin"]).with_config(&acl);
        let (reply, verdict) = refused(ask(&mut world, &nova(), &subject));
        assert_eq!((reply.status, verdict), (403, Verdict::Rejected(Rejection::AclDenied)));
        assert_eq!(header(&reply, "vary"), Some("X-Auth-Token"));
    }
    let (reply, _) = refused(ask(&mut world().with_config(&acl), "junk", &ann()));
    assert_eq!(reply.status, 401);
    let shadow = json!({"mode": "shadow"});
    let mut world = with_caller(&json!({}), &["admin"]).with_config(&acl).with_config(&shadow);
    let (_, verdict) = forwarded(ask(&mut world, &nova(), &ann()));
    assert_eq!(verdict, Verdict::Rejected(Rejection::AclDenied));
}
