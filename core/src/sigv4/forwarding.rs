//! What of a signed request's head does not reach the service as it came: credentials that are
//! spent, words about a body that was decoded, a path of which only the normal form was signed, and
//! characters of a query that servers do not agree on.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::body::{Body, Output};
use super::claim::Claim;
use super::encoding::{self, Plus};
use super::error::Error;
use super::form::is_presigned_parameter;
use super::path;
use super::scope::Dialect;
use crate::head::RequestHead;
use crate::identity::HeaderEdits;
use crate::split;

impl Claim {
    /// The edits to the head of this claim's request, if it is let through.
    ///
    /// `output` is the form in which a body in chunks reaches the service. Where `forwards` does
    /// not hold, the credentials are taken out.
    pub fn edits(
        &self,
        head: RequestHead<'_>,
        output: Output,
        forwards: bool,
    ) -> Result<HeaderEdits, Error> {
        let mut edits = HeaderEdits::default();
        if let (Body::Chunked { decoded_length, .. }, Output::Decoded) = (self.body(), output) {
            edits.remove.extend(ABOUT_CHUNKS);
            let encodings = head.values(b"content-encoding").flat_map(|v| split::parts(v, b','));
            set_or_remove(&mut edits, "content-encoding", other_encodings(encodings)?);
            // A head that announces an empty body is a whole request, which must not be there
            // before the body is verified. Without it the end of the body is announced apart.
            let length = (decoded_length > 0).then(|| alloc::format!("{decoded_length}"));
            set_or_remove(&mut edits, "content-length", length);
        }
        if !forwards {
            edits.remove.extend(CREDENTIALS);
        }
        if let Some(target) = self.target(head, forwards) {
            edits.set.push((":path", String::from_utf8(target).map_err(|_| Error::Malformed)?));
        }
        Ok(edits)
    }

    /// The path and query to forward, if not those that came.
    fn target(&self, head: RequestHead<'_>, forwards: bool) -> Option<Vec<u8>> {
        let path = head.path().unwrap_or_default();
        let normalized = match self.credential().scope.dialect() {
            // What was signed is the normal form, whatever the client sent; so the service gets
            // that, and not another path that it may take for something else.
            Dialect::General => Cow::Owned(path::normalize(path)),
            Dialect::S3 => Cow::Borrowed(path),
        };
        let strips_query = !forwards && self.authorization().is_presigned();
        let query = head.query();
        if normalized == path && !strips_query && !query.iter().copied().any(is_read_in_two_ways) {
            return None;
        }
        let parameters = split::parts(query, b'&').filter(|parameter| {
            let name = split::before(parameter, b'=');
            let name = encoding::decode(name, Plus::Space).unwrap_or_default();
            !strips_query || !is_presigned_parameter(&name)
        });
        let query = parameters.collect::<Vec<_>>().join(&b'&');
        let mut target = normalized.into_owned();
        if !query.is_empty() {
            target.push(b'?');
            append_unmistakably(&mut target, &query);
        }
        Some(target)
    }
}

/// Writes a query as it came, but for characters that servers read in two ways.
///
/// What is signed is the query decoded, so that whoever has a signed request may spell `%3B` as `;` and `%20`
/// as `+`. To some servers a semicolon parts parameters, or spoils the one that it stands in (Go), and
/// to some a plus sign is one: they would see another query than the one that was signed.
fn append_unmistakably(target: &mut Vec<u8>, query: &[u8]) {
    for byte in query {
        match byte {
            b';' => target.extend(b"%3B"),
            b'+' => target.extend(b"%20"),
            byte => target.push(*byte),
        }
    }
}

fn is_read_in_two_ways(byte: u8) -> bool {
    matches!(byte, b';' | b'+')
}

fn set_or_remove(edits: &mut HeaderEdits, name: &'static str, value: Option<String>) {
    match value {
        Some(value) => edits.set.push((name, value)),
        None => edits.remove.push(name.as_bytes()),
    }
}

/// All codings but `aws-chunked`, wherever that stands in the list: S3 stores the object with
/// these.
fn other_encodings<'a>(encodings: impl Iterator<Item = &'a [u8]>) -> Result<Option<String>, Error> {
    let others = encodings
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"aws-chunked"));
    let others = others.collect::<Vec<_>>().join(&b", "[..]);
    let others = String::from_utf8(others).map_err(|_| Error::Malformed)?;
    Ok(Some(others).filter(|others| !others.is_empty()))
}

/// What a service would take for words about a body that it is still to decode.
const ABOUT_CHUNKS: [&[u8]; 3] =
    [b"x-amz-content-sha256", b"x-amz-decoded-content-length", b"x-amz-trailer"];

