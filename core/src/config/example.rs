//! Configurations for tests: a short one, and changes to it.

use alloc::string::String;

use serde_json::{Value, json};

use super::{Config, KeyServer};

/// A short configuration, of tokens alone and what they say themselves, with `changes` merged in, section by section, as JSON. Null takes a
/// section away.
pub(crate) fn with(changes: &Value) -> String {
    let mut config = json!({
        "keyserver": {"cluster": "keyserver"},
        "token": {"www_authenticate_uri": "http://keystone/v3", "identity": "payload"},
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        match (config.get_mut(name).and_then(Value::as_object_mut), value.as_object()) {
            (Some(section), Some(fields)) => section.extend(fields.clone()),
            _ => config[name] = value.clone(),
        }
    }
    if let Some(sections) = config.as_object_mut() {
        sections.retain(|_, section| !section.is_null());
    }
    alloc::format!("{config}")
}

/// The key server of a configuration that has one.
pub(crate) fn keyserver(config: &Config) -> &KeyServer {
    config.keyserver.as_ref().unwrap()
}
