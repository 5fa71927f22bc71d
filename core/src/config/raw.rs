//! The configuration as it is written: what the JSON may hold, before it is checked.
//!
//! Every struct refuses fields it does not know, so that a misspelt one is an error and not a
//! setting silently left at its default. Defaults are in `mod.rs`, each in one place.

use alloc::string::String;
use alloc::vec::Vec;

use crate::audit::Words;
use crate::json::{FromJson, Json, Members, Reader, from_fields, one_of};

pub(super) struct Config {
    pub(super) mode: Option<Mode>,
    pub(super) keyserver: Option<KeyServer>,
    pub(super) keystone: Option<Keystone>,
    pub(super) token: Option<Token>,
    pub(super) sigv4: Option<SigV4>,
    pub(super) missing: Option<Missing>,
    pub(super) hold_headers: bool,
    pub(super) require_complete_body: Vec<CompleteBody>,
    pub(super) bypass: Vec<Bypass>,
    pub(super) bypass_cors_preflight: bool,
    pub(super) acl: Option<Acl>,
    pub(super) answers: Option<Answers>,
    pub(super) routes: Vec<Route>,
    pub(super) audit: Option<Audit>,
    pub(super) schema: Option<Vec<Schema>>,
    pub(super) metrics: Metrics,
    pub(super) identity_headers: Option<Vec<String>>,
    pub(super) reason_header: Option<String>,
    pub(super) quota_class: Option<String>,
    pub(super) cache: Cache,
    pub(super) limits: Limits,
}

#[derive(Clone, Copy)]
pub(super) enum Mode {
    Enforce,
    Shadow,
}

#[derive(Clone, Copy)]
pub(super) enum Missing {
    Reject,
    Anonymous,
}

pub(super) struct KeyServer {
    pub(super) cluster: String,
    pub(super) authority: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) poll: Option<String>,
    pub(super) bearer_token: Option<String>,
}

pub(super) struct Keystone {
    pub(super) cluster: String,
    pub(super) authority: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) path: Option<String>,
    pub(super) seal_secret: Option<String>,
}

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

#[derive(Clone, Copy)]
pub(super) enum Identity {
    Keystone,
    Payload,
    Records,
}

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

pub(super) struct ListenerCheck {
    pub(super) cluster: String,
    pub(super) authority: Option<String>,
}

pub(super) struct Bypass {
    pub(super) path: Option<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) methods: Option<Vec<String>>,
}

pub(super) struct CompleteBody {
    pub(super) path: Option<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) max: Option<String>,
    pub(super) within: Option<String>,
    pub(super) json: Option<bool>,
}

pub(super) struct Acl {
    pub(super) default: Option<AclAction>,
    pub(super) s3_hosts: Vec<String>,
    pub(super) rules: Vec<AclRule>,
}

#[derive(Clone, Copy)]
pub(super) enum AclAction {
    Allow,
    Deny,
}

pub(super) struct AclRule {
    pub(super) name: String,
    pub(super) action: AclAction,
    pub(super) to: Vec<AclTo>,
    pub(super) from: Vec<AclFrom>,
    pub(super) when: Vec<AclWhen>,
    pub(super) when_any: Vec<Vec<AclWhen>>,
}

pub(super) struct AclTo {
    pub(super) hosts: Option<Vec<String>>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) paths: Option<Vec<String>>,
    pub(super) operations: Option<Vec<String>>,
    pub(super) buckets: Option<Vec<String>>,
    pub(super) keys: Option<Vec<String>>,
}

pub(super) struct AclFrom {
    pub(super) ip_blocks: Vec<String>,
}

pub(super) struct AclWhen {
    pub(super) key: String,
    pub(super) values: Option<Vec<String>>,
    pub(super) not_values: Option<Vec<String>>,
    pub(super) or_none: bool,
}

/// In which form requests are refused: one of the known ones, or an own one.
pub(super) enum Answers {
    Keystone,
    Nova,
    S3,
    Own(OwnAnswers),
}

pub(super) struct OwnAnswers {
    pub(super) content_type: String,
    pub(super) body: String,
}

pub(super) struct Route {
    pub(super) name: String,
    pub(super) to: Vec<RouteTo>,
    pub(super) names: Vec<String>,
    pub(super) metadata: Vec<RouteMetadata>,
    pub(super) settings: Members,
}

pub(super) struct RouteTo {
    pub(super) hosts: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) paths: Vec<String>,
}

pub(super) struct RouteMetadata {
    pub(super) filter: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

pub(super) struct Audit {
    pub(super) observer: Option<AuditResource>,
    pub(super) target: Option<AuditResource>,
    pub(super) path_keywords: Words,
    pub(super) custom_actions: Words,
    pub(super) masked_parameters: Option<Vec<String>>,
    pub(super) log: bool,
    pub(super) filter_state: Option<FilterState>,
    pub(super) collector: Option<Collector>,
    pub(super) rules: Vec<AuditRule>,
}

#[derive(Default)]
pub(super) struct AuditResource {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) type_uri: Option<String>,
}

#[derive(Clone, Copy)]
pub(super) enum FilterState {
    Event,
    None,
    Summary,
}

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

pub(super) struct AuditRule {
    pub(super) verdicts: Option<Vec<String>>,
    pub(super) outcomes: Option<Vec<Outcome>>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) paths: Option<Vec<String>>,
    pub(super) sample: Option<String>,
}

#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Failure,
    Success,
    Unknown,
}

pub(super) struct Schema {
    pub(super) name: String,
    pub(super) compiled: Option<Json>,
    pub(super) digest: Option<String>,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) path_prefix: Option<String>,
    pub(super) mode: Option<SchemaMode>,
    pub(super) max_body: Option<String>,
    pub(super) within: Option<String>,
    pub(super) unknown_parameters: Option<UnknownParameters>,
}

