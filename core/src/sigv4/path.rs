//! The path in a canonical request: two dialects that must not be mixed up.

use alloc::vec::Vec;

use super::encoding::{self, MalformedEncoding, Plus};
use super::scope::Dialect;
use crate::split;

/// Appends the canonical form of a path, and hands back the other one that may have been signed, if there is one.
///
/// S3 decodes the path and encodes it once. There is no normalising: `a//b`, `a/./b` and `a/../b`
/// are keys of their own, and so are `%2F` and `/` to those who sign (to S3 they are not, which is
/// why the key to authorise and to serve is the one decoded here). Some clients sign the path as
/// they sent it, with `*`, `(` or `@` as they are or with digits in lower case (jets3t, soto):
/// that is the second form, if it differs. Both decode to the same key, so which of them was signed
/// does not matter.
///
/// All other services normalise the path (RFC 3986, section 5.2.4, and empty segments go too) and
/// encode what is on the wire once more, percent signs included. So `/a/../b` and `//b` are signed
/// as `/b`, and must not reach a service that tells them apart.
pub(super) fn append_canonical(
    to: &mut Vec<u8>,
    path: &[u8],
    dialect: Dialect,
) -> Result<Option<Vec<u8>>, MalformedEncoding> {
    // What cannot be decoded is refused in both dialects: whoever serves it would have to guess.
    let decoded = encoding::decode(path, Plus::Literal)?;
    if dialect == Dialect::General {
        encoding::encode_path(to, &normalize(path));
        return Ok(None);
    }
    let start = to.len();
    encoding::encode_path(to, &decoded);
    let is_other = to.get(start..) != Some(path) && path.iter().all(u8::is_ascii_graphic);
    Ok(is_other.then(|| path.into()))
}

/// The normal form of a path as it is on the wire: without empty segments and dot segments.
pub(super) fn normalize(path: &[u8]) -> Vec<u8> {
    let mut segments = Vec::new();
    let mut ends_with_slash = false;
    for segment in split::parts(path, b'/') {
        ends_with_slash = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut normalized = Vec::with_capacity(path.len());
    for segment in &segments {
        normalized.push(b'/');
        normalized.extend_from_slice(segment);
    }
    if ends_with_slash || segments.is_empty() {
        normalized.push(b'/');
    }
    normalized
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// All forms, the one of AWS's text first.
    fn canonical(path: &[u8], dialect: Dialect) -> Result<Vec<Vec<u8>>, MalformedEncoding> {
        let mut text = Vec::from(*b"GET\n");
        let other = append_canonical(&mut text, path, dialect)?;
        let canonical = text.strip_prefix(b"GET\n").unwrap().to_vec();
        Ok([canonical].into_iter().chain(other).collect())
    }

    fn s3(path: &[u8]) -> Vec<Vec<u8>> {
        canonical(path, Dialect::S3).unwrap()
    }

    fn general(path: &[u8]) -> Vec<u8> {
        canonical(path, Dialect::General).unwrap().concat()
    }

    #[test]
    fn s3_never_normalises() {
        for path in
            [&b"/"[..], b"//", b"/a//b/", b"/a/./b", b"/a/../b", b"/..", b"/.", b"/a/.b/..c/"]
        {
            assert_eq!(s3(path), [path]);
        }
    }

    #[test]
    fn s3_decodes_once_and_encodes_once() {
        assert_eq!(s3(b"/a%20b/%C3%A9%252F"), [b"/a%20b/%C3%A9%252F"]);
        assert_eq!(s3(b"/a%2Fb"), [&b"/a/b"[..], b"/a%2Fb"]);
        assert_eq!(s3(b"/%41%7E"), [&b"/A~"[..], b"/%41%7E"]);
        assert_eq!(s3(b"/a+b"), [&b"/a%2Bb"[..], b"/a+b"]);
        assert_eq!(s3(b"/\\%5C%00"), [&b"/%5C%5C%00"[..], b"/\\%5C%00"]);
    }

    #[test]
    fn s3_takes_the_path_as_sent_for_a_second_form() {
        assert_eq!(s3(b"/*'()@!,:"), [&b"/%2A%27%28%29%40%21%2C%3A"[..], b"/*'()@!,:"]);
        assert_eq!(s3(b"/%c3%a9"), [&b"/%C3%A9"[..], b"/%c3%a9"]);
        // but nothing that could end a line of the canonical request
        assert_eq!(s3(b"/a\nb"), [b"/a%0Ab"]);
        assert_eq!(s3(b"/\xff"), [b"/%FF"]);
    }

    #[test]
    fn other_services_normalise() {
        for (path, canonical) in [
            (&b""[..], &b"/"[..]),
            (b"/", b"/"),
            (b"//", b"/"),
            (b"/./", b"/"),
            (b"/..", b"/"),
            (b"/a//b", b"/a/b"),
            (b"/a/./b/", b"/a/b/"),
            (b"/a/b/..", b"/a/"),
            (b"/a/b/.", b"/a/b/"),
            (b"/../../a", b"/a"),
            (b"/a/.../b", b"/a/.../b"),
        ] {
            assert_eq!(general(path), canonical, "{path:?}");
        }
    }

    #[test]
    fn other_services_encode_once_more() {
        assert_eq!(general(b"/@connections/JBw%3D"), b"/%40connections/JBw%253D");
        assert_eq!(general(b"/a%2F..%2fb"), b"/a%252F..%252fb");
    }

    #[test]
    fn refuses_a_percent_sign_without_two_digits() {
        for dialect in [Dialect::General, Dialect::S3] {
            assert_eq!(canonical(b"/100%", dialect), Err(MalformedEncoding));
        }
    }
}
