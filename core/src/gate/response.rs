//! What is made of the service's answers: a 401 of its own says where tokens come from, as
//! keystonemiddleware makes it say (`AuthProtocol.process_response`).

use alloc::string::String;

use super::Gate;
use crate::refusal::keystone;

impl Gate {
    /// Whether the status of the service's answer has to be read, and handed to [`Self::challenge`].
    ///
    /// Requests that were bypassed or signed have nothing to do with Keystone, and in shadow mode the
    /// service has middleware of its own.
    #[must_use]
    pub fn reads_status(&self) -> bool {
        let rules = self.config.token.as_ref().filter(|_| self.is_about_tokens && self.is_open());
        self.enforces() && rules.is_some_and(|rules| rules.challenges_service_401)
    }

    /// The header to add to an answer with this status, beside any of its name that the service has set.
    #[must_use]
    pub fn challenge(&self, status: &[u8]) -> Option<(&'static str, String)> {
        let rules = self.config.token.as_ref().filter(|_| status == b"401")?;
        self.reads_status().then(|| keystone::challenge(rules))
    }
}
