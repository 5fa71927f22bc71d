//! The command line. Every flag can also be set as an environment variable.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::AdminProject;
use crate::database::DatabaseUrl;
use crate::keys::Keys;
use crate::logging::{LogFormat, LogLevel};
use crate::policy::Policy;
use crate::quantity;
use crate::schemas::Schemas;

/// Serves Voussoir filters: Keystone's Fernet keys, identities, and signing keys of access keys
///
/// The filters check Keystone's tokens in the proxy. For that they need the keys that Keystone makes
/// the tokens with, and fetch them from here. A Fernet key can also make tokens, for any user:
/// whoever may fetch the keys must be trusted like Keystone itself.
///
/// For AWS Signature Version 4 the filters ask for the key of one access key, day, region and
/// service. The secret that it is derived from stays here.
#[derive(Debug, Parser)]
#[command(name = "voussoir-keyserver", version, after_long_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Form of the log lines, which go to stderr
    #[arg(long, env = "VOUSSOIR_LOG_FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,

    /// How much is logged
    #[arg(long, env = "VOUSSOIR_LOG_LEVEL", value_enum, default_value = "info", global = true)]
    pub log_level: LogLevel,
}

/// What the key server can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the keys of a Keystone
    Serve(Box<Serve>),
    /// Make, list, switch off and delete access keys of our own
    Keys(Keys),
    /// Compile documents of APIs, for the filters to hold requests against
    Schemas(Schemas),
    /// Make an access control list for the filter of a service's policies
    Policy(Policy),
    /// Make keys and tokens of its own and serve those: a first run without a Keystone
    Demo(Demo),
}

/// The flags of `serve`.
#[derive(Args, Debug)]
pub struct Serve {
    /// Address and port to listen on
    #[arg(long, env = "VOUSSOIR_LISTEN", value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,

    /// Keystone's key repository: `[fernet_tokens] key_repository` in keystone.conf
    #[arg(long, env = "VOUSSOIR_FERNET_KEYS", value_name = "DIRECTORY")]
    pub fernet_keys: Option<PathBuf>,

    /// Keystone's public keys: `[jwt_tokens] jws_public_key_repository`; every file in it is a key
    #[arg(long, env = "VOUSSOIR_JWS_PUBLIC_KEYS", value_name = "DIRECTORY")]
    pub jws_public_keys: Option<PathBuf>,

