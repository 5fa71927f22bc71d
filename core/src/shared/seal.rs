//! Seals for shared data: whoever else writes there can neither read a key nor plant one.
//!
//! All plugins of a proxy that share a VM id (in Istio, all plugins there are) share one namespace
//! of shared data. So what is put there is encrypted and authenticated, under keys that follow from
//! this plugin's own configuration of its key server, or of Keystone. Plugins with the same one,
//! cluster, authority and secret, share the entry; to all others it is noise, and theirs is to us.
//!
//! Of a key server the bearer token is that secret. Without one the seal keeps out accidents,
//! not somebody who knows the configuration.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::Server;
use crate::fernet::{Envelope, Key};
use crate::mac::hmac_sha256;
use crate::secret::Secret;

/// What the keys of all slots follow from.
pub(crate) struct Seal {
    master: Hmac<Sha256>,
    namespace: String,
}

/// What seals and opens the entries of one slot, or of a family of slots with numbers.
///
/// Each has keys of its own: an entry that is copied to another slot does not open there. Within a
/// family it does, so an entry there has to tell what it is about.
pub(crate) struct SlotKeys {
    name: String,
    /// Encrypts and authenticates.
    key: Key,
    /// Derives the initialisation vector from what is sealed: entries need no randomness, and all
    /// that anybody can tell is whether two of them are equal.
    iv: Hmac<Sha256>,
    mac: Hmac<Sha256>,
}

impl Seal {
    pub(crate) fn new(server: &Server) -> Self {
        let master = master(server);
        let namespace = derive(&master, b"namespace");
        let (namespace, _) = namespace.split_at(8);
        let namespace =
            namespace.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
        Self { master, namespace }
    }

    /// The keys of a slot. Its label has no space in it, and no other slot has it.
    pub(crate) fn slot(&self, label: &str) -> SlotKeys {
        let derived = |purpose| derive(&self.master, format!("{label} {purpose}").as_bytes());
        SlotKeys {
            name: format!("voussoir/{ENCODING}/{}/{label}", self.namespace),
            key: Key::new(
                &Zeroizing::new(first_half(&derived("sign"))),
                &Zeroizing::new(first_half(&derived("encrypt"))),
            ),
            iv: hmac_sha256(&*derived("iv")),
            mac: hmac_sha256(&*derived("mac")),
        }
    }
}

impl SlotKeys {
    /// The slot's name in shared data.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of one of a family of slots.
    pub(crate) fn indexed_name(&self, index: usize) -> String {
        format!("{}/{index}", self.name)
    }

    pub(crate) fn seal(&self, entry: &[u8]) -> Vec<u8> {
        let iv = first_half(&self.iv.clone().chain_update(entry).finalize().into_bytes().into());
        self.key.seal(0, &iv, entry)
    }

    /// `None` for whatever was not sealed here: torn, foreign, of another version.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let envelope = Envelope::from_bytes(sealed.to_vec()).ok()?;
        envelope.open_with(&self.key).map(|opened| Zeroizing::new(opened.payload))
    }

    /// A keyed hash that nobody outside can compute, under a key for nothing else.
    pub(crate) fn mac(&self, data: &[u8]) -> [u8; 32] {
        self.mac.clone().chain_update(data).finalize().into_bytes().into()
    }
}

/// HKDF (RFC 5869) with one block of output: this is its extraction, [`derive()`] its expansion.
fn master(server: &Server) -> Hmac<Sha256> {
    let mut extract = hmac_sha256(b"voussoir shared data");
    let secret = server.secret.as_ref().map(Secret::expose).unwrap_or_default();
    for part in [server.cluster.as_bytes(), server.authority.as_bytes(), secret] {
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
const ENCODING: u32 = 2;

/// The longest entry that is looked at.
const MAX_SEALED: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;
    use core::time::Duration;

    fn seal(cluster: &str, token: &[u8]) -> Seal {
        Seal::new(&Server {
            cluster: cluster.into(),
            authority: "keyserver".into(),
            timeout: Duration::from_secs(1),
            secret: Some(Secret::new(token.to_vec())),
        })
    }

    fn slot(cluster: &str, token: &[u8]) -> SlotKeys {
        seal(cluster, token).slot("slot")
    }

    #[test]
    fn opens_what_it_sealed() {
        let (ours, same) = (slot("a", b"token"), slot("a", b"token"));
        let sealed = ours.seal(b"entry");
        assert_eq!(same.open(&sealed).unwrap().as_slice(), b"entry");
        assert_eq!(ours.name(), same.name());
    }

    #[test]
    fn opens_nothing_else() {
        let ours = slot("a", b"token");
        let sealed = ours.seal(b"entry");
        assert!(seal("a", b"token").slot("other").open(&sealed).is_none());
        assert!(slot("a", b"other").open(&sealed).is_none());
        assert!(slot("b", b"token").open(&sealed).is_none());
        assert!(ours.open(b"").is_none());
        for length in 0..sealed.len() {
            assert!(ours.open(&sealed[..length]).is_none());
        }
        for byte in 0..sealed.len() {
            let mut torn = sealed.clone();
            torn[byte] ^= 1;
            assert!(ours.open(&torn).is_none());
        }
        assert!(ours.open(&ours.seal(&vec![0; MAX_SEALED])).is_none());
    }

    #[test]
    fn parts_of_the_configuration_do_not_run_together() {
        assert_ne!(slot("ab", b"c").name(), slot("a", b"bc").name());
    }

    #[test]
    fn what_is_sealed_cannot_be_read() {
        let sealed = slot("a", b"token").seal(b"a key in the clear");
        assert!(!sealed.windows(3).any(|bytes| bytes == b"key"));
    }

    #[test]
    fn every_slot_has_its_own_name_and_keyed_hash() {
        let ours = seal("a", b"token");
        let (one, other) = (ours.slot("one"), ours.slot("other"));
        assert_ne!(one.name(), other.name());
        assert_ne!(one.indexed_name(1), one.indexed_name(2));
        assert!(one.indexed_name(1).starts_with(one.name()));
        assert_eq!(one.mac(b"data"), ours.slot("one").mac(b"data"));
        assert_ne!(one.mac(b"data"), one.mac(b"date"));
        assert_ne!(one.mac(b"data"), other.mac(b"data"));
        assert_ne!(one.mac(b"data"), seal("a", b"other").slot("one").mac(b"data"));
    }
}
