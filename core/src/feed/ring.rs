//! The latest changes, in order, and how far back they reach.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::entry::text;
use crate::record::Change;
use crate::time::UnixTime;

/// The latest changes. There is always at least one: a ring begins with [`Change::All`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ring {
    /// The number of the oldest one; the others follow without a gap.
    first: u64,
    changes: VecDeque<Noted>,
    /// How long the texts of these are together.
    texts: usize,
    /// Of all that came in after this time, none is missing.
    complete_since: UnixTime,
}

/// A change, and when it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// When the answer that brought it was there. A record that was asked for later than that
    /// shows the change, while one that was asked for earlier may not, even if the call that
    /// brought the change had begun before.
    pub(super) at: UnixTime,
    pub(super) change: Change,
}

/// A place in the order of changes. The time tells apart the numbers of two histories, of which
/// one took the other's place in shared data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    number: u64,
    at: UnixTime,
}

impl Position {
    /// When the change at this place came in.
    pub(super) fn at(self) -> UnixTime {
        self.at
    }
}

impl Ring {
    /// The ring of a feed that begins.
    pub(super) fn begun(at: UnixTime) -> Self {
        let changes = VecDeque::from([Noted { at, change: Change::All }]);
        Self { first: 0, changes, texts: 0, complete_since: at }
    }

    /// What was written down elsewhere, if it can be a ring.
    pub(super) fn from_parts(
        first: u64,
        changes: VecDeque<Noted>,
        complete_since: UnixTime,
    ) -> Option<Self> {
        let texts = changes.iter().map(|noted| text_length(&noted.change)).sum();
        let is_ring = (1..=MAX_NOTED).contains(&changes.len()) && texts <= MAX_TEXTS;
        is_ring.then_some(Self { first, changes, texts, complete_since })
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn changes(&self) -> &VecDeque<Noted> {
        &self.changes
    }

    pub(super) fn complete_since(&self) -> UnixTime {
        self.complete_since
    }

    /// Takes in one more change.
    pub(super) fn note(&mut self, at: UnixTime, change: Change) {
        if change == Change::All {
            // Whatever was before it says nothing more.
            self.drop_oldest(self.changes.len());
            self.complete_since = self.complete_since.max(at);
        }
        self.texts += text_length(&change);
        self.changes.push_back(Noted { at, change });
        while self.changes.len() > MAX_NOTED || self.texts > MAX_TEXTS {
            self.drop_oldest(1);
        }
    }

    /// The clock has been as far as `until` and went back: of two records with times before that,
    /// nobody can tell which is the older, so that nothing is known of either.
    pub(super) fn distrust(&mut self, until: UnixTime) {
        self.complete_since = self.complete_since.max(until);
    }

    /// The place of the latest change.
    pub(super) fn last(&self) -> Option<Position> {
        self.changes.back().map(|noted| Position {
            number: self.first.saturating_add(length(self.changes.len()) - 1),
            at: noted.at,
        })
    }

    /// All that has changed after a place; `None` if it is not known whether this is that place's
    /// history.
    pub(super) fn after(&self, position: Position) -> Option<Vec<Change>> {
        let Some(index) = position.number.checked_sub(self.first) else {
            // Of another history, this might be older than that place.
            let Noted { at, change } = self.changes.front()?;
            let is_since_all = *change == Change::All && *at >= position.at;
            return is_since_all.then(|| vec![Change::All]);
        };
        let index = usize::try_from(index).ok()?;
        if self.changes.get(index)?.at != position.at {
            return None;
        }
        let later = self.changes.iter().skip(index.saturating_add(1));
        let changes: Vec<_> = later.map(|noted| noted.change.clone()).collect();
        Some(if changes.contains(&Change::All) { vec![Change::All] } else { changes })
    }

    /// Whether all changes are here that a record of this time may lack.
    pub(super) fn covers(&self, since: UnixTime) -> bool {
        since > self.complete_since
    }

    /// Whether there is one of them that a record of this time may lack.
    pub(super) fn has_since(&self, since: UnixTime, matches: impl Fn(&Change) -> bool) -> bool {
        let mut later = self.changes.iter().filter(|noted| noted.at >= since);
        later.any(|noted| noted.change == Change::All || matches(&noted.change))
    }

    fn drop_oldest(&mut self, count: usize) {
        for _ in 0..count {
            let Some(noted) = self.changes.pop_front() else { return };
            self.texts -= text_length(&noted.change);
            self.first = self.first.saturating_add(1);
            self.complete_since = self.complete_since.max(noted.at);
        }
    }
}

/// How long the text of a change is in the slot.
fn text_length(change: &Change) -> usize {
    text(change).len()
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The most changes that are kept.
pub(super) const MAX_NOTED: usize = 1024;

/// The most bytes that their ids and events take together. Keystone's ids have 32 or 64; the event of a
/// token that its owner revokes takes about 62, so that a thousand of those have room.
pub(super) const MAX_TEXTS: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::MAX_CHANGE_ID;
    use alloc::format;

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(secs)
    }

