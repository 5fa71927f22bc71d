//! What a request asks for, as routes tell it apart.

use alloc::string::String;
use alloc::vec::Vec;

use crate::acl::{HostPattern, PathTemplate, Readings, host};
use crate::head::RequestHead;

/// Requests by what they ask for; what is not named is not looked at.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The hosts; none stands for all.
    pub hosts: Vec<HostPattern>,
    /// The methods; none stands for all.
    pub methods: Vec<String>,
    /// The paths; none stands for all.
    pub paths: Vec<PathTemplate>,
}

impl Target {
    /// What is no name of a host may be any to some server.
    pub(super) fn has_host(&self, head: RequestHead<'_>) -> Option<bool> {
        if self.hosts.is_empty() {
            return Some(true);
        }
        let host = host(head)?;
        Some(self.hosts.iter().any(|pattern| pattern.matches(host)))
    }

    /// Methods have one spelling (RFC 9110, section 9.1), which not every server knows.
    pub(super) fn has_method(&self, method: Option<&[u8]>) -> Option<bool> {
        if self.methods.is_empty() {
            return Some(true);
        }
        let method = method?;
        any(self.methods.iter().map(|name| {
            let is_it = name.as_bytes() == method;
            (is_it || !name.as_bytes().eq_ignore_ascii_case(method)).then_some(is_it)
        }))
    }

    pub(super) fn has_path(&self, path: &Readings<'_>) -> Option<bool> {
        if self.paths.is_empty() {
            return Some(true);
        }
        any(self.paths.iter().map(|template| path.agree_on(template)))
    }
}

/// Whether all of it holds. What is in doubt changes nothing where something else does not hold.
pub(super) fn all(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for part in parts {
        match part {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Whether some of it holds. What is in doubt changes nothing where something else holds.
pub(super) fn any(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let not = |part: Option<bool>| part.map(|holds| !holds);
    not(all(parts.into_iter().map(not)))
}
