//! The access keys that were asked for lately: whoever asked may hold the answer still.

use std::collections::{BTreeMap, HashMap};
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use voussoir_core::record::{Change, Delegation};

use super::facts::{Facts, Fingerprint};
use crate::changes::Feed;
use crate::config::ChangesConfig;
use crate::metrics::Metrics;

/// Which access keys are checked, and the fingerprint of the facts that the last answer rested on.
///
/// Found keys and denied ones are kept apart: whoever makes access keys up, and asks for many, drives
/// none of the good ones out.
pub(crate) struct Watched {
    lists: Mutex<Lists>,
    config: ChangesConfig,
    feed: Arc<Feed>,
    metrics: Arc<Metrics>,
    /// The random key of the fingerprints.
    hasher: RandomState,
}

#[derive(Default)]
struct Lists {
    found: List,
    denied: List,
    /// Goes up with each note.
    clock: u64,
}

/// Access keys in the order in which they were last asked for.
#[derive(Default)]
struct List {
    keys: HashMap<Arc<str>, Entry>,
    order: BTreeMap<u64, Arc<str>>,
}

#[derive(Clone)]
struct Entry {
    order: u64,
    noted: Instant,
    target: Target,
    fingerprint: Fingerprint,
}

/// What is to be checked.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) access_key: Arc<str>,
    /// The id of its credential.
    pub(super) credential_id: Arc<str>,
    /// What the credential was made with, as far as is known.
    pub(super) delegation: Option<Delegation>,
}

impl Watched {
    pub(crate) fn new(config: ChangesConfig, feed: Arc<Feed>, metrics: Arc<Metrics>) -> Self {
        let (lists, hasher) = (Mutex::default(), RandomState::new());
        Self { lists, config, feed, metrics, hasher }
    }

    /// The fingerprint of facts, comparable with those of the same list only.
    pub(super) fn fingerprint(&self, facts: &Facts<'_>) -> Fingerprint {
        facts.fingerprint(&self.hasher)
    }

    /// Notes what an answer rests on, before it is given. If the last one rested on something else,
    /// whoever has that is told, for no check will ever see a difference.
    pub(super) fn note(
        &self,
        access_key: &str,
        credential_id: &str,
        delegation: Option<Delegation>,
        fingerprint: Fingerprint,
        is_denied: bool,
    ) {
        let mut lists = self.lock();
        lists.clock += 1;
        let Lists { found, denied, clock } = &mut *lists;
        let before = found.remove(access_key).or_else(|| denied.remove(access_key));
        let has_changed = before.as_ref().is_some_and(|entry| entry.fingerprint != fingerprint);
        let target = match before {
            Some(Entry { target, .. }) => Target { delegation, ..target },
            None => Target {
                access_key: access_key.into(),
                credential_id: credential_id.into(),
                delegation,
            },
        };
        let entry = Entry { order: *clock, noted: Instant::now(), target, fingerprint };
        let list = if is_denied { denied } else { found };
        list.insert(entry, self.config.recheck_keys);
        drop(lists);
        if has_changed {
            self.feed.tell(Change::AccessKey(access_key.into()));
        }
    }

    /// What is to be checked now. Whatever was not asked for since long is forgotten.
    pub(super) fn targets(&self) -> Vec<Target> {
        let mut lists = self.lock();
        let Lists { found, denied, .. } = &mut *lists;
        for list in [&mut *found, &mut *denied] {
            list.forget(self.config.recheck_for);
        }
        self.metrics.changes.watched(found.keys.len(), denied.keys.len());
        let entries = found.keys.values().chain(denied.keys.values());
        entries.map(|entry| entry.target.clone()).collect()
    }

    /// Compares what a check found with what the last answer rested on, and tells of a difference.
    pub(super) fn found(&self, access_key: &str, fingerprint: Fingerprint) {
        let mut lists = self.lock();
        let Lists { found, denied, .. } = &mut *lists;
        let entry = found.keys.get_mut(access_key).or_else(|| denied.keys.get_mut(access_key));
        let Some(entry) = entry.filter(|entry| entry.fingerprint != fingerprint) else { return };
        entry.fingerprint = fingerprint;
        drop(lists);
        self.feed.tell(Change::AccessKey(access_key.into()));
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn remove(&mut self, access_key: &str) -> Option<Entry> {
        let entry = self.keys.remove(access_key)?;
        self.order.remove(&entry.order);
        Some(entry)
    }

    fn insert(&mut self, entry: Entry, most: usize) {
        let access_key = Arc::clone(&entry.target.access_key);
        self.order.insert(entry.order, Arc::clone(&access_key));
        self.keys.insert(access_key, entry);
        while self.keys.len() > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.keys.remove(&oldest);
        }
    }

