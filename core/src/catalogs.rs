//! Service catalogues: what [`crate::cache`] keeps for services that want the one of the token.

use alloc::string::String;

use crate::cache::{Cache, Record};
use crate::fetch::FetchFailure;
use crate::record::{CatalogAnswer, CatalogRecord, CatalogRequest, Thing};
use crate::refusal::Unknown;
use crate::time::UnixTime;

/// The catalogues of one worker.
pub type Catalogs = Cache<ServiceCatalog>;

/// The catalogue of a project's tokens, or of all tokens that are for none.
#[derive(Debug)]
pub struct ServiceCatalog {
    /// Whose it is.
    pub request: CatalogRequest,
    /// What is in it.
    pub record: CatalogRecord,
}

/// There is always a catalogue: nothing can be wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFault {}

impl Record for ServiceCatalog {
    type Question = CatalogRequest;
    type Subject = CatalogRequest;
    type Fault = NoFault;

    const SLOTS: &'static str = "catalogs";
    const FAULTS: &'static [NoFault] = &[];
    const UNAVAILABLE: Unknown = Unknown::CatalogUnavailable;

    fn question(&self) -> &CatalogRequest {
        &self.request
    }

    fn subject(request: &CatalogRequest) -> &CatalogRequest {
        request
    }

    fn only_question(request: &CatalogRequest) -> Option<&CatalogRequest> {
        Some(request)
    }

    fn json(request: &CatalogRequest) -> String {
        request.to_json()
    }

    fn from_json(request: &CatalogRequest, json: &[u8]) -> Result<Self, FetchFailure> {
        let answer = CatalogAnswer::from_json(json, request).map_err(FetchFailure::Catalog)?;
        Ok(Self { request: answer.request, record: answer.catalog })
    }

    fn denial(_json: &[u8]) -> Option<NoFault> {
        None
    }

    fn reason(fault: NoFault) -> &'static str {
        match fault {}
    }

    fn fault(&self, _now: UnixTime) -> Option<NoFault> {
        None
    }

    fn is_concerned(&self, has_changed: impl Fn(Thing<'_>) -> bool) -> bool {
        has_changed(Thing::Catalog)
    }

    fn may_be_made(_request: &CatalogRequest, has_changed: impl Fn(Thing<'_>) -> bool) -> bool {
        has_changed(Thing::Catalog)
    }
}