#[derive(Clone, Copy)]
pub(super) enum SchemaMode {
    Report,
    Enforce,
}

#[derive(Clone, Copy)]
pub(super) enum UnknownParameters {
    Allow,
    Refuse,
}

#[derive(Default)]
pub(super) struct Metrics {
    pub(super) time_heads: bool,
}

#[derive(Default)]
pub(super) struct Cache {
    pub(super) fresh: Option<String>,
    pub(super) stale: Option<String>,
    pub(super) negative: Option<String>,
    pub(super) entries: Option<usize>,
    pub(super) shared_entries: Option<usize>,
}

#[derive(Default)]
pub(super) struct Limits {
    pub(super) parked: Option<usize>,
    pub(super) calls: Option<usize>,
    pub(super) calls_per_second: Option<u32>,
    pub(super) scopes_per_access_key: Option<u32>,
    pub(super) held_body: Option<String>,
}

from_fields! { only Config {
    mode, keyserver, keystone, token, sigv4, missing, hold_headers or default,
    require_complete_body or default, bypass or default, bypass_cors_preflight or default, acl,
    answers, routes or default, audit, metrics or default, schema, identity_headers, reason_header,
    quota_class, cache or default, limits or default
} }
from_fields! { only KeyServer { cluster, authority, timeout, poll, bearer_token } }
from_fields! { only Keystone { cluster, authority, timeout, path, seal_secret } }
from_fields! { only Token {
    www_authenticate_uri, methods, kinds, max_length, forward, identity, service_type,
    service_token_roles, service_token_roles_required, allow_expired_window, catalog,
    serve_validation, challenge_service_401
} }
from_fields! { only SigV4 {
    services, regions, access_key_prefix, max_skew, max_chunk, decode_chunks, forward,
    listener_check
} }
from_fields! { only ListenerCheck { cluster, authority } }
from_fields! { only Bypass { path, path_prefix, methods } }
from_fields! { only CompleteBody { path, path_prefix, methods, max, within, json } }
from_fields! { only Acl { default, s3_hosts or default, rules or default } }
from_fields! { only AclRule {
    name, action, to or default, from or default, when or default,
    when_any or default
} }
from_fields! { only AclTo { hosts, methods, paths, operations, buckets, keys } }
from_fields! { only AclFrom { ip_blocks } }
from_fields! { only AclWhen { key, values, not_values, or_none or default } }
from_fields! { only Audit {
    observer, target, path_keywords or default, custom_actions or default, masked_parameters,
    log or default, filter_state, collector, rules or default
} }
from_fields! { only AuditResource { id, name, type_uri } }
from_fields! { only Collector {
    cluster, authority, path, timeout, bearer_token, batch, every, queue
} }
from_fields! { only AuditRule { verdicts, outcomes, methods, paths, sample } }
from_fields! { only OwnAnswers { content_type, body } }
from_fields! { only Route {
    name, to or default, names or default, metadata or default, settings or default
} }
from_fields! { only RouteTo { hosts or default, methods or default, paths or default } }
from_fields! { only RouteMetadata { filter, key, values } }
from_fields! { only Schema {
    name, compiled, digest, hosts, path_prefix, mode, max_body, within, unknown_parameters
} }
from_fields! { only Metrics { time_heads or default } }
from_fields! { only Cache { fresh, stale, negative, entries, shared_entries } }
from_fields! { only Limits { parked, calls, calls_per_second, scopes_per_access_key, held_body } }

impl FromJson for Mode {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words = [("enforce", Self::Enforce), ("shadow", Self::Shadow)];
        one_of(&json, reader, &words).unwrap_or(Self::Enforce)
    }
}

impl FromJson for Missing {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words = [("reject", Self::Reject), ("anonymous", Self::Anonymous)];
        one_of(&json, reader, &words).unwrap_or(Self::Reject)
    }
}

impl FromJson for SchemaMode {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words = [("enforce", Self::Enforce), ("report", Self::Report)];
        one_of(&json, reader, &words).unwrap_or(Self::Enforce)
    }
}

impl FromJson for UnknownParameters {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words = [("allow", Self::Allow), ("refuse", Self::Refuse)];
        one_of(&json, reader, &words).unwrap_or(Self::Refuse)
    }
}

impl FromJson for Identity {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words =
            [("keystone", Self::Keystone), ("payload", Self::Payload), ("records", Self::Records)];
        one_of(&json, reader, &words).unwrap_or(Self::Records)
    }
}

impl FromJson for FilterState {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words = [("event", Self::Event), ("none", Self::None), ("summary", Self::Summary)];
        one_of(&json, reader, &words).unwrap_or(Self::None)
    }
}

impl FromJson for Outcome {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words =
            [("failure", Self::Failure), ("success", Self::Success), ("unknown", Self::Unknown)];
        one_of(&json, reader, &words).unwrap_or(Self::Unknown)
    }
}

impl FromJson for Answers {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        if matches!(json, Json::Object(_)) {
            return Self::Own(FromJson::from_json(json, reader));
        }
        let words: [(_, fn() -> Self); 3] =
            [("keystone", || Self::Keystone), ("nova", || Self::Nova), ("s3", || Self::S3)];
        one_of(&json, reader, &words).map_or(Self::Keystone, |word| word())
    }
}

impl FromJson for AclAction {
    fn from_json(json: Json, reader: &mut Reader) -> Self {
        let words = [("allow", Self::Allow), ("deny", Self::Deny)];
        one_of(&json, reader, &words).unwrap_or(Self::Deny)
    }
}
