//! The headers in a canonical request: which were signed, and as what.

use alloc::vec::Vec;

use crate::head::RequestHead;
use crate::sorted::sorted;
use crate::split;

/// The names of the headers that were signed: in lower case, in order, each once, `host` among
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    text: Vec<u8>,
}

/// A text that is no such list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSignedHeaders;

impl SignedHeaders {
    /// Reads `host;range;x-amz-date`.
    pub fn from_text(text: &[u8]) -> Result<Self, InvalidSignedHeaders> {
        if text.len() > MAX_SIGNED_HEADERS {
            return Err(InvalidSignedHeaders);
        }
        let (mut previous, mut has_host) = (&b""[..], false);
        for name in split::parts(text, b';') {
            if !is_name(name) || name <= previous {
                return Err(InvalidSignedHeaders);
            }
            has_host |= name == HOST;
            previous = name;
        }
        if has_host { Ok(Self { text: text.into() }) } else { Err(InvalidSignedHeaders) }
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        split::parts(&self.text, b';')
    }

    /// Whether a header was signed.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.names().any(|signed| signed == name)
    }

    /// The list as it was read.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The headers that had to be signed and were not, each once.
    ///
    /// Whoever got hold of a presigned URL could otherwise turn an upload into a copy, under the
    /// signer's name, by adding `x-amz-copy-source` (CVE-2026-54330 and its many relatives). CGI
    /// and WSGI read underscores as hyphens, so the names spelt with them count too.
    pub(super) fn missing(&self, head: RequestHead<'_>, is_presigned: bool) -> Vec<Vec<u8>> {
        let is_missing = |name: &&[u8]| {
            // In header form the value is the payload line of the canonical request, and so signed.
            let is_payload_line = *name == CONTENT_SHA256 && !is_presigned;
            must_be_signed(name) && !is_payload_line && !self.contains(name)
        };
        let mut missing = sorted(head.names().filter(is_missing).collect());
        missing.dedup();
        missing.into_iter().map(<[u8]>::to_vec).collect()
    }
}

/// A header of Amazon's that is there in several lines, although it has one value.
///
/// Lines are joined by commas before they are signed. So a value with a comma in it could be cut in
/// two by anybody, and a service that reads one line would copy another source, say, than was signed.
/// S3 documents that it joins metadata; and some SDKs send the items of a list in lines of their own.
pub(super) fn repeated(head: RequestHead<'_>) -> Option<&[u8]> {
    let may_repeat =
        |name: &[u8]| name.starts_with(b"x-amz-meta-") || name.ends_with(b"-object-attributes");
    let mut names = head.names();
    while let Some(name) = names.next() {
        let is_of_amazon = must_be_signed(name) && !may_repeat(name);
        if is_of_amazon && names.clone().any(|other| other == name) {
            return Some(name);
        }
    }
    None
}

/// Appends the value of a header as it was signed: its lines joined by commas in the order of arrival.
/// Without such a header nothing is appended, and it says so.
///
/// Envoy answers `Expect: 100-continue` itself and takes the header away before any filter sees it.
/// That is the only value it has (RFC 9110, section 10.1.1), so the signature can still be checked.
/// Whatever else a proxy took away cannot be known.
#[must_use]
pub(super) fn append_canonical_value(to: &mut Vec<u8>, head: RequestHead<'_>, name: &[u8]) -> bool {
    let mut lines = head.values(name);
    let taken_away = (name == b"expect").then_some(&b"100-continue"[..]);
    let Some(first) = lines.next().or(taken_away) else { return false };
    fold(to, first);
    for line in lines {
        to.push(b',');
        fold(to, line);
    }
    true
}

/// Appends a value without white space at its ends, and with one space for every run inside. Quotes
/// protect nothing: AWS's suite has them folded (`get-header-value-trim`).
fn fold(to: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            to.push(b' ');
        }
        to.extend_from_slice(word);
    }
}

/// What the client may have signed as its `host`: the authority as it arrived, or that with the
/// scheme's default port taken off or put on. Clients and proxies do both (minio-dotnet,
/// aws-sdk-java-v2), and it names the same host.
pub(super) fn host(head: RequestHead<'_>) -> Option<(&[u8], Option<Vec<u8>>)> {
    let authority = head.single(b":authority").ok().flatten()?;
    let port: &[u8] = match head.values(b":scheme").next() {
        Some(b"https") => b":443",
        Some(b"http") => b":80",
        _ => return Some((authority, None)),
    };
    // The colons of an IPv6 literal stand in brackets.
    let after_bracket = split::behind_last(authority, b']');
    let other = match authority.strip_suffix(port) {
        Some(without) => Some(without.into()),
        None => (!after_bracket.contains(&b':')).then(|| [authority, port].concat()),
    };
    Some((authority, other))
}

/// A token (RFC 9110, section 5.6.2) in lower case.
fn is_name(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| {
        matches!(byte, b'a'..=b'z' | b'-' | b'0'..=b'9') || b"!#$%&'*+.^_`|~".contains(byte)
    };
    !name.is_empty() && name.iter().all(is_tchar)
}

fn must_be_signed(name: &[u8]) -> bool {
    matches!(name, [b'x', b'-' | b'_', b'a', b'm', b'z', b'-' | b'_', ..])
}

