//! OpenAPI documents (version 3.1): paths, operations and the bodies of requests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use voussoir_core::acl::PathTemplate;

use crate::parameter::Parameter;
use crate::reference;
use crate::refusal::{Refusal, under};
use crate::schema::{DIALECT, OPENAPI_DIALECT};
use crate::tables::Tables;

/// The paths of a document, the ones that are more specific first.
pub(crate) fn paths(tables: &mut Tables<'_>) -> Vec<Value> {
    let root = tables.root;
    let Some(document) = root.as_object() else {
        tables.refuse("", "openapi", "must be there: this is no OpenAPI document");
        return Vec::new();
    };
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.1.") {
        let why = format!("is {version:?}, and must be 3.1: convert the document first");
        tables.refuse("", "openapi", why);
        return Vec::new();
    }
    for (name, value) in document {
        match name.as_str() {
            "jsonSchemaDialect" if value != DIALECT && value != OPENAPI_DIALECT => {
                tables.refuse("", name, format!("must be {DIALECT} or {OPENAPI_DIALECT}"));
            }
            "openapi" | "info" | "servers" | "paths" | "components" | "security" | "tags"
            | "externalDocs" | "webhooks" | "jsonSchemaDialect" => {}
            name if name.starts_with("x-") => {}
            _ => tables.refuse("", name, "is not supported"),
        }
    }
    let base = match base(document.get("servers")) {
        Ok(base) => base,
        Err(refusal) => {
            tables.note(refusal);
            return Vec::new();
        }
    };
    let Some(items) = document.get("paths").and_then(Value::as_object) else {
        tables.refuse("", "paths", "must be there");
        return Vec::new();
    };
    if items.len() > MAX_PATHS {
        tables.refuse("", "paths", format!("must be at most {MAX_PATHS}"));
    }
    // By what tells which one is more specific: a variable comes after everything else.
    let mut sorted: BTreeMap<Vec<Segment<'_>>, (&str, Value)> = BTreeMap::new();
    for (path, item) in items {
        if path.starts_with("x-") {
            continue;
        }
        let pointer = under("/paths", path);
        match path_item(tables, &base, path, item, &pointer) {
            Ok(compiled) => {
                let key: Vec<_> = path.split('/').map(Segment::new).collect();
                if let Some((other, _)) = sorted.insert(key, (path, compiled)) {
                    let why = format!("has the same paths as {other}");
                    tables.refuse(&pointer, path, why);
                }
            }
            Err(refusal) => tables.note(refusal),
        }
    }
    sorted.into_values().map(|(_, compiled)| compiled).collect()
}

/// A segment of a path. What stands for itself is more specific than what stands for anything.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Literal(&'a str),
    Variable,
}

impl<'a> Segment<'a> {
    fn new(part: &'a str) -> Self {
        if part.starts_with('{') { Self::Variable } else { Self::Literal(part) }
    }
}

/// The path that all others are below: the one of the servers' URLs.
fn base(servers: Option<&Value>) -> Result<String, Refusal> {
    let refuse = |why: &str| Refusal::new("/servers", "url", why);
    let Some(servers) = servers else { return Ok(String::new()) };
    let servers =
        servers.as_array().ok_or_else(|| Refusal::new("", "servers", "must be a list"))?;
    let mut base: Option<String> = None;
    for server in servers {
        let url =
            server.get("url").and_then(Value::as_str).ok_or_else(|| refuse("must be a text"))?;
        let path = match url.split_once("://") {
            Some((_, rest)) => {
                rest.find('/').and_then(|start| rest.get(start..)).unwrap_or_default()
            }
            None => url,
        };
        let path = path.trim_end_matches('/');
        if path.contains(['{', '?', '#']) || !(path.is_empty() || path.starts_with('/')) {
            return Err(refuse("must have a path without variables, a query or a fragment"));
        }
        if base.as_ref().is_some_and(|base| base != path) {
            return Err(refuse("has another path than that of the server before it"));
        }
        base = Some(path.into());
    }
    Ok(base.unwrap_or_default())
}

