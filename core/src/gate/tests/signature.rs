//! Requests with AWS signatures. How they are verified is tested in `sigv4`; here is what becomes
//! of them, and of their bodies.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::known_tokens;
use crate::access_keys::AccessKey;
use crate::config::{Config, example};
use crate::gate::{Budget, Effect, Gate, Input, Verdict};
use crate::head::RequestHead;
use crate::identity::HeaderEdits;
use crate::record::{AccessKeyFault, CredentialRecord};
use crate::refusal::{Rejection, Reply, SignatureFault, Unknown};
use crate::sigv4::{Claim, DEFAULT_MAX_SKEW, SigningKey, Unverified};
use crate::time::UnixTime;

const NOW: u64 = 1_369_353_600;
pub(super) const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
pub(super) const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A request, being written.
#[derive(Clone)]
pub(super) struct Request {
    method: &'static str,
    pub(super) path: String,
    service: &'static str,
    headers: Vec<(String, String)>,
    is_end: bool,
}

impl Request {
    pub(super) fn get() -> Self {
        Self::of("s3", &[("x-amz-content-sha256", NOTHING)])
    }

    pub(super) fn put(content_sha256: &str, length: usize) -> Self {
        let length = length.to_string();
        let headers = [("x-amz-content-sha256", content_sha256), ("content-length", &length)];
        Self { method: "PUT", is_end: false, ..Self::of("s3", &headers) }
    }

    pub(super) fn of(service: &'static str, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Self {
            method: "GET",
            path: "/bucket/key".into(),
            service,
            headers: headers.collect(),
            is_end: true,
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn without_length(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "content-length");
        self
    }

    /// With an `Authorization` header that has this signature.
    pub(super) fn authorized(&self, signature: &str) -> Self {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| name.starts_with("x-amz"));
        names.extend(["host", "x-amz-date"]);
        names.sort_unstable();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/{}/aws4_request,\
             SignedHeaders={},Signature={signature}",
            self.service,
            names.join(";")
        );
        self.clone().with("x-amz-date", "20130524T000000Z").with("authorization", &authorization)
    }

    /// As its sender would sign it; `body` is what the signature covers, where it is not in the
    /// head.
    pub(super) fn signed(&self, body: Option<[u8; 32]>) -> Self {
        let placeholder = self.authorized(&"0".repeat(64));
        let claim = placeholder
            .on_head(|head| Claim::from_head(head, now(), DEFAULT_MAX_SKEW).unwrap().unwrap());
        let claim = body.map_or_else(|| claim.clone(), |hash| claim.clone().with_body_sha256(hash));
        let Err(Unverified::Mismatch(mismatch)) = claim.verify(&signing_key(), now()) else {
            panic!("no mismatch");
        };
        self.authorized(&signing_key().sign(&mismatch.string_to_sign).to_string())
    }

    fn on_head<T>(&self, f: impl FnOnce(RequestHead<'_>) -> T) -> T {
        let mut all: Vec<(&[u8], &[u8])> = Vec::from([
            (&b":method"[..], self.method.as_bytes()),
            (b":path", self.path.as_bytes()),
            (b":authority", b"storage.example"),
        ]);
        all.extend(self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        f(RequestHead::new(&all))
    }

    pub(super) fn arrive(&self, gate: &mut Gate) -> Effect {
        self.on_head(|head| gate.handle(now(), Input::Head { head, is_end: self.is_end }))
    }
}

pub(super) fn now() -> UnixTime {
    UnixTime::from_secs(NOW)
}

fn signing_key() -> SigningKey {
    SigningKey::new([7; 32])
}

pub(super) fn access_key(changes: &Value) -> Rc<AccessKey> {
    access_key_for("s3", changes)
}

fn access_key_for(service: &str, changes: &Value) -> Rc<AccessKey> {
    let mut record = json!({
        "user": {"id": "u1", "name": "Ann", "domain": {"id": "d1", "name": "Users"}},
        "project": {"id": "p1", "name": "Storage", "domain": {"id": "d2", "name": "Projects"}},
        "roles": [{"name": "member"}, {"name": "reader"}],
    });
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let record: CredentialRecord = serde_json::from_value(record).unwrap();
    let credential = format!("AKID/20130524/us-east-1/{service}/aws4_request");
    let credential = crate::sigv4::Credential::from_text(credential.as_bytes()).unwrap();
    Rc::new(AccessKey::new(credential, signing_key(), record))
}

pub(super) fn gate(changes: &Value) -> Gate {
    let mut all = json!({"sigv4": {}});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Gate::new(
        Rc::new(Config::parse(example::with(&all).as_bytes()).unwrap()),
        Rc::new(Budget::new(1 << 20)),
        known_tokens(),
    )
}

/// A request's head at a gate, with the key it asks for.
pub(super) fn run(gate: &mut Gate, request: &Request) -> Effect {
    match request.arrive(gate) {
        Effect::NeedSigningKey(credential) => {
            assert!(!gate.is_open());
            assert_eq!(credential.access_key, "AKID");
            let key = access_key_for(request.service, &json!({}));
            gate.handle(now(), Input::SigningKey(key))
        }
        effect => effect,
    }
}

pub(super) fn body(gate: &mut Gate, piece: &[u8], is_end: bool) -> Effect {
    gate.handle(now(), Input::Body { piece, is_end })
}

fn forwarded(effect: Effect) -> (HeaderEdits, Option<Verdict>) {
    match effect {
        Effect::Forward(edits, verdict) => ((*edits).clone(), verdict),
        other => panic!("not forwarded: {other:?}"),
    }
}

fn refused(effect: Effect) -> (Reply, SignatureFault) {
    match effect {
        Effect::Refuse(reply, Verdict::Rejected(Rejection::Signature(fault))) => (reply, fault),
        other => panic!("not refused: {other:?}"),
    }
}

fn passed(effect: Effect) -> (Option<Vec<u8>>, Option<Verdict>) {
    match effect {
        Effect::Pass { replacement, verdict } => (replacement, verdict),
        other => panic!("not passed: {other:?}"),
    }
}

#[test]
fn a_signed_request_is_presented_as_its_owner() {
    let mut gate = gate(&json!({}));
    let (edits, verdict) = forwarded(run(&mut gate, &Request::get().signed(None)));
    assert_eq!(verdict, Some(Verdict::Allowed));
    assert!(gate.is_open());
    assert_eq!(edits.remove, [b""; 0]);
    let set: Vec<_> = edits.set.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        set,
        [
            ("x-identity-status", "Confirmed"),
            ("x-user-id", "u1"),
            ("x-user-name", "Ann"),
            ("x-user-domain-id", "d1"),
            ("x-user-domain-name", "Users"),
            ("x-project-id", "p1"),
            ("x-tenant-id", "p1"),
            ("x-project-name", "Storage"),
            ("x-tenant-name", "Storage"),
            ("x-project-domain-id", "d2"),
            ("x-project-domain-name", "Projects"),
            ("x-roles", "member,reader"),
            ("x-voussoir-access-key-id", "AKID"),
        ]
    );
}

