//! The section `acl`: who may do what.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::check::{MAX_RULES, methods, own_name, templates};
use super::setting::Setting;
use crate::acl::s3::{BaseHosts, BucketPattern, S3Operations, S3Pattern};
use crate::acl::{
    Acl, Action, Attribute, Condition, Expected, HostPattern, IpBlock, MAX_OPERATIONS, Operation,
    PathTemplate, Rule,
};

/// `token_alone`: nothing is taken but tokens of which no record is known.
pub(super) fn check(section: &Setting<'_>, token_alone: bool) -> Option<Acl> {
    let list = section.field("rules");
    list.at_most(MAX_RULES, "at most 256 rules");
    let mut rules = Vec::<Rule>::new();
    for section in list.values() {
        let name = own_name(&section, |name| rules.iter().any(|other| other.name == name));
        rules.push(rule(&section, name, token_alone));
    }
    let acl = Acl::new(rules, action(section.text("default")));
    if acl.is_none() {
        list.refuse(&format!("at most {MAX_OPERATIONS} paths and keys, over all rules"));
    }
    Some(acl?.with_s3_hosts(s3_hosts(&section.field("s3_hosts"))))
}

fn s3_hosts(field: &Setting<'_>) -> BaseHosts {
    field.at_most(MAX_HOSTS, "at most 64 names");
    BaseHosts::new(&field.strings()).unwrap_or_else(|place| {
        let host = field.values().nth(place);
        host.unwrap_or(*field).refuse(
            "a host's name without a port, such as s3.example, and not under another one of them",
        );
        BaseHosts::default()
    })
}

fn rule(section: &Setting<'_>, name: String, token_alone: bool) -> Rule {
    let to = operations(&section.field("to"));
    let when = conditions(&section.field("when"), &to, token_alone);
    let lists = section.field("when_any");
    lists.at_most(MAX_CONDITIONS, "at most 16 lists");
    let mut when_any = Vec::new();
    for list in lists.values() {
        let conditions = conditions(&list, &to, token_alone);
        // It would hold of everybody, and all the others be in vain.
        if conditions.is_empty() {
            list.refuse("1 to 16 conditions");
        }
        when_any.push(conditions);
    }
    let from = blocks(&section.field("from"));
    Rule { name, action: action(section.text("action")), to, from, when, when_any }
}

/// Conditions that must hold together.
fn conditions(list: &Setting<'_>, to: &[Operation], token_alone: bool) -> Vec<Condition> {
    list.at_most(MAX_CONDITIONS, "at most 16 conditions");
    let mut conditions = Vec::new();
    for section in list.values() {
        conditions.extend(condition(&section, to, token_alone));
    }
    conditions
}

fn action(text: Option<&str>) -> Action {
    if text == Some("allow") { Action::Allow } else { Action::Deny }
}

/// One operation for each path or key.
fn operations(list: &Setting<'_>) -> Vec<Operation> {
    let mut operations = Vec::new();
    for section in list.values() {
        let paths = templates(&section.field("paths"));
        let keys = section.field("keys").each(KEY, |key| PathTemplate::of_key(key).ok());
        let is_s3 = !keys.is_empty()
            || ["operations", "buckets"].iter().any(|name| section.field(name).is_given());
        if is_s3 && !paths.is_empty() {
            section.refuse("given either `paths`, or `operations`, `buckets` and `keys`");
        }
        let whole = Operation {
            hosts: hosts(&section.field("hosts")),
            methods: methods(&section.field("methods")),
            path: None,
            s3: s3(&section),
        };
        let first = operations.len();
        for path in paths {
            operations.push(Operation { path: Some(path), ..whole.clone() });
        }
        for key in keys {
            let s3 = whole.s3.clone().unwrap_or_default();
            operations
                .push(Operation { s3: Some(S3Pattern { key: Some(key), ..s3 }), ..whole.clone() });
        }
        if operations.len() == first {
            operations.push(whole);
        }
    }
    if operations.is_empty() {
        operations.push(Operation::default());
    }
    operations
}

