//! What clients send that want to write events of their own.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::super::records::{self, NOVA, World, ann, nova};
use super::super::signature::{self, NOTHING, Request};
use super::super::token::{gate, now};
use super::{audit, event_at, event_of, read, tag, written};
use crate::gate::Input;
use crate::head::RequestHead;

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
fn credentials_are_shown_nowhere_that_a_client_may_put_them() {
    let token = ann();
    let agent = format!("curl/8 {token}");
    let headers = [
        ("x-auth-token", "junk"),
        ("user-agent", &*agent),
        (":authority", "ann:hunter2@nova.example"),
        ("x-request-id", &token),
    ];
    let event = event_of(&headers, 401);
    assert_eq!(event["initiator"]["host"]["agent"], "***");
    assert_eq!(event["target"]["addresses"][0]["url"], "nova.example");
    let text = format!("{event}");
    assert!(!text.contains(&token[..64]) && !text.contains("hunter2"), "{text}");
    let event = event_of(&[("x-auth-token", &token), (":authority", &token)], 200);
    assert_eq!(event["target"]["addresses"][0]["url"], "***");
}

#[test]
fn a_long_name_of_a_client_is_cut() {
    for agent in ["a".repeat(65_536), "\"".repeat(65_536), "\u{e9}".repeat(32_768)] {
        let event = event_of(&[("user-agent", &agent)], 401);
        let shown = event["initiator"]["host"]["agent"].as_str().unwrap();
        assert!((80..=515).contains(&shown.len()), "{}", shown.len());
    }
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
    world.records[1].1 = records::record(NOVA, &["service"], &json!({"user": {"id": long}}));
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
