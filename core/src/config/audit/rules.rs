//! The list `audit.rules`: of which requests there is an event.

use alloc::format;
use alloc::vec::Vec;

use super::super::check::{methods, templates};
use super::super::quantity;
use super::super::setting::Setting;
use crate::acl::Operation;
use crate::audit::{MAX_RULES, Outcome, Rule, Rules, Sample};
use crate::gate::UNDECIDED;

pub(super) fn check(list: &Setting<'_>) -> Rules {
    let mut rules = Vec::new();
    for section in list.values() {
        rules.push(rule(&section));
    }
    let paths: usize = rules.iter().map(|rule: &Rule| rule.to.len()).sum();
    if paths > MAX_PATHS {
        list.refuse("at most 256 paths, over all rules");
    }
    Rules::new(rules).unwrap_or_else(|| {
        list.refuse(&format!("at most {MAX_RULES} rules"));
        Rules::default()
    })
}

fn rule(section: &Setting<'_>) -> Rule {
    let sample = section
        .text("sample")
        .map_or(Some(Sample::ALL), |text| quantity::share(text).and_then(Sample::new));
    let sample = sample.unwrap_or_else(|| {
        section.field("sample").refuse("0% to 100%, such as \"0.5%\"");
        Sample::NONE
    });
    let outcomes = section
        .field("outcomes")
        .values()
        .map(|outcome| match outcome.as_text() {
            Some("failure") => Outcome::Failure,
            Some("success") => Outcome::Success,
            _ => Outcome::Unknown,
        })
        .collect();
    let whole = Operation { methods: methods(&section.field("methods")), ..Operation::default() };
    let mut to = Vec::new();
    for path in templates(&section.field("paths")) {
        to.push(Operation { path: Some(path), ..whole.clone() });
    }
    if to.is_empty() {
        to.push(whole);
    }
    Rule { to, verdicts: named(&section.field("verdicts")), outcomes, sample }
}

fn named(list: &Setting<'_>) -> Vec<&'static str> {
    let mut named = Vec::new();
    for value in list.values() {
        match VERDICTS.into_iter().find(|verdict| Some(*verdict) == value.as_text()) {
            Some(verdict) => named.push(verdict),
            None => value.refuse(&format!("one of {}", VERDICTS.join(", "))),
        }
    }
    named
}

/// How requests are decided of which there are events, in order. Our own are none.
pub(super) const VERDICTS: [&str; 7] =
    ["allowed", "anonymous", "answered", "bypassed", "rejected", "unavailable", UNDECIDED];

const MAX_PATHS: usize = 256;
