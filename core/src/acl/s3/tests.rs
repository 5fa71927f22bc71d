//! What requests ask of S3 that no SDK sends, and what rules make of it.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::acl::{Acl, Action, Asked, Caller, Operation, PathTemplate, Rule};

fn request(method: &str, host: &str, path: &str, hosts: &[&str]) -> (Option<&'static str>, String) {
    told(method, host, path, hosts, &[])
}

/// The operation, and bucket and keys as `bucket/key`, with a star for what may go on and a question mark for
/// what is not known.
fn told(
    method: &str,
    host: &str,
    path: &str,
    hosts: &[&str],
    more: &[(&str, &str)],
) -> (Option<&'static str>, String) {
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", method.as_bytes()),
        (b":authority", host.as_bytes()),
        (b":path", path.as_bytes()),
    ];
    headers.extend(more.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let hosts: Vec<String> = hosts.iter().map(|host| String::from(*host)).collect();
    let request = S3Request::of(RequestHead::new(&headers), &BaseHosts::new(&hosts).unwrap());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let bucket = match &request.bucket {
        Bucket::None => String::new(),
        Bucket::Named(name) => text(name),
        Bucket::Unknown => "?".into(),
    };
    let keys = match &request.keys {
        Keys::None => String::new(),
        Keys::One(path) => text(path),
        Keys::Below(path) => format!("{}*", text(path)),
        Keys::Unknown => "?".into(),
    };
    (request.operation.map(S3Operation::name), bucket + &keys)
}

#[test]
fn parameters_tell_operations_apart() {
    for (method, path, operation, named) in [
        ("GET", "/", "ListBuckets", ""),
        ("GET", "/b", "ListObjects", "b/*"),
        ("GET", "/b/", "ListObjects", "b/*"),
        ("GET", "/b?prefix=a%2Fb&delimiter=/&list-type=2", "ListObjectsV2", "b/a/b*"),
        ("GET", "/b?prefix=100%25", "ListObjects", "b/100%25*"),
        ("GET", "/b?versions&prefix=", "ListObjectVersions", "b/*"),
        ("GET", "/b?%61cl=", "GetBucketAcl", "b"),
        ("GET", "/b?&&acl&", "GetBucketAcl", "b"),
        ("GET", "/b?inventory&id=1", "GetBucketInventoryConfiguration", "b"),
        ("GET", "/b?id=1&inventory", "GetBucketInventoryConfiguration", "b"),
        ("GET", "/b?inventory", "ListBucketInventoryConfigurations", "b"),
        ("POST", "/b?delete", "DeleteObjects", "b?"),
        ("POST", "/b", "PostObject", "b?"),
        ("GET", "/b/k?versionId=1&response-expires=2", "GetObject", "b/k"),
        ("GET", "/b/k?x-id=GetObject&X-Amz-Date=1&X-Amz-Signature=2&x-mine=3", "GetObject", "b/k"),
        ("GET", "/b/k?partNumber=1", "GetObject", "b/k"),
        ("PUT", "/b/k?partNumber=1&uploadId=2", "UploadPart", "b/k"),
        ("PUT", "/b/k?uploadId=2&partNumber=1", "UploadPart", "b/k"),
        ("PUT", "/b/k?x-amz-acl=private", "PutObject", "b/k"),
        ("GET", "/%62/%6b%2Fl", "GetObject", "b/%6b/l"),
    ] {
        let expected = (Some(operation), named.into());
        assert_eq!(request(method, "h", path, &[]), expected, "{method} {path}");
    }
}

