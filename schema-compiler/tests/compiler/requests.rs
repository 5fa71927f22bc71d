//! Requests to an API, held against its document: what is wrong, and where.

use crate::common::{ask, document, wrong};
use voussoir_core::schema::Flaw;

const API: &str = r"
openapi: 3.1.0
servers: [{url: https://compute.example/v2.1/}, {url: /v2.1}]
paths:
  /: {get: {}}
  /servers:
    get:
      parameters:
      - {name: limit, in: query, schema: {type: integer, minimum: 0}}
      - {name: all, in: query, schema: {type: boolean}}
      - {name: tag, in: query, schema: {type: array, items: {type: string, maxLength: 3}, maxItems: 2}}
      - {name: id, in: query, explode: false, schema: {type: array, items: {type: integer}}}
      - {name: flavor, in: query, schema: {type: [string, integer], pattern: '^\d+$', minimum: 3}}
      - {name: X-Level, in: header, required: true, schema: {enum: [low, high]}}
      - {name: X-Hosts, in: header, schema: {type: array, items: {type: string, minLength: 1}}}
      - {name: Accept, in: header, schema: {type: integer}}
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Create'}}
          application/vnd.x+json: {}
          application/octet-stream: {}
  /servers/detail: {get: {}}
  /servers/{id}:
    parameters:
    - {name: id, in: path, required: true, schema: {type: string, format: uuid}}
    get: {}
    put: {requestBody: {content: {application/json: {schema: {type: object}}}}}
    delete: {}
  /servers/{id}/action:
    parameters:
    - {name: id, in: path, required: true, schema: {type: string}}
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema:
              oneOf:
              - {$ref: '#/components/schemas/Reboot'}
              - {type: object, required: [resize], additionalProperties: false, properties: {resize: {type: object}}}
components:
  schemas:
    Create:
      type: object
      required: [server]
      additionalProperties: false
      properties:
        server:
          type: object
          required: [name, flavorRef]
          additionalProperties: false
          properties:
            name: {type: string, minLength: 1, maxLength: 255, pattern: '^\S.*$'}
            flavorRef: {type: [string, integer]}
            metadata: {type: object, additionalProperties: {type: string}}
            networks: {oneOf: [{enum: [auto, none]}, {type: array, items: {$ref: '#/components/schemas/Network'}}]}
            a~b/c: {type: 'null'}
    Network:
      type: object
      properties: {uuid: {type: string, format: uuid}, fixed_ip: {type: string, format: ipv4}}
      additionalProperties: false
    Reboot:
      type: object
      required: [reboot]
      additionalProperties: false
      properties:
        reboot: {type: object, required: [type], properties: {type: {enum: [HARD, SOFT]}}}
";

const ID: &str = "12345678-1234-1234-1234-123456789abc";
const LEVEL: [(&str, &str); 1] = [("x-level", "low")];

#[test]
fn paths_and_methods() {
    let api = document(API);
    let get = |path: &str| ask(&api, "GET", path, &[], None);
    for path in
        ["/v2.1/", "/v2.1/servers/detail", &format!("/v2.1/servers/{ID}"), "/v2.1/servers/detail?x"]
    {
        assert_eq!(get(path), Ok(()), "{path}");
    }
    for path in [
        "/",
        "/v2.1",
        "/servers",
        "/v2.1/servers/",
        "/v2.1//servers",
        "/v2.1/x/../servers/detail",
        "/v2.1/servers/detail/x",
        "/v2.1/servers/detail;x",
        "/v2.1/Servers/detail",
        "/v2.1/servers/%252e%252e",
        "/v2.1/servers/a%2fb",
        "/v2.1/servers/%64etai%256c",
        "*",
        "",
    ] {
        assert_eq!(get(path), Err(Flaw::PathUnknown), "{path}");
    }
    // Spelt in another way, and read alike by all.
    assert_eq!(get("/v2.1/servers/%64etail"), Ok(()));
    let id = format!("/v2.1/servers/{ID}");
    let allowed = Err(Flaw::MethodNotAllowed("DELETE, GET, PUT".into()));
    for method in ["POST", "HEAD", "get", "PATCH"] {
        assert_eq!(ask(&api, method, &id, &[], None), allowed, "{method}");
    }
    assert_eq!(
        ask(&api, "DELETE", "/v2.1/servers/detail", &[], None),
        Err(Flaw::MethodNotAllowed("GET".into()))
    );
}

#[test]
fn parameters() {
    let api = document(API);
    for query in [
        "",
        "limit=10",
        "limit=0&other=%ff",
        "all=true",
        "tag=a&tag=b",
        "tag=a,b",
        "id=1,2,3",
        "flavor=17",
        "l%69mit=1",
        "tag=%C3%A9%C3%A9%C3%A9",
        "tag=",
        "limit=1.0",
        "tag=1",
    ] {
        // What is not known need be no text, but must be one to tell.
        let expected = if query.contains("%ff") { Some("/query: cannot be read") } else { None };
        let path = format!("/v2.1/servers?{query}");
        let found = ask(&api, "GET", &path, &LEVEL, None);
        match expected {
            None => assert_eq!(found, Ok(()), "{query}"),
            Some(expected) => assert_eq!(wrong(&api, "GET", &path, &LEVEL, None), expected),
        }
    }
    for (query, expected) in [
        ("limit=-1", "/query/limit: must be at least 0"),
        ("limit=x", "/query/limit: must be an integer"),
        ("limit=", "/query/limit: must be an integer"),
        ("limit=1.5", "/query/limit: must be an integer"),
        ("limit=%201", "/query/limit: must be an integer"),
        ("limit=1&limit=2", "/query/limit: is there twice"),
        ("limit=1&l%69mit=2", "/query/limit: is there twice"),
        ("limit=%zz", "/query: cannot be read"),
        ("all=1", "/query/all: must be a boolean"),
        ("all=True", "/query/all: must be a boolean"),
        ("tag=a&tag=abcd", "/query/tag/1: must have at most 3 characters"),
        ("tag=a&tag=b&tag=c", "/query/tag: must have at most 2 items"),
        ("id=1,b", "/query/id/1: must be an integer"),
        ("id=1&id=2", "/query/id: is there twice"),
        ("flavor=x", "/query/flavor: must match ^\\d+$"),
        ("flavor=-1", "/query/flavor: must match ^\\d+$"),
    ] {
        let path = format!("/v2.1/servers?{query}");
        assert_eq!(wrong(&api, "GET", &path, &LEVEL, None), expected, "{query}");
    }
    for (headers, expected) in [
        (&[][..], "/header/x-level: is missing"),
        (&[("x-level", "mid")], "/header/x-level: must be one of \"low\", \"high\""),
        (&[("x-level", "low"), ("x-level", "high")], "/header/x-level: is there twice"),
        (&[("x_level", "low")], "/header/x-level: is there in another spelling"),
        (
            &[("x-level", "low"), ("x_level", "evil")],
            "/header/x-level: is there in another spelling",
        ),
        (
            &[("X_Level", "evil"), ("x-level", "low")],
            "/header/x-level: is there in another spelling",
        ),
        (
            &[("x-level", "low"), ("x-hosts", "a"), ("x_hosts", "b")],
            "/header/x-hosts: is there in another spelling",
        ),
        (
            &[("x-level", "low"), ("x-hosts", "a, ,b")],
            "/header/x-hosts/1: must have at least 1 characters",
        ),
    ] {
        assert_eq!(wrong(&api, "GET", "/v2.1/servers", headers, None), expected);
    }
    // Of what nothing is said, any spelling passes.
    let hosts = [
        ("x-level", "low"),
        ("x-hosts", "a, b"),
        ("x-hosts", "c"),
        ("accept", "x"),
        ("x_other", "x"),
    ];
    assert_eq!(ask(&api, "GET", "/v2.1/servers", &hosts, None), Ok(()));
    assert_eq!(wrong(&api, "GET", "/v2.1/servers/1", &[], None), "/path/id: must be a UUID");
    let many = "a&".repeat(513);
    let many = ask(&api, "GET", &format!("/v2.1/servers?{many}"), &LEVEL, None);
    assert_eq!(many, Err(Flaw::TooComplex));
}

#[test]
fn bodies() {
    let api = document(API);
    let post = |body: &str| match ask(&api, "POST", "/v2.1/servers", &[], Some(body)) {
        Ok(()) => String::from("right"),
        Err(_) => wrong(&api, "POST", "/v2.1/servers", &[], Some(body)),
    };
    let server = |fields: &str| format!(r#"{{"server":{{"name":"a","flavorRef":"1",{fields}}}}}"#);
    for (body, expected) in [
        (server(r#""networks":"auto""#), "right"),
        (server(r#""networks":[{"uuid":"12345678-1234-1234-1234-123456789ABC"}]"#), "right"),
        (server(r#""metadata":{"k":"v"},"a~b/c":null"#), "right"),
        (
            server(r#""networks":"other""#),
            "/body/server/networks: fits none of the forms that it may have",
        ),
        (server(r#""networks":[{},{"uuid":"x"}]"#), "/body/server/networks/1/uuid: must be a UUID"),
        (
            server(r#""networks":[{"fixed_ip":"1.2.3"}]"#),
            "/body/server/networks/0/fixed_ip: must be an IPv4 address",
        ),
        (server(r#""networks":[{"port":1}]"#), "/body/server/networks/0/port: is not allowed"),
        (server(r#""metadata":{"a/b":1}"#), "/body/server/metadata/a~1b: must be a string"),
        (server(r#""a~b/c":0"#), "/body/server/a~0b~1c: must be null"),
        (server(r#""other":0"#), "/body/server/other: is not allowed"),
        (server(r#""na\u006de":"b""#), "/body/server/name: is there twice"),
        (r#"{"server":{"flavorRef":"1"}}"#.into(), "/body/server/name: is missing"),
        (
            r#"{"server":{"name":"","flavorRef":"1"}}"#.into(),
            "/body/server/name: must have at least 1 characters",
        ),
        (
            r#"{"server":{"name":" a","flavorRef":"1"}}"#.into(),
            "/body/server/name: must match ^\\S.*$",
        ),
        (
            r#"{"server":{"name":"a","flavorRef":1.5}}"#.into(),
            "/body/server/flavorRef: must be a string or an integer",
        ),
        (r#"{"server":[]}"#.into(), "/body/server: must be an object"),
        ("[]".into(), "/body: must be an object"),
        ("{".into(), "/body: is not JSON in UTF-8, or is nested too deeply"),
        (String::new(), "/body: is missing"),
    ] {
        assert_eq!(post(&body), expected, "{body}");
    }
    let no_body =
        wrong(&api, "POST", "/v2.1/servers", &[("content-type", "application/json")], None);
    assert_eq!(no_body, "/body: is missing");
    assert_eq!(
        wrong(&api, "DELETE", &format!("/v2.1/servers/{ID}"), &[], Some("{}")),
        "/body: is not allowed"
    );
    assert_eq!(ask(&api, "PUT", &format!("/v2.1/servers/{ID}"), &[], None), Ok(()));
    assert_eq!(ask(&api, "DELETE", &format!("/v2.1/servers/{ID}"), &[], Some("")), Ok(()));
}

#[test]
fn what_is_meant_by_one_of_several_forms_is_told() {
    let api = document(API);
    let act = |body: &str| wrong(&api, "POST", "/v2.1/servers/1/action", &[], Some(body));
    for (body, expected) in [
        (r#"{"reboot":{"type":"SLOW"}}"#, "/body/reboot/type: must be one of \"HARD\", \"SOFT\""),
        (r#"{"reboot":{}}"#, "/body/reboot/type: is missing"),
        (r#"{"reboot":1}"#, "/body/reboot: must be an object"),
        (r#"{"resize":[]}"#, "/body/resize: must be an object"),
        (r#"{"stop":null}"#, "/body/stop: is not allowed"),
        ("{}", "/body: fits none of the forms that it may have"),
    ] {
        assert_eq!(act(body), expected, "{body}");
    }
}

#[test]
fn kinds_of_bodies() {
    let api = document(API);
    let post = |headers: &[(&str, &str)], body: &str| {
        ask(&api, "POST", "/v2.1/servers", headers, Some(body))
    };
    for kind in ["application/octet-stream", "Application/VND.x+json; a=b"] {
        assert_eq!(post(&[("content-type", kind)], "[1]"), Ok(()), "{kind}");
    }
    assert_ne!(post(&[("content-type", "application/vnd.x+json")], "x"), Ok(()));
    for headers in [
        &[("content-type", "text/plain")][..],
        &[("content-type", "")],
        &[("content-type", "application/json"), ("content-type", "application/json")],
        &[("content-type", "application/json; charset=utf-16")],
        &[("content-type", "application/json; x=\"; charset=utf-7\"")],
        &[("content-type", "application/json;\u{a0}charset=utf-7")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
    ] {
        assert_eq!(post(headers, "{}"), Err(Flaw::MediaType), "{headers:?}");
    }
}

#[test]
fn what_would_take_too_long_is_refused() {
    let api = document(
        "openapi: 3.1.0\npaths: {/: {post: {requestBody: {content: {application/json: {schema: \
         {$ref: '#/components/schemas/T'}}}}}}}\ncomponents: {schemas: {T: {anyOf: [{type: array, items: \
         {$ref: '#/components/schemas/T'}, maxItems: 2}, {type: array, items: {$ref: \
         '#/components/schemas/T'}, maxItems: 3}, {type: string}]}}}",
    );
    // Each level is looked at in two ways.
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(wrong(&api, "POST", "/", &[], Some(&nested(3))).starts_with("/body"));
    assert_eq!(ask(&api, "POST", "/", &[], Some(&nested(100))), Err(Flaw::TooComplex));
    let unique = document(
        "openapi: 3.1.0\npaths: {/: {post: {requestBody: {content: {application/json: {schema: \
         {uniqueItems: true}}}}}}}",
    );
    let list = |count: usize| format!("{:?}", (0..count).collect::<Vec<_>>());
    assert_eq!(ask(&unique, "POST", "/", &[], Some(&list(300))), Ok(()));
    assert_eq!(ask(&unique, "POST", "/", &[], Some(&list(5000))), Err(Flaw::TooComplex));
    let texts = format!("{:?}", (0..20_000).map(|it| it.to_string()).collect::<Vec<_>>());
    assert_eq!(ask(&unique, "POST", "/", &[], Some(&texts)), Ok(()));
}
