//! The section `schema`: documents of APIs, and which requests are held against them.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::time::Duration;

use super::acl::hosts;
use super::check::{path, time};
use super::{ConfigError, quantity, raw};
use crate::record::is_schema_name;
use crate::schema::{Document, Enforcement, Governed, Schemas};

pub(super) fn check(
    raw: Vec<raw::Schema>,
    hold_headers: bool,
    has_keyserver: bool,
) -> Result<Schemas, ConfigError> {
    if raw.len() > MAX_DOCUMENTS {
        return Err(ConfigError::limits("schema", "at most 32 documents"));
    }
    let mut all = Vec::<Governed>::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let field = format!("schema[{index}]");
        if !is_schema_name(&raw.name) || all.iter().any(|it| it.name == raw.name) {
            return Err(ConfigError::limits(
                format!("{field}.name"),
                "1 to 64 letters, digits, dots, hyphens and underscores, not a dot first, and of its own",
            ));
        }
        all.push(governed(raw, &field, has_keyserver)?);
    }
    let is_enforced = all.iter().any(|it| it.enforcement == Enforcement::Enforce);
    if is_enforced && !hold_headers {
        return Err(ConfigError::limits(
            "hold_headers",
            "true with a schema that is enforced, and the plugin must have \
             allow_on_headers_stop_iteration: else no body is seen before its head has gone on",
        ));
    }
    Ok(Schemas { all })
}

fn governed(raw: raw::Schema, field: &str, has_keyserver: bool) -> Result<Governed, ConfigError> {
    let limits =
        |name: &str, limits: &'static str| ConfigError::limits(format!("{field}.{name}"), limits);
    let document = Rc::new(OnceCell::new());
    let digest = match (raw.compiled, raw.digest) {
        (Some(compiled), None) => {
            let read = Document::from_value(&compiled).map_err(|error| {
                let limits = format!("a compiled document: {error}");
                ConfigError::limits(format!("{field}.compiled"), limits)
            })?;
            // Nothing is there yet.
            let _ = document.set(Rc::new(read));
            None
        }
        (None, Some(digest)) => {
            if !has_keyserver {
                return Err(limits(
                    "digest",
                    "left out, or keyserver there: the document is there",
                ));
            }
            let read = sha256(&digest);
            Some(read.ok_or_else(|| limits("digest", "sha256: and 64 hexadecimal digits"))?)
        }
        _ => {
            let either =
                "given either `compiled` or, of a document at the key server, its `digest`";
            return Err(ConfigError::limits(field, either));
        }
    };
    let prefix = raw.path_prefix.unwrap_or_else(|| "/".into());
    let max_body = raw.max_body.as_deref().map_or(Some(DEFAULT_MAX_SCHEMA_BODY), quantity::size);
    let within = time(raw.within.as_deref(), DEFAULT_SCHEMA_WITHIN, 1_000, 300_000);
    Ok(Governed {
        hosts: hosts(&raw.hosts.unwrap_or_default(), field)?,
        prefix: path(None, Some(prefix), &format!("{field}.path_prefix"))?,
        enforcement: match raw.mode {
            None | Some(raw::SchemaMode::Enforce) => Enforcement::Enforce,
            Some(raw::SchemaMode::Report) => Enforcement::Report,
        },
        max_body: max_body
            .filter(|size| (1..=MOST_MAX_BODY).contains(size))
            .ok_or_else(|| limits("max_body", "1B to 16MiB, such as \"64KiB\""))?,
        within: within.ok_or_else(|| limits("within", "1s to 5m, such as \"10s\""))?,
        refuses_unknown: match raw.unknown_parameters {
            None | Some(raw::UnknownParameters::Allow) => false,
            Some(raw::UnknownParameters::Refuse) => true,
        },
        name: raw.name,
        digest,
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
