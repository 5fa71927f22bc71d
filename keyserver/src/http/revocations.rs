//! `GET /v1/revocations`: what Keystone has revoked, for edges that begin to follow `/v1/changes`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Context;
use super::error::Error;

/// The events after the number `after`; without one, the first.
pub(super) async fn get(
    State(context): State<Arc<Context>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let pages = context.revocations.as_ref().ok_or(Error::NoKeystone)?;
    let query = query.unwrap_or_default();
    let mut after = query.split('&').filter_map(|pair| pair.strip_prefix("after="));
    let after = match (after.next(), after.next()) {
        (None, _) => Some(0),
        (Some(after), None) => number(after),
        (Some(_), Some(_)) => None,
    };
    let after = after.ok_or(Error::BadRequest("The number after= is none, or is there twice."))?;
    let page = pages.after(after).await.ok_or(Error::Away)?;
    Ok(([(CONTENT_TYPE, "application/json")], page).into_response())
}

/// A number in digits only; the standard library takes a plus as well.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}
