//! A pattern and a path: what is plain has one spelling, and a path that has no wildcard in it is matched
//! by itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::access_rules::{MAX_PATTERN, PathPattern, PlainPath};

fuzz_target!(|input: (&str, &[u8])| {
    let (pattern, path) = input;
    let Some(path) = PlainPath::new(path) else { return };
    let spelling = path.as_bytes();
    assert_eq!(PlainPath::new(spelling).as_ref(), Some(&path));
    let text = core::str::from_utf8(spelling).expect("it is ASCII");
    assert!(!text.contains("//") && !text.contains("/../") && !text.contains("%2F"));

    let is_matched = PathPattern::new(pattern).is_some_and(|pattern| pattern.matches(&path));
    let is_literal = !pattern.contains(['*', '{']);
    if is_literal {
        assert_eq!(is_matched, pattern == text && pattern.len() <= MAX_PATTERN);
    }
    let all = PathPattern::new("/**").expect("it is one");
    assert!(all.matches(&path));
});
