//! The paths of an operation.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::access_rules::{PlainPath, encode, stands_for_itself};
use crate::split;

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 512;

/// A path whose segments may be variables: `/v2.1/{project_id}/servers/**`, `/v1/AUTH_{project_id}/**`.
///
/// `{name}` stands for one segment that is not empty, `*` likewise, and `**` at the end for any number of
/// segments, also for none. A text before them is what the segment begins with; behind such a text `*` may
/// stand for nothing. Everything else stands for itself, in the spelling of a [`PlainPath`]: what is
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
    /// A beginning, and what stands for more.
    Variable(Box<[u8]>, Box<str>),
    Any(Box<[u8]>),
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTemplate {
    /// It is longer than [`MAX_TEMPLATE`], or empty.
    Length,
    /// `**` stands before the end.
    Rest,
    /// Something follows a brace or a star in its segment, or the name between braces is not one of letters,
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
        let mut this = Self { segments: Vec::new(), is_prefix };
        for part in rest.split('/') {
            let segment = Segment::new(part)?;
            if matches!(&segment, Segment::Variable(_, name) if this.has_variable(name)) {
                return Err(InvalidTemplate::Repeated);
            }
            this.segments.push(segment);
        }
        if this.is_plain() { Ok(this) } else { Err(InvalidTemplate::NotPlain) }
    }

    /// Reads a template of S3's keys, `2026/**`, in which all characters but braces and stars stand for
    /// themselves as they are; it is then one of the paths that keys make behind their bucket.
    pub fn of_key(text: &str) -> Result<Self, InvalidTemplate> {
        if text.is_empty() {
            return Err(InvalidTemplate::Length);
        }
        let stays = |byte| stands_for_itself(byte) || matches!(byte, b'{' | b'}');
        let path = encode([b"/", text.as_bytes()].concat().into(), stays);
        Self::new(core::str::from_utf8(&path).unwrap_or_default())
    }

    /// Whether it is all paths: `/**`.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.is_prefix && self.segments.is_empty()
    }

    /// Whether a path is one of these; it must be plain, and in its one spelling.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let Some(rest) = path.strip_prefix(b"/") else { return false };
        let mut parts = split::parts(rest, b'/');
        let mut segments = self.segments.iter();
        segments.all(|segment| parts.next().is_some_and(|part| segment.matches(part)))
            && (self.is_prefix || parts.next().is_none())
    }

    /// Whether all paths that begin so are some of these.
    #[must_use]
    pub fn matches_all_below(&self, start: &[u8]) -> bool {
        // The last segment may go on.
        let segments = split::parts(start, b'/').count();
        self.is_prefix && segments > self.segments.len() + 1 && self.matches(start)
    }

    /// Whether one of the paths that begin so may be one of these.
    #[must_use]
    pub fn matches_some_below(&self, start: &[u8]) -> bool {
        let Some(rest) = start.strip_prefix(b"/") else { return true };
        let mut parts = split::parts(rest, b'/').peekable();
        let mut segments = self.segments.iter();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            match segments.next() {
                // A slash at the end may be nothing to a server.
                None => return self.is_prefix || (is_last && part.is_empty()),
                Some(segment) if is_last => return segment.may_begin_with(part),
                Some(segment) if !segment.matches(part) => return false,
                Some(_) => {}
            }
        }
        true
    }

    /// The same for a path of so many segments, quickly told of templates of another length.
    pub(crate) fn matches_segments(&self, segments: usize, path: &[u8]) -> bool {
        self.segments.len() == segments && !self.is_prefix && self.matches(path)
    }

    /// What stands in the place of a variable in a path that [matches](Self::matches).
    #[must_use]
    pub fn variable<'a>(&self, name: &str, path: &'a [u8]) -> Option<&'a [u8]> {
        let place = self.segments.iter().position(|segment| segment.is_variable(name))?;
        let part = split::parts(path.strip_prefix(b"/")?, b'/').nth(place)?;
        part.strip_prefix(self.segments.get(place)?.beginning())
    }

    /// Whether it has a variable of this name.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        self.segments.iter().any(|segment| segment.is_variable(name))
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(_, name) => Some(&**name),
            Segment::Literal(_) | Segment::Any(_) => None,
        })
    }

    /// Whether paths that it stands for can be plain, and spelt so.
    fn is_plain(&self) -> bool {
        let mut example = Vec::new();
        for segment in &self.segments {
            example.push(b'/');
            example.extend_from_slice(segment.beginning());
            if !matches!(segment, Segment::Literal(_)) {
                example.push(b'x');
            }
        }
        PlainPath::new(&example).is_some_and(|path| path.as_bytes() == example)
    }
}

impl Segment {
    fn new(text: &str) -> Result<Self, InvalidTemplate> {
        if split::contains(text.as_bytes(), b"**") {
            return Err(InvalidTemplate::Rest);
        }
        let place = text.find(['{', '}', '*']);
        let Some((beginning, rest)) = place.and_then(|place| text.split_at_checked(place)) else {
            return Ok(Self::Literal(text.as_bytes().into()));
        };
        if rest == "*" {
            return Ok(Self::Any(beginning.as_bytes().into()));
        }
        let name = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let name = name.filter(|name| !name.is_empty() && name.bytes().all(is_of_names));
        let name = name.ok_or(InvalidTemplate::Variable)?;
        Ok(Self::Variable(beginning.as_bytes().into(), name.into()))
    }

    fn matches(&self, part: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => **literal == *part,
            Self::Variable(beginning, _) => {
                part.strip_prefix(&**beginning).is_some_and(|rest| !rest.is_empty())
            }
            Self::Any(beginning) => !part.is_empty() && part.starts_with(beginning),
        }
    }

    /// Whether a part that it matches may begin so.
    fn may_begin_with(&self, start: &[u8]) -> bool {
        let beginning = self.beginning();
        beginning.starts_with(start)
            || !matches!(self, Self::Literal(_)) && start.starts_with(beginning)
    }

    fn is_variable(&self, name: &str) -> bool {
        matches!(self, Self::Variable(_, it) if **it == *name)
    }

    fn beginning(&self) -> &[u8] {
        match self {
            Self::Literal(text) | Self::Variable(text, _) | Self::Any(text) => text,
        }
    }
}

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "1 to {MAX_TEMPLATE} bytes"),
            Self::Rest => f.write_str("a path with ** as its last segment only"),
            Self::Variable => f.write_str(
                "a path whose segments are texts, or end with a {name} or *, perhaps behind a text",
            ),
            Self::Repeated => f.write_str("a path in which each {name} is there once"),
            Self::NotPlain => f.write_str(
                "a path from / that every server reads alike: no empty segments, dots or backslashes, \
                 and percent-encoded only what must be, in upper case",
            ),
        }
    }
}

impl core::error::Error for InvalidTemplate {}
