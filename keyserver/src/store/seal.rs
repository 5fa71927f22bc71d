//! The seal on a secret: Fernet, with keys from a file that lies outside the database.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use voussoir_core::fernet::{Envelope, Key, KeyRing, MAX_KEYS};
use voussoir_core::secret::Secret;
use voussoir_core::time::UnixTime;
use zeroize::Zeroizing;

use crate::reload::FromFiles;

/// The keys of a store: the first seals, all of them open. A key is replaced by putting a new one
/// before it.
#[derive(Debug)]
pub(crate) struct StoreKeys(KeyRing);

/// What is sealed. With the access key in it, a seal cannot be moved to another row, whose user it
/// would then sign for.
#[derive(Deserialize, Serialize)]
struct Sealed<'a> {
    #[serde(borrow)]
    access_key: Cow<'a, str>,
    /// Borrowed unless the text has escapes in it; those that we make have none.
    #[serde(borrow)]
    secret: Cow<'a, str>,
}

/// Why a file holds no keys of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidStoreKeys {
    /// This line is not a key.
    Line(usize),
    /// No key, or more than [`MAX_KEYS`].
    Count,
}

impl StoreKeys {
    /// Opens the seal of an access key's secret; `None` if no key does, or it is another's.
    pub(super) fn open(&self, access_key: &str, sealed: &str) -> Option<Secret> {
        let envelope = Envelope::from_text(sealed.as_bytes(), MAX_SEALED).ok()?;
        let payload = Zeroizing::new(envelope.open(&self.0).ok()?.payload);
        let sealed: Sealed<'_> = serde_json::from_slice(&payload).ok()?;
        let secret = Secret::new(sealed.secret.into_owned().into_bytes());
        (sealed.access_key == access_key).then_some(secret)
    }

    /// Seals the secret of an access key. Both are plain ASCII.
    pub(crate) fn seal(
        &self,
        access_key: &str,
        secret: &Secret,
        now: UnixTime,
    ) -> Result<String, getrandom::Error> {
        let mut iv = [0; 16];
        getrandom::fill(&mut iv)?;
        let secret = str::from_utf8(secret.expose()).unwrap_or_default();
        // The whole capacity at once: growing would leave copies of the secret behind.
        let capacity = 64 + 2 * (access_key.len() + secret.len());
        let mut payload = Zeroizing::new(Vec::with_capacity(capacity));
        let sealed = Sealed { access_key: access_key.into(), secret: secret.into() };
        // Two texts into memory: nothing of that can fail.
        let _infallible = serde_json::to_writer(&mut *payload, &sealed);
        let first = self.0.iter().next().map(|(_, key)| key);
        Ok(first.map(|key| key.seal_text(now.as_secs(), &iv, &payload)).unwrap_or_default())
    }
}

impl FromFiles for StoreKeys {
    const FILES: &'static str = "store-key";
    type Error = InvalidStoreKeys;

    fn from_files(contents: &[Secret]) -> Result<Self, InvalidStoreKeys> {
        let mut keys = Vec::new();
        let lines = contents.iter().flat_map(|text| text.expose().split(|byte| *byte == b'\n'));
        for (number, line) in (1..).zip(lines) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let id = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            keys.push((id, Key::from_text(line).map_err(|_| InvalidStoreKeys::Line(number))?));
        }
        KeyRing::new(keys).map(Self).ok_or(InvalidStoreKeys::Count)
    }
}

impl fmt::Display for InvalidStoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(
                f,
                "line {number} of the store key file is not 44 characters of padded base64url, as \
                 `voussoir-keyserver keys create` writes it"
            ),
            Self::Count => write!(f, "a store key file holds 1 to {MAX_KEYS} keys"),
        }
    }
}

impl std::error::Error for InvalidStoreKeys {}

/// The longest access key with the longest secret takes less.
const MAX_SEALED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const OTHER: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=";

    fn keys(text: &str) -> Result<StoreKeys, InvalidStoreKeys> {
        StoreKeys::from_files(&[Secret::new(text.into())])
    }

    #[test]
    fn a_new_key_seals_and_the_old_ones_open() {
        let secret = Secret::new(b"hunter2".to_vec());
        let seal = |keys: &StoreKeys| keys.seal("AK", &secret, UnixTime::from_secs(1)).unwrap();
        let (one, other) = (keys(ONE).unwrap(), keys(OTHER).unwrap());
        let both = keys(&format!("# new\n{OTHER}\n\n{ONE}\r\n")).unwrap();
        assert!(both.open("AK", &seal(&one)).unwrap().matches(b"hunter2"));
        assert!(other.open("AK", &seal(&both)).unwrap().matches(b"hunter2"));
        assert!(one.open("AK", &seal(&both)).is_none());
        assert!(!seal(&one).contains("hunter2"));
        assert_ne!(seal(&one), seal(&one));
    }

    #[test]
    fn a_seal_belongs_to_its_access_key() {
        let keys = keys(ONE).unwrap();
        let sealed = keys.seal("MINE", &Secret::new(b"s".to_vec()), UnixTime::from_secs(1));
        assert!(keys.open("YOURS", &sealed.unwrap()).is_none());
    }

    #[test]
    fn refuses_files_that_hold_no_keys() {
        assert_eq!(keys("").unwrap_err(), InvalidStoreKeys::Count);
        assert_eq!(keys(&format!("{ONE}\nhunter2")).unwrap_err(), InvalidStoreKeys::Line(2));
        assert_eq!(
            keys(&format!("{ONE}\n").repeat(MAX_KEYS + 1)).unwrap_err(),
            InvalidStoreKeys::Count
        );
    }

    #[test]
    fn the_longest_secret_of_the_longest_access_key_fits() {
        let keys = keys(ONE).unwrap();
        let (access_key, secret) = ("\"".repeat(128), Secret::new(vec![b'\\'; 1024]));
        let sealed = keys.seal(&access_key, &secret, UnixTime::from_secs(1)).unwrap();
        assert!(sealed.len() <= MAX_SEALED, "{}", sealed.len());
        assert!(keys.open(&access_key, &sealed).is_some());
    }
}
