//! What is made of the service's answers.

use alloc::vec::Vec;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::records::ann;
use super::token::{gate, now};
use crate::gate::{Gate, Input};
use crate::head::RequestHead;

/// Where requests without a token pass.
fn open(changes: &Value) -> Value {
    let mut config = json!({"missing": "anonymous", "token": {"identity": "records"}});
    for (name, value) in changes.as_object().unwrap() {
        match (config[name].as_object_mut(), value.as_object()) {
            (Some(section), Some(changes)) => section.extend(changes.clone()),
            _ => config[name] = value.clone(),
        }
    }
    config
}

fn asked(config: &Value, headers: &[(&str, &str)]) -> Gate {
    let mut gate = gate(config);
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let _ = gate.handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    gate
}

#[test]
fn a_401_of_the_services_own_says_where_tokens_come_from() {
    let gate = asked(&open(&json!({})), &[(":path", "/")]);
    assert!(gate.is_open() && gate.reads_status());
    let expected = "Keystone uri=\"http://keystone/v3\"";
    assert_eq!(gate.challenge(b"401"), Some(("www-authenticate", expected.into())));
    for status in [&b"200"[..], b"403", b"407", b"4010", b"", b"40"] {
        assert_eq!(gate.challenge(status), None);
    }
}

#[test]
fn no_other_answer_is_looked_at() {
    let bypass = json!({"bypass": [{"path": "/healthcheck"}]});
    let refused = json!({"missing": "reject"});
    let off = json!({"token": {"challenge_service_401": false}});
    let payload = json!({"token": {"identity": "payload"}});
    for (changes, path) in [
        (bypass, "/healthcheck"),
        (refused, "/"),
        (off, "/"),
        (payload, "/"),
        (json!({"mode": "shadow"}), "/"),
        (json!({"token": {"serve_validation": true}}), "/v3/users"),
    ] {
        let gate = asked(&open(&changes), &[(":method", "GET"), (":path", path)]);
        assert!(!gate.reads_status(), "{changes}");
        assert_eq!(gate.challenge(b"401"), None, "{changes}");
    }
    for identity in ["payload", "records"] {
        let on = json!({"token": {"identity": identity, "challenge_service_401": true}});
        assert!(asked(&open(&on), &[(":path", "/")]).reads_status());
    }
    // While nothing is decided, there is no answer but ours.
    let waiting = asked(&open(&json!({})), &[(":path", "/"), ("x-auth-token", &ann())]);
    assert!(!waiting.is_open() && !waiting.reads_status());
}