/// What makes a request somebody's. The rest of a signature is of no use without it.
const CREDENTIALS: [&[u8]; 2] = [b"authorization", b"x-amz-security-token"];

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::sigv4::DEFAULT_MAX_SKEW;
    use crate::time::UnixTime;
    use alloc::format;

    /// 2013-05-24T00:00:00Z.
    const DATE: u64 = 1_369_353_600;

    fn edits(
        service: &str,
        path: &str,
        headers: &[(&str, &str)],
        output: Output,
        forwards: bool,
    ) -> HeaderEdits {
        let names = headers.iter().map(|(name, _)| *name).filter(|name| name.starts_with("x-amz"));
        let mut names: Vec<_> = names.chain(["host", "x-amz-date"]).collect();
        names.sort_unstable();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/{service}/aws4_request,\
             SignedHeaders={},Signature={}",
            names.join(";"),
            "0".repeat(64)
        );
        let mut all = Vec::from([
            (&b":method"[..], &b"PUT"[..]),
            (b":path", path.as_bytes()),
            (b":authority", b"bucket"),
            (b"x-amz-date", b"20130524T000000Z"),
        ]);
        if !path.contains("X-Amz-Signature") {
            all.push((b"authorization", authorization.as_bytes()));
        }
        all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        if path.contains("X-Amz-Signature") {
            all.retain(|(name, _)| *name != b"x-amz-date");
        }
        let head = RequestHead::new(&all);
        let claim = Claim::from_head(head, UnixTime::from_secs(DATE), DEFAULT_MAX_SKEW);
        claim.unwrap().unwrap().edits(head, output, forwards).unwrap()
    }

    fn chunked<'a>(length: &'a str, encoding: &'a str) -> Vec<(&'a str, &'a str)> {
        Vec::from([
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", length),
            ("content-encoding", encoding),
            ("content-length", "100"),
        ])
    }

    #[test]
    fn a_decoded_body_is_announced_as_what_it_is() {
        for (encoding, expected) in [
            ("aws-chunked", None),
            ("gzip", Some("gzip")),
            ("aws-chunked,gzip", Some("gzip")),
            ("foo, AWS-Chunked, bar", Some("foo, bar")),
            ("", None),
        ] {
            let edits = edits("s3", "/k", &chunked("5", encoding), Output::Decoded, true);
            let set = |name| edits.set.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
            assert_eq!(set("content-encoding"), expected, "{encoding}");
            assert_eq!(set("content-length"), Some("5"));
            let is_removed = edits.remove.contains(&&b"content-encoding"[..]);
            assert_eq!(is_removed, expected.is_none());
            for name in ABOUT_CHUNKS {
                assert!(edits.remove.contains(&name));
            }
        }
    }

    #[test]
    fn an_empty_body_has_no_length_before_it_is_verified() {
        let edits = edits("s3", "/k", &chunked("0", "aws-chunked"), Output::Decoded, true);
        assert!(edits.remove.contains(&&b"content-length"[..]));
        assert_eq!(edits.set, []);
    }

    #[test]
    fn what_is_sent_as_it_came_keeps_its_words() {
        let edits = edits("s3", "/k", &chunked("5", "aws-chunked"), Output::AsSent, true);
        assert_eq!(edits, HeaderEdits::default());
    }

    #[test]
    fn credentials_are_taken_out_where_that_is_wanted() {
        let headers = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
        let header = edits("s3", "/a//b?x=1", &headers, Output::Decoded, false);
        assert_eq!(header.remove, CREDENTIALS);
        assert_eq!(header.set, []);

        let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&acl&X-Amz-Date=20130524T000000Z&\
             X-Amz-Credential=AKID%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&a=%20+&\
             X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Signature=";
        let path = format!("/a/../b?{presigned}{}", "0".repeat(64));
        let edits_ = edits("s3", &path, &[], Output::Decoded, false);
        assert_eq!(edits_.set, [(":path", "/a/../b?acl&a=%20%20".into())]);
        let path = path.replace('+', "%2B");
        assert_eq!(edits("s3", &path, &[], Output::Decoded, true), HeaderEdits::default());
        let all_spent = path.replace("acl&", "").replace("a=%20%2B&", "");
        let edits = edits("s3", &all_spent, &[], Output::Decoded, false);
        assert_eq!(edits.set, [(":path", "/a/../b".into())]);
    }

    #[test]
    fn a_service_that_is_not_s3_gets_the_path_that_was_signed() {
        let of = |path| edits("sqs", path, &[], Output::Decoded, true).set;
        assert_eq!(of("/a/b?x=//"), []);
        assert_eq!(of("/a/../b?x=//"), [(":path", "/b?x=//".into())]);
        assert_eq!(of("//a/./b/"), [(":path", "/a/b/".into())]);
    }

    #[test]
    fn a_query_is_spelt_so_that_every_server_reads_what_was_signed() {
        let headers = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
        for (service, headers) in [("s3", &headers[..]), ("sqs", &[])] {
            let of = |path| edits(service, path, headers, Output::Decoded, true).set;
            assert_eq!(of("/a;b+c?d=%3B%20%2B&&e=,/:@&acl"), []);
            let set = [(":path", "/a;b+c?a=1%3Bb=2&&c%20=%20d%3B&=".into())];
            assert_eq!(of("/a;b+c?a=1;b=2&&c+=%20d;&="), set);
        }
    }
}
