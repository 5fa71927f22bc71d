//! As much of XML 1.0 as an error document needs.

use alloc::string::String;

/// An element, being written.
#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    content: String,
}

impl Element {
    pub(super) fn of(name: &'static str) -> Self {
        Self { name, content: String::new() }
    }

    /// Adds an element with a text in it. Bytes that are not UTF-8, and characters that XML has no
    /// way to write (section 2.2), become U+FFFD.
    pub(super) fn text(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        open(&mut self.content, name);
        for chunk in text.as_ref().utf8_chunks() {
            chunk.valid().chars().for_each(|character| escape(&mut self.content, character));
            if !chunk.invalid().is_empty() {
                self.content.push(char::REPLACEMENT_CHARACTER);
            }
        }
        close(&mut self.content, name);
        self
    }

    /// Adds an element.
    pub(super) fn child(mut self, child: &Self) -> Self {
        child.write(&mut self.content);
        self
    }

    pub(super) fn into_document(self) -> String {
        let mut document = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut document);
        document
    }

    fn write(&self, to: &mut String) {
        open(to, self.name);
        to.push_str(&self.content);
        close(to, self.name);
    }
}

fn open(to: &mut String, name: &str) {
    to.push('<');
    to.push_str(name);
    to.push('>');
}

fn close(to: &mut String, name: &str) {
    to.push_str("</");
    to.push_str(name);
    to.push('>');
}

pub(in crate::refusal) fn escape(to: &mut String, character: char) {
    match character {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        '"' => to.push_str("&quot;"),
        '\'' => to.push_str("&apos;"),
        // A reader would make a line feed of it.
        '\r' => to.push_str("&#13;"),
        '\t' | '\n' => to.push(character),
        '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => to.push(char::REPLACEMENT_CHARACTER),
        character => to.push(character),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let document = Element::of("A").text("B", "<&>\"'\r\n\t\0\u{1b}\u{ffff}é");
        assert_eq!(
            document.into_document(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <A><B>&lt;&amp;&gt;&quot;&apos;&#13;\n\t\u{fffd}\u{fffd}\u{fffd}é</B></A>"
        );
    }

    #[test]
    fn what_is_no_text_is_shown_as_such() {
        let element = Element::of("A").text("B", b"a\xffb\xc3").child(&Element::of("C"));
        assert_eq!(element.content, "<B>a\u{fffd}b\u{fffd}</B><C></C>");
    }
}
