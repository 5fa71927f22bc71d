//! `POST /v1/signing-keys`: the key of one access key, day, region and service, and whom it signs
//! for. `docs/key-server.md` documents it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tracing::error;
use voussoir_core::record::{SigningKeyAnswer, SigningKeyRequest};
use voussoir_core::sigv4::{Credential, SigningKey, is_derivable};
use zeroize::Zeroizing;

use super::Context;
use super::error::Error;
use super::json::question;
use crate::access_keys::{AccessKey, LookupError, Unavailable};
use crate::clock;

/// Answers with a signing key, or why there is none.
pub(super) async fn post(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let answer = answer(&context, &headers, body).await;
    let outcome = answer.as_ref().err().map_or("derived", |error| error.outcome());
    context.metrics.access_keys.answered(outcome);
    answer
}

async fn answer(
    context: &Context,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    if context.sources.is_empty() {
        return Err(Error::NoSigningKeys);
    }
    let body = question(headers, body)?;
    let request = SigningKeyRequest::from_json(&body).ok_or(Error::BadRequest(
        "The body is not a JSON object of the texts access_key, date, region and service.",
    ))?;
    let Credential { access_key, scope } = request.credential().ok_or(Error::BadRequest(
        "These cannot be the access key, day (yyyyMMdd), region and service of a signature.",
    ))?;
    let now = clock::now();
    if !is_derivable(scope.day(), now) {
        return Err(Error::BadRequest(
            "No signature of this day can be valid: it is more than eight days ago, or not yet.",
        ));
    }
    let AccessKey { secret, record } =
        context.sources.look_up(&access_key, now).await.map_err(|why| match why {
            LookupError::Denied(fault) => Error::Denied(fault),
            LookupError::Unavailable(Unavailable::NoSealKey) => Error::Sealed,
            LookupError::Unavailable(_) => Error::Unavailable,
        })?;
    let signing_key = SigningKey::derive(secret.expose(), &scope);
    drop(secret);
    let answer = SigningKeyAnswer { request, signing_key, credential: record };

    // Room for all but a hundred roles at once: growing leaves copies of a key behind.
    let mut json = Zeroizing::new(Vec::with_capacity(ANSWER_CAPACITY));
    serde_json::to_writer(&mut *json, &answer).map_err(|why| {
        error!("a signing key cannot be written as JSON: {why}");
        Error::Unavailable
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], Bytes::from_owner(json)).into_response())
}

const ANSWER_CAPACITY: usize = 16 * 1024;
