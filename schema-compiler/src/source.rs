//! Reads a document's text: JSON, or YAML. A key that is there twice is refused in either.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::refusal::Refusal;

/// The longest document, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

pub(crate) fn read(text: &[u8]) -> Result<Value, Refusal> {
    let refuse = |why: String| Refusal::new("", "openapi", format!("is not readable: {why}"));
    if text.len() > MAX_BYTES {
        return Err(refuse(format!("it is longer than {MAX_BYTES} bytes")));
    }
    let Unambiguous(value) = if text.trim_ascii_start().first() == Some(&b'{') {
        serde_json::from_slice(text).map_err(|why| refuse(why.to_string()))?
    } else {
        let text = std::str::from_utf8(text).map_err(|why| refuse(why.to_string()))?;
        // As YAML 1.2 has it, `on` and `no` are texts.
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(text, options).map_err(|why| refuse(why.to_string()))?
    };
    Ok(value)
}

/// JSON without a key that is there twice.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl Reader {
    /// As the reader of JSON takes what has more than 64 bits: whether it is still the same shows later.
    fn visit_large<E: Error>(self, digits: &str) -> Result<Value, E> {
        self.visit_f64(digits.parse().map_err(E::custom)?)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        self.visit_large(&value.to_string())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        self.visit_large(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a number of JSON"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Unambiguous(value))) = entries.next_entry::<String, _>()? {
            if map.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("the key {key:?} is there twice")));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_is_read_as_json_would_be() {
        let yaml = "openapi: 3.1.0\na: [1, -2, 0.5, true, null, 'x', \"\\u00e9\"]\n200: {b: on}\n";
        let json = r#"{"openapi":"3.1.0","a":[1,-2,0.5,true,null,"x","é"],"200":{"b":"on"}}"#;
        assert_eq!(read(yaml.as_bytes()).unwrap(), read(json.as_bytes()).unwrap());
        assert_eq!(read(b"a: &x {b: 1}\nc: *x\n").unwrap(), json!({"a": {"b": 1}, "c": {"b": 1}}));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in [
            "{\"a\":1,\"a\":2}",
            "a: 1\na: 2\n",
            "{\"a\":[{\"b\":1,\"b\":1}]}",
            "{",
            "a: [",
            "\"\\",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"\xff\xfe").is_err());
    }
}
