//! The cases that verifiers of Signature Version 4 get wrong, each as a request and its answer. What
//! of them takes a proxy, a record or a second worker is tested with the filter instead.

use std::time::Duration;

use voussoir_core::head::RequestHead;
use voussoir_core::sigv4::body::Output;
use voussoir_core::sigv4::{Body, Claim, string_to_sign};
use voussoir_core::time::UnixTime;

use crate::chunks::{
    self, CRC32, DATA, SENTINELS, SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, sha256, whole,
};
use crate::request::{NOW, Request, SHA256_OF_NOTHING, key};
use crate::verdict::{AMBIGUOUS, GENUINE, MISMATCH, NOT_SIGNED, check};

fn get(path: &str) -> Request {
    Request::s3("GET", path, &[]).signed()
}

fn put(body: &[u8]) -> Request {
    let hash = sha256(body);
    Request::s3("PUT", "/key", &[("x-amz-content-sha256", &hash)]).with_body(body).signed()
}

fn at(seconds_from_now: i64) -> UnixTime {
    UnixTime::from_secs(1_369_353_600_u64.checked_add_signed(seconds_from_now).unwrap())
}

#[test]
fn case_01_unsigned_copy_source() {
    for name in [
        "x-amz-copy-source",
        "x-amz-tagging",
        "x-amz-acl",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-legal-hold",
        "x-amz-website-redirect-location",
        "x_amz_copy_source",
        "x-amz_copy-source",
    ] {
        let url = Request::presigned("PUT", "/key", "host").signed();
        check(&url, GENUINE);
        check(&url.with(name, "/bucket/other"), NOT_SIGNED);
        check(&put(b"").with(name, "/bucket/other"), NOT_SIGNED);
        check(&Request::s3("PUT", "/key", &[(name, "/bucket/other")]).signed(), GENUINE);
    }
    check(&put(b"").with("x-amzn-trace-id", "Root=1"), GENUINE);
}

#[test]
fn case_02_unsigned_trailers_need_a_verified_head() {
    let genuine = whole(UNSIGNED_TRAILER);
    check(&genuine, GENUINE);
    check(&genuine.clone().replacing("PUT", "POST"), MISMATCH);
    check(&genuine.clone().without("authorization"), "no credentials");
    let query = genuine.clone().without("authorization").replacing(
        "/key",
        &Request::presigned("PUT", "/key", "host;x-amz-content-sha256").text(":path"),
    );
    check(&query, "400 XAmzContentSHA256Mismatch");
    let both = query.with("authorization", genuine.text("authorization"));
    check(&both, AMBIGUOUS);
}

#[test]
fn case_03_presigned_with_a_payload() {
    for sentinel in SENTINELS {
        for signed_headers in ["host", "host;x-amz-content-sha256"] {
            let url = Request::presigned("PUT", "/key", signed_headers);
            check(&url.with("x-amz-content-sha256", sentinel), "400 XAmzContentSHA256Mismatch");
        }
        let url = format!("/key?X-Amz-Content-Sha256={sentinel}");
        check(&Request::presigned("PUT", &url, "host"), "400 XAmzContentSHA256Mismatch");
    }
    let hash = sha256(DATA);
    let signed = Request::presigned("PUT", "/key", "host;x-amz-content-sha256")
        .with("x-amz-content-sha256", &hash);
    let in_query = Request::presigned("PUT", &format!("/key?X-Amz-Content-Sha256={hash}"), "host");
    for url in [signed.signed(), in_query.signed()] {
        check(&url.clone().with_body(DATA), GENUINE);
        check(&url.with_body(b"other"), "400 XAmzContentSHA256Mismatch");
    }
    let unbound = Request::presigned("PUT", "/key", "host").signed().with_body(DATA);
    check(&unbound, GENUINE);
    check(&unbound.with("x-amz-content-sha256", hash), NOT_SIGNED);
}

#[test]
fn case_04_an_unsigned_content_sha256_selects_nothing() {
    let hash = sha256(DATA);
    let request = Request::new("PUT", "/key")
        .with("x-amz-date", "20130524T000000Z")
        .with("x-amz-content-sha256", &hash)
        .authorized("s3", "host;x-amz-date")
        .with_body(DATA)
        .signed();
    check(&request, GENUINE);
    check(&request.clone().with_body(b"other"), "400 XAmzContentSHA256Mismatch");
    let but = |value: &str| request.clone().but("x-amz-content-sha256", value);
    check(&but("UNSIGNED-PAYLOAD"), MISMATCH);
    check(&but(&hash.to_uppercase()), MISMATCH);
    for sentinel in SENTINELS {
        check(&but(sentinel), "411 MissingContentLength");
        check(&but(sentinel).with("x-amz-decoded-content-length", "9"), NOT_SIGNED);
    }
}

