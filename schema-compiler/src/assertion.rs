//! What schemas say of values by themselves: types, values, limits, patterns and formats.

use serde_json::{Value, json};

use crate::exact::{count, is_exact, is_exact_value};
use crate::format::Format;
use crate::refusal::Refusal;
use crate::schema::{Keyword, MAX_NAMES, Node};
use crate::tables::Tables;

type Compiled = Result<(), Refusal>;

impl Tables<'_> {
    pub(crate) fn assertion(&mut self, node: &mut Node, keyword: Keyword<'_>) -> Compiled {
        let Keyword { name, value, .. } = keyword;
        match name {
            "type" => node.set(name, types(keyword)?),
            "enum" | "const" => return self.values(node, keyword),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                number(keyword)?;
                node.set(name, value.clone());
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => {
                let count = count(value).and_then(|count| u32::try_from(count).ok());
                let count = count.ok_or_else(|| keyword.refuse("must be a whole number below 2³²"));
                node.set(name, json!(count?));
            }
            "uniqueItems" => match value.as_bool() {
                Some(true) => node.set(name, json!(true)),
                Some(false) => {}
                None => return Err(keyword.refuse("must be true or false")),
            },
            "pattern" => {
                let source = value.as_str().ok_or_else(|| keyword.refuse("must be a text"))?;
                let says = format!("match {source}");
                if let Some(number) = self.pattern(source, &says, keyword.pointer, name) {
                    node.set(name, json!(number));
                }
            }
            "format" => return self.format(node, keyword),
            "required" => {
                if !are_names(value) {
                    return Err(keyword.refuse(format!("must list at most {MAX_NAMES} names")));
                }
                node.set(name, value.clone());
            }
            "dependentRequired" => {
                let lists = value.as_object().filter(|it| it.len() <= MAX_NAMES);
                if !lists.is_some_and(|lists| lists.values().all(are_names)) {
                    let why = format!("must have lists of at most {MAX_NAMES} names");
                    return Err(keyword.refuse(why));
                }
                node.set(name, value.clone());
            }
            _ => return Err(keyword.refuse("is not supported")),
        }
        Ok(())
    }

    fn values(&mut self, node: &mut Node, keyword: Keyword<'_>) -> Compiled {
        let Keyword { name, value, beside, .. } = keyword;
        let values = if name == "const" { json!([value]) } else { value.clone() };
        let count = values.as_array().map_or(0, Vec::len);
        if !(1..=MAX_VALUES).contains(&count) {
            return Err(keyword.refuse(format!("must list 1 to {MAX_VALUES} values")));
        }
        if !is_exact_value(value) {
            return Err(keyword.refuse(INEXACT));
        }
        if name == "const" && beside.contains_key("enum") {
            let number = self.add(json!({"enum": values}), &keyword.here());
            node.also(number);
        } else {
            node.set("enum", values);
        }
        Ok(())
    }

    fn format(&mut self, node: &mut Node, keyword: Keyword<'_>) -> Compiled {
        let Keyword { value, beside, pointer, .. } = keyword;
        let name = value.as_str().unwrap_or_default();
        let bounds = match name {
            "int32" => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            "int64" => Some((i64::MIN, i64::MAX)),
            _ => None,
        };
        if let Some((least, most)) = bounds {
            let number = self.add(json!({"minimum": least, "maximum": most}), pointer);
            node.also(number);
            return Ok(());
        }
        if Format::SILENT.contains(&name) {
            return Ok(());
        }
        let format = Format::new(name).ok_or_else(|| {
            keyword.refuse(format!("{value} is not known; there are {}", Format::NAMES.join(", ")))
        })?;
        let Some(pattern) = self.pattern(&format.pattern, format.says, pointer, "format") else {
            return Ok(());
        };
        if beside.contains_key("pattern") {
            let number = self.add(json!({"pattern": pattern}), pointer);
            node.also(number);
        } else {
            node.set("pattern", json!(pattern));
        }
        if let Some(most) = format.max_length {
            let number = self.add(json!({"maxLength": most}), pointer);
            node.also(number);
        }
        Ok(())
    }
}

fn types(keyword: Keyword<'_>) -> Result<Value, Refusal> {
    let value = keyword.value;
    let names = if value.is_string() { json!([value]) } else { value.clone() };
    let is_type = |it: &Value| it.as_str().is_some_and(|it| TYPES.contains(&it));
    let are_types = names.as_array().is_some_and(|it| !it.is_empty() && it.iter().all(is_type));
    if are_types {
        Ok(names)
    } else {
        Err(keyword.refuse(format!("must name types: {}", TYPES.join(", "))))
    }
}

fn number(keyword: Keyword<'_>) -> Compiled {
    let number = keyword.value.as_number().ok_or_else(|| keyword.refuse("must be a number"))?;
    if !is_exact(number) {
        return Err(keyword.refuse(INEXACT));
    }
    let digits = number.to_string().trim_end_matches('0').len();
    let is_divisor =
        number.as_f64().is_some_and(|it| it > 0.0) && (!number.is_u64() || digits <= 18);
    if keyword.name == "multipleOf" && !is_divisor {
        return Err(keyword.refuse("must be more than 0, and have at most 18 digits"));
    }
    Ok(())
}

fn are_names(value: &Value) -> bool {
    let names = value.as_array().filter(|it| it.len() <= MAX_NAMES);
    names.is_some_and(|names| names.iter().all(Value::is_string))
}

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

const INEXACT: &str = "has a number of more than 15 digits that is no whole one of 64 bits";

const MAX_VALUES: usize = 1024;
