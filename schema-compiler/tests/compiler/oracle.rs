//! Thousands of schemas and values, made at random from a seed, judged as another validator judges them.

use crate::common;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use voussoir_core::schema::{Document, Flaw};
use voussoir_schema_compiler::compile_schema;

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(most).unwrap()).unwrap()
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn is_one_in(&mut self, most: usize) -> bool {
        self.below(most) == 0
    }

    fn some(&mut self, of: &[&str]) -> Vec<String> {
        of.iter().filter(|_| self.below(3) == 0).map(|it| (*it).into()).collect()
    }
}

const NAMES: [&str; 6] = ["a", "b", "ab", "c~/d", "é", ""];
const TEXTS: [&str; 20] = [
    "",
    "a",
    "b",
    "ab",
    "aab",
    "é",
    "éa",
    "😀",
    "1",
    "2024-02-29",
    "2023-02-29",
    "192.0.2.1",
    "1.2.3.256",
    "::1",
    "1::2::3",
    "2024-06-01T12:00:00Z",
    "2024-06-01T24:00:00Z",
    "a.example",
    "12345678-1234-1234-1234-123456789abc",
    "12345678-1234-1234-1234-12345678",
];
const PATTERNS: [&str; 16] = [
    "a",
    "^a",
    "a$",
    "^a*$",
    "^(?:ab|b)+$",
    "[^a]",
    "^[a-c]{2,3}$",
    "^.$",
    "\\d",
    "^\\w+$",
    "b|^$",
    "^a|b$",
    "a{2}",
    "^[é-ü]",
    "(a)(b)",
    "^\\S*$",
];
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "1.0",
    "1.5",
    "0.1",
    "0.3",
    "1e2",
    "-0.0",
    "9007199254740993",
    "1e-7",
    "18446744073709551615",
];

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 13 }) {
        0 => Value::Null,
        1 => json!(random.is_one_in(2)),
        2..=4 => serde_json::from_str(random.one(&NUMBERS)).unwrap(),
        5..=7 => random.one(&TEXTS).into(),
        8..=10 => {
            let names = random.some(&NAMES);
            names.into_iter().map(|name| (name, value(random, depth - 1))).collect()
        }
        _ => (0..random.below(4)).map(|_| value(random, depth - 1)).collect(),
    }
}

fn schema(random: &mut Random, depth: usize) -> Value {
    if random.is_one_in(20) {
        return json!(random.is_one_in(2));
    }
    let mut schema = Map::new();
    for _ in 0..=random.below(3) {
        keyword(random, depth, &mut schema);
    }
    Value::Object(schema)
}

fn keyword(random: &mut Random, depth: usize, schema: &mut Map<String, Value>) {
    const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];
    let number = |random: &mut Random| serde_json::from_str(random.one(&NUMBERS)).unwrap();
    let list = |random: &mut Random| -> Value {
        (0..=random.below(2)).map(|_| self::schema(random, depth - 1)).collect()
    };
    let simple = 13;
    let (name, value) = match random.below(if depth == 0 { simple } else { simple + 12 }) {
        0 => ("type", json!(random.one(&TYPES))),
        1 => ("type", json!([random.one(&TYPES[..3]), random.one(&TYPES[3..])])),
        2 => ("enum", (0..=random.below(3)).map(|_| value(random, 1)).collect()),
        3 => ("const", value(random, 2)),
        4 => (random.one(&["minLength", "maxLength"]), json!(random.below(3))),
        5 => (random.one(&["minItems", "maxItems"]), json!(random.below(3))),
        6 => (random.one(&["minProperties", "maxProperties"]), json!(random.below(3))),
        7 => {
            let names = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
            (random.one(&names), number(random))
        }
        8 => (
            "multipleOf",
            serde_json::from_str(random.one(&["1", "2", "0.1", "0.5", "3"])).unwrap(),
        ),
        9 => ("pattern", random.one(&PATTERNS).into()),
        10 => ("required", json!(random.some(&NAMES))),
        11 => ("format", random.one(&["uuid", "ipv4", "ipv6", "date"]).into()),
        12 => ("uniqueItems", json!(true)),
        13 | 14 => {
            let names = random.some(&NAMES);
            let schemas = names.into_iter().map(|name| (name, self::schema(random, depth - 1)));
            ("properties", schemas.collect())
        }
        15 => {
            let patterns = random.some(&["a", "^.$", "^$", "~"]);
            let schemas = patterns.into_iter().map(|it| (it, self::schema(random, depth - 1)));
            ("patternProperties", schemas.collect())
        }
        16 => ("additionalProperties", self::schema(random, depth - 1)),
        17 => ("items", self::schema(random, depth - 1)),
        18 => ("prefixItems", list(random)),
        19 => (random.one(&["allOf", "anyOf", "oneOf"]), list(random)),
        20 => ("oneOf", list(random)),
        21 => ("not", self::schema(random, depth - 1)),
        22 => ("dependentRequired", json!({random.one(&NAMES): random.some(&NAMES)})),
        23 => ("dependentSchemas", json!({random.one(&NAMES): self::schema(random, depth - 1)})),
        _ => {
            for branch in ["then", "else"] {
                schema.insert(branch.into(), self::schema(random, depth - 1));
            }
            ("if", self::schema(random, depth - 1))
        }
    };
    schema.insert(name.into(), value);
}

