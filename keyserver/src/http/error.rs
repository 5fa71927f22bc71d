//! Answers that are errors: JSON of the shape that Keystone's own errors have.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use super::access::Refusal;

/// Why a request gets none of what it asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Error {
    /// A path of ours, but not `GET` or `HEAD`. The router adds `Allow`.
    MethodNotAllowed,
    /// No path of ours.
    NotFound,
    /// No complete key set was read yet.
    NotReady,
    /// The client may not have keys.
    Refused(Refusal),
}

impl Error {
    fn status(self) -> StatusCode {
        match self {
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(Refusal::NoCertificate) => StatusCode::FORBIDDEN,
            Self::Refused(Refusal::NoToken | Refusal::WrongToken) => StatusCode::UNAUTHORIZED,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "This path answers GET and HEAD only.",
            Self::NotFound => "There is nothing at this path.",
            Self::NotReady => "No complete set of keys was read from the key repository yet.",
            Self::Refused(Refusal::NoCertificate) => "A client certificate is required.",
            Self::Refused(Refusal::NoToken | Refusal::WrongToken) => {
                "A valid bearer token is required."
            }
        }
    }

    /// The header that this status calls for.
    fn header(self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::MethodNotAllowed | Self::NotFound | Self::Refused(Refusal::NoCertificate) => None,
            Self::NotReady => Some((RETRY_AFTER, "1")),
            // RFC 6750, section 3: no error code when no token was presented.
            Self::Refused(Refusal::NoToken) => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::Refused(Refusal::WrongToken) => {
                Some((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""))
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let (code, title) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
        let message = self.message();
        // The texts are all our own, and have nothing in them that JSON escapes.
        let body =
            format!(r#"{{"error":{{"code":{code},"title":"{title}","message":"{message}"}}}}"#);
        let mut response =
            (status, [(CONTENT_TYPE, "application/json")], self.header().map(|h| [h]), body)
                .into_response();
        if let Self::Refused(refusal) = self {
            response.extensions_mut().insert(refusal);
        }
        response
    }
}
