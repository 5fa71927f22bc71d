//! The paths of an access rule.

use alloc::vec::Vec;

use super::PlainPath;

/// The longest pattern, in bytes: as many as Keystone's column holds.
pub const MAX_PATTERN: usize = 128;

/// Which paths a rule is about: `{name}` and `*` stand for one or more characters that are no slash, `**`
/// for any, also for none, and everything else for itself. What is percent-encoded in a path has to be so
/// here, with digits in upper case.
///
/// All ways to match are followed at the same time, as one bit each, so a look takes time for each
/// character of the path once, whatever the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// For each character that stands for itself, the states in which it leads to the next one.
    literals: Vec<(u8, u128)>,
    /// The states in which each character but a slash leads to the next.
    one: u128,
    /// Those in which each character but a slash leads nowhere else: after a first one.
    more: u128,
    /// Those in which any character leads nowhere else, and which are left for the next without any.
    any: u128,
    /// The state in which the path must end.
    end: u128,
}

impl PathPattern {
    /// Reads a pattern. `None` if it is longer than [`MAX_PATTERN`] or does not begin with a slash; such a
    /// one matches no path.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        if pattern.len() > MAX_PATTERN {
            return None;
        }
        // Each path has that slash. So there are 127 tokens at most, and 128 states.
        let mut rest = pattern.as_bytes().strip_prefix(b"/")?;
        let mut this = Self { literals: Vec::new(), one: 0, more: 0, any: 0, end: 1 };
        while let Some((byte, after)) = rest.split_first() {
            let next = this.end << 1;
            if let Some(after) = rest.strip_prefix(b"**") {
                rest = after;
                if this.any << 1 & this.end != 0 {
                    // After another one it says nothing new.
                    continue;
                }
                this.any |= this.end;
            } else if let Some(after) = after_tag(rest).or_else(|| rest.strip_prefix(b"*")) {
                rest = after;
                this.one |= this.end;
                this.more |= next;
            } else {
                rest = after;
                this.add_literal(*byte);
            }
            this.end = next;
        }
        Some(this)
    }

    /// Whether it stands for the whole of a path.
    #[must_use]
    pub fn matches(&self, path: &PlainPath<'_>) -> bool {
        let mut states = self.with_next_of_any(1);
        for byte in path.as_bytes().iter().skip(1) {
            let mut next = (states & self.literal(*byte)) << 1 | states & self.any;
            if *byte != b'/' {
                next |= (states & self.one) << 1 | states & self.more;
            }
            if next == 0 {
                return false;
            }
            states = self.with_next_of_any(next);
        }
        states & self.end != 0
    }

    fn with_next_of_any(&self, states: u128) -> u128 {
        // No two of them are side by side, so one step is all.
        states | (states & self.any) << 1
    }

    fn literal(&self, byte: u8) -> u128 {
        let mut literals = self.literals.iter();
        literals.find(|(other, _)| *other == byte).map_or(0, |(_, states)| *states)
    }

    fn add_literal(&mut self, byte: u8) {
        let end = self.end;
        if let Some((_, states)) = self.literals.iter_mut().find(|(other, _)| *other == byte) {
            *states |= end;
        } else {
            self.literals.push((byte, end));
        }
    }
}

/// What follows a `{name}`; a brace that is not closed stands for itself.
fn after_tag(pattern: &[u8]) -> Option<&[u8]> {
    let name = pattern.strip_prefix(b"{")?;
    let end = name.iter().position(|byte| *byte == b'}')?;
    name.get(end + 1..)
}
