//! JSON, written one value behind the other.

use alloc::string::{String, ToString as _};
use core::fmt::Write as _;

use super::Json;

/// A text as JSON has it, quotation marks and all.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = Writer::default();
    json.text(text);
    json.into_text()
}

/// A text of JSON that is being written. Commas come by themselves; that each bracket is closed and each name
/// has a value is for the caller.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// Begins an object, or a list.
    pub(crate) fn begin(&mut self, bracket: char) {
        self.separate();
        self.text.push(bracket);
    }

    /// Ends it.
    pub(crate) fn end(&mut self, bracket: char) {
        self.text.push(bracket);
    }

    /// The name of a member, whose value is to follow.
    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        self.text(name);
        self.text.push(':');
        self
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.separate();
        self.text.push('"');
        let mut rest = text;
        // Most texts have none, and what has none is copied as it is.
        while let Some(place) = rest.bytes().position(is_escaped)
            && let Some((plain, others)) = rest.split_at_checked(place)
        {
            self.text.push_str(plain);
            let mut others = others.chars();
            self.escaped(others.next().unwrap_or_default());
            rest = others.as_str();
        }
        self.text.push_str(rest);
        self.text.push('"');
    }

    fn escaped(&mut self, character: char) {
        self.text.push('\\');
        match character {
            '\n' => self.text.push('n'),
            '\r' => self.text.push('r'),
            '\t' => self.text.push('t'),
            '\u{8}' => self.text.push('b'),
            '\u{c}' => self.text.push('f'),
            // Writing to a text does not fail.
            '\0'..='\x1f' => {
                let _ = write!(self.text, "u{:04x}", u32::from(character));
            }
            _ => self.text.push(character),
        }
    }

    /// A text, or `null`.
    pub(crate) fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.written("null"),
        }
    }

    pub(crate) fn truth(&mut self, truth: bool) {
        self.written(if truth { "true" } else { "false" });
    }

    /// Any value.
    pub(crate) fn value(&mut self, json: &Json) {
        match json {
            Json::Null => self.written("null"),
            Json::Bool(truth) => self.truth(*truth),
            Json::Number(number) => self.written(&number.to_string()),
            Json::Text(text) => self.text(text),
            Json::List(values) => {
                self.begin('[');
                for value in values {
                    self.value(value);
                }
                self.end(']');
            }
            Json::Object(members) => {
                self.begin('{');
                for (name, value) in members.iter() {
                    self.name(name).value(value);
                }
                self.end('}');
            }
        }
    }

    /// What is JSON already: a value, or members of an object.
    pub(crate) fn written(&mut self, json: &str) {
        if !json.is_empty() {
            self.separate();
            self.text.push_str(json);
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn separate(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(['{', '[', ':']) {
            self.text.push(',');
        }
    }
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn commas_come_by_themselves() {
        let mut json = Writer::default();
        json.begin('[');
        json.begin('{');
        json.name("a:").text("{");
        json.name("b").optional(None);
        json.written("");
        json.written(r#""c":1,"d":2"#);
        json.end('}');
        json.begin('[');
        json.end(']');
        json.truth(true);
        json.truth(false);
        json.optional(Some(""));
        json.end(']');
        assert_eq!(json.into_text(), r#"[{"a:":"{","b":null,"c":1,"d":2},[],true,false,""]"#);
    }

    #[test]
    fn every_text_is_read_as_it_was() {
        for text in ["", "a\"b\\c/", "\0\u{1}\u{1f}\n\r\t\u{7f}", "Ω𝄞\u{2028}\u{feff}"] {
            assert_eq!(serde_json::from_str::<String>(&quoted(text)).unwrap(), text);
        }
    }

    #[test]
    fn texts_are_escaped_as_they_are_elsewhere() {
        // The key server measures what it sends by another writer.
        let text: String =
            (0..0x300).filter_map(char::from_u32).chain("\u{2028}😀".chars()).collect();
        assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
    }
}
