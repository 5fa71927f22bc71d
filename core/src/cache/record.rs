//! What a cache has to know of the records that it keeps: how each kind is asked for, read, and seen to be no
//! longer true.
//!
//! One engine serves all kinds, and is in the module once. So kinds are values here and not types; what is
//! particular about one stands with its record, in [`crate::access_keys`] and its like.

use alloc::rc::Rc;
use alloc::string::String;
use core::hash::{Hash, Hasher};

use crate::access_keys::AccessKey;
use crate::catalogs::ServiceCatalog;
use crate::fetch::{Answer, FetchFailure};
use crate::identities::Identity;
use crate::record::{
    AccessKeyFault, CatalogRequest, IdentityFault, IdentityRequest, SigningKeyRequest, Thing,
    ValidationFault, reason,
};
use crate::refusal::Unknown;
use crate::sigv4::Credential;
use crate::time::UnixTime;
use crate::validations::{Validation, ValidationRequest};

/// A kind of records: what one cache keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signing keys, and whom they sign for.
    AccessKey,
    /// Whom tokens stand for.
    Identity,
    /// Service catalogues.
    Catalog,
    /// What Keystone itself says of tokens.
    Validation,
}

/// Which record is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// The key of a credential.
    AccessKey(Rc<Credential>),
    /// Whom a token stands for.
    Identity(Rc<IdentityRequest>),
    /// A catalogue.
    Catalog(CatalogRequest),
    /// What Keystone says of a token.
    Validation(ValidationRequest),
}

/// A record.
#[derive(Clone, Debug)]
pub enum Record {
    /// A signing key, and whom it signs for.
    AccessKey(Rc<AccessKey>),
    /// Whom a token stands for.
    Identity(Rc<Identity>),
    /// A catalogue.
    Catalog(Rc<ServiceCatalog>),
    /// What Keystone says of a token.
    Validation(Rc<Validation>),
}

/// Why there is no record. There is always a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Why an access key opens nothing.
    AccessKey(AccessKeyFault),
    /// Why Keystone would not take such a token.
    Identity(IdentityFault),
    /// Why Keystone does not take the token.
    Validation(ValidationFault),
}

/// What a believable answer says.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Here it is.
    Record(Record),
    /// There is none, and that is all there is to know.
    Denied(Fault),
    /// Who asked may not know; another may, so that this is not remembered.
    DeniedToAsker(Fault),
}

/// Whom a question is about: an access key, for whatever day, region and service; else the question alone,
/// since the same user may have a role elsewhere.
///
/// A denial is about all questions with the same subject, and so is the limit to the questions that may
/// be asked in vain.
#[derive(Clone, Debug)]
pub(super) struct Subject(Question);

/// By what a subject is known.
#[derive(PartialEq, Eq, Hash)]
enum Name<'a> {
    AccessKey(&'a str),
    Question(&'a Question),
}

impl Kind {
    /// What slots of shared data are called that hold this kind.
    pub(super) fn slots(self) -> &'static str {
        match self {
            Self::AccessKey => "signing-keys",
            Self::Identity => "identities",
            Self::Catalog => "catalogs",
            Self::Validation => "validations",
        }
    }

    /// Why a request is refused while no record can be had.
    pub(super) fn unavailable(self) -> Unknown {
        match self {
            Self::AccessKey => Unknown::KeysUnavailable,
            Self::Identity => Unknown::IdentityUnavailable,
            Self::Catalog => Unknown::CatalogUnavailable,
            Self::Validation => Unknown::KeystoneUnavailable,
        }
    }

    /// Whether the change feed tells of them. Those of which it does not are fresh for as long as is
    /// configured, also while it is silent.
    pub(super) fn is_watched(self) -> bool {
        self != Self::Validation
    }

    /// The most bytes of an answer that all workers share. A record with ten roles takes about a
    /// kilobyte; catalogues of large clouds have tens of kilobytes.
    pub(super) fn max_shared(self) -> usize {
        match self {
            Self::AccessKey | Self::Identity | Self::Catalog => 4 * 1024,
            Self::Validation => 64 * 1024,
        }
    }

    /// The fault of this name.
    pub(super) fn fault(self, reason: &[u8]) -> Option<Fault> {
        let is_it = |fault: &Fault| fault.reason().as_bytes() == reason;
        match self {
            Self::AccessKey => AccessKeyFault::ALL.map(Fault::AccessKey).into_iter().find(is_it),
            Self::Identity => IdentityFault::ALL.map(Fault::Identity).into_iter().find(is_it),
            Self::Catalog => None,
            Self::Validation => ValidationFault::ALL.map(Fault::Validation).into_iter().find(is_it),
        }
    }
}

