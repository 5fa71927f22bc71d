//! The envelope: its layout is checked before a key is asked for, its HMAC before anything is
//! decrypted.

use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Key, KeyRing};

/// A text with the layout of a Fernet token. Nothing of it can be trusted yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Invariant: at least `SHORTEST` bytes, the ciphertext a whole number of blocks.
    bytes: Vec<u8>,
}

/// An envelope whose HMAC a key verified, decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// When the token was made by its own words, in seconds since 1970. Keystone presents it as
    /// `issued_at` and decides nothing by it; neither may we.
    pub issued_at: u64,
    /// The id of the key that opened it; 0 where it was opened with a single key.
    pub key_id: u32,
    /// What was sealed in.
    pub payload: Vec<u8>,
}

/// A text that cannot be a Fernet token, whatever the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedEnvelope {
    /// Longer than the limit that the caller set.
    TooLong,
    /// Not the one canonical base64url spelling of any bytes: padding, white space, characters of
    /// another alphabet, or bits after the end. Keystone tolerates all of these, which gives one
    /// token endless spellings.
    NotBase64Url,
    /// The first byte is not 0x80, the only version of Fernet there is.
    Version,
    /// Too short, or the ciphertext is not a whole number of cipher blocks.
    Length,
}

/// Why an envelope was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// No key of the ring verifies its HMAC. It comes back, since the ring may be out of date.
    NoKey(Envelope),
    /// A key verifies the HMAC, but the padding inside is wrong. Whoever holds the key made it so.
    Padding,
}

impl Envelope {
    /// Reads the text of a token, of at most `max_length` bytes.
    pub fn from_text(text: &[u8], max_length: usize) -> Result<Self, MalformedEnvelope> {
        if text.len() > max_length {
            return Err(MalformedEnvelope::TooLong);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedEnvelope::NotBase64Url)?;
        Self::from_bytes(bytes)
    }

    /// Takes the binary form, without base64.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, MalformedEnvelope> {
        if bytes.len() < SHORTEST || !(bytes.len() - SHORTEST).is_multiple_of(BLOCK_LENGTH) {
            return Err(MalformedEnvelope::Length);
        }
        if bytes.first() != Some(&VERSION) {
            return Err(MalformedEnvelope::Version);
        }
        Ok(Self { bytes })
    }

    /// Opens the envelope with the first key of the ring that verifies its HMAC.
    pub fn open(self, ring: &KeyRing) -> Result<Opened, OpenError> {
        match ring.iter().find(|(_, key)| self.is_verified_by(key)) {
            Some((id, key)) => self.decrypt(id, key),
            None => Err(OpenError::NoKey(self)),
        }
    }

    /// Opens the envelope if this key verifies its HMAC.
    #[must_use]
    pub fn open_with(self, key: &Key) -> Option<Opened> {
        if self.is_verified_by(key) { self.decrypt(0, key).ok() } else { None }
    }

    fn is_verified_by(&self, key: &Key) -> bool {
        self.bytes
            .split_last_chunk::<MAC_LENGTH>()
            .is_some_and(|(signed, mac)| key.verifies(signed, mac))
    }

    /// Only to be called when the HMAC was verified.
    fn decrypt(mut self, key_id: u32, key: &Key) -> Result<Opened, OpenError> {
        let parts = self.bytes.split_last_chunk_mut::<MAC_LENGTH>().and_then(|(signed, _)| {
            let (_version, rest) = signed.split_first_mut()?;
            let (issued_at, rest) = rest.split_first_chunk_mut::<TIMESTAMP_LENGTH>()?;
            let (iv, ciphertext) = rest.split_first_chunk_mut::<BLOCK_LENGTH>()?;
            Some((issued_at, iv, ciphertext))
        });
        let (issued_at, iv, ciphertext) = parts.ok_or(OpenError::Padding)?;
        let issued_at = u64::from_be_bytes(*issued_at);
        let length = key.decrypt(iv, ciphertext).ok_or(OpenError::Padding)?.len();
        // What was decrypted in place becomes the payload, without a second allocation.
        self.bytes.truncate(PAYLOAD_START + length);
        self.bytes.drain(..PAYLOAD_START);
        Ok(Opened { issued_at, key_id, payload: self.bytes })
    }
}

