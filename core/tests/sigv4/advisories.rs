//! What was wrong with others, by the number of its advisory or, where it has none, by the project
//! and its issue. Each is the attack, and its answer.
//!
//! Elsewhere are those that are about a key server: CVE-2025-65073 (USN-7857-1) in
//! `keyserver/src/http/tests.rs`, CVE-2026-43001 and CVE-2026-33551 in
//! `tests/integration/test_signing_keys.py`, GHSA-m77q in `tests/integration/s3/test_s3_secrets.py`. And what
//! took a different time for different signatures (minio a6318dbda, s3s 616) does not compile here:
//! see `Signature`.

use std::collections::BTreeSet;

use voussoir_core::sigv4::body::Output;
use voussoir_core::sigv4::{Credential, is_derivable};
use voussoir_core::time::UnixTime;

use crate::chunks::{self, DATA, SENTINELS, SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, whole};
use crate::request::{NOW, Request, SHA256_OF_NOTHING, key};
use crate::verdict::{AMBIGUOUS, GENUINE, MISMATCH, NOT_SIGNED, check};

/// An upload under somebody's access key by somebody who has not its secret.
fn forged(sentinel: &str) -> Request {
    whole(sentinel).but("authorization", Request::s3("PUT", "/", &[]).text("authorization"))
}

/// minio: with unsigned trailers the signature of the request was never looked at.
#[test]
fn cve_2025_31489_unsigned_trailers_without_a_signature() {
    let names = "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-trailer";
    check(&whole(UNSIGNED_TRAILER), GENUINE);
    check(&whole(UNSIGNED_TRAILER).authorized("s3", names), MISMATCH);
    check(&whole(UNSIGNED_TRAILER).replacing("/key", "/other"), MISMATCH);
}

/// minio: whether to verify was asked of the header, who it was of the query.
#[test]
fn cve_2026_41145_credentials_in_the_query_of_an_unsigned_upload() {
    let bare = whole(UNSIGNED_TRAILER).without("authorization");
    check(&bare, "no credentials");
    for query in ["X-Amz-Credential=AKID/20130524/us-east-1/s3/aws4_request", "X-Amz-Signature=0"] {
        let path = format!("/key?{query}");
        check(&bare.clone().but(":path", &path), "400 AuthorizationQueryParametersError");
        check(&whole(UNSIGNED_TRAILER).but(":path", &path), AMBIGUOUS);
    }
    let all = Request::presigned("PUT", "/key", "host").text(":path");
    check(&bare.but(":path", all), "400 XAmzContentSHA256Mismatch");
}

/// minio: one handler of many forgot the case. There is one place here, whatever the route.
#[test]
fn cve_2026_40344_no_route_is_forgotten() {
    for (method, path) in [
        ("PUT", "/bucket/archive.tar"),
        ("PUT", "/bucket/key?partNumber=1&uploadId=x"),
        ("POST", "/bucket?delete"),
        ("POST", "/"),
        ("GET", "/minio/health/live"),
    ] {
        for sentinel in SENTINELS {
            let request = forged(sentinel).but(":method", method).but(":path", path);
            check(&request.clone().without("authorization"), "no credentials");
            check(&request.with("x-amz-meta-snowball-auto-extract", "true"), NOT_SIGNED);
        }
    }
}

/// minio: the bytes of a chunk were passed on before its signature was checked.
#[test]
fn cve_2021_21390_bytes_of_a_chunk_before_its_signature() {
    let data = [b'x'; 10_000];
    for sentinel in [SIGNED, SIGNED_TRAILER] {
        let upload = chunks::upload(sentinel, 2 * data.len());
        let (mut body, _) = chunks::chunks(&upload, &[&data, &data]);
        body[15_000] ^= 1;
        for output in [Output::AsSent, Output::Decoded] {
            let mut verifier = chunks::verifier(&upload, 65_536, output);
            let passed: Vec<_> =
                body.chunks(100).map_while(|it| verifier.push(it, false).ok()).collect();
            assert!(passed.concat().len() <= 10_000 + 90, "of the second chunk, nothing");
            assert_eq!(verifier.push(b"", true).unwrap_err().code(), "SignatureDoesNotMatch");
        }
    }
}

/// SeaweedFS: streaming uploads counted as verified, in 2021 and again in 2026.
#[test]
fn seaweedfs_2180_and_7912_every_sentinel_needs_a_signature() {
    for sentinel in SENTINELS {
        check(&whole(sentinel), GENUINE);
        let names = whole(sentinel).claim(NOW).unwrap().authorization().signed_headers.clone();
        let names = String::from_utf8(names.as_bytes().into()).unwrap();
        check(&whole(sentinel).authorized("s3", &names), MISMATCH);
        check(&forged(sentinel), NOT_SIGNED);
        check(&whole(sentinel).without("authorization"), "no credentials");
        let anothers = whole(sentinel).replacing("us-east-1", "us-east-2");
        check(&anothers, MISMATCH);
    }
}

