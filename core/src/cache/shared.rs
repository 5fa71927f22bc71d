//! The level that all workers of a proxy share: slots of shared data, fixed in number.
//!
//! Nothing in shared data is ever removed by the host, so the slots bound what it takes. Each
//! question has two slots that its answer may stand in, chosen by a keyed hash: who sends requests
//! cannot choose them. What is in a slot is sealed, and names whose it is.
//!
//! ```text
//!   kind: u8 | keyed hash of the question: 32 | time: u64 | of a record: JSON; of a denial: the reason
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{Fault, Kind, Question};
use crate::shared::SlotKeys;
use crate::time::UnixTime;

/// The slots.
pub(super) struct Shared {
    kind: Kind,
    keys: SlotKeys,
    count: usize,
}

/// Where the answer to a question may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    hash: [u8; 32],
    pub(super) slots: [usize; 2],
}

/// What stands in a slot.
#[derive(Debug)]
pub(super) enum Entry {
    /// A record, as the key server sent it.
    Record {
        /// When the call that brought it was made.
        confirmed_at: UnixTime,
        /// The answer.
        json: Zeroizing<Vec<u8>>,
    },
    /// There is none, until then.
    Denied { fault: Fault, until: UnixTime },
    /// A worker fetches it, at most until then.
    Lease { until: UnixTime },
}

/// What a slot holds, to one who looks for an answer.
#[derive(Debug)]
pub(super) enum Found {
    /// What was looked for.
    Ours(Entry),
    /// Nothing that is of use to anybody.
    Free,
    /// Something that may make room for a record, but not for less: since when it is there.
    Others(UnixTime),
    /// A record in use by others, or a call of theirs.
    Taken(UnixTime),
}

impl Shared {
    /// `count` slots for records of a kind.
    pub(super) fn new(kind: Kind, keys: SlotKeys, count: usize) -> Self {
        Self { kind, keys, count }
    }

    /// Where the answer to a question may stand, if there are any slots.
    pub(super) fn place(&self, question: &Question) -> Option<Place> {
        let hash = self.keys.mac(question.json().as_bytes());
        let slot = |bytes: &[u8; 32], from: usize| {
            let bytes = bytes.get(from..)?.first_chunk::<4>()?;
            let number = usize::try_from(u32::from_le_bytes(*bytes)).ok()?;
            number.checked_rem(self.count)
        };
        let (first, second) = (slot(&hash, 0)?, slot(&hash, 4)?);
        Some(Place { hash, slots: [first, second] })
    }

    /// The name of a slot in shared data.
    pub(super) fn name(&self, slot: usize) -> String {
        self.keys.indexed_name(slot)
    }

    /// What there is for a place in a slot with these bytes.
    pub(super) fn read(&self, place: &Place, bytes: Option<&[u8]>, now: UnixTime) -> Found {
        let opened = bytes.and_then(|bytes| self.keys.open(bytes));
        let Some((hash, entry)) = opened.as_deref().and_then(|bytes| decode(self.kind, bytes))
        else {
            return Found::Free;
        };
        match entry {
            Entry::Lease { until } | Entry::Denied { until, .. } if until <= now => Found::Free,
            // From the future: another clock wrote it, or ours went back.
            Entry::Record { confirmed_at, .. } if confirmed_at > now => Found::Free,
            entry if hash == place.hash => Found::Ours(entry),
            Entry::Lease { until } => Found::Taken(until),
            Entry::Record { confirmed_at, .. } => Found::Taken(confirmed_at),
            Entry::Denied { until, .. } => Found::Others(until),
        }
    }

    /// What to write for a place; nothing of what is too long to be shared.
    pub(super) fn seal(&self, place: &Place, entry: &Entry) -> Option<Vec<u8>> {
        let bytes = encode(&place.hash, entry);
        (bytes.len() <= HEAD + self.kind.max_shared()).then(|| self.keys.seal(&bytes))
    }
}

