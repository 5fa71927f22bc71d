//! The last byte of a body, kept until the whole of it is right.
//!
//! A service that got all but one byte has an incomplete request, which it must discard; so one byte
//! is enough to take a whole upload back.

use alloc::vec::Vec;

/// Lets everything pass but the newest byte.
#[derive(Debug, Default)]
pub(super) struct HoldBack(Option<u8>);

impl HoldBack {
    /// Passes on what came before the last of `bytes`.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some((last, bytes)) = bytes.split_last() else { return };
        out.reserve(bytes.len() + 1);
        out.extend(self.0.replace(*last));
        out.extend_from_slice(bytes);
    }

    /// Passes on the last byte.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        out.extend(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_newest_byte_stays_until_it_is_released() {
        let (mut held, mut out) = (HoldBack::default(), Vec::new());
        for (piece, passed) in
            [(&b""[..], &b""[..]), (b"a", b""), (b"", b""), (b"b", b"a"), (b"cde", b"abcd")]
        {
            held.pass(piece, &mut out);
            assert_eq!(out, passed);
        }
        held.release(&mut out);
        held.release(&mut out);
        assert_eq!(out, b"abcde");
    }
}
