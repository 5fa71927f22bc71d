//! The level that is one worker's own: no call of the host on a hit.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};
use core::num::NonZeroUsize;
use core::time::Duration;

use lru::LruCache;
use siphasher::sip::SipHasher13;

use super::AccessKey;
use crate::record::{AccessKeyFault, Change};
use crate::refusal::Unknown;
use crate::sigv4::Credential;
use crate::time::UnixTime;

/// What this worker knows of access keys; the least recently used goes first.
pub(super) struct Local {
    keys: LruCache<Credential, Held, Seeded>,
    /// How many keys there are of each access key.
    counts: BTreeMap<String, usize>,
    /// The access keys that open nothing, or of which nothing can be known for a moment.
    nothing: LruCache<String, Nothing, Seeded>,
}

/// A key.
pub(super) struct Held {
    pub(super) key: Rc<AccessKey>,
    /// When the call that brought it was made.
    pub(super) confirmed_at: UnixTime,
    /// When to fetch it anew behind a request that it serves.
    pub(super) refresh_at: UnixTime,
    /// Whether something may have changed since, so that it serves nobody before it was confirmed;
    /// unless that cannot be had.
    pub(super) is_suspect: bool,
}

/// An access key without one.
#[derive(Clone, Copy)]
pub(super) struct Nothing {
    pub(super) verdict: Result<AccessKeyFault, Unknown>,
    pub(super) until: UnixTime,
}

/// Hashes with a key of this worker's own: who chooses what is hashed cannot choose where it goes.
#[derive(Clone)]
pub(super) struct Seeded(u64);

impl Local {
    /// With room for so many keys, and for so many access keys without one.
    pub(super) fn new(entries: usize, seed: u64) -> Self {
        Self {
            keys: bounded(entries, seed),
            counts: BTreeMap::new(),
            nothing: bounded(entries, seed),
        }
    }

    pub(super) fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The key of a credential, however old; it counts as used.
    pub(super) fn held(&mut self, credential: &Credential) -> Option<&Held> {
        self.keys.get(credential)
    }

    /// The same, and it does not count.
    pub(super) fn peek(&self, credential: &Credential) -> Option<&Held> {
        self.keys.peek(credential)
    }

    pub(super) fn held_mut(&mut self, credential: &Credential) -> Option<&mut Held> {
        self.keys.peek_mut(credential)
    }

    /// Whether an access key is known to open nothing now.
    pub(super) fn nothing(&self, access_key: &str, now: UnixTime) -> Option<&Nothing> {
        self.nothing.peek(access_key).filter(|nothing| now < nothing.until)
    }

    /// Keeps a key: whether another had to make room for it.
    pub(super) fn hold(&mut self, held: Held) -> bool {
        let access_key = &held.key.credential.access_key;
        self.nothing.pop(access_key);
        *self.counts.entry(access_key.clone()).or_default() += 1;
        // What comes back was there under the same name, or had to make room.
        let credential = held.key.credential.clone();
        let Some((gone, _)) = self.keys.push(credential.clone(), held) else { return false };
        self.count_down(&gone.access_key);
        gone != credential
    }

    /// An access key opens nothing, or nothing can be known of it; in the first case none of its
    /// keys is held any more, for whatever day, region and service.
    pub(super) fn forget(&mut self, access_key: &str, nothing: Nothing) {
        if nothing.verdict.is_ok() && self.counts.contains_key(access_key) {
            let is_of_it = |credential: &&Credential| credential.access_key == access_key;
            let all = self.keys.iter().map(|(credential, _)| credential);
            let gone: Vec<_> = all.filter(is_of_it).cloned().collect();
            for credential in gone {
                self.keys.pop(&credential);
            }
            self.counts.remove(access_key);
        }
        self.nothing.put(access_key.into(), nothing);
    }

    /// Lets go of all that a change is about.
    pub(super) fn changed(&mut self, change: &Change) {
        match change {
            Change::All => {
                self.keys.iter_mut().for_each(|(_, held)| held.is_suspect = true);
                self.nothing.clear();
            }
            // It may be one now.
            Change::AccessKey(access_key) => {
                self.nothing.pop(access_key);
            }
            _ => {}
        }
        let concerned = self.keys.iter().filter(|(_, held)| held.key.is_concerned_by(change));
        let gone: Vec<_> = concerned.map(|(credential, _)| credential.clone()).collect();
        for credential in gone {
            self.keys.pop(&credential);
            self.count_down(&credential.access_key);
        }
    }

