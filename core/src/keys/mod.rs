//! The upkeep of one worker's key set: when to fetch it, how long to use it, who waits for it.
//!
//! Every worker of a proxy has a store of its own, and all of them share one copy through slots of
//! shared data, so that one fetch serves all. Like the gate, a store knows no host and no clock:
//! **hand in one [`Event`], then carry out the [`Action`]s of [`KeyStore::next_action`] until there
//! are none** (some of them answer with another event).
//!
//! ```text
//!   request ─want──▶ ┌──────────┐ ─Read/Write─▶ shared data: the key set, a lease to fetch it
//!           ◀Resume─ │ KeyStore │ ─Fetch──────▶ key server
//!   clock ────Tick─▶ └──────────┘ ◀─Fetched───
//! ```

#[cfg(test)]
mod anything;
mod entry;
mod outcome;
mod store;
mod token_keys;
#[cfg(test)]
mod world;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use store::KeyStore;
pub use token_keys::TokenKeys;

use crate::fetch::{Answer, FetchFailure};
use crate::refusal::Unknown;
pub use crate::shared::Written;

/// Keys that may be used now.
#[derive(Debug)]
pub struct Keys {
    /// The keys themselves.
    pub keys: TokenKeys,
    /// Which set of keys this is: a later one has a higher number. It counts within one worker.
    pub generation: u64,
}

/// What becomes of a request that wants keys.
#[derive(Clone, Debug)]
#[must_use]
pub enum Want {
    /// Here they are.
    Ready(Rc<Keys>),
    /// The request waits: an [`Action::Resume`] with its id follows. The store wants an
    /// [`Event::Tick`] as soon as calls can be made.
    Parked,
    /// There are none, and waiting does not help.
    Refused {
        /// Why.
        cause: Unknown,
        /// When it may be worth another try.
        retry_after: Duration,
    },
}

/// What the world tells a store.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Time has passed, or a request waits.
    Tick,
    /// What a slot holds, in answer to [`Action::Read`]; `None` when it was never written.
    Slot {
        /// Which.
        slot: Slot,
        /// Its bytes.
        value: Option<&'a [u8]>,
        /// The number that a conditional write must name.
        version: u32,
    },
    /// What became of an [`Action::Write`].
    Written {
        /// Which.
        slot: Slot,
        /// How it went.
        outcome: Written,
    },
    /// What became of an [`Action::Fetch`].
    Fetched(Result<Answer<'a>, FetchFailure>),
    /// A parked request is gone: the client gave up.
    Gone(u32),
}

/// A place in shared data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The key set and when it was last confirmed.
    KeySet,
    /// Who may fetch, and from when on.
    Lease,
}

/// What a store asks of the world.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Hand in what a slot holds.
    Read(Slot),
    /// Write a slot, and hand in how it went.
    Write {
        /// Which.
        slot: Slot,
        /// The bytes, sealed.
        value: Vec<u8>,
        /// Only if the slot still has this version.
        version: Option<u32>,
    },
    /// Ask the key server for its key set, and hand in the answer.
    Fetch {
        /// The entity tag of the set at hand, for `If-None-Match`.
        etag: Option<String>,
        /// The first of the requests that wait for it, if any does: its trace is to go with the
        /// call.
        on_behalf_of: Option<u32>,
    },
    /// Hand a parked request its keys, or the reason that there are none.
    Resume {
        /// The request, as it was called when it was parked.
        request: u32,
        /// What it gets; never [`Want::Parked`].
        answer: Want,
    },
    /// Count and log what happened.
    Report(Report),
}

/// What happened to a store, for whoever counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Keys that were not known before.
    Updated {
        /// How many there are.
        keys: usize,
        /// The id of the primary key.
        primary: Option<u32>,
    },
    /// The key server confirmed the keys at hand.
    Unchanged,
    /// The key server could not be asked, or gave no usable answer.
    Failed {
        /// What went wrong.
        failure: FetchFailure,
        /// How long until the next try.
        retry_after: Duration,
    },
    /// The keys at hand are too old to be used any longer.
    Expired,
}
