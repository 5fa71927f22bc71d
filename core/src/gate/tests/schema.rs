//! Requests that are held against a document of their API.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::known_tokens;
use super::token::{gate, key, keys, now, payload, refused};
use crate::config::{Config, example};
use crate::gate::budget::Share;
use crate::gate::{Budget, Effect, Gate, Input, Verdict};
use crate::head::RequestHead;
use crate::refusal::{BodyFault, Rejection, SchemaFault, Unknown};
use crate::schema::Outcome;

/// `GET /servers?limit=`, `POST /servers` with `{"name": ...}`, and `PUT /images` of anything.
fn compiled() -> Value {
    let limit = json!({"in": "query", "name": "limit", "form": "typed", "node": 1});
    let json = json!([{"type": "application/json", "node": 0}]);
    let image = json!([{"type": "image/png"}]);
    json!({
        "voussoir_schema": 1,
        "paths": [
            {"path": "/servers", "operations": [
                {"method": "GET", "parameters": [limit]},
                {"method": "POST", "body": {"required": true, "content": json}},
            ]},
            {"path": "/images", "operations": [{"method": "PUT", "body": {"content": image}}]},
        ],
        "nodes": [
            {"type": ["object"], "properties": {"name": 2}, "required": ["name"]},
            {"type": ["integer"]},
            {"type": ["string"]},
        ],
        "patterns": [],
    })
}

/// A gate with one document, which is changed in this.
fn held(schema: &Value, changes: &Value) -> Gate {
    let mut whole = json!({"name": "compute", "compiled": compiled(), "max_body": "64B"});
    for (name, value) in schema.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let mut all = json!({"hold_headers": true, "reason_header": "x-why", "schema": [whole]});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    gate(&all)
}

fn token() -> String {
    key(1).seal_text(super::token::NOW - 60, &[9; 16], &payload().encode())
}

/// Hands in a head, and keys if they are asked for.
fn ask(
    gate: &mut Gate,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    is_end: bool,
) -> Effect {
    let token = token();
    let mut all: Vec<(&[u8], &[u8])> = vec![
        (b":method", method.as_bytes()),
        (b":path", path.as_bytes()),
        (b":authority", b"api.example"),
        (b"x-auth-token", token.as_bytes()),
    ];
    all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let effect = gate.handle(now(), Input::Head { head: RequestHead::new(&all), is_end });
    match effect {
        Effect::NeedKeys { .. } => gate.handle(now(), Input::Keys(keys(1, &[1]).into())),
        effect => effect,
    }
}

fn post(gate: &mut Gate, body: &[u8]) -> Effect {
    let effect = ask(gate, "POST", "/servers", &[("content-type", "application/json")], false);
    assert_eq!(effect, Effect::NeedRest { until: now() + Duration::from_secs(10) });
    let (first, second) = body.split_at(body.len() / 2);
    assert!(!gate.is_open() && gate.reads_body());
    assert_eq!(piece(gate, first, false), Effect::Nothing);
    piece(gate, second, true)
}

fn piece(gate: &mut Gate, piece: &[u8], is_end: bool) -> Effect {
    gate.handle(now(), Input::Body { piece, is_end })
}

fn passes(effect: &Effect) -> bool {
    matches!(effect, Effect::Forward(..))
}

const GOOD: &[u8] = br#"{"name":"a"}"#;
const BAD: &[u8] = br#"{"name":["<\"&"]}"#;

#[test]
fn a_body_passes_when_it_has_come_and_is_right() {
    let mut gate = held(&json!({}), &json!({}));
    assert!(passes(&post(&mut gate, GOOD)));
    assert!(gate.is_open() && !gate.reads_body());
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Valid)));
    assert_eq!(gate.take_schema_outcome(), None);
}

#[test]
fn who_sends_what_is_wrong_is_told_where() {
    let violated = SchemaFault::Violated;
    for (body, message) in [
        (BAD, "/body/name: must be a string."),
        (b"{\"name\":\"a\",\"x\\\"<\":1,\"x\\\"<\":1}", "/body/x\"<: is there twice."),
        (b"{}", "/body/name: is missing."),
        (b"{", "/body: is not JSON in UTF-8, or is nested too deeply."),
    ] {
        let mut gate = held(&json!({}), &json!({}));
        let (reply, verdict) = refused(post(&mut gate, body));
        assert_eq!(verdict, Verdict::Rejected(Rejection::Schema(violated)));
        let error: Value = serde_json::from_str(&reply.body).unwrap();
        let expected = json!({"code": 400, "title": "Bad Request", "message": message});
        assert_eq!(error["error"], expected);
        assert_eq!(reply.details, "voussoir_schema_violated");
        assert!(reply.headers.contains(&("x-why".into(), "schema_violated".into())));
        assert!(!gate.is_open());
        assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Flawed(violated))));
        // What comes then does not open it again.
        assert_eq!(piece(&mut gate, GOOD, true), Effect::Nothing);
    }
}

