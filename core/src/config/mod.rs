//! The plugin's configuration: read once when the plugin loads, into types that cannot be wrong.
//!
//! `docs/configuration.md` is the reference for the person who writes it.

mod acl;
mod answers;
mod audit;
mod check;
mod complete_body;
mod error;
#[cfg(test)]
pub(crate) mod example;
mod fields;
mod protobuf;
mod quantity;
mod routes;
mod schema;
mod server;
mod setting;
mod sigv4;
mod token;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::time::Duration;

pub use self::audit::{
    AuditRules, Collector, DEFAULT_COLLECTOR, DEFAULT_OBSERVER_TYPE, FilterState, Resource,
};
pub use self::complete_body::{DEFAULT_MAX_BODY, DEFAULT_WITHIN};
pub use self::error::ConfigError;
use self::routes::Settings;
pub use self::schema::{DEFAULT_MAX_SCHEMA_BODY, DEFAULT_SCHEMA_WITHIN};
use self::setting::Setting;
pub use self::sigv4::{DEFAULT_MAX_CHUNK, ListenerCheck, SigV4Rules};
use crate::acl::Acl;
use crate::bypass::Bypass;
use crate::complete_body::CompleteBody;
use crate::identity::SelectedHeaders;
use crate::json::{self, Json, Wrong};
use crate::refusal::Answers;
use crate::routes::Routes;
use crate::schema::Schemas;
use crate::secret::Secret;
use crate::token::{Kind, MethodNames};

/// Everything an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether refusals are carried out.
    pub mode: Mode,
    /// Where keys and records come from. It may be missing where Keystone itself is asked about every
    /// token, and no signatures are taken.
    pub keyserver: Option<KeyServer>,
    /// Which tokens are taken, and how requests without one are answered; none is taken without
    /// it.
    pub token: Option<TokenRules>,
    /// Which signatures are taken; none is without it.
    pub sigv4: Option<SigV4Rules>,
    /// What happens to a request without a valid token.
    pub missing: Missing,
    /// Whether the proxy was told, by `allow_on_headers_stop_iteration`, to hold the head of a
    /// request while its body is read. Only then can bodies be waited for, and signatures be
    /// verified that cover the hash of a body which is not in the head.
    pub hold_headers: bool,
    /// Which requests reach the service only with the whole of their bodies.
    pub complete_body: CompleteBody,
    /// Which requests need no token.
    pub bypass: Bypass,
    /// Who may do what, of those who may pass; whatever they like without it.
    pub acl: Option<Acl>,
    /// In which form requests with tokens, or with no credentials, are refused.
    pub answers: Answers,
    /// Which requests are looked at with other settings.
    pub routes: Routes,
    /// Of which requests there is an event, and where it goes; there is none without it.
    pub audit: Option<AuditRules>,
    /// What requests to APIs must be.
    pub schemas: Schemas,
    /// Whether it is measured how long the filter works on the head of each request, which costs three calls of
    /// the host.
    pub times_heads: bool,
    /// Which headers tell the service about the identity.
    pub identity_headers: SelectedHeaders,
    /// The response header that tells the reason of a refusal, in lower case; none by default.
    pub reason_header: Option<String>,
    /// The class of requests by which whoever counts them against a quota is to tell them apart.
    pub quota_class: Option<String>,
    /// How long keys are used.
    pub freshness: Freshness,
    /// What one worker may cost.
    pub limits: Limits,
}

/// Whether refusals are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are.
    Enforce,
    /// Everything is checked and counted, and every request passes: for the days before.
    Shadow,
}

impl Mode {
    /// What configurations, metrics and events call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

/// What happens to a request without a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It passes with `X-Identity-Status: Invalid`, and the service decides: keystonemiddleware's
    /// `delay_auth_decision`.
    Anonymous,
    /// It is answered 401.
    Reject,
}

/// Whom calls go to.
#[derive(Clone, Debug)]
pub struct Server {
    /// The proxy's name for the cluster that it stands behind.
    pub cluster: String,
    /// The `:authority` of calls to it.
    pub authority: String,
    /// How long a call may take.
    pub timeout: Duration,
    /// What makes the key of the seal on shared data a secret. A key server's is its bearer token, with
    /// which calls are authorised.
    pub secret: Option<Secret>,
}

