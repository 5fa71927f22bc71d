//! The section `audit`: of which requests there is an event, what is in it, and where it goes.

mod rules;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::check::is_visible;
use super::setting::Setting;
use super::{Server, server};
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

pub(super) fn check(section: &Setting<'_>) -> AuditRules {
    let filter_state = match section.text("filter_state") {
        Some("event") => FilterState::Event,
        Some("summary") => FilterState::Summary,
        _ => FilterState::None,
    };
    let log = section.flag("log", false);
    let collector = section.field("collector").given().map(collector);
    if !log && collector.is_none() && filter_state == FilterState::None {
        section.refuse("given `log`, `filter_state` or `collector`, or else events go nowhere");
    }
    let is_action = |action: Option<&str>| {
        action.is_some_and(|action| is_word(action) && is_under(&ACTIONS, action))
    };
    AuditRules {
        observer: resource(&section.field("observer"), DEFAULT_OBSERVER_TYPE),
        target: resource(&section.field("target"), UNKNOWN),
        names: Names {
            path_keywords: words(&section.field("path_keywords"), |thing| {
                thing.is_none_or(is_word)
            }),
            custom_actions: words(&section.field("custom_actions"), is_action),
        },
        masked_parameters: masked(&section.field("masked_parameters")),
        log,
        filter_state,
        collector,
        rules: rules::check(&section.field("rules")),
    }
}

fn masked(list: &Setting<'_>) -> Vec<String> {
    let mut masked = list.strings();
    if masked.len() > MAX_MASKED || !masked.iter().all(|word| is_word(word)) {
        list.refuse("at most 64 parts of names, of 1 to 64 visible ASCII characters");
    }
    for word in &mut masked {
        word.make_ascii_lowercase();
    }
    masked
}

fn resource(section: &Setting<'_>, default_type: &str) -> Resource {
    let is_type = |text: &str| is_visible(text.as_bytes(), 128) && is_under(&TYPES, text);
    let type_uri = section.text_that(
        "type_uri",
        default_type,
        is_type,
        "at most 128 visible ASCII characters, and a type of CADF's, such as service/compute",
    );
    let [id, name] = ["id", "name"].map(|name| {
        let is_text = |text: &str| (1..=MAX_NAME).contains(&text.len());
        section.optional(name, is_text, "1 to 255 bytes")
    });
    Resource { id, name, type_uri }
}

fn words(map: &Setting<'_>, is_right: fn(Option<&str>) -> bool) -> Words {
    let mut words = Vec::new();
    for word in map.members() {
        if !is_word(word.name()) || !is_right(word.as_text()) {
            word.refuse(
                "of 1 to 64 visible ASCII characters, as is its value, which is null or, of an action, \
                 begins with one of CADF's",
            );
        }
        words.push((word.name().into(), word.as_text().map(String::from)));
    }
    if words.len() > MAX_WORDS {
        map.refuse("at most 256 words");
    }
    Words::new(words)
}

fn collector(section: &Setting<'_>) -> Collector {
    let (server, path) = server::collector(section);
    let (batch, every, queue) = DEFAULT_COLLECTOR;
    Collector {
        server,
        path,
        batch: section.count("batch", batch, (1, 1000), "1 to 1000"),
        every: section.time("every", every, (100, 60_000), "100ms to 60s, such as \"1s\""),
        queue: section.size("queue", queue, (MIN_QUEUE, MAX_QUEUE), "64KiB to 64MiB"),
    }
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
