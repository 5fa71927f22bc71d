//! Answers that are errors: JSON of the shape that Keystone's own errors have.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use voussoir_core::record::{AccessKeyFault, IdentityFault};

use super::access::Refusal;

/// Why a request gets none of what it asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Error {
    /// Keystone's database cannot be read now.
    Away,
    /// What was sent is no question; this says why not.
    BadRequest(&'static str),
    /// More was sent than any question takes.
    ContentTooLarge,
    /// There is no such access key, or it is good no more.
    Denied(AccessKeyFault),
    /// What has changed since a cursor is not known.
    Gone,
    /// A path of ours, but not one of its methods. The router adds `Allow`.
    MethodNotAllowed,
    /// No path of ours.
    NotFound,
    /// No database of a Keystone was configured.
    NoKeystone,
    /// No complete key set was read yet, or no source of access keys was reached yet.
    NotReady,
    /// Nothing was configured that knows identities.
    NoIdentities,
    /// Keystone would not take such a token.
    NoIdentity(IdentityFault),
    /// There is no document of this name.
    NoSchema,
    /// No directory of documents was configured.
    NoSchemas,
    /// Nothing was configured that knows access keys.
    NoSigningKeys,
    /// No key repository was configured.
    NoTokenKeys,
    /// The client may not have keys.
    Refused(Refusal),
    /// There is such an access key, and its secret cannot be opened.
    Sealed,
    /// What has changed cannot be found out now.
    Silent,
    /// The catalogue has more in it than a client takes.
    TooLarge,
    /// Whether there is such an access key cannot be found out now.
    Unavailable,
    /// Whether Keystone would take such a token cannot be found out now.
    Unknown,
    /// Something other than JSON was sent.
    UnsupportedMediaType,
}

impl Error {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Gone => StatusCode::GONE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Denied(_)
            | Self::NoIdentities
            | Self::NoIdentity(_)
            | Self::NoKeystone
            | Self::NoSchema
            | Self::NoSchemas
            | Self::NoSigningKeys
            | Self::NoTokenKeys
            | Self::NotFound => StatusCode::NOT_FOUND,
            // About this access key alone: an edge must not think the whole server down.
            Self::Sealed | Self::TooLarge => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Away | Self::NotReady | Self::Silent | Self::Unavailable | Self::Unknown => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused(Refusal::NoCertificate) => StatusCode::FORBIDDEN,
            Self::Refused(Refusal::NoToken | Refusal::WrongToken) => StatusCode::UNAUTHORIZED,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Away => "Keystone's database cannot be read now.",
            Self::BadRequest(message) => message,
            Self::ContentTooLarge => "The body is longer than any question.",
            Self::Denied(AccessKeyFault::AccessKeyDisabled) => {
                "The access key, its user, its project or a domain is disabled, or no role is left."
            }
            Self::Denied(AccessKeyFault::AccessKeyExpired) => "The access key has ended.",
            // What is to come is told by its reason.
            Self::Denied(_) => "There is no such access key.",
            Self::Gone => {
                "What has changed since this cursor is not known: begin anew, without a cursor."
            }
            Self::MethodNotAllowed => "This path has other methods: the Allow header names them.",
            Self::NoIdentities => {
                "This key server has no identities: it was started without --keystone-database."
            }
            Self::NoIdentity(_) => "Keystone would not take a token of this identity.",
            Self::NoKeystone => {
                "This key server knows no Keystone: it was started without --keystone-database."
            }
            Self::NoSchema => "There is no document of this name.",
            Self::NoSchemas => {
                "This key server has no documents: it was started without --schemas."
            }
            Self::NoSigningKeys => {
                "This key server has no access keys: it was started without --store and \
                 --keystone-database."
            }
            Self::NoTokenKeys => {
                "This key server has no keys of tokens: it was started without --fernet-keys."
            }
            Self::NotFound => "There is nothing at this path.",
            Self::NotReady => "What this key server reads its keys from was not complete yet.",
            Self::Sealed => {
                "No key opens the seal of this access key's secret: is it still in the repository?"
            }
            Self::Silent => "What has changed cannot be found out now.",
            Self::TooLarge => "The catalogue has more services and endpoints than clients take.",
            Self::Unavailable => "The access key cannot be looked up now.",
            Self::Unknown => "The identity cannot be looked up now.",
            Self::UnsupportedMediaType => "The body must be application/json.",
            Self::Refused(Refusal::NoCertificate) => "A client certificate is required.",
            Self::Refused(Refusal::NoToken | Refusal::WrongToken) => {
                "A valid bearer token is required."
            }
        }
    }

    /// The header that this status calls for.
    fn header(self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::BadRequest(_)
            | Self::ContentTooLarge
            | Self::Denied(_)
            | Self::Gone
            | Self::MethodNotAllowed
            | Self::NoIdentities
            | Self::NoIdentity(_)
            | Self::NoKeystone
            | Self::NoSchema
            | Self::NoSchemas
            | Self::NoSigningKeys
            | Self::NoTokenKeys
            | Self::NotFound
            | Self::Refused(Refusal::NoCertificate)
            | Self::Sealed
            | Self::TooLarge
            | Self::UnsupportedMediaType => None,
            Self::Away | Self::NotReady | Self::Silent | Self::Unavailable | Self::Unknown => {
                Some((RETRY_AFTER, "1"))
            }
            // RFC 6750, section 3: no error code when no token was presented.
            Self::Refused(Refusal::NoToken) => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::Refused(Refusal::WrongToken) => {
                Some((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""))
            }
        }
    }

    /// What became of a question for a signing key or an identity, as a label of a metric.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Denied(fault) => fault.reason(),
            Self::NoIdentity(fault) => fault.reason(),
            Self::NoIdentities | Self::NoKeystone | Self::NoSigningKeys => "not_configured",
            Self::Away
            | Self::NotReady
            | Self::Sealed
            | Self::Silent
            | Self::Unavailable
            | Self::Unknown => "unavailable",
            Self::BadRequest(_)
            | Self::ContentTooLarge
            | Self::Gone
            | Self::MethodNotAllowed
            | Self::NoSchema
            | Self::NoSchemas
            | Self::NoTokenKeys
            | Self::NotFound
            | Self::Refused(_)
            | Self::TooLarge
            | Self::UnsupportedMediaType => "invalid",
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let (code, title) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
        let message = self.message();
        // The texts are all our own, and have nothing in them that JSON escapes.
        let reason = match self {
            Self::Denied(fault) => Some(fault.reason()),
            Self::NoIdentity(fault) => Some(fault.reason()),
            _ => None,
        };
        let reason = reason.map(|reason| format!(r#","reason":"{reason}""#)).unwrap_or_default();
        let body = format!(
            r#"{{"error":{{"code":{code},"title":"{title}","message":"{message}"{reason}}}}}"#
        );
        let mut response =
            (status, [(CONTENT_TYPE, "application/json")], self.header().map(|h| [h]), body)
                .into_response();
        if let Self::Refused(refusal) = self {
            response.extensions_mut().insert(refusal);
        }
        response
    }
}
