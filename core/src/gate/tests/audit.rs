//! What requests leave behind for the audit log, and the events that come of it.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::records::{ANN, World, ann, expired, hex, nova};
use super::signature::{self, HELLO, NOTHING, Request};
use super::token::{NOW, gate, keys, now};
use crate::audit::{AuditLog, End, MAX_EVENT};
use crate::config::Config;
use crate::gate::{Effect, Gate, Input, Trail};
use crate::head::RequestHead;
use crate::record::{AccessKeyFault, RevocationEvent};
use crate::refusal::Unknown;
use crate::time::UnixTime;

const PROJECT: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const AUDIT_ID: &str = "AQEBAQEBAQEBAQEBAQEBAQ";

fn audit() -> Value {
    json!({"audit": {
        "log": true,
        "target": {"id": "t1", "name": "nova", "type_uri": "service/compute"},
        "path_keywords": {"servers": "server"},
    }})
}

/// The event of a request that was over three milliseconds after it began.
fn written(config: &Config, trail: &Trail, began: UnixTime, status: Option<u16>) -> Option<String> {
    let mut log = AuditLog::new(config.audit.as_ref()?, Some("edge-1"), 7);
    let end = End { at: began + Duration::from_millis(3), status };
    let source = || Some(IpAddr::from([192, 0, 2, 7]));
    let event = log.record(config, trail, end, source).map(String::from)?;
    assert!(event.len() <= MAX_EVENT && !event.contains('\n'));
    Some(event)
}

fn read(event: &str) -> Value {
    serde_json::from_str(event).unwrap()
}

/// The event of a request with these headers that is answered with this status.
fn event_in(world: &mut World, headers: &[(&str, &str)], status: u16) -> Value {
    let _ = world.run(headers);
    let (config, trail) = world.left.take().unwrap();
    read(&written(&config, &trail, now(), Some(status)).unwrap())
}

fn event_of(headers: &[(&str, &str)], status: u16) -> Value {
    event_in(&mut World::new().with_config(&audit()), headers, status)
}

fn event_at(gate: &mut Gate, began: UnixTime, status: Option<u16>) -> Value {
    let config = Rc::clone(&gate.config);
    read(&written(&config, &trail_of(gate), began, status).unwrap())
}

fn trail_of(gate: &mut Gate) -> Box<Trail> {
    let trail = gate.take_trail().expect("a trail");
    assert!(gate.take_trail().is_none(), "there is one event of a request");
    trail
}

/// The value of a tag.
fn tag<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    let tags = event["tags"].as_array().unwrap().iter();
    let mut values = tags.filter_map(|tag| tag.as_str().unwrap().split_once("?value="));
    values.find(|(other, _)| *other == name).map(|(_, value)| value)
}

#[test]
fn a_request_with_a_token_has_an_event_with_all_that_is_known() {
    let headers = [
        ("x-auth-token", &*ann()),
        (":authority", "nova.example:8774"),
        ("user-agent", "openstacksdk/4 \"x\""),
        ("x-request-id", "2f6e9b7c-1"),
        ("x-openstack-request-id", "req-1"),
    ];
    let mut world = World::new().with_config(&audit());
    world.path = "/v2.1/servers/1?limit=1&X-Amz-Signature=hunter2";
    let mut event = event_in(&mut world, &headers, 200);
    let id = event["id"].take();
    // 2027-01-15T08:00:00Z, in milliseconds.
    assert!(id.as_str().unwrap().starts_with("01a3185c-5000-7000-"), "{id}");
    let measured = |id: &str, name: &str, result: &str| json!({"result": result, "metric": {"metricId": id, "unit": "us", "name": name}});
    let expected = json!({
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "eventType": "activity",
        "id": null,
        "eventTime": "2027-01-15T08:00:00.000000+0000",
        "action": "read",
        "outcome": "success",
        "reason": {"reasonType": "HTTP", "reasonCode": "200"},
        "initiator": {
            "id": hex(ANN),
            "typeURI": "service/security/account/user",
            "name": "Ann",
            "domain": "d1",
            "project_id": PROJECT,
            "credential": {
                "type": "token",
                "token": AUDIT_ID,
                "identity_status": "Confirmed",
                "kind": "project",
                "audit_chain_id": "AgICAgICAgICAgICAgICAg",
            },
            "host": {"address": "192.0.2.7", "agent": "openstacksdk/4 \"x\""},
            "request_id": "2f6e9b7c-1",
            "global_request_id": "req-1",
        },
        "target": {
            "id": "t1",
            "typeURI": "service/compute/servers/server",
            "name": "nova",
            "addresses": [{"url": "nova.example:8774"}],
        },
        "observer": {"id": "edge-1", "typeURI": "service/security/audit/filter"},
        "requestPath": "/v2.1/servers/1?limit=1&X-Amz-Signature=***",
        "tags": ["method?value=GET", "mechanism?value=token", "verdict?value=allowed",
                 "reason?value=none", "mode?value=enforce"],
        "measurements": [
            measured("5f0c1f4e-6d5b-5c59-9a60-2f2ce0a3f0a1", "request", "3000"),
            measured("b7c3d6c2-93a4-5d0e-8c5a-0f6c1b1c7e52", "decision", "0"),
        ],
    });
    assert_eq!(event, expected);
}

