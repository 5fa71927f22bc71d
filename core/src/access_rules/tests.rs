//! What keystonemiddleware allows is allowed, and what servers could read differently is not.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::{AccessRule, MAX_PATH, MAX_PATTERN, PathPattern, PlainPath, allow};

fn rule(path: &str) -> AccessRule<'_> {
    AccessRule { method: "GET", path, service: "object-store" }
}

fn matches(pattern: &str, path: &str) -> bool {
    let path = PlainPath::new(path.as_bytes()).unwrap_or_else(|| panic!("{path} is not plain"));
    PathPattern::new(pattern).is_some_and(|pattern| pattern.matches(&path))
}

#[derive(Deserialize)]
struct Vectors {
    service: String,
    rules: Vec<OwnedRule>,
    requests: Vec<Request>,
}

#[derive(Debug, Deserialize)]
struct OwnedRule {
    method: String,
    path: String,
    service: String,
}

#[derive(Debug, Deserialize)]
struct Request {
    method: String,
    path: String,
    allowed_by: Vec<usize>,
    matched_by: Vec<usize>,
}

#[test]
fn a_rule_allows_what_keystonemiddleware_says() {
    let json = include_str!("../../../tests/vectors/access-rules-13.json");
    let Vectors { service, rules, requests } = serde_json::from_str(json).unwrap();
    assert!(rules.len() * requests.len() >= 100_000);
    for request in &requests {
        let is_allowed = |rules: &[&OwnedRule]| {
            let rules = rules.iter().map(|OwnedRule { method, path, service }| AccessRule {
                method,
                path,
                service,
            });
            allow(rules, Some(&service), request.method.as_bytes(), request.path.as_bytes())
        };
        for (index, rule) in rules.iter().enumerate() {
            let expected = request.allowed_by.contains(&index);
            assert_eq!(is_allowed(&[rule]), expected, "{rule:?} {request:?}");
            let expected = request.matched_by.contains(&index);
            assert_eq!(matches(&rule.path, &request.path), expected, "{rule:?} {request:?}");
        }
        let all: Vec<_> = rules.iter().collect();
        assert_eq!(is_allowed(&all), !request.allowed_by.is_empty(), "{request:?}");
    }
}

#[test]
fn one_star_stays_in_its_segment_and_two_do_not() {
    for (pattern, path, expected) in [
        ("/v1/AUTH_*/pub/**", "/v1/AUTH_x/pub/a/b", true),
        ("/v1/AUTH_*/pub/**", "/v1/AUTH_x/pub/", true),
        ("/v1/AUTH_*/pub/**", "/v1/AUTH_x/pub", false),
        ("/v1/AUTH_*/pub/**", "/v1/AUTH_/pub/a", false),
        ("/v1/AUTH_*/pub/**", "/v1/AUTH_x/y/pub/a", false),
        ("/servers/{server_id}", "/servers/1", true),
        ("/servers/{server_id}", "/servers/", false),
        ("/servers/{server_id}", "/servers/1/", false),
        ("/servers/{server_id}", "/x/servers/1", false),
        ("/**", "/", true),
        ("/***", "/", false),
        ("/***", "/a/b", true),
        ("/****/b", "/a/x/b", true),
        ("/**b**c", "/abxbc", true),
        ("/**b**c", "/acb", false),
        ("/*a*b", "/aab", false),
        ("/*a*b", "/xayb", true),
        ("/", "/", true),
        ("/", "/a", false),
        ("", "/", false),
        ("a", "/a", false),
        ("**", "/a", false),
    ] {
        assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
    }
}

#[test]
fn everything_else_stands_for_itself() {
    for (pattern, path) in [
        ("/a.b", "/aXb"),
        ("/a|/b", "/b"),
        ("/(a+)+", "/aaa"),
        ("/a?", "/"),
        ("/[ab]", "/a"),
        ("/a$", "/a"),
        ("/a\\d", "/a1"),
        ("/.*", "/a"),
        ("/a{b", "/ab"),
        ("/a}b", "/ab"),
        ("/A", "/a"),
    ] {
        assert!(!matches(pattern, path), "{pattern} {path}");
    }
    assert!(matches("/a.b+(c)$", "/a.b+(c)$"));
    assert!(matches("/%C3%A9%20", "/%c3%a9%20"));
    assert!(matches("/ab", "/%61b"));
}

#[test]
fn what_a_server_may_read_as_another_path_is_never_allowed() {
    for path in [
        "",
        "a",
        "*",
        "?a",
        "//",
        "//a",
        "/a//b",
        "/a/.",
        "/a/..",
        "/a/./b",
        "/a/../b",
        "/a/%2e%2E/b",
        "/a/.%2e/b",
        "/a/%252e%252e/b",
        "/a/%252E",
        "/a/%25252e",
        "/a/..;/b",
        "/a/..;x=y/b",
        "/a/;/b",
        "/a/%3b/b",
        "/a/..%3b/b",
        "/a/...",
        "/a/..%20/b",
        "/a/. /b",
        "/a%2fb",
        "/a%2Fb",
        "/a%252fb",
        "/a\\b",
        "/a%5cb",
        "/a%5Cb",
        "/a%255cb",
        "/a\0b",
        "/a%00b",
        "/a%2500b",
        "/a%0a",
        "/a%0D",
        "/a\tb",
        "/a%7f",
        "/a%c2%85",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%+2",
        "/a%c0%ae",
        "/a%ff",
        "/a%c3",
        "/a%u002e",
    ] {
        assert_eq!(PlainPath::new(path.as_bytes()), None, "{path}");
        assert!(!allow([rule("/**")], Some("object-store"), b"GET", path.as_bytes()), "{path}");
    }
    assert_eq!(PlainPath::new(b"/\xff"), None);
    for path in
        ["/", "/a/", "/a/b.c", "/.a", "/a..", "/a;b=c", "/a%25", "/100%25a", "/~!$&'()*+,;=:@"]
    {
        assert_eq!(PlainPath::new(path.as_bytes()).unwrap().as_bytes(), path.as_bytes());
    }
}

