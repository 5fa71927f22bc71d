//! What the access control list says of requests with tokens, and of those without.

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::records::{NOVA, World, record, token_of};
use super::token::{forwarded, gate, keys, now, payload, refused, set};
use crate::acl::{Action, Decision};
use crate::gate::{Effect, Input, Verdict};
use crate::head::RequestHead;
use crate::refusal::Rejection;

const DENIED: Verdict = Verdict::Rejected(Rejection::AclDenied);
/// The project of the token.
const OWN: &str = "/v2.1/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/servers";
const OTHER: &str = "/v2.1/cccccccccccccccccccccccccccccccc/servers";

/// Members reach what is their project's, and anybody the versions.
fn rules() -> Value {
    json!({"rules": [
        {"name": "own", "action": "allow",
         "to": [{"paths": ["/v2.1/{project_id}/servers/**"]}],
         "when": [{"key": "project_id", "values": ["{project_id}"]},
                  {"key": "roles", "values": ["member"]}]},
        {"name": "versions", "action": "allow", "to": [{"methods": ["GET"], "paths": ["/"]}]},
        {"name": "no-console", "action": "deny",
         "to": [{"paths": ["/v2.1/{project_id}/servers/{id}/console"]}]},
    ]})
}

fn world(path: &'static str, changes: &Value) -> World {
    let mut world = World::new().with_config(&json!({"acl": rules()})).with_config(changes);
    world.path = path;
    world
}

fn run(path: &'static str, changes: &Value) -> Effect {
    world(path, changes).run(&[("x-auth-token", &token_of(&payload()))])
}

#[test]
fn who_may_passes_and_who_may_not_is_told_no_more_than_that() {
    let none = json!({});
    assert_eq!(forwarded(run(OWN, &none)).1, Verdict::Allowed);
    for (path, rule) in [
        (OTHER, "default"),
        ("/v2.1/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/servers/1/console", "no-console"),
        ("/v2.1/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/servers/x/../1/console", "no-console"),
    ] {
        let (reply, verdict) = refused(run(path, &json!({"reason_header": "x-why"})));
        assert_eq!((reply.status, verdict), (403, DENIED), "{path}");
        assert_eq!(
            reply.body,
            "{\"error\":{\"code\":403,\"title\":\"Forbidden\",\
             \"message\":\"You are not authorized to perform the requested action.\"}}"
        );
        assert!(reply.headers.contains(&("x-why".into(), "acl_denied".into())));
        assert_eq!(reply.details, alloc::format!("voussoir_acl_denied[{rule}]"));
    }
    let mut reader = world(OWN, &none).with_record(&json!({"roles": [{"id": "r", "name": "r"}]}));
    let effect = reader.run(&[("x-auth-token", &token_of(&payload()))]);
    assert_eq!(refused(effect).1, DENIED);
}

#[test]
fn a_bad_token_is_what_it_was_whatever_it_asks_for() {
    for path in [OWN, OTHER, "/"] {
        let (reply, verdict) = refused(world(path, &json!({})).run(&[("x-auth-token", "junk")]));
        assert_eq!((reply.status, verdict), (401, Verdict::Rejected(Rejection::TokenMalformed)));
    }
}

#[test]
fn without_an_identity_only_that_passes_which_nobody_in_particular_may() {
    let anonymous = json!({"missing": "anonymous"});
    for token in [None, Some("junk")] {
        let headers = token.map(|token| ("x-auth-token", token));
        let headers = headers.as_slice();
        let (edits, verdict) = forwarded(world("/", &anonymous).run(headers));
        assert!(matches!(verdict, Verdict::Anonymous(_)));
        assert_eq!(set(&edits), [("x-identity-status", "Invalid")]);
        for path in [OWN, OTHER] {
            let (reply, verdict) = refused(world(path, &anonymous).run(headers));
            assert_eq!(reply.status, 401, "it may be allowed with a token");
            assert!(
                matches!(verdict, Verdict::Rejected(rejection) if rejection.can_be_anonymous())
            );
        }
    }
    let bypass = json!({"bypass": [{"path_prefix": "/"}]});
    assert_eq!(forwarded(world(OTHER, &bypass).run(&[])).1, Verdict::Bypassed);
}

#[test]
fn the_token_of_a_service_allows_its_user_nothing_more() {
    let (user, service) = (token_of(&payload()), nova());
    for (path, verdict) in [(OWN, None), (OTHER, Some(DENIED))] {
        let mut world = world(path, &json!({}));
        world.records[1].1 = record(NOVA, &["service", "admin"], &json!({}));
        let effect = world.run(&[("x-auth-token", &user), ("x-service-token", &service)]);
        match verdict {
            None => assert_eq!(forwarded(effect).1, Verdict::Allowed),
            Some(verdict) => assert_eq!(refused(effect).1, verdict),
        }
    }
    // A bad one is left to the service, and its user's may not do more for it either.
    let anonymous = json!({"missing": "anonymous"});
    let headers = [("x-auth-token", user.as_str()), ("x-service-token", "junk")];
    let passed = forwarded(world(OWN, &anonymous).run(&headers)).1;
    assert_eq!(passed, Verdict::Anonymous(Rejection::ServiceTokenInvalid));
    assert_eq!(refused(world(OTHER, &anonymous).run(&headers)).1, DENIED);
}

#[test]
fn in_shadow_mode_the_identity_passes_and_the_denial_is_counted() {
    let (edits, verdict) = forwarded(run(OTHER, &json!({"mode": "shadow"})));
    assert_eq!(verdict, DENIED);
    assert!(set(&edits).contains(&("x-identity-status", "Confirmed")));
}

#[test]
fn a_token_alone_tells_whose_it_is() {
    for (path, is_allowed) in [(OWN, true), (OTHER, false)] {
        let rule = json!({"name": "own", "action": "allow",
            "to": [{"paths": ["/v2.1/{project_id}/servers"]}],
            "when": [{"key": "project_id", "values": ["{project_id}"]},
                     {"key": "user_id", "values": ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]},
                     {"key": "system", "not_values": ["x"], "values": ["*"]}]});
        let mut rule_without_system = rule.clone();
        rule_without_system["when"].as_array_mut().unwrap().pop();
        for (rule, is_allowed) in [(rule, false), (rule_without_system, is_allowed)] {
            let mut gate = gate(&json!({"acl": {"rules": [rule]}}));
            let token = token_of(&payload());
            let headers = [
                (&b":method"[..], &b"GET"[..]),
                (b":path", path.as_bytes()),
                (b"x-auth-token", token.as_bytes()),
            ];
            let head = RequestHead::new(&headers);
            let asked = gate.handle(now(), Input::Head { head, is_end: true });
            assert!(matches!(asked, Effect::NeedKeys { .. }));
            let effect = gate.handle(now(), Input::Keys(keys(1, &[1]).into()));
            assert_eq!(matches!(effect, Effect::Forward(..)), is_allowed, "{path}");
            let rule = is_allowed.then_some(0);
            let action = if is_allowed { Action::Allow } else { Action::Deny };
            assert_eq!(gate.take_decision(), Some(Decision { action, rule }));
            assert_eq!(gate.take_decision(), None, "it is counted once");
        }
    }
}

fn nova() -> alloc::string::String {
    let user_id = crate::token::Id::uuid(NOVA);
    token_of(&crate::token::Payload { user_id, ..payload() })
}
