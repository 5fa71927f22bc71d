//! Which requests a route is about, and of which that cannot be told.

use alloc::vec;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::config::example;
use crate::sigv4::{Plus, percent_decode};

fn routes(routes: &Value) -> Routes {
    let named = routes.as_array().unwrap().iter().enumerate().map(|(place, route)| {
        let mut route = route.clone();
        route["name"] = alloc::format!("r{place}").into();
        route
    });
    let changes = json!({"routes": named.collect::<Vec<_>>()});
    Config::parse(example::with(&changes).as_bytes()).unwrap().routes
}

fn choose(routes: &Routes, method: &str, host: &str, path: &str) -> Choice {
    let headers = [(":method", method), (":authority", host), (":path", path)];
    let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    routes.choose(RequestHead::new(&headers))
}

const IN_DOUBT: Choice = Choice::InDoubt(0);
const ROUTE: Choice = Choice::Route(0);

#[test]
fn without_routes_all_are_looked_at_alike() {
    assert_eq!(choose(&Routes::default(), "GET", "a", "/../%"), Choice::Own);
}

#[test]
fn the_first_that_is_about_a_request_decides() {
    let routes = routes(&json!([
        {"to": [{"paths": ["/a/b"]}]},
        {"to": [{"paths": ["/a/**"], "methods": ["GET"]}, {"hosts": ["*.example"]}]},
        {"to": [{"paths": ["/**"], "methods": ["PUT"]}]},
    ]));
    for (method, host, path, choice) in [
        ("GET", "h", "/a/b", Choice::Route(0)),
        ("GET", "h", "/a/b?c=/..", Choice::Route(0)),
        ("GET", "h", "/a/c", Choice::Route(1)),
        ("PUT", "h", "/a/c", Choice::Route(2)),
        ("PUT", "x.example:80", "/a/c", Choice::Route(1)),
        ("POST", "h", "/a/c", Choice::Own),
        ("GET", "h", "/b", Choice::Own),
    ] {
        assert_eq!(choose(&routes, method, host, path), choice, "{method} {host} {path}");
    }
}

#[test]
fn a_path_that_servers_read_differently_is_in_doubt_where_it_matters() {
    let routes = routes(&json!([{"to": [{"paths": ["/private/**"]}]}]));
    for (path, choice) in [
        ("/private/a", ROUTE),
        ("/private/a/", ROUTE),
        ("/private/", ROUTE),
        ("/private/a;b=1", ROUTE),
        ("/private/%61", ROUTE),
        ("/public/a;b=1", Choice::Own),
        ("/public", Choice::Own),
        ("/private", ROUTE),
        ("/private;a/b", IN_DOUBT),
        ("/%2570rivate/a", IN_DOUBT),
        ("/private/;x/a", IN_DOUBT),
        ("/private/%25ff", IN_DOUBT),
        ("/private/%252e%252e/public", IN_DOUBT),
        ("/public/%252e%252e/private/a", IN_DOUBT),
        ("/public/../private/a", IN_DOUBT),
        ("/private/../public", IN_DOUBT),
        ("//private/a", IN_DOUBT),
        ("/public//a", IN_DOUBT),
        ("/public%2fa", IN_DOUBT),
        ("/public\\a", IN_DOUBT),
        ("/a%zz", IN_DOUBT),
        ("*", IN_DOUBT),
        ("", IN_DOUBT),
    ] {
        assert_eq!(choose(&routes, "GET", "h", path), choice, "{path}");
    }
    assert_eq!(routes.choose(RequestHead::new(&[])), IN_DOUBT);
}

#[test]
fn a_slash_at_the_end_is_nothing_to_some_servers() {
    let routes = routes(&json!([{"to": [{"paths": ["/a"]}]}]));
    for (path, choice) in [("/a", ROUTE), ("/a/", IN_DOUBT), ("/b/", Choice::Own)] {
        assert_eq!(choose(&routes, "GET", "h", path), choice, "{path}");
    }
}

#[test]
fn all_paths_are_all_however_they_are_read() {
    let routes = routes(&json!([{"to": [{"paths": ["/**"], "methods": ["PUT"]}]}]));
    for path in ["/a", "/a//b", "/../a", "%"] {
        assert_eq!(choose(&routes, "PUT", "h", path), ROUTE, "{path}");
        assert_eq!(choose(&routes, "GET", "h", path), Choice::Own, "{path}");
        // Not to every server another method.
        assert_eq!(choose(&routes, "Put", "h", path), IN_DOUBT, "{path}");
    }
}

