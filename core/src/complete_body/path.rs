//! How a server might read a path: for rules that an odd spelling must not lead past.
//!
//! A bypass takes plain paths only, since it gives something away. A rule that protects a route goes
//! the other way about: it holds for whatever some server might take for that route.

use alloc::vec::Vec;

use crate::split;

/// A path, read as liberally as any server may do it.
#[derive(Debug)]
pub struct Reading {
    /// The segments that are not empty, decoded; letters are compared without case.
    segments: Vec<Vec<u8>>,
    /// Whether a dot segment is among them: with some resolved and some not, it can be any path.
    has_dots: bool,
}

impl Reading {
    /// Of a path without its query.
    #[must_use]
    pub fn of(path: &[u8]) -> Self {
        let decoded = decoded(origin_form(path));
        let mut has_dots = false;
        let mut segments = Vec::new();
        // A query, a fragment or an end of text that was encoded. What comes after it still counts for
        // dots.
        let mut is_over = false;
        for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
            let name = split::before(segment, b';');
            let end = name.iter().position(|byte| b"?#".contains(byte) || byte.is_ascii_control());
            let kept = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
            let kept: Vec<u8> = kept.iter().copied().filter(u8::is_ascii_graphic).collect();
            has_dots |= kept == b"." || kept == b"..";
            if !is_over && !kept.is_empty() {
                segments.push(kept);
            }
            is_over |= end.is_some();
        }
        Self { segments, has_dots }
    }

    /// Whether it may be this plain path, or else one under it.
    #[must_use]
    pub fn may_be(&self, plain: &str, is_prefix: bool) -> bool {
        if self.has_dots {
            return true;
        }
        let mut names = self.segments.iter();
        let mut expected = plain.split('/').filter(|segment| !segment.is_empty());
        let begins = expected.all(|segment| {
            names.next().is_some_and(|name| name.eq_ignore_ascii_case(segment.as_bytes()))
        });
        begins && (is_prefix || names.next().is_none())
    }
}

/// The path of an absolute URI (RFC 9112, section 3.2.2), should a proxy hand one on.
fn origin_form(path: &[u8]) -> &[u8] {
    let scheme = path.windows(3).position(|bytes| bytes == b"://");
    let Some(rest) =
        scheme.and_then(|at| path.get(at + 3..)).filter(|_| path.first() != Some(&b'/'))
    else {
        return path;
    };
    let authority = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    rest.get(authority..).unwrap_or_default()
}

/// Decoded until there is nothing more to decode, as by one server after the other. In one pass.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    for byte in path {
        decoded.push(*byte);
        while let [rest @ .., b'%', high, low] = decoded.as_slice()
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            let length = rest.len();
            decoded.truncate(length);
            decoded.push(high << 4 | low);
        }
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn whatever_a_server_may_take_for_a_route_is_that_route() {
        for path in [
            "/v3/auth/tokens",
            "/v3/auth/tokens/",
            "//v3/auth/tokens",
            "/v3//auth///tokens//",
            "/V3/Auth/TOKENS",
            "/v3/auth%2ftokens",
            "/v3%2Fauth%2Ftokens",
            "/v3/auth%252ftokens",
            "/v3/auth%25252ftokens",
            "/v3/auth%2%66tokens",
            "/v3/%61uth/tokens",
            "\\v3\\auth\\tokens",
            "/v3/auth%5ctokens",
            "/v3;a=b/auth;x/tokens;jsessionid=1",
            "/v3/auth/tokens%3fa=b",
            "/v3/auth/tokens%23a",
            "/v3/auth/tokens%00.html",
            "/v3/auth/tokens%0a",
            "/v3/auth/tokens%20",
            "/v3/./auth/tokens",
            "/x/../v3/auth/tokens",
            "/v3/auth/tokens/..",
            "/x/%2e%2e/v3/auth/tokens",
            "/x/..;/v3/auth/tokens",
            "/x?/../v3/auth/tokens",
            "v3/auth/tokens",
            "http://a.example:80/v3/auth/tokens",
        ] {
            let reading = Reading::of(path.as_bytes());
            assert!(reading.may_be("/v3/auth/tokens", false), "{path}");
            assert!(reading.may_be("/v3/auth/", true), "{path}");
            assert!(reading.may_be("/", true), "{path}");
        }
    }

    #[test]
    fn other_paths_are_others() {
        for path in [
            "",
            "*",
            "/",
            "/v3",
            "/v3/auth",
            "/v3/auth/tokens/x",
            "/v3/auth/tokens2",
            "/v3/auth/token",
            "/x/v3/auth/tokens",
            "/v3/auth.tokens",
            "/v3/auth/tokens%zz",
            "/v3/auth?/tokens",
        ] {
            assert!(!Reading::of(path.as_bytes()).may_be("/v3/auth/tokens", false), "{path}");
        }
        for path in ["", "*", "/", "/v3", "/v3/authority/x", "/v3/users"] {
            assert!(!Reading::of(path.as_bytes()).may_be("/v3/auth/", true), "{path}");
            assert!(Reading::of(path.as_bytes()).may_be("/", true), "{path}");
        }
        assert!(Reading::of(b"/v3/auth").may_be("/v3/auth/", true));
        assert!(Reading::of(b"/v3/auth/x%2fy").may_be("/v3/auth/", true));
    }

    #[test]
    fn decoding_ends() {
        let long = [&b"%"[..], &b"25".repeat(20_000), b"2e"].concat();
        assert!(decoded(&long) == b".");
        assert_eq!(decoded(b"%25%252e"), b"%.");
        assert_eq!(decoded(b"%"), b"%");
        assert_eq!(decoded(b"%2"), b"%2");
        assert_eq!(decoded(b"a%41%"), b"aA%");
    }
}
