//! What is read from the fields of an object.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Json, Reader};
use crate::secret::Secret;

/// What can be read from JSON.
///
/// Reading goes on when something is wrong, which the reader notes, and what is made of it then has
/// something in its place that means nothing. **Nobody sees it:** a reader is only to be had from those who
/// ask it in the end whether anything was wrong. So no field costs a branch, of which there were hundreds.
pub(crate) trait FromJson: Sized {
    /// Whether it may be missing, and is then as if it were `null`.
    const IS_OPTIONAL: bool = false;

    /// Reads it from a value.
    fn from_json(json: &Json, reader: &mut Reader) -> Self;
}

/// What is read from the fields of an object.
pub(crate) trait FromFields: Sized {
    /// Reads its fields, and leaves all others.
    fn from_fields(fields: &mut Fields<'_>) -> Self;
}

/// The fields of an object.
pub(crate) struct Fields<'a> {
    object: &'a Json,
    reader: &'a mut Reader,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(object: &'a Json, reader: &'a mut Reader) -> Self {
        if !matches!(object, Json::Object(_)) {
            reader.note_value(object, "a map");
        }
        Self { object, reader }
    }

    /// Reads the field of this name.
    pub(crate) fn read<T: FromJson>(&mut self, name: &'static str) -> T {
        let json = self.enter(name, T::IS_OPTIONAL);
        let read = T::from_json(json, self.reader);
        self.reader.leave();
        read
    }

    /// The same, where no field is as good as what is there by default.
    pub(crate) fn read_or_default<T: FromJson + Default>(&mut self, name: &'static str) -> T {
        if self.object.get(name).is_some() { self.read(name) } else { T::default() }
    }

    fn enter(&mut self, name: &'static str, is_optional: bool) -> &'a Json {
        let json = self.object.get(name);
        if json.is_none() && !is_optional {
            self.reader.note_missing(name);
        }
        self.reader.enter(name);
        json.unwrap_or(&Json::Null)
    }

    /// Notes whether there is one that is none of these.
    pub(crate) fn only(&mut self, known: &[&str]) {
        let mut names = self.object.members().iter().map(|member| member.name.as_str());
        if let Some(name) = names.find(|name| !known.contains(name)) {
            self.reader.note_unknown_field(name, known);
        }
    }
}

impl FromJson for bool {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        if let Json::Bool(truth) = json {
            return *truth;
        }
        reader.note_value(json, "a boolean");
        false
    }
}

impl FromJson for String {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let text = json.as_text();
        if text.is_none() {
            reader.note_value(json, "a string");
        }
        text.unwrap_or_default().into()
    }
}

/// What is wrong with it does not show it.
impl FromJson for Secret {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let text = json.as_text();
        if text.is_none() {
            reader.note("not a text");
        }
        Self::new(text.unwrap_or_default().into())
    }
}

impl FromJson for u64 {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let number = if let Json::Number(number) = json { number.as_u64() } else { None };
        number.unwrap_or_else(|| {
            reader.note_value(json, "a whole number");
            0
        })
    }
}

impl FromJson for u32 {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        u64::from_json(json, reader).try_into().unwrap_or_else(|_| {
            reader.note("number too large");
            0
        })
    }
}

/// Nothing, and `null`, are none.
impl<T: FromJson> FromJson for Option<T> {
    const IS_OPTIONAL: bool = true;

    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        if matches!(json, Json::Null) { None } else { Some(T::from_json(json, reader)) }
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        Self::new(T::from_json(json, reader))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let values = json.as_list();
        if values.is_none() {
            reader.note_value(json, "a sequence");
        }
        let values = values.unwrap_or_default();
        let mut all = Self::with_capacity(values.len());
        for (place, value) in values.iter().enumerate() {
            reader.enter(place);
            all.push(T::from_json(value, reader));
            reader.leave();
        }
        all
    }
}

