//! From what is written to what can be used: each field is checked against its limits, and the
//! error names the field.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Config, ConfigError, DEFAULT_FRESHNESS, DEFAULT_LIMITS, DEFAULT_STALE_VALIDATION, Freshness,
    KeyServer, Keystone, Limits, Missing, Mode, acl, answers, audit, complete_body, quantity, raw,
    routes, schema, server, sigv4, token,
};
use crate::acl::{DEFAULT, PathTemplate};
use crate::bypass::{Bypass, PathPattern, Rule};
use crate::identity::SelectedHeaders;
use crate::json::Json;
use crate::refusal::Answers;

/// `own`: the same as JSON, of which routes are made.
pub(super) fn config(raw: raw::Config, own: &Json) -> Result<Config, ConfigError> {
    let keyserver = raw.keyserver.map(server::keyserver).transpose()?;
    let keystone = raw.keystone.map(server::keystone).transpose()?;
    if raw.token.is_none() && raw.sigv4.is_none() {
        return Err(ConfigError::limits(
            "token",
            "there, or else sigv4: with neither, nobody passes",
        ));
    }
    let freshness = freshness(&raw.cache, keyserver.as_ref(), keystone.as_ref())?;
    let token = raw.token.map(|raw| token::check(raw, keystone.clone())).transpose()?;
    let asks_keystone = token.as_ref().and_then(|it| it.records.as_ref()?.keystone()).is_some();
    if keystone.is_some() && !asks_keystone {
        return Err(ConfigError::limits("keystone", "left out, or token.identity `keystone`"));
    }
    if keyserver.is_none() && !(asks_keystone && raw.sigv4.is_none()) {
        return Err(ConfigError::limits(
            "keyserver",
            "there: only token.identity `keystone`, without sigv4, does without it",
        ));
    }
    // Of a token without records only that is known which it says itself.
    let token_alone =
        raw.sigv4.is_none() && token.as_ref().is_some_and(|token| token.records.is_none());
    let schemas =
        schema::check(raw.schema.unwrap_or_default(), raw.hold_headers, keyserver.is_some())?;
    Ok(Config {
        mode: match raw.mode {
            None | Some(raw::Mode::Enforce) => Mode::Enforce,
            Some(raw::Mode::Shadow) => Mode::Shadow,
        },
        keyserver,
        token,
        sigv4: raw.sigv4.map(sigv4::check).transpose()?,
        missing: match raw.missing {
            None | Some(raw::Missing::Reject) => Missing::Reject,
            Some(raw::Missing::Anonymous) => Missing::Anonymous,
        },
        hold_headers: raw.hold_headers,
        complete_body: complete_body::check(raw.require_complete_body, raw.hold_headers)?,
        bypass: bypass(raw.bypass, raw.bypass_cors_preflight)?,
        acl: raw.acl.map(|raw| acl::check(raw, token_alone)).transpose()?,
        answers: raw.answers.map_or(Ok(Answers::Keystone), answers::check)?,
        routes: routes::check(raw.routes, own, &schemas)?,
        audit: raw.audit.map(audit::check).transpose()?,
        schemas,
        times_heads: raw.metrics.time_heads,
        identity_headers: identity_headers(raw.identity_headers.as_deref())?,
        reason_header: raw.reason_header.as_deref().map(reason_header).transpose()?,
        quota_class: raw.quota_class.map(quota_class).transpose()?,
        freshness,
        limits: limits(&raw.cache, &raw.limits)?,
    })
}

fn identity_headers(names: Option<&[String]>) -> Result<SelectedHeaders, ConfigError> {
    let Some(names) = names else { return Ok(SelectedHeaders::default()) };
    if names.len() > MAX_IDENTITY_HEADERS {
        return Err(ConfigError::limits("identity_headers", "at most 64 names"));
    }
    SelectedHeaders::new(names).map_err(|index| {
        ConfigError::limits(
            format!("identity_headers[{index}]"),
            "a header that this filter sets, such as X-User-Id",
        )
    })
}