#[test]
fn whom_a_bad_token_names_is_told_as_far_as_the_token_is_genuine() {
    let revoked = RevocationEvent { issued_before: NOW, ..RevocationEvent::default() };
    let other = super::records::sealed(&super::token::key(2), &super::token::payload());
    let nobody = Value::Null;
    for (mut world, token, reason, user, name, audit_id) in [
        (World::new(), ann(), "none", hex(ANN), json!("Ann"), AUDIT_ID),
        (World::new(), expired(10), "token_expired", hex(ANN), nobody.clone(), AUDIT_ID),
        (World::new().revoke(&revoked), ann(), "token_revoked", hex(ANN), json!("Ann"), AUDIT_ID),
        (World::new(), other, "token_not_authentic", "unknown", nobody.clone(), "unknown"),
        (World::new(), "hunter2".into(), "token_malformed", "unknown", nobody.clone(), "unknown"),
    ] {
        world = world.with_config(&audit());
        let is_good = reason == "none";
        let event =
            event_in(&mut world, &[("x-auth-token", &token)], if is_good { 200 } else { 401 });
        assert_eq!(tag(&event, "reason"), Some(reason));
        assert_eq!(tag(&event, "verdict"), Some(if is_good { "allowed" } else { "rejected" }));
        assert_eq!(event["outcome"], if is_good { "success" } else { "failure" });
        let initiator = &event["initiator"];
        assert_eq!((&initiator["id"], &initiator["name"]), (&json!(user), &name), "{reason}");
        let credential = &initiator["credential"];
        assert_eq!(
            (&credential["type"], &credential["token"]),
            (&json!("token"), &json!(audit_id))
        );
        let status = if is_good { "Confirmed" } else { "Invalid" };
        assert_eq!(credential["identity_status"], status, "{reason}");
        assert!(!event.to_string().contains("hunter2") && !event.to_string().contains(&token));
    }
}

#[test]
fn nobody_is_nobody() {
    let event = event_of(&[], 401);
    assert_eq!(event["initiator"]["id"], "unknown");
    assert!(event["initiator"].get("credential").is_none());
    assert_eq!(tag(&event, "mechanism"), Some("none"));
    assert_eq!(tag(&event, "reason"), Some("token_missing"));
    let anonymous = json!({"missing": "anonymous"});
    let mut world = World::new().with_config(&audit()).with_config(&anonymous);
    assert_eq!(tag(&event_in(&mut world, &[], 200), "verdict"), Some("anonymous"));
    let bypass = json!({"bypass": [{"path_prefix": "/"}]});
    let mut world = World::new().with_config(&audit()).with_config(&bypass);
    let event = event_in(&mut world, &[("x-auth-token", &ann())], 200);
    assert_eq!(tag(&event, "verdict"), Some("bypassed"));
    assert!(event["initiator"].get("credential").is_none());
}

