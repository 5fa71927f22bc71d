//! Reads a compiled document: the JSON that `voussoir-keyserver schemas compile` writes.
//!
//! Nodes and patterns are lists, whose entries refer to each other by their numbers. A node has the keywords of
//! JSON Schema, with a number wherever that has a schema.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use super::document::{Content, Document, Operation, Path, RequestBody};
use super::json::Json;
use super::media_type::MediaType;
use super::node::{Check, Limit, Node, Properties, Property, Types};
use super::number::Divisor;
use super::parameter::{Form, List, Parameter, Place};
use super::pattern::{Pattern, State};
use crate::acl::PathTemplate;
use crate::json::{self, Json as Value, Member, Writer};

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

impl Document {
    /// Reads a document's bytes.
    pub fn from_json(bytes: &[u8]) -> Result<Self, InvalidDocument> {
        let value = json::parse(bytes).map_err(|_| InvalidDocument::NotJson)?;
        Self::from_value(&value)
    }

    /// Reads a document that was read as JSON.
    pub(crate) fn from_value(value: &Value) -> Result<Self, InvalidDocument> {
        let version = value.get("voussoir_schema").and_then(Value::as_usize);
        if version != Some(VERSION) {
            return Err(InvalidDocument::Version);
        }
        let mut reader = Reader { nodes: 0, patterns: 0, wrong: Cell::new(None) };
        let (nodes, patterns) = (reader.list(value, "nodes"), reader.list(value, "patterns"));
        (reader.nodes, reader.patterns) = (nodes.len(), patterns.len());
        let mut document = Self { paths: Vec::new(), nodes: Vec::new(), patterns: Vec::new() };
        for path in reader.list(value, "paths") {
            document.paths.extend(reader.path(path));
        }
        for node in nodes {
            document.nodes.push(reader.node(node));
        }
        for value in patterns {
            document.patterns.push(reader.pattern(value));
        }
        reader.wrong.get().map_or(Ok(document), |name| Err(InvalidDocument::Field(name)))
    }
}

/// Reads on when something is wrong, which it notes: nobody sees what is made of that then.
struct Reader {
    /// How many entries the tables have.
    nodes: usize,
    patterns: usize,
    /// The name of what was wrong first.
    wrong: Cell<Option<&'static str>>,
}

impl Reader {
    fn path(&self, value: &Value) -> Option<Path> {
        self.object(value, "paths");
        let template = PathTemplate::new(self.text(value, "path"));
        if template.is_err() {
            self.note("path");
        }
        let mut operations = Vec::new();
        let mut allow = String::new();
        for value in self.list(value, "operations") {
            let operation = self.operation(value);
            if !operations.is_empty() {
                allow.push_str(", ");
            }
            allow.push_str(&operation.method);
            operations.push(operation);
        }
        Some(Path { template: template.ok()?, operations, allow })
    }

    fn operation(&self, value: &Value) -> Operation {
        self.object(value, "operations");
        let mut parameters = Vec::new();
        for value in self.list(value, "parameters") {
            parameters.extend(self.parameter(value));
        }
        let method = self.text(value, "method").into();
        Operation { method, parameters, body: value.get("body").map(|body| self.body(body)) }
    }

    fn body(&self, value: &Value) -> RequestBody {
        self.object(value, "body");
        let mut all = Vec::new();
        for value in self.list(value, "content") {
            self.object(value, "content");
            let media_type = MediaType::new(self.text(value, "type"));
            let node = self.optional_node(value, "node");
            match media_type {
                Some(media_type) => all.push(Content { media_type, node }),
                None => self.note("type"),
            }
        }
        RequestBody { is_required: flag(value, "required"), content: all }
    }

    fn parameter(&self, value: &Value) -> Option<Parameter> {
        self.object(value, "parameters");
        let place = match self.text(value, "in") {
            "path" => Some(Place::Path),
            "query" => Some(Place::Query),
            "header" => Some(Place::Header),
            _ => self.none("in"),
        };
        let form = match self.text(value, "form") {
            "text" => Some(Form::Text),
            "typed" => Some(Form::Typed),
            "either" => Some(Form::Either),
            _ => self.none("form"),
        };
        let list = match value.get("list").and_then(Value::as_text) {
            None => None,
            Some("repeated") => Some(List::Repeated),
            Some("commas") => Some(List::Commas),
            Some(_) => self.none("list"),
        };
        let (name, node) = (self.text(value, "name").into(), value.get("node"));
        let node = self.node_number(node.unwrap_or(&Value::Null));
        let is_required = flag(value, "required");
        Some(Parameter { place: place?, name, is_required, form: form?, list, node })
    }

