//! Any bytes as Keystone's answer about a token: what is read of it can be told in headers.
#![no_main]

use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use voussoir_core::config::Config;
use voussoir_core::identity::{IdentityHeaders, SelectedHeaders};
use voussoir_core::record::is_keystones_refusal;
use voussoir_core::secret::Secret;
use voussoir_core::validations::{Validation, ValidationRequest};

fuzz_target!(|json: &[u8]| {
    let _ = is_keystones_refusal(404, json);
    let config = br#"{"keystone":{"cluster":"k"},
        "token":{"www_authenticate_uri":"http://k","identity":"keystone","catalog":true}}"#;
    let config = Config::parse(config).expect("it is valid");
    let keystone = config.keystone().expect("it is there");
    let token = Rc::new(Secret::new(b"token".to_vec()));
    let request = ValidationRequest::new(keystone, true, token, None);
    let Ok(validation) = Validation::from_json(&request, json) else { return };
    assert_eq!(validation.request, request);
    let selected = SelectedHeaders::default();
    let mut headers = IdentityHeaders::new(&selected);
    headers.set_user(&validation.identity.record);
    let rules = config.token.as_ref().expect("it is there");
    headers.set_token(&validation.payload, validation.issued_at, rules);
    if let Some(catalog) = validation.catalog {
        assert!(catalog.to_v2_json().is_ascii());
        headers.set_catalog(&catalog);
    }
    for (name, value) in &headers.into_edits().set {
        assert!(!value.contains(char::is_control), "{name}: {value:?}");
    }
});
