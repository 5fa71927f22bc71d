//! Which types the value of a parameter may have. It comes as a text: only its schema tells what else it is.

use serde_json::Value;

use crate::reference;
use crate::refusal::under;
use crate::schema::MAX_DEPTH;
use crate::tables::Tables;

pub(crate) const NULL: u8 = 1;
pub(crate) const TEXT: u8 = 2;
const OTHER: u8 = 4;
pub(crate) const ARRAY: u8 = 8;
pub(crate) const OBJECT: u8 = 16;

impl Tables<'_> {
    /// The types that a value may have, by its schema; `None` if that does not say.
    pub(crate) fn types(&mut self, schema: &Value, pointer: &str) -> Option<u8> {
        let keywords = schema.as_object()?;
        if !self.goes_deeper(pointer) {
            return None;
        }
        let both = |one: u8, other: u8| one & other;
        let mut all: Option<u8> = None;
        for (name, value) in keywords {
            let said = match (name.as_str(), value.as_array()) {
                ("type", Some(names)) => {
                    Some(names.iter().map(of_name).fold(0, |sum, it| sum | it))
                }
                ("type", None) => Some(of_name(value)),
                ("const", _) => Some(of_value(value)),
                ("enum", Some(values)) => {
                    Some(values.iter().map(of_value).fold(0, |sum, it| sum | it))
                }
                ("$ref", _) => self.types_of_reference(value),
                ("anyOf" | "oneOf", Some(schemas)) => {
                    let types: Vec<_> = schemas.iter().map(|it| self.types(it, pointer)).collect();
                    types.into_iter().reduce(|one, other| Some(one? | other?)).flatten()
                }
                ("allOf", Some(schemas)) => {
                    schemas.iter().filter_map(|it| self.types(it, pointer)).reduce(both)
                }
                _ => None,
            };
            all = all.into_iter().chain(said).reduce(both);
        }
        self.depth -= 1;
        all
    }

    /// Each is looked at once: with alternatives that lead to alternatives, it would be for ever.
    fn types_of_reference(&mut self, reference: &Value) -> Option<u8> {
        let (schema, target) = reference::follow(self.root, reference, "").ok()?;
        if let Some(types) = self.types.get(&target) {
            return *types;
        }
        // If it leads to itself, it is refused for that.
        self.types.insert(target.clone(), None);
        let types = self.types(schema, &target);
        self.types.insert(target, types);
        types
    }

    /// Refuses what would never be checked of a parameter that is read as a text, since its schema does not say
    /// that it is anything else; of a list, what would not be of its items.
    pub(crate) fn refuse_of_no_text(&mut self, schema: &Value, pointer: &str, is_list: bool) {
        let Some(keywords) = schema.as_object() else { return };
        if !self.goes_deeper(pointer) {
            return;
        }
        for (name, value) in keywords {
            let here = under(pointer, name);
            match (name.as_str(), value.as_array()) {
                ("$ref", _) => {
                    let Ok((schema, target)) = reference::follow(self.root, value, "") else {
                        continue;
                    };
                    if self.read_as_texts.insert((target.clone(), is_list)) {
                        self.refuse_of_no_text(schema, &target, is_list);
                    }
                }
                ("anyOf" | "oneOf" | "allOf", Some(schemas)) => {
                    for (place, schema) in schemas.iter().enumerate() {
                        self.refuse_of_no_text(schema, &under(&here, &place.to_string()), is_list);
                    }
                }
                ("not" | "if" | "then" | "else", _) => {
                    self.refuse_of_no_text(value, &here, is_list);
                }
                ("items", _) if is_list => self.refuse_of_no_text(value, &here, false),
                ("prefixItems", Some(schemas)) if is_list => {
                    for (place, schema) in schemas.iter().enumerate() {
                        self.refuse_of_no_text(schema, &under(&here, &place.to_string()), false);
                    }
                }
                (name, _) if !is_list && is_of_no_text(name, value) => {
                    let why = "needs a `type` for the whole parameter: without one, that is a text";
                    self.refuse(pointer, name, why);
                }
                _ => {}
            }
        }
        self.depth -= 1;
    }

    /// Whether a schema may be looked into; then it counts until `depth` is less again.
    fn goes_deeper(&mut self, pointer: &str) -> bool {
        let is_too_deep = self.depth == MAX_DEPTH;
        if is_too_deep {
            self.refuse(pointer, "schema", format!("is nested more than {MAX_DEPTH} deep"));
        } else {
            self.depth += 1;
        }
        !is_too_deep
    }
}

/// The schema of the items of an array, if one is all that says something about them.
pub(crate) fn items<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let mut schema = schema;
    for _ in 0..MAX_DEPTH {
        if let Some(items) = schema.get("items") {
            return Some(items);
        }
        schema = reference::follow(root, schema.get("$ref")?, "").ok()?.0;
    }
    None
}

fn of_name(name: &Value) -> u8 {
    match name.as_str() {
        Some("null") => NULL,
        Some("string") => TEXT,
        Some("array") => ARRAY,
        Some("object") => OBJECT,
        _ => OTHER,
    }
}

fn of_value(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::String(_) => TEXT,
        Value::Array(_) => ARRAY,
        Value::Object(_) => OBJECT,
        Value::Bool(_) | Value::Number(_) => OTHER,
    }
}

/// Whether a keyword says something of what is no text.
fn is_of_no_text(name: &str, value: &Value) -> bool {
    let is_one = |types: u8| types & !(NULL | TEXT) != 0;
    match (name, value.as_array()) {
        ("type", Some(names)) => names.iter().map(of_name).any(is_one),
        ("type", None) => is_one(of_name(value)),
        ("const", _) => is_one(of_value(value)),
        ("enum", Some(values)) => values.iter().map(of_value).any(is_one),
        ("format", _) => value == "int32" || value == "int64",
        _ => OF_NO_TEXT.contains(&name),
    }
}

/// What is said of numbers, arrays and objects only.
const OF_NO_TEXT: [&str; 18] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "dependentRequired",
    "dependentSchemas",
    "minProperties",
    "maxProperties",
];
