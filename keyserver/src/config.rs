//! The configuration, checked: a server that would hand keys to anyone cannot be configured by
//! leaving something out.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::{self, Demo, Serve, StoreFlags};
use crate::database::{DatabaseUrl, UrlFileError};
use crate::key_repository::Directories;

/// What a server needs to know. Made from the command line with `TryFrom`.
#[derive(Debug)]
pub struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) token_keys: Directories,
    pub(crate) keystone: Option<KeystoneConfig>,
    pub(crate) store: Option<StoreConfig>,
    pub(crate) schemas: Option<PathBuf>,
    pub(crate) bearer_tokens: Option<PathBuf>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) limits: Limits,
    pub(crate) changes: ChangesConfig,
}

/// How changes are found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangesConfig {
    /// From the begin of one pass to the next.
    pub(crate) poll: Duration,
    /// How long something of Keystone's is watched after it was asked for.
    pub(crate) recheck_for: Duration,
    /// How many access keys.
    pub(crate) recheck_keys: usize,
    /// How many identities.
    pub(crate) recheck_identities: usize,
}

/// Where a Keystone keeps what it knows.
#[derive(Debug)]
pub(crate) struct KeystoneConfig {
    pub(crate) url: DatabaseUrl,
    pub(crate) credential_keys: PathBuf,
    /// The project of the cloud's administrators.
    pub(crate) admin_project: Option<AdminProject>,
    /// Whether a project for which no endpoint was chosen has an empty catalogue.
    pub(crate) chosen_endpoints_only: bool,
}

/// The project of a cloud's administrators, by its name and its domain's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminProject {
    pub(crate) domain: String,
    pub(crate) project: String,
}

/// A text that names no project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAdminProject;

/// Where access keys of our own are.
#[derive(Debug)]
pub(crate) struct StoreConfig {
    pub(crate) url: DatabaseUrl,
    pub(crate) key: PathBuf,
}

/// Where the server finds its certificate, and the authorities of its clients'.
#[derive(Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) private_key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
}

/// How much a server takes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at a time.
    pub(crate) connections: u32,
    /// From the connection to the first answer.
    pub(crate) request: Duration,
    /// From one answer to the next.
    pub(crate) idle: Duration,
    /// From the signal to the end.
    pub(crate) shutdown: Duration,
}

/// Why flags are no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// `--allow-unauthenticated` next to something that authenticates.
    Contradiction,
    /// `demo` on an address that others can reach.
    DemoBeyondLoopback(SocketAddr),
    /// Neither keys of tokens, nor access keys, nor documents.
    NothingToServe,
    /// Nothing that authenticates clients.
    Unauthenticated,
    /// `--allow-unauthenticated` on an address that others can reach.
    UnauthenticatedBeyondLoopback(SocketAddr),
    /// This flag's file holds no URL of a database.
    UrlFile(&'static str, PathBuf, UrlFileError),
}

impl TryFrom<Serve> for Config {
    type Error = ConfigError;

    fn try_from(serve: Serve) -> Result<Self, ConfigError> {
        let store = StoreConfig::from_flags(serve.store)?;
        let keystone =
            url("--keystone-database-file", serve.keystone_database, serve.keystone_database_file)?;
        // The command line has the keys with the URL.
        let (admin_project, chosen_endpoints_only) =
            (serve.admin_project, serve.chosen_endpoints_only);
        let keystone = keystone.zip(serve.credential_keys).map(|(url, credential_keys)| {
            KeystoneConfig { url, credential_keys, admin_project, chosen_endpoints_only }
        });
        let token_keys = Directories { fernet: serve.fernet_keys, jws: serve.jws_public_keys };
        let schemas = serve.schemas;
        let has_keys = !token_keys.is_empty() || keystone.is_some() || store.is_some();
        if !has_keys && schemas.is_none() {
            return Err(ConfigError::NothingToServe);
        }
        let authenticated = serve.bearer_tokens.is_some() || serve.client_ca.is_some();
        match (authenticated, serve.allow_unauthenticated) {
            (true, true) => return Err(ConfigError::Contradiction),
            (false, false) => return Err(ConfigError::Unauthenticated),
            (false, true) if !serve.listen.ip().is_loopback() => {
                return Err(ConfigError::UnauthenticatedBeyondLoopback(serve.listen));
            }
            (true, false) | (false, true) => {}
        }
        // The command line has either both of the files or neither.
        let tls = serve.tls_certificate.zip(serve.tls_private_key);
        Ok(Self {
            listen: serve.listen,
            token_keys,
            keystone,
            store,
            schemas,
            bearer_tokens: serve.bearer_tokens,
            tls: tls.map(|(certificate, private_key)| TlsFiles {
                certificate,
                private_key,
                client_ca: serve.client_ca,
            }),
            limits: Limits {
                connections: serve.max_connections,
                request: serve.request_timeout,
                idle: serve.idle_timeout,
                shutdown: serve.shutdown_timeout,
            },
            changes: ChangesConfig {
                poll: serve.change_poll,
                recheck_for: serve.recheck_for,
                recheck_keys: usize::try_from(serve.recheck_keys).unwrap_or(usize::MAX),
                recheck_identities: usize::try_from(serve.recheck_identities).unwrap_or(usize::MAX),
            },
        })
    }
}