#[test]
fn nobody_makes_a_head_much_work_whoever_it_is() {
    let list = |place| json!({"in": place, "name": "x-tags", "form": "typed", "list": "commas", "node": 3});
    let mut compiled = compiled();
    compiled["paths"][0]["operations"][0]["parameters"] = json!([list("header"), list("query")]);
    let nodes = compiled["nodes"].as_array_mut().unwrap();
    nodes.push(json!({"type": ["array"], "items": 1, "uniqueItems": true}));
    let complex = Verdict::Rejected(Rejection::Schema(SchemaFault::TooComplex));
    let told = |path: &str, tags: &str| {
        let mut gate = held(&json!({"compiled": compiled.clone()}), &json!({}));
        let effect = ask(&mut gate, "GET", path, &[("x-tags", tags)], true);
        if passes(&effect) { None } else { Some(refused(effect).1) }
    };
    let tags = |count: usize| {
        let tags: Vec<_> = (0..count).map(|number| alloc::format!("{number}")).collect();
        tags.join(",")
    };
    assert_eq!(told("/servers", &tags(50)), None);
    assert_eq!(told("/servers", &tags(513)), Some(complex), "more than may be in a list");
    assert_eq!(told("/servers", &"1".repeat(60_000)), None, "one, however long");
    let twice = alloc::format!("/servers?x-tags={}", tags(120));
    assert_eq!(told(&twice, &tags(50)), None);
    assert_eq!(told(&twice, &tags(160)), Some(complex), "each is compared with each");
}

/// `/a;x` is `/a` to servers that know parameters of segments, and so is the variable in it.
#[test]
fn a_variable_is_right_in_each_way_to_read_it() {
    let mut compiled = compiled();
    let name = json!({"in": "path", "name": "name", "required": true, "form": "text", "node": 3});
    let operations = json!([{"method": "GET", "parameters": [name]}]);
    compiled["paths"]
        .as_array_mut()
        .unwrap()
        .push(json!({"path": "/named/{name}", "operations": operations}));
    compiled["nodes"].as_array_mut().unwrap().push(json!({"type": ["string"], "minLength": 4}));
    for (path, is_right) in
        [("/named/abcd", true), ("/named/abcd;x", true), ("/named/ab;xy", false)]
    {
        let mut gate = held(&json!({"compiled": compiled.clone()}), &json!({}));
        let effect = ask(&mut gate, "GET", path, &[], true);
        assert_eq!(passes(&effect), is_right, "{path}: {effect:?}");
    }
}

/// Gates with one document that share a budget of 400 bytes.
fn crowd(mode: &str) -> (Rc<Budget>, impl Fn() -> Gate) {
    let changes = json!({"hold_headers": true, "schema": [
        {"name": "compute", "compiled": compiled(), "mode": mode, "max_body": "150B"}]});
    let config = Rc::new(Config::parse(example::with(&changes).as_bytes()).unwrap());
    let budget = Rc::new(Budget::new(400));
    let shared = Rc::clone(&budget);
    (budget, move || Gate::new(Rc::clone(&config), Rc::clone(&shared), known_tokens()))
}

/// Begins a body of JSON, and goes no further.
fn begin(gate: &mut Gate, length: usize) {
    let json = [("content-type", "application/json")];
    let effect = ask(gate, "POST", "/servers", &json, false);
    assert_eq!(passes(&effect), gate.is_open());
    let effect = piece(gate, &b" ".repeat(length), false);
    assert!(matches!(effect, Effect::Nothing | Effect::Pass { .. }), "{effect:?}");
}

#[test]
fn who_waits_with_a_body_is_sent_away_before_others_are_left_with_nothing() {
    let (budget, new) = crowd("enforce");
    let mut gate = new();
    begin(&mut gate, 90);
    assert!(!budget.is_crowded());
    let mut other = new();
    // Both of them are there twice: in the proxy, and here.
    begin(&mut other, 20);
    assert!(budget.is_crowded());
    let (_, verdict) = refused(gate.handle(now(), Input::Late));
    assert_eq!(verdict, Verdict::Rejected(Rejection::Body(BodyFault::Late)));
    assert!(!budget.is_crowded());
    drop((gate, other));
    assert_eq!(alloc::format!("{budget:?}"), alloc::format!("{:?}", Budget::new(400)));
}

