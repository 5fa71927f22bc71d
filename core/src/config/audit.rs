//! The section `audit`: of which requests there is an event, what is in it, and where it goes.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::check::{is_visible, methods, number, time};
use super::{ConfigError, Server, quantity, raw, server};
use crate::acl::{Operation, PathTemplate};
use crate::audit::{MAX_EVENT, MAX_RULES, Names, Outcome, Rule, Rules, Sample, UNKNOWN};
use crate::gate::{UNDECIDED, Verdict};

/// What the audit log does.
#[derive(Clone, Debug)]
pub struct AuditRules {
    /// What sees: the proxy.
    pub observer: Resource,
    /// What is seen: the service behind it.
    pub target: Resource,
    /// The words of the service's API.
    pub names: Names,
    /// What names of parameters contain that must not be shown, besides those that are known; in lower case.
    pub masked_parameters: Vec<String>,
    /// Whether events stand in the proxy's log.
    pub log: bool,
    /// What the access log can show.
    pub filter_state: FilterState,
    /// Where events are sent to, if anywhere.
    pub collector: Option<Collector>,
    /// Of which requests there is an event.
    pub rules: Rules,
}

/// Something that events name.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its type, in the taxonomy of CADF.
    pub type_uri: String,
}

/// What stands in the request's filter state when its access log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterState {
    /// The event, if there is one.
    Event,
    /// Nothing.
    None,
    /// Who sent the request and how it was decided, of every request.
    Summary,
}

/// Where events are sent to.
#[derive(Clone, Debug)]
pub struct Collector {
    /// How it is reached. Its secret is a bearer token.
    pub server: Server,
    /// The path that takes events.
    pub path: String,
    /// The most events of a batch.
    pub batch: usize,
    /// How long an event may wait for others.
    pub every: Duration,
    /// The most bytes of events that one worker keeps for it.
    pub queue: usize,
}

/// What a collector's queue is by default.
pub const DEFAULT_COLLECTOR: (usize, Duration, usize) =
    (100, Duration::from_secs(1), 4 * 1024 * 1024);

/// What CADF calls a part that watches requests.
pub const DEFAULT_OBSERVER_TYPE: &str = "service/security/audit/filter";

pub(super) fn check(raw: raw::Audit) -> Result<AuditRules, ConfigError> {
    let filter_state = match raw.filter_state {
        Some(raw::FilterState::Event) => FilterState::Event,
        Some(raw::FilterState::Summary) => FilterState::Summary,
        Some(raw::FilterState::None) | None => FilterState::None,
    };
    if !raw.log && raw.collector.is_none() && filter_state == FilterState::None {
        return Err(ConfigError::limits(
            "audit",
            "given `log`, `filter_state` or `collector`, or else events go nowhere",
        ));
    }
    let masked = raw.masked_parameters.unwrap_or_default();
    if masked.len() > MAX_MASKED || !masked.iter().all(|word| is_word(word)) {
        return Err(ConfigError::limits(
            "audit.masked_parameters",
            "at most 64 parts of names, of 1 to 64 visible ASCII characters",
        ));
    }
    Ok(AuditRules {
        observer: resource(raw.observer, "audit.observer", DEFAULT_OBSERVER_TYPE)?,
        target: resource(raw.target, "audit.target", UNKNOWN)?,
        names: Names {
            path_keywords: words(raw.path_keywords, "audit.path_keywords", |thing| {
                thing.is_none_or(|thing| is_word(thing))
            })?,
            custom_actions: words(raw.custom_actions, "audit.custom_actions", |action| {
                action.is_some_and(|action| is_word(action) && is_under(&ACTIONS, action))
            })?,
        },
        masked_parameters: masked.iter().map(|word| word.to_ascii_lowercase()).collect(),
        log: raw.log,
        filter_state,
        collector: raw.collector.map(|raw| collector(&raw)).transpose()?,
        rules: rules(raw.rules)?,
    })
}

fn resource(
    raw: Option<raw::AuditResource>,
    field: &str,
    default_type: &str,
) -> Result<Resource, ConfigError> {
    let raw = raw.unwrap_or_default();
    let type_uri = raw.type_uri.unwrap_or_else(|| default_type.into());
    if !is_visible(type_uri.as_bytes(), 128) || !is_under(&TYPES, &type_uri) {
        return Err(ConfigError::limits(
            format!("{field}.type_uri"),
            "at most 128 visible ASCII characters, and a type of CADF's, such as service/compute",
        ));
    }
    for (name, text) in [("id", &raw.id), ("name", &raw.name)] {
        let is_text = |text: &String| (1..=MAX_NAME).contains(&text.len());
        if !text.as_ref().is_none_or(is_text) {
            return Err(ConfigError::limits(format!("{field}.{name}"), "1 to 255 bytes"));
        }
    }
    Ok(Resource { id: raw.id, name: raw.name, type_uri })
}