#[test]
fn a_service_that_asks_on_a_users_behalf_is_named_beside_the_user() {
    let headers = [("x-auth-token", &*ann()), ("x-service-token", &nova())];
    let event = event_of(&headers, 200);
    assert_eq!(event["initiator"]["id"], hex(ANN));
    assert_eq!(tag(&event, "service_user_id"), Some("dddddddddddddddddddddddddddddddd"));
    let event = event_of(&[("x-auth-token", &*ann()), ("x-service-token", "junk")], 401);
    assert_eq!(tag(&event, "reason"), Some("service_token_invalid"));
    assert_eq!(tag(&event, "service_user_id"), None);
}

#[test]
fn scopes_and_delegations_are_told() {
    let trust = json!({"trust": {"id": "t", "impersonation": true, "trustor_user_id": "trustor",
        "trustee_user_id": "trustee"}, "user": {"id": "trustor"}, "project": null, "is_system": true});
    let mut world = World::new().with_config(&audit()).with_record(&trust);
    let event = event_in(&mut world, &[("x-auth-token", &ann())], 200);
    let initiator = &event["initiator"];
    assert_eq!((&initiator["id"], &initiator["system_scope"]), (&json!("trustor"), &json!("all")));
    assert_eq!(initiator["credential"]["trust_id"], "t");
    assert_eq!(initiator["credential"]["trustee_user_id"], "trustee");
    let domain = json!({"project": null, "domain": {"id": "d9"}, "oauth1":
        {"access_token_id": "a1", "consumer_id": "c1"}});
    let mut world = World::new().with_config(&audit()).with_record(&domain);
    let event = event_in(&mut world, &[("x-auth-token", &ann())], 200);
    assert_eq!(event["initiator"]["domain_id"], "d9");
    assert_eq!(event["initiator"]["credential"]["access_token_id"], "a1");
    assert!(event["initiator"].get("project_id").is_none());
}

fn acl() -> Value {
    json!({"acl": {"rules": [{"name": "no-servers", "action": "deny",
        "to": [{"paths": ["/v2.1/servers"]}]}], "default": "allow"}})
}

#[test]
fn the_rule_that_decided_is_the_policy() {
    for (path, status, rule, said) in
        [("/v2.1/servers", 403, "no-servers", "deny"), ("/v2.1", 200, "default", "allow")]
    {
        let mut world = World::new().with_config(&audit()).with_config(&acl());
        world.path = path;
        let event = event_in(&mut world, &[("x-auth-token", &ann())], status);
        let expected = json!({"reasonType": "HTTP", "reasonCode": status.to_string(),
            "policyType": "voussoir/acl", "policyId": rule});
        assert_eq!(event["reason"], expected);
        assert_eq!(tag(&event, "acl"), Some(said));
        // Whoever may not is known all the same.
        assert_eq!(event["initiator"]["credential"]["identity_status"], "Confirmed");
    }
}

#[test]
fn in_shadow_mode_an_event_says_what_would_have_been() {
    let shadow = json!({"mode": "shadow"});
    let mut world = World::new().with_config(&audit()).with_config(&acl()).with_config(&shadow);
    let event = event_in(&mut world, &[("x-auth-token", &ann())], 200);
    assert_eq!(event["outcome"], "success");
    assert_eq!(event["reason"]["policyId"], "no-servers");
    assert_eq!(tag(&event, "verdict"), Some("rejected"));
    assert_eq!(tag(&event, "reason"), Some("acl_denied"));
    assert_eq!(tag(&event, "mode"), Some("shadow"));
    let event = event_in(&mut world, &[("x-auth-token", "junk")], 200);
    assert_eq!(
        (tag(&event, "verdict"), tag(&event, "reason")),
        (Some("rejected"), Some("token_malformed"))
    );
    assert_eq!(event["outcome"], "success");
}

