//! `POST /v1/identities`: who acts with a token, as Keystone knows it. `docs/key-server.md` documents it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use voussoir_core::record::IdentityRequest;

use super::Context;
use super::error::Error;
use super::json::question;
use crate::clock;
use crate::keystone::IdentityError;

/// Answers with an identity, or why there is none.
pub(super) async fn post(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let answer = answer(&context, &headers, body).await;
    let outcome = answer.as_ref().err().map_or("found", |error| error.outcome());
    context.metrics.identities.answered(outcome);
    answer
}

async fn answer(
    context: &Context,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let identities = context.identities.as_ref().ok_or(Error::NoIdentities)?;
    let body = question(headers, body)?;
    let request = IdentityRequest::from_json(&body).ok_or(Error::BadRequest(
        "The body is not a JSON object of the user and scope of a token, and of what it came through.",
    ))?;
    let json = identities.answer(request, clock::now()).await.map_err(|why| match why {
        IdentityError::Denied(fault) => Error::NoIdentity(fault),
        IdentityError::Unavailable(_) => Error::Unknown,
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}