    fn count_down(&mut self, access_key: &str) {
        if let Some(count) = self.counts.get_mut(access_key) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(access_key);
            }
        }
    }

    /// Nothing gets younger, and nothing stays for longer.
    pub(super) fn clock_went_back(&mut self, back: Duration) {
        for (_, held) in &mut self.keys {
            held.confirmed_at = held.confirmed_at - back;
            held.refresh_at = held.refresh_at - back;
        }
        self.nothing.clear();
    }
}

impl BuildHasher for Seeded {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, !self.0)
    }
}

/// Takes no memory for entries that are not there.
pub(super) fn bounded<K: Hash + Eq, V>(entries: usize, seed: u64) -> LruCache<K, V, Seeded> {
    let mut cache = LruCache::unbounded_with_hasher(Seeded(seed));
    cache.resize(NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN));
    cache
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::sigv4::SigningKey;
    use alloc::format;

    fn credential(access_key: &str, region: u32) -> Credential {
        let region = format!("r{region}");
        Credential::from_parts(access_key, b"20270115", &region, "s3").unwrap()
    }

    fn held(access_key: &str, region: u32) -> Held {
        let record = serde_json::from_str(r#"{"user":{"id":"u"}}"#).unwrap();
        let credential = credential(access_key, region);
        let key = AccessKey { credential, signing_key: SigningKey::new([0; 32]), record };
        let time = UnixTime::from_secs(0);
        Held { key: Rc::new(key), confirmed_at: time, refresh_at: time, is_suspect: false }
    }

    fn denied() -> Nothing {
        let until = UnixTime::from_secs(5);
        Nothing { verdict: Ok(AccessKeyFault::AccessKeyDisabled), until }
    }

    #[test]
    fn a_denial_takes_all_keys_of_an_access_key() {
        let mut local = Local::new(10, 1);
        for region in 0..4 {
            local.hold(held("A", region));
            local.hold(held("B", region));
            local.hold(held("B", region));
        }
        local.forget("A", denied());
        assert_eq!(local.key_count(), 4);
        assert!((0..4).all(|region| local.peek(&credential("A", region)).is_none()));
        assert!((0..4).all(|region| local.peek(&credential("B", region)).is_some()));
        assert_eq!(local.counts, BTreeMap::from([("B".into(), 4)]));
        let unknown = Nothing { verdict: Err(Unknown::KeysUnavailable), ..denied() };
        local.forget("B", unknown);
        assert_eq!(local.key_count(), 4);
    }

    #[test]
    fn a_change_takes_what_it_is_about_and_nothing_else() {
        let all = || {
            let mut local = Local::new(10, 1);
            local.hold(held("A", 1));
            local.hold(held("A", 2));
            local.hold(held("B", 1));
            local.forget("C", denied());
            local
        };
        let now = UnixTime::from_secs(1);
        for (change, keys, has_denial) in [
            (Change::AccessKey("A".into()), 1, true),
            (Change::AccessKey("C".into()), 3, false),
            (Change::User("u".into()), 0, true),
            (Change::User("v".into()), 3, true),
            (Change::Domain("u".into()), 3, true),
            (Change::TokenKeys, 3, true),
            (Change::All, 3, false),
        ] {
            let mut local = all();
            local.changed(&change);
            assert_eq!(local.key_count(), keys, "{change:?}");
            assert_eq!(local.counts.values().sum::<usize>(), keys, "{change:?}");
            assert_eq!(local.nothing("C", now).is_some(), has_denial, "{change:?}");
            let is_suspect = local.keys.iter().all(|(_, held)| held.is_suspect);
            assert_eq!(is_suspect, change == Change::All || keys == 0, "{change:?}");
        }
    }

    #[test]
    fn what_has_to_make_room_is_counted_no_more() {
        let mut local = Local::new(3, 1);
        for region in 0..20 {
            local.hold(held(&format!("K{}", region % 7), region));
        }
        assert_eq!(local.key_count(), 3);
        assert_eq!(local.counts.values().sum::<usize>(), 3);
    }
}