    fn forget(&mut self, after: Duration) {
        while let Some(oldest) = self.order.first_entry()
            && self.keys.get(oldest.get()).is_none_or(|entry| entry.noted.elapsed() > after)
        {
            self.keys.remove(&oldest.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystone::facts::Given;
    use crate::keystone::identity::Owner;
    use voussoir_core::record::User;

    fn watched(recheck_keys: usize) -> Watched {
        let metrics = Arc::new(Metrics::new());
        let feed = Arc::new(Feed::new(Duration::from_secs(1), Arc::clone(&metrics)));
        feed.checked(crate::clock::now(), Duration::ZERO);
        let config = ChangesConfig { recheck_keys, ..ChangesConfig::default() };
        Watched::new(config, feed, metrics)
    }

    impl Watched {
        /// Notes an access key with a blob, or without a credential.
        fn noted(&self, access_key: &str, blob: Option<&str>, is_denied: bool) -> Fingerprint {
            let owner = Owner {
                user: User { id: "u".into(), name: None, domain: None },
                project: None,
                is_enabled: true,
                roles: Vec::new(),
            };
            let given = Given::Nothing;
            let facts = blob.map(|blob| Facts { blob, owner: &owner, given: &given });
            let fingerprint = facts.map_or(Fingerprint::ABSENT, |facts| self.fingerprint(&facts));
            self.note(access_key, "id", None, fingerprint, is_denied);
            fingerprint
        }

        fn names(&self) -> Vec<String> {
            let targets = self.targets();
            let mut names: Vec<String> =
                targets.iter().map(|target| target.access_key.to_string()).collect();
            names.sort();
            names
        }

        /// How many changes were told.
        fn told(&self) -> u64 {
            let text = self.metrics.to_string();
            let line = text.lines().find_map(|line| {
                line.strip_prefix("voussoir_keyserver_changes_total{kind=\"access_key\"} ")
            });
            line.map_or(0, |count| count.parse().unwrap())
        }
    }

    #[tokio::test]
    async fn a_difference_is_told_once_whoever_sees_it_first() {
        let watched = watched(10);
        let one = watched.noted("A", Some("1"), false);
        watched.noted("A", Some("1"), false);
        watched.found("A", one);
        assert_eq!(watched.told(), 0);
        let two = watched.noted("A", Some("2"), false);
        assert_eq!(watched.told(), 1, "by a lookup");
        watched.found("A", two);
        assert_eq!(watched.told(), 1);
        watched.found("A", Fingerprint::ABSENT);
        watched.found("A", Fingerprint::ABSENT);
        assert_eq!(watched.told(), 2, "by a check");
        watched.noted("A", None, true);
        assert_eq!(watched.told(), 2);
        watched.found("A", two);
        assert_eq!(watched.told(), 3, "there again");
        watched.found("B", two);
        assert_eq!(watched.told(), 3, "nobody asked for it");
    }

    #[tokio::test]
    async fn the_latest_are_kept_and_denied_keys_drive_no_good_one_out() {
        let watched = watched(2);
        for access_key in ["A", "B", "A", "C"] {
            watched.noted(access_key, Some("1"), false);
        }
        assert_eq!(watched.names(), ["A", "C"]);
        for number in 0..100 {
            watched.noted(&format!("made-up-{number}"), None, true);
        }
        assert_eq!(watched.names(), ["A", "C", "made-up-98", "made-up-99"]);
        watched.noted("A", None, true);
        assert_eq!(watched.names(), ["A", "C", "made-up-99"]);
        let lists = watched.lock();
        assert_eq!((lists.found.order.len(), lists.denied.order.len()), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_asked_for_any_more_is_forgotten() {
        let watched = watched(10);
        watched.noted("A", Some("1"), false);
        watched.noted("B", None, true);
        tokio::time::advance(Duration::from_mins(40)).await;
        watched.noted("A", Some("1"), false);
        tokio::time::advance(Duration::from_mins(40)).await;
        assert_eq!(watched.names(), ["A"]);
        tokio::time::advance(Duration::from_mins(40)).await;
        assert_eq!(watched.names(), [""; 0]);
        let lists = watched.lock();
        assert!(lists.found.keys.is_empty() && lists.found.order.is_empty());
    }
}