#[test]
fn case_05_credentials_in_two_places_or_spellings() {
    let url = Request::presigned("GET", "/key", "host").signed();
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        let again = format!("/key?X-Amz-{name}=x&");
        check(&url.clone().replacing("/key?", &again), AMBIGUOUS);
        check(
            &url.clone().replacing(&format!("X-Amz-{name}="), &format!("x-amz-{name}=")),
            AMBIGUOUS,
        );
        let encoded = format!("X%2DAmz-{name}=");
        check(&url.clone().replacing(&format!("X-Amz-{name}="), &encoded), AMBIGUOUS);
    }
    let header = get("/key");
    let authorization = header.text("authorization");
    check(&header.clone().with("authorization", &authorization), AMBIGUOUS);
    check(&header.clone().with("authorization", "Bearer x"), AMBIGUOUS);
    check(&url.with("authorization", &authorization), AMBIGUOUS);
    check(&header.replacing("/key", "/key?X-Amz-Signature=x"), AMBIGUOUS);
}

#[test]
fn case_06_signed_headers_that_are_not_there() {
    // Envoy takes these away before any filter sees them.
    for name in ["connection", "te", "transfer-encoding", "upgrade", "keep-alive", "zz"] {
        let request = Request::s3("GET", "/key", &[(name, "x")]).signed();
        check(&request, GENUINE);
        check(&request.without(name), MISMATCH);
    }
    let expect = Request::s3("PUT", "/key", &[("expect", "100-continue")]).signed();
    check(&expect.without("expect"), GENUINE);

    for list in [
        "host;host;x-amz-content-sha256;x-amz-date",
        "x-amz-date;host;x-amz-content-sha256",
        "Host;x-amz-content-sha256;x-amz-date",
        "host;;x-amz-content-sha256;x-amz-date",
        "x-amz-content-sha256;x-amz-date",
        "host;x-amz-content-sha256;X-Amz-Date",
    ] {
        let request = Request::s3("GET", "/key", &[]).authorized("s3", list);
        check(&request, "400 AuthorizationHeaderMalformed");
        let url = Request::presigned("GET", "/key", list);
        check(&url, "400 AuthorizationQueryParametersError");
    }
}

#[test]
fn case_07_keys_that_a_proxy_would_normalise() {
    let keys = [
        "/a/b", "/a//b", "//a/b", "/a/./b", "/./a/b", "/a/../b", "/../a/b", "/a/b/", "/a/b//",
        "/a%5Cb", "/a%255Cb", "/a%252Fb", "/b", "/A/b", "/a/b%20", "/a/b%00", "/a/b.", "/a/b/..",
    ];
    for signed in keys {
        let request = get(signed);
        for sent in keys {
            let changed = request.clone().but(":path", sent);
            check(&changed, if sent == signed { GENUINE } else { MISMATCH });
        }
    }
    // The key is the same, and so is what is forwarded.
    for (signed, sent) in [("/a%5Cb", "/a\\b"), ("/a%2Fb", "/a/b"), ("/%2E%2E/a", "/../a")] {
        check(&get(signed).but(":path", sent), GENUINE);
        check(&get(sent).but(":path", signed), GENUINE);
    }
}

#[test]
fn case_08_paths_spelt_differently() {
    // As clients sign it that leave in the path what they deem harmless.
    let signed_as_sent = |path: &str| {
        let request = Request::s3("GET", path, &[]);
        let claim = request.claim(NOW).unwrap();
        let canonical = format!(
            "GET\n{path}\n\nhost:bucket.s3.example\nx-amz-content-sha256:{SHA256_OF_NOTHING}\n\
             x-amz-date:20130524T000000Z\n\nhost;x-amz-content-sha256;x-amz-date\n{SHA256_OF_NOTHING}"
        );
        let scope = &claim.credential().scope;
        let text = string_to_sign(claim.authorization().date, scope, canonical.as_bytes());
        request.replacing(&"0".repeat(64), &key(&claim).sign(&text).to_string())
    };
    for path in ["/*'()@!+,:", "/%c3%a9", "/%41", "/a;b=c&d", "/\"<>[]{}|^`", "/%2f"] {
        check(&get(path), GENUINE);
        check(&signed_as_sent(path), GENUINE);
    }
    for (signed, sent, answer) in [
        ("/%C3%A9", "/%c3%a9", GENUINE),
        ("/A", "/%41", GENUINE),
        ("/(", "/%28", GENUINE),
        ("/a+b", "/a%2Bb", GENUINE),
        ("/a+b", "/a%20b", MISMATCH),
        ("/%2541", "/%41", MISMATCH),
        ("/a", "/a%00", MISMATCH),
    ] {
        check(&get(signed).but(":path", sent), answer);
    }
    for path in ["/%", "/100%", "/%4", "/%zz", "/%+1", "/a?b=%"] {
        check(&Request::s3("GET", path, &[]), "400 InvalidURI");
    }
}

