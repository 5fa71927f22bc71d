//! A JSON text and where its values are: read once into a flat list, and looked up without a tree.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::str;

use crate::complete_body::json::Checker;
use crate::sorted::sorted;

/// A whole JSON text (RFC 8259, in UTF-8), nested no deeper than
/// [`MAX_DEPTH`](crate::complete_body::json::MAX_DEPTH), in which every string is a text: half of a
/// surrogate pair, which some readers replace and others refuse, is none.
#[derive(Clone, Debug)]
pub(super) struct Json<'a> {
    bytes: Cow<'a, [u8]>,
    /// Each value before what is in it. In an object a key comes before its value.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
    /// The number of the first value that is not in this one.
    next: u32,
}

/// Why there is nothing to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    NotJson,
    /// There are more values than [`MAX_VALUES`].
    TooMany,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    False,
    True,
    Number,
    Text,
    Array,
    Object,
}

impl<'a> Json<'a> {
    /// Reads a text.
    pub(super) fn read(bytes: Cow<'a, [u8]>) -> Result<Self, Unread> {
        let mut checker = Checker::new();
        checker.push(&bytes).map_err(|_| Unread::NotJson)?;
        checker.finish().map_err(|_| Unread::NotJson)?;
        let places = places(&bytes)?;
        Ok(Self { bytes, places })
    }

    /// How many values there are, keys among them.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn kind(&self, value: usize) -> Kind {
        match self.raw(value).first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The bytes of a value.
    pub(super) fn raw(&self, value: usize) -> &[u8] {
        let Some(place) = self.places.get(value) else { return &[] };
        self.bytes.get(index(place.start)..index(place.end)).unwrap_or_default()
    }

    /// The number of what comes after a value and all that is in it.
    pub(super) fn next(&self, value: usize) -> usize {
        self.places.get(value).map_or(usize::MAX, |place| index(place.next))
    }

    /// The values in an array, or the keys of an object and, each after its own, their values.
    pub(super) fn inside(&self, value: usize) -> impl Iterator<Item = usize> {
        let end = self.next(value);
        let within = move |it: usize| Some(it).filter(|it| *it < end);
        core::iter::successors(within(value + 1), move |it| within(self.next(*it)))
    }

