//! The fields of a configuration, and what may be written for each: what it is held against before it is read.
//!
//! No object may have others, so that a misspelt field is an error and not a setting silently left at its
//! default. Defaults and limits stand where the sections are read.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::setting::Setting;
use crate::json::{self, Json};
use Kind::{
    Any, Flag, List, Map, Needed, NotNull, Number, Secret, Section, Text, Word, WordOrSection,
};

/// The fields of an object, by their names.
pub(super) type Fields = &'static [(&'static str, Kind)];

/// What may be written for a field. It may be missing, and `null` is as if it were.
pub(super) enum Kind {
    Any,
    Flag,
    Number,
    Text,
    /// A text that no message shows.
    Secret,
    /// One of these texts.
    Word(&'static [&'static str]),
    List(&'static Self),
    /// An object whose members have names of their own. What is wrong with one is said of the map: names are
    /// known where they are written only.
    Map(&'static Self),
    /// An object with these fields.
    Section(Fields),
    /// An object as the section, and anything else as the word.
    WordOrSection(&'static Self, &'static Self),
    /// It may not be `null`.
    NotNull(&'static Self),
    /// Nor may it be missing.
    Needed(&'static Self),
}

/// All of them.
pub(super) const CONFIG: Fields = &[
    ("mode", Word(&["enforce", "shadow"])),
    ("keyserver", Section(KEYSERVER)),
    ("keystone", Section(KEYSTONE)),
    ("token", Section(TOKEN)),
    ("sigv4", Section(SIGV4)),
    ("missing", Word(&["reject", "anonymous"])),
    ("hold_headers", NotNull(&Flag)),
    ("require_complete_body", NotNull(&List(&Section(COMPLETE_BODY)))),
    ("bypass", NotNull(&List(&Section(BYPASS)))),
    ("bypass_cors_preflight", NotNull(&Flag)),
    ("acl", Section(ACL)),
    ("answers", WordOrSection(&Word(&["keystone", "nova", "s3"]), &Section(ANSWERS))),
    ("routes", NotNull(&List(&Section(ROUTE)))),
    ("audit", Section(AUDIT)),
    ("metrics", NotNull(&Section(METRICS))),
    ("schema", List(&Section(SCHEMA))),
    ("identity_headers", List(&Text)),
    ("reason_header", Text),
    ("quota_class", Text),
    ("cache", NotNull(&Section(CACHE))),
    ("limits", NotNull(&Section(LIMITS))),
];

const KEYSERVER: Fields = &[
    ("cluster", Needed(&Text)),
    ("authority", Text),
    ("timeout", Text),
    ("poll", Text),
    ("bearer_token", Secret),
];

const KEYSTONE: Fields = &[
    ("cluster", Needed(&Text)),
    ("authority", Text),
    ("timeout", Text),
    ("path", Text),
    ("seal_secret", Secret),
];

const TOKEN: Fields = &[
    ("www_authenticate_uri", Needed(&Text)),
    ("methods", List(&Text)),
    ("kinds", List(&Text)),
    ("max_length", Number),
    ("forward", Flag),
    ("identity", Word(&["keystone", "payload", "records"])),
    ("service_type", Text),
    ("service_token_roles", List(&Text)),
    ("service_token_roles_required", Flag),
    ("allow_expired_window", Text),
    ("catalog", Flag),
    ("serve_validation", Flag),
    ("challenge_service_401", Flag),
];

const SIGV4: Fields = &[
    ("services", List(&Text)),
    ("regions", List(&Text)),
    ("access_key_prefix", Text),
    ("max_skew", Text),
    ("max_chunk", Text),
    ("decode_chunks", Flag),
    ("forward", Flag),
    ("listener_check", Section(LISTENER_CHECK)),
];

const LISTENER_CHECK: Fields = &[("cluster", Needed(&Text)), ("authority", Text)];

const BYPASS: Fields = &[("path", Text), ("path_prefix", Text), ("methods", List(&Text))];

const COMPLETE_BODY: Fields = &[
    ("path", Text),
    ("path_prefix", Text),
    ("methods", List(&Text)),
    ("max", Text),
    ("within", Text),
    ("json", Flag),
];

const ACL: Fields = &[
    ("default", Word(ACTIONS)),
    ("s3_hosts", NotNull(&List(&Text))),
    ("rules", NotNull(&List(&Section(ACL_RULE)))),
];

const ACTIONS: &[&str] = &["allow", "deny"];

const ACL_RULE: Fields = &[
    ("name", Needed(&Text)),
    ("action", Needed(&Word(ACTIONS))),
    ("to", NotNull(&List(&Section(ACL_TO)))),
    ("from", NotNull(&List(&Section(ACL_FROM)))),
    ("when", NotNull(&List(&Section(ACL_WHEN)))),
    ("when_any", NotNull(&List(&List(&Section(ACL_WHEN))))),
];

const ACL_TO: Fields = &[
    ("hosts", List(&Text)),
    ("methods", List(&Text)),
    ("paths", List(&Text)),
    ("operations", List(&Text)),
    ("buckets", List(&Text)),
    ("keys", List(&Text)),
];

const ACL_FROM: Fields = &[("ip_blocks", Needed(&List(&Text)))];

const ACL_WHEN: Fields = &[
    ("key", Needed(&Text)),
    ("values", List(&Text)),
    ("not_values", List(&Text)),
    ("or_none", NotNull(&Flag)),
];

const ANSWERS: Fields = &[("content_type", Needed(&Text)), ("body", Needed(&Text))];

const ROUTE: Fields = &[
    ("name", Needed(&Text)),
    ("to", NotNull(&List(&Section(ROUTE_TO)))),
    ("names", NotNull(&List(&Text))),
    ("metadata", NotNull(&List(&Section(ROUTE_METADATA)))),
    // What each may be is looked at with the plugin's own.
    ("settings", NotNull(&Map(&Any))),
];

const ROUTE_TO: Fields = &[
    ("hosts", NotNull(&List(&Text))),
    ("methods", NotNull(&List(&Text))),
    ("paths", NotNull(&List(&Text))),
];

const ROUTE_METADATA: Fields =
    &[("filter", Needed(&Text)), ("key", Needed(&Text)), ("values", Needed(&List(&Text)))];

const AUDIT: Fields = &[
    ("observer", Section(AUDIT_RESOURCE)),
    ("target", Section(AUDIT_RESOURCE)),
    ("path_keywords", NotNull(&Map(&Text))),
    ("custom_actions", NotNull(&Map(&Text))),
    ("masked_parameters", List(&Text)),
    ("log", NotNull(&Flag)),
    ("filter_state", Word(&["event", "none", "summary"])),
    ("collector", Section(COLLECTOR)),
    ("rules", NotNull(&List(&Section(AUDIT_RULE)))),
];

const AUDIT_RESOURCE: Fields = &[("id", Text), ("name", Text), ("type_uri", Text)];

const COLLECTOR: Fields = &[
    ("cluster", Needed(&Text)),
    ("authority", Text),
    ("path", Text),
    ("timeout", Text),
    ("bearer_token", Secret),
    ("batch", Number),
    ("every", Text),
    ("queue", Text),
];

const AUDIT_RULE: Fields = &[
    ("verdicts", List(&Text)),
    ("outcomes", List(&Word(&["failure", "success", "unknown"]))),
    ("methods", List(&Text)),
    ("paths", List(&Text)),
    ("sample", Text),
];

const SCHEMA: Fields = &[
    ("name", Needed(&Text)),
    ("compiled", Any),
    ("digest", Text),
    ("hosts", List(&Text)),
    ("path_prefix", Text),
    ("mode", Word(&["enforce", "report"])),
    ("max_body", Text),
    ("within", Text),
    ("unknown_parameters", Word(&["allow", "refuse"])),
];

const METRICS: Fields = &[("time_heads", NotNull(&Flag))];

const CACHE: Fields = &[
    ("fresh", Text),
    ("stale", Text),
    ("negative", Text),
    ("entries", Number),
    ("shared_entries", Number),
];

const LIMITS: Fields = &[
    ("parked", Number),
    ("calls", Number),
    ("calls_per_second", Number),
    ("scopes_per_access_key", Number),
    ("held_body", Text),
];

/// Which mechanisms a route has.
pub(super) const MECHANISMS: Kind = NotNull(&List(&Text));

/// Notes what is wrong with the fields of an object.
pub(super) fn check(object: &Setting<'_>, fields: Fields) {
    if !object.is_section() {
        return object.note(json::unexpected(object.json, "a map"));
    }
    let known: Vec<_> = fields.iter().map(|(known, _)| *known).collect();
    for member in object.members() {
        if !known.contains(&member.name()) {
            member.note(unknown(member.name(), &known));
        }
    }
    for (name, kind) in fields {
        if object.has(name) {
            kind.check(&object.field(name));
        } else if matches!(kind, Needed(_)) {
            object.note(format!("missing field `{name}`"));
        }
    }
}

/// What is wrong with a field that is none of those that are known.
pub(super) fn unknown(name: &str, known: &[&str]) -> String {
    format!("unknown field `{name}`, {}", json::one_of_these(known))
}

impl Kind {
    /// Notes what is wrong with what is written for a field.
    pub(super) fn check(&self, field: &Setting<'_>) {
        match self {
            NotNull(kind) | Needed(kind) => kind.check_value(field),
            kind if field.is_given() => kind.check_value(field),
            _ => {}
        }
    }

    fn check_value(&self, value: &Setting<'_>) {
        let expected = match (self, value.json) {
            (Any, _) | (Flag, Json::Bool(_)) | (Text | Secret, Json::Text(_)) => return,
            (Number, Json::Number(number)) if number.as_u64().is_some() => {
                if value.json.as_usize().is_none() {
                    value.note("number too large".into());
                }
                return;
            }
            (Word(words), Json::Text(text)) => {
                if !words.contains(&text.as_str()) {
                    let known = json::one_of_these(words);
                    value.note(format!("unknown variant `{}`, {known}", text.as_str()));
                }
                return;
            }
            (List(kind), Json::List(_)) => {
                return value.values().for_each(|value| kind.check_value(&value));
            }
            (Map(kind), Json::Object(_)) => {
                for Setting { json, .. } in value.members() {
                    kind.check(&value.with(json));
                }
                return;
            }
            (Section(fields), _) => return check(value, fields),
            (WordOrSection(_, kind), Json::Object(_)) | (WordOrSection(kind, _), _) => {
                return kind.check_value(value);
            }
            (NotNull(kind) | Needed(kind), _) => return kind.check_value(value),
            // The value would stand in the message.
            (Secret, _) => return value.refuse("a text"),
            (Flag, _) => "a boolean",
            (Number, _) => "a whole number",
            (Text | Word(_), _) => "a string",
            (List(_), _) => "a sequence",
            (Map(_), _) => "a map",
        };
        value.note(json::unexpected(value.json, expected));
    }
}
