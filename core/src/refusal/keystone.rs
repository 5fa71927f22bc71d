//! Answers as Keystone and keystonemiddleware give them: JSON, and a challenge.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{BodyFault, Rejection, Reply, Unknown};
use crate::config::{Config, TokenRules};
use crate::record::IdentityFault;
use crate::schema::Flaw;
use crate::time;

/// The answer to a request without a valid token. It says no more than keystonemiddleware's does;
/// the reason goes into the proxy's log, and into a header only where that is configured.
#[must_use]
pub fn rejection(rejection: Rejection, config: &Config) -> Reply {
    let told = match rejection {
        Rejection::AclDenied => return forbidden(rejection, config),
        Rejection::RouteInDoubt => {
            Some((400, "Bad Request", "Servers may read the path of the request in two ways."))
        }
        Rejection::TokenAmbiguous => {
            Some((400, "Bad Request", "The request carries more than one token."))
        }
        Rejection::Body(fault) => Some(of_body(fault)),
        _ => None,
    };
    if let Some((status, title, message)) = told {
        return reply(config, status, title, message, rejection.reason());
    }
    let message = "The request you have made requires authentication.";
    let mut reply = reply(config, 401, "Unauthorized", message, rejection.reason());
    if let Some(token) = &config.token {
        let (name, value) = challenge(token);
        reply.headers.push((name.into(), value));
    }
    reply
}

/// The header that says where tokens come from.
#[must_use]
pub fn challenge(rules: &TokenRules) -> (&'static str, String) {
    ("www-authenticate", format!("Keystone uri=\"{}\"", rules.www_authenticate_uri))
}

/// The answer to whoever asks about a token and may not ask, or whose own token is none.
#[must_use]
pub fn bad_caller(rejection: Rejection, config: &Config) -> Reply {
    of_validation(if is_forbidden(rejection) {
        forbidden(rejection, config)
    } else {
        self::rejection(rejection, config)
    })
}

/// The answer about a token that is none. Only who may ask about any `is_told` why, and only where that
/// is configured.
#[must_use]
pub fn bad_subject(rejection: Rejection, is_told: bool, config: &Config) -> Reply {
    let mut reply = if is_forbidden(rejection) {
        forbidden(rejection, config)
    } else {
        reply(config, 404, "Not Found", "Failed to validate token", rejection.reason())
    };
    if !is_told && let Some(reason_header) = &config.reason_header {
        reply.headers.retain(|(name, _)| name != reason_header);
    }
    of_validation(reply)
}

/// The answer about a token: JSON, as Keystone has it. The text is that of the token.
#[must_use]
pub fn subject(text: String, json: String) -> Reply {
    of_validation(Reply {
        status: 200,
        headers: Vec::from([
            ("content-type".into(), "application/json".into()),
            ("x-subject-token".into(), text),
        ]),
        body: json,
        details: "voussoir_answered".into(),
    })
}

/// What Keystone has no 401 or 404 for: the trustor is disabled, or has lost what the trust gives.
fn is_forbidden(rejection: Rejection) -> bool {
    matches!(
        rejection,
        Rejection::AclDenied
            | Rejection::ValidationForbidden
            | Rejection::Identity(IdentityFault::TrustRoleLost | IdentityFault::TrustorDisabled)
    )
}

fn forbidden(rejection: Rejection, config: &Config) -> Reply {
    let message = "You are not authorized to perform the requested action.";
    reply(config, 403, "Forbidden", message, rejection.reason())
}

/// Caches must not answer one caller with what another one asked.
fn of_validation(mut reply: Reply) -> Reply {
    reply.headers.push(("vary".into(), "X-Auth-Token".into()));
    reply
}

/// The answer when it cannot be known. The client may try again after `retry_after`, rounded up to
/// seconds.
#[must_use]
pub fn unknown(cause: Unknown, retry_after: Duration, config: &Config) -> Reply {
    let message = match cause {
        Unknown::SchemaUnavailable => {
            "The server is currently unable to check the request. Please try again."
        }
        _ => "The server is currently unable to validate the token. Please try again.",
    };
    let mut reply = reply(config, 503, "Service Unavailable", message, cause.reason());
    reply.headers.push(("retry-after".into(), format!("{}", seconds(retry_after))));
    reply
}

fn of_body(fault: BodyFault) -> (u16, &'static str, &'static str) {
    match fault {
        BodyFault::Encoded => (
            415,
            "Unsupported Media Type",
            "The request body must be JSON without a content encoding.",
        ),
        BodyFault::Late => (408, "Request Timeout", "The request body did not arrive in time."),
        BodyFault::NotJson => {
            (400, "Bad Request", "The request body is not valid JSON, or is nested too deeply.")
        }
        BodyFault::TooLong => (413, "Content Too Large", "The request body is too long."),
    }
}

/// The answer to a request that is not as its API's document says: where it is not, and what is wrong.
#[must_use]
pub fn flaw(flaw: &Flaw, config: &Config) -> Reply {
    let (status, title, message) = match flaw {
        Flaw::PathUnknown => (404, "Not Found", "There is nothing at this path."),
        Flaw::MethodNotAllowed(_) => {
            (405, "Method Not Allowed", "The path has other methods: Allow names them.")
        }
        Flaw::MediaType => (
            415,
            "Unsupported Media Type",
            "The Content-Type or the encoding of the body is none that this request may have.",
        ),
        Flaw::TooComplex => (400, "Bad Request", "The request is too complex to be checked."),
        Flaw::Violated(violation) => {
            let message = format!("{}: {}.", violation.pointer, violation.message);
            return reply(config, 400, "Bad Request", &message, flaw.fault().reason());
        }
    };
    let mut reply = reply(config, status, title, message, flaw.fault().reason());
    if let Flaw::MethodNotAllowed(allow) = flaw {
        reply.headers.push(("allow".into(), allow.clone()));
    }
    reply
}

/// Rounded up, and at least one.
pub(super) fn seconds(duration: Duration) -> u64 {
    time::millis(duration).div_ceil(1000).max(1)
}

fn reply(config: &Config, status: u16, title: &str, message: &str, reason: &str) -> Reply {
    let (content_type, body) = config.answers.document(status, title, message, reason);
    let mut headers = Vec::from([("content-type".into(), content_type.into())]);
    if let Some(name) = &config.reason_header {
        headers.push((name.clone(), reason.into()));
    }
    Reply { status, headers, body, details: format!("voussoir_{reason}") }
}
