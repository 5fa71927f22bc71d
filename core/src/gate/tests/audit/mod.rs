//! What requests leave behind for the audit log, and the events that come of it.

mod decisions;
mod hostile;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::records::{ANN, World, ann, expired, hex, nova};
use super::token::{NOW, now};
use crate::audit::{AuditLog, End, MAX_EVENT};
use crate::config::Config;
use crate::gate::{Gate, Trail};
use crate::record::RevocationEvent;
use crate::source::SourceAddress;
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
    let source = || SourceAddress::from_socket("192.0.2.7:4711");
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
