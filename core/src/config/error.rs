//! Why a configuration is refused, in words for the person who wrote it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::json::Wrong;

/// A configuration that cannot be used: the field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Box<Wrong>);

impl ConfigError {
    pub(super) fn new(path: String, problem: String) -> Self {
        Wrong { path, problem }.into()
    }

    /// The path of the field, such as `token.kinds[1]`; `.` for the whole.
    #[must_use]
    pub fn field(&self) -> &str {
        if self.0.path.is_empty() { "." } else { &self.0.path }
    }
}

impl From<Wrong> for ConfigError {
    fn from(wrong: Wrong) -> Self {
        Self(wrong.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field(), self.0.problem)
    }
}

impl core::error::Error for ConfigError {}