#[test]
fn a_report_takes_nothing_from_those_who_wait() {
    let (budget, new) = crowd("report");
    let mut slow = new();
    begin(&mut slow, 100);
    let mut one_too_many = new();
    begin(&mut one_too_many, 1);
    assert_eq!(one_too_many.take_schema_outcome(), Some((0, Outcome::Unchecked)));
    let mut share = Share::of(&budget);
    assert!(share.resize(400), "all is there for others");
    assert!(passes(&ask(&mut new(), "GET", "/servers", &[], true)));
}

#[test]
fn heads_are_refused_with_their_statuses() {
    for (method, path, headers, status, fault) in [
        ("GET", "/other", &[][..], 404, SchemaFault::PathUnknown),
        ("GET", "/servers/../x", &[], 404, SchemaFault::PathUnknown),
        ("DELETE", "/servers", &[], 405, SchemaFault::MethodNotAllowed),
        ("GET", "/servers?limit=x", &[], 400, SchemaFault::Violated),
        ("POST", "/servers", &[], 415, SchemaFault::MediaType),
        ("GET", "/servers", &[], 400, SchemaFault::Violated),
    ] {
        let mut gate = held(&json!({}), &json!({}));
        let with_length = [headers, &[("content-length", "2")]].concat();
        let (reply, verdict) = refused(ask(&mut gate, method, path, &with_length, false));
        assert_eq!((reply.status, verdict), (status, Verdict::Rejected(Rejection::Schema(fault))));
        let allow = reply.headers.iter().find(|(name, _)| name == "allow");
        let allow = allow.map(|(_, value)| value.as_str());
        assert_eq!(allow, (status == 405).then_some("GET, POST"));
        assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Flawed(fault))));
    }
    let mut gate = held(&json!({}), &json!({}));
    assert!(passes(&ask(&mut gate, "GET", "/servers?limit=1&x=y", &[], true)));
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Valid)));
    let mut gate = held(&json!({"unknown_parameters": "refuse"}), &json!({}));
    let (reply, _) = refused(ask(&mut gate, "GET", "/servers?limit=1&x=y", &[], true));
    assert!(reply.body.contains("/query/x: is not allowed."), "{}", reply.body);
}

#[test]
fn who_may_not_ask_is_not_told_what_the_document_says() {
    let head =
        [(&b":method"[..], &b"POST"[..]), (b":path", b"/servers?limit=x"), (b":authority", b"a")];
    let mut gate = held(&json!({}), &json!({}));
    let input = Input::Head { head: RequestHead::new(&head), is_end: false };
    let (_, verdict) = refused(gate.handle(now(), input));
    assert_eq!(verdict, Verdict::Rejected(Rejection::TokenMissing));
    assert_eq!(gate.take_schema_outcome(), None);
    let mut gate = held(&json!({}), &json!({"acl": {"default": "deny"}}));
    let (_, verdict) = refused(ask(&mut gate, "GET", "/other", &[], true));
    assert_eq!(verdict, Verdict::Rejected(Rejection::AclDenied));
    assert_eq!(gate.take_schema_outcome(), None);
}

#[test]
fn who_needs_no_token_is_held_against_it_and_who_asks_for_a_browser_is_not() {
    let changes = json!({"bypass": [{"path_prefix": "/"}], "bypass_cors_preflight": true});
    let mut gate = held(&json!({}), &changes);
    assert_eq!(refused(ask(&mut gate, "GET", "/other", &[], true)).0.status, 404);
    let preflight = [("origin", "https://a"), ("access-control-request-method", "PUT")];
    let mut gate = held(&json!({}), &changes);
    assert!(passes(&ask(&mut gate, "OPTIONS", "/other", &preflight, true)));
    assert_eq!(gate.take_schema_outcome(), None);
}

#[test]
fn other_hosts_and_paths_are_not_held_against_it() {
    for (schema, path, expected) in [
        (json!({"hosts": ["api.example"]}), "/other", false),
        (json!({"hosts": ["other.example"]}), "/other", true),
        (json!({"path_prefix": "/v2/"}), "/other", true),
        // Some server might take it for a path of the document's.
        (json!({"path_prefix": "/v2/"}), "/other/../v2/x", false),
        (json!({"path_prefix": "/v2/"}), "//V2/x", false),
    ] {
        let mut gate = held(&schema, &json!({}));
        assert_eq!(passes(&ask(&mut gate, "GET", path, &[], true)), expected, "{schema} {path}");
    }
}