#[test]
fn what_no_key_could_make_good_is_refused_without_one() {
    let regions = json!({"sigv4": {"regions": ["eu-1"], "services": ["s3", "sqs"]}});
    let prefix = json!({"sigv4": {"access_key_prefix": "VSR"}});
    let none = json!({});
    for (changes, request, expected, (status, code)) in [
        (
            &regions,
            Request::get().signed(None),
            SignatureFault::RegionRefused,
            (400, "AuthorizationHeaderMalformed"),
        ),
        (
            &none,
            Request::of("sqs", &[]).authorized(&"0".repeat(64)),
            SignatureFault::ServiceRefused,
            (400, "AuthorizationHeaderMalformed"),
        ),
        (
            &prefix,
            Request::get().signed(None),
            SignatureFault::AccessKeyForeign,
            (403, "InvalidAccessKeyId"),
        ),
        (
            &none,
            Request::get().signed(None).with("x-amz-acl", "public-read"),
            SignatureFault::HeadersNotSigned,
            (403, "AccessDenied"),
        ),
        (
            &none,
            Request::get().signed(None).with("x-auth-token", "gAAAA"),
            SignatureFault::Ambiguous,
            (400, "InvalidArgument"),
        ),
        (
            &none,
            Request::get().signed(None).with("x-service-token", "gAAAA"),
            SignatureFault::Ambiguous,
            (400, "InvalidArgument"),
        ),
        (
            &none,
            Request::get().with("authorization", "AWS AKID:c2ln"),
            SignatureFault::VersionRefused,
            (400, "InvalidRequest"),
        ),
        (
            &none,
            Request::put("STREAMING-UNSIGNED-PAYLOAD-TRAILER", 5).authorized(&"0".repeat(64)),
            SignatureFault::Payload,
            (411, "MissingContentLength"),
        ),
    ] {
        let mut gate = gate(changes);
        let (reply, fault) = refused(request.arrive(&mut gate));
        assert_eq!((fault, reply.status), (expected, status));
        assert!(reply.body.contains(&format!("<Code>{code}</Code>")), "{}", reply.body);
        assert!(!gate.is_open());
    }
}

