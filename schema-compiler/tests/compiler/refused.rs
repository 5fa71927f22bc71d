//! What cannot be checked is refused when it is compiled: by its place and its name.

use voussoir_schema_compiler::compile;

/// An operation with this in it.
fn operation(yaml: &str) -> String {
    let indented = yaml.lines().flat_map(|line| ["      ", line, "\n"]).collect::<String>();
    format!(
        "openapi: 3.1.0\npaths:\n  /a/{{id}}:\n    parameters:\n    - {{name: id, in: path, required: true, \
             schema: {{type: string}}}}\n    post:\n      summary: x\n{indented}"
    )
}

fn schema(json: &str) -> String {
    operation(&format!("requestBody: {{content: {{application/json: {{schema: {json}}}}}}}"))
}

fn parameter(json: &str) -> String {
    operation(&format!("parameters: [{json}]"))
}

fn refusals(document: &str) -> Vec<String> {
    match compile(document.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.0.iter().map(ToString::to_string).collect(),
    }
}

const SCHEMA: &str = "/paths/~1a~1{id}/post/requestBody/content/application~1json/schema";

#[test]
fn keywords_of_schemas() {
    for (json, keyword) in [
        ("{contains: true}", "contains"),
        ("{propertyNames: {}}", "propertyNames"),
        ("{unevaluatedProperties: false}", "unevaluatedProperties"),
        ("{$id: x}", "$id"),
        ("{$dynamicRef: '#a'}", "$dynamicRef"),
        ("{$anchor: a}", "$anchor"),
        ("{nullable: true}", "nullable"),
        ("{maxlength: 1}", "maxlength"),
        ("{format: duration}", "format"),
        ("{type: text}", "type"),
        ("{enum: []}", "enum"),
        ("{const: 0.1234567890123456789}", "const"),
        ("{maximum: 18446744073709551616}", "maximum"),
        ("{multipleOf: 0}", "multipleOf"),
        ("{multipleOf: 1234567890123456789}", "multipleOf"),
        ("{minLength: -1}", "minLength"),
        ("{required: a}", "required"),
        ("{anyOf: []}", "anyOf"),
        ("{$ref: 'other.yaml#/a'}", "$ref"),
        ("{$ref: '#/components/schemas/a'}", "$ref"),
        ("{$schema: 'http://json-schema.org/draft-07/schema#'}", "$schema"),
        ("{pattern: '(?=a)'}", "pattern"),
        ("{pattern: '(?<!a)b'}", "pattern"),
        ("{pattern: '(a)\\1'}", "pattern"),
        ("{pattern: '\\bword'}", "pattern"),
        ("{pattern: '\\p{L}'}", "pattern"),
        ("{pattern: 'a{2,1}'}", "pattern"),
        ("{pattern: '[b-a]'}", "pattern"),
        ("{pattern: '(a'}", "pattern"),
        ("{pattern: '(?:a|b){0,30}a(?:a|b){14}$'}", "pattern"),
        ("{patternProperties: {'(?=a)': true}}", "patternProperties"),
    ] {
        let found = refusals(&schema(json));
        assert_eq!(found.len(), 1, "{json}: {found:?}");
        assert!(found[0].starts_with(&format!("{SCHEMA}: `{keyword}` ")), "{json}: {}", found[0]);
    }
    // In the depth, and all of them.
    let found = refusals(&schema(
        "{properties: {a/b: {items: [{contains: {}}]}}, allOf: [{if: {else: 1}}]}",
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    let found = refusals(&schema("{properties: {a/b: {items: {contains: {}}}}, allOf: [{x: 1}]}"));
    assert_eq!(
        found,
        [
            format!("{SCHEMA}/allOf/0: `x` is not supported"),
            format!("{SCHEMA}/properties/a~1b/items: `contains` is not supported"),
        ]
    );
}

#[test]
fn schemas_that_lead_to_themselves_without_an_end() {
    let recursive = |schemas: &str| {
        format!("{}components:\n  schemas: {schemas}\n", schema("{$ref: '#/components/schemas/a'}"))
    };
    for schemas in [
        "{a: {$ref: '#/components/schemas/a'}}",
        "{a: {allOf: [{$ref: '#/components/schemas/b'}]}, b: {not: {$ref: '#/components/schemas/a'}}}",
        "{a: {anyOf: [{type: string}, {oneOf: [{$ref: '#/components/schemas/a'}]}]}}",
    ] {
        let found = refusals(&recursive(schemas));
        assert_eq!(found.len(), 1, "{schemas}: {found:?}");
        assert!(found[0].contains("`$ref` leads to itself"), "{found:?}");
    }
    for schemas in [
        "{a: {items: {$ref: '#/components/schemas/a'}}}",
        "{a: {properties: {b: {$ref: '#/components/schemas/b'}}}, b: {allOf: [{$ref: '#/components/schemas/a'}]}}",
    ] {
        assert_eq!(refusals(&recursive(schemas)), [""; 0], "{schemas}");
    }
}

#[test]
fn parameters() {
    for (json, keyword) in [
        ("{name: a, in: cookie, schema: {type: string}}", "in"),
        ("{name: a, in: query}", "schema"),
        ("{name: a, in: query, content: {application/json: {}}}", "content"),
        ("{name: a, in: query, schema: {type: object}}", "type"),
        ("{name: a, in: query, schema: {type: [array, string]}}", "type"),
        ("{name: a, in: query, schema: {type: array, items: {type: [string, integer]}}}", "type"),
        ("{name: a, in: query, schema: {type: array, items: {type: array}}}", "type"),
        ("{name: a, in: query, style: deepObject, schema: {type: string}}", "style"),
        ("{name: a, in: query, style: pipeDelimited, schema: {type: array}}", "style"),
        ("{name: a, in: query, allowReserved: true, schema: {type: string}}", "allowReserved"),
        ("{name: a, in: header, style: form, schema: {type: string}}", "style"),
        ("{name: id, in: path, schema: {type: string}}", "required"),
        ("{name: a, in: query, schema: {type: string}, typo: 1}", "typo"),
    ] {
        let found = refusals(&parameter(json));
        assert_eq!(found.len(), 1, "{json}: {found:?}");
        assert!(found[0].contains(&format!(": `{keyword}` ")), "{json}: {}", found[0]);
        assert!(found[0].starts_with("/paths/~1a~1{id}/post/parameters/0"), "{json}: {}", found[0]);
    }
    let found = refusals(&parameter("{name: b, in: path, required: true, schema: {type: string}}"));
    assert_eq!(found, ["/paths/~1a~1{id}/post: `parameters` has b, which is not in the path"]);
    let header = |name: &str| format!("{{name: {name}, in: header, schema: {{}}}}");
    for (one, other) in [("x-a", "x_a"), ("x-a", "X-A"), ("X_a", "x-A")] {
        let found = refusals(&parameter(&format!("{}, {}", header(one), header(other))));
        let place = "/paths/~1a~1{id}/post: `parameters`";
        assert_eq!(found, [format!("{place} has {other} twice, in other letters")]);
    }
    let elsewhere = format!("{}, {}", header("Accept"), header("accept"));
    assert!(compile(parameter(&elsewhere).as_bytes()).is_ok());
    let query = "{name: x-a, in: query, schema: {}}, {name: x_a, in: query, schema: {}}";
    assert!(compile(parameter(&format!("{}, {query}", header("x-a"))).as_bytes()).is_ok());
    let twice = "{name: a, in: query, schema: {}}";
    assert!(
        refusals(&parameter(&format!("{twice}, {twice}")))[0].contains("`name` is there twice")
    );
}

#[test]
fn what_is_not_checked_of_parameters_that_are_texts() {
    for (json, keyword) in [
        ("{minimum: 1, maximum: 100}", "maximum"),
        ("{multipleOf: 2}", "multipleOf"),
        ("{format: int32}", "format"),
        ("{items: {type: integer}}", "items"),
        ("{properties: {}}", "properties"),
        ("{$ref: '#/components/schemas/small'}", "maximum"),
        ("{allOf: [{$ref: '#/components/schemas/small'}]}", "maximum"),
        ("{anyOf: [{type: integer}, {exclusiveMinimum: 3}]}", "exclusiveMinimum"),
        ("{oneOf: [{enum: [1]}, {pattern: a}]}", "enum"),
        ("{if: {pattern: a}, then: {minItems: 1}}", "minItems"),
        ("{not: {type: [string, boolean]}}", "type"),
        ("{not: {const: 5}}", "const"),
        ("{type: array, items: {maximum: 3}}", "maximum"),
        ("{type: array, prefixItems: [{maximum: 3}]}", "maximum"),
        ("{type: array, allOf: [{items: {type: integer}}]}", "type"),
    ] {
        let parameter = parameter(&format!("{{name: a, in: query, schema: {json}}}"));
        let found =
            refusals(&format!("{parameter}components: {{schemas: {{small: {{maximum: 9}}}}}}\n"));
        assert!(
            found.iter().any(|it| it.contains(&format!(": `{keyword}` needs a `type`"))),
            "{json}: {found:?}"
        );
    }
    for json in [
        "{}",
        "true",
        "{minLength: 1, pattern: a, format: uuid}",
        "{type: integer, minimum: 1}",
        "{type: string, minimum: 1}",
        "{enum: [1, 2], maximum: 1}",
        "{anyOf: [{pattern: a}, {type: 'null'}]}",
        "{anyOf: [{type: integer, minimum: 1}, {type: boolean}]}",
        "{type: array, minItems: 1, items: {minLength: 1}}",
        "{type: array, items: {allOf: [{type: integer}, {minimum: 1}]}}",
    ] {
        let parameter = parameter(&format!("{{name: a, in: query, schema: {json}}}"));
        assert_eq!(refusals(&parameter), [""; 0], "{json}");
    }
}

#[test]
fn parameters_whose_alternatives_lead_to_alternatives_take_no_time() {
    let parameter = |schema: &str, schemas: &str| {
        let parameter = parameter(&format!("{{name: a, in: query, schema: {schema}}}"));
        refusals(&format!("{parameter}components:\n  schemas:\n{schemas}"))
    };
    let many =
        |name: &str| vec![format!("{{$ref: '#/components/schemas/{name}'}}"); 256].join(", ");
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let own = format!("    X: {{{keyword}: [{}]}}\n", many("X"));
        for schema in [
            "{$ref: '#/components/schemas/X'}",
            "{type: array, items: {$ref: '#/components/schemas/X'}}",
        ] {
            let found = parameter(schema, &own);
            assert_eq!(
                found,
                ["/components/schemas/X: `$ref` leads to itself, without going into a value"]
            );
        }
    }
    // As many ways, and an end.
    let steps = |last: &str| {
        let step = |number: usize| {
            format!("    X{number}: {{anyOf: [{}]}}\n", many(&format!("X{}", number + 1)))
        };
        (0..30).map(step).chain([format!("    X30: {last}\n")]).collect::<String>()
    };
    let first = "{$ref: '#/components/schemas/X0'}";
    assert_eq!(parameter(first, &steps("{type: integer, minimum: 1}")), [""; 0]);
    let untyped = parameter(first, &steps("{minimum: 1}"));
    assert_eq!(untyped.len(), 1, "{untyped:?}");
    assert!(
        untyped[0].starts_with("/components/schemas/X30: `minimum` needs a `type`"),
        "{untyped:?}"
    );
}

#[test]
fn documents() {
    for (document, expected) in [
        ("[]", "/: `openapi` must be there"),
        ("openapi: 3.0.3\npaths: {}", "/: `openapi` is \"3.0.3\", and must be 3.1"),
        ("swagger: '2.0'", "/: `openapi` is \"\""),
        ("openapi: 3.1.0\npaths: {}\npathz: 1", "/: `pathz` is not supported"),
        ("openapi: 3.1.0", "/: `paths` must be there"),
        ("openapi: 3.1.0\npaths: {}\nopenapi: 3.1.0", "/: `openapi` is not readable"),
        ("openapi: 3.1.0\npaths: {/a//b: {}}", "/paths: `/a//b` must be a path"),
        ("openapi: 3.1.0\npaths: {'/a{b}': {}}", "/paths: `/a{b}` must have whole segments"),
        ("openapi: 3.1.0\npaths: {'/a/*': {}}", "/paths: `/a/*` has a star"),
        (
            "openapi: 3.1.0\npaths: {'/{a}': {}, '/{b}': {}}",
            "/paths/~1{b}: `/{b}` has the same paths as /{a}",
        ),
        ("openapi: 3.1.0\npaths: {/a: {query: {}}}", "/paths/~1a: `query` is not supported"),
        (
            "openapi: 3.1.0\npaths: {/a: {get: {servers: []}}}",
            "/paths/~1a/get: `servers` is not supported",
        ),
        (
            "openapi: 3.1.0\npaths: {/a: {$ref: '#/paths/~1a'}}",
            "/paths/~1a: `$ref` leads to itself",
        ),
        (
            "openapi: 3.1.0\npaths: {'/{a}': {get: {}}}",
            "/paths/~1{a}/get: `parameters` must have {a}",
        ),
        ("openapi: 3.1.0\npaths: {}\nservers: [{url: '/{v}'}]", "/servers: `url` must have a path"),
        (
            "openapi: 3.1.0\npaths: {}\nservers: [{url: /a}, {url: 'http://h/b'}]",
            "/servers: `url` has another",
        ),
    ] {
        let found = refusals(document);
        assert!(found.iter().any(|it| it.starts_with(expected)), "{document}: {found:?}");
    }
}

#[test]
fn bodies() {
    for (body, keyword) in [
        ("{content: {'*/*': {}}}", "*/*"),
        ("{content: {application/*: {}}}", "application/*"),
        ("{content: {text/plain: {schema: {type: string, minLength: 1}}}}", "schema"),
        ("{content: {application/x-www-form-urlencoded: {schema: {type: object}}}}", "schema"),
        ("{content: {application/json: {encoding: {}}}}", "encoding"),
        ("{required: true}", "content"),
        ("{required: 'true', content: {application/json: {}}}", "required"),
        ("{required: 1, content: {application/json: {}}}", "required"),
        ("{required: null, content: {application/json: {}}}", "required"),
        ("{content: {application/json: null}}", "application/json"),
        ("{content: {application/json: []}}", "application/json"),
        ("{content: {image/png: true}}", "image/png"),
        ("{content: {Application/Json: {}, application/json: {}}}", "application/json"),
    ] {
        let found = refusals(&operation(&format!("requestBody: {body}")));
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert!(found[0].contains(&format!(": `{keyword}` ")), "{body}: {}", found[0]);
    }
    let opaque = "{content: {application/octet-stream: {schema: {type: string, format: binary}}, image/png: {}}}";
    assert_eq!(refusals(&operation(&format!("requestBody: {opaque}"))), [""; 0]);
}
