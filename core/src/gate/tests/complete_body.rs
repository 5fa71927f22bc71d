//! Requests whose bodies must be complete.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::known_tokens;
use super::token::{forwarded, gate, key, keys, now, payload, set};
use crate::gate::{Budget, Effect, Gate, Input, Verdict};
use crate::head::RequestHead;
use crate::refusal::{BodyFault, Rejection, Reply, SignatureFault, Unknown};

const LOGIN: &[u8] = br#"{"auth":{"identity":{"methods":["password"]}}}"#;

/// A gate for Keystone's own edge: everybody may ask for a token.
fn edge(changes: &Value) -> Gate {
    let mut all = json!({
        "missing": "anonymous",
        "hold_headers": true,
        "require_complete_body": [{"path": "/v3/auth/tokens", "max": "64B"}],
    });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    gate(&all)
}

fn head(gate: &mut Gate, path: &str, headers: &[(&str, &str)], is_end: bool) -> Effect {
    let mut all: Vec<(&[u8], &[u8])> =
        vec![(b":method", b"POST"), (b":path", path.as_bytes()), (b":authority", b"k")];
    all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    gate.handle(now(), Input::Head { head: RequestHead::new(&all), is_end })
}

fn login(gate: &mut Gate, headers: &[(&str, &str)]) -> Effect {
    head(gate, "/v3/auth/tokens", headers, false)
}

fn body(gate: &mut Gate, piece: &[u8], is_end: bool) -> Effect {
    assert!(gate.is_open() || gate.reads_body());
    gate.handle(now(), Input::Body { piece, is_end })
}

fn token() -> String {
    key(1).seal_text(super::token::NOW - 60, &[9; 16], &payload().encode())
}

fn needs_rest(effect: &Effect) -> bool {
    *effect == Effect::NeedRest { until: now() + Duration::from_secs(10) }
}

fn refusal(effect: Effect) -> (Reply, Rejection) {
    match effect {
        Effect::Refuse(reply, Verdict::Rejected(rejection)) => (reply, rejection),
        other => panic!("not rejected: {other:?}"),
    }
}

const ANONYMOUS: Verdict = Verdict::Anonymous(Rejection::TokenMissing);

#[test]
fn a_request_passes_when_its_body_has_come() {
    let mut gate = edge(&json!({}));
    assert!(needs_rest(&login(&mut gate, &[("content-length", "46")])));
    assert!(!gate.is_open());
    for piece in LOGIN[..45].chunks(7) {
        assert_eq!(body(&mut gate, piece, false), Effect::Nothing);
        assert!(!gate.is_open());
    }
    assert_eq!(body(&mut gate, &LOGIN[45..], false), Effect::Nothing);
    let (edits, verdict) = forwarded(body(&mut gate, b"", true));
    assert_eq!(verdict, ANONYMOUS);
    assert_eq!(set(&edits), [("x-identity-status", "Invalid")]);
    assert!(gate.is_open());
    assert!(!gate.reads_body());
    let passes = Effect::Pass { replacement: None, verdict: None };
    assert_eq!(body(&mut gate, LOGIN, true), passes);
}

#[test]
fn a_body_of_unknown_length_is_sent_on_with_its_length() {
    for (pieces, length) in [(&[LOGIN][..], "46"), (&[], "0"), (&[b"{", b"}"], "2")] {
        let mut gate = edge(&json!({}));
        assert!(needs_rest(&login(&mut gate, &[])));
        for piece in pieces {
            assert_eq!(body(&mut gate, piece, false), Effect::Nothing);
        }
        let (edits, _) = forwarded(body(&mut gate, b"", true));
        assert!(set(&edits).contains(&("content-length", length)));
    }
}

#[test]
fn trailers_end_a_body() {
    let mut gate = edge(&json!({}));
    assert!(needs_rest(&login(&mut gate, &[])));
    assert_eq!(body(&mut gate, LOGIN, false), Effect::Nothing);
    let (edits, verdict) = forwarded(gate.handle(now(), Input::Trailers));
    assert_eq!(verdict, ANONYMOUS);
    // With one, they would get lost on the way to a service that speaks HTTP/1.
    assert!(set(&edits).iter().all(|(name, _)| *name != "content-length"));

    let mut gate = edge(&json!({}));
    assert!(needs_rest(&login(&mut gate, &[])));
    assert_eq!(body(&mut gate, &LOGIN[..10], false), Effect::Nothing);
    let (_, rejection) = refusal(gate.handle(now(), Input::Trailers));
    assert_eq!(rejection, Rejection::Body(BodyFault::NotJson));
}