#[test]
fn a_wrong_signature_is_shown_what_a_right_one_signs() {
    let mut gate = gate(&json!({}));
    let (reply, fault) = refused(run(&mut gate, &Request::get().authorized(&"0".repeat(64))));
    assert_eq!((fault, reply.status), (SignatureFault::Mismatch, 403));
    for text in [
        "<Code>SignatureDoesNotMatch</Code>",
        "<AWSAccessKeyId>AKID</AWSAccessKeyId>",
        "<StringToSign>AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n",
        "<StringToSignBytes>41 57 53 34 ",
        "<CanonicalRequest>GET\n/bucket/key\n\nhost:storage.example\n",
        "<CanonicalRequestBytes>47 45 54 0a ",
        "<SignatureProvided>000000",
    ] {
        assert!(reply.body.contains(text), "{text}: {}", reply.body);
    }
    assert!(!gate.is_open());
}

#[test]
fn an_access_key_that_is_none_is_not_told_from_one_that_is_off() {
    let answers = [
        AccessKeyFault::AccessKeyUnknown,
        AccessKeyFault::AccessKeyDisabled,
        AccessKeyFault::AccessKeyExpired,
    ]
    .map(|fault| {
        let mut gate = gate(&json!({}));
        let _ = Request::get().signed(None).arrive(&mut gate);
        let (reply, reason) = refused(gate.handle(now(), Input::NoAccessKey(fault)));
        assert_eq!(reason, SignatureFault::AccessKey(fault));
        assert!(!gate.is_open());
        reply.body
    });
    assert!(answers[0].contains("<Code>InvalidAccessKeyId</Code>"));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn a_key_that_cannot_be_had_is_no_refusal() {
    let mut gate = gate(&json!({"missing": "anonymous"}));
    let _ = Request::get().signed(None).arrive(&mut gate);
    let cause = Unknown::KeysUnavailable;
    let effect =
        gate.handle(now(), Input::Unknown { cause, retry_after: Duration::from_millis(1) });
    let Effect::Refuse(reply, verdict) = effect else { panic!("{effect:?}") };
    assert_eq!(verdict, Verdict::Unavailable(cause));
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("<Code>SlowDown</Code>"), "{}", reply.body);
    assert!(reply.headers.contains(&("retry-after".into(), "1".into())));
}

#[test]
fn a_session_token_belongs_to_its_access_key() {
    let hash = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"; // of "token"
    let bound = json!({"session_token_sha256": hash});
    let free = json!({});
    for (record, token, code) in [
        (&bound, Some("token"), None),
        (&bound, Some("Token"), Some("InvalidToken")),
        (&bound, None, Some("InvalidAccessKeyId")),
        (&free, Some("token"), Some("InvalidToken")),
        (&free, None, None),
    ] {
        let request = Request::get();
        let request = token.map_or_else(
            || request.clone(),
            |token| request.clone().with("x-amz-security-token", token),
        );
        let mut gate = gate(&json!({}));
        let _ = request.signed(None).arrive(&mut gate);
        let effect = gate.handle(now(), Input::SigningKey(access_key(record)));
        match code {
            None => assert!(gate.is_open(), "{effect:?}"),
            Some(code) => {
                let (reply, fault) = refused(effect);
                assert_eq!(fault, SignatureFault::SessionToken);
                assert!(reply.body.contains(&format!("<Code>{code}</Code>")), "{}", reply.body);
            }
        }
    }
}

#[test]
fn a_hashed_body_passes_and_its_last_byte_with_its_end() {
    for is_known in [true, false] {
        let mut gate = gate(&json!({}));
        let request = Request::put(HELLO, 5);
        let request = if is_known { request } else { request.without_length() };
        let (_, verdict) = forwarded(run(&mut gate, &request.signed(None)));
        assert_eq!(verdict, None);
        assert!(gate.reads_body());
        assert_eq!(passed(body(&mut gate, b"hel", false)), (Some(b"he".to_vec()), None));
        assert_eq!(passed(body(&mut gate, b"lo", false)), (Some(b"ll".to_vec()), None));
        let end = passed(body(&mut gate, b"", true));
        assert_eq!(end, (Some(b"o".to_vec()), Some(Verdict::Allowed)));
    }
}

