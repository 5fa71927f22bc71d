//! The section `routes`: other settings for some requests.
//!
//! A route's settings are fields of the configuration itself. Each route becomes a whole configuration, made of
//! the plugin's own with those fields in their places, and is checked as one.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::acl::hosts;
use super::check::{self, methods, own_name, templates};
use super::{Config, ConfigError, raw, read};
use crate::json::{Json, Member, Members};
use crate::routes::{Expected, Route, Routes, Target};
use crate::schema::Schemas;

/// `own`: the plugin's own settings; `schemas`: its documents.
pub(super) fn check(
    raw: Vec<raw::Route>,
    own: &Json,
    schemas: &Schemas,
) -> Result<Routes, ConfigError> {
    if raw.len() > MAX_ROUTES {
        return Err(ConfigError::limits("routes", "at most 32 routes"));
    }
    let mut routes = Vec::<Route>::new();
    let mut properties = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let field = format!("routes[{index}]");
        own_name(&raw.name, routes.iter().map(|route| &*route.name), &field)?;
        if raw.to.is_empty() && raw.names.is_empty() && raw.metadata.is_empty() {
            return Err(ConfigError::limits(
                field,
                "about some requests: with `to`, `names` or `metadata`",
            ));
        }
        let to = targets(raw.to, &field)?;
        let told = told(raw.names, raw.metadata, &field, &mut properties)?;
        let settings = settings(raw.settings, own, schemas, &format!("{field}.settings"))?;
        let settings = Rc::new(settings);
        routes.push(Route { name: raw.name, to, told, settings });
    }
    Ok(Routes::new(routes, properties))
}

fn targets(raw: Vec<raw::RouteTo>, field: &str) -> Result<Vec<Target>, ConfigError> {
    let mut targets = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let field = format!("{field}.to[{index}]");
        if raw.paths.len() > MAX_PATHS {
            return Err(ConfigError::limits(format!("{field}.paths"), "at most 64 templates"));
        }
        targets.push(Target {
            hosts: hosts(&raw.hosts, &field)?,
            methods: methods(Some(raw.methods), &field)?,
            paths: templates(&raw.paths, &field)?,
        });
    }
    if targets.len() > MAX_TARGETS {
        return Err(ConfigError::limits(format!("{field}.to"), "at most 64"));
    }
    Ok(targets)
}

/// What the host must tell, by the properties that Envoy has it in.
fn told(
    names: Vec<String>,
    metadata: Vec<raw::RouteMetadata>,
    field: &str,
    properties: &mut Vec<Vec<String>>,
) -> Result<Vec<Expected>, ConfigError> {
    let mut expect = |path: &[&str], values: Vec<String>| {
        let path: Vec<String> = path.iter().map(|step| String::from(*step)).collect();
        let known = properties.iter().position(|other| *other == path);
        let property = known.unwrap_or_else(|| {
            properties.push(path);
            properties.len() - 1
        });
        Expected { property, values }
    };
    let mut told = Vec::new();
    if !names.is_empty() {
        told.push(expect(&["xds", "route_name"], names));
    }
    for (index, raw) in metadata.into_iter().enumerate() {
        if raw.values.is_empty() {
            return Err(ConfigError::limits(format!("{field}.metadata[{index}].values"), "there"));
        }
        let path = ["xds", "route_metadata", "filter_metadata", &raw.filter, &raw.key];
        told.push(expect(&path, raw.values));
    }
    if told.len() > MAX_PROPERTIES {
        return Err(ConfigError::limits(format!("{field}.metadata"), "at most 8"));
    }
    Ok(told)
}

/// The plugin's own settings, with these in their places.
fn settings(
    given: Members,
    own: &Json,
    schemas: &Schemas,
    field: &str,
) -> Result<Config, ConfigError> {
    let Json::Object(own) = own else { return Err(ConfigError::shape(".", "not a map")) };
    // Documents are large: the plugin's own are read once.
    let has_own = !given.has("schema");
    let mut members = Members::default();
    for (name, value) in own.iter() {
        if !matches!(name, "routes" | "schema") {
            members.insert(name.into(), value.clone());
        }
    }
    for Member { name, value } in given {
        match name.as_str() {
            "mechanisms" => mechanisms(value, &mut members, field)?,
            // What goes into the log, and where it goes, is one for all.
            "audit" => match value {
                Json::Bool(true) => {}
                Json::Bool(false) => {
                    members.remove("audit");
                }
                _ => return Err(ConfigError::limits(format!("{field}.audit"), "true or false")),
            },
            known if SETTINGS.contains(&known) => {
                members.insert(name, value);
            }
            _ => {
                let names = SETTINGS.join("`, `");
                let problem = format!(
                    "unknown field `{name}`, expected one of `mechanisms`, `audit`, `{names}`"
                );
                return Err(ConfigError::shape(format!("{field}.{name}"), problem));
            }
        }
    }
    let mut config = read(Json::Object(members))
        .and_then(|raw| check::config(raw, &Json::Null))
        .map_err(|error| error.within(field))?;
    if has_own {
        config.schemas = schemas.clone();
    }
    Ok(config)
}

/// Takes out what is not one of the mechanisms.
fn mechanisms(given: Json, members: &mut Members, field: &str) -> Result<(), ConfigError> {
    let field = format!("{field}.mechanisms");
    let names: Vec<String> =
        given.read().map_err(|wrong| ConfigError::shape(&*field, format!("{wrong}")))?;
    let is_there = |name: &String| SECTIONS.contains(&&**name) && members.has(name);
    if names.is_empty() || !names.iter().all(is_there) {
        return Err(ConfigError::limits(
            field,
            "some of `token` and `sigv4`, for which the plugin has sections",
        ));
    }
    // Keystone is asked about tokens only.
    for (section, mechanism) in [("token", "token"), ("sigv4", "sigv4"), ("keystone", "token")] {
        if !names.iter().any(|name| name == mechanism) {
            members.remove(section);
        }
    }
    Ok(())
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
    use crate::config::{Missing, Mode, example};
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
