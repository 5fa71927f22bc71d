//! Parameters: what stands in paths, queries and headers, read as the JSON that is meant.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::result::Result;
use core::str;

use super::checking::{BYTES_A_STEP, Checking, Unfit, spend};
use super::document::Document;
use super::fault::Violation;
use super::json::{Json, Kind};
use super::operation::Flaw;
use crate::acl::PathTemplate;
use crate::head::RequestHead;
use crate::json::quoted;

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) place: Place,
    /// Of a header: in lower case.
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) form: Form,
    /// How several values are sent, where it may have several.
    pub(super) list: Option<List>,
    pub(super) node: usize,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// What a value is: a query does not tell the number 1 from the text `1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A text, whatever it looks like.
    Text,
    /// A number or a boolean where it looks so, and else a text.
    Typed,
    /// Whichever of the two fits.
    Either,
}

/// How several values are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// With the name once for each.
    Repeated,
    /// With commas between them.
    Commas,
}

/// What a head has of parameters.
pub(super) struct Given<'a> {
    pub(super) head: RequestHead<'a>,
    /// The path, and the template that it fits.
    pub(super) path: (&'a PathTemplate, &'a [u8]),
    /// What the query has, decoded, in order.
    pub(super) query: Pairs<'a>,
}

/// Names and values, decoded.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Path => "/path",
            Self::Query => "/query",
            Self::Header => "/header",
        }
    }
}

impl Parameter {
    /// Whether what a head has of it is right.
    pub(super) fn check(
        &self,
        document: &Document,
        given: &Given<'_>,
        work: &mut u32,
    ) -> Result<(), Flaw> {
        let violated = |message: &str| {
            let mut pointer = String::from(self.place.name());
            super::fault::push(&mut pointer, &self.name);
            Flaw::Violated(Violation { pointer, message: message.into() })
        };
        if self.place == Place::Header && self.is_spelt_otherwise(given.head) {
            return Err(violated("is there in another spelling"));
        }
        let values = self.values(given).ok_or_else(|| violated("cannot be read"))?;
        // To read them takes as long as to look at what has been read.
        let bytes: usize = values.iter().map(|value| value.len()).sum();
        let is_list = self.list == Some(List::Commas);
        let commas = |value: &Cow<'_, str>| value.bytes().filter(|byte| *byte == b',').count();
        let parts = values.len() + if is_list { values.iter().map(commas).sum() } else { 0 };
        if parts > MAX_PARTS || spend(work, parts + bytes / BYTES_A_STEP).is_none() {
            return Err(Flaw::TooComplex);
        }
        let separate = |values: &[Cow<'_, str>]| -> Vec<String> {
            let parts = values.iter().flat_map(|value| value.split(','));
            let is_header = self.place == Place::Header;
            parts.map(|part| if is_header { part.trim_ascii() } else { part }.into()).collect()
        };
        let json = match (&*values, self.list) {
            ([], _) if self.is_required => return Err(violated("is missing")),
            ([], _) => return Ok(()),
            ([value], None) => written(value, self.form == Form::Text),
            (_, None) => return Err(violated("is there twice")),
            ([_, _, ..], Some(List::Commas)) if self.place != Place::Header => {
                return Err(violated("is there twice"));
            }
            (values, Some(List::Repeated)) => self.array(values.iter().map(|it| &**it)),
            (values, Some(List::Commas)) => self.array(separate(values).iter().map(String::as_str)),
        };
        let mut fits = fits(document, &json, self.node, work);
        if self.form == Form::Either
            && let ([value], Err(Ok(_))) = (&*values, &fits)
        {
            fits = self::fits(document, &written(value, true), self.node, work);
        }
        match fits {
            Ok(()) => Ok(()),
            Err(Err(TooComplex)) => Err(Flaw::TooComplex),
            Err(Ok(Violation { pointer, message })) => {
                let Flaw::Violated(mut whole) = violated(&message) else {
                    return Err(Flaw::TooComplex);
                };
                whole.pointer.push_str(&pointer);
                Err(Flaw::Violated(whole))
            }
        }
    }

    /// Whether there is a header that CGI and WSGI servers take for this one, and others do not: to them
    /// underscores and hyphens are one character.
    fn is_spelt_otherwise(&self, head: RequestHead<'_>) -> bool {
        let name = self.name.as_bytes();
        let folded = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        let is_taken_for_it = |other: &[u8]| other.iter().map(folded).eq(name.iter().map(folded));
        head.names().any(|other| other != name && is_taken_for_it(other))
    }

    /// `None` if one of them is no text.
    fn values<'a>(&self, given: &Given<'a>) -> Option<Vec<Cow<'a, str>>> {
        match self.place {
            Place::Path => {
                let (template, path) = given.path;
                let value = template.variable(&self.name, path);
                value.into_iter().map(|it| decode(it, false)).collect()
            }
            Place::Query => {
                let mine = given.query.iter().filter(|(name, _)| *name == self.name);
                Some(mine.map(|(_, value)| value.clone()).collect())
            }
            Place::Header => {
                let values = given.head.values(self.name.as_bytes());
                values.map(|it| str::from_utf8(it).ok().map(Cow::from)).collect()
            }
        }
    }

    fn array<'a>(&self, values: impl Iterator<Item = &'a str>) -> String {
        let mut json = String::from("[");
        for value in values {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&written(value, self.form == Form::Text));
        }
        json.push(']');
        json
    }
}

/// The most elements of one parameter.
const MAX_PARTS: usize = 512;

/// There was more to do than may be done.
struct TooComplex;

fn fits(
    document: &Document,
    json: &str,
    node: usize,
    work: &mut u32,
) -> Result<(), Result<Violation, TooComplex>> {
    let json = Json::read(json.as_bytes().into()).map_err(|_| Err(TooComplex))?;
    Checking::check(document, &json, node, work).map_err(|unfit| match unfit {
        Unfit::Fault(fault) => Ok(Violation::of(fault, document, &json, "")),
        Unfit::TooComplex => Err(TooComplex),
    })
}

/// A value as JSON: as it stands if it is a number or a boolean, and need not be a text.
fn written(value: &str, is_text: bool) -> String {
    let stands_for_itself = || {
        let json = Json::read(value.as_bytes().into()).ok()?;
        let is_bare = json.raw(0).len() == value.len();
        Some(is_bare && matches!(json.kind(0), Kind::Number | Kind::True | Kind::False))
    };
    if !is_text && stands_for_itself() == Some(true) {
        return value.into();
    }
    quoted(value)
}

/// What a query has, in order; `None` if something in it is no text, or is not percent-encoded as it must be.
pub(super) fn pairs(query: &[u8]) -> Option<Pairs<'_>> {
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (parts.next()?, parts.next().unwrap_or_default());
            Some((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

/// Percent-decoded; in a query a plus sign stands for a space.
fn decode(text: &[u8], is_query: bool) -> Option<Cow<'_, str>> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return str::from_utf8(text).ok().map(Cow::from);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        decoded.push(match byte {
            b'+' if is_query => b' ',
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
                let digits = str::from_utf8(digits).ok().filter(|_| is_hex)?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::from)
}