impl Question {
    /// The kind of the record.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::AccessKey(_) => Kind::AccessKey,
            Self::Identity(_) => Kind::Identity,
            Self::Catalog(_) => Kind::Catalog,
            Self::Validation(_) => Kind::Validation,
        }
    }

    /// What is kept with the answer.
    pub(super) fn to_keep(&self) -> Self {
        match self {
            Self::Validation(request) => Self::Validation(request.without_tokens()),
            other => other.clone(),
        }
    }

    pub(super) fn subject(&self) -> Subject {
        Subject(self.to_keep())
    }

    /// The question as it is sent to a key server: JSON, the same each time, and the same for no other.
    #[must_use]
    pub fn json(&self) -> String {
        match self {
            Self::AccessKey(credential) => SigningKeyRequest::new(credential).to_json(),
            Self::Identity(request) => request.to_json(),
            Self::Catalog(request) => request.to_json(),
            Self::Validation(request) => request.to_json(),
        }
    }

    /// What an answer says.
    pub(super) fn read(&self, answer: Answer<'_>) -> Result<Outcome, FetchFailure> {
        if let Self::Validation(request) = self {
            return request.read(answer);
        }
        match answer.status()? {
            200 => self.read_record(answer.body).map(Outcome::Record),
            // One that says something else than that there is no such record is no answer.
            404 => reason(answer.body)
                .and_then(|reason| self.kind().fault(reason.as_bytes()))
                .map(Outcome::Denied)
                .ok_or(FetchFailure::Status(404)),
            status => Err(FetchFailure::Status(status)),
        }
    }

    /// Reads the answer from JSON.
    pub(super) fn read_record(&self, json: &[u8]) -> Result<Record, FetchFailure> {
        Ok(match self {
            Self::AccessKey(credential) => {
                Record::AccessKey(Rc::new(AccessKey::from_json(credential, json)?))
            }
            Self::Identity(request) => {
                Record::Identity(Rc::new(Identity::from_json(request, json)?))
            }
            Self::Catalog(request) => {
                Record::Catalog(Rc::new(ServiceCatalog::from_json(request, json)?))
            }
            Self::Validation(request) => {
                Record::Validation(Rc::new(Validation::from_json(request, json)?))
            }
        })
    }
}

impl Record {
    /// Why the record is good no more at a time, if it is not. Whether a token has expired is for each
    /// request to see: beside a service's token it may have.
    pub(super) fn fault(&self, now: UnixTime) -> Option<Fault> {
        match self {
            Self::AccessKey(key) => key.fault(now).map(Fault::AccessKey),
            Self::Identity(identity) => identity.fault(now).map(Fault::Identity),
            Self::Catalog(_) | Self::Validation(_) => None,
        }
    }

    /// Whether it rests on one of the things for which `has_changed` holds.
    pub(super) fn is_concerned(&self, has_changed: &dyn Fn(Thing<'_>) -> bool) -> bool {
        match self {
            Self::AccessKey(key) => key.is_concerned(has_changed),
            Self::Identity(identity) => identity.is_concerned(has_changed),
            Self::Catalog(_) => has_changed(Thing::Catalog),
            Self::Validation(_) => false,
        }
    }
}

impl Fault {
    /// What keys and metrics call it, and how it is written down.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AccessKey(fault) => fault.reason(),
            Self::Identity(fault) => fault.reason(),
            Self::Validation(fault) => fault.reason(),
        }
    }
}

impl Subject {
    /// Whether there may be a record now that it was denied, when those things have changed for which
    /// `has_changed` holds.
    pub(super) fn may_be_made(&self, has_changed: &dyn Fn(Thing<'_>) -> bool) -> bool {
        match &self.0 {
            Question::AccessKey(credential) => {
                has_changed(Thing::AccessKey(&credential.access_key))
            }
            Question::Identity(request) => Identity::may_be_made(request, has_changed),
            Question::Catalog(_) => has_changed(Thing::Catalog),
            Question::Validation(_) => false,
        }
    }

    fn name(&self) -> Name<'_> {
        match &self.0 {
            Question::AccessKey(credential) => Name::AccessKey(&credential.access_key),
            question => Name::Question(question),
        }
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Subject {}

impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}
