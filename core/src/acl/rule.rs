//! One rule: what it says of which requests.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::reading::Readings;
use super::s3::S3Pattern;
use super::{Condition, IpBlock, PathTemplate};
use crate::head::RequestHead;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It may pass.
    Allow,
    /// It may not.
    Deny,
}

impl Action {
    /// What metrics and events call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What is said of requests to some operations, from some addresses, of some senders.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is called in metrics and logs.
    pub name: String,
    /// What it says.
    pub action: Action,
    /// The operations; one of them is enough. A rule for all has one that names nothing.
    pub to: Vec<Operation>,
    /// The addresses; one of them is enough, and none stands for any.
    pub from: Vec<IpBlock>,
    /// What must hold of the sender; all of it.
    pub when: Vec<Condition>,
    /// What must hold besides: all of one of these. None stands for nothing.
    pub when_any: Vec<Vec<Condition>>,
}

/// Requests by what they ask for; what is not named is not looked at.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// The hosts; none stands for all.
    pub hosts: Vec<HostPattern>,
    /// The methods, exactly; none stands for all.
    pub methods: Vec<String>,
    /// The path.
    pub path: Option<PathTemplate>,
    /// What is asked of S3.
    pub s3: Option<S3Pattern>,
}

/// One host, or all under a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case, without a port; with a dot before it where it is the end of a name.
    name: String,
}

impl Rule {
    /// Whether the address is one of those that are named. `None` if it is not known.
    pub(super) fn is_from(&self, source: Option<IpAddr>) -> Option<bool> {
        if self.from.is_empty() {
            return Some(true);
        }
        source.map(|source| self.from.iter().any(|block| block.contains(source)))
    }

    /// Whether a condition compares something with a variable of the path.
    pub(super) fn compares_path(&self) -> bool {
        self.when.iter().chain(self.when_any.iter().flatten()).any(Condition::compares_path)
    }

    /// Whether it is about a sender, as far as that is said of each condition.
    pub(super) fn is_about(&self, holds: impl Fn(&Condition) -> bool) -> bool {
        let all = |conditions: &[Condition]| conditions.iter().all(&holds);
        all(&self.when) && (self.when_any.is_empty() || self.when_any.iter().any(|it| all(it)))
    }
}

impl Operation {
    /// Methods have one spelling (RFC 9110, section 9.1). Not every server knows, so that one which is denied
    /// is in any letters.
    pub(crate) fn has_method(&self, method: Option<&[u8]>, action: Action) -> Option<bool> {
        if self.methods.is_empty() {
            return Some(true);
        }
        let is_same = |name: &[u8], method: &[u8]| match action {
            Action::Allow => name == method,
            Action::Deny => name.eq_ignore_ascii_case(method),
        };
        method.map(|method| self.methods.iter().any(|name| is_same(name.as_bytes(), method)))
    }

    pub(super) fn has_host(&self, host: Option<&[u8]>) -> Option<bool> {
        if self.hosts.is_empty() {
            return Some(true);
        }
        host.map(|host| self.hosts.iter().any(|pattern| pattern.matches(host)))
    }

    pub(crate) fn has_path(&self, path: &Readings<'_>, action: Action) -> Option<bool> {
        self.path.as_ref().map_or(Some(true), |template| path.is_under(template, action))
    }

    /// The template that variables are in, of a path or of a key.
    #[must_use]
    pub fn template(&self) -> Option<&PathTemplate> {
        self.path.as_ref().or_else(|| self.s3.as_ref()?.key.as_ref())
    }
}

impl HostPattern {
    /// A name such as `compute.example`, or `*.example` for all names under one; without a port. `None`
    /// for anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let name = text.strip_prefix('*').unwrap_or(text);
        let labels = if text.starts_with('*') { name.strip_prefix('.')? } else { name };
        let is_label = |label: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !label.is_empty() && label.bytes().all(is_plain)
        };
        labels.split('.').all(is_label).then(|| Self { name: name.to_ascii_lowercase() })
    }

    pub(crate) fn matches(&self, host: &[u8]) -> bool {
        let name = self.name.as_bytes();
        let is_end = name.starts_with(b".");
        let end = host.len().checked_sub(name.len()).and_then(|start| host.get(start..));
        (is_end && host.len() > name.len() || host.len() == name.len())
            && end.is_some_and(|end| end.eq_ignore_ascii_case(name))
    }
}

/// The name of the host that is asked, without a port and without the dot that ends an absolute name. `None`
/// for what is no name of a host.
pub(crate) fn host(head: RequestHead<'_>) -> Option<&[u8]> {
    let authority = head.values(b":authority").next()?;
    let is_digits = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    let host =
        match authority.iter().rposition(|byte| *byte == b':').map(|at| authority.split_at(at)) {
            Some((host, [_, port @ ..])) if is_digits(port) => host,
            _ => authority,
        };
    let is_of_hosts = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(byte);
    host.iter().all(is_of_hosts).then(|| host.strip_suffix(b".").unwrap_or(host))
}
