//! What a credential has sealed in it: the secret, and through what its owner made it.

use std::fmt;

use serde::{Deserialize, Deserializer};
use voussoir_core::fernet::{Envelope, Key, KeyRing};
use voussoir_core::record::KeySet;
use voussoir_core::secret::Secret;
use zeroize::Zeroizing;

use crate::key_repository::{Incomplete, Repository};
use crate::metrics::Metrics;

/// The keys that open credentials: those of the credential key repository, and the null key, with
/// which Keystone seals as long as it has no other (`keystone/credential/providers/fernet/core.py`).
#[derive(Debug)]
pub(crate) struct CredentialKeys {
    ring: KeyRing,
    null: Key,
}

/// The fields of a blob that matter.
#[derive(Deserialize)]
pub(super) struct Blob {
    #[serde(default, deserialize_with = "read_text")]
    pub(super) access: Option<Secret>,
    #[serde(default, deserialize_with = "read_text")]
    pub(super) secret: Option<Secret>,
    pub(super) trust_id: Option<String>,
    pub(super) app_cred_id: Option<String>,
    pub(super) access_token_id: Option<String>,
}

/// Why a credential has no secret for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// What is sealed is no JSON object of an EC2 credential.
    Content,
    /// No key opens it.
    NoKey,
}

impl CredentialKeys {
    /// Opens what the column `encrypted_blob` holds.
    pub(super) fn open(&self, sealed: &str) -> Result<Blob, Closed> {
        // Fernet's own spelling has padding; the envelope's only spelling has none.
        let text = sealed.trim_end_matches('=').as_bytes();
        let envelope = Envelope::from_text(text, MAX_SEALED_BLOB).map_err(|_| Closed::Content)?;
        let opened = match envelope.open(&self.ring) {
            Ok(opened) => Some(opened),
            Err(voussoir_core::fernet::OpenError::NoKey(envelope)) => {
                envelope.open_with(&self.null)
            }
            Err(_) => None,
        };
        Blob::from_json(&Zeroizing::new(opened.ok_or(Closed::NoKey)?.payload))
    }
}

impl Blob {
    /// Keystone writes what its API was given, which is a text with JSON in it, as JSON once more.
    fn from_json(json: &[u8]) -> Result<Self, Closed> {
        let inner = serde_json::from_slice::<String>(json).map(Zeroizing::new);
        let json = inner.as_ref().map_or(json, |inner| inner.as_bytes());
        serde_json::from_slice(json).map_err(|_| Closed::Content)
    }
}

impl Repository for CredentialKeys {
    const NAME: &'static str = "credential key repository";

    fn from_keys(keys: &KeySet) -> Option<Self> {
        Some(Self { ring: keys.ring().ok()?, null: Key::new(&[0; 16], &[0; 16]) })
    }

    fn loaded(&self, metrics: &Metrics) {
        metrics.access_keys.credential_keys_loaded(self.ring.len());
    }

    fn confirmed(metrics: &Metrics) {
        metrics.access_keys.credential_keys_confirmed();
    }

    fn refused(metrics: &Metrics, why: &Incomplete) {
        metrics.access_keys.credential_keys_refused(why);
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blob(..)")
    }
}

fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| Secret::new(text.into_bytes())))
}

/// Far more than a blob with the longest access key and secret takes.
const MAX_SEALED_BLOB: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use voussoir_core::record::FernetKey;

    const KEYS: [&str; 2] = [
        "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=",
        "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA=",
    ];

    fn keys(texts: &[&str]) -> CredentialKeys {
        let key = |(id, text): (u32, &&str)| FernetKey { id, key: Secret::new((**text).into()) };
        CredentialKeys::from_keys(&KeySet {
            fernet: (0..).zip(texts).map(key).collect(),
            ..KeySet::default()
        })
        .unwrap()
    }

    fn sealed(key: &Key, payload: &str) -> String {
        let text = key.seal_text(1, &[7; 16], payload.as_bytes());
        // As Fernet writes it.
        let padding = (4 - text.len() % 4) % 4;
        format!("{text}{}", "=".repeat(padding))
    }

    fn key(text: &str) -> Key {
        Key::from_text(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_key_of_the_repository_and_the_null_key_open() {
        let json = r#"{"access": "AK", "secret": "hunter2"}"#;
        let null = Key::new(&[0; 16], &[0; 16]);
        for key in [&key(KEYS[0]), &key(KEYS[1]), &null] {
            let blob = keys(&KEYS).open(&sealed(key, json)).unwrap();
            assert!(blob.access.unwrap().matches(b"AK"));
            assert!(blob.secret.unwrap().matches(b"hunter2"));
        }
        let other = sealed(&key(KEYS[0]), json);
        assert_eq!(keys(&KEYS[1..]).open(&other).unwrap_err(), Closed::NoKey);
    }

    #[test]
    fn json_in_json_is_read_as_well() {
        let once = r#"{"secret": "s\"", "access": "a", "trust_id": null, "app_cred_id": "ac"}"#;
        let twice = serde_json::to_string(once).unwrap();
        for json in [once, &twice] {
            let blob = keys(&KEYS).open(&sealed(&key(KEYS[0]), json)).unwrap();
            assert!(blob.secret.unwrap().matches(b"s\""));
            assert_eq!((blob.trust_id, blob.app_cred_id), (None, Some("ac".into())));
            assert_eq!(blob.access_token_id, None);
        }
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        for json in ["", "7", "[]", "\"\"", "\"7\"", r#"{"secret": 7}"#, "{"] {
            let closed = keys(&KEYS).open(&sealed(&key(KEYS[0]), json)).unwrap_err();
            assert_eq!(closed, Closed::Content, "{json}");
        }
        for text in ["", "gAAAAA", "not base64!", &"A".repeat(MAX_SEALED_BLOB + 1)] {
            assert_eq!(keys(&KEYS).open(text).unwrap_err(), Closed::Content);
        }
    }
}
