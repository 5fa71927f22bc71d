//! The 64 lower-case hexadecimal digits that AWS writes a hash or a signature in.

use core::fmt;

use subtle::ConstantTimeEq as _;

/// 32 bytes as hexadecimal text.
#[derive(Clone, Copy)]
pub(super) struct Hex([u8; 64]);

impl Hex {
    /// Writes bytes out.
    pub(super) fn of(bytes: [u8; 32]) -> Self {
        let mut text = [b'0'; 64];
        for (digits, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            *digits = [byte >> 4, byte & 15].map(digit);
        }
        Self(text)
    }

    /// Takes over a text that is known to be right.
    pub(super) fn from_text(text: [u8; 64]) -> Self {
        Self(text)
    }

    /// Whether a client wrote the same text, in time that depends on the lengths only.
    pub(super) fn matches(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.0).unwrap_or_default())
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' - 10 + value }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn every_byte_has_two_lower_case_digits() {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&[0x00, 0x9a, 0xf0, 0xff]);
        let text = Hex::of(bytes).to_string();
        assert_eq!(text.len(), 64);
        assert!(text.starts_with("009af0ff00"));
    }

    #[test]
    fn only_the_same_text_matches() {
        let hex = Hex::of([0xab; 32]);
        assert!(hex.matches("ab".repeat(32).as_bytes()));
        assert!(!hex.matches("AB".repeat(32).as_bytes()));
        assert!(!hex.matches("ab".repeat(31).as_bytes()));
        assert!(!hex.matches(b""));
    }
}