#[test]
fn case_09_queries_spelt_differently() {
    for (signed, sent, answer) in [
        ("?a=x+y", "?a=x%20y", GENUINE),
        ("?a=x+y", "?a=x%2By", MISMATCH),
        ("?acl", "?acl=", GENUINE),
        ("?acl", "?ACL", MISMATCH),
        ("?a=1&b=2", "?b=2&&a=1&", GENUINE),
        ("?a=1&b=2", "?a=1;b=2", MISMATCH),
        ("?a=1;b=2", "?a=1%3Bb=2", GENUINE),
        ("?=v", "?=v&=", MISMATCH),
        ("?a=1&a=2", "?a=2&a=1", GENUINE),
        ("?a=1&a=2", "?a=1", MISMATCH),
        ("?a=b=c", "?a=b%3Dc", GENUINE),
        ("?a=b=c", "?a%3Db=c", MISMATCH),
        ("?", "", GENUINE),
        ("", "?versionId=null", MISMATCH),
        ("?a=%C3%A9", "?a=%c3%a9", GENUINE),
        ("?a=%2541", "?a=%41", MISMATCH),
    ] {
        check(&get(&format!("/{signed}")).but(":path", format!("/{sent}")), answer);
    }
    // Decoded, `!` comes before `-`; encoded, `%21` does as well, but not before `%`.
    let canonical = get("/?-=1&!=2&%25=3&a=~&a=%C3%A9").verify(NOW).unwrap().canonical_request;
    let canonical = String::from_utf8(canonical).unwrap();
    assert_eq!(canonical.lines().nth(2), Some("%21=2&%25=3&-=1&a=%C3%A9&a=~"));
}

#[test]
fn case_10_values_of_headers() {
    let names = "a;host;x-amz-content-sha256;x-amz-date";
    let with = |value: &[u8]| Request::s3("GET", "/", &[]).with("a", value).authorized("s3", names);
    for (signed, sent, answer) in [
        (&b"a b"[..], &b"  a \t b\t"[..], GENUINE),
        (b"a\tb", b"a b", GENUINE),
        (b"a b", b"ab", MISMATCH),
        (b"\"a  b\"", b"\"a b\"", GENUINE),
        (b"", b" \t ", GENUINE),
        (b"", b"\"\"", MISMATCH),
        (b"\xff\xfe", b"\xff\xfe", GENUINE),
        (b"\xff\xfe", b"\xff\xfd", MISMATCH),
        (b"\xff", b"\xc3\xbf", MISMATCH),
        (b"a\xc2\xa0b", b"a b", MISMATCH),
        (b"a", b"A", MISMATCH),
    ] {
        check(&with(signed).signed().but("a", sent), answer);
    }
    for value in [&b"a\r\n b"[..], b"a\nx-amz-acl:private", b"a\0b", b"a\r"] {
        check(&with(value), "400 InvalidRequest");
    }
}

#[test]
fn case_11_two_lines_of_content_encoding() {
    let encodings = |lines: &[&str]| {
        let names = "content-encoding;host;x-amz-content-sha256;x-amz-date";
        let request = Request::s3("PUT", "/key", &[]).authorized("s3", names);
        lines.iter().fold(request, |request, line| request.with("content-encoding", line))
    };
    let two = encodings(&["aws-chunked", "gzip"]);
    let one = encodings(&["aws-chunked,gzip"]);
    let spaced = encodings(&["aws-chunked, gzip"]);
    let turned = encodings(&["gzip", "aws-chunked"]);
    let signature = |request: &Request| request.clone().signed().text("authorization");
    assert_eq!(signature(&two), signature(&one));
    for (signed, sent, answer) in [
        (&two, &one, GENUINE),
        (&two, &spaced, MISMATCH),
        (&one, &spaced, MISMATCH),
        (&two, &turned, MISMATCH),
        (&spaced, &spaced, GENUINE),
    ] {
        check(&sent.clone().but("authorization", signature(signed)), answer);
    }
    // Amazon's own headers are not cut into lines.
    let split = Request::s3("PUT", "/key", &[("x-amz-copy-source", "/b/k,v")]).signed();
    check(&split, GENUINE);
    check(&split.but("x-amz-copy-source", "/b/k").with("x-amz-copy-source", "v"), AMBIGUOUS);
}