fn path_item<'a>(
    tables: &mut Tables<'a>,
    base: &str,
    path: &'a str,
    item: &'a Value,
    pointer: &str,
) -> Result<Value, Refusal> {
    let refuse = |why: &str| Refusal::new("/paths", path, why);
    let whole = format!("{base}{path}");
    if whole.split('/').any(|segment| segment.contains('*')) {
        return Err(refuse("has a star, which is not supported"));
    }
    // Which of `/a{b}` and `/{c}` is the more specific one, OpenAPI does not say.
    if whole.split('/').any(|segment| segment.find('{').is_some_and(|place| place > 0)) {
        return Err(refuse("must have whole segments as variables"));
    }
    let template = PathTemplate::new(&whole).map_err(|why| refuse(&format!("must be {why}")))?;
    let (fields, pointer) = reference::object(tables.root, item, pointer, path)?;
    let shared = parameters(tables, fields, &pointer)?;
    let mut operations = Vec::new();
    for (name, value) in fields {
        match name.as_str() {
            "parameters" | "summary" | "description" => continue,
            name if name.starts_with("x-") => continue,
            name if METHODS.contains(&name) => {}
            _ => return Err(Refusal::new(&pointer, name, "is not supported")),
        }
        let pointer = under(&pointer, name);
        let mut operation = operation(tables, &template, &shared, value, &pointer)?;
        operation.insert("method".into(), json!(name.to_ascii_uppercase()));
        operations.push(Value::Object(operation));
    }
    Ok(json!({"path": whole, "operations": operations}))
}

fn operation<'a>(
    tables: &mut Tables<'a>,
    template: &PathTemplate,
    shared: &[Parameter<'a>],
    value: &'a Value,
    pointer: &str,
) -> Result<Map<String, Value>, Refusal> {
    let fields =
        value.as_object().ok_or_else(|| Refusal::new(pointer, "operation", "must be an object"))?;
    for name in fields.keys() {
        let is_known = matches!(
            name.as_str(),
            "parameters"
                | "requestBody"
                | "tags"
                | "summary"
                | "description"
                | "externalDocs"
                | "operationId"
                | "responses"
                | "callbacks"
                | "deprecated"
                | "security"
        );
        if !is_known && !name.starts_with("x-") {
            tables.refuse(pointer, name, "is not supported");
        }
    }
    let own = parameters(tables, fields, pointer)?;
    let is_own =
        |it: &&Parameter<'_>| own.iter().any(|own| (own.place, own.name) == (it.place, it.name));
    let all: Vec<_> = shared.iter().filter(|it| !is_own(it)).chain(&own).collect();
    for variable in template.variables() {
        if !all.iter().any(|it| it.place == "path" && it.name == variable) {
            let why = format!("must have {{{variable}}} of the path");
            tables.refuse(pointer, "parameters", why);
        }
    }
    let mut compiled = Vec::new();
    for (index, parameter) in all.iter().enumerate() {
        if all.iter().take(index).any(|other| other.is_taken_for(parameter)) {
            let why = format!("has {} twice, in other letters", parameter.name);
            tables.refuse(pointer, "parameters", why);
        }
        if parameter.place == "path" && !template.has_variable(parameter.name) {
            tables.refuse(
                pointer,
                "parameters",
                format!("has {}, which is not in the path", parameter.name),
            );
        }
        match parameter.compile(tables) {
            _ if parameter.is_described_elsewhere() => {}
            Ok(parameter) => compiled.push(parameter),
            Err(refusal) => tables.note(refusal),
        }
    }
    let mut operation = Map::new();
    if !compiled.is_empty() {
        operation.insert("parameters".into(), Value::Array(compiled));
    }
    if let Some(body) = fields.get("requestBody") {
        let body = request_body(tables, body, &under(pointer, "requestBody"))?;
        operation.insert("body".into(), body);
    }
    Ok(operation)
}

