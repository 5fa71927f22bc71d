//! Why a configuration is refused, in words for the person who wrote it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// A configuration that cannot be used: the field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Box<Wrong>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    field: String,
    problem: Problem,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// What the JSON reader says: an unknown or missing field, a wrong type.
    Shape(String),
    /// A value outside its limits; the text says what they are.
    Limits(Cow<'static, str>),
}

impl ConfigError {
    /// A value of `field` is not within its limits.
    pub(super) fn limits(field: impl Into<String>, limits: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Wrong { field: field.into(), problem: Problem::Limits(limits.into()) }))
    }

    /// The configuration as a whole, or a part of it, has not the shape it must have.
    pub(super) fn shape(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Wrong { field: field.into(), problem: Problem::Shape(message.into()) }))
    }

    /// The path of the field, such as `token.kinds[1]`; `.` for the whole.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.0.field
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { field, problem } = &*self.0;
        match problem {
            Problem::Shape(message) => write!(f, "{field}: {message}"),
            Problem::Limits(limits) => write!(f, "{field}: must be {limits}"),
        }
    }
}

impl core::error::Error for ConfigError {}
