//! Texts of bytes, cut at one byte or looked through for a word: by the same code wherever that is done, while
//! the methods of slices are made anew for each place that calls them.

use memchr::{memchr, memrchr};

/// The parts between the separators, one more than there are of those.
pub(crate) fn parts(text: &[u8], separator: u8) -> Parts<'_> {
    Parts { rest: Some(text), separator }
}

/// What is before the first separator and what is behind it, if there is one.
#[inline(never)]
pub(crate) fn once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr(separator, text)?;
    text.get(..at).zip(text.get(at + 1..))
}

/// What is before the first separator: all, if there is none.
pub(crate) fn before(text: &[u8], separator: u8) -> &[u8] {
    once(text, separator).map_or(text, |(before, _)| before)
}

/// What is behind the last separator: all, if there is none.
#[inline(never)]
pub(crate) fn behind_last(text: &[u8], separator: u8) -> &[u8] {
    let at = memrchr(separator, text);
    at.and_then(|at| text.get(at + 1..)).unwrap_or(text)
}

/// Whether a word stands somewhere in it, which an empty one does not.
#[inline(never)]
pub(crate) fn contains(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return false };
    // Few places are worth more than a look at their first byte: texts can be long, and words many.
    text.windows(word.len()).any(|it| it.first() == Some(first) && it == word)
}

/// Parts of a text.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let Some((part, rest)) = once(rest, self.separator) else { return Some(rest) };
        self.rest = Some(rest);
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec::Vec;

    const TEXTS: [&[u8]; 8] = [b"", b"/", b"a", b"a/", b"/a", b"a/b", b"a//b", b"//a/b/c/"];

    #[test]
    fn texts_are_cut_as_slices_are() {
        for text in TEXTS {
            let is_separator = |byte: &u8| *byte == b'/';
            let expected: Vec<_> = text.split(is_separator).collect();
            assert_eq!(parts(text, b'/').collect::<Vec<_>>(), expected);
            assert_eq!(before(text, b'/'), expected[0]);
            assert_eq!(behind_last(text, b'/'), expected[expected.len() - 1]);
            let halves: Vec<_> = text.splitn(2, is_separator).collect();
            let halves = (halves.len() == 2).then(|| (halves[0], halves[1]));
            assert_eq!(once(text, b'/'), halves);
        }
    }

    #[test]
    fn a_word_is_found_wherever_it_stands() {
        for (text, word, is_there) in [
            (&b"application/problem+json"[..], &b"json"[..], true),
            (b"json", b"json", true),
            (b"jjson;", b"json", true),
            (b"jso", b"json", false),
            (b"js on", b"json", false),
            (b"", b"json", false),
            (b"json", b"", false),
        ] {
            assert_eq!(contains(text, word), is_there);
        }
    }
}
