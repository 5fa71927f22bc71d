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
        let mut parts = header.split(|byte| *byte == b';');
        let is_same =
            parts.next().is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(self.0.as_bytes()));
        is_same && parts.all(|parameter| !is_of_another_charset(parameter.trim_ascii()))
    }
}

fn is_of_another_charset(parameter: &[u8]) -> bool {
    let Some((name, value)) = parameter.split_at_checked(b"charset=".len()) else { return false };
    let value = value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(value);
    let is_utf8 =
        [&b"utf-8"[..], b"utf8", b"us-ascii"].iter().any(|it| value.eq_ignore_ascii_case(it));
    name.eq_ignore_ascii_case(b"charset=") && !is_utf8
}

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
}
