//! What a client gets instead of the service: "not allowed" and "cannot know" are different types.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Config;

/// Why a request is not allowed. It would not be a moment later either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// A key opens the token, but what is inside is no payload.
    PayloadMalformed,
    /// A key opens the token, but its payload is of a version that is not known.
    PayloadVersionUnknown,
    /// More than one token, and it is not clear which one the service would believe.
    TokenAmbiguous,
    /// The token has ended.
    TokenExpired,
    /// A genuine token of a kind that the configuration does not take.
    TokenKindRefused,
    /// Not a Fernet token, whatever the keys.
    TokenMalformed,
    /// No token.
    TokenMissing,
    /// No key made it: forged, altered, or from another Keystone.
    TokenNotAuthentic,
    /// Longer than the configuration allows.
    TokenTooLong,
}

/// Why it cannot be known whether a request is allowed. It may be a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// The proxy did not do what it was asked; the request's own headers could not be read, say.
    HostFailure,
    /// There are no keys that may still be used, or none recent enough to refuse by.
    KeysUnavailable,
    /// Too many requests wait for keys already.
    TooManyWaiting,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 400, 401 or 503.
    pub status: u16,
    /// Names in lower case, values without anything that came from the client.
    pub headers: Vec<(String, String)>,
    /// JSON in the shape of Keystone's own errors.
    pub body: String,
    /// What the proxy's access log shows as response-code details.
    pub details: String,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::PayloadMalformed,
        Self::PayloadVersionUnknown,
        Self::TokenAmbiguous,
        Self::TokenExpired,
        Self::TokenKindRefused,
        Self::TokenMalformed,
        Self::TokenMissing,
        Self::TokenNotAuthentic,
        Self::TokenTooLong,
    ];

    /// The machine-readable reason, in metrics, logs and the reason header.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::PayloadMalformed => "payload_malformed",
            Self::PayloadVersionUnknown => "payload_version_unknown",
            Self::TokenAmbiguous => "token_ambiguous",
            Self::TokenExpired => "token_expired",
            Self::TokenKindRefused => "token_kind_refused",
            Self::TokenMalformed => "token_malformed",
            Self::TokenMissing => "token_missing",
            Self::TokenNotAuthentic => "token_not_authentic",
            Self::TokenTooLong => "token_too_long",
        }
    }

    /// The answer to the client. It says no more than keystonemiddleware's does; the reason goes
    /// into the proxy's log, and into a header only where that is configured.
    #[must_use]
    pub fn reply(self, config: &Config) -> Reply {
        if self == Self::TokenAmbiguous {
            let message = "The request carries more than one token.";
            return Reply::new(config, 400, "Bad Request", message, self.reason());
        }
        let message = "The request you have made requires authentication.";
        let mut reply = Reply::new(config, 401, "Unauthorized", message, self.reason());
        let challenge = format!("Keystone uri=\"{}\"", config.token.www_authenticate_uri);
        reply.headers.push(("www-authenticate".into(), challenge));
        reply
    }
}

impl Unknown {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HostFailure, Self::KeysUnavailable, Self::TooManyWaiting];

    /// The machine-readable reason, in metrics, logs and the reason header.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::HostFailure => "host_failure",
            Self::KeysUnavailable => "keys_unavailable",
            Self::TooManyWaiting => "too_many_waiting",
        }
    }

    /// The answer to the client, which may try again after `retry_after`, rounded up to seconds.
    #[must_use]
    pub fn reply(self, config: &Config, retry_after: Duration) -> Reply {
        let message = "The server is currently unable to validate the token. Please try again.";
        let mut reply = Reply::new(config, 503, "Service Unavailable", message, self.reason());
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        reply.headers.push(("retry-after".into(), format!("{seconds}")));
        reply
    }
}

impl Reply {
    /// All texts are our own, and none of them needs escaping.
    fn new(config: &Config, status: u16, title: &str, message: &str, reason: &str) -> Self {
        let mut headers = Vec::from([("content-type".into(), "application/json".into())]);
        if let Some(name) = &config.reason_header {
            headers.push((name.clone(), reason.into()));
        }
        Self {
            status,
            headers,
            body: format!(
                r#"{{"error":{{"code":{status},"title":"{title}","message":"{message}"}}}}"#
            ),
            details: format!("voussoir_{reason}"),
        }
    }
}