    fn user(number: usize) -> Change {
        Change::User(format!("u{number}"))
    }

    #[test]
    fn tells_what_came_after_a_place() {
        let mut ring = Ring::begun(at(10));
        let start = ring.last().unwrap();
        assert_eq!(ring.after(start), Some(vec![]));
        ring.note(at(20), user(1));
        let middle = ring.last().unwrap();
        ring.note(at(20), user(2));
        assert_eq!(ring.after(start), Some(vec![user(1), user(2)]));
        assert_eq!(ring.after(middle), Some(vec![user(2)]));
        ring.note(at(30), Change::All);
        ring.note(at(30), user(3));
        assert_eq!(ring.after(middle), Some(vec![Change::All]));
        assert_eq!(ring.after(ring.last().unwrap()), Some(vec![]));
    }

    #[test]
    fn a_place_in_another_history_is_none() {
        let (mut ours, mut theirs) = (Ring::begun(at(10)), Ring::begun(at(10)));
        ours.note(at(20), user(1));
        theirs.note(at(21), user(2));
        theirs.note(at(22), user(3));
        assert_eq!(theirs.after(ours.last().unwrap()), None);
        assert_eq!(ours.after(theirs.last().unwrap()), None);
    }

    #[test]
    fn keeps_the_latest_and_tells_how_far_back_it_reaches() {
        let mut ring = Ring::begun(at(10));
        assert!(!ring.covers(at(10)) && ring.covers(at(11)));
        let start = ring.last().unwrap();
        for number in 0..MAX_NOTED - 1 {
            ring.note(at(20), user(number));
        }
        assert!(ring.after(start).is_some() && ring.covers(at(11)));
        ring.note(at(30), user(999));
        assert_eq!(ring.after(start), None);
        assert_eq!(ring.changes().len(), MAX_NOTED);
        // Only the beginning has gone so far.
        assert!(ring.covers(at(11)));
        ring.note(at(30), user(1000));
        assert!(!ring.covers(at(20)) && ring.covers(at(21)));
    }

    #[test]
    fn all_their_texts_take_no_more_than_their_share() {
        let mut ring = Ring::begun(at(10));
        for _ in 0..MAX_NOTED {
            ring.note(at(20), Change::User("u".repeat(MAX_CHANGE_ID)));
            let texts: usize = ring.changes().iter().map(|noted| text_length(&noted.change)).sum();
            assert!(texts == ring.texts && texts <= MAX_TEXTS);
        }
        assert_eq!(ring.changes().len(), MAX_TEXTS / MAX_CHANGE_ID);
    }

    #[test]
    fn a_record_is_older_than_a_change_that_came_in_at_its_time_or_later() {
        let mut ring = Ring::begun(at(10));
        ring.note(at(20), user(1));
        let has = |since| ring.has_since(at(since), |change| *change == user(1));
        assert!(has(19) && has(20) && !has(21));
        assert!(!ring.has_since(at(19), |change| *change == user(2)));
        assert!(ring.has_since(at(10), |_| false), "the beginning matches everything");
    }

    #[test]
    fn all_is_the_end_of_what_was_before() {
        let mut ring = Ring::begun(at(10));
        ring.note(at(20), user(1));
        ring.note(at(30), Change::All);
        assert_eq!(ring.changes().len(), 1);
        assert!(!ring.covers(at(30)) && ring.covers(at(31)));
    }
}
