//! Sends a probe through this worker's own listener when it starts, and says what it found, or says that
//! nobody will find out.

use std::cell::{Cell, RefCell};

use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::listener_check::{Finding, Probe, SETTINGS};

use super::Worker;
use crate::host::{self, Level};

/// How far the check has come.
pub(super) struct Check {
    /// How many probes may still be sent. The listener may not listen yet.
    tries: Cell<u32>,
    /// The one under way.
    probe: RefCell<Option<Probe>>,
    /// What makes nonces differ from those of other workers. Logs of the listener may show it.
    name: u64,
}

impl Check {
    pub(super) fn new(name: u64) -> Self {
        Self { tries: Cell::new(MAX_TRIES), probe: RefCell::new(None), name }
    }
}

impl Worker {
    /// Says what the listener must set, where that is not checked: once for a plugin, and not for each of
    /// the instances that are made of it.
    pub(crate) fn warn_of_unchecked(&self) {
        if self.config.sigv4.as_ref().is_none_or(|rules| rules.listener_check.is_some()) {
            return;
        }
        let plugin = host::plugin_name().unwrap_or_default();
        let plugin = String::from_utf8_lossy(&plugin);
        let name = format!("voussoir/unchecked/{plugin}");
        // Without shared data, rather too often than never.
        if matches!(host::shared_data(&name), Ok(Some(_))) {
            return;
        }
        let _ = host::set_shared_data(&name, b"", 0);
        let message = format!(
            "voussoir: nothing finds out whether the listener changes what was signed before the \
             plugin {plugin} sees it: sigv4.listener_check.cluster is not set. The listener must \
             have {SETTINGS}"
        );
        host::log(Level::Warn, &message);
    }

    /// Sends a probe if one is due: at each tick until one has come back.
    pub(super) fn probe_listener(&self) {
        let check = self.config.sigv4.as_ref().and_then(|rules| rules.listener_check.as_ref());
        let (Some(check), tries) = (check, self.check.tries.get()) else { return };
        if tries == 0 || self.check.probe.borrow().is_some() {
            return;
        }
        self.check.tries.set(tries - 1);
        let mut nonce = [0; 32];
        for (to, from) in nonce
            .iter_mut()
            .zip(self.check.name.to_le_bytes().into_iter().chain(tries.to_le_bytes()))
        {
            *to = from;
        }
        let Some(keyserver) = self.config.keyserver.as_ref().map(|it| &it.server) else { return };
        let probe = Probe::new(keyserver, check, nonce);
        if self.calls.probe(&check.cluster, &probe, keyserver.timeout) {
            *self.check.probe.borrow_mut() = Some(probe);
        } else {
            self.not_reached("not sent");
        }
    }

    pub(super) fn probe_answered(&self, answer: Result<Answer<'_>, FetchFailure>) {
        let Some(probe) = self.check.probe.borrow_mut().take() else { return };
        let finding = match answer {
            Ok(answer) => probe.judge(answer.status, answer.body),
            Err(_) => Finding::NotReached("no answer".into()),
        };
        if !matches!(finding, Finding::NotReached(_)) {
            self.metrics.count_listener_check(&finding);
        }
        match finding {
            Finding::Sound => {
                host::log(Level::Info, "voussoir: the listener leaves requests as they are signed");
            }
            Finding::Changed(changes) => {
                let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
                let message = format!(
                    "voussoir: THE LISTENER CHANGES REQUESTS BEFORE THIS FILTER, and signatures \
                     will not match: {}",
                    changes.join("; ")
                );
                host::log(Level::Error, &message);
            }
            Finding::NotReached(status) => return self.not_reached(&status),
        }
        self.check.tries.set(0);
    }

    fn not_reached(&self, status: &str) {
        if self.check.tries.get() == 0 {
            self.metrics.count_listener_check(&Finding::NotReached(status.into()));
            let message = format!(
                "voussoir: the listener could not be checked ({status}): is \
                 sigv4.listener_check.cluster the cluster of this very listener?"
            );
            host::log(Level::Warn, &message);
        }
    }
}

/// One at each tick, so for about this many seconds.
const MAX_TRIES: u32 = 20;