impl Key {
    /// Seals `payload` and writes the envelope as the text of a token.
    #[must_use]
    pub fn seal_text(
        &self,
        issued_at: u64,
        iv: &[u8; BLOCK_LENGTH],
        payload: &[u8],
    ) -> alloc::string::String {
        URL_SAFE_NO_PAD.encode(self.seal(issued_at, iv, payload))
    }
}

/// Shows the length alone: a token is a credential.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({} bytes)", self.bytes.len())
    }
}

pub(super) const VERSION: u8 = 0x80;
pub(super) const BLOCK_LENGTH: usize = 16;
const TIMESTAMP_LENGTH: usize = 8;
const MAC_LENGTH: usize = 32;
const PAYLOAD_START: usize = 1 + TIMESTAMP_LENGTH + BLOCK_LENGTH;
/// One block of ciphertext: an empty payload is padded to a whole one.
const SHORTEST: usize = PAYLOAD_START + BLOCK_LENGTH + MAC_LENGTH;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;

    /// The example of the Fernet specification (`generate.json`), without its padding.
    const SPEC_KEY: &[u8] = b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const SPEC_TOKEN: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA";
    const SPEC_TIME: u64 = 499_162_800;

    fn ring(keys: &[Key]) -> KeyRing {
        KeyRing::new((1..).zip(keys.iter().cloned())).unwrap()
    }

    fn spec_iv() -> [u8; 16] {
        core::array::from_fn(|i| u8::try_from(i).unwrap())
    }

    #[test]
    fn seals_the_specifications_example() {
        let key = Key::from_text(SPEC_KEY).unwrap();
        assert_eq!(key.seal_text(SPEC_TIME, &spec_iv(), b"hello"), SPEC_TOKEN);
    }

    #[test]
    fn opens_the_specifications_example() {
        let ring = ring(&[Key::from_text(SPEC_KEY).unwrap()]);
        let opened = Envelope::from_text(SPEC_TOKEN.as_bytes(), 255).unwrap().open(&ring).unwrap();
        assert_eq!(opened, Opened { issued_at: SPEC_TIME, key_id: 1, payload: b"hello".to_vec() });
    }

    #[test]
    fn opens_with_every_key_of_the_ring_and_says_which() {
        let keys = [1, 2, 3].map(|n| Key::new(&[n; 16], &[n; 16]));
        for (id, key) in (1..).zip(&keys) {
            let sealed = Envelope::from_bytes(key.seal(7, &[9; 16], b"payload")).unwrap();
            assert_eq!(sealed.open(&ring(&keys)).unwrap().key_id, id);
        }
    }

    #[test]
    fn opens_payloads_of_every_length() {
        let key = Key::new(&[1; 16], &[2; 16]);
        let ring = ring(core::slice::from_ref(&key));
        for length in 0..100 {
            let payload = vec![0xa5; length];
            let sealed = Envelope::from_bytes(key.seal(7, &[9; 16], &payload)).unwrap();
            assert_eq!(sealed.open(&ring).unwrap().payload, payload);
        }
    }

    #[test]
    fn hands_back_what_no_key_verifies() {
        let sealed = Key::new(&[1; 16], &[2; 16]).seal(7, &[9; 16], b"payload");
        let envelope = Envelope::from_bytes(sealed).unwrap();
        let other = ring(&[Key::new(&[3; 16], &[2; 16])]);
        assert_eq!(envelope.clone().open(&other), Err(OpenError::NoKey(envelope)));
    }

    #[test]
    fn refuses_every_flipped_bit_and_every_cut() {
        let key = Key::new(&[1; 16], &[2; 16]);
        let ring = ring(core::slice::from_ref(&key));
        let sealed = key.seal(7, &[9; 16], b"a payload of two blocks");
        for bit in 0..sealed.len() * 8 {
            let mut bytes = sealed.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opened = Envelope::from_bytes(bytes).ok().and_then(|e| e.open(&ring).ok());
            assert_eq!(opened, None, "bit {bit}");
        }
        for length in 0..sealed.len() {
            let opened = Envelope::from_bytes(sealed[..length].to_vec())
                .ok()
                .and_then(|e| e.open(&ring).ok());
            assert_eq!(opened, None, "length {length}");
        }
    }

    #[test]
    fn looks_at_no_text_over_the_limit() {
        let text = SPEC_TOKEN.as_bytes();
        assert!(Envelope::from_text(text, text.len()).is_ok());
        assert_eq!(Envelope::from_text(text, text.len() - 1), Err(MalformedEnvelope::TooLong));
    }
}
