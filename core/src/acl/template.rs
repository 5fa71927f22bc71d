//! The paths of an operation.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::access_rules::PlainPath;

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 512;

/// A path whose segments may be variables: `/v2.1/{project_id}/servers/**`.
///
/// `{name}` stands for one segment that is not empty, `*` likewise, and `**` at the end for any number of
/// segments, also for none. Everything else stands for itself, in the spelling of a [`PlainPath`]: what is
/// percent-encoded in a path has to be so here, with digits in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    segments: Vec<Segment>,
    /// Whether more segments may follow.
    is_prefix: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<[u8]>),
    Variable(Box<str>),
    Any,
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTemplate {
    /// It is longer than [`MAX_TEMPLATE`], or empty.
    Length,
    /// `**` stands before the end.
    Rest,
    /// A brace or a star is only a part of a segment, or the name between braces is not one of letters,
    /// digits and underscores.
    Variable,
    /// A variable is there twice.
    Repeated,
    /// A server could read it as another path, or it is not in the spelling that paths are compared in.
    NotPlain,
}

impl PathTemplate {
    /// Reads a template.
    pub fn new(text: &str) -> Result<Self, InvalidTemplate> {
        if !(1..=MAX_TEMPLATE).contains(&text.len()) {
            return Err(InvalidTemplate::Length);
        }
        let rest = text.strip_prefix('/').ok_or(InvalidTemplate::NotPlain)?;
        let (rest, is_prefix) = match rest.strip_suffix("**") {
            Some("") => return Ok(Self { segments: Vec::new(), is_prefix: true }),
            Some(rest) => (rest.strip_suffix('/').ok_or(InvalidTemplate::Rest)?, true),
            None => (rest, false),
        };
        let mut segments: Vec<Segment> = Vec::new();
        for part in rest.split('/') {
            let segment = segment(part)?;
            if matches!(segment, Segment::Variable(_)) && segments.contains(&segment) {
                return Err(InvalidTemplate::Repeated);
            }
            segments.push(segment);
        }
        let this = Self { segments, is_prefix };
        if this.is_plain() { Ok(this) } else { Err(InvalidTemplate::NotPlain) }
    }

    /// Whether a path is one of these; it must be plain, and in its one spelling.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let Some(rest) = path.strip_prefix(b"/") else { return false };
        let mut parts = rest.split(|byte| *byte == b'/');
        let are_same = self.segments.iter().all(|segment| match (segment, parts.next()) {
            (Segment::Literal(literal), Some(part)) => **literal == *part,
            (Segment::Variable(_) | Segment::Any, Some(part)) => !part.is_empty(),
            (_, None) => false,
        });
        are_same && (self.is_prefix || parts.next().is_none())
    }

    /// The same for a path of so many segments, quickly told of templates of another length.
    pub(crate) fn matches_segments(&self, segments: usize, path: &[u8]) -> bool {
        self.segments.len() == segments && !self.is_prefix && self.matches(path)
    }

    /// What stands in the place of a variable in a path that [matches](Self::matches).
    #[must_use]
    pub fn variable<'a>(&self, name: &str, path: &'a [u8]) -> Option<&'a [u8]> {
        let is_it = |segment: &Segment| matches!(segment, Segment::Variable(it) if **it == *name);
        let place = self.segments.iter().position(is_it)?;
        path.strip_prefix(b"/")?.split(|byte| *byte == b'/').nth(place)
    }

    /// Whether it has a variable of this name.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        self.segments.iter().any(|it| matches!(it, Segment::Variable(it) if **it == *name))
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(name) => Some(&**name),
            Segment::Literal(_) | Segment::Any => None,
        })
    }

    /// Whether paths that it stands for can be plain, and spelt so.
    fn is_plain(&self) -> bool {
        let mut example = Vec::new();
        for segment in &self.segments {
            example.push(b'/');
            match segment {
                Segment::Literal(literal) => example.extend_from_slice(literal),
                Segment::Variable(_) | Segment::Any => example.push(b'x'),
            }
        }
        PlainPath::new(&example).is_some_and(|path| path.as_bytes() == example)
    }
}

fn segment(part: &str) -> Result<Segment, InvalidTemplate> {
    if part == "*" {
        return Ok(Segment::Any);
    }
    if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        return if is_name {
            Ok(Segment::Variable(name.into()))
        } else {
            Err(InvalidTemplate::Variable)
        };
    }
    if part.contains("**") {
        return Err(InvalidTemplate::Rest);
    }
    if part.contains(['{', '}', '*']) {
        return Err(InvalidTemplate::Variable);
    }
    Ok(Segment::Literal(part.as_bytes().into()))
}

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "1 to {MAX_TEMPLATE} bytes"),
            Self::Rest => f.write_str("a path with ** as its last segment only"),
            Self::Variable => f.write_str("a path whose segments are texts, {names} or *, each whole"),
            Self::Repeated => f.write_str("a path in which each {name} is there once"),
            Self::NotPlain => f.write_str(
                "a path from / that every server reads alike: no empty segments, dots or backslashes, \
                 and percent-encoded only what must be, in upper case",
            ),
        }
    }
}

impl core::error::Error for InvalidTemplate {}