#[test]
fn another_body_does_not_reach_its_end() {
    let mut gate = gate(&json!({}));
    let _ = forwarded(run(&mut gate, &Request::put(HELLO, 5).signed(None)));
    let _ = passed(body(&mut gate, b"hell", false));
    let (reply, fault) = refused(body(&mut gate, b"a", false));
    assert_eq!((fault, reply.status), (SignatureFault::BodyHash, 400));
    assert!(reply.body.contains("<Code>XAmzContentSHA256Mismatch</Code>"));
    assert!(!gate.is_open());
    assert_eq!(body(&mut gate, b"more", true), Effect::Nothing);
}

#[test]
fn a_head_without_a_body_waits_for_the_verdict_on_the_body() {
    for (request, is_good) in [
        (Request::put(NOTHING, 0), true),
        (Request { is_end: true, ..Request::put(NOTHING, 0).without_length() }, true),
        (Request::put(HELLO, 0), false),
        (Request { is_end: true, ..Request::put(HELLO, 0).without_length() }, false),
        (
            Request { is_end: true, ..Request::put("STREAMING-UNSIGNED-PAYLOAD-TRAILER", 0) }
                .with("x-amz-decoded-content-length", "0"),
            false,
        ),
    ] {
        let mut gate = gate(&json!({}));
        let effect = run(&mut gate, &request.signed(None));
        if is_good {
            assert_eq!(forwarded(effect).1, Some(Verdict::Allowed));
            // What was announced as nothing does not grow afterwards.
            assert!(matches!(body(&mut gate, b"x", true), Effect::Refuse(..)));
        } else {
            refused(effect);
            assert!(!gate.is_open());
        }
    }
}

const CHUNKED: &[u8] = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";

fn unsigned_chunks() -> Request {
    Request::put("STREAMING-UNSIGNED-PAYLOAD-TRAILER", CHUNKED.len())
        .with("x-amz-decoded-content-length", "5")
        .with("x-amz-trailer", "x-amz-checksum-crc32")
        .with("content-encoding", "aws-chunked")
}

#[test]
fn a_body_in_chunks_is_decoded_and_announced_as_such() {
    let mut gate = gate(&json!({}));
    let (edits, verdict) = forwarded(run(&mut gate, &unsigned_chunks().signed(None)));
    assert_eq!(verdict, None);
    assert!(edits.set.contains(&("content-length", "5".into())));
    assert!(edits.remove.contains(&&b"content-encoding"[..]));
    assert_eq!(passed(body(&mut gate, CHUNKED, false)), (Some(b"hell".to_vec()), None));
    let end = passed(body(&mut gate, b"", true));
    assert_eq!(end, (Some(b"o".to_vec()), Some(Verdict::Allowed)));
}

#[test]
fn a_body_in_chunks_is_left_as_it_is_where_that_is_wanted() {
    let mut gate = gate(&json!({"sigv4": {"decode_chunks": false}}));
    let (edits, _) = forwarded(run(&mut gate, &unsigned_chunks().signed(None)));
    assert!(edits.set.iter().all(|(name, _)| *name != "content-length"));
    assert_eq!(edits.remove, [b""; 0]);
    let (out, _) = passed(body(&mut gate, CHUNKED, true));
    assert_eq!(out.as_deref(), Some(CHUNKED));
}