    /// URL of Keystone's database, whose EC2 credentials and identities are served; it is only read
    #[arg(
        long,
        env = "VOUSSOIR_KEYSTONE_DATABASE",
        value_name = "URL",
        hide_env_values = true,
        requires = "credential_keys",
        conflicts_with = "keystone_database_file"
    )]
    pub keystone_database: Option<DatabaseUrl>,

    /// File that holds the URL: better than --keystone-database if there is a password in it
    #[arg(
        long,
        env = "VOUSSOIR_KEYSTONE_DATABASE_FILE",
        value_name = "FILE",
        requires = "credential_keys"
    )]
    pub keystone_database_file: Option<PathBuf>,

    /// Keystone's credential key repository: `[credential] key_repository` in keystone.conf
    #[arg(long, env = "VOUSSOIR_CREDENTIAL_KEYS", value_name = "DIRECTORY")]
    pub credential_keys: Option<PathBuf>,

    /// `[resource] admin_project_domain_name` and `admin_project_name` in keystone.conf, if they are
    /// set there
    #[arg(
        long,
        env = "VOUSSOIR_ADMIN_PROJECT",
        value_name = "DOMAIN/PROJECT",
        requires = "credential_keys"
    )]
    pub admin_project: Option<AdminProject>,

    /// Catalogues have no endpoint that was not chosen for the project: for a keystone.conf with
    /// `[endpoint_filter] return_all_endpoints_if_no_filter = false`
    #[arg(long, env = "VOUSSOIR_CHOSEN_ENDPOINTS_ONLY", requires = "credential_keys")]
    pub chosen_endpoints_only: bool,

    /// Where access keys of our own are.
    #[command(flatten)]
    pub store: StoreFlags,

    /// How often to look for changes, for the filters to follow
    #[arg(
        long,
        env = "VOUSSOIR_CHANGE_POLL",
        value_name = "DURATION",
        default_value = DEFAULT_CHANGE_POLL,
        value_parser = change_poll
    )]
    pub change_poll: Duration,

    /// How long to check what is Keystone's for changes after it was last asked for
    #[arg(
        long,
        env = "VOUSSOIR_RECHECK_FOR",
        value_name = "DURATION",
        default_value = DEFAULT_RECHECK_FOR,
        value_parser = duration
    )]
    pub recheck_for: Duration,

    /// Most access keys of Keystone that are checked for changes, and as many again of those denied
    #[arg(
        long,
        env = "VOUSSOIR_RECHECK_KEYS",
        value_name = "COUNT",
        default_value_t = DEFAULT_RECHECK_KEYS,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub recheck_keys: u32,

    /// Most identities of tokens that are checked for changes, and as many again of those denied
    #[arg(
        long,
        env = "VOUSSOIR_RECHECK_IDENTITIES",
        value_name = "COUNT",
        default_value_t = DEFAULT_RECHECK_IDENTITIES,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub recheck_identities: u32,

    /// Directory of documents of APIs, compiled or OpenAPI 3.1 in JSON or YAML, served by their names
    #[arg(long, env = "VOUSSOIR_SCHEMAS", value_name = "DIRECTORY")]
    pub schemas: Option<PathBuf>,

    /// File of bearer tokens, one per line; a client must present one of them
    #[arg(long, env = "VOUSSOIR_BEARER_TOKENS", value_name = "FILE")]
    pub bearer_tokens: Option<PathBuf>,

    /// Certificate chain in PEM; without it the server speaks plain HTTP
    #[arg(
        long,
        env = "VOUSSOIR_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_private_key"
    )]
    pub tls_certificate: Option<PathBuf>,

    /// Private key of the certificate in PEM
    #[arg(
        long,
        env = "VOUSSOIR_TLS_PRIVATE_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    pub tls_private_key: Option<PathBuf>,

    /// Authorities in PEM; a client must present a certificate of one of them (mTLS)
    #[arg(long, env = "VOUSSOIR_CLIENT_CA", value_name = "FILE", requires = "tls_certificate")]
    pub client_ca: Option<PathBuf>,

    /// Give the keys to anyone who can connect; on a loopback address only
    #[arg(long, env = "VOUSSOIR_ALLOW_UNAUTHENTICATED")]
    pub allow_unauthenticated: bool,

    /// Most connections at a time; further ones wait
    #[arg(
        long,
        env = "VOUSSOIR_MAX_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = DEFAULT_MAX_CONNECTIONS,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub max_connections: u32,

    /// Longest time from connecting to the first answer, TLS included
    #[arg(
        long,
        env = "VOUSSOIR_REQUEST_TIMEOUT",
        value_name = "DURATION",
        default_value = DEFAULT_REQUEST_TIMEOUT,
        value_parser = duration
    )]
    pub request_timeout: Duration,

    /// Longest time from one answer to the next on a connection
    #[arg(
        long,
        env = "VOUSSOIR_IDLE_TIMEOUT",
        value_name = "DURATION",
        default_value = DEFAULT_IDLE_TIMEOUT,
        value_parser = duration
    )]
    pub idle_timeout: Duration,

    /// Longest time that connections get to end after SIGTERM or SIGINT
    #[arg(
        long,
        env = "VOUSSOIR_SHUTDOWN_TIMEOUT",
        value_name = "DURATION",
        default_value = DEFAULT_SHUTDOWN_TIMEOUT,
        value_parser = duration
    )]
    pub shutdown_timeout: Duration,
}

/// Where the store of access keys is.
#[derive(Args, Debug)]
pub struct StoreFlags {
    /// URL of the database of access keys, of SQLite, MariaDB, MySQL or PostgreSQL
    #[arg(
        long,
        env = "VOUSSOIR_STORE",
        value_name = "URL",
        hide_env_values = true,
        requires = "store_key",
        conflicts_with = "store_file"
    )]
    pub store: Option<DatabaseUrl>,

    /// File that holds the URL: better than --store if there is a password in it
    #[arg(long, env = "VOUSSOIR_STORE_FILE", value_name = "FILE", requires = "store_key")]
    pub store_file: Option<PathBuf>,

    /// File with the Fernet key that seals the secrets in the store
    #[arg(long, env = "VOUSSOIR_STORE_KEY", value_name = "FILE")]
    pub store_key: Option<PathBuf>,
}

/// The flags of `demo`.
#[derive(Args, Debug)]
pub struct Demo {
    /// Where to keep keys (fernet-keys/) and tokens (tokens.json); made if absent
    #[arg(long, env = "VOUSSOIR_DIRECTORY", value_name = "DIRECTORY")]
    pub directory: PathBuf,

    /// Loopback address and port to listen on
    #[arg(long, env = "VOUSSOIR_LISTEN", value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,

    /// File of bearer tokens, one per line; without it, none is asked for
    #[arg(long, env = "VOUSSOIR_BEARER_TOKENS", value_name = "FILE")]
    pub bearer_tokens: Option<PathBuf>,
}

/// Reads `250ms`, `10s`, `5m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    let (count, unit) = quantity::split(text).ok_or(InvalidDuration)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(InvalidDuration),
    };
    let duration = Duration::from_millis(count.checked_mul(milliseconds).ok_or(InvalidDuration)?);
    let possible = Duration::from_millis(1)..=MAX_DURATION;
    possible.contains(&duration).then_some(duration).ok_or(InvalidDuration)
}

