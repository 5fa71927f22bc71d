//! The engine that fetches records and keeps them: which are held, for how long, and who waits for one.
//!
//! It keeps one [`Kind`] of records: the signing keys of access keys, or the identities of tokens. What
//! is asked for may be chosen by whoever sends a request, true or not. So everything here is bounded:
//! entries, calls under way, calls a second, questions about one subject, requests that wait. That
//! there is no such record is remembered as well.
//!
//! Like the gate, a cache knows no host and no clock: **hand in one [`Event`], then carry out the
//! [`Action`]s of [`Cache::next_action`] until there are none.**
//!
//! ```text
//!   request ─want──▶ ┌───────┐ ─Read/Write─▶ shared data: records, leases to fetch one
//!           ◀Resume─ │ Cache │ ─Fetch──────▶ key server: one call for all that wait
//!   clock ────Tick─▶ └───────┘ ◀─Fetched
//! ```
//!
//! # Ages of an entry
//!
//! | Age | What a request gets |
//! |---|---|
//! | up to `cache.fresh` | the record |
//! | up to twice that | the record, while it is fetched anew |
//! | older | what is fetched; only if that fails, and up to `cache.stale`, the record |
//!
//! What the change feed tells of is let go of at once ([`Cache::changed`]). If it tells only that
//! everything may have changed, records serve for a quarter of a poll period while they are confirmed, and
//! after that only once they are. While the feed is silent, nothing is fresh for longer than ten seconds.
//!
//! Where more requests would wait than may, a record that is not too old for it serves like one that cannot
//! be fetched, and is fetched behind it: what is known is refused to nobody for lack of room.

mod allowance;
#[cfg(test)]
mod anything;
mod circuit;
#[cfg(test)]
mod fleets;
mod flights;
mod local;
mod lookup;
mod record;
#[cfg(test)]
mod scenarios;
mod shared;
mod stats;
mod store;
#[cfg(test)]
mod world;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub(crate) use record::Outcome;
pub use record::{Fault, Kind, Question, Record};
pub use stats::Stats;
pub use store::Cache;

use crate::fetch::{Answer, FetchFailure};
use crate::refusal::Unknown;
pub use crate::shared::Written;

/// What becomes of a request that wants a record.
#[derive(Debug)]
#[must_use]
pub enum Want {
    /// Here it is.
    Ready(Record),
    /// There is none, and that is known.
    Denied(Fault),
    /// The request waits: an [`Action::Resume`] with its id follows. The cache wants an
    /// [`Event::Tick`] as soon as calls can be made.
    Parked,
    /// It cannot be known, and waiting does not help.
    Refused {
        /// Why.
        cause: Unknown,
        /// When it may be worth another try.
        retry_after: Duration,
    },
}

/// The number of a call, within one cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call(u64);

/// What the world tells a cache.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Time has passed, or a request waits.
    Tick,
    /// What a slot of shared data holds, in answer to [`Action::Read`]; `None` when it was never
    /// written.
    Slot {
        /// For whom it was read.
        call: Call,
        /// Which.
        slot: usize,
        /// Its bytes.
        value: Option<&'a [u8]>,
        /// The number that a conditional write must name.
        version: u32,
    },
    /// What became of an [`Action::Write`].
    Written {
        /// For whom it was written.
        call: Call,
        /// How it went.
        outcome: Written,
    },
    /// What became of an [`Action::Fetch`].
    Fetched(Call, Result<Answer<'a>, FetchFailure>),
    /// A parked request is gone: the client gave up.
    Gone(u32),
}

/// What a cache asks of the world.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Hand in what a slot of shared data holds.
    Read {
        /// For whom.
        call: Call,
        /// Which.
        slot: usize,
        /// Its name.
        name: String,
    },
    /// Write a slot of shared data, and hand in how it went.
    Write {
        /// For whom.
        call: Call,
        /// Its name.
        name: String,
        /// The bytes, sealed.
        value: Vec<u8>,
        /// Write only if this is still its version.
        version: Option<u32>,
    },
    /// Ask the key server, and hand in what comes back.
    Fetch {
        /// For whom.
        call: Call,
        /// The question.
        question: Question,
        /// One of the requests that wait for it, so that the call can be told to be part of it.
        on_behalf_of: Option<u32>,
    },
    /// Hand this answer to a request that waited. It may be gone.
    Resume {
        /// Which.
        request: u32,
        /// What it is told; never [`Want::Parked`].
        answer: Want,
    },
    /// Count it, or say it.
    Report(Report),
}

/// What is worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// A record was fetched.
    Fetched,
    /// The key server says that there is none.
    Denied,
    /// A call came to nothing.
    Failed(FetchFailure),
}