fn limits(cache: &raw::Cache, raw: &raw::Limits) -> Result<Limits, ConfigError> {
    let default = DEFAULT_LIMITS;
    let calls_per_second = raw.calls_per_second.unwrap_or(default.calls_per_second);
    let scopes = raw.scopes_per_access_key.unwrap_or(default.scopes_per_access_key);
    if !(1..=100_000).contains(&calls_per_second) {
        return Err(ConfigError::limits("limits.calls_per_second", "1 to 100000"));
    }
    if !(1..=10_000).contains(&scopes) {
        return Err(ConfigError::limits("limits.scopes_per_access_key", "1 to 10000"));
    }
    let held_body = raw.held_body.as_deref().map_or(Some(default.held_body), quantity::size);
    Ok(Limits {
        held_body: held_body
            .filter(|size| (MIN_HELD_BODY..=MAX_HELD_BODY).contains(size))
            .ok_or_else(|| ConfigError::limits("limits.held_body", "16MiB to 512MiB"))?,
        parked: number(raw.parked, default.parked, 1..=MAX_PARKED)
            .ok_or_else(|| ConfigError::limits("limits.parked", "1 to 16384"))?,
        entries: number(cache.entries, default.entries, 1..=MAX_ENTRIES)
            .ok_or_else(|| ConfigError::limits("cache.entries", "1 to 100000"))?,
        shared_entries: number(
            cache.shared_entries,
            default.shared_entries,
            0..=MAX_SHARED_ENTRIES,
        )
        .ok_or_else(|| ConfigError::limits("cache.shared_entries", "0 to 65536"))?,
        calls: number(raw.calls, default.calls, 1..=1024)
            .ok_or_else(|| ConfigError::limits("limits.calls", "1 to 1024"))?,
        calls_per_second,
        scopes_per_access_key: scopes,
    })
}

fn bypass(raw: Vec<raw::Bypass>, cors_preflight: bool) -> Result<Bypass, ConfigError> {
    if raw.len() > MAX_RULES {
        return Err(ConfigError::limits("bypass", "at most 256 rules"));
    }
    let rules = raw
        .into_iter()
        .enumerate()
        .map(|(index, raw)| rule(raw, &format!("bypass[{index}]")))
        .collect::<Result<_, _>>()?;
    Ok(Bypass { rules, cors_preflight })
}

fn rule(raw: raw::Bypass, field: &str) -> Result<Rule, ConfigError> {
    let path = path(raw.path, raw.path_prefix, field)?;
    Ok(Rule { path, methods: methods(raw.methods, field)? })
}

/// The paths of a rule.
pub(super) fn path(
    path: Option<String>,
    prefix: Option<String>,
    field: &str,
) -> Result<PathPattern, ConfigError> {
    let path = match (path, prefix) {
        (Some(path), None) => PathPattern::exact(path),
        (None, Some(prefix)) => PathPattern::prefix(prefix),
        _ => {
            return Err(ConfigError::limits(field, "given either `path` or `path_prefix`"));
        }
    };
    path.ok_or_else(|| {
        ConfigError::limits(
            field,
            "a plain path: it begins with `/`, a prefix ends with `/`, and there is no query, \
             fragment, percent sign, backslash, empty or dot segment in it",
        )
    })
}

/// The methods of a rule; none stands for all.
pub(super) fn methods(
    methods: Option<Vec<String>>,
    field: &str,
) -> Result<Vec<String>, ConfigError> {
    let methods = methods.unwrap_or_default();
    for (index, method) in methods.iter().enumerate() {
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(ConfigError::limits(
                format!("{field}.methods[{index}]"),
                "an HTTP method in capital letters, such as GET",
            ));
        }
    }
    Ok(methods)
}

/// The templates of paths of a rule.
pub(super) fn templates(paths: &[String], field: &str) -> Result<Vec<PathTemplate>, ConfigError> {
    let template = |(index, path): (usize, &String)| {
        PathTemplate::new(path).map_err(|error| {
            ConfigError::limits(format!("{field}.paths[{index}]"), format!("{error}"))
        })
    };
    paths.iter().enumerate().map(template).collect()
}

