//! The sections `keyserver` and `keystone`, and what of `audit.collector` is like them: whom calls go to.

use alloc::string::String;
use core::time::Duration;

use super::check::{is_name, is_visible};
use super::setting::Setting;
use super::{
    DEFAULT_COLLECTOR_TIMEOUT, DEFAULT_KEYSTONE_PATH, DEFAULT_KEYSTONE_TIMEOUT, DEFAULT_POLL,
    DEFAULT_TIMEOUT, KeyServer, Keystone, Server,
};
use crate::secret::Secret;

pub(super) fn keyserver(section: &Setting<'_>) -> KeyServer {
    KeyServer {
        poll: section.time("poll", DEFAULT_POLL, (500, 60_000), "500ms to 60s, such as \"2s\""),
        server: server(section, DEFAULT_TIMEOUT, "bearer_token"),
    }
}

pub(super) fn keystone(section: &Setting<'_>) -> Keystone {
    let is_path = |path: &str| {
        path.starts_with('/')
            && !path.contains(['?', '#', '%', '\\'])
            && is_visible(path.as_bytes(), 1024)
    };
    let path = section.text_that(
        "path",
        DEFAULT_KEYSTONE_PATH,
        is_path,
        "a path of at most 1024 visible ASCII characters without a query, such as /v3/auth/tokens",
    );
    Keystone { path, server: server(section, DEFAULT_KEYSTONE_TIMEOUT, "seal_secret") }
}

/// The server of a collector. The path, which is apart from it, may have a query.
pub(super) fn collector(section: &Setting<'_>) -> (Server, String) {
    let is_path = |path: &str| {
        path.starts_with('/') && !path.contains('#') && is_visible(path.as_bytes(), 1024)
    };
    let path = section.text_that(
        "path",
        "/",
        is_path,
        "a path of at most 1024 visible ASCII characters, such as /v1/events",
    );
    (server(section, DEFAULT_COLLECTOR_TIMEOUT, "bearer_token"), path)
}

/// What all sections have.
fn server(section: &Setting<'_>, default_timeout: Duration, secret: &str) -> Server {
    let (cluster, authority) = cluster(section, None);
    let is_secret = |text: &str| is_visible(text.as_bytes(), 4096);
    let secret = section.optional(secret, is_secret, "1 to 4096 visible ASCII characters");
    Server {
        cluster,
        authority,
        timeout: section.time(
            "timeout",
            default_timeout,
            (10, 30_000),
            "10ms to 30s, such as \"1s\"",
        ),
        secret: secret.map(|secret| Secret::new(secret.into_bytes())),
    }
}

/// The proxy's name for a cluster, and the authority of calls to it, which is that name by default.
pub(super) fn cluster(section: &Setting<'_>, authority: Option<&str>) -> (String, String) {
    let limits = "1 to 255 visible ASCII characters";
    let cluster = section.text_that("cluster", "", is_name, limits);
    let authority = authority.unwrap_or(&cluster);
    let authority = section.text_that("authority", authority, is_name, limits);
    (cluster, authority)
}
