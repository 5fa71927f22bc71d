//! Numbers of a document, which must be what they say: one that was rounded when it was read is refused.

use serde_json::{Number, Value};

/// Whether a number is the one that was written: a whole one of 64 bits, or one of at most 15 digits, which a
/// double tells apart.
pub(crate) fn is_exact(number: &Number) -> bool {
    if number.is_i64() || number.is_u64() {
        return true;
    }
    let text = number.to_string();
    let digits = text.split(['e', 'E']).next().unwrap_or_default().replace(['-', '.'], "");
    digits.trim_matches('0').len() <= 15
}

/// Whether all numbers in a value are.
pub(crate) fn is_exact_value(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_exact(number),
        Value::Array(items) => items.iter().all(is_exact_value),
        Value::Object(entries) => entries.values().all(is_exact_value),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// A number that counts something, also if it is written with a point.
pub(crate) fn count(value: &Value) -> Option<u64> {
    if let Some(count) = value.as_u64() {
        return Some(count);
    }
    let text = value.as_number().filter(|it| is_exact(it))?.to_string();
    text.strip_suffix(".0")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rounded_is_told_from_what_was_not() {
        for (text, expected) in [
            ("0", true),
            ("-1.5", true),
            ("0.1", true),
            ("1e308", true),
            ("9223372036854775807", true),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            ("9007199254740993.0", false),
            ("3.141592653589793238", false),
            ("123456789012345", true),
            ("0.000000000000123456789012345", true),
        ] {
            let number = serde_json::from_str(text).unwrap();
            assert_eq!(is_exact(&number), expected, "{text}");
        }
        for (text, expected) in
            [("2", Some(2)), ("2.0", Some(2)), ("2.5", None), ("-1", None), ("\"2\"", None)]
        {
            assert_eq!(count(&serde_json::from_str(text).unwrap()), expected, "{text}");
        }
    }
}
