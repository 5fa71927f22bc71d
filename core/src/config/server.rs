//! The sections `keyserver` and `keystone`, and what of `audit.collector` is like them: whom calls go to.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::check::{is_name, is_visible, time};
use super::{
    ConfigError, DEFAULT_COLLECTOR_TIMEOUT, DEFAULT_KEYSTONE_PATH, DEFAULT_KEYSTONE_TIMEOUT,
    DEFAULT_POLL, DEFAULT_TIMEOUT, KeyServer, Keystone, Server, raw,
};
use crate::secret::Secret;

pub(super) fn keyserver(raw: raw::KeyServer) -> Result<KeyServer, ConfigError> {
    let poll = time(raw.poll.as_deref(), DEFAULT_POLL, 500, 60_000)
        .ok_or_else(|| ConfigError::limits("keyserver.poll", "500ms to 60s, such as \"2s\""))?;
    let section = Section {
        name: "keyserver",
        cluster: raw.cluster,
        authority: raw.authority,
        timeout: raw.timeout,
        default_timeout: DEFAULT_TIMEOUT,
        secret: ("bearer_token", raw.bearer_token),
    };
    Ok(KeyServer { server: section.check()?, poll })
}

pub(super) fn keystone(raw: raw::Keystone) -> Result<Keystone, ConfigError> {
    let path = raw.path.unwrap_or_else(|| DEFAULT_KEYSTONE_PATH.into());
    let is_path = path.starts_with('/') && !path.contains(['?', '#', '%', '\\']);
    if !is_path || !is_visible(path.as_bytes(), 1024) {
        return Err(ConfigError::limits(
            "keystone.path",
            "a path of at most 1024 visible ASCII characters without a query, such as \
             /v3/auth/tokens",
        ));
    }
    let section = Section {
        name: "keystone",
        cluster: raw.cluster,
        authority: raw.authority,
        timeout: raw.timeout,
        default_timeout: DEFAULT_KEYSTONE_TIMEOUT,
        secret: ("seal_secret", raw.seal_secret),
    };
    Ok(Keystone { server: section.check()?, path })
}

/// The server of a collector. The path, which is apart from it, may have a query.
pub(super) fn collector(raw: &raw::Collector) -> Result<(Server, String), ConfigError> {
    let path = raw.path.clone().unwrap_or_else(|| "/".into());
    if !path.starts_with('/') || path.contains('#') || !is_visible(path.as_bytes(), 1024) {
        return Err(ConfigError::limits(
            "audit.collector.path",
            "a path of at most 1024 visible ASCII characters, such as /v1/events",
        ));
    }
    let section = Section {
        name: "audit.collector",
        cluster: raw.cluster.clone(),
        authority: raw.authority.clone(),
        timeout: raw.timeout.clone(),
        default_timeout: DEFAULT_COLLECTOR_TIMEOUT,
        secret: ("bearer_token", raw.bearer_token.clone()),
    };
    Ok((section.check()?, path))
}

/// What all sections have.
struct Section {
    name: &'static str,
    cluster: String,
    authority: Option<String>,
    timeout: Option<String>,
    default_timeout: Duration,
    secret: (&'static str, Option<String>),
}

impl Section {
    fn check(self) -> Result<Server, ConfigError> {
        const NAME: &str = "1 to 255 visible ASCII characters";
        let error = |field: &str, limits: &'static str| {
            ConfigError::limits(format!("{}.{field}", self.name), limits)
        };
        if !is_name(&self.cluster) {
            return Err(error("cluster", NAME));
        }
        let authority = self.authority.unwrap_or_else(|| self.cluster.clone());
        if !is_name(&authority) {
            return Err(error("authority", NAME));
        }
        let timeout = time(self.timeout.as_deref(), self.default_timeout, 10, 30_000)
            .ok_or_else(|| error("timeout", "10ms to 30s, such as \"1s\""))?;
        let (field, secret) = self.secret;
        let secret = secret.map(|secret| Secret::new(secret.into_bytes()));
        if secret.as_ref().is_some_and(|secret| !is_visible(secret.expose(), 4096)) {
            return Err(error(field, "1 to 4096 visible ASCII characters"));
        }
        Ok(Server { cluster: self.cluster, authority, timeout, secret })
    }
}
