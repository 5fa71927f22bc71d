//! Calls to the key server: what comes back, whether to believe it, and when to try again.

mod pause;
mod waiting;

use core::fmt;
use core::time::Duration;

pub(crate) use pause::{LONGEST, Pause};
pub(crate) use waiting::{Waiter, Waiting};

use crate::record::{
    InvalidCatalog, InvalidChanges, InvalidIdentity, InvalidKeySet, InvalidRevocations,
    InvalidSigningKey, InvalidValidation, PROTOCOL_VERSION,
};
use crate::schema::InvalidDocument;

/// An answer as it came over the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    /// The status, in digits.
    pub status: &'a [u8],
    /// The header [`crate::record::PROTOCOL_HEADER`].
    pub protocol: Option<&'a [u8]>,
    /// The header `etag`.
    pub etag: Option<&'a [u8]>,
    /// The header `x-subject-token`, by which Keystone says which token it speaks of.
    pub subject_token: Option<&'a [u8]>,
    /// The body.
    pub body: &'a [u8],
}

/// Why there is no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchFailure {
    /// The proxy did not take the call: the cluster is unknown, or has no healthy host.
    NotSent,
    /// There was no answer, or one without a head: Envoy's way to say that it was too long.
    NoAnswer,
    /// Something answered that is not a key server of our protocol: the proxy itself, when nobody
    /// did in time.
    Protocol,
    /// The key server answered with a status that says neither yes nor no.
    Status(u16),
    /// "Not modified", although we have nothing that could be.
    NothingToKeep,
    /// The catalogue is invalid.
    Catalog(InvalidCatalog),
    /// The changes are invalid.
    Changes(InvalidChanges),
    /// The identity is invalid.
    Identity(InvalidIdentity),
    /// Keystone, or something in front of it, answered with a status that says neither yes nor no; 0 if
    /// there was none.
    Keystone(u16),
    /// The key set is invalid.
    KeySet(InvalidKeySet),
    /// The events of revocation are invalid.
    Revocations(InvalidRevocations),
    /// The document of an API is invalid.
    Schema(InvalidDocument),
    /// The signing key is invalid.
    SigningKey(InvalidSigningKey),
    /// What Keystone says of a token is invalid.
    Validation(InvalidValidation),
}

impl FetchFailure {
    /// Whether it says something about this one question only, and nothing about the key server.
    pub(crate) fn is_about_the_question(self) -> bool {
        matches!(
            self,
            Self::Status(400 | 413 | 500)
                // Of a head that is too long for it, or a token that it stumbles over.
                | Self::Keystone(400 | 413 | 414 | 431 | 500)
                | Self::Catalog(_)
                | Self::Identity(_)
                | Self::SigningKey(_)
                | Self::Validation(_)
        )
    }
}

impl Answer<'_> {
    /// The status, of an answer that comes from a key server of our protocol.
    pub(crate) fn status(self) -> Result<u16, FetchFailure> {
        if self.protocol != Some(PROTOCOL_VERSION.as_bytes()) {
            return Err(FetchFailure::Protocol);
        }
        self.status_of_anybody().ok_or(FetchFailure::Protocol)
    }

    /// The status, whoever answers.
    pub(crate) fn status_of_anybody(self) -> Option<u16> {
        core::str::from_utf8(self.status).ok()?.parse().ok()
    }
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str(
                "the proxy did not send the call; are keyserver.cluster and keystone.cluster, where \
                 given, names of clusters with a healthy host?",
            ),
            Self::NoAnswer => f.write_str("no answer in time, or one that the proxy found too long"),
            Self::Protocol => write!(
                f,
                "no answer in time, or not from a key server that speaks `voussoir-protocol: {PROTOCOL_VERSION}`"
            ),
            Self::Status(401) => f.write_str(
                "the key server answered 401; is keyserver.bearer_token one of its tokens?",
            ),
            Self::Status(status) => write!(f, "the key server answered {status}"),
            Self::NothingToKeep => f.write_str("the key server answered 304 to the first request"),
            Self::Catalog(error) => write!(f, "the catalogue is invalid: {error}"),
            Self::Changes(error) => write!(f, "the changes are invalid: {error}"),
            Self::Identity(error) => write!(f, "the identity is invalid: {error}"),
            Self::Keystone(status) => write!(
                f,
                "no answer in time, or not one that Keystone gives about a token: status {status}"
            ),
            Self::KeySet(error) => write!(f, "the key set is invalid: {error}"),
            Self::Revocations(error) => write!(f, "the revocations are invalid: {error}"),
            Self::Schema(error) => write!(f, "the document is not usable: {error}"),
            Self::SigningKey(error) => write!(f, "the signing key is invalid: {error}"),
            Self::Validation(error) => write!(f, "Keystone's answer is invalid: {error}"),
        }
    }
}

impl core::error::Error for FetchFailure {}

/// How often a store wants to look at the clock when nothing is under way.
pub(crate) const IDLE_TICK: Duration = Duration::from_secs(1);

/// How often it wants to while somebody waits, perhaps for another worker's call, of which only
/// shared data tells.
pub(crate) const BUSY_TICK: Duration = Duration::from_millis(50);
