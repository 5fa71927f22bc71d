//! JSON (RFC 8259) as events are written in: of ASCII alone, on one line, and with a limit for each text.
//!
//! What is not plain ASCII is escaped, so that no name can move a cursor, turn a line around or end it,
//! wherever an event is read.

use alloc::string::String;
use core::fmt::{self, Write as _};

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Json<'a>(&'a mut String);

impl<'a> Json<'a> {
    /// Begins an object behind what `out` holds.
    pub(super) fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self(out)
    }

    /// Ends the object.
    pub(super) fn finish(self) {
        self.0.push('}');
    }

    /// A member that is an object.
    pub(super) fn object(&mut self, name: &str, write: impl FnOnce(&mut Json<'_>)) {
        self.name(name);
        self.element(write);
    }

    /// A member that is a list of objects, or of texts.
    pub(super) fn list(&mut self, name: &str, write: impl FnOnce(&mut List<'_>)) {
        self.name(name);
        self.0.push('[');
        write(&mut List(self.0));
        self.0.push(']');
    }

    /// A member that is a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.written(name, MAX_TEXT, |out| out.push_str(text));
    }

    /// A member that is a word of ours: of plain characters, and short.
    pub(super) fn word(&mut self, name: &str, word: &'static str) {
        self.name(name);
        self.0.push('"');
        self.0.push_str(plain(word));
        self.0.push('"');
    }

    /// A member that is a text, if there is one.
    pub(super) fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A member that is a text, if it is UTF-8; what is not is written as U+FFFD.
    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.written(name, MAX_TEXT, |text| text.push_bytes(bytes));
    }

    /// A member that is a text, of what is displayed.
    pub(super) fn display(&mut self, name: &str, text: &dyn fmt::Display) {
        self.written(name, MAX_TEXT, |out| out.display(text));
    }

    /// A member that is a text of so many bytes at the most, written piece by piece.
    pub(super) fn written(&mut self, name: &str, most: usize, write: impl FnOnce(&mut Text<'_>)) {
        self.name(name);
        Text::write(self.0, most, write);
    }

    fn element(&mut self, write: impl FnOnce(&mut Json<'_>)) {
        self.0.push('{');
        write(&mut Json(self.0));
        self.0.push('}');
    }

    fn name(&mut self, name: &str) {
        separate(self.0);
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }
}

/// A list that is being written.
#[derive(Debug)]
pub(super) struct List<'a>(&'a mut String);

impl List<'_> {
    /// An object.
    pub(super) fn object(&mut self, write: impl FnOnce(&mut Json<'_>)) {
        separate(self.0);
        Json(self.0).element(write);
    }

    /// A text of so many bytes at the most, written piece by piece.
    pub(super) fn written(&mut self, write: impl FnOnce(&mut Text<'_>)) {
        separate(self.0);
        Text::write(self.0, MAX_TEXT, write);
    }
}

/// A text that is being written. Beyond its limit it ends with three dots.
#[derive(Debug)]
pub(super) struct Text<'a> {
    out: &'a mut String,
    end: usize,
    is_cut: bool,
}

impl<'a> Text<'a> {
    fn begin(out: &'a mut String, most: usize) -> Self {
        out.push('"');
        let end = out.len().saturating_add(most);
        Self { out, end, is_cut: false }
    }

    fn finish(self) {
        if self.is_cut {
            self.out.push_str(CUT);
        }
        self.out.push('"');
    }

