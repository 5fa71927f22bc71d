//! Percent-encoding as Signature Version 4 has it (`UriEncode` in AWS's "Create a signed AWS API
//! request"), and hexadecimal digits.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

/// Bytes in which a percent sign is not followed by two hexadecimal digits.
///
/// Whoever verified such a text and whoever serves it could read it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedEncoding;

/// What a plus sign stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// Itself, as in a path.
    Literal,
    /// A space, as in a query: HTML forms write it so, and servers read it so.
    Space,
}

/// Decodes once.
pub(crate) fn decode(bytes: &[u8], plus: Plus) -> Result<Cow<'_, [u8]>, MalformedEncoding> {
    let is_code = |byte: &u8| *byte == b'%' || (*byte == b'+' && plus == Plus::Space);
    if !bytes.iter().any(is_code) {
        return Ok(bytes.into());
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        decoded.push(match byte {
            b'%' => {
                let (digits, tail) = tail.split_first_chunk().ok_or(MalformedEncoding)?;
                rest = tail;
                escaped(*digits).ok_or(MalformedEncoding)?
            }
            b'+' if plus == Plus::Space => b' ',
            byte => *byte,
        });
    }
    Ok(decoded.into())
}

/// Decodes the escapes that are complete once, and leaves the others. What has none is not copied.
pub(crate) fn decode_complete(bytes: &[u8]) -> Cow<'_, [u8]> {
    let escape = |text: &[u8]| match text {
        [b'%', high, low, ..] => escaped([*high, *low]),
        _ => None,
    };
    if !bytes.windows(3).any(|window| escape(window).is_some()) {
        return bytes.into();
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        let escape = escape(rest);
        decoded.push(escape.unwrap_or(*byte));
        rest = if escape.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    decoded.into()
}

/// The byte that an escape with these digits stands for, in whatever case.
fn escaped([high, low]: [u8; 2]) -> Option<u8> {
    let value = |digit: u8| hex_digit(digit.to_ascii_lowercase());
    Some(value(high)? << 4 | value(low)?)
}

/// Appends `bytes`, encoding all but the unreserved characters (RFC 3986, section 2.3).
pub(super) fn encode(to: &mut Vec<u8>, bytes: &[u8]) {
    encode_unless(to, bytes, is_unreserved);
}

/// The same for a path, in which slashes stay.
pub(super) fn encode_path(to: &mut Vec<u8>, bytes: &[u8]) {
    encode_unless(to, bytes, |byte| byte == b'/' || is_unreserved(byte));
}

fn encode_unless(to: &mut Vec<u8>, bytes: &[u8], stays: impl Fn(u8) -> bool) {
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|byte| !stays(*byte)).unwrap_or(rest.len());
        let (same, other) = rest.split_at_checked(end).unwrap_or_default();
        to.extend_from_slice(same);
        let Some((byte, tail)) = other.split_first() else { return };
        to.extend_from_slice(&[b'%', upper_hex(byte >> 4), upper_hex(byte & 0x0f)]);
        rest = tail;
    }
}

