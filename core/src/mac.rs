//! HMAC-SHA-256 (RFC 2104) under keys of any length.

use hmac::{Hmac, KeyInit as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The state after the key block, to be cloned for each message.
///
/// The crate's constructor from a slice returns a `Result` that is never an error. The key block is
/// made here instead, as RFC 2104 (section 2) says: a key longer than a block is hashed, a shorter
/// one filled up with zeros.
pub(crate) fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; BLOCK_LENGTH]);
    let hashed;
    let key = if key.len() > BLOCK_LENGTH {
        hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
        &hashed[..]
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new((&*block).into())
}

const BLOCK_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;
    use hmac::Mac as _;

    #[test]
    fn is_the_crates_own_for_keys_of_every_length() {
        for length in [0, 1, 16, 32, 63, 64, 65, 200] {
            let key = vec![0xaa; length];
            let theirs = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(b"text");
            let ours = hmac_sha256(&key).chain_update(b"text");
            assert_eq!(ours.finalize().into_bytes(), theirs.finalize().into_bytes());
        }
    }
}
