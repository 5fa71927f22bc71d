//! The level that is one worker's own: no call of the host on a hit.

use core::time::Duration;

use super::record::Subject;
use super::{Fault, Question, Record};
use crate::recent::{Recent, keyed};
use crate::record::{Change, Thing};
use crate::rows::Rows;
use crate::sorted::sorted;
use crate::time::UnixTime;

/// What this worker knows; the least recently used goes first.
pub(super) struct Local {
    /// By keyed hashes of their questions. Should two have the same, the later one is held.
    records: Recent<(Question, Held)>,
    /// The bytes of the answers that they came from.
    bytes: usize,
    /// The hashes of their subjects, and then those of their questions.
    by_subject: Rows,
    /// The subjects of which there are none, or of which nothing can be known for a moment, likewise.
    nothing: Recent<(Subject, Nothing)>,
    seed: u64,
}

/// A record.
pub(super) struct Held {
    pub(super) record: Record,
    /// The bytes of the answer that it came from.
    pub(super) bytes: usize,
    /// When the call that brought it was made.
    pub(super) confirmed_at: UnixTime,
    /// When to fetch it anew behind a request that it serves.
    pub(super) refresh_at: UnixTime,
    /// From when on it serves nobody before it was confirmed, unless that cannot be had: something may
    /// have changed since.
    pub(super) suspect_from: Option<UnixTime>,
}

/// That there is no record of a subject.
#[derive(Clone, Copy)]
pub(super) struct Nothing {
    /// Why not; `None` when no sense was made of the answer.
    pub(super) fault: Option<Fault>,
    pub(super) until: UnixTime,
}

impl Local {
    /// With room for so many records, and for so many subjects without one.
    pub(super) fn new(entries: usize, seed: u64) -> Self {
        Self {
            records: Recent::bounded(entries),
            bytes: 0,
            by_subject: Rows::new(),
            nothing: Recent::bounded(entries),
            seed,
        }
    }

    pub(super) fn record_count(&self) -> usize {
        self.records.len()
    }

    /// The record, however old; it counts as used.
    pub(super) fn held(&mut self, question: &Question) -> Option<&Held> {
        let held = self.records.touch(keyed(self.seed, question));
        held.filter(|(it, _)| it == question).map(|(_, held)| &*held)
    }

    /// The same, and it does not count.
    pub(super) fn peek(&self, question: &Question) -> Option<&Held> {
        let held = self.records.get(keyed(self.seed, question));
        held.filter(|(it, _)| it == question).map(|(_, held)| held)
    }

    pub(super) fn held_mut(&mut self, question: &Question) -> Option<&mut Held> {
        let held = self.records.get_mut(keyed(self.seed, question));
        held.filter(|(it, _)| it == question).map(|(_, held)| held)
    }

    /// What is known now of a subject without a record.
    pub(super) fn nothing(&self, subject: &Subject, now: UnixTime) -> Option<Nothing> {
        let (it, nothing) = self.nothing.get(keyed(self.seed, subject))?;
        (it == subject && now < nothing.until).then_some(*nothing)
    }

    /// Keeps the record that a question asks for: how many others had to make room for it.
    pub(super) fn hold(&mut self, question: &Question, held: Held) -> usize {
        let hash = keyed(self.seed, question);
        let subject = keyed(self.seed, &question.subject());
        self.nothing.remove(subject);
        self.bytes += held.bytes;
        let mut evicted = 0;
        // What comes back was there under the same name, or had to make room.
        if let Some(gone) = self.records.insert(hash, (question.to_keep(), held)) {
            evicted += usize::from(gone.1.0 != *question);
            self.let_go(gone);
        }
        self.by_subject.insert([subject, hash, 0, 0]);
        while self.bytes > MAX_BYTES
            && self.records.len() > 1
            && let Some(gone) = self.records.pop_oldest()
        {
            self.let_go(gone);
            evicted += 1;
        }
        evicted
    }

    fn remove(&mut self, hash: u64) {
        if let Some(gone) = self.records.remove(hash) {
            self.let_go((hash, gone));
        }
    }

