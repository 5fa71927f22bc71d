//! What the section says, and what it may not say.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::rules::VERDICTS;
use super::{AuditRules, Collector, DEFAULT_COLLECTOR, DEFAULT_OBSERVER_TYPE, FilterState, Names};
use crate::config::{Config, example};
use crate::gate::{UNDECIDED, Verdict};

fn parse(audit: &Value) -> Result<AuditRules, String> {
    let config = Config::parse(example::with(&json!({"audit": audit})).as_bytes());
    config.map(|config| config.audit.unwrap()).map_err(|error| error.to_string())
}

#[test]
fn there_is_no_audit_log_by_default_and_a_short_one_has_all_requests() {
    assert!(Config::parse(example::with(&json!({})).as_bytes()).unwrap().audit.is_none());
    let rules = parse(&json!({"collector": {"cluster": "audit"}})).unwrap();
    let Collector { server, path, batch, every, queue } = rules.collector.unwrap();
    assert_eq!((&*server.authority, &*path), ("audit", "/"));
    assert_eq!(server.timeout, Duration::from_secs(5));
    assert_eq!((batch, every, queue), DEFAULT_COLLECTOR);
    assert_eq!(rules.filter_state, FilterState::None);
    assert!(!rules.log && rules.masked_parameters.is_empty());
    assert_eq!(rules.observer.type_uri, DEFAULT_OBSERVER_TYPE);
    assert_eq!(rules.target.type_uri, "unknown");
    assert!(parse(&json!({"log": true})).unwrap().collector.is_none());
}

#[test]
fn every_field_can_be_set() {
    let rules = parse(&json!({
        "observer": {"id": "edge-1", "name": "edge", "type_uri": "service/security"},
        "target": {"id": "t", "name": "nova", "type_uri": "service/compute"},
        "path_keywords": {"servers": "server", "detail": null},
        "custom_actions": {"reboot": "start/reboot", "os-migrations/get": "read"},
        "masked_parameters": ["Licence"],
        "log": true,
        "filter_state": "summary",
        "collector": {"cluster": "c", "authority": "a:1", "path": "/v1?x", "timeout": "2s",
            "bearer_token": "hunter2", "batch": 7, "every": "100ms", "queue": "64KiB"},
        "rules": [
            {"verdicts": ["rejected", "undecided"], "outcomes": ["failure", "unknown"]},
            {"methods": ["GET"], "paths": ["/health", "/v2.1/**"], "sample": "0.5%"},
            {"sample": "0%", "outcomes": ["success"]},
        ],
    }));
    let rules = rules.unwrap();
    assert_eq!(rules.observer.id.as_deref(), Some("edge-1"));
    assert_eq!(rules.target.name.as_deref(), Some("nova"));
    let Names { path_keywords, custom_actions } = &rules.names;
    let words = r#"Words([("detail", None), ("servers", Some("server"))])"#;
    assert_eq!(format!("{path_keywords:?}"), words);
    let words = r#"Words([("os-migrations/get", Some("read")), ("reboot", Some("start/reboot"))])"#;
    assert_eq!(format!("{custom_actions:?}"), words);
    assert_eq!(rules.masked_parameters, ["licence"]);
    assert!(rules.log);
    assert_eq!(rules.filter_state, FilterState::Summary);
    let Collector { server, path, batch, every, queue } = rules.collector.unwrap();
    assert!(server.secret.unwrap().matches(b"hunter2"));
    assert_eq!((&*server.authority, &*path, batch), ("a:1", "/v1?x", 7));
    assert_eq!((every, queue), (Duration::from_millis(100), 65_536));
    let rules = format!("{:?}", rules.rules);
    assert_eq!(rules.matches("Rule {").count(), 3);
    assert_eq!(rules.matches("PathTemplate").count(), 2);
    assert!(rules.contains("Sample(5000)") && rules.contains("\"undecided\""), "{rules}");
}

