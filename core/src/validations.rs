//! What Keystone itself says of tokens: what [`crate::cache`] keeps where Keystone is asked about each
//! (`token.identity: keystone`).
//!
//! The question holds a token, which is a secret. So it is known by its hash everywhere but on its way to
//! Keystone, and nothing that is kept holds the token. The hash needs no key: a token has more
//! in it than could be guessed, and the slots of shared data are named by a keyed hash of the hash.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use crate::cache::{Fault, Outcome, Record};
use crate::config::Keystone;
use crate::fetch::{Answer, FetchFailure};
use crate::identities::{Identity, question};
use crate::record::{
    Catalog, InvalidValidation, ValidationFault, ValidationRecord, is_keystones_refusal,
};
use crate::secret::Secret;
use crate::sigv4::Hex;
use crate::token::Payload;

/// What Keystone says of a token.
#[derive(Debug)]
pub struct Validation {
    /// What was asked, without the token.
    pub request: ValidationRequest,
    /// What the token says.
    pub payload: Payload,
    /// When it was issued, in seconds.
    pub issued_at: u64,
    /// Whom it stands for.
    pub identity: Rc<Identity>,
    /// The services that there are for it, if that was asked.
    pub catalog: Option<Catalog>,
}

/// A question to Keystone about a token. Two are the same if the same is asked about the same token, by
/// itself or by some service; which service it is makes no difference to the answer.
#[derive(Clone, Debug)]
pub struct ValidationRequest {
    id: Id,
    /// What the call needs; not there in what is kept.
    asked: Option<Rc<Asked>>,
}

/// What a question is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id {
    /// Of the path, and the token.
    sha256: [u8; 32],
    is_vouched_for: bool,
}

#[derive(Debug)]
struct Asked {
    path: String,
    token: Rc<Secret>,
    voucher: Option<Rc<Secret>>,
}

impl ValidationRequest {
    /// A token asks about itself; or a service, whose token this `voucher` is, on a user's behalf: then
    /// it may have expired.
    #[must_use]
    pub fn new(
        keystone: &Keystone,
        has_catalog: bool,
        token: Rc<Secret>,
        voucher: Option<Rc<Secret>>,
    ) -> Self {
        let path = &keystone.path;
        let path = match (voucher.is_some(), has_catalog) {
            (false, false) => format!("{path}?nocatalog"),
            (false, true) => path.clone(),
            (true, false) => format!("{path}?allow_expired=1&nocatalog"),
            (true, true) => format!("{path}?allow_expired=1"),
        };
        // No path and no token has a space in it.
        let hash = Sha256::new_with_prefix(path.as_bytes()).chain_update(b" ");
        let sha256 = hash.chain_update(token.expose()).finalize().into();
        let id = Id { sha256, is_vouched_for: voucher.is_some() };
        Self { id, asked: Some(Rc::new(Asked { path, token, voucher })) }
    }

    /// Whether a service asks.
    #[must_use]
    pub fn is_vouched_for(&self) -> bool {
        self.id.is_vouched_for
    }

    /// Where it is asked; nowhere, once it was answered.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.asked.as_ref().map(|asked| asked.path.as_str())
    }

    /// The token, and that of who asks; none, once it was answered.
    #[must_use]
    pub fn tokens(&self) -> Option<(&Secret, &Secret)> {
        let Asked { token, voucher, .. } = &**self.asked.as_ref()?;
        Some((token, voucher.as_ref().unwrap_or(token)))
    }

    /// What is kept of it.
    pub(crate) fn without_tokens(&self) -> Self {
        Self { id: self.id, asked: None }
    }

    /// What it is known by in shared data. It is sent in headers instead.
    pub(crate) fn to_json(&self) -> String {
        format!(r#"{{"sha256":"{}"}}"#, Hex(&self.id.sha256))
    }

    /// What an answer of Keystone's says.
    pub(crate) fn read(&self, answer: Answer<'_>) -> Result<Outcome, FetchFailure> {
        let status = answer.status_of_anybody().ok_or(FetchFailure::Keystone(0))?;
        let fault = match status {
            200 if !self.is_about(answer.subject_token) => {
                return Err(FetchFailure::Validation(InvalidValidation::OtherToken));
            }
            200 => match Validation::from_json(self, answer.body) {
                // It would be the same a moment later.
                Err(FetchFailure::Validation(InvalidValidation::Record(_))) => {
                    ValidationFault::Unpresentable
                }
                read => return read.map(|it| Outcome::Record(Record::Validation(Rc::new(it)))),
            },
            401 | 403 | 404 if is_keystones_refusal(status, answer.body) => {
                match (status, self.is_vouched_for()) {
                    // A token that asks about itself is also who asks; a service is not.
                    (401, true) => {
                        let fault = Fault::Validation(ValidationFault::Forbidden);
                        return Ok(Outcome::DeniedToAsker(fault));
                    }
                    (403, _) => ValidationFault::Forbidden,
                    _ => ValidationFault::Denied,
                }
            }
            _ => return Err(FetchFailure::Keystone(status)),
        };
        Ok(Outcome::Denied(Fault::Validation(fault)))
    }

    fn is_about(&self, text: Option<&[u8]>) -> bool {
        let token = self.tokens().map(|(token, _)| token);
        token.zip(text).is_some_and(|(token, text)| token.matches(text))
    }
}

impl PartialEq for ValidationRequest {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ValidationRequest {}

impl Hash for ValidationRequest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl Validation {
    /// Reads what Keystone says.
    pub fn from_json(request: &ValidationRequest, json: &[u8]) -> Result<Self, FetchFailure> {
        let record = ValidationRecord::from_json(json).map_err(FetchFailure::Validation)?;
        let ValidationRecord { payload, issued_at, identity: record, catalog } = record;
        let asked = question(&payload).filter(|asked| record.is_of(asked));
        let asked = asked.ok_or(FetchFailure::Validation(InvalidValidation::Inconsistent))?;
        Ok(Self {
            request: request.without_tokens(),
            payload,
            issued_at,
            identity: Rc::new(Identity { request: asked, record }),
            catalog,
        })
    }
}

#[cfg(test)]
mod tests;
