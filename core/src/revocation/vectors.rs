//! What Keystone's own code says of random tokens and events (`tests/vectors/`) is what a set says.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{RevocationSet, TokenFacts};
use crate::record::{RevocationEvent, Role};
use crate::time::UnixTime;

#[derive(Deserialize)]
struct Vectors {
    events: Vec<RevocationEvent>,
    tokens: Vec<Token>,
}

/// What Keystone's `build_token_values` makes of a token, by its names.
#[derive(Debug, Deserialize)]
struct Token {
    issued_at: u64,
    expires_at: u64,
    user_id: String,
    trustor_id: Option<String>,
    trustee_id: Option<String>,
    identity_domain_id: Option<String>,
    assignment_domain_id: Option<String>,
    project_id: Option<String>,
    audit_id: String,
    audit_chain_id: Option<String>,
    trust_id: Option<String>,
    consumer_id: Option<String>,
    access_token_id: Option<String>,
    roles: Vec<String>,
    /// The indices of the events by which Keystone has it revoked.
    revoked_by: Vec<usize>,
}

fn is_revoked(set: &RevocationSet, token: &Token) -> bool {
    let role = |id: &String| Role::new(Some(id.clone()), "name".into());
    set.revokes(&TokenFacts {
        issued_at: UnixTime::from_secs(token.issued_at),
        expires_at: UnixTime::from_secs(token.expires_at),
        user_id: &token.user_id,
        trustor_id: token.trustor_id.as_deref(),
        trustee_id: token.trustee_id.as_deref(),
        user_domain_id: token.identity_domain_id.as_deref(),
        scope_domain_id: token.assignment_domain_id.as_deref(),
        project_id: token.project_id.as_deref(),
        audit_id: &token.audit_id,
        audit_chain_id: token.audit_chain_id.as_deref(),
        trust_id: token.trust_id.as_deref(),
        consumer_id: token.consumer_id.as_deref(),
        access_token_id: token.access_token_id.as_deref(),
        roles: &token.roles.iter().map(role).collect::<Vec<_>>(),
    })
}

fn vectors() -> Vectors {
    let json = include_str!("../../../tests/vectors/revocations-30.json");
    serde_json::from_str(json).unwrap()
}

#[test]
fn each_event_revokes_the_tokens_that_keystone_says() {
    let Vectors { events, tokens } = vectors();
    assert!(events.len() * tokens.len() >= 100_000);
    for (index, event) in events.iter().enumerate() {
        let mut set = RevocationSet::new(1, 7);
        set.add(event);
        for token in &tokens {
            let expected = token.revoked_by.contains(&index);
            assert_eq!(is_revoked(&set, token), expected, "{event:?} {token:?}");
        }
    }
}

#[test]
fn events_together_revoke_what_each_of_them_does() {
    let Vectors { events, tokens } = vectors();
    // All of them; every third; one at the end of each hundred.
    for step in [1, 3, 7, 20, 100] {
        let is_held = |index: usize| index % step == step - 1;
        let mut set = RevocationSet::new(events.len(), 7);
        for (_, event) in events.iter().enumerate().filter(|(index, _)| is_held(*index)) {
            set.add(event);
        }
        for token in &tokens {
            let expected = token.revoked_by.iter().any(|index| is_held(*index));
            assert_eq!(is_revoked(&set, token), expected, "{step} {token:?}");
        }
    }
}