#[test]
fn case_12_hosts() {
    let of = |scheme: &str, authority: &str| {
        Request::s3("GET", "/", &[]).but(":scheme", scheme).but(":authority", authority)
    };
    for (scheme, signed, sent, answer) in [
        ("https", "a.example", "a.example:443", GENUINE),
        ("https", "a.example:443", "a.example", GENUINE),
        ("http", "a.example:80", "a.example", GENUINE),
        ("https", "a.example", "a.example:80", MISMATCH),
        ("https", "a.example:8443", "a.example", MISMATCH),
        ("https", "a.example", "A.example", MISMATCH),
        ("https", "bucket.a.example", "a.example", MISMATCH),
        ("https", "[::1]", "[::1]:443", GENUINE),
        ("https", "[::1]:443", "[::1]:444", MISMATCH),
        ("https", "a.example", "a.example.", MISMATCH),
    ] {
        check(&of(scheme, signed).signed().but(":authority", sent), answer);
    }
    check(&get("/").with("host", "another.example"), GENUINE);
    check(&get("/").with(":authority", "another.example"), "400 InvalidRequest");
    check(&get("/").without(":authority").with("host", "bucket.s3.example"), "400 InvalidRequest");
}

#[test]
fn case_13_dates() {
    let dated = |day: &str, time: &str| {
        let date = format!("{day}T{time}Z");
        Request::s3("GET", "/", &[("x-amz-date", &date)])
            .replacing("=AKID/20130524/", &format!("=AKID/{day}/"))
    };
    // Midnight in UTC is the border of two keys.
    for request in [dated("20130523", "235959"), dated("20130524", "000001")] {
        check(&request.signed(), GENUINE);
    }
    let of_another_day = dated("20130523", "235959").replacing("/20130523/", "/20130524/");
    check(&of_another_day, "400 AuthorizationHeaderMalformed");

    let request = get("/");
    for (seconds, answer) in [
        (900, GENUINE),
        (-900, GENUINE),
        (901, "403 RequestTimeTooSkewed"),
        (-901, "403 RequestTimeTooSkewed"),
    ] {
        assert_eq!(request.answer_at(at(seconds)), answer, "{seconds}");
    }

    let names = "date;host;x-amz-content-sha256";
    let date_alone = request.without("x-amz-date").authorized("s3", names);
    let date_alone = date_alone.with("date", "Fri, 24 May 2013 00:00:00 GMT").signed();
    check(&date_alone, GENUINE);
    check(&date_alone.clone().but("date", "Fri, 24 May 2013 00:00:01 GMT"), MISMATCH);
    check(&date_alone.clone().but("date", "Friday, 24-May-13 00:00:00 GMT"), NOT_SIGNED);
    check(&date_alone.without("date"), NOT_SIGNED);
    // Where both are there, `x-amz-date` is the one that counts.
    let both = Request::s3("GET", "/", &[("date", "Sat, 01 Jan 2000 00:00:00 GMT")]).signed();
    check(&both, GENUINE);

    let leap_day = dated("20240229", "120000");
    let noon = UnixTime::from_secs(1_709_208_000);
    assert_eq!(leap_day.answer_at(noon), MISMATCH, "a right date, and no signature yet");
    check(&dated("20130229", "120000"), "400 AuthorizationHeaderMalformed");
}

#[test]
fn case_14_expires() {
    let with = |expires: &str| {
        let url = Request::presigned("GET", "/key", "host");
        url.replacing("X-Amz-Expires=86400", &format!("X-Amz-Expires={expires}"))
    };
    for expires in ["-1", "604801", "9223372036854775808", "1e3", "+5", "%2B5", "", "5 ", "0x5"] {
        check(&with(expires), "400 AuthorizationQueryParametersError");
    }
    check(&with("0"), NOT_SIGNED);
    for (expires, seconds, answer) in [
        ("1", 0, GENUINE),
        ("1", 1, NOT_SIGNED),
        ("604800", 604_799, GENUINE),
        ("604800", 604_800, NOT_SIGNED),
        ("604800", -900, GENUINE),
        ("604800", -901, NOT_SIGNED),
    ] {
        assert_eq!(with(expires).signed().answer_at(at(seconds)), answer, "{expires}, {seconds}");
    }
}

