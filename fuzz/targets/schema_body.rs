//! Any body and any compiled document: a check ends, never panics, and does not depend on white space. The
//! first line of the input, if there are two, is the document; else there is one with some of everything.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use voussoir_core::schema::{Document, Flaw};

/// Alternatives, references that come back, patterns, names, numbers.
const JSON: &str = r#"{"voussoir_schema":1,"paths":[],"patterns":[{"says":"match ^a+$","states":[[0,97,97,1],[1,97,97,1]]}],
"nodes":[
{"type":["object","array"],"properties":{"a":1,"b":2},"patternProperties":[[0,3]],"additionalProperties":4,"required":["a"],"maxProperties":9,"items":0,"uniqueItems":true},
{"anyOf":[2,3,5],"not":6},
{"type":["number"],"minimum":-3,"exclusiveMaximum":7.5,"multipleOf":0.5},
{"type":["string"],"minLength":1,"maxLength":4,"pattern":0},
{"oneOf":[0,3,7]},
{"prefixItems":[2,3],"items":4,"minItems":1,"maxItems":5},
{"enum":[1,"aa",[1,{"a":null}],{"a":[]}]},
{"allOf":[5,8],"dependentRequired":{"a":["b"]}},
{"minProperties":1}
]}"#;

static DOCUMENT: LazyLock<Document> =
    LazyLock::new(|| Document::from_json(JSON.as_bytes()).unwrap());

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (first, body) = (lines.next().unwrap_or_default(), lines.next());
    let own = Document::from_json(first);
    let (document, body) = match (&own, body) {
        (Ok(document), Some(body)) => (document, body),
        _ => (&*DOCUMENT, input),
    };
    for node in 0..9 {
        let verdict = document.check_body(body, node);
        let spaced = document.check_body(&spaced(body), node);
        let reason = |verdict: &Result<(), Flaw>| match verdict {
            Err(Flaw::Violated(violation)) => Some(violation.clone()),
            _ => None,
        };
        assert_eq!(verdict.is_ok(), spaced.is_ok(), "{:?}", String::from_utf8_lossy(body));
        assert_eq!(reason(&verdict), reason(&spaced));
    }
});

/// With white space around whatever is not in a string.
fn spaced(body: &[u8]) -> Vec<u8> {
    let (mut spaced, mut is_text, mut is_escaped) = (Vec::new(), false, false);
    for byte in body {
        if !is_text && b"[]{},:".contains(byte) {
            spaced.extend([b' ', *byte, b'\n']);
        } else {
            spaced.push(*byte);
        }
        is_text ^= *byte == b'"' && !is_escaped;
        is_escaped = is_text && *byte == b'\\' && !is_escaped;
    }
    spaced
}
