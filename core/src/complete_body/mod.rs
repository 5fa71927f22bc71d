//! Which requests reach the service only with the whole of their bodies, and what these must be.
//!
//! A server that gives each request a process and reads the body before it asks who sends it can be
//! stopped by whoever sends a head and no body: one such request for each process. Keystone is one.
//! So for chosen routes the head waits here, where waiting costs next to nothing.

pub mod json;
mod path;
mod waiting;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use path::Reading;
pub use waiting::{Waiting, Why};

use crate::bypass::PathPattern;
use crate::head::RequestHead;

/// The rules by which bodies have to be complete.
#[derive(Clone, Debug, Default)]
pub struct CompleteBody {
    /// By path and method. Where several hold, each has its say.
    pub rules: Vec<Rule>,
}

/// One rule by path and method.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The paths, and whatever a server might take for one of them.
    pub path: PathPattern,
    /// The methods; none stands for all.
    pub methods: Vec<String>,
    /// What is demanded of their bodies.
    pub demands: Demands,
}

/// What is demanded of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// The most bytes it may have.
    pub max: usize,
    /// How long after the head it may end.
    pub within: Duration,
    /// Whether it must be JSON, if it is not empty.
    pub json: bool,
}

impl CompleteBody {
    /// What is demanded of the body of this request, if anything is.
    #[must_use]
    pub fn demands(&self, head: RequestHead<'_>) -> Option<Demands> {
        if self.rules.is_empty() {
            return None;
        }
        let reading = Reading::of(head.path().unwrap_or_default());
        let method = head.method().unwrap_or_default();
        let demands = self.rules.iter().filter(|rule| rule.may_cover(method, &reading));
        demands.map(|rule| rule.demands).reduce(Demands::and)
    }
}

impl Rule {
    fn may_cover(&self, method: &[u8], reading: &Reading) -> bool {
        let has_method = self.methods.is_empty()
            || self.methods.iter().any(|name| method.eq_ignore_ascii_case(name.as_bytes()));
        has_method && self.path.may_cover(reading)
    }
}

impl Demands {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            max: self.max.min(other.max),
            within: self.within.min(other.within),
            json: self.json || other.json,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn rule(path: Option<PathPattern>, methods: &[&str], demands: Demands) -> Rule {
        let methods = methods.iter().map(|method| String::from(*method)).collect();
        Rule { path: path.unwrap(), methods, demands }
    }

    fn demands(rules: &CompleteBody, method: &str, path: &str) -> Option<Demands> {
        let headers = [(&b":method"[..], method.as_bytes()), (b":path", path.as_bytes())];
        rules.demands(RequestHead::new(&headers))
    }

    const LOOSE: Demands = Demands { max: 100, within: Duration::from_secs(5), json: false };
    const STRICT: Demands = Demands { max: 200, within: Duration::from_secs(2), json: true };

    #[test]
    fn each_rule_that_holds_has_its_say() {
        let rules = CompleteBody {
            rules: Vec::from([
                rule(PathPattern::prefix("/".into()), &[], LOOSE),
                rule(PathPattern::exact("/v3/auth/tokens".into()), &["POST"], STRICT),
            ]),
        };
        let both = Demands { max: 100, within: Duration::from_secs(2), json: true };
        for (method, path, expected) in [
            ("GET", "/", LOOSE),
            ("OPTIONS", "*", LOOSE),
            ("GET", "/v3/auth/tokens", LOOSE),
            ("POST", "/v3/auth/tokens?nocatalog", both),
            ("post", "//v3/auth/tokens", both),
            ("POST", "/any/../path", both),
        ] {
            assert_eq!(demands(&rules, method, path), Some(expected), "{method} {path}");
        }
        // Without a path there is no telling where it goes.
        assert_eq!(rules.demands(RequestHead::new(&[])), Some(LOOSE));
    }

    #[test]
    fn nothing_is_demanded_of_others() {
        let rules = CompleteBody {
            rules: Vec::from([rule(PathPattern::prefix("/v3/".into()), &["POST"], STRICT)]),
        };
        assert_eq!(demands(&rules, "POST", "/v3/x"), Some(STRICT));
        assert_eq!(demands(&rules, "GET", "/v3/x"), None);
        assert_eq!(demands(&rules, "POST", "/v2/x"), None);
        assert_eq!(demands(&CompleteBody::default(), "POST", "/v3/x"), None);
    }
}