/// Reads an enum from the word for one of its variants.
pub(crate) fn one_of<T: Copy>(
    json: &Json,
    reader: &mut Reader,
    words: &[(&'static str, T)],
) -> Option<T> {
    let Json::Text(text) = json else {
        reader.note_value(json, "a string");
        return None;
    };
    let found = words.iter().find(|(word, _)| *word == text.as_str());
    if found.is_none() {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        reader.note_unknown_word(text, &words);
    }
    found.map(|(_, one)| *one)
}

/// Takes apart what an enum is written as whose variants have values: the name of the variant, or an object
/// whose only field it is.
pub(crate) fn variant(json: &Json) -> Option<(&str, Option<&Json>)> {
    match (json.as_text(), json.members()) {
        (Some(name), _) => Some((name, None)),
        (None, [member]) => Some((&member.name, Some(&member.value))),
        _ => None,
    }
}

/// `from_fields! { Type { field, other: "name", more or default, ..whole } }` reads a struct from the fields of
/// an object: each from that of its own name or of the one that stands there, and `whole` from the same
/// object. With `only` before it, there may be no other fields.
macro_rules! from_fields {
    (only $type:ident { $($field:ident $(or $default:ident)?),* $(,)? }) => {
        $crate::json::from_fields! { $type {
            $($field $(or $default)?),*
        } of &[$(stringify!($field)),*] }
    };
    ($type:ident {
        $($field:ident $(: $name:literal)? $(or $default:ident)?),*
        $(, ..$whole:ident)? $(,)?
    } $(of $known:expr)?) => {
        impl $crate::json::FromFields for $type {
            fn from_fields(fields: &mut $crate::json::Fields<'_>) -> Self {
                $(fields.only($known);)?
                Self {
                    $($field: $crate::json::from_fields!(
                        @ fields $field $(: $name)? $(or $default)?
                    ),)*
                    $($whole: $crate::json::FromFields::from_fields(fields),)?
                }
            }
        }

        impl $crate::json::FromJson for $type {
            fn from_json(json: &$crate::json::Json, reader: &mut $crate::json::Reader) -> Self {
                let mut fields = $crate::json::Fields::of(json, reader);
                $crate::json::FromFields::from_fields(&mut fields)
            }
        }
    };
    (@ $fields:ident $field:ident) => { $fields.read(stringify!($field)) };
    (@ $fields:ident $field:ident : $name:literal) => { $fields.read($name) };
    (@ $fields:ident $field:ident or default) => { $fields.read_or_default(stringify!($field)) };
}

/// Lets `serde` read what is read from JSON, for whoever keeps it in another form.
macro_rules! deserialize_as_json {
    ($($type:ident),*) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::json::deserialize(from)
            }
        }
    )*};
}

pub(crate) use {deserialize_as_json, from_fields};

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::super::read;
    use super::*;
    use alloc::string::ToString as _;

    #[derive(Debug, PartialEq)]
    struct Outer {
        id: u32,
        inner: Option<Inner>,
        list: Vec<Inner>,
    }

    #[derive(Debug, PartialEq)]
    struct Inner {
        name: String,
        is_so: bool,
    }

    from_fields! { Outer { id, inner, list or default } }
    from_fields! { only Inner { name, is_so or default } }

    fn outer(json: &str) -> Result<Outer, String> {
        read(json.as_bytes()).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn fields_are_found_by_their_names() {
        let inner = |name: &str| Inner { name: name.into(), is_so: true };
        let read = outer(r#"{"list":[{"is_so":true,"name":"a"}],"more":{},"id":7,"inner":null}"#);
        assert_eq!(read, Ok(Outer { id: 7, inner: None, list: Vec::from([inner("a")]) }));
        let read = outer(r#"{"id":4294967295,"inner":{"name":"b","is_so":true}}"#);
        assert_eq!(read, Ok(Outer { id: u32::MAX, inner: Some(inner("b")), list: Vec::new() }));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path_the_first_of_all() {
        for (json, wrong) in [
            ("[]", "invalid type: sequence, expected a map"),
            ("{}", "missing field `id`"),
            (r#"{"id":"7"}"#, r#"id: invalid type: string "7", expected a whole number"#),
            (r#"{"id":-1}"#, "id: invalid type: number `-1`, expected a whole number"),
            (r#"{"id":1.0}"#, "id: invalid type: number `1.0`, expected a whole number"),
            (r#"{"id":4294967296}"#, "id: number too large"),
            (r#"{"id":1,"list":null}"#, "list: invalid type: null, expected a sequence"),
            (r#"{"id":1,"list":[{"name":""},{}]}"#, "list[1]: missing field `name`"),
            (
                r#"{"id":1,"list":[{"name":"","is_so":1}]}"#,
                "list[0].is_so: invalid type: number `1`, expected a boolean",
            ),
            (
                r#"{"id":1,"inner":{"naem":""}}"#,
                "inner.naem: unknown field `naem`, expected `name` or `is_so`",
            ),
            (
                r#"{"id":true,"list":7}"#,
                "id: invalid type: boolean `true`, expected a whole number",
            ),
        ] {
            assert_eq!(outer(json), Err(wrong.into()), "{json}");
        }
    }
}
