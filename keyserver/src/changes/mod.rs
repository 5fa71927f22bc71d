//! What has changed of that which edges hold: found out in passes, remembered for a while, told at
//! `GET /v1/changes`.
//!
//! A pass looks at everything that the server serves from. Edges get the time at which the last
//! complete pass began, and no later one: what is committed before it has been told. A pass that
//! fails moves nothing, and a feed whose passes fail falls silent.

mod feed;
mod passes;
mod place;

pub(crate) use feed::{Feed, NoAnswer};
pub(crate) use passes::{Check, run, tell_rotations};
