//! Tokens minted by Keystone's own code (`tests/vectors/`): what it wrote is what we read.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::Deserialize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::said::Said;
use super::{Kind, MethodNames, Methods, Payload, PayloadError};
use crate::fernet::{Envelope, KeyRing, OpenError};
use crate::record::KeySet;

#[derive(Deserialize)]
struct Vectors {
    auth_methods: Vec<String>,
    keys: Vec<crate::record::FernetKey>,
    positive: Vec<Positive>,
    negative: Vec<Negative>,
    envelope_negative: Vec<Negative>,
}

#[derive(Deserialize)]
struct Positive {
    key_id: u32,
    version: u64,
    auth_methods: Option<Vec<String>>,
    methods_bitmask: u64,
    payload_hex: String,
    #[serde(flatten)]
    said: Said,
}

#[derive(Deserialize)]
struct Negative {
    name: String,
    token: String,
    expect: String,
}

fn vectors() -> (Vectors, KeyRing) {
    let json = include_str!("../../../tests/vectors/keystone-30.json");
    let vectors: Vectors = serde_json::from_str(json).unwrap();
    let ring = KeySet { fernet: vectors.keys.clone(), ..KeySet::default() }.ring().unwrap();
    (vectors, ring)
}

#[test]
fn every_token_of_keystones_is_read_as_keystone_reads_it() {
    let (vectors, ring) = vectors();
    let mut kinds = vec![];
    for vector in vectors.positive {
        let name = &vector.said.name;
        let opened = Envelope::from_text(vector.said.token.as_bytes(), 4096)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
            .open(&ring)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(opened.key_id, vector.key_id, "{name}");
        let hex: Vec<_> = opened.payload.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
        assert_eq!(hex.concat(), vector.payload_hex, "{name}");

        let payload =
            Payload::decode(&opened.payload).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        kinds.push(payload.kind());
        assert_eq!(payload.kind().version(), vector.version, "{name}");
        assert_eq!(payload.methods, Methods::Bits(vector.methods_bitmask), "{name}");
        let names = vector.auth_methods.unwrap_or_else(|| vectors.auth_methods.clone());
        vector.said.check(&payload, opened.issued_at, &MethodNames::new(names).unwrap());
    }
    assert!(Kind::ALL.iter().all(|kind| kinds.contains(kind)), "a kind has no vector");
}

#[test]
fn a_right_hmac_makes_no_payload_right() {
    let (vectors, ring) = vectors();
    for Negative { name, token, expect } in vectors.negative {
        let opened = Envelope::from_text(token.as_bytes(), 4096).unwrap().open(&ring).unwrap();
        let error = match Payload::decode(&opened.payload) {
            Ok(_) => "none",
            Err(PayloadError::Malformed) => "payload_malformed",
            Err(PayloadError::UnknownVersion(_)) => "payload_version_unknown",
        };
        assert_eq!(error, expect, "{name}");
    }
}

#[test]
fn an_envelope_has_one_spelling_and_one_maker() {
    let (vectors, ring) = vectors();
    for Negative { name, token, expect } in vectors.envelope_negative {
        let error = match Envelope::from_text(token.as_bytes(), 4096).map(|e| e.open(&ring)) {
            Ok(Ok(_)) => "none",
            Ok(Err(OpenError::NoKey(_))) => "token_not_authentic",
            Ok(Err(OpenError::Padding)) | Err(_) => "token_malformed",
        };
        assert_eq!(error, expect, "{name}");
    }
}
