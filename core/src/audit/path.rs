//! The path of a request with its query, as an event shows it: without what gives access.
//!
//! Presigned URLs of AWS, temporary URLs of Swift and many other links carry their credentials in the query. An
//! event is read by more people than may use them. Of each parameter whose name, in whatever
//! percent-encoding, has to do with credentials, the value is left out, and so is whatever looks like a
//! token. **What cannot be read is left out, too**: an escape of an escape of an escape, or an equals sign
//! that is itself escaped.

use alloc::string::String;
use core::fmt::Write as _;

use super::json::Text;
use super::secrets::{MASK, decoded, has_token, is_secret};
use crate::split;

/// The most bytes of a path that are looked at. What comes behind is not shown.
pub(super) const MAX_READ: usize = 4096;

/// The most bytes of a path as it is written.
pub(super) const MAX_PATH: usize = 2048;

/// Writes a path. Names that contain one of `more`, in lower case, are left without values as well.
pub(super) fn write(out: &mut Text<'_>, path: &[u8], more: &[String]) {
    let read = path.get(..MAX_READ).unwrap_or(path);
    let query = read.iter().position(|byte| *byte == b'?').unwrap_or(read.len());
    let (path, query) = read.split_at_checked(query).unwrap_or((read, b""));
    write_parts(out, path, b'/', more);
    if let Some(query) = query.strip_prefix(b"?") {
        out.push_str("?");
        write_parts(out, query, b'&', more);
    }
}

fn write_parts(out: &mut Text<'_>, text: &[u8], separator: u8, more: &[String]) {
    for (index, part) in split::parts(text, separator).enumerate() {
        if index > 0 {
            push(out, &[separator]);
        }
        let shown = Shown::of(part, more);
        match shown {
            Shown::All => push(out, part),
            Shown::Name(name) => {
                push(out, name);
                out.push_str("=");
                out.push_str(MASK);
            }
            Shown::Nothing | Shown::NoToken => out.push_str(MASK),
        }
        // What stands in a segment behind a name may have slashes in it.
        if separator == b'/' && matches!(shown, Shown::Name(_) | Shown::Nothing) {
            return;
        }
    }
}

/// What is shown of a segment of the path, or of a parameter.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'a> {
    All,
    Name(&'a [u8]),
    Nothing,
    /// Nothing of what is a token and nothing else.
    NoToken,
}

impl<'a> Shown<'a> {
    fn of(part: &'a [u8], more: &[String]) -> Self {
        let Some(decoded) = decoded(part) else { return Self::Nothing };
        let hidden = match part.iter().position(|byte| *byte == b'=') {
            // With an escape in it, a name might be a whole parameter.
            Some(end) if !part.iter().take(end).any(|byte| *byte == b'%') => {
                Self::Name(part.get(..end).unwrap_or_default())
            }
            _ => Self::Nothing,
        };
        // A value may be a link with parameters of its own: it ends before the last equals sign.
        let names =
            decoded.iter().rposition(|byte| *byte == b'=').and_then(|end| decoded.get(..=end));
        match names {
            Some(names) if is_secret(names, more) || has_token(&decoded) => hidden,
            None if has_token(&decoded) => Self::NoToken,
            Some(_) | None => Self::All,
        }
    }
}

