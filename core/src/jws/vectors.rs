//! Tokens minted by Keystone's own code (`tests/vectors/`): what it wrote is what we read, and what is not
//! its own is not.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{
    InvalidPublicKey, MAX_KEYS, MalformedToken, OpenError, PublicKey, PublicKeys, SignedToken,
};
use crate::token::said::Said;
use crate::token::{Kind, MethodNames};

#[derive(Deserialize)]
struct Vectors {
    keys: Vec<String>,
    positive: Vec<Said>,
    claims_negative: Vec<Claims>,
    text_negative: Vec<Text>,
    key_negative: Vec<Key>,
}

#[derive(Deserialize)]
struct Claims {
    name: String,
    token: String,
}

#[derive(Deserialize)]
struct Text {
    name: String,
    token: String,
    expect: String,
}

#[derive(Deserialize)]
struct Key {
    name: String,
    key: String,
}

fn vectors() -> (Vectors, PublicKeys) {
    let json = include_str!("../../../tests/vectors/keystone-30-jws.json");
    let vectors: Vectors = serde_json::from_str(json).unwrap();
    let keys = vectors.keys.iter().map(|pem| PublicKey::from_pem(pem.as_bytes()).unwrap());
    let keys = PublicKeys::new(keys).unwrap();
    (vectors, keys)
}

fn token(text: &str) -> Result<SignedToken, MalformedToken> {
    SignedToken::from_text(text.as_bytes(), 4096)
}

#[test]
fn every_token_of_keystones_is_read_as_keystone_reads_it() {
    let (vectors, keys) = vectors();
    let mut kinds = BTreeSet::new();
    for vector in vectors.positive {
        let name = &vector.name;
        let opened = token(&vector.token)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
            .open(&keys)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        kinds.insert(opened.payload.kind().version());
        vector.check(&opened.payload, opened.issued_at, &MethodNames::default());
    }
    // All but the one that the Rust Keystone alone writes.
    assert!(kinds.into_iter().eq(0..Kind::Restricted.version()), "a kind has no vector");
}

#[test]
fn a_right_signature_makes_no_claims_right() {
    let (vectors, keys) = vectors();
    for Claims { name, token: text } in vectors.claims_negative {
        let opened = token(&text).unwrap_or_else(|error| panic!("{name}: {error:?}")).open(&keys);
        assert_eq!(opened, Err(OpenError::Claims), "{name}");
    }
}

#[test]
fn a_token_has_one_header_one_layout_and_one_maker() {
    let (vectors, keys) = vectors();
    for Text { name, token: text, expect } in vectors.text_negative {
        let error = match token(&text).map(|token| token.open(&keys)) {
            Ok(Ok(_)) => "none",
            Ok(Err(OpenError::NoKey(_))) => "not_authentic",
            Ok(Err(OpenError::Claims)) => "claims",
            Err(MalformedToken::Header) => "header",
            Err(MalformedToken::NotBase64Url) => "base64url",
            Err(MalformedToken::Parts) => "parts",
            Err(MalformedToken::Signature) => "signature",
            Err(MalformedToken::TooLong) => "too long",
        };
        assert_eq!(error, expect, "{name}");
    }
}

#[test]
fn no_character_of_a_token_can_be_another() {
    let (vectors, keys) = vectors();
    let good = &vectors.positive[0].token;
    // Not each place: a verification takes its time.
    for (at, char) in good.char_indices().step_by(7) {
        let mut changed = good.clone();
        changed.replace_range(at..=at, if char == 'A' { "B" } else { "A" });
        let opened = token(&changed).map(|token| token.open(&keys));
        assert!(!matches!(opened, Ok(Ok(_))), "{at}");
    }
    assert_eq!(
        SignedToken::from_text(good.as_bytes(), good.len() - 1),
        Err(MalformedToken::TooLong)
    );
}

#[test]
fn each_key_of_a_set_is_tried_and_no_other() {
    let (vectors, keys) = vectors();
    let by = |index: usize| PublicKeys::new(keys.iter().skip(index).take(1).cloned()).unwrap();
    let named = |name| vectors.positive.iter().find(|vector| vector.name == name).unwrap();
    for (name, index) in [("previous_key", 0), ("project", 1)] {
        let token = token(&named(name).token).unwrap();
        assert!(token.clone().open(&by(index)).is_ok());
        assert_eq!(token.clone().open(&by(1 - index)), Err(OpenError::NoKey(token)));
    }
    let key = keys.iter().next().unwrap();
    let some = |count| PublicKeys::new(core::iter::repeat_n(key.clone(), count));
    assert!(some(0).is_none() && some(MAX_KEYS + 1).is_none());
    assert_eq!(some(MAX_KEYS).unwrap().len(), MAX_KEYS);
}

#[test]
fn a_key_has_one_form() {
    let (vectors, _) = vectors();
    for Key { name, key } in vectors.key_negative {
        assert_eq!(PublicKey::from_pem(key.as_bytes()), Err(InvalidPublicKey), "{name}");
    }
    let pem = &vectors.keys[0];
    let key = PublicKey::from_pem(pem.as_bytes()).unwrap();
    let base64 = key.to_base64();
    assert_eq!(
        pem.replace('\n', ""),
        alloc::format!("-----BEGIN PUBLIC KEY-----{base64}-----END PUBLIC KEY-----")
    );
    assert_eq!(PublicKey::from_base64(base64.as_bytes()).as_ref(), Ok(&key));
    let windows = pem.replace('\n', "\r\n");
    assert_eq!(PublicKey::from_pem(windows.as_bytes()).as_ref(), Ok(&key));
}

#[test]
fn what_is_shown_is_no_credential() {
    let (vectors, _) = vectors();
    let shown = alloc::format!("{:?}", token(&vectors.positive[0].token).unwrap());
    assert_eq!(shown, "SignedToken(158 bytes)");
}
