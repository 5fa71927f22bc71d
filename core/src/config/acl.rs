//! The section `acl`: who may do what.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::check::{MAX_RULES, methods, own_name, templates};
use super::{ConfigError, raw};
use crate::acl::s3::{BaseHosts, BucketPattern, S3Operations, S3Pattern};
use crate::acl::{
    Acl, Action, Attribute, Condition, Expected, HostPattern, IpBlock, MAX_OPERATIONS, Operation,
    PathTemplate, Rule,
};

/// `token_alone`: nothing is taken but tokens of which no record is known.
pub(super) fn check(raw: raw::Acl, token_alone: bool) -> Result<Acl, ConfigError> {
    if raw.rules.len() > MAX_RULES {
        return Err(ConfigError::limits("acl.rules", "at most 256 rules"));
    }
    let mut rules = Vec::<Rule>::new();
    for (index, raw) in raw.rules.into_iter().enumerate() {
        let field = format!("acl.rules[{index}]");
        own_name(&raw.name, rules.iter().map(|rule| &*rule.name), &field)?;
        rules.push(rule(raw, &field, token_alone)?);
    }
    let default = raw.default.map_or(Action::Deny, action);
    let acl = Acl::new(rules, default).ok_or_else(|| {
        let limits = format!("at most {MAX_OPERATIONS} paths and keys, over all rules");
        ConfigError::limits("acl.rules", limits)
    })?;
    Ok(acl.with_s3_hosts(s3_hosts(&raw.s3_hosts)?))
}

fn s3_hosts(names: &[String]) -> Result<BaseHosts, ConfigError> {
    if names.len() > MAX_HOSTS {
        return Err(ConfigError::limits("acl.s3_hosts", "at most 64 names"));
    }
    BaseHosts::new(names).map_err(|index| {
        ConfigError::limits(
            format!("acl.s3_hosts[{index}]"),
            "a host's name without a port, such as s3.example, and not under another one of them",
        )
    })
}

fn rule(raw: raw::AclRule, field: &str, token_alone: bool) -> Result<Rule, ConfigError> {
    let to = operations(raw.to, field)?;
    let when = conditions(raw.when, &format!("{field}.when"), &to, token_alone)?;
    if raw.when_any.len() > MAX_CONDITIONS {
        return Err(ConfigError::limits(format!("{field}.when_any"), "at most 16 lists"));
    }
    let when_any = raw.when_any.into_iter().enumerate().map(|(index, raw)| {
        let field = format!("{field}.when_any[{index}]");
        // It would hold of everybody, and all the others be in vain.
        if raw.is_empty() {
            return Err(ConfigError::limits(field, "1 to 16 conditions"));
        }
        conditions(raw, &field, &to, token_alone)
    });
    let when_any = when_any.collect::<Result<_, _>>()?;
    Ok(Rule {
        name: raw.name,
        action: action(raw.action),
        to,
        from: blocks(raw.from, field)?,
        when,
        when_any,
    })
}

/// Conditions that must hold together.
fn conditions(
    raw: Vec<raw::AclWhen>,
    field: &str,
    to: &[Operation],
    token_alone: bool,
) -> Result<Vec<Condition>, ConfigError> {
    if raw.len() > MAX_CONDITIONS {
        return Err(ConfigError::limits(field, "at most 16 conditions"));
    }
    let raw = raw.into_iter().enumerate();
    raw.map(|(index, raw)| condition(raw, &format!("{field}[{index}]"), to, token_alone)).collect()
}

fn action(raw: raw::AclAction) -> Action {
    match raw {
        raw::AclAction::Allow => Action::Allow,
        raw::AclAction::Deny => Action::Deny,
    }
}

/// One operation for each path or key.
fn operations(raw: Vec<raw::AclTo>, field: &str) -> Result<Vec<Operation>, ConfigError> {
    let mut operations = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let field = format!("{field}.to[{index}]");
        let paths = raw.paths.unwrap_or_default();
        let keys = raw.keys.unwrap_or_default();
        let s3 = s3(raw.operations.as_deref(), raw.buckets, &keys, &field)?;
        if s3.is_some() && !paths.is_empty() {
            return Err(ConfigError::limits(
                field,
                "given either `paths`, or `operations`, `buckets` and `keys`",
            ));
        }
        let operation = Operation {
            hosts: hosts(&raw.hosts.unwrap_or_default(), &field)?,
            methods: methods(raw.methods, &field)?,
            path: None,
            s3,
        };
        if paths.is_empty() && keys.is_empty() {
            operations.push(operation.clone());
        }
        for path in templates(&paths, &field)? {
            operations.push(Operation { path: Some(path), ..operation.clone() });
        }
        for (index, key) in keys.iter().enumerate() {
            let key = PathTemplate::of_key(key).map_err(|_| {
                ConfigError::limits(
                    format!("{field}.keys[{index}]"),
                    "a key such as 2026/**, whose parts between slashes are texts or end with * or a \
                     {name}, and not empty, dots, or with backslashes or encoded ones",
                )
            })?;
            let s3 = operation.s3.clone().map(|s3| S3Pattern { key: Some(key), ..s3 });
            operations.push(Operation { s3, ..operation.clone() });
        }
    }
    if operations.is_empty() {
        operations.push(Operation::default());
    }
    Ok(operations)
}