    /// A record is not held any more.
    fn let_go(&mut self, (hash, (question, held)): (u64, (Question, Held))) {
        self.bytes -= held.bytes;
        self.by_subject.remove(&[keyed(self.seed, &question.subject()), hash, 0, 0]);
    }

    /// There is no record of a subject, or nothing can be known of it; in the first case none of its
    /// records is held any more, whatever the question.
    pub(super) fn forget(&mut self, subject: &Subject, nothing: Nothing) {
        let hash = keyed(self.seed, subject);
        while nothing.fault.is_some()
            && let Some(row) = self.by_subject.first_from(&[hash, 0, 0, 0]).copied()
            && let [its, question, ..] = row
            && its == hash
        {
            self.by_subject.remove(&row);
            self.remove(question);
        }
        self.nothing.insert(hash, (subject.clone(), nothing));
    }

    /// Lets go of all that changes are about. If that may be anything, it serves until then while it is
    /// confirmed.
    pub(super) fn changed(&mut self, changes: &[Change], until: UnixTime) {
        if changes.contains(&Change::All) {
            for (_, held) in self.records.values_mut() {
                held.suspect_from.get_or_insert(until);
            }
            self.nothing.clear();
        }
        // Looked up for each entry: many entries and many changes may meet.
        let things = sorted(changes.iter().filter_map(Change::thing).collect());
        if things.is_empty() {
            return;
        }
        let has_changed = |thing: Thing<'_>| things.binary_search(&thing).is_ok();
        let may_be_made = |(subject, _): &(Subject, _)| subject.may_be_made(&has_changed);
        for subject in self.nothing.numbers(&may_be_made) {
            self.nothing.remove(subject);
        }
        let is_concerned = |(_, held): &(_, Held)| held.record.is_concerned(&has_changed);
        for question in self.records.numbers(&is_concerned) {
            self.remove(question);
        }
    }

    /// Nothing gets younger, and nothing stays for longer.
    pub(super) fn clock_went_back(&mut self, back: Duration) {
        for (_, held) in self.records.values_mut() {
            held.confirmed_at = held.confirmed_at - back;
            held.refresh_at = held.refresh_at - back;
            held.suspect_from = held.suspect_from.map(|from| from - back);
        }
        self.nothing.clear();
    }
}