#[test]
fn what_is_in_doubt_does_not_matter_where_something_else_decides() {
    let routes = routes(&json!([
        {"to": [{"hosts": ["a"], "paths": ["/x/**"]}, {"methods": ["GET"]}]},
    ]));
    assert_eq!(choose(&routes, "PUT", "b", "/x/../y"), Choice::Own);
    assert_eq!(choose(&routes, "GET", "a", "/x/../y"), ROUTE);
    assert_eq!(choose(&routes, "PUT", "a", "/x/../y"), IN_DOUBT);
    assert_eq!(choose(&routes, "PUT", "b c", "/x/y"), IN_DOUBT);
}

#[test]
fn what_the_host_tells_is_compared_as_it_is() {
    let routes = routes(&json!([
        {"names": ["one", "two"], "metadata": [{"filter": "f", "key": "k", "values": ["v"]}]},
        {"names": ["one"], "to": [{"methods": ["PUT"]}]},
    ]));
    let told = |told: [Option<&str>; 2]| {
        let told = told.map(|it| it.map(|it| it.as_bytes().to_vec()));
        let headers = [(&b":method"[..], &b"PUT"[..])];
        routes.choose(RequestHead::new(&headers).with_properties(&told))
    };
    assert_eq!(told([Some("one"), Some("v")]), ROUTE);
    assert_eq!(told([Some("two"), Some("v")]), ROUTE);
    assert_eq!(told([Some("one"), Some("w")]), Choice::Route(1));
    assert_eq!(told([Some("one"), None]), Choice::Route(1));
    assert_eq!(told([Some("One"), Some("v")]), Choice::Own);
    assert_eq!(told([None, None]), Choice::Own);
    // Nor is it known what is told.
    assert_eq!(routes.choose(RequestHead::new(&[])), IN_DOUBT);
    let known: Vec<_> = routes.iter().map(|route| route.told.len()).collect();
    assert_eq!(known, vec![2, 1]);
}

/// What servers are known to make of a path before they look at it.
fn readings(path: &str) -> [String; 6] {
    let segments = || path.split('/').map(String::from);
    let decoded = percent_decode(path.as_bytes(), Plus::Literal);
    let decoded = decoded.ok().and_then(|it| String::from_utf8(it.into_owned()).ok());
    let merged = segments().enumerate().filter(|(at, it)| *at == 0 || !it.is_empty());
    let mut without_dots = Vec::new();
    for segment in segments() {
        match segment.as_str() {
            ".." if without_dots.len() > 1 => drop(without_dots.pop()),
            "." | ".." => {}
            _ => without_dots.push(segment),
        }
    }
    let named = segments().map(|it| it.split(';').next().unwrap_or_default().into());
    [
        decoded.unwrap_or_else(|| path.into()),
        merged.map(|(_, it)| it).collect::<Vec<_>>().join("/"),
        without_dots.join("/"),
        named.collect::<Vec<String>>().join("/"),
        path.replace('\\', "/"),
        path.strip_suffix('/').unwrap_or(path).into(),
    ]
}

#[test]
fn nothing_that_servers_make_of_a_path_is_about_another_route() {
    let routes = routes(&json!([{"to": [{"paths": ["/private/**", "/a/{b}"]}]}]));
    let parts = [
        "a",
        "private",
        "",
        ".",
        "..",
        "%2e%2E",
        "private;x",
        ";x",
        "..;x",
        "%2570rivate",
        "%252e%252e",
        "%70rivate",
        "a%2fprivate",
        "a\\..",
        "%5cprivate",
    ];
    let mut paths = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..3 {
        let longer = paths.iter().flat_map(|it| parts.map(|part| [it, "/", part].concat()));
        paths = longer.collect();
        all.extend(paths.iter().cloned());
    }
    for path in all {
        let choice = choose(&routes, "GET", "h", &path);
        if choice == IN_DOUBT {
            continue;
        }
        let mut known = vec![path.clone()];
        for _ in 0..3 {
            known = known.iter().flat_map(|it| readings(it)).collect();
            known.sort();
            known.dedup();
            for read in &known {
                let other = choose(&routes, "GET", "h", read);
                assert!(
                    other == choice || other == IN_DOUBT,
                    "{path} is {choice:?}, {read} {other:?}"
                );
            }
        }
    }
}
