//! How requests were decided, as events tell it: by rules, by bodies, by nobody.

use alloc::string::ToString as _;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::super::records::{ANN, World, ann, hex};
use super::super::signature::{self, HELLO, Request};
use super::super::token::{gate, keys, now};
use super::{AUDIT_ID, PROJECT, audit, event_at, event_in, read, tag, written};
use crate::audit::AuditLog;
use crate::gate::{Effect, Gate, Input};
use crate::head::RequestHead;
use crate::record::AccessKeyFault;
use crate::refusal::Unknown;

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

/// As lists are that are made of policies: in a route, with alternatives.
#[test]
fn the_rule_of_a_routes_list_is_the_policy() {
    let of = |key: &str, value: &str| json!({"key": key, "values": [value]});
    let list = json!({"rules": [{"name": "policy-2", "action": "allow",
        "to": [{"paths": ["/v2.1/{project_id}/servers"]}],
        "when_any": [[of("roles", "admin")], [of("roles", "Member"), of("project_id", "{project_id}")]]}]});
    let routed = json!({"acl": {"rules": []}, "routes": [
        {"name": "compute", "to": [{"paths": ["/v2.1/**"]}], "settings": {"acl": list}}]});
    let own = "/v2.1/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/servers";
    assert!(own.contains(PROJECT));
    for (path, status, rule, said) in
        [(own, 200, "policy-2", "allow"), ("/v2.1/1/servers", 403, "default", "deny")]
    {
        let mut world = World::new().with_config(&audit()).with_config(&routed);
        world.path = path;
        let event = event_in(&mut world, &[("x-auth-token", &ann())], status);
        assert_eq!(event["reason"]["policyId"], rule);
        assert_eq!(tag(&event, "acl"), Some(said));
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
    let credential = json!({"type": "sigv4", "token": "AKID", "identity_status": "Confirmed"});
    assert_eq!(event["initiator"]["credential"], credential);
    assert_eq!(tag(&event, "mechanism"), Some("sigv4"));
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
    let credential = json!({"type": "sigv4", "token": "AKID", "identity_status": "Invalid"});
    assert_eq!(event["initiator"]["credential"], credential);

    // It may be a secret in the wrong place, unless it looks like an access key.
    for (prefix, shown) in [("", "unknown"), ("AK", "AKID")] {
        let mut gate = s3_gate(&json!({"sigv4": {"access_key_prefix": prefix}}));
        let _ = wrong.arrive(&mut gate);
        let _ = gate.handle(signature::now(), Input::NoAccessKey(AccessKeyFault::AccessKeyUnknown));
        let event = event_at(&mut gate, signature::now(), Some(403));
        assert_eq!(tag(&event, "reason"), Some("access_key_unknown"));
        assert_eq!(event["initiator"]["credential"]["token"], shown);
    }

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