#[test]
fn case_15_session_tokens() {
    let token_of = |request: &Request| {
        let token = request.verify(NOW).unwrap().authorization.session_token.clone();
        token.map(|token| (token.matches(b"token"), token.matches(b"other")))
    };
    let header = Request::s3("GET", "/", &[("x-amz-security-token", "token")]).signed();
    let query = Request::presigned("GET", "/?X-Amz-Security-Token=token", "host").signed();
    assert_eq!(token_of(&header), Some((true, false)));
    assert_eq!(token_of(&query), Some((true, false)));
    assert_eq!(token_of(&get("/")), None);

    check(&header.clone().but("x-amz-security-token", "other"), MISMATCH);
    check(&header.clone().with("x-amz-security-token", "token"), AMBIGUOUS);
    check(&query.replacing("Token=token", "Token=other"), MISMATCH);
    // Added after signing, or not signed, it is nobody's.
    check(&get("/").with("x-amz-security-token", "token"), NOT_SIGNED);
    let url = Request::presigned("GET", "/", "host").signed();
    check(&url.clone().with("x-amz-security-token", "token"), NOT_SIGNED);
    check(&url.replacing("/?", "/?X-Amz-Security-Token=token&"), MISMATCH);
}

#[test]
fn case_16_other_services() {
    let normalised = Request::general("GET", "/a/./b/../%20/", &[]).signed();
    check(&normalised, GENUINE);
    let canonical = normalised.verify(NOW).unwrap().canonical_request;
    assert!(canonical.starts_with(b"GET\n/a/%2520/\n"));
    check(&normalised.replacing("%20", "%2520"), MISMATCH);

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let target = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "Table.Get")];
    for (headers, body) in [(&form[..], &b"Action=ListUsers"[..]), (&target, b"{}")] {
        let request = Request::general("POST", "/", headers).with_body(body).signed();
        assert_eq!(request.claim(NOW).unwrap().body(), Body::HashFirst);
        check(&request, GENUINE);
        check(&request.clone().with_body(b"Action=DeleteUser"), MISMATCH);
        check(&request.with_body(b""), MISMATCH);
    }
    let request = Request::general("POST", "/", &target).signed();
    check(&request.clone().but("x-amz-target", "Table.Delete"), MISMATCH);
    check(&request.with("x-amz-user-agent", "x"), NOT_SIGNED);

    // Most services' clocks may be off by five minutes.
    let request = Request::general("GET", "/", &[]).signed();
    let headers: Vec<_> = request.headers.iter().map(|(n, v)| (n.as_bytes(), &v[..])).collect();
    let claim =
        |seconds| Claim::from_head(RequestHead::new(&headers), at(seconds), Duration::from_mins(5));
    assert!(claim(300).is_ok() && claim(-300).is_ok());
    assert!(claim(301).is_err() && claim(-301).is_err());
}

#[test]
fn case_17_chunks_cut_and_spelt_in_every_way() {
    for sentinel in SENTINELS {
        let request = whole(sentinel);
        check(&request, GENUINE);
        for cut in 0..=request.body.len() {
            for rest in [0, 1, 7, usize::MAX] {
                let mut verifier = chunks::verifier(&request, 65_536, Output::Decoded);
                let (first, tail) = request.body.split_at(cut);
                let (second, third) = tail.split_at(rest.min(tail.len()));
                let mut out = Vec::new();
                for piece in [first, second, third] {
                    out.extend(verifier.push(piece, false).unwrap());
                }
                out.extend(verifier.push(b"", true).unwrap());
                assert_eq!(out, DATA);
            }
        }
    }
    let spelt = |size: &str, answer: &str| {
        let body = format!("{size}\r\n123456789\r\n0\r\n{CRC32}\r\n");
        check(&whole(UNSIGNED_TRAILER).with_body(body), answer);
        let signed = whole(SIGNED);
        let body = String::from_utf8(signed.body.clone()).unwrap();
        check(&signed.with_body(body.replacen('9', size, 1)), answer);
    };
    spelt("00000000000000000009", GENUINE);
    for size in ["-9", "+9", "0x9", " 9", "\t9", "9_", "", "100000000000000000000"] {
        spelt(size, "400 IncompleteBody");
    }
    for size in ["a", "A", "100000000", "ffffffffffffffff"] {
        spelt(size, "400 IncompleteBody");
    }
}

