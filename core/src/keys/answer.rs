//! The key server's answer, and whether to believe it.

use alloc::string::{String, ToString as _};
use core::fmt;

use crate::fernet::KeyRing;
use crate::record::{InvalidKeySet, KeySet, PROTOCOL_VERSION};

/// An answer as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status, in digits.
    pub status: &'a [u8],
    /// The header [`crate::record::PROTOCOL_HEADER`].
    pub protocol: Option<&'a [u8]>,
    /// The header `etag`.
    pub etag: Option<&'a [u8]>,
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
    /// The key server answered with a status other than 200 and 304.
    Status(u16),
    /// "Not modified", although we have nothing that could be.
    NothingToKeep,
    /// The key set is invalid.
    KeySet(InvalidKeySet),
}

/// What a believable answer says.
pub(super) enum Outcome {
    /// The keys at hand are still right.
    Unchanged,
    /// These are right now.
    Updated(Fetched),
}

/// A key set that was just fetched.
pub(super) struct Fetched {
    pub(super) ring: KeyRing,
    pub(super) etag: Option<String>,
}

impl Answer<'_> {
    /// Reads the answer; `has_keys` says whether there is anything that a 304 could confirm.
    pub(super) fn outcome(self, has_keys: bool) -> Result<Outcome, FetchFailure> {
        if self.protocol != Some(PROTOCOL_VERSION.as_bytes()) {
            return Err(FetchFailure::Protocol);
        }
        match self.status {
            b"200" => {
                let keys = KeySet::from_json(self.body).map_err(FetchFailure::KeySet)?;
                let ring = keys.ring().map_err(FetchFailure::KeySet)?;
                Ok(Outcome::Updated(Fetched { ring, etag: self.etag.and_then(etag) }))
            }
            b"304" if has_keys => Ok(Outcome::Unchanged),
            b"304" => Err(FetchFailure::NothingToKeep),
            status => {
                let status = core::str::from_utf8(status).ok().and_then(|text| text.parse().ok());
                Err(status.map_or(FetchFailure::Protocol, FetchFailure::Status))
            }
        }
    }
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str(
                "the proxy did not send the call; is keyserver.cluster the name of a cluster with a healthy host?",
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
            Self::KeySet(error) => write!(f, "the key set is invalid: {error}"),
        }
    }
}

impl core::error::Error for FetchFailure {}

/// An entity tag that can be sent back as it is.
fn etag(value: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(value).ok()?;
    let is_sound = text.len() <= MAX_ETAG && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_sound.then(|| text.to_string())
}

/// The longest entity tag that is kept. The key server's own have 34 characters.
pub(super) const MAX_ETAG: usize = 128;
