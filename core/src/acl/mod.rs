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
//!
//! Of requests to S3 ([`s3`]) rules can ask the operation, the bucket and the key as well.

mod asked;
mod caller;
mod condition;
mod ip_block;
mod reading;
mod rule;
pub mod s3;
mod template;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use asked::Asked;
pub use caller::{Attribute, Caller};
pub use condition::{Condition, Expected};
pub use ip_block::IpBlock;
pub(crate) use reading::Readings;
pub(crate) use rule::host;
pub use rule::{Action, HostPattern, Operation, Rule};
pub use template::{InvalidTemplate, MAX_TEMPLATE, PathTemplate};

use s3::{BaseHosts, S3Pattern, S3Request};

/// All rules of a configuration.
#[derive(Clone, Debug)]
pub struct Acl {
    rules: Vec<Rule>,
    default: Action,
    /// By which hosts S3 is known.
    s3_hosts: BaseHosts,
}

/// Which rules are about a request, as far as its head tells.
#[derive(Clone, Debug)]
pub struct Matched {
    /// A bit for each operation of each rule, in order.
    operations: [u64; WORDS],
    /// The path, where the sender is to be compared with a variable of it.
    path: Seen,
    /// S3's key, likewise.
    key: Seen,
}

/// What variables stand in.
#[derive(Clone, Debug)]
struct Seen {
    text: Option<Box<[u8]>>,
    /// Whether some servers read it as another one.
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
        let s3_hosts = BaseHosts::default();
        (operations <= MAX_OPERATIONS).then_some(Self { rules, default, s3_hosts })
    }

    /// The same rules, for an S3 that is known by these hosts.
    #[must_use]
    pub fn with_s3_hosts(self, s3_hosts: BaseHosts) -> Self {
        Self { s3_hosts, ..self }
    }

    /// By which hosts S3 is known, if any rule asks what is asked of it.
    #[must_use]
    pub fn s3_hosts(&self) -> Option<&BaseHosts> {
        let asks = |rule: &Rule| rule.to.iter().any(|operation| operation.s3.is_some());
        self.rules.iter().any(asks).then_some(&self.s3_hosts)
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
        let Asked { method, host, path, source, s3 } = asked;
        let path = Readings::of(path.as_deref());
        let s3 = s3.unwrap_or(S3Request::unknown());
        let keys = Readings::of(s3.key());
        let is_one_key = matches!(s3.keys, s3::Keys::One(_));
        let mut matched = Matched {
            operations: [0; WORDS],
            path: Seen { text: None, has_other_reading: path.has_other() },
            key: Seen { text: None, has_other_reading: keys.has_other() || !is_one_key },
        };
        for Entry { place, rule, operation, .. } in self.entries() {
            // What cannot be known is as if it were so for a rule that denies, and only for that.
            let covers = |known: Option<bool>| known.unwrap_or(rule.action == Action::Deny);
            let asks_of_s3 = |pattern: &S3Pattern| pattern.is_about(&s3, &keys, rule.action);
            let is_about = covers(rule.is_from(source))
                && covers(operation.has_method(method, rule.action))
                && covers(operation.has_host(host))
                && covers(operation.has_path(&path, rule.action))
                && operation.s3.as_ref().is_none_or(asks_of_s3);
            if !is_about {
                continue;
            }
            if let Some(word) = matched.operations.get_mut(place / BITS) {
                *word |= 1 << (place % BITS);
            }
            if rule.compares_path() {
                matched.path.keep(&path);
                matched.key.keep(&keys);
            }
        }
        matched
    }

    /// What is decided of a request of this sender.
    #[must_use]
    pub fn decide(&self, matched: &Matched, caller: &Caller<'_>) -> Decision {
        let first = |action: Action| {
            let is_about = |Entry { place, rule, operation, .. }: &Entry<'_>| {
                let seen = if operation.path.is_some() { &matched.path } else { &matched.key };
                let text = seen.text(action);
                let holds = |condition: &Condition| {
                    let holds = condition.holds(caller, operation.template(), text);
                    holds.unwrap_or(action == Action::Deny)
                };
                rule.action == action && matched.has(*place) && rule.is_about(holds)
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

impl Seen {
    fn keep(&mut self, readings: &Readings<'_>) {
        if self.text.is_none() {
            self.text = readings.plain().map(Into::into);
        }
    }

    /// What a rule of this kind may take for known.
    fn text(&self, action: Action) -> Option<&[u8]> {
        // What stands in the place of a variable may be something else to a server then.
        let is_certain = action == Action::Allow || !self.has_other_reading;
        self.text.as_deref().filter(|_| is_certain)
    }
}

/// What the default is called where rules are called by their names.
pub const DEFAULT: &str = "default";

/// The most operations of all rules together: each path of a rule is one, and so is a rule without any.
pub const MAX_OPERATIONS: usize = WORDS * BITS;

const WORDS: usize = 8;
const BITS: usize = 64;
