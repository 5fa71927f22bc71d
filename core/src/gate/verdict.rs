//! How requests are decided: a closed set, so that metrics have a fixed number of series.

use crate::config::Config;
use crate::refusal::{Rejection, Unknown};

/// By which kind of credentials a request is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// It has none that are looked at.
    #[default]
    None,
    /// By an AWS signature.
    SigV4,
    /// By a token of Keystone's.
    Token,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::SigV4, Self::Token];

    /// What metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SigV4 => "sigv4",
            Self::Token => "token",
        }
    }

    /// Whether the configuration takes such credentials.
    #[must_use]
    pub fn is_taken(self, config: &Config) -> bool {
        match self {
            Self::None => true,
            Self::SigV4 => config.sigv4.is_some(),
            Self::Token => config.token.is_some(),
        }
    }
}

/// How a request was decided, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With a valid token or signature.
    Allowed,
    /// It asked about a token, and was answered in Keystone's place: that the token is good, or that it
    /// is none and why; in shadow mode it was forwarded all the same.
    Answered(Option<Rejection>),
    /// Without one, because the configuration leaves that to the service.
    Anonymous(Rejection),
    /// Without one, because none was needed.
    Bypassed,
    /// It was our own, to find out whether the listener leaves requests as they are.
    ListenerCheck,
    /// Not allowed; in shadow mode it was forwarded all the same.
    Rejected(Rejection),
    /// It could not be known; in shadow mode it was forwarded all the same.
    Unavailable(Unknown),
}

impl Verdict {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Allowed, Self::Bypassed, Self::ListenerCheck]
            .into_iter()
            .chain(Rejection::all().map(Self::Rejected))
            .chain(Rejection::all().filter(Rejection::can_be_anonymous).map(Self::Anonymous))
            .chain([Self::Answered(None)])
            .chain(
                Rejection::all().filter(Rejection::can_be_answered).map(Some).map(Self::Answered),
            )
            .chain(Unknown::ALL.map(Self::Unavailable))
    }

    /// Whether requests with such credentials can be decided so.
    #[must_use]
    pub fn is_of(self, mechanism: Mechanism) -> bool {
        match self {
            Self::Allowed => mechanism != Mechanism::None,
            Self::Answered(None) => mechanism == Mechanism::Token,
            Self::Bypassed | Self::ListenerCheck => mechanism == Mechanism::None,
            Self::Unavailable(_) => true,
            Self::Anonymous(rejection)
            | Self::Answered(Some(rejection))
            | Self::Rejected(rejection) => match rejection {
                Rejection::AclDenied => mechanism != Mechanism::None,
                Rejection::Body(_) => true,
                Rejection::CredentialsMissing | Rejection::TokenMissing => {
                    mechanism == Mechanism::None
                }
                Rejection::Signature(_) => mechanism == Mechanism::SigV4,
                // Two tokens of services, and none of a user, are ambiguous, too.
                Rejection::ServiceTokenInvalid | Rejection::TokenAmbiguous => {
                    mechanism != Mechanism::SigV4
                }
                _ => mechanism == Mechanism::Token,
            },
        }
    }

    /// What metrics call it.
    #[must_use]
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Answered(_) => "answered",
            Self::Anonymous(_) => "anonymous",
            Self::Bypassed => "bypassed",
            Self::ListenerCheck => "listener_check",
            Self::Rejected(_) => "rejected",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// The machine-readable reason, `none` where none is needed.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Allowed | Self::Answered(None) | Self::Bypassed | Self::ListenerCheck => "none",
            Self::Anonymous(rejection)
            | Self::Answered(Some(rejection))
            | Self::Rejected(rejection) => rejection.reason(),
            Self::Unavailable(cause) => cause.reason(),
        }
    }
}