#[test]
fn what_stores_may_read_as_another_operation_is_none() {
    for (method, path) in [
        ("GET", "/b?acl&policy"),
        ("GET", "/b?acl&acl"),
        ("GET", "/b?acl=1"),
        ("GET", "/b?ACL"),
        ("GET", "/b?acl;policy"),
        ("GET", "/b?x=1;acl"),
        ("GET", "/b?usage"),
        ("GET", "/b?list-type=1"),
        ("GET", "/b?list-type"),
        ("GET", "/b?inventory&id="),
        ("GET", "/b?id=1"),
        ("GET", "/b?%"),
        ("GET", "/b?=acl"),
        ("GET", "/b?prefix=a&prefix=b"),
        ("GET", "/b/k?uploadId"),
        ("GET", "/b/k?uploadId=1&acl"),
        ("GET", "/b/k?x-id=GetObjectAcl"),
        ("GET", "/b/k?x-id=GetObject&x-id=GetObject"),
        ("get", "/b/k"),
        ("OPTIONS", "/b/k"),
        ("HEAD", "/b/k?acl"),
        ("HEAD", "/b?list-type=2"),
        ("PUT", "/b/k?partNumber=1"),
        ("PUT", "/b/k?partNumber=1a&uploadId=2"),
        ("PUT", "/b/k?X-Amz-Copy-Source=b/l"),
        ("PUT", "/b/k?append&position=1"),
        ("POST", "/"),
        ("POST", "/b/k"),
        ("DELETE", "/b?delete"),
        ("DELETE", "/"),
    ] {
        let (operation, named) = request(method, "h", path, &[]);
        assert_eq!(operation, None, "{method} {path}");
        let is_bucket_known = !path.starts_with("/?") && path != "/";
        assert_eq!(named, if is_bucket_known { "b?" } else { "?" }, "{method} {path}");
    }
    let many = format!("/b/k?{}", "x-a&".repeat(129));
    assert_eq!(request("GET", "h", &many, &[]).0, None);
}

#[test]
fn a_copy_is_no_upload() {
    let copied = |path, more: &[(&str, &str)]| told("PUT", "h", path, &[], more).0;
    let source = ("x-amz-copy-source", "/b/k");
    let part = "/b/k?partNumber=1&uploadId=2";
    assert_eq!(copied("/b/k", &[source]), Some("CopyObject"));
    assert_eq!(copied(part, &[source]), Some("UploadPartCopy"));
    for (path, more) in [
        ("/b/k?tagging", &[source][..]),
        ("/b", &[source]),
        ("/b/k", &[source, source]),
        ("/b/k", &[("x-amz-copy-source", "")]),
        ("/b/k", &[("x-amz-copy-source", "key")]),
        ("/b/k", &[("x_amz_copy_source", "b/k")]),
        (part, &[("x-amz-copy-source", "k")]),
    ] {
        assert_eq!(copied(path, more), None, "{path} {more:?}");
    }
}

#[test]
fn of_keys_that_servers_tidy_up_the_bucket_may_be_known() {
    for (path, operation, named) in [
        ("/b/a//k", true, "b/a//k"),
        ("/b//k", true, "b//k"),
        ("/b/./k", true, "b/./k"),
        ("/b/a\\k", true, "b/a\\k"),
        ("/b/a%00", true, "b/a%00"),
        ("/b/a..b/c...", true, "b/a..b/c..."),
        ("/b/100%25", true, "b/100%25"),
        // At the bucket itself, perhaps.
        ("/b//", false, "b?"),
        ("/b/.", false, "b?"),
        ("/b/%2F", false, "b?"),
        ("/b/;k", false, "b?"),
        ("/b/%252e", false, "b?"),
        ("/b/%20", false, "b?"),
        // In another one.
        ("/b/../c/k", false, "??"),
        ("/b/x/..", false, "??"),
        ("/b/%2e%2E/c", false, "??"),
        ("/b/..%2fc", false, "??"),
        ("/b/..;x/c", false, "??"),
        ("/b/.. /c", false, "??"),
        ("/b/..%00/c", false, "??"),
        ("/b/..%5cc/k", false, "??"),
        ("/b/%252e%252e/c", false, "??"),
        ("/b/%252e%252e%252fc/%25", false, "??"),
        ("/b/%zz", false, "??"),
        ("/b%2Fk", false, "??"),
        ("/b%20/k", false, "??"),
        ("/t:b/k", false, "??"),
        ("//b/k", false, "??"),
        ("/./b/k", false, "??"),
        ("/../k", false, "??"),
        ("/b;x/k", false, "??"),
        ("b/k", false, "??"),
        ("", false, "??"),
        ("*", false, "??"),
    ] {
        let expected = (operation.then_some("DeleteObject"), named.into());
        assert_eq!(request("DELETE", "h", path, &[]), expected, "{path}");
    }
}

