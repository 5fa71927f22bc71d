//! Which document a request is held against, and what becomes of one that is not as it says.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::time::Duration;

use super::document::Document;
use super::operation::Flaw;
use crate::acl::{HostPattern, Readings, host};
use crate::bypass::PathPattern;
use crate::complete_body::Reading;
use crate::head::RequestHead;
use crate::refusal::SchemaFault;

/// The documents of a configuration, in order.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    /// The first one that is for a request counts.
    pub all: Vec<Governed>,
}

/// A document, and which requests it is for.
#[derive(Clone, Debug)]
pub struct Governed {
    /// What it is called, in metrics and by the key server.
    pub name: String,
    /// The hosts; none stands for all.
    pub hosts: Vec<HostPattern>,
    /// The paths, and whatever a server might take for one of them.
    pub prefix: PathPattern,
    /// What becomes of requests that are not as it says.
    pub enforcement: Enforcement,
    /// The most bytes of a body.
    pub max_body: usize,
    /// How long after the head a body may end.
    pub within: Duration,
    /// Whether queries must not have parameters that it does not know.
    pub refuses_unknown: bool,
    /// The SHA-256 of what the key server has by this name, where it comes from there.
    pub digest: Option<[u8; 32]>,
    /// The document itself. One that comes from the key server is put here once, and is then what the
    /// digest said from the beginning. Routes that have the same share it.
    pub document: Rc<OnceCell<Rc<Document>>>,
}

/// What becomes of requests that are not as a document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// They are counted, and pass.
    Report,
    /// They are refused.
    Enforce,
}

/// What a check came to, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request is as the document says.
    Valid,
    /// It is not.
    Flawed(SchemaFault),
    /// The body is longer than is looked at.
    TooLong,
    /// The document has not come from the key server.
    Unavailable,
    /// It passed without being looked at: there was no room for its body, or that did not come whole.
    Unchecked,
}

impl Schemas {
    /// The place of the document that a request is held against, if there is one.
    ///
    /// Of a path that servers may read as another, several may be it: then one that is enforced. So it is of a
    /// path that is not written as those of the first are, and that only some servers may take for one of them.
    #[must_use]
    pub fn place_for(&self, head: RequestHead<'_>) -> Option<usize> {
        if self.all.is_empty() {
            return None;
        }
        let reading = Reading::of(head.path().unwrap_or_default());
        let host = host(head);
        let is_for = |it: &Governed| {
            let has_host = |host| it.hosts.iter().any(|pattern| pattern.matches(host));
            (it.hosts.is_empty() || host.is_none_or(has_host)) && it.prefix.may_cover(&reading)
        };
        let first = self.all.iter().position(is_for)?;
        let readings = Readings::of(head.path());
        let is_written =
            |it: &Governed| readings.plain().is_some_and(|path| it.prefix.fits_as_written(path));
        let is_certain = readings.is_one() && self.all.get(first).is_some_and(is_written);
        if is_certain && host.is_some() {
            return Some(first);
        }
        let is_enforced = |it: &Governed| is_for(it) && it.enforcement == Enforcement::Enforce;
        Some(self.all.iter().position(is_enforced).unwrap_or(first))
    }
}

impl Outcome {
    /// Of a check.
    #[must_use]
    pub fn of(check: &Result<(), Flaw>) -> Self {
        check.as_ref().map_or_else(|flaw| Self::Flawed(flaw.fault()), |()| Self::Valid)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let faults = SchemaFault::ALL.map(Self::Flawed);
        let others = [Self::Valid, Self::TooLong, Self::Unavailable, Self::Unchecked];
        others.into_iter().chain(faults)
    }

    /// What metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Flawed(SchemaFault::MediaType) => "media_type",
            Self::Flawed(SchemaFault::MethodNotAllowed) => "method_not_allowed",
            Self::Flawed(SchemaFault::PathUnknown) => "path_unknown",
            Self::Flawed(SchemaFault::TooComplex) => "too_complex",
            Self::Flawed(SchemaFault::Violated) => "violated",
            Self::TooLong => "too_long",
            Self::Unavailable => "unavailable",
            Self::Unchecked => "unchecked",
        }
    }
}
