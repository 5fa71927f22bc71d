//! What makes a reading trustworthy: that the next reading, some time later, is the same.
//!
//! Files are replaced one after the other, and whoever reads in between sees a mixture that never
//! was. Nothing is believed that two readings in a row do not agree on.

use voussoir_core::record::KeySet;
use voussoir_core::secret::Secret;

/// Remembers what was read last, and what was believed last.
pub(crate) struct Settle<R> {
    believed: Option<R>,
    last: Option<R>,
}

/// What a reading comes to.
pub(crate) enum Reading<'a, R> {
    /// What is believed already.
    Believed,
    /// Something new, for the second time in a row: from now on it is believed.
    New(&'a R),
    /// Something new, for the first time.
    Unsettled,
}

impl<R: Same> Settle<R> {
    /// Begins without any belief.
    pub(crate) fn new() -> Self {
        Self { believed: None, last: None }
    }

    /// Begins with a belief.
    pub(crate) fn believing(reading: R) -> Self {
        Self { believed: Some(reading), last: None }
    }

    /// Takes the next reading.
    pub(crate) fn read(&mut self, reading: R) -> Reading<'_, R> {
        if self.believed.as_ref().is_some_and(|believed| believed.same(&reading)) {
            self.last = None;
            return Reading::Believed;
        }
        if self.last.take().is_some_and(|last| last.same(&reading)) {
            return Reading::New(self.believed.insert(reading));
        }
        self.last = Some(reading);
        Reading::Unsettled
    }

    /// Nothing could be read: the readings before and after are not in a row.
    pub(crate) fn failed(&mut self) {
        self.last = None;
    }
}

/// Equality of what may hold secrets, which have no `PartialEq`.
pub(crate) trait Same {
    /// Whether both are the same.
    fn same(&self, other: &Self) -> bool;
}

impl Same for Secret {
    fn same(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl<T: Same> Same for Vec<T> {
    fn same(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(one, other)| one.same(other))
    }
}

impl Same for KeySet {
    fn same(&self, other: &Self) -> bool {
        self.jws == other.jws
            && self.fernet.len() == other.fernet.len()
            && self
                .fernet
                .iter()
                .zip(&other.fernet)
                .all(|(one, other)| one.id == other.id && one.key.same(&other.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(settle: &mut Settle<Secret>, text: &str) -> &'static str {
        match settle.read(Secret::new(text.into())) {
            Reading::Believed => "believed",
            Reading::New(_) => "new",
            Reading::Unsettled => "unsettled",
        }
    }

    #[test]
    fn believes_what_was_read_twice_in_a_row() {
        let mut settle = Settle::new();
        for (text, expected) in [
            ("a", "unsettled"),
            ("a", "new"),
            ("a", "believed"),
            ("b", "unsettled"),
            ("c", "unsettled"),
            ("b", "unsettled"),
            ("b", "new"),
            ("b", "believed"),
        ] {
            assert_eq!(reads(&mut settle, text), expected);
        }
    }

    #[test]
    fn readings_with_another_or_a_failure_in_between_are_not_in_a_row() {
        let mut settle = Settle::believing(Secret::new(b"a".to_vec()));
        assert_eq!(reads(&mut settle, "b"), "unsettled");
        assert_eq!(reads(&mut settle, "a"), "believed");
        assert_eq!(reads(&mut settle, "b"), "unsettled");
        settle.failed();
        assert_eq!(reads(&mut settle, "b"), "unsettled");
        assert_eq!(reads(&mut settle, "b"), "new");
    }
}