fn other(schema: &Value) -> Validator {
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
    options.should_validate_formats(true).build(schema).unwrap()
}

#[test]
fn judges_as_another_validator_does() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let count = std::env::var("SCHEMAS").ok().and_then(|it| it.parse().ok()).unwrap_or(2000);
    let mut random = Random(seed);
    let (mut valid, mut judged) = (0, 0);
    for _ in 0..count {
        let schema = schema(&mut random, 3);
        let compiled = compile_schema(&schema).unwrap_or_else(|why| panic!("{schema}: {why}"));
        let document = Document::from_json(&compiled).unwrap();
        let validator = other(&schema);
        for _ in 0..20 {
            let value = value(&mut random, 3);
            let found = common::ask(&document, "POST", "/", &[], Some(&value.to_string()));
            assert!(
                matches!(found, Ok(()) | Err(Flaw::Violated(_))),
                "{schema} {value}: {found:?}"
            );
            let expected = validator.is_valid(&value);
            assert_eq!(found.is_ok(), expected, "{schema}\n{value}\n{found:?}");
            judged += 1;
            valid += usize::from(expected);
            // Where it says that something is wrong, there is something, or a place for it.
            if let Err(Flaw::Violated(violation)) = found {
                let pointer = violation.pointer.strip_prefix("/body").unwrap();
                let (parent, _) = pointer.rsplit_once('/').unwrap_or_default();
                let is_missing = violation.message == "is missing";
                let at = if is_missing { parent } else { pointer };
                assert!(value.pointer(at).is_some(), "{schema} {value}: {violation:?}");
            }
        }
    }
    println!("{judged} values of {count} schemas, {valid} of them valid");
    assert!(valid * 10 > judged && valid * 10 < judged * 9, "{valid} of {judged}");
}

/// Every pattern with every short text.
#[test]
fn patterns_match_as_another_validator_has_them() {
    let letters = ["a", "b", "c", "é", "1", " ", "\n", "-"];
    let mut texts = vec![String::new()];
    for _ in 0..3 {
        let longer: Vec<_> = texts
            .iter()
            .flat_map(|it| letters.iter().map(move |letter| format!("{it}{letter}")))
            .collect();
        texts.extend(longer);
    }
    let more = [
        "^[\\w\\-. ]*$",
        "^(?!)$|a",
        "[a-c1]+b",
        "a.c",
        "^a?b*c+$",
        "(a|b|)c",
        "^\\D{2}",
        "[^\\s]$",
        "^[^-a]*$",
        "^(a(b(c)?)?)?$",
        "\\u0061",
        "\\x61b",
        "^a{0}b",
        "$^",
        "^$",
        "a^b",
        "(?<name>a)b",
        "^[a\\-c]+$",
    ];
    for pattern in PATTERNS.iter().chain(&more) {
        let schema = json!({"pattern": pattern});
        let Ok(compiled) = compile_schema(&schema) else {
            assert_eq!(*pattern, "^(?!)$|a");
            continue;
        };
        let (document, validator) = (Document::from_json(&compiled).unwrap(), other(&schema));
        for text in &texts {
            let value = json!(text);
            let found = common::ask(&document, "POST", "/", &[], Some(&value.to_string())).is_ok();
            assert_eq!(found, validator.is_valid(&value), "{pattern} {text:?}");
        }
    }
}
