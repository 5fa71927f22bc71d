//! What a body says that it is (RFC 9110, section 8.3).

use alloc::string::String;

/// A type and a subtype, in lower case: `application/json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MediaType(String);

impl MediaType {
    pub(super) fn new(text: &str) -> Option<Self> {
        let is_token = |part: &str| {
            let is_plain =
                |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}*".contains(&byte);
            !part.is_empty() && part.bytes().all(is_plain)
        };
        let (kind, subtype) = text.split_once('/')?;
        (is_token(kind) && is_token(subtype)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// Whether a header says so. A text in another charset than UTF-8 is not what it looks like.
    pub(super) fn is_said_by(&self, header: &[u8]) -> bool {
        let mut sides = header.splitn(2, |byte| *byte == b';');
        let kind = sides.next().unwrap_or_default().trim_ascii();
        // What is white space besides, servers do not agree about: WebOb cuts off what is some in Latin-1.
        let is_plain = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
        kind.eq_ignore_ascii_case(self.0.as_bytes())
            && header.iter().all(is_plain)
            && can_only_be_utf8(sides.next().unwrap_or_default())
    }
}

/// Whether no server can find another charset in the parameters of a type.
///
/// Some find one in what is quoted (`WebOb` looks for `;\s*charset=` anywhere), before a space (`charset =`),
/// or in pieces and encoded (`charset*0=`, `charset*=`: RFC 2231, as Python's `email` reads it). So the word
/// stands nowhere but in one parameter that is as it should be.
fn can_only_be_utf8(parameters: &[u8]) -> bool {
    let words = parameters.windows(CHARSET.len()).filter(|it| it.eq_ignore_ascii_case(CHARSET));
    match words.count() {
        0 => true,
        1 => parameters.split(|byte| *byte == b';').any(is_utf8),
        _ => false,
    }
}

/// Whether it is the parameter that says so, in a token or in quotes.
fn is_utf8(parameter: &[u8]) -> bool {
    let mut sides = parameter.splitn(2, |byte| *byte == b'=');
    let name = sides.next().unwrap_or_default().trim_ascii();
    let value = sides.next().unwrap_or_default().trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(value);
    name.eq_ignore_ascii_case(CHARSET) && UTF8.iter().any(|it| value.eq_ignore_ascii_case(it))
}

const CHARSET: &[u8] = b"charset";

/// What UTF-8 is called, and what is a part of it.
const UTF8: [&[u8]; 3] = [b"utf-8", b"utf8", b"us-ascii"];

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn is_the_same_in_any_letters_and_with_parameters() {
        let json = MediaType::new("application/json").unwrap();
        for (header, expected) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\" ; x=y", true),
            ("application/json; charset=utf-16", false),
            ("application/json; x=y; CHARSET=UTF-7", false),
            ("application/json2", false),
            ("application/json, text/plain", false),
            ("text/json", false),
            ("", false),
        ] {
            assert_eq!(json.is_said_by(header.as_bytes()), expected, "{header}");
        }
        for text in ["", "json", "*/*", "application/*", "a/b;c", "a/b/c", "/", "a b/c"] {
            assert!(MediaType::new(text).is_none(), "{text}");
        }
    }

    #[test]
    fn no_server_finds_another_charset_in_it() {
        let json = MediaType::new("application/json").unwrap();
        for parameters in [
            &b"; charset=utf-7"[..],
            b";\xa0charset=utf-7",
            b";\x85charset=utf-7",
            b";\x0bcharset=utf-7",
            b";\x0ccharset=utf-7",
            b";\x1fcharset=utf-7",
            b"; x=\xe9",
            b"\x0c",
            b"; charset =utf-7",
            b";charset\t=utf-7",
            b"; charset= utf-7",
            b"; charset*=utf-8''utf-7",
            b"; charset*0=utf-7",
            b"; charset*0=utf; charset*1=-7",
            b"; Charset*0*=us-ascii''utf%2d7",
            b"; charset=utf-8; charset*=utf-8''utf-7",
            b"; charset=utf-8; charset=utf-7",
            b"; charset=utf-7; charset=utf-8",
            b"; charset=utf-8; charset=utf-8",
            b"; x=\"; charset=utf-7\"",
            b"; x=\";charset=utf-8; y=\"; charset=\"utf-7",
            b"; charset=\"utf-8; charset=utf-7\"",
            b"; charset=\"utf-8",
            b"; charset=utf-8, text/plain",
            b"; charset=\"utf\\-8\"",
            b"; charset='utf-8'",
            b"; charset",
            b"; charset=",
            b"; xcharset=utf-8",
            b"; x=charset",
        ] {
            let header = [b"application/json", parameters].concat();
            assert!(!json.is_said_by(&header), "{}", header.escape_ascii());
        }
        for parameters in [
            "",
            ";",
            "\t;",
            ";; x=y",
            "; charset = \"utf8\"",
            ";CharSet=US-ASCII;",
            "; x=\"y\"; charset=utf-8",
        ] {
            let header = [b"application/json", parameters.as_bytes()].concat();
            assert!(json.is_said_by(&header), "{parameters}");
        }
    }
}
