//! Tokens that come again: nothing about them is believed because it was so before.

use alloc::rc::Rc;
use alloc::string::String;
use core::time::Duration;

use serde_json::{Value, from_value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::known_tokens;
use super::records::{ANN, hex, record, revoked};
use super::token::{NOW, forwarded, gate_that_knows, key, keys, now, payload, rejection, set};
use crate::gate::{Effect, Input, KnownTokens};
use crate::head::RequestHead;
use crate::identities::Identity;
use crate::keys::Keys;
use crate::record::{IdentityRequest, IdentityScope};
use crate::refusal::Rejection;
use crate::revocation::RevocationSet;
use crate::time::UnixTime;

/// What a worker has that the token comes to.
struct Worker {
    config: Value,
    known: Rc<KnownTokens>,
    keys: Rc<Keys>,
    identity: Rc<Identity>,
    revoked: Rc<RevocationSet>,
    now: UnixTime,
}

impl Worker {
    fn new() -> Self {
        Self {
            config: json!({"token": {"identity": "records"}}),
            known: known_tokens(),
            keys: keys(1, &[1]).into(),
            identity: identity(&json!({})),
            revoked: Rc::new(RevocationSet::new(100, 1)),
            now: now(),
        }
    }

    /// What comes for the second time is remembered.
    fn learns(&self) {
        for _ in 0..2 {
            forwarded(self.run(&token()));
        }
    }

    fn run(&self, token: &str) -> Effect {
        let headers: [(&[u8], &[u8]); 3] = [
            (b":method", b"GET"),
            (b":path", b"/v2.1/servers"),
            (b"x-auth-token", token.as_bytes()),
        ];
        let mut gate = gate_that_knows(&self.config, &self.known);
        let head = RequestHead::new(&headers);
        let mut effect = gate.handle(self.now, Input::Head { head, is_end: true });
        loop {
            let input = match effect {
                Effect::NeedKeys { .. } => Input::Keys(Rc::clone(&self.keys)),
                Effect::NeedIdentity(_) => Input::Identity(Rc::clone(&self.identity)),
                Effect::NeedRevocations => Input::Revocations(Rc::clone(&self.revoked)),
                effect => return effect,
            };
            assert!(!gate.is_open());
            effect = gate.handle(self.now, input);
        }
    }
}

fn identity(changes: &Value) -> Rc<Identity> {
    let request = IdentityRequest {
        user: hex(ANN).into(),
        scope: IdentityScope::Unscoped,
        delegation: None,
        federation: None,
    };
    let record = from_value(record(ANN, &["member"], changes)).unwrap();
    Rc::new(Identity { request, record })
}

fn token() -> String {
    key(1).seal_text(NOW - 60, &[9; 16], &payload().encode())
}

fn header(effect: Effect, name: &str) -> String {
    let (edits, _) = forwarded(effect);
    let set = set(&edits);
    set.iter().find(|(other, _)| *other == name).expect("it is set").1.into()
}

#[test]
fn a_token_is_opened_once_for_the_same_keys() {
    let worker = Worker::new();
    let told = [(); 4].map(|()| match worker.run(&token()) {
        Effect::Forward(edits, _) => edits,
        other => panic!("{other:?}"),
    });
    let [first, second, third, fourth] = &told;
    assert!(!Rc::ptr_eq(first, second), "a token that is used once is not remembered");
    assert!(Rc::ptr_eq(second, third) && Rc::ptr_eq(third, fourth), "it was not made again");
    assert!(told.iter().all(|it| it == first));
}

#[test]
fn a_key_that_is_no_more_opens_nothing_any_more() {
    let mut worker = Worker::new();
    worker.learns();
    worker.keys = keys(2, &[2]).into();
    assert_eq!(rejection(worker.run(&token())), Rejection::TokenNotAuthentic);
    worker.keys = keys(3, &[2, 1]).into();
    forwarded(worker.run(&token()));
    forwarded(worker.run(&token()));
}

#[test]
fn a_token_expires_all_the_same() {
    let mut worker = Worker::new();
    worker.learns();
    for (seconds, passes) in [(0, true), (1, false), (0, true)] {
        worker.now = now() + Duration::from_secs(seconds);
        match worker.run(&token()) {
            effect @ Effect::Forward(..) => assert!(passes, "{effect:?}"),
            effect => {
                assert!(!passes);
                assert_eq!(rejection(effect), Rejection::TokenExpired);
            }
        }
    }
}

#[test]
fn a_token_is_revoked_all_the_same() {
    let mut worker = Worker::new();
    worker.learns();
    let mut set = RevocationSet::new(100, 1);
    set.add(&revoked(&json!({"audit_id": "AQEBAQEBAQEBAQEBAQEBAQ"})));
    worker.revoked = Rc::new(set);
    assert_eq!(rejection(worker.run(&token())), Rejection::TokenRevoked);
}

#[test]
fn the_service_is_told_what_is_known_now() {
    let mut worker = Worker::new();
    worker.learns();
    assert_eq!(header(worker.run(&token()), "x-user-name"), "Ann");
    worker.identity = identity(&json!({"user": {"id": hex(ANN), "name": "Anne"}}));
    assert_eq!(header(worker.run(&token()), "x-user-name"), "Anne");
}

#[test]
fn another_text_is_another_token() {
    let worker = Worker::new();
    worker.learns();
    let mut other = token();
    let last = if other.ends_with('A') { "B" } else { "A" };
    other.replace_range(other.len() - 1.., last);
    assert!(matches!(
        rejection(worker.run(&other)),
        Rejection::TokenNotAuthentic | Rejection::TokenMalformed
    ));
}
