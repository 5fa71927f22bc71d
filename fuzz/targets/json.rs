//! Any bytes in any pieces: whether they are JSON is told as another reader tells it of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use voussoir_core::complete_body::json::{Checker, MAX_DEPTH};

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (cuts, bytes) = input;
    let mut checker = Checker::new();
    let mut rest = bytes;
    let mut is_json = true;
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(cut).min(rest.len()));
        is_json &= checker.push(piece).is_ok();
        rest = after;
        if !is_json {
            break;
        }
    }
    is_json = is_json && checker.push(rest).is_ok() && checker.finish().is_ok();

    // It goes as deep as is liked, and does not look at characters.
    let text = std::str::from_utf8(bytes);
    let expected = text.is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    let may_be_deep = bytes.iter().filter(|byte| b"[{".contains(byte)).count() > MAX_DEPTH as usize;
    assert!(is_json == expected || (expected && may_be_deep), "{text:?}");
});
