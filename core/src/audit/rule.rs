//! Of which requests there is an event: rules, of which the first that is about a request decides.

use alloc::vec::Vec;

use crate::acl::{Action, Operation, Readings};
use crate::head::RequestHead;

/// How a request ended, in CADF's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with a status from 400 on.
    Failure,
    /// It was answered with a status below.
    Success,
    /// It was not answered: the client gave up, or the connection broke.
    Unknown,
}

/// A rule about requests.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What is asked for; one of them is enough. A rule for all has one that names nothing.
    pub to: Vec<Operation>,
    /// How it was decided, as metrics call it; none stands for all.
    pub verdicts: Vec<&'static str>,
    /// How it ended; none stands for all.
    pub outcomes: Vec<Outcome>,
    /// Of how many of them there is an event.
    pub sample: Sample,
}

/// A share of requests, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample(u32);

/// All rules, in order. Where none is about a request, there is an event of it.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

/// Which rules are about a request, as far as its head tells: a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matched(u64);

impl Outcome {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Failure, Self::Success, Self::Unknown];

    /// How a request ended that was answered with this status, if it was. keystonemiddleware's audit
    /// filter sees it so.
    #[must_use]
    pub fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..400) => Self::Success,
            Some(_) => Self::Failure,
            None => Self::Unknown,
        }
    }

    /// What CADF calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Success => "success",
            Self::Unknown => "unknown",
        }
    }
}

impl Sample {
    /// All requests.
    pub const ALL: Self = Self(MILLION);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// So many millionths of all.
    #[must_use]
    pub fn new(millionths: u32) -> Option<Self> {
        (millionths <= MILLION).then_some(Self(millionths))
    }

    /// Whether something with this hash is among the sample.
    pub(super) fn has(self, hash: u64) -> bool {
        hash % u64::from(MILLION) < u64::from(self.0)
    }
}

impl Rules {
    /// These rules. `None` if they are more than [`MAX_RULES`].
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Option<Self> {
        (rules.len() <= MAX_RULES).then_some(Self(rules))
    }

    /// Which rules are about a request with this head. `None` if there will be no event of it, whatever
    /// becomes of it.
    pub(super) fn matched(&self, head: RequestHead<'_>) -> Option<Matched> {
        let path = Readings::of(head.path());
        let (mut matched, mut may_be_taken) = (0, false);
        for (number, rule) in self.0.iter().enumerate() {
            if !rule.is_about(head, &path) {
                continue;
            }
            matched |= 1 << number;
            may_be_taken |= rule.sample != Sample::NONE;
            if rule.verdicts.is_empty() && rule.outcomes.is_empty() {
                return may_be_taken.then_some(Matched(matched));
            }
        }
        Some(Matched(matched))
    }

    /// Of how many requests that ended like this one there is an event.
    pub(super) fn sample(&self, matched: Matched, verdict: &str, outcome: Outcome) -> Sample {
        let rules = self.0.iter().enumerate();
        let mut about = rules.filter(|(number, _)| matched.0 >> number & 1 == 1);
        let ends_so = |rule: &Rule| {
            (rule.verdicts.is_empty() || rule.verdicts.contains(&verdict))
                && (rule.outcomes.is_empty() || rule.outcomes.contains(&outcome))
        };
        about.find(|(_, rule)| ends_so(rule)).map_or(Sample::ALL, |(_, rule)| rule.sample)
    }
}

impl Rule {
    /// What cannot be known hides nobody: a rule for less than all requests is not about a path that
    /// servers may read as another, and one for all requests is.
    fn is_about(&self, head: RequestHead<'_>, path: &Readings<'_>) -> bool {
        let takes_all = self.sample == Sample::ALL;
        let action = if takes_all { Action::Deny } else { Action::Allow };
        self.to.iter().any(|operation| {
            operation.has_method(head.method(), action).unwrap_or(takes_all)
                && operation.has_path(path, action).unwrap_or(takes_all)
        })
    }
}

/// The most rules.
pub const MAX_RULES: usize = 64;

