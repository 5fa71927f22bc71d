//! The thread that looks at the key repository and publishes each change.
//!
//! It is a thread of its own because a directory on a network can make a reader wait for any time;
//! the requests are answered from the last good set all the while.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::watch::{Receiver, Sender};
use tracing::{error, info, warn};

use voussoir_core::record::KeySet;

use super::Incomplete;
use crate::complaint::Complaint;
use crate::metrics::Metrics;
use crate::settle::{Reading, Settle};

/// What is made of a set of keys: what is served, or what opens credentials.
pub(crate) trait Repository: Send + Sized + Sync + 'static {
    /// What the directory is called in logs.
    const NAME: &'static str;

    /// Makes it. `None` if that cannot be, which does not happen to keys that were checked.
    fn from_keys(keys: &KeySet) -> Option<Self>;

    /// Tells that it is in force from now on.
    fn loaded(&self, metrics: &Metrics);

    /// Counts that the directory still holds what is in force.
    fn confirmed(metrics: &Metrics);

    /// Counts that a directory holds no complete set.
    fn refused(metrics: &Metrics, why: &Incomplete);
}

/// Where keys are: of one kind, or of both, which are one set then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directories {
    /// Fernet keys.
    pub(crate) fernet: Option<PathBuf>,
    /// Public keys of signed tokens.
    pub(crate) jws: Option<PathBuf>,
}

impl Directories {
    /// Whether there is neither.
    pub(crate) fn is_empty(&self) -> bool {
        self.fernet.is_none() && self.jws.is_none()
    }

    /// Reads all of the keys; or tells which directory holds no complete set, and why.
    fn read(&self) -> Result<KeySet, (&PathBuf, Incomplete)> {
        let mut keys = KeySet::default();
        if let Some(directory) = &self.fernet {
            keys = super::read::read(directory).map_err(|why| (directory, why))?;
        }
        if let Some(directory) = &self.jws {
            keys.jws = super::public::read(directory).map_err(|why| (directory, why))?;
        }
        Ok(keys)
    }
}

/// Starts to watch these directories. What comes out is empty until a first complete set was read, and
/// never empty again. The thread ends when nobody listens any more.
pub(crate) fn watch<T: Repository>(
    directories: Directories,
    metrics: Arc<Metrics>,
) -> io::Result<Receiver<Option<Arc<T>>>> {
    let (published, receiver) = tokio::sync::watch::channel(None);
    let (settle, complaint) = (Settle::new(), Complaint::default());
    let mut watch = Watch { directories, metrics, published, settle, complaint };
    thread::Builder::new().name(T::NAME.replace(' ', "-")).spawn(move || {
        while !watch.published.is_closed() {
            watch.look();
            thread::sleep(POLL_INTERVAL);
        }
    })?;
    Ok(receiver)
}

struct Watch<T> {
    directories: Directories,
    metrics: Arc<Metrics>,
    published: Sender<Option<Arc<T>>>,
    settle: Settle<KeySet>,
    complaint: Complaint<Incomplete>,
}

impl<T: Repository> Watch<T> {
    fn look(&mut self) {
        let keys = match self.directories.read() {
            Ok(keys) => keys,
            Err((directory, why)) => {
                self.settle.failed();
                T::refused(&self.metrics, &why);
                if let Some(why) = self.complaint.about(why) {
                    let directory = directory.display();
                    let name = T::NAME;
                    warn!(%directory, "the {name} holds no complete set of keys: {why}");
                }
                return;
            }
        };
        match self.settle.read(keys) {
            Reading::Believed => T::confirmed(&self.metrics),
            Reading::Unsettled => return,
            Reading::New(keys) => {
                let Some(published) = T::from_keys(keys) else {
                    return error!("the keys of the {} cannot be used", T::NAME);
                };
                published.loaded(&self.metrics);
                self.published.send_replace(Some(Arc::new(published)));
            }
        }
        if self.complaint.end() {
            info!("the {} holds a complete set of keys again", T::NAME);
        }
    }
}

/// How often the key repository is read. A change is served after two readings that agree, so
/// within twice this.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
