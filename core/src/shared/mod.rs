//! What the workers of a proxy share, through shared data: sealed slots, leases.

mod lease;
mod seal;

pub(crate) use lease::Lease;
pub(crate) use seal::{Seal, SlotKeys};

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// Somebody else wrote in between.
    Conflict,
    /// The host has no shared data, or refuses it.
    Unsupported,
}
