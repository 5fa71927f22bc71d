//! The few MessagePack types that Keystone's payloads are made of.
//!
//! The crate `rmp` knows the format's markers, and writes it; around it stands what a reader of
//! untrusted bytes needs: nothing is allocated by a length that the bytes claim, nothing recurses,
//! and [`Reader::finish`] refuses what is left over. A deserialiser (`rmp-serde`) would bring
//! 65 KB into the module and accept more shapes than Keystone writes.

use alloc::vec::Vec;

use rmp::Marker;

use super::MalformedPayload;

/// Reads values from the front of a byte string.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number of elements of an array.
    pub(super) fn array(&mut self) -> Result<usize, MalformedPayload> {
        let length = match self.marker()? {
            Marker::FixArray(length) => length.into(),
            Marker::Array16 => self.big_endian(2)?,
            Marker::Array32 => self.big_endian(4)?,
            _ => return Err(MalformedPayload),
        };
        usize::try_from(length).map_err(|_| MalformedPayload)
    }

    /// An array that must have `length` elements.
    pub(super) fn array_of(&mut self, length: usize) -> Result<(), MalformedPayload> {
        if self.array()? == length { Ok(()) } else { Err(MalformedPayload) }
    }

    /// An integer of any width that is not negative.
    pub(super) fn unsigned(&mut self) -> Result<u64, MalformedPayload> {
        let (length, is_signed) = match self.marker()? {
            Marker::FixPos(number) => return Ok(number.into()),
            Marker::U8 => (1, false),
            Marker::U16 => (2, false),
            Marker::U32 => (4, false),
            Marker::U64 => (8, false),
            Marker::I8 => (1, true),
            Marker::I16 => (2, true),
            Marker::I32 => (4, true),
            Marker::I64 => (8, true),
            _ => return Err(MalformedPayload),
        };
        let is_negative = is_signed && self.rest.first().is_some_and(|byte| *byte >= 0x80);
        if is_negative { Err(MalformedPayload) } else { self.big_endian(length) }
    }

    pub(super) fn bool(&mut self) -> Result<bool, MalformedPayload> {
        match self.marker()? {
            Marker::False => Ok(false),
            Marker::True => Ok(true),
            _ => Err(MalformedPayload),
        }
    }

    /// A byte string or a text. MessagePack before 2013 had one type for both, and tokens packed
    /// by an old library still carry raw bytes as text.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], MalformedPayload> {
        let length = match self.marker()? {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 | Marker::Bin8 => self.big_endian(1)?,
            Marker::Str16 | Marker::Bin16 => self.big_endian(2)?,
            _ => return Err(MalformedPayload),
        };
        self.take(usize::try_from(length).map_err(|_| MalformedPayload)?)
    }

    /// The same, or nil.
    pub(super) fn bytes_or_nil(&mut self) -> Result<Option<&'a [u8]>, MalformedPayload> {
        if self.peek()? == Marker::Null {
            self.marker()?;
            return Ok(None);
        }
        self.bytes().map(Some)
    }

    /// A number, as a float. Keystone's expiry is a float64, but its reader takes integers too.
    pub(super) fn number(&mut self) -> Result<f64, MalformedPayload> {
        let marker = self.peek()?;
        // Over 32 bits of whole seconds lie 136 years; beyond that no expiry is sane.
        let narrow = |number| u32::try_from(number).map_err(|_| MalformedPayload);
        Ok(match marker {
            Marker::F64 => {
                self.marker()?;
                f64::from_bits(self.big_endian(8)?)
            }
            Marker::F32 => {
                self.marker()?;
                f32::from_bits(narrow(self.big_endian(4)?)?).into()
            }
            _ => narrow(self.unsigned()?)?.into(),
        })
    }

    /// Whether the next value is an array.
    pub(super) fn at_array(&self) -> Result<bool, MalformedPayload> {
        Ok(matches!(self.peek()?, Marker::FixArray(_) | Marker::Array16 | Marker::Array32))
    }

    /// The end: nothing may be left over.
    pub(super) fn finish(self) -> Result<(), MalformedPayload> {
        if self.rest.is_empty() { Ok(()) } else { Err(MalformedPayload) }
    }

    fn peek(&self) -> Result<Marker, MalformedPayload> {
        self.rest.first().map(|byte| Marker::from_u8(*byte)).ok_or(MalformedPayload)
    }

    fn marker(&mut self) -> Result<Marker, MalformedPayload> {
        let (byte, rest) = self.rest.split_first().ok_or(MalformedPayload)?;
        self.rest = rest;
        Ok(Marker::from_u8(*byte))
    }

    /// A number of so many bytes, at most eight.
    fn big_endian(&mut self, length: usize) -> Result<u64, MalformedPayload> {
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], MalformedPayload> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(MalformedPayload)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Writes values to the end of a byte string, in the widths that Keystone's own writer chooses.
///
/// Writing into memory cannot fail, which `rmp` has no way to say: hence the results let go.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn array(&mut self, length: usize) {
        let _ = rmp::encode::write_array_len(&mut self.bytes, claimed(length));
    }

    pub(super) fn unsigned(&mut self, number: u64) {
        let _ = rmp::encode::write_uint(&mut self.bytes, number);
    }

    pub(super) fn float(&mut self, number: f64) {
        let _ = rmp::encode::write_f64(&mut self.bytes, number);
    }

    pub(super) fn bool(&mut self, value: bool) {
        let _ = rmp::encode::write_bool(&mut self.bytes, value);
    }

    pub(super) fn nil(&mut self) {
        let _ = rmp::encode::write_nil(&mut self.bytes);
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) {
        let _ = rmp::encode::write_bin(&mut self.bytes, bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        let _ = rmp::encode::write_str(&mut self.bytes, text);
    }
}

/// A length that fits MessagePack's 32 bits; what is written here is never near them.
fn claimed(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn reads_bytes_and_texts_of_every_width() {
        for bytes in
            [&b"\xa2hi"[..], b"\xd9\x02hi", b"\xda\x00\x02hi", b"\xc4\x02hi", b"\xc5\x00\x02hi"]
        {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.bytes().unwrap(), b"hi");
            reader.finish().unwrap();
        }
    }

    #[test]
    fn believes_no_length() {
        for bytes in [
            &b"\xd9\xff"[..],
            b"\xc5\xff\xffhi",
            b"\xdb\xff\xff\xff\xffhi",
            b"\xc6\x7f\xff\xff\xffhi",
            b"\xda\x00",
            b"",
        ] {
            assert!(Reader::new(bytes).bytes().is_err());
        }
    }

    #[test]
    fn refuses_what_is_left_over() {
        let mut reader = Reader::new(b"\x01\x02");
        assert_eq!(reader.unsigned().unwrap(), 1);
        assert!(reader.finish().is_err());
    }

    #[test]
    fn refuses_negative_numbers() {
        assert!(Reader::new(b"\xff").unsigned().is_err());
        assert!(Reader::new(b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff").number().is_err());
    }

    #[test]
    fn reads_an_expiry_of_every_kind() {
        assert_eq!(
            Reader::new(b"\xcb\x41\xda\xc0\x9d\x78\x40\x00\x00").number(),
            Ok(1_795_323_361.0)
        );
        assert_eq!(Reader::new(b"\xce\x6b\x02\x75\xe1").number(), Ok(1_795_323_361.0));
        assert!(Reader::new(b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00").number().is_err());
    }
}