/// Ceph, and in the same year rustfs, s3s, pgsty, SeaweedFS, versitygw, s3proxy and `ds_proxy`: whoever
/// holds a presigned PUT copies with the signer's rights.
#[test]
fn cve_2026_54330_a_presigned_put_becomes_a_copy() {
    let url = Request::presigned("PUT", "/mine", "host").signed();
    check(&url, GENUINE);
    for name in ["x-amz-copy-source", "x-amz-copy-source-range", "x-amz-metadata-directive"] {
        check(&url.clone().with(name, "/theirs/key"), NOT_SIGNED);
        // The names that are signed are signed themselves.
        let added = url.clone().with(name, "/theirs/key");
        check(
            &added.replacing("SignedHeaders=host", &format!("SignedHeaders=host%3B{name}")),
            MISMATCH,
        );
    }
    let copy = Request::presigned("PUT", "/mine", "host;x-amz-copy-source")
        .with("x-amz-copy-source", "/mine/other")
        .signed();
    check(&copy, GENUINE);
    check(&copy.clone().but("x-amz-copy-source", "/theirs/key"), MISMATCH);
    check(&copy.with("x-amz-copy-source", "/theirs/key"), AMBIGUOUS);
}

/// The review of minio's fix: an unsigned `x-amz-content-sha256` chose how the body was verified.
#[test]
fn minio_38_an_unsigned_header_selects_the_verifier() {
    let url = Request::presigned("PUT", "/key", "host").signed();
    for sentinel in SENTINELS {
        let request = url.clone().with("x-amz-content-sha256", sentinel);
        check(&request, "400 XAmzContentSHA256Mismatch");
    }
    for value in [SHA256_OF_NOTHING, "UNSIGNED-PAYLOAD"] {
        check(&url.clone().with("x-amz-content-sha256", value), NOT_SIGNED);
    }
}

/// rustfs: the name of the algorithm was not looked at.
#[test]
fn rustfs_7796_the_algorithm_is_pinned() {
    let header = Request::s3("GET", "/", &[]).signed();
    let url = Request::presigned("GET", "/", "host").signed();
    for name in ["AWS4-HMAC-SHA1", "AWS4-HMAC-SHA256-PAYLOAD", "AWS4", "aws4-hmac-sha256", "AWS4X"]
    {
        check(&header.clone().replacing("AWS4-HMAC-SHA256", name), AMBIGUOUS);
        let changed = url.clone().replacing("AWS4-HMAC-SHA256", name);
        check(&changed, "400 AuthorizationQueryParametersError");
    }
    let ecdsa = header.replacing("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    check(&ecdsa, "501 NotImplemented");
}

/// Ceph, and CVE-2023-28434 in minio: the policy of a POST did not cover what it let through. Here a
/// form in a body proves nothing at all.
#[test]
fn cve_2023_43040_and_cve_2023_28434_a_post_policy_authenticates_nobody() {
    for path in ["/", "/bucket", "/bucket/key"] {
        let post = Request::new("POST", path)
            .with("content-type", "multipart/form-data; boundary=x")
            .with_body(
                "--x\r\ncontent-disposition: form-data; name=\"policy\"\r\n\r\ne30=\r\n--x--\r\n",
            );
        check(&post, "no credentials");
    }
}

/// lakeFS, chimera, cloudpods, swift3 (CVE-2015-8466), s3s: no date was checked, or another one than
/// was signed.
#[test]
fn cve_2025_68671_the_date_that_is_checked_is_the_one_that_is_signed() {
    let old = UnixTime::from_secs(1_369_353_600 + 3600);
    let header = Request::s3("GET", "/", &[]).signed();
    assert_eq!(header.answer_at(old), "403 RequestTimeTooSkewed");
    let fresh = "Fri, 24 May 2013 01:00:00 GMT";
    assert_eq!(header.clone().with("date", fresh).answer_at(old), "403 RequestTimeTooSkewed");
    let fresh = "20130524T010000Z";
    assert_eq!(header.clone().but("x-amz-date", fresh).answer_at(old), MISMATCH);
    let twice = header.with("x-amz-date", fresh);
    assert_eq!(twice.answer_at(old), NOT_SIGNED);
    let url = Request::presigned("GET", "/", "host").replacing("86400", "60").signed();
    assert_eq!(url.answer_at(old), NOT_SIGNED);
    assert_eq!(url.with("x-amz-date", fresh).answer_at(old), NOT_SIGNED);
}

/// Keystone: an EC2 signature that somebody saw was good for ever.
#[test]
fn cve_2020_12692_a_signature_ends() {
    let request = Request::s3("GET", "/", &[]).signed();
    for (seconds, answer) in [(900, GENUINE), (901, "403 RequestTimeTooSkewed")] {
        let now = UnixTime::from_secs(1_369_353_600 + seconds);
        assert_eq!(request.answer_at(now), answer);
    }
    // And so does the use of its key.
    let day = request.claim(NOW).unwrap().credential().scope.day();
    assert!(is_derivable(day, NOW));
    assert!(!is_derivable(day, UnixTime::from_secs(1_369_353_600 + 8 * 86_400)));
}

/// aws-iam-authenticator, and CVE-2020-16250 in Vault: the verifier read one of two, its consumer the
/// other.
#[test]
fn cve_2022_2385_and_cve_2020_16250_nothing_is_there_twice() {
    let url = Request::presigned("GET", "/?X-Amz-Security-Token=t", "host").signed();
    check(&url, GENUINE);
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    ] {
        for again in [name.into(), name.to_lowercase(), name.replace('-', "%2D")] {
            check(&url.clone().replacing("/?", &format!("/?{again}=x&")), AMBIGUOUS);
        }
    }
    let header =
        Request::s3("PUT", "/", &[("x-amz-acl", "private"), ("x-amz-security-token", "t")]);
    let header = header.signed();
    check(&header, GENUINE);
    for (name, answer) in [
        (":authority", "400 InvalidRequest"),
        ("authorization", AMBIGUOUS),
        ("x-amz-acl", AMBIGUOUS),
        ("x-amz-content-sha256", AMBIGUOUS),
        ("x-amz-date", NOT_SIGNED),
        ("x-amz-security-token", AMBIGUOUS),
    ] {
        check(&header.clone().with(name, header.text(name)), answer);
    }
}