type Words = BTreeMap<String, Option<String>>;

fn words(
    words: Words,
    field: &str,
    is_right: impl Fn(Option<&String>) -> bool,
) -> Result<Words, ConfigError> {
    if words.len() > MAX_WORDS {
        return Err(ConfigError::limits(field, "at most 256 words"));
    }
    match words.iter().find(|(word, it)| !is_word(word) || !is_right(it.as_ref())) {
        None => Ok(words),
        Some((word, _)) => Err(ConfigError::limits(
            format!("{field}.{word}"),
            "of 1 to 64 visible ASCII characters, as is its value, which is null or, of an action, begins \
             with one of CADF's",
        )),
    }
}

fn collector(raw: &raw::Collector) -> Result<Collector, ConfigError> {
    let (server, path) = server::collector(raw)?;
    let (batch, every, queue) = DEFAULT_COLLECTOR;
    let error = |field: &str, limits: &'static str| {
        ConfigError::limits(format!("audit.collector.{field}"), limits)
    };
    let size = raw.queue.as_deref().map_or(Some(queue), quantity::size);
    Ok(Collector {
        server,
        path,
        batch: number(raw.batch, batch, 1..=1000).ok_or_else(|| error("batch", "1 to 1000"))?,
        every: time(raw.every.as_deref(), every, 100, 60_000)
            .ok_or_else(|| error("every", "100ms to 60s, such as \"1s\""))?,
        queue: size
            .filter(|size| (MIN_QUEUE..=MAX_QUEUE).contains(size))
            .ok_or_else(|| error("queue", "64KiB to 64MiB"))?,
    })
}

fn rules(raw: Vec<raw::AuditRule>) -> Result<Rules, ConfigError> {
    let rules = raw.into_iter().enumerate();
    let rules = rules.map(|(index, raw)| rule(raw, &format!("audit.rules[{index}]")));
    let rules = rules.collect::<Result<Vec<_>, _>>()?;
    let paths: usize = rules.iter().map(|rule| rule.to.len()).sum();
    if paths > MAX_PATHS {
        return Err(ConfigError::limits("audit.rules", "at most 256 paths, over all rules"));
    }
    Rules::new(rules)
        .ok_or_else(|| ConfigError::limits("audit.rules", format!("at most {MAX_RULES} rules")))
}

fn rule(raw: raw::AuditRule, field: &str) -> Result<Rule, ConfigError> {
    let sample = raw
        .sample
        .as_deref()
        .map_or(Some(Sample::ALL), |text| quantity::share(text).and_then(Sample::new));
    let sample = sample.ok_or_else(|| {
        ConfigError::limits(format!("{field}.sample"), "0% to 100%, such as \"0.5%\"")
    })?;
    let outcomes = raw.outcomes.unwrap_or_default().into_iter().map(|outcome| match outcome {
        raw::Outcome::Failure => Outcome::Failure,
        raw::Outcome::Success => Outcome::Success,
        raw::Outcome::Unknown => Outcome::Unknown,
    });
    let verdicts = raw.verdicts.unwrap_or_default().into_iter().enumerate();
    let verdicts = verdicts.map(|(index, name)| {
        verdict(&name).ok_or_else(|| {
            ConfigError::limits(format!("{field}.verdicts[{index}]"), verdict_names())
        })
    });
    let operation = Operation { methods: methods(raw.methods, field)?, ..Operation::default() };
    let paths = raw.paths.unwrap_or_default();
    let mut to = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let path = PathTemplate::new(path).map_err(|error| {
            ConfigError::limits(format!("{field}.paths[{index}]"), format!("{error}"))
        })?;
        to.push(Operation { path: Some(path), ..operation.clone() });
    }
    if to.is_empty() {
        to.push(operation);
    }
    Ok(Rule {
        to,
        verdicts: verdicts.collect::<Result<_, _>>()?,
        outcomes: outcomes.collect(),
        sample,
    })
}

/// How requests are decided of which there are events. Our own are none.
fn verdicts() -> impl Iterator<Item = &'static str> {
    let all = Verdict::all().filter(|verdict| *verdict != Verdict::ListenerCheck);
    all.map(Verdict::outcome).chain([UNDECIDED])
}

