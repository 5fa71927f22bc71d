//! Reads a compiled document: the JSON that `voussoir-keyserver schemas compile` writes.
//!
//! Nodes and patterns are lists, whose entries refer to each other by their numbers. A node has the keywords of
//! JSON Schema, with a number wherever that has a schema.

mod nodes;
mod operations;
mod reader;

use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use super::document::Document;
use crate::json::{self, Json as Value};
use reader::Reader;

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

#[cfg(test)]
mod tests;
