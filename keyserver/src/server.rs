//! The parts put together: what is watched, the listener, and the end.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::watch::Sender;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::access_keys::{AccessKeys, Sources};
use crate::changes::{self, Check, Feed};
use crate::config::{Config, Limits};
use crate::connection::Connections;
use crate::database::{Database, Purpose};
use crate::http::{self, Access, Context};
use crate::key_repository;
use crate::keystone::Parts;
use crate::logging::Allowance;
use crate::metrics::Metrics;
use crate::open_files;
use crate::reload;
use crate::schemas;
use crate::store::{Store, StoreChanges};

/// A server that listens, and serves once it is run.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    connections: Arc<Connections>,
    metrics: Arc<Metrics>,
    ending: Sender<bool>,
}

/// Why a server does not start: whose fault it is.
#[derive(Debug)]
pub enum StartError {
    /// What the server was told to use cannot be used.
    Configuration(Box<dyn Error + Send + Sync>),
    /// The operating system did not play along.
    Runtime(Box<dyn Error + Send + Sync>),
}

impl Server {
    /// Reads everything that the configuration names, and listens.
    ///
    /// Without a complete set of keys it starts all the same, and is not ready: the key repository
    /// may come to be later.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        check_repositories(&config)?;
        let tokens = config
            .bearer_tokens
            .map(|path| reload::watch(vec![path], Arc::clone(&metrics)))
            .transpose()
            .map_err(|why| StartError::Configuration(why.into()))?;
        let certificate = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let tls = config
            .tls
            .map(|tls| {
                let paths = [tls.certificate, tls.private_key].into_iter().chain(tls.client_ca);
                reload::watch(paths.collect(), Arc::clone(&metrics))
            })
            .transpose()
            .map_err(|why| StartError::Configuration(why.into()))?;
        let runtime = |why: io::Error| StartError::Runtime(why.into());
        // In the order in which they are asked: what an operator put there comes first.
        let mut sources: Vec<Arc<dyn AccessKeys>> = Vec::new();
        let feed = Arc::new(Feed::new(config.changes.poll, Arc::clone(&metrics)));
        let mut checks: Vec<Box<dyn Check>> = Vec::new();
        if let Some(store) = config.store {
            let keys = reload::watch(vec![store.key], Arc::clone(&metrics))
                .map_err(|why| StartError::Configuration(why.into()))?;
            let traffic = metrics.databases.traffic("store");
            let database = Database::open(store.url, Purpose::Read).counted(traffic);
            let database = Arc::new(database);
            checks.push(Box::new(StoreChanges::new(Arc::clone(&database))));
            sources.push(Arc::new(Store { database, keys }));
        }
        let keystone = config
            .keystone
            .map(|keystone| Parts::open(keystone, config.changes, &feed, &metrics))
            .transpose()
            .map_err(runtime)?
            .unwrap_or_default();
        checks.extend(keystone.checks);
        sources.extend(keystone.access_keys);

        let schemas = config
            .schemas
            .map(|directory| schemas::watch(&directory, Arc::clone(&metrics)))
            .transpose()
            .map_err(|why| StartError::Configuration(why.into()))?;

        let listener = TcpListener::bind(config.listen).await.map_err(|why| {
            StartError::Runtime(format!("cannot listen on {}: {why}", config.listen).into())
        })?;
        let address = listener.local_addr().map_err(runtime)?;
        let mut keys = Some(config.token_keys)
            .filter(|directories| !directories.is_empty())
            .map(|directories| key_repository::watch(directories, Arc::clone(&metrics)))
            .transpose()
            .map_err(runtime)?;
        if let Some(keys) = &mut keys
            && timeout(FIRST_KEYS, keys.wait_for(Option::is_some)).await.is_err()
        {
            warn!("there is no complete set of keys yet: requests for keys are answered with 503");
        }
        if tls.is_none() && !address.ip().is_loopback() {
            warn!("without --tls-certificate, the keys travel for everyone on the way to see");
        }
        if tokens.is_none() && !certificate {
            warn!("everyone who can connect to {address} can fetch the keys");
        }