#[test]
fn a_token_alone_tells_whose_it_is() {
    let mut gate = gate(&audit());
    let token = ann();
    let headers = [
        (&b":method"[..], &b"DELETE"[..]),
        (b":path", b"/v2.1/servers/1"),
        (b"x-auth-token", token.as_bytes()),
    ];
    let head = RequestHead::new(&headers);
    let _ = gate.handle(now(), Input::Head { head, is_end: true });
    let _ = gate.handle(now(), Input::Keys(keys(1, &[1]).into()));
    let event = event_at(&mut gate, now(), Some(204));
    assert_eq!(event["action"], "delete");
    assert_eq!(event["initiator"]["id"], hex(ANN));
    assert_eq!(event["initiator"]["project_id"], PROJECT);
    assert_eq!(event["initiator"]["credential"]["identity_status"], "Confirmed");
    assert!(event["initiator"].get("name").is_none());
}

#[test]
fn what_ends_undecided_has_an_event_and_so_has_what_cannot_be_known() {
    let waiting = || {
        let mut gate = gate(&audit());
        let token = ann();
        let headers =
            [(&b":method"[..], &b"GET"[..]), (b":path", b"/"), (b"x-auth-token", token.as_bytes())];
        let head = RequestHead::new(&headers);
        let effect = gate.handle(now(), Input::Head { head, is_end: true });
        assert!(matches!(effect, Effect::NeedKeys { .. }));
        gate
    };
    let event = event_at(&mut waiting(), now(), None);
    assert_eq!((tag(&event, "verdict"), tag(&event, "reason")), (Some("undecided"), Some("none")));
    assert_eq!(event["outcome"], "unknown");
    assert!(event.get("reason").is_none());
    assert_eq!(event["measurements"].as_array().unwrap().len(), 1);

    let mut gate = waiting();
    let later = now() + Duration::from_millis(2);
    let unknown = Input::Unknown { cause: Unknown::KeysUnavailable, retry_after: Duration::ZERO };
    let _ = gate.handle(later, unknown);
    let event = event_at(&mut gate, now(), Some(503));
    assert_eq!(
        (tag(&event, "verdict"), tag(&event, "reason")),
        (Some("unavailable"), Some("keys_unavailable"))
    );
    assert_eq!(event["measurements"][1]["result"], "2000");

    // The host failed to carry it out: that is the last word.
    let mut gate = waiting();
    let _ = gate.handle(later, Input::Keys(keys(1, &[1]).into()));
    let _ = gate.abort();
    let event = event_at(&mut gate, now(), Some(503));
    assert_eq!(tag(&event, "reason"), Some("host_failure"));
}

/// A gate that takes signatures.
fn s3_gate(changes: &Value) -> Gate {
    let mut all = json!({"audit": {"log": true}, "missing": "anonymous"});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    signature::gate(&all)
}

#[test]
fn a_signed_request_names_its_owner_and_one_that_is_not_names_nobody() {
    let mut gate = s3_gate(&json!({}));
    let _ = signature::run(&mut gate, &Request::get().signed(None));
    let event = event_at(&mut gate, signature::now(), Some(200));
    assert_eq!(event["initiator"]["id"], "u1");
    assert_eq!(event["initiator"]["project_id"], "p1");
    let credential = json!({"type": "signature", "token": "AKID", "identity_status": "Confirmed"});
    assert_eq!(event["initiator"]["credential"], credential);
    assert_eq!(tag(&event, "mechanism"), Some("signature"));
    assert_eq!(
        event["target"],
        json!({"id": "unknown", "typeURI": "unknown",
        "addresses": [{"url": "storage.example"}]})
    );

    let mut gate = s3_gate(&json!({}));
    let wrong = Request::get().authorized(&"0".repeat(64));
    let _ = signature::run(&mut gate, &wrong);
    let event = event_at(&mut gate, signature::now(), Some(403));
    assert_eq!(
        (&event["initiator"]["id"], tag(&event, "reason")),
        (&json!("unknown"), Some("signature_wrong"))
    );
    let credential = json!({"type": "signature", "token": "AKID", "identity_status": "Invalid"});
    assert_eq!(event["initiator"]["credential"], credential);

    let mut gate = s3_gate(&json!({}));
    let _ = wrong.arrive(&mut gate);
    let _ = gate.handle(signature::now(), Input::NoAccessKey(AccessKeyFault::AccessKeyUnknown));
    let event = event_at(&mut gate, signature::now(), Some(403));
    assert_eq!(tag(&event, "reason"), Some("access_key_unknown"));
    assert_eq!(event["initiator"]["credential"]["token"], "AKID");

    let mut gate = s3_gate(&json!({}));
    let _ = Request::of("s3", &[("authorization", "AWS4-HMAC-SHA256 junk")]).arrive(&mut gate);
    let event = event_at(&mut gate, signature::now(), Some(400));
    assert_eq!(tag(&event, "reason"), Some("signature_malformed"));
    assert_eq!(event["initiator"]["credential"]["token"], "unknown");
}

