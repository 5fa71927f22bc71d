//! What is wrong, and where: for people, and short.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::document::Document;
use super::json::{Json, Kind};
use super::node::Check;

/// What is wrong with a request, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// A JSON Pointer (RFC 6901) into the request: `/body/server/name`, `/query/limit`, `/path/id`,
    /// `/header/x`. Beyond [`MAX_POINTER`] bytes it ends with three dots.
    pub pointer: String,
    /// What is wrong there: `must be a string`.
    pub message: String,
}

/// Why a value does not fit a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) value: usize,
    pub(super) node: usize,
    /// Which of the node's checks does not hold.
    pub(super) check: usize,
    pub(super) what: What,
}

/// What does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It is of none of the types.
    Type,
    /// What the check says.
    Check,
    /// The property of this place is not there; of properties that depend on another, this one of them.
    Missing(usize, usize),
    /// More than one alternative fits.
    Several,
}

impl Violation {
    pub(super) fn new(pointer: &str, message: &str) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }

    /// Of a text that is `under` this pointer.
    pub(super) fn of(fault: Fault, document: &Document, json: &Json<'_>, under: &str) -> Self {
        let mut pointer = pointer(json, fault.value, under);
        let node = document.nodes.get(fault.node);
        let check = node.and_then(|node| node.checks.get(fault.check));
        let message = match (fault.what, check) {
            (What::Missing(place, number), Some(check)) => {
                push(&mut pointer, check.name(place, number));
                "is missing".into()
            }
            (What::Several, _) => "fits more than one of the forms that it may have".into(),
            (What::Check, Some(check)) => message(check, document),
            _ => {
                let names: Vec<_> = node
                    .into_iter()
                    .flat_map(|node| node.types.names())
                    .map(with_article)
                    .collect();
                if names.is_empty() {
                    "is not allowed".into()
                } else {
                    format!("must be {}", names.join(" or "))
                }
            }
        };
        Self { pointer, message }
    }
}

/// Where a value is.
pub(super) fn pointer(json: &Json<'_>, value: usize, under: &str) -> String {
    let mut pointer = String::from(under);
    let mut at = 0;
    while at != value {
        let is_object = json.kind(at) == Kind::Object;
        let mut inside = json.inside(at).enumerate();
        let found = inside.find(|(_, inner)| (*inner..json.next(*inner)).contains(&value));
        let Some((number, inner)) = found else { break };
        if !is_object {
            push(&mut pointer, &number.to_string());
        } else if let Some(key) = inner.checked_sub(1) {
            push(&mut pointer, &json.text(key));
        }
        at = inner;
    }
    pointer
}

pub(super) fn push(pointer: &mut String, name: &str) {
    if pointer.len() > MAX_POINTER {
        return;
    }
    pointer.push('/');
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
        if pointer.len() > MAX_POINTER {
            return pointer.push_str("...");
        }
    }
}

fn message(check: &Check, document: &Document) -> String {
    match check {
        Check::Enum(values) => {
            let one_of = if values.len() > 1 { "one of " } else { "" };
            let values: Vec<_> = values.iter().map(|value| shown(value.raw(0))).collect();
            let values = values.join(", ");
            if values.len() > MAX_SHOWN {
                return "must be one of the values that are listed for it".into();
            }
            format!("must be {one_of}{values}")
        }
        Check::Minimum(limit) => {
            let than = if limit.is_exclusive { "more than" } else { "at least" };
            format!("must be {than} {}", shown(&limit.text))
        }
        Check::Maximum(limit) => {
            let than = if limit.is_exclusive { "less than" } else { "at most" };
            format!("must be {than} {}", shown(&limit.text))
        }
        Check::MultipleOf { text, .. } => format!("must be a multiple of {}", shown(text)),
        Check::MinLength(least) => format!("must have at least {least} characters"),
        Check::MaxLength(most) => format!("must have at most {most} characters"),
        Check::Pattern(pattern) => {
            let says = document.patterns.get(*pattern).map(|pattern| &*pattern.says);
            format!("must {}", says.unwrap_or_default())
        }
        Check::MinItems(least) => format!("must have at least {least} items"),
        Check::MaxItems(most) => format!("must have at most {most} items"),
        Check::UniqueItems => "is there twice".into(),
        Check::MinProperties(least) => format!("must have at least {least} properties"),
        Check::MaxProperties(most) => format!("must have at most {most} properties"),
        Check::Not(_) => "has a form that it must not have".into(),
        Check::Any(_)
        | Check::One(_)
        | Check::All(_)
        | Check::Items { .. }
        | Check::Properties(_)
        | Check::DependentRequired(_) => "fits none of the forms that it may have".into(),
    }
}

fn with_article(name: &'static str) -> &'static str {
    match name {
        "array" => "an array",
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "object" => "an object",
        "string" => "a string",
        other => other,
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The longest pointer that is told, in bytes.
pub const MAX_POINTER: usize = 512;

/// The longest list of values that is told, in bytes.
const MAX_SHOWN: usize = 200;