/// The most bytes in a list: S3 takes no more than 8 KiB of headers, names and values.
const MAX_SIGNED_HEADERS: usize = 8 * 1024;
pub(super) const HOST: &[u8] = b"host";
pub(super) const CONTENT_SHA256: &[u8] = b"x-amz-content-sha256";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn value(headers: &[(&[u8], &[u8])], name: &[u8]) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        append_canonical_value(&mut value, RequestHead::new(headers), name).then_some(value)
    }

    #[test]
    fn a_list_is_in_lower_case_in_order_without_repetition_and_names_the_host() {
        let signed = SignedHeaders::from_text(b"host;range;x-amz-date").unwrap();
        assert!(signed.names().eq([&b"host"[..], b"range", b"x-amz-date"]));
        for text in [
            &b""[..],
            b"x-amz-date",
            b"Host",
            b"host;host",
            b"x-amz-date;host",
            b"host;",
            b";host",
            b"host;;range",
            b"host; range",
            b"host,range",
            b":authority;host",
            b"host;r\xc3\xa9",
        ] {
            assert_eq!(SignedHeaders::from_text(text), Err(InvalidSignedHeaders), "{text:?}");
        }
        let long = |length: usize| [&b"host;x"[..], &[b'y'].repeat(length - 6)].concat();
        assert!(SignedHeaders::from_text(&long(8192)).is_ok());
        assert_eq!(SignedHeaders::from_text(&long(8193)), Err(InvalidSignedHeaders));
    }

    #[test]
    fn white_space_is_folded_in_quotes_too() {
        for (sent, signed) in [
            (&b"  a \t\t b  c\t"[..], &b"a b c"[..]),
            (b"\"a   b\"", b"\"a b\""),
            (b" \t ", b""),
            (b"", b""),
            (b"\xff \xc3\xa9", b"\xff \xc3\xa9"),
        ] {
            assert_eq!(value(&[(b"a", sent)], b"a").unwrap(), signed);
        }
    }

    #[test]
    fn lines_are_joined_in_order_of_arrival_and_one_line_keeps_its_commas() {
        let two: [(&[u8], &[u8]); 3] = [(b"a", b"z "), (b"b", b"-"), (b"a", b" y")];
        assert_eq!(value(&two, b"a").unwrap(), b"z,y");
        assert_eq!(value(&[(b"a", b"z, y,  x")], b"a").unwrap(), b"z, y, x");
        assert_eq!(value(&[(b"a", b"z,y")], b"a").unwrap(), b"z,y");
    }

    #[test]
    fn of_amazons_headers_only_metadata_and_lists_have_several_lines() {
        let head: [(&[u8], &[u8]); 8] = [
            (b"range", b"bytes=0-1"),
            (b"range", b"2-3"),
            (b"x-amz-meta-a", b"1"),
            (b"x-amz-meta-a", b"2"),
            (b"x-amz-object-attributes", b"ETag"),
            (b"x-amz-object-attributes", b"ObjectSize"),
            (b"x-amz-copy-source", b"/bucket/key"),
            (b"x-amz-copy-source", b"of another name"),
        ];
        assert_eq!(repeated(RequestHead::new(&head)), Some(&b"x-amz-copy-source"[..]));
        assert_eq!(repeated(RequestHead::new(&head[..7])), None);
    }

    #[test]
    fn only_expect_is_known_although_the_proxy_took_it_away() {
        assert_eq!(value(&[], b"expect").unwrap(), b"100-continue");
        assert_eq!(value(&[(b"expect", b"other")], b"expect").unwrap(), b"other");
        for name in [&b"connection"[..], b"te", b"transfer-encoding", b"upgrade", b"x"] {
            assert_eq!(value(&[], name), None);
        }
    }

    #[test]
    fn the_default_port_may_come_and_go() {
        for (scheme, authority, other) in [
            (&b"https"[..], &b"a.example"[..], Some(&b"a.example:443"[..])),
            (b"https", b"a.example:443", Some(b"a.example")),
            (b"https", b"a.example:80", None),
            (b"http", b"A.example:80", Some(b"A.example")),
            (b"http", b"a.example:8080", None),
            (b"http", b"[::1]", Some(b"[::1]:80")),
            (b"http", b"[::1]:80", Some(b"[::1]")),
            (b"http", b"[::80]:8080", None),
            (b"", b"a.example", None),
        ] {
            let headers = [(&b":authority"[..], authority), (b":scheme", scheme)];
            let host = host(RequestHead::new(&headers));
            assert_eq!(host, Some((authority, other.map(<[u8]>::to_vec))));
        }
    }

    #[test]
    fn one_host_there_must_be() {
        assert_eq!(host(RequestHead::new(&[(b"host", b"a")])), None);
        let two: [(&[u8], &[u8]); 2] = [(b":authority", b"a"), (b":authority", b"a")];
        assert_eq!(host(RequestHead::new(&two)), None);
    }

    #[test]
    fn what_begins_with_x_amz_must_be_signed() {
        let signed = SignedHeaders::from_text(b"host;x-amz-date").unwrap();
        let head: [(&[u8], &[u8]); 8] = [
            (b"x-amz-date", b""),
            (b"x-amz-tagging", b""),
            (b"x-amz-copy-source", b""),
            (b"x-amz-tagging", b""),
            (b"x_amz_acl", b""),
            (b"x-amz-content-sha256", b""),
            (b"x-amzn-trace-id", b""),
            (b"content-type", b""),
        ];
        let head = RequestHead::new(&head);
        let missing = signed.missing(head, false);
        assert_eq!(missing, [&b"x-amz-copy-source"[..], b"x-amz-tagging", b"x_amz_acl"]);
        let missing = signed.missing(head, true);
        assert!(missing.contains(&CONTENT_SHA256.to_vec()));
    }
}
