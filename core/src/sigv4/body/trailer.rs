//! The trailers behind the last chunk, and the header `x-amz-trailer` that declares them.
//!
//! ```text
//! x-amz-checksum-crc32c:sOO8/Q==\r\n
//! x-amz-trailer-signature:64 hexadecimal digits\r\n
//! \r\n
//! ```
//!
//! AWS's page "Signature calculations for trailing headers" ends the first line with `\n\r\n`, and
//! some clients follow it to the letter: a line feed at the end of a value is passed over.

use alloc::vec::Vec;

use super::{Algorithm, BodyError};
use crate::sigv4::error::Error;
use crate::split;

/// Reads the header `x-amz-trailer`, which S3 takes the name of one checksum in.
///
/// Commas at its end are tolerated; any other empty element is not.
pub(super) fn declared_checksum(header: &[u8]) -> Result<Algorithm, Error> {
    let mut names = header.trim_ascii();
    while let [rest @ .., b','] = names {
        names = rest;
    }
    // A name that is not supported tells more than that there are too many.
    let algorithms = split::parts(names, b',')
        .map(|name| Algorithm::from_header(name.trim_ascii()))
        .collect::<Option<Vec<_>>>()
        .ok_or(Error::TrailerUnsupported)?;
    match algorithms.as_slice() {
        [algorithm] => Ok(*algorithm),
        _ => Err(Error::ChecksumSeveral),
    }
}

/// The trailers of a body.
#[derive(Debug)]
pub(super) struct Trailers<'a> {
    /// By name in lower case, in the order of their names. Of several with one name, S3 takes the last.
    fields: Vec<(Vec<u8>, &'a [u8])>,
    signature: Option<&'a [u8]>,
}

impl<'a> Trailers<'a> {
    /// Reads whole lines, up to a blank one or to the end.
    pub(super) fn parse(section: &'a [u8]) -> Result<Self, BodyError> {
        let mut fields = Vec::<(Vec<u8>, &[u8])>::new();
        for line in lines(section) {
            let (name, value) = split::once(line, b':').ok_or(BodyError::Trailer)?;
            let value = value.strip_suffix(b"\n").unwrap_or(value);
            // A line break inside would make the canonical form read as two trailers.
            let is_text = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
            if !name.iter().all(u8::is_ascii_graphic) || !value.iter().all(is_text) {
                return Err(BodyError::Trailer);
            }
            let (name, value) = (name.to_ascii_lowercase(), value.trim_ascii());
            // There are no more than a kilobyte has room for.
            fields.retain(|(other, _)| *other != name);
            fields.insert(fields.partition_point(|(other, _)| *other < name), (name, value));
        }
        let signature = fields.iter().find(|(name, _)| name == SIGNATURE).map(|(_, value)| *value);
        let signature = signature.filter(|value| !value.is_empty());
        fields.retain(|(name, _)| name != SIGNATURE);
        Ok(Self { fields, signature })
    }

    /// What the client gives as their signature.
    pub(super) fn signature(&self) -> Option<&'a [u8]> {
        self.signature
    }

    /// The text that is hashed and signed: a line `name:value` for each in the order of their names,
    /// without the signature.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (name, value) in &self.fields {
            text.extend_from_slice(name);
            text.push(b':');
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        text
    }

    /// Whether there are none, but for the signature.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of the trailer that was declared. No other one may be there.
    pub(super) fn only(&self, declared: &str) -> Result<&'a [u8], BodyError> {
        let mut fields = self.fields.iter();
        match (fields.next(), fields.next()) {
            (Some((name, value)), None) if name == declared.as_bytes() => Ok(value),
            (None | Some(_), _) => Err(BodyError::Trailer),
        }
    }
}

/// Whether the section is all there: it ends where a blank line begins.
pub(super) fn has_blank_line(section: &[u8]) -> bool {
    section == CRLF || section.ends_with(b"\r\n\r\n")
}

