//! What an application credential may be used for, where it has access rules: which methods on which
//! paths of which services.
//!
//! The rules mean what they mean to keystonemiddleware (`auth_token`, `validate_allowed_request` and
//! `_path_matches`), with two exceptions. There, what a rule's path has besides its wildcards goes
//! into a regular expression as it is; here it stands for itself. And there a path is compared as it came,
//! though the service behind may go on to another by dot segments, doubled slashes or slashes in
//! disguise; here such a path is [not plain](PlainPath), and no rule allows it.

mod path;
mod pattern;
#[cfg(test)]
mod tests;

pub use path::{MAX_PATH, PlainPath};
pub(crate) use path::{encode, stands_for_itself};
pub use pattern::{MAX_PATTERN, PathPattern};

/// One access rule. **With rules that are none at all, everything is allowed**: so Keystone has it,
/// and shows no list where it is empty.
#[derive(Clone, Copy, Debug)]
pub struct AccessRule<'a> {
    /// The method, exactly: a rule for `GET` does not allow `HEAD`.
    pub method: &'a str,
    /// The whole path, as a [`PathPattern`] reads it.
    pub path: &'a str,
    /// The type of the service, exactly, as the catalogue has it: `object-store`.
    pub service: &'a str,
}

/// Whether one of these rules allows a request to a service, or there is none of them. `path` is without
/// the query. Without a type that this service is known by, no rule allows anything.
#[must_use]
pub fn allow<'a>(
    rules: impl IntoIterator<Item = AccessRule<'a>>,
    service: Option<&str>,
    method: &[u8],
    path: &[u8],
) -> bool {
    let mut rules = rules.into_iter().peekable();
    if rules.peek().is_none() {
        return true;
    }
    let (Some(service), Some(path)) = (service, PlainPath::new(path)) else { return false };
    // A token may always be validated: at Keystone itself, this asks for no rule.
    if service == "identity" && method == b"GET" && path.as_bytes().ends_with(b"/v3/auth/tokens") {
        return true;
    }
    rules.any(|rule| {
        rule.service == service
            && rule.method.as_bytes() == method
            && PathPattern::new(rule.path).is_some_and(|pattern| pattern.matches(&path))
    })
}
