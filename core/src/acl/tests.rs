use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde_json::{from_value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::head::RequestHead;
use crate::record::IdentityRecord;

fn operation(methods: &[&str], path: &str) -> Operation {
    Operation {
        hosts: Vec::new(),
        methods: methods.iter().map(|method| String::from(*method)).collect(),
        path: Some(PathTemplate::new(path).unwrap()),
        s3: None,
    }
}

fn condition(attribute: Attribute, values: &[&str], not_values: &[&str]) -> Condition {
    let expected = |values: &[&str]| {
        let expected = |value: &&str| match value.strip_prefix('{') {
            Some(name) => Expected::Variable(name.trim_end_matches('}').into()),
            None if *value == "*" => Expected::Present,
            None => Expected::Text((*value).into()),
        };
        values.iter().map(expected).collect()
    };
    Condition {
        attribute,
        values: expected(values),
        not_values: expected(not_values),
        or_none: false,
    }
}

fn rule(action: Action, to: Vec<Operation>, when: Vec<Condition>) -> Rule {
    Rule { name: "rule".into(), action, to, from: Vec::new(), when, when_any: Vec::new() }
}

fn allow(to: Vec<Operation>, when: Vec<Condition>) -> Rule {
    rule(Action::Allow, to, when)
}

fn deny(to: Vec<Operation>, when: Vec<Condition>) -> Rule {
    rule(Action::Deny, to, when)
}

fn acl(rules: Vec<Rule>) -> Acl {
    Acl::new(rules, Action::Deny).unwrap()
}

fn record(project: &str, roles: &[&str]) -> IdentityRecord {
    let roles: Vec<_> = roles.iter().map(|role| json!({"name": role})).collect();
    from_value(json!({
        "user": {"id": "ann", "name": "Ann", "domain": {"id": "d1"}},
        "project": {"id": project, "name": "web", "domain": {"id": "d2"}},
        "roles": roles,
    }))
    .unwrap()
}

fn ask(acl: &Acl, method: &str, path: &str, caller: &Caller<'_>) -> Decision {
    let headers: [(&[u8], &[u8]); 3] = [
        (b":method", method.as_bytes()),
        (b":path", path.as_bytes()),
        (b":authority", b"compute.example:8774"),
    ];
    acl.decide(&acl.matched(Asked::of(RequestHead::new(&headers), None)), caller)
}

fn is_allowed(acl: &Acl, method: &str, path: &str, caller: &Caller<'_>) -> bool {
    ask(acl, method, path, caller).action == Action::Allow
}

/// Paths that some server takes for `/v2.1/p1/servers` or for something under it, or for its parent's.
const ODD: [&str; 12] = [
    "//v2.1/p1/servers",
    "/v2.1//p1/servers",
    "/v2.1/./p1/servers",
    "/v2.1/p2/../p1/servers",
    "/v2.1/p2/%2e%2e/p1/servers",
    "/v2.1/p1%2fservers",
    "/v2.1/p1\\servers",
    "/v2.1/p1/..;/p1/servers",
    "/v2.1/p1/servers/%252e%252e/",
    "/v2.1/p1/servers/%zz",
    "/v2.1/p1/servers/\u{1}",
    "v2.1/p1/servers",
];

#[test]
fn nothing_is_allowed_that_no_rule_allows() {
    let record = record("p1", &["admin"]);
    let caller = Caller::from(&record);
    let decision = ask(&acl(vec![]), "GET", "/", &caller);
    assert_eq!(decision, Decision { action: Action::Deny, rule: None });
    let open = Acl::new(vec![], Action::Allow).unwrap();
    assert!(is_allowed(&open, "GET", "/", &caller));
}

#[test]
fn a_project_is_reached_by_its_own_tokens() {
    let own = condition(Attribute::ProjectId, &["{project_id}"], &[]);
    let member = condition(Attribute::Roles, &["member", "admin"], &[]);
    let to = vec![operation(&["GET", "POST"], "/v2.1/{project_id}/servers/**")];
    let acl = acl(vec![allow(to, vec![own, member])]);
    let (ann, guest) = (record("p1", &["reader", "member"]), record("p1", &["reader"]));
    let (ann, guest) = (Caller::from(&ann), Caller::from(&guest));
    for path in ["/v2.1/p1/servers", "/v2.1/p1/servers/", "/v2.1/p1/servers/1/action?x=/../"] {
        assert!(is_allowed(&acl, "GET", path, &ann), "{path}");
        assert!(!is_allowed(&acl, "GET", path, &guest), "{path}");
        assert!(!is_allowed(&acl, "DELETE", path, &ann), "{path}");
        assert!(!is_allowed(&acl, "GET", path, &Caller::default()), "{path}");
    }
    for path in [
        "/v2.1/p2/servers",
        "/v2.1/p1",
        "/v2.1/p1/flavors",
        "/v2.1/p1/servers2",
        "/V2.1/p1/servers",
    ] {
        assert!(!is_allowed(&acl, "GET", path, &ann), "{path}");
    }
    for path in ODD {
        assert!(!is_allowed(&acl, "GET", path, &ann), "{path}");
    }
}

#[test]
fn a_deny_comes_before_every_allow_and_says_which_it_is() {
    let admin = condition(Attribute::Roles, &[], &["admin"]);
    let acl = acl(vec![
        allow(vec![Operation::default()], vec![]),
        deny(vec![operation(&[], "/a/**"), operation(&["DELETE"], "/**")], vec![admin]),
    ]);
    let (ann, root) = (record("p1", &["member"]), record("p1", &["admin"]));
    let (ann, root) = (Caller::from(&ann), Caller::from(&root));
    let denied = Decision { action: Action::Deny, rule: Some(1) };
    for (method, path) in [("GET", "/a"), ("GET", "/a/"), ("GET", "/a/b"), ("DELETE", "/b")] {
        assert_eq!(ask(&acl, method, path, &ann), denied, "{method} {path}");
        assert!(is_allowed(&acl, method, path, &root), "{method} {path}");
    }
    let allowed = Decision { action: Action::Allow, rule: Some(0) };
    assert_eq!(ask(&acl, "GET", "/b", &ann), allowed);
    // Nobody has no role, and so not that one.
    assert_eq!(ask(&acl, "GET", "/a", &Caller::default()), denied);
}

#[test]
fn no_spelling_of_a_path_leads_past_a_deny() {
    let acl = acl(vec![
        allow(vec![Operation::default()], vec![]),
        deny(vec![operation(&[], "/v2.1/p1/servers")], vec![]),
    ]);
    let record = record("p1", &[]);
    let caller = Caller::from(&record);
    for path in
        ODD.into_iter().chain(["/v2.1/p1/servers", "/v2.1/p1/servers/", "/v2.1/p1/serve%72s"])
    {
        assert!(!is_allowed(&acl, "GET", path, &caller), "{path}");
    }
    assert!(is_allowed(&acl, "GET", "/v2.1/p1/flavors", &caller));
}

#[test]
fn of_what_is_compared_with_the_path_nothing_can_be_guessed() {
    let other = condition(Attribute::ProjectId, &[], &["{project_id}"]);
    let acl = acl(vec![
        allow(vec![Operation::default()], vec![]),
        deny(vec![operation(&[], "/v2.1/{project_id}/**")], vec![other]),
    ]);
    let ann = record("p1", &["member"]);
    let mut unscoped = ann.clone();
    unscoped.project = None;
    assert!(is_allowed(&acl, "GET", "/v2.1/p1/servers", &Caller::from(&ann)));
    for (path, record) in
        [("/v2.1/p2/servers", &ann), ("/v2.1/p1/servers", &unscoped), (ODD[3], &ann)]
    {
        assert!(!is_allowed(&acl, "GET", path, &Caller::from(record)), "{path}");
    }
    assert!(!is_allowed(&acl, "GET", "/v2.1/p1/servers", &Caller::default()));
}

#[test]
fn each_attribute_is_its_own() {
    let token: IdentityRecord = from_value(json!({
        "user": {"id": "u", "name": "un", "domain": {"id": "ud"}},
        "domain": {"id": "d"}, "is_system": true, "roles": [{"id": "1", "name": "r"}],
        "application_credential": {"id": "ac", "name": "n", "restricted": true},
    }))
    .unwrap();
    let project = record("p", &[]);
    let key = from_value(json!({
        "user": {"id": "u"}, "project": {"id": "p", "name": "pn", "domain": {"id": "pd"}},
        "roles": [{"name": "r"}],
    }))
    .unwrap();
    let key = Caller::of_access_key("AK", &key);
    let (token, project) = (Caller::from(&token), Caller::from(&project));
    for (attribute, caller, value) in [
        (Attribute::AccessKey, &key, "AK"),
        (Attribute::ApplicationCredential, &token, "ac"),
        (Attribute::DomainId, &token, "d"),
        (Attribute::ProjectId, &project, "p"),
        (Attribute::ProjectId, &key, "p"),
        (Attribute::ProjectName, &key, "pn"),
        (Attribute::ProjectDomainId, &key, "pd"),
        (Attribute::Roles, &token, "r"),
        (Attribute::Roles, &key, "r"),
        (Attribute::System, &token, "all"),
        (Attribute::UserId, &token, "u"),
        (Attribute::UserName, &token, "un"),
        (Attribute::UserDomainId, &token, "ud"),
    ] {
        for (values, expected) in [(&[value][..], true), (&["*"], true), (&["x", ""], false)] {
            let one_of = acl(vec![allow(
                vec![Operation::default()],
                vec![condition(attribute, values, &[])],
            )]);
            let said = is_allowed(&one_of, "GET", "/", caller);
            assert_eq!(said, expected, "{attribute:?} {values:?}");
            assert!(!is_allowed(&one_of, "GET", "/", &Caller::default()), "{attribute:?}");
            let none_of = acl(vec![
                allow(vec![Operation::default()], vec![]),
                deny(vec![Operation::default()], vec![condition(attribute, &[], values)]),
            ]);
            let said = is_allowed(&none_of, "GET", "/", caller);
            assert_eq!(said, expected, "{attribute:?} {values:?}");
            assert!(!is_allowed(&none_of, "GET", "/", &Caller::default()), "{attribute:?}");
        }
    }
}

#[test]
fn one_list_of_several_is_enough() {
    let of = |attribute, value| condition(attribute, &[value], &[]);
    let mut several = allow(vec![Operation::default()], vec![of(Attribute::UserId, "ann")]);
    several.when_any = vec![
        vec![of(Attribute::Roles, "member"), of(Attribute::ProjectId, "p1")],
        vec![of(Attribute::Roles, "admin")],
    ];
    let acl = acl(vec![several]);
    for (project, role, is_it) in
        [("p1", "member", true), ("p2", "member", false), ("p2", "admin", true), ("p1", "x", false)]
    {
        let record = record(project, &[role]);
        assert_eq!(is_allowed(&acl, "GET", "/", &Caller::from(&record)), is_it, "{project} {role}");
    }
    assert!(!is_allowed(&acl, "GET", "/", &Caller::default()));
}

#[test]
fn who_has_no_value_may_be_enough() {
    let caller = record("p1", &["Reader"]);
    let caller = Caller::from(&caller);
    for (attribute, values, not_values, without, with) in [
        (Attribute::System, &[][..], &["*"][..], false, true),
        (Attribute::System, &["all"], &[], false, true),
        (Attribute::ProjectId, &[], &["p1"], false, false),
        (Attribute::ProjectId, &[], &["p2"], true, true),
        (Attribute::Roles, &[], &["reader"], false, false),
        (Attribute::Roles, &["READER"], &[], true, true),
    ] {
        for (or_none, expected) in [(false, without), (true, with)] {
            let condition = Condition { or_none, ..condition(attribute, values, not_values) };
            let acl = acl(vec![allow(vec![Operation::default()], vec![condition])]);
            let said = is_allowed(&acl, "GET", "/", &caller);
            assert_eq!(said, expected, "{attribute:?} {values:?} {not_values:?} {or_none}");
            assert_eq!(is_allowed(&acl, "GET", "/", &Caller::default()), or_none);
        }
    }
}

/// A token by itself tells neither roles nor names, and who has a role might say otherwise.
#[test]
fn who_is_not_known_to_have_no_value_is_not_enough() {
    let of_token = Caller { user_id: Some("ann"), project_id: Some("p1"), ..Caller::default() };
    for attribute in Attribute::ALL {
        let condition = Condition { or_none: true, ..condition(attribute, &[], &["someone"]) };
        let allowed = acl(vec![allow(vec![Operation::default()], vec![condition.clone()])]);
        let denied = vec![
            deny(vec![Operation::default()], vec![condition]),
            allow(vec![Operation::default()], vec![]),
        ];
        let is_known = attribute.is_in_token() || attribute == Attribute::AccessKey;
        assert_eq!(is_allowed(&allowed, "GET", "/", &of_token), is_known, "{attribute:?}");
        assert!(!is_allowed(&acl(denied), "GET", "/", &of_token), "{attribute:?}");
    }
}

#[test]
fn a_method_that_is_denied_is_so_in_any_letters() {
    let to = |methods: &[&str]| vec![operation(methods, "/**")];
    let allowed = acl(vec![allow(to(&["GET"]), vec![])]);
    let denied = acl(vec![allow(to(&[]), vec![]), deny(to(&["DELETE"]), vec![])]);
    let nobody = Caller::default();
    for (list, method, expected) in [
        (&allowed, "GET", true),
        (&allowed, "get", false),
        (&allowed, "HEAD", false),
        (&denied, "DELETE", false),
        (&denied, "Delete", false),
        (&denied, "GET", true),
    ] {
        assert_eq!(is_allowed(list, method, "/a", &nobody), expected, "{method}");
    }
}

#[test]
fn of_a_path_that_may_be_another_no_deny_takes_a_variable_for_known() {
    let everything = || allow(vec![Operation::default()], vec![]);
    let own = || vec![operation(&[], "/{project_id}/locked")];
    let record = record("p1", &["member"]);
    let caller = Caller::from(&record);
    for (values, not_values) in [(&["{project_id}"][..], &[][..]), (&[], &["{project_id}"])] {
        let condition = condition(Attribute::ProjectId, values, not_values);
        let acl = acl(vec![everything(), deny(own(), vec![condition])]);
        let denied = |path| !is_allowed(&acl, "GET", path, &caller);
        assert_eq!(denied("/p1/locked"), not_values.is_empty());
        assert_eq!(denied("/p2/locked"), values.is_empty());
        assert!(denied("/p1;x/locked") && denied("/p2;x/locked") && denied("/p%2531/locked"));
        assert!(!denied("/p1/open"));
    }
}

#[test]
fn hosts_and_addresses_are_looked_at_too() {
    let mut inside = allow(vec![Operation::default()], vec![]);
    inside.from = vec![IpBlock::new("10.0.0.0/8").unwrap(), IpBlock::new("2001:db8::/32").unwrap()];
    inside.to[0].hosts =
        ["compute.example", "*.inner.example"].map(|host| HostPattern::new(host).unwrap()).into();
    let mut outside = inside.clone();
    outside.action = Action::Deny;
    let (inside, outside) = (acl(vec![inside]), Acl::new(vec![outside], Action::Allow).unwrap());
    let decided = |acl: &Acl, host: &str, source: Option<&str>| {
        let head: [(&[u8], &[u8]); 3] =
            [(b":method", b"GET"), (b":path", b"/"), (b":authority", host.as_bytes())];
        let head = RequestHead::new(&head);
        let source = source.map(|source| source.parse().unwrap());
        let head = source.map_or(head, |source| head.from_source(source));
        acl.decide(&acl.matched(Asked::of(head, None)), &Caller::default()).action
    };
    for (host, source, is_inside) in [
        ("compute.example", "10.1.2.3", true),
        ("COMPUTE.example.:8774", "::ffff:10.1.2.3", true),
        ("a.b.inner.example", "2001:db8:1::1", true),
        ("inner.example", "10.1.2.3", false),
        ("xcompute.example", "10.1.2.3", false),
        ("compute.example.evil", "10.1.2.3", false),
        ("compute.example", "11.1.2.3", false),
        ("compute.example", "2001:db9::1", false),
    ] {
        let (is_in, is_out) =
            if is_inside { (Action::Allow, Action::Deny) } else { (Action::Deny, Action::Allow) };
        assert_eq!(decided(&inside, host, Some(source)), is_in, "{host} {source}");
        assert_eq!(decided(&outside, host, Some(source)), is_out, "{host} {source}");
    }
    // Where it is not known, only a rule that denies is about it.
    assert_eq!(decided(&inside, "compute.example", None), Action::Deny);
    assert_eq!(decided(&outside, "compute.example", None), Action::Deny);
    assert!(inside.needs_source());
}

#[test]
fn blocks_of_addresses_are_read_as_they_are_written_elsewhere() {
    for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "192.0.2.7", "2001:db8::1", "2001:db8::/128"] {
        assert!(IpBlock::new(text).is_some(), "{text}");
    }
    for text in
        ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::/129", "host", "10.0.0/8"]
    {
        assert!(IpBlock::new(text).is_none(), "{text}");
    }
    let all = IpBlock::new("0.0.0.0/0").unwrap();
    assert!(all.contains("255.1.2.3".parse().unwrap()));
    assert!(!all.contains("2001:db8::1".parse().unwrap()));
}