#[test]
fn names_a_field_outside_its_limits() {
    let long = "a".repeat(256);
    for (changes, field) in [
        (json!({"log": false}), "audit"),
        (json!({"observer": {"type_uri": "nova"}}), "audit.observer.type_uri"),
        (json!({"target": {"type_uri": "service/"}}), "audit.target.type_uri"),
        (json!({"target": {"type_uri": "services"}}), "audit.target.type_uri"),
        (json!({"target": {"id": ""}}), "audit.target.id"),
        (json!({"observer": {"name": long}}), "audit.observer.name"),
        (json!({"path_keywords": {"a b": null}}), "audit.path_keywords.a b"),
        (json!({"path_keywords": {"a": ""}}), "audit.path_keywords.a"),
        (json!({"custom_actions": {"a": null}}), "audit.custom_actions.a"),
        (json!({"custom_actions": {"a": "reboot"}}), "audit.custom_actions.a"),
        (json!({"masked_parameters": [""]}), "audit.masked_parameters"),
        (json!({"masked_parameters": vec!["a"; 65]}), "audit.masked_parameters"),
        (json!({"collector": {"cluster": ""}}), "audit.collector.cluster"),
        (json!({"collector": {"cluster": "c", "path": "v1"}}), "audit.collector.path"),
        (json!({"collector": {"cluster": "c", "timeout": "31s"}}), "audit.collector.timeout"),
        (
            json!({"collector": {"cluster": "c", "bearer_token": "a\n"}}),
            "audit.collector.bearer_token",
        ),
        (
            json!({"collector": {"cluster": "c", "bearer_token": ["hunter2"]}}),
            "audit.collector.bearer_token",
        ),
        (json!({"collector": {"cluster": "c", "batch": 0}}), "audit.collector.batch"),
        (json!({"collector": {"cluster": "c", "every": "99ms"}}), "audit.collector.every"),
        (json!({"collector": {"cluster": "c", "queue": "63KiB"}}), "audit.collector.queue"),
        (json!({"collector": {"cluster": "c", "queue": "65MiB"}}), "audit.collector.queue"),
        (json!({"rules": [{}, {"sample": "101%"}]}), "audit.rules[1].sample"),
        (json!({"rules": [{"verdicts": ["denied"]}]}), "audit.rules[0].verdicts[0]"),
        (json!({"rules": [{"verdicts": ["listener_check"]}]}), "audit.rules[0].verdicts[0]"),
        (json!({"rules": [{"methods": ["get"]}]}), "audit.rules[0].methods[0]"),
        (json!({"rules": [{"paths": ["/a", "/**/b"]}]}), "audit.rules[0].paths[1]"),
        (json!({"rules": vec![json!({}); 65]}), "audit.rules"),
        (json!({"rules": [{"paths": vec!["/a"; 257]}]}), "audit.rules"),
    ] {
        let mut whole = json!({"log": true});
        whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let message = parse(&whole).expect_err(field);
        assert!(message.starts_with(&format!("{field}: must be ")), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let message = parse(&json!({"rules": [{"verdicts": [""]}], "log": true})).unwrap_err();
    assert_eq!(
        message,
        "audit.rules[0].verdicts[0]: must be one of allowed, anonymous, answered, bypassed, \
         rejected, unavailable, undecided"
    );
    let words: Value = (0..257).map(|number| (number.to_string(), Value::Null)).collect();
    let message = parse(&json!({"path_keywords": words, "log": true})).unwrap_err();
    assert_eq!(message, "audit.path_keywords: must be at most 256 words");
    for unknown in [json!({"logs": true}), json!({"rules": [{"sampling": "1%"}], "log": true})] {
        assert!(parse(&unknown).unwrap_err().contains("unknown field"));
    }
}

#[test]
fn every_verdict_can_be_named_but_that_of_our_own_requests() {
    let all = Verdict::all().filter(|verdict| *verdict != Verdict::ListenerCheck);
    let mut names: Vec<_> = all.map(Verdict::outcome).chain([UNDECIDED]).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, VERDICTS);
}
