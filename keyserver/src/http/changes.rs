//! `GET /v1/changes`: what has changed since a cursor, so that edges ask again for that only.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Context;
use super::error::Error;
use crate::changes::NoAnswer;

/// The changes after the cursor `after`; without one, a cursor to begin with.
pub(super) async fn get(
    State(context): State<Arc<Context>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let query = query.unwrap_or_default();
    // A cursor has no character that a query would spell in another way.
    let mut after = query.split('&').filter_map(|pair| pair.strip_prefix("after="));
    let (after, None) = (after.next(), after.next()) else { return Err(Error::Gone) };
    let answer = context.feed.answer(after).map_err(|why| match why {
        NoAnswer::Gone => Error::Gone,
        NoAnswer::Silent => Error::Silent,
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], answer).into_response())
}