#[test]
fn a_wrong_chunk_is_shown_what_a_right_one_signs() {
    let mut gate = gate(&json!({}));
    let request = Request::put("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 200)
        .with("x-amz-decoded-content-length", "5");
    let _ = forwarded(run(&mut gate, &request.signed(None)));
    let chunk = format!("5;chunk-signature={}\r\nhello\r\n", "0".repeat(64));
    let (reply, fault) = refused(body(&mut gate, chunk.as_bytes(), false));
    assert_eq!((fault, reply.status), (SignatureFault::ChunkSignature, 403));
    assert!(reply.body.contains("<StringToSign>AWS4-HMAC-SHA256-PAYLOAD\n"), "{}", reply.body);
    assert!(reply.body.contains("<CanonicalRequest>PUT\n"), "{}", reply.body);
}

#[test]
fn a_chunk_larger_than_the_limit_is_refused() {
    let mut gate = gate(&json!({"sigv4": {"max_chunk": "8KiB"}}));
    let request = Request::put("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 100_000)
        .with("x-amz-decoded-content-length", "90000");
    let _ = forwarded(run(&mut gate, &request.signed(None)));
    let line = format!("2001;chunk-signature={}\r\n", "0".repeat(64));
    let (_, fault) = refused(body(&mut gate, line.as_bytes(), false));
    assert_eq!(fault, SignatureFault::ChunkTooLarge);
}

#[test]
fn no_trailers_follow_a_signed_request() {
    for request in [
        Request::get(),
        Request::put("UNSIGNED-PAYLOAD", 5),
        Request::put(HELLO, 5).without_length(),
        unsigned_chunks(),
    ] {
        let mut gate = gate(&json!({}));
        let _ = forwarded(run(&mut gate, &request.signed(None)));
        let (reply, fault) = refused(gate.handle(now(), Input::Trailers));
        assert_eq!((fault, reply.status), (SignatureFault::TrailersRefused, 400));
        assert!(!gate.is_open());
    }
}

#[test]
fn a_body_that_trailers_follow_never_passes_whole() {
    for (request, whole) in [
        (Request::put(HELLO, 5), &b"hello"[..]),
        (Request::put(HELLO, 5).without_length(), b"hello"),
        (unsigned_chunks(), CHUNKED),
        (unsigned_chunks().without_length(), CHUNKED),
    ] {
        let mut gate = gate(&json!({}));
        let _ = forwarded(run(&mut gate, &request.signed(None)));
        assert_eq!(passed(body(&mut gate, whole, false)), (Some(b"hell".to_vec()), None));
        let (_, fault) = refused(gate.handle(now(), Input::Trailers));
        assert_eq!(fault, SignatureFault::TrailersRefused);
    }
}

#[test]
fn credentials_are_spent_where_that_is_wanted() {
    let strip = json!({"sigv4": {"forward": false}});
    let mut gate = gate(&strip);
    let (edits, _) = forwarded(run(&mut gate, &Request::get().signed(None)));
    assert_eq!(edits.remove, [&b"authorization"[..], b"x-amz-security-token"]);
}

/// SQS, say: what is signed is the hash of the body, and the head does not have it.
fn sqs() -> Request {
    Request { method: "POST", is_end: false, ..Request::of("sqs", &[("content-length", "5")]) }
}

fn hello() -> [u8; 32] {
    crate::sigv4::hex_bytes(HELLO.as_bytes()).unwrap()
}

#[test]
fn a_body_whose_hash_is_signed_is_read_before_anything_passes() {
    let held = json!({"sigv4": {"services": ["sqs"]}, "hold_headers": true});
    // The body comes before the key, after it, and around it.
    for before in [0, 3, 5] {
        for (text, is_good) in [(b"hello", true), (b"hellO", false)] {
            let mut gate = gate(&held);
            let effect = sqs().signed(Some(hello())).arrive(&mut gate);
            assert!(matches!(effect, Effect::NeedSigningKey(_)));
            assert!(gate.reads_body());
            let (first, rest) = text.split_at(before);
            assert_eq!(body(&mut gate, first, before == 5), Effect::Nothing);
            let key = || Input::SigningKey(access_key_for("sqs", &json!({})));
            let mut effect = gate.handle(now(), key());
            if before < 5 {
                assert_eq!(effect, Effect::Nothing);
                assert!(!gate.is_open());
                assert!(matches!(body(&mut gate, rest, true), Effect::NeedSigningKey(_)));
                assert!(!gate.is_open());
                effect = gate.handle(now(), key());
            }
            if is_good {
                assert_eq!(forwarded(effect).1, Some(Verdict::Allowed));
                assert!(!gate.reads_body());
            } else {
                assert_eq!(refused(effect).1, SignatureFault::Mismatch);
            }
        }
    }
}

#[test]
fn a_key_must_be_good_when_the_body_is_there_too() {
    let held = json!({"sigv4": {"services": ["sqs"]}, "hold_headers": true});
    let end = NOW + 10;
    let key = || Input::SigningKey(access_key_for("sqs", &json!({"expires_at": end})));
    let awaited = || {
        let mut gate = gate(&held);
        let _ = sqs().signed(Some(hello())).arrive(&mut gate);
        assert_eq!(gate.handle(now(), key()), Effect::Nothing);
        let asked = body(&mut gate, b"hello", true);
        assert!(
            matches!(asked, Effect::NeedSigningKey(credential) if credential.access_key == "AKID")
        );
        gate
    };
    assert_eq!(forwarded(awaited().handle(now(), key())).1, Some(Verdict::Allowed));
    // One that has ended meanwhile, or was disabled, is told as such.
    for fault in [AccessKeyFault::AccessKeyExpired, AccessKeyFault::AccessKeyDisabled] {
        let mut gate = awaited();
        let (_, reason) = refused(gate.handle(now(), Input::NoAccessKey(fault)));
        assert_eq!(reason, SignatureFault::AccessKey(fault));
        assert!(!gate.is_open());
    }
    let cause = Unknown::KeysUnavailable;
    let unknown = Input::Unknown { cause, retry_after: Duration::from_secs(1) };
    let effect = awaited().handle(now(), unknown);
    assert!(matches!(effect, Effect::Refuse(_, Verdict::Unavailable(Unknown::KeysUnavailable))));
}

#[test]
fn a_body_whose_hash_is_signed_is_not_waited_for_for_ever_where_it_must_be_complete() {
    let held = |changes: Value| {
        let mut all = json!({"sigv4": {"services": ["sqs"]}, "hold_headers": true,
            "require_complete_body": [{"path_prefix": "/", "json": false}]});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut gate = gate(&all);
        let effect = sqs().signed(Some(hello())).arrive(&mut gate);
        assert!(matches!(effect, Effect::NeedSigningKey(_)));
        gate
    };
    let key = || Input::SigningKey(access_key_for("sqs", &json!({})));
    let until = now() + Duration::from_secs(10);
    let awaiting = || {
        let mut gate = held(json!({}));
        assert_eq!(gate.handle(now(), key()), Effect::NeedRest { until });
        // It is asked for once: who sends a byte now and then does not get any younger by it.
        assert_eq!(body(&mut gate, b"hell", false), Effect::Nothing);
        assert!(!gate.is_open());
        gate
    };
    let mut complete = awaiting();
    assert!(matches!(body(&mut complete, b"o", true), Effect::NeedSigningKey(_)));
    assert_eq!(forwarded(complete.handle(until, key())).1, Some(Verdict::Allowed));
    let reason = |effect| match effect {
        Effect::Refuse(_, verdict) => verdict.reason(),
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(reason(awaiting().handle(until, Input::Late)), "body_late");
    let piece = Input::Body { piece: b"", is_end: false };
    assert_eq!(reason(awaiting().handle(until, piece)), "body_late");
    let (cause, retry_after) = (Unknown::TooMuchHeld, Duration::from_secs(1));
    let go = Input::Unknown { cause, retry_after };
    assert_eq!(reason(awaiting().handle(now(), go)), "too_much_held");
    // The key may come too late as well.
    assert_eq!(reason(held(json!({})).handle(until, key())), "body_late");
    // In shadow mode nothing is late, and nobody is sent away.
    let mut shadow = held(json!({"mode": "shadow"}));
    assert_eq!(shadow.handle(until, key()), Effect::Nothing);
}

#[test]
fn a_body_whose_hash_is_signed_is_refused_where_heads_are_not_held() {
    let services = json!({"sigv4": {"services": ["sqs"]}});
    let (reply, fault) = refused(run(&mut gate(&services), &sqs().signed(Some(hello()))));
    assert_eq!((fault, reply.status), (SignatureFault::BodyNotHeld, 501));
    // Without a body there is nothing to hold.
    let request = Request::of("sqs", &[]).signed(crate::sigv4::hex_bytes(NOTHING.as_bytes()));
    let mut gate = gate(&services);
    assert_eq!(forwarded(run(&mut gate, &request)).1, Some(Verdict::Allowed));
}

#[test]
fn a_service_that_is_not_s3_has_less_patience_with_clocks() {
    let services = json!({"sigv4": {"services": ["s3", "sqs"]}});
    for (request, is_good) in [(Request::get(), true), (Request::of("sqs", &[]), false)] {
        let request = request.signed(crate::sigv4::hex_bytes(NOTHING.as_bytes()));
        let mut gate = gate(&services);
        let later = now() + Duration::from_secs(301);
        let effect = request.on_head(|head| gate.handle(later, Input::Head { head, is_end: true }));
        assert_eq!(matches!(effect, Effect::NeedSigningKey(_)), is_good);
    }
}

#[test]
fn in_shadow_mode_everything_passes_as_it_came() {
    let shadow = json!({"mode": "shadow", "sigv4": {"forward": false}});
    let mut gate = gate(&shadow);
    let (edits, verdict) = forwarded(run(&mut gate, &unsigned_chunks().signed(None)));
    assert_eq!((edits.remove.len(), verdict), (0, None));
    assert_eq!(passed(body(&mut gate, &CHUNKED[..20], false)), (None, None));
    let verdict = Some(Verdict::Allowed);
    assert_eq!(passed(body(&mut gate, &CHUNKED[20..], true)), (None, verdict));

    let mut gate = self::gate(&shadow);
    let _ = forwarded(run(&mut gate, &Request::put(HELLO, 5).signed(None)));
    let wrong = Verdict::Rejected(Rejection::Signature(SignatureFault::BodyHash));
    assert_eq!(passed(body(&mut gate, b"hellO", false)), (None, Some(wrong)));
    assert_eq!(passed(body(&mut gate, b"", true)), (None, None));
    assert!(gate.is_open());

    let mut gate = self::gate(&shadow);
    let (edits, verdict) = forwarded(run(&mut gate, &Request::get().authorized(&"0".repeat(64))));
    assert_eq!(edits.set, [("x-identity-status", "Invalid".into())]);
    let mismatch = Verdict::Rejected(Rejection::Signature(SignatureFault::Mismatch));
    assert_eq!(verdict, Some(mismatch));
}

#[test]
fn what_is_signed_wrongly_is_never_anonymous() {
    let anonymous = json!({"missing": "anonymous", "token": null});
    for request in [
        Request::get().authorized(&"0".repeat(64)),
        Request::get().with("authorization", "AWS AKID:c2ln"),
        Request::get().with("authorization", "AWS4-HMAC-SHA256 nonsense"),
    ] {
        let mut gate = gate(&anonymous);
        refused(run(&mut gate, &request));
    }
    for request in
        [Request::of("s3", &[]), Request::of("s3", &[]).with("authorization", "Bearer abc")]
    {
        let mut gate = gate(&anonymous);
        let (edits, verdict) = forwarded(run(&mut gate, &request));
        assert_eq!(edits.set, [("x-identity-status", "Invalid".into())]);
        assert!(matches!(verdict, Some(Verdict::Anonymous(_))));
    }
}

#[test]
fn without_credentials_each_is_answered_in_the_manner_of_its_proxy() {
    for (changes, status, text) in [
        (json!({"token": null}), 403, "<Code>AccessDenied</Code>"),
        (json!({}), 401, "\"title\":\"Unauthorized\""),
    ] {
        let effect = run(&mut gate(&changes), &Request::of("s3", &[]));
        let Effect::Refuse(reply, _) = effect else { panic!("{effect:?}") };
        assert_eq!(reply.status, status);
        assert!(reply.body.contains(text), "{}", reply.body);
    }
}

#[test]
fn what_all_hold_together_is_bounded() {
    let config = Config::parse(example::with(&json!({"sigv4": {}})).as_bytes()).unwrap();
    let (config, budget) = (Rc::new(config), Rc::new(Budget::new(100_000)));
    let request = Request::put("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 70_000)
        .with("x-amz-decoded-content-length", "65536")
        .signed(None);
    let begun = || {
        let mut gate = Gate::new(Rc::clone(&config), Rc::clone(&budget), known_tokens());
        let _ = forwarded(run(&mut gate, &request));
        let piece = format!("10000;chunk-signature={}\r\n{}", "0".repeat(64), "x".repeat(60_000));
        let effect = body(&mut gate, piece.as_bytes(), false);
        (gate, effect)
    };
    let (first, effect) = begun();
    let _ = passed(effect);
    let (_, effect) = begun();
    let Effect::Refuse(reply, verdict) = effect else { panic!("{effect:?}") };
    assert_eq!(verdict, Verdict::Unavailable(Unknown::TooMuchHeld));
    assert!(reply.body.contains("<Code>SlowDown</Code>"));
    // Who goes gives back what it held.
    drop(first);
    let (_, effect) = begun();
    let _ = passed(effect);
}

/// Whoever has this role may write, and the access key nothing under `/private`.
fn with_list(changes: &Value) -> Value {
    let rules = json!([
        {"name": "members", "action": "allow", "when": [{"key": "roles", "values": ["member"]}]},
        {"name": "private", "action": "deny", "to": [{"paths": ["/private/**"]}],
         "when": [{"key": "access_key", "values": ["AKID"]}]},
    ]);
    let mut all = json!({"acl": {"rules": rules}});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    all
}

#[test]
fn what_the_list_denies_is_no_ones_to_do_however_well_it_is_signed() {
    for (service, content_sha256) in [("s3", NOTHING), ("s3", "UNSIGNED-PAYLOAD"), ("sqs", NOTHING)]
    {
        for (path, is_allowed) in [("/bucket/key", true), ("/private/key", false)] {
            let services = json!({"sigv4": {"services": ["s3", "sqs"]}});
            let mut gate = gate(&with_list(&services));
            let mut request = Request::of(service, &[("x-amz-content-sha256", content_sha256)]);
            request.path = path.into();
            let effect = run(&mut gate, &request.signed(None));
            assert_eq!(matches!(effect, Effect::Forward(..)), is_allowed, "{service} {path}");
            let decision = gate.take_decision().unwrap();
            assert_eq!(decision.rule, Some(usize::from(!is_allowed)));
            if let Effect::Refuse(reply, verdict) = effect {
                assert_eq!(verdict, Verdict::Rejected(Rejection::AclDenied));
                assert_eq!(reply.status, 403);
                assert!(reply.body.contains("<Code>AccessDenied</Code>"), "{}", reply.body);
                assert!(!reply.body.contains("private</Code>"));
                assert_eq!(reply.details, "voussoir_acl_denied[private]");
            }
            assert_eq!(gate.is_open(), is_allowed);
        }
    }
    // A wrong signature is that, and nothing else.
    let mut gate = gate(&with_list(&json!({})));
    let mut request = Request::get();
    request.path = "/private/key".into();
    let (_, fault) = refused(run(&mut gate, &request.authorized(&"0".repeat(64))));
    assert_eq!(fault, SignatureFault::Mismatch);
    assert_eq!(gate.take_decision(), None);
}

#[test]
fn in_shadow_mode_a_denied_upload_passes_and_counts_as_denied() {
    let mut gate = gate(&with_list(&json!({"mode": "shadow"})));
    let mut request = Request::put(HELLO, 5);
    request.path = "/private/key".into();
    let (edits, verdict) = forwarded(run(&mut gate, &request.signed(None)));
    assert!(edits.set.iter().any(|(name, _)| *name == "x-user-id"));
    assert_eq!(verdict, None);
    let (_, verdict) = passed(body(&mut gate, b"hello", true));
    assert_eq!(verdict, Some(Verdict::Rejected(Rejection::AclDenied)));
}

#[test]
fn a_copy_may_read_what_it_copies() {
    for (source, is_allowed) in [
        ("/bucket/a%20b?versionId=private", true),
        ("bucket/private", true),
        ("/private/key", false),
        ("private/key", false),
        ("/bucket/../private/key", false),
        ("/private;x/key", false),
        ("arn:aws:s3:r:1:accesspoint/bucket/object/key", false),
    ] {
        let mut gate = gate(&with_list(&json!({})));
        let headers = [("x-amz-content-sha256", NOTHING), ("x-amz-copy-source", source)];
        let effect = run(&mut gate, &Request::of("s3", &headers).signed(None));
        assert_eq!(matches!(effect, Effect::Forward(..)), is_allowed, "{source}");
        assert_eq!(gate.take_decision().unwrap().rule, Some(usize::from(!is_allowed)));
    }
}

#[test]
fn what_s3_is_asked_can_be_asked_of_the_list() {
    let rules = json!([
        {"name": "own", "action": "allow",
         "to": [{"operations": ["PutObject", "CopyObject", "GetObject"], "buckets": ["bucket"],
                 "keys": ["{key}/**"]}],
         "when": [{"key": "access_key", "values": ["{key}"]}]},
    ]);
    let list = json!({"acl": {"rules": rules, "s3_hosts": ["storage.example"]}});
    for (path, source, is_allowed) in [
        ("/bucket/AKID/a", None, true),
        ("/bucket/AKID/a%2Fb?x-id=PutObject", None, true),
        ("/bucket/AKID/a", Some("bucket/AKID/b"), true),
        ("/bucket/OTHER/a", None, false),
        ("/bucket/AKID/a", Some("bucket/OTHER/b"), false),
        ("/bucket/AKID/a", Some("other/AKID/b"), false),
        ("/bucket/AKID/a", Some("bucket/AKID/b?x"), false),
        ("/bucket/AKID/a?acl", None, false),
        ("/bucket/AKID2/a", None, false),
        ("/bucket", None, false),
    ] {
        let mut gate = gate(&list);
        let mut headers = Vec::from([("x-amz-content-sha256", NOTHING)]);
        headers.extend(source.map(|source| ("x-amz-copy-source", source)));
        let mut request = Request::of("s3", &headers);
        request.method = "PUT";
        request.path = path.into();
        let effect = run(&mut gate, &request.signed(None));
        assert_eq!(matches!(effect, Effect::Forward(..)), is_allowed, "{path} {source:?}");
    }
}
