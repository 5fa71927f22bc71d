//! `GET /v1/schemas/{name}`: a document of an API, compiled.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::error::Error;
use super::{Context, etag};

/// The document, or that the client holds it already.
pub(super) async fn get(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let schemas = context.schemas.as_ref().ok_or(Error::NoSchemas)?;
    let schema = schemas.borrow().get(&name).cloned().ok_or(Error::NoSchema)?;
    let tag = schema.etag();
    if etag::is_held(&headers, tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let json = schema.json.to_vec();
    Ok(([(ETAG, tag)], [(CONTENT_TYPE, "application/json")], json).into_response())
}