#[test]
fn a_body_that_is_wrong_is_the_last_word() {
    for (piece, status, verdict, reason) in
        [(&b"hello"[..], 200, "allowed", "none"), (b"hellO", 400, "rejected", "body_hash_wrong")]
    {
        let mut gate = s3_gate(&json!({}));
        let _ = signature::run(&mut gate, &Request::put(HELLO, 5).signed(None));
        let _ = signature::body(&mut gate, piece, true);
        let event = event_at(&mut gate, signature::now(), Some(status));
        assert_eq!((tag(&event, "verdict"), tag(&event, "reason")), (Some(verdict), Some(reason)));
        assert_eq!(event["initiator"]["id"], "u1");
    }
    // The head has passed, and the client went away.
    let mut gate = s3_gate(&json!({}));
    let _ = signature::run(&mut gate, &Request::put(HELLO, 5).signed(None));
    let event = event_at(&mut gate, signature::now(), None);
    assert_eq!(
        (tag(&event, "verdict"), &event["initiator"]["id"]),
        (Some("undecided"), &json!("u1"))
    );
    assert_eq!(event["initiator"]["credential"]["identity_status"], "Confirmed");
}

#[test]
fn rules_choose_by_what_is_asked_and_how_it_ended() {
    let rules = json!([
        {"verdicts": ["rejected"]},
        {"outcomes": ["failure"], "sample": "0%"},
        {"methods": ["GET"], "paths": ["/v2.1/**"], "sample": "0%"},
    ]);
    let config = json!({"audit": {"log": true, "rules": rules}});
    for (path, token, status, is_there) in [
        ("/v2.1/servers", ann(), 200, false),
        ("/v2.1/servers", "junk".into(), 401, true),
        ("/", ann(), 200, true),
        ("/", ann(), 500, false),
    ] {
        let mut world = World::new().with_config(&config);
        world.path = path;
        let _ = world.run(&[("x-auth-token", &token)]);
        let (config, trail) = world.left.take().unwrap();
        let event = written(&config, &trail, now(), Some(status));
        assert_eq!(event.is_some(), is_there, "{path} {status}");
    }
    let none = json!({"audit": {"log": true, "rules": [{"sample": "0%"}]}});
    let mut world = World::new().with_config(&none);
    let _ = world.run(&[("x-auth-token", &ann())]);
    assert!(world.left.is_none(), "nothing was kept of it");
}

#[test]
fn an_access_log_can_be_told_of_every_request_in_short() {
    let config = json!({"audit": {"filter_state": "summary", "rules": [{"sample": "0%"}]}});
    let mut world = World::new().with_config(&config).with_config(&acl());
    let _ = world.run(&[("x-auth-token", &ann())]);
    let (config, trail) = world.left.take().unwrap();
    assert_eq!(written(&config, &trail, now(), Some(200)), None);
    let mut log = AuditLog::new(config.audit.as_ref().unwrap(), None, 7);
    let expected = json!({
        "verdict": "rejected", "reason": "acl_denied", "rule": "no-servers", "mechanism": "token",
        "identity_status": "Confirmed", "user_id": hex(ANN), "user_name": "Ann",
        "project_id": PROJECT, "credential": AUDIT_ID,
    });
    assert_eq!(read(log.summary(&config, &trail)), expected);
}

