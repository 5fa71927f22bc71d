//! The documented examples step by step, and what must not come of changing them.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::sigv4::body::{Algorithm as Checksum, BodyError};
use crate::sigv4::{DEFAULT_MAX_SKEW, HeaderFault, QueryFault, Streaming};
use alloc::format;
use alloc::string::ToString;

/// The keys of every example in S3's API Reference.
const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const CREDENTIAL: &str = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
/// 2013-05-24T00:00:00Z.
fn now() -> UnixTime {
    UnixTime::from_secs(1_369_353_600)
}

/// The SHA-256 of no bytes.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request to be changed, then claimed.
#[derive(Clone)]
struct Request {
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    fn new(method: &str, path: &str) -> Self {
        Self { headers: Vec::new() }
            .with(":method", method)
            .with(":path", path)
            .with(":scheme", "https")
            .with(":authority", "examplebucket.s3.amazonaws.com")
    }

    fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    fn value(&self, name: &str) -> String {
        let (_, value) = self.headers.iter().find(|(other, _)| other == name).unwrap();
        String::from_utf8(value.clone()).unwrap()
    }

    /// The request with an `Authorization` header, not yet signed.
    fn authorized(self, signed: &str, signature: &str) -> Self {
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={signed},Signature={signature}"
        );
        self.without("authorization").with("authorization", value)
    }

    fn presigned(path: &str, signed: &str, more: &str, signature: &str) -> Self {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!(
            "{path}{separator}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={CREDENTIAL}&\
             X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders={signed}{more}&\
             X-Amz-Signature={signature}"
        );
        Self::new("GET", &path)
    }

    fn claim(&self) -> Result<Claim, Error> {
        let headers: Vec<_> =
            self.headers.iter().map(|(n, v)| (n.as_bytes(), v.as_slice())).collect();
        let claim = Claim::from_head(RequestHead::new(&headers), now(), DEFAULT_MAX_SKEW)?;
        Ok(claim.expect("the request has credentials"))
    }

    /// The request, signed by its owner.
    fn signed(&self) -> Self {
        let zeros = "0".repeat(64);
        let claim = self.claim().unwrap();
        let mismatch = match claim.verify(&key(&claim), now()) {
            Err(Unverified::Mismatch(mismatch)) => mismatch,
            other => panic!("{other:?}"),
        };
        let signature = key(&claim).sign(&mismatch.string_to_sign).to_string();
        let mut signed = self.clone();
        for (_, value) in &mut signed.headers {
            if let Ok(text) = str::from_utf8(value) {
                *value = text.replace(&zeros, &signature).into_bytes();
            }
        }
        signed
    }

    /// Whether the owner signed it.
    fn is_genuine(&self) -> bool {
        self.claim().is_ok_and(|claim| claim.verify(&key(&claim), now()).is_ok())
    }
}

fn key(claim: &Claim) -> SigningKey {
    SigningKey::derive(SECRET, &claim.credential().scope)
}

fn zeros() -> String {
    "0".repeat(64)
}

/// A signed upload to change.
fn upload() -> Request {
    Request::new("PUT", "/a%20key?partNumber=1&uploadId=x%2By")
        .with("content-type", "text/plain")
        .with("x-amz-acl", "private")
        .with("x-amz-content-sha256", EMPTY)
        .with("x-amz-date", "20130524T000000Z")
        .authorized("content-type;host;x-amz-acl;x-amz-content-sha256;x-amz-date", &zeros())
        .signed()
}

fn check_example(request: &Request, canonical: &str, hash: &str, body: Body) {
    let claim = request.claim().unwrap();
    assert_eq!(claim.body(), body);
    let verified = claim.verify(&key(&claim), now()).unwrap();
    assert_eq!(str::from_utf8(&verified.canonical_request).unwrap(), canonical);
    let date = "20130524T000000Z\n20130524/us-east-1/s3/aws4_request";
    assert_eq!(verified.string_to_sign, format!("AWS4-HMAC-SHA256\n{date}\n{hash}"));
    assert_eq!(verified.authorization.credential.access_key, "AKIAIOSFODNN7EXAMPLE");
}

fn sha256_of_nothing() -> Body {
    Body::Hashed(super::super::encoding::hex_bytes(EMPTY.as_bytes()).unwrap())
}

// "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk".

