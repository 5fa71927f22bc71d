//! What an operation is called: its action and the type of its target, in CADF's words.
//!
//! Both follow from method and path, as keystonemiddleware's audit filter has them
//! (`OpenStackAuditApi.get_action` and `_build_typeURI`), with the words of its `api_audit_map.conf`: its
//! `[path_keywords]` are the segments after which something has its name or id, and its `[custom_actions]`
//! say of a path's last segment what is done there.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::json::Text;
use crate::split;

/// The words of one service's API.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Segments of paths, and what the next segment is; nothing where none follows.
    pub path_keywords: Words,
    /// Last segments, which may have a slash and a method in lower case behind them, and what is done there.
    pub custom_actions: Words,
}

/// Words, each with another or none; in order, to be searched.
#[derive(Clone, Debug, Default)]
pub struct Words(Vec<(String, Option<String>)>);

impl Names {
    /// What is done. The body is not looked at, so that `POST .../action` is an `update`, whatever it
    /// says.
    pub(super) fn action(&self, method: &[u8], path: &[u8]) -> &str {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let last = split::behind_last(path, b'/');
        let last = plain(last).unwrap_or_default();
        let method = core::str::from_utf8(method).unwrap_or_default();
        if let Some(action) = self.custom_action(last, method) {
            return action;
        }
        let is_keyword = self.path_keywords.find(last).is_some();
        match method {
            "POST" if is_keyword && last != "action" => "create",
            "POST" | "PUT" | "PATCH" => "update",
            "GET" if is_keyword => "read/list",
            "GET" | "HEAD" => "read",
            "DELETE" => "delete",
            _ => UNKNOWN,
        }
    }

    fn custom_action(&self, last: &str, method: &str) -> Option<&str> {
        if self.custom_actions.0.is_empty() {
            return None;
        }
        let with_method = format!("{last}/{}", method.to_ascii_lowercase());
        let action = self.custom_actions.find(&with_method);
        action.or_else(|| self.custom_actions.find(last))?.1
    }

    /// The type of what it is done to, behind that of the service.
    pub(super) fn write_type(&self, out: &mut Text<'_>, service: &str, path: &[u8]) {
        out.push_str(service);
        if service == UNKNOWN {
            return;
        }
        let mut before = None;
        for segment in split::parts(path, b'/') {
            let keyword = plain(segment).and_then(|name| self.path_keywords.find(name));
            // What stands behind a keyword has an id, unless it is a keyword itself.
            let name = match (keyword, before) {
                (Some((keyword, _)), _) => Some(keyword),
                (None, Some(thing)) => Some(thing),
                (None, None) => None,
            };
            if let Some(name) = name {
                out.push_str("/");
                out.push_str(name);
            }
            before = keyword.and_then(|(_, thing)| thing);
        }
    }
}

impl Words {
    /// These words, which are in order.
    pub(crate) fn new(words: Vec<(String, Option<String>)>) -> Self {
        Self(words)
    }

    fn find(&self, word: &str) -> Option<(&str, Option<&str>)> {
        let place = self.0.binary_search_by(|(it, _)| it.as_str().cmp(word)).ok()?;
        self.0.get(place).map(|(word, other)| (word.as_str(), other.as_deref()))
    }
}

/// A segment without the ending by which some services choose a format.
fn plain(segment: &[u8]) -> Option<&str> {
    core::str::from_utf8(segment.strip_suffix(b".json").unwrap_or(segment)).ok()
}

/// CADF's word for what is not known.
pub const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::super::json::Json;
    use super::*;

    /// Some of what keystonemiddleware's `nova_api_audit_map.conf` has.
    fn nova() -> Names {
        let words = |pairs: &[(&str, Option<&str>)]| {
            let pairs = pairs.iter().map(|(name, thing)| ((*name).into(), thing.map(String::from)));
            Words::new(pairs.collect())
        };
        Names {
            path_keywords: words(&[
                ("action", None),
                ("detail", None),
                ("limits", None),
                ("metadata", Some("key")),
                ("os-server-password", None),
                ("reboot", None),
                ("servers", Some("server")),
            ]),
            custom_actions: words(&[
                ("delete", Some("delete")),
                ("os-migrations/get", Some("read")),
                ("os-server-password/post", Some("update")),
                ("reboot", Some("start/reboot")),
            ]),
        }
    }

    #[test]
    fn actions_are_those_of_keystonemiddleware() {
        let names = nova();
        for (method, path, action) in [
            ("GET", "/v2.1/p/servers", "read/list"),
            ("GET", "/v2.1/p/servers/", "read/list"),
            ("GET", "/v2.1/p/servers.json", "read/list"),
            ("GET", "/v2.1/p/servers/detail", "read/list"),
            ("GET", "/v2.1/p/servers/1", "read"),
            ("HEAD", "/v2.1/p/servers", "read"),
            ("POST", "/v2.1/p/servers", "create"),
            ("POST", "/v2.1/p/servers/1", "update"),
            ("POST", "/v2.1/p/servers/1/action", "update"),
            ("POST", "/v2.1/p/servers/1/reboot", "start/reboot"),
            ("GET", "/v2.1/p/servers/1/reboot", "start/reboot"),
            ("POST", "/v2.1/p/servers/1/os-server-password", "update"),
            ("GET", "/v2.1/p/servers/1/os-server-password", "read/list"),
            ("GET", "/v2.1/p/os-migrations", "read"),
            ("PUT", "/v2.1/p/servers/1", "update"),
            ("PATCH", "/v2.1/p/servers/1", "update"),
            ("DELETE", "/v2.1/p/servers/1", "delete"),
            ("OPTIONS", "/v2.1/p/servers", "unknown"),
            ("get", "/v2.1/p/servers", "unknown"),
            ("GET", "", "read"),
            ("GET", "/", "read"),
        ] {
            assert_eq!(names.action(method.as_bytes(), path.as_bytes()), action, "{method} {path}");
        }
        assert_eq!(Names::default().action(b"POST", b"/v1/c/o"), "update");
        assert_eq!(names.action(b"\xff", b"/\xff"), "unknown");
    }

    #[test]
    fn types_follow_the_path() {
        let names = nova();
        let type_of = |path: &[u8], service: &str| {
            let mut out = String::new();
            let mut object = Json::begin(&mut out);
            object.written("t", 100, |text| names.write_type(text, service, path));
            object.finish();
            out
        };
        for (path, expected) in [
            ("/v2.1/p/servers", "service/compute/servers"),
            ("/v2.1/p/servers/1", "service/compute/servers/server"),
            ("/v2.1/p/servers/1/metadata/k", "service/compute/servers/server/metadata/key"),
            ("/v2.1/p/servers/detail", "service/compute/servers/detail"),
            ("/v2.1/p/limits/x", "service/compute/limits"),
            ("/v2.1/p", "service/compute"),
        ] {
            let expected = format!("{{\"t\":\"{expected}\"}}");
            assert_eq!(type_of(path.as_bytes(), "service/compute"), expected);
        }
        assert_eq!(type_of(b"/v2.1/p/servers", UNKNOWN), "{\"t\":\"unknown\"}");
        assert_eq!(type_of(b"/\xff/servers/\xff", "data"), "{\"t\":\"data/servers/server\"}");
        assert!(type_of(&b"/servers/1".repeat(100), "data").len() < 120);
    }
}
