//! Any value, read from whatever reader of `serde`'s holds it.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{Json, Member, Members, Place, Step, Wrong};

/// Reads a value. Inside is where a name comes twice, if one does.
pub(super) fn value<'de, D: Deserializer<'de>>(from: D) -> Result<Result<Json, Wrong>, D::Error> {
    let twice = Cell::new(None);
    let value = AnyValue { place: Place::Whole, twice: &twice }.deserialize(from)?;
    Ok(twice.take().map_or(Ok(value), Err))
}

/// Reads on when a name comes twice, which it notes: a reader's errors would bring in the code that writes and
/// takes apart texts of them.
#[derive(Clone, Copy)]
struct AnyValue<'a> {
    place: Place<'a>,
    twice: &'a Cell<Option<Wrong>>,
}

impl<'a> AnyValue<'a> {
    fn at(&'a self, step: Step<'a>) -> Self {
        Self { place: Place::Within(&self.place, step), twice: self.twice }
    }

    /// The object of these members; none if a name comes twice, which is noted.
    fn object(self, members: Vec<Member>) -> Json {
        match Members::new(members) {
            Ok(members) => Json::Object(members),
            Err(name) => {
                self.note_twice(&name);
                Json::Null
            }
        }
    }

    #[cold]
    fn note_twice(self, name: &str) {
        let wrong = self.twice.take().unwrap_or_else(|| Wrong::twice(name, self.place));
        self.twice.set(Some(wrong));
    }
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
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
        while let Some(value) = from.next_element_seed(self.at(Step::Number(values.len())))? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(self.at(Step::Name(&name)))?;
            members.push(Member { name, value });
        }
        Ok(self.object(members))
    }
}