/// What is asked of S3, whatever the key; nothing where nothing is said.
fn s3(section: &Setting<'_>) -> Option<S3Pattern> {
    let (names, buckets) = (section.field("operations"), section.field("buckets"));
    if !names.is_given() && !buckets.is_given() {
        return None;
    }
    let operations = names.each(
        "an operation of S3 by AWS's name for it, such as GetObject, or the beginning of some with a \
         star, such as Get*",
        S3Operations::named,
    );
    buckets.at_most(MAX_BUCKETS, "at most 64 names");
    let buckets = buckets.each(
        "a bucket's name, such as photos, or the beginning of some with a star, such as photos-*",
        BucketPattern::new,
    );
    Some(S3Pattern {
        operations: operations.into_iter().reduce(S3Operations::and),
        buckets,
        key: None,
    })
}

pub(super) fn hosts(field: &Setting<'_>) -> Vec<HostPattern> {
    let limits = "a host's name without a port, such as compute.example or *.example";
    field.each(limits, HostPattern::new)
}

fn blocks(list: &Setting<'_>) -> Vec<IpBlock> {
    let mut blocks = Vec::new();
    for section in list.values() {
        let field = section.field("ip_blocks");
        let some = field.each(
            "an address or a block of addresses, such as 192.0.2.0/24, with no bits set behind its \
             length",
            IpBlock::new,
        );
        // None would stand for all addresses.
        if some.is_empty() || blocks.len() + some.len() > MAX_BLOCKS {
            field.refuse("there, and at most 256 in one rule");
        }
        blocks.extend(some);
    }
    blocks
}

fn condition(section: &Setting<'_>, to: &[Operation], token_alone: bool) -> Option<Condition> {
    let known = Attribute::ALL.into_iter().filter(|it| !token_alone || it.is_in_token());
    let key = section.field("key");
    let attribute = known.clone().find(|it| Some(it.name()) == key.as_text());
    if attribute.is_none() {
        let names: Vec<_> = known.map(Attribute::name).collect();
        let why =
            if token_alone { " (with token.identity `payload` no more is known)" } else { "" };
        key.refuse(&format!("one of {}{why}", names.join(", ")));
    }
    let (values, not_values) = (section.field("values"), section.field("not_values"));
    if !values.is_given() && !not_values.is_given() {
        section.refuse("given `values` or `not_values`");
    }
    Some(Condition {
        attribute: attribute?,
        values: expected(&values, to),
        not_values: expected(&not_values, to),
        or_none: section.flag("or_none", false),
    })
}

/// Each is `*`, a variable of the path in braces, or a text.
fn expected(list: &Setting<'_>, to: &[Operation]) -> Vec<Expected> {
    let mut all = Vec::new();
    for value in list.values() {
        let text = value.as_text().unwrap_or_default();
        all.push(match text.strip_prefix('{') {
            None if text == "*" => Expected::Present,
            None => Expected::Text(text.into()),
            Some(name) => Expected::Variable(name.strip_suffix('}').unwrap_or_default().into()),
        });
        // Where it is missing, the rule would silently say nothing, or too much.
        if let Some(Expected::Variable(name)) = all.last()
            && !to.iter().all(|it| it.template().is_some_and(|path| path.has_variable(name)))
        {
            value.refuse("a {variable} that is in every path or key of the rule");
        }
        if text.is_empty() {
            value.refuse("a text, `*` for any, or a {variable} of the path or key");
        }
    }
    if list.is_given() && !(1..=MAX_VALUES).contains(&all.len()) {
        list.refuse("1 to 64 values");
    }
    all
}

const KEY: &str = "a key such as 2026/**, whose parts between slashes are texts or end with * or a \
                   {name}, and not empty, dots, or with backslashes or encoded ones";