#[test]
fn case_18_streams_that_end_early() {
    for sentinel in SENTINELS {
        let request = whole(sentinel);
        let last_line = request.body.windows(3).rposition(|it| it == b"\r\n0").unwrap() + 2;
        for length in 0..request.body.len() - 2 {
            let cut = request.clone().with_body(&request.body[..length]);
            // Where no trailers came, that is what is wrong.
            let has_last_line = length > last_line && request.body[..length].ends_with(b"0\r\n");
            let answer = match sentinel {
                UNSIGNED_TRAILER if has_last_line => "400 MalformedTrailerError",
                _ => "400 IncompleteBody",
            };
            check(&cut, answer);
        }
        // The end can come alone, in an empty frame.
        let mut verifier = chunks::verifier(&request, 65_536, Output::Decoded);
        let pushed = verifier.push(&request.body[..last_line], false).unwrap();
        assert_eq!(pushed.len(), DATA.len() - 1, "the last byte waits for the end");
        assert!(verifier.push(b"", true).is_err());
        assert!(!verifier.is_verified());
    }
    let early_end =
        [&b"4\r\n1234\r\n0\r\n\r\n"[..], b"5\r\n56789\r\n0\r\n", CRC32.as_bytes()].concat();
    check(&whole(UNSIGNED_TRAILER).with_body(early_end), "400 IncompleteBody");
    for length in [8, 10] {
        let upload = chunks::upload(SIGNED, length);
        let (body, _) = chunks::chunks(&upload, &[DATA]);
        check(&upload.with_body(body), "400 IncompleteBody");
    }
}

#[test]
fn case_19_trailers() {
    let upload = chunks::upload(SIGNED_TRAILER, DATA.len());
    let (body, last) = chunks::chunks(&upload, &[DATA]);
    let right = chunks::sign_trailers(&upload, &last, "x-amz-checksum-crc32:y/Q5Jg==\n");
    let seed = upload.claim(NOW).unwrap().authorization().signature.to_string();
    let from_seed = chunks::sign_trailers(&upload, &seed, "x-amz-checksum-crc32:y/Q5Jg==\n");
    let other = chunks::sign_trailers(&upload, &last, "x-amz-checksum-crc32:AAAAAA==\n");
    let no_base64 = chunks::sign_trailers(&upload, &last, "x-amz-checksum-crc32:????\n");
    let ending = |trailers: &str| upload.clone().with_body([&body, trailers.as_bytes()].concat());
    let signature = |signature: &str| format!("x-amz-trailer-signature:{signature}\r\n");
    check(&ending(&format!("{CRC32}{}\r\n", signature(&right))), GENUINE);
    check(&ending(&format!("{}{CRC32}\r\n", signature(&right))), GENUINE);
    for (trailers, answer) in [
        // stripped
        (String::new(), "400 IncompleteBody"),
        ("\r\n".into(), "400 IncompleteBody"),
        (format!("{CRC32}\r\n"), "400 IncompleteBody"),
        (signature(&right), MISMATCH),
        // signed for another place in the chain, or another value
        (format!("{CRC32}{}", signature(&from_seed)), MISMATCH),
        (format!("{CRC32}{}", signature(&last)), MISMATCH),
        (format!("{CRC32}{}", signature(&other)), MISMATCH),
        // undeclared, twice
        (format!("{CRC32}x-amz-meta-a:b\r\n{}", signature(&right)), MISMATCH),
        (format!("{CRC32}x-amz-checksum-crc32:AAAAAA==\r\n{}", signature(&right)), MISMATCH),
        // signed, and wrong all the same
        (format!("x-amz-checksum-crc32:AAAAAA==\r\n{}", signature(&other)), "400 BadDigest"),
        (format!("x-amz-checksum-crc32:????\r\n{}", signature(&no_base64)), "400 InvalidRequest"),
    ] {
        check(&ending(&trailers), answer);
    }
    let headers = |trailer: &str, more: &[(&str, &str)]| {
        let length = [("x-amz-decoded-content-length", "9"), ("x-amz-trailer", trailer)];
        let sentinel = [("x-amz-content-sha256", UNSIGNED_TRAILER)];
        Request::s3("PUT", "/key", &[&length[..], &sentinel, more].concat())
    };
    check(&headers("x-amz-checksum-md4", &[]), "400 InvalidRequest");
    check(&headers("x-amz-checksum-crc32,x-amz-checksum-sha1", &[]), "400 InvalidRequest");
    check(&headers("x-amz-checksum-crc32", &[("x-amz-checksum-sha1", "x")]), "400 InvalidRequest");
    let hashed = Request::s3("PUT", "/key", &[("x-amz-trailer", "x-amz-checksum-crc32")]);
    check(&hashed, "400 MalformedTrailerError");
}

