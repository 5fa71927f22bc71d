//! References: JSON Pointers into the same document (RFC 6901, in a fragment).

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// What a reference leads to, and its pointer.
pub(crate) fn follow<'a>(
    root: &'a Value,
    reference: &Value,
    pointer: &str,
) -> Result<(&'a Value, String), Refusal> {
    let refuse = |why: String| Refusal::new(pointer, "$ref", why);
    let text = reference.as_str().ok_or_else(|| refuse("must be a text".into()))?;
    let target = text
        .strip_prefix('#')
        .and_then(decode)
        .filter(|target| target.is_empty() || target.starts_with('/'))
        .ok_or_else(|| refuse(format!("{text} leads out of this document, or is no pointer")))?;
    let value = root.pointer(&target).ok_or_else(|| refuse(format!("{text} leads nowhere")))?;
    Ok((value, target))
}

/// What is meant by an object that may be a reference to one.
pub(crate) fn object<'a>(
    root: &'a Value,
    value: &'a Value,
    pointer: &str,
    keyword: &str,
) -> Result<(&'a Map<String, Value>, String), Refusal> {
    let refuse = |why: &str| Refusal::new(pointer, keyword, why);
    let (mut value, mut at) = (value, pointer.to_owned());
    for _ in 0..MAX_HOPS {
        let object = value.as_object().ok_or_else(|| refuse("must be an object"))?;
        let Some(reference) = object.get("$ref") else { return Ok((object, at)) };
        let is_beside = |name: &String| matches!(name.as_str(), "$ref" | "summary" | "description");
        if let Some(name) = object.keys().find(|name| !is_beside(name)) {
            return Err(Refusal::new(&at, name, "stands beside `$ref`"));
        }
        (value, at) = follow(root, reference, &at)?;
    }
    Err(Refusal::new(&at, "$ref", "leads to itself"))
}

fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        decoded.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
    }
    String::from_utf8(decoded).ok()
}

const MAX_HOPS: usize = 16;
