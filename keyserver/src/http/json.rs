//! Questions in JSON: what all of them have in common.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};

use super::error::Error;

/// The bytes of a question, which says that it is JSON.
pub(super) fn question(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Bytes, Error> {
    if !is_json(headers) {
        return Err(Error::UnsupportedMediaType);
    }
    body.map_err(|why| match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::ContentTooLarge,
        _ => Error::BadRequest("The body cannot be read."),
    })
}

/// `application/json`, with or without parameters (RFC 9110, section 8.3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}