impl TryFrom<Demo> for Config {
    type Error = ConfigError;

    fn try_from(demo: Demo) -> Result<Self, ConfigError> {
        if !demo.listen.ip().is_loopback() {
            return Err(ConfigError::DemoBeyondLoopback(demo.listen));
        }
        Ok(Self {
            listen: demo.listen,
            token_keys: Directories { fernet: Some(demo.fernet_keys()), jws: None },
            keystone: None,
            store: None,
            schemas: None,
            bearer_tokens: demo.bearer_tokens,
            tls: None,
            limits: Limits { connections: DEMO_CONNECTIONS, ..Limits::default() },
            changes: ChangesConfig::default(),
        })
    }
}

impl StoreConfig {
    /// `None` if there are no flags of a store.
    pub(crate) fn from_flags(flags: StoreFlags) -> Result<Option<Self>, ConfigError> {
        let url = url("--store-file", flags.store, flags.store_file)?;
        // The command line has the key with the URL.
        Ok(url.zip(flags.store_key).map(|(url, key)| Self { url, key }))
    }
}

/// The URL of a flag, or else that of the flag's file.
fn url(
    flag: &'static str,
    url: Option<DatabaseUrl>,
    file: Option<PathBuf>,
) -> Result<Option<DatabaseUrl>, ConfigError> {
    let Some(file) = file else { return Ok(url) };
    let read = DatabaseUrl::from_file(&file);
    read.map(Some).map_err(|why| ConfigError::UrlFile(flag, file, why))
}

/// `DOMAIN/PROJECT`. The domain's name ends with the first slash.
impl FromStr for AdminProject {
    type Err = InvalidAdminProject;

    fn from_str(text: &str) -> Result<Self, InvalidAdminProject> {
        let (domain, project) = text.split_once('/').ok_or(InvalidAdminProject)?;
        if domain.is_empty() || project.is_empty() {
            return Err(InvalidAdminProject);
        }
        Ok(Self { domain: domain.into(), project: project.into() })
    }
}

impl fmt::Display for InvalidAdminProject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write the names of domain and project like Default/admin")
    }
}

impl Error for InvalidAdminProject {}

impl Default for ChangesConfig {
    fn default() -> Self {
        let duration = |text| cli::duration(text).unwrap_or_default();
        Self {
            poll: duration(cli::DEFAULT_CHANGE_POLL),
            recheck_for: duration(cli::DEFAULT_RECHECK_FOR),
            recheck_keys: usize::try_from(cli::DEFAULT_RECHECK_KEYS).unwrap_or(usize::MAX),
            recheck_identities: usize::try_from(cli::DEFAULT_RECHECK_IDENTITIES)
                .unwrap_or(usize::MAX),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let duration = |text| cli::duration(text).unwrap_or_default();
        Self {
            connections: cli::DEFAULT_MAX_CONNECTIONS,
            request: duration(cli::DEFAULT_REQUEST_TIMEOUT),
            idle: duration(cli::DEFAULT_IDLE_TIMEOUT),
            shutdown: duration(cli::DEFAULT_SHUTDOWN_TIMEOUT),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction => f.write_str(
                "--allow-unauthenticated contradicts --bearer-tokens and --client-ca: leave it out",
            ),
            Self::DemoBeyondLoopback(listen) => write!(
                f,
                "demo does not listen on {listen}, where others could fetch the keys: \
                 use a loopback address such as 127.0.0.1:9311"
            ),
            Self::NothingToServe => f.write_str(
                "there is nothing to serve: give one or more of --fernet-keys, \
                     --jws-public-keys, --keystone-database, --store and --schemas",
            ),
            Self::Unauthenticated => f.write_str(
                "nothing says who may have the keys: give --bearer-tokens, or --client-ca with \
                 --tls-certificate and --tls-private-key, or, on a loopback address, \
                 --allow-unauthenticated",
            ),
            Self::UnauthenticatedBeyondLoopback(listen) => write!(
                f,
                "--allow-unauthenticated does not go with {listen}, where anyone could fetch the \
                 keys: listen on a loopback address such as 127.0.0.1:9311, or give \
                 --bearer-tokens or --client-ca"
            ),
            Self::UrlFile(flag, file, why) => write!(f, "{flag} {}: {why}", file.display()),
        }
    }
}

impl Error for ConfigError {}

/// Few enough for any system's limit of open files.
const DEMO_CONNECTIONS: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn config(flags: &str) -> Result<Config, ConfigError> {
        let words = ["voussoir-keyserver"].into_iter().chain(flags.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            Command::Serve(serve) => (*serve).try_into(),
            Command::Demo(demo) => demo.try_into(),
            Command::Keys(_) | Command::Policy(_) | Command::Schemas(_) => {
                panic!("that is no server")
            }
        }
    }

