//! Compiles OpenAPI 3.1 documents into the form that the filter holds requests against
//! ([`voussoir_core::schema`]), natively and beforehand.
//!
//! ```text
//!   JSON or YAML ──source──▶ document ──▶ paths, operations, parameters ──┐
//!                                              │ schemas                  ├──▶ one JSON text
//!                                              ▼                          │
//!                              nodes, patterns ───────────────────────────┘
//! ```
//!
//! **Whatever would not be checked is refused by its name**: a [`Refusal`] says where in the document it
//! stands and which keyword it is. What does not say anything about requests (descriptions, responses,
//! extensions that begin with `x-`) is left out.

mod assertion;
mod document;
mod exact;
mod format;
mod parameter;
mod pattern;
mod reference;
mod refusal;
mod schema;
mod source;
mod tables;
mod types;

use serde_json::{Value, json};
use voussoir_core::record::MAX_SCHEMA_BYTES;
use voussoir_core::schema::{Document, VERSION};

pub use refusal::{Refusal, Refusals};
pub use source::MAX_BYTES;

use tables::Tables;

/// Compiles an OpenAPI document, in JSON or YAML, into the bytes that are pinned, stored and served.
pub fn compile(text: &[u8]) -> Result<Vec<u8>, Refusals> {
    let root = source::read(text).map_err(Refusals::from)?;
    let mut tables = Tables::new(&root);
    let paths = document::paths(&mut tables);
    finish(tables, &paths)
}

/// Compiles a schema alone, as that of the body of `POST /`.
pub fn compile_schema(root: &Value) -> Result<Vec<u8>, Refusals> {
    let mut tables = Tables::new(root);
    let node = tables.schema(root, "");
    let content = json!([{"type": "application/json", "node": node}]);
    let operation = json!({"method": "POST", "body": {"required": true, "content": content}});
    finish(tables, &[json!({"path": "/", "operations": [operation]})])
}

fn finish(mut tables: Tables<'_>, paths: &[Value]) -> Result<Vec<u8>, Refusals> {
    tables.refuse_endless();
    let Tables { nodes, patterns, refusals, .. } = tables;
    if !refusals.is_empty() {
        return Err(Refusals(refusals));
    }
    let refuse = |why: &str| Refusals::from(Refusal::new("", "openapi", why));
    let compiled = json!({
        "voussoir_schema": VERSION, "paths": paths, "nodes": nodes, "patterns": patterns,
    });
    let mut bytes = serde_json::to_vec(&compiled).map_err(|why| refuse(&why.to_string()))?;
    bytes.push(b'\n');
    if bytes.len() > MAX_SCHEMA_BYTES {
        return Err(refuse(&format!(
            "is longer than {MAX_SCHEMA_BYTES} bytes when it is compiled"
        )));
    }
    // The reader has the last word about what it takes.
    match Document::from_json(&bytes) {
        Ok(_) => Ok(bytes),
        Err(why) => Err(refuse(&why.to_string())),
    }
}
