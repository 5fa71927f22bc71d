//! Schemas (JSON Schema, 2020-12) into nodes: what they are made of. `assertion.rs` has what they say of values
//! by themselves.

use serde_json::{Map, Value, json};

use crate::reference;
use crate::refusal::{Refusal, under};
use crate::tables::Tables;

/// A node that is being made.
#[derive(Default)]
pub(crate) struct Node {
    keywords: Map<String, Value>,
    /// What must hold as well, and has no room in the same node.
    also: Vec<usize>,
}

/// A keyword of a schema.
#[derive(Clone, Copy)]
pub(crate) struct Keyword<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
    /// All keywords of the schema.
    pub(crate) beside: &'a Map<String, Value>,
    /// Where the schema stands.
    pub(crate) pointer: &'a str,
}

type Compiled = Result<(), Refusal>;

impl Tables<'_> {
    /// The number of the node that a schema becomes.
    pub(crate) fn schema(&mut self, schema: &Value, pointer: &str) -> usize {
        let node = self.node(schema, pointer);
        // One that is nothing but another is that one.
        match alone(&node) {
            Some(number) => number,
            None => self.add(node, pointer),
        }
    }

    fn node(&mut self, schema: &Value, pointer: &str) -> Value {
        if self.depth == MAX_DEPTH {
            self.refuse(pointer, "schema", format!("is nested more than {MAX_DEPTH} deep"));
            return json!({});
        }
        let keywords = match schema {
            Value::Bool(true) => return json!({}),
            Value::Bool(false) => return json!({"type": []}),
            Value::Object(keywords) => keywords,
            _ => {
                self.refuse(pointer, "schema", "must be an object, true or false");
                return json!({});
            }
        };
        self.depth += 1;
        let mut node = Node::default();
        for (name, value) in keywords {
            let keyword = Keyword { name, value, beside: keywords, pointer };
            if let Err(refusal) = self.keyword(&mut node, keyword) {
                self.note(refusal);
            }
        }
        self.depth -= 1;
        node.finish()
    }

    fn keyword(&mut self, node: &mut Node, keyword: Keyword<'_>) -> Compiled {
        let Keyword { name, value, pointer, .. } = keyword;
        match name {
            "items" | "additionalProperties" | "not" => {
                let number = self.schema(value, &keyword.here());
                node.set(name, json!(number));
            }
            "prefixItems" | "allOf" | "anyOf" | "oneOf" => self.list(node, keyword)?,
            "properties" => {
                let schemas = self.schemas(keyword)?.into_iter();
                node.set(name, schemas.map(|(name, number)| (name, json!(number))).collect());
            }
            "patternProperties" => {
                let mut list = Vec::new();
                for (source, number) in self.schemas(keyword)? {
                    let says = format!("match {source}");
                    let pattern = self.pattern(&source, &says, pointer, name);
                    list.extend(pattern.map(|pattern| json!([pattern, number])));
                }
                node.set(name, Value::Array(list));
            }
            "dependentSchemas" => {
                for (property, number) in self.schemas(keyword)? {
                    let there = json!({"type": ["object"], "required": [property]});
                    let there = self.add(there, &keyword.here());
                    self.imply(node, keyword, there, number);
                }
            }
            "if" => {
                let condition = self.schema(value, &keyword.here());
                if let Some(then) = keyword.beside.get("then") {
                    let then = self.schema(then, &under(pointer, "then"));
                    self.imply(node, keyword, condition, then);
                }
                if let Some(otherwise) = keyword.beside.get("else") {
                    let otherwise = self.schema(otherwise, &under(pointer, "else"));
                    let not = self.add(json!({"not": condition}), &keyword.here());
                    self.imply(node, keyword, not, otherwise);
                }
            }
            "$ref" => {
                let number = self.reference(value, pointer)?;
                node.also(number);
            }
            "$schema" if value == DIALECT || value == OPENAPI_DIALECT => {}
            // Without `if`, these say nothing.
            "then" | "else" => {}
            name if ANNOTATIONS.contains(&name) || name.starts_with("x-") => {}
            "nullable" => {
                return Err(keyword.refuse("is of OpenAPI 3.0: add \"null\" to `type`"));
            }
            _ => self.assertion(node, keyword)?,
        }
        Ok(())
    }

    /// Where the one node fits, the other has to.
    fn imply(&mut self, node: &mut Node, keyword: Keyword<'_>, one: usize, other: usize) {
        let not = self.add(json!({"not": one}), &keyword.here());
        let either = self.add(json!({"anyOf": [not, other]}), &keyword.here());
        node.also(either);
    }

    /// The number of the node that a reference leads to.
    fn reference(&mut self, value: &Value, pointer: &str) -> Result<usize, Refusal> {
        let (schema, target) = reference::follow(self.root, value, pointer)?;
        if let Some(number) = self.references.get(&target) {
            return Ok(*number);
        }
        // It may lead to itself.
        let number = self.reserve(&target);
        self.references.insert(target.clone(), number);
        let node = self.node(schema, &target);
        self.put(number, node);
        Ok(number)
    }

    fn list(&mut self, node: &mut Node, keyword: Keyword<'_>) -> Compiled {
        let list = keyword.value.as_array().map(Vec::as_slice).unwrap_or_default();
        if !(1..=MAX_ALTERNATIVES).contains(&list.len()) {
            return Err(keyword.refuse(format!("must list 1 to {MAX_ALTERNATIVES} schemas")));
        }
        let here = keyword.here();
        let mut numbers = Vec::new();
        for (place, schema) in list.iter().enumerate() {
            numbers.push(self.schema(schema, &under(&here, &place.to_string())));
        }
        node.set(keyword.name, json!(numbers));
        Ok(())
    }

    /// The nodes of schemas by name.
    fn schemas(&mut self, keyword: Keyword<'_>) -> Result<Vec<(String, usize)>, Refusal> {
        let schemas =
            keyword.value.as_object().filter(|it| it.len() <= MAX_NAMES).ok_or_else(|| {
                keyword.refuse(format!("must have at most {MAX_NAMES} schemas, by name"))
            })?;
        let here = keyword.here();
        let number = |(name, schema): (&String, &Value)| {
            (name.clone(), self.schema(schema, &under(&here, name)))
        };
        Ok(schemas.iter().map(number).collect())
    }
}

