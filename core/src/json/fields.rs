//! What takes its fields out of an object.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Json, Wrong};
use crate::secret::Secret;

/// What can be read from JSON.
pub(crate) trait FromJson: Sized {
    /// Reads it from a value.
    fn from_json(json: Json) -> Result<Self, Wrong>;

    /// What it is where there is no value; `None` where one is needed.
    fn missing() -> Option<Self> {
        None
    }
}

/// What is read from the fields of an object.
pub(crate) trait FromFields: Sized {
    /// Takes its fields, and leaves all others.
    fn from_fields(fields: &mut Fields) -> Result<Self, Wrong>;
}

/// The fields of an object that nobody has taken.
pub(crate) struct Fields(BTreeMap<String, Json>);

impl Fields {
    /// Takes the field of this name.
    pub(crate) fn take<T: FromJson>(&mut self, name: &str) -> Result<T, Wrong> {
        match self.0.remove(name) {
            Some(json) => T::from_json(json).map_err(|wrong| wrong.at(name)),
            None => T::missing().ok_or_else(|| Wrong::missing(name)),
        }
    }

    /// The same, where no field is as good as what is there by default.
    pub(crate) fn take_or_default<T: FromJson + Default>(
        &mut self,
        name: &str,
    ) -> Result<T, Wrong> {
        if self.0.contains_key(name) { self.take(name) } else { Ok(T::default()) }
    }

    /// Whether all are known.
    pub(crate) fn are_of(&self, known: &[&str]) -> Result<(), Wrong> {
        let unknown = self.0.keys().find(|name| !known.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| Err(Wrong::unknown_field(name, known)))
    }
}

impl FromJson for Fields {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        match json {
            Json::Object(members) => Ok(Self(members)),
            other => Err(Wrong::value(&other, "a map")),
        }
    }
}

impl FromJson for Json {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        Ok(json)
    }
}

impl FromJson for bool {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        match json {
            Json::Bool(truth) => Ok(truth),
            other => Err(Wrong::value(&other, "a boolean")),
        }
    }
}

impl FromJson for String {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        match json {
            Json::Text(mut text) => Ok(core::mem::take(&mut *text)),
            other => Err(Wrong::value(&other, "a string")),
        }
    }
}

/// What is wrong with it does not show it.
impl FromJson for Secret {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        let text = json.into_text().ok_or_else(|| Wrong::new(&"not a text"))?;
        Ok(Self::new(text.into_bytes()))
    }
}

impl FromJson for u64 {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        let number = if let Json::Number(number) = &json { number.as_u64() } else { None };
        number.ok_or_else(|| Wrong::value(&json, "a whole number"))
    }
}

macro_rules! from_u64 {
    ($($type:ty)*) => {$(
        impl FromJson for $type {
            fn from_json(json: Json) -> Result<Self, Wrong> {
                let number = u64::from_json(json)?;
                number.try_into().map_err(|_| {
                    Wrong::value(&Json::Number(number.into()), "a smaller number")
                })
            }
        }
    )*};
}

from_u64!(u16 u32 usize);

/// Nothing, and `null`, are none.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        if matches!(json, Json::Null) { Ok(None) } else { T::from_json(json).map(Some) }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        T::from_json(json).map(Self::new)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: Json) -> Result<Self, Wrong> {
        let Json::List(values) = json else { return Err(Wrong::value(&json, "a sequence")) };
        let mut all = Self::with_capacity(values.len());
        for (place, value) in values.into_iter().enumerate() {
            all.push(T::from_json(value).map_err(|wrong| wrong.at_place(place))?);
        }
        Ok(all)
    }
}

/// Reads an enum from the name of one of its variants.
pub(crate) fn one_of<T: Copy>(
    json: &Json,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Wrong> {
    let Json::Text(text) = json else { return Err(Wrong::value(json, "a string")) };
    all.iter().copied().find(|one| name(*one) == text.as_str()).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        Wrong::unknown_word(text, &names)
    })
}

/// Takes apart what an enum is written as whose variants have values: the name of the variant, or an object
/// whose only field it is.
pub(crate) fn variant(json: Json) -> Result<(String, Option<Json>), Wrong> {
    match json {
        Json::Text(mut name) => Ok((core::mem::take(&mut *name), None)),
        Json::Object(mut members) if members.len() == 1 => {
            let (name, value) = members.pop_first().unwrap_or((String::new(), Json::Null));
            Ok((name, Some(value)))
        }
        other => Err(Wrong::value(&other, "a string or a map with one field")),
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
            fn from_fields(
                fields: &mut $crate::json::Fields,
            ) -> Result<Self, $crate::json::Wrong> {
                $(fields.are_of($known)?;)?
                Ok(Self {
                    $($field: $crate::json::from_fields!(
                        @ fields $field $(: $name)? $(or $default)?
                    )?,)*
                    $($whole: $crate::json::FromFields::from_fields(fields)?,)?
                })
            }
        }

        impl $crate::json::FromJson for $type {
            fn from_json(json: $crate::json::Json) -> Result<Self, $crate::json::Wrong> {
                let mut fields = $crate::json::FromJson::from_json(json)?;
                $crate::json::FromFields::from_fields(&mut fields)
            }
        }
    };
    (@ $fields:ident $field:ident) => { $fields.take(stringify!($field)) };
    (@ $fields:ident $field:ident : $name:literal) => { $fields.take($name) };
    (@ $fields:ident $field:ident or default) => { $fields.take_or_default(stringify!($field)) };
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