    /// What a string stands for.
    pub(super) fn text(&self, value: usize) -> Cow<'_, str> {
        decode(self.raw(value)).unwrap_or_default()
    }

    /// The value of the second of two keys of one object that are the same: what two servers may read
    /// differently.
    pub(super) fn repeated(&self) -> Option<usize> {
        let mut keys: Vec<(Cow<'_, str>, usize)> = Vec::new();
        let objects = (0..self.len()).filter(|value| self.kind(*value) == Kind::Object);
        for object in objects {
            keys.clear();
            keys.extend(self.inside(object).step_by(2).map(|key| (self.text(key), key + 1)));
            let found = repeated(&mut keys);
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// The value of the second of two texts that are the same.
pub(super) fn repeated(texts: &mut Vec<(Cow<'_, str>, usize)>) -> Option<usize> {
    *texts = sorted(core::mem::take(texts));
    texts.windows(2).find_map(|pair| match pair {
        [(one, _), (other, value)] if one == other => Some(*value),
        _ => None,
    })
}

/// Where the values of a text are that is JSON.
fn places(bytes: &[u8]) -> Result<Vec<Place>, Unread> {
    let offset = |at: usize| u32::try_from(at).map_err(|_| Unread::TooMany);
    let mut places: Vec<Place> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {
                at += 1;
                continue;
            }
            b'}' | b']' => {
                at += 1;
                let next = offset(places.len())?;
                let place = open.pop().and_then(|it| places.get_mut(it)).ok_or(Unread::NotJson)?;
                (place.end, place.next) = (offset(at)?, next);
                continue;
            }
            b'{' | b'[' => {
                open.push(places.len());
                at + 1
            }
            b'"' => end_of_text(bytes, at).ok_or(Unread::NotJson)?,
            _ => {
                let rest = bytes.get(at..).unwrap_or_default();
                let is_over = |byte: &u8| b",]} \t\n\r".contains(byte);
                at + rest.iter().position(is_over).unwrap_or(rest.len())
            }
        };
        if places.len() == MAX_VALUES {
            return Err(Unread::TooMany);
        }
        let next = offset(places.len() + 1)?;
        places.push(Place { start: offset(at)?, end: offset(end)?, next });
        at = end;
    }
    Ok(places)
}

/// Behind the string that begins here; `None` if it is no text.
fn end_of_text(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    let mut has_escapes = false;
    loop {
        match bytes.get(at)? {
            b'"' => break,
            b'\\' => {
                has_escapes = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
    let end = at + 1;
    (!has_escapes || decode(bytes.get(start..end)?).is_some()).then_some(end)
}

/// What a string in its quotation marks stands for; `None` if it has half of a surrogate pair.
fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut parts = inner.split(|byte| *byte == b'\\');
    let first = parts.next()?;
    if first.len() == inner.len() {
        return str::from_utf8(inner).ok().map(Cow::from);
    }
    let mut text = Vec::with_capacity(inner.len());
    text.extend_from_slice(first);
    let mut rest = inner.get(first.len()..)?;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let (escape, after) = rest.split_first()?;
        rest = after;
        let byte = match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (unit, after) = unit(rest)?;
                rest = after;
                let mut code = unit;
                if (0xd800..0xdc00).contains(&unit) {
                    let (low, after) = self::unit(rest.strip_prefix(b"\\u")?)?;
                    rest = after;
                    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    code = 0x10000 + ((unit - 0xd800) << 10) + low;
                }
                let mut buffer = [0; 4];
                text.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
            other => *other,
        };
        text.push(byte);
    }
    alloc::string::String::from_utf8(text).ok().map(Cow::from)
}

/// The number that four hexadecimal digits stand for, and what follows.
fn unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    let digits = str::from_utf8(digits).ok()?;
    u32::from_str_radix(digits, 16).ok().map(|unit| (unit, rest))
}

/// The most values in a text, keys among them: each takes more memory than the byte that it may be.
pub const MAX_VALUES: usize = 400_000;

fn index(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use serde_json::Value;

    fn read(text: &str) -> Option<Json<'_>> {
        Json::read(text.as_bytes().into()).ok()
    }

    /// The tree that a reader makes which was made for it.
    fn tree(json: &Json<'_>, value: usize) -> Value {
        match json.kind(value) {
            Kind::Array => json.inside(value).map(|item| tree(json, item)).collect(),
            Kind::Object => {
                let keys = json.inside(value).step_by(2);
                keys.map(|key| (json.text(key).into_owned(), tree(json, key + 1))).collect()
            }
            Kind::Text => json.text(value).into_owned().into(),
            _ => serde_json::from_slice(json.raw(value)).unwrap(),
        }
    }

    #[test]
    fn has_what_another_reader_has() {
        for text in [
            "1",
            " -0.5e+10 ",
            "null",
            "\"\"",
            r#""a\"b\\c\/d\b\f\n\r\t\u00e9\ud83d\ude00é😀""#,
            "[]",
            "{}",
            "[[],[[]],{\"\":{}}]",
            r#" { "a" : [ 1 , -0.5e+10 , true , "\u00e9" , { } , [ ] ] , "b\n" : null , "c":false} "#,
        ] {
            let json = read(text).unwrap();
            assert_eq!(tree(&json, 0), serde_json::from_str::<Value>(text).unwrap(), "{text}");
            assert_eq!(json.next(0), json.len(), "{text}");
        }
        for text in ["", "{", "[1,]", r#""\ud800""#, r#""\ud800\u0041""#, r#""\udc00""#, "1 1"] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_found_in_any_spelling() {
        for (text, repeated) in [
            (r#"{"a":1,"b":2,"a":3}"#, Some(6)),
            (r#"{"a":1,"\u0061":2}"#, Some(4)),
            (r#"{"a":{"b":[{"c":1,"d":2,"c":3}]}}"#, Some(11)),
            (r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#, None),
            (r#"["a","a"]"#, None),
            ("{}", None),
        ] {
            let found = read(text).unwrap().repeated();
            assert_eq!(found.is_some(), repeated.is_some(), "{text}");
            assert_eq!(found, repeated, "{text}");
        }
    }

    #[test]
    fn what_would_take_too_much_memory_is_none() {
        let list = |values: usize| format!("[1{}]", ",1".repeat(values - 2));
        assert_eq!(read(&list(MAX_VALUES)).unwrap().len(), MAX_VALUES);
        let longer = Json::read(list(MAX_VALUES + 1).into_bytes().into());
        assert_eq!(longer.unwrap_err(), Unread::TooMany);
    }

    #[test]
    fn what_is_nested_too_deeply_is_none() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read(&nested(127)).unwrap().len(), 127);
        assert!(read(&nested(128)).is_none());
    }
}
