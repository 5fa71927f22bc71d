//! What of a check the proxy can tell: conditions on the sender, in the words of its access control list.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::expression::Check;

/// What a check comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It always holds, or never.
    Constant(bool),
    /// It holds if this does.
    Condition(Condition),
    /// It holds if the policy of this name does.
    Policy(String),
    /// The proxy cannot tell, for this reason.
    Unknown(String),
}

/// Something that is so of a sender, or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Condition {
    pub(super) attribute: &'static str,
    pub(super) expected: Expected,
    pub(super) is_not: bool,
}

/// What an attribute is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expected {
    Anything,
    Text(String),
    /// What stands in the path.
    Variable(String),
}

impl Condition {
    /// That the sender has this attribute.
    pub(super) fn some(attribute: &'static str) -> Self {
        Self { attribute, expected: Expected::Anything, is_not: false }
    }

    pub(super) fn negated(self) -> Self {
        Self { is_not: !self.is_not, ..self }
    }

    /// Whether both cannot be so of anybody.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        let is_same = self.expected == other.expected;
        let denies_any = |one: &Self| one.is_not && one.expected == Expected::Anything;
        self.attribute == other.attribute
            && self.is_not != other.is_not
            && (is_same || denies_any(self) || denies_any(other))
    }
}

impl Meaning {
    /// What a check comes to for requests with these variables in their path.
    pub(super) fn of(check: &Check, variables: &[String]) -> Self {
        let Check { kind, value } = check;
        let unknown = |why: &str| Self::Unknown(format!("`{check}`: {why}"));
        match kind.as_str() {
            "rule" => return Self::Policy(value.clone()),
            "http" | "https" => return unknown("another service is asked"),
            _ => {}
        }
        if let Some(literal) = literal(kind) {
            return if value.contains('%') {
                unknown("it asks for something of what is stored")
            } else {
                Self::Constant(literal == *value)
            };
        }
        let Some(attribute) = attribute(kind) else {
            return unknown("no such thing is known of a sender");
        };
        if attribute == "roles" && !value.is_ascii() {
            return unknown("letters beyond ASCII are not compared as oslo.policy does");
        }
        let expected = match value.strip_prefix("%(").and_then(|value| value.strip_suffix(")s")) {
            Some(target) if attribute != "roles" => match variable(target, variables) {
                Some(name) => Expected::Variable(name.into()),
                None => return unknown("that of the target is not in the path"),
            },
            _ if value.contains('%') => return unknown("it is put together of several things"),
            _ if value == "None" => return unknown("`None` is compared as a text"),
            _ if value.is_empty() || *value == "*" || value.starts_with('{') => {
                return unknown("the list has another meaning for that text");
            }
            _ => Expected::Text(value.clone()),
        };
        Self::Condition(Condition { attribute, expected, is_not: false })
    }
}

/// The attribute that oslo.policy's credentials have by this name: those of oslo.context, and those older
/// services make.
fn attribute(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "role" => "roles",
        "user_id" => "user_id",
        "user_domain_id" => "user_domain_id",
        "project_id" | "tenant_id" => "project_id",
        "project_domain_id" => "project_domain_id",
        "domain_id" => "domain_id",
        "system_scope" | "system" => "system",
        _ => return None,
    })
}

/// The variable of a path that is an attribute of what is asked for. Keystone says `target.user.id` of what stands
/// in the place of `{user_id}`.
fn variable<'a>(target: &str, variables: &'a [String]) -> Option<&'a str> {
    let flat = target.strip_prefix("target.").unwrap_or(target).replace('.', "_");
    let names: &[&str] = match flat.as_str() {
        "project_id" | "tenant_id" => &["project_id", "tenant_id"],
        name => &[name],
    };
    let names = names.iter().find_map(|name| variables.iter().find(|it| it == name));
    names.map(String::as_str)
}

/// What Python takes for a literal, as a text.
fn literal(kind: &str) -> Option<String> {
    let quoted = |quote| kind.strip_prefix(quote).and_then(|kind| kind.strip_suffix(quote));
    if let Some(text) = quoted('\'').or_else(|| quoted('"')) {
        return Some(text.into());
    }
    let is_number = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_digit());
    (is_number || ["True", "False", "None"].contains(&kind)).then(|| kind.into())
}

/// Conditions that hold together, as they stand in `when`.
pub(super) fn when(all: &BTreeSet<Condition>) -> Vec<Value> {
    let text = |expected: &Expected| match expected {
        Expected::Anything => "*".into(),
        Expected::Text(text) => text.clone(),
        Expected::Variable(name) => format!("{{{name}}}"),
    };
    let mut when: Vec<Value> = Vec::new();
    for Condition { attribute, expected, .. } in all.iter().filter(|it| !it.is_not) {
        when.push(json!({"key": attribute, "values": [text(expected)]}));
    }
    let mut not: Vec<(&str, Vec<String>)> = Vec::new();
    for Condition { attribute, expected, .. } in all.iter().filter(|it| it.is_not) {
        match not.last_mut() {
            Some((last, values)) if last == attribute => values.push(text(expected)),
            _ => not.push((attribute, vec![text(expected)])),
        }
    }
    // To oslo.policy, who has none is not another.
    let not = not.into_iter();
    when.extend(
        not.map(|(key, values)| json!({"key": key, "not_values": values, "or_none": true})),
    );
    when
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(check: &str, variables: &[&str]) -> Meaning {
        let (kind, value) = check.split_once(':').unwrap();
        let variables: Vec<_> = variables.iter().map(|it| String::from(*it)).collect();
        Meaning::of(&Check { kind: kind.into(), value: value.into() }, &variables)
    }

    #[test]
    fn what_a_sender_is_asked_is_a_condition() {
        let text = |text: &str| Expected::Text(text.into());
        let variable = |name: &str| Expected::Variable(name.into());
        for (check, variables, attribute, expected) in [
            ("role:admin", &[][..], "roles", text("admin")),
            ("system_scope:all", &[], "system", text("all")),
            ("user_id:%(user_id)s", &["user_id"], "user_id", variable("user_id")),
            ("user_id:%(target.user.id)s", &["user_id"], "user_id", variable("user_id")),
            ("project_id:%(project_id)s", &["tenant_id"], "project_id", variable("tenant_id")),
            ("tenant_id:%(tenant_id)s", &["project_id"], "project_id", variable("project_id")),
            ("project_id:abc", &[], "project_id", text("abc")),
        ] {
            let condition = Condition { attribute, expected, is_not: false };
            assert_eq!(meaning(check, variables), Meaning::Condition(condition), "{check}");
        }
        assert_eq!(meaning("rule:a:b", &[]), Meaning::Policy("a:b".into()));
    }

    #[test]
    fn what_is_not_known_is_none() {
        for check in [
            "project_id:%(project_id)s",
            "user_id:%(target.user.domain_id)s",
            "project_id:x%(project_id)s",
            "is_admin:True",
            "service_roles:service",
            "http://example/%(name)s",
            "field:networks:shared=True",
            "'Member':%(role.name)s",
            "role:%(role.name)s",
            "role:Ä",
            "domain_id:None",
            "user_id:",
            "user_id:*",
            "user_id:{x}",
        ] {
            assert!(matches!(meaning(check, &["user_id"]), Meaning::Unknown(_)), "{check}");
        }
    }

    #[test]
    fn literals_are_compared_at_once() {
        for (check, holds) in
            [("True:True", true), ("'a':a", true), ("1:2", false), ("None:x", false)]
        {
            assert_eq!(meaning(check, &[]), Meaning::Constant(holds), "{check}");
        }
    }
}