/// Whether it is the one canonical spelling of itself, in any place.
pub(super) fn stands_for_itself(text: &[u8]) -> bool {
    text.iter().copied().all(is_unreserved)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn upper_hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

/// The value of a hexadecimal digit in lower case.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Bytes from twice as many hexadecimal digits in lower case, of a number of bytes that four divides.
pub(crate) fn hex_bytes<const LENGTH: usize>(text: &[u8]) -> Option<[u8; LENGTH]> {
    let (digits, []) = text.as_chunks::<8>() else { return None };
    let mut bytes = [0; LENGTH];
    let (words, []) = bytes.as_chunks_mut::<4>() else { return None };
    if words.len() != digits.len() {
        return None;
    }
    for (word, digits) in words.iter_mut().zip(digits) {
        *word = from_digits(*digits)?;
    }
    Some(bytes)
}

/// Shows bytes as hexadecimal digits in lower case.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl Hex<'_> {
    /// Writes the digits: not one by one, nor by the machinery for numbers, which takes as long as the hash itself.
    pub(crate) fn write(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        for bytes in self.0.chunks(32) {
            let mut digits = [0; 64];
            for (digits, bytes) in digits.as_chunks_mut().0.iter_mut().zip(bytes.chunks(4)) {
                let mut word = [0; 4];
                for (to, from) in word.iter_mut().zip(bytes) {
                    *to = *from;
                }
                *digits = to_digits(word);
            }
            let digits = digits.get(..2 * bytes.len()).unwrap_or_default();
            to.write_str(str::from_utf8(digits).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// The digits of four bytes, all at once: each half of a byte gets a byte of a word to itself, and there
/// becomes a digit, or a letter if it is above nine.
fn to_digits(bytes: [u8; 4]) -> [u8; 8] {
    let halves = u64::from(u32::from_be_bytes(bytes));
    let halves = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    let halves = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    let halves = (halves | halves << 4) & HALVES;
    let above_nine = (halves + EACH * 6) >> 4 & EACH;
    (halves + EACH * u64::from(b'0') + above_nine * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// The bytes with these digits: whatever the characters are, they are read as digits, and so they must be
/// what is written for that.
fn from_digits(digits: [u8; 8]) -> Option<[u8; 4]> {
    let characters = u64::from_be_bytes(digits);
    let letters = characters >> 6 & EACH;
    let halves = ((characters & HALVES) + letters * 9) & HALVES;
    let halves = (halves | halves >> 4) & 0x00ff_00ff_00ff_00ff;
    let halves = (halves | halves >> 8) & 0x0000_ffff_0000_ffff;
    let bytes = u32::try_from((halves | halves >> 16) & 0xffff_ffff).ok()?.to_be_bytes();
    (to_digits(bytes) == digits).then_some(bytes)
}

/// One in each byte of a word.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The lower half of each.
const HALVES: u64 = EACH * 0x0f;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::{String, ToString};

    #[test]
    fn encodes_all_but_unreserved_characters_in_upper_case() {
        let mut encoded = Vec::new();
        encode(&mut encoded, b"AZaz09-._~ /*@()!'+\xc3\xa9\x00\xff");
        assert_eq!(encoded, b"AZaz09-._~%20%2F%2A%40%28%29%21%27%2B%C3%A9%00%FF");
    }

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut encoded = Vec::new();
        encode(&mut encoded, &bytes);
        assert_eq!(decode(&encoded, Plus::Space).unwrap(), bytes);
        assert_eq!(decode(&encoded.to_ascii_lowercase(), Plus::Literal).unwrap().len(), 256);
    }

    #[test]
    fn decodes_once() {
        assert_eq!(decode(b"%252F%2f+", Plus::Literal).unwrap().as_ref(), b"%2F/+");
        assert_eq!(decode(b"a+b%2B", Plus::Space).unwrap().as_ref(), b"a b+");
    }

    #[test]
    fn refuses_a_percent_sign_without_two_digits() {
        for text in [&b"%"[..], b"%4", b"a%4", b"%zz", b"%+4", b"100%"] {
            assert_eq!(decode(text, Plus::Literal), Err(MalformedEncoding), "{text:?}");
        }
    }

    #[test]
    fn escapes_that_are_not_complete_can_be_left() {
        for (text, decoded) in [
            (&b"a%2Fb%2f"[..], &b"a/b/"[..]),
            (b"%", b"%"),
            (b"%4", b"%4"),
            (b"%zz%41%4", b"%zzA%4"),
            (b"%%41", b"%A"),
            (b"%2541", b"%41"),
            (b"a+b", b"a+b"),
            (b"", b""),
        ] {
            assert_eq!(decode_complete(text), decoded, "{text:?}");
        }
        assert!(matches!(decode_complete(b"100%"), Cow::Borrowed(_)));
    }

    #[test]
    fn reads_each_digit_and_nothing_else_in_each_place() {
        for place in 0..8 {
            for byte in 0..=255 {
                let mut text = *b"0f1e2d3c";
                text[place] = byte;
                let digit = char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
                let expected = digit.map(|_| {
                    u32::from_str_radix(str::from_utf8(&text).unwrap(), 16).unwrap().to_be_bytes()
                });
                assert_eq!(hex_bytes::<4>(&text), expected, "{byte:#04x} in place {place}");
            }
        }
    }

    #[test]
    fn reads_and_writes_32_bytes_in_lower_case() {
        let text = "00ff".repeat(16);
        let bytes: [u8; 32] = hex_bytes(text.as_bytes()).unwrap();
        assert_eq!(Hex(&bytes).to_string(), text);
        let all: Vec<u8> = (0..=255).collect();
        let pairs: Vec<String> = all.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
        for length in [0, 1, 31, 32, 33, 256] {
            assert_eq!(Hex(&all[..length]).to_string(), pairs[..length].concat());
        }
        assert!(hex_bytes::<32>(text.to_uppercase().as_bytes()).is_none());
        assert!(hex_bytes::<32>(&text.as_bytes()[1..]).is_none());
        assert!(hex_bytes::<32>(&text.as_bytes()[2..]).is_none());
        assert!(hex_bytes::<28>(text.as_bytes()).is_none());
    }
}