#[test]
fn case_20_what_is_held_and_what_passes() {
    // A chunk of 16 MiB is held until its signature is there, and nothing much beside it.
    const MAX_CHUNK: usize = 16 * 1024 * 1024;
    let data = vec![b'x'; MAX_CHUNK];
    let upload = chunks::upload(SIGNED, data.len());
    let (body, _) = chunks::chunks(&upload, &[&data]);
    let mut verifier = chunks::verifier(&upload, MAX_CHUNK, Output::Decoded);
    let (before, last_byte) = body.split_at(90 + MAX_CHUNK - 1);
    for piece in before.chunks(65_536) {
        assert_eq!(verifier.push(piece, false), Ok(Vec::new()));
        assert!(verifier.held() <= MAX_CHUNK + 1280);
    }
    assert_eq!(verifier.push(last_byte, true).unwrap().len(), MAX_CHUNK);

    // Nothing of a changed one passes.
    let mut changed = body;
    changed[MAX_CHUNK / 2] ^= 1;
    let mut verifier = chunks::verifier(&upload, MAX_CHUNK, Output::Decoded);
    let refused = changed.chunks(65_536).find_map(|piece| match verifier.push(piece, false) {
        Ok(passed) => {
            assert!(passed.is_empty());
            None
        }
        Err(error) => Some(error),
    });
    assert_eq!(refused.unwrap().code(), "SignatureDoesNotMatch");

    let mut verifier = chunks::verifier(&upload, 65_536, Output::Decoded);
    assert_eq!(verifier.push(&changed[..90], false).unwrap_err().code(), "EntityTooLarge");

    // Chunks of one byte: the second one is too many.
    let upload = chunks::upload(SIGNED, 3);
    let (body, _) = chunks::chunks(&upload, &[b"1", b"2", b"3"]);
    check(&upload.with_body(body), "403 InvalidChunkSizeError");
    for (first, answer) in [(8192, GENUINE), (8191, "403 InvalidChunkSizeError")] {
        let data = vec![b'x'; first];
        let upload = chunks::upload(SIGNED, first + 1);
        let (body, _) = chunks::chunks(&upload, &[&data, b"y"]);
        check(&upload.with_body(body), answer);
    }
}

#[test]
fn case_21_version_4a_is_not_implemented() {
    const NOT_IMPLEMENTED: &str = "501 NotImplemented";
    let ecdsa = "AWS4-ECDSA-P256-SHA256";
    let der = "30450221".to_string() + &"ab".repeat(67);
    check(&get("/").replacing("AWS4-HMAC-SHA256", ecdsa), NOT_IMPLEMENTED);
    let header = Request::s3("GET", "/", &[("x-amz-region-set", "*")]);
    let header = header.replacing("AWS4-HMAC-SHA256", ecdsa).replacing("us-east-1/", "");
    check(&header.clone().replacing(&"0".repeat(64), &der), NOT_IMPLEMENTED);
    let url = Request::presigned("GET", "/?X-Amz-Region-Set=us-east-1", "host");
    check(&url.replacing("AWS4-HMAC-SHA256", ecdsa), NOT_IMPLEMENTED);
    for suffix in ["", "-TRAILER"] {
        let sentinel = format!("STREAMING-{ecdsa}-PAYLOAD{suffix}");
        let length = ("x-amz-decoded-content-length", "9");
        let chunks = Request::s3("PUT", "/", &[("x-amz-content-sha256", &sentinel), length]);
        check(&chunks, NOT_IMPLEMENTED);
        check(&chunks.replacing("AWS4-HMAC-SHA256 ", &format!("{ecdsa} ")), NOT_IMPLEMENTED);
    }
    // Its signature and its scope under the other name.
    let swapped = Request::s3("GET", "/", &[]);
    check(&swapped.clone().replacing(&"0".repeat(64), &der), "400 AuthorizationHeaderMalformed");
    check(&swapped.replacing("us-east-1/", ""), "400 AuthorizationHeaderMalformed");
}

#[test]
fn case_22_a_post_policy_is_no_credential() {
    let form =
        b"--x\r\nContent-Disposition: form-data; name=\"X-Amz-Signature\"\r\n\r\n0\r\n--x--\r\n";
    let post = Request::new("POST", "/")
        .with("content-type", "multipart/form-data; boundary=x")
        .with_body(form);
    check(&post, "no credentials");
    // Nor is it one in addition to another, or in a query that says a part of it.
    check(&post.clone().replacing("POST", "PUT"), "no credentials");
    check(&post.but(":path", "/?X-Amz-Signature=0"), "400 AuthorizationQueryParametersError");
}

