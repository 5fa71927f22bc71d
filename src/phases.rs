//! How long requests take, by phases.
//!
//! A request that waits for nothing is decided in the callback for its head, in some microseconds: to measure each
//! of them would take three calls of the host, so that is done only where the configuration wants it. What requests wait
//! for is always measured: both ends of a wait lie in callbacks that ask for the time anyway.

use std::cell::Cell;

use voussoir_core::config::{Config, RecordRules};
use voussoir_core::gate::Effect;
use voussoir_core::schema::{Enforcement, Governed};
use voussoir_core::time::UnixTime;

use crate::metrics::Metrics;

/// What takes a request time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for the rest of a body that must be complete.
    Body,
    /// It waits for a service catalogue.
    Catalog,
    /// The filter works on its head, until it is decided or begins to wait.
    Head,
    /// It waits for whom a token stands for.
    Identity,
    /// It waits for token keys.
    Keys,
    /// It waits for what was revoked.
    Revocations,
    /// It waits for a signing key.
    SigningKey,
    /// It waits for Keystone's word on a token.
    Validation,
    /// All its waits, from the first to the decision.
    Waits,
}

impl Phase {
    pub(crate) const ALL: [Self; 9] = [
        Self::Body,
        Self::Catalog,
        Self::Head,
        Self::Identity,
        Self::Keys,
        Self::Revocations,
        Self::SigningKey,
        Self::Validation,
        Self::Waits,
    ];

    /// What metrics call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Catalog => "catalog",
            Self::Head => "head",
            Self::Identity => "identity",
            Self::Keys => "keys",
            Self::Revocations => "revocations",
            Self::SigningKey => "signing_key",
            Self::Validation => "validation",
            Self::Waits => "waits",
        }
    }

    /// Whether requests can have it with this configuration.
    pub(crate) fn is_there(self, config: &Config) -> bool {
        let records = config.token.as_ref().and_then(|token| token.records.as_ref());
        let asks_keystone = config.keystone().is_some();
        match self {
            Self::Body => config.all_settings().any(|it| {
                let is_enforced = |it: &Governed| it.enforcement == Enforcement::Enforce;
                !it.complete_body.rules.is_empty() || it.schemas.all.iter().any(is_enforced)
            }),
            Self::Catalog => !asks_keystone && records.is_some_and(RecordRules::needs_catalogs),
            Self::Head => config.times_heads,
            Self::Identity | Self::Revocations => !asks_keystone && records.is_some(),
            Self::Keys => config.token.is_some() && config.keyserver.is_some(),
            Self::SigningKey => config.sigv4.is_some(),
            Self::Validation => asks_keystone,
            Self::Waits => true,
        }
    }

    /// What a request that asks for this waits for.
    pub(crate) fn of(effect: &Effect) -> Option<Self> {
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
    current: Cell<Option<(Phase, UnixTime)>>,
}

impl Stopwatch {
    /// The request begins to wait for this.
    pub(crate) fn wait(&self, now: UnixTime, phase: Option<Phase>, metrics: &Metrics) {
        self.resume(now, metrics);
        self.begun.set(self.begun.get().or(Some(now)));
        self.current.set(phase.map(|phase| (phase, now)));
    }

    /// It waits no more.
    pub(crate) fn resume(&self, now: UnixTime, metrics: &Metrics) {
        if let Some((phase, since)) = self.current.take() {
            metrics.record_phase(phase, now.since(since));
        }
    }

    /// It is decided.
    pub(crate) fn decide(&self, now: UnixTime, metrics: &Metrics) {
        self.resume(now, metrics);
        if let Some(begun) = self.begun.take() {
            metrics.record_phase(Phase::Waits, now.since(begun));
        }
    }
}
