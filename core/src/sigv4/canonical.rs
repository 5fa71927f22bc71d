//! The canonical request: what of a request is signed, in the one way to write it down.
//!
//! ```text
//! GET                                                 method
//! /test.txt                                           path
//! max-keys=2&prefix=J                                 query
//! host:examplebucket.s3.amazonaws.com                 headers, a line for each
//! x-amz-date:20130524T000000Z
//!                                                     an empty line
//! host;x-amz-date                                     their names
//! UNSIGNED-PAYLOAD                                    payload
//! ```
//!
//! All of it is bytes. Values that are not UTF-8 are signed as they are.

use alloc::vec::Vec;

use super::authorization::Authorization;
use super::error::Error;
use super::form::SIGNATURE;
use super::header::{self, HOST};
use super::path;
use super::query::Query;
use crate::head::RequestHead;

/// The canonical request but for its last line, which may have to wait for the body.
///
/// Clients differ in how they write the path and whether the host has a port; each combination is a
/// text that the client may have signed. There are at most four.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalRequest {
    method: Vec<u8>,
    paths: Vec<Vec<u8>>,
    query: Vec<u8>,
    /// The lines before the host's: headers are in order, and some names come before `host`.
    headers_before: Vec<u8>,
    hosts: Vec<Vec<u8>>,
    headers_after: Vec<u8>,
    signed_headers: Vec<u8>,
}

impl CanonicalRequest {
    /// Writes down what of this head was signed.
    pub(super) fn new(head: RequestHead<'_>, authorization: &Authorization) -> Result<Self, Error> {
        let method = head.method().filter(|method| is_line(method)).ok_or(Error::Malformed)?;
        let path = head.path().ok_or(Error::Malformed)?;
        let hosts = header::hosts(head).filter(|hosts| hosts.iter().all(|host| is_line(host)));
        let dialect = authorization.credential.scope.dialect();
        // A signature cannot sign itself. In header form the parameter is one like any other.
        let except = authorization.is_presigned().then_some(SIGNATURE);

        let mut headers_before = Vec::new();
        let mut headers_after = Vec::with_capacity(TYPICAL_HEADERS);
        for name in authorization.signed_headers.names().filter(|name| *name != HOST) {
            let lines = if name < HOST { &mut headers_before } else { &mut headers_after };
            lines.extend_from_slice(name);
            lines.push(b':');
            let start = lines.len();
            if !header::append_canonical_value(lines, head, name) {
                return Err(Error::SignedHeaderAbsent(name.into()));
            }
            if !lines.get(start..).is_some_and(is_line) {
                return Err(Error::Malformed);
            }
            lines.push(b'\n');
        }
        Ok(Self {
            method: method.into(),
            paths: path::canonical(path, dialect).map_err(|_| Error::Uri)?,
            query: Query::new(head.query()).canonical(except).map_err(|_| Error::Uri)?,
            headers_before,
            hosts: hosts.ok_or(Error::Malformed)?,
            headers_after,
            signed_headers: authorization.signed_headers.as_bytes().into(),
        })
    }

    /// Every text that the client may have signed, the one by the letter of AWS's text first.
    pub(super) fn texts(&self, payload_line: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        self.paths.iter().flat_map(move |path| {
            self.hosts.iter().map(move |host| {
                let lines: [&[u8]; 15] = [
                    &self.method,
                    b"\n",
                    path,
                    b"\n",
                    &self.query,
                    b"\n",
                    &self.headers_before,
                    b"host:",
                    host,
                    b"\n",
                    &self.headers_after,
                    b"\n",
                    &self.signed_headers,
                    b"\n",
                    payload_line,
                ];
                lines.concat()
            })
        })
    }
}

/// Bytes of the lines after the host's; with metadata or a session token it is more.
const TYPICAL_HEADERS: usize = 192;

/// Whether it ends no line of the canonical request before its time. Proxies let no such value
/// pass; one signed text must not stand for two requests even so.
fn is_line(text: &[u8]) -> bool {
    !text.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::string::String;

    type Headers<'a> = &'a [(&'a [u8], &'a [u8])];

    fn request(path: &str, signed: &str, headers: Headers<'_>) -> Result<CanonicalRequest, Error> {
        let mut all: Vec<(&[u8], &[u8])> = Vec::from([
            (&b":method"[..], &b"GET"[..]),
            (b":path", path.as_bytes()),
            (b":authority", b"example.com"),
            (b"x-amz-date", b"20130524T000000Z"),
        ]);
        all.extend_from_slice(headers);
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders={signed},Signature={}",
            "00".repeat(32)
        );
        let head = RequestHead::new(&all);
        CanonicalRequest::new(head, &Authorization::from_header(value.as_bytes(), head)?)
    }

    fn texts(path: &str, signed: &str, headers: Headers<'_>) -> Vec<String> {
        let request = request(path, signed, headers).unwrap();
        request.texts(b"payload").map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn headers_stand_in_order_around_the_host() {
        let headers: Headers<'_> = &[(b"range", b" bytes=0-9"), (b"accept", b"*/*"), (b"x", b"")];
        assert_eq!(
            texts("/a?b", "accept;host;range", headers),
            [
                "GET\n/a\nb=\naccept:*/*\nhost:example.com\nrange:bytes=0-9\n\naccept;host;range\npayload"
            ]
        );
    }

    #[test]
    fn there_is_a_text_for_every_path_and_host() {
        let texts = texts("/(", "host", &[(b":scheme", b"https")]);
        let expected = [
            ("/%28", "example.com"),
            ("/%28", "example.com:443"),
            ("/(", "example.com"),
            ("/(", "example.com:443"),
        ];
        assert!(texts.iter().eq(
            &expected.map(|(path, host)| format!("GET\n{path}\n\nhost:{host}\n\nhost\npayload"))
        ));
    }

    #[test]
    fn a_header_that_was_signed_must_be_there() {
        for name in ["connection", "transfer-encoding", "zz"] {
            let mut list = ["host", name];
            list.sort_unstable();
            let absent = Err(Error::SignedHeaderAbsent(name.into()));
            assert_eq!(request("/", &list.join(";"), &[]), absent);
        }
        assert!(texts("/", "expect;host", &[])[0].contains("\nexpect:100-continue\n"));
    }

    #[test]
    fn values_need_not_be_text() {
        let text = request("/", "a;host", &[(b"a", b"\xff\xfe")]).unwrap();
        let text = text.texts(b"p").next().unwrap();
        assert_eq!(text, b"GET\n/\n\na:\xff\xfe\nhost:example.com\n\na;host\np");
    }

    #[test]
    fn no_value_has_a_second_line() {
        for value in [&b"1\nb:2"[..], b"1\r", b"\0"] {
            assert_eq!(request("/", "a;host", &[(b"a", value)]), Err(Error::Malformed));
        }
        assert_eq!(request("/", "host", &[(b":authority", b"b")]), Err(Error::Malformed));
    }

    #[test]
    fn refuses_what_is_no_uri() {
        assert_eq!(request("/100%", "host", &[]), Err(Error::Uri));
        assert_eq!(request("/?a=%", "host", &[]), Err(Error::Uri));
    }
}