#[test]
fn the_first_document_counts_and_for_odd_paths_one_that_is_enforced() {
    let changes = |first: &str, second: &str| {
        let document = |name: &str, mode: &str, prefix: &str| json!({"name": name, "compiled": compiled(), "mode": mode, "path_prefix": prefix});
        json!({"schema": [document("a", first, "/a/"), document("b", second, "/")]})
    };
    for (first, second, path, place) in [
        ("report", "enforce", "/a/x", 0),
        ("report", "enforce", "/b/x", 1),
        ("enforce", "report", "/a/x", 0),
        ("report", "enforce", "/a/../x", 1),
        ("report", "enforce", "/a/x;y", 1),
        // To some servers these are below /a/, and to the others not.
        ("report", "enforce", "/A/x", 1),
        ("report", "enforce", "/a%C3%A9/x", 1),
        ("report", "enforce", "/a%3Fx/x", 1),
        ("report", "enforce", "/a%23/x", 1),
        ("report", "enforce", "/a", 1),
        ("report", "report", "/A/x", 0),
        ("enforce", "enforce", "/A/x", 0),
        // And these are to all of them.
        ("report", "enforce", "/%61/x", 0),
        ("report", "enforce", "/a/x%20%C3%A9%3Fy", 0),
    ] {
        let mut gate = held(&json!({}), &changes(first, second));
        let _ = ask(&mut gate, "GET", path, &[], true);
        let expected = Some((place, Outcome::Flawed(SchemaFault::PathUnknown)));
        assert_eq!(gate.take_schema_outcome(), expected, "{first} {second} {path}");
    }
}

#[test]
fn a_body_that_is_too_long_or_late_is_refused_and_one_that_is_not_looked_at_is_not_held() {
    let json = ("content-type", "application/json");
    let mut gate = held(&json!({}), &json!({}));
    let effect = ask(&mut gate, "POST", "/servers", &[json, ("content-length", "65")], false);
    assert_eq!(refused(effect).1, Verdict::Rejected(Rejection::Body(BodyFault::TooLong)));
    let mut gate = held(&json!({}), &json!({}));
    let _ = ask(&mut gate, "POST", "/servers", &[json], false);
    assert_eq!(piece(&mut gate, &[b' '; 64], false), Effect::Nothing);
    let (reply, verdict) = refused(piece(&mut gate, b" ", false));
    assert_eq!(
        (reply.status, verdict),
        (413, Verdict::Rejected(Rejection::Body(BodyFault::TooLong)))
    );
    let mut gate = held(&json!({}), &json!({}));
    let _ = ask(&mut gate, "POST", "/servers", &[json], false);
    let (reply, _) = refused(gate.handle(now(), Input::Late));
    assert_eq!(reply.status, 408);
    let mut gate = held(&json!({}), &json!({}));
    let image = [("content-type", "image/png"), ("content-length", "1000000")];
    assert!(passes(&ask(&mut gate, "PUT", "/images", &image, false)));
    assert!(!gate.reads_body());
}

#[test]
fn a_body_of_unknown_length_may_turn_out_to_be_none() {
    for (method, path, body, status) in [
        ("GET", "/servers", &b""[..], 0),
        ("GET", "/servers", b"x", 400),
        ("PUT", "/images", b"", 0),
        ("PUT", "/images", b"x", 415),
        ("POST", "/servers", b"", 0),
        ("POST", "/servers", b"x", 415),
    ] {
        let mut gate = held(&json!({}), &json!({}));
        let _ = ask(&mut gate, method, path, &[], false);
        match piece(&mut gate, body, true) {
            Effect::Forward(..) => assert_eq!(status, 0, "{method} {body:?}"),
            effect => assert_eq!(refused(effect).0.status, status, "{method} {body:?}"),
        }
    }
    let mut gate = held(&json!({}), &json!({}));
    let _ = ask(&mut gate, "POST", "/servers", &[("content-type", "application/json")], false);
    let (reply, _) = refused(piece(&mut gate, b"", true));
    assert!(reply.body.contains("/body: is missing."), "{}", reply.body);
}

