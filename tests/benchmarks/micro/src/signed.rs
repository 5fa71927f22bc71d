//! AWS signatures: the steps, and a request from its head to its verdict where the key is known.

use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use voussoir_core::access_keys::AccessKey;
use voussoir_core::gate::{Effect, Gate, Input};
use voussoir_core::head::RequestHead;
use voussoir_core::sigv4::body::{BodyVerifier, Chunked, Framing, Output, Seed};
use voussoir_core::sigv4::{
    AmzDate, Claim, Credential, DEFAULT_MAX_SKEW, Signature, SigningKey, Unverified,
};
use voussoir_core::time::UnixTime;

use crate::{Case, Shared};

/// 2013-05-24, midnight.
const NOW: UnixTime = UnixTime::from_secs(1_369_353_600);
const DATE: &str = "20130524T000000Z";
const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

const CONFIG: &[u8] = br#"{"keyserver": {"cluster": "keyserver"}, "sigv4": {"services": ["s3"]}}"#;

const RECORD: &str = r#"{
    "user": {"id": "u1", "name": "Ann", "domain": {"id": "d1", "name": "Users"}},
    "project": {"id": "p1", "name": "Storage", "domain": {"id": "d2", "name": "Projects"}},
    "roles": [{"name": "member"}, {"name": "reader"}]}"#;

/// The data of one signed chunk.
const CHUNK: usize = 64 * 1024;

pub(crate) fn cases() -> Vec<Case> {
    let (key, credential) = (key(), credential());
    let scope = credential.scope.clone();
    let authorization = authorization();
    let claim = {
        let authorization = authorization.clone();
        move || claim(black_box(&authorization))
    };
    let verify = {
        let (claim, key) = (claim(), key.clone());
        move || black_box(&claim).verify(&key, NOW).expect("it is right")
    };
    let string_to_sign = format!("AWS4-HMAC-SHA256\n{DATE}\n{SCOPE}\n{}", "0".repeat(64));
    let sign = {
        let key = key.clone();
        move || key.sign(black_box(&string_to_sign))
    };
    let derive = move || SigningKey::derive(black_box(SECRET), &scope);
    vec![
        Case::new("key-derivation", derive),
        Case::new("signature", sign),
        Case::new("claim-of-head", claim),
        Case::new("claim-verify", verify),
        Case::new("gate-sigv4", request(authorization)),
        Case::new("chunk-64k", chunk(key)),
        Case::new("sha256-64k", sha256_of_chunk()),
    ]
}

fn credential() -> Credential {
    Credential::from_text(format!("AKIDEXAMPLE/{SCOPE}").as_bytes()).expect("a credential")
}

fn key() -> SigningKey {
    SigningKey::derive(SECRET, &credential().scope)
}

/// A request without a body that the signature covers, as `aws s3` sends most over TLS.
fn headers(authorization: &str) -> [(&[u8], &[u8]); 10] {
    [
        (b":method", b"GET"),
        (b":path", b"/bucket/folder/an%20object?versionId=3HL4kqtJlcpXroDTDmJ"),
        (b":authority", b"storage.example"),
        (b":scheme", b"https"),
        (b"user-agent", b"aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux lang/python#3.11"),
        (b"accept-encoding", b"identity"),
        (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"),
        (b"x-amz-date", DATE.as_bytes()),
        (b"authorization", authorization.as_bytes()),
        (b"x-request-id", b"0b6f2f5c-7a52-4c4c-8b8e-6f3b0a3f4a11"),
    ]
}

fn claim(authorization: &str) -> Claim {
    let headers = headers(authorization);
    let claim = Claim::from_head(RequestHead::new(&headers), NOW, DEFAULT_MAX_SKEW);
    claim.expect("a good one").expect("one")
}

/// The header of [`headers`], signed with [`key`].
fn authorization() -> String {
    let with = |signature: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{SCOPE}, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
        )
    };
    match claim(&with(&"0".repeat(64))).verify(&key(), NOW) {
        Err(Unverified::Mismatch(what)) => with(&key().sign(&what.string_to_sign).to_string()),
        _ => with("that nobody has made"),
    }
}

/// A signed request.
fn request(authorization: String) -> impl FnMut() -> Gate {
    let shared = Shared::new(CONFIG, 0);
    let record = serde_json::from_str(RECORD).expect("a record");
    let known = AccessKey::new(credential(), key(), record);
    let known = Rc::new(known);
    move || {
        shared.pass(NOW, &headers(&authorization), |effect| match effect {
            Effect::NeedSigningKey(_) => Some(Input::SigningKey(Rc::clone(&known))),
            _ => None,
        })
    }
}

/// A body of one signed chunk, in pieces of 16 KiB, as a proxy hands it in.
fn chunk(key: SigningKey) -> impl FnMut() -> BodyVerifier {
    let scope = credential().scope;
    let date = AmzDate::from_iso8601(DATE.as_bytes()).expect("a date");
    let seed = key.sign("the head");
    let (all, mut body, mut previous) = (vec![0x5a; CHUNK], Vec::new(), seed.to_string());
    for data in [&all[..], b""] {
        previous = key.sign(&chunk_to_sign(&previous, data)).to_string();
        body.extend(format!("{:x};chunk-signature={previous}\r\n", data.len()).bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    let signature = Signature::from_hex(seed.to_string().as_bytes()).expect("a signature");
    let length = u64::try_from(body.len()).expect("a short body");
    move || {
        let seed = Seed { signing_key: &key, date, scope: &scope, signature };
        let chunked = Chunked {
            framing: Framing::Signed(seed),
            decoded_length: 64 * 1024,
            max_chunk: CHUNK,
            output: Output::AsSent,
        };
        let mut verifier = BodyVerifier::chunked(chunked, Some(length));
        for piece in black_box(&body).chunks(16 * 1024) {
            drop(black_box(verifier.push(piece, false).expect("it is right")));
        }
        assert!(verifier.push(b"", true).is_ok() && verifier.is_verified());
        verifier
    }
}

/// What of a chunk nobody can save.
fn sha256_of_chunk() -> impl FnMut() -> [u8; 32] {
    let data = vec![0x5a; CHUNK];
    move || Sha256::digest(black_box(&data)).into()
}

fn chunk_to_sign(previous: &str, data: &[u8]) -> String {
    let (nothing, data) = (sha256(b""), sha256(data));
    format!("AWS4-HMAC-SHA256-PAYLOAD\n{DATE}\n{SCOPE}\n{previous}\n{nothing}\n{data}")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
