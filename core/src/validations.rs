//! What Keystone itself says of tokens: what [`crate::cache`] keeps where Keystone is asked about each
//! (`token.identity: keystone`).
//!
//! The question holds a token, which is a secret. So it is known by its hash everywhere but on its way to
//! Keystone, and nothing that is kept holds the token. The hash needs no key: a token has more
//! in it than could be guessed, and the slots of shared data are named by a keyed hash of the hash.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use crate::cache::{Cache, Outcome, Record};
use crate::config::Keystone;
use crate::fetch::{Answer, FetchFailure};
use crate::identities::{Identity, question};
use crate::record::{
    Catalog, InvalidValidation, Thing, ValidationFault, ValidationRecord, is_keystones_refusal,
};
use crate::refusal::Unknown;
use crate::secret::Secret;
use crate::sigv4::Hex;
use crate::time::UnixTime;
use crate::token::Payload;

/// Keystone's answers that one worker keeps.
pub type Validations = Cache<Validation>;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    fn without_tokens(&self) -> Self {
        Self { id: self.id, asked: None }
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

impl PartialOrd for ValidationRequest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValidationRequest {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl Hash for ValidationRequest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// Nobody tells what has changed: what is kept is true for as long as it is fresh.
impl Record for Validation {
    type Question = ValidationRequest;
    type Subject = ValidationRequest;
    type Fault = ValidationFault;

    const SLOTS: &'static str = "validations";
    const FAULTS: &'static [ValidationFault] = &ValidationFault::ALL;
    const UNAVAILABLE: Unknown = Unknown::KeystoneUnavailable;
    const IS_WATCHED: bool = false;
    // Catalogues of large clouds have tens of kilobytes.
    const MAX_SHARED: usize = 64 * 1024;

    fn question(&self) -> &ValidationRequest {
        &self.request
    }

    fn subject(request: &ValidationRequest) -> &ValidationRequest {
        request
    }

    fn only_question(request: &ValidationRequest) -> Option<&ValidationRequest> {
        Some(request)
    }

    /// It is sent in headers instead.
    fn json(request: &ValidationRequest) -> String {
        format!(r#"{{"sha256":"{}"}}"#, Hex(&request.id.sha256))
    }

    fn read(
        request: &ValidationRequest,
        answer: Answer<'_>,
    ) -> Result<Outcome<Self>, FetchFailure> {
        let status = answer.status_of_anybody().ok_or(FetchFailure::Keystone(0))?;
        match status {
            200 if !request.is_about(answer.subject_token) => {
                Err(FetchFailure::Validation(InvalidValidation::OtherToken))
            }
            200 => match Self::from_json(request, answer.body) {
                // It would be the same a moment later.
                Err(FetchFailure::Validation(InvalidValidation::Record(_))) => {
                    Ok(Outcome::Denied(ValidationFault::Unpresentable))
                }
                read => read.map(Outcome::Record),
            },
            401 | 403 | 404 if is_keystones_refusal(status, answer.body) => {
                Ok(match (status, request.is_vouched_for()) {
                    // A token that asks about itself is also who asks; a service is not.
                    (401, true) => Outcome::DeniedToAsker(ValidationFault::Forbidden),
                    (403, _) => Outcome::Denied(ValidationFault::Forbidden),
                    _ => Outcome::Denied(ValidationFault::Denied),
                })
            }
            _ => Err(FetchFailure::Keystone(status)),
        }
    }

    fn from_json(request: &ValidationRequest, json: &[u8]) -> Result<Self, FetchFailure> {
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

    fn denial(_json: &[u8]) -> Option<ValidationFault> {
        None
    }

    fn reason(fault: ValidationFault) -> &'static str {
        fault.reason()
    }

    /// Whether it has expired is for each request to see: beside a service's token it may have.
    fn fault(&self, _now: UnixTime) -> Option<ValidationFault> {
        None
    }

    fn is_concerned(&self, _has_changed: impl Fn(Thing<'_>) -> bool) -> bool {
        false
    }

    fn may_be_made(_request: &ValidationRequest, _has_changed: impl Fn(Thing<'_>) -> bool) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
