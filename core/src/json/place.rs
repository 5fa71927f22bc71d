//! Where a value stands.

use alloc::string::{String, ToString as _};

/// A value's place: what it is in, and how one gets from there to it.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// It is in nothing.
    Whole,
    /// It is one step within another.
    Within(&'a Self, Step<'a>),
}

/// From an object to the value of a name, or from a list to the one of a number.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    Name(&'a str),
    Number(usize),
}

impl Place<'_> {
    /// The path from the whole, such as `token.kinds[1]`; empty for the whole itself.
    pub(crate) fn path(&self) -> String {
        let Self::Within(outer, step) = self else { return String::new() };
        let mut path = outer.path();
        step.append_to(&mut path);
        path
    }
}

impl Step<'_> {
    pub(super) fn append_to(self, path: &mut String) {
        match self {
            Self::Name(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Self::Number(number) => path.push_str(&["[", &number.to_string(), "]"].concat()),
        }
    }
}

impl From<&'static str> for Step<'static> {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for Step<'static> {
    fn from(number: usize) -> Self {
        Self::Number(number)
    }
}
