//! Requests with tokens.

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
use crate::certificate::ClientCertificate;
use crate::config::{Config, example};
use crate::fernet::{Key, KeyRing};
use crate::gate::{Budget, Effect, Gate, Input, KnownTokens, Verdict};
use crate::head::RequestHead;
use crate::identity::HeaderEdits;
use crate::jws::{PublicKey, PublicKeys};
use crate::keys::Keys;
use crate::refusal::{Rejection, Reply, Unknown};
use crate::time::UnixTime;
use crate::token::{
    AuditId, AuditIds, Delegation, Expiry, Federation, Id, Methods, Payload, Scope,
};

pub(super) const NOW: u64 = 1_800_000_000;

pub(super) fn now() -> UnixTime {
    UnixTime::from_secs(NOW)
}

pub(super) fn key(n: u8) -> Key {
    Key::new(&[n; 16], &[n; 16])
}

pub(super) fn keys(generation: u64, seeds: &[u8]) -> Keys {
    let ring = KeyRing::new((0..).zip(seeds.iter().map(|n| key(*n)))).unwrap();
    Keys { keys: ring.into(), generation }
}

pub(super) fn payload() -> Payload {
    Payload {
        user_id: Id::uuid([0xaa; 16]),
        methods: Methods::Bits(6),
        expires_at: Expiry::from_seconds(1_800_000_001.0).unwrap(),
        audit_ids: AuditIds { own: AuditId([1; 16]), chain: Some(AuditId([2; 16])) },
        scope: Scope::Project(Id::uuid([0xbb; 16])),
        delegation: Delegation::None,
    }
}

fn token(payload: &Payload) -> String {
    key(1).seal_text(NOW - 60, &[9; 16], &payload.encode())
}

pub(super) fn gate(changes: &Value) -> Gate {
    gate_that_knows(changes, &known_tokens())
}

pub(super) fn gate_that_knows(changes: &Value, known: &Rc<KnownTokens>) -> Gate {
    let json = example::with(changes);
    let config = Config::parse(json.as_bytes()).unwrap();
    Gate::new(Rc::new(config), Rc::new(Budget::new(1 << 20)), Rc::clone(known))
}

/// Hands in a head of these headers, and keys as often as they are asked for.
fn run(gate: &mut Gate, headers: &[(&str, &str)]) -> Effect {
    let mut all: Vec<(&[u8], &[u8])> = vec![(b":method", b"GET"), (b":path", b"/v2.1/servers")];
    all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let mut effect = gate.handle(now(), Input::Head { head: RequestHead::new(&all), is_end: true });
    loop {
        let input = match effect {
            Effect::NeedKeys { .. } => Input::Keys(keys(1, &[1]).into()),
            Effect::NeedCertificate => Input::Certificate(ClientCertificate::known("A4Dt=")),
            _ => return effect,
        };
        assert!(!gate.is_open());
        effect = gate.handle(now(), input);
    }
}

pub(super) fn forwarded(effect: Effect) -> (HeaderEdits, Verdict) {
    match effect {
        Effect::Forward(edits, verdict) => ((*edits).clone(), verdict.expect("a verdict")),
        other => panic!("not forwarded: {other:?}"),
    }
}

