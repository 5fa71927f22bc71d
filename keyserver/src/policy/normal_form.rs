//! Policies as alternatives of conditions that hold together, which is how a rule of the access control list
//! asks.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Condition, Meaning};
use super::expression::{Check, Expression};

/// One of these must hold: all of its conditions. None at all stands for nobody.
pub(super) type Alternatives = BTreeSet<BTreeSet<Condition>>;

/// What becomes of a check that the proxy cannot make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is as if it held, so that the service decides.
    Leave,
    /// It is as if it did not.
    Deny,
}

/// What is needed to read a policy.
pub(super) struct Reader<'a> {
    pub(super) policies: &'a BTreeMap<String, Expression>,
    /// The variables of the path.
    pub(super) variables: &'a [String],
    /// Checks that never hold, says the operator.
    pub(super) never: &'a [Check],
    pub(super) unknown: Unknown,
    /// What the proxy cannot tell, as far as it was read.
    pub(super) reasons: BTreeSet<String>,
}

/// A policy that cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It names a policy that there is none of.
    NoPolicy(String),
    /// It leads back to itself.
    Cycle(String),
    /// It comes to more than [`MAX_ALTERNATIVES`], or policies name one another more often than
    /// [`MAX_NESTED`].
    TooLarge,
}

impl Reader<'_> {
    /// Who fulfils a policy.
    pub(super) fn read(&mut self, expression: &Expression) -> Result<Alternatives, Unreadable> {
        self.read_as(expression, false, &mut Vec::new())
    }

    /// Who fulfils it, or who does not. `within` are the policies that have led here.
    fn read_as(
        &mut self,
        expression: &Expression,
        is_not: bool,
        within: &mut Vec<String>,
    ) -> Result<Alternatives, Unreadable> {
        match expression {
            Expression::Not(inner) => self.read_as(inner, !is_not, within),
            Expression::Check(check) => self.read_check(check, is_not, within),
            Expression::All(parts) | Expression::Any(parts) => {
                // What is not so of all is not so of one of them.
                let are_together = matches!(expression, Expression::All(_)) != is_not;
                let mut all = if are_together { everybody() } else { Alternatives::new() };
                for part in parts {
                    let part = self.read_as(part, is_not, within)?;
                    all = if are_together { both(&all, &part) } else { either(all, part) };
                    if all.len() > MAX_ALTERNATIVES {
                        return Err(Unreadable::TooLarge);
                    }
                }
                Ok(all)
            }
        }
    }

    fn read_check(
        &mut self,
        check: &Check,
        is_not: bool,
        within: &mut Vec<String>,
    ) -> Result<Alternatives, Unreadable> {
        let constant = |holds: bool| if holds { everybody() } else { Alternatives::new() };
        if self.never.contains(check) {
            return Ok(constant(is_not));
        }
        match Meaning::of(check, self.variables) {
            Meaning::Constant(holds) => Ok(constant(holds != is_not)),
            Meaning::Condition(condition) => {
                let condition = if is_not { condition.negated() } else { condition };
                Ok([[condition].into()].into())
            }
            Meaning::Policy(name) => {
                if within.contains(&name) {
                    return Err(Unreadable::Cycle(name));
                }
                if within.len() == MAX_NESTED {
                    return Err(Unreadable::TooLarge);
                }
                // oslo.policy's own default, where a name means nothing.
                let policy = self.policies.get(&name).or_else(|| self.policies.get("default"));
                let policy = policy.ok_or_else(|| Unreadable::NoPolicy(name.clone()))?;
                within.push(name);
                let read = self.read_as(policy, is_not, within);
                within.pop();
                read
            }
            // What services call so is whoever fulfils this policy.
            Meaning::Unknown(_)
                if check.kind == "is_admin"
                    && ["True", "False"].contains(&check.value.as_str())
                    && self.policies.contains_key(IS_ADMIN) =>
            {
                let policy = Check { kind: "rule".into(), value: IS_ADMIN.into() };
                self.read_check(&policy, is_not == (check.value == "True"), within)
            }
            Meaning::Unknown(reason) => {
                self.reasons.insert(reason);
                Ok(constant(self.unknown == Unknown::Leave))
            }
        }
    }
}

/// One alternative without conditions.
pub(super) fn everybody() -> Alternatives {
    [BTreeSet::new()].into()
}

/// Who fulfils one or the other.
pub(super) fn either(mut some: Alternatives, others: Alternatives) -> Alternatives {
    some.extend(others);
    simplified(&some)
}

/// Who fulfils both.
pub(super) fn both(some: &Alternatives, others: &Alternatives) -> Alternatives {
    let pairs = some.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
    simplified(&pairs.map(|(one, other)| one.union(other).cloned().collect()).collect())
}

