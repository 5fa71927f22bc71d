//! Which requests need no token.
//!
//! A bypass is decided on the path as it arrived, and the service may read that path differently.
//! So a prefix covers plain paths only: whatever a server could normalise (dot segments, empty
//! segments, percent-encoded or backward slashes) is no longer under it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::complete_body::Reading;
use crate::head::RequestHead;
use crate::split;

/// The rules by which requests need no token.
#[derive(Clone, Debug, Default)]
pub struct Bypass {
    /// By path and method.
    pub rules: Vec<Rule>,
    /// Whether CORS preflight requests pass: browsers send them without credentials.
    pub cors_preflight: bool,
}

/// One rule by path and method.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The paths.
    pub path: PathPattern,
    /// The methods; none stands for all.
    pub methods: Vec<String>,
}

/// One path, or all plain paths under it.
#[derive(Clone, Debug)]
pub struct PathPattern {
    path: String,
    is_prefix: bool,
}

impl Bypass {
    /// Whether this request needs no token.
    #[must_use]
    pub fn covers(&self, head: RequestHead<'_>) -> bool {
        (self.cors_preflight && is_cors_preflight(head))
            || self.rules.iter().any(|rule| rule.covers(head))
    }
}

impl Rule {
    fn covers(&self, head: RequestHead<'_>) -> bool {
        let Some(method) = head.method() else {
            return false;
        };
        let Some(path) = head.path() else {
            return false;
        };
        (self.methods.is_empty() || self.methods.iter().any(|name| name.as_bytes() == method))
            && self.path.covers(path)
    }
}

impl PathPattern {
    /// Exactly this path, whatever the query; `None` when it is not a plain one.
    #[must_use]
    pub fn exact(path: String) -> Option<Self> {
        is_plain(path.as_bytes()).then_some(Self { path, is_prefix: false })
    }

    /// All plain paths that begin so; `None` when it is not a plain one itself, or does not end
    /// with a slash: `/public` would let `/publications` through.
    #[must_use]
    pub fn prefix(path: String) -> Option<Self> {
        (is_plain(path.as_bytes()) && path.ends_with('/')).then_some(Self { path, is_prefix: true })
    }

    /// Whether some server might take a path for one of these, however it is spelt.
    #[must_use]
    pub fn may_cover(&self, reading: &Reading) -> bool {
        reading.may_be(&self.path, self.is_prefix)
    }

    /// Whether a path is written as one of these is; that servers may read it as another is not looked at.
    pub(crate) fn fits_as_written(&self, path: &[u8]) -> bool {
        if self.is_prefix {
            path.starts_with(self.path.as_bytes())
        } else {
            path == self.path.as_bytes()
        }
    }

    fn covers(&self, path: &[u8]) -> bool {
        self.fits_as_written(path) && is_plain(path)
    }
}

/// Whether every server reads this path alike.
fn is_plain(path: &[u8]) -> bool {
    let Some(segments) = path.strip_prefix(b"/") else {
        return false;
    };
    let mut segments = split::parts(segments, b'/').peekable();
    while let Some(segment) = segments.next() {
        // Only the last segment may be empty: a trailing slash.
        let is_empty = segment.is_empty() && segments.peek().is_some();
        let is_dots = segment == b"." || segment == b"..";
        // `;` begins parameters that some servers cut off before they look at dots.
        let is_odd =
            segment.iter().any(|byte| b"%\\;?#".contains(byte) || !byte.is_ascii_graphic());
        if is_empty || is_dots || is_odd {
            return false;
        }
    }
    true
}

/// A preflight request by the Fetch standard (section 3.2.2): `OPTIONS` with both headers.
pub(crate) fn is_cors_preflight(head: RequestHead<'_>) -> bool {
    head.method() == Some(b"OPTIONS")
        && head.has(b"origin")
        && head.has(b"access-control-request-method")
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;

    fn covers(bypass: &Bypass, method: &str, path: &str) -> bool {
        let headers = [(&b":method"[..], method.as_bytes()), (b":path", path.as_bytes())];
        bypass.covers(RequestHead::new(&headers))
    }

    fn rule(path: Option<PathPattern>, methods: &[&str]) -> Bypass {
        let methods = methods.iter().map(|method| String::from(*method)).collect();
        Bypass { rules: vec![Rule { path: path.unwrap(), methods }], cors_preflight: false }
    }

    #[test]
    fn an_exact_path_covers_itself_with_any_query() {
        let bypass = rule(PathPattern::exact("/healthcheck".into()), &[]);
        assert!(covers(&bypass, "GET", "/healthcheck"));
        assert!(covers(&bypass, "POST", "/healthcheck?verbose=1"));
        for path in [
            "/healthcheck/",
            "/healthchecks",
            "//healthcheck",
            "/healthcheck/../admin",
            "/HEALTHCHECK",
            "/healthcheck%2f..",
            "*",
            "",
        ] {
            assert!(!covers(&bypass, "GET", path), "{path}");
        }
    }

    #[test]
    fn a_prefix_covers_plain_paths_only() {
        let bypass = rule(PathPattern::prefix("/public/".into()), &[]);
        assert!(covers(&bypass, "GET", "/public/"));
        assert!(covers(&bypass, "GET", "/public/a.b/c-d_e~f/?x=../"));
        for path in [
            "/public",
            "/publications",
            "/public/../admin",
            "/public/..",
            "/public/./a",
            "/public//admin",
            "/public/%2e%2e/admin",
            "/public/..%2fadmin",
            "/public/a%2f..",
            "/public/..\\admin",
            "/public/..;/admin",
            "/public/\u{e9}",
            "/Public/a",
        ] {
            assert!(!covers(&bypass, "GET", path), "{path}");
        }
    }

    #[test]
    fn methods_are_compared_exactly() {
        let bypass = rule(PathPattern::exact("/".into()), &["GET", "HEAD"]);
        assert!(covers(&bypass, "GET", "/"));
        assert!(covers(&bypass, "HEAD", "/"));
        assert!(!covers(&bypass, "POST", "/"));
        assert!(!covers(&bypass, "get", "/"));
    }

    #[test]
    fn no_pattern_is_made_of_what_is_not_plain() {
        for path in ["", "a", "/a?b", "/a#b", "/a/../b", "/a//b", "/%61", "/a b", "/a\\b"] {
            assert!(PathPattern::exact(path.into()).is_none(), "{path}");
        }
        assert!(PathPattern::prefix("/public".into()).is_none());
        assert!(PathPattern::prefix("/".into()).is_some());
    }

    #[test]
    fn a_preflight_passes_only_when_configured_and_whole() {
        let preflight = [
            (&b":method"[..], &b"OPTIONS"[..]),
            (b":path", b"/"),
            (b"origin", b"https://app"),
            (b"access-control-request-method", b"PUT"),
        ];
        let pass = Bypass { rules: vec![], cors_preflight: true };
        assert!(pass.covers(RequestHead::new(&preflight)));
        assert!(!pass.covers(RequestHead::new(&preflight[..3])));
        assert!(!Bypass::default().covers(RequestHead::new(&preflight)));
    }

    #[test]
    fn a_request_without_method_or_path_is_not_covered() {
        let bypass = rule(PathPattern::exact("/".into()), &[]);
        assert!(!bypass.covers(RequestHead::new(&[(&b":path"[..], &b"/"[..])])));
        assert!(!bypass.covers(RequestHead::new(&[(&b":method"[..], &b"GET"[..])])));
    }
}
