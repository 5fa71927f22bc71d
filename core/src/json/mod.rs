//! JSON (RFC 8259), read as a whole; what is made of it takes its fields by their names.
//!
//! A reader that is derived for a struct has a parser in it, and there is one for every struct: together they
//! were a third of the module. Here is one parser, and a struct is a list of names.
//!
//! ```text
//!   text ──read──▶ Json ──▶ Fields ──read("name")──▶ String, Option<u64>, Vec<Role> ...
//! ```
//!
//! A name that comes twice is refused, since readers differ in which of the two they take; and texts are
//! wiped, since some are keys.

mod any;
mod fields;
mod members;
mod place;
mod reader;
mod writer;

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::Deserializer;
use serde::de::Error as _;
use serde_json::Number;
use zeroize::Zeroizing;

pub(crate) use fields::{
    Fields, FromFields, FromJson, deserialize_as_json, from_fields, one_of, variant,
};
pub(crate) use members::{Member, Members};
pub(crate) use place::{Place, Step};
pub(crate) use reader::{Reader, Wrong, one_of_these, unexpected};
pub(crate) use writer::{Writer, quoted};

/// A value.
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(Zeroizing<String>),
    List(Vec<Self>),
    Object(Members),
}

/// Reads what a text of JSON says.
pub(crate) fn read<T: FromJson>(text: &[u8]) -> Result<T, Wrong> {
    parse(text)?.read()
}

/// Reads a text of JSON.
pub(crate) fn parse(text: &[u8]) -> Result<Json, Wrong> {
    let mut from = serde_json::Deserializer::from_slice(text);
    let read = any::value(&mut from);
    read.and_then(|value| from.end().map(|()| value))
        .map_err(|error| Wrong::new(error.to_string()))?
}

/// Reads what any reader of `serde`'s holds: for tests, and whoever keeps records in other forms.
pub(crate) fn deserialize<'de, T: FromJson, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    any::value(from)?.and_then(|value| value.read()).map_err(D::Error::custom)
}

impl Json {
    pub(crate) fn text(text: String) -> Self {
        Self::Text(Zeroizing::new(text))
    }

    /// The member of this name, if this is an object that has one.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        if let Self::Object(members) = self { members.get(name) } else { None }
    }

    /// The members that there are, if this is an object.
    pub(crate) fn members(&self) -> &[Member] {
        if let Self::Object(members) = self { members.as_slice() } else { &[] }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_usize(&self) -> Option<usize> {
        let Self::Number(number) = self else { return None };
        usize::try_from(number.as_u64()?).ok()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;

    fn json(text: &str) -> Result<Json, String> {
        parse(text.as_bytes()).map_err(|wrong| wrong.to_string())
    }

    fn written(text: &str) -> String {
        let mut written = Writer::default();
        written.value(&json(text).unwrap());
        written.into_text()
    }

    #[test]
    fn all_is_written_as_it_was_read() {
        for text in [
            "null",
            "true",
            "-7",
            "18446744073709551615",
            "2.5",
            r#""two\n\"lines\" Ω""#,
            r#"[1,[],{"a":null,"b":{}}]"#,
        ] {
            assert_eq!(written(text), text);
        }
        let members = r#"{ "b": 1, "": 2, "a": 3, "ab": 4 }"#;
        assert_eq!(written(members), r#"{"":2,"a":3,"ab":4,"b":1}"#);
    }

    #[test]
    fn a_name_that_comes_twice_is_refused_wherever_it_is() {
        for (text, wrong) in [
            (r#"{"a":1,"a":1}"#, "duplicate field `a`"),
            (r#"{"a":1,"b":[],"a":null}"#, "duplicate field `a`"),
            (r#"[0,{"b":{"a":1,"b":2,"\u0061":3}},{"c":1,"c":2}]"#, "[1].b: duplicate field `a`"),
            (r#"{"b":{"a":[{},{"c":1,"c":2}]},"b":1}"#, "b.a[1]: duplicate field `c`"),
        ] {
            assert_eq!(json(text).err().unwrap(), wrong);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{}{}", "[1,]", "\u{feff}{}", "nul", "01", r#""\ud800""#, "1e999"] {
            assert!(json(text).is_err(), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json(&deep(127)).is_ok() && json(&deep(128)).is_err());
    }
}