/// Without what nobody fulfils, and what says no more than another.
fn simplified(all: &Alternatives) -> Alternatives {
    let is_possible = |one: &&BTreeSet<Condition>| {
        !one.iter().any(|this| one.iter().any(|that| this.excludes(that)))
    };
    let possible: Vec<_> = all.iter().filter(is_possible).collect();
    let says_more = |one: &BTreeSet<Condition>| {
        possible.iter().any(|other| other.len() < one.len() && other.is_subset(one))
    };
    possible.iter().filter(|one| !says_more(one)).map(|one| (*one).clone()).collect()
}

/// The policy by which services make what they call `is_admin`.
const IS_ADMIN: &str = "context_is_admin";

/// The most alternatives of one policy, at any time.
pub(super) const MAX_ALTERNATIVES: usize = 64;

/// How often one policy may name another that names another.
pub(super) const MAX_NESTED: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::condition::when;
    use serde_json::Value;

    fn read(text: &str, unknown: Unknown) -> Result<String, Unreadable> {
        let policies = [
            ("admin", "role:admin"),
            ("member", "role:member and not rule:admin"),
            ("context_is_admin", "role:root"),
            ("loop", "role:x or rule:other"),
            ("other", "rule:loop"),
        ];
        let policies = policies.map(|(name, text)| (name.into(), Expression::parse(text).unwrap()));
        let never = [Check { kind: "field".into(), value: "shared".into() }];
        let mut reader = Reader {
            policies: &policies.into(),
            variables: &["project_id".into()],
            never: &never,
            unknown,
            reasons: BTreeSet::new(),
        };
        let read = reader.read(&Expression::parse(text).unwrap())?;
        let written = |condition: &Value| {
            let field = |name: &str| condition[name].as_array().cloned();
            let values = field("values").or_else(|| field("not_values")).unwrap();
            let sign = if condition.get("values").is_some() { "=" } else { "!" };
            let values: Vec<_> = values.iter().map(|it| it.as_str().unwrap()).collect();
            format!("{}{sign}{}", condition["key"].as_str().unwrap(), values.join(","))
        };
        let written = read.iter().map(|all| match when(all) {
            all if all.is_empty() => "@".into(),
            all => all.iter().map(written).collect::<Vec<_>>().join(" "),
        });
        Ok(written.collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn a_policy_is_alternatives_of_conditions() {
        for (text, expected) in [
            ("", "@"),
            ("!", ""),
            ("not !", "@"),
            ("rule:admin", "roles=admin"),
            ("rule:member", "roles=member roles!admin"),
            ("not rule:member", "roles=admin | roles!member"),
            ("not (role:a or role:b)", "roles!a,b"),
            ("not (role:a and role:b)", "roles!a | roles!b"),
            ("role:a and (role:b or system_scope:all)", "roles=a roles=b | roles=a system=all"),
            ("role:a or role:a and role:b", "roles=a"),
            ("role:a and not role:a or role:b", "roles=b"),
            ("project_id:%(project_id)s", "project_id={project_id}"),
            ("is_admin:True", "roles=root"),
            ("is_admin:False", "roles!root"),
            ("not is_admin:True and role:x", "roles=x roles!root"),
            ("field:shared or role:x", "roles=x"),
            ("role:x and @", "roles=x"),
            ("role:x or @", "@"),
        ] {
            for unknown in [Unknown::Leave, Unknown::Deny] {
                assert_eq!(read(text, unknown).as_deref(), Ok(expected), "{text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_told_is_left_to_the_service_or_nobodys() {
        for (text, left, denied) in [
            ("role:a and user_id:%(owner)s", "roles=a", ""),
            ("role:a or user_id:%(owner)s", "@", "roles=a"),
            ("role:a and not user_id:%(owner)s", "roles=a", ""),
            ("not (role:a and user_id:%(owner)s)", "@", "roles!a"),
        ] {
            assert_eq!(read(text, Unknown::Leave).as_deref(), Ok(left), "{text}");
            assert_eq!(read(text, Unknown::Deny).as_deref(), Ok(denied), "{text}");
        }
    }

    #[test]
    fn what_leads_nowhere_cannot_be_read() {
        let read = |text: &str| read(text, Unknown::Leave);
        assert_eq!(read("rule:nothing"), Err(Unreadable::NoPolicy("nothing".into())));
        assert_eq!(read("rule:loop"), Err(Unreadable::Cycle("loop".into())));
        let product: Vec<_> = (0..8).map(|n| format!("(role:a{n} or role:b{n})")).collect();
        assert_eq!(read(&product.join(" and ")), Err(Unreadable::TooLarge));
    }
}