#[test]
fn what_is_reported_passes_at_once_and_is_counted_when_its_body_has_come() {
    let report = json!({"mode": "report"});
    for changes in [json!({}), json!({"hold_headers": false})] {
        for (pieces, expected) in [
            (&[GOOD][..], Outcome::Valid),
            (&[BAD], Outcome::Flawed(SchemaFault::Violated)),
            (&[GOOD, &[b' '; 64]], Outcome::TooLong),
        ] {
            let mut gate = held(&report, &changes);
            let json = [("content-type", "application/json")];
            assert!(passes(&ask(&mut gate, "POST", "/servers", &json, false)));
            assert_eq!(gate.take_schema_outcome(), None);
            let mut outcome = None;
            for (place, bytes) in pieces.iter().enumerate() {
                assert!(gate.is_open());
                let effect = piece(&mut gate, bytes, place + 1 == pieces.len());
                assert_eq!(effect, Effect::Pass { replacement: None, verdict: None });
                outcome = outcome.or(gate.take_schema_outcome());
            }
            assert_eq!(outcome, Some((0, expected)));
            assert!(!gate.reads_body());
        }
    }
    for (path, expected) in
        [("/servers", Outcome::Valid), ("/x", Outcome::Flawed(SchemaFault::PathUnknown))]
    {
        let mut gate = held(&report, &json!({}));
        assert!(passes(&ask(&mut gate, "GET", path, &[], true)));
        assert_eq!(gate.take_schema_outcome(), Some((0, expected)));
    }
    // When all has come that the head says, the service may have answered.
    let mut gate = held(&report, &json!({}));
    let headers = [("content-type", "application/json"), ("content-length", "12")];
    let _ = ask(&mut gate, "POST", "/servers", &headers, false);
    let _ = piece(&mut gate, GOOD, false);
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Valid)));
    let mut gate = held(&report, &json!({}));
    let _ = ask(&mut gate, "POST", "/servers", &headers[..1], false);
    let _ = piece(&mut gate, GOOD, false);
    let _ = gate.handle(now(), Input::Trailers);
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Valid)));
}

#[test]
fn in_shadow_mode_what_would_have_passed_is_counted() {
    let shadow = json!({"mode": "shadow"});
    let mut gate = held(&json!({}), &shadow);
    let json = [("content-type", "application/json")];
    let effect = ask(&mut gate, "POST", "/servers", &json, false);
    assert!(matches!(effect, Effect::Forward(_, Some(Verdict::Allowed))));
    assert_eq!(piece(&mut gate, BAD, true), Effect::Pass { replacement: None, verdict: None });
    let violated = Outcome::Flawed(SchemaFault::Violated);
    assert_eq!(gate.take_schema_outcome(), Some((0, violated)));
    let mut gate = held(&json!({}), &json!({"mode": "shadow", "acl": {"default": "deny"}}));
    let effect = ask(&mut gate, "GET", "/x", &[], true);
    assert!(matches!(effect, Effect::Forward(_, Some(Verdict::Rejected(Rejection::AclDenied)))));
    assert_eq!(gate.take_schema_outcome(), None);
}

#[test]
fn until_the_document_is_there_nothing_passes_that_it_is_to_be_held_against() {
    let digest = |mode: &str| {
        let digest = alloc::format!("sha256:{}", "0".repeat(64));
        json!({"compiled": null, "digest": digest, "mode": mode})
    };
    let mut gate = held(&digest("enforce"), &json!({}));
    let (reply, verdict) = refused(ask(&mut gate, "GET", "/servers", &[], true));
    assert_eq!((reply.status, verdict), (503, Verdict::Unavailable(Unknown::SchemaUnavailable)));
    assert!(reply.headers.contains(&("retry-after".into(), "1".into())));
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Unavailable)));
    let mut gate = held(&digest("report"), &json!({}));
    assert!(passes(&ask(&mut gate, "GET", "/servers", &[], true)));
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Unavailable)));
}

#[test]
fn a_rule_for_complete_bodies_holds_as_well() {
    let rule =
        json!({"require_complete_body": [{"path_prefix": "/", "max": "16B", "json": false}]});
    let mut gate = held(&json!({}), &rule);
    assert!(passes(&post(&mut gate, GOOD)));
    let mut gate = held(&json!({}), &rule);
    let _ = ask(&mut gate, "POST", "/servers", &[("content-type", "application/json")], false);
    let (_, verdict) = refused(piece(&mut gate, &[b' '; 17], false));
    assert_eq!(verdict, Verdict::Rejected(Rejection::Body(BodyFault::TooLong)));
    // What is only reported waits for that rule, and is shown once more when it passes.
    let mut gate = held(&json!({"mode": "report"}), &rule);
    assert!(passes(&post(&mut gate, BAD.get(..16).unwrap())));
    assert!(gate.reads_body());
    assert_eq!(gate.take_schema_outcome(), None);
    let _ = piece(&mut gate, BAD, true);
    let violated = Outcome::Flawed(SchemaFault::Violated);
    assert_eq!(gate.take_schema_outcome(), Some((0, violated)));
}

