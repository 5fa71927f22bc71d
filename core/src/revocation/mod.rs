//! Whether a token was revoked: Keystone's events of revocation, held where tokens are checked.
//!
//! Keystone compares a token with event after event (`keystone/models/revoke_model.py`, `matches`,
//! and the statement in `keystone/revoke/backends/sql.py`). Here the events are sorted by their
//! *shape*, that is by which things they name; there are a handful of shapes. For each of them a token
//! has one digest, or a few, of its own things of this shape, and an event with that digest, or none,
//! tells the answer. So a look takes as long with a hundred thousand events as with ten.

pub mod list;
#[cfg(test)]
mod scenarios;
mod shape;
#[cfg(test)]
mod tests;
mod token;
#[cfg(test)]
mod vectors;

use alloc::vec::Vec;

pub use list::RevocationList;
pub use token::TokenFacts;

use self::shape::{Digest, Shape};
use crate::record::RevocationEvent;
use crate::rows::Rows;
use crate::time::UnixTime;

/// The most events that a set holds: they take some 10 MB.
pub const MAX_EVENTS: usize = 100_000;

/// The events of revocation that are in force.
///
/// An event takes room only once, however often it comes; of several that name the same things, the
/// latest counts.
///
/// **The set is never too small, and fails closed:** when one event more comes than it may hold, the
/// ones that end at the earliest second go, and in their place *all* tokens count as revoked that were
/// issued in that second or before. So a flood of events ends the oldest tokens early, and opens nothing.
#[derive(Clone, Debug)]
pub struct RevocationSet {
    capacity: usize,
    seed: u64,
    /// The events, to be looked for by what they name.
    by_things: Rows,
    /// The same, in the order in which they go.
    by_end: Rows,
    /// How many there are of each shape.
    shapes: Vec<(Shape, usize)>,
    /// Every token that was issued in this second or before is revoked.
    floor: Option<u64>,
}

impl RevocationSet {
    /// A set of none, with room for so many events, at least one and at most [`MAX_EVENTS`].
    ///
    /// Ids are hashed with a key of this seed. Whoever does not know it cannot make two of them meet.
    #[must_use]
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self {
            capacity: capacity.clamp(1, MAX_EVENTS),
            seed,
            by_things: Rows::new(),
            by_end: Rows::new(),
            shapes: Vec::new(),
            floor: None,
        }
    }

    /// Takes in an event.
    pub fn add(&mut self, event: &RevocationEvent) {
        let mut shape = Shape::of(event);
        let is_known = self.shapes.iter().any(|(known, _)| *known == shape);
        if !is_known && self.shapes.len() >= MAX_SHAPES {
            // Keystone writes no more than ten. An event that names less revokes more.
            shape = shape.most_selective();
        }
        let last = event.issued_before;
        if shape.is_empty() {
            return self.raise_floor(last);
        }
        if self.floor.is_some_and(|floor| last <= floor) {
            return;
        }
        let digest = shape.digest(event, self.seed);
        match self.last(shape, digest) {
            Some(known) if known >= last => return,
            Some(known) => self.remove(shape, digest, known),
            None => {}
        }
        self.insert(shape, digest, last);
        if self.by_end.len() > self.capacity
            && let Some([first, ..]) = self.by_end.first()
        {
            self.raise_floor(*first);
        }
    }

    /// Whether a token was revoked.
    #[must_use]
    pub fn revokes(&self, token: &TokenFacts<'_>) -> bool {
        let issued_at = token.issued_at.as_secs();
        if self.floor.is_some_and(|floor| issued_at <= floor) {
            return true;
        }
        // Most tokens are younger than the latest event or match none of the shapes there are.
        if self.by_end.last().is_none_or(|[latest, ..]| *latest < issued_at) {
            return false;
        }
        self.shapes.iter().any(|(shape, _)| {
            shape.any_digest(token, self.seed, &mut |digest| {
                self.last(*shape, digest).is_some_and(|last| issued_at <= last)
            })
        })
    }

    /// Lets go of the events of tokens that were all issued before `time`: call it with a time so
    /// long ago that no token of then is taken any more, be it since all have expired.
    pub fn forget_before(&mut self, time: UnixTime) {
        let Some(last) = time.as_secs().checked_sub(1) else { return };
        self.drop_until(last);
        self.floor = self.floor.filter(|floor| *floor > last);
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_end.len()
    }

    /// Whether there is none, so that no token is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_end.is_empty() && self.floor.is_none()
    }

    /// The second, in UNIX time, up to which all tokens count as revoked: since an event says so,
    /// or since there was not room for all events.
    #[must_use]
    pub fn floor(&self) -> Option<u64> {
        self.floor
    }

    fn raise_floor(&mut self, last: u64) {
        if self.floor.is_none_or(|floor| floor < last) {
            self.floor = Some(last);
            self.drop_until(last);
        }
    }

    /// Drops the events that revoke no token that was issued after this second.
    fn drop_until(&mut self, last: u64) {
        while let Some([first, shape, one, other]) = self.by_end.first().copied()
            && first <= last
        {
            self.remove(Shape::from(shape), Digest(one, other), first);
        }
    }

    /// The last second of the event that names these things.
    fn last(&self, shape: Shape, Digest(one, other): Digest) -> Option<u64> {
        let first = [shape.into(), one, other, 0];
        let event = self.by_things.first_from(&first)?;
        let [found @ .., last] = *event;
        (found == [shape.into(), one, other]).then_some(last)
    }

    fn insert(&mut self, shape: Shape, Digest(one, other): Digest, last: u64) {
        self.by_things.insert([shape.into(), one, other, last]);
        self.by_end.insert([last, shape.into(), one, other]);
        match self.shapes.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, count)) => *count += 1,
            None => self.shapes.push((shape, 1)),
        }
    }

    fn remove(&mut self, shape: Shape, Digest(one, other): Digest, last: u64) {
        self.by_things.remove(&[shape.into(), one, other, last]);
        self.by_end.remove(&[last, shape.into(), one, other]);
        for (known, count) in &mut self.shapes {
            *count -= usize::from(*known == shape);
        }
        self.shapes.retain(|(_, count)| *count > 0);
    }
}

/// The most shapes before an event of a new one counts as one that names a single thing. Of those
/// there are eleven more.
const MAX_SHAPES: usize = 32;