const MAX_CONDITIONS: usize = 16;
const MAX_VALUES: usize = 64;
const MAX_BLOCKS: usize = 256;
const MAX_BUCKETS: usize = 64;
const MAX_HOSTS: usize = 64;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Config, example};
    use alloc::string::ToString as _;
    use alloc::vec;
    use serde_json::{Value, json};

    fn parse(acl: &Value) -> Result<Acl, String> {
        let changes = json!({"acl": acl, "token": {"identity": "records"}});
        let config = Config::parse(example::with(&changes).as_bytes());
        config.map(|config| config.acl.unwrap()).map_err(|error| error.to_string())
    }

    fn parse_rule(rule: &Value) -> Result<Rule, String> {
        let mut whole = json!({"name": "a", "action": "allow"});
        whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        parse(&json!({"rules": [whole]})).map(|acl| acl.rules()[0].clone())
    }

    #[test]
    fn there_is_no_list_by_default_and_an_empty_one_allows_nothing() {
        assert!(Config::parse(example::with(&json!({})).as_bytes()).unwrap().acl.is_none());
        let empty = parse(&json!({})).unwrap();
        assert!(empty.rules().is_empty());
        assert_eq!(empty.default(), Action::Deny);
        assert_eq!(parse(&json!({"default": "allow"})).unwrap().default(), Action::Allow);
    }

    #[test]
    fn every_field_can_be_set() {
        let rule = parse_rule(&json!({
            "to": [
                {"hosts": ["compute.example", "*.internal"], "methods": ["GET", "PUT"],
                 "paths": ["/v2.1/{project_id}/servers/**", "/v2/{project_id}"]},
                {"methods": ["HEAD"], "paths": ["/{project_id}"]},
            ],
            "from": [{"ip_blocks": ["192.0.2.0/24", "2001:db8::1"]}, {"ip_blocks": ["10.0.0.1"]}],
            "when": [
                {"key": "project_id", "values": ["{project_id}", "p1"]},
                {"key": "roles", "values": ["*"], "not_values": ["reader"]},
            ],
        }));
        let rule = rule.unwrap();
        assert_eq!((rule.to.len(), rule.from.len(), rule.when.len()), (3, 3, 2));
        assert_eq!(rule.to[1].hosts.len(), 2);
        assert_eq!(rule.to[2].methods, ["HEAD"]);
        let own = Expected::Variable("project_id".into());
        assert_eq!(rule.when[0].values, [own, Expected::Text("p1".into())]);
        assert_eq!(rule.when[1].values, [Expected::Present]);
        assert_eq!(rule.when[1].not_values, [Expected::Text("reader".into())]);
        let s3 = parse_rule(&json!({
            "to": [{"operations": ["GetObject", "List*"], "buckets": ["photos", "archive-*"],
                    "keys": ["2026/**", "{user}/ä*"]},
                   {"buckets": ["*"]}],
        }));
        let s3 = s3.unwrap().to.into_iter().map(|operation| operation.s3.unwrap());
        let said = s3.map(|it| (it.operations.is_some(), it.buckets.len(), it.key.is_some()));
        assert_eq!(said.collect::<Vec<_>>(), [(true, 2, true), (true, 2, true), (false, 1, false)]);
        let any = parse_rule(&json!({
            "when_any": [[{"key": "roles", "values": ["a"]}, {"key": "system", "values": ["all"]}],
                         [{"key": "roles", "not_values": ["b"], "or_none": true}]],
        }));
        let any = any.unwrap().when_any;
        assert_eq!(any.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert!(any[1][0].or_none && !any[0][0].or_none);
        let bare = parse_rule(&json!({})).unwrap();
        assert_eq!((bare.to.len(), bare.from.len(), bare.when.len()), (1, 0, 0));
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        let many = |count: usize| vec!["a"; count];
        for (rule, field) in [
            (json!({"name": ""}), ".name"),
            (json!({"name": "a b"}), ".name"),
            (json!({"name": "default"}), ".name"),
            (json!({"name": "a".repeat(65)}), ".name"),
            (json!({"to": [{"methods": ["get"]}]}), ".to[0].methods[0]"),
            (json!({"to": [{"hosts": ["a:80"]}]}), ".to[0].hosts[0]"),
            (json!({"to": [{}, {"paths": ["/a", "/a/../b"]}]}), ".to[1].paths[1]"),
            (json!({"to": [{"paths": ["/**/b"]}]}), ".to[0].paths[0]"),
            (json!({"to": [{"operations": ["GetObject", "Gett*"]}]}), ".to[0].operations[1]"),
            (json!({"to": [{"buckets": ["a/b"]}]}), ".to[0].buckets[0]"),
            (json!({"to": [{"buckets": ["a*b"]}]}), ".to[0].buckets[0]"),
            (json!({"to": [{"buckets": many(65)}]}), ".to[0].buckets"),
            (json!({"to": [{"keys": ["a", "/a"]}]}), ".to[0].keys[1]"),
            (json!({"to": [{"keys": [""]}]}), ".to[0].keys[0]"),
            (json!({"to": [{"keys": ["a"], "paths": ["/a"]}]}), ".to[0]"),
            (json!({"from": [{"ip_blocks": []}]}), ".from[0].ip_blocks"),
            (json!({"from": [{"ip_blocks": ["10.0.0.1/8"]}]}), ".from[0].ip_blocks[0]"),
            (json!({"when": [{"key": "role", "values": ["a"]}]}), ".when[0].key"),
            (json!({"when": [{"key": "roles"}]}), ".when[0]"),
            (json!({"when": [{"key": "roles", "values": []}]}), ".when[0].values"),
            (json!({"when": [{"key": "roles", "not_values": many(65)}]}), ".when[0].not_values"),
            (json!({"when": [{"key": "roles", "values": ["a", ""]}]}), ".when[0].values[1]"),
            (json!({"when": [{"key": "user_id", "values": ["{user}"]}]}), ".when[0].values[0]"),
            (
                json!({"to": [{"paths": ["/{user}", "/a"]}],
                       "when": [{"key": "user_id", "values": ["{user}"]}]}),
                ".when[0].values[0]",
            ),
        ] {
            let message = parse_rule(&rule).unwrap_err();
            let expected = format!("acl.rules[0]{field}: must be ");
            assert!(message.starts_with(&expected), "{rule}: {message}");
        }
        let condition = json!({"key": "roles", "values": ["a"]});
        let message = parse_rule(&json!({"when": vec![&condition; 17]})).unwrap_err();
        assert!(message.starts_with("acl.rules[0].when: must be "), "{message}");
        let message = parse_rule(&json!({"when_any": vec![[&condition]; 17]})).unwrap_err();
        assert!(message.starts_with("acl.rules[0].when_any: must be "), "{message}");
        let message = parse_rule(&json!({"when_any": [[&condition], []]})).unwrap_err();
        assert!(message.starts_with("acl.rules[0].when_any[1]: must be "), "{message}");
        let lists = json!({"when_any": [[&condition], [{"key": "role", "values": ["a"]}]]});
        let message = parse_rule(&lists).unwrap_err();
        assert!(message.starts_with("acl.rules[0].when_any[1][0].key: must be "), "{message}");
        let rule = |name: &str| json!({"name": name, "action": "deny"});
        let message = parse(&json!({"rules": [rule("a"), rule("a")]})).unwrap_err();
        assert!(message.starts_with("acl.rules[1].name: must be "), "{message}");
        let message = parse(&json!({"s3_hosts": ["a", "b.a"]})).unwrap_err();
        assert!(message.starts_with("acl.s3_hosts[1]: must be "), "{message}");
        let message = parse(&json!({"s3_hosts": many(65)})).unwrap_err();
        assert_eq!(message, "acl.s3_hosts: must be at most 64 names");
        let names = (0..257).map(|number| rule(&number.to_string()));
        let message = parse(&json!({"rules": names.collect::<Vec<_>>()})).unwrap_err();
        assert_eq!(message, "acl.rules: must be at most 256 rules");
        let message = parse_rule(&json!({"to": [{"paths": vec!["/a"; 513]}]})).unwrap_err();
        assert_eq!(message, "acl.rules: must be at most 512 paths and keys, over all rules");
    }

    #[test]
    fn of_a_token_alone_only_what_it_says_can_be_asked() {
        let parse = |key: &str| {
            let rule =
                json!({"name": "a", "action": "allow", "when": [{"key": key, "values": ["x"]}]});
            let changes = json!({"acl": {"rules": [rule]}, "token": {"identity": "payload"}});
            let config = Config::parse(example::with(&changes).as_bytes());
            config.map_err(|error| error.to_string())
        };
        assert!(parse("project_id").is_ok());
        let message = parse("roles").unwrap_err();
        assert!(message.starts_with("acl.rules[0].when[0].key: must be one of "), "{message}");
        assert!(message.contains("payload") && !message.contains("roles"), "{message}");
    }
}
