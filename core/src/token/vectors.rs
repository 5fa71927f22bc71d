//! Tokens minted by Keystone's own code (`tests/vectors/`): what it wrote is what we read.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde::Deserialize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Delegation, Kind, MethodNames, Methods, Payload, PayloadError, Scope};
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
    name: String,
    token: String,
    key_id: u32,
    version: u64,
    kind: String,
    user_id: String,
    auth_methods: Option<Vec<String>>,
    methods: Vec<String>,
    methods_bitmask: u64,
    expires_at_text: String,
    issued_at: u64,
    audit_ids: Vec<String>,
    #[serde(default)]
    scope: ScopeIds,
    trust_id: Option<String>,
    group_ids: Option<Vec<String>>,
    identity_provider_id: Option<String>,
    protocol_id: Option<String>,
    access_token_id: Option<String>,
    application_credential_id: Option<String>,
    thumbprint: Option<String>,
    token_restriction_id: Option<String>,
    allow_renew: Option<bool>,
    allow_rescope: Option<bool>,
    payload_hex: String,
}

#[derive(Default, Deserialize, Debug, PartialEq)]
#[serde(default)]
struct ScopeIds {
    domain_id: Option<String>,
    project_id: Option<String>,
    system: Option<String>,
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
        let name = &vector.name;
        let opened = Envelope::from_text(vector.token.as_bytes(), 4096)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
            .open(&ring)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(opened.key_id, vector.key_id, "{name}");
        assert_eq!(opened.issued_at, vector.issued_at, "{name}");
        let hex: Vec<_> = opened.payload.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
        assert_eq!(hex.concat(), vector.payload_hex, "{name}");

        let payload =
            Payload::decode(&opened.payload).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        kinds.push(payload.kind());
        assert_eq!(payload.kind().version(), vector.version, "{name}");
        assert_eq!(payload.kind().name(), vector.kind, "{name}");
        assert_eq!(payload.user_id.to_string(), vector.user_id, "{name}");
        assert_eq!(payload.methods, Methods::Bits(vector.methods_bitmask), "{name}");
        let names = vector.auth_methods.unwrap_or_else(|| vectors.auth_methods.clone());
        let names = MethodNames::new(names).unwrap();
        assert_eq!(names.of(&payload.methods), vector.methods, "{name}");
        assert_eq!(payload.expires_at.time().to_string(), vector.expires_at_text, "{name}");
        let audit_ids: Vec<_> = core::iter::once(payload.audit_ids.own)
            .chain(payload.audit_ids.chain)
            .map(|id| id.to_string())
            .collect();
        assert_eq!(audit_ids, vector.audit_ids, "{name}");

        let mut scope = ScopeIds::default();
        match &payload.scope {
            Scope::Unscoped => {}
            Scope::Domain(id) => scope.domain_id = Some(id.to_string()),
            Scope::Project(id) => scope.project_id = Some(id.to_string()),
            Scope::System => scope.system = Some("all".into()),
        }
        assert_eq!(scope, vector.scope, "{name}");

        match payload.delegation {
            Delegation::None => {}
            Delegation::Trust { trust_id } => {
                assert_eq!(Some(trust_id.to_string()), vector.trust_id, "{name}");
            }
            Delegation::Federation(federation) => {
                let groups = federation.group_ids.iter().map(ToString::to_string).collect();
                assert_eq!(Some(groups), vector.group_ids, "{name}");
                let provider = federation.identity_provider_id.to_string();
                assert_eq!(Some(provider), vector.identity_provider_id, "{name}");
                let protocol = federation.protocol_id.to_string();
                assert_eq!(Some(protocol), vector.protocol_id, "{name}");
            }
            Delegation::Oauth1 { access_token_id } => {
                assert_eq!(Some(access_token_id.to_string()), vector.access_token_id, "{name}");
            }
            Delegation::ApplicationCredential { application_credential_id: id } => {
                assert_eq!(Some(id.to_string()), vector.application_credential_id, "{name}");
            }
            Delegation::Oauth2Credential { thumbprint } => {
                assert_eq!(Some(thumbprint), vector.thumbprint, "{name}");
            }
            Delegation::Restriction { token_restriction_id, allow_renew, allow_rescope } => {
                let id = token_restriction_id.to_string();
                assert_eq!(Some(id), vector.token_restriction_id, "{name}");
                assert_eq!(Some(allow_renew), vector.allow_renew, "{name}");
                assert_eq!(Some(allow_rescope), vector.allow_rescope, "{name}");
            }
        }
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
