//! What the tests share: a compiled document, and requests to it.

use voussoir_core::head::RequestHead;
use voussoir_core::schema::{Announced, Document, Expected, Flaw};

/// A document that was compiled.
pub(crate) fn document(yaml: &str) -> Document {
    let compiled = voussoir_schema_compiler::compile(yaml.as_bytes());
    Document::from_json(&compiled.unwrap_or_else(|why| panic!("{why}"))).unwrap()
}

/// A request without a body, or with one of JSON.
pub(crate) fn ask(
    document: &Document,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Result<(), Flaw> {
    let mut all = vec![(":method", method), (":path", path)];
    if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
        all.push(("content-type", "application/json"));
    }
    all.extend(headers);
    let all: Vec<_> = all.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let announced = Announced { is_end: body.is_none(), length: body.map(str::len) };
    match document.check_head(RequestHead::new(&all), announced, false)? {
        Expected::Any => Ok(()),
        expected => document.check_arrived(body.unwrap().as_bytes(), &expected),
    }
}

/// What is wrong with a request, as `POINTER: MESSAGE`.
pub(crate) fn wrong(
    document: &Document,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> String {
    match ask(document, method, path, headers, body) {
        Err(Flaw::Violated(violation)) => format!("{}: {}", violation.pointer, violation.message),
        other => format!("{other:?}"),
    }
}
