//! The service catalogue: the answer to `POST /v1/catalogs`.
//!
//! A token's catalogue depends on its project and its user, and the user only shows in the URLs. So the
//! key server tells which endpoints a project has, with URLs that are templates still; the edge fills
//! these in for each token.

mod filled;
mod template;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

pub use filled::Catalog;

use super::party::check_texts;
use crate::json::{self, deserialize_as_json, from_fields};

/// Where catalogues are asked for.
pub const CATALOGS_PATH: &str = "/v1/catalogs";

/// The most bytes of a question.
pub const MAX_CATALOG_REQUEST_BYTES: usize = 8 * 1024;

/// The most bytes of an answer.
pub const MAX_CATALOG_BYTES: usize = 512 * 1024;

/// The most services of a catalogue.
pub const MAX_SERVICES: usize = 256;

/// The most endpoints of a catalogue, those of all services together.
pub const MAX_ENDPOINTS: usize = 4096;

/// Which catalogue is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct CatalogRequest {
    /// The project that the token is for, if it is for one. Tokens for a domain and for the system
    /// have the same catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// A catalogue, and the question that it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CatalogAnswer {
    /// The question: an edge believes no answer to another one.
    #[serde(flatten)]
    pub request: CatalogRequest,
    /// The answer.
    pub catalog: CatalogRecord,
}

/// The services and endpoints that are enabled, and that a project may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CatalogRecord {
    /// The services, at most [`MAX_SERVICES`].
    pub services: Vec<Service>,
    /// Whether the project was given some endpoints of all (OS-EP-FILTER). Then a service without any
    /// endpoint is left out; else it stays.
    #[serde(skip_serializing_if = "is_false")]
    pub is_filtered: bool,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// Its type: `compute`, `object-store`.
    #[serde(rename = "type")]
    pub service_type: String,
    /// Its name, which may be empty.
    pub name: String,
    /// Where it is.
    pub endpoints: Vec<Endpoint>,
}

/// One place of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// For whom it is: `public`, `internal`, `admin`.
    pub interface: String,
    /// The id of its region, which Keystone shows as `region` and as `region_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its URL: a template in a record, as [`CatalogRecord::for_token`] says; a URL in a [`Catalog`].
    pub url: String,
}

/// Why bytes are no catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidCatalog {
    /// More than [`MAX_ENDPOINTS`].
    EndpointCount,
    /// Not JSON of the right shape.
    Json,
    /// The catalogue of another project.
    OtherRequest,
    /// More than [`MAX_SERVICES`].
    ServiceCount,
    /// A text that is empty where none may be, longer than [`super::MAX_TEXT`], or with a control
    /// character.
    Text,
    /// More than [`MAX_CATALOG_BYTES`].
    TooLong,
}

from_fields! { CatalogRequest { project } }
from_fields! { CatalogAnswer { catalog, ..request } }
from_fields! { CatalogRecord { services, is_filtered or default } }
from_fields! { Service { id, service_type: "type", name, endpoints } }
from_fields! { Endpoint { id, interface, region, url } }
deserialize_as_json!(CatalogRequest, CatalogAnswer, CatalogRecord, Service, Endpoint);

impl CatalogRequest {
    /// Reads a question from JSON.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let is_short = json.len() <= MAX_CATALOG_REQUEST_BYTES;
        let request: Option<Self> = is_short.then(|| json::read(json).ok()).flatten();
        request.filter(|request| check_texts("project", request.project.as_deref()).is_ok())
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A text: there is nothing in it that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl CatalogAnswer {
    /// Reads the answer to a question from JSON.
    pub fn from_json(json: &[u8], request: &CatalogRequest) -> Result<Self, InvalidCatalog> {
        if json.len() > MAX_CATALOG_BYTES {
            return Err(InvalidCatalog::TooLong);
        }
        let answer: Self = json::read(json).map_err(|_| InvalidCatalog::Json)?;
        if answer.request != *request {
            return Err(InvalidCatalog::OtherRequest);
        }
        answer.catalog.check()?;
        Ok(answer)
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts and a truth value: there is nothing in them that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl CatalogRecord {
    /// Whether it keeps to the limits, and all of it can be told to a service.
    pub fn check(&self) -> Result<(), InvalidCatalog> {
        if self.services.len() > MAX_SERVICES {
            return Err(InvalidCatalog::ServiceCount);
        }
        if self.services.iter().map(|service| service.endpoints.len()).sum::<usize>()
            > MAX_ENDPOINTS
        {
            return Err(InvalidCatalog::EndpointCount);
        }
        let is_sound = |service: &Service| {
            service.is_sound() && service.endpoints.iter().all(Endpoint::is_sound)
        };
        if self.services.iter().all(is_sound) { Ok(()) } else { Err(InvalidCatalog::Text) }
    }
}

impl Service {
    /// Whether a service can be told of it, whatever its endpoints are. A key server leaves others
    /// out.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Self { id, service_type, name, endpoints: _ } = self;
        are_texts([Some(&**id), Some(service_type), not_empty(name)])
    }
}

impl Endpoint {
    /// Whether a service can be told of it. A key server leaves others out.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Self { id, interface, region, url } = self;
        let region = region.as_deref().and_then(not_empty);
        are_texts([Some(&**id), Some(interface), region, not_empty(url)])
    }
}

impl fmt::Display for InvalidCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndpointCount => write!(f, "more than {MAX_ENDPOINTS} endpoints"),
            Self::Json => f.write_str("not the JSON of a catalogue"),
            Self::OtherRequest => f.write_str("the answer to another question"),
            Self::ServiceCount => write!(f, "more than {MAX_SERVICES} services"),
            Self::Text => f.write_str("a service or endpoint with a text that is none"),
            Self::TooLong => write!(f, "longer than {MAX_CATALOG_BYTES} bytes"),
        }
    }
}

