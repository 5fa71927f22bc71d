//! The names under which an operator has written policies: what stands under one that the service does not
//! ask for would be lost, or means another policy to oslo.policy than to a list.

use std::collections::BTreeSet;

use super::expression::{Check, Expression};
use super::file::{Policies, Renamed, Sample};

/// What was found, a line for each.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// What nobody can leave open: a list without it may be stricter than the service, or laxer.
    pub(super) problems: BTreeSet<String>,
    /// What is lost, and changes no request that a list is about.
    pub(super) remarks: BTreeSet<String>,
}

impl Names {
    /// Looks at what is written in place of the defaults of a sample.
    pub(super) fn of(sample: &Sample, written: &Policies) -> Self {
        let mut names = Self::default();
        for renamed in sample.renamed.iter().filter(|renamed| renamed.is_taken(written)) {
            let Renamed { before, name } = renamed;
            names.problems.insert(format!(
                "{before}: `{name}` was called so before, and oslo.policy takes this rule for it: \
                 write the rule under its new name, `{name}`"
            ));
        }
        let used = used(sample, written);
        for name in written.keys().filter(|name| !used.contains(name.as_str())) {
            if sample.defaults.contains_key(name) {
                names.remarks.insert(format!(
                    "{name}: the sample knows no request that it is about, and no policy names it"
                ));
            } else if !sample.renamed.iter().any(|renamed| renamed.before == *name) {
                names.problems.insert(format!(
                    "{name}: the sample does not know it, and no policy names it; if a policy was \
                     called so before, oslo.policy takes this rule for it: write the rule under its \
                     new name, or take it out"
                ));
            }
        }
        names
    }
}

impl Renamed {
    /// Whether oslo.policy takes the rule of the old name for the policy (`Enforcer._handle_deprecated_rule`).
    fn is_taken(&self, written: &Policies) -> bool {
        // As the sample proposes it: the old name stands for the new one, and not the other way round.
        let alias = Expression::Check(Check { kind: "rule".into(), value: self.name.clone() });
        let rule = written.get(&self.before);
        rule.is_some_and(|rule| *rule != alias) && !written.contains_key(&self.name)
    }
}

/// The policies that requests are about, and those that others name.
fn used<'a>(sample: &'a Sample, written: &'a Policies) -> BTreeSet<&'a str> {
    let mut used: BTreeSet<&str> = sample.documented.iter().map(|it| it.name.as_str()).collect();
    used.extend(["default", "context_is_admin"]);
    let defaults = sample.defaults.iter().filter(|(name, _)| !written.contains_key(*name));
    let mut expressions: Vec<_> =
        defaults.map(|(_, default)| default).chain(written.values()).collect();
    while let Some(expression) = expressions.pop() {
        match expression {
            Expression::All(parts) | Expression::Any(parts) => expressions.extend(parts),
            Expression::Not(part) => expressions.push(part),
            Expression::Check(check) if check.kind == "rule" => {
                used.insert(&check.value);
            }
            Expression::Check(_) => {}
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::super::{InDoubt, Terms, compile, policies};
    use super::*;

    const SAMPLE: &str = r#"#"member": "role:member"

#"unasked": "role:admin"

# Show a server.
# GET  /servers/{server_id}
#"servers:show": "rule:member"

# DEPRECATED
# "servers:get":"@" has been deprecated since 1 in favor of
# "servers:show":"rule:member".
# Words.
# "servers:get": "rule:servers:show"

"#;

    /// The names of what is refused, and of what is only said, which has to be so in every mode.
    fn found(sample: &str, rules: &str) -> (Vec<String>, Vec<String>) {
        let sample = Sample::parse(sample).unwrap();
        let rules = policies(rules).unwrap();
        let name = |line: &String| line.split_once(": ").unwrap().0.to_owned();
        let Names { problems, remarks } = Names::of(&sample, &rules);
        for in_doubt in [InDoubt::Refuse, InDoubt::Leave, InDoubt::Deny] {
            let terms = Terms { in_doubt, ..Terms::default() };
            match compile(&sample, rules.clone(), &terms) {
                Ok(compiled) => {
                    assert!(problems.is_empty(), "{in_doubt:?}: {problems:?}");
                    assert_eq!(compiled.remarks, remarks);
                }
                Err(refused) => {
                    let is_refused = !problems.is_empty() || in_doubt == InDoubt::Refuse;
                    assert!(is_refused, "{in_doubt:?}: {refused}");
                    assert!(refused.0.is_superset(&problems), "{in_doubt:?}: {refused}");
                }
            }
        }
        (problems.iter().map(name).collect(), remarks.iter().map(name).collect())
    }

    #[test]
    fn what_a_policy_was_called_before_is_refused_in_every_mode() {
        for (rules, refused) in [
            ("'servers:get': '!'", true),
            ("'servers:get': 'rule:member'", true),
            // The old default, of which oslo.policy makes an exception. The lines of the sample that
            // tell it are broken anywhere.
            ("'servers:get': '@'", true),
            ("{'servers:get': '!', member: 'rule:servers:get'}", true),
            // oslo.policy does not look at these.
            ("'servers:get': 'rule:servers:show'", false),
            ("{'servers:get': '!', 'servers:show': 'role:admin'}", false),
        ] {
            let expected = if refused { vec!["servers:get".to_owned()] } else { vec![] };
            assert_eq!(found(SAMPLE, rules), (expected, vec![]), "{rules}");
        }
        let sample = Sample::parse(SAMPLE).unwrap();
        let refused = compile(&sample, policies("'servers:get': '!'").unwrap(), &Terms::default());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the policies cannot be compiled:\n  servers:get: `servers:show` was called so before, \
             and oslo.policy takes this rule for it: write the rule under its new name, `servers:show`"
        );
    }

    /// Somebody may have left the old names out of the sample (`--exclude-deprecated`).
    #[test]
    fn what_the_sample_does_not_know_may_be_an_old_name() {
        let (sample, _) = SAMPLE.split_once("# DEPRECATED").unwrap();
        for rules in ["'servers:get': '!'", "'servers:get': 'rule:servers:show'", "own: 'role:x'"] {
            let (refused, remarks) = found(sample, rules);
            assert_eq!((refused.len(), remarks.len()), (1, 0), "{rules}");
        }
        let uncommented = format!("{sample}'servers:get': '!'\n");
        let refused = compile(
            &Sample::parse(&uncommented).unwrap(),
            Policies::new(),
            &Terms { in_doubt: InDoubt::Leave, ..Terms::default() },
        );
        let refused = refused.unwrap_err().0;
        assert!(refused.iter().all(|line| line.starts_with("servers:get: ")), "{refused:?}");
        // What somebody asks for is a name of an operator's own.
        let rules = "{own: 'role:x', 'servers:show': 'rule:own'}";
        assert_eq!(found(sample, rules), (vec![], vec![]));
    }

    #[test]
    fn what_no_request_is_about_is_only_said() {
        assert_eq!(found(SAMPLE, "unasked: '!'"), (vec![], vec!["unasked".into()]));
        let asked_for = "{member: 'role:x', default: '!', context_is_admin: '!'}";
        assert_eq!(found(SAMPLE, asked_for), (vec![], vec![]));
    }
}