/// Writes bytes as a path may have them; those beyond ASCII are percent-encoded.
fn push(out: &mut Text<'_>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let plain = rest.iter().take_while(|byte| byte.is_ascii()).count();
        let (text, others) = rest.split_at_checked(plain).unwrap_or((rest, b""));
        out.push_bytes(text);
        let beyond = others.iter().take_while(|byte| !byte.is_ascii()).count();
        let (beyond, after) = others.split_at_checked(beyond).unwrap_or((others, b""));
        for byte in beyond {
            let _ = write!(out, "%{byte:02X}");
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::super::json::Json;
    use super::*;
    use alloc::format;

    fn shown(path: &[u8]) -> String {
        shown_without(path, &[])
    }

    fn shown_without(path: &[u8], more: &[String]) -> String {
        let mut out = String::new();
        let mut object = Json::begin(&mut out);
        object.written("p", MAX_PATH, |text| write(text, path, more));
        object.finish();
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        read["p"].as_str().unwrap().into()
    }

    #[test]
    fn what_is_no_secret_is_shown_as_it_came() {
        for path in [
            "",
            "/",
            "*",
            "/v2.1/servers/detail?limit=1&marker=x%2Fy&status=ACTIVE",
            "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20130524%2Fr%2Fs3%2Faws4_request\
             &X-Amz-SignedHeaders=host&X-Amz-Expires=60",
            "/b?list-type=2&prefix=tokens/secret&delimiter=%2F",
            "/b?acl&versioning&prefix=",
            "/v3/auth/tokens?nocatalog",
            "/a?q=token&author=ann&designs=1",
            "/100%/%zz?x=%",
            "/a?b?c=d",
            "//a/./b;v=1/",
            "/signature/token",
            "/gaaaa/eyJ?x=gAAAA",
        ] {
            assert_eq!(shown(path.as_bytes()), path);
        }
    }

    #[test]
    fn secrets_are_left_out_in_every_spelling() {
        for (path, expected) in [
            ("/b/k?X-Amz-Signature=hunter2&a=1", "/b/k?X-Amz-Signature=***&a=1"),
            (
                "/b/k?a=1&x-amz-security-token=hunter2/hunter2+=",
                "/b/k?a=1&x-amz-security-token=***",
            ),
            (
                "/v1/AUTH_a/c/o?temp_url_sig=hunter2&temp_url_expires=1",
                "/v1/AUTH_a/c/o?temp_url_sig=***&temp_url_expires=1",
            ),
            ("/b/k?AWSAccessKeyId=A&Signature=hunter2", "/b/k?AWSAccessKeyId=A&Signature=***"),
            ("/vnc_auto.html?token=hunter2", "/vnc_auto.html?token=***"),
            ("/vnc_auto.html?path=%3Ftoken%3Dhunter2", "/vnc_auto.html?path=***"),
            ("/b/k?X%2DAmz%2DSignature=hunter2", "/b/k?***"),
            ("/b/k?X%252DAmz-Signatur%2565=hunter2", "/b/k?***"),
            (
                "/b/k?%2558-%2541mz-%252553ignature%25253Dhunter2&%25252574oken=hunter2",
                "/b/k?***&***",
            ),
            ("/b/k?X-Amz-Signature%3Dhunter2", "/b/k?***"),
            ("/b/k?X-Amz-Signature%3Dhunter2=", "/b/k?***"),
            ("/b/k?a=1%26X-Amz-Signature%3Dhunter2", "/b/k?a=***"),
            ("/b/k?a=1;X-Amz-Signature=hunter2", "/b/k?a=***"),
            ("/b/k?url=https://s3/b/k?X-Amz-Signature=hunter2", "/b/k?url=***"),
            ("/b/k?url=https%3A%2F%2Fs3%2F%3FX-Amz-Signature%3Dhunter2", "/b/k?url=***"),
            ("/a;token=hunter2/b?c=1", "/a;token=***?c=1"),
            ("/b/k%3FX-Amz-Security-Token=hunter2/hunter2+=/hunter2", "/b/***"),
            ("/b/k%3FX-Amz-Security-Token%3Dhunter2/hunter2", "/b/***"),
            ("/a?Password=hunter2&code=hunter2&sig=hunter2", "/a?Password=***&code=***&sig=***"),
            ("/a?=&signature==hunter2", "/a?=&signature=***"),
            ("/a?x=%25252525252541&y=1", "/a?***&y=1"),
        ] {
            assert_eq!(shown(path.as_bytes()), expected, "{path}");
        }
        let more = [String::from("licence")];
        assert_eq!(shown_without(b"/a?Licence-Key=hunter2&b=1", &more), "/a?Licence-Key=***&b=1");
        assert_eq!(shown(b"/a?licence=1"), "/a?licence=1");
    }

    #[test]
    fn what_looks_like_a_token_is_left_out_wherever_it_stands() {
        let fernet = format!("gAAAAABrAvfg{}", "ymdFVNXYZ6PB_-".repeat(12));
        let signed = format!("eyJ0eXAiOiJKV1Qi{}.{}", "LCJhbGciOi".repeat(5), "abc".repeat(20));
        for token in [&fernet, &signed] {
            for (path, expected) in [
                (format!("/v2.0/tokens/{token}/endpoints"), "/v2.0/tokens/***/endpoints"),
                (format!("/a?x={token}&b=1"), "/a?x=***&b=1"),
                (format!("/a?{token}"), "/a?***"),
                (format!("/a?x=Bearer%20{token}"), "/a?x=***"),
            ] {
                assert_eq!(shown(path.as_bytes()), expected);
            }
        }
        assert_eq!(shown(format!("/a?x=%67{}", &fernet[1..]).as_bytes()), "/a?x=***");
    }

    #[test]
    fn bytes_beyond_ascii_are_percent_encoded() {
        assert_eq!(shown(b"/\xff/a\x80?q=\xc3\xa4\"\\"), "/%FF/a%80?q=%C3%A4\"\\");
        assert_eq!(shown(b"/\x00\x1b\x7f"), "/\0\x1b\x7f");
    }

    #[test]
    fn a_long_path_is_cut_and_shows_no_secret_then_either() {
        for length in 0..200 {
            let path = format!("/{}?X-Amz-Signature=hunter2", "a".repeat(MAX_READ - length));
            assert!(!shown(path.as_bytes()).contains("hunter2"));
            let path = format!("/{}?a=%26X-Amz-Signature%3Dhunter2", "a".repeat(MAX_PATH - length));
            assert!(!shown(path.as_bytes()).contains("hunter2"));
        }
        let shown = shown(&b"a".repeat(100_000));
        assert_eq!(shown.len(), MAX_PATH + 3);
        assert!(shown.ends_with("..."));
    }
}
