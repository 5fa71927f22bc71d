//! The catalogue of one token, as Keystone and keystonemiddleware write it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::template::fill;
use super::{CatalogRecord, Endpoint, InvalidCatalog, Service};
use crate::json::Writer;

/// The catalogue of one token: all of its URLs are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog(Vec<Service>);

impl CatalogRecord {
    /// The catalogue of a token for this project, if it is for one, and of this user. For a token of a
    /// trust, impersonating or not, that is the trustor.
    ///
    /// URLs are templates in which `$(project_id)s`, `$(tenant_id)s` and `$(user_id)s` stand for ids,
    /// also with `%` for `$`; `%%` is a percent sign. An endpoint whose URL cannot be filled in is left
    /// out: one that wants the project of a token without one, or any other name.
    #[must_use]
    pub fn for_token(&self, project: Option<&str>, user: &str) -> Catalog {
        let filled = |endpoint: &Endpoint| {
            let url = fill(&endpoint.url, project, user)?;
            Some(Endpoint { url, ..endpoint.clone() })
        };
        let services = self.services.iter().map(|service| Service {
            id: service.id.clone(),
            service_type: service.service_type.clone(),
            name: service.name.clone(),
            endpoints: service.endpoints.iter().filter_map(filled).collect(),
        });
        Catalog(services.filter(|it| !self.is_filtered || !it.endpoints.is_empty()).collect())
    }
}

impl Catalog {
    /// What Keystone itself says, URLs and all.
    pub(in crate::record) fn from_services(services: Vec<Service>) -> Result<Self, InvalidCatalog> {
        let record = CatalogRecord { services, is_filtered: false };
        record.check()?;
        Ok(Self(record.services))
    }

    /// Its services.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.0
    }

    /// Writes `token.catalog` of Keystone's answer to `GET /v3/auth/tokens`. What its operator added to
    /// endpoints of his own accord is not in it.
    pub(crate) fn write_v3(&self, json: &mut Writer) {
        json.begin('[');
        for Service { id, service_type, name, endpoints } in &self.0 {
            json.begin('{');
            json.name("endpoints").begin('[');
            for Endpoint { id, interface, region, url } in endpoints {
                json.begin('{');
                json.name("id").text(id);
                json.name("interface").text(interface);
                json.name("region_id").optional(region.as_deref());
                json.name("url").text(url);
                json.name("region").optional(region.as_deref());
                json.end('}');
            }
            json.end(']');
            json.name("id").text(id);
            json.name("type").text(service_type);
            json.name("name").text(name);
            json.end('}');
        }
        json.end(']');
    }

    /// The JSON of the header `X-Service-Catalog`: keystonemiddleware gives services the form of
    /// Keystone's second API, which has one entry for each region. It is all ASCII.
    #[must_use]
    pub fn to_v2_json(&self) -> String {
        let mut json = Writer::default();
        json.begin('[');
        for Service { id: _, service_type, name, endpoints } in &self.0 {
            json.begin('{');
            json.name("type").text(service_type);
            json.name("name").text(name);
            json.name("endpoints").begin('[');
            for V2Region { region, urls } in v2_regions(endpoints) {
                json.begin('{');
                if let Some(region) = region.filter(|region| !region.is_empty()) {
                    json.name("region").text(region);
                }
                for (key, url) in &urls {
                    json.name(key).text(url);
                }
                json.end('}');
            }
            json.end(']');
            json.end('}');
        }
        json.end(']');
        ascii(json.into_text())
    }
}

/// What a service has in one region: the URL of each interface.
struct V2Region<'a> {
    region: Option<&'a str>,
    urls: Vec<(String, &'a str)>,
}

/// The regions in the order of their first endpoints. Of two endpoints with one interface in one
/// region, the later one counts.
fn v2_regions(endpoints: &[Endpoint]) -> Vec<V2Region<'_>> {
    let mut regions: Vec<V2Region<'_>> = Vec::new();
    for endpoint in endpoints {
        // Keystone takes no interface but `admin`, `internal` and `public`.
        let key = endpoint.interface.to_ascii_lowercase() + "URL";
        let region = endpoint.region.as_deref();
        let at = regions.iter().position(|known| known.region == region);
        let at = at.unwrap_or(regions.len());
        if at == regions.len() {
            regions.push(V2Region { region, urls: Vec::new() });
        }
        let Some(V2Region { urls, .. }) = regions.get_mut(at) else { continue };
        match urls.iter_mut().find(|(known, _)| *known == key) {
            Some((_, url)) => *url = &endpoint.url,
            None => urls.push((key, &endpoint.url)),
        }
    }
    regions
}

