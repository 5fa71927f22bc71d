//! An answer that says no, and why.

use alloc::string::String;

use serde::de::value::{Error, StringDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};

use crate::json;

/// There is nothing to be had, and that is all there is to know: the answer 404 with
/// `{"error": {"reason": ...}}`. Unlike any other error it may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial<F> {
    /// Why.
    pub reason: F,
}

impl<F: DeserializeOwned> Denial<F> {
    /// Reads the body of an answer 404. One that does not say why is none: a key server that does
    /// not know the path answers 404 as well.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let reason: StringDeserializer<Error> = reason(json)?.into_deserializer();
        F::deserialize(reason).ok().map(|reason| Self { reason })
    }
}

/// What such an answer says, in a word.
pub(crate) fn reason(json: &[u8]) -> Option<String> {
    if json.len() > MAX_DENIAL_BYTES {
        return None;
    }
    json::parse(json).ok()?.get("error")?.get("reason")?.as_text().map(String::from)
}

/// The most bytes of such an answer.
pub const MAX_DENIAL_BYTES: usize = 64 * 1024;
