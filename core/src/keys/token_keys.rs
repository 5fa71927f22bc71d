//! What opens tokens: keys of one Keystone, of the one kind or the other, or of both while it goes
//! over from one to the other.

use crate::fernet::KeyRing;
use crate::jws::PublicKeys;
use crate::record::{InvalidKeySet, KeySet};

/// Keys of at least one kind.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    /// What opens Fernet tokens.
    pub fernet: Option<KeyRing>,
    /// What signed tokens are verified with.
    pub jws: Option<PublicKeys>,
}

impl TokenKeys {
    /// The keys of a set that the key server sent.
    pub(super) fn read(set: &KeySet) -> Result<Self, InvalidKeySet> {
        let fernet = (!set.fernet.is_empty()).then(|| set.ring()).transpose()?;
        let jws = (!set.jws.is_empty()).then(|| set.public_keys()).transpose()?;
        if fernet.is_none() && jws.is_none() {
            return Err(InvalidKeySet::KeyCount);
        }
        Ok(Self { fernet, jws })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.fernet.as_ref().map_or(0, KeyRing::len) + self.jws.as_ref().map_or(0, PublicKeys::len)
    }

    /// The id of the Fernet key that tokens are made with.
    pub(super) fn primary(&self) -> Option<u32> {
        self.fernet.as_ref()?.iter().next().map(|(id, _)| id)
    }
}

impl From<KeyRing> for TokenKeys {
    fn from(ring: KeyRing) -> Self {
        Self { fernet: Some(ring), jws: None }
    }
}

impl From<PublicKeys> for TokenKeys {
    fn from(keys: PublicKeys) -> Self {
        Self { fernet: None, jws: Some(keys) }
    }
}
