//! Documents with something wrong in them.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use alloc::string::ToString as _;
use serde_json::{Value, json};

/// What is said of a document of two nodes and a pattern, one of them changed.
fn with(place: &str, value: Value) -> Result<(), InvalidDocument> {
    let mut document = json!({
        "voussoir_schema": VERSION,
        "paths": [{"path": "/v1/{id}", "operations": [{
            "method": "POST",
            "parameters": [{"in": "query", "name": "a", "form": "text", "node": 0}],
            "body": {"required": true, "content": [{"type": "application/json", "node": 1}]},
        }]}],
        "nodes": [{}, {"type": ["object"], "properties": {"a": 0}, "required": ["a"]}],
        "patterns": [{"says": "be anything", "states": [[1, 0, 9, 0]]}],
    });
    *document.pointer_mut(place).unwrap() = value;
    Document::from_json(document.to_string().as_bytes()).map(|_| ())
}

#[test]
fn what_is_wrong_anywhere_refuses_the_whole_and_is_named() {
    let operation = |name: &str| ["/paths/0/operations/0", name].concat();
    let parameter = |name: &str| [&operation("/parameters/0"), name].concat();
    let body = |name: &str| [&operation("/body"), name].concat();
    for (place, value, name) in [
        ("/paths", json!({}), "paths"),
        ("/paths/0", json!(1), "paths"),
        ("/paths/0/path", json!("v1"), "path"),
        ("/paths/0/operations", json!("POST"), "operations"),
        (&operation(""), json!([]), "operations"),
        (&operation("/method"), json!(1), "method"),
        (&operation("/parameters"), json!(null), "parameters"),
        (&parameter(""), json!([]), "parameters"),
        (&parameter("/in"), json!("cookie"), "in"),
        (&parameter("/name"), json!(null), "name"),
        (&parameter("/form"), json!("deep"), "form"),
        (&parameter("/node"), json!(2), "a node's number"),
        (&body(""), json!([]), "body"),
        (&body("/content/0"), json!([]), "content"),
        (&body("/content/0/type"), json!("json"), "type"),
        (&body("/content/0/node"), json!(-1), "a node's number"),
        ("/nodes", json!({}), "nodes"),
        ("/nodes/1", json!([]), "nodes"),
        ("/nodes/1/type", json!(["array", "text"]), "type"),
        ("/nodes/1/type", json!("object"), "type"),
        ("/nodes/1/properties", json!([]), "properties"),
        ("/nodes/1/properties/a", json!(2), "a node's number"),
        ("/nodes/1/required", json!([1]), "a name"),
        ("/nodes/1/required", json!("a"), "a list of names"),
        ("/patterns/0", json!(1), "patterns"),
        ("/patterns/0/says", json!(1), "says"),
        ("/patterns/0/states", json!({}), "states"),
        ("/patterns/0/states/0", json!([]), "states"),
        ("/patterns/0/states/0/3", json!(0x1_0000_0000_u64), "states"),
    ] {
        assert_eq!(with(place, value), Err(InvalidDocument::Field(name)), "{place}");
    }
    assert_eq!(with("/voussoir_schema", json!(0)), Err(InvalidDocument::Version));
    assert_eq!(with("", json!([])), Err(InvalidDocument::Version));
    assert_eq!(Document::from_json(b"{").unwrap_err(), InvalidDocument::NotJson);
    assert_eq!(with("/nodes/0", json!({})), Ok(()));
}

#[test]
fn what_is_wrong_with_a_keyword_is_named() {
    for (node, name) in [
        (json!({"maximum": "1"}), "a limit"),
        (json!({"multipleOf": "10"}), "a limit"),
        (json!({"multipleOf": [1, 2]}), "a limit"),
        (json!({"multipleOf": 0}), "multipleOf"),
        (json!({"minLength": -1}), "a count"),
        (json!({"maxItems": 1.5}), "a count"),
        (json!({"maxLength": 0x1_0000_0000_u64}), "a count"),
        (json!({"pattern": 1}), "a pattern's number"),
        (json!({"enum": 1}), "enum"),
        (json!({"items": 2}), "a node's number"),
        (json!({"prefixItems": 0}), "a list of nodes"),
        (json!({"allOf": [0, 2]}), "a node's number"),
        (json!({"not": null}), "a node's number"),
        (json!({"patternProperties": [[0]]}), "patternProperties"),
        (json!({"patternProperties": [[1, 0]]}), "a pattern's number"),
        (json!({"additionalProperties": true}), "a node's number"),
        (json!({"dependentRequired": {"a": "b"}}), "a list of names"),
        (json!({"dependentRequired": []}), "dependentRequired"),
        (json!({"format": "date"}), "nodes"),
    ] {
        let told = with("/nodes/0", node.clone());
        assert_eq!(told, Err(InvalidDocument::Field(name)), "{node}");
    }
    // As large as they come, and all others that there are.
    let node = json!({"minimum": -1, "exclusiveMaximum": 1e9, "multipleOf": 0.5,
        "maxLength": u32::MAX, "minProperties": 0, "pattern": 0, "uniqueItems": true,
        "enum": [1, "a", null], "items": 1, "prefixItems": [0], "anyOf": [0, 1], "not": 1,
        "patternProperties": [[0, 1]], "dependentRequired": {"a": ["b"]}});
    assert_eq!(with("/nodes/0", node), Ok(()));
}
