//! Paths, and what is done there.

use alloc::string::String;
use alloc::vec::Vec;

use super::reader::Reader;
use crate::acl::PathTemplate;
use crate::json::Json as Value;
use crate::schema::document::{Content, Operation, Path, RequestBody};
use crate::schema::media_type::MediaType;
use crate::schema::parameter::{Form, List, Parameter, Place};

impl Reader {
    pub(super) fn path(&self, value: &Value) -> Option<Path> {
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
}

fn flag(object: &Value, name: &str) -> bool {
    matches!(object.get(name), Some(Value::Bool(true)))
}
