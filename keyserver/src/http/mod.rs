//! The HTTP side: all paths, and what every answer has in common.

mod access;
mod catalogs;
mod changes;
mod error;
mod etag;
mod identities;
mod json;
mod probes;
mod revocations;
mod schemas;
mod signing_keys;
mod token_keys;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tracing::{debug, field, info};
use voussoir_core::record::{
    CATALOGS_PATH, CHANGES_PATH, IDENTITIES_PATH, MAX_CATALOG_REQUEST_BYTES,
    MAX_IDENTITY_REQUEST_BYTES, MAX_SIGNING_KEY_REQUEST_BYTES, PROTOCOL_HEADER, PROTOCOL_VERSION,
    REVOCATIONS_PATH, SCHEMAS_PATH, SIGNING_KEYS_PATH, TOKEN_KEYS_PATH,
};

pub(crate) use access::Access;
use access::Refusal;
use error::Error;

use crate::access_keys::Sources;
use crate::changes::Feed;
use crate::key_repository::Published;
use crate::keystone::{Catalogs, Identities, RevocationPages};
use crate::logging::Allowance;
use crate::metrics::Metrics;
use crate::schemas::Served;

/// What the handlers share.
pub(crate) struct Context {
    pub(crate) access: Access,
    /// Empty until a first complete set was read; absent if there is no key repository.
    pub(crate) keys: Option<Receiver<Option<Arc<Published>>>>,
    pub(crate) sources: Sources,
    /// Absent if there is no Keystone.
    pub(crate) identities: Option<Identities>,
    /// The same.
    pub(crate) revocations: Option<RevocationPages>,
    /// The same.
    pub(crate) catalogs: Option<Catalogs>,
    /// Absent if there is no directory of documents.
    pub(crate) schemas: Option<Receiver<Arc<Served>>>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) metrics: Arc<Metrics>,
    /// For log lines that a client can cause.
    pub(crate) allowance: Allowance,
}

/// The other end of a connection: an extension of every request on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether TLS verified a certificate of the peer's.
    pub(crate) has_certificate: bool,
}

/// All paths. What lies under `/v1` is for those only whom [`Access`] lets in: a later route put
/// there cannot forget to ask.
pub(crate) fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route(TOKEN_KEYS_PATH, get(token_keys::get))
        .route(
            SIGNING_KEYS_PATH,
            post(signing_keys::post).layer(DefaultBodyLimit::max(MAX_SIGNING_KEY_REQUEST_BYTES)),
        )
        .route(
            IDENTITIES_PATH,
            post(identities::post).layer(DefaultBodyLimit::max(MAX_IDENTITY_REQUEST_BYTES)),
        )
        .route(CHANGES_PATH, get(changes::get))
        .route(REVOCATIONS_PATH, get(revocations::get))
        .route(
            CATALOGS_PATH,
            post(catalogs::post).layer(DefaultBodyLimit::max(MAX_CATALOG_REQUEST_BYTES)),
        )
        .route(SCHEMA_PATH, get(schemas::get))
        .route_layer(from_fn_with_state(Arc::clone(&context), access::require))
        .route(HEALTHZ_PATH, get(probes::healthz))
        .route(READYZ_PATH, get(probes::readyz))
        .route(METRICS_PATH, get(probes::metrics))
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(from_fn_with_state(Arc::clone(&context), observe))
        .with_state(context)
}

/// Marks, counts and logs each answer.
async fn observe(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = known_path(request.uri().path());
    let method = request.method().clone();
    let peer = request.extensions().get::<Peer>().map(|peer| field::display(peer.address));

    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static(PROTOCOL_HEADER),
        HeaderValue::from_static(PROTOCOL_VERSION),
    );
    // Some of the answers are keys; none of them is to be found on a disk.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));

    let status = response.status().as_u16();
    let duration = begun.elapsed();
    context.metrics.request(path, status, duration);
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    debug!(%method, path, status, microseconds, peer, "answered");
    if let Some(refusal) = response.extensions().get::<Refusal>()
        && let Some(unsaid) = context.allowance.take()
    {
        info!(path, status, peer, unsaid, "refused: {refusal}");
    }
    response
}

/// The path if it is one of ours. Any other is a client's text, and goes into no metric or log.
fn known_path(path: &str) -> &'static str {
    if path.strip_prefix(SCHEMAS_PATH).is_some_and(|name| name.starts_with('/')) {
        return SCHEMA_PATH;
    }
    [
        TOKEN_KEYS_PATH,
        SIGNING_KEYS_PATH,
        IDENTITIES_PATH,
        CHANGES_PATH,
        REVOCATIONS_PATH,
        CATALOGS_PATH,
        HEALTHZ_PATH,
        READYZ_PATH,
        METRICS_PATH,
    ]
    .into_iter()
    .find(|known| *known == path)
    .unwrap_or("other")
}

const SCHEMA_PATH: &str = "/v1/schemas/{name}";
const HEALTHZ_PATH: &str = "/healthz";
const READYZ_PATH: &str = "/readyz";
const METRICS_PATH: &str = "/metrics";