fn encode(hash: &[u8; 32], entry: &Entry) -> Zeroizing<Vec<u8>> {
    let (kind, time, rest) = match entry {
        Entry::Record { confirmed_at, json } => (RECORD, confirmed_at, json.as_slice()),
        Entry::Denied { fault, until } => (DENIED, until, fault.reason().as_bytes()),
        Entry::Lease { until } => (LEASE, until, &[][..]),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + rest.len()));
    bytes.push(kind);
    bytes.extend_from_slice(hash);
    bytes.extend_from_slice(&time.as_micros().to_be_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

fn decode(kind: Kind, bytes: &[u8]) -> Option<([u8; 32], Entry)> {
    let (entry, rest) = bytes.split_first()?;
    let (hash, rest) = rest.split_first_chunk()?;
    let (time, rest) = rest.split_first_chunk()?;
    let time = UnixTime::from_micros(u64::from_be_bytes(*time));
    let entry = match *entry {
        RECORD => Entry::Record { confirmed_at: time, json: Zeroizing::new(rest.to_vec()) },
        DENIED => Entry::Denied { fault: kind.fault(rest)?, until: time },
        LEASE if rest.is_empty() => Entry::Lease { until: time },
        _ => return None,
    };
    Some((*hash, entry))
}

const RECORD: u8 = 1;
const DENIED: u8 = 2;
const LEASE: u8 = 3;

/// What stands before the rest of an entry: its kind, the hash and the time.
const HEAD: usize = 1 + 32 + 8;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::Server;
    use crate::record::AccessKeyFault;
    use crate::shared::Seal;
    use crate::sigv4::Credential;
    use alloc::collections::BTreeSet;
    use alloc::format;
    use core::time::Duration;

    const NOW: UnixTime = UnixTime::MAX;

    fn shared(count: usize) -> Shared {
        let server = Server {
            cluster: "keyserver".into(),
            authority: "keyserver".into(),
            timeout: Duration::from_secs(1),
            secret: None,
        };
        Shared::new(Kind::AccessKey, Seal::new(&server).slot("signing-keys"), count)
    }

    fn question(access_key: &str) -> Question {
        let credential = Credential::from_parts(access_key, b"20270115", "r", "s3");
        Question::AccessKey(credential.unwrap().into())
    }

    fn secs(secs: u64) -> UnixTime {
        UnixTime::from_secs(secs)
    }

    #[test]
    fn an_entry_is_found_by_whom_it_is_for_and_by_nobody_else() {
        let shared = shared(64);
        let (a, b) = (question("A"), question("B"));
        let (a, b) = (shared.place(&a).unwrap(), shared.place(&b).unwrap());
        let json = Zeroizing::new(b"{}".to_vec());
        let key = Entry::Record { confirmed_at: secs(5), json };
        let sealed = shared.seal(&a, &key).unwrap();
        let Found::Ours(Entry::Record { confirmed_at, json }) =
            shared.read(&a, Some(&sealed), secs(6))
        else {
            panic!("not found");
        };
        assert_eq!((confirmed_at, json.as_slice()), (secs(5), &b"{}"[..]));
        assert!(matches!(shared.read(&b, Some(&sealed), secs(6)), Found::Taken(_)));
        assert!(matches!(shared.read(&a, Some(&sealed), secs(4)), Found::Free));
        for fault in AccessKeyFault::ALL.map(Fault::AccessKey) {
            let sealed = shared.seal(&a, &Entry::Denied { fault, until: secs(9) }).unwrap();
            let Found::Ours(Entry::Denied { fault: found, .. }) =
                shared.read(&a, Some(&sealed), secs(8))
            else {
                panic!("not found");
            };
            assert_eq!(found, fault);
            assert!(matches!(shared.read(&b, Some(&sealed), secs(8)), Found::Others(_)));
            assert!(matches!(shared.read(&a, Some(&sealed), secs(9)), Found::Free));
        }
    }

    #[test]
    fn what_is_torn_or_foreign_is_nothing() {
        let shared = shared(64);
        let place = shared.place(&question("A")).unwrap();
        let sealed = shared.seal(&place, &Entry::Lease { until: NOW }).unwrap();
        for length in 0..sealed.len() {
            assert!(matches!(shared.read(&place, Some(&sealed[..length]), secs(0)), Found::Free));
        }
        for byte in 0..sealed.len() {
            let mut torn = sealed.clone();
            torn[byte] ^= 1;
            assert!(matches!(shared.read(&place, Some(&torn), secs(0)), Found::Free));
        }
        assert!(matches!(shared.read(&place, None, secs(0)), Found::Free));
        for bytes in [&[][..], &[1; 40], &[9; 60], &[DENIED; 43], &[LEASE; 42]] {
            assert!(decode(Kind::AccessKey, bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn places_are_spread_and_within_bounds() {
        let shared = shared(64);
        let places: BTreeSet<_> = (0..1000)
            .flat_map(|n| shared.place(&question(&format!("K{n}"))).unwrap().slots)
            .collect();
        assert_eq!(places.into_iter().collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
        assert!(self::shared(0).place(&question("A")).is_none());
    }

    #[test]
    fn what_is_too_long_is_not_shared() {
        let shared = shared(64);
        let place = shared.place(&question("A")).unwrap();
        let json = Zeroizing::new(alloc::vec![b' '; Kind::AccessKey.max_shared() + 1]);
        assert!(shared.seal(&place, &Entry::Record { confirmed_at: NOW, json }).is_none());
    }
}