    fn node(&self, value: &Value) -> Node {
        self.object(value, "nodes");
        let mut types = Types::ALL;
        if value.get("type").is_some() {
            types = Types::NONE;
            for name in self.list(value, "type") {
                let with = name.as_text().and_then(|name| types.with(name));
                types = with.or_else(|| self.none("type")).unwrap_or(types);
            }
        }
        let mut checks = Vec::new();
        for Member { name, value: keyword } in value.members() {
            checks.extend(self.check(value, name, keyword));
        }
        let first = value.get("prefixItems").map(|it| self.node_numbers(it));
        let rest = self.optional_node(value, "items");
        if first.is_some() || rest.is_some() {
            checks.push(Check::Items { first: first.unwrap_or_default(), rest });
        }
        let properties = self.properties(value);
        let is_any = properties.named.is_empty() && properties.patterns.is_empty();
        if !is_any || properties.rest.is_some() {
            checks.push(Check::Properties(properties));
        }
        Node { types, checks }
    }

    /// What a keyword of a node says by itself.
    fn check(&self, node: &Value, name: &str, value: &Value) -> Option<Check> {
        Some(match name {
            "enum" => {
                let mut all = Vec::new();
                for value in self.list(node, "enum") {
                    match Json::read(written(value).into_vec().into()) {
                        Ok(json) => all.push(json),
                        Err(_) => self.note("enum"),
                    }
                }
                Check::Enum(all)
            }
            "minimum" => Check::Minimum(self.limit(value, false)),
            "exclusiveMinimum" => Check::Minimum(self.limit(value, true)),
            "maximum" => Check::Maximum(self.limit(value, false)),
            "exclusiveMaximum" => Check::Maximum(self.limit(value, true)),
            "multipleOf" => {
                let Limit { text, .. } = self.limit(value, false);
                let divisor = Divisor::new(&text).or_else(|| self.none("multipleOf"))?;
                Check::MultipleOf { divisor, text }
            }
            "minLength" => Check::MinLength(self.count(value)),
            "maxLength" => Check::MaxLength(self.count(value)),
            "pattern" => Check::Pattern(self.pattern_number(value)),
            "minItems" => Check::MinItems(self.count(value)),
            "maxItems" => Check::MaxItems(self.count(value)),
            "uniqueItems" => Check::UniqueItems,
            "minProperties" => Check::MinProperties(self.count(value)),
            "maxProperties" => Check::MaxProperties(self.count(value)),
            "dependentRequired" => {
                self.object(value, "dependentRequired");
                let mut all = Vec::new();
                for Member { name, value } in value.members() {
                    all.push((name.clone(), self.texts(value)));
                }
                Check::DependentRequired(all)
            }
            "allOf" => Check::All(self.node_numbers(value)),
            "anyOf" => Check::Any(self.node_numbers(value)),
            "oneOf" => Check::One(self.node_numbers(value)),
            "not" => Check::Not(self.node_number(value)),
            "type"
            | "items"
            | "prefixItems"
            | "properties"
            | "required"
            | "patternProperties"
            | "additionalProperties" => return None,
            _ => return self.none("nodes"),
        })
    }

    fn properties(&self, node: &Value) -> Properties {
        let required = node.get("required").map(|it| self.texts(it)).unwrap_or_default();
        let mut named = Vec::new();
        if let Some(properties) = node.get("properties") {
            self.object(properties, "properties");
            for Member { name, value } in properties.members() {
                let is_required = required.contains(name);
                let node = Some(self.node_number(value));
                named.push(Property { name: name.clone(), node, is_required });
            }
        }
        // They are in the order of their names, and stay so.
        for name in required {
            if let Err(place) = named.binary_search_by(|it: &Property| it.name.cmp(&name)) {
                named.insert(place, Property { name, node: None, is_required: true });
            }
        }
        let mut patterns = Vec::new();
        for pair in self.list(node, "patternProperties") {
            match pair.as_list() {
                Some([pattern, node]) => {
                    patterns.push((self.pattern_number(pattern), self.node_number(node)));
                }
                _ => self.note("patternProperties"),
            }
        }
        let rest = self.optional_node(node, "additionalProperties");
        let required = named.iter().filter(|property| property.is_required).count();
        Properties { named, patterns, rest, required }
    }

