//! One Fernet key, prepared for use: the HMAC's state after the key block and the cipher's round
//! keys are computed once, not for every token.

use alloc::vec::Vec;
use core::fmt;

use aes::{Aes128Dec, Aes128Enc};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::envelope::{BLOCK_LENGTH, VERSION};
use crate::mac::hmac_sha256;

/// A Fernet key: 16 bytes that sign, 16 bytes that encrypt.
///
/// `Debug` does not show it, and its parts are wiped when it is dropped. Fernet is symmetric:
/// whoever holds a key can make tokens for anyone.
#[derive(Clone)]
pub struct Key {
    mac: Hmac<Sha256>,
    encrypt: Aes128Enc,
    decrypt: Aes128Dec,
}

/// A text that is no Fernet key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl Key {
    /// A key from its two halves.
    #[must_use]
    pub fn new(signing: &[u8; 16], encryption: &[u8; 16]) -> Self {
        Self {
            mac: hmac_sha256(signing),
            encrypt: Aes128Enc::new(encryption.into()),
            decrypt: Aes128Dec::new(encryption.into()),
        }
    }

    /// Reads a key as Keystone's key repository holds it: the 44 characters of padded base64url.
    pub fn from_text(text: &[u8]) -> Result<Self, InvalidKey> {
        if text.len() != TEXT_LENGTH {
            return Err(InvalidKey);
        }
        let bytes = Zeroizing::new(URL_SAFE.decode(text).map_err(|_| InvalidKey)?);
        let ([signing, encryption], []) = bytes.as_chunks::<16>() else {
            return Err(InvalidKey);
        };
        Ok(Self::new(signing, encryption))
    }

    /// Whether `mac` is the HMAC of `signed`, compared in constant time.
    pub(super) fn verifies(&self, signed: &[u8], mac: &[u8]) -> bool {
        self.mac.clone().chain_update(signed).verify_slice(mac).is_ok()
    }

    /// Decrypts in place; `None` when the padding is not PKCS #7.
    pub(super) fn decrypt<'a>(
        &self,
        iv: &[u8; BLOCK_LENGTH],
        ciphertext: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        cbc::Decryptor::inner_iv_init(self.decrypt.clone(), iv.into())
            .decrypt_padded::<Pkcs7>(ciphertext)
            .ok()
    }

    /// Seals `payload`; the result is the binary form of an envelope.
    ///
    /// `iv` must be unpredictable, or derived from the payload under another key.
    #[must_use]
    pub fn seal(&self, issued_at: u64, iv: &[u8; BLOCK_LENGTH], payload: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(payload.len() + 5 * BLOCK_LENGTH);
        sealed.push(VERSION);
        sealed.extend_from_slice(&issued_at.to_be_bytes());
        sealed.extend_from_slice(iv);

        let mut encryptor = cbc::Encryptor::inner_iv_init(self.encrypt.clone(), iv.into());
        let (blocks, tail) = payload.as_chunks::<BLOCK_LENGTH>();
        for block in blocks {
            let mut block = (*block).into();
            encryptor.encrypt_block(&mut block);
            sealed.extend_from_slice(&block);
        }
        // PKCS #7 (RFC 5652, section 6.3): the last block is filled with the count of filling bytes.
        let mut last = [u8::try_from(BLOCK_LENGTH - tail.len()).unwrap_or_default(); BLOCK_LENGTH];
        for (to, from) in last.iter_mut().zip(tail) {
            *to = *from;
        }
        let mut last = last.into();
        encryptor.encrypt_block(&mut last);
        sealed.extend_from_slice(&last);

        let mac = self.mac.clone().chain_update(&sealed).finalize().into_bytes();
        sealed.extend_from_slice(&mac);
        sealed
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Fernet key is 44 characters of padded base64url")
    }
}

impl core::error::Error for InvalidKey {}

/// 32 bytes in padded base64.
const TEXT_LENGTH: usize = 44;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;

    #[test]
    fn reads_the_text_of_a_key_file() {
        assert!(Key::from_text(b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").is_ok());
    }

    #[test]
    fn refuses_every_other_text() {
        for text in [
            &b""[..],
            b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4",
            b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n",
            b"cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=",
            b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e5=",
            b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF\xff\xff\xff=",
        ] {
            assert_eq!(Key::from_text(text).unwrap_err(), InvalidKey);
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(format!("{:?}", Key::new(&[1; 16], &[2; 16])), "Key(..)");
    }
}
