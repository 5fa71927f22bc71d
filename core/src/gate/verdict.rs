//! How requests are decided: a closed set, so that metrics have a fixed number of series.

use alloc::vec::Vec;

use crate::refusal::{Rejection, Unknown};

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
        let mut all =
            Vec::from([Self::Allowed, Self::Bypassed, Self::ListenerCheck, Self::Answered(None)]);
        for rejection in Rejection::all() {
            all.push(Self::Rejected(rejection));
            if rejection.can_be_anonymous() {
                all.push(Self::Anonymous(rejection));
            }
            if rejection.can_be_answered() {
                all.push(Self::Answered(Some(rejection)));
            }
        }
        all.extend(Unknown::ALL.iter().copied().map(Self::Unavailable));
        all.into_iter()
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
