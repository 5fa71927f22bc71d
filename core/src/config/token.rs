//! The section `token`: which tokens are taken, and what is made of them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::check::{is_visible, number, time};
use super::{
    ConfigError, DEFAULT_ALLOW_EXPIRED_WINDOW, DEFAULT_KINDS, DEFAULT_KINDS_WITH_RECORDS,
    DEFAULT_MAX_LENGTH, Keystone, RecordRules, Source, TokenRules, raw,
};
use crate::record::MAX_TEXT;
use crate::token::{Kind, MethodNames};

/// Reads the rules for tokens, and with them who is asked about each.
pub(super) fn check(
    raw: raw::Token,
    keystone: Option<Keystone>,
) -> Result<TokenRules, ConfigError> {
    let records = records(&raw, keystone)?;
    let uri = raw.www_authenticate_uri;
    let is_http = uri.starts_with("http://") || uri.starts_with("https://");
    if !is_http || !is_visible(uri.as_bytes(), 2048) || uri.contains(['"', '\\']) {
        return Err(ConfigError::limits(
            "token.www_authenticate_uri",
            "an http:// or https:// URI of at most 2048 visible ASCII characters, without quotes",
        ));
    }
    let kinds = match (&raw.kinds, &records) {
        (Some(names), _) => kinds(names, records.is_some())?,
        (None, Some(_)) => DEFAULT_KINDS_WITH_RECORDS.to_vec(),
        (None, None) => DEFAULT_KINDS.to_vec(),
    };
    Ok(TokenRules {
        www_authenticate_uri: uri,
        methods: raw.methods.map_or_else(|| Ok(MethodNames::default()), methods)?,
        kinds,
        max_length: number(raw.max_length, DEFAULT_MAX_LENGTH, 100..=16_384)
            .ok_or_else(|| ConfigError::limits("token.max_length", "100 to 16384"))?,
        forward: raw.forward.unwrap_or(true),
        challenges_service_401: raw
            .challenge_service_401
            .unwrap_or_else(|| records.as_ref().is_some_and(|rules| !rules.serve_validation)),
        records,
    })
}

/// What is said of records, which only they need.
fn records(
    raw: &raw::Token,
    keystone: Option<Keystone>,
) -> Result<Option<RecordRules>, ConfigError> {
    let source = match raw.identity {
        Some(raw::Identity::Keystone) => Source::Keystone(keystone.ok_or_else(|| {
            ConfigError::limits("keystone", "there: token.identity is `keystone`")
        })?),
        Some(raw::Identity::Payload | raw::Identity::Records) | None => Source::KeyServer,
    };
    let window = raw.allow_expired_window.as_deref();
    let rules = RecordRules {
        source,
        service_type: raw.service_type.clone(),
        service_token_roles: raw
            .service_token_roles
            .clone()
            .unwrap_or_else(|| Vec::from(["service".into()])),
        service_token_roles_required: raw.service_token_roles_required.unwrap_or(true),
        allow_expired_window: time(window, DEFAULT_ALLOW_EXPIRED_WINDOW, 0, MAX_EXPIRED_WINDOW)
            .ok_or_else(|| {
                ConfigError::limits("token.allow_expired_window", "0s to 720h, such as \"48h\"")
            })?,
        catalog: raw.catalog.unwrap_or(false),
        serve_validation: raw.serve_validation.unwrap_or(false),
    };
    if rules.service_type.as_ref().is_some_and(|name| !is_text(name)) {
        return Err(ConfigError::limits("token.service_type", TEXT));
    }
    for (index, role) in rules.service_token_roles.iter().enumerate() {
        if !is_text(role) {
            return Err(ConfigError::limits(format!("token.service_token_roles[{index}]"), TEXT));
        }
    }
    if rules.service_token_roles.len() > MAX_SERVICE_TOKEN_ROLES {
        return Err(ConfigError::limits("token.service_token_roles", "at most 64 roles"));
    }
    if rules.serve_validation && raw.forward == Some(false) {
        return Err(ConfigError::limits(
            "token.forward",
            "true with token.serve_validation: what is not answered here Keystone must get as it came",
        ));
    }
    if rules.serve_validation && rules.keystone().is_some() {
        return Err(ConfigError::limits(
            "token.serve_validation",
            "left out, or token.identity `records`: who asks Keystone does not answer in its place",
        ));
    }
    if !matches!(raw.identity, Some(raw::Identity::Payload)) {
        return Ok(Some(rules));
    }
    let of_records = [
        ("token.service_type", raw.service_type.is_some()),
        ("token.service_token_roles", raw.service_token_roles.is_some()),
        ("token.service_token_roles_required", raw.service_token_roles_required.is_some()),
        ("token.allow_expired_window", raw.allow_expired_window.is_some()),
        ("token.catalog", raw.catalog.is_some()),
        ("token.serve_validation", raw.serve_validation.is_some()),
    ];
    match of_records.into_iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err(ConfigError::limits(
            field,
            "left out, or token.identity `records` or `keystone`: it needs them",
        )),
        None => Ok(None),
    }
}

fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn methods(names: Vec<String>) -> Result<MethodNames, ConfigError> {
    for (index, name) in names.iter().enumerate() {
        let twice = names.iter().take(index).any(|other| other == name);
        let is_plain =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if twice || name.is_empty() || !is_plain {
            return Err(ConfigError::limits(
                format!("token.methods[{index}]"),
                "a method's name, each only once, as in [auth] methods of keystone.conf",
            ));
        }
    }
    MethodNames::new(names).ok_or_else(|| ConfigError::limits("token.methods", "at most 64 names"))
}

fn kinds(names: &[String], has_records: bool) -> Result<Vec<Kind>, ConfigError> {
    let kind = |(index, name): (usize, &String)| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        if has_records && kind == Some(Kind::Restricted) {
            return Err(ConfigError::limits(
                format!("token.kinds[{index}]"),
                "a kind that records tell the whole of; this one needs token.identity `payload`, \
                 and a service that looks at its restriction itself",
            ));
        }
        kind.ok_or_else(|| {
            ConfigError::limits(
                format!("token.kinds[{index}]"),
                "one of unscoped, domain, project, trust, federated_unscoped, federated_project, \
                 federated_domain, oauth1, system, application_credential, oauth2_credential, \
                 restricted",
            )
        })
    };
    if names.is_empty() {
        return Err(ConfigError::limits("token.kinds", "at least one kind"));
    }
    names.iter().enumerate().map(kind).collect()
}

/// What a role's name or a service's type may be.
const TEXT: &str = "1 to 1020 bytes without control characters";

/// The most roles by which a service may ask with expired tokens.
const MAX_SERVICE_TOKEN_ROLES: usize = 64;

/// The longest window for expired tokens, in milliseconds: thirty days.
const MAX_EXPIRED_WINDOW: u128 = 720 * 3_600_000;
