//! The section `routes`: other settings for some requests.
//!
//! A route's settings are fields of the configuration itself. Each route becomes a whole configuration, made of
//! the plugin's own with those fields in their places, and is checked as one.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::acl::hosts;
use super::check::{self, methods, own_name, templates};
use super::setting::Setting;
use super::{Config, fields};
use crate::json::Json;
use crate::routes::{Expected, Route, Routes, Target};
use crate::schema::Schemas;

/// The settings of the plugin itself, or of one of its routes.
pub(super) struct Settings<'a> {
    given: Setting<'a>,
    /// What a route has beside those that it is given.
    own: Option<Own<'a>>,
}

/// What the plugin itself has.
struct Own<'a> {
    settings: &'a Settings<'a>,
    schemas: &'a Schemas,
    /// What the route has none of.
    left_out: Vec<&'static str>,
}

impl<'a> Settings<'a> {
    /// Those of the plugin itself.
    pub(super) fn of_plugin(given: Setting<'a>) -> Self {
        Self { given, own: None }
    }

    /// The setting of this name.
    pub(super) fn field<'b>(&'b self, name: &'b str) -> Setting<'b> {
        let field = self.given.field(name);
        let Some(Own { settings, left_out, .. }) = &self.own else { return field };
        let json = match name {
            _ if left_out.contains(&name) => &Json::Null,
            _ if SETTINGS.contains(&name) && self.given.has(name) => field.json,
            _ => settings.given.field(name).json,
        };
        field.with(json)
    }

    /// The plugin's own documents, where a route has no others: they are large, and read once.
    pub(super) fn shared_schemas(&self) -> Option<&'a Schemas> {
        let own = self.own.as_ref().filter(|_| !self.given.has("schema"));
        own.map(|own| own.schemas)
    }
}

/// `own`: the plugin's own settings; `schemas`: its documents.
pub(super) fn check(list: &Setting<'_>, own: &Settings<'_>, schemas: &Schemas) -> Routes {
    list.at_most(MAX_ROUTES, "at most 32 routes");
    let mut routes = Vec::<Route>::new();
    let mut properties = Vec::new();
    // Each costs as much as all settings of the plugin.
    for section in list.values().take(MAX_ROUTES) {
        let name = own_name(&section, |name| routes.iter().any(|other| other.name == name));
        let to = targets(&section.field("to"));
        let told = told(&section, &mut properties);
        if to.is_empty() && told.is_empty() {
            section.refuse("about some requests: with `to`, `names` or `metadata`");
        }
        let settings = Rc::new(settings(&section.field("settings"), own, schemas));
        routes.push(Route { name, to, told, settings });
    }
    Routes::new(routes, properties)
}

fn targets(list: &Setting<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    for section in list.values() {
        let paths = section.field("paths");
        targets.push(Target {
            hosts: hosts(&section.field("hosts")),
            methods: methods(&section.field("methods")),
            paths: templates(paths.at_most(MAX_PATHS, "at most 64 templates")),
        });
    }
    list.at_most(MAX_TARGETS, "at most 64");
    targets
}

/// What the host must tell, by the properties that Envoy has it in.
fn told(section: &Setting<'_>, properties: &mut Vec<Vec<String>>) -> Vec<Expected> {
    let mut told = Vec::new();
    let names = section.field("names").strings();
    if !names.is_empty() {
        told.push(expected(&["xds", "route_name"], names, properties));
    }
    let metadata = section.field("metadata");
    for section in metadata.values() {
        let [filter, key] = ["filter", "key"].map(|name| section.text(name).unwrap_or_default());
        let values = section.field("values");
        if values.strings().is_empty() {
            values.refuse("there");
        }
        let path = ["xds", "route_metadata", "filter_metadata", filter, key];
        told.push(expected(&path, values.strings(), properties));
    }
    if told.len() > MAX_PROPERTIES {
        metadata.refuse("at most 8");
    }
    told
}

fn expected(path: &[&str], values: Vec<String>, properties: &mut Vec<Vec<String>>) -> Expected {
    let property = properties.iter().position(|other| other == path).unwrap_or_else(|| {
        properties.push(path.iter().copied().map(String::from).collect());
        properties.len() - 1
    });
    Expected { property, values }
}