impl core::error::Error for InvalidCatalog {}

fn are_texts<const N: usize>(texts: [Option<&str>; N]) -> bool {
    check_texts("catalog", texts.into_iter().flatten()).is_ok()
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::MAX_TEXT;
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec;
    use serde_json::{Value, json};

    fn endpoint() -> Value {
        json!({"id": "e", "interface": "public", "region": "R", "url": "http://x/$(project_id)s"})
    }

    fn service(endpoints: &Value) -> Value {
        json!({"id": "s", "type": "compute", "name": "", "endpoints": endpoints})
    }

    fn answer(services: &Value) -> Result<CatalogAnswer, InvalidCatalog> {
        let json = json!({"project": "p", "catalog": {"services": services}}).to_string();
        CatalogAnswer::from_json(json.as_bytes(), &CatalogRequest { project: Some("p".into()) })
    }

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        let far = json!({"id": "f", "interface": "admin", "url": ""});
        for (project, is_filtered) in [(json!({"project": "p"}), true), (json!({}), false)] {
            let mut json = project.clone();
            json["catalog"] = json!({"services": [service(&json!([endpoint(), far]))]});
            if is_filtered {
                json["catalog"]["is_filtered"] = true.into();
            }
            let request = CatalogRequest::from_json(project.to_string().as_bytes()).unwrap();
            assert_eq!(request.to_json(), project.to_string());
            let answer = CatalogAnswer::from_json(json.to_string().as_bytes(), &request).unwrap();
            assert_eq!(answer.catalog.is_filtered, is_filtered);
            let written: Value = serde_json::from_str(&answer.to_json()).unwrap();
            assert_eq!(written, json);
        }
    }

    #[test]
    fn refuses_what_is_no_question() {
        let long = format!(r#"{{"project":"{}"}}"#, "p".repeat(MAX_TEXT + 1));
        let padded = format!("{}{{}}", " ".repeat(MAX_CATALOG_REQUEST_BYTES));
        for json in ["", "7", r#"{"project":7}"#, r#"{"project":""}"#, r#"{"project":"a\n"}"#] {
            assert_eq!(CatalogRequest::from_json(json.as_bytes()), None, "{json}");
        }
        for json in [long, padded] {
            assert_eq!(CatalogRequest::from_json(json.as_bytes()), None);
        }
    }

    #[test]
    fn an_answer_is_to_its_own_question() {
        let json = br#"{"project":"p","catalog":{"services":[]}}"#;
        for project in [None, Some("q".into())] {
            let error = CatalogAnswer::from_json(json, &CatalogRequest { project });
            assert_eq!(error, Err(InvalidCatalog::OtherRequest));
        }
    }

    #[test]
    fn refuses_what_is_no_catalogue() {
        assert!(answer(&json!([service(&json!([endpoint()]))])).is_ok());
        for (field, value) in [
            ("id", json!("")),
            ("interface", json!("")),
            ("interface", json!("a\r\n")),
            ("region", json!("\0")),
            ("url", json!("http://x\n")),
            ("url", json!("x".repeat(MAX_TEXT + 1))),
        ] {
            let mut endpoint = endpoint();
            endpoint[field] = value.clone();
            let error = answer(&json!([service(&json!([endpoint]))]));
            assert_eq!(error, Err(InvalidCatalog::Text), "{field} {value}");
        }
        for (field, value) in [("id", ""), ("type", ""), ("name", "\u{7f}")] {
            let mut service = service(&json!([]));
            service[field] = value.into();
            assert_eq!(answer(&json!([service])), Err(InvalidCatalog::Text), "{field}");
        }
        for services in [json!({}), json!([{}]), json!([service(&json!([{"id": "e"}]))])] {
            assert_eq!(answer(&services), Err(InvalidCatalog::Json), "{services}");
        }
        let many = vec![service(&json!([])); MAX_SERVICES + 1];
        assert_eq!(answer(&many.into()), Err(InvalidCatalog::ServiceCount));
        let some = json!(vec![endpoint(); MAX_ENDPOINTS / 2 + 1]);
        let error = answer(&json!([service(&some), service(&some)]));
        assert_eq!(error, Err(InvalidCatalog::EndpointCount));
        let long = " ".repeat(MAX_CATALOG_BYTES + 1);
        let error = CatalogAnswer::from_json(long.as_bytes(), &CatalogRequest::default());
        assert_eq!(error, Err(InvalidCatalog::TooLong));
    }
}
