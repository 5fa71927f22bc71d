//! The section `schema`: documents of APIs, and which requests are held against them.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::time::Duration;

use super::acl::hosts;
use super::check::plain_path;
use super::setting::Setting;
use crate::bypass::PathPattern;
use crate::record::is_schema_name;
use crate::schema::{Document, Enforcement, Governed, Schemas};

pub(super) fn check(
    list: &Setting<'_>,
    hold_headers: &Setting<'_>,
    has_keyserver: bool,
) -> Schemas {
    list.at_most(MAX_DOCUMENTS, "at most 32 documents");
    let mut all = Vec::<Governed>::new();
    for section in list.values() {
        let name = section.text("name").unwrap_or_default();
        if !is_schema_name(name) || all.iter().any(|other| other.name == name) {
            section.field("name").refuse(
                "1 to 64 letters, digits, dots, hyphens and underscores, not a dot first, and of its own",
            );
        }
        all.extend(governed(&section, name, has_keyserver));
    }
    let is_enforced = all.iter().any(|it| it.enforcement == Enforcement::Enforce);
    if is_enforced && !hold_headers.is_true() {
        hold_headers.refuse(
            "true with a schema that is enforced, and the plugin must have \
             allow_on_headers_stop_iteration: else no body is seen before its head has gone on",
        );
    }
    Schemas { all }
}

fn governed(section: &Setting<'_>, name: &str, has_keyserver: bool) -> Option<Governed> {
    let document = Rc::new(OnceCell::new());
    let (compiled, digest) = (section.field("compiled"), section.field("digest"));
    if compiled.is_given() == digest.is_given() {
        section.refuse("given either `compiled` or, of a document at the key server, its `digest`");
    } else if digest.is_given() && !has_keyserver {
        digest.refuse("left out, or keyserver there: the document is there");
    } else if compiled.is_given() {
        match Document::from_value(compiled.json) {
            // Nothing is there yet.
            Ok(read) => _ = document.set(Rc::new(read)),
            Err(error) => compiled.refuse(&format!("a compiled document: {error}")),
        }
    }
    let sha256 = digest.as_text().and_then(sha256);
    if digest.is_given() && sha256.is_none() {
        digest.refuse("sha256: and 64 hexadecimal digits");
    }
    let prefix = section.field("path_prefix");
    Some(Governed {
        name: name.into(),
        hosts: hosts(&section.field("hosts")),
        prefix: plain_path(&prefix, PathPattern::prefix(prefix.as_text().unwrap_or("/").into()))?,
        enforcement: match section.text("mode") {
            Some("report") => Enforcement::Report,
            _ => Enforcement::Enforce,
        },
        max_body: section.size(
            "max_body",
            DEFAULT_MAX_SCHEMA_BODY,
            (1, MOST_MAX_BODY),
            "1B to 16MiB, such as \"64KiB\"",
        ),
        within: section.time(
            "within",
            DEFAULT_SCHEMA_WITHIN,
            (1_000, 300_000),
            "1s to 5m, such as \"10s\"",
        ),
        refuses_unknown: section.text("unknown_parameters") == Some("refuse"),
        digest: sha256,
        document,
    })
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.strip_prefix("sha256:")?.as_bytes().try_into().ok()?;
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let pair =
            core::str::from_utf8(pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit));
        *byte = u8::from_str_radix(pair?, 16).ok()?;
    }
    Some(digest)
}

/// The longest body by default.
pub const DEFAULT_MAX_SCHEMA_BODY: usize = 64 * 1024;

/// How long after its head a body may end by default.
pub const DEFAULT_SCHEMA_WITHIN: Duration = Duration::from_secs(10);

/// `limits.held_body` has room for one of them.
const MOST_MAX_BODY: usize = 16 * 1024 * 1024;

/// Each path is compared with the prefix of each.
const MAX_DOCUMENTS: usize = 32;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Config, example};
    use alloc::string::{String, ToString as _};
    use serde_json::{Value, json};

    fn parse(changes: &Value) -> Result<Schemas, String> {
        let mut all = json!({"hold_headers": true});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let config = Config::parse(example::with(&all).as_bytes());
        config.map(|config| config.schemas).map_err(|error| error.to_string())
    }

    fn compiled() -> Value {
        json!({"voussoir_schema": 1, "paths": [], "nodes": [], "patterns": []})
    }

    #[test]
    fn defaults_are_those_of_the_constants() {
        assert!(parse(&json!({})).unwrap().all.is_empty());
        let schema = json!({"name": "compute", "compiled": compiled()});
        let all = parse(&json!({"schema": [schema]})).unwrap().all;
        assert_eq!(all[0].max_body, DEFAULT_MAX_SCHEMA_BODY);
        assert_eq!(all[0].within, DEFAULT_SCHEMA_WITHIN);
        assert_eq!(all[0].enforcement, Enforcement::Enforce);
        assert!(!all[0].refuses_unknown && all[0].hosts.is_empty() && all[0].digest.is_none());
        assert!(all[0].document.get().is_some());
    }

    #[test]
    fn every_field_can_be_set() {
        let schema = json!({
            "name": "compute-2.1", "digest": format!("sha256:{}", "0aB1".repeat(16)),
            "hosts": ["compute.example"], "path_prefix": "/v2.1/", "mode": "report",
            "max_body": "1MiB", "within": "30s", "unknown_parameters": "refuse",
        });
        // What is only reported needs no heads that are held.
        let all = parse(&json!({"hold_headers": false, "schema": [schema]})).unwrap().all;
        assert_eq!(all[0].digest.unwrap()[..2], [0x0a, 0xb1]);
        assert_eq!((all[0].max_body, all[0].within), (1 << 20, Duration::from_secs(30)));
        assert_eq!(all[0].enforcement, Enforcement::Report);
        assert!(all[0].refuses_unknown && all[0].document.get().is_none());
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        for (change, field) in [
            (json!({"name": ""}), ".name"),
            (json!({"name": "a/b"}), ".name"),
            (json!({"name": ".a"}), ".name"),
            (json!({"compiled": {}}), ".compiled"),
            (json!({"compiled": null}), ""),
            (json!({"digest": "sha256:00"}), ""),
            (json!({"compiled": null, "digest": "00"}), ".digest"),
            (json!({"compiled": null, "digest": format!("sha256:{}", "+1".repeat(32))}), ".digest"),
            (json!({"hosts": ["a:80"]}), ".hosts[0]"),
            (json!({"path_prefix": "/v2"}), ".path_prefix"),
            (json!({"max_body": "17MiB"}), ".max_body"),
            (json!({"within": "6m"}), ".within"),
        ] {
            let mut schema = json!({"name": "a", "compiled": compiled()});
            schema.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            schema.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let message = parse(&json!({"schema": [schema]})).unwrap_err();
            assert!(message.starts_with(&format!("schema[0]{field}: must be ")), "{message}");
        }
        let schema = json!({"name": "a", "compiled": compiled()});
        let message = parse(&json!({"schema": [schema, schema]})).unwrap_err();
        assert!(message.starts_with("schema[1].name: must be "), "{message}");
        let message = parse(&json!({"hold_headers": false, "schema": [schema]})).unwrap_err();
        assert!(message.starts_with("hold_headers: must be true with a schema"), "{message}");
    }
}