#[test]
fn buckets_are_in_hosts_where_those_are_named() {
    let hosts = ["s3.example", "s3.eu.example"];
    for (host, path, operation, named) in [
        ("s3.example", "/b/k", Some("GetObject"), "b/k"),
        ("S3.Example:9000", "/b/k", Some("GetObject"), "b/k"),
        ("b.s3.example", "/k/l", Some("GetObject"), "b/k/l"),
        ("b.s3.example:9000", "/", Some("ListObjects"), "b/*"),
        ("my.photos.s3.eu.example", "/?acl", Some("GetBucketAcl"), "my.photos"),
        ("b.s3.example", "//k", Some("GetObject"), "b//k"),
        ("b.s3.example", "/../k", None, "??"),
        ("B.s3.example", "/k", None, "??"),
        ("s3.example.", "/b/k", None, "??"),
        ("b.s3.example.", "/k", None, "??"),
        (".s3.example", "/k", None, "??"),
        ("b,c.s3.example", "/k", None, "??"),
        ("xs3.example", "/b/k", None, "??"),
        ("s3.example:x", "/b/k", None, "??"),
        ("192.0.2.1", "/b/k", None, "??"),
        ("[::1]:80", "/b/k", None, "??"),
        ("", "/b/k", None, "??"),
    ] {
        let (operation, named) = (operation, String::from(named));
        assert_eq!(request("GET", host, path, &hosts), (operation, named), "{host} {path}");
    }
    let names = |names: &[&str]| names.iter().map(|name| String::from(*name)).collect::<Vec<_>>();
    for (hosts, place) in [
        (&["s3.example", "a.S3.example"][..], 1),
        (&["a.s3.example", "s3.example"], 0),
        (&["a", "a"], 0),
        (&["*.a"], 0),
        (&["a:1"], 0),
        (&[""], 0),
    ] {
        assert_eq!(BaseHosts::new(&names(hosts)), Err(place), "{hosts:?}");
    }
    assert!(BaseHosts::new(&names(&["s3.example", "as3.example"])).is_ok());
}

#[test]
fn names_of_operations_may_end_with_a_star() {
    let have = |pattern: &str, name: &str| {
        S3Operations::named(pattern).map(|these| these.have(S3Operation::named(name).unwrap()))
    };
    assert_eq!(have("GetObject", "GetObject"), Some(true));
    assert_eq!(have("GetObject", "GetObjectAcl"), Some(false));
    assert_eq!(have("Get*", "GetObjectAcl"), Some(true));
    assert_eq!(have("Get*", "PutObject"), Some(false));
    assert_eq!(have("*", "PutObject"), Some(true));
    for pattern in ["", "getobject", "s3:GetObject", "Get*Object", "Gat*", "GetObject**"] {
        assert_eq!(S3Operations::named(pattern), None, "{pattern}");
    }
}

/// A list that allows, or one that allows all but what this is about.
fn list(action: Action, pattern: &S3Pattern) -> Acl {
    let to = |s3| vec![Operation { s3, ..Operation::default() }];
    let rule = |action, to| Rule {
        name: "r".into(),
        action,
        to,
        from: vec![],
        when: vec![],
        when_any: vec![],
    };
    let mut rules = vec![rule(action, to(Some(pattern.clone())))];
    if action == Action::Deny {
        rules.push(rule(Action::Allow, to(None)));
    }
    Acl::new(rules, Action::Deny).unwrap()
}

/// What a rule that allows says of a request, and what one that denies does not.
fn passes(pattern: &S3Pattern, method: &str, path: &str) -> [bool; 2] {
    let headers = [(&b":method"[..], method.as_bytes()), (b":path", path.as_bytes())];
    let head = RequestHead::new(&headers);
    [Action::Allow, Action::Deny].map(|action| {
        let acl = list(action, pattern);
        let matched = acl.matched(Asked::of(head, acl.s3_hosts()));
        acl.decide(&matched, &Caller::default()).action == Action::Allow
    })
}

const INSIDE: [bool; 2] = [true, false];
const OUTSIDE: [bool; 2] = [false, true];
const UNKNOWN: [bool; 2] = [false, false];