pub(super) fn refused(effect: Effect) -> (Reply, Verdict) {
    match effect {
        Effect::Refuse(reply, verdict) => (reply, verdict),
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn rejection(effect: Effect) -> Rejection {
    match refused(effect).1 {
        Verdict::Rejected(rejection) => rejection,
        other => panic!("not rejected: {other:?}"),
    }
}

pub(super) fn set(edits: &HeaderEdits) -> Vec<(&str, &str)> {
    edits.set.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn a_valid_token_is_presented_and_forwarded() {
    let mut gate = gate(&json!({}));
    let (edits, verdict) = forwarded(run(&mut gate, &[("x-auth-token", &token(&payload()))]));
    assert_eq!(verdict, Verdict::Allowed);
    assert!(gate.is_open());
    assert_eq!(edits.remove, [b""; 0]);
    assert_eq!(
        set(&edits),
        [
            ("x-identity-status", "Confirmed"),
            ("x-user-id", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            ("x-project-id", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
            ("x-tenant-id", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
            ("x-voussoir-token-kind", "project"),
            ("x-voussoir-token-methods", "token,password"),
            ("x-voussoir-token-audit-ids", "AQEBAQEBAQEBAQEBAQEBAQ,AgICAgICAgICAgICAgICAg"),
            ("x-voussoir-token-expires-at", "2027-01-15T08:00:01.000000Z"),
            ("x-voussoir-token-issued-at", "2027-01-15T07:59:00.000000Z"),
        ]
    );
}

#[test]
fn each_scope_and_delegation_has_its_headers() {
    let all_kinds = json!({"token": {"kinds": ["unscoped", "domain", "project", "trust",
        "federated_unscoped", "federated_project", "federated_domain", "oauth1", "system",
        "application_credential", "oauth2_credential", "restricted"]}});
    let id = || Id::uuid([0xcc; 16]);
    let hex = "cccccccccccccccccccccccccccccccc";
    let federation = Federation {
        group_ids: vec![id(), Id::text(b"staff").unwrap()],
        identity_provider_id: Id::text(b"idp").unwrap(),
        protocol_id: Id::text(b"saml2").unwrap(),
    };
    let project = || Scope::Project(id());
    for (scope, delegation, header, value) in [
        (Scope::Unscoped, Delegation::None, "x-voussoir-token-kind", "unscoped"),
        (Scope::Domain(id()), Delegation::None, "x-domain-id", hex),
        (Scope::System, Delegation::None, "openstack-system-scope", "all"),
        (project(), Delegation::Trust { trust_id: id() }, "x-voussoir-trust-id", hex),
        (
            Scope::Unscoped,
            Delegation::Federation(federation),
            "x-voussoir-group-ids",
            "cccccccccccccccccccccccccccccccc,staff",
        ),
        (
            project(),
            Delegation::Oauth1 { access_token_id: id() },
            "x-voussoir-access-token-id",
            hex,
        ),
        (
            project(),
            Delegation::ApplicationCredential { application_credential_id: id() },
            "x-voussoir-application-credential-id",
            hex,
        ),
        (
            project(),
            Delegation::Oauth2Credential { thumbprint: "A4Dt=".into() },
            "x-voussoir-certificate-thumbprint",
            "A4Dt=",
        ),
        (
            project(),
            Delegation::Restriction {
                token_restriction_id: id(),
                allow_renew: false,
                allow_rescope: false,
            },
            "x-voussoir-token-restriction-id",
            hex,
        ),
    ] {
        let token = token(&Payload { scope, delegation, ..payload() });
        let (edits, verdict) = forwarded(run(&mut gate(&all_kinds), &[("x-auth-token", &token)]));
        assert_eq!(verdict, Verdict::Allowed);
        assert!(set(&edits).contains(&(header, value)), "{header}: {edits:?}");
    }
}

#[test]
fn a_trusts_token_names_the_trustee_and_no_user() {
    let trust = Delegation::Trust { trust_id: Id::uuid([3; 16]) };
    let token = token(&Payload { delegation: trust, ..payload() });
    let (edits, _) = forwarded(run(&mut gate(&json!({})), &[("x-auth-token", &token)]));
    let headers = set(&edits);
    assert!(headers.iter().all(|(name, _)| *name != "x-user-id"));
    assert!(headers.contains(&("x-voussoir-trustee-user-id", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

#[test]
fn restrictions_that_the_token_does_not_tell_are_refused_by_default() {
    let id = || Id::uuid([4; 16]);
    for delegation in [
        Delegation::ApplicationCredential { application_credential_id: id() },
        Delegation::Restriction {
            token_restriction_id: id(),
            allow_renew: true,
            allow_rescope: true,
        },
    ] {
        let token = token(&Payload { delegation, ..payload() });
        let effect = run(&mut gate(&json!({})), &[("x-auth-token", &token)]);
        assert_eq!(rejection(effect), Rejection::TokenKindRefused);
    }
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_for_its_owner() {
    let bound = Delegation::Oauth2Credential { thumbprint: "A4Dt=".into() };
    let token = token(&Payload { delegation: bound, ..payload() });
    for (certificate, expected) in [
        (ClientCertificate::known("A4Dt="), None),
        (ClientCertificate::known("A4Dt"), Some(Rejection::CertificateWrong)),
        (ClientCertificate::Untold, Some(Rejection::CertificateUntold)),
        (ClientCertificate::None, Some(Rejection::CertificateMissing)),
    ] {
        let mut gate = gate(&json!({}));
        let headers = [(&b"x-auth-token"[..], token.as_bytes())];
        let head = RequestHead::new(&headers);
        let asked = gate.handle(now(), Input::Head { head, is_end: false });
        assert_eq!(asked, Effect::NeedKeys { newer_than: None });
        let asked = gate.handle(now(), Input::Keys(keys(1, &[1]).into()));
        assert_eq!(asked, Effect::NeedCertificate);
        assert!(!gate.is_open());
        let effect = gate.handle(now(), Input::Certificate(certificate));
        match expected {
            Some(expected) => assert_eq!(rejection(effect), expected),
            None => assert_eq!(forwarded(effect).1, Verdict::Allowed),
        }
        assert_eq!(gate.is_open(), expected.is_none());
    }
}

#[test]
fn no_other_token_has_to_do_with_certificates() {
    let mut gate = gate(&json!({}));
    let token = token(&payload());
    let headers = [(&b"x-auth-token"[..], token.as_bytes())];
    let head = RequestHead::new(&headers);
    let asked = gate.handle(now(), Input::Head { head, is_end: true });
    assert_eq!(asked, Effect::NeedKeys { newer_than: None });
    // What nobody asked for decides nothing but that the host has failed.
    let effect = gate.handle(now(), Input::Certificate(ClientCertificate::known("A4Dt=")));
    assert!(matches!(effect, Effect::Refuse(_, Verdict::Unavailable(Unknown::HostFailure))));
}

#[test]
fn a_token_ends_when_its_payload_says_so() {
    let ended = Payload { expires_at: Expiry::from_seconds(1_800_000_000.0).unwrap(), ..payload() };
    let effect = run(&mut gate(&json!({})), &[("x-auth-token", &token(&ended))]);
    assert_eq!(rejection(effect), Rejection::TokenExpired);

    // The envelope's own time is no expiry, even when it makes no sense.
    for issued_at in [0, u64::MAX] {
        let token = key(1).seal_text(issued_at, &[9; 16], &payload().encode());
        forwarded(run(&mut gate(&json!({})), &[("x-auth-token", &token)]));
    }
}

#[test]
fn what_is_no_token_needs_no_keys() {
    let long = "A".repeat(4097);
    for (text, expected) in [
        ("", Rejection::TokenMissing),
        ("gAAAAA", Rejection::TokenMalformed),
        ("not a token", Rejection::TokenMalformed),
        (long.as_str(), Rejection::TokenTooLong),
    ] {
        let headers = [(&b"x-auth-token"[..], text.as_bytes())];
        let effect = gate(&json!({}))
            .handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
        assert_eq!(rejection(effect), expected);
    }
    let headers = [(&b"x-auth-token"[..], &b"\xff\xfe"[..])];
    let effect = gate(&json!({}))
        .handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    assert_eq!(rejection(effect), Rejection::TokenMalformed);
}

#[test]
fn a_genuine_envelope_around_garbage_is_refused() {
    for (payload, expected) in [
        (&b""[..], Rejection::PayloadMalformed),
        (b"\x92\x02\xc0", Rejection::PayloadMalformed),
        (b"\x96\x0c\xc0\xc0\xc0\xc0\xc0", Rejection::PayloadVersionUnknown),
    ] {
        let token = key(1).seal_text(NOW, &[9; 16], payload);
        let effect = run(&mut gate(&json!({})), &[("x-auth-token", &token)]);
        assert_eq!(rejection(effect), expected);
    }
}

#[test]
fn a_token_of_another_key_is_refused_only_after_newer_keys_were_asked_for() {
    let mut gate = gate(&json!({}));
    let token = token(&payload());
    let headers = [(&b"x-auth-token"[..], token.as_bytes())];
    let effect = gate.handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    assert_eq!(effect, Effect::NeedKeys { newer_than: None });
    let effect = gate.handle(now(), Input::Keys(keys(7, &[2, 3]).into()));
    assert_eq!(effect, Effect::NeedKeys { newer_than: Some(7) });
    let effect = gate.handle(now(), Input::Keys(keys(7, &[2, 3]).into()));
    assert_eq!(rejection(effect), Rejection::TokenNotAuthentic);
}

#[test]
fn a_token_of_a_key_that_comes_later_is_accepted() {
    let mut gate = gate(&json!({}));
    let token = token(&payload());
    let headers = [(&b"x-auth-token"[..], token.as_bytes())];
    let _ = gate.handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    let _ = gate.handle(now(), Input::Keys(keys(7, &[2]).into()));
    let effect = gate.handle(now(), Input::Keys(keys(8, &[1, 2]).into()));
    assert_eq!(forwarded(effect).1, Verdict::Allowed);
}

#[test]
fn without_keys_nobody_is_refused_for_good() {
    let mut gate = gate(&json!({}));
    let token = token(&payload());
    let headers = [(&b"x-auth-token"[..], token.as_bytes())];
    let _ = gate.handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    let retry_after = Duration::from_millis(2_100);
    let cause = Unknown::KeysUnavailable;
    let (reply, verdict) = refused(gate.handle(now(), Input::Unknown { cause, retry_after }));
    assert_eq!(verdict, Verdict::Unavailable(Unknown::KeysUnavailable));
    assert_eq!(reply.status, 503);
    assert_eq!(reply.details, "voussoir_keys_unavailable");
    assert!(reply.headers.contains(&("retry-after".into(), "3".into())));
}

#[test]
fn more_than_one_token_is_ambiguous() {
    let token = token(&payload());
    let other = format!("{}A", &token[..token.len() - 1]);
    for headers in [
        &[("x-auth-token", token.as_str()), ("x-auth-token", token.as_str())][..],
        &[("x-auth-token", &token), ("x-auth-token", "")],
        &[("x-auth-token", &token), ("x-storage-token", &other)],
        &[("x-storage-token", &token), ("x-storage-token", &other)],
    ] {
        for changes in [json!({}), json!({"missing": "anonymous"})] {
            let (reply, verdict) = refused(run(&mut gate(&changes), headers));
            assert_eq!(reply.status, 400);
            assert_eq!(verdict, Verdict::Rejected(Rejection::TokenAmbiguous));
        }
    }
}

#[test]
fn the_storage_token_counts_where_there_is_no_other() {
    let token = token(&payload());
    for headers in [
        &[("x-storage-token", token.as_str())][..],
        &[("x-storage-token", &token), ("x-auth-token", &token)],
    ] {
        assert_eq!(forwarded(run(&mut gate(&json!({})), headers)).1, Verdict::Allowed);
    }
}

#[test]
fn a_service_that_decides_itself_sees_an_invalid_identity() {
    let mut gate = gate(&json!({"missing": "anonymous"}));
    let (edits, verdict) = forwarded(run(&mut gate, &[("x-auth-token", "garbage")]));
    assert_eq!(verdict, Verdict::Anonymous(Rejection::TokenMalformed));
    assert_eq!(set(&edits), [("x-identity-status", "Invalid")]);
}

#[test]
fn anonymous_is_no_way_around_keys_that_cannot_be_had() {
    let mut gate = gate(&json!({"missing": "anonymous"}));
    let token = token(&payload());
    let headers = [(&b"x-auth-token"[..], token.as_bytes())];
    let _ = gate.handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    let (cause, retry_after) = (Unknown::KeysUnavailable, Duration::from_secs(1));
    let (reply, _) = refused(gate.handle(now(), Input::Unknown { cause, retry_after }));
    assert_eq!(reply.status, 503);
}

#[test]
fn shadow_mode_forwards_what_it_would_refuse_and_says_so() {
    let mut gate = gate(&json!({"mode": "shadow", "token": {"forward": false}}));
    let (edits, verdict) = forwarded(run(&mut gate, &[("x-auth-token", "garbage")]));
    assert_eq!(verdict, Verdict::Rejected(Rejection::TokenMalformed));
    assert_eq!(set(&edits), [("x-identity-status", "Invalid")]);
    assert_eq!(edits.remove, [b""; 0], "the service still needs the credential");
}

#[test]
fn the_credential_is_taken_away_only_where_it_was_checked() {
    let token = token(&payload());
    let headers = [("x-auth-token", token.as_str())];
    let removed = |changes: Value| forwarded(run(&mut gate(&changes), &headers)).0.remove;
    let both: [&[u8]; 2] = [b"x-auth-token", b"x-storage-token"];
    assert_eq!(removed(json!({"token": {"forward": false}})), both);
    assert_eq!(removed(json!({"token": {"forward": true}})), [b""; 0]);
    let bypassed = json!({"token": {"forward": false}, "bypass": [{"path": "/v2.1/servers"}]});
    assert_eq!(removed(bypassed), [b""; 0]);
}

#[test]
fn a_bypassed_request_has_no_identity() {
    let mut gate = gate(&json!({"bypass": [{"path": "/v2.1/servers", "methods": ["GET"]}]}));
    let (edits, verdict) = forwarded(run(&mut gate, &[("x-auth-token", &token(&payload()))]));
    assert_eq!(verdict, Verdict::Bypassed);
    assert_eq!(set(&edits), []);
}

#[test]
fn a_refusal_is_worded_as_keystonemiddleware_words_it() {
    let (reply, _) = refused(run(&mut gate(&json!({})), &[]));
    let challenge = "Keystone uri=\"http://keystone/v3\"";
    assert_eq!(
        reply,
        Reply {
            status: 401,
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("www-authenticate".into(), challenge.into()),
            ],
            body: "{\"error\":{\"code\":401,\"title\":\"Unauthorized\",\"message\":\
                   \"The request you have made requires authentication.\"}}"
                .into(),
            details: "voussoir_token_missing".into(),
        }
    );
}

#[test]
fn the_reason_is_told_only_where_that_is_configured() {
    let (reply, _) = refused(run(&mut gate(&json!({"reason_header": "x-why"})), &[]));
    assert!(reply.headers.contains(&("x-why".into(), "token_missing".into())));
}

#[test]
fn a_failing_host_lets_nothing_through() {
    for changes in [json!({}), json!({"mode": "shadow"}), json!({"missing": "anonymous"})] {
        let mut failing = gate(&changes);
        let (reply, verdict) = refused(failing.handle(now(), Input::NoHead));
        assert_eq!((reply.status, verdict), (503, Verdict::Unavailable(Unknown::HostFailure)));
        assert!(!failing.is_open());

        let mut aborted = gate(&changes);
        forwarded(run(&mut aborted, &[("x-auth-token", &token(&payload()))]));
        refused(aborted.abort());
        assert!(!aborted.is_open());
        assert_eq!(aborted.abort(), Effect::Nothing, "one answer is enough");
    }
}

#[test]
fn a_decision_is_final() {
    let mut gate = gate(&json!({}));
    refused(run(&mut gate, &[]));
    let token = token(&payload());
    let headers = [(&b"x-auth-token"[..], token.as_bytes())];
    let again = gate.handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    assert_eq!(again, Effect::Nothing);
    assert_eq!(gate.handle(now(), Input::Keys(keys(1, &[1]).into())), Effect::Nothing);
    assert!(!gate.is_open());
}

#[test]
fn inputs_out_of_order_are_a_failing_host() {
    let mut gate = gate(&json!({}));
    let (reply, _) = refused(gate.handle(now(), Input::Keys(keys(1, &[1]).into())));
    assert_eq!(reply.status, 503);
    assert!(!gate.is_open());
}

#[test]
fn a_signed_token_says_what_a_fernet_token_does() {
    let json = include_str!("../../../../tests/vectors/keystone-30-jws.json");
    let vectors: Value = serde_json::from_str(json).unwrap();
    let public = |nth: usize| {
        PublicKey::from_pem(vectors["keys"][nth].as_str().unwrap().as_bytes()).unwrap()
    };
    let jws = |generation: u64, keys: Vec<PublicKey>| {
        Input::Keys(Keys { keys: PublicKeys::new(keys).unwrap().into(), generation }.into())
    };
    let is_for_a_project = |vector: &&Value| vector["kind"] == "project";
    let vector = vectors["positive"].as_array().unwrap().iter().find(is_for_a_project).unwrap();
    let token = vector["token"].as_str().unwrap();
    let begun = || {
        let mut gate = gate(&json!({}));
        let headers: [(&[u8], &[u8]); 1] = [(b"x-auth-token", token.as_bytes())];
        let head = RequestHead::new(&headers);
        let effect = gate.handle(now(), Input::Head { head, is_end: true });
        assert_eq!(effect, Effect::NeedKeys { newer_than: None });
        gate
    };
    let (edits, verdict) = forwarded(begun().handle(now(), jws(1, vec![public(0), public(1)])));
    assert_eq!(verdict, Verdict::Allowed);
    let set = set(&edits);
    assert!(set.contains(&("x-user-id", vector["user_id"].as_str().unwrap())));
    assert!(set.contains(&("x-voussoir-token-methods", "password")));

    let early = UnixTime::from_secs(vector["issued_at"].as_u64().unwrap() - 1);
    let effect = begun().handle(early, jws(1, vec![public(0), public(1)]));
    assert_eq!(rejection(effect), Rejection::TokenNotYetValid);

    // Keys of the other kind open nothing, and newer ones may.
    let mut gate_of_fernet = begun();
    let effect = gate_of_fernet.handle(now(), Input::Keys(keys(1, &[1]).into()));
    assert_eq!(effect, Effect::NeedKeys { newer_than: Some(1) });
    forwarded(gate_of_fernet.handle(now(), jws(2, vec![public(0), public(1)])));
    let mut gate = gate(&json!({}));
    let half = &token[..token.len() - 20];
    let headers: [(&[u8], &[u8]); 1] = [(b"x-auth-token", half.as_bytes())];
    let effect = gate.handle(now(), Input::Head { head: RequestHead::new(&headers), is_end: true });
    assert_eq!(rejection(effect), Rejection::TokenMalformed);
}