fn parameters<'a>(
    tables: &Tables<'a>,
    fields: &'a Map<String, Value>,
    pointer: &str,
) -> Result<Vec<Parameter<'a>>, Refusal> {
    let Some(list) = fields.get("parameters") else { return Ok(Vec::new()) };
    let list = list.as_array().filter(|it| it.len() <= MAX_PARAMETERS).ok_or_else(|| {
        Refusal::new(pointer, "parameters", format!("must be a list of at most {MAX_PARAMETERS}"))
    })?;
    let pointer = under(pointer, "parameters");
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    for (place, value) in list.iter().enumerate() {
        let pointer = under(&pointer, &place.to_string());
        let parameter = Parameter::read(tables.root, value, &pointer)?;
        if parameters.iter().any(|it| (it.place, it.name) == (parameter.place, parameter.name)) {
            return Err(Refusal::new(&pointer, "name", "is there twice"));
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

fn request_body<'a>(
    tables: &mut Tables<'a>,
    value: &'a Value,
    pointer: &str,
) -> Result<Value, Refusal> {
    let (fields, pointer) = reference::object(tables.root, value, pointer, "requestBody")?;
    for name in fields.keys() {
        let is_known = matches!(name.as_str(), "content" | "required" | "description");
        if !is_known && !name.starts_with("x-") {
            tables.refuse(&pointer, name, "is not supported");
        }
    }
    let is_required = match fields.get("required") {
        None => false,
        Some(Value::Bool(is_required)) => *is_required,
        Some(_) => return Err(Refusal::new(&pointer, "required", "must be true or false")),
    };
    let content = fields.get("content").and_then(Value::as_object);
    let content = content.ok_or_else(|| Refusal::new(&pointer, "content", "must be there"))?;
    let pointer = under(&pointer, "content");
    let (mut compiled, mut kinds) = (Vec::new(), BTreeSet::new());
    for (media_type, value) in content {
        let here = under(&pointer, media_type);
        let refuse = |why: &str| Refusal::new(&pointer, media_type, why);
        if media_type.contains(['*', ';']) {
            return Err(refuse("must be one type, without parameters"));
        }
        let kind = media_type.to_ascii_lowercase();
        if !kinds.insert(kind.clone()) {
            return Err(refuse("is there twice, in other letters"));
        }
        let fields = value.as_object().ok_or_else(|| refuse("must be an object"))?;
        for name in fields.keys() {
            let is_known = matches!(name.as_str(), "schema" | "example" | "examples");
            if !is_known && !name.starts_with("x-") {
                tables.refuse(&here, name, "is not supported");
            }
        }
        let is_json = kind == "application/json" || kind.ends_with("+json");
        let node = match fields.get("schema") {
            Some(schema) if is_json => Some(tables.schema(schema, &under(&here, "schema"))),
            None if is_json => Some(tables.schema(&Value::Bool(true), &here)),
            Some(schema) if !is_any(schema) => {
                let why = "is only checked of JSON: leave it out, and such a body is not looked at";
                return Err(Refusal::new(&here, "schema", why));
            }
            _ => None,
        };
        compiled.push(match node {
            Some(node) => json!({"type": kind, "node": node}),
            None => json!({"type": kind}),
        });
    }
    Ok(if is_required {
        json!({"content": compiled, "required": true})
    } else {
        json!({"content": compiled})
    })
}

/// Whether a schema says nothing that would have to be checked of bytes.
fn is_any(schema: &Value) -> bool {
    let is_silent = |(name, value): (&String, &Value)| match name.as_str() {
        "type" => value == "string",
        "format" => value == "binary",
        name => name == "description" || name == "title" || name.starts_with("content"),
    };
    schema == &Value::Bool(true) || schema.as_object().is_some_and(|it| it.iter().all(is_silent))
}

const METHODS: [&str; 8] = ["delete", "get", "head", "options", "patch", "post", "put", "trace"];

const MAX_PATHS: usize = 1024;
const MAX_PARAMETERS: usize = 64;
