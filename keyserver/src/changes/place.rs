//! Where in the feed an edge is: what a cursor says.
//!
//! `1763831000123456.17.5f3a9c0d12b4`: a time in microseconds, then a place in the memory of the
//! server that is named last. That server goes on at the place. Another one has an order of its
//! own, and goes by the time; then an edge may be told again what it knows already.

use std::fmt;

use voussoir_core::time::UnixTime;

/// A place in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// All that was committed before was told.
    pub(super) time: UnixTime,
    /// The number of the next change, and whose numbers these are.
    pub(super) next: Option<(u64, Instance)>,
}

/// One run of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instance(u64);

impl Place {
    /// What a cursor says, if it is one of ours or of another server's.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let time = UnixTime::from_micros(number(parts.next()?)?);
        let next = match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => None,
            (Some(next), Some(instance), None) => {
                Some((number(next)?, Instance::from_text(instance)?))
            }
            _ => return None,
        };
        Some(Self { time, next })
    }
}

impl Instance {
    /// One that no other has.
    pub(super) fn random() -> Self {
        let mut bytes = [0; 8];
        // Without random bytes the system offers no TLS either; the time tells two runs apart.
        if getrandom::fill(&mut bytes).is_err() {
            bytes = crate::clock::now().as_micros().to_be_bytes();
        }
        Self(u64::from_be_bytes(bytes) % ONE_ABOVE)
    }

    fn from_text(text: &str) -> Option<Self> {
        let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_one = text.len() == DIGITS && text.bytes().all(is_lower_hex);
        is_one.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

/// The text of the cursor.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.time.as_micros())?;
        if let Some((next, Instance(instance))) = self.next {
            write!(f, ".{next}.{instance:0DIGITS$x}")?;
        }
        Ok(())
    }
}

/// A number in digits only; the standard library takes a plus as well.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

const DIGITS: usize = 12;
const ONE_ABOVE: u64 = 1 << (4 * DIGITS);

#[cfg(test)]
mod tests {
    use super::*;
    use voussoir_core::record::Cursor;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        for instance in [0, 1, ONE_ABOVE - 1] {
            let next = Some((u64::MAX, Instance(instance)));
            let place = Place { time: UnixTime::from_micros(u64::MAX), next };
            let text = place.to_string();
            assert!(Cursor::new(&text).is_some(), "{text}");
            assert_eq!(Place::from_text(&text), Some(place));
        }
        let time = UnixTime::from_micros(1_763_831_000_123_456);
        let place = Place { time, next: None };
        assert_eq!(Place::from_text("1763831000123456"), Some(place));
        assert_ne!(Instance::random(), Instance::random());
    }

    #[test]
    fn refuses_what_is_no_cursor() {
        for text in [
            "",
            "x",
            "+1",
            "-1",
            "1.",
            "1.2",
            "1.2.",
            "1.2.5f3a9c0d12b",
            "1.2.5F3A9C0D12B4",
            "1.2.5f3a9c0d12b45",
            "1.2.5f3a9c0d12b4.",
            "1..5f3a9c0d12b4",
            "1.+2.5f3a9c0d12b4",
            "18446744073709551616",
        ] {
            assert_eq!(Place::from_text(text), None, "{text}");
        }
    }
}
