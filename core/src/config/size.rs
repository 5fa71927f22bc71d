//! Sizes as people write them: `64KiB`, `1MiB`.

/// Reads a whole number and one unit of `B`, `KiB`, `MiB`; in bytes.
///
/// As with durations there is no bare number, and no `K` or `MB` of which nobody knows whether it
/// means 1000 or 1024.
pub(super) fn parse(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: usize = number.parse().ok()?;
    let bytes = match unit {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    number.checked_mul(bytes)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn reads_every_unit() {
        assert_eq!(parse("0B"), Some(0));
        assert_eq!(parse("8192B"), Some(8192));
        assert_eq!(parse("64KiB"), Some(65_536));
        assert_eq!(parse("16MiB"), Some(16_777_216));
    }

    #[test]
    fn guesses_nothing() {
        for text in ["", "1", "KiB", "1K", "1KB", "1MB", "1kib", "1 MiB", "-1B", "1.5MiB", "1GiB"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("18446744073709551615MiB"), None);
    }
}