/// Where keys and records come from.
#[derive(Clone, Debug)]
pub struct KeyServer {
    /// How it is reached.
    pub server: Server,
    /// How often to ask it for changes.
    pub poll: Duration,
}

/// The Keystone that is asked about each token.
#[derive(Clone, Debug)]
pub struct Keystone {
    /// How it is reached.
    pub server: Server,
    /// The path at which it validates tokens.
    pub path: String,
}

/// Which tokens are taken, and how requests without one are answered.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The URI in `WWW-Authenticate: Keystone uri="..."`.
    pub www_authenticate_uri: String,
    /// What the bits of a methods bitmask mean.
    pub methods: MethodNames,
    /// The kinds that are taken; all others are refused.
    pub kinds: Vec<Kind>,
    /// The longest token that is looked at, in bytes.
    pub max_length: usize,
    /// Whether the token travels on to the service.
    pub forward: bool,
    /// Whether a service's own 401 is told to be Keystone's business, as ours are.
    pub challenges_service_401: bool,
    /// What the identity is made of, beside the token itself; nothing else without it.
    pub records: Option<RecordRules>,
}

/// Who tells what Keystone knows of a token.
#[derive(Clone, Debug)]
pub enum Source {
    /// The key server, which reads it from Keystone's database.
    KeyServer,
    /// Keystone itself.
    Keystone(Keystone),
}

/// How requests with a token are looked at where it is known what Keystone knows of it.
#[derive(Clone, Debug)]
pub struct RecordRules {
    /// Who tells.
    pub source: Source,
    /// By which type the service is known to the access rules of application credentials. Without
    /// it, none of them allows anything.
    pub service_type: Option<String>,
    /// The roles by which a service's token lets a user's be taken that has expired.
    pub service_token_roles: Vec<String>,
    /// Whether a service's token without any of them is as good as none.
    pub service_token_roles_required: bool,
    /// How long ago a token may have expired, if a service asks with it.
    pub allow_expired_window: Duration,
    /// Whether the service is told the catalogue of the user's token.
    pub catalog: bool,
    /// Whether the service is Keystone, and validations are answered in its place.
    pub serve_validation: bool,
}

impl RecordRules {
    /// Whether catalogues are wanted for anything.
    #[must_use]
    pub fn needs_catalogs(&self) -> bool {
        self.catalog || self.serve_validation
    }
}

/// How long keys are used after the key server last confirmed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// After this long they are fetched again.
    pub fresh: Duration,
    /// After this long without success they are used no more.
    pub stale: Duration,
    /// For this long an access key that was none still is none.
    pub negative: Duration,
}

/// What one worker may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most requests that wait for token keys, and the most that wait for signing keys. Beyond
    /// it they are answered 503.
    pub parked: usize,
    /// The most signing keys that are held, and the most access keys that are known to be none.
    pub entries: usize,
    /// The slots of shared data that signing keys may stand in, for all workers of a proxy.
    pub shared_entries: usize,
    /// The most calls for signing keys that are under way at a time. Requests that need another
    /// one wait.
    pub calls: usize,
    /// The most calls for signing keys of which nothing is known yet, each second. Requests beyond
    /// it are answered 503. Keys that are in use are refreshed apart from it.
    pub calls_per_second: u32,
    /// The most bytes of bodies that are held back, of all requests together. Beyond it, a request
    /// that would hold more is answered 503.
    pub held_body: usize,
    /// The most days, regions and services for which one access key's signing keys are fetched in
    /// the time that keys stay fresh. Requests beyond it are answered 503.
    pub scopes_per_access_key: u32,
}

impl Config {
    /// These settings, and those of each route.
    pub fn all_settings(&self) -> impl Iterator<Item = &Self> {
        [self].into_iter().chain(self.routes.iter().map(|route| &*route.settings))
    }

    /// The Keystone that is asked about each token, if it is.
    #[must_use]
    pub fn keystone(&self) -> Option<&Keystone> {
        self.token.as_ref()?.records.as_ref()?.keystone()
    }

