//! Bytes that must not be seen: wiped when dropped, never printed, compared in constant time.

use alloc::vec::Vec;
use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// Secret bytes: a key, a bearer token.
///
/// There is no `PartialEq`; [`Secret::matches`] is the one way to compare, and it takes the same
/// time wherever the bytes differ. The length is not hidden.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes of a secret.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves, for the cipher or the header that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether `other` is the same secret, in time that depends on the lengths only.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        let (own, own_rest) = self.0.as_chunks::<8>();
        let (other, other_rest) = other.as_chunks::<8>();
        // Word by word: byte by byte it takes as long as all else that a known token costs. Which of them
        // differ is never looked at, only whether any bit of all does: `any` would stop at the first.
        let difference = own.iter().zip(other).fold(0, |all, (own, other)| {
            all | (u64::from_ne_bytes(*own) ^ u64::from_ne_bytes(*other))
        });
        let words = difference.ct_eq(&0);
        let is_as_long = Choice::from(u8::from(own.len() == other.len()));
        (is_as_long & words & own_rest.ct_eq(other_rest)).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", Secret::new(b"hunter2".to_vec())), "Secret(..)");
    }

    #[test]
    fn matches_only_the_same_bytes() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert!(secret.matches(b"hunter2"));
        assert!(!secret.matches(b"hunter3"));
        assert!(!secret.matches(b"hunter22"));
        assert!(!secret.matches(b""));
    }

    #[test]
    fn every_byte_counts_whatever_the_length() {
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).collect();
            let secret = Secret::new(bytes.clone());
            assert!(secret.matches(&bytes));
            for place in 0..bytes.len() {
                let mut other = bytes.clone();
                other[place] ^= 0x80;
                assert!(!secret.matches(&other), "byte {place} of {length}");
                assert!(!secret.matches(&bytes[..place]));
                assert!(!secret.matches(&bytes[place + 1..]));
            }
        }
    }
}