/// The plugin's own settings, with these in their places.
fn settings(given: &Setting<'_>, own: &Settings<'_>, schemas: &Schemas) -> Config {
    let mut left_out = Vec::from(["routes"]);
    for setting in given.members() {
        let kind = fields::CONFIG.iter().find(|(name, _)| *name == setting.name());
        match (setting.name(), kind) {
            ("mechanisms", _) => mechanisms(&setting, own, &mut left_out),
            // What goes into the log, and where it goes, is one for all.
            ("audit", _) => match setting.json {
                Json::Bool(true) => {}
                Json::Bool(false) => left_out.push("audit"),
                _ => setting.refuse("true or false"),
            },
            (known, Some((_, kind))) if SETTINGS.contains(&known) => kind.check(&setting),
            (unknown, _) => {
                let known = [&["mechanisms", "audit"], &SETTINGS[..]].concat();
                setting.note(fields::unknown(unknown, &known));
            }
        }
    }
    check::config(&Settings { given: *given, own: Some(Own { settings: own, schemas, left_out }) })
}

/// Leaves out what is not one of the mechanisms.
fn mechanisms(list: &Setting<'_>, own: &Settings<'_>, left_out: &mut Vec<&'static str>) {
    fields::MECHANISMS.check(list);
    let names = list.strings();
    let is_there = |name: &String| SECTIONS.contains(&name.as_str()) && own.given.has(name);
    if names.is_empty() || !names.iter().all(is_there) {
        list.refuse("some of `token` and `sigv4`, for which the plugin has sections");
    }
    let is_other = |mechanism: &str| !names.iter().any(|name| name == mechanism);
    left_out.extend(SECTIONS.into_iter().filter(|section| is_other(section)));
    if is_other("token") {
        // Who is asked about tokens only.
        left_out.push("keystone");
    }
}

const SECTIONS: [&str; 2] = ["token", "sigv4"];

/// What a route may set. The rest is one for all, as what is kept and who is asked.
const SETTINGS: [&str; 10] = [
    "mode",
    "missing",
    "acl",
    "bypass",
    "bypass_cors_preflight",
    "require_complete_body",
    "reason_header",
    "answers",
    "quota_class",
    "schema",
];

