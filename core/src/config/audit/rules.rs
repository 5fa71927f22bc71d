//! The list `audit.rules`: of which requests there is an event.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::check::{methods, templates};
use super::super::{ConfigError, quantity, raw};
use crate::acl::Operation;
use crate::audit::{MAX_RULES, Outcome, Rule, Rules, Sample};
use crate::gate::{UNDECIDED, Verdict};
use crate::sorted::sorted;

pub(super) fn check(raw: Vec<raw::AuditRule>) -> Result<Rules, ConfigError> {
    let rules = raw.into_iter().enumerate();
    let rules = rules.map(|(index, raw)| rule(raw, &format!("audit.rules[{index}]")));
    let rules = rules.collect::<Result<Vec<_>, _>>()?;
    let paths: usize = rules.iter().map(|rule| rule.to.len()).sum();
    if paths > MAX_PATHS {
        return Err(ConfigError::limits("audit.rules", "at most 256 paths, over all rules"));
    }
    Rules::new(rules)
        .ok_or_else(|| ConfigError::limits("audit.rules", format!("at most {MAX_RULES} rules")))
}

fn rule(raw: raw::AuditRule, field: &str) -> Result<Rule, ConfigError> {
    let sample = raw
        .sample
        .as_deref()
        .map_or(Some(Sample::ALL), |text| quantity::share(text).and_then(Sample::new));
    let sample = sample.ok_or_else(|| {
        ConfigError::limits(format!("{field}.sample"), "0% to 100%, such as \"0.5%\"")
    })?;
    let outcomes = raw.outcomes.unwrap_or_default().into_iter().map(|outcome| match outcome {
        raw::Outcome::Failure => Outcome::Failure,
        raw::Outcome::Success => Outcome::Success,
        raw::Outcome::Unknown => Outcome::Unknown,
    });
    let verdicts = raw.verdicts.unwrap_or_default().into_iter().enumerate();
    let verdicts = verdicts.map(|(index, name)| {
        verdict(&name).ok_or_else(|| {
            ConfigError::limits(format!("{field}.verdicts[{index}]"), verdict_names())
        })
    });
    let operation = Operation { methods: methods(raw.methods, field)?, ..Operation::default() };
    let paths = templates(&raw.paths.unwrap_or_default(), field)?.into_iter();
    let mut to: Vec<_> =
        paths.map(|path| Operation { path: Some(path), ..operation.clone() }).collect();
    if to.is_empty() {
        to.push(operation);
    }
    Ok(Rule {
        to,
        verdicts: verdicts.collect::<Result<_, _>>()?,
        outcomes: outcomes.collect(),
        sample,
    })
}

/// How requests are decided of which there are events. Our own are none.
fn verdicts() -> impl Iterator<Item = &'static str> {
    let all = Verdict::all().filter(|verdict| *verdict != Verdict::ListenerCheck);
    all.map(Verdict::outcome).chain([UNDECIDED])
}

fn verdict(name: &str) -> Option<&'static str> {
    verdicts().find(|verdict| *verdict == name)
}

fn verdict_names() -> String {
    let mut names = sorted(verdicts().collect());
    names.dedup();
    format!("one of {}", names.join(", "))
}

const MAX_PATHS: usize = 256;