#[test]
fn rules_ask_for_operation_bucket_and_key() {
    let read = S3Operations::named("GetObject").unwrap().and(S3Operations::named("List*").unwrap());
    let buckets = ["photos", "archive-*"].map(|name| BucketPattern::new(name).unwrap());
    let key = PathTemplate::of_key("2026/**").unwrap();
    let pattern =
        S3Pattern { operations: Some(read), buckets: buckets.into(), key: Some(key.clone()) };
    for (method, path, expected) in [
        ("GET", "/photos/2026/a.jpg", INSIDE),
        ("GET", "/photos/2026%2Fa.jpg", INSIDE),
        ("GET", "/photos/%32026/a.jpg", INSIDE),
        ("GET", "/archive-1/2026/a/b", INSIDE),
        ("GET", "/photos?prefix=2026/", INSIDE),
        ("GET", "/photos?prefix=2026%2Fa&list-type=2", INSIDE),
        ("GET", "/photos/2025/a.jpg", OUTSIDE),
        ("GET", "/archive/2026/a.jpg", OUTSIDE),
        ("GET", "/Photos/2026/a.jpg", OUTSIDE),
        ("PUT", "/photos/2026/a.jpg", OUTSIDE),
        ("GET", "/photos/2026/a.jpg?acl", OUTSIDE),
        ("GET", "/photos?prefix=2025/", OUTSIDE),
        ("GET", "/photos?prefix=2026-", OUTSIDE),
        ("GET", "/", OUTSIDE),
        // More than is under the key, and some of that.
        ("GET", "/photos?prefix=2026", UNKNOWN),
        ("GET", "/photos?prefix=20", UNKNOWN),
        ("GET", "/photos", UNKNOWN),
        ("GET", "/photos?prefix=2026/&prefix=2025/", UNKNOWN),
        ("GET", "/photos?prefix=2026/+", UNKNOWN),
        ("GET", "/photos?prefix=2026//", UNKNOWN),
        ("GET", "/photos/2026/a.jpg?acl&tagging", UNKNOWN),
        ("GET", "/photos/2026//a.jpg", UNKNOWN),
        ("GET", "/photos/2025/../2026/a.jpg", UNKNOWN),
        ("GET", "/photos/x;/2026/a", OUTSIDE),
        ("GET", "/photos/%252026/a", OUTSIDE),
        ("GET", "/photos/2026;x/a", UNKNOWN),
        ("GET", "/photos/%2532026/a", UNKNOWN),
    ] {
        assert_eq!(passes(&pattern, method, path), expected, "{method} {path}");
    }
    // Whoever may do all with some keys may not do what has its keys in the body, nor move them.
    let keys = S3Pattern { key: Some(key), ..S3Pattern::default() };
    for (method, path, expected) in [
        ("DELETE", "/photos/2026/a", INSIDE),
        ("POST", "/photos?delete", UNKNOWN),
        ("POST", "/photos", UNKNOWN),
        ("PUT", "/photos/2026/a?renameObject", UNKNOWN),
        ("GET", "/photos/2026/a?unheard-of", UNKNOWN),
        ("GET", "/photos?location", OUTSIDE),
        ("PUT", "/photos", OUTSIDE),
    ] {
        assert_eq!(passes(&keys, method, path), expected, "{method} {path}");
    }
    // And with a bucket, all there is in it.
    let bucket = BucketPattern::new("photos").unwrap();
    let bucket = S3Pattern { buckets: vec![bucket], ..S3Pattern::default() };
    for (method, path, expected) in [
        ("POST", "/photos?delete", INSIDE),
        ("GET", "/photos/2026//a?unheard-of", INSIDE),
        ("PUT", "/other", OUTSIDE),
        ("GET", "/", OUTSIDE),
        ("GET", "/photos/../other/k", UNKNOWN),
        ("GET", "/t:photos/k", UNKNOWN),
    ] {
        assert_eq!(passes(&bucket, method, path), expected, "{method} {path}");
    }
}

#[test]
fn lists_are_of_all_that_begins_so() {
    for (template, prefix, all, some) in [
        ("a/**", "a/", true, true),
        ("a/**", "a/b/c", true, true),
        ("a/**", "a", false, true),
        ("a/**", "", false, true),
        ("a/**", "b", false, false),
        ("a/**", "a-", false, false),
        ("a/b", "a/b", false, true),
        ("a/b", "a/b/", false, true),
        ("a/b", "a/b/c", false, false),
        ("a/b", "a/bc", false, false),
        ("**", "", true, true),
        ("*/x/**", "a/x/", true, true),
        ("*/x/**", "a/y", false, false),
        ("{user}/**", "ann/", true, true),
        ("a*/**", "ab/c", true, true),
        ("a*/**", "ab", false, true),
        ("a*/**", "b", false, false),
        ("ä ö/**", "ä ", false, true),
        ("ä ö/**", "ä ö/", true, true),
    ] {
        let template_ = PathTemplate::of_key(template).unwrap();
        let start = below(prefix.as_bytes()).unwrap();
        let start = crate::access_rules::PlainPath::new(&start).unwrap();
        let said = (
            template_.matches_all_below(start.as_bytes()),
            template_.matches_some_below(start.as_bytes()),
        );
        assert_eq!(said, (all, some), "{template} {prefix}");
    }
}
