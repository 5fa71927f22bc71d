//! The line in front of each chunk: `hex-size[;chunk-signature=64 hexadecimal digits]\r\n`.
//!
//! AWS documents the strict form ("Signature calculations for the authorization header: transferring
//! payload in multiple chunks"). What S3 tolerates beyond it was measured by the authors of Swift's
//! `test/s3api/test_input_errors.py`: spaces around the `;`, around the `=` and at the end of the
//! line; nothing else.

use crate::split;

/// What a chunk line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkLine<'a> {
    /// The number of bytes in the chunk.
    pub(super) size: u64,
    /// What the client gives as its signature; never empty, but it need not look like one.
    pub(super) signature: Option<&'a [u8]>,
}

/// What stands at the front of some bytes. That it is not all there yet is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status<T> {
    /// It is all there, and so many bytes long.
    Complete(T, usize),
    /// More bytes are needed to tell.
    Partial,
}

/// The bytes are no chunk line, whatever may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MalformedLine;

impl<'a> ChunkLine<'a> {
    /// Reads the line at the front of `bytes`.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Status<Self>, MalformedLine> {
        let window = bytes.get(..MAX_LINE).unwrap_or(bytes);
        let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
            return if window.len() < MAX_LINE { Ok(Status::Partial) } else { Err(MalformedLine) };
        };
        let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        Ok(Status::Complete(Self::from_line(line.ok_or(MalformedLine)?)?, end + 1))
    }

    fn from_line(line: &'a [u8]) -> Result<Self, MalformedLine> {
        let Some((digits, parameter)) = split::once(line, b';') else {
            return Ok(Self { size: size(line)?, signature: None });
        };
        let size = size(trim_end(digits))?;
        let (name, value) = split::once(parameter, b'=').ok_or(MalformedLine)?;
        if trim(name) != b"chunk-signature" {
            // To S3, the first parameter is the signature, and another one in front of it is a wrong
            // signature. With its name, it stays wrong whatever its value is.
            return Ok(Self { size, signature: Some(parameter) });
        }
        let value = trim(value);
        if value.is_empty() || value.contains(&b';') {
            return Err(MalformedLine);
        }
        Ok(Self { size, signature: Some(value) })
    }
}

/// One hexadecimal digit or more; no sign, no prefix. Zeros in front do not matter.
fn size(digits: &[u8]) -> Result<u64, MalformedLine> {
    if digits.is_empty() {
        return Err(MalformedLine);
    }
    digits
        .iter()
        .try_fold(0_u64, |size, byte| {
            let digit = char::from(*byte).to_digit(16)?;
            size.checked_mul(16)?.checked_add(digit.into())
        })
        .ok_or(MalformedLine)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    trim_end(bytes)
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

/// The longest chunk line. The documented form takes 99 bytes with 16 digits of size; a signature of
/// `SigV4A` would take 80 more.
pub(super) const MAX_LINE: usize = 256;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::vec;

    fn complete(text: &str) -> Option<(u64, Option<&str>)> {
        match ChunkLine::parse(text.as_bytes()) {
            Ok(Status::Complete(line, length)) => {
                assert_eq!(length, text.len(), "{text:?}");
                Some((line.size, line.signature.map(|text| core::str::from_utf8(text).unwrap())))
            }
            Ok(Status::Partial) => panic!("{text:?} is partial"),
            Err(MalformedLine) => None,
        }
    }

    #[test]
    fn reads_the_documented_form() {
        assert_eq!(complete("10000;chunk-signature=ad80\r\n"), Some((65536, Some("ad80"))));
        assert_eq!(complete("0;chunk-signature=b6c6\r\n"), Some((0, Some("b6c6"))));
        assert_eq!(complete("2000\r\n"), Some((8192, None)));
    }

    #[test]
    fn spaces_are_tolerated_where_aws_tolerates_them() {
        for line in [
            "a ; chunk-signature=ab\r\n",
            "a;chunk-signature = ab \r\n",
            "a   ;   chunk-signature   =   ab   \r\n",
        ] {
            assert_eq!(complete(line), Some((10, Some("ab"))), "{line:?}");
        }
        for line in [" a;chunk-signature=ab\r\n", "a \r\n", "a\t;chunk-signature=ab\r\n"] {
            assert_eq!(complete(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_size_has_digits_of_either_case_and_nothing_else() {
        assert_eq!(complete("aBcD\r\n"), Some((0xabcd, None)));
        assert_eq!(complete("00000000000000000000001\r\n"), Some((1, None)));
        assert_eq!(complete("ffffffffffffffff\r\n"), Some((u64::MAX, None)));
        for line in
            ["\r\n", "10000000000000000\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "g\r\n", "1_0\r\n"]
        {
            assert_eq!(complete(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_signature_that_is_blank_or_followed_by_more_makes_no_line() {
        for line in [
            "a;\r\n",
            "a;chunk-signature\r\n",
            "a;chunk-signature=\r\n",
            "a;chunk-signature=  \r\n",
            "a;chunk-signature=ab;extra=param\r\n",
        ] {
            assert_eq!(complete(line), None, "{line:?}");
        }
    }

    #[test]
    fn another_parameter_in_front_is_a_signature_that_cannot_be_right() {
        let line = complete("a;extra=param;chunk-signature=ab\r\n");
        assert_eq!(line, Some((10, Some("extra=param;chunk-signature=ab"))));
        let sixty_four = "ab".repeat(32);
        let line = format!("a;Chunk-Signature={sixty_four}\r\n");
        assert_ne!(complete(&line).unwrap().1, Some(&*sixty_four));
    }

    #[test]
    fn lines_end_with_both_characters() {
        for line in ["a\n", "a;chunk-signature=ab\n", "\n"] {
            assert_eq!(complete(line), None, "{line:?}");
        }
        assert_eq!(complete("a\r\r\n"), None);
        assert_eq!(ChunkLine::parse(b"a\r"), Ok(Status::Partial));
    }

    #[test]
    fn every_cut_of_a_line_is_partial() {
        let line = b"10000;chunk-signature=ad80\r\nand the data";
        for end in 0..line.len() {
            let complete = matches!(ChunkLine::parse(&line[..end]), Ok(Status::Complete(_, 28)));
            assert_eq!(complete, end >= 28, "{end}");
        }
    }

    #[test]
    fn a_line_has_a_limit() {
        let mut line = vec![b'0'; MAX_LINE - 2];
        assert_eq!(ChunkLine::parse(&line), Ok(Status::Partial));
        line.extend_from_slice(b"\r\n");
        assert!(matches!(ChunkLine::parse(&line), Ok(Status::Complete(_, MAX_LINE))));
        line.insert(0, b'0');
        assert_eq!(ChunkLine::parse(&line), Err(MalformedLine));
        assert_eq!(ChunkLine::parse(&[b'0'; MAX_LINE]), Err(MalformedLine));
    }
}