#[test]
fn hostile_texts_are_texts() {
    let evil = "\u{1b}[2J\",\"outcome\":\"success\u{2028}\u{202e}";
    let headers = [
        ("x-auth-token", &*ann()),
        ("user-agent", evil),
        (":authority", evil),
        ("x-request-id", evil),
        ("x-openstack-request-id", "a b"),
    ];
    let record = json!({"user": {"id": evil, "name": evil, "domain": {"id": evil}}});
    let mut world = World::new().with_config(&audit()).with_record(&record);
    let _ = world.run(&headers);
    let (config, trail) = world.left.take().unwrap();
    let text = written(&config, &trail, now(), Some(401)).unwrap();
    assert!(text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{text}");
    let event = read(&text);
    assert_eq!(event["outcome"], "failure");
    let initiator = &event["initiator"];
    for text in [
        &initiator["id"],
        &initiator["name"],
        &initiator["host"]["agent"],
        &event["target"]["addresses"][0]["url"],
    ] {
        assert_eq!(text, evil);
    }
    assert!(initiator.get("request_id").is_none() && initiator.get("global_request_id").is_none());
    let bytes: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"\xff\n"),
        (b":path", b"/\xff\r\n"),
        (b":authority", b"\xff"),
        (b"user-agent", b"\xff\xfe"),
        (b"x-auth-token", b"\xff"),
    ];
    let mut gate = gate(&audit());
    let _ = gate.handle(now(), Input::Head { head: RequestHead::new(&bytes), is_end: true });
    let event = event_at(&mut gate, now(), Some(401));
    assert_eq!(event["requestPath"], "/%FF\r\n");
    assert_eq!(event["action"], "unknown");
    assert_eq!(tag(&event, "method"), Some("unknown"));
    assert_eq!(event["initiator"]["host"]["agent"], "\u{fffd}\u{fffd}");
}

#[test]
fn the_longest_event_has_its_limit() {
    let long = "\u{1}".repeat(1020);
    let config = json!({"audit": {
        "log": true,
        "observer": {"id": "\u{1}".repeat(255), "name": "\u{1}".repeat(255),
            "type_uri": format!("service/{}", "\"".repeat(120))},
        "target": {"id": "\u{1}".repeat(255), "name": "\u{1}".repeat(255),
            "type_uri": format!("service/{}", "\"".repeat(120))},
        "path_keywords": {"servers": "\"".repeat(64)},
        "custom_actions": {"x": format!("read/{}", "\"".repeat(59))},
    }, "acl": {"rules": [{"name": "a".repeat(64), "action": "allow"}]}});
    let record = json!({
        "user": {"id": long, "name": long, "domain": {"id": long}},
        "project": {"id": long, "name": long}, "domain": {"id": long}, "is_system": true,
        "trust": {"id": long, "impersonation": true, "trustor_user_id": long, "trustee_user_id": long},
        "oauth1": {"access_token_id": long, "consumer_id": long},
        "application_credential": {"id": long, "name": long, "restricted": true},
    });
    let mut world = World::new().with_config(&config).with_record(&record);
    world.records[1].1 =
        super::records::record(super::records::NOVA, &["service"], &json!({"user": {"id": long}}));
    let path = ["/", &"servers/1/".repeat(100), &"\u{1}".repeat(5000), "/x"].concat();
    world.path = String::leak(path);
    let id = "a".repeat(64);
    let headers = [
        ("x-auth-token", &*ann()),
        ("x-service-token", &nova()),
        ("user-agent", &long),
        (":authority", &long),
        ("x-request-id", &id),
        ("x-openstack-request-id", &id),
    ];
    let _ = world.run(&headers);
    let (config, trail) = world.left.take().unwrap();
    let event = written(&config, &trail, now(), Some(599)).unwrap();
    assert!(event.len() > 9_000, "all of it is there: {}", event.len());
    assert_eq!(read(&event)["initiator"]["host"]["address"], "192.0.2.7");
}

#[test]
fn without_an_audit_log_nothing_is_left_behind() {
    let mut world = World::new();
    let _ = world.run(&[("x-auth-token", &ann())]);
    assert!(world.left.is_none());
    let mut gate = signature::gate(&json!({}));
    let _ = signature::run(
        &mut gate,
        &Request::of("s3", &[("x-amz-content-sha256", NOTHING)]).signed(None),
    );
    assert!(gate.take_trail().is_none());
}
