//! The query of a request: its parameters as they arrived, and its canonical form.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::encoding::{self, MalformedEncoding, Plus};
use crate::head;
use crate::sorted::sorted;

/// A query, without its question mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    text: &'a [u8],
}

/// One parameter, both sides as the wire has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Query<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text }
    }

    /// The parameters in order.
    pub(super) fn parameters(self) -> impl Iterator<Item = Parameter<'a>> {
        head::parameters(self.text).map(|(name, value)| Parameter { name, value })
    }

    /// The decoded value of the first parameter of exactly this name.
    pub(super) fn value(self, name: &[u8]) -> Option<Result<Cow<'a, [u8]>, MalformedEncoding>> {
        let parameter = self.parameters().find(|parameter| parameter.name == name)?;
        Some(encoding::decode(parameter.value, Plus::Space))
    }

    /// Appends the canonical query, without the parameters of exactly the name `except`.
    ///
    /// Names and values are decoded once and encoded once, so that however a client spelt them, one
    /// text remains. They are sorted as they are encoded, byte by byte: in AWS's words "sort the
    /// parameter names by character code point", after encoding. The two orders differ.
    pub(super) fn append_canonical(
        self,
        to: &mut Vec<u8>,
        except: Option<&[u8]>,
    ) -> Result<(), MalformedEncoding> {
        let mut encoded = Vec::new();
        for Parameter { name, value } in self.parameters() {
            if Some(name) != except {
                encoded.push((encode_again(name)?, encode_again(value)?));
            }
        }
        for (index, (name, value)) in sorted(encoded).into_iter().enumerate() {
            if index > 0 {
                to.push(b'&');
            }
            to.extend_from_slice(&name);
            to.push(b'=');
            to.extend_from_slice(&value);
        }
        Ok(())
    }
}

fn encode_again(text: &[u8]) -> Result<Cow<'_, [u8]>, MalformedEncoding> {
    if encoding::stands_for_itself(text) {
        return Ok(text.into());
    }
    let mut encoded = Vec::with_capacity(text.len());
    encoding::encode(&mut encoded, &encoding::decode(text, Plus::Space)?);
    Ok(encoded.into())
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::String;

    fn canonical_bytes(text: &[u8], except: Option<&[u8]>) -> Result<Vec<u8>, MalformedEncoding> {
        let mut canonical = Vec::from(*b"/\n");
        Query::new(text).append_canonical(&mut canonical, except)?;
        Ok(canonical.strip_prefix(b"/\n").unwrap().to_vec())
    }

    fn canonical(text: &str) -> String {
        String::from_utf8(canonical_bytes(text.as_bytes(), None).unwrap()).unwrap()
    }

    #[test]
    fn a_parameter_without_a_value_gets_an_empty_one() {
        assert_eq!(canonical(""), "");
        assert_eq!(canonical("acl"), "acl=");
        assert_eq!(canonical("acl="), "acl=");
        assert_eq!(canonical("=v"), "=v");
        assert_eq!(canonical("="), "=");
        assert_eq!(canonical("&&b&&a&"), "a=&b=");
        assert_eq!(canonical("a=b=c"), "a=b%3Dc");
    }

    #[test]
    fn sorts_by_encoded_name_and_then_by_encoded_value() {
        assert_eq!(canonical("b=2&a=2&B=1&a=1&a=10&a"), "B=1&a=&a=1&a=10&a=2&b=2");
        // Decoded, `!` comes before `-`, and `/` before `0`; encoded both begin with a percent
        // sign.
        assert_eq!(canonical("-=1&!=2"), "%21=2&-=1");
        assert_eq!(canonical("a-b=1&a=2"), "a=2&a-b=1");
        assert_eq!(canonical("p=~&p=%C3%A9&p=z"), "p=%C3%A9&p=z&p=~");
    }

    #[test]
    fn every_spelling_of_a_character_becomes_one() {
        assert_eq!(canonical("a=%7e*%c3%a9%41"), "a=~%2A%C3%A9A");
        assert_eq!(canonical("a=x+y%20z%2B"), "a=x%20y%20z%2B");
        assert_eq!(canonical("a=x;y&b=%3B,/:@"), "a=x%3By&b=%3B%2C%2F%3A%40");
        assert_eq!(canonical("a=%00"), "a=%00");
    }

    #[test]
    fn bytes_need_not_be_text() {
        assert_eq!(canonical_bytes(b"\xff=%fe\n", None).unwrap(), b"%FF=%FE%0A");
    }

    #[test]
    fn leaves_out_only_the_parameter_of_exactly_that_name() {
        let canonical = canonical_bytes(b"S=1&s=2&%53=3&T=4", Some(b"S"));
        assert_eq!(canonical.unwrap(), b"S=3&T=4&s=2");
    }

    #[test]
    fn refuses_a_percent_sign_without_two_digits() {
        for text in [&b"a=100%"[..], b"%=1", b"a=%4"] {
            assert!(canonical_bytes(text, None).is_err());
        }
    }
}
