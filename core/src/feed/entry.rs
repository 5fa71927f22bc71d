//! What stands in the slot of the feed, before it is sealed.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::ring::{MAX_NOTED, Noted, Ring};
use crate::json;
use crate::record::{Change, Cursor};
use crate::time::UnixTime;

/// What all workers know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// When the latest call began that told all there was to tell.
    pub(super) heard_at: UnixTime,
    pub(super) log: Log,
}

/// What the key server has told so far, and where it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) cursor: Cursor,
    pub(super) ring: Ring,
}

impl Entry {
    /// `heard at: u64 | complete since: u64 | cursor: text | number of the first change: u64`, then
    /// the changes, each `at: u64 | kind: u8 | id: text`. A text is `length: u16 | bytes`. In place of
    /// an id, a revocation has the JSON of its event.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { heard_at, log: Log { cursor, ring } } = self;
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&heard_at.as_micros().to_be_bytes());
        bytes.extend_from_slice(&ring.complete_since().as_micros().to_be_bytes());
        write_text(&mut bytes, cursor.as_str());
        bytes.extend_from_slice(&ring.first().to_be_bytes());
        for Noted { at, change } in ring.changes() {
            bytes.extend_from_slice(&at.as_micros().to_be_bytes());
            bytes.push(kind(change));
            write_text(&mut bytes, &text(change));
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (heard_at, rest) = read_time(bytes)?;
        let (complete_since, rest) = read_time(rest)?;
        let (cursor, rest) = read_text(rest)?;
        let (first, mut rest) = rest.split_first_chunk()?;
        let mut changes = VecDeque::new();
        while !rest.is_empty() && changes.len() <= MAX_NOTED {
            let (at, after) = read_time(rest)?;
            let (kind, after) = after.split_first()?;
            let (id, after) = read_text(after)?;
            changes.push_back(Noted { at, change: change(*kind, id) });
            rest = after;
        }
        let ring = Ring::from_parts(u64::from_be_bytes(*first), changes, complete_since)?;
        Some(Self { heard_at, log: Log { cursor: Cursor::new(cursor)?, ring } })
    }
}

fn kind(change: &Change) -> u8 {
    match change {
        Change::All => 0,
        Change::AccessKey(_) => 1,
        Change::ApplicationCredential(_) => 2,
        Change::Domain(_) => 3,
        Change::Project(_) => 4,
        Change::TokenKeys => 5,
        Change::Trust(_) => 6,
        Change::User(_) => 7,
        Change::Revocation(_) => 8,
        Change::Catalog => 9,
    }
}

/// What stands in the slot of what a change is about.
pub(super) fn text(change: &Change) -> Cow<'_, str> {
    match change {
        // Texts and numbers: there is nothing in them that could not be written.
        Change::Revocation(event) => serde_json::to_string(event).unwrap_or_default().into(),
        _ => change.id().unwrap_or_default().into(),
    }
}

fn change(kind: u8, text: &str) -> Change {
    let id = String::from(text);
    let change = match kind {
        1 => Change::AccessKey(id),
        2 => Change::ApplicationCredential(id),
        3 => Change::Domain(id),
        4 => Change::Project(id),
        5 => Change::TokenKeys,
        6 => Change::Trust(id),
        7 => Change::User(id),
        8 => json::read(text.as_bytes()).map_or(Change::All, Change::Revocation),
        9 => Change::Catalog,
        _ => Change::All,
    };
    change.or_all()
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or_default().to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn read_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((core::str::from_utf8(text).ok()?, rest))
}

fn read_time(bytes: &[u8]) -> Option<(UnixTime, &[u8])> {
    let (micros, rest) = bytes.split_first_chunk()?;
    Some((UnixTime::from_micros(u64::from_be_bytes(*micros)), rest))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::{MAX_CHANGE_ID, MAX_REVOCATION_ID, RevocationEvent};
    use alloc::boxed::Box;

    fn revocation() -> Change {
        Change::Revocation(Box::new(RevocationEvent {
            issued_before: 7,
            user_id: Some("Ω".into()),
            audit_chain_id: Some("\"".repeat(MAX_REVOCATION_ID)),
            ..RevocationEvent::default()
        }))
    }

    fn entry() -> Entry {
        let mut ring = Ring::begun(UnixTime::from_secs(7));
        let id = String::from;
        for change in [
            Change::AccessKey(id("AKID")),
            Change::ApplicationCredential(id("a")),
            Change::Domain(id("d")),
            Change::Project(id("Ω")),
            Change::TokenKeys,
            Change::Catalog,
            Change::Trust(id("t")),
            revocation(),
            Change::User("u".repeat(MAX_CHANGE_ID)),
        ] {
            ring.note(UnixTime::from_micros(8_000_001), change);
        }
        let cursor = Cursor::new("1763831000123456").unwrap();
        Entry { heard_at: UnixTime::from_secs(8), log: Log { cursor, ring } }
    }

    #[test]
    fn comes_back_as_it_was() {
        assert_eq!(Entry::decode(&entry().encode()), Some(entry()));
        let mut all = entry();
        all.log.ring.note(UnixTime::from_secs(9), Change::All);
        assert_eq!(Entry::decode(&all.encode()), Some(all));
    }

    #[test]
    fn what_is_cut_is_another_entry_or_none() {
        let bytes = entry().encode();
        for length in 0..bytes.len() {
            let Some(cut) = Entry::decode(&bytes[..length]) else { continue };
            assert!(cut.log.ring.changes().len() < entry().log.ring.changes().len());
        }
    }

    #[test]
    fn more_changes_than_a_ring_holds_are_none() {
        let mut bytes = entry().encode();
        let one = [&[0; 8][..], &[5, 0, 0]].concat();
        for _ in entry().log.ring.changes().len()..MAX_NOTED {
            bytes.extend_from_slice(&one);
        }
        assert!(Entry::decode(&bytes).is_some());
        bytes.extend_from_slice(&one);
        assert!(Entry::decode(&bytes).is_none());
    }

    #[test]
    fn the_fullest_one_can_be_sealed_and_opened() {
        use crate::config::Config;
        use crate::config::example::{self, keyserver};
        use crate::shared::Seal;

        let config = Config::parse(example::with(&serde_json::json!({})).as_bytes()).unwrap();
        let slot = Seal::new(&keyserver(&config).server).slot("changes");
        let long = (Change::User("u".repeat(256)), 256);
        for (change, count) in
            [(Change::User("u".repeat(64)), MAX_NOTED), long, (revocation(), 115)]
        {
            let mut entry = entry();
            for _ in 0..2 * MAX_NOTED {
                entry.log.ring.note(UnixTime::from_secs(9), change.clone());
            }
            assert_eq!(entry.log.ring.changes().len(), count);
            let opened = slot.open(&slot.seal(&entry.encode())).unwrap();
            assert_eq!(Entry::decode(&opened), Some(entry));
        }
    }
}
