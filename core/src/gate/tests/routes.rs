//! Requests that are looked at with other settings than the plugin's own.

use alloc::rc::Rc;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::known_tokens;
use super::token::{forwarded, gate_that_knows, key, keys, now, payload, refused};
use crate::config::Mode;
use crate::gate::{Effect, Gate, Input, KnownTokens, Verdict};
use crate::head::RequestHead;
use crate::refusal::Rejection;

/// Images are open to look at, compute has a list and tells faults as Nova does, objects are S3's, and what
/// is new is watched.
fn changes() -> Value {
    json!({"sigv4": {}, "token": {"forward": false}, "hold_headers": true, "routes": [
        {"name": "images", "to": [{"paths": ["/images/**"], "methods": ["GET"]}],
         "settings": {"missing": "anonymous", "quota_class": "reads"}},
        {"name": "compute", "to": [{"paths": ["/compute/**"]}],
         "settings": {"acl": {"rules": []}, "answers": "nova"}},
        {"name": "objects", "to": [{"hosts": ["s3.example"]}],
         "settings": {"mechanisms": ["sigv4"], "answers": "s3"}},
        {"name": "new", "to": [{"paths": ["/new/**"]}],
         "settings": {"mode": "shadow", "quota_class": "trial"}},
    ]})
}

fn start(known: &Rc<KnownTokens>, path: &str, token: Option<&str>) -> (Gate, Effect) {
    let mut gate = gate_that_knows(&changes(), known);
    let host = if path.starts_with("/bucket") { "s3.example" } else { "api.example" };
    let head = [(":method", "GET"), (":authority", host), (":path", path)];
    let token = token.map(|token| ("x-auth-token", token));
    let headers: alloc::vec::Vec<_> =
        head.iter().chain(token.as_ref()).map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    let head = RequestHead::new(&headers);
    let mut effect = gate.handle(now(), Input::Head { head, is_end: true });
    while let Effect::NeedKeys { .. } = effect {
        effect = gate.handle(now(), Input::Keys(keys(1, &[1]).into()));
    }
    (gate, effect)
}

fn run(path: &str, token: Option<&str>) -> Effect {
    start(&known_tokens(), path, token).1
}

fn token() -> alloc::string::String {
    key(1).seal_text(1_799_999_940, &[9; 16], &payload().encode())
}

#[test]
fn each_request_has_the_settings_of_its_route() {
    let token = token();
    assert_eq!(
        forwarded(run("/images/1", None)).1,
        Verdict::Anonymous(Rejection::TokenMissing),
        "open to look at"
    );
    assert_eq!(forwarded(run("/images/1", Some(&token))).1, Verdict::Allowed);
    assert_eq!(refused(run("/volumes/1", None)).0.status, 401, "the plugin's own");
    let (reply, verdict) = refused(run("/compute/servers", Some(&token)));
    assert_eq!(verdict, Verdict::Rejected(Rejection::AclDenied));
    assert!(reply.body.starts_with(r#"{"forbidden":{"code":403,"message":"You are"#));
    assert_eq!(forwarded(run("/new/1", None)).1, Verdict::Rejected(Rejection::TokenMissing));
    // A token is nothing where signatures alone are taken.
    let (reply, verdict) = refused(run("/bucket/key", Some(&token)));
    assert_eq!(verdict, Verdict::Rejected(Rejection::CredentialsMissing));
    assert!(reply.status == 403 && reply.body.contains("<Code>AccessDenied</Code>"));
}

#[test]
fn whatever_passes_says_what_it_counts_as() {
    let (known, token) = (known_tokens(), token());
    let class = |path, token| {
        let (edits, _) = forwarded(start(&known, path, token).1);
        let class = |name: &str| name == "x-voussoir-quota-class";
        let classes: alloc::vec::Vec<_> =
            edits.set.into_iter().filter(|(name, _)| class(name)).map(|(_, value)| value).collect();
        classes.join("+")
    };
    // What a token says is kept, the class is not: the same token comes by one route after another.
    for _ in 0..3 {
        assert_eq!(class("/images/1", Some(&token)), "reads");
        assert_eq!(class("/volumes/1", Some(&token)), "");
        assert_eq!(class("/new/1", Some(&token)), "trial");
    }
    assert_eq!(class("/images/1", None), "reads", "without a token");
    assert_eq!(class("/new/1", None), "trial", "what would have been refused");
}

#[test]
fn who_looks_at_it_can_tell_which_one_it_was() {
    for (path, route, mode) in [
        ("/images/1", Some(0), Mode::Enforce),
        ("/new/1", Some(3), Mode::Shadow),
        ("/x", None, Mode::Enforce),
    ] {
        let gate = start(&known_tokens(), path, None).0;
        assert_eq!((gate.route(), gate.settings().mode), (route, mode), "{path}");
    }
}

#[test]
fn what_is_in_doubt_is_refused() {
    let token = token();
    for path in ["/new/../compute/servers", "/compute//x", "/images%2f1", "/compute;a/x"] {
        let (reply, verdict) = refused(run(path, Some(&token)));
        assert_eq!((reply.status, verdict), (400, Verdict::Rejected(Rejection::RouteInDoubt)));
        assert!(refused(run(path, None)).0.status == 400, "nor is it left to the service");
    }
}

/// What a service was told of a token where it is only watched still has the token in it.
#[test]
fn what_is_remembered_of_a_token_is_told_by_each_route_in_its_own_way() {
    let (known, token) = (known_tokens(), token());
    for _ in 0..3 {
        let strips = |path: &str| {
            let edits = forwarded(start(&known, path, Some(&token)).1).0;
            edits.remove.contains(&&b"x-auth-token"[..])
        };
        assert!(!strips("/new/1"), "watched");
        assert!(strips("/volumes/1"), "enforced");
    }
}
