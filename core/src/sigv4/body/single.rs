//! A body whose one hash stands in `x-amz-content-sha256`: it is hashed on its way through.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::BodyError;
use super::hold_back::HoldBack;
use crate::sigv4::encoding::Hex;

/// A body with a hash that is only known to be right at its end.
#[derive(Debug)]
pub(super) struct Single {
    claimed: [u8; 32],
    hash: Sha256,
    held: HoldBack,
}

impl Single {
    pub(super) fn new(claimed: [u8; 32]) -> Self {
        Self { claimed, hash: Sha256::new(), held: HoldBack::default() }
    }

    /// Takes in a piece, and passes on all but the newest byte.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.hash.update(piece);
        self.held.pass(piece, out);
    }

    /// The body is all there: passes on the last byte, if the hash is right.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), BodyError> {
        let computed = core::mem::take(&mut self.hash).finalize();
        if !bool::from(computed.as_slice().ct_eq(&self.claimed)) {
            let (claimed, computed) = (Hex(&self.claimed), Hex(&computed));
            return Err(BodyError::ContentHash {
                claimed: claimed.to_string(),
                computed: computed.to_string(),
            });
        }
        self.held.release(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const BODY: &[u8] = b"Welcome to Amazon S3.";

    #[test]
    fn all_but_the_last_byte_passes_before_the_hash_is_known() {
        for cut in 0..=BODY.len() {
            let (mut single, mut out) = (Single::new(Sha256::digest(BODY).into()), Vec::new());
            single.push(&BODY[..cut], &mut out);
            assert_eq!(out, &BODY[..cut.saturating_sub(1)]);
            single.push(&BODY[cut..], &mut out);
            assert_eq!(out, &BODY[..BODY.len() - 1]);
            assert_eq!(single.end(&mut out), Ok(()));
            assert_eq!(out, BODY);
        }
    }

    #[test]
    fn a_wrong_hash_keeps_the_last_byte_and_tells_both() {
        let (mut single, mut out) = (Single::new(Sha256::digest(b"").into()), Vec::new());
        single.push(BODY, &mut out);
        let Err(BodyError::ContentHash { claimed, computed }) = single.end(&mut out) else {
            panic!("a wrong hash was accepted");
        };
        assert!(claimed.starts_with("e3b0c44298fc1c14"));
        // The AWS documentation's example of a PUT has this body and this hash.
        assert_eq!(computed, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
        assert_eq!(out, &BODY[..BODY.len() - 1]);
    }

    #[test]
    fn nothing_has_a_hash_too() {
        let mut out = Vec::new();
        assert_eq!(Single::new(Sha256::digest(b"").into()).end(&mut out), Ok(()));
        assert!(Single::new(Sha256::digest(b"a").into()).end(&mut out).is_err());
        assert!(out.is_empty());
    }
}
