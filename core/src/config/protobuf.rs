//! A `google.protobuf.Struct` in its binary form, read as JSON.
//!
//! Envoy hands a plugin the *serialised* message when its configuration is given as a `Struct`
//! (seen in 1.36 and 1.40; its documentation says JSON). Istio converts to JSON text itself.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Number;

use crate::json::{Json, Member, Members};

/// Reads a whole message; `None` when it is none, or nests deeper than [`MAX_DEPTH`].
pub(super) fn parse_struct(bytes: &[u8]) -> Option<Json> {
    read_struct(bytes, 0)
}

/// `message Struct { map<string, Value> fields = 1; }`
fn read_struct(mut bytes: &[u8], depth: u8) -> Option<Json> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (1, Wire::Bytes(entry)) = read_field(&mut bytes)? else {
            return None;
        };
        fields.push(read_entry(entry, depth)?);
    }
    // A map on the wire may repeat a key; a configuration that does is ambiguous.
    Members::new(fields).ok().map(Json::Object)
}

/// `map_entry { string key = 1; Value value = 2; }`
fn read_entry(mut bytes: &[u8], depth: u8) -> Option<Member> {
    let (mut name, mut value) = (String::new(), Json::Null);
    while !bytes.is_empty() {
        match read_field(&mut bytes)? {
            (1, Wire::Bytes(text)) => name = String::from_utf8(text.to_vec()).ok()?,
            (2, Wire::Bytes(message)) => value = read_value(message, depth)?,
            _ => return None,
        }
    }
    Some(Member { name, value })
}

/// `message Value { oneof kind { NullValue null_value = 1; double number_value = 2;
/// string string_value = 3; bool bool_value = 4; Struct struct_value = 5; ListValue list_value = 6; } }`
fn read_value(mut bytes: &[u8], depth: u8) -> Option<Json> {
    let depth = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
    let value = match read_field(&mut bytes)? {
        (1, Wire::Varint(_)) => Json::Null,
        (2, Wire::Double(number)) => {
            Json::Number(integer(number).or_else(|| Number::from_f64(number))?)
        }
        (3, Wire::Bytes(text)) => Json::text(String::from_utf8(text.to_vec()).ok()?),
        (4, Wire::Varint(truth)) => Json::Bool(truth != 0),
        (5, Wire::Bytes(message)) => read_struct(message, depth)?,
        (6, Wire::Bytes(message)) => read_list(message, depth)?,
        _ => return None,
    };
    bytes.is_empty().then_some(value)
}

/// `message ListValue { repeated Value values = 1; }`
fn read_list(mut bytes: &[u8], depth: u8) -> Option<Json> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (1, Wire::Bytes(message)) = read_field(&mut bytes)? else {
            return None;
        };
        values.push(read_value(message, depth)?);
    }
    Some(Json::List(values))
}

/// Every number of a `Struct` is a double; where JSON would have had an integer, so do we.
fn integer(number: f64) -> Option<Number> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "there is no other conversion; it is believed only when it comes back the same"
    )]
    let integer = Some(number as i64).filter(|integer| *integer as f64 == number)?;
    Some(Number::from(integer))
}

/// The values of a field, by wire type; groups and 32-bit numbers do not occur.
enum Wire<'a> {
    Varint(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

fn read_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let tag = read_varint(bytes)?;
    let value = match tag & 7 {
        0 => Wire::Varint(read_varint(bytes)?),
        1 => {
            let (number, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Wire::Double(f64::from_le_bytes(*number))
        }
        2 => {
            let length = usize::try_from(read_varint(bytes)?).ok()?;
            let (value, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Wire::Bytes(value)
        }
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// How deep values may nest. Our own configuration needs five levels.
const MAX_DEPTH: u8 = 16;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::json::Writer;
    use alloc::vec;

    #[test]
    fn reads_a_struct_as_envoy_serialises_it() {
        // {"a": 60, "b": {"c": [true, "x", null, 0.5]}}
        let bytes = b"\x0a\x0e\x0a\x01\x61\x12\x09\x11\x00\x00\x00\x00\x00\x00\x4e\x40\x0a\x28\x0a\x01\x62\x12\
            \x23\x2a\x21\x0a\x1f\x0a\x01\x63\x12\x1a\x32\x18\x0a\x02\x20\x01\x0a\x03\x1a\x01\x78\x0a\
            \x02\x08\x00\x0a\x09\x11\x00\x00\x00\x00\x00\x00\xe0\x3f";
        let mut written = Writer::default();
        written.value(&parse_struct(&bytes[..]).unwrap());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&written.into_text()).unwrap(),
            serde_json::json!({"a": 60, "b": {"c": [true, "x", null, 0.5]}})
        );
    }

    #[test]
    fn refuses_what_is_no_struct() {
        for bytes in [
            &b"\x0a"[..],                                        // cut
            b"\x0a\x05\x0a\x01a",                                // a length that lies
            b"\x12\x00",                                         // another field
            b"\x0a\x04\x0a\x02\xff\xff",                         // a key that is not UTF-8
            b"\x0a\x03\x0a\x01a\x0a\x03\x0a\x01a",               // a key twice
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // a varint without end
        ] {
            assert!(parse_struct(bytes).is_none(), "{bytes:x?}");
        }
    }

    #[test]
    fn does_not_follow_endless_nesting() {
        let mut value = vec![0x08, 0x00];
        for _ in 0..40 {
            let mut list = vec![0x0a, u8::try_from(value.len()).unwrap()];
            list.append(&mut value);
            value = vec![0x32, u8::try_from(list.len()).unwrap()];
            value.append(&mut list);
            if value.len() > 100 {
                break;
            }
        }
        assert!(read_value(&value, 0).is_none());
    }
}
