//! The section `token`: which tokens are taken, and what is made of them.

use alloc::string::String;
use alloc::vec::Vec;

use super::check::is_visible;
use super::setting::Setting;
use super::{
    DEFAULT_ALLOW_EXPIRED_WINDOW, DEFAULT_KINDS, DEFAULT_KINDS_WITH_RECORDS, DEFAULT_MAX_LENGTH,
    Keystone, RecordRules, Source, TokenRules,
};
use crate::record::MAX_TEXT;
use crate::token::{Kind, MethodNames};

/// Reads the rules for tokens, and with them who is asked about each.
pub(super) fn check(
    section: &Setting<'_>,
    keystone: Option<&Keystone>,
    keystone_field: &Setting<'_>,
) -> TokenRules {
    let records = records(section, keystone, keystone_field);
    let is_uri = |uri: &str| {
        (uri.starts_with("http://") || uri.starts_with("https://"))
            && is_visible(uri.as_bytes(), 2048)
            && !uri.contains(['"', '\\'])
    };
    let www_authenticate_uri = section.text_that(
        "www_authenticate_uri",
        "",
        is_uri,
        "an http:// or https:// URI of at most 2048 visible ASCII characters, without quotes",
    );
    let answers_in_place = records.as_ref().is_none_or(|rules| rules.serve_validation);
    TokenRules {
        www_authenticate_uri,
        kinds: kinds(&section.field("kinds"), records.is_some()),
        methods: methods(&section.field("methods")),
        max_length: section.count("max_length", DEFAULT_MAX_LENGTH, (100, 16_384), "100 to 16384"),
        forward: section.flag("forward", true),
        challenges_service_401: section.flag("challenge_service_401", !answers_in_place),
        records,
    }
}

/// What is said of records, which only they need.
fn records(
    section: &Setting<'_>,
    keystone: Option<&Keystone>,
    keystone_field: &Setting<'_>,
) -> Option<RecordRules> {
    let identity = section.text("identity");
    if identity == Some("keystone") && keystone.is_none() {
        keystone_field.refuse("there: token.identity is `keystone`");
    }
    let keystone = keystone.filter(|_| identity == Some("keystone"));
    let rules = RecordRules {
        source: keystone.map_or(Source::KeyServer, |keystone| Source::Keystone(keystone.clone())),
        allow_expired_window: section.time(
            "allow_expired_window",
            DEFAULT_ALLOW_EXPIRED_WINDOW,
            (0, MAX_EXPIRED_WINDOW),
            "0s to 720h, such as \"48h\"",
        ),
        service_type: section.optional("service_type", is_text, TEXT),
        service_token_roles: service_token_roles(&section.field("service_token_roles")),
        service_token_roles_required: section.flag("service_token_roles_required", true),
        catalog: section.flag("catalog", false),
        serve_validation: section.flag("serve_validation", false),
    };
    if rules.serve_validation && !section.flag("forward", true) {
        section.field("forward").refuse(
            "true with token.serve_validation: what is not answered here Keystone must get as it came",
        );
    }
    if rules.serve_validation && keystone.is_some() {
        section.field("serve_validation").refuse(
            "left out, or token.identity `records`: who asks Keystone does not answer in its place",
        );
    }
    if identity != Some("payload") {
        return Some(rules);
    }
    let of_records = OF_RECORDS.iter().map(|name| section.field(name));
    for field in of_records.filter(Setting::is_given) {
        field.refuse("left out, or token.identity `records` or `keystone`: it needs them");
    }
    None
}

fn service_token_roles(field: &Setting<'_>) -> Vec<String> {
    if !field.is_given() {
        return Vec::from(["service".into()]);
    }
    let roles = field.each(TEXT, |role| is_text(role).then(|| role.into()));
    field.at_most(MAX_SERVICE_TOKEN_ROLES, "at most 64 roles");
    roles
}

fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn methods(field: &Setting<'_>) -> MethodNames {
    if !field.is_given() {
        return MethodNames::default();
    }
    let mut names = Vec::<String>::new();
    for value in field.values() {
        let name = value.as_text().unwrap_or_default();
        let is_plain =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if name.is_empty() || !is_plain || names.iter().any(|other| other == name) {
            value.refuse("a method's name, each only once, as in [auth] methods of keystone.conf");
        }
        names.push(name.into());
    }
    MethodNames::new(names).unwrap_or_else(|| {
        field.refuse("at most 64 names");
        MethodNames::default()
    })
}

fn kinds(field: &Setting<'_>, has_records: bool) -> Vec<Kind> {
    if !field.is_given() {
        let default = if has_records { &DEFAULT_KINDS_WITH_RECORDS[..] } else { &DEFAULT_KINDS };
        return default.to_vec();
    }
    let mut kinds = Vec::new();
    for value in field.values() {
        let kind = Kind::ALL.into_iter().find(|kind| Some(kind.name()) == value.as_text());
        match kind {
            Some(Kind::Restricted) if has_records => value.refuse(
                "a kind that records tell the whole of; this one needs token.identity `payload`, \
                 and a service that looks at its restriction itself",
            ),
            Some(kind) => kinds.push(kind),
            None => value.refuse(
                "one of unscoped, domain, project, trust, federated_unscoped, federated_project, \
                 federated_domain, oauth1, system, application_credential, oauth2_credential, \
                 restricted",
            ),
        }
    }
    if kinds.is_empty() {
        field.refuse("at least one kind");
    }
    kinds
}

/// What is said of records.
const OF_RECORDS: [&str; 6] = [
    "service_type",
    "service_token_roles",
    "service_token_roles_required",
    "allow_expired_window",
    "catalog",
    "serve_validation",
];

/// What a role's name or a service's type may be.
const TEXT: &str = "1 to 1020 bytes without control characters";

/// The most roles by which a service may ask with expired tokens.
const MAX_SERVICE_TOKEN_ROLES: usize = 64;

/// The longest window for expired tokens, in milliseconds: thirty days.
const MAX_EXPIRED_WINDOW: u64 = 720 * 3_600_000;
