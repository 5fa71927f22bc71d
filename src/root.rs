//! The plugin itself: its configuration.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::rc::Rc;

use voussoir_core::config::Config;
use voussoir_core::secret::Secret;

use crate::host::{self, Level};
use crate::worker::Worker;

/// One plugin in one worker. All state hangs on it: several plugins may share an instance of the
/// module.
pub(crate) struct Root {
    pub(crate) context_id: u32,
    worker: RefCell<Option<Rc<Worker>>>,
}

impl Root {
    pub(crate) fn new(context_id: u32) -> Self {
        Self { context_id, worker: RefCell::new(None) }
    }

    /// What it does, once it is configured.
    pub(crate) fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.borrow().clone()
    }

    /// `false` keeps the plugin from loading: at the start the proxy then exits, later it keeps the
    /// configuration it had. The reason stands in its log.
    pub(crate) fn on_configure(&self) -> bool {
        let Ok(bytes) = host::plugin_configuration().map(Secret::new) else {
            host::log(Level::Error, "voussoir: the host gives no plugin configuration");
            return false;
        };
        match Config::parse(bytes.expose()) {
            Ok(config) => {
                // The jitter's seed and the queue's name; no secret follows from it.
                let seed = RandomState::new().build_hasher().finish();
                let worker = Worker::new(self.context_id, config, seed);
                *self.worker.borrow_mut() = Some(Rc::new(worker));
                true
            }
            Err(error) => {
                host::log(Level::Error, &format!("voussoir: configuration refused: {error}"));
                false
            }
        }
    }
}
