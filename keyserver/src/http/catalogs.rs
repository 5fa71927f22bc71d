//! `POST /v1/catalogs`: which services and endpoints a project sees. `docs/key-server.md` documents it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use voussoir_core::record::CatalogRequest;

use super::Context;
use super::error::Error;
use super::json::question;
use crate::keystone::NoCatalog;

/// Answers with a catalogue, or why there is none.
pub(super) async fn post(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let catalogs = context.catalogs.as_ref().ok_or(Error::NoKeystone)?;
    let body = question(&headers, body)?;
    let request = CatalogRequest::from_json(&body).ok_or(Error::BadRequest(
        "The body is not a JSON object of, at most, the id of a project.",
    ))?;
    let json = catalogs.answer(request).await.map_err(|why| match why {
        NoCatalog::TooLarge => Error::TooLarge,
        NoCatalog::Unavailable => Error::Away,
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}