/// What is asked of S3, but for the key; nothing where nothing is said.
fn s3(
    called: Option<&[String]>,
    buckets: Option<Vec<String>>,
    keys: &[String],
    field: &str,
) -> Result<Option<S3Pattern>, ConfigError> {
    if called.is_none() && buckets.is_none() && keys.is_empty() {
        return Ok(None);
    }
    let mut operations: Option<S3Operations> = None;
    for (index, name) in called.unwrap_or_default().iter().enumerate() {
        let named = S3Operations::named(name).ok_or_else(|| {
            ConfigError::limits(
                format!("{field}.operations[{index}]"),
                "an operation of S3 by AWS's name for it, such as GetObject, or the beginning of some \
                 with a star, such as Get*",
            )
        })?;
        operations = Some(operations.map_or(named, |others| others.and(named)));
    }
    let buckets = buckets.unwrap_or_default();
    if buckets.len() > MAX_BUCKETS {
        return Err(ConfigError::limits(format!("{field}.buckets"), "at most 64 names"));
    }
    let bucket = |(index, name): (usize, &String)| {
        BucketPattern::new(name).ok_or_else(|| {
            ConfigError::limits(
                format!("{field}.buckets[{index}]"),
                "a bucket's name, such as photos, or the beginning of some with a star, such as photos-*",
            )
        })
    };
    let buckets = buckets.iter().enumerate().map(bucket).collect::<Result<_, _>>()?;
    Ok(Some(S3Pattern { operations, buckets, key: None }))
}

pub(super) fn hosts(names: &[String], field: &str) -> Result<Vec<HostPattern>, ConfigError> {
    let names = names.iter().enumerate();
    let host = |(index, name): (usize, &String)| {
        HostPattern::new(name).ok_or_else(|| {
            ConfigError::limits(
                format!("{field}.hosts[{index}]"),
                "a host's name without a port, such as compute.example or *.example",
            )
        })
    };
    names.map(host).collect()
}

fn blocks(raw: Vec<raw::AclFrom>, field: &str) -> Result<Vec<IpBlock>, ConfigError> {
    let mut blocks = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        for (place, text) in raw.ip_blocks.iter().enumerate() {
            let block = IpBlock::new(text).ok_or_else(|| {
                ConfigError::limits(
                    format!("{field}.from[{index}].ip_blocks[{place}]"),
                    "an address or a block of addresses, such as 192.0.2.0/24, with no bits set \
                     behind its length",
                )
            })?;
            blocks.push(block);
        }
        // None would stand for all addresses.
        if raw.ip_blocks.is_empty() || blocks.len() > MAX_BLOCKS {
            return Err(ConfigError::limits(
                format!("{field}.from[{index}].ip_blocks"),
                "there, and at most 256 in one rule",
            ));
        }
    }
    Ok(blocks)
}

fn condition(
    raw: raw::AclWhen,
    field: &str,
    to: &[Operation],
    token_alone: bool,
) -> Result<Condition, ConfigError> {
    let known = Attribute::ALL.into_iter().filter(|it| !token_alone || it.is_in_token());
    let attribute = known.clone().find(|it| it.name() == raw.key).ok_or_else(|| {
        let names: Vec<_> = known.map(Attribute::name).collect();
        let why =
            if token_alone { " (with token.identity `payload` no more is known)" } else { "" };
        ConfigError::limits(format!("{field}.key"), format!("one of {}{why}", names.join(", ")))
    })?;
    if raw.values.is_none() && raw.not_values.is_none() {
        return Err(ConfigError::limits(field, "given `values` or `not_values`"));
    }
    let all = |values: Option<Vec<String>>, name: &str| {
        let Some(values) = values else { return Ok(Vec::new()) };
        let field = format!("{field}.{name}");
        if !(1..=MAX_VALUES).contains(&values.len()) {
            return Err(ConfigError::limits(field, "1 to 64 values"));
        }
        let values = values.into_iter().enumerate();
        values.map(|(index, text)| expected(text, &format!("{field}[{index}]"), to)).collect()
    };
    Ok(Condition {
        attribute,
        values: all(raw.values, "values")?,
        not_values: all(raw.not_values, "not_values")?,
        or_none: raw.or_none,
    })
}

/// `*`, a variable of the path in braces, or a text.
fn expected(text: String, field: &str, to: &[Operation]) -> Result<Expected, ConfigError> {
    let Some(name) = text.strip_prefix('{') else {
        return match &*text {
            "" => Err(ConfigError::limits(
                field,
                "a text, `*` for any, or a {variable} of the path or key",
            )),
            "*" => Ok(Expected::Present),
            _ => Ok(Expected::Text(text)),
        };
    };
    let name = name.strip_suffix('}').unwrap_or_default();
    let has_it = |operation: &Operation| {
        operation.template().is_some_and(|template| template.has_variable(name))
    };
    // Where it is missing, the rule would silently say nothing, or too much.
    if to.iter().all(has_it) {
        return Ok(Expected::Variable(name.into()));
    }
    Err(ConfigError::limits(field, "a {variable} that is in every path or key of the rule"))
}

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