        let limits = Limits {
            connections: open_files::make_room(config.limits.connections),
            ..config.limits
        };
        let ending = Sender::new(false);
        if let Some(keys) = &keys {
            let feed = Arc::clone(&feed);
            tokio::spawn(changes::tell_rotations(keys.clone(), feed, ending.subscribe()));
        }
        let passes =
            changes::run(checks, Arc::clone(&feed), Arc::clone(&metrics), ending.subscribe());
        tokio::spawn(passes);
        let sources = Sources::new(sources, Arc::clone(&metrics), &ending.subscribe());
        let router = http::router(Arc::new(Context {
            access: Access { certificate, tokens },
            keys,
            sources,
            identities: keystone.identities,
            revocations: keystone.revocations,
            catalogs: keystone.catalogs,
            schemas,
            feed,
            metrics: Arc::clone(&metrics),
            allowance: Allowance::new(),
        }));
        let connections = Arc::new(Connections::new(limits, router, tls, ending.subscribe()));
        Ok(Self { listener, address, limits, connections, metrics, ending })
    }

    /// Where clients find the server.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.connections.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `end` comes to be; then lets the connections end, for as long as they may take.
    pub async fn run(self, end: impl Future<Output = ()>) {
        info!(address = %self.address, version = env!("CARGO_PKG_VERSION"), "serving");
        let slots = Arc::new(Semaphore::new(
            usize::try_from(self.limits.connections).unwrap_or(Semaphore::MAX_PERMITS),
        ));
        tokio::select! {
            () = self.accept(&slots) => {}
            () = pin!(end) => {}
        }
        drop(self.listener);
        info!(address = %self.address, "ending");
        self.ending.send_replace(true);
        if timeout(self.limits.shutdown, slots.acquire_many(self.limits.connections)).await.is_err()
        {
            warn!("some connections did not end in time and are cut off");
        }
    }

    async fn accept(&self, slots: &Arc<Semaphore>) {
        loop {
            if slots.available_permits() == 0
                && let Some(_unsaid) = self.connections.allowance.take()
            {
                let most = self.limits.connections;
                warn!("all {most} connections (--max-connections) are in use, others wait");
            }
            // Without a slot nothing is accepted: clients wait in the system's queue.
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
                return;
            };
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(why) => {
                    self.tolerate(&why).await;
                    continue;
                }
            };
            let (connections, metrics) = (Arc::clone(&self.connections), Arc::clone(&self.metrics));
            tokio::spawn(async move {
                metrics.connection_opened();
                let end = connections.serve(stream, address).await;
                metrics.connection_ended(end);
                drop(slot);
            });
        }
    }

    /// A client that went away again concerns nobody. Anything else, such as no file descriptor
    /// being left, is not over at once.
    async fn tolerate(&self, why: &io::Error) {
        if matches!(why.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        if let Some(unsaid) = self.connections.allowance.take() {
            warn!(unsaid, "cannot accept connections: {why}");
        }
        sleep(ACCEPT_PAUSE).await;
    }
}

impl StartError {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) => 2,
            Self::Runtime(_) => 1,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(why) | Self::Runtime(why) => write!(f, "{why}"),
        }
    }
}

impl Error for StartError {}

/// Whether there are the repositories that Keystone makes with a command of its own.
fn check_repositories(config: &Config) -> Result<(), StartError> {
    let credential_keys = config.keystone.as_ref().map(|keystone| &keystone.credential_keys);
    for (flag, command, directory) in [
        ("--fernet-keys", "fernet_setup", config.token_keys.fernet.as_ref()),
        ("--jws-public-keys", "create_jws_keypair", config.token_keys.jws.as_ref()),
        ("--credential-keys", "credential_setup", credential_keys),
    ] {
        if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
            let why = no_repository(flag, command, directory);
            return Err(StartError::Configuration(why.into()));
        }
    }
    Ok(())
}

fn no_repository(flag: &str, command: &str, directory: &Path) -> String {
    format!(
        "{flag} {} is no directory that can be read: it must be Keystone's key repository, \
         for which `keystone-manage {command}` makes keys",
        directory.display()
    )
}

/// How long the start waits for the first set of keys: a good directory takes two readings.
const FIRST_KEYS: Duration = Duration::from_secs(2);

/// How long to wait after the system refused to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
