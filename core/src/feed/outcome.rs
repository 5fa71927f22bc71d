//! What the key server's answer says about changes.

use crate::fetch::{Answer, FetchFailure};
use crate::record::{Changes, Cursor};

/// What a believable answer says.
#[derive(Debug)]
pub(super) enum Outcome {
    /// These, since the cursor.
    Told(Changes),
    /// What has changed since the cursor cannot be told any more.
    Gone,
}

impl Outcome {
    /// Reads the answer to a question with the cursor `after`.
    pub(super) fn of(answer: Answer<'_>, after: Option<&Cursor>) -> Result<Self, FetchFailure> {
        match answer.status()? {
            200 => Changes::from_json(answer.body, after)
                .map(Self::Told)
                .map_err(FetchFailure::Changes),
            410 if after.is_some() => Ok(Self::Gone),
            status => Err(FetchFailure::Status(status)),
        }
    }
}
