//! Quantities as people write them: a whole number and its unit, as in `10s`.

/// The number that a text begins with, and the unit that follows. A number alone would have a unit
/// that is empty, and none of ours is.
pub(crate) fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}
