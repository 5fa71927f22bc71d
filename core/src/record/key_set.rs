//! The keys that open Keystone's tokens: the answer to `GET /v1/token-keys`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, Serializer};

use crate::fernet::{Key, KeyRing};
use crate::json::{self, deserialize_as_json, from_fields};
use crate::jws::{PublicKey, PublicKeys};
use crate::secret::Secret;

/// Where the key set is served.
pub const TOKEN_KEYS_PATH: &str = "/v1/token-keys";

/// The most bytes of a key set. 32 Fernet keys and 8 public keys take less than four thousand.
pub const MAX_KEY_SET_BYTES: usize = 16 * 1024;

/// The keys that open Keystone's tokens: the answer to `GET /v1/token-keys`. There are keys of at least
/// one kind.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KeySet {
    /// In the order in which they are tried: the primary key first, the staged one last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fernet: Vec<FernetKey>,
    /// The public keys of the provider `jws`, in the order of their texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jws: Vec<JwsKey>,
}

/// One key of Keystone's key repository.
#[derive(Clone, Debug, Serialize)]
pub struct FernetKey {
    /// The name of its file: 0 for the staged key, the highest for the primary one.
    pub id: u32,
    /// What the file holds: 44 characters of padded base64url.
    #[serde(serialize_with = "write_text")]
    pub key: Secret,
}

/// One key of Keystone's repository of public keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct JwsKey {
    /// `SubjectPublicKeyInfo` in base64, as it stands in a PEM file.
    pub spki: String,
}

/// Why bytes are no key set. None of it shows a byte of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKeySet {
    /// Two keys with one id.
    DuplicateId(u32),
    /// A key that is not 44 characters of padded base64url.
    Key(u32),
    /// No Fernet key at all, or more than [`crate::fernet::MAX_KEYS`].
    KeyCount,
    /// A public key that is not on P-256, or not written as Keystone writes it; this is its index.
    JwsKey(usize),
    /// No public key at all, or more than [`crate::jws::MAX_KEYS`].
    JwsKeyCount,
    /// Not JSON of the right shape.
    Json,
    /// More than [`MAX_KEY_SET_BYTES`].
    TooLong,
}

from_fields! { KeySet { fernet or default, jws or default } }
from_fields! { FernetKey { id, key } }
from_fields! { JwsKey { spki } }
deserialize_as_json!(KeySet, FernetKey);

impl KeySet {
    /// Reads a key set from JSON.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidKeySet> {
        if json.len() > MAX_KEY_SET_BYTES {
            return Err(InvalidKeySet::TooLong);
        }
        json::read(json).map_err(|_| InvalidKeySet::Json)
    }

    /// The ring that these keys make.
    pub fn ring(&self) -> Result<KeyRing, InvalidKeySet> {
        let mut keys = Vec::new();
        for FernetKey { id, key } in &self.fernet {
            if keys.iter().any(|(other, _)| other == id) {
                return Err(InvalidKeySet::DuplicateId(*id));
            }
            let key = Key::from_text(key.expose()).map_err(|_| InvalidKeySet::Key(*id))?;
            keys.push((*id, key));
        }
        KeyRing::new(keys).ok_or(InvalidKeySet::KeyCount)
    }

    /// The public keys.
    pub fn public_keys(&self) -> Result<PublicKeys, InvalidKeySet> {
        if self.jws.len() > crate::jws::MAX_KEYS {
            return Err(InvalidKeySet::JwsKeyCount);
        }
        let mut keys = Vec::new();
        for (index, JwsKey { spki }) in self.jws.iter().enumerate() {
            let key = PublicKey::from_base64(spki.as_bytes());
            keys.push(key.map_err(|_| InvalidKeySet::JwsKey(index))?);
        }
        PublicKeys::new(keys).ok_or(InvalidKeySet::JwsKeyCount)
    }
}

impl fmt::Display for InvalidKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateId(id) => write!(f, "two keys have the id {id}"),
            Self::Key(id) => write!(f, "key {id} is not 44 characters of padded base64url"),
            Self::KeyCount => write!(f, "there are 1 to {} Fernet keys", crate::fernet::MAX_KEYS),
            Self::JwsKey(index) => {
                write!(f, "public key {index}: {}", crate::jws::InvalidPublicKey)
            }
            Self::JwsKeyCount => write!(f, "there are 1 to {} public keys", crate::jws::MAX_KEYS),
            Self::Json => f.write_str("not the JSON of a key set"),
            Self::TooLong => write!(f, "longer than {MAX_KEY_SET_BYTES} bytes"),
        }
    }
}

impl core::error::Error for InvalidKeySet {}

