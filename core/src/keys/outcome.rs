//! What the key server's answer says about the key set.

use alloc::string::{String, ToString as _};

use super::TokenKeys;
use crate::fetch::{Answer, FetchFailure};
use crate::record::KeySet;

/// What a believable answer says.
pub(super) enum Outcome {
    /// The keys at hand are still right.
    Unchanged,
    /// These are right now.
    Updated(Fetched),
}

/// A key set that was just fetched.
pub(super) struct Fetched {
    pub(super) keys: TokenKeys,
    pub(super) etag: Option<String>,
}

impl Outcome {
    /// Reads the answer; `has_keys` says whether there is anything that a 304 could confirm.
    pub(super) fn of(answer: Answer<'_>, has_keys: bool) -> Result<Self, FetchFailure> {
        match answer.status()? {
            200 => {
                let set = KeySet::from_json(answer.body).map_err(FetchFailure::KeySet)?;
                let keys = TokenKeys::read(&set).map_err(FetchFailure::KeySet)?;
                Ok(Self::Updated(Fetched { keys, etag: answer.etag.and_then(etag) }))
            }
            304 if has_keys => Ok(Self::Unchanged),
            304 => Err(FetchFailure::NothingToKeep),
            status => Err(FetchFailure::Status(status)),
        }
    }
}

/// An entity tag that can be sent back as it is.
fn etag(value: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(value).ok()?;
    let is_sound = text.len() <= MAX_ETAG && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_sound.then(|| text.to_string())
}

/// The longest entity tag that is kept. The key server's own have 34 characters.
pub(super) const MAX_ETAG: usize = 128;
