//! The keys of one Keystone, in the order in which they are tried.

use alloc::vec::Vec;

use super::Key;

/// A key ring: the primary key first, then the older ones, the staged one last.
///
/// The order is that of Keystone (`keystone/common/fernet_utils.py`, `load_keys`): most tokens are
/// made with the primary key. The staged key makes no tokens yet, but it becomes the primary one
/// at the next rotation, so a ring that holds it opens tokens from right after a rotation that it
/// has not heard of.
#[derive(Clone, Debug)]
pub struct KeyRing(Vec<(u32, Key)>);

impl KeyRing {
    /// A ring of keys and their ids in the order in which they are to be tried; `None` without any
    /// key, or with more than [`MAX_KEYS`].
    pub fn new(keys: impl IntoIterator<Item = (u32, Key)>) -> Option<Self> {
        let keys: Vec<_> = keys.into_iter().take(MAX_KEYS + 1).collect();
        (1..=MAX_KEYS).contains(&keys.len()).then_some(Self(keys))
    }

    /// The keys with their ids, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Key)> {
        self.0.iter().map(|(id, key)| (*id, key))
    }

    /// How many keys there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a ring is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The most keys in a ring: each costs one HMAC for a token that none of them made. Keystone keeps
/// three by default (`[fernet_tokens] max_active_keys`).
pub const MAX_KEYS: usize = 32;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn holds_one_key_to_the_limit() {
        let keys = |n| (0..n).map(|id| (id, Key::new(&[1; 16], &[2; 16])));
        let limit = u32::try_from(MAX_KEYS).unwrap();
        assert!(KeyRing::new(keys(0)).is_none());
        assert!(KeyRing::new(keys(1)).is_some());
        assert_eq!(KeyRing::new(keys(limit)).unwrap().len(), MAX_KEYS);
        assert!(KeyRing::new(keys(limit + 1)).is_none());
    }
}
