//! `GET /v1/token-keys`: the keys that open Keystone's tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::error::Error;
use super::{Context, etag};

/// The key set, or that the client holds it already.
pub(super) async fn get(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let keys = context.keys.as_ref().ok_or(Error::NoTokenKeys)?;
    let keys = keys.borrow().clone().ok_or(Error::NotReady)?;
    let tag = [(ETAG, keys.etag.clone())];
    if etag::is_held(&headers, keys.etag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok((tag, [(CONTENT_TYPE, "application/json")], keys.json.clone()).into_response())
}