fn write_text<S: Serializer>(key: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    let text = core::str::from_utf8(key.expose()).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(text)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;

    const SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqQ4a7iHXifuRlrcRgniiP7IsFjX5AWLB/3KbEMU5G7NhILTkfO/Ne37VmClovHL8kVJmFZYjlkAV5GDvw9OJuQ==";
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    fn ring(json: &str) -> Result<usize, InvalidKeySet> {
        KeySet::from_json(json.as_bytes())?.ring().map(|ring| ring.len())
    }

    fn with_ids(ids: impl IntoIterator<Item = u32>) -> String {
        let keys: Vec<_> =
            ids.into_iter().map(|id| format!(r#"{{"id":{id},"key":"{KEY}"}}"#)).collect();
        format!(r#"{{"fernet":[{}]}}"#, keys.join(","))
    }

    #[test]
    fn is_read_as_it_is_written() {
        let json = with_ids([2, 1, 0]);
        assert_eq!(ring(&json), Ok(3));
        let keys = KeySet::from_json(json.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&keys).unwrap(), json);
    }

    fn public_keys(json: &str) -> Result<usize, InvalidKeySet> {
        KeySet::from_json(json.as_bytes())?.public_keys().map(|keys| keys.len())
    }

    fn with_public_keys(count: usize) -> String {
        let keys = alloc::vec![format!(r#"{{"spki":"{SPKI}"}}"#); count];
        format!(r#"{{"jws":[{}]}}"#, keys.join(","))
    }

    #[test]
    fn there_are_keys_of_either_kind_or_of_both() {
        let fernet = with_ids([1, 0]);
        assert_eq!(public_keys(&fernet), Err(InvalidKeySet::JwsKeyCount));
        let jws = with_public_keys(2);
        assert_eq!((public_keys(&jws), ring(&jws)), (Ok(2), Err(InvalidKeySet::KeyCount)));
        let both =
            format!("{},{}", fernet.strip_suffix('}').unwrap(), jws.strip_prefix('{').unwrap());
        assert_eq!((public_keys(&both), ring(&both)), (Ok(2), Ok(2)));
        for json in [fernet, jws, both] {
            let keys = KeySet::from_json(json.as_bytes()).unwrap();
            assert_eq!(serde_json::to_string(&keys).unwrap(), json);
        }
    }

    #[test]
    fn refuses_what_is_no_public_key() {
        for key in ["", "A", SPKI.strip_suffix('=').unwrap(), &SPKI[4..], &SPKI.replace('M', "N")] {
            let json = format!(r#"{{"jws":[{{"spki":"{SPKI}"}},{{"spki":"{key}"}}]}}"#);
            assert_eq!(public_keys(&json), Err(InvalidKeySet::JwsKey(1)), "{key}");
        }
        assert_eq!(public_keys(r#"{"jws":[{"spki":7}]}"#), Err(InvalidKeySet::Json));
        assert_eq!(public_keys(r#"{"jws":[{}]}"#), Err(InvalidKeySet::Json));
        assert_eq!(public_keys(&with_public_keys(9)), Err(InvalidKeySet::JwsKeyCount));
    }

    #[test]
    fn knows_fields_of_later_servers_as_strangers() {
        assert_eq!(
            ring(&format!(r#"{{"jws":[],"fernet":[{{"id":1,"key":"{KEY}","x":1}}]}}"#)),
            Ok(1)
        );
    }

    #[test]
    fn refuses_what_is_no_key_set() {
        assert_eq!(ring(""), Err(InvalidKeySet::Json));
        assert_eq!(ring("[]"), Err(InvalidKeySet::Json));
        assert_eq!(ring("{}"), Err(InvalidKeySet::KeyCount));
        assert_eq!(ring(r#"{"fernet":[{"id":-1,"key":""}]}"#), Err(InvalidKeySet::Json));
        assert_eq!(ring(r#"{"fernet":[{"id":1,"key":7}]}"#), Err(InvalidKeySet::Json));
        assert_eq!(ring(r#"{"fernet":[{"id":1,"key":"short"}]}"#), Err(InvalidKeySet::Key(1)));
        assert_eq!(ring(&with_ids([3, 1, 3])), Err(InvalidKeySet::DuplicateId(3)));
        assert_eq!(ring(&with_ids([])), Err(InvalidKeySet::KeyCount));
        assert_eq!(ring(&with_ids(0..33)), Err(InvalidKeySet::KeyCount));
        assert_eq!(ring(&" ".repeat(MAX_KEY_SET_BYTES + 1)), Err(InvalidKeySet::TooLong));
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_key() {
        let keys = KeySet::from_json(with_ids([1]).as_bytes()).unwrap();
        assert!(!format!("{keys:?}").contains("cw_0"));
        assert!(!InvalidKeySet::Key(1).to_string().contains("cw_0"));
    }
}