/// Vault: a cache was asked without the account. All that selects a key is in [`Credential`], and two
/// that differ in any part are two.
#[test]
fn cve_2025_11621_what_selects_a_key_is_in_its_name() {
    let credentials = [
        Credential::from_parts("a", b"20130524", "b", "c"),
        Credential::from_parts("x", b"20130524", "b", "c"),
        Credential::from_parts("a", b"20130525", "b", "c"),
        Credential::from_parts("a", b"20130524", "x", "c"),
        Credential::from_parts("a", b"20130524", "b", "x"),
        Credential::from_parts("a/20130524", b"20130524", "b", "c"),
    ];
    let names: BTreeSet<_> = credentials.into_iter().map(Option::unwrap).collect();
    assert_eq!(names.len(), 6);
    // None of the other parts can hold a slash and shift what follows.
    assert!(Credential::from_parts("a", b"20130524", "b/c", "c").is_none());
    assert!(Credential::from_parts("a", b"20130524", "b", "c/d").is_none());
}

/// s3proxy and s3-orchestrator: the signatures of chunks were not checked until 2026.
#[test]
fn s3proxy_205_every_chunk_is_verified() {
    for sentinel in [SIGNED, SIGNED_TRAILER] {
        let request = whole(sentinel);
        for at in 0..request.body.len() - 4 {
            let mut changed = request.clone();
            changed.body[at] = changed.body[at].wrapping_add(1);
            let answer = changed.answer();
            assert!(answer.starts_with('4'), "{answer} after a change at {at}");
        }
        let zeros = "0".repeat(64);
        let text = String::from_utf8(request.body.clone()).unwrap();
        let signature = &text["9;chunk-signature=".len()..][..64];
        check(&request.clone().with_body(text.replace(signature, &zeros)), MISMATCH);
        // Another request's chunks are as well signed, but not after this head.
        let another = chunks::upload(sentinel, DATA.len()).replacing("/key", "/other");
        let names = another.claim(NOW).unwrap().authorization().signed_headers.clone();
        let names = String::from_utf8(names.as_bytes().into()).unwrap();
        let another = another.authorized("s3", &names).with_body(b"");
        let Err(crate::request::Refused::Mismatch(mismatch)) = another.verify(NOW) else {
            panic!()
        };
        let signature =
            key(&another.claim(NOW).unwrap()).sign(&mismatch.string_to_sign).to_string();
        let another = another.replacing(&zeros, &signature).with_body(&request.body);
        check(&another, MISMATCH);
    }
}

/// fakecloud: of services other than S3, no body was bound.
#[test]
fn fakecloud_2415_other_services_bind_their_bodies() {
    let request = Request::general("POST", "/", &[]).with_body(b"{\"a\":1}").signed();
    check(&request, GENUINE);
    check(&request.clone().with_body(b"{\"a\":2}"), MISMATCH);
    check(&request.with_body(b""), MISMATCH);
}

/// minio: a large body under one hash was held in memory. Here it passes, but for its last byte.
#[test]
fn minio_9c8b7306f_a_large_hashed_body_is_not_held() {
    let body = vec![b'x'; 4_000_000];
    let hash = chunks::sha256(&body);
    let request =
        Request::s3("PUT", "/", &[("x-amz-content-sha256", &hash)]).with_body(&body).signed();
    let mut verifier = chunks::verifier(&request, 65_536, Output::Decoded);
    let mut passed = 0;
    for piece in body.chunks(65_536) {
        passed += verifier.push(piece, false).unwrap().len();
        assert_eq!(verifier.held(), 0);
    }
    assert_eq!(passed, body.len() - 1);
    assert_eq!(verifier.push(b"", true).unwrap().len(), 1);
}
