//! What the workers of a proxy share, through shared data: sealed slots.

mod seal;

pub(crate) use seal::{Seal, SlotKeys};
