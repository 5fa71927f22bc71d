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
use core::ops::Range;

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
    /// By the letter of AWS's text.
    text: Vec<u8>,
    path: Spelling,
    host: Spelling,
}

/// Something that stands in the text, and that the client may have spelt otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spelling {
    place: Range<usize>,
    other: Option<Vec<u8>>,
}

impl CanonicalRequest {
    /// Writes down what of this head was signed.
    pub(super) fn new(head: RequestHead<'_>, authorization: &Authorization) -> Result<Self, Error> {
        let method = head.method().filter(|method| is_line(method)).ok_or(Error::Malformed)?;
        let path = head.path().ok_or(Error::Malformed)?;
        let dialect = authorization.credential.scope.dialect();
        // A signature cannot sign itself. In header form the parameter is one like any other.
        let except = authorization.is_presigned().then_some(SIGNATURE);

        let mut text = Vec::with_capacity(TYPICAL_TEXT);
        text.extend_from_slice(method);
        text.push(b'\n');
        let start = text.len();
        let other = path::append_canonical(&mut text, path, dialect).map_err(|_| Error::Uri)?;
        let path = Spelling { place: start..text.len(), other };
        text.push(b'\n');
        let query = Query::new(head.query());
        query.append_canonical(&mut text, except).map_err(|_| Error::Uri)?;
        text.push(b'\n');

        // It is one of the signed headers: there is no such list without it.
        let mut host = Spelling::default();
        for name in authorization.signed_headers.names() {
            text.extend_from_slice(name);
            text.push(b':');
            let start = text.len();
            if name == HOST {
                let (value, other) = header::host(head).ok_or(Error::Malformed)?;
                text.extend_from_slice(value);
                host = Spelling { place: start..text.len(), other };
            } else if !header::append_canonical_value(&mut text, head, name) {
                return Err(Error::SignedHeaderAbsent(name.into()));
            }
            if !text.get(start..).is_some_and(is_line) {
                return Err(Error::Malformed);
            }
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(authorization.signed_headers.as_bytes());
        text.push(b'\n');
        Ok(Self { text, path, host })
    }

    /// Every text that the client may have signed, the one by the letter of AWS's text first.
    pub(super) fn texts(&self, payload_line: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let forms = [(false, false), (false, true), (true, false), (true, true)];
        forms.into_iter().filter_map(move |(is_other_path, is_other_host)| {
            self.text(is_other_path, is_other_host, payload_line)
        })
    }

    fn text(
        &self,
        is_other_path: bool,
        is_other_host: bool,
        payload_line: &[u8],
    ) -> Option<Vec<u8>> {
        let Self { text, path, host } = self;
        let lines = [
            text.get(..path.place.start)?,
            path.spelt(text, is_other_path)?,
            text.get(path.place.end..host.place.start)?,
            host.spelt(text, is_other_host)?,
            text.get(host.place.end..)?,
            payload_line,
        ];
        Some(lines.concat())
    }
}

impl Spelling {
    /// What stands in the text, or the other, if there is one.
    fn spelt<'a>(&'a self, text: &'a [u8], is_other: bool) -> Option<&'a [u8]> {
        if is_other { self.other.as_deref() } else { text.get(self.place.clone()) }
    }
}

/// Bytes; with metadata or a session token it is more.
const TYPICAL_TEXT: usize = 512;

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