#[test]
fn templates_are_whole_segments_of_plain_paths() {
    for (text, error) in [
        ("", InvalidTemplate::Length),
        ("a", InvalidTemplate::NotPlain),
        ("/a//b", InvalidTemplate::NotPlain),
        ("/a/../b", InvalidTemplate::NotPlain),
        ("/a?b", InvalidTemplate::NotPlain),
        ("/a b", InvalidTemplate::NotPlain),
        ("/%61", InvalidTemplate::NotPlain),
        ("/**/a", InvalidTemplate::Rest),
        ("/a**", InvalidTemplate::Rest),
        ("/a*b", InvalidTemplate::Variable),
        ("/*a", InvalidTemplate::Variable),
        ("/*/{a}{b}", InvalidTemplate::Variable),
        ("/{a/b}", InvalidTemplate::Variable),
        ("/a}", InvalidTemplate::Variable),
        ("/{a}b", InvalidTemplate::Variable),
        ("/{}", InvalidTemplate::Variable),
        ("/{a}/{a}", InvalidTemplate::Repeated),
        ("/{a}/x{a}", InvalidTemplate::Repeated),
    ] {
        assert_eq!(PathTemplate::new(text), Err(error), "{text}");
    }
    let template = PathTemplate::new("/v1/{account}/*/{object}").unwrap();
    let path = b"/v1/AUTH_x/c/na%20me";
    assert!(
        template.matches(path)
            && !template.matches(b"/v1/AUTH_x/c/")
            && !template.matches(b"/v1/a/b")
    );
    assert_eq!(template.variable("account", path), Some(&b"AUTH_x"[..]));
    assert_eq!(template.variable("object", path), Some(&b"na%20me"[..]));
    assert_eq!(template.variable("other", path), None);
    let swift = PathTemplate::new("/v1/AUTH_{account}/**").unwrap();
    assert_eq!(swift.variable("account", path), Some(&b"x"[..]));
    assert!(swift.matches(path) && !swift.matches(b"/v1/AUTH_/c") && !swift.matches(b"/v1/x/c"));
    for (template, path, is_it) in [
        ("/**", "/", true),
        ("/**", "/a/b", true),
        ("/a/**", "/a", true),
        ("/a/**", "/ab", false),
        ("/", "/", true),
        ("/", "/a", false),
        ("/{x}", "/", false),
        ("/a/", "/a/", true),
        ("/a/", "/a", false),
        ("/a*", "/a", true),
        ("/a*", "/abc", true),
        ("/a*", "/b", false),
        ("/a*", "/a/b", false),
    ] {
        let template_ = PathTemplate::new(template).unwrap();
        assert_eq!(template_.matches(path.as_bytes()), is_it, "{template} {path}");
    }
}

#[test]
fn there_are_no_more_operations_than_are_counted() {
    let rules = |count| vec![allow(vec![Operation::default(); count], vec![])];
    assert!(Acl::new(rules(MAX_OPERATIONS + 1), Action::Deny).is_none());
    let mut rules = rules(MAX_OPERATIONS - 1);
    rules.push(deny(vec![operation(&[], "/last")], vec![]));
    let acl = acl(rules);
    assert_eq!(ask(&acl, "GET", "/last", &Caller::default()).rule, Some(1));
    assert_eq!(ask(&acl, "GET", "/other", &Caller::default()).rule, Some(0));
}
