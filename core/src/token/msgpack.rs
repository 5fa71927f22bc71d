//! The few MessagePack types that Keystone's payloads are made of.
//!
//! The crate `rmp` knows the format's markers and numbers; around it stands what a reader of
//! untrusted bytes needs: nothing is allocated by a length that the bytes claim, nothing recurses,
//! and [`Reader::finish`] refuses what is left over. A deserialiser (`rmp-serde`) would bring
//! 65 KB into the module and accept more shapes than Keystone writes.

use alloc::vec::Vec;

use rmp::Marker;
use rmp::decode::RmpRead as _;

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
        let length = rmp::decode::read_array_len(&mut self.rest).map_err(|_| MalformedPayload)?;
        usize::try_from(length).map_err(|_| MalformedPayload)
    }

    /// An array that must have `length` elements.
    pub(super) fn array_of(&mut self, length: usize) -> Result<(), MalformedPayload> {
        if self.array()? == length { Ok(()) } else { Err(MalformedPayload) }
    }

    /// An integer of any width that is not negative.
    pub(super) fn unsigned(&mut self) -> Result<u64, MalformedPayload> {
        rmp::decode::read_int(&mut self.rest).map_err(|_| MalformedPayload)
    }

    pub(super) fn bool(&mut self) -> Result<bool, MalformedPayload> {
        rmp::decode::read_bool(&mut self.rest).map_err(|_| MalformedPayload)
    }

    /// A byte string or a text. MessagePack before 2013 had one type for both, and tokens packed
    /// by an old library still carry raw bytes as text.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], MalformedPayload> {
        let length = match self.marker()? {
            Marker::FixStr(length) => usize::from(length),
            Marker::Str8 | Marker::Bin8 => usize::from(self.u8()?),
            Marker::Str16 | Marker::Bin16 => {
                usize::from(self.rest.read_data_u16().map_err(|_| MalformedPayload)?)
            }
            _ => return Err(MalformedPayload),
        };
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(MalformedPayload)?;
        self.rest = rest;
        Ok(bytes)
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
        match self.peek()? {
            Marker::F64 => rmp::decode::read_f64(&mut self.rest).map_err(|_| MalformedPayload),
            Marker::F32 => {
                rmp::decode::read_f32(&mut self.rest).map(f64::from).map_err(|_| MalformedPayload)
            }
            // Over 32 bits of whole seconds lie 136 years; beyond that no expiry is sane.
            _ => u32::try_from(self.unsigned()?).map(f64::from).map_err(|_| MalformedPayload),
        }
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
        self.u8().map(Marker::from_u8)
    }

    fn u8(&mut self) -> Result<u8, MalformedPayload> {
        self.rest.read_u8().map_err(|_| MalformedPayload)
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
