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

use super::{Incomplete, Published};
use crate::metrics::Metrics;
use crate::settle::{Reading, Settle};

/// Starts to watch `directory`. What comes out is empty until a first complete set was read, and
/// never empty again. The thread ends when nobody listens any more.
pub(crate) fn watch(
    directory: PathBuf,
    metrics: Arc<Metrics>,
) -> io::Result<Receiver<Option<Arc<Published>>>> {
    let (published, receiver) = tokio::sync::watch::channel(None);
    let mut watch = Watch { directory, metrics, published, settle: Settle::new(), complaint: None };
    thread::Builder::new().name("key-repository".into()).spawn(move || {
        while !watch.published.is_closed() {
            watch.look();
            thread::sleep(POLL_INTERVAL);
        }
    })?;
    Ok(receiver)
}

struct Watch {
    directory: PathBuf,
    metrics: Arc<Metrics>,
    published: Sender<Option<Arc<Published>>>,
    settle: Settle<voussoir_core::record::KeySet>,
    /// What was last complained about, so that it is said once and not four times a second.
    complaint: Option<Incomplete>,
}

impl Watch {
    fn look(&mut self) {
        let keys = match super::read::read(&self.directory) {
            Ok(keys) => keys,
            Err(why) => {
                self.settle.failed();
                self.metrics.snapshot_refused(why);
                if self.complaint.replace(why) != Some(why) {
                    let directory = self.directory.display();
                    warn!(%directory, "the key repository holds no complete set of keys: {why}");
                }
                return;
            }
        };
        match self.settle.read(keys) {
            Reading::Believed => self.metrics.keys_confirmed(),
            Reading::Unsettled => return,
            Reading::New(keys) => {
                let Some(published) = Published::new(keys) else {
                    return error!("the keys cannot be written as JSON");
                };
                let etag = published.etag.to_str().unwrap_or_default().trim_matches('"');
                let (primary, ids) = (published.primary(), &published.ids);
                info!(primary, ?ids, etag, "serving a new set of keys");
                self.metrics.keys_loaded(&published);
                self.published.send_replace(Some(Arc::new(published)));
            }
        }
        if self.complaint.take().is_some() {
            info!("the key repository holds a complete set of keys again");
        }
    }
}

/// How often the key repository is read. A change is served after two readings that agree, so
/// within twice this.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
