//! Service catalogues: what [`crate::cache`] keeps for services that want the one of the token.

use crate::fetch::FetchFailure;
use crate::record::{CatalogAnswer, CatalogRecord, CatalogRequest};

/// The catalogue of a project's tokens, or of all tokens that are for none.
#[derive(Debug)]
pub struct ServiceCatalog {
    /// Whose it is.
    pub request: CatalogRequest,
    /// What is in it.
    pub record: CatalogRecord,
}

impl ServiceCatalog {
    /// Reads the answer to a question.
    pub(crate) fn from_json(request: &CatalogRequest, json: &[u8]) -> Result<Self, FetchFailure> {
        let answer = CatalogAnswer::from_json(json, request).map_err(FetchFailure::Catalog)?;
        Ok(Self { request: answer.request, record: answer.catalog })
    }
}
