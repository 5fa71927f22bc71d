//! Why a configuration is refused, in words for the person who wrote it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// A configuration that cannot be used: the field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Box<Wrong>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    /// Empty for the whole.
    field: String,
    problem: String,
}

impl ConfigError {
    pub(super) fn new(field: String, problem: String) -> Self {
        Self(Box::new(Wrong { field, problem }))
    }

    /// The path of the field, such as `token.kinds[1]`; `.` for the whole.
    #[must_use]
    pub fn field(&self) -> &str {
        if self.0.field.is_empty() { "." } else { &self.0.field }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field(), self.0.problem)
    }
}

impl core::error::Error for ConfigError {}
