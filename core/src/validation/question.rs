//! Which requests are validations, and what they ask.

use alloc::string::String;

use crate::head::{RequestHead, parameters};
use crate::refusal::Rejection;
use crate::split;

/// The one path that is answered. What Keystone takes for the same (a slash at its end, a percent
/// sign) is left to Keystone.
pub const PATH: &str = "/v3/auth/tokens";

/// The type of the service that Keystone is in its own catalogue, for access rules.
pub const SERVICE_TYPE: &str = "identity";

/// A question about a token.
#[derive(Debug)]
pub struct Question {
    /// How it is asked.
    pub action: Action,
    /// The text of the token that it is about, or why there is none.
    pub subject: Result<String, Rejection>,
    /// Whether the token may have expired a while ago.
    pub allows_expired: bool,
    /// Whether the catalogue is to be in the answer.
    pub wants_catalog: bool,
    /// Whether the asker will look at the access rules of application credentials. Keystone says of
    /// tokens that have some that they are none to whoever does not promise it.
    pub knows_access_rules: bool,
}

/// What Keystone's policy calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `HEAD`: `identity:check_token`.
    Check,
    /// `GET`: `identity:validate_token`.
    Validate,
}

impl Question {
    /// The question that a request asks, if it asks one that can be answered here. `max_length` is
    /// that of the text of a token.
    #[must_use]
    pub fn of(head: RequestHead<'_>, max_length: usize) -> Option<Self> {
        let action = match head.method()? {
            b"GET" => Action::Validate,
            b"HEAD" => Action::Check,
            _ => return None,
        };
        if head.path() != Some(PATH.as_bytes()) {
            return None;
        }
        let query = head.query();
        // Nothing else has a second spelling.
        if query.iter().any(|byte| b"%+".contains(byte) || !byte.is_ascii_graphic()) {
            return None;
        }
        // The first of a name counts.
        let parameter = |name: &[u8]| parameters(query).find(|(other, _)| *other == name);
        Some(Self {
            action,
            subject: subject(head, max_length),
            allows_expired: parameter(b"allow_expired").is_some_and(|(_, value)| is_true(value)),
            wants_catalog: parameter(b"nocatalog").is_none(),
            knows_access_rules: head.single(ACCESS_RULES).is_ok_and(|it| it.is_some_and(is_known)),
        })
    }
}

impl Action {
    /// As access rules name the method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Check => "HEAD",
            Self::Validate => "GET",
        }
    }
}

fn subject(head: RequestHead<'_>, max_length: usize) -> Result<String, Rejection> {
    let text = head.single(SUBJECT_TOKEN).map_err(|_| Rejection::TokenAmbiguous)?;
    let text = text.filter(|text| !text.is_empty()).ok_or(Rejection::TokenMissing)?;
    if text.len() > max_length {
        return Err(Rejection::TokenTooLong);
    }
    core::str::from_utf8(text).map(String::from).map_err(|_| Rejection::TokenMalformed)
}

