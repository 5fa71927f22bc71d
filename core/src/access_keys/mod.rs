//! The upkeep of one worker's signing keys: which are held, for how long, and who waits for one.
//!
//! What is asked for (access key, day, region, service) is chosen by whoever sends a request, true
//! or not. So everything here is bounded: entries, calls under way, calls a second, scopes of one
//! access key, requests that wait. An access key that is none is remembered as such.
//!
//! Like the gate, a store knows no host and no clock: **hand in one [`Event`], then carry out the
//! [`Action`]s of [`AccessKeyStore::next_action`] until there are none.**
//!
//! ```text
//!   request ─want──▶ ┌────────────────┐ ─Read/Write─▶ shared data: keys, leases to fetch one
//!           ◀Resume─ │ AccessKeyStore │ ─Fetch──────▶ key server: one call for all that wait
//!   clock ────Tick─▶ └────────────────┘ ◀─Fetched
//! ```
//!
//! # Ages of an entry
//!
//! | Age | What a request gets |
//! |---|---|
//! | up to `cache.fresh` | the key |
//! | up to twice that | the key, while it is fetched anew |
//! | older | what is fetched; only if that fails, and up to `cache.stale`, the key |
//!
//! What the change feed tells of is let go of at once ([`AccessKeyStore::changed`]). While the feed
//! is silent, nothing is fresh for longer than ten seconds.

mod allowance;
mod circuit;
mod flights;
mod local;
mod lookup;
mod shared;
mod stats;
mod store;
#[cfg(test)]
mod world;
#[cfg(test)]
mod world_of_many;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use stats::Stats;
pub use store::AccessKeyStore;

use crate::fetch::{Answer, FetchFailure};
use crate::keys::Written;
use crate::record::{
    AccessKeyFault, Change, CredentialRecord, Delegation, Domain, SigningKeyAnswer,
    SigningKeyRequest,
};
use crate::refusal::Unknown;
use crate::sigv4::{Credential, SigningKey};

/// A signing key and whom it signs for.
#[derive(Debug)]
pub struct AccessKey {
    /// The access key, and what the signing key is good for.
    pub credential: Credential,
    /// The key.
    pub signing_key: SigningKey,
    /// Whom it signs for.
    pub record: CredentialRecord,
}

impl AccessKey {
    fn new(credential: &Credential, answer: SigningKeyAnswer) -> Self {
        let SigningKeyAnswer { signing_key, credential: record, .. } = answer;
        Self { credential: credential.clone(), signing_key, record }
    }

    /// Whether a change may have made it another one.
    fn is_concerned_by(&self, change: &Change) -> bool {
        let CredentialRecord { user, project, delegation, .. } = &self.record;
        let is_domain = |domain: &Option<Domain>, id: &str| {
            domain.as_ref().is_some_and(|domain| domain.id == id)
        };
        match change {
            Change::All | Change::TokenKeys => false,
            Change::AccessKey(id) => self.credential.access_key == *id,
            Change::ApplicationCredential(id) => {
                *delegation == Some(Delegation::ApplicationCredential(id.clone()))
            }
            Change::Domain(id) => {
                is_domain(&user.domain, id)
                    || project.as_ref().is_some_and(|project| is_domain(&project.domain, id))
            }
            Change::Project(id) => project.as_ref().is_some_and(|project| project.id == *id),
            Change::Trust(id) => *delegation == Some(Delegation::Trust(id.clone())),
            Change::User(id) => user.id == *id,
        }
    }
}

/// What becomes of a request that wants a signing key.
#[derive(Clone, Debug)]
#[must_use]
pub enum Want {
    /// Here it is.
    Ready(Rc<AccessKey>),
    /// The access key opens nothing.
    Denied(AccessKeyFault),
    /// The request waits: an [`Action::Resume`] with its id follows. The store wants an
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

/// The number of a call, within one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call(u64);

/// What the world tells a store.
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

/// What a store asks of the world.
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
        question: SigningKeyRequest,
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
    /// A key was fetched.
    Fetched,
    /// The key server knows no such access key.
    Denied,
    /// A call came to nothing.
    Failed(FetchFailure),
}