/// JSON in ASCII alone, as Python writes it: a service in Python takes the bytes of a header for
/// Latin-1. Characters beyond stand in texts only, where each can be escaped.
fn ascii(json: String) -> String {
    if json.is_ascii() {
        return json;
    }
    let mut escaped = String::with_capacity(2 * json.len());
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _infallible = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use serde_json::{Value, from_str, from_value, json};

    fn record(is_filtered: bool) -> CatalogRecord {
        from_value(json!({
            "is_filtered": is_filtered,
            "services": [
                {"id": "s1", "type": "compute", "name": "nova", "endpoints": [
                    {"id": "e1", "interface": "public", "region": "R1", "url": "http://1/$(project_id)s"},
                    {"id": "e2", "interface": "ADMIN", "region": "R1", "url": "http://2"},
                    {"id": "e3", "interface": "public", "region": "R2", "url": "http://3/$(user_id)s"},
                    {"id": "e4", "interface": "public", "url": "http://4"},
                    {"id": "e5", "interface": "internal", "region": "", "url": "http://5"},
                    {"id": "e6", "interface": "public", "region": "R2", "url": "http://6"},
                    {"id": "e7", "interface": "internal", "region": "R3", "url": "http://7/$(moon)s"},
                ]},
                {"id": "s2", "type": "volume", "name": "", "endpoints": [
                    {"id": "e8", "interface": "public", "region": "Ω𝄞", "url": "http://8/$(tenant_id)s"},
                ]},
                {"id": "s3", "type": "empty", "name": "\"", "endpoints": []},
            ],
        }))
        .unwrap()
    }

    fn v3(catalog: &Catalog) -> Value {
        let mut json = Writer::default();
        catalog.write_v3(&mut json);
        from_str(&json.into_text()).unwrap()
    }

    fn parsed(json: &str) -> Value {
        assert!(json.is_ascii(), "{json}");
        from_str(json).unwrap()
    }

    #[test]
    fn has_keystones_form() {
        let catalog = record(false).for_token(Some("P"), "U");
        let json = v3(&catalog);
        assert_eq!(
            json[1],
            json!({"id": "s2", "type": "volume", "name": "", "endpoints": [
                {"id": "e8", "interface": "public", "region": "Ω𝄞", "region_id": "Ω𝄞",
                 "url": "http://8/P"}
            ]})
        );
        let endpoint = json!({"id": "e4", "interface": "public", "region": null,
                              "region_id": null, "url": "http://4"});
        assert_eq!(json[0]["endpoints"][3], endpoint);
        let urls: Vec<&str> =
            catalog.services()[0].endpoints.iter().map(|it| it.url.as_str()).collect();
        assert_eq!(
            urls,
            ["http://1/P", "http://2", "http://3/U", "http://4", "http://5", "http://6"]
        );
    }

    #[test]
    fn has_the_middlewares_form() {
        let json = parsed(&record(false).for_token(Some("P"), "U").to_v2_json());
        assert_eq!(
            json,
            json!([
                {"type": "compute", "name": "nova", "endpoints": [
                    {"region": "R1", "publicURL": "http://1/P", "adminURL": "http://2"},
                    {"region": "R2", "publicURL": "http://6"},
                    {"publicURL": "http://4"},
                    {"internalURL": "http://5"},
                ]},
                {"type": "volume", "name": "", "endpoints": [
                    {"region": "Ω𝄞", "publicURL": "http://8/P"},
                ]},
                {"type": "empty", "name": "\"", "endpoints": []},
            ])
        );
    }

    #[test]
    fn services_without_endpoints_go_if_a_filter_chose() {
        let types = |is_filtered, project| {
            let catalog = record(is_filtered).for_token(project, "U");
            catalog.services().iter().map(|it| it.service_type.clone()).collect::<Vec<_>>()
        };
        assert_eq!(types(false, Some("P")), ["compute", "volume", "empty"]);
        assert_eq!(types(true, Some("P")), ["compute", "volume"]);
        assert_eq!(types(false, None), ["compute", "volume", "empty"]);
        assert_eq!(types(true, None), ["compute"], "this one wants a project");
        let none = CatalogRecord::default().for_token(None, "U");
        assert_eq!((none.to_v2_json().as_str(), v3(&none)), ("[]", json!([])));
    }
}
