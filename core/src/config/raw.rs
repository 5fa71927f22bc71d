//! The configuration as it is written: what the JSON may hold, before it is checked.
//!
//! Every struct refuses fields it does not know, so that a misspelt one is an error and not a
//! setting silently left at its default. Defaults are in `mod.rs`, each in one place.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) mode: Option<Mode>,
    pub(super) keyserver: Option<KeyServer>,
    pub(super) keystone: Option<Keystone>,
    pub(super) token: Option<Token>,
    pub(super) sigv4: Option<SigV4>,
    pub(super) missing: Option<Missing>,
    #[serde(default)]
    pub(super) hold_headers: bool,
    #[serde(default)]
    pub(super) require_complete_body: Vec<CompleteBody>,
    #[serde(default)]
    pub(super) bypass: Vec<Bypass>,
    #[serde(default)]
    pub(super) bypass_cors_preflight: bool,
    pub(super) acl: Option<Acl>,
    pub(super) audit: Option<Audit>,
    pub(super) identity_headers: Option<Vec<String>>,
    pub(super) reason_header: Option<String>,
    #[serde(default)]
    pub(super) cache: Cache,
    #[serde(default)]
    pub(super) limits: Limits,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Enforce,
    Shadow,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Missing {
    Reject,
    Anonymous,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyServer {
    pub(super) cluster: String,
    pub(super) authority: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) poll: Option<String>,
    pub(super) bearer_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keystone {
    pub(super) cluster: String,
    pub(super) authority: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) path: Option<String>,
    pub(super) seal_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) www_authenticate_uri: String,
    pub(super) methods: Option<Vec<String>>,
    pub(super) kinds: Option<Vec<String>>,
    pub(super) max_length: Option<usize>,
    pub(super) forward: Option<bool>,
    pub(super) identity: Option<Identity>,
    pub(super) service_type: Option<String>,
    pub(super) service_token_roles: Option<Vec<String>>,
    pub(super) service_token_roles_required: Option<bool>,
    pub(super) allow_expired_window: Option<String>,
    pub(super) catalog: Option<bool>,
    pub(super) serve_validation: Option<bool>,
    pub(super) challenge_service_401: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Identity {
    Keystone,
    Payload,
    Records,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SigV4 {
    pub(super) services: Option<Vec<String>>,
    pub(super) regions: Option<Vec<String>>,
    pub(super) access_key_prefix: Option<String>,
    pub(super) max_skew: Option<String>,
    pub(super) max_chunk: Option<String>,
    pub(super) decode_chunks: Option<bool>,
    pub(super) forward: Option<bool>,
    pub(super) listener_check: Option<ListenerCheck>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenerCheck {
    pub(super) cluster: String,
    pub(super) authority: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bypass {
    pub(super) path: Option<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) methods: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompleteBody {
    pub(super) path: Option<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) max: Option<String>,
    pub(super) within: Option<String>,
    pub(super) json: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acl {
    pub(super) default: Option<AclAction>,
    #[serde(default)]
    pub(super) s3_hosts: Vec<String>,
    #[serde(default)]
    pub(super) rules: Vec<AclRule>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AclAction {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AclRule {
    pub(super) name: String,
    pub(super) action: AclAction,
    #[serde(default)]
    pub(super) to: Vec<AclTo>,
    #[serde(default)]
    pub(super) from: Vec<AclFrom>,
    #[serde(default)]
    pub(super) when: Vec<AclWhen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AclTo {
    pub(super) hosts: Option<Vec<String>>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) paths: Option<Vec<String>>,
    pub(super) operations: Option<Vec<String>>,
    pub(super) buckets: Option<Vec<String>>,
    pub(super) keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AclFrom {
    pub(super) ip_blocks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AclWhen {
    pub(super) key: String,
    pub(super) values: Option<Vec<String>>,
    pub(super) not_values: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) observer: Option<AuditResource>,
    pub(super) target: Option<AuditResource>,
    #[serde(default)]
    pub(super) path_keywords: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(super) custom_actions: BTreeMap<String, Option<String>>,
    pub(super) masked_parameters: Option<Vec<String>>,
    #[serde(default)]
    pub(super) log: bool,
    pub(super) filter_state: Option<FilterState>,
    pub(super) collector: Option<Collector>,
    #[serde(default)]
    pub(super) rules: Vec<AuditRule>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditResource {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) type_uri: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FilterState {
    Event,
    None,
    Summary,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collector {
    pub(super) cluster: String,
    pub(super) authority: Option<String>,
    pub(super) path: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) bearer_token: Option<String>,
    pub(super) batch: Option<usize>,
    pub(super) every: Option<String>,
    pub(super) queue: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditRule {
    pub(super) verdicts: Option<Vec<String>>,
    pub(super) outcomes: Option<Vec<Outcome>>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) paths: Option<Vec<String>>,
    pub(super) sample: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Failure,
    Success,
    Unknown,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cache {
    pub(super) fresh: Option<String>,
    pub(super) stale: Option<String>,
    pub(super) negative: Option<String>,
    pub(super) entries: Option<usize>,
    pub(super) shared_entries: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) parked: Option<usize>,
    pub(super) calls: Option<usize>,
    pub(super) calls_per_second: Option<u32>,
    pub(super) scopes_per_access_key: Option<u32>,
    pub(super) held_body: Option<String>,
}
