//! JSON (RFC 8259), read as a whole; what is made of it takes its fields by their names.
//!
//! A reader that is derived for a struct has a parser in it, and there is one for every struct: together they
//! were a third of the module. Here is one parser, and a struct is a list of names.
//!
//! ```text
//!   text ──read──▶ Json ──▶ Fields ──take("name")──▶ String, Option<u64>, Vec<Role> ...
//! ```
//!
//! A name that comes twice is refused, and texts are wiped, since some are keys.

mod fields;
mod members;
mod reader;
mod writer;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use zeroize::Zeroizing;

pub(crate) use fields::{
    Fields, FromFields, FromJson, deserialize_as_json, from_fields, one_of, variant,
};
pub(crate) use members::{Member, Members};
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
    let json: Json = serde_json::from_slice(text).map_err(|error| Wrong::new(&error))?;
    json.read()
}

/// Reads what any reader of `serde`'s holds: for tests, and whoever keeps records in other forms.
pub(crate) fn deserialize<'de, T: FromJson, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Json::deserialize(from)?.read().map_err(D::Error::custom)
}

impl Json {
    pub(crate) fn text(text: String) -> Self {
        Self::Text(Zeroizing::new(text))
    }

    /// The text that this is.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(mut text) => Some(core::mem::take(&mut *text)),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(truth) => to.serialize_bool(*truth),
            Self::Number(number) => number.serialize(to),
            Self::Text(text) => to.serialize_str(text),
            Self::List(values) => to.collect_seq(values),
            Self::Object(members) => to.collect_map(members.iter()),
        }
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Number::from_f64(number).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = from.next_key()? {
            members.push(Member { name, value: from.next_value()? });
        }
        // Readers differ in which of the two they take.
        let twice = |name| A::Error::custom(format_args!("duplicate field `{name}`"));
        Members::new(members).map(Json::Object).map_err(twice)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;

    fn json(text: &str) -> Result<Json, String> {
        read(text.as_bytes()).map_err(|wrong: Wrong| wrong.to_string())
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
            assert_eq!(serde_json::to_string(&json(text).unwrap()).unwrap(), text);
        }
        let members = r#"{ "b": 1, "": 2, "a": 3, "ab": 4 }"#;
        let written = serde_json::to_string(&json(members).unwrap()).unwrap();
        assert_eq!(written, r#"{"":2,"a":3,"ab":4,"b":1}"#);
    }

    #[test]
    fn a_name_that_comes_twice_is_refused_wherever_it_is() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"b":2,"\u0061":3}}]"#] {
            assert!(
                json(text).err().unwrap().starts_with("duplicate field `a` at line 1"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{}{}", "[1,]", "\u{feff}{}", "nul", "01", r#""\ud800""#, "1e999"] {
            assert!(json(text).is_err(), "{text}");
        }
        assert!(read::<Json>(b"\"\xff\"").is_err());
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json(&deep(127)).is_ok() && json(&deep(128)).is_err());
    }
}