    /// A pattern: what it says, and for each state whether the text may end there (1), followed by threes of
    /// numbers: from which character, to which, and the state behind them.
    fn pattern(&self, value: &Value) -> Pattern {
        self.object(value, "patterns");
        let mut states = Vec::new();
        for state in self.list(value, "states") {
            let mut numbers = Vec::new();
            for number in state.as_list().unwrap_or_default() {
                let number = number.as_usize().and_then(|number| u32::try_from(number).ok());
                numbers.extend(number.or_else(|| self.none("states")));
            }
            let Some((is_end, numbers)) = numbers.split_first() else {
                self.note("states");
                continue;
            };
            let mut steps = Vec::new();
            for step in numbers.chunks_exact(3) {
                if let [first, last, next] = step {
                    steps.extend(usize::try_from(*next).map(|next| (*first, *last, next)));
                }
            }
            states.push(State { is_end: *is_end == 1, steps });
        }
        Pattern { says: self.text(value, "says").into(), states }
    }

    fn limit(&self, value: &Value, is_exclusive: bool) -> Limit {
        if !matches!(value, Value::Number(_)) {
            self.note("a limit");
        }
        Limit { text: written(value), is_exclusive }
    }

    fn count(&self, value: &Value) -> usize {
        self.number(value, usize::MAX, "a count")
    }

    fn node_number(&self, value: &Value) -> usize {
        self.number(value, self.nodes, "a node's number")
    }

    fn pattern_number(&self, value: &Value) -> usize {
        self.number(value, self.patterns, "a pattern's number")
    }

    /// A number that is smaller than `end`.
    fn number(&self, value: &Value, end: usize, name: &'static str) -> usize {
        let number = value.as_usize().filter(|number| *number < end);
        number.or_else(|| self.none(name)).unwrap_or_default()
    }

    fn optional_node(&self, object: &Value, name: &str) -> Option<usize> {
        object.get(name).map(|it| self.node_number(it))
    }

    fn node_numbers(&self, value: &Value) -> Vec<usize> {
        let mut numbers = Vec::new();
        for value in self.values(value, "a list of nodes") {
            numbers.push(self.node_number(value));
        }
        numbers
    }

    fn object(&self, value: &Value, name: &'static str) {
        if !matches!(value, Value::Object(_)) {
            self.note(name);
        }
    }

    /// An empty one if there is none.
    fn list<'a>(&self, object: &'a Value, name: &'static str) -> &'a [Value] {
        object.get(name).map_or(&[], |value| self.values(value, name))
    }

    fn values<'a>(&self, value: &'a Value, name: &'static str) -> &'a [Value] {
        value.as_list().or_else(|| self.none(name)).unwrap_or_default()
    }

    fn text<'a>(&self, object: &'a Value, name: &'static str) -> &'a str {
        let text = object.get(name).and_then(Value::as_text);
        text.or_else(|| self.none(name)).unwrap_or_default()
    }

    fn texts(&self, value: &Value) -> Vec<String> {
        let mut texts = Vec::new();
        for value in self.values(value, "a list of names") {
            let text = value.as_text().or_else(|| self.none("a name"));
            texts.extend(text.map(String::from));
        }
        texts
    }

    fn none<T>(&self, name: &'static str) -> Option<T> {
        self.note(name);
        None
    }

    #[cold]
    fn note(&self, name: &'static str) {
        self.wrong.set(self.wrong.get().or(Some(name)));
    }
}

fn written(value: &Value) -> Box<[u8]> {
    let mut json = Writer::default();
    json.value(value);
    json.into_text().into_bytes().into()
}

fn flag(object: &Value, name: &str) -> bool {
    matches!(object.get(name), Some(Value::Bool(true)))
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