#[test]
fn case_23_hashes_of_bodies() {
    const OTHER_BODY: &str = "400 XAmzContentSHA256Mismatch";
    check(&put(DATA), GENUINE);
    check(&put(b""), GENUINE);
    check(&put(b"").with_body(DATA), OTHER_BODY);
    check(&put(DATA).with_body(b""), OTHER_BODY);
    check(&put(DATA).with_body(&DATA[1..]), OTHER_BODY);
    let upper = sha256(DATA).to_uppercase();
    let request = Request::s3("PUT", "/", &[("x-amz-content-sha256", &upper)]).signed();
    check(&request.clone().with_body(DATA), GENUINE);
    check(&request.with_body(b"x"), OTHER_BODY);
    for method in ["GET", "HEAD", "DELETE"] {
        let hash = sha256(DATA);
        let request = Request::s3(method, "/", &[("x-amz-content-sha256", &hash)]).signed();
        check(&request, OTHER_BODY);
        check(&request.with_body(DATA), GENUINE);
    }
    for value in ["", "x", &upper[1..], "unsigned-payload", " UNSIGNED-PAYLOAD"] {
        let request = Request::s3("PUT", "/", &[("x-amz-content-sha256", value)]);
        check(&request, "400 InvalidArgument");
    }
    let missing = get("/").without("x-amz-content-sha256").authorized("s3", "host;x-amz-date");
    check(&missing, "400 InvalidRequest");
    // Without a content length the end is what decides.
    let request = put(DATA);
    let mut verifier = chunks::verifier(&request, 65_536, Output::Decoded);
    assert_eq!(verifier.push(DATA, false).unwrap().len(), DATA.len() - 1);
    assert_eq!(verifier.push(b"", true).unwrap().len(), 1);
}

#[test]
fn case_24_look_alikes() {
    let with = |value: &str| get("/").but("authorization", value);
    check(&with("AWS AKID:signature"), "400 InvalidRequest");
    let query = Request::new("GET", "/?AWSAccessKeyId=a&Signature=b&Expires=1");
    check(&query, "400 InvalidRequest");
    let right = get("/").text("authorization");
    for name in ["AWS4-HMAC-SHA1", "aws4-hmac-sha256", "AWS4-HMAC-SHA256\t", "AWS4-HMAC-SHA512"] {
        check(&with(&right.replace("AWS4-HMAC-SHA256", name)), "400 InvalidArgument");
    }
    check(&with("Bearer token"), "400 InvalidArgument");
    check(&with(""), "400 InvalidArgument");
    check(&get("/").without("authorization"), "no credentials");
    // An access key is any text without a space; only the four parts behind it are a scope.
    for access_key in ["a/b", "a%2Fb", "0123456789abcdef0123456789abcdef", "a/20130524/eu/s3"] {
        let request = Request::s3("GET", "/", &[]).replacing("=AKID/", &format!("={access_key}/"));
        let request = request.signed();
        check(&request, GENUINE);
        let claim = request.claim(NOW).unwrap();
        assert_eq!(claim.credential().access_key, access_key);
        assert_eq!(claim.credential().scope.to_string(), "20130524/us-east-1/s3/aws4_request");
    }
    check(
        &Request::s3("GET", "/", &[]).replacing("=AKID/", "=/"),
        "400 AuthorizationHeaderMalformed",
    );
}

#[test]
fn case_25_the_life_of_a_key() {
    // A key is good for one access key's scope, which the claim names before it is asked for.
    let claim = get("/").claim(NOW).unwrap();
    assert!(claim.verify(&key(&claim), NOW).is_ok());
    for (from, to) in [("us-east-1", "us-east-2"), ("/s3/", "/s3express/")] {
        let other = get("/").replacing(from, to).claim(NOW).unwrap();
        assert_ne!(other.credential(), claim.credential());
        assert!(claim.verify(&key(&other), NOW).is_err());
        assert!(other.verify(&key(&claim), NOW).is_err());
    }
    // Of nonsense, none gets as far as that.
    for (from, to) in [
        ("20130524/", "20140524/"),
        ("us-east-1", "us east"),
        ("us-east-1", &"x".repeat(65)),
        ("AKID", &"x".repeat(129)),
        ("aws4_request", "aws4"),
    ] {
        let request = Request::s3("GET", "/", &[]).replacing(from, to);
        check(&request, "400 AuthorizationHeaderMalformed");
    }
    // While a key is looked for, the request can grow too old.
    assert!(claim.verify(&key(&claim), at(901)).is_err());
}
