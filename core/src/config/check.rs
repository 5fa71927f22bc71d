//! From what is written to what can be used: each field is checked against its limits, and the
//! error names the field.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::routes::Settings;
use super::setting::Setting;
use super::{
    Config, DEFAULT_FRESHNESS, DEFAULT_LIMITS, DEFAULT_STALE_VALIDATION, Freshness, KeyServer,
    Keystone, Limits, Missing, Mode, acl, answers, audit, complete_body, routes, schema, server,
    sigv4, token,
};
use crate::acl::{DEFAULT, PathTemplate};
use crate::bypass::{Bypass, PathPattern, Rule};
use crate::identity::SelectedHeaders;

/// The configuration that these settings make.
pub(super) fn config(settings: &Settings<'_>) -> Config {
    let [keyserver_section, keystone_section, token_section, sigv4_section] =
        ["keyserver", "keystone", "token", "sigv4"].map(|name| settings.field(name));
    let keyserver = keyserver_section.given().map(server::keyserver);
    let keystone = keystone_section.given().map(server::keystone);
    let sigv4 = sigv4_section.given().map(sigv4::check);
    if !token_section.is_given() && sigv4.is_none() {
        token_section.refuse("there, or else sigv4: with neither, nobody passes");
    }
    let freshness = freshness(&settings.field("cache"), keyserver.as_ref(), keystone.as_ref());
    let token = token_section
        .given()
        .map(|section| token::check(section, keystone.as_ref(), &keystone_section));
    let asks_keystone = token.as_ref().and_then(|it| it.records.as_ref()?.keystone()).is_some();
    if keystone.is_some() && !asks_keystone {
        keystone_section.refuse("left out, or token.identity `keystone`");
    }
    if keyserver.is_none() && !(asks_keystone && sigv4.is_none()) {
        keyserver_section
            .refuse("there: only token.identity `keystone`, without sigv4, does without it");
    }
    // Of a token without records only that is known which it says itself.
    let token_alone = sigv4.is_none() && token.as_ref().is_some_and(|it| it.records.is_none());
    let hold_headers = settings.field("hold_headers");
    let schemas = settings.shared_schemas().cloned().unwrap_or_else(|| {
        schema::check(&settings.field("schema"), &hold_headers, keyserver.is_some())
    });
    Config {
        mode: match settings.field("mode").as_text() {
            Some("shadow") => Mode::Shadow,
            _ => Mode::Enforce,
        },
        keyserver,
        token,
        sigv4,
        missing: match settings.field("missing").as_text() {
            Some("anonymous") => Missing::Anonymous,
            _ => Missing::Reject,
        },
        hold_headers: hold_headers.is_true(),
        complete_body: complete_body::check(
            &settings.field("require_complete_body"),
            &hold_headers,
        ),
        bypass: bypass(
            &settings.field("bypass"),
            settings.field("bypass_cors_preflight").is_true(),
        ),
        acl: settings.field("acl").given().and_then(|section| acl::check(section, token_alone)),
        answers: answers::check(&settings.field("answers")),
        audit: settings.field("audit").given().map(audit::check),
        times_heads: settings.field("metrics").flag("time_heads", false),
        identity_headers: identity_headers(&settings.field("identity_headers")),
        reason_header: settings.field("reason_header").given().map(reason_header),
        quota_class: settings.field("quota_class").given().map(quota_class),
        freshness,
        limits: limits(&settings.field("cache"), &settings.field("limits")),
        // The last, since they have what is wrong above as well.
        routes: routes::check(&settings.field("routes"), settings, &schemas),
        schemas,
    }
}

fn identity_headers(list: &Setting<'_>) -> SelectedHeaders {
    if !list.is_given() {
        return SelectedHeaders::default();
    }
    list.at_most(MAX_IDENTITY_HEADERS, "at most 64 names");
    SelectedHeaders::new(&list.strings()).unwrap_or_else(|place| {
        let name = list.values().nth(place);
        name.unwrap_or(*list).refuse("a header that this filter sets, such as X-User-Id");
        SelectedHeaders::default()
    })
}

fn limits(cache: &Setting<'_>, limits: &Setting<'_>) -> Limits {
    let default = DEFAULT_LIMITS;
    let rate = |name, default, most, says| {
        let default = usize::try_from(default).unwrap_or(most);
        u32::try_from(limits.count(name, default, (1, most), says)).unwrap_or(u32::MAX)
    };
    Limits {
        calls_per_second: rate(
            "calls_per_second",
            default.calls_per_second,
            100_000,
            "1 to 100000",
        ),
        scopes_per_access_key: rate(
            "scopes_per_access_key",
            default.scopes_per_access_key,
            10_000,
            "1 to 10000",
        ),
        held_body: limits.size(
            "held_body",
            default.held_body,
            (MIN_HELD_BODY, MAX_HELD_BODY),
            "16MiB to 512MiB",
        ),
        parked: limits.count("parked", default.parked, (1, MAX_PARKED), "1 to 16384"),
        entries: cache.count("entries", default.entries, (1, MAX_ENTRIES), "1 to 100000"),
        shared_entries: cache.count(
            "shared_entries",
            default.shared_entries,
            (0, MAX_SHARED_ENTRIES),
            "0 to 65536",
        ),
        calls: limits.count("calls", default.calls, (1, 1024), "1 to 1024"),
    }
}

