//! What has changed: how every worker learns, within about a poll period, which of the records that
//! it holds have to be confirmed again.
//!
//! One worker of a proxy asks the key server, and puts the latest changes into a slot of shared
//! data; all workers look there. Like the stores, a feed knows no host and no clock: **hand in one
//! [`Event`], then carry out the [`Action`]s of [`ChangeFeed::next_action`] until there are none**
//! (some of them answer with another event).
//!
//! ```text
//!   clock ──Tick──▶ ┌────────────┐ ─Read/Write─▶ shared data: the latest changes, a lease to ask
//!                   │ ChangeFeed │ ─Fetch──────▶ key server
//!  stores ◀Changed─ └────────────┘ ◀─Fetched───
//! ```
//!
//! # What can be relied on
//!
//! Each change that the key server tells comes out of every worker's feed as an
//! [`Action::Changed`], or else [`Change::All`] does: a worker that missed some, a key server that
//! does not know the cursor any more, a slot that was lost or put back by somebody else, all end in
//! `All`. How long ago a feed last heard of the key server is [`ChangeFeed::lag`]; while it
//! [is silent](ChangeFeed::is_silent), what is held should be trusted for a shorter time.
//!
//! What has to be confirmed since *all* may have changed, and there is no telling that it has, serves on for
//! a quarter of a poll period while it is confirmed: a key server that was started anew shall not have all
//! requests wait at once.
//!
//! A record that another worker confirmed may be older than a change that this one has applied
//! already. So [`ChangeFeed::changed_since`] is to be asked before it is believed, and before the
//! answer to a call is, since that may have been under way when the change came in.
//!
//! # A clock that goes back
//!
//! Nothing gets younger by it. A record's time then no longer tells whether it is older than a
//! change, so none is covered until the clock is where it has been before.

mod client;
mod entry;
mod outcome;
mod ring;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod world;

use alloc::vec::Vec;
use core::time::Duration;

pub use client::ChangeFeed;

use crate::config::Config;
use crate::fetch::{Answer, FetchFailure};
use crate::record::{Change, Cursor};
pub use crate::shared::Written;
use crate::time::UnixTime;

/// What the world tells a feed.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Time has passed.
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
    Fetched(Call, Result<Answer<'a>, FetchFailure>),
}

/// A place in shared data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The latest changes, and when the key server was last heard.
    Changes,
    /// Who may ask, and from when on.
    Lease,
}

/// A call to the key server. Its number is this worker's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(u64);

/// What a feed asks of the world.
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
    /// Ask the key server what has changed, and hand in the answer.
    Fetch {
        /// The call, to hand in its answer by.
        call: Call,
        /// Since when: [`Cursor::path`] says where to ask.
        after: Option<Cursor>,
    },
    /// What was made of any of these has to be confirmed again.
    Changed {
        /// There is at least one, and [`Change::All`] stands alone.
        changes: Vec<Change>,
        /// When the latest of them came in: what was asked for later than that shows them all.
        at: UnixTime,
    },
    /// Count and log what happened.
    Report(Report),
}

/// What happened to a feed, for whoever counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The key server told what has changed.
    Heard {
        /// How many changes it told.
        changes: usize,
    },
    /// A feed began: at first, or since the key server no longer knows where the one before was.
    Begun,
    /// The key server could not be asked, or gave no usable answer.
    Failed {
        /// What went wrong.
        failure: FetchFailure,
        /// How long until the next try.
        retry_after: Duration,
    },
    /// This worker does not know what it missed of what others heard.
    Missed,
}

/// How long anything is fresh while the feed is silent.
pub(crate) const FRESH_IN_SILENCE: Duration = Duration::from_secs(10);

/// For how long what may have changed, since all may have, serves on while it is confirmed.
pub(crate) fn grace(config: &Config) -> Duration {
    config.keyserver.as_ref().map_or(Duration::ZERO, |keyserver| keyserver.poll / 4)
}