    /// Reads a configuration: JSON text, or the binary form of a `google.protobuf.Struct`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let wrong = OnceCell::new();
        let json = read(bytes)?;
        let whole = Setting::whole(&json, &wrong);
        fields::check(&whole, fields::CONFIG);
        let config = check::config(&Settings::of_plugin(whole));
        wrong.into_inner().map_or(Ok(config), Err)
    }
}

fn read(bytes: &[u8]) -> Result<Json, Wrong> {
    if bytes.len() > MAX_BYTES {
        return Err(Wrong::new("must be at most 65536 bytes"));
    }
    if first_is_brace(bytes) {
        return json::parse(bytes);
    }
    protobuf::parse_struct(bytes).ok_or_else(|| {
        Wrong::new("neither JSON text (google.protobuf.StringValue) nor a google.protobuf.Struct")
    })
}

impl RecordRules {
    /// The Keystone that is asked about each token, if it is.
    #[must_use]
    pub fn keystone(&self) -> Option<&Keystone> {
        match &self.source {
            Source::KeyServer => None,
            Source::Keystone(keystone) => Some(keystone),
        }
    }
}

fn first_is_brace(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// The kinds that are taken by default: those of which the token alone tells the whole. The others
/// carry restrictions that it does not tell (an application credential's access rules, a token
/// restriction), and taking them anyway must be somebody's decision.
pub const DEFAULT_KINDS: [Kind; 10] = [
    Kind::Unscoped,
    Kind::Domain,
    Kind::Project,
    Kind::Trust,
    Kind::FederatedUnscoped,
    Kind::FederatedProject,
    Kind::FederatedDomain,
    Kind::Oauth1,
    Kind::System,
    Kind::Oauth2Credential,
];

/// The kinds that are taken by default where records tell what tokens do not. Only the token
/// restrictions of the Rust Keystone remain.
pub const DEFAULT_KINDS_WITH_RECORDS: [Kind; 11] = [
    Kind::Unscoped,
    Kind::Domain,
    Kind::Project,
    Kind::Trust,
    Kind::FederatedUnscoped,
    Kind::FederatedProject,
    Kind::FederatedDomain,
    Kind::Oauth1,
    Kind::System,
    Kind::ApplicationCredential,
    Kind::Oauth2Credential,
];

/// How long ago a token may have expired, if a service asks with it, by default: as long as Keystone's
/// `[token] allow_expired_window`.
pub const DEFAULT_ALLOW_EXPIRED_WINDOW: Duration = Duration::from_hours(48);

/// The longest token by default. A project-scoped token has 183 characters, a federated one with
/// twenty groups 738.
pub const DEFAULT_MAX_LENGTH: usize = 4096;

/// How long a call to the key server may take by default.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a call to Keystone may take by default: one with much to do takes its time.
pub const DEFAULT_KEYSTONE_TIMEOUT: Duration = Duration::from_secs(5);

/// The path at which Keystone validates tokens by default.
pub const DEFAULT_KEYSTONE_PATH: &str = "/v3/auth/tokens";

/// For how long Keystone's answers are used by default while it cannot be asked again: as long as
/// keystonemiddleware uses each of them by default (`token_cache_time`).
pub const DEFAULT_STALE_VALIDATION: Duration = Duration::from_mins(5);

/// How long a call to a collector may take by default: nobody waits for it.
pub const DEFAULT_COLLECTOR_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the key server is asked for changes by default.
pub const DEFAULT_POLL: Duration = Duration::from_secs(2);

/// How long keys are used by default.
pub const DEFAULT_FRESHNESS: Freshness = Freshness {
    fresh: Duration::from_mins(1),
    stale: Duration::from_hours(1),
    negative: Duration::from_secs(30),
};

/// What one worker may cost by default. An entry takes about two kilobytes.
pub const DEFAULT_LIMITS: Limits = Limits {
    parked: 1024,
    entries: 10_000,
    shared_entries: 4096,
    calls: 32,
    calls_per_second: 100,
    scopes_per_access_key: 16,
    held_body: 128 * 1024 * 1024,
};

/// The longest configuration, in bytes.
const MAX_BYTES: usize = 65_536;