#[test]
fn where_there_is_no_room_it_cannot_be_known() {
    // The budget of these tests is a mebibyte.
    let large = vec![b' '; 600 * 1024];
    let json = [("content-type", "application/json")];
    let mut gate = held(&json!({"max_body": "1MiB"}), &json!({}));
    let _ = ask(&mut gate, "POST", "/servers", &json, false);
    let (_, verdict) = refused(piece(&mut gate, &large, false));
    assert_eq!(verdict, Verdict::Unavailable(Unknown::TooMuchHeld));
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Unchecked)));
    let mut gate = held(&json!({"max_body": "2MiB", "mode": "report"}), &json!({}));
    let _ = ask(&mut gate, "POST", "/servers", &json, false);
    let _ = piece(&mut gate, &large, false);
    let effect = piece(&mut gate, &large, true);
    assert_eq!(effect, Effect::Pass { replacement: None, verdict: None });
    assert_eq!(gate.take_schema_outcome(), Some((0, Outcome::Unchecked)));
}

#[test]
fn a_length_that_is_a_lie_lets_nothing_through() {
    let json = ("content-type", "application/json");
    for (method, headers, body, message) in [
        ("POST", &[json, ("content-length", "0")][..], BAD, "/body/name: must be a string."),
        ("POST", &[json, ("content-length", "0")], b"", "/body: is missing."),
        ("POST", &[json, ("content-length", "2")], BAD, "/body/name: must be a string."),
        ("POST", &[json, ("content-length", "64")], b"{}", "/body/name: is missing."),
        ("GET", &[("content-length", "0")], b"x", "/body: is not allowed."),
    ] {
        let mut gate = held(&json!({}), &json!({}));
        assert!(!passes(&ask(&mut gate, method, "/servers", headers, false)));
        let (reply, _) = refused(piece(&mut gate, body, true));
        assert!(reply.body.contains(message), "{}", reply.body);
    }
    for length in ["10485760", "99999999999999999999999", "-1", "x"] {
        let mut gate = held(&json!({}), &json!({}));
        let headers = [json, ("content-length", length)];
        let (reply, _) = refused(ask(&mut gate, "POST", "/servers", &headers, false));
        assert_eq!(reply.status, 413, "{length}");
    }
}

#[test]
fn what_a_client_sent_is_escaped_in_every_form_of_answer() {
    let body = br#"{"name":"a","<'\"&\n>":1,"<'\"&\n>":2}"#;
    let own = |kind: &str| json!({"answers": {"content_type": kind, "body": "{message}"}});
    for (changes, told) in [
        (json!({}), r#"/body/<'\"&\n>: is there twice."#),
        (json!({"answers": "nova"}), r#"/body/<'\"&\n>: is there twice."#),
        (json!({"answers": "s3"}), "/body/&lt;&apos;&quot;&amp;\n&gt;: is there twice."),
        (own("application/problem+json"), r#"/body/<'\"&\n>: is there twice."#),
        (own("text/html"), "/body/&lt;&apos;&quot;&amp;\n&gt;: is there twice."),
    ] {
        let mut gate = held(&json!({}), &changes);
        let (reply, _) = refused(post(&mut gate, body));
        assert!(reply.body.contains(told), "{}", reply.body);
    }
}

#[test]
fn a_route_has_documents_of_its_own() {
    let route = |schema: Value| json!({"routes": [{"name": "r", "to": [{"paths": ["/r/**"]}], "settings": schema}]});
    for (settings, path, expected) in [
        (json!({}), "/r/x", false),
        (json!({"schema": []}), "/r/x", true),
        (json!({"schema": null}), "/r/x", true),
        (json!({"schema": []}), "/x", false),
    ] {
        let mut gate = held(&json!({}), &route(settings.clone()));
        assert_eq!(passes(&ask(&mut gate, "GET", path, &[], true)), expected, "{settings} {path}");
        let is_held = gate.take_schema_outcome().is_some();
        assert_eq!(is_held, !expected, "{settings} {path}");
    }
}
