//! What watches the server: health, readiness, metrics. None of it asks who is there, and none of
//! it shows a secret.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Context;
use super::error::Error;

/// Whether the process answers at all.
pub(super) async fn healthz() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#)
}

/// Whether there are keys to serve.
///
/// A database that is down now is down for every replica, and taking them all away would take the
/// keys of tokens away too. So databases count only where there is nothing else to serve, and only
/// until they were reached once.
pub(super) async fn readyz(State(context): State<Arc<Context>>) -> Result<Response, Error> {
    let is_ready = match &context.keys {
        Some(keys) => keys.borrow().is_some(),
        None => context.sources.were_up(),
    };
    if !is_ready {
        return Err(Error::NotReady);
    }
    Ok(([(CONTENT_TYPE, "application/json")], r#"{"status":"ready"}"#).into_response())
}

/// The metrics, for Prometheus.
pub(super) async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], context.metrics.to_string())
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