#[test]
fn the_documented_example_get_object() {
    let request = Request::new("GET", "/test.txt")
        .with("range", "bytes=0-9")
        .with("x-amz-content-sha256", EMPTY)
        .with("x-amz-date", "20130524T000000Z")
        .authorized(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
    let canonical = "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n\
        x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
        x-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n\
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let hash = "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972";
    check_example(&request, canonical, hash, sha256_of_nothing());
}

#[test]
fn the_documented_example_put_object() {
    let sha256 = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let request = Request::new("PUT", "/test$file.text")
        .with("date", "Fri, 24 May 2013 00:00:00 GMT")
        .with("x-amz-date", "20130524T000000Z")
        .with("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .with("x-amz-content-sha256", sha256)
        .authorized(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
    let canonical = format!(
        "PUT\n/test%24file.text\n\ndate:Fri, 24 May 2013 00:00:00 GMT\n\
         host:examplebucket.s3.amazonaws.com\nx-amz-content-sha256:{sha256}\n\
         x-amz-date:20130524T000000Z\nx-amz-storage-class:REDUCED_REDUNDANCY\n\n\
         date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class\n{sha256}"
    );
    let hash = "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d";
    let body = Body::Hashed(super::super::encoding::hex_bytes(sha256.as_bytes()).unwrap());
    check_example(&request, &canonical, hash, body);
}

#[test]
fn the_documented_examples_without_a_body() {
    for (path, query, hash, signature) in [
        (
            "/?lifecycle",
            "lifecycle=",
            "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "/?max-keys=2&prefix=J",
            "max-keys=2&prefix=J",
            "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let request = Request::new("GET", path)
            .with("x-amz-date", "20130524T000000Z")
            .with("x-amz-content-sha256", EMPTY)
            .authorized("host;x-amz-content-sha256;x-amz-date", signature);
        let canonical = format!(
            "GET\n/\n{query}\nhost:examplebucket.s3.amazonaws.com\nx-amz-content-sha256:{EMPTY}\n\
             x-amz-date:20130524T000000Z\n\nhost;x-amz-content-sha256;x-amz-date\n{EMPTY}"
        );
        check_example(&request, &canonical, hash, sha256_of_nothing());
    }
}

// "Authenticating Requests: Using Query Parameters".
#[test]
fn the_documented_example_of_a_presigned_url() {
    let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let request = Request::presigned("/test.txt", "host", "", signature);
    let canonical = "GET\n/test.txt\nX-Amz-Algorithm=AWS4-HMAC-SHA256&\
        X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&\
        X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\n\
        host:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD";
    let hash = "3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04";
    check_example(&request, canonical, hash, Body::Unbound);
}

// "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
#[test]
fn the_documented_example_of_a_body_in_chunks() {
    let request = Request::new("PUT", "/examplebucket/chunkObject.txt")
        .without(":authority")
        .with(":authority", "s3.amazonaws.com")
        .with("x-amz-date", "20130524T000000Z")
        .with("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .with("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        .with("content-encoding", "aws-chunked")
        .with("x-amz-decoded-content-length", "66560")
        .with("content-length", "66824")
        .authorized(
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
             x-amz-decoded-content-length;x-amz-storage-class",
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        );
    let claim = request.claim().unwrap();
    let streaming = Streaming::Signed;
    let body = Body::Chunked { streaming, checksum: None, decoded_length: 66_560 };
    assert_eq!(claim.body(), body);
    let verified = claim.verify(&key(&claim), now()).unwrap();
    assert!(
        verified
            .string_to_sign
            .ends_with("\ncee3fed04b70f867d036f722359b0b1f2f0e5dc0efadbc082b76c4c60e316455")
    );
}

#[test]
fn nothing_that_was_signed_can_be_changed() {
    let upload = upload();
    assert!(upload.is_genuine());
    for (name, value) in [
        (":method", "POST"),
        (":method", "put"),
        (":path", "/b%20key?partNumber=1&uploadId=x%2By"),
        (":path", "/a%20key/?partNumber=1&uploadId=x%2By"),
        (":path", "//a%20key?partNumber=1&uploadId=x%2By"),
        (":path", "/./a%20key?partNumber=1&uploadId=x%2By"),
        (":path", "/a%2520key?partNumber=1&uploadId=x%2By"),
        (":path", "/a+key?partNumber=1&uploadId=x%2By"),
        (":path", "/a%20key?partNumber=2&uploadId=x%2By"),
        (":path", "/a%20key?partNumber=1&uploadId=x+y"),
        (":path", "/a%20key?partNumber=1&uploadId=x%2By&acl"),
        (":path", "/a%20key?partNumber=1"),
        (":authority", "otherbucket.s3.amazonaws.com"),
        (":authority", "ExampleBucket.s3.amazonaws.com"),
        (":authority", "examplebucket.s3.amazonaws.com:8443"),
        ("content-type", "text/html"),
        ("content-type", ""),
        ("x-amz-acl", "public-read"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-date", "20130524T000001Z"),
    ] {
        let changed = upload.clone().without(name).with(name, value);
        assert!(!changed.is_genuine(), "{name}: {value}");
    }
    for name in ["content-type", "x-amz-acl", "x-amz-content-sha256", "x-amz-date"] {
        assert!(!upload.clone().without(name).is_genuine(), "without {name}");
        assert!(!upload.clone().with(name, upload.value(name)).is_genuine(), "{name} twice");
    }
    let other_part = |from: &str, to: &str| {
        let value = upload.value("authorization").replace(from, to);
        upload.clone().without("authorization").with("authorization", value)
    };
    assert!(!other_part("us-east-1", "us-east-2").is_genuine());
    assert!(!other_part("/s3/", "/sts/").is_genuine());
    assert!(!other_part("content-type;", "").is_genuine());
}

#[test]
fn what_means_the_same_may_be_spelt_differently() {
    let upload = upload();
    for (name, value) in [
        (":path", "/%61%20ke%79?uploadId=x%2by&partNumber=%31"),
        (":path", "/a%20key?&&partNumber=1&uploadId=x%2By&"),
        (":authority", "examplebucket.s3.amazonaws.com:443"),
        ("content-type", "  text/plain\t"),
    ] {
        assert!(upload.clone().without(name).with(name, value).is_genuine(), "{name}: {value}");
    }
    for (name, value) in [("user-agent", "x"), ("x-amzn-trace-id", "x"), ("content-md5", "x")] {
        assert!(upload.clone().with(name, value).is_genuine(), "{name}");
    }
}

#[test]
fn nothing_of_amazons_can_be_added() {
    let url = Request::presigned("/key", "host", "", &zeros()).signed();
    assert!(url.is_genuine());
    for genuine in [upload(), url] {
        for name in ["x-amz-copy-source", "x-amz-tagging", "x-amz-object-lock-mode", "x_amz_acl"] {
            let error = genuine.clone().with(name, "x").claim().unwrap_err();
            assert_eq!(error, Error::HeadersNotSigned(Vec::from([name.into()])));
        }
    }
}

#[test]
fn the_hash_of_the_body_need_not_be_a_signed_header() {
    let request = Request::new("PUT", "/")
        .with("x-amz-content-sha256", EMPTY)
        .with("x-amz-date", "20130524T000000Z")
        .authorized("host;x-amz-date", &zeros())
        .signed();
    assert!(request.is_genuine());
    // and is bound all the same
    for value in ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &EMPTY.to_uppercase()] {
        let changed = request.clone().without("x-amz-content-sha256");
        assert!(!changed.with("x-amz-content-sha256", value).is_genuine(), "{value}");
    }
}

#[test]
fn a_presigned_url_binds_the_body_only_by_what_was_signed() {
    let hash = format!("&X-Amz-Content-Sha256={EMPTY}");
    let url = Request::presigned("/key", "host", &hash, &zeros()).signed();
    assert!(url.is_genuine());
    assert_eq!(url.claim().unwrap().body(), sha256_of_nothing());

    let header = Request::presigned("/key", "host;x-amz-content-sha256", "", &zeros())
        .with("x-amz-content-sha256", EMPTY)
        .signed();
    assert!(header.is_genuine());
    assert_eq!(header.claim().unwrap().body(), sha256_of_nothing());

    let streaming = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let chunks = header.without("x-amz-content-sha256").with("x-amz-content-sha256", streaming);
    assert_eq!(chunks.claim().unwrap_err(), Error::ContentSha256Mismatch(streaming.into()));
}

#[test]
fn a_sentinel_never_opens_an_unverified_head() {
    for sentinel in ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD"] {
        let header = Request::new("PUT", "/")
            .with("x-amz-content-sha256", sentinel)
            .with("x-amz-date", "20130524T000000Z")
            .with("x-amz-decoded-content-length", "0")
            .authorized(
                "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length",
                &zeros(),
            );
        assert!(!header.is_genuine());
        assert!(header.signed().is_genuine());
        let none = header.clone().without("authorization");
        let headers: Vec<_> =
            none.headers.iter().map(|(n, v)| (n.as_bytes(), v.as_slice())).collect();
        let claim = Claim::from_head(RequestHead::new(&headers), now(), DEFAULT_MAX_SKEW);
        assert!(matches!(claim, Ok(None)));
        let query = Request::presigned("/", "host;x-amz-content-sha256", "", &zeros())
            .with("x-amz-content-sha256", sentinel);
        assert!(!query.is_genuine());
        let both = query.authorized("host;x-amz-content-sha256;x-amz-date", &zeros());
        assert_eq!(both.claim().unwrap_err(), Error::Ambiguous);
    }
}

#[test]
fn expect_is_verified_although_the_proxy_took_it_away() {
    let request = upload()
        .with("expect", "100-continue")
        .authorized("content-type;expect;host;x-amz-acl;x-amz-content-sha256;x-amz-date", &zeros())
        .signed();
    assert!(request.is_genuine());
    assert!(request.clone().without("expect").is_genuine());
    assert!(!request.without("expect").with("expect", "nothing").is_genuine());
}

#[test]
fn another_service_needs_the_hash_of_the_body() {
    let mut request = Request::new("POST", "/a/../b%20c/")
        .with("x-amz-date", "20130524T000000Z")
        .authorized("host;x-amz-date", &zeros());
    let value = request.value("authorization").replace("/s3/", "/sts/");
    request = request.without("authorization").with("authorization", value);
    let claim = request.claim().unwrap();
    assert_eq!(claim.body(), Body::HashFirst);
    assert_eq!(claim.verify(&key(&claim), now()).unwrap_err(), Unverified::BodyNeeded);

    let text = claim.clone().with_body_sha256([0xab; 32]);
    let Err(Unverified::Mismatch(mismatch)) = text.verify(&key(&text), now()) else { panic!() };
    let canonical = String::from_utf8(mismatch.canonical_request).unwrap();
    assert!(canonical.starts_with("POST\n/b%2520c/\n\nhost:"));
    assert!(canonical.ends_with(&"ab".repeat(32)));

    let signature = key(&claim).sign(&mismatch.string_to_sign).to_string();
    let value = request.value("authorization").replace(&zeros(), &signature);
    let claim = request.without("authorization").with("authorization", value).claim().unwrap();
    let verified = claim.clone().with_body_sha256([0xab; 32]).verify(&key(&claim), now()).unwrap();
    assert_eq!(verified.body, Body::Hashed([0xab; 32]));
    assert!(claim.clone().with_body_sha256([0xac; 32]).verify(&key(&claim), now()).is_err());
}

#[test]
fn the_hash_of_the_body_changes_no_other_claim() {
    let claim = upload().claim().unwrap().with_body_sha256([0; 32]);
    assert_eq!(claim.body(), sha256_of_nothing());
    assert!(claim.verify(&key(&claim), now()).is_ok());
}

#[test]
fn a_mismatch_shows_what_aws_would_have_signed() {
    let request = upload().without("content-type").with("content-type", "text/html");
    let claim = request.claim().unwrap();
    let Err(Unverified::Mismatch(mismatch)) = claim.verify(&key(&claim), now()) else { panic!() };
    let canonical = String::from_utf8(mismatch.canonical_request).unwrap();
    assert!(canonical.starts_with(
        "PUT\n/a%20key\npartNumber=1&uploadId=x%2By\ncontent-type:text/html\n\
         host:examplebucket.s3.amazonaws.com\nx-amz-acl:private\n"
    ));
    assert!(mismatch.string_to_sign.starts_with("AWS4-HMAC-SHA256\n20130524T000000Z\n"));
}

#[test]
fn a_claim_can_end_while_it_waits_for_its_key() {
    let claim = upload().claim().unwrap();
    let late = now() + Duration::from_secs(901);
    let stale = claim.verify(&key(&claim), late).unwrap_err();
    assert!(matches!(stale, Unverified::Stale(Error::Skewed { .. })));
}

#[test]
fn nonsense_is_refused_in_the_order_of_aws() {
    let request = |date: &str, hash: &str, signed: &str| {
        Request::new("GET", "/")
            .with("x-amz-date", date)
            .with("x-amz-content-sha256", hash)
            .with("x-amz-acl", "x")
            .authorized(signed, &zeros())
            .claim()
            .unwrap_err()
    };
    let (late, now) = ("20130524T010000Z", "20130524T000000Z");
    let component = Error::Header(HeaderFault::Component("range".into()));
    assert_eq!(request("", "x", "range"), component);
    assert_eq!(request("", "x", "host;te"), Error::DateInvalid);
    assert_eq!(request(late, "x", "host;te"), Error::ContentSha256Invalid("x".into()));
    assert!(matches!(request(late, EMPTY, "host;te"), Error::Skewed { .. }));
    assert!(matches!(request(now, EMPTY, "host;te"), Error::HeadersNotSigned(_)));
    let absent = request(now, EMPTY, "host;te;x-amz-acl;x-amz-date");
    assert_eq!(absent, Error::SignedHeaderAbsent("te".into()));
}

#[test]
fn other_ways_to_claim_are_told_apart() {
    let with =
        |value: &str| Request::new("GET", "/").with("authorization", value).claim().unwrap_err();
    assert_eq!(with("AWS AKID:sig"), Error::V2Refused);
    assert_eq!(with("Bearer x"), Error::Unsupported);
    assert_eq!(with("AWS4-HMAC-SHA1 Credential=x"), Error::Unsupported);
    let query = |path| Request::new("GET", path).claim().unwrap_err();
    assert_eq!(query("/?AWSAccessKeyId=a&Signature=b&Expires=1"), Error::V2Refused);
    assert_eq!(query("/?X-Amz-Signature=a"), Error::Query(QueryFault::Missing));
    assert_eq!(query("/?X%2DAmz-Signature=a"), Error::Ambiguous);
}

#[test]
fn a_verified_head_verifies_the_body_as_it_says() {
    let forwarded = |request: &Request, body: &[u8]| {
        let claim = request.claim().unwrap();
        let verified = claim.verify(&key(&claim), now()).unwrap();
        let length = u64::try_from(body.len()).ok();
        verified
            .body_verifier(&key(&claim), 65_536, Output::Decoded, length)
            .map(|mut verifier| verifier.push(body, true))
    };
    let unsigned =
        upload().without("x-amz-content-sha256").with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let unbound = unsigned
        .authorized("content-type;host;x-amz-acl;x-amz-content-sha256;x-amz-date", &zeros());
    assert_eq!(forwarded(&unbound.signed(), b"anything"), None);
    assert_eq!(forwarded(&upload(), b""), Some(Ok(Vec::new())));
    assert!(matches!(forwarded(&upload(), b"x"), Some(Err(BodyError::ContentHash { .. }))));

    let chunks = |sentinel: &str, trailer: &str| {
        Request::new("PUT", "/")
            .with("x-amz-content-sha256", sentinel)
            .with("x-amz-date", "20130524T000000Z")
            .with("x-amz-decoded-content-length", "9")
            .with("x-amz-trailer", trailer)
            .authorized(
                "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-trailer",
                &zeros(),
            )
            .signed()
    };
    let crc32 = chunks("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-crc32");
    // The check value of the CRC catalogue.
    let body = b"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    assert_eq!(forwarded(&crc32, body), Some(Ok(b"123456789".to_vec())));
    let changed = body.map(|byte| if byte == b'1' { b'0' } else { byte });
    assert_eq!(forwarded(&crc32, &changed), Some(Err(BodyError::Checksum(Checksum::Crc32))));

    let signed = chunks("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "x-amz-checksum-sha1");
    assert_eq!(forwarded(&signed, body), Some(Err(BodyError::Incomplete)));
    let seed = signed.claim().unwrap().authorization().signature.to_string();
    let forged = format!("9;chunk-signature={seed}\r\n123456789\r\n");
    let Some(Err(BodyError::Signature { string_to_sign, .. })) =
        forwarded(&signed, forged.as_bytes())
    else {
        panic!("a forged chunk was forwarded");
    };
    let chain = format!(
        "AWS4-HMAC-SHA256-PAYLOAD\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n{seed}\n"
    );
    assert!(string_to_sign.starts_with(&chain));
}
