//! Answers as SDKs will read them.

use alloc::string::ToString as _;
use core::time::Duration;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::config::example;
use crate::record::AccessKeyFault;
use crate::sigv4::Error;
use crate::sigv4::body::BodyError;
use crate::time::UnixTime;

fn config(services: &[&str]) -> Config {
    let json =
        example::with(&json!({"sigv4": {"services": services}, "reason_header": "x-reason"}));
    Config::parse(json.as_bytes()).unwrap()
}

fn manner(services: &[&str], headers: &[(&str, &str)]) -> Manner {
    let config = config(services);
    let mut all: Vec<(&[u8], &[u8])> = Vec::from([(&b":path"[..], &b"/b/<k>?q"[..])]);
    all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    Manner::of(RequestHead::new(&all), config.sigv4.as_ref().unwrap(), None)
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[test]
fn s3_is_told_in_its_own_xml() {
    let manner = manner(&["s3"], &[(":method", "PUT"), ("x-request-id", "abc-1")]);
    let fault = Fault::of_head(
        &Error::HeadersNotSigned([b"x-amz-acl".to_vec(), b"x-amz-tagging".to_vec()].into()),
        UnixTime::from_secs(0),
        Duration::from_mins(15),
    );
    let reply = fault.reply(&manner, "headers_not_signed", &config(&["s3"]));
    assert_eq!(reply.status, 403);
    assert_eq!(header(&reply, "content-type"), Some("application/xml"));
    assert_eq!(header(&reply, "x-amz-request-id"), Some("abc-1"));
    assert_eq!(header(&reply, "x-reason"), Some("headers_not_signed"));
    assert_eq!(reply.details, "voussoir_headers_not_signed");
    assert_eq!(
        reply.body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>\
         <Message>There were headers present in the request which were not signed</Message>\
         <HeadersNotSigned>x-amz-acl, x-amz-tagging</HeadersNotSigned>\
         <Resource>/b/&lt;k&gt;</Resource><RequestId>abc-1</RequestId><HostId>voussoir</HostId>\
         </Error>"
    );
}

#[test]
fn an_answer_to_head_has_no_body() {
    let fault = Fault::of_unknown(Duration::from_millis(1200));
    let reply = fault.reply(&manner(&["s3"], &[(":method", "HEAD")]), "x", &config(&["s3"]));
    assert_eq!((reply.status, reply.body.as_str()), (503, ""));
    assert_eq!(header(&reply, "retry-after"), Some("2"));
    let reply = fault.reply(&manner(&["s3"], &[(":method", "GET")]), "x", &config(&["s3"]));
    assert!(reply.body.contains("<Code>SlowDown</Code>"));
}

#[test]
fn other_services_have_their_own_words() {
    let fault = Fault::of_access_key("AKID", AccessKeyFault::AccessKeyUnknown, false);
    let query = manner(&["sts"], &[("content-type", "application/x-www-form-urlencoded")]);
    let reply = fault.reply(&query, "x", &config(&["sts"]));
    assert_eq!(reply.status, 403);
    assert!(
        reply
            .body
            .contains("<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>"),
        "{}",
        reply.body
    );
    for headers in [
        &[("content-type", "application/x-amz-json-1.0")][..],
        &[("x-amz-target", "DynamoDB_20120810.ListTables")],
    ] {
        let reply = fault.reply(&manner(&["dynamodb"], headers), "x", &config(&["dynamodb"]));
        assert_eq!(reply.status, 400);
        assert_eq!(header(&reply, "x-amzn-errortype"), Some("UnrecognizedClientException"));
        assert!(
            reply.body.starts_with(r#"{"__type":"UnrecognizedClientException","message":"The"#)
        );
    }
}

#[test]
fn a_service_that_the_request_names_decides_in_a_mixed_proxy() {
    let config = config(&["s3", "sts"]);
    let rules = config.sigv4.as_ref().unwrap();
    let of = |dialect| Manner::of(RequestHead::new(&[]), rules, Some(dialect)).protocol;
    assert_eq!(of(Dialect::S3), Protocol::S3);
    assert_eq!(of(Dialect::General), Protocol::Query);
}

#[test]
fn times_and_limits_are_told() {
    let fault = Fault::of_head(
        &Error::Expired { expires_at: UnixTime::from_secs(1_369_353_660), expires: 60 },
        UnixTime::from_micros(1_369_353_661_123_456),
        Duration::from_mins(15),
    );
    let text = fault.s3_xml(&manner(&["s3"], &[]));
    assert!(
        text.contains(
            "<X-Amz-Expires>60</X-Amz-Expires><Expires>2013-05-24T00:01:00Z</Expires>\
             <ServerTime>2013-05-24T00:01:01Z</ServerTime>"
        ),
        "{text}"
    );
}

#[test]
fn a_wrong_region_names_the_right_one() {
    let fault = Fault::of_region("us-east-1", "eu-1", false);
    let reply = fault.reply(&manner(&["s3"], &[]), "x", &config(&["s3"]));
    assert_eq!(header(&reply, "x-amz-bucket-region"), Some("eu-1"));
    assert!(reply.body.contains(
        "<Message>The authorization header is malformed; the region &apos;us-east-1&apos; is wrong; \
         expecting &apos;eu-1&apos;</Message><Region>eu-1</Region>"
    ));
}

#[test]
fn a_body_is_told_what_was_expected() {
    let signed = SignedText::test();
    for (error, text) in [
        (
            BodyError::ContentHash { claimed: "a".into(), computed: "b".into() },
            "<ClientComputedContentSHA256>a</ClientComputedContentSHA256>\
             <S3ComputedContentSHA256>b</S3ComputedContentSHA256>",
        ),
        (
            BodyError::Signature { string_to_sign: "AB".into(), provided: "no".into() },
            "<AWSAccessKeyId>AKID</AWSAccessKeyId><StringToSign>AB</StringToSign>\
             <SignatureProvided>no</SignatureProvided><StringToSignBytes>41 42</StringToSignBytes>\
             <CanonicalRequest>GET\n</CanonicalRequest>\
             <CanonicalRequestBytes>47 45 54 0a</CanonicalRequestBytes>",
        ),
        (
            BodyError::Length { expected: 5, provided: 4 },
            "<NumberBytesExpected>5</NumberBytesExpected>\
             <NumberBytesProvided>4</NumberBytesProvided>",
        ),
    ] {
        let fault = Fault::of_body(&error, &signed);
        let body = fault.s3_xml(&manner(&["s3"], &[]));
        assert!(body.contains(&text.to_string()), "{body}");
    }
}

#[test]
fn a_request_id_is_told_on_only_if_it_can_be_a_header() {
    for (value, expected) in [("0-9-aF", "0-9-aF"), ("a b", ""), ("a\r\nb", ""), ("", "")] {
        assert_eq!(manner(&["s3"], &[("x-request-id", value)]).request_id, expected);
    }
    assert_eq!(manner(&["s3"], &[("x-request-id", &"a".repeat(65))]).request_id, "");
}