/// A duration that a poll of databases can have: 100 ms to a minute.
fn change_poll(text: &str) -> Result<Duration, String> {
    let duration = duration(text).map_err(|why| why.to_string())?;
    let possible = Duration::from_millis(100)..=Duration::from_mins(1);
    let is_possible = possible.contains(&duration);
    is_possible.then_some(duration).ok_or_else(|| "it must be 100ms to 60s".into())
}

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDuration;

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a duration like 250ms, 10s, 5m or 1h, up to 24h")
    }
}

impl std::error::Error for InvalidDuration {}

const DEFAULT_LISTEN: &str = "127.0.0.1:9311";
pub(crate) const DEFAULT_CHANGE_POLL: &str = "1s";
pub(crate) const DEFAULT_RECHECK_FOR: &str = "1h";
pub(crate) const DEFAULT_RECHECK_KEYS: u32 = 10_000;
pub(crate) const DEFAULT_RECHECK_IDENTITIES: u32 = 10_000;
pub(crate) const DEFAULT_MAX_CONNECTIONS: u32 = 20_000;
pub(crate) const DEFAULT_REQUEST_TIMEOUT: &str = "10s";
/// More than the minute that filters let pass between two fetches, so that they keep their
/// connection.
pub(crate) const DEFAULT_IDLE_TIMEOUT: &str = "90s";
pub(crate) const DEFAULT_SHUTDOWN_TIMEOUT: &str = "10s";
const MAX_DURATION: Duration = Duration::from_hours(24);

const EXAMPLES: &str = "\
Examples:
  A first run, without a Keystone:
    voussoir-keyserver demo --directory demo
    curl http://127.0.0.1:9311/v1/token-keys

  Next to Keystone, clients known by a bearer token:
    openssl rand -hex 32 > bearer-tokens
    voussoir-keyserver serve --listen 0.0.0.0:9311 \\
      --fernet-keys /etc/keystone/fernet-keys --bearer-tokens bearer-tokens \\
      --tls-certificate tls.crt --tls-private-key tls.key
    curl --cacert ca.crt -H \"Authorization: Bearer $(cat bearer-tokens)\" \\
      https://keyserver:9311/v1/token-keys

  Clients known by a certificate (mTLS):
    voussoir-keyserver serve --listen 0.0.0.0:9311 \\
      --fernet-keys /etc/keystone/fernet-keys --client-ca clients.crt \\
      --tls-certificate tls.crt --tls-private-key tls.key

  EC2 credentials of a Keystone:
    voussoir-keyserver serve --fernet-keys /etc/keystone/fernet-keys \\
      --keystone-database-file keystone-url --credential-keys /etc/keystone/credential-keys \\
      --bearer-tokens bearer-tokens

  Access keys of our own:
    voussoir-keyserver keys create --store sqlite:access-keys.db --store-key store-key \\
      --user-id alice --project-id photos --role member
    voussoir-keyserver serve --store sqlite:access-keys.db --store-key store-key \\
      --bearer-tokens bearer-tokens

Exit codes:
  0  ended by SIGTERM or SIGINT, or done
  1  something failed at run time, such as listening on the address
  2  wrong flags, or files that cannot be used";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_documented_with_its_variable_and_default() {
        let documentation = include_str!("../../docs/key-server.md");
        let cli = Cli::command();
        let nested = cli.get_subcommands().flat_map(clap::Command::get_subcommands);
        let commands = cli.get_subcommands().chain(nested).chain([&cli]);
        for argument in commands.flat_map(clap::Command::get_arguments) {
            let Some(variable) = argument.get_env() else {
                continue;
            };
            let flag = argument.get_long().unwrap();
            let row = format!("| `--{flag}` | `{}` |", variable.display());
            let row = documentation.lines().find(|line| line.starts_with(&row));
            let row = row.unwrap_or_else(|| panic!("--{flag} is not documented"));
            for default in argument.get_default_values() {
                let default = format!("| `{}` |", default.display());
                assert!(default == "| `false` |" || row.contains(&default), "{row}: {default}");
            }
        }
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, milliseconds) in
            [("1ms", 1), ("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("24h", 86_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)));
        }
        for text in ["", "1", "s", "1 s", "-1s", "+1s", "1.5s", "0s", "25h", "1d", "1ms5", "٣s"] {
            assert_eq!(duration(text), Err(InvalidDuration), "{text}");
        }
        assert_eq!(duration(&format!("{}h", u64::MAX)), Err(InvalidDuration));
        for (text, is_poll) in [("99ms", false), ("100ms", true), ("60s", true), ("2m", false)] {
            assert_eq!(change_poll(text).is_ok(), is_poll, "{text}");
        }
    }
}