    fn write(out: &mut String, most: usize, write: impl FnOnce(&mut Text<'_>)) {
        let mut text = Text::begin(out, most);
        write(&mut text);
        text.finish();
    }

    pub(super) fn push_str(&mut self, text: &str) {
        // Nearly all that events tell is plain.
        if !self.is_cut && self.fits(text.len()) && are_plain(text.as_bytes()) {
            return self.out.push_str(text);
        }
        text.chars().for_each(|character| self.push(character));
    }

    /// A word of ours: of plain characters, and short.
    pub(super) fn push_word(&mut self, word: &'static str) {
        if self.has_room(word.len()) {
            self.out.push_str(plain(word));
        }
    }

    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        if let Ok(text) = str::from_utf8(bytes) {
            return self.push_str(text);
        }
        for chunk in bytes.utf8_chunks() {
            self.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    pub(super) fn display(&mut self, text: &dyn fmt::Display) {
        // Writing to it does not fail.
        let _ = write!(self, "{text}");
    }

    fn push(&mut self, character: char) {
        match character {
            '"' | '\\' if self.has_room(2) => {
                self.out.push('\\');
                self.out.push(character);
            }
            '"' | '\\' => self.is_cut = true,
            _ if u8::try_from(character).is_ok_and(is_plain) => {
                if self.has_room(1) {
                    self.out.push(character);
                }
            }
            _ => {
                let mut units = [0; 2];
                let units = character.encode_utf16(&mut units);
                if self.has_room(ESCAPE * units.len()) {
                    for unit in units {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
            }
        }
    }

    /// Whether so many bytes more may be written; else no more are.
    fn has_room(&mut self, length: usize) -> bool {
        self.is_cut |= !self.fits(length);
        !self.is_cut
    }

    fn fits(&self, length: usize) -> bool {
        self.out.len().saturating_add(length) <= self.end
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

/// Whether a character stands for itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Whether all do. None of them is the last to be looked at, so that many are looked at together.
fn are_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |all, byte| all & is_plain(*byte))
}

/// What needs no look at runtime.
fn plain(word: &'static str) -> &'static str {
    debug_assert!(are_plain(word.as_bytes()) && word.len() < MAX_TEXT, "{word:?}");
    word
}

/// Writes the comma before a member or an element that is not the first.
fn separate(out: &mut String) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
}

/// The most bytes of a text, as it is written.
pub(super) const MAX_TEXT: usize = 512;

/// The length of `\u0000`.
const ESCAPE: usize = 6;

const CUT: &str = "...";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use serde_json::{Value, json};

    fn written(bytes: &[u8]) -> String {
        let mut out = String::new();
        let mut object = Json::begin(&mut out);
        object.bytes("a", bytes);
        object.finish();
        out
    }

    #[test]
    fn objects_and_lists_are_written_as_json() {
        let mut out = String::new();
        let mut object = Json::begin(&mut out);
        object.text("a", "1");
        object.object("b", |object| {
            object.optional("none", None);
            object.optional("some", Some(""));
            object.object("c", |_| ());
        });
        object.list("d", |list| {
            list.written(|text| text.push_str("x"));
            list.object(|object| object.display("n", &1));
            list.object(|_| ());
        });
        object.list("e", |_| ());
        object.finish();
        let expected =
            json!({"a": "1", "b": {"some": "", "c": {}}, "d": ["x", {"n": "1"}, {}], "e": []});
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
    }

    #[test]
    fn any_text_comes_back_as_it_was_out_of_ascii_alone() {
        for character in (0..=0x10_ffff).step_by(7).chain(0..0x300).filter_map(char::from_u32) {
            let mut text = String::from("<");
            text.push(character);
            let out = written(text.as_bytes());
            assert!(out.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{out}");
            assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!({"a": text}));
        }
        let out = written(b"a\xff\xc3\"\xe2\x82b");
        let expected = json!({"a": "a\u{fffd}\u{fffd}\"\u{fffd}b"});
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
    }

    #[test]
    fn a_text_has_a_limit_and_no_escape_is_cut() {
        let names = b"{\"a\":\"\"}".len();
        for text in ["a", "\"", "\u{1b}", "\u{1f600}"] {
            for count in [1, 84, 85, 86, 255, 256, 257, 511, 512, 513, 10_000] {
                let whole = text.repeat(count);
                let out = written(whole.as_bytes());
                assert!(out.len() <= MAX_TEXT + CUT.len() + names);
                let read: Value = serde_json::from_str(&out).unwrap();
                let read = read["a"].as_str().unwrap();
                if read != whole {
                    assert!(out.len() + 12 > MAX_TEXT + names, "{text} {count}");
                    assert!(whole.starts_with(read.strip_suffix(CUT).unwrap()));
                }
            }
        }
        assert!(!written(&[b'a'; MAX_TEXT]).contains(CUT));
        assert!(written(&[b'a'; MAX_TEXT + 1]).contains(CUT));
    }
}
