//! The official test suite of JSON Schema (2020-12): what is compiled judges every value as the suite says,
//! and whatever else is in it is refused by a name.

use crate::common;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use voussoir_core::schema::Document;
use voussoir_schema_compiler::compile_schema;

const SUITE: &str = "../tests/vectors/json-schema-test-suite/draft2020-12";

/// Files of whose schemas not one may be refused.
const WHOLE: [&str; 28] = [
    "allOf",
    "anyOf",
    "boolean_schema",
    "const",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if-then-else",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "oneOf",
    "pattern",
    "patternProperties",
    "properties",
    "required",
    "type",
    "uniqueItems",
];

/// What the compiler may name as what it does not know.
const REFUSED: [&str; 23] = [
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$ref",
    "$schema",
    "$vocabulary",
    "contains",
    "definitions",
    "dependencies",
    // Of more digits than a double has.
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxContains",
    "maximum",
    "minContains",
    "minimum",
    "multipleOf",
    "pattern",
    "patternProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// What is judged otherwise: leap seconds in another offset than UTC are refused.
const OTHERWISE: [&str; 5] = [
    "\"1998-12-31T15:59:60.123-08:00\"",
    "\"00:29:60-23:30\"",
    "\"23:29:60+23:30\"",
    "\"15:59:60-08:00\"",
    "\"01:29:60+01:30\"",
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn is_valid(document: &Document, value: &Value) -> bool {
    common::ask(document, "POST", "/", &[], Some(&value.to_string())).is_ok()
}

#[test]
fn every_schema_is_refused_by_a_name_or_judges_as_the_suite_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(SUITE);
    let (mut run, mut wrong) = (0, Vec::new());
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for path in files(&root) {
        // There a format is only a word; here it is asserted, as `optional/format` has it.
        if path == root.join("format.json") {
            continue;
        }
        let name = path.strip_prefix(&root).unwrap().with_extension("");
        let name = name.to_str().unwrap().to_owned();
        let groups: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for group in groups.as_array().unwrap() {
            let about = format!("{name}: {}", group["description"].as_str().unwrap());
            let document = match compile_schema(&group["schema"]) {
                Ok(compiled) => Document::from_json(&compiled).unwrap(),
                Err(refusals) => {
                    for refusal in refusals.0 {
                        let is_unknown = name.contains("nknownKeyword");
                        let is_listed = REFUSED.contains(&&*refusal.keyword) || is_unknown;
                        if !is_listed || WHOLE.contains(&&*name) {
                            wrong.push(format!("{about}: {refusal}"));
                        }
                        *refused.entry(refusal.keyword).or_default() += 1;
                    }
                    continue;
                }
            };
            for test in group["tests"].as_array().unwrap() {
                let what = test["description"].as_str().unwrap();
                run += 1;
                if is_valid(&document, &test["data"]) != test["valid"].as_bool().unwrap() {
                    wrong.push(format!("{about}: {what}: {}", test["data"]));
                }
            }
        }
    }
    println!("{run} values judged; refused: {refused:?}");
    wrong.retain(|it: &String| !OTHERWISE.iter().any(|known| it.ends_with(known)));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(run > 1000, "{run}");
}
