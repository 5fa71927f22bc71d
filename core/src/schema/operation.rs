//! A request held against a document: which operation its head asks for, what parameters that has, and
//! what body may follow.

use alloc::boxed::Box;
use alloc::string::String;
use core::result::Result;

use super::checking::{Checking, MAX_HEAD_WORK, MAX_WORK, Unfit};
use super::document::{Document, Operation};
use super::fault::{Violation, pointer, push};
use super::json::{Json, Unread};
use super::parameter::{Given, Pairs, Place, pairs};
use crate::acl::Readings;
use crate::head::RequestHead;
use crate::refusal::SchemaFault;

/// Why a request is not as the document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is no such path; or it is one that servers may read as another.
    PathUnknown,
    /// The path has other methods: those, as `Allow` has them.
    MethodNotAllowed(String),
    /// The body is of another kind, or encoded.
    MediaType,
    /// A parameter or the body is not what it must be.
    Violated(Violation),
    /// To tell would take more than [`MAX_HEAD_WORK`] steps, or of a body more than [`MAX_WORK`].
    TooComplex,
}

/// What a head says of the body.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    /// Whether there is none.
    pub is_end: bool,
    /// How long it is, where the head says so.
    pub length: Option<usize>,
}

/// What may follow a head that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing that is to be looked at.
    Any,
    /// Nothing: if something does, it is this that is wrong.
    Nothing(Box<Flaw>),
    /// JSON that fits a node.
    Json {
        /// Its number.
        node: usize,
        /// Whether there must be any.
        is_required: bool,
    },
}

impl Document {
    /// Whether a head is right. `refuses_unknown`: whether its query must not have parameters that the
    /// document does not know.
    pub fn check_head(
        &self,
        head: RequestHead<'_>,
        announced: Announced,
        refuses_unknown: bool,
    ) -> Result<Expected, Flaw> {
        let readings = Readings::of(head.path());
        let place = readings.agree(|path| self.find(path)).ok_or(Flaw::PathUnknown)?;
        let path = self.paths.get(place).ok_or(Flaw::PathUnknown)?;
        let method = head.method().unwrap_or_default();
        let mut operations = path.operations.iter();
        let operation = operations
            .find(|operation| operation.method.as_bytes() == method)
            .ok_or_else(|| Flaw::MethodNotAllowed(path.allow.clone()))?;
        let plain = readings.plain().unwrap_or_default();
        let query = operation.query(head, refuses_unknown)?;
        let mut given = Given { head, path: (&path.template, plain), query };
        // Nobody has shown who it is yet.
        let mut work = MAX_HEAD_WORK;
        let parameters = &operation.parameters;
        parameters.iter().try_for_each(|it| it.check(self, &given, &mut work))?;
        // A variable of it may be another text to some servers.
        if let Some(other) = readings.other() {
            given.path = (&path.template, other);
            let mut of_path = parameters.iter().filter(|it| it.place == Place::Path);
            of_path.try_for_each(|it| it.check(self, &given, &mut work))?;
        }
        operation.expected(head, announced)
    }

    /// Whether what has come after a head is what was expected.
    pub fn check_arrived(&self, body: &[u8], expected: &Expected) -> Result<(), Flaw> {
        match expected {
            Expected::Json { is_required: true, .. } if body.is_empty() => Err(missing()),
            Expected::Json { node, .. } if !body.is_empty() => self.check_body(body, *node),
            Expected::Nothing(flaw) if !body.is_empty() => Err((**flaw).clone()),
            _ => Ok(()),
        }
    }

    /// Whether a whole body is right.
    pub fn check_body(&self, body: &[u8], node: usize) -> Result<(), Flaw> {
        let violated = |message| Flaw::Violated(Violation::new(BODY, message));
        let json = Json::read(body.into()).map_err(|unread| match unread {
            Unread::NotJson => violated("is not JSON in UTF-8, or is nested too deeply"),
            Unread::TooMany => Flaw::TooComplex,
        })?;
        if let Some(value) = json.repeated() {
            let pointer = pointer(&json, value, BODY);
            return Err(Flaw::Violated(Violation { pointer, message: "is there twice".into() }));
        }
        Checking::check(self, &json, node, &mut MAX_WORK.clone()).map_err(|unfit| match unfit {
            Unfit::Fault(fault) => Flaw::Violated(Violation::of(fault, self, &json, BODY)),
            Unfit::TooComplex => Flaw::TooComplex,
        })
    }
}

impl Operation {
    /// What the query of a head has, where anything of it is looked at.
    fn query<'a>(&self, head: RequestHead<'a>, refuses_unknown: bool) -> Result<Pairs<'a>, Flaw> {
        let of_query = || self.parameters.iter().filter(|it| it.place == Place::Query);
        let mut query = Pairs::new();
        if refuses_unknown || of_query().next().is_some() {
            let unreadable =
                || Flaw::Violated(Violation::new(Place::Query.name(), "cannot be read"));
            query = pairs(head.query()).ok_or_else(unreadable)?;
        }
        // Each is looked at once for each parameter that the document has.
        if query.len() > MAX_PAIRS {
            return Err(Flaw::TooComplex);
        }
        let is_unknown = |name: &str| refuses_unknown && of_query().all(|it| it.name != name);
        if let Some((name, _)) = query.iter().find(|(name, _)| is_unknown(name)) {
            let mut pointer = String::from(Place::Query.name());
            push(&mut pointer, name);
            return Err(Flaw::Violated(Violation { pointer, message: "is not allowed".into() }));
        }
        Ok(query)
    }

    fn expected(&self, head: RequestHead<'_>, announced: Announced) -> Result<Expected, Flaw> {
        let violated = |message| Flaw::Violated(Violation::new(BODY, message));
        let is_empty = announced.is_end;
        let flaw = match &self.body {
            Some(body) if is_empty && body.is_required => return Err(missing()),
            _ if is_empty => return Ok(Expected::Any),
            None => violated("is not allowed"),
            Some(body) => {
                let said = head.single(b"content-type").ok().flatten().unwrap_or_default();
                let is_plain = |it: &[u8]| it.trim_ascii().eq_ignore_ascii_case(b"identity");
                let is_plain = head.values(b"content-encoding").all(is_plain);
                let mut content = body.content.iter();
                match content.find(|it| it.media_type.is_said_by(said)).map(|it| it.node) {
                    Some(Some(node)) if is_plain => {
                        return Ok(Expected::Json { node, is_required: body.is_required });
                    }
                    Some(None) => return Ok(Expected::Any),
                    _ => Flaw::MediaType,
                }
            }
        };
        // Of unknown length, it may turn out to be empty; that it is announced to be is not believed.
        if announced.length.is_some_and(|length| length > 0) {
            Err(flaw)
        } else {
            Ok(Expected::Nothing(Box::new(flaw)))
        }
    }
}

/// There is no body where there must be one.
fn missing() -> Flaw {
    Flaw::Violated(Violation::new(BODY, "is missing"))
}

impl Flaw {
    /// What it is counted as.
    #[must_use]
    pub fn fault(&self) -> SchemaFault {
        match self {
            Self::PathUnknown => SchemaFault::PathUnknown,
            Self::MethodNotAllowed(_) => SchemaFault::MethodNotAllowed,
            Self::MediaType => SchemaFault::MediaType,
            Self::Violated(_) => SchemaFault::Violated,
            Self::TooComplex => SchemaFault::TooComplex,
        }
    }
}

/// What bodies are under, in pointers.
const BODY: &str = "/body";

/// The most parameters in a query.
const MAX_PAIRS: usize = 512;