const MILLION: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::acl::PathTemplate;
    use alloc::vec;

    fn rule(methods: &[&str], path: Option<&str>, sample: u32) -> Rule {
        let methods = methods.iter().map(|method| (*method).into()).collect();
        let path = path.map(|path| PathTemplate::new(path).unwrap());
        Rule {
            to: vec![Operation { methods, path, ..Operation::default() }],
            verdicts: vec![],
            outcomes: vec![],
            sample: Sample::new(sample).unwrap(),
        }
    }

    fn sample(rules: Vec<Rule>, method: &str, path: &str, end: (&str, Outcome)) -> Option<Sample> {
        let headers = [(&b":method"[..], method.as_bytes()), (b":path", path.as_bytes())];
        let rules = Rules::new(rules).unwrap();
        let matched = rules.matched(RequestHead::new(&headers))?;
        Some(rules.sample(matched, end.0, end.1))
    }

    const GOOD: (&str, Outcome) = ("allowed", Outcome::Success);
    const BAD: (&str, Outcome) = ("rejected", Outcome::Failure);

    #[test]
    fn an_outcome_is_that_of_the_answer() {
        for (status, expected) in [
            (Some(200), Outcome::Success),
            (Some(399), Outcome::Success),
            (Some(400), Outcome::Failure),
            (Some(503), Outcome::Failure),
            (Some(101), Outcome::Failure),
            (Some(0), Outcome::Failure),
            (None, Outcome::Unknown),
        ] {
            assert_eq!(Outcome::of(status), expected);
        }
    }

    #[test]
    fn the_first_rule_that_is_about_a_request_decides() {
        let failures = Rule { outcomes: vec![Outcome::Failure], ..rule(&[], None, MILLION) };
        let refused = Rule { verdicts: vec!["rejected"], ..rule(&[], None, 5) };
        let rules = vec![
            failures,
            rule(&["GET", "HEAD"], Some("/v2.1/**"), 10),
            refused,
            rule(&[], Some("/health"), 0),
        ];
        for (method, path, end, expected) in [
            ("GET", "/v2.1/servers", BAD, Some(Sample::ALL)),
            ("GET", "/v2.1/servers?a", GOOD, Some(Sample(10))),
            ("POST", "/v2.1/servers", GOOD, Some(Sample::ALL)),
            ("GET", "/", GOOD, Some(Sample::ALL)),
            ("GET", "/", ("rejected", Outcome::Success), Some(Sample(5))),
            ("GET", "/health", GOOD, Some(Sample::NONE)),
            ("GET", "/health", BAD, Some(Sample::ALL)),
        ] {
            assert_eq!(sample(rules.clone(), method, path, end), expected, "{method} {path}");
        }
        assert_eq!(sample(vec![], "GET", "/", GOOD), Some(Sample::ALL));
    }

    #[test]
    fn nothing_is_kept_of_a_request_of_which_there_will_be_no_event() {
        let health = rule(&[], Some("/health"), 0);
        let failures = Rule { outcomes: vec![Outcome::Failure], ..health.clone() };
        let none = rule(&[], None, 0);
        assert_eq!(sample(vec![health.clone()], "GET", "/health", GOOD), None);
        assert_eq!(sample(vec![failures.clone(), none.clone()], "GET", "/health", GOOD), None);
        let failures = Rule { sample: Sample(1), ..failures };
        let rules = vec![failures, none];
        assert_eq!(sample(rules.clone(), "GET", "/health", GOOD), Some(Sample::NONE));
        assert_eq!(sample(rules.clone(), "GET", "/health", BAD), Some(Sample(1)));
        assert_eq!(sample(rules, "GET", "/", BAD), None);
    }

    #[test]
    fn an_odd_path_hides_nobody() {
        let rules = vec![rule(&[], Some("/secret/**"), MILLION), rule(&[], Some("/**"), 1)];
        for (path, expected) in [
            ("/secret/a", Sample::ALL),
            ("/public", Sample(1)),
            ("/x/../secret/a", Sample::ALL),
            ("//secret/a", Sample::ALL),
            ("/secret;x/a", Sample::ALL),
            ("/%73ecret/a", Sample::ALL),
        ] {
            assert_eq!(sample(rules.clone(), "GET", path, GOOD), Some(expected), "{path}");
        }
        let quiet = vec![rule(&["GET"], Some("/health"), 0)];
        assert_eq!(sample(quiet.clone(), "GET", "/health/../servers", GOOD), Some(Sample::ALL));
        assert_eq!(sample(quiet, "get", "/health", GOOD), Some(Sample::ALL));
    }

    #[test]
    fn a_sample_is_a_share_of_all_hashes() {
        let taken = |sample: Sample| (0..2_000_000).filter(|hash| sample.has(*hash)).count();
        assert_eq!(taken(Sample::ALL), 2_000_000);
        assert_eq!(taken(Sample::NONE), 0);
        assert_eq!(taken(Sample(1)), 2);
        assert_eq!(taken(Sample(250_000)), 500_000);
        assert_eq!(Sample::new(MILLION + 1), None);
    }

    #[test]
    fn there_are_no_more_rules_than_bits() {
        assert!(Rules::new(vec![rule(&[], None, 1); MAX_RULES]).is_some());
        assert!(Rules::new(vec![rule(&[], None, 1); MAX_RULES + 1]).is_none());
        let mut rules = vec![Rule { verdicts: vec!["rejected"], ..rule(&[], None, 1) }; MAX_RULES];
        rules[63].verdicts.clear();
        rules[63].sample = Sample(7);
        assert_eq!(sample(rules, "GET", "/", GOOD), Some(Sample(7)));
    }
}
