//! Whether bytes are one JSON text (RFC 8259, in UTF-8), told piece by piece as they come.
//!
//! Nothing of the text is kept, whatever its length: who sends bodies in masses fills no memory of
//! ours, and the first byte that cannot be there tells at once. Objects may name a key twice, as the
//! grammar lets them.

/// A text, as far as it has come.
#[derive(Clone, Debug)]
pub struct Checker {
    at: At,
    /// One bit for each array (0) or object (1) that is open, the innermost last.
    open: u128,
    depth: u32,
}

/// The bytes are no JSON text, or one that is nested more deeply than [`MAX_DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

/// What may come next.
#[derive(Clone, Copy, Debug)]
enum At {
    Value,
    /// A value, or the end of the array that has just begun.
    FirstItem,
    Key,
    /// A key, or the end of the object that has just begun.
    FirstKey,
    Colon,
    /// A comma, or the end of what is open; at the top nothing but white space.
    Next,
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    Number(Number),
    Text {
        is_key: bool,
        inside: Text,
    },
}

/// How far a number has come (RFC 8259, section 6).
#[derive(Clone, Copy, Debug)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// How far a string has come (RFC 8259, section 7).
#[derive(Clone, Copy, Debug)]
enum Text {
    Plain,
    Escape,
    /// So many digits of `\uXXXX` are missing.
    Hex(u8),
    /// So many bytes of a character are missing, the next of which is within these (RFC 3629,
    /// section 4).
    Utf8 {
        missing: u8,
        least: u8,
        most: u8,
    },
}

impl Checker {
    /// Nothing has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self { at: At::Value, open: 0, depth: 0 }
    }

    /// The next piece. After an error, no other piece makes the text good.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), NotJson> {
        for byte in piece {
            self.at = self.after(*byte)?;
        }
        Ok(())
    }

    /// There is no more.
    pub fn finish(self) -> Result<(), NotJson> {
        let is_value = match self.at {
            At::Next => true,
            At::Number(number) => number.may_end(),
            _ => false,
        };
        if is_value && self.depth == 0 { Ok(()) } else { Err(NotJson) }
    }

    fn after(&mut self, byte: u8) -> Result<At, NotJson> {
        match self.at {
            At::Number(number) => match number.after(byte) {
                Some(number) => Ok(At::Number(number)),
                None if number.may_end() => self.between(At::Next, byte),
                None => Err(NotJson),
            },
            At::Text { is_key, inside } => Ok(match inside.after(byte)? {
                Some(inside) => At::Text { is_key, inside },
                None if is_key => At::Colon,
                None => At::Next,
            }),
            At::Word(rest) => match rest.split_first() {
                Some((first, [])) if *first == byte => Ok(At::Next),
                Some((first, rest)) if *first == byte => Ok(At::Word(rest)),
                _ => Err(NotJson),
            },
            at => self.between(at, byte),
        }
    }

    /// Between the tokens, where there may be white space.
    fn between(&mut self, at: At, byte: u8) -> Result<At, NotJson> {
        match (at, byte) {
            (_, b' ' | b'\t' | b'\n' | b'\r') => Ok(at),
            (At::FirstItem | At::Next, b']') => self.close(false),
            (At::FirstKey | At::Next, b'}') => self.close(true),
            (At::FirstKey | At::Key, b'"') => Ok(At::Text { is_key: true, inside: Text::Plain }),
            (At::Colon, b':') => Ok(At::Value),
            (At::Next, b',') if self.depth > 0 => {
                Ok(if self.open & 1 == 1 { At::Key } else { At::Value })
            }
            (At::Value | At::FirstItem, _) => self.value(byte),
            _ => Err(NotJson),
        }
    }

    fn value(&mut self, byte: u8) -> Result<At, NotJson> {
        match byte {
            b'[' => self.begin(false),
            b'{' => self.begin(true),
            b'"' => Ok(At::Text { is_key: false, inside: Text::Plain }),
            b't' => Ok(At::Word(b"rue")),
            b'f' => Ok(At::Word(b"alse")),
            b'n' => Ok(At::Word(b"ull")),
            b'-' => Ok(At::Number(Number::Minus)),
            b'0' => Ok(At::Number(Number::Zero)),
            b'1'..=b'9' => Ok(At::Number(Number::Whole)),
            _ => Err(NotJson),
        }
    }

    fn begin(&mut self, is_object: bool) -> Result<At, NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.depth += 1;
        self.open = self.open << 1 | u128::from(is_object);
        Ok(if is_object { At::FirstKey } else { At::FirstItem })
    }

    fn close(&mut self, is_object: bool) -> Result<At, NotJson> {
        if self.depth == 0 || self.open & 1 != u128::from(is_object) {
            return Err(NotJson);
        }
        self.depth -= 1;
        self.open >>= 1;
        Ok(At::Next)
    }
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Number {
    /// `None` where the byte does not go on with the number.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Some(Self::ExponentDigits)
            }
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::ExponentDigits)
    }
}