/// The most bytes of answers whose records are held, of each kind. In memory a record takes about twice
/// as much as its JSON.
const MAX_BYTES: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::access_keys::AccessKey;
    use crate::record::{AccessKeyFault, CatalogRequest};
    use crate::sigv4::{Credential, SigningKey};
    use alloc::format;

    fn question(access_key: &str, region: u32) -> Question {
        let region = format!("r{region}");
        let credential = Credential::from_parts(access_key, b"20270115", &region, "s3");
        Question::AccessKey(credential.unwrap().into())
    }

    fn hold(local: &mut Local, access_key: &str, region: u32) -> usize {
        local.hold(&question(access_key, region), held(access_key, region))
    }

    fn held(access_key: &str, region: u32) -> Held {
        let record = serde_json::from_str(r#"{"user":{"id":"u"}}"#).unwrap();
        let Question::AccessKey(credential) = question(access_key, region) else { panic!() };
        let key = AccessKey::new((*credential).clone(), SigningKey::new([0; 32]), record);
        let time = UnixTime::from_secs(0);
        Held {
            record: Record::AccessKey(key.into()),
            bytes: MAX_BYTES / 10,
            confirmed_at: time,
            refresh_at: time,
            suspect_from: None,
        }
    }

    fn subject(access_key: &str) -> Subject {
        question(access_key, 0).subject()
    }

    fn denied() -> Nothing {
        let until = UnixTime::from_secs(5);
        Nothing { fault: Some(Fault::AccessKey(AccessKeyFault::AccessKeyDisabled)), until }
    }

    #[test]
    fn a_denial_takes_all_keys_of_an_access_key() {
        let mut local = Local::new(10, 1);
        for region in 0..4 {
            hold(&mut local, "A", region);
            hold(&mut local, "B", region);
            hold(&mut local, "B", region);
        }
        local.forget(&subject("A"), denied());
        assert_eq!(local.record_count(), 4);
        assert!((0..4).all(|region| local.peek(&question("A", region)).is_none()));
        assert!((0..4).all(|region| local.peek(&question("B", region)).is_some()));
        assert_eq!(local.by_subject.len(), 4);
        let unknown = Nothing { fault: None, ..denied() };
        local.forget(&subject("B"), unknown);
        assert_eq!(local.record_count(), 4);
    }

    #[test]
    fn a_change_takes_what_it_is_about_and_nothing_else() {
        let all = || {
            let mut local = Local::new(10, 1);
            hold(&mut local, "A", 1);
            hold(&mut local, "A", 2);
            hold(&mut local, "B", 1);
            local.forget(&subject("C"), denied());
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
            local.changed(core::slice::from_ref(&change), now);
            assert_eq!(local.record_count(), keys, "{change:?}");
            assert_eq!(local.by_subject.len(), keys, "{change:?}");
            assert_eq!(local.nothing(&subject("C"), now).is_some(), has_denial, "{change:?}");
            let is_suspect =
                local.records.values_mut().all(|(_, held)| held.suspect_from == Some(now));
            assert_eq!(is_suspect, change == Change::All || keys == 0, "{change:?}");
        }
    }

    #[test]
    fn a_change_of_the_catalogue_takes_catalogues_and_nothing_else() {
        let catalog = Question::Catalog(CatalogRequest { project: Some("p".into()) });
        for (change, has_catalog, has_key) in [
            (Change::Catalog, false, true),
            (Change::User("u".into()), true, false),
            (Change::Project("p".into()), true, true),
            (Change::TokenKeys, true, true),
        ] {
            let mut local = Local::new(10, 1);
            hold(&mut local, "A", 1);
            let record =
                catalog.read_record(br#"{"project":"p","catalog":{"services":[]}}"#).unwrap();
            local.hold(&catalog, Held { record, ..held("A", 1) });
            local.changed(core::slice::from_ref(&change), UnixTime::from_secs(1));
            let left = [&catalog, &question("A", 1)].map(|it| local.peek(it).is_some());
            assert_eq!(left, [has_catalog, has_key], "{change:?}");
        }
    }

    #[test]
    fn of_two_with_one_hash_neither_is_taken_for_the_other() {
        let mut local = Local::new(10, 1);
        let (one, other) = (question("A", 1), question("B", 1));
        hold(&mut local, "A", 1);
        let held = local.records.remove(keyed(1, &one)).unwrap();
        local.records.insert(keyed(1, &other), held);
        assert!(local.peek(&other).is_none() && local.held(&other).is_none());
        assert!(local.held_mut(&other).is_none());
        assert_eq!(hold(&mut local, "B", 1), 1);
        assert!(local.peek(&other).is_some());
        let until = denied().until;
        local.forget(&subject("C"), denied());
        let nothing = local.nothing.remove(keyed(1, &subject("C"))).unwrap();
        local.nothing.insert(keyed(1, &subject("D")), nothing);
        assert!(local.nothing(&subject("D"), until - Duration::from_secs(1)).is_none());
    }

    #[test]
    fn what_has_to_make_room_is_counted_no_more() {
        let mut local = Local::new(3, 1);
        for region in 0..20 {
            hold(&mut local, &format!("K{}", region % 7), region);
        }
        assert_eq!(local.record_count(), 3);
        assert_eq!(local.by_subject.len(), 3);
    }

    #[test]
    fn what_is_held_has_a_size_too() {
        let mut local = Local::new(100, 1);
        let evicted: usize = (0..15).map(|region| hold(&mut local, "A", region)).sum();
        assert_eq!((local.record_count(), evicted), (10, 5));
        assert_eq!(local.bytes, MAX_BYTES / 10 * 10);
        hold(&mut local, "A", 14);
        assert_eq!(local.record_count(), 10);
        local.forget(&subject("A"), denied());
        assert_eq!((local.record_count(), local.bytes), (0, 0));
        // One alone is held however large it is.
        local.hold(&question("B", 1), Held { bytes: MAX_BYTES * 2, ..held("B", 1) });
        assert_eq!(local.record_count(), 1);
        hold(&mut local, "B", 2);
        assert!(local.peek(&question("B", 2)).is_some());
        assert_eq!(local.record_count(), 1);
    }
}
