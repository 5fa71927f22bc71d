//! Seals for shared data: whoever else writes there can neither read a key nor plant one.
//!
//! All plugins of a proxy that share a VM id (in Istio, all plugins there are) share one namespace
//! of shared data. So what is put there is encrypted and authenticated, under keys that follow from
//! this plugin's own configuration of its key server. Plugins with the same key server, cluster,
//! authority and bearer token, share the entry; to all others it is noise, and theirs is to us.
//!
//! The bearer token is what makes the seal's key a secret. Without one the seal keeps out accidents,
//! not somebody who knows the configuration.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Slot;
use crate::config::KeyServer;
use crate::fernet::{Envelope, Key};
use crate::mac::hmac_sha256;
use crate::record::MAX_KEY_SET_BYTES;
use crate::secret::Secret;

/// What seals and opens entries.
pub(super) struct Seal {
    namespace: String,
    key_set: SlotKeys,
    lease: SlotKeys,
}

/// Each slot has keys of its own: an entry that is copied to another slot does not open there.
struct SlotKeys {
    /// Encrypts and authenticates.
    key: Key,
    /// Derives the initialisation vector from what is sealed: entries need no randomness, and all
    /// that anybody can tell is whether two of them are equal.
    iv: Hmac<Sha256>,
}

impl Seal {
    pub(super) fn new(keyserver: &KeyServer) -> Self {
        let master = master(keyserver);
        let namespace = derive(&master, b"namespace");
        let (namespace, _) = namespace.split_at(8);
        Self {
            namespace: namespace
                .iter()
                .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}")),
            key_set: SlotKeys::new(&master, Slot::KeySet),
            lease: SlotKeys::new(&master, Slot::Lease),
        }
    }

    /// The slot's name in shared data.
    pub(super) fn slot_name(&self, slot: Slot) -> String {
        format!("voussoir/{ENCODING}/{}/{}", self.namespace, slot.name())
    }

    pub(super) fn seal(&self, slot: Slot, entry: &[u8]) -> Vec<u8> {
        let keys = self.keys(slot);
        let iv = first_half(&keys.iv.clone().chain_update(entry).finalize().into_bytes().into());
        keys.key.seal(0, &iv, entry)
    }

    /// `None` for whatever was not sealed here: torn, foreign, of another version.
    pub(super) fn open(&self, slot: Slot, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let envelope = Envelope::from_bytes(sealed.to_vec()).ok()?;
        envelope.open_with(&self.keys(slot).key).map(|opened| Zeroizing::new(opened.payload))
    }

    fn keys(&self, slot: Slot) -> &SlotKeys {
        match slot {
            Slot::KeySet => &self.key_set,
            Slot::Lease => &self.lease,
        }
    }
}

impl SlotKeys {
    fn new(master: &Hmac<Sha256>, slot: Slot) -> Self {
        let derived = |purpose| derive(master, format!("{} {purpose}", slot.name()).as_bytes());
        Self {
            key: Key::new(
                &Zeroizing::new(first_half(&derived("sign"))),
                &Zeroizing::new(first_half(&derived("encrypt"))),
            ),
            iv: hmac_sha256(&*derived("iv")),
        }
    }
}

impl Slot {
    fn name(self) -> &'static str {
        match self {
            Self::KeySet => "token-keys",
            Self::Lease => "token-keys-lease",
        }
    }
}

/// HKDF (RFC 5869) with one block of output: this is its extraction, [`derive()`] its expansion.
fn master(keyserver: &KeyServer) -> Hmac<Sha256> {
    let mut extract = hmac_sha256(b"voussoir shared data");
    let bearer_token = keyserver.bearer_token.as_ref().map(Secret::expose).unwrap_or_default();
    for part in [keyserver.cluster.as_bytes(), keyserver.authority.as_bytes(), bearer_token] {
        // With its length before it, no part can pass for the beginning of the next.
        extract.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        extract.update(part);
    }
    hmac_sha256(&*Zeroizing::new(<[u8; 32]>::from(extract.finalize().into_bytes())))
}

fn derive(master: &Hmac<Sha256>, label: &[u8]) -> Zeroizing<[u8; 32]> {
    let output = master.clone().chain_update(label).chain_update([1]).finalize().into_bytes();
    Zeroizing::new(output.into())
}

fn first_half(bytes: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(bytes) {
        *to = *from;
    }
    half
}

/// The version of what is in a slot; it is part of the slot's name, so that two versions of this
/// filter, while one replaces the other, do not read each other's entries.
const ENCODING: u32 = 1;

/// The longest entry that is looked at.
const MAX_SEALED: usize = 2 * MAX_KEY_SET_BYTES;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use core::time::Duration;

    fn seal(cluster: &str, token: &[u8]) -> Seal {
        Seal::new(&KeyServer {
            cluster: cluster.into(),
            authority: "keyserver".into(),
            timeout: Duration::from_secs(1),
            bearer_token: Some(Secret::new(token.to_vec())),
        })
    }

    #[test]
    fn opens_what_it_sealed() {
        let (ours, same) = (seal("a", b"token"), seal("a", b"token"));
        let sealed = ours.seal(Slot::KeySet, b"entry");
        assert_eq!(same.open(Slot::KeySet, &sealed).unwrap().as_slice(), b"entry");
        assert_eq!(ours.slot_name(Slot::KeySet), same.slot_name(Slot::KeySet));
    }

    #[test]
    fn opens_nothing_else() {
        let ours = seal("a", b"token");
        let sealed = ours.seal(Slot::KeySet, b"entry");
        assert!(ours.open(Slot::Lease, &sealed).is_none());
        assert!(seal("a", b"other").open(Slot::KeySet, &sealed).is_none());
        assert!(seal("b", b"token").open(Slot::KeySet, &sealed).is_none());
        assert!(ours.open(Slot::KeySet, b"").is_none());
        for length in 0..sealed.len() {
            assert!(ours.open(Slot::KeySet, &sealed[..length]).is_none());
        }
        for byte in 0..sealed.len() {
            let mut torn = sealed.clone();
            torn[byte] ^= 1;
            assert!(ours.open(Slot::KeySet, &torn).is_none());
        }
    }

    #[test]
    fn parts_of_the_configuration_do_not_run_together() {
        assert_ne!(
            seal("ab", b"c").slot_name(Slot::KeySet),
            seal("a", b"bc").slot_name(Slot::KeySet)
        );
    }

    #[test]
    fn what_is_sealed_cannot_be_read() {
        let sealed = seal("a", b"token").seal(Slot::KeySet, b"a key in the clear");
        assert!(!sealed.windows(3).any(|bytes| bytes == b"key"));
    }
}
