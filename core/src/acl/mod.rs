//! Who may do what: an access control list, whose rules read as those of Istio's `AuthorizationPolicy`.
//!
//! ```text
//!   head ──▶ Acl::matched: which rules are about this request      (to, from)
//!              │
//!   identity ──▶ Acl::decide: of those, which are about its sender (when)
//!              │
//!              ▼
//!   a deny among them? ─yes─▶ denied      an allow? ─yes─▶ allowed      else ─▶ the default
//! ```
//!
//! It is for requests whose sender is known, and for those that pass without an identity. What is not
//! known never helps: a rule that allows does not cover what it cannot see, and one that denies does.
//! So a path that servers may read in two ways
//! ([`PlainPath`](crate::access_rules::PlainPath)) is under each `paths` of a rule that denies
//! and under none of one that allows.

mod asked;
mod caller;
mod condition;
mod ip_block;
mod reading;
mod rule;
mod template;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use asked::Asked;
pub use caller::{Attribute, Caller};
pub use condition::{Condition, Expected};
pub use ip_block::IpBlock;
pub use rule::{Action, HostPattern, Operation, Rule};
pub use template::{InvalidTemplate, MAX_TEMPLATE, PathTemplate};

pub(crate) use reading::Readings;
pub(crate) use rule::host;

/// All rules of a configuration.
#[derive(Clone, Debug)]
pub struct Acl {
    rules: Vec<Rule>,
    default: Action,
}

/// Which rules are about a request, as far as its head tells.
#[derive(Clone, Debug)]
pub struct Matched {
    /// A bit for each operation of each rule, in order.
    operations: [u64; WORDS],
    /// The path, where the sender is to be compared with a variable of it.
    path: Option<Box<[u8]>>,
    /// Whether some servers read it as another path.
    has_other_reading: bool,
}

/// What the list says of a request, and by which rule; by none, it is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may pass.
    pub action: Action,
    /// The place of the rule that says so.
    pub rule: Option<usize>,
}

impl Acl {
    /// These rules, and what is to be where none of them says anything. `None` if their operations are more
    /// than [`MAX_OPERATIONS`] together.
    #[must_use]
    pub fn new(rules: Vec<Rule>, default: Action) -> Option<Self> {
        let operations: usize = rules.iter().map(|rule| rule.to.len()).sum();
        (operations <= MAX_OPERATIONS).then_some(Self { rules, default })
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What is to be where no rule says anything.
    #[must_use]
    pub fn default(&self) -> Action {
        self.default
    }

    /// All that can be decided, that by no rule last.
    pub fn decisions(&self) -> impl Iterator<Item = Decision> {
        let rules = self.rules.iter().enumerate();
        let of_rules =
            rules.map(|(place, rule)| Decision { action: rule.action, rule: Some(place) });
        of_rules.chain([Decision { action: self.default, rule: None }])
    }

    /// What a rule is called; `default` where none decided.
    #[must_use]
    pub fn name(&self, rule: Option<usize>) -> &str {
        rule.and_then(|rule| self.rules.get(rule)).map_or(DEFAULT, |rule| &rule.name)
    }

    /// Whether any rule asks where requests come from.
    #[must_use]
    pub fn needs_source(&self) -> bool {
        self.rules.iter().any(|rule| !rule.from.is_empty())
    }

    /// Which rules are about what is asked for. Where it comes from has to be known where [that is
    /// needed](Self::needs_source).
    #[must_use]
    pub fn matched(&self, asked: Asked<'_>) -> Matched {
        let Asked { method, host, path, source } = asked;
        let path = Readings::of(path.as_deref());
        let has_other_reading = path.has_other();
        let mut matched = Matched { operations: [0; WORDS], path: None, has_other_reading };
        for Entry { place, rule, operation, .. } in self.entries() {
            // What cannot be known is as if it were so for a rule that denies, and only for that.
            let covers = |known: Option<bool>| known.unwrap_or(rule.action == Action::Deny);
            let is_about = covers(rule.is_from(source))
                && covers(operation.has_method(method, rule.action))
                && covers(operation.has_host(host))
                && covers(operation.has_path(&path, rule.action));
            if !is_about {
                continue;
            }
            if let Some(word) = matched.operations.get_mut(place / BITS) {
                *word |= 1 << (place % BITS);
            }
            if rule.compares_path() && matched.path.is_none() {
                matched.path = path.plain().map(Into::into);
            }
        }
        matched
    }

    /// What is decided of a request of this sender.
    #[must_use]
    pub fn decide(&self, matched: &Matched, caller: &Caller<'_>) -> Decision {
        let first = |action: Action| {
            // What stands in the place of a variable may be something else to a server then.
            let is_certain = action == Action::Allow || !matched.has_other_reading;
            let path = matched.path.as_deref().filter(|_| is_certain);
            let is_about = |Entry { place, rule, operation, .. }: &Entry<'_>| {
                let holds = |condition: &Condition| {
                    let holds = condition.holds(caller, operation.path.as_ref(), path);
                    holds.unwrap_or(action == Action::Deny)
                };
                rule.action == action && matched.has(*place) && rule.when.iter().all(holds)
            };
            let entry = self.entries().find(is_about)?;
            Some(Decision { action, rule: Some(entry.number) })
        };
        let default = Decision { action: self.default, rule: None };
        first(Action::Deny).or_else(|| first(Action::Allow)).unwrap_or(default)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let rules = self.rules.iter().enumerate();
        let all = rules.flat_map(|(number, rule)| rule.to.iter().map(move |to| (number, rule, to)));
        all.enumerate().map(|(place, (number, rule, operation))| Entry {
            place,
            number,
            rule,
            operation,
        })
    }
}

/// One operation of one rule.
struct Entry<'a> {
    /// Its place among those of all rules.
    place: usize,
    /// The rule's place.
    number: usize,
    rule: &'a Rule,
    operation: &'a Operation,
}

impl Matched {
    fn has(&self, place: usize) -> bool {
        self.operations.get(place / BITS).is_some_and(|word| word >> (place % BITS) & 1 == 1)
    }
}

/// What the default is called where rules are called by their names.
pub const DEFAULT: &str = "default";

/// The most operations of all rules together: each path of a rule is one, and so is a rule without any.
pub const MAX_OPERATIONS: usize = WORDS * BITS;

const WORDS: usize = 8;
const BITS: usize = 64;