impl Node {
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.keywords.insert(name.into(), value);
    }

    pub(crate) fn also(&mut self, number: usize) {
        self.also.push(number);
    }

    fn finish(self) -> Value {
        let Self { mut keywords, also } = self;
        if !also.is_empty() {
            let all = keywords.entry("allOf").or_insert_with(|| json!([]));
            if let Some(all) = all.as_array_mut() {
                all.extend(also.into_iter().map(Value::from));
            }
        }
        Value::Object(keywords)
    }
}

impl Keyword<'_> {
    pub(crate) fn refuse(&self, why: impl Into<String>) -> Refusal {
        Refusal::new(self.pointer, self.name, why)
    }

    pub(crate) fn here(&self) -> String {
        under(self.pointer, self.name)
    }
}

fn alone(node: &Value) -> Option<usize> {
    let node = node.as_object().filter(|node| node.len() == 1)?;
    match node.get("allOf")?.as_array()?.as_slice() {
        [number] => usize::try_from(number.as_u64()?).ok(),
        _ => None,
    }
}

/// What says nothing about a value, or says it to other programs.
const ANNOTATIONS: [&str; 16] = [
    "$comment",
    "$defs",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "deprecated",
    "description",
    "discriminator",
    "example",
    "examples",
    "externalDocs",
    "readOnly",
    "title",
    "writeOnly",
    "xml",
];

pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
pub(crate) const OPENAPI_DIALECT: &str = "https://spec.openapis.org/oas/3.1/dialect/base";

pub(crate) const MAX_DEPTH: usize = 100;
const MAX_ALTERNATIVES: usize = 256;
pub(crate) const MAX_NAMES: usize = 1024;