/// The lines of a section that ends with a line's end, without their ends.
fn lines(section: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = section;
    core::iter::from_fn(move || {
        let end = rest.windows(CRLF.len()).position(|window| window == CRLF)?;
        let (line, tail) = rest.split_at_checked(end)?;
        rest = tail.get(CRLF.len()..)?;
        (!line.is_empty()).then_some(line)
    })
}

/// The most bytes behind the last chunk that are looked at, up to the blank line. A checksum and a
/// signature take 168 at the most; the documentation allows no more.
pub(super) const MAX_TRAILERS: usize = 1024;

/// The end of a line.
pub(super) const CRLF: &[u8] = b"\r\n";

const SIGNATURE: &[u8] = b"x-amz-trailer-signature";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_declaration_names_one_checksum() {
        for header in [
            "x-amz-checksum-crc32",
            "X-Amz-Checksum-Crc32",
            " x-amz-checksum-crc32 ",
            "x-amz-checksum-crc32,",
            "x-amz-checksum-crc32,,",
            "x-amz-checksum-crc32, ",
        ] {
            assert_eq!(declared_checksum(header.as_bytes()), Ok(Algorithm::Crc32), "{header:?}");
        }
        for header in [
            "",
            ",",
            ",x-amz-checksum-crc32",
            ", x-amz-checksum-crc32",
            ", x-amz-checksum-crc32, ,",
            "x-amz-checksum-crc32, ,",
            "x-amz-checksum-bad",
            "x-amz-checksum-crc32, x-amz-foo",
            "content-md5",
            "x-amz-content-sha256",
        ] {
            let error = Err(Error::TrailerUnsupported);
            assert_eq!(declared_checksum(header.as_bytes()), error, "{header:?}");
        }
        assert_eq!(
            declared_checksum(b"x-amz-checksum-crc32, x-amz-checksum-sha256"),
            Err(Error::ChecksumSeveral)
        );
    }

    #[test]
    fn the_canonical_form_is_sorted_trimmed_in_lower_case_and_without_the_signature() {
        let trailers = Trailers::parse(
            b"B: two \r\nx-amz-trailer-signature:ab\r\na:\tone\n\r\nb:\"  three\"\r\n\r\nignored",
        )
        .unwrap();
        assert_eq!(trailers.canonical(), b"a:one\nb:\"  three\"\n");
        assert_eq!(trailers.signature(), Some(&b"ab"[..]));
    }

    #[test]
    fn a_blank_signature_is_none() {
        let trailers = Trailers::parse(b"x-amz-trailer-signature: \r\n").unwrap();
        assert_eq!(trailers.signature(), None);
    }

    #[test]
    fn lines_that_are_no_trailers_are_refused() {
        for section in [
            &b"no colon\r\n"[..],
            b"a b:c\r\n",
            b" a:b\r\n",
            b"a :b\r\n",
            b"a:b\nc:d\r\n",
            b"a:b\n\n\r\n",
            b"a:b\0c\r\n",
            b"a:b\x0c\r\n",
            b"\xff:a\r\n",
        ] {
            assert_eq!(Trailers::parse(section).unwrap_err(), BodyError::Trailer);
        }
    }

    #[test]
    fn the_trailers_are_those_that_were_declared() {
        let name = Algorithm::Crc32.header();
        let one = Trailers::parse(b"x-amz-checksum-crc32:a\r\n").unwrap();
        assert_eq!(one.only(name), Ok(&b"a"[..]));
        assert_eq!(one.only(Algorithm::Crc32c.header()), Err(BodyError::Trailer));
        let none = Trailers::parse(b"\r\n").unwrap();
        assert!(none.is_empty() && !one.is_empty());
        assert_eq!(none.only(name), Err(BodyError::Trailer));
        let more = Trailers::parse(b"x-amz-checksum-crc32:a\r\nbonus:b\r\n").unwrap();
        assert_eq!(more.only(name), Err(BodyError::Trailer));
    }
}