    #[test]
    fn clients_are_known_by_a_token_or_a_certificate() {
        for flags in [
            "serve --fernet-keys k --bearer-tokens t --listen 0.0.0.0:1",
            "serve --fernet-keys k --tls-certificate c --tls-private-key p --client-ca a",
            "serve --fernet-keys k --allow-unauthenticated",
            "serve --jws-public-keys k --allow-unauthenticated",
            "serve --fernet-keys k --jws-public-keys k --allow-unauthenticated --listen [::1]:1",
        ] {
            assert!(config(flags).is_ok(), "{flags}");
        }
        assert_eq!(config("serve --fernet-keys k").err(), Some(ConfigError::Unauthenticated));
        assert_eq!(
            config("serve --fernet-keys k --tls-certificate c --tls-private-key p").err(),
            Some(ConfigError::Unauthenticated)
        );
        assert_eq!(
            config("serve --fernet-keys k --allow-unauthenticated --bearer-tokens t").err(),
            Some(ConfigError::Contradiction)
        );
    }

    #[test]
    fn there_is_something_to_serve() {
        assert_eq!(config("serve --bearer-tokens t").err(), Some(ConfigError::NothingToServe));
        let store = "serve --bearer-tokens t --store sqlite:s.db --store-key k";
        let config = config(store).unwrap();
        assert!(config.token_keys.is_empty() && config.store.is_some());
    }

    #[test]
    fn flags_of_one_thing_come_together() {
        for flags in [
            "--store sqlite:s.db",
            "--store-file f",
            "--store sqlite:s.db --store-file f --store-key k",
            "--store http://hunter2 --store-key k",
            "--admin-project Default/admin",
            "--keystone-database sqlite:s.db --credential-keys k --admin-project admin",
            "--keystone-database sqlite:s.db --credential-keys k --admin-project /admin",
        ] {
            let words = format!("x serve --fernet-keys k --bearer-tokens t {flags}");
            assert!(Cli::try_parse_from(words.split_whitespace()).is_err(), "{flags}");
        }
    }

    #[test]
    fn what_asks_nobody_stays_on_the_loopback() {
        for listen in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1", "[::ffff:127.0.0.1]:1"] {
            let address = listen.parse().unwrap();
            assert_eq!(
                config(&format!("demo --directory d --listen {listen}")).err(),
                Some(ConfigError::DemoBeyondLoopback(address))
            );
            assert_eq!(
                config(&format!("serve --fernet-keys k --allow-unauthenticated --listen {listen}"))
                    .err(),
                Some(ConfigError::UnauthenticatedBeyondLoopback(address))
            );
        }
    }

    #[test]
    fn demo_has_the_timeouts_that_serve_has_by_default() {
        let serve = config("serve --fernet-keys k --allow-unauthenticated").unwrap();
        let demo = config("demo --directory d").unwrap();
        let timeouts =
            |config: &Config| [config.limits.request, config.limits.idle, config.limits.shutdown];
        assert_eq!(timeouts(&serve), timeouts(&demo));
        assert_eq!(serve.limits.connections, Limits::default().connections);
        assert_eq!(demo.limits.idle, Duration::from_secs(90));
        assert_eq!(demo.token_keys.fernet, Some(PathBuf::from("d/fernet-keys")));
    }
}