#[test]
fn there_is_nothing_to_wait_for_without_a_body_or_a_rule() {
    let mut gate = edge(&json!({}));
    let (edits, _) = forwarded(head(&mut gate, "/v3/auth/tokens", &[], true));
    assert!(set(&edits).iter().all(|(name, _)| *name != "content-length"));
    let mut gate = edge(&json!({}));
    forwarded(head(&mut gate, "/v3/users", &[("content-length", "9999")], false));
}

#[test]
fn what_cannot_be_right_is_refused_with_the_head() {
    for (headers, status, fault) in [
        (&[("content-length", "65")][..], 413, BodyFault::TooLong),
        (&[("content-length", "18446744073709551615")], 413, BodyFault::TooLong),
        (&[("content-encoding", "gzip")], 415, BodyFault::Encoded),
        (&[("content-encoding", "identity"), ("content-encoding", "br")], 415, BodyFault::Encoded),
        (&[("content-encoding", "")], 415, BodyFault::Encoded),
    ] {
        // Before anybody is asked about the token.
        let token = token();
        let mut all = vec![("x-auth-token", token.as_str())];
        all.extend(headers);
        let mut gate = edge(&json!({}));
        let (reply, rejection) = refusal(login(&mut gate, &all));
        assert_eq!((reply.status, rejection), (status, Rejection::Body(fault)));
        assert!(reply.body.starts_with(&format!(r#"{{"error":{{"code":{status},"#)));
        assert!(!gate.is_open());
    }
    let mut gate = edge(&json!({}));
    let headers = [("content-length", "64"), ("content-encoding", "Identity")];
    assert!(needs_rest(&login(&mut gate, &headers)));
}

#[test]
fn only_json_needs_to_be_readable() {
    let rules = json!({"require_complete_body": [{"path_prefix": "/", "json": false}]});
    let mut gate = edge(&rules);
    assert!(needs_rest(&login(&mut gate, &[("content-encoding", "gzip")])));
    assert_eq!(body(&mut gate, b"\x1f\x8b", false), Effect::Nothing);
    forwarded(body(&mut gate, b"\0", true));
}

#[test]
fn a_body_that_goes_wrong_is_refused_where_it_does() {
    for (pieces, status, fault) in [
        (&[&b"{\"a\":1}"[..], &[b' '; 58]][..], 413, BodyFault::TooLong),
        (&[b"auth=1"], 400, BodyFault::NotJson),
        (&[b"{\"a\"", b"}"], 400, BodyFault::NotJson),
        (&[b"{}", b"{}"], 400, BodyFault::NotJson),
    ] {
        let mut gate = edge(&json!({}));
        assert!(needs_rest(&login(&mut gate, &[])));
        let (last, before) = pieces.split_last().unwrap();
        for piece in before {
            assert_eq!(body(&mut gate, piece, false), Effect::Nothing);
        }
        let (reply, rejection) = refusal(body(&mut gate, last, false));
        assert_eq!((reply.status, rejection), (status, Rejection::Body(fault)));
        assert!(!gate.is_open() && !gate.reads_body());
        assert_eq!(gate.handle(now(), Input::Body { piece: b"x", is_end: true }), Effect::Nothing);
    }
}

#[test]
fn a_body_that_ends_too_early_is_refused() {
    let mut gate = edge(&json!({}));
    assert!(needs_rest(&login(&mut gate, &[])));
    assert_eq!(body(&mut gate, &LOGIN[..45], false), Effect::Nothing);
    let (reply, rejection) = refusal(body(&mut gate, b"", true));
    assert_eq!((reply.status, rejection), (400, Rejection::Body(BodyFault::NotJson)));
}

#[test]
fn a_body_that_stalls_is_refused_when_its_time_is_over() {
    let mut gate = edge(&json!({}));
    assert!(needs_rest(&login(&mut gate, &[])));
    let (reply, rejection) = refusal(gate.handle(now(), Input::Late));
    assert_eq!((reply.status, rejection), (408, Rejection::Body(BodyFault::Late)));

    // Also by the piece that comes too late, unless it is the last.
    for (piece, is_end) in [(&LOGIN[..9], false), (LOGIN, true)] {
        let mut gate = edge(&json!({}));
        assert!(needs_rest(&login(&mut gate, &[])));
        let late = now() + Duration::from_secs(10);
        match gate.handle(late, Input::Body { piece, is_end }) {
            Effect::Forward(..) => assert!(is_end),
            effect => assert_eq!(refusal(effect).1, Rejection::Body(BodyFault::Late)),
        }
    }
}

#[test]
fn who_may_not_pass_is_not_waited_for() {
    let mut gate = edge(&json!({"missing": "reject"}));
    let (reply, rejection) = refusal(login(&mut gate, &[]));
    assert_eq!((reply.status, rejection), (401, Rejection::TokenMissing));
    assert!(!gate.reads_body());
}

#[test]
fn a_body_may_come_while_keys_are_waited_for() {
    let token = token();
    let headers = [("x-auth-token", token.as_str())];
    let needs_keys = Effect::NeedKeys { newer_than: None };

    let mut gate = edge(&json!({}));
    assert_eq!(login(&mut gate, &headers), needs_keys);
    assert_eq!(body(&mut gate, &LOGIN[..9], false), Effect::Nothing);
    assert!(needs_rest(&gate.handle(now(), Input::Keys(keys(1, &[1]).into()))));
    let (edits, verdict) = forwarded(body(&mut gate, &LOGIN[9..], true));
    assert_eq!(verdict, Verdict::Allowed);
    assert!(set(&edits).contains(&("x-identity-status", "Confirmed")));

    let mut gate = edge(&json!({}));
    assert_eq!(login(&mut gate, &headers), needs_keys);
    assert_eq!(body(&mut gate, LOGIN, true), Effect::Nothing);
    assert!(!gate.is_open());
    let (edits, verdict) = forwarded(gate.handle(now(), Input::Keys(keys(1, &[1]).into())));
    assert_eq!(verdict, Verdict::Allowed);
    assert!(set(&edits).contains(&("content-length", "46")));

    // What is wrong with it need not wait.
    let mut gate = edge(&json!({}));
    assert_eq!(login(&mut gate, &headers), needs_keys);
    let (_, rejection) = refusal(body(&mut gate, b"x", false));
    assert_eq!(rejection, Rejection::Body(BodyFault::NotJson));
    assert_eq!(gate.handle(now(), Input::Keys(keys(1, &[1]).into())), Effect::Nothing);

    // The time counts from the head.
    let mut gate = edge(&json!({}));
    assert_eq!(login(&mut gate, &headers), needs_keys);
    let late = now() + Duration::from_secs(10);
    // By now the token has expired, and the request would pass as anybody's.
    let (_, rejection) = refusal(gate.handle(late, Input::Keys(keys(1, &[1]).into())));
    assert_eq!(rejection, Rejection::Body(BodyFault::Late));
}

#[test]
fn what_needs_no_token_waits_too() {
    let mut gate = edge(&json!({"missing": "reject", "bypass": [{"path_prefix": "/v3/"}]}));
    assert!(needs_rest(&login(&mut gate, &[])));
    let (_, verdict) = forwarded(body(&mut gate, LOGIN, true));
    assert_eq!(verdict, Verdict::Bypassed);
}

#[test]
fn where_too_much_is_held_nobody_is_let_through() {
    let json = crate::config::example::with(&json!({
        "missing": "anonymous",
        "hold_headers": true,
        "require_complete_body": [{"path_prefix": "/"}],
    }));
    let config = Rc::new(crate::config::Config::parse(json.as_bytes()).unwrap());
    let budget = Rc::new(Budget::new(100));
    let mut gates: Vec<_> =
        (0..3).map(|_| Gate::new(Rc::clone(&config), Rc::clone(&budget), known_tokens())).collect();
    for gate in &mut gates {
        assert!(needs_rest(&login(gate, &[])));
    }
    assert_eq!(body(&mut gates[0], &[b' '; 50], false), Effect::Nothing);
    assert!(!budget.is_crowded());
    assert_eq!(body(&mut gates[1], &[b' '; 50], false), Effect::Nothing);
    assert!(budget.is_crowded());
    let effect = body(&mut gates[2], b" ", false);
    let Effect::Refuse(reply, Verdict::Unavailable(Unknown::TooMuchHeld)) = effect else {
        panic!("{effect:?}");
    };
    assert_eq!(reply.status, 503);
    // Whoever is told to go makes room for the others.
    let (cause, retry_after) = (Unknown::TooManyWaiting, Duration::from_secs(1));
    let effect = gates[0].handle(now(), Input::Unknown { cause, retry_after });
    assert!(matches!(effect, Effect::Refuse(_, Verdict::Unavailable(Unknown::TooManyWaiting))));
    assert!(!budget.is_crowded());
    forwarded(body(&mut gates[1], b"1", true));
    assert_eq!(format!("{budget:?}"), format!("{:?}", Budget::new(100)));
}

#[test]
fn a_host_that_fails_lets_nobody_through() {
    let mut gate = edge(&json!({}));
    assert!(needs_rest(&login(&mut gate, &[])));
    assert!(matches!(gate.abort(), Effect::Refuse(_, Verdict::Unavailable(Unknown::HostFailure))));
    assert!(!gate.is_open());
}

#[test]
fn a_signed_request_is_answered_in_its_own_manner() {
    let changes = json!({"sigv4": {}});
    let headers = [("authorization", "AWS4-HMAC-SHA256 x"), ("content-length", "65")];
    let (reply, rejection) = refusal(login(&mut edge(&changes), &headers));
    assert_eq!((reply.status, rejection), (400, Rejection::Body(BodyFault::TooLong)));
    assert!(reply.body.contains("<Code>EntityTooLarge</Code>"), "{}", reply.body);
    // What is wrong with the signature is still said first where the body may be right.
    let (reply, rejection) = refusal(login(&mut edge(&changes), &headers[..1]));
    assert_eq!(reply.status, 400);
    assert_eq!(rejection, Rejection::Signature(SignatureFault::Malformed));
}

mod shadow {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn shadow() -> Gate {
        edge(&json!({"mode": "shadow"}))
    }

    fn forwarded_without_verdict(effect: &Effect) -> bool {
        matches!(effect, Effect::Forward(_, None))
    }

    #[test]
    fn nothing_is_held_and_the_verdict_comes_with_the_end() {
        let mut gate = shadow();
        assert!(forwarded_without_verdict(&login(&mut gate, &[])));
        assert!(gate.is_open() && gate.reads_body());
        let passes = |verdict| Effect::Pass { replacement: None, verdict };
        assert_eq!(body(&mut gate, LOGIN, false), passes(None));
        assert_eq!(body(&mut gate, b"", true), passes(Some(ANONYMOUS)));
        assert!(!gate.reads_body());
    }

    #[test]
    fn a_body_has_ended_when_its_length_has_come() {
        for (length, piece, verdict) in [
            ("46", LOGIN, ANONYMOUS),
            ("9", &LOGIN[..9], Verdict::Rejected(Rejection::Body(BodyFault::NotJson))),
        ] {
            let mut gate = shadow();
            assert!(forwarded_without_verdict(&login(&mut gate, &[("content-length", length)])));
            let passes = |verdict| Effect::Pass { replacement: None, verdict };
            assert_eq!(body(&mut gate, piece, false), passes(Some(verdict)));
            assert_eq!(body(&mut gate, b"", true), passes(None));
        }
    }

    #[test]
    fn what_would_have_been_refused_counts_so_once() {
        let rejected = |fault| Effect::Pass {
            replacement: None,
            verdict: Some(Verdict::Rejected(Rejection::Body(fault))),
        };
        for (piece, is_end, fault) in [
            (&b"x"[..], false, BodyFault::NotJson),
            (b"{", true, BodyFault::NotJson),
            (&[b' '; 65], false, BodyFault::TooLong),
        ] {
            let mut gate = shadow();
            assert!(forwarded_without_verdict(&login(&mut gate, &[])));
            assert_eq!(body(&mut gate, piece, is_end), rejected(fault));
            assert!(gate.is_open() && !gate.reads_body());
            let passes = Effect::Pass { replacement: None, verdict: None };
            assert_eq!(body(&mut gate, b"x", true), passes);
        }
        let mut gate = shadow();
        assert!(forwarded_without_verdict(&login(&mut gate, &[])));
        let late = now() + Duration::from_secs(11);
        let effect = gate.handle(late, Input::Body { piece: b"{", is_end: false });
        assert_eq!(effect, rejected(BodyFault::Late));
    }

    #[test]
    fn what_is_wrong_with_the_head_counts_with_it() {
        let mut gate = shadow();
        let (edits, verdict) = forwarded(login(&mut gate, &[("content-length", "65")]));
        assert_eq!(verdict, Verdict::Rejected(Rejection::Body(BodyFault::TooLong)));
        assert_eq!(set(&edits), [("x-identity-status", "Invalid")]);
        assert!(!gate.reads_body());
    }

    #[test]
    fn trailers_end_a_body() {
        let mut gate = shadow();
        assert!(forwarded_without_verdict(&login(&mut gate, &[])));
        let passes = |verdict| Effect::Pass { replacement: None, verdict };
        assert_eq!(body(&mut gate, LOGIN, false), passes(None));
        assert_eq!(gate.handle(now(), Input::Trailers), passes(Some(ANONYMOUS)));
    }

    #[test]
    fn a_body_is_not_read_before_the_request_passes() {
        let token = token();
        let headers = [("x-auth-token", token.as_str())];
        let mut gate = shadow();
        assert_eq!(login(&mut gate, &headers), Effect::NeedKeys { newer_than: None });
        assert!(!gate.reads_body());
        assert_eq!(gate.handle(now(), Input::Body { piece: b"", is_end: true }), Effect::Nothing);
        let effect = gate.handle(now(), Input::Keys(keys(1, &[1]).into()));
        assert!(forwarded_without_verdict(&effect));
        let verdict = Some(Verdict::Allowed);
        let passes = Effect::Pass { replacement: None, verdict };
        assert_eq!(body(&mut gate, LOGIN, true), passes);
    }
}
