//! The section `require_complete_body`: which requests are held until their bodies have come.

use alloc::vec::Vec;
use core::time::Duration;

use super::check::{MAX_RULES, methods, path};
use super::setting::Setting;
use crate::complete_body::{CompleteBody, Demands, Rule};

pub(super) fn check(list: &Setting<'_>, hold_headers: &Setting<'_>) -> CompleteBody {
    list.at_most(MAX_RULES, "at most 256 rules");
    let mut rules = Vec::new();
    for section in list.values() {
        rules.extend(rule(&section));
    }
    if !rules.is_empty() && !hold_headers.is_true() {
        hold_headers.refuse(
            "true with require_complete_body, and the plugin must have \
             allow_on_headers_stop_iteration: else no body is seen before its head has gone on",
        );
    }
    CompleteBody { rules }
}

fn rule(section: &Setting<'_>) -> Option<Rule> {
    let demands = Demands {
        max: section.size("max", DEFAULT_MAX_BODY, (1, MOST_MAX), "1B to 16MiB, such as \"64KiB\""),
        within: section.time(
            "within",
            DEFAULT_WITHIN,
            (1_000, 300_000),
            "1s to 5m, such as \"10s\"",
        ),
        json: section.flag("json", true),
    };
    Some(Rule { path: path(section)?, methods: methods(&section.field("methods")), demands })
}

/// The longest body by default. A request for a token has a few hundred bytes, one with a SAML
/// assertion in it some tens of thousands.
pub const DEFAULT_MAX_BODY: usize = 64 * 1024;

/// How long after its head a body may end by default.
pub const DEFAULT_WITHIN: Duration = Duration::from_secs(10);

/// `limits.held_body` has room for one of them.
const MOST_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Config, example};
    use alloc::format;
    use alloc::string::{String, ToString as _};
    use serde_json::{Value, json};

    fn parse(rules: &Value) -> Result<CompleteBody, String> {
        let changes = json!({"hold_headers": true, "require_complete_body": rules});
        let config = Config::parse(example::with(&changes).as_bytes());
        config.map(|config| config.complete_body).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_constants() {
        let rules = parse(&json!([{"path": "/v3/auth/tokens"}])).unwrap().rules;
        let demands = Demands { max: DEFAULT_MAX_BODY, within: DEFAULT_WITHIN, json: true };
        assert_eq!(rules[0].demands, demands);
        assert!(rules[0].methods.is_empty());
        assert!(parse(&json!([])).unwrap().rules.is_empty());
    }

    #[test]
    fn every_field_can_be_set() {
        let rules = parse(&json!([
            {"path_prefix": "/", "methods": ["PUT"], "max": "1MiB", "within": "90s", "json": false},
            {"path": "/a"},
        ]));
        let rules = rules.unwrap().rules;
        let within = Duration::from_secs(90);
        assert_eq!(rules[0].demands, Demands { max: 1 << 20, within, json: false });
        assert_eq!(rules[0].methods, ["PUT"]);
        assert_eq!(rules.len(), 2);
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        for (rule, field) in [
            (json!({}), ""),
            (json!({"path": "/a", "path_prefix": "/"}), ""),
            (json!({"path": "/a/../b"}), ""),
            (json!({"path": "/a", "methods": ["post"]}), ".methods[0]"),
            (json!({"path": "/a", "max": "0B"}), ".max"),
            (json!({"path": "/a", "max": "17MiB"}), ".max"),
            (json!({"path": "/a", "within": "999ms"}), ".within"),
            (json!({"path": "/a", "within": "6m"}), ".within"),
        ] {
            let message = parse(&json!([{"path": "/"}, rule])).unwrap_err();
            let expected = format!("require_complete_body[1]{field}: must be ");
            assert!(message.starts_with(&expected), "{message}");
        }
        let many: Vec<_> = (0..257).map(|_| json!({"path": "/a"})).collect();
        assert!(parse(&json!(many)).unwrap_err().starts_with("require_complete_body: must be "));
    }

    #[test]
    fn no_body_is_waited_for_where_heads_are_not_held() {
        let changes = json!({"require_complete_body": [{"path": "/a"}]});
        let error = Config::parse(example::with(&changes).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("hold_headers: must be true with require_complete_body"));
        assert!(error.contains("allow_on_headers_stop_iteration"));
    }
}