/// A name that metrics have, and that no one of the `others` has.
pub(super) fn own_name<'a>(
    name: &str,
    mut others: impl Iterator<Item = &'a str>,
    field: &str,
) -> Result<(), ConfigError> {
    if is_label(name) && name != DEFAULT && others.all(|other| other != name) {
        return Ok(());
    }
    Err(ConfigError::limits(
        format!("{field}.name"),
        "1 to 64 letters, digits, hyphens and underscores, of its own, and not `default`",
    ))
}

/// A name that is no list, in a header or a metric.
fn is_label(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

fn quota_class(name: String) -> Result<String, ConfigError> {
    if is_label(&name) {
        return Ok(name);
    }
    Err(ConfigError::limits("quota_class", "1 to 64 letters, digits, hyphens and underscores"))
}

fn reason_header(name: &str) -> Result<String, ConfigError> {
    let name = name.to_ascii_lowercase();
    let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // Any other name means something to clients or proxies, or may some day.
    let is_own = name.starts_with("x-");
    if name.len() > 64 || !is_token || !is_own {
        return Err(ConfigError::limits(
            "reason_header",
            "a header's name that begins with x-, such as x-voussoir-reason",
        ));
    }
    Ok(name)
}

fn freshness(
    raw: &raw::Cache,
    keyserver: Option<&KeyServer>,
    keystone: Option<&Keystone>,
) -> Result<Freshness, ConfigError> {
    const DAY: u128 = 86_400_000;
    let default = match keystone {
        Some(_) => Freshness { stale: DEFAULT_STALE_VALIDATION, ..DEFAULT_FRESHNESS },
        None => DEFAULT_FRESHNESS,
    };
    let timeouts = [keyserver.map(|it| it.server.timeout), keystone.map(|it| it.server.timeout)];
    let timeout = timeouts.into_iter().flatten().max().unwrap_or_default();
    let fresh = time(raw.fresh.as_deref(), default.fresh, 1_000, DAY)
        .ok_or_else(|| ConfigError::limits("cache.fresh", "1s to 24h, such as \"60s\""))?;
    let stale = time(raw.stale.as_deref(), default.stale, 1_000, DAY)
        .ok_or_else(|| ConfigError::limits("cache.stale", "1s to 24h, such as \"1h\""))?;
    // Else keys would go stale while they are being confirmed.
    if stale < fresh + timeout * 2 {
        return Err(ConfigError::limits(
            "cache.stale",
            "at least cache.fresh and twice the timeout of keyserver and keystone",
        ));
    }
    let negative = time(raw.negative.as_deref(), default.negative, 1_000, DAY)
        .ok_or_else(|| ConfigError::limits("cache.negative", "1s to 24h, such as \"30s\""))?;
    Ok(Freshness { fresh, stale, negative })
}

/// A duration within limits in milliseconds; the default when there is none.
pub(super) fn time(
    text: Option<&str>,
    default: Duration,
    least: u128,
    most: u128,
) -> Option<Duration> {
    let duration = text.map_or(Some(default), quantity::duration)?;
    (least..=most).contains(&duration.as_millis()).then_some(duration)
}

pub(super) fn number(
    number: Option<usize>,
    default: usize,
    limits: core::ops::RangeInclusive<usize>,
) -> Option<usize> {
    Some(number.unwrap_or(default)).filter(|number| limits.contains(number))
}

pub(super) fn is_name(text: &str) -> bool {
    is_visible(text.as_bytes(), 255)
}

pub(super) fn is_visible(text: &[u8], longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

/// Each of them holds a token of up to 16 KiB, and a module's memory ends at 1 GiB.
const MAX_PARKED: usize = 16_384;

/// Each of them takes about two kilobytes.
const MAX_ENTRIES: usize = 100_000;

/// The largest chunk fits in.
const MIN_HELD_BODY: usize = 16 * 1024 * 1024;

/// Half of the memory that an instance can have.
const MAX_HELD_BODY: usize = 512 * 1024 * 1024;

/// Each of them takes up to four kilobytes.
const MAX_SHARED_ENTRIES: usize = 65_536;

/// More than there are.
const MAX_IDENTITY_HEADERS: usize = 64;

/// Every request is held against every rule.
pub(super) const MAX_RULES: usize = 256;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{
        DEFAULT_KEYSTONE_PATH, DEFAULT_KEYSTONE_TIMEOUT, DEFAULT_KINDS, DEFAULT_MAX_LENGTH,
        DEFAULT_POLL, DEFAULT_TIMEOUT, example,
    };
    use crate::token::Kind;
    use alloc::string::ToString as _;
    use serde_json::{Value, json};

    fn with(changes: &Value) -> Result<Config, String> {
        let json = example::with(changes);
        Config::parse(json.as_bytes()).map_err(|error| error.to_string())
    }

    fn error(changes: &Value) -> String {
        with(changes).expect_err("must be refused")
    }

    #[test]
    fn defaults_are_those_of_the_constants() {
        let config = with(&json!({})).unwrap();
        assert_eq!(config.mode, Mode::Enforce);
        assert_eq!(config.missing, Missing::Reject);
        let keyserver = config.keyserver.unwrap();
        assert_eq!(keyserver.server.authority, "keyserver");
        assert_eq!(keyserver.server.timeout, DEFAULT_TIMEOUT);
        assert_eq!(keyserver.poll, DEFAULT_POLL);
        let token = config.token.unwrap();
        assert_eq!(token.kinds, DEFAULT_KINDS);
        assert_eq!(token.max_length, DEFAULT_MAX_LENGTH);
        assert!(token.forward);
        assert!(!token.challenges_service_401);
        assert_eq!(config.freshness, DEFAULT_FRESHNESS);
        assert_eq!(config.limits, DEFAULT_LIMITS);
        assert_eq!((config.reason_header, config.quota_class), (None, None));
        assert!(!config.times_heads);
    }

    #[test]
    fn takes_every_field() {
        let config = with(&json!({
            "mode": "shadow",
            "keyserver": {"authority": "ks:443", "timeout": "250ms", "poll": "500ms", "bearer_token": "secret"},
            "token": {"methods": ["password"], "kinds": ["project", "restricted"],
                      "max_length": 255, "forward": false},
            "missing": "anonymous",
            "bypass": [{"path": "/healthcheck", "methods": ["GET"]}, {"path_prefix": "/public/"}],
            "bypass_cors_preflight": true,
            "reason_header": "X-Voussoir-Reason",
            "cache": {"fresh": "2s", "stale": "3s"},
            "limits": {"parked": 1},
            "metrics": {"time_heads": true},
        }))
        .unwrap();
        assert_eq!(config.mode, Mode::Shadow);
        assert_eq!(config.token.unwrap().kinds, [Kind::Project, Kind::Restricted]);
        assert_eq!(config.reason_header.as_deref(), Some("x-voussoir-reason"));
        assert_eq!(config.bypass.rules.len(), 2);
        assert!(config.times_heads);
    }

    #[test]
    fn names_a_field_it_does_not_know() {
        assert!(error(&json!({"tokens": {}})).starts_with("tokens: unknown field `tokens`"));
        assert!(error(&json!({"token": {"kindz": []}})).starts_with("token.kindz: unknown field"));
        assert!(error(&json!({"metrics": {"on": true}})).starts_with("metrics.on: unknown field"));
        assert!(
            error(&json!({"bypass": [{"path": "/a"}, {"paht": "/b"}]}))
                .starts_with("bypass[1].paht: ")
        );
    }

    #[test]
    fn names_a_field_of_the_wrong_type() {
        assert!(
            error(&json!({"limits": {"parked": "many"}}))
                .starts_with("limits.parked: invalid type")
        );
        assert!(error(&json!({"cache": {"fresh": 60}})).starts_with("cache.fresh: invalid type"));
        assert!(error(&json!({"mode": "off"})).starts_with("mode: unknown variant"));
        assert!(error(&json!({"keyserver": 7})).starts_with("keyserver: invalid type"));
    }

    #[test]
    fn names_a_field_that_is_missing() {
        let config = |json: &str| Config::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(config("{}").starts_with("token: must be there, or else sigv4"));
        assert!(config(r#"{"sigv4":{}}"#).starts_with("keyserver: must be there"));
        assert!(
            config(r#"{"keyserver":{"cluster":"k"}}"#)
                .starts_with("token: must be there, or else sigv4")
        );
        assert!(
            config(r#"{"keyserver":{"cluster":"k"},"token":{}}"#)
                .starts_with("token: missing field `www_authenticate_uri`")
        );
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        for (changes, field) in [
            (json!({"identity_headers": ["x-user-id", "host"]}), "identity_headers[1]"),
            (json!({"identity_headers": (["x-user-id"; 65].as_slice())}), "identity_headers"),
            (json!({"keyserver": {"cluster": ""}}), "keyserver.cluster"),
            (json!({"keyserver": {"cluster": "a b"}}), "keyserver.cluster"),
            (json!({"keyserver": {"authority": "a\r\nb"}}), "keyserver.authority"),
            (json!({"keyserver": {"timeout": "60"}}), "keyserver.timeout"),
            (json!({"keyserver": {"timeout": "31s"}}), "keyserver.timeout"),
            (json!({"keyserver": {"poll": "499ms"}}), "keyserver.poll"),
            (json!({"keyserver": {"poll": "61s"}}), "keyserver.poll"),
            (json!({"keyserver": {"bearer_token": "a\nb"}}), "keyserver.bearer_token"),
            (json!({"keyserver": {"bearer_token": ""}}), "keyserver.bearer_token"),
            (json!({"token": {"www_authenticate_uri": "keystone"}}), "token.www_authenticate_uri"),
            (
                json!({"token": {"www_authenticate_uri": "http://a\""}}),
                "token.www_authenticate_uri",
            ),
            (
                json!({"token": {"www_authenticate_uri": "http://a\r\nx: y"}}),
                "token.www_authenticate_uri",
            ),
            (json!({"token": {"methods": ["a", "a"]}}), "token.methods[1]"),
            (json!({"token": {"methods": ["a,b"]}}), "token.methods[0]"),
            (json!({"token": {"kinds": []}}), "token.kinds"),
            (json!({"token": {"kinds": ["project", "jws"]}}), "token.kinds[1]"),
            (json!({"token": {"max_length": 99}}), "token.max_length"),
            (json!({"bypass": [{}]}), "bypass[0]"),
            (json!({"bypass": [{"path": "/a", "path_prefix": "/b/"}]}), "bypass[0]"),
            (json!({"bypass": [{"path": "a"}]}), "bypass[0]"),
            (json!({"bypass": [{"path": "/a", "methods": ["get"]}]}), "bypass[0].methods[0]"),
            (json!({"reason_header": "x y"}), "reason_header"),
            (json!({"quota_class": ""}), "quota_class"),
            (json!({"quota_class": "a,b"}), "quota_class"),
            (json!({"quota_class": "a".repeat(65)}), "quota_class"),
            (json!({"reason_header": "Set-Cookie"}), "reason_header"),
            (json!({"reason_header": ""}), "reason_header"),
            (json!({"cache": {"fresh": "0s"}}), "cache.fresh"),
            (json!({"cache": {"fresh": "2h"}}), "cache.stale"),
            (json!({"cache": {"fresh": "60s", "stale": "61s"}}), "cache.stale"),
            (json!({"cache": {"negative": "0s"}}), "cache.negative"),
            (json!({"cache": {"entries": 0}}), "cache.entries"),
            (json!({"cache": {"shared_entries": 65_537}}), "cache.shared_entries"),
            (json!({"limits": {"parked": 0}}), "limits.parked"),
            (json!({"limits": {"calls": 0}}), "limits.calls"),
            (json!({"limits": {"calls_per_second": 0}}), "limits.calls_per_second"),
            (json!({"limits": {"held_body": "1MiB"}}), "limits.held_body"),
            (json!({"limits": {"scopes_per_access_key": 0}}), "limits.scopes_per_access_key"),
        ] {
            let message = error(&changes);
            assert!(message.starts_with(&format!("{field}: must be ")), "{message}");
        }
    }

    fn alone(changes: &Value) -> Result<Config, String> {
        let mut alone = json!({"keyserver": null, "keystone": {"cluster": "keystone"},
            "token": {"identity": "keystone"}});
        for (name, value) in changes.as_object().unwrap() {
            match (alone[name].as_object_mut(), value.as_object()) {
                (Some(section), Some(fields)) => section.extend(fields.clone()),
                _ => alone[name] = value.clone(),
            }
        }
        with(&alone)
    }

    #[test]
    fn keystone_alone_needs_no_key_server() {
        let config = alone(&json!({})).unwrap();
        assert!(config.keyserver.is_none());
        let keystone = config.keystone().unwrap();
        assert_eq!(keystone.path, DEFAULT_KEYSTONE_PATH);
        assert_eq!(keystone.server.authority, "keystone");
        assert_eq!(keystone.server.timeout, DEFAULT_KEYSTONE_TIMEOUT);
        let stale = DEFAULT_STALE_VALIDATION;
        assert_eq!(config.freshness, Freshness { stale, ..DEFAULT_FRESHNESS });
        let keystone = json!({"authority": "k:5000", "timeout": "2s", "seal_secret": "hunter2",
            "path": "/identity/v3/auth/tokens"});
        let keyserver = json!({"cluster": "keyserver"});
        let config = alone(&json!({"keystone": keystone, "keyserver": keyserver, "sigv4": {}}));
        let config = config.unwrap();
        assert!(config.keyserver.is_some() && config.keystone().unwrap().server.secret.is_some());
    }

    #[test]
    fn names_the_field_of_a_combination_that_makes_no_sense() {
        for (changes, field) in [
            (json!({"keystone": null}), "keystone"),
            (json!({"token": {"identity": "records"}}), "keystone"),
            (json!({"token": {"identity": "payload"}}), "keystone"),
            (json!({"token": {"identity": "records"}, "keystone": null}), "keyserver"),
            (json!({"sigv4": {}}), "keyserver"),
            (json!({"token": {"kinds": ["restricted"]}}), "token.kinds[0]"),
            (json!({"token": {"serve_validation": true}}), "token.serve_validation"),
            (json!({"keystone": {"cluster": ""}}), "keystone.cluster"),
            (json!({"keystone": {"authority": "a b"}}), "keystone.authority"),
            (json!({"keystone": {"timeout": "31s"}}), "keystone.timeout"),
            (json!({"keystone": {"path": "v3/auth/tokens"}}), "keystone.path"),
            (json!({"keystone": {"path": "/v3/auth/tokens?nocatalog"}}), "keystone.path"),
            (json!({"keystone": {"path": "/v3\r\nx: y"}}), "keystone.path"),
            (json!({"keystone": {"seal_secret": "a\n"}}), "keystone.seal_secret"),
            (json!({"keystone": {"seal_secret": ["hunter2"]}}), "keystone.seal_secret"),
            (json!({"cache": {"fresh": "5m"}}), "cache.stale"),
        ] {
            let message = alone(&changes).expect_err(field);
            assert!(message.starts_with(&format!("{field}: must be ")), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn refuses_what_is_no_configuration() {
        for bytes in [&b""[..], b"[]", b"{} {}", b"{", b"\xff\xfe", b"mode: enforce"] {
            assert!(Config::parse(bytes).is_err());
        }
        let message = Config::parse(b"mode: enforce").unwrap_err().to_string();
        assert!(message.contains("google.protobuf.StringValue"), "{message}");
    }

    #[test]
    fn an_error_does_not_show_the_bearer_token() {
        for token in [json!("hunter2\n"), json!(["hunter2"]), json!({"hunter2": 1}), json!(2)] {
            let message = error(&json!({"keyserver": {"bearer_token": token}}));
            assert!(message.starts_with("keyserver.bearer_token: "), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