fn bypass(list: &Setting<'_>, cors_preflight: bool) -> Bypass {
    list.at_most(MAX_RULES, "at most 256 rules");
    let mut rules = Vec::new();
    for section in list.values() {
        let methods = methods(&section.field("methods"));
        rules.extend(path(&section).map(|path| Rule { path, methods }));
    }
    Bypass { rules, cors_preflight }
}

/// The paths of a rule.
pub(super) fn path(section: &Setting<'_>) -> Option<PathPattern> {
    let path = match (section.text("path"), section.text("path_prefix")) {
        (Some(path), None) => PathPattern::exact(path.into()),
        (None, Some(prefix)) => PathPattern::prefix(prefix.into()),
        _ => {
            section.refuse("given either `path` or `path_prefix`");
            None
        }
    };
    plain_path(section, path)
}

/// A path that is written in this place, if it is a plain one.
pub(super) fn plain_path(setting: &Setting<'_>, path: Option<PathPattern>) -> Option<PathPattern> {
    if path.is_none() {
        setting.refuse(
            "a plain path: it begins with `/`, a prefix ends with `/`, and there is no query, \
             fragment, percent sign, backslash, empty or dot segment in it",
        );
    }
    path
}

/// The methods of a rule; none stands for all.
pub(super) fn methods(list: &Setting<'_>) -> Vec<String> {
    let is_method =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let limits = "an HTTP method in capital letters, such as GET";
    list.each(limits, |text| is_method(text).then(|| text.into()))
}

/// The templates of paths of a rule.
pub(super) fn templates(list: &Setting<'_>) -> Vec<PathTemplate> {
    let mut templates = Vec::new();
    for path in list.values() {
        match PathTemplate::new(path.as_text().unwrap_or_default()) {
            Ok(template) => templates.push(template),
            Err(error) => path.refuse(&format!("{error}")),
        }
    }
    templates
}

/// A name that metrics have, and that no other has.
pub(super) fn own_name(section: &Setting<'_>, is_taken: impl Fn(&str) -> bool) -> String {
    let name = section.text("name").unwrap_or_default();
    if !is_label(name) || name == DEFAULT || is_taken(name) {
        section.field("name").refuse(
            "1 to 64 letters, digits, hyphens and underscores, of its own, and not `default`",
        );
    }
    name.into()
}

/// A name that is no list, in a header or a metric.
fn is_label(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

fn quota_class(field: &Setting<'_>) -> String {
    field.as_text_that("", is_label, "1 to 64 letters, digits, hyphens and underscores")
}

fn reason_header(field: &Setting<'_>) -> String {
    let is_own = |name: &str| {
        let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        // Any other name means something to clients or proxies, or may some day.
        let begins = name.get(..2).is_some_and(|begin| begin.eq_ignore_ascii_case("x-"));
        name.len() <= 64 && is_token && begins
    };
    let limits = "a header's name that begins with x-, such as x-voussoir-reason";
    field.as_text_that("", is_own, limits).to_ascii_lowercase()
}

fn freshness(
    section: &Setting<'_>,
    keyserver: Option<&KeyServer>,
    keystone: Option<&Keystone>,
) -> Freshness {
    const DAY: (u64, u64) = (1_000, 86_400_000);
    let default = DEFAULT_FRESHNESS;
    let default_stale = keystone.map_or(default.stale, |_| DEFAULT_STALE_VALIDATION);
    let timeouts = [keyserver.map(|it| it.server.timeout), keystone.map(|it| it.server.timeout)];
    let timeout = timeouts.into_iter().flatten().max().unwrap_or_default();
    let fresh = section.time("fresh", default.fresh, DAY, "1s to 24h, such as \"60s\"");
    let stale = section.time("stale", default_stale, DAY, "1s to 24h, such as \"1h\"");
    // Else keys would go stale while they are being confirmed.
    if stale < fresh + timeout * 2 {
        section
            .field("stale")
            .refuse("at least cache.fresh and twice the timeout of keyserver and keystone");
    }
    let negative = section.time("negative", default.negative, DAY, "1s to 24h, such as \"30s\"");
    Freshness { fresh, stale, negative }
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
    fn names_a_field_that_is_there_twice() {
        for (json, message) in [
            (r#"{"mode":"shadow","mode":"enforce"}"#, ".: duplicate field `mode`"),
            (r#"{"acl":{"rules":[{},{"to":[],"to":[]}]}}"#, "acl.rules[1]: duplicate field `to`"),
        ] {
            assert_eq!(Config::parse(json.as_bytes()).unwrap_err().to_string(), message);
        }
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
