//! What must hold of a sender.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Attribute, Caller, PathTemplate};

/// A condition on one attribute.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Which.
    pub attribute: Attribute,
    /// What it may be: one of these. None stands for any.
    pub values: Vec<Expected>,
    /// What it must not be: none of these.
    pub not_values: Vec<Expected>,
    /// Whether it holds of whoever is known to have no value, too.
    pub or_none: bool,
}

/// A value that is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Anything, as long as there is a value.
    Present,
    /// This very text.
    Text(String),
    /// What stands in the path in the place of the variable of this name.
    Variable(String),
}

impl Condition {
    /// Whether it holds of the sender of a request with this path. `None` if that cannot be known: there
    /// is no value, or nothing to compare it with.
    ///
    /// Of who has no value, `values` does not hold, which is known, unless that is enough.
    pub(super) fn holds(
        &self,
        caller: &Caller<'_>,
        template: Option<&PathTemplate>,
        path: Option<&[u8]>,
    ) -> Option<bool> {
        let is_one = |expected: &[Expected]| {
            let mut can_tell = true;
            for expected in expected {
                match expected.is_value(self.attribute, caller, template, path) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => can_tell = false,
                }
            }
            can_tell.then_some(false)
        };
        if self.or_none && caller.any(self.attribute, |_| true).is_none() {
            return caller.lacks(self.attribute).then_some(true);
        }
        let has_one = if self.values.is_empty() { Some(true) } else { is_one(&self.values) };
        match (has_one, is_one(&self.not_values)) {
            (Some(false), _) | (_, Some(true)) => Some(false),
            (Some(true), Some(false)) => {
                // Who has no value at all is not known to be someone else.
                let is_known = caller.any(self.attribute, |_| true).is_some();
                (is_known || self.not_values.is_empty()).then_some(true)
            }
            (None, _) | (_, None) => None,
        }
    }

    pub(super) fn compares_path(&self) -> bool {
        let mut all = self.values.iter().chain(&self.not_values);
        all.any(|expected| matches!(expected, Expected::Variable(_)))
    }
}

impl Expected {
    /// Whether the attribute has it. `None` if it is a variable that is not known.
    fn is_value(
        &self,
        attribute: Attribute,
        caller: &Caller<'_>,
        template: Option<&PathTemplate>,
        path: Option<&[u8]>,
    ) -> Option<bool> {
        match self {
            Self::Present => Some(caller.any(attribute, |_| true).unwrap_or(false)),
            // As oslo.policy compares roles, and so every service behind this.
            Self::Text(text) if attribute == Attribute::Roles => {
                Some(caller.any(attribute, |it| it.eq_ignore_ascii_case(text)).unwrap_or(false))
            }
            Self::Text(text) => Some(caller.any(attribute, |value| value == text).unwrap_or(false)),
            Self::Variable(name) => {
                let variable = template?.variable(name, path?)?;
                Some(caller.any(attribute, |value| value.as_bytes() == variable).unwrap_or(false))
            }
        }
    }
}
