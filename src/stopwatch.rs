//! What requests wait for, and for how long.
//!
//! A request that waits for nothing is decided in the callback for its head, in microseconds that
//! `docs/performance.md` has: to measure each of them would take the host two calls more. So only those are
//! recorded that had to wait, by what they waited for, and as a whole.

use std::cell::Cell;

use voussoir_core::config::{Config, RecordRules};
use voussoir_core::gate::Effect;
use voussoir_core::time::UnixTime;

use crate::metrics::Metrics;

/// What a request waits for, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lap {
    /// The rest of a body.
    Body,
    /// A service catalogue.
    Catalog,
    /// From the first wait to the decision.
    Decision,
    /// Whom a token stands for.
    Identity,
    /// Token keys.
    Keys,
    /// What was revoked.
    Revocations,
    /// A signing key.
    SigningKey,
    /// Keystone's word on a token.
    Validation,
}

impl Lap {
    pub(crate) const ALL: [Self; 8] = [
        Self::Body,
        Self::Catalog,
        Self::Decision,
        Self::Identity,
        Self::Keys,
        Self::Revocations,
        Self::SigningKey,
        Self::Validation,
    ];

    /// What metrics call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Catalog => "catalog",
            Self::Decision => "decision",
            Self::Identity => "identity",
            Self::Keys => "keys",
            Self::Revocations => "revocations",
            Self::SigningKey => "signing_key",
            Self::Validation => "validation",
        }
    }

    /// Whether the configuration has requests wait for it.
    pub(crate) fn is_there(self, config: &Config) -> bool {
        let records = config.token.as_ref().and_then(|token| token.records.as_ref());
        let of_keystone = config.keystone().is_some();
        match self {
            Self::Body | Self::Decision => true,
            Self::Catalog => !of_keystone && records.is_some_and(RecordRules::needs_catalogs),
            Self::Identity | Self::Revocations => !of_keystone && records.is_some(),
            Self::Keys => config.token.is_some() && config.keyserver.is_some(),
            Self::SigningKey => config.sigv4.is_some(),
            Self::Validation => of_keystone,
        }
    }

    /// What a request that asks for this waits for.
    fn of(effect: &Effect) -> Option<Self> {
        match effect {
            Effect::NeedCatalog(_) => Some(Self::Catalog),
            Effect::NeedIdentity(_) => Some(Self::Identity),
            Effect::NeedKeys { .. } => Some(Self::Keys),
            Effect::NeedRest { .. } => Some(Self::Body),
            Effect::NeedRevocations => Some(Self::Revocations),
            Effect::NeedSigningKey(_) => Some(Self::SigningKey),
            Effect::NeedValidation(_) => Some(Self::Validation),
            Effect::Forward(..)
            | Effect::NeedCertificate
            | Effect::Nothing
            | Effect::Pass { .. }
            | Effect::Refuse(..) => None,
        }
    }
}

/// Since when a request waits.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    /// Since its first wait.
    begun: Cell<Option<UnixTime>>,
    current: Cell<Option<(Lap, UnixTime)>>,
}

impl Stopwatch {
    /// The request begins to wait for what it asks for.
    pub(crate) fn wait(&self, now: UnixTime, effect: &Effect) {
        self.begun.set(self.begun.get().or(Some(now)));
        self.current.set(Lap::of(effect).map(|lap| (lap, now)));
    }

    /// It waits no more.
    pub(crate) fn resume(&self, now: UnixTime, metrics: &Metrics) {
        if let Some((lap, since)) = self.current.take() {
            metrics.record_lap(lap, now.since(since));
        }
    }

    /// It is decided.
    pub(crate) fn decide(&self, now: UnixTime, metrics: &Metrics) {
        self.resume(now, metrics);
        if let Some(begun) = self.begun.take() {
            metrics.record_lap(Lap::Decision, now.since(begun));
        }
    }
}
