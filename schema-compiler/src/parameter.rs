//! Parameters of operations: where they stand, and how what stands there is to be read.

use serde_json::{Map, Value, json};

use crate::reference;
use crate::refusal::{Refusal, under};
use crate::tables::Tables;
use crate::types::{self, ARRAY, NULL, OBJECT, TEXT};

/// A parameter, as it stands in a document.
pub(crate) struct Parameter<'a> {
    pub(crate) place: &'a str,
    pub(crate) name: &'a str,
    fields: &'a Map<String, Value>,
    pointer: String,
}

impl<'a> Parameter<'a> {
    /// Reads one that may be a reference.
    pub(crate) fn read(root: &'a Value, value: &'a Value, pointer: &str) -> Result<Self, Refusal> {
        let (fields, pointer) = reference::object(root, value, pointer, "parameters")?;
        let text = |name: &str| {
            let text = fields.get(name).and_then(Value::as_str);
            text.ok_or_else(|| Refusal::new(&pointer, name, "must be a text"))
        };
        Ok(Self { place: text("in")?, name: text("name")?, fields, pointer: pointer.clone() })
    }

    /// Whether it is of the headers of which OpenAPI says that they are described elsewhere.
    pub(crate) fn is_described_elsewhere(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        self.place == "header" && matches!(&*name, "accept" | "content-type" | "authorization")
    }

    /// Whether both are one header to some servers: letters of either case are the same to all of them, and
    /// underscores and hyphens to those that follow CGI and WSGI. A request could not have both.
    pub(crate) fn is_taken_for(&self, other: &Self) -> bool {
        let folded = |name: &str| name.replace('_', "-").to_ascii_lowercase();
        let are_headers = [self.place, other.place] == ["header"; 2];
        are_headers && !self.is_described_elsewhere() && folded(self.name) == folded(other.name)
    }

    /// What it becomes.
    pub(crate) fn compile(&self, tables: &mut Tables<'a>) -> Result<Value, Refusal> {
        let refuse = |keyword: &str, why: &str| Refusal::new(&self.pointer, keyword, why);
        let style = match self.place {
            "path" | "header" => "simple",
            "query" => "form",
            _ => return Err(refuse("in", "must be path, query or header")),
        };
        for (name, value) in self.fields {
            match name.as_str() {
                "style" if value != style => {
                    return Err(refuse("style", &format!("must be {style} in {}", self.place)));
                }
                "allowReserved" | "allowEmptyValue" if value != false => {
                    return Err(refuse(name, "is not supported"));
                }
                "in" | "name" | "required" | "schema" | "style" | "explode" | "allowReserved"
                | "allowEmptyValue" | "description" | "deprecated" | "example" | "examples" => {}
                name if name.starts_with("x-") => {}
                _ => return Err(refuse(name, "is not supported")),
            }
        }
        let is_required = self.flag("required", false)?;
        if self.place == "path" && !is_required {
            return Err(refuse("required", "must be true in path"));
        }
        let schema = self.fields.get("schema").ok_or_else(|| refuse("schema", "must be there"))?;
        let pointer = under(&self.pointer, "schema");
        let types = tables.types(schema, &pointer);
        let explode = self.flag("explode", style == "form")?;
        let (types, list) = if types == Some(ARRAY) || types == Some(ARRAY | NULL) {
            let items = types::items(tables.root, schema);
            let types = items.and_then(|items| tables.types(items, &pointer));
            let list = if explode && self.place == "query" { "repeated" } else { "commas" };
            (types, Some(list))
        } else {
            (types, None)
        };
        if types.is_none() {
            tables.refuse_of_no_text(schema, &pointer, list.is_some());
        }
        let form = match types.map(|types| types & !NULL) {
            None | Some(TEXT) => "text",
            Some(types) if types & (ARRAY | OBJECT) != 0 => {
                return Err(Refusal::new(
                    &pointer,
                    "type",
                    "of arrays and objects has no place here",
                ));
            }
            Some(types) if types & TEXT == 0 => "typed",
            Some(_) if list.is_some() => {
                let why = "of items that may be texts or something else is not told apart";
                return Err(Refusal::new(&pointer, "type", why));
            }
            Some(_) => "either",
        };
        let name = match self.place {
            "header" => self.name.to_ascii_lowercase(),
            _ => self.name.to_owned(),
        };
        let node = tables.schema(schema, &pointer);
        let mut compiled: Map<_, _> = [
            ("in".into(), json!(self.place)),
            ("name".into(), json!(name)),
            ("form".into(), json!(form)),
            ("node".into(), json!(node)),
        ]
        .into_iter()
        .collect();
        if is_required {
            compiled.insert("required".into(), json!(true));
        }
        if let Some(list) = list {
            compiled.insert("list".into(), json!(list));
        }
        Ok(Value::Object(compiled))
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        let refuse = || Refusal::new(&self.pointer, name, "must be true or false");
        self.fields.get(name).map_or(Ok(default), |value| value.as_bool().ok_or_else(refuse))
    }
}
