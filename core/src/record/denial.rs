//! An answer that says no, and why.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// There is nothing to be had, and that is all there is to know: the answer 404 with
/// `{"error": {"reason": ...}}`. Unlike any other error it may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Denial<F> {
    /// Why.
    pub reason: F,
}

impl<F: DeserializeOwned> Denial<F> {
    /// Reads the body of an answer 404. One that does not say why is none: a key server that does
    /// not know the path answers 404 as well.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body<F> {
            error: Denial<F>,
        }
        let is_short = json.len() <= MAX_DENIAL_BYTES;
        let body = is_short.then(|| serde_json::from_slice(json).ok()).flatten();
        body.map(|Body { error }| error)
    }
}

/// The most bytes of such an answer.
pub const MAX_DENIAL_BYTES: usize = 64 * 1024;
