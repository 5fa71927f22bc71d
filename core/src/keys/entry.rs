//! What stands in the slots of shared data, before it is sealed.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::outcome::MAX_ETAG;
use crate::time::UnixTime;

/// The key set as it was fetched, for all workers.
pub(super) struct KeySetEntry {
    /// When the fetch that last confirmed it began.
    pub(super) confirmed_at: UnixTime,
    pub(super) etag: Option<String>,
    /// The body of the key server's answer.
    pub(super) json: Zeroizing<Vec<u8>>,
}

impl KeySetEntry {
    /// `confirmed at: u64 | length of the entity tag: u8 | entity tag | JSON`
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let etag = self.etag.as_deref().unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(9 + etag.len() + self.json.len()));
        bytes.extend_from_slice(&self.confirmed_at.as_micros().to_be_bytes());
        bytes.push(u8::try_from(etag.len()).unwrap_or_default());
        bytes.extend_from_slice(etag.as_bytes());
        bytes.extend_from_slice(&self.json);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (confirmed_at, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (etag, json) = rest.split_at_checked(usize::from(*length))?;
        let etag = core::str::from_utf8(etag).ok().filter(|etag| etag.len() <= MAX_ETAG)?;
        Some(Self {
            confirmed_at: UnixTime::from_micros(u64::from_be_bytes(*confirmed_at)),
            etag: (!etag.is_empty()).then(|| etag.into()),
            json: Zeroizing::new(json.to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_key_set_comes_back_as_it_was() {
        for etag in [None, Some(String::from("\"abc\""))] {
            let entry = KeySetEntry {
                confirmed_at: UnixTime::from_secs(7),
                etag,
                json: Zeroizing::new(b"{}".to_vec()),
            };
            let decoded = KeySetEntry::decode(&entry.encode()).unwrap();
            assert_eq!(decoded.confirmed_at, entry.confirmed_at);
            assert_eq!(decoded.etag, entry.etag);
            assert_eq!(decoded.json, entry.json);
        }
    }

    #[test]
    fn what_is_cut_is_no_entry() {
        assert!(KeySetEntry::decode(&[0; 8]).is_none());
        assert!(KeySetEntry::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 5, b'a']).is_none());
    }
}
