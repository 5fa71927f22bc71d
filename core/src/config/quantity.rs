//! Quantities as people write them: a whole number and its unit, as in `250ms` or `64KiB`.
//!
//! There is no bare number: what `60` means would be a guess, and a guess should not decide how long a
//! key is trusted. Nor is there a `K` or `MB`, of which nobody knows whether it means 1000 or 1024.

use core::time::Duration;

/// Reads a duration in one of `ms`, `s`, `m`, `h`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Reads a size in one of `B`, `KiB`, `MiB`; in bytes.
pub(super) fn size(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    usize::try_from(number.checked_mul(bytes)?).ok()
}

/// Reads a share of a whole, in `%`, with at most four digits behind a point; in millionths.
pub(super) fn share(text: &str) -> Option<u32> {
    let (whole, rest) = split(text)?;
    let digits = match rest.strip_prefix('.') {
        Some(rest) => rest.strip_suffix('%').filter(|digits| !digits.is_empty())?,
        None if rest == "%" => "",
        None => return None,
    };
    let is_number = digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let behind: u64 = alloc::format!("{digits:0<4}").parse().ok().filter(|_| is_number)?;
    let millionths = whole.checked_mul(10_000)?.checked_add(behind)?;
    u32::try_from(millionths).ok().filter(|millionths| *millionths <= 1_000_000)
}

/// The digits that a text begins with, and what follows them.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn reads_every_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1s"), Some(Duration::from_secs(1)));
        assert_eq!(duration("5m"), Some(Duration::from_mins(5)));
        assert_eq!(duration("1h"), Some(Duration::from_hours(1)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        assert_eq!(size("0B"), Some(0));
        assert_eq!(size("8192B"), Some(8192));
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("16MiB"), Some(16_777_216));
        assert_eq!(share("0%"), Some(0));
        assert_eq!(share("0.0001%"), Some(1));
        assert_eq!(share("12.5%"), Some(125_000));
        assert_eq!(share("100%"), Some(1_000_000));
        assert_eq!(share("100.0000%"), Some(1_000_000));
    }

    #[test]
    fn guesses_nothing() {
        for text in [
            "",
            "60",
            "s",
            "1.5s",
            "-1s",
            "+1s",
            "1 s",
            "1S",
            "1d",
            "1s ",
            "1m30s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        for text in [
            "",
            "1",
            "KiB",
            "1K",
            "1KB",
            "1MB",
            "1kib",
            "1 MiB",
            "-1B",
            "1.5MiB",
            "1GiB",
            "18446744073709551615MiB",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
        for text in [
            "",
            "1",
            "%",
            ".5%",
            "1.%",
            "0.00001%",
            "100.0001%",
            "101%",
            "-1%",
            "1 %",
            "1%%",
            "1.5",
            "1.+5%",
            "18446744073709551615%",
        ] {
            assert_eq!(share(text), None, "{text}");
        }
    }
}
