//! Reads a compiled document: the JSON that `voussoir-keyserver schemas compile` writes.
//!
//! Nodes and patterns are lists, whose entries refer to each other by their numbers. A node has the keywords of
//! JSON Schema, with a number wherever that has a schema.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::result::Result;

use super::document::{Content, Document, Operation, Path, RequestBody};
use super::json::Json;
use super::media_type::MediaType;
use super::node::{Check, Limit, Node, Properties, Property, Types};
use super::number::Divisor;
use super::parameter::{Form, List, Parameter, Place};
use super::pattern::{Pattern, State};
use crate::acl::PathTemplate;
use crate::json::{self, Json as Value, Members};

/// Why a text is no compiled document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDocument {
    /// It has another digest than it should have.
    Digest,
    /// It is not JSON.
    NotJson,
    /// It is none, or one of another version.
    Version,
    /// What there is by this name is not what it must be.
    Field(&'static str),
}

type Read<T> = Result<T, InvalidDocument>;

impl Document {
    /// Reads a document's bytes.
    pub fn from_json(bytes: &[u8]) -> Read<Self> {
        let value = json::read::<Value>(bytes).map_err(|_| InvalidDocument::NotJson)?;
        Self::from_value(&value)
    }

    /// Reads a document that was read as JSON.
    pub(crate) fn from_value(value: &Value) -> Read<Self> {
        let Value::Object(document) = value else { return Err(InvalidDocument::Version) };
        let version = document.get("voussoir_schema").and_then(number);
        if version != Some(VERSION) {
            return Err(InvalidDocument::Version);
        }
        let (nodes, patterns) = (list(document, "nodes")?, list(document, "patterns")?);
        let reader = Reader { nodes: nodes.len(), patterns: patterns.len() };
        Ok(Self {
            paths: map(list(document, "paths")?, |it| reader.path(it))?,
            nodes: map(nodes, |it| reader.node(it))?,
            patterns: map(patterns, pattern)?,
        })
    }
}

/// How many entries the tables have.
struct Reader {
    nodes: usize,
    patterns: usize,
}

impl Reader {
    fn path(&self, value: &Value) -> Read<Path> {
        let path = object(value, "paths")?;
        let template = PathTemplate::new(text(path, "path")?);
        let operations = map(list(path, "operations")?, |it| self.operation(it))?;
        let methods: Vec<_> = operations.iter().map(|it: &Operation| &*it.method).collect();
        let allow = methods.join(", ");
        Ok(Path { template: template.map_err(|_| field("path"))?, operations, allow })
    }

    fn operation(&self, value: &Value) -> Read<Operation> {
        let operation = object(value, "operations")?;
        let body = operation.get("body").map(|body| {
            let body = object(body, "body")?;
            let content = map(list(body, "content")?, |it| {
                let content = object(it, "content")?;
                let media_type = MediaType::new(text(content, "type")?);
                Ok(Content {
                    media_type: media_type.ok_or(field("type"))?,
                    node: content.get("node").map(|it| self.index(it)).transpose()?,
                })
            })?;
            Ok(RequestBody { is_required: flag(body, "required"), content })
        });
        Ok(Operation {
            method: text(operation, "method")?.into(),
            parameters: map(list(operation, "parameters")?, |it| self.parameter(it))?,
            body: body.transpose()?,
        })
    }

    fn parameter(&self, value: &Value) -> Read<Parameter> {
        let parameter = object(value, "parameters")?;
        Ok(Parameter {
            place: match text(parameter, "in")? {
                "path" => Place::Path,
                "query" => Place::Query,
                "header" => Place::Header,
                _ => return Err(field("in")),
            },
            name: text(parameter, "name")?.into(),
            is_required: flag(parameter, "required"),
            form: match text(parameter, "form")? {
                "text" => Form::Text,
                "typed" => Form::Typed,
                "either" => Form::Either,
                _ => return Err(field("form")),
            },
            list: match parameter.get("list").and_then(as_text) {
                None => None,
                Some("repeated") => Some(List::Repeated),
                Some("commas") => Some(List::Commas),
                Some(_) => return Err(field("list")),
            },
            node: self.index(parameter.get("node").unwrap_or(&Value::Null))?,
        })
    }

