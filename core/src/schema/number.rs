//! Numbers of JSON, compared as what they say: in decimal digits, and never by way of a double.

use core::cmp::Ordering;

/// A number: 0.DIGITS times ten to the power of `point`, without a zero at either end of the digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    point: i64,
}

/// What a number may have to be a multiple of: digits without a zero at the end, and what power of ten they
/// are taken times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divisor {
    digits: u64,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Of a number of JSON's.
    pub(super) fn new(text: &'a [u8]) -> Self {
        let is_negative = text.first() == Some(&b'-');
        let text = text.strip_prefix(b"-").unwrap_or(text);
        let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
        let digits = parts.next().unwrap_or_default();
        let exponent = parts.next().map_or(0, exponent);
        let mut parts = digits.splitn(2, |byte| *byte == b'.');
        let (whole, fraction) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let whole = without_zeros_before(whole);
        let (fraction, point) = if whole.is_empty() {
            let stripped = without_zeros_before(fraction);
            (stripped, exponent.saturating_sub(length(fraction) - length(stripped)))
        } else {
            (fraction, exponent.saturating_add(length(whole)))
        };
        let fraction = without_zeros_after(fraction);
        let whole = if fraction.is_empty() { without_zeros_after(whole) } else { whole };
        let is_zero = whole.is_empty() && fraction.is_empty();
        let (is_negative, point) = if is_zero { (false, 0) } else { (is_negative, point) };
        Self { is_negative, whole, fraction, point }
    }

    pub(super) fn is_integer(&self) -> bool {
        self.length() <= self.point
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let sign = |it: &Self| match (it.length(), it.is_negative) {
            (0, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let larger = self.point.cmp(&other.point);
            let larger = larger.then_with(|| self.digits().cmp(other.digits()));
            if self.is_negative { larger.reverse() } else { larger }
        })
    }

    pub(super) fn is_multiple_of(&self, divisor: Divisor) -> bool {
        if self.length() == 0 {
            return true;
        }
        // Both have no zero at the end. So digits that are smaller than those of the divisor by a power of
        // ten are no multiple: they would have to end with a zero.
        let Some(shift) = self
            .point
            .saturating_sub(self.length())
            .checked_sub(divisor.exponent)
            .filter(|shift| *shift >= 0)
        else {
            return false;
        };
        // What is in the power of ten, which is a product of twos and fives, need not be in the digits.
        let mut rest = divisor.digits;
        let (mut twos, mut fives) = (shift, shift);
        while twos > 0 && rest.is_multiple_of(2) {
            (rest, twos) = (rest / 2, twos - 1);
        }
        while fives > 0 && rest.is_multiple_of(5) {
            (rest, fives) = (rest / 5, fives - 1);
        }
        let step = |remainder: u64, digit: &u8| {
            (remainder * 10 + u64::from(digit.wrapping_sub(b'0'))).checked_rem(rest).unwrap_or(1)
        };
        self.digits().fold(0, step) == 0
    }

    fn digits(&self) -> impl Iterator<Item = &'a u8> {
        self.whole.iter().chain(self.fraction)
    }

    fn length(&self) -> i64 {
        length(self.whole) + length(self.fraction)
    }
}

impl Divisor {
    /// Of a positive number of JSON's with at most [`MAX_DIGITS`](Self::MAX_DIGITS) digits, zeros at either
    /// end aside; `None` for any other.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let decimal = Decimal::new(text);
        if decimal.is_negative || !(1..=Self::MAX_DIGITS).contains(&decimal.length()) {
            return None;
        }
        let digits = decimal.digits().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        Some(Self { digits, exponent: decimal.point.saturating_sub(decimal.length()) })
    }

    /// Ten times a remainder is a `u64` then.
    const MAX_DIGITS: i64 = 18;
}

/// Saturating: whatever is beyond 10¹⁵ is as large as that.
fn exponent(text: &[u8]) -> i64 {
    let is_negative = text.first() == Some(&b'-');
    let digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let size = digits.fold(0_i64, |sum, digit| {
        (sum * 10 + i64::from(digit.wrapping_sub(b'0'))).min(1_000_000_000_000_000)
    });
    if is_negative { -size } else { size }
}

fn without_zeros_before(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

fn without_zeros_after(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    digits.get(..digits.len() - zeros).unwrap_or_default()
}

fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn compare(one: &str, other: &str) -> Ordering {
        Decimal::new(one.as_bytes()).compare(&Decimal::new(other.as_bytes()))
    }

    /// In order, and those that are the same together.
    const ORDERED: [&[&str]; 14] = [
        &["-1e400", "-10e399"],
        &["-9007199254740993"],
        &["-9007199254740992", "-9.007199254740992e15"],
        &["-1.5", "-15e-1"],
        &["-1"],
        &["-1e-400"],
        &["0", "-0", "0.000", "0e99", "-0.0E-7"],
        &["1e-400", "0.1e-399"],
        &["0.5", "5e-1", "0.50", "50E-2"],
        &["1", "1.0", "10e-1", "0.1e1", "1e0"],
        &["9007199254740992"],
        &["9007199254740993", "9007199254740993.0"],
        &["18446744073709551616"],
        &["1e400", "1e+400", "0.1e401"],
    ];

    #[test]
    fn are_in_their_order_however_they_are_written() {
        for (place, group) in ORDERED.iter().enumerate() {
            for (other_place, others) in ORDERED.iter().enumerate() {
                for (one, other) in group.iter().flat_map(|it| others.iter().map(move |o| (it, o)))
                {
                    assert_eq!(compare(one, other), place.cmp(&other_place), "{one} {other}");
                }
            }
        }
        assert_eq!(compare("1e99999999999999999999", "1e999999999999999999999"), Ordering::Equal);
    }

    #[test]
    fn an_integer_is_one_by_its_value() {
        for (text, expected) in [
            ("0", true),
            ("-0.0", true),
            ("1.0", true),
            ("1e2", true),
            ("1.5e1", true),
            ("120e-1", true),
            ("1.5", false),
            ("1e-1", false),
            ("0.1", false),
            ("12e-2", false),
        ] {
            assert_eq!(Decimal::new(text.as_bytes()).is_integer(), expected, "{text}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        for (text, divisor, expected) in [
            ("0", "7", true),
            ("21", "7", true),
            ("22", "7", false),
            ("-21", "7", true),
            ("4.5", "1.5", true),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("19.99", "0.01", true),
            ("1e308", "123456789", false),
            ("1e308", "0.5", true),
            ("1e308", "1e307", true),
            ("100", "1000", false),
            ("1000", "1e3", true),
            ("12", "20", false),
            ("40", "20", true),
            ("50", "20", false),
            ("18446744073709551616", "2", true),
            ("18446744073709551617", "2", false),
            ("999999999999999999", "999999999999999999", true),
        ] {
            let divisor_ = Divisor::new(divisor.as_bytes()).unwrap();
            let number = Decimal::new(text.as_bytes());
            assert_eq!(number.is_multiple_of(divisor_), expected, "{text} {divisor}");
        }
        for text in ["0", "-1", "1234567890123456789"] {
            assert!(Divisor::new(text.as_bytes()).is_none(), "{text}");
        }
    }
}