fn verdict(name: &str) -> Option<&'static str> {
    verdicts().find(|verdict| *verdict == name)
}

fn verdict_names() -> String {
    let mut names: Vec<_> = verdicts().collect();
    names.sort_unstable();
    names.dedup();
    format!("one of {}", names.join(", "))
}

/// pycadf takes whatever begins with a word of the taxonomy.
fn is_under(words: &[&str], text: &str) -> bool {
    words.iter().any(|word| {
        text.strip_prefix(word).is_some_and(|rest| matches!(rest.as_bytes(), [] | [b'/', _, ..]))
    })
}

fn is_word(text: &str) -> bool {
    is_visible(text.as_bytes(), 64)
}

/// CADF's taxonomy of actions (DSP0262, A.3), as pycadf has it.
const ACTIONS: [&str; 25] = [
    "allow",
    "authenticate",
    "backup",
    "capture",
    "configure",
    "create",
    "delete",
    "deny",
    "deploy",
    "disable",
    "enable",
    "evaluate",
    "monitor",
    "notify",
    "read",
    "receive",
    "renew",
    "restore",
    "revoke",
    "send",
    "start",
    "stop",
    "undeploy",
    UNKNOWN,
    "update",
];

/// The roots of CADF's taxonomy of resources (DSP0262, A.2).
const TYPES: [&str; 6] = ["compute", "data", "network", "service", "storage", UNKNOWN];

const MAX_NAME: usize = 255;
const MAX_MASKED: usize = 64;
const MAX_WORDS: usize = 256;
const MAX_PATHS: usize = 256;

