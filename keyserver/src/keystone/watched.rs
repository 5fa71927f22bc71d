//! What was asked for lately: whoever asked may hold the answer still.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use voussoir_core::record::Change;

use super::facts::Fingerprint;
use crate::changes::Feed;

/// Something that is checked.
pub(crate) trait Target: Clone + Send {
    /// What it is known by.
    type Key: Clone + Eq + Hash + Send;

    /// What it is known by.
    fn key(&self) -> &Self::Key;

    /// What edges are told if it has changed.
    fn change(&self) -> Change;
}

/// What is checked, and the fingerprint of the facts that the last answer rested on.
///
/// What was found and what was denied are kept apart: whoever makes access keys up, and asks for many,
/// drives none of the good ones out.
pub(crate) struct Watched<T: Target> {
    lists: Mutex<Lists<T>>,
    most: usize,
    keep: Duration,
    feed: Arc<Feed>,
    /// The random key of the fingerprints.
    hasher: RandomState,
}

struct Lists<T: Target> {
    found: List<T>,
    denied: List<T>,
    /// Goes up with each note.
    clock: u64,
}

/// Targets in the order in which they were last asked for.
struct List<T: Target> {
    entries: HashMap<T::Key, Entry<T>>,
    order: BTreeMap<u64, T::Key>,
}

#[derive(Clone)]
struct Entry<T> {
    order: u64,
    noted: Instant,
    target: T,
    fingerprint: Fingerprint,
}

/// What is to be checked now.
pub(super) struct Targets<T> {
    pub(super) all: Vec<T>,
    /// How many of them were found and denied.
    pub(super) found: usize,
    pub(super) denied: usize,
}

impl<T: Target> Watched<T> {
    /// A list of the last `most` that were found, and as many that were denied, each for as long as
    /// `keep` after it was last asked for.
    pub(crate) fn new(most: usize, keep: Duration, feed: Arc<Feed>) -> Self {
        let lists = Lists { found: List::new(), denied: List::new(), clock: 0 };
        Self { lists: Mutex::new(lists), most, keep, feed, hasher: RandomState::new() }
    }

    /// The fingerprint of facts, comparable with those of the same list only.
    pub(super) fn fingerprint(&self, facts: &impl Hash) -> Fingerprint {
        Fingerprint::of(facts, &self.hasher)
    }

    /// Notes what an answer rests on, before it is given. If the last one rested on something else,
    /// whoever has that is told, for no check will ever see a difference.
    pub(super) fn note(&self, target: T, fingerprint: Fingerprint, is_denied: bool) {
        let change = target.change();
        let mut lists = self.lock();
        lists.clock += 1;
        let Lists { found, denied, clock } = &mut *lists;
        let key = target.key();
        let before = found.remove(key).or_else(|| denied.remove(key));
        let has_changed = before.as_ref().is_some_and(|entry| entry.fingerprint != fingerprint);
        let entry = Entry { order: *clock, noted: Instant::now(), target, fingerprint };
        let list = if is_denied { denied } else { found };
        list.insert(entry, self.most);
        drop(lists);
        if has_changed {
            self.feed.tell(change);
        }
    }

    /// What is to be checked now. Whatever was not asked for since long is forgotten.
    pub(super) fn targets(&self) -> Targets<T> {
        let mut lists = self.lock();
        let Lists { found, denied, .. } = &mut *lists;
        for list in [&mut *found, &mut *denied] {
            list.forget(self.keep);
        }
        let entries = found.entries.values().chain(denied.entries.values());
        Targets {
            all: entries.map(|entry| entry.target.clone()).collect(),
            found: found.entries.len(),
            denied: denied.entries.len(),
        }
    }

    /// Compares what a check found with what the last answer rested on, and tells of a difference.
    pub(super) fn found(&self, target: &T, fingerprint: Fingerprint) {
        let mut lists = self.lock();
        let Lists { found, denied, .. } = &mut *lists;
        let key = target.key();
        let entry = found.entries.get_mut(key).or_else(|| denied.entries.get_mut(key));
        let Some(entry) = entry.filter(|entry| entry.fingerprint != fingerprint) else { return };
        entry.fingerprint = fingerprint;
        drop(lists);
        self.feed.tell(target.change());
    }

    fn lock(&self) -> MutexGuard<'_, Lists<T>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Target> List<T> {
    fn new() -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new() }
    }

    fn remove(&mut self, key: &T::Key) -> Option<Entry<T>> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.order);
        Some(entry)
    }

    fn insert(&mut self, entry: Entry<T>, most: usize) {
        let key = entry.target.key().clone();
        self.order.insert(entry.order, key.clone());
        self.entries.insert(key, entry);
        while self.entries.len() > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    fn forget(&mut self, after: Duration) {
        while let Some(oldest) = self.order.first_entry()
            && self.entries.get(oldest.get()).is_none_or(|entry| entry.noted.elapsed() > after)
        {
            self.entries.remove(&oldest.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// An access key.
    #[derive(Clone)]
    struct Key(String);

    impl Target for Key {
        type Key = String;

        fn key(&self) -> &String {
            &self.0
        }

        fn change(&self) -> Change {
            Change::AccessKey(self.0.clone())
        }
    }

    struct World {
        watched: Watched<Key>,
        metrics: Arc<Metrics>,
    }

    impl World {
        fn new(most: usize) -> Self {
            let metrics = Arc::new(Metrics::new());
            let feed = Arc::new(Feed::new(Duration::from_secs(1), Arc::clone(&metrics)));
            feed.checked(crate::clock::now(), Duration::ZERO);
            Self { watched: Watched::new(most, Duration::from_hours(1), feed), metrics }
        }

        /// Notes an access key with a blob, or without a credential.
        fn noted(&self, access_key: &str, blob: Option<&str>, is_denied: bool) -> Fingerprint {
            let of = |blob| self.watched.fingerprint(&blob);
            let fingerprint = blob.map_or(Fingerprint::ABSENT, of);
            self.watched.note(Key(access_key.into()), fingerprint, is_denied);
            fingerprint
        }

        fn found(&self, access_key: &str, fingerprint: Fingerprint) {
            self.watched.found(&Key(access_key.into()), fingerprint);
        }

        fn names(&self) -> Vec<String> {
            let targets = self.watched.targets().all;
            let mut names: Vec<String> = targets.into_iter().map(|Key(key)| key).collect();
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
        let watched = World::new(10);
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
        let watched = World::new(2);
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
        let lists = watched.watched.lock();
        assert_eq!((lists.found.order.len(), lists.denied.order.len()), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_asked_for_any_more_is_forgotten() {
        let watched = World::new(10);
        watched.noted("A", Some("1"), false);
        watched.noted("B", None, true);
        tokio::time::advance(Duration::from_mins(40)).await;
        watched.noted("A", Some("1"), false);
        tokio::time::advance(Duration::from_mins(40)).await;
        assert_eq!(watched.names(), ["A"]);
        tokio::time::advance(Duration::from_mins(40)).await;
        assert_eq!(watched.names(), [""; 0]);
        let lists = watched.watched.lock();
        assert!(lists.found.entries.is_empty() && lists.found.order.is_empty());
    }
}