    fn node(&self, value: &Value) -> Read<Node> {
        let node = object(value, "nodes")?;
        let mut types = Types::ALL;
        if node.has("type") {
            let names = list(node, "type")?.iter();
            let with = |types: Types, name: &Value| types.with(as_text(name)?);
            types = names.into_iter().try_fold(Types::NONE, with).ok_or(field("type"))?;
        }
        let mut checks = Vec::new();
        for (name, value) in node.iter() {
            let count = || number(value).ok_or(field("a count"));
            checks.push(match name {
                "enum" => Check::Enum(map(list(node, "enum")?, literal)?),
                "minimum" => Check::Minimum(limit(value, false)?),
                "exclusiveMinimum" => Check::Minimum(limit(value, true)?),
                "maximum" => Check::Maximum(limit(value, false)?),
                "exclusiveMaximum" => Check::Maximum(limit(value, true)?),
                "multipleOf" => {
                    let Limit { text, .. } = limit(value, false)?;
                    let divisor = Divisor::new(&text).ok_or(field("multipleOf"))?;
                    Check::MultipleOf { divisor, text }
                }
                "minLength" => Check::MinLength(count()?),
                "maxLength" => Check::MaxLength(count()?),
                "pattern" => Check::Pattern(self.pattern(value)?),
                "minItems" => Check::MinItems(count()?),
                "maxItems" => Check::MaxItems(count()?),
                "uniqueItems" => Check::UniqueItems,
                "minProperties" => Check::MinProperties(count()?),
                "maxProperties" => Check::MaxProperties(count()?),
                "dependentRequired" => Check::DependentRequired(
                    object(value, "dependentRequired")?
                        .iter()
                        .map(|(name, names)| Ok((name.into(), texts(names)?)))
                        .collect::<Read<_>>()?,
                ),
                "allOf" => Check::All(self.indices(value)?),
                "anyOf" => Check::Any(self.indices(value)?),
                "oneOf" => Check::One(self.indices(value)?),
                "not" => Check::Not(self.index(value)?),
                "type"
                | "items"
                | "prefixItems"
                | "properties"
                | "required"
                | "patternProperties"
                | "additionalProperties" => continue,
                _ => return Err(field("nodes")),
            });
        }
        let index = |name: &str| node.get(name).map(|it| self.index(it)).transpose();
        if node.has("items") || node.has("prefixItems") {
            let first = node.get("prefixItems").map(|it| self.indices(it)).transpose()?;
            checks.push(Check::Items { first: first.unwrap_or_default(), rest: index("items")? });
        }
        let properties = self.properties(node)?;
        let is_any = properties.named.is_empty() && properties.patterns.is_empty();
        if !is_any || properties.rest.is_some() {
            checks.push(Check::Properties(properties));
        }
        Ok(Node { types, checks })
    }

    fn properties(&self, node: &Members) -> Read<Properties> {
        let required = node.get("required").map(texts).transpose()?.unwrap_or_default();
        let mut named = Vec::new();
        if let Some(properties) = node.get("properties") {
            for (name, value) in object(properties, "properties")?.iter() {
                let is_required = required.iter().any(|it| it == name);
                let node = Some(self.index(value)?);
                named.push(Property { name: name.into(), node, is_required });
            }
        }
        // They are in the order of their names, and stay so.
        for name in required {
            if let Err(place) = named.binary_search_by(|it: &Property| it.name.cmp(&name)) {
                named.insert(place, Property { name, node: None, is_required: true });
            }
        }
        let patterns = map(list(node, "patternProperties")?, |it| match as_list(it) {
            Some([pattern, node]) => Ok((self.pattern(pattern)?, self.index(node)?)),
            _ => Err(field("patternProperties")),
        })?;
        let rest = node.get("additionalProperties").map(|it| self.index(it)).transpose()?;
        let required = named.iter().filter(|property| property.is_required).count();
        Ok(Properties { named, patterns, rest, required })
    }

