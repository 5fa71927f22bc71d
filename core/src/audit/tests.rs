//! How many requests have an event.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::config::example;
use crate::gate::{Budget, Gate, Input, KnownTokens};
use crate::head::RequestHead;

fn config(audit: &Value) -> Rc<Config> {
    Rc::new(Config::parse(example::with(&json!({"audit": audit})).as_bytes()).unwrap())
}

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn trail(config: &Rc<Config>) -> Box<Trail> {
    let (budget, known) = (Rc::new(Budget::new(1)), Rc::new(KnownTokens::new(1, 1)));
    let mut gate = Gate::new(Rc::clone(config), budget, known);
    let _ = gate.handle(NOW, Input::Head { head: RequestHead::new(&[]), is_end: true });
    gate.take_trail().unwrap()
}

fn sampled(config: &Rc<Config>, seed: u64) -> (Vec<Option<String>>, Stats) {
    let mut log = AuditLog::new(config.audit.as_ref().unwrap(), None, seed);
    let trail = trail(config);
    let end = End { at: NOW, status: Some(401) };
    let events = (0..10_000).map(|_| log.record(config, &trail, end, || None).map(String::from));
    (events.collect(), log.take_stats())
}

#[test]
fn a_sample_has_its_share_and_another_with_another_seed() {
    let config = config(&json!({"log": true, "rules": [{"sample": "10%"}]}));
    let (events, stats) = sampled(&config, 1);
    let count = events.iter().flatten().count();
    assert!((900..1100).contains(&count), "{count}");
    let [recorded, left_out, ..] = stats.events().map(|(_, count)| count);
    assert_eq!((recorded, left_out), (u64::try_from(count).unwrap(), 10_000 - recorded));
    assert_eq!(sampled(&config, 1).0, events, "the same seed, the same sample");
    let is_there =
        |events: &[Option<String>]| events.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_ne!(is_there(&sampled(&config, 2).0), is_there(&events));
}

#[test]
fn where_the_client_is_is_asked_only_for_an_event() {
    for (sample, asked) in [("0.0001%", 0), ("100%", 1)] {
        let rule = json!({"sample": sample, "outcomes": ["failure"]});
        let config = config(&json!({"log": true, "rules": [rule]}));
        let mut log = AuditLog::new(config.audit.as_ref().unwrap(), None, 1);
        let mut count = 0;
        let end = End { at: NOW, status: Some(401) };
        let event = log.record(&config, &trail(&config), end, || {
            count += 1;
            None
        });
        assert_eq!((event.is_some(), count), (asked == 1, asked));
    }
}

#[test]
fn whoever_sees_is_called_what_the_configuration_says_or_the_node() {
    let observer = |audit: &Value, node| {
        let config = config(audit);
        let mut log = AuditLog::new(config.audit.as_ref().unwrap(), node, 1);
        let end = End { at: NOW, status: None };
        let event = log.record(&config, &trail(&config), end, || None).unwrap();
        serde_json::from_str::<Value>(event).unwrap()["observer"]["id"].take()
    };
    let named = json!({"log": true, "observer": {"id": "edge"}});
    assert_eq!(observer(&named, Some("node-1")), "edge");
    assert_eq!(observer(&json!({"log": true}), Some("node-1")), "node-1");
    assert_eq!(observer(&json!({"log": true}), None), "unknown");
}

#[test]
fn without_a_collector_nothing_waits() {
    let config = config(&json!({"log": true}));
    let mut log = AuditLog::new(config.audit.as_ref().unwrap(), None, 1);
    let end = End { at: NOW, status: None };
    assert!(log.record(&config, &trail(&config), end, || None).is_some());
    assert_eq!(log.waiting(), 0);
    assert!(log.next_tick().is_none() && !log.is_due(NOW + Duration::from_hours(1)));
    log.handle(NOW, Event::Tick);
    assert!(log.next_action(NOW + Duration::from_hours(1)).is_none());
}
