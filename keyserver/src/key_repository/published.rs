//! A key set as it goes out: the bytes of the answer and their entity tag, made once per rotation
//! and not per request.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::http::HeaderValue;
use sha2::{Digest as _, Sha256};
use tracing::info;
use voussoir_core::record::KeySet;
use zeroize::Zeroizing;

use super::{Incomplete, Repository};
use crate::metrics::Metrics;

/// The answer to `GET /v1/token-keys`.
pub(crate) struct Published {
    /// The JSON. It is wiped when the last copy of this handle is dropped.
    pub(crate) json: Bytes,
    /// A strong entity tag (RFC 9110, section 8.8.3) in its quotes.
    pub(crate) etag: HeaderValue,
    /// The ids of the Fernet keys, the primary one first.
    pub(crate) ids: Vec<u32>,
    /// How many public keys there are.
    pub(crate) public_keys: usize,
}

impl Published {
    /// Writes the key set down. The same keys give the same bytes and tag on every replica. `None`
    /// if it cannot be written, which does not happen to keys that are text.
    pub(crate) fn new(keys: &KeySet) -> Option<Self> {
        // Room for all of it at once: growing would leave copies of keys behind.
        let mut json =
            Zeroizing::new(Vec::with_capacity(32 + 96 * keys.fernet.len() + 160 * keys.jws.len()));
        serde_json::to_writer(&mut *json, keys).ok()?;

        let mut etag = String::from("\"");
        for byte in Sha256::digest(&json).iter().take(ETAG_BYTES) {
            let _infallible = write!(etag, "{byte:02x}");
        }
        etag.push('"');
        Some(Self {
            json: Bytes::from_owner(json),
            etag: HeaderValue::try_from(etag).ok()?,
            ids: keys.fernet.iter().map(|key| key.id).collect(),
            public_keys: keys.jws.len(),
        })
    }

    /// The id of the key that makes Fernet tokens; 0 where there is none.
    pub(crate) fn primary(&self) -> u32 {
        self.ids.first().copied().unwrap_or_default()
    }
}

impl Repository for Published {
    const NAME: &'static str = "key repository";

    fn from_keys(keys: &KeySet) -> Option<Self> {
        Self::new(keys)
    }

    fn loaded(&self, metrics: &Metrics) {
        let etag = self.etag.to_str().unwrap_or_default().trim_matches('"');
        let Self { ids, public_keys, .. } = self;
        info!(primary = self.primary(), ?ids, public_keys, etag, "serving a new set of keys");
        metrics.keys_loaded(self);
    }

    fn confirmed(metrics: &Metrics) {
        metrics.keys_confirmed();
    }

    fn refused(metrics: &Metrics, why: &Incomplete) {
        metrics.snapshot_refused(why);
    }
}

/// 128 bits of the hash: no two key sets will ever share them.
const ETAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use voussoir_core::record::{FernetKey, JwsKey};
    use voussoir_core::secret::Secret;

    fn keys(ids: &[u32]) -> KeySet {
        let key =
            |id: &u32| FernetKey { id: *id, key: Secret::new(format!("{id:0>42}A=").into_bytes()) };
        KeySet { fernet: ids.iter().map(key).collect(), ..KeySet::default() }
    }

    #[test]
    fn the_tag_is_a_function_of_the_keys() {
        let one = Published::new(&keys(&[2, 1, 0])).unwrap();
        let same = Published::new(&keys(&[2, 1, 0])).unwrap();
        let other = Published::new(&keys(&[3, 2, 0])).unwrap();
        assert_eq!(one.etag, same.etag);
        assert_ne!(one.etag, other.etag);
        assert_eq!(one.etag.len(), 34);
    }

    #[test]
    fn the_most_keys_fit_the_space_set_aside() {
        let ids: Vec<u32> = (0..32).map(|n| u32::MAX - n).collect();
        let key = JwsKey { spki: "A".repeat(124) };
        let keys = KeySet { jws: vec![key; 8], ..keys(&ids) };
        let json = Published::new(&keys).unwrap().json;
        assert!(json.len() <= 32 + 96 * 32 + 160 * 8);
        let read = KeySet::from_json(&json).unwrap();
        assert_eq!((read.ring().unwrap().len(), read.jws), (32, keys.jws));
    }
}
