//! The plugin itself: its configuration, its clock, and the answers to its calls.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use voussoir_core::config::Config;
use voussoir_core::secret::Secret;

use crate::host::{self, Level};
use crate::http::{Request, Unconfigured};
use crate::worker::Worker;

/// One plugin in one worker. All state hangs on it: several plugins may share an instance of the
/// module, so nothing is static.
pub(crate) struct Root {
    context_id: u32,
    worker: Option<Rc<Worker>>,
}

impl Root {
    pub(crate) fn new(context_id: u32) -> Self {
        Self { context_id, worker: None }
    }
}

impl Context for Root {
    fn on_http_call_response(
        &mut self,
        token: u32,
        header_count: usize,
        _body_size: usize,
        _trailer_count: usize,
    ) {
        if let Some(worker) = &self.worker {
            worker.on_call_response(token, header_count);
        }
    }
}

impl RootContext for Root {
    /// `false` keeps the plugin from loading: at the start the proxy then exits, later it keeps the
    /// configuration it had. The reason stands in its log.
    fn on_configure(&mut self, _size: usize) -> bool {
        let Ok(bytes) = host::plugin_configuration().map(Secret::new) else {
            host::log(Level::Error, "voussoir: the host gives no plugin configuration");
            return false;
        };
        // Nobody may know the seed: by it, places in hash tables are found.
        let (Ok(seed), Ok(name)) = (getrandom::u64(), getrandom::u64()) else {
            host::log(Level::Error, "voussoir: the host gives no random bytes");
            return false;
        };
        match Config::parse(bytes.expose()) {
            Ok(config) => {
                let worker = Worker::new(self.context_id, config, seed, name);
                worker.warn_of_unchecked();
                self.worker = Some(Rc::new(worker));
                true
            }
            Err(error) => {
                host::log(Level::Error, &format!("voussoir: configuration refused: {error}"));
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &self.worker {
            worker.on_tick();
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        if let Some(worker) = &self.worker {
            worker.on_queue_ready(queue);
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.worker {
            Some(worker) => Box::new(Request::new(context_id, Rc::clone(worker))),
            None => Box::new(Unconfigured),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