impl Text {
    /// `None` after the closing quotation mark.
    fn after(self, byte: u8) -> Result<Option<Self>, NotJson> {
        let utf8 = |missing, least, most| Self::Utf8 { missing, least, most };
        let next = match (self, byte) {
            (Self::Plain, b'"') => return Ok(None),
            (Self::Plain, b'\\') => Self::Escape,
            (Self::Plain, b' '..=0x7f)
            | (Self::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Self::Plain,
            (Self::Plain, 0xc2..=0xdf) => utf8(1, 0x80, 0xbf),
            (Self::Plain, 0xe0) => utf8(2, 0xa0, 0xbf),
            (Self::Plain, 0xed) => utf8(2, 0x80, 0x9f),
            (Self::Plain, 0xe1..=0xef) => utf8(2, 0x80, 0xbf),
            (Self::Plain, 0xf0) => utf8(3, 0x90, 0xbf),
            (Self::Plain, 0xf1..=0xf3) => utf8(3, 0x80, 0xbf),
            (Self::Plain, 0xf4) => utf8(3, 0x80, 0x8f),
            (Self::Escape, b'u') => Self::Hex(4),
            (Self::Hex(missing), _) if byte.is_ascii_hexdigit() => match missing {
                0 | 1 => Self::Plain,
                more => Self::Hex(more - 1),
            },
            (Self::Utf8 { missing, least, most }, _) if (least..=most).contains(&byte) => {
                match missing {
                    0 | 1 => Self::Plain,
                    more => utf8(more - 1, 0x80, 0xbf),
                }
            }
            _ => return Err(NotJson),
        };
        Ok(Some(next))
    }
}

/// How deep arrays and objects may be nested: as deep as `serde_json` goes. Python's reader gives up
/// at about a thousand.
pub const MAX_DEPTH: u32 = 127;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use serde_json::Value;

    fn is_json(pieces: &[&[u8]]) -> bool {
        let mut checker = Checker::new();
        pieces.iter().all(|piece| checker.push(piece).is_ok()) && checker.finish().is_ok()
    }

    /// As a reader says that was made for the purpose. It does not say so of numbers beyond a double,
    /// which are JSON and none of which is tried here.
    fn is_json_to_serde(bytes: &[u8]) -> bool {
        core::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<Value>(text).is_ok())
    }

    const TEXTS: [&str; 18] = [
        r#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"a\"b"}}}}}"#,
        r#" { "a" : [ 1 , -0.5e+10 , 2E3 , 0 , "\u00e9\n\\" , { } , [ ] ] , "a" : null } "#,
        r#"["é","€","😀","퟿","","\ud800"]"#,
        "true",
        "false",
        " null\r\n\t",
        "0",
        "-1",
        "12.5",
        "\"\"",
        "[]",
        "{}",
        "[[],[[]],{\"\":{}}]",
        "[1,2,3]",
        "{\"a\":1,\"b\":2}",
        "[true,false,null]",
        "1e5",
        "\"\\/\\b\\f\\n\\r\\t\"",
    ];

    const BROKEN: [&str; 44] = [
        "",
        " ",
        "{",
        "[",
        "}",
        "]",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\" 1}",
        "{,}",
        "{1:2}",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "--1",
        "1.2.3",
        "0x1",
        "NaN",
        "Infinity",
        "nul",
        "nulll",
        "True",
        "'a'",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "{} {}",
        "1 1",
        "\u{feff}{}",
        "a=b&c=d",
    ];

    #[test]
    fn takes_what_is_json_in_any_pieces() {
        for text in TEXTS {
            let bytes = text.as_bytes();
            assert!(is_json_to_serde(bytes) || text.contains("ud800"), "{text}");
            for cut in 0..=bytes.len() {
                assert!(is_json(&[&bytes[..cut], &bytes[cut..]]), "{text} cut at {cut}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert!(is_json(&single), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in BROKEN {
            assert!(!is_json(&[text.as_bytes()]), "{text}");
        }
    }

    #[test]
    fn a_truncated_object_is_none() {
        let whole = TEXTS[0].as_bytes();
        for end in 0..whole.len() {
            assert!(!is_json(&[&whole[..end]]), "{end}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_none() {
        for bytes in [
            &b"\x80"[..],
            b"\xc0\xaf",
            b"\xc1\x81",
            b"\xc3",
            b"\xe0\x80\xaf",
            b"\xed\xa0\x80",
            b"\xef\xbf",
            b"\xf0\x80\x80\xaf",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            b"\xff",
        ] {
            assert!(!is_json(&[b"\"", bytes, b"\""]), "{bytes:?}");
            assert!(!is_json_to_serde(&[b"\"", bytes, b"\""].concat()));
        }
        assert!(!is_json(&[b"\xff\xfe{\0}\0"]));
    }

    #[test]
    fn nesting_ends_where_that_of_others_does() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [1, 126, 127, 128, 129, 5000] {
            let text = nested(depth);
            assert_eq!(is_json(&[text.as_bytes()]), depth <= 127, "{depth}");
            assert_eq!(is_json_to_serde(text.as_bytes()), depth <= 127, "{depth}");
        }
        let mixed = format!("{}1{}", "[{\"a\":".repeat(60), "}]".repeat(60));
        assert!(is_json(&[mixed.as_bytes()]));
        let crossed = format!("{}1{}", "[{\"a\":".repeat(60), "]}".repeat(60));
        assert!(!is_json(&[crossed.as_bytes()]));
    }

    /// All short texts of the characters that matter.
    #[test]
    fn says_of_every_short_text_what_another_reader_says() {
        let alphabet = b"[]{}\",:0-.e \\";
        let mut texts: Vec<Vec<u8>> = Vec::from([Vec::new()]);
        let mut good = 0;
        for _ in 0..4 {
            texts = texts
                .iter()
                .flat_map(|text| alphabet.iter().map(move |byte| [&text[..], &[*byte]].concat()))
                .collect();
            for text in &texts {
                let expected = is_json_to_serde(text);
                good += u32::from(expected);
                assert_eq!(is_json(&[text]), expected, "{}", String::from_utf8_lossy(text));
            }
        }
        assert!(good > 100);
    }
}