/// What `oslo_utils.strutils.bool_from_string` takes for true; everything else is false.
fn is_true(value: &[u8]) -> bool {
    let words: [&[u8]; 6] = [b"1", b"t", b"true", b"on", b"y", b"yes"];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The versions of access rules that an asker knows: there is but the first. It is a decimal number from 1
/// on; all that reads other numbers too would be a fortieth of the module.
fn is_known(version: &[u8]) -> bool {
    let version = version.trim_ascii();
    let (whole, fraction) = split::once(version, b'.').unwrap_or((version, b""));
    whole.iter().chain(fraction).all(u8::is_ascii_digit) && whole.iter().any(|digit| *digit != b'0')
}

const SUBJECT_TOKEN: &[u8] = b"x-subject-token";
const ACCESS_RULES: &[u8] = b"openstack-identity-access-rules";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn question(method: &str, path: &str, headers: &[(&str, &[u8])]) -> Option<Question> {
        let mut all: Vec<(&[u8], &[u8])> =
            vec![(b":method", method.as_bytes()), (b":path", path.as_bytes())];
        all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), *value)));
        Question::of(RequestHead::new(&all), 10)
    }

    #[test]
    fn one_path_and_two_methods_are_answered() {
        for (method, action) in [("GET", Action::Validate), ("HEAD", Action::Check)] {
            let question = question(method, PATH, &[]).unwrap();
            assert_eq!((question.action, question.action.method()), (action, method));
            assert!(question.wants_catalog && !question.allows_expired);
        }
        for method in ["POST", "DELETE", "OPTIONS", "get", ""] {
            assert!(question(method, PATH, &[]).is_none(), "{method}");
        }
        for path in [
            "/v3/auth/tokens/",
            "//v3/auth/tokens",
            "/v3//auth/tokens",
            "/v3/auth/./tokens",
            "/v3/auth/x/../tokens",
            "/v3/auth/%74okens",
            "/V3/auth/tokens",
            "/v3/auth/tokens;x",
            "/v3/auth/tokens#",
            "/v3/auth/tokens/OS-PKI/revoked",
            "/v3/auth/catalog",
            "/identity/v3/auth/tokens",
            "v3/auth/tokens",
            "",
        ] {
            assert!(question("GET", path, &[]).is_none(), "{path}");
        }
        assert!(Question::of(RequestHead::new(&[]), 10).is_none());
    }

    #[test]
    fn a_query_is_read_as_keystone_reads_it() {
        for (query, wants_catalog, allows_expired) in [
            ("", true, false),
            ("?", true, false),
            ("?x=1&&", true, false),
            ("?nocatalog", false, false),
            ("?nocatalog=", false, false),
            ("?nocatalog=0", false, false),
            ("?nocatalog&nocatalog=1", false, false),
            ("?a=nocatalog", true, false),
            ("?nocatalogs", true, false),
            ("?NoCatalog", true, false),
            ("?allow_expired", true, false),
            ("?allow_expired=1", true, true),
            ("?allow_expired=TRUE&nocatalog", false, true),
            ("?allow_expired=yes", true, true),
            ("?allow_expired=2", true, false),
            ("?allow_expired=1=1", true, false),
            ("?allow_expired=0&allow_expired=1", true, false),
            ("?allow_expired=on&allow_expired=off", true, true),
        ] {
            let path = alloc::format!("{PATH}{query}");
            let question = question("GET", &path, &[]).unwrap();
            let found = (question.wants_catalog, question.allows_expired);
            assert_eq!(found, (wants_catalog, allows_expired), "{query}");
        }
        for query in ["?%6eocatalog", "?nocatalog=%20", "?allow_expired=+1", "?a b", "?\u{e9}"] {
            let path = alloc::format!("{PATH}{query}");
            assert!(question("GET", &path, &[]).is_none(), "{query}");
        }
    }

    #[test]
    fn there_is_one_subject_or_none() {
        let of = |headers: &[(&str, &[u8])]| question("GET", PATH, headers).unwrap().subject;
        let name = "x-subject-token";
        assert_eq!(of(&[(name, b"a")]), Ok("a".into()));
        assert_eq!(of(&[]), Err(Rejection::TokenMissing));
        assert_eq!(of(&[(name, b"")]), Err(Rejection::TokenMissing));
        assert_eq!(of(&[(name, b"a"), (name, b"a")]), Err(Rejection::TokenAmbiguous));
        assert_eq!(of(&[(name, b""), (name, b"a")]), Err(Rejection::TokenAmbiguous));
        assert_eq!(of(&[(name, &[b'a'; 11])]), Err(Rejection::TokenTooLong));
        assert_eq!(of(&[(name, b"\xff")]), Err(Rejection::TokenMalformed));
    }

    #[test]
    fn access_rules_are_known_from_their_first_version_on() {
        let name = "openstack-identity-access-rules";
        for (headers, expected) in [
            (vec![], false),
            (vec![(name, &b"1.0"[..])], true),
            (vec![(name, b"1")], true),
            (vec![(name, b" 2.5 ")], true),
            (vec![(name, b"10.")], true),
            (vec![(name, b"0.9")], false),
            (vec![(name, b".9")], false),
            (vec![(name, b"-1")], false),
            (vec![(name, b"1.0.1")], false),
            (vec![(name, b"1.x")], false),
            (vec![(name, b"nan")], false),
            (vec![(name, b"")], false),
            (vec![(name, b"\xff")], false),
            (vec![(name, b"one")], false),
            (vec![(name, b"1.0"), (name, b"1.0")], false),
        ] {
            let known = question("GET", PATH, &headers).unwrap().knows_access_rules;
            assert_eq!(known, expected, "{headers:?}");
        }
    }
}