    fn indices(&self, value: &Value) -> Read<Vec<usize>> {
        map(as_list(value).ok_or(field("a list of nodes"))?, |it| self.index(it))
    }

    fn index(&self, value: &Value) -> Read<usize> {
        number(value).filter(|it| *it < self.nodes).ok_or(field("a node's number"))
    }

    fn pattern(&self, value: &Value) -> Read<usize> {
        number(value).filter(|it| *it < self.patterns).ok_or(field("a pattern's number"))
    }
}

/// A pattern: what it says, and for each state whether the text may end there (1), followed by threes of
/// numbers: from which character, to which, and the state behind them.
fn pattern(value: &Value) -> Read<Pattern> {
    let pattern = object(value, "patterns")?;
    let states = map(list(pattern, "states")?, |state| {
        let state = map(as_list(state).ok_or(field("states"))?, |it| {
            number(it).and_then(|it| u32::try_from(it).ok()).ok_or(field("states"))
        })?;
        let (is_end, steps) = state.split_first().ok_or(field("states"))?;
        let steps = steps.chunks_exact(3).filter_map(|step| match step {
            [first, last, next] => Some((*first, *last, usize::try_from(*next).ok()?)),
            _ => None,
        });
        Ok(State { is_end: *is_end == 1, steps: steps.collect() })
    })?;
    Ok(Pattern { says: text(pattern, "says")?.into(), states })
}

fn literal(value: &Value) -> Read<Json<'static>> {
    Json::read(written(value).into_vec().into()).map_err(|_| field("enum"))
}

fn limit(value: &Value, is_exclusive: bool) -> Read<Limit> {
    let text = matches!(value, Value::Number(_)).then(|| written(value)).ok_or(field("a limit"))?;
    Ok(Limit { text, is_exclusive })
}

fn written(value: &Value) -> Box<[u8]> {
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn map<T>(values: &[Value], read: impl Fn(&Value) -> Read<T>) -> Read<Vec<T>> {
    let mut all = Vec::with_capacity(values.len());
    for value in values {
        all.push(read(value)?);
    }
    Ok(all)
}

fn object<'a>(value: &'a Value, name: &'static str) -> Read<&'a Members> {
    if let Value::Object(members) = value { Ok(members) } else { Err(field(name)) }
}

/// An empty one if there is none.
fn list<'a>(object: &'a Members, name: &'static str) -> Read<&'a [Value]> {
    match object.get(name) {
        None => Ok(&[]),
        Some(value) => as_list(value).ok_or(field(name)),
    }
}

fn text<'a>(object: &'a Members, name: &'static str) -> Read<&'a str> {
    object.get(name).and_then(as_text).ok_or(field(name))
}

fn texts(value: &Value) -> Read<Vec<String>> {
    let names = as_list(value).ok_or(field("a list of names"))?;
    map(names, |it| as_text(it).map(String::from).ok_or(field("a name")))
}

fn flag(object: &Members, name: &str) -> bool {
    matches!(object.get(name), Some(Value::Bool(true)))
}

fn number(value: &Value) -> Option<usize> {
    if let Value::Number(number) = value { usize::try_from(number.as_u64()?).ok() } else { None }
}

fn as_list(value: &Value) -> Option<&[Value]> {
    if let Value::List(values) = value { Some(values) } else { None }
}

fn as_text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn field(name: &'static str) -> InvalidDocument {
    InvalidDocument::Field(name)
}

impl fmt::Display for InvalidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest => f.write_str("it has another SHA-256 than `digest`"),
            Self::NotJson => f.write_str("it is not JSON"),
            Self::Version => write!(
                f,
                "it is none that `voussoir-keyserver schemas compile` has made, in version {VERSION}"
            ),
            Self::Field(name) => write!(f, "something is wrong with {name} in it"),
        }
    }
}

impl core::error::Error for InvalidDocument {}

/// The version of the compiled form.
pub const VERSION: usize = 1;