/// Each is a configuration of its own, and has series of its own in the metrics.
const MAX_ROUTES: usize = 32;
const MAX_TARGETS: usize = 64;
const MAX_PATHS: usize = 64;
/// Each costs a call to the host for each request.
const MAX_PROPERTIES: usize = 8;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{ConfigError, Missing, Mode, example};
    use alloc::format;
    use alloc::vec;

    fn parse(changes: &Value) -> Result<Config, ConfigError> {
        Config::parse(example::with(changes).as_bytes())
    }

    fn with(routes: &Value) -> Result<Config, ConfigError> {
        parse(&json!({"sigv4": {}, "routes": routes}))
    }

    fn one(settings: &Value) -> Result<Config, ConfigError> {
        with(&json!([{"name": "one", "to": [{"paths": ["/a/**"]}], "settings": settings}]))
    }

    fn settings(config: &Config) -> &Config {
        &config.routes.get(0).unwrap().settings
    }

    #[test]
    fn a_route_has_the_plugins_settings_but_for_its_own() {
        let config = one(&json!({
            "mode": "shadow", "missing": "anonymous", "mechanisms": ["token"],
            "acl": {"rules": []}, "reason_header": "x-why", "quota_class": "gold",
        }))
        .unwrap();
        let route = settings(&config);
        assert_eq!((config.mode, route.mode), (Mode::Enforce, Mode::Shadow));
        assert_eq!((config.missing, route.missing), (Missing::Reject, Missing::Anonymous));
        assert!(config.acl.is_none() && route.acl.is_some());
        assert!(config.sigv4.is_some() && route.sigv4.is_none());
        assert!(route.token.is_some() && route.keyserver.is_some());
        assert_eq!(route.reason_header.as_deref(), Some("x-why"));
        assert_eq!(route.quota_class.as_deref(), Some("gold"));
        assert_eq!(route.routes.iter().count(), 0);
        assert!(settings(&one(&json!({})).unwrap()).sigv4.is_some());
        assert!(settings(&one(&json!({"mechanisms": ["sigv4"]})).unwrap()).token.is_none());
    }

    #[test]
    fn what_the_plugin_has_can_be_taken_away() {
        let changes = json!({
            "acl": {"rules": []}, "bypass": [{"path": "/healthcheck"}],
            "routes": [{"name": "open", "names": ["r"], "settings": {"acl": null, "bypass": []}}],
        });
        let config = parse(&changes).unwrap();
        assert!(config.acl.is_some() && settings(&config).acl.is_none());
        assert!(settings(&config).bypass.rules.is_empty());
    }

    #[test]
    fn a_route_shares_the_plugins_documents_or_has_its_own() {
        let document = |name: &str, mode: &str| {
            let compiled = json!({"voussoir_schema": 1, "paths": [], "nodes": [], "patterns": []});
            json!({"name": name, "compiled": compiled, "mode": mode})
        };
        let config = parse(&json!({"schema": [document("a", "report")], "routes": [
            {"name": "same", "names": ["r"], "settings": {}},
            {"name": "other", "names": ["s"], "settings": {"schema": [document("b", "report")]}},
            {"name": "none", "names": ["t"], "settings": {"schema": []}},
        ]}))
        .unwrap();
        let [same, other, none] =
            [0, 1, 2].map(|place| &config.routes.get(place).unwrap().settings.schemas.all);
        assert!(Rc::ptr_eq(&same[0].document, &config.schemas.all[0].document));
        assert_eq!((&*other[0].name, none.len()), ("b", 0));
        let wrong = json!({"schema": [document("b", "enforce")]});
        let error = one(&wrong).unwrap_err();
        assert_eq!(error.field(), "routes[0].settings.hold_headers");
    }

    #[test]
    fn each_property_is_asked_for_once() {
        let metadata = json!([{"filter": "f", "key": "k", "values": ["1", "2"]}]);
        let config = with(&json!([
            {"name": "a", "names": ["x"], "metadata": metadata},
            {"name": "b", "names": ["y", "z"]},
            {"name": "c", "metadata": metadata},
        ]))
        .unwrap();
        let paths: Vec<_> = config.routes.properties().iter().map(|it| it.join(".")).collect();
        assert_eq!(paths, ["xds.route_name", "xds.route_metadata.filter_metadata.f.k"]);
        let places = config
            .routes
            .iter()
            .map(|route| route.told.iter().map(|expected| expected.property).collect::<Vec<_>>());
        assert_eq!(places.collect::<Vec<_>>(), [vec![0, 1], vec![0], vec![1]]);
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        let route = |changes: Value| {
            let mut route = json!({"name": "a", "to": [{}], "settings": {}});
            for (name, value) in changes.as_object().unwrap() {
                route[name] = value.clone();
            }
            route
        };
        let many = |number: usize| {
            (0..number).map(|it| route(json!({"name": format!("r{it}")}))).collect::<Vec<_>>()
        };
        assert!(with(&json!(many(32))).is_ok());
        for (routes, field) in [
            (json!(many(33)), "routes"),
            (json!([route(json!({"name": ""}))]), "routes[0].name"),
            (json!([route(json!({"name": "default"}))]), "routes[0].name"),
            (json!([route(json!({})), route(json!({}))]), "routes[1].name"),
            (json!([route(json!({"to": []}))]), "routes[0]"),
            (json!([route(json!({"to": [{"paths": ["a"]}]}))]), "routes[0].to[0].paths[0]"),
            (json!([route(json!({"to": [{"hosts": ["a:1"]}]}))]), "routes[0].to[0].hosts[0]"),
            (json!([route(json!({"to": [{"methods": ["get"]}]}))]), "routes[0].to[0].methods[0]"),
            (json!([route(json!({"to": [{"path": "/a"}]}))]), "routes[0].to[0].path"),
            (json!([route(json!({"to": vec![json!({}); 65]}))]), "routes[0].to"),
            (
                json!([route(json!({"metadata": [{"filter": "f", "key": "k", "values": []}]}))]),
                "routes[0].metadata[0].values",
            ),
            (json!([route(json!({"settings": {"cache": {}}}))]), "routes[0].settings.cache"),
            (json!([route(json!({"settings": {"routes": []}}))]), "routes[0].settings.routes"),
            (
                json!([route(json!({"settings": {"mechanisms": []}}))]),
                "routes[0].settings.mechanisms",
            ),
            (
                json!([route(json!({"settings": {"mechanisms": ["basic"]}}))]),
                "routes[0].settings.mechanisms",
            ),
            (json!([route(json!({"settings": {"mode": "off"}}))]), "routes[0].settings.mode"),
            (
                json!([route(
                    json!({"settings": {"acl": {"rules": [{"name": "", "action": "deny"}]}}})
                )]),
                "routes[0].settings.acl.rules[0].name",
            ),
        ] {
            assert_eq!(with(&routes).unwrap_err().field(), field, "{routes}");
        }
    }
}
