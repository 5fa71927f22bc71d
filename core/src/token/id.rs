//! Keystone's identifiers, as payloads carry them: packed when they are UUIDs, text otherwise.

use alloc::boxed::Box;
use core::fmt;

use super::MalformedPayload;
use super::msgpack::{Reader, Writer};
use crate::sigv4::{Hex, hex_bytes};

/// The id of a user, project, domain, group, trust or the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl Id {
    /// A UUID, which Keystone writes as 32 hexadecimal digits.
    #[must_use]
    pub const fn uuid(bytes: [u8; 16]) -> Self {
        Self(Form::Uuid(bytes))
    }

    /// Any other id: an LDAP user's hash, `default`, the name of an identity provider.
    ///
    /// Refused: empty ids, ids over [`MAX_TEXT`] characters, other bytes than UTF-8, and control
    /// characters, because ids end up in headers.
    pub fn text(bytes: &[u8]) -> Result<Self, MalformedPayload> {
        let text = core::str::from_utf8(bytes).map_err(|_| MalformedPayload)?;
        if text.is_empty() || text.chars().count() > MAX_TEXT || text.chars().any(char::is_control)
        {
            return Err(MalformedPayload);
        }
        Ok(Self(Form::Text(text.into())))
    }

    /// An id as Keystone's API writes it: a UUID if it is 32 hexadecimal digits in lower case, any other
    /// id else.
    pub fn from_text(text: &str) -> Result<Self, MalformedPayload> {
        hex_bytes(text.as_bytes())
            .map_or_else(|| Self::text(text.as_bytes()), |id| Ok(Self::uuid(id)))
    }

    /// A pair `[packed?, bytes]`, as Keystone's `convert_or_decode` reads it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, MalformedPayload> {
        Self::read_or_nil(reader)?.ok_or(MalformedPayload)
    }

    /// The same, where `[false, nil]` stands for "none".
    pub(super) fn read_or_nil(reader: &mut Reader<'_>) -> Result<Option<Self>, MalformedPayload> {
        reader.array_of(2)?;
        match (reader.bool()?, reader.bytes_or_nil()?) {
            (true, Some(bytes)) => {
                bytes.try_into().map(|uuid| Some(Self::uuid(uuid))).map_err(|_| MalformedPayload)
            }
            (true, None) => Err(MalformedPayload),
            (false, bytes) => bytes.map(Self::text).transpose(),
        }
    }

    /// A bare value: 16 packed bytes, or text. The Rust Keystone writes a pair in its place.
    pub(super) fn read_bare(reader: &mut Reader<'_>) -> Result<Self, MalformedPayload> {
        if reader.at_array()? {
            return Self::read(reader);
        }
        let bytes = reader.bytes()?;
        bytes.try_into().map_or_else(|_| Self::text(bytes), |uuid| Ok(Self::uuid(uuid)))
    }

    /// A bare value of 16 packed bytes, or the Rust Keystone's pair.
    pub(super) fn read_uuid(reader: &mut Reader<'_>) -> Result<Self, MalformedPayload> {
        if reader.at_array()? {
            return Self::read(reader);
        }
        reader.bytes()?.try_into().map(Self::uuid).map_err(|_| MalformedPayload)
    }

    /// Writes the pair that [`Id::read`] reads.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.array(2);
        writer.bool(matches!(self.0, Form::Uuid(_)));
        match &self.0 {
            Form::Uuid(bytes) => writer.binary(bytes),
            Form::Text(text) => writer.text(text),
        }
    }

    /// Writes what [`Id::read_bare`] reads. A text of 16 bytes would come back as a UUID, so it goes
    /// into a pair.
    pub(super) fn write_bare(&self, writer: &mut Writer) {
        match &self.0 {
            Form::Text(text) if text.len() != 16 => writer.text(text),
            Form::Uuid(_) | Form::Text(_) => self.write_uuid(writer),
        }
    }

    /// Writes what [`Id::read_uuid`] reads.
    pub(super) fn write_uuid(&self, writer: &mut Writer) {
        match &self.0 {
            Form::Uuid(bytes) => writer.binary(bytes),
            Form::Text(_) => self.write(writer),
        }
    }
}

/// As Keystone's API writes it.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Uuid(bytes) => Hex(bytes).fmt(f),
            Form::Text(text) => f.write_str(text),
        }
    }
}

/// The most characters in an id: Keystone's id columns are `VARCHAR(64)`.
pub const MAX_TEXT: usize = 64;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::ToString;

    fn read(bytes: &[u8]) -> Result<Id, MalformedPayload> {
        Id::read(&mut Reader::new(bytes))
    }

    #[test]
    fn a_packed_uuid_is_written_as_32_digits() {
        let id = read(
            b"\x92\xc3\xc4\x10\x16\xec\x4f\x0c\xa3\x2f\x46\x80\xbe\x34\x8d\xc4\xf1\x3e\x80\xe9",
        );
        assert_eq!(id.unwrap().to_string(), "16ec4f0ca32f4680be348dc4f13e80e9");
    }

    #[test]
    fn the_text_of_an_id_makes_the_same_id() {
        for text in
            ["16ec4f0ca32f4680be348dc4f13e80e9", "default", "16EC4F0CA32F4680BE348DC4F13E80E9"]
        {
            assert_eq!(Id::from_text(text).unwrap().to_string(), text);
        }
        let uuid = Id::from_text("00000000000000000000000000000007");
        assert_eq!(uuid, Ok(Id::uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7])));
        assert!(Id::from_text("").is_err());
    }

    #[test]
    fn text_stays_as_it_is() {
        assert_eq!(read(b"\x92\xc2\xa7default").unwrap().to_string(), "default");
    }

    #[test]
    fn refuses_what_keystone_never_writes() {
        for bytes in [
            &b"\x92\xc3\xa7default"[..], // packed, but not 16 bytes
            b"\x92\x01\xa7default",      // the flag is no bool
            b"\x93\xc2\xa7default\xc0",  // three elements
            b"\x92\xc2\xa0",             // empty
            b"\x92\xc2\xc0",             // nil where an id must be
            b"\x92\xc3\xc0",             // a packed nil
            b"\x92\xc2\xa2a\n",          // a control character
            b"\x92\xc2\xa2\xc2\x85",     // a control character of two bytes
            b"\x92\xc2\xa1\xff",         // not UTF-8
        ] {
            assert!(read(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn text_ends_at_64_characters() {
        assert!(Id::text(&[b'a'; 64]).is_ok());
        assert!(Id::text(&[b'a'; 65]).is_err());
    }
}