#[test]
fn a_path_has_one_spelling() {
    for (sent, seen) in [
        ("/%41%7e%2b", "/A~+"),
        ("/a b\"<>#[]^`{|}", "/a%20b%22%3C%3E%23%5B%5D%5E%60%7B%7C%7D"),
        ("/é%c3%a9", "/%C3%A9%C3%A9"),
        ("/%3f", "/%3F"),
    ] {
        assert_eq!(PlainPath::new(sent.as_bytes()).unwrap().as_bytes(), seen.as_bytes());
        assert_eq!(PlainPath::new(seen.as_bytes()), PlainPath::new(sent.as_bytes()));
    }
}

#[test]
fn without_rules_everything_is_allowed_and_with_them_a_service_must_be_known() {
    for service in [None, Some("compute")] {
        assert!(allow([], service, b"GET", b"//../x"));
        assert!(!allow([rule("/**")], service, b"GET", b"/a"));
    }
    assert!(allow([rule("/b"), rule("/**")], Some("object-store"), b"GET", b"/a"));
    for method in [&b"HEAD"[..], b"get", b"POST", b"", b"GET "] {
        assert!(!allow([rule("/**")], Some("object-store"), method, b"/a"));
    }
    for service in ["", "object", "Object-Store", "object-store "] {
        assert!(!allow([rule("/**")], Some(service), b"GET", b"/a"));
    }
}

#[test]
fn a_token_may_always_be_validated_at_keystone() {
    let other = [rule("/b")];
    let is_allowed = |service, method, path| allow(other, Some(service), method, path);
    assert!(is_allowed("identity", b"GET", &b"/v3/auth/tokens"[..]));
    assert!(is_allowed("identity", b"GET", b"/identity/v3/auth/tokens"));
    assert!(!is_allowed("identity", b"HEAD", b"/v3/auth/tokens"));
    assert!(!is_allowed("identity", b"GET", b"/v3/auth/tokens/OS-PKI/revoked"));
    assert!(!is_allowed("identity", b"GET", b"/x/../v3/auth/tokens"));
    assert!(!is_allowed("object-store", b"GET", b"/v3/auth/tokens"));
}

#[test]
fn patterns_and_paths_have_an_end() {
    let pattern = format!("/{}", "a".repeat(MAX_PATTERN - 1));
    assert!(matches(&pattern, &pattern));
    assert!(!matches(&pattern, "/a"));
    assert_eq!(PathPattern::new(&format!("{pattern}a")), None);
    let last = format!("/{}*", "a".repeat(MAX_PATTERN - 2));
    assert!(matches(&last, &format!("{pattern}bc")));
    assert!(!matches(&last, &format!("{pattern}b/c")));

    let path = format!("/{}", "a".repeat(MAX_PATH - 1));
    assert!(PlainPath::new(path.as_bytes()).is_some());
    assert_eq!(PlainPath::new(format!("{path}a").as_bytes()), None);
    // What would take a backtracking matcher longer than the universe has been there.
    let worst = format!("/{}", "**a".repeat((MAX_PATTERN - 1) / 3));
    assert!(!matches(&worst, &format!("{}b", &path[..MAX_PATH - 1])));
    assert!(matches(&worst, &path));
}

/// The rule, word by word: a matcher that goes back, for short texts.
fn reference(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => {
            (0..=path.len()).any(|skipped| reference(rest, &path[skipped..]))
        }
        [b'*', rest @ ..] => (1..=path.len())
            .take_while(|taken| path[taken - 1] != b'/')
            .any(|taken| reference(rest, &path[taken..])),
        [literal, rest @ ..] => path
            .split_first()
            .is_some_and(|(first, path)| first == literal && reference(rest, path)),
    }
}

#[test]
fn all_short_patterns_and_paths_match_as_the_rule_says() {
    let texts = |alphabet: &[u8], longest: u32| {
        let mut texts = Vec::from([Vec::from(b"/")]);
        for length in 1..=longest {
            for number in 0..alphabet.len().pow(length) {
                let letter = |place| alphabet[number / alphabet.len().pow(place) % alphabet.len()];
                texts.push([b'/'].into_iter().chain((0..length).map(letter)).collect::<Vec<u8>>());
            }
        }
        texts
    };
    let of_paths = texts(b"ab/", 5);
    let paths: Vec<_> = of_paths.iter().filter_map(|text| PlainPath::new(text)).collect();
    let (mut yes, mut no) = (0, 0);
    for pattern in texts(b"a/*", 6) {
        let compiled = PathPattern::new(core::str::from_utf8(&pattern).unwrap()).unwrap();
        for path in &paths {
            let expected = reference(&pattern, path.as_bytes());
            assert_eq!(compiled.matches(path), expected, "{pattern:?} {path:?}");
            *if expected { &mut yes } else { &mut no } += 1;
        }
    }
    assert!(yes > 5_000 && no > 5_000, "{yes} {no}");
}