/// Any event fits in.
const MIN_QUEUE: usize = 4 * MAX_EVENT;
/// Each worker may have that much, of a memory that ends at 1 GiB.
const MAX_QUEUE: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Config, example};
    use alloc::string::ToString as _;
    use alloc::vec;
    use serde_json::{Value, json};

    fn parse(audit: &Value) -> Result<AuditRules, String> {
        let config = Config::parse(example::with(&json!({"audit": audit})).as_bytes());
        config.map(|config| config.audit.unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn there_is_no_audit_log_by_default_and_a_short_one_has_all_requests() {
        assert!(Config::parse(example::with(&json!({})).as_bytes()).unwrap().audit.is_none());
        let rules = parse(&json!({"collector": {"cluster": "audit"}})).unwrap();
        let Collector { server, path, batch, every, queue } = rules.collector.unwrap();
        assert_eq!((&*server.authority, &*path), ("audit", "/"));
        assert_eq!(server.timeout, Duration::from_secs(5));
        assert_eq!((batch, every, queue), DEFAULT_COLLECTOR);
        assert_eq!(rules.filter_state, FilterState::None);
        assert!(!rules.log && rules.masked_parameters.is_empty());
        assert_eq!(rules.observer.type_uri, DEFAULT_OBSERVER_TYPE);
        assert_eq!(rules.target.type_uri, "unknown");
        assert!(parse(&json!({"log": true})).unwrap().collector.is_none());
    }

    #[test]
    fn every_field_can_be_set() {
        let rules = parse(&json!({
            "observer": {"id": "edge-1", "name": "edge", "type_uri": "service/security"},
            "target": {"id": "t", "name": "nova", "type_uri": "service/compute"},
            "path_keywords": {"servers": "server", "detail": null},
            "custom_actions": {"reboot": "start/reboot", "os-migrations/get": "read"},
            "masked_parameters": ["Licence"],
            "log": true,
            "filter_state": "summary",
            "collector": {"cluster": "c", "authority": "a:1", "path": "/v1?x", "timeout": "2s",
                "bearer_token": "hunter2", "batch": 7, "every": "100ms", "queue": "64KiB"},
            "rules": [
                {"verdicts": ["rejected", "undecided"], "outcomes": ["failure", "unknown"]},
                {"methods": ["GET"], "paths": ["/health", "/v2.1/**"], "sample": "0.5%"},
                {"sample": "0%", "outcomes": ["success"]},
            ],
        }));
        let rules = rules.unwrap();
        assert_eq!(rules.observer.id.as_deref(), Some("edge-1"));
        assert_eq!(rules.target.name.as_deref(), Some("nova"));
        assert_eq!(rules.names.path_keywords["servers"].as_deref(), Some("server"));
        assert_eq!(rules.names.path_keywords["detail"], None);
        assert_eq!(rules.names.custom_actions["reboot"].as_deref(), Some("start/reboot"));
        assert_eq!(rules.masked_parameters, ["licence"]);
        assert!(rules.log);
        assert_eq!(rules.filter_state, FilterState::Summary);
        let Collector { server, path, batch, every, queue } = rules.collector.unwrap();
        assert!(server.secret.unwrap().matches(b"hunter2"));
        assert_eq!((&*server.authority, &*path, batch), ("a:1", "/v1?x", 7));
        assert_eq!((every, queue), (Duration::from_millis(100), 65_536));
        let rules = format!("{:?}", rules.rules);
        assert_eq!(rules.matches("Rule {").count(), 3);
        assert_eq!(rules.matches("PathTemplate").count(), 2);
        assert!(rules.contains("Sample(5000)") && rules.contains("\"undecided\""), "{rules}");
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        let long = "a".repeat(256);
        for (changes, field) in [
            (json!({"log": false}), "audit"),
            (json!({"observer": {"type_uri": "nova"}}), "audit.observer.type_uri"),
            (json!({"target": {"type_uri": "service/"}}), "audit.target.type_uri"),
            (json!({"target": {"type_uri": "services"}}), "audit.target.type_uri"),
            (json!({"target": {"id": ""}}), "audit.target.id"),
            (json!({"observer": {"name": long}}), "audit.observer.name"),
            (json!({"path_keywords": {"a b": null}}), "audit.path_keywords.a b"),
            (json!({"path_keywords": {"a": ""}}), "audit.path_keywords.a"),
            (json!({"custom_actions": {"a": null}}), "audit.custom_actions.a"),
            (json!({"custom_actions": {"a": "reboot"}}), "audit.custom_actions.a"),
            (json!({"masked_parameters": [""]}), "audit.masked_parameters"),
            (json!({"masked_parameters": vec!["a"; 65]}), "audit.masked_parameters"),
            (json!({"collector": {"cluster": ""}}), "audit.collector.cluster"),
            (json!({"collector": {"cluster": "c", "path": "v1"}}), "audit.collector.path"),
            (json!({"collector": {"cluster": "c", "timeout": "31s"}}), "audit.collector.timeout"),
            (
                json!({"collector": {"cluster": "c", "bearer_token": "a\n"}}),
                "audit.collector.bearer_token",
            ),
            (
                json!({"collector": {"cluster": "c", "bearer_token": ["hunter2"]}}),
                "audit.collector.bearer_token",
            ),
            (json!({"collector": {"cluster": "c", "batch": 0}}), "audit.collector.batch"),
            (json!({"collector": {"cluster": "c", "every": "99ms"}}), "audit.collector.every"),
            (json!({"collector": {"cluster": "c", "queue": "63KiB"}}), "audit.collector.queue"),
            (json!({"collector": {"cluster": "c", "queue": "65MiB"}}), "audit.collector.queue"),
            (json!({"rules": [{}, {"sample": "101%"}]}), "audit.rules[1].sample"),
            (json!({"rules": [{"verdicts": ["denied"]}]}), "audit.rules[0].verdicts[0]"),
            (json!({"rules": [{"verdicts": ["listener_check"]}]}), "audit.rules[0].verdicts[0]"),
            (json!({"rules": [{"methods": ["get"]}]}), "audit.rules[0].methods[0]"),
            (json!({"rules": [{"paths": ["/a", "/**/b"]}]}), "audit.rules[0].paths[1]"),
            (json!({"rules": vec![json!({}); 65]}), "audit.rules"),
            (json!({"rules": [{"paths": vec!["/a"; 257]}]}), "audit.rules"),
        ] {
            let mut whole = json!({"log": true});
            whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let message = parse(&whole).expect_err(field);
            assert!(message.starts_with(&format!("{field}: must be ")), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        let message = parse(&json!({"rules": [{"verdicts": [""]}], "log": true})).unwrap_err();
        assert_eq!(
            message,
            "audit.rules[0].verdicts[0]: must be one of allowed, anonymous, answered, bypassed, \
             rejected, unavailable, undecided"
        );
        let words: Value = (0..257).map(|number| (number.to_string(), Value::Null)).collect();
        let message = parse(&json!({"path_keywords": words, "log": true})).unwrap_err();
        assert_eq!(message, "audit.path_keywords: must be at most 256 words");
        for unknown in [json!({"logs": true}), json!({"rules": [{"sampling": "1%"}], "log": true})]
        {
            assert!(parse(&unknown).unwrap_err().contains("unknown field"));
        }
    }
}
