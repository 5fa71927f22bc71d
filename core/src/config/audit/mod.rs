//! The section `audit`: of which requests there is an event, what is in it, and where it goes.

mod rules;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::check::{is_visible, number, time};
use super::{ConfigError, Server, quantity, raw, server};
use crate::audit::{MAX_EVENT, Names, Rules, UNKNOWN, Words};

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
                thing.is_none_or(is_word)
            })?,
            custom_actions: words(raw.custom_actions, "audit.custom_actions", |action| {
                action.is_some_and(|action| is_word(action) && is_under(&ACTIONS, action))
            })?,
        },
        masked_parameters: masked.iter().map(|word| word.to_ascii_lowercase()).collect(),
        log: raw.log,
        filter_state,
        collector: raw.collector.map(|raw| collector(&raw)).transpose()?,
        rules: rules::check(raw.rules)?,
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

fn words(
    words: Words,
    field: &str,
    is_right: impl Fn(Option<&str>) -> bool,
) -> Result<Words, ConfigError> {
    if words.len() > MAX_WORDS {
        return Err(ConfigError::limits(field, "at most 256 words"));
    }
    if let Some((word, _)) = words.iter().find(|(word, it)| !is_word(word) || !is_right(*it)) {
        return Err(ConfigError::limits(
            format!("{field}.{word}"),
            "of 1 to 64 visible ASCII characters, as is its value, which is null or, of an action, begins \
             with one of CADF's",
        ));
    }
    Ok(words)
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

/// Any event fits in.
const MIN_QUEUE: usize = 4 * MAX_EVENT;
/// Each worker may have that much, of a memory that ends at 1 GiB.
const MAX_QUEUE: usize = 64 * 1024 * 1024;
